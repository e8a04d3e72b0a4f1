//! Session identifiers (RFC 7989): what our responses say, what the other side's messages tell, and who is told.

use alloc::vec::Vec;

use super::call::{Call, Direction};
use super::farewell::Farewell;
use super::{CallId, Event, UserAgent};
use crate::dialog::{Dialog, DialogId};
use crate::message::{HeaderName, Request, Response, SessionIdentifier, Uuid, Writer};

impl UserAgent {
    /// What names a call from end to end. Its other side is nil while it is not known.
    pub fn session_id(&self, call: CallId) -> Option<SessionIdentifier> {
        self.calls.get(&call).map(Call::session)
    }

    /// Begins a response. One to a request in a dialog has that dialog's Session-ID, any other a new one if its request
    /// has one; the UUID of a request that succeeds is the other side's from now on (§8).
    pub(super) fn response(
        &mut self,
        request: &Request,
        status: u16,
        phrase: &str,
        tag: Option<&str>,
    ) -> Writer {
        let writer = Writer::response(request, status, phrase, tag);
        let headers = request.headers();
        let dialog = DialogId::of_request(request).and_then(|id| self.dialog_named(&id));
        let session = match dialog {
            Some(dialog) => {
                let session = dialog.session().answering(headers);
                if (200..400).contains(&status) {
                    dialog.hear_session(headers);
                }
                session
            }
            None if headers.has(HeaderName::SessionId) => {
                SessionIdentifier::begun_by(headers, Uuid::new(&mut *self.entropy))
            }
            None => return writer,
        };
        session.write(writer)
    }

    /// "The endpoint MUST accept the new UUID" of a response (§8).
    pub(super) fn hear_session(&mut self, response: &Response) {
        if response.headers().has(HeaderName::SessionId)
            && let Some(dialog) = self.dialog_named(&DialogId::of_response(response))
        {
            dialog.hear_session(response.headers());
        }
    }

    /// Any dialog, be it a call's or a subscription's.
    pub(super) fn dialog_named(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        let calls = self.calls.values_mut().flat_map(Call::usages_mut).map(|usage| &mut usage.dialog);
        let subscriptions = self.subscriptions.values_mut().filter_map(|s| s.machine.dialog_named(id));
        let watchers = self.watchers.values_mut().filter_map(|watcher| watcher.machine.dialog_mut());
        let farewells = self.farewells.iter_mut().filter_map(Farewell::dialog_mut);
        calls.chain(subscriptions).chain(watchers).chain(farewells).find(|dialog| dialog.id() == id)
    }

    /// Tells what has become known of the calls' other sides.
    pub(super) fn tell_sessions(&mut self) {
        let mut changed = Vec::new();
        for (id, call) in self.calls.iter_mut().filter(|(_, call)| !call.ended) {
            let session = call.session();
            if !session.remote.is_nil() && session != call.told_session {
                call.told_session = session;
                changed.push((id, session));
            }
        }
        for (call, session) in changed {
            self.event(Event::Session { call, session });
        }
    }
}

impl Call {
    /// Of its dialog, or the newest early one; an INVITE that nobody has answered names itself.
    pub(super) fn session(&self) -> SessionIdentifier {
        let usage = self.usage.as_ref().or_else(|| self.usages().last());
        match (usage, &self.direction) {
            (Some(usage), _) => usage.dialog.session(),
            (None, Direction::Outgoing(out)) => out.session(),
            (None, _) => SessionIdentifier::default(),
        }
    }
}
