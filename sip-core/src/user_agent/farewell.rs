//! The last words of a call: BYE (RFC 3261 §15.1.1), or a CANCEL whose INVITE lost its flow. They wait until there
//! is a registered flow, and are said again if the other side is away.

use alloc::boxed::Box;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::failure::retry_after;
use super::{CallId, End, Failure, Purpose, UserAgent};
use crate::auth::Attempt;
use crate::dialog::{Dialog, DialogId};
use crate::limits;
use crate::message::{Fields, HeaderName, Method, Request, Response, Writer};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::Hop;

/// How often a BYE is said again to a side that is away. With [`RETRY`] and the time the gateway holds each, a page
/// that is back within two minutes is hung up.
const RETRIES: u8 = 8;

/// The least time between two tries.
const RETRY: Duration = Duration::from_secs(5);

/// A request that ends something.
#[derive(Debug)]
pub(super) enum Last {
    /// Ends a dialog, and says this beside.
    Bye(Box<Dialog>, Fields),
    /// Ends the INVITE that is given.
    Cancel(Request, Fields),
}

/// A request that ends something, and how far it has come.
#[derive(Debug)]
pub(super) struct Farewell {
    id: u64,
    last: Last,
    /// The call that is released by it; a fork's dialog belongs to none.
    call: Option<CallId>,
    /// The flow the call used: another serves where that is gone.
    slot: usize,
    attempt: Attempt,
    client: Option<ClientId>,
    /// As it was sent, until it is answered: over the next flow it goes under its branch.
    sent: Option<Request>,
    not_before: Option<Instant>,
    /// When our user has waited long enough for it. It is still said later.
    release_at: Option<Instant>,
    retries: u8,
}

impl Farewell {
    /// Whether it is the CANCEL of the INVITE with this branch, and is not out yet.
    pub(super) fn cancels(&self, branch: Option<&str>) -> bool {
        self.client.is_none() && matches!(&self.last, Last::Cancel(invite, _) if invite.branch() == branch)
    }

    /// What is for a `sips` URI goes over TLS alone (RFC 3261 §26.2.2).
    fn may_go_over(&self, hop: &Hop) -> bool {
        hop.may_carry(match &self.last {
            Last::Bye(dialog, _) => dialog.request_uri(),
            Last::Cancel(invite, _) => invite.uri(),
        })
    }

    /// The dialog that it ends.
    pub(super) const fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.last {
            Last::Bye(dialog, _) => Some(dialog),
            Last::Cancel(..) => None,
        }
    }
}

impl UserAgent {
    /// Queues the BYE of an ended call. One whose 2xx was not acknowledged has to wait for that (§15).
    pub(super) fn say_bye(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.incoming().is_some_and(|incoming| incoming.awaits_ack()) {
            return;
        }
        let parting = core::mem::take(&mut call.parting);
        match call.usage.as_ref().map(|usage| usage.dialog.clone()) {
            Some(dialog) => self.say_last(Last::Bye(Box::new(dialog), parting), id, true),
            None => self.release(id),
        }
    }

    /// §12.2.1.2: the other side knows nothing of the call, or is silent: "the UAC SHOULD terminate the dialog".
    pub(super) fn dialog_lost(&mut self, now: Instant, id: CallId, failure: Failure) {
        match self.calls.get(&id).filter(|call| !call.ended) {
            // An early dialog is ended by the final answer to its INVITE.
            Some(call) if call.is_unanswered() => {
                self.refuse_offer(now, id, 480, None, End::Failed(failure));
            }
            Some(_) => {
                self.end(id, End::Failed(failure));
                self.say_bye(id);
            }
            None => {}
        }
    }

    /// Queues a request that ends something of this call, or, if it `releases`, the call itself.
    pub(super) fn say_last(&mut self, last: Last, of: CallId, releases: bool) {
        if self.farewells.len() >= limits::FAREWELLS {
            let oldest = self.farewells.remove(0);
            self.counters.dropped_farewells += 1;
            self.over(&oldest);
        }
        let id = self.next_farewell;
        self.next_farewell += 1;
        let slot = self.calls.get(&of).map(|call| call.way.slot()).unwrap_or_default();
        self.farewells.push(Farewell {
            id,
            last,
            call: releases.then_some(of),
            slot,
            attempt: Attempt::default(),
            client: None,
            sent: None,
            not_before: None,
            release_at: None,
            retries: 0,
        });
    }

    /// Sends what waits, if it may be sent now.
    pub(super) fn send_farewells(&mut self, now: Instant) {
        let patience = self.timers.t1 * 64;
        for farewell in self.farewells.iter_mut().filter(|farewell| farewell.call.is_some()) {
            farewell.release_at.get_or_insert(now + patience);
        }
        let Some(hop) = self.ready() else { return };
        let mut at = 0;
        while at < self.farewells.len() {
            let waits = {
                let farewell = &self.farewells[at];
                farewell.client.is_none() && farewell.not_before.is_none_or(|time| time <= now)
            };
            if waits {
                let mut farewell = self.farewells.remove(at);
                let hop = self.ready_in(farewell.slot).unwrap_or(hop);
                let may_go = farewell.may_go_over(&hop);
                if !may_go && !self.is_shutting_down() {
                    // It waits as where there is no flow.
                    farewell.not_before = None;
                    self.farewells.insert(at, farewell);
                } else if may_go && self.send_farewell(now, hop, &mut farewell) {
                    self.farewells.insert(at, farewell);
                } else {
                    self.over(&farewell);
                    continue;
                }
            }
            at += 1;
        }
    }

