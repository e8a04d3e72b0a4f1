//! Calls that take the place of others (RFC 3891).

use core::fmt;

use smol_str::{SmolStr, format_smolstr};

use super::checks::Refusal;
use super::{CallId, CallState, End, UserAgent};
use crate::dialog::DialogId;
use crate::message::Request;
use crate::message::typed::{HeaderError, Replaces, TypedHeader};
use crate::time::Instant;

/// The dialog that a new call takes the place of, or joins, as its target knows it (RFC 3891 §6.1, RFC 3911 §7.1). Shown as
/// the value of a Replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Its Call-ID.
    pub call_id: SmolStr,
    /// The target's own tag.
    pub to_tag: SmolStr,
    /// The tag of the side that is replaced.
    pub from_tag: SmolStr,
    /// Only while it is not answered: "pickup" of a call that somebody else took is not wanted.
    pub early_only: bool,
}

impl Replacement {
    /// Reads the value of a Replaces.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        Replaces::parse(text).map(|field| Self::of(&field))
    }

    fn of(field: &Replaces<'_>) -> Self {
        Self {
            call_id: field.call_id.into(),
            to_tag: field.to_tag.into(),
            from_tag: field.from_tag.into(),
            early_only: field.early_only(),
        }
    }

    /// The value of a Join, which has no `early-only`.
    pub(super) fn tags(&self) -> impl fmt::Display {
        format_smolstr!("{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)
    }

    /// The dialog that we know by `id`, as its other side does.
    pub(super) fn of_theirs(id: &DialogId) -> Self {
        // §6.1: "0" is who has no tag.
        let tag = |tag: &SmolStr| if tag.is_empty() { SmolStr::new_static("0") } else { tag.clone() };
        let (to_tag, from_tag) = (tag(&id.remote_tag), tag(&id.local_tag));
        Self { call_id: id.call_id.clone(), to_tag, from_tag, early_only: false }
    }

    /// The dialog as we know it, if we are its target.
    fn dialog(&self) -> DialogId {
        let Self { call_id, to_tag, from_tag, .. } = self.clone();
        DialogId { call_id, local_tag: to_tag, remote_tag: from_tag }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tags().fmt(f)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

/// The call that an incoming one would replace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replaced {
    pub(super) call: CallId,
    early_only: bool,
}

impl UserAgent {
    /// The call whose place an INVITE is to take (§3); `None`: nobody's.
    pub(super) fn replaced_by(&mut self, invite: &Request) -> Result<Option<Replaced>, Refusal> {
        let Some(field) = invite.headers().typed::<Replaces<'_>>().ok().flatten() else { return Ok(None) };
        let named = Replacement::of(&field);
        let early_only = named.early_only;
        let id = self.living_named(&named)?;
        let found = self.calls.get(&id).ok_or(Refusal::of(481))?;
        match found.state() {
            // "an early dialog that was not initiated by this UA", though its 2xx may wait for a PRACK.
            _ if found.is_unanswered() => Err(Refusal::of(481)),
            CallState::Established if early_only => Err(Refusal::of(486)),
            _ => Ok(Some(Replaced { call: id, early_only })),
        }
    }

    /// The call that another names by its dialog: 481 for none, 603 for one that is over (RFC 3891 §3, RFC 3911 §4).
    pub(super) fn living_named(&self, named: &Replacement) -> Result<CallId, Refusal> {
        let mut dialog = named.dialog();
        let mut call = self.call_of(&dialog);
        if call.is_none() && dialog.remote_tag == "0" {
            // §6.1: "0" is also who has no tag.
            dialog.remote_tag = SmolStr::default();
            call = self.call_of(&dialog);
        }
        match call {
            Some(id) if self.call_state(id) != Some(CallState::Ended) => Ok(id),
            Some(_) => Err(Refusal::of(603)),
            // The BYE may still be on its way.
            None if self.is_leaving(&dialog) => Err(Refusal::of(603)),
            None => Err(Refusal::of(481)),
        }
    }

    /// Whether the call can still be replaced, now that its successor is to be accepted.
    pub(super) fn may_replace(&self, replaced: Replaced) -> bool {
        let state = self.call_state(replaced.call);
        !(replaced.early_only && state == Some(CallState::Established))
    }

    /// The successor is accepted: "shuts down the replaced dialog" by BYE or CANCEL.
    pub(super) fn replace(&mut self, now: Instant, replaced: Replaced, by: CallId) {
        let end = End::Replaced { by };
        match self.call_state(replaced.call) {
            Some(CallState::Established) => {
                self.end(replaced.call, end);
                self.say_bye(replaced.call);
            }
            Some(CallState::Connecting | CallState::Ringing) => self.give_up(now, replaced.call, end),
            // It ended by itself meanwhile.
            Some(CallState::Ended) | None => {}
        }
    }
}
