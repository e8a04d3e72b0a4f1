//! What an application asks of calls it makes.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Occasion;
use crate::time::Instant;
use crate::user_agent::call::Redirection;
use crate::user_agent::replaces::Replacement;
use crate::user_agent::{
    CallError, CallId, CallState, Cause, CommandError, End, Failure, Side, UserAgent, target_dialog,
};

impl UserAgent {
    /// Calls `bob`, `bob@example.com`, a number, a SIP URI or a `tel` URI with an offer.
    pub fn call(&mut self, now: Instant, target: &str, sdp: &str) -> Result<CallId, CallError> {
        self.invite(now, target, Some(Bytes::copy_from_slice(sdp.as_bytes())), Occasion::default())
    }

    /// Calls in the place of one of the target's calls (RFC 3891 §4), which ends when this one is accepted: pickup of a
    /// call that the target makes, or what a REFER asks for. The target should be the Contact of who has that call.
    pub fn call_replacing(
        &mut self,
        now: Instant,
        target: &str,
        sdp: &str,
        replaces: Replacement,
    ) -> Result<CallId, CallError> {
        let occasion = Occasion { replaces: Some(replaces), ..Occasion::default() };
        self.invite(now, target, Some(Bytes::copy_from_slice(sdp.as_bytes())), occasion)
    }

    /// Calls into one of the target's calls (RFC 3911 §5), which goes on with one more in it: to barge in, to listen, to make
    /// a conference of it. The target, which should be the Contact of who has that call, decides what becomes of it.
    /// Whether that call is answered does not matter.
    pub fn call_joining(
        &mut self,
        now: Instant,
        target: &str,
        sdp: &str,
        joins: Replacement,
    ) -> Result<CallId, CallError> {
        let occasion = Occasion { joins: Some(joins), ..Occasion::default() };
        self.invite(now, target, Some(Bytes::copy_from_slice(sdp.as_bytes())), occasion)
    }

    /// Calls somebody who is to know that we are in this call, with that side's Target-Dialog (RFC 4538): one that takes
    /// no calls from strangers may take this one.
    pub fn call_about(
        &mut self,
        now: Instant,
        target: &str,
        sdp: &str,
        call: CallId,
    ) -> Result<CallId, CallError> {
        let about = self.nameable(call).map(target_dialog::naming);
        let about = Some(about.ok_or(CallError::NoTargetDialog)?);
        let occasion = Occasion { about, ..Occasion::default() };
        self.invite(now, target, Some(Bytes::copy_from_slice(sdp.as_bytes())), occasion)
    }

    /// Calls as nobody (RFC 3323 §4.1): From, and the Contacts of the call, say nothing of who we are. Our server is told by
    /// P-Preferred-Identity (RFC 3325 §9.2), and asked to tell nobody outside its trust domain (`Privacy: id`). The
    /// Contact is a temporary GRUU where the registrar gives one (RFC 5627 §4.4); without, over UDP and TCP, it has our
    /// address. The description has those of media. [`Cause::AnonymityDisallowed`]: such calls are not taken there.
    pub fn call_anonymously(&mut self, now: Instant, target: &str, sdp: &str) -> Result<CallId, CallError> {
        let occasion = Occasion { anonymous: true, ..Occasion::default() };
        self.invite(now, target, Some(Bytes::copy_from_slice(sdp.as_bytes())), occasion)
    }

    /// Calls without an offer (§13.2.1): the other side's comes as [`Event::Offered`](super::super::Event::Offered) after
    /// [`Event::Accepted`](super::super::Event::Accepted).
    pub fn call_offerless(&mut self, now: Instant, target: &str) -> Result<CallId, CallError> {
        self.invite(now, target, None, Occasion::default())
    }

    /// Whether [`Self::call`] would go as far as an INVITE now: to be asked before the person is asked for a
    /// microphone.
    pub fn check_call(&self, target: &str) -> Result<(), CallError> {
        self.callable(target).map(drop)
    }

    /// Gives up an outgoing call that was not answered.
    pub fn cancel(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        let found = self.living(call)?;
        let state = found.state();
        if !found.is_ours() {
            return Err(CommandError::WrongDirection);
        }
        if state == CallState::Established {
            return Err(CommandError::WrongState(state));
        }
        self.give_up(now, call, End::Canceled { by: Side::Local, reason: None });
        self.settle(now);
        Ok(())
    }

    /// Sends a call on that is sent elsewhere ([`Event::Redirected`](super::super::Event::Redirected)): to these of the targets that were
    /// told, one after the other as each fails. None: to what was chosen before and waits, or it ends as `Redirected`.
    pub fn follow(&mut self, now: Instant, call: CallId, targets: &[&str]) -> Result<(), CommandError> {
        let found = self.living(call)?;
        let state = found.state();
        if !found.is_ours() {
            return Err(CommandError::WrongDirection);
        }
        let out = found.outgoing().ok_or(CommandError::WrongState(state))?;
        let asked = out.asked.as_ref().ok_or(CommandError::WrongState(state))?;
        let chosen = targets.iter().map(|uri| asked.targets.iter().find(|told| told.uri == **uri).cloned());
        let chosen: Vec<Redirection> = chosen.collect::<Option<_>>().ok_or(CommandError::InvalidTarget)?;
        let twice = |(at, this): (usize, &Redirection)| chosen[..at].contains(this);
        if chosen.iter().enumerate().any(twice) {
            return Err(CommandError::InvalidTarget);
        }
        let status = asked.status;
        out.targets.prefer(status, chosen, &out.draft.uri);
        let failure = out.asked.take().map(|asked| asked.failure);
        if !self.goes_on(now, call) {
            self.fail(call, failure.unwrap_or_else(|| Failure::of(Cause::Redirected)));
        }
        self.settle(now);
        Ok(())
    }
}