    fn send_farewell(&mut self, now: Instant, hop: Hop, farewell: &mut Farewell) -> bool {
        let Some(request) = farewell.sent.take().or_else(|| self.write_farewell(hop, farewell)) else {
            return false;
        };
        farewell.client = self.layer.send_request(now, &request, hop);
        farewell.not_before = None;
        farewell.sent = Some(request);
        if let Some(client) = farewell.client {
            self.purposes.insert(client, Purpose::Farewell(farewell.id));
            if let Last::Cancel(invite, _) = &farewell.last {
                self.canceled_late(now, invite.branch());
            }
        }
        farewell.client.is_some()
    }

    fn write_farewell(&mut self, hop: Hop, farewell: &mut Farewell) -> Option<Request> {
        let request = match &mut farewell.last {
            Last::Bye(dialog, fields) => {
                let via = self.local.via(hop, &mut *self.entropy);
                let writer = dialog
                    .request(&Method::Bye, via)
                    .header(HeaderName::UserAgent, &self.config.user_agent)
                    .fields(fields);
                let uri = SmolStr::new(dialog.request_uri());
                self.authorize(writer, &mut farewell.attempt, &Method::Bye, &uri, &[]).finish()
            }
            Last::Cancel(invite, fields) => cancel(invite, fields),
        };
        Request::parse(request).ok()
    }

    pub(super) fn farewell_answered(&mut self, now: Instant, id: u64, response: &Response) {
        if response.is_provisional() {
            return;
        }
        let Some(at) = self.farewells.iter().position(|farewell| farewell.id == id) else { return };
        let mut farewell = self.farewells.remove(at);
        let Last::Bye(dialog, _) = &farewell.last else { return self.over(&farewell) };
        match response.status() {
            401 | 407 => {
                let uri = SmolStr::new(dialog.request_uri());
                if self.learn_challenge(&mut farewell.attempt, &uri, response).is_err() {
                    return self.over(&farewell);
                }
            }
            // The other side is away and believes itself in a call: it is told when it is back. Our user need
            // not wait for that.
            430 | 480 | 500 | 503 if farewell.retries < RETRIES && !self.is_shutting_down() => {
                self.over(&farewell);
                farewell.call = None;
                farewell.retries += 1;
                let wait = retry_after(response.headers()).unwrap_or_default();
                farewell.not_before = Some(now + wait.clamp(RETRY, 12 * RETRY));
            }
            // 2xx, or the dialog was gone (481), or whatever: it is over (§15.1.1).
            _ => return self.over(&farewell),
        }
        (farewell.client, farewell.sent) = (None, None);
        self.farewells.insert(at, farewell);
    }

    /// No answer: "the session is over" all the same (§15.1.1).
    pub(super) fn farewell_timed_out(&mut self, id: u64) {
        if let Some(at) = self.farewells.iter().position(|farewell| farewell.id == id) {
            let farewell = self.farewells.remove(at);
            self.over(&farewell);
        }
    }

    /// The flow is gone: once more over the next, where whoever had it knows it by its branch.
    pub(super) fn farewell_flow_lost(&mut self, id: u64) {
        if let Some(farewell) = self.farewells.iter_mut().find(|farewell| farewell.id == id) {
            farewell.client = None;
        }
    }

    /// Gives up what could not be said.
    pub(super) fn drop_farewells(&mut self) {
        for farewell in core::mem::take(&mut self.farewells) {
            if let Some(client) = farewell.client {
                self.layer.abandon(client);
                self.purposes.remove(&client);
            }
            self.over(&farewell);
        }
    }

    /// Whether we are leaving this dialog.
    pub(super) fn is_leaving(&self, dialog: &DialogId) -> bool {
        self.farewells.iter().any(|farewell| match &farewell.last {
            Last::Bye(leaving, _) => leaving.id() == dialog,
            Last::Cancel(..) => false,
        })
    }

    /// When a BYE is said again, or a call is released without.
    pub(super) fn farewell_timeout(&self) -> Option<Instant> {
        let ready = self.ready().is_some();
        let again = self.farewells.iter().filter_map(|farewell| farewell.not_before).filter(|_| ready);
        let waiting = self.farewells.iter().filter(|farewell| farewell.call.is_some());
        again.chain(waiting.filter_map(|farewell| farewell.release_at)).min()
    }

    /// Releases the calls whose BYE has waited as long as one may stay without an answer (Timer F): there may be no
    /// flow for hours.
    pub(super) fn release_overdue(&mut self, now: Instant) {
        let due = |farewell: &&mut Farewell| farewell.release_at.is_some_and(|at| at <= now);
        let overdue: Vec<CallId> =
            self.farewells.iter_mut().filter(due).filter_map(|farewell| farewell.call.take()).collect();
        for call in overdue {
            self.release(call);
        }
    }

    fn over(&mut self, farewell: &Farewell) {
        if let Last::Bye(dialog, _) = &farewell.last {
            self.bequeath(dialog);
        }
        if let Some(call) = farewell.call {
            self.release(call);
        }
    }
}

/// The CANCEL of an INVITE whose transaction is lost (§9.1): the INVITE's branch finds it at the next hop.
fn cancel(invite: &Request, fields: &Fields) -> bytes::Bytes {
    let headers = invite.headers();
    let mut writer = Writer::request(&Method::Cancel, invite.uri());
    let same = [HeaderName::Via, HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId];
    // RFC 7989 §6: it has the INVITE's Session-ID.
    for name in same.into_iter().chain([HeaderName::SessionId]) {
        writer = writer.copy(headers, name);
    }
    writer
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::CSeq, format_args!("{} CANCEL", invite.cseq().number))
        .fields(fields)
        .finish()
}
