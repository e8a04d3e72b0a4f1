//! Calls that are added to others (RFC 3911). Mixing is the application's.

use super::checks::Refusal;
use super::{CallId, Replacement, UserAgent};
use crate::message::Request;
use crate::message::typed::Join;

/// The option tag.
pub(super) const TAG: &str = "join";

impl UserAgent {
    /// The call that an INVITE is to be added to (§4); `None`: to none. Early dialogs may be joined as well.
    pub(super) fn joined_by(&self, invite: &Request) -> Result<Option<CallId>, Refusal> {
        if !self.config.joins {
            return Ok(None);
        }
        let Some(field) = invite.headers().typed::<Join<'_>>().ok().flatten() else { return Ok(None) };
        let named = Replacement {
            call_id: field.call_id.into(),
            to_tag: field.to_tag.into(),
            from_tag: field.from_tag.into(),
            early_only: false,
        };
        self.living_named(&named).map(Some)
    }
}
