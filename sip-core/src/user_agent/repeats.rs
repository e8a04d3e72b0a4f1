//! Requests within dialogs that come again under another branch: a server on their way has forgotten the first transaction,
//! and their sender has not. Each new request has a higher CSeq (RFC 3261 §12.2.1.1), so one with the same is the same: it is
//! acted upon once, and answered in each transaction as in the first. Outside dialogs such requests are refused
//! ([`Ongoing`](crate::transaction::Ongoing)).

use alloc::vec::Vec;

use bytes::Bytes;

use super::UserAgent;
use super::checks::Refusal;
use crate::dialog::DialogId;
use crate::limits;
use crate::message::{HeaderName, Method, Request, Response, Rewrite, reason_phrase};
use crate::time::Instant;
use crate::transaction::ServerId;

/// The requests within our dialogs that came last, in that order.
#[derive(Debug, Default)]
pub(super) struct Repeats(Vec<Taken>);

#[derive(Debug)]
struct Taken {
    name: u64,
    /// Its transaction.
    first: ServerId,
    /// Those it came again in, each by Vias of its own.
    again: Vec<(ServerId, Request)>,
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    response: Bytes,
    /// Nobody repeats the request any more.
    until: Instant,
}

impl Repeats {
    /// Notes a request. At its cap the oldest is forgotten: should that come again it is judged anew. One that came again
    /// and has no answer stays, for it is owed to all its transactions.
    fn insert(&mut self, name: u64, first: ServerId) {
        if self.0.len() >= limits::REPEATS {
            let may_go = |taken: &Taken| taken.answer.is_some() || taken.again.is_empty();
            let Some(oldest) = self.0.iter().position(may_go) else { return };
            self.0.remove(oldest);
        }
        self.0.push(Taken { name, first, again: Vec::new(), answer: None });
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The transaction in which a request came first, given any.
    pub(super) fn first(&self, server: ServerId) -> ServerId {
        self.0
            .iter()
            .find(|taken| taken.again.iter().any(|(again, _)| *again == server))
            .map_or(server, |taken| taken.first)
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(|taken| taken.answer.as_ref()).map(|answer| answer.until).min()
    }

    pub(super) fn time_passed(&mut self, now: Instant) {
        self.0.retain(|taken| taken.answer.as_ref().is_none_or(|answer| now < answer.until));
        if self.0.is_empty() {
            // An idle user agent keeps no room for a busy one's.
            self.0 = Vec::new();
        }
    }
}

impl UserAgent {
    /// Whether a request within a dialog is one that was taken before: then it is answered as that was, or will be. One
    /// that is new is noted, if the dialog is ours.
    pub(super) fn came_again(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        dialog: &DialogId,
    ) -> Result<bool, Refusal> {
        let name = self.ongoing.name_of(request);
        let Some(taken) = self.repeats.0.iter_mut().find(|taken| taken.name == name) else {
            if self.dialog_named(dialog).is_some() {
                self.repeats.insert(name, server);
            }
            return Ok(false);
        };
        if let Some(Answer { status, response, .. }) = taken.answer.clone() {
            self.answer_again(now, server, request, status, response);
            return Ok(true);
        }
        if taken.again.len() >= limits::REPEATS_OF_ONE {
            return Err(Refusal::with_reason(482, "Merged Request"));
        }
        taken.again.push((server, request.clone()));
        if *request.method() == Method::Invite {
            let trying = self.response(request, 100, reason_phrase(100), None).finish();
            self.layer.respond(now, server, 100, trying);
        }
        Ok(true)
    }

    /// Sends the final answer to a request that came in this transaction first, or a 2xx again, in every one it came in.
    pub(super) fn reply(&mut self, now: Instant, server: ServerId, status: u16, response: Bytes) {
        let until = now + self.timers.t1 * 64;
        let taken = self.repeats.0.iter_mut().find(|taken| taken.first == server);
        let again = taken.map_or_else(Vec::new, |taken| {
            taken.answer.get_or_insert_with(|| Answer { status, response: response.clone(), until });
            taken.again.clone()
        });
        self.layer.respond(now, server, status, response.clone());
        for (server, request) in again {
            self.answer_again(now, server, &request, status, response.clone());
        }
    }

    /// Sends an answer in another transaction, whose request came by other Vias.
    fn answer_again(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        status: u16,
        response: Bytes,
    ) {
        let Ok(response) = Response::parse(response) else { return };
        let mut rewrite = Rewrite::new(response.headers());
        rewrite.remove(HeaderName::Via);
        for via in request.headers().all(HeaderName::Via) {
            rewrite.prepend(HeaderName::Via, via);
        }
        let response = rewrite.finish();
        self.layer.respond(now, server, status, response);
    }
}
