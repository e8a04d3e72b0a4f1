//! NOTIFY without a subscription, as PBXs tell of voicemail and have phones read their configuration. RFC 6665 §4.1.3 would have it
//! refused, and it is, unless the configuration names its package. No dialog and no subscription is made.

use super::checks::{self, Refusal};
use super::{Event, Identity, UserAgent};
use crate::events::Package;
use crate::message::Request;
use crate::message::typed::Event as EventField;
use crate::time::Instant;
use crate::transaction::ServerId;

impl UserAgent {
    /// A NOTIFY outside dialogs.
    pub(super) fn told_unasked(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let event = request.headers().typed::<EventField<'_>>().ok().flatten();
        // Names compare byte for byte (§8.2.1).
        let taken = event.filter(|event| self.config.unsolicited.iter().any(|package| package == event.kind));
        let package = Package::from_token(taken.ok_or(Refusal::of(481))?.kind);
        let content = self.any_body(request, package.media_type())?;
        checks::addressee(request, &self.local, &self.config.aor)?;
        if self.ongoing.is_merged(server, request) {
            return Err(Refusal::with_reason(482, "Merged Request"));
        }
        self.respond(now, server, request, 200, &[]);
        let from = Identity::of(&request.from());
        self.event(Event::Unsolicited { package, from, content, request: request.clone() });
        Ok(())
    }
}
