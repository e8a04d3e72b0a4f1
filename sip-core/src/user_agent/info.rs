//! INFO in a call (RFC 6086 §1, legacy usage): DTMF for those who take no RFC 4733 events.

use alloc::string::String;

use smol_str::SmolStr;

use super::{CallId, CallState, Cause, CommandError, End, Failure, Purpose, UserAgent};
use crate::auth::Attempt;
use crate::message::{HeaderName, Method, Request, Response};
use crate::time::Instant;

/// An INFO on its way.
#[derive(Debug)]
pub(super) struct Info {
    call: CallId,
    content_type: SmolStr,
    body: String,
    attempt: Attempt,
}

impl UserAgent {
    /// Sends an INFO in an established call.
    pub fn info(
        &mut self,
        now: Instant,
        call: CallId,
        content_type: &str,
        body: &str,
    ) -> Result<(), CommandError> {
        let state = self.living(call)?.state();
        if state != CallState::Established {
            return Err(CommandError::WrongState(state));
        }
        let info =
            Info { call, content_type: content_type.into(), body: body.into(), attempt: Attempt::default() };
        self.send_info(now, info)?;
        self.settle(now);
        Ok(())
    }

    fn send_info(&mut self, now: Instant, mut info: Info) -> Result<(), CommandError> {
        let hop = self.ready().ok_or(CommandError::Offline)?;
        let found = self.calls.get_mut(&info.call).ok_or(CommandError::NoSuchCall)?;
        let dialog = found.dialog.as_mut().ok_or(CommandError::NoSuchCall)?;
        let via = self.local.via(hop, &mut *self.entropy);
        let writer =
            dialog.request(&Method::Info, via).header(HeaderName::UserAgent, &self.config.user_agent);
        let uri = SmolStr::new(dialog.request_uri());
        let message = self
            .authorize(writer, &mut info.attempt, &Method::Info, &uri, info.body.as_bytes())
            .body(&info.content_type, info.body.as_bytes());
        let request = Request::parse(message).map_err(|_| CommandError::TooLarge)?;
        let client = self.layer.send_request(now, &request, hop).ok_or(CommandError::Offline)?;
        self.purposes.insert(client, Purpose::Info(info));
        Ok(())
    }

    pub(super) fn info_answered(&mut self, now: Instant, mut info: Info, response: &Response) {
        match response.status() {
            401 | 407 => {
                let Some(dialog) = self.calls.get(&info.call).and_then(|call| call.dialog.as_ref()) else {
                    return;
                };
                let uri = SmolStr::new(dialog.request_uri());
                if self.learn_challenge(&mut info.attempt, &uri, response).is_ok() {
                    // A key that cannot be sent any more is lost as one on a bad line is.
                    let _ = self.send_info(now, info);
                }
            }
            408 | 481 => self.dialog_lost(info.call, Failure::of_response(response)),
            _ => {}
        }
    }

    pub(super) fn info_timed_out(&mut self, info: &Info) {
        self.dialog_lost(info.call, Failure::of(Cause::Timeout));
    }

    /// §12.2.1.2: the other side knows nothing of the call, or is silent: "the UAC SHOULD terminate the dialog".
    fn dialog_lost(&mut self, id: CallId, failure: Failure) {
        if self.calls.get(&id).is_some_and(|call| !call.ended) {
            self.end(id, End::Failed(failure));
            self.say_bye(id);
        }
    }
}
