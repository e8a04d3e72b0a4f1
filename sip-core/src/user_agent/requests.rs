//! The one home of requests that neither make nor end a call nor register: sent in a transaction of their own, again
//! with credentials when challenged (RFC 3261 §22.2), again over the next flow when theirs is lost.

mod write;

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::call::RackOf;
use super::{
    CallId, Cause, Event, Failure, PublicationId, Purpose, RequestError, RequestId, SubscriptionId,
    UserAgent, WatcherId,
};
use crate::auth::Attempt;
use crate::body::Content;
use crate::dialog::DialogId;
use crate::entropy;
use crate::events::Source;
use crate::limits;
use crate::message::{Fields, HeaderName, Method, Request, Response, SessionIdentifier, Uuid};
use crate::time::Instant;
use crate::transaction::ClientId;
use crate::transport::{FlowId, Hop};

/// A request on its way, and what it is written from.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) whose: Whose,
    pub(super) method: Method,
    pub(super) place: Place,
    /// Fields that are the request's own.
    pub(super) fields: Vec<(SmolStr, SmolStr)>,
    pub(super) content: Option<Content>,
    attempt: Attempt,
    /// As it was last sent; `None` before.
    request: Option<Request>,
    /// Its transaction; `None` while it waits, or once its flow was lost.
    client: Option<ClientId>,
    /// The flow was lost: the request has until then to be repeated.
    broken_until: Option<Instant>,
    /// It has an answer, and is to be written anew over the next flow.
    unsent: bool,
}

/// Who hears of the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Whoever gave the command.
    Application,
    /// It is a part of a call's making.
    Nobody,
    /// A PRACK with an offer of ours, in this dialog.
    Prack(CallId, DialogId, RackOf),
    /// A SUBSCRIBE, outside dialogs or at one notifier.
    Subscription(SubscriptionId, Option<Source>),
    /// A REFER.
    Transfer(SubscriptionId),
    /// A NOTIFY.
    Watcher(WatcherId),
    /// A PUBLISH.
    Publication(PublicationId),
}

/// In which dialog a request goes, if in any.
#[derive(Debug)]
pub(super) enum Place {
    Outside(Stranger),
    Call(CallId),
    /// One of a call's dialogs, which may be early.
    Early(CallId, DialogId),
    Subscription(SubscriptionId, Source),
    Watcher(WatcherId),
}

/// What names a request outside dialogs.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    pub(super) uri: SmolStr,
    pub(super) call_id: SmolStr,
    pub(super) tag: SmolStr,
    /// Of the last request.
    pub(super) cseq: u32,
    pub(super) session: SessionIdentifier,
}

/// How a request came out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With a final response, which may be any but a challenge that could be answered.
    Answered(Response),
    /// Without one, or with a challenge that cannot be answered.
    Failed(Failure),
}

impl Errand {
    pub(super) fn new(whose: Whose, method: Method, place: Place) -> Self {
        Self {
            whose,
            method,
            place,
            fields: Vec::new(),
            content: None,
            attempt: Attempt::default(),
            request: None,
            client: None,
            broken_until: None,
            unsent: false,
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<SmolStr>) -> Self {
        self.fields.push((SmolStr::new_static(name.as_str()), value.into()));
        self
    }

    #[must_use]
    pub(super) fn with_fields(mut self, fields: Fields) -> Self {
        self.fields.extend(fields.into_pairs());
        self
    }

    #[must_use]
    pub(super) fn with_content(mut self, content: Option<Content>) -> Self {
        self.content = content;
        self
    }

    /// Whether it goes in this dialog of a call, which was early when it was sent.
    pub(super) fn is_in(&self, id: CallId, dialog: &DialogId) -> bool {
        matches!(&self.place, Place::Early(call, of) if (*call, of) == (id, dialog))
    }

    /// RFC 3428 §8: one MESSAGE at a time to one URI or in one dialog.
    fn queues_behind(&self, other: &Self) -> bool {
        self.method == Method::Message
            && other.method == Method::Message
            && match (&self.place, &other.place) {
                (Place::Outside(this), Place::Outside(that)) => this.uri == that.uri,
                (Place::Call(this), Place::Call(that)) => this == that,
                _ => false,
            }
    }
}

impl UserAgent {
    /// A new Call-ID and tag to send a request outside dialogs with.
    pub(super) fn stranger(&mut self, uri: SmolStr) -> Stranger {
        let call_id = entropy::token(&mut *self.entropy, 120).into();
        let tag = entropy::token(&mut *self.entropy, 80).into();
        let session = SessionIdentifier::new(Uuid::new(&mut *self.entropy));
        Stranger { uri, call_id, tag, cseq: 0, session }
    }

    /// Sends a request, or keeps it until the one before it is answered.
    pub(super) fn dispatch(&mut self, now: Instant, mut errand: Errand) -> Result<RequestId, RequestError> {
        errand.fields.extend(core::mem::take(&mut self.adding).into_pairs());
        let hop = self.hop_for(&errand).ok_or(RequestError::Offline)?;
        if self.requests.len() >= limits::REQUESTS {
            return Err(RequestError::TooMany);
        }
        let id = RequestId(self.next_request);
        self.next_request += 1;
        if !self.requests.values().any(|other| errand.queues_behind(other)) {
            self.send_errand(now, hop, id, &mut errand)?;
        }
        self.requests.insert(id, errand);
        Ok(id)
    }

    /// Requests in dialogs wait for the registration, for the other side's way to us leads over it.
    fn hop_for(&self, errand: &Errand) -> Option<Hop> {
        match (&errand.place, &errand.whose) {
            (Place::Outside(_), Whose::Application) => self.flow(),
            (Place::Early(call, _), _) => self.hop_of(*call).or_else(|| self.flow()),
            (Place::Call(call), _) => self.hop_of(*call),
            _ => self.ready(),
        }
    }

    /// Writes the request anew and sends it.
    fn send_errand(
        &mut self,
        now: Instant,
        hop: Hop,
        id: RequestId,
        errand: &mut Errand,
    ) -> Result<(), RequestError> {
        let request = self.write_errand(hop, errand)?;
        if !hop.may_carry(request.uri()) {
            return Err(RequestError::Insecure);
        }
        if errand.method == Method::Message
            && matches!(errand.place, Place::Outside(_))
            && !self.config.congestion_safe
            && request.bytes().len() > limits::MESSAGE_COMFORT
        {
            // RFC 3428 §8.
            return Err(RequestError::TooLarge {
                bytes: request.bytes().len(),
                most: limits::MESSAGE_COMFORT,
            });
        }
        let client = self.layer.send_request(now, &request, hop).ok_or(RequestError::TooMany)?;
        let first = errand.request.replace(request).is_none();
        errand.client = Some(client);
        self.errand_sent(now, hop.flow, errand, first);
        self.purposes.insert(client, Purpose::Request(id));
        Ok(())
    }

    /// Tells the machine whose request it is. `first`: it goes without credentials that were asked for.
    fn errand_sent(&mut self, now: Instant, flow: FlowId, errand: &Errand, first: bool) {
        let timer_n = self.timers.t1 * 64;
        match &errand.whose {
            Whose::Application | Whose::Nobody | Whose::Prack(..) => {}
            Whose::Subscription(id, source) => {
                let Some(subscription) = self.subscriptions.get_mut(id) else { return };
                subscription.over = Some(flow);
                match (source, &errand.place) {
                    (Some(source), _) => subscription.machine.sent(now, *source, timer_n),
                    (None, Place::Outside(Stranger { call_id, tag, cseq, session, .. })) => {
                        subscription.machine.in_session(*session);
                        subscription.machine.sent_initial(now, call_id, tag, *cseq, timer_n);
                    }
                    _ => {}
                }
            }
            Whose::Transfer(id) => {
                let cseq = errand.request.as_ref().map_or(0, |request| request.cseq().number);
                let session = match &errand.place {
                    Place::Outside(stranger) => stranger.session,
                    _ => SessionIdentifier::default(),
                };
                self.refer_sent(now, *id, cseq, session);
                if let Some(found) = self.subscriptions.get_mut(id) {
                    found.over = Some(flow);
                }
            }
            Whose::Watcher(id) => {
                if let Some(watcher) = self.watchers.get_mut(id).filter(|_| first) {
                    watcher.machine.sent();
                }
            }
            Whose::Publication(id) => match self.publications.get_mut(id) {
                Some(publication) if first => publication.machine.sent(now),
                Some(publication) => publication.machine.sent_again(now),
                None => {}
            },
        }
    }

    pub(super) fn request_answered(&mut self, now: Instant, id: RequestId, response: Response) {
        if response.is_provisional() {
            return;
        }
        let Some(mut errand) = self.requests.remove(&id) else { return };
        if let Place::Outside(stranger) = &mut errand.place {
            stranger.session.heard(response.headers());
        }
        if matches!(response.status(), 401 | 407) {
            let uri = SmolStr::new(errand.request.as_ref().map_or("", Request::uri));
            match self.learn_challenge(&mut errand.attempt, &uri, &response) {
                Ok(()) => {
                    let sent = match self.hop_for(&errand) {
                        Some(hop) => self.send_errand(now, hop, id, &mut errand),
                        // A token came while there is no flow.
                        None => {
                            errand.unsent = true;
                            errand.broken_until = Some(now + self.timers.t1 * 64);
                            Ok(())
                        }
                    };
                    self.sent_later(now, id, errand, sent);
                }
                Err(failure) => self.concluded(now, id, errand, Outcome::Failed(failure)),
            }
            return;
        }
        self.concluded(now, id, errand, Outcome::Answered(response));
    }

    pub(super) fn request_timed_out(&mut self, now: Instant, id: RequestId) {
        if let Some(errand) = self.requests.remove(&id) {
            self.concluded(now, id, errand, Outcome::Failed(Failure::of(Cause::Timeout)));
        }
    }

    /// What this transaction asks for waits until that time at most: whoever counts on its outcome waits as well.
    pub(super) fn held_up(&mut self, client: ClientId, until: Instant) {
        let Some(Purpose::Request(id)) = self.purposes.get(&client) else { return };
        let Some(errand) = self.requests.get(id) else { return };
        let until = until + self.timers.t1 * 64;
        match errand.whose {
            Whose::Subscription(id, source) => self.hold_up(id, source, until),
            Whose::Transfer(id) => self.hold_up(id, None, until),
            _ => {}
        }
    }

    fn hold_up(&mut self, id: SubscriptionId, source: Option<Source>, until: Instant) {
        if let Some(found) = self.subscriptions.get_mut(&id) {
            found.machine.held_up(source, until);
        }
    }

    /// The flow is gone. The request is repeated over the next one under its old branch: who has it already answers
    /// again.
    pub(super) fn request_flow_lost(&mut self, now: Instant, id: RequestId) {
        let patience = self.timers.t1 * 64;
        let Some(errand) = self.requests.get_mut(&id) else { return };
        errand.client = None;
        errand.broken_until = Some(now + patience);
        match errand.whose {
            Whose::Subscription(id, source) => self.hold_up(id, source, now + patience * 2),
            Whose::Transfer(id) => self.hold_up(id, None, now + patience * 2),
            _ => {}
        }
    }

    /// There is a flow again. What is repeated goes first: what is written now has higher CSeqs.
    pub(super) fn resume_requests(&mut self, now: Instant, hop: Hop) {
        let timer_n = self.timers.t1 * 64;
        let broken = |errand: &Errand| errand.broken_until.is_some();
        let orphans =
            self.requests.iter().filter(|(_, errand)| broken(errand) && self.is_orphan(&errand.whose));
        let orphans: Vec<RequestId> = orphans.map(|(id, _)| id).collect();
        for id in orphans {
            self.requests.remove(&id);
        }
        for (id, errand) in self.requests.iter_mut() {
            let waits = broken(errand) && !errand.unsent;
            let may_go = |request: &&Request| waits && hop.may_carry(request.uri());
            let Some(request) = errand.request.as_ref().filter(may_go) else { continue };
            errand.client = self.layer.send_request(now, request, hop);
            let Some(client) = errand.client else { continue };
            errand.broken_until = None;
            self.purposes.insert(client, Purpose::Request(id));
            let (id, source) = match errand.whose {
                Whose::Subscription(id, source) => (id, source),
                Whose::Transfer(id) => (id, None),
                _ => continue,
            };
            if let Some(found) = self.subscriptions.get_mut(&id) {
                found.machine.held_up(source, now + timer_n);
                found.over = Some(hop.flow);
            }
        }
        let unsent: Vec<RequestId> =
            self.requests.iter().filter(|(_, errand)| errand.unsent).map(|(id, _)| id).collect();
        for id in unsent {
            let Some(mut errand) = self.requests.remove(&id) else { continue };
            (errand.unsent, errand.broken_until) = (false, None);
            let sent = self.send_errand(now, hop, id, &mut errand);
            self.sent_later(now, id, errand, sent);
        }
    }

    pub(super) fn requests_timeout(&self) -> Option<Instant> {
        self.requests.values().filter_map(|errand| errand.broken_until).min()
    }

    pub(super) fn give_up_requests(&mut self, now: Instant) {
        let due = |errand: &Errand| errand.broken_until.is_some_and(|at| at <= now);
        let overdue: Vec<RequestId> =
            self.requests.iter().filter(|(_, errand)| due(errand)).map(|(id, _)| id).collect();
        for id in overdue {
            let Some(errand) = self.requests.remove(&id) else { continue };
            if !self.say_anew(now, &errand.whose) {
                self.concluded(now, id, errand, Outcome::Failed(Failure::of(Cause::FlowLost)));
            }
        }
    }

    /// Tells whoever waits for it.
    fn concluded(&mut self, now: Instant, id: RequestId, errand: Errand, outcome: Outcome) {
        // §12.2.1.2: the other side knows nothing of the call, or is silent: "the UAC SHOULD terminate the dialog".
        if let (Place::Call(call), Whose::Application | Whose::Transfer(_)) = (&errand.place, &errand.whose) {
            let call = *call;
            match &outcome {
                Outcome::Answered(response) if matches!(response.status(), 408 | 481) => {
                    self.dialog_lost(now, call, Failure::of_response(response));
                }
                Outcome::Failed(failure) if failure.cause == Cause::Timeout => {
                    self.dialog_lost(now, call, failure.clone());
                }
                _ => {}
            }
        }
        match &errand.whose {
            Whose::Nobody => {}
            Whose::Prack(call, dialog, rack) => {
                let (call, dialog, rack) = (*call, dialog.clone(), *rack);
                self.prack_concluded(now, call, &dialog, rack, &outcome);
            }
            Whose::Application => {
                let result = match outcome {
                    Outcome::Answered(response) if response.is_success() => Ok(super::Answer::new(response)),
                    Outcome::Answered(response) => Err(Failure::of_response(&response)),
                    Outcome::Failed(failure) => Err(failure),
                };
                self.event(Event::Answered { request: id, result });
            }
            Whose::Subscription(id, source) => self.subscribe_concluded(now, *id, *source, &outcome),
            Whose::Transfer(id) => self.refer_concluded(*id, &outcome),
            Whose::Watcher(id) => self.notify_concluded(*id, &outcome),
            Whose::Publication(id) => self.publish_concluded(now, *id, &outcome),
        }
        self.send_next_of(now, &errand);
        if let Place::Early(call, dialog) = &errand.place {
            // A change may have waited for the PRACK.
            self.next_change(now, *call, dialog);
        }
    }

    /// Sends the request that waited for this one.
    fn send_next_of(&mut self, now: Instant, done: &Errand) {
        let next =
            self.requests.iter().find(|(_, errand)| errand.request.is_none() && errand.queues_behind(done));
        let Some(id) = next.map(|(id, _)| id) else { return };
        let Some(mut errand) = self.requests.remove(&id) else { return };
        let sent = match self.hop_for(&errand) {
            Some(hop) => self.send_errand(now, hop, id, &mut errand),
            None => Err(RequestError::Offline),
        };
        self.sent_later(now, id, errand, sent);
    }

    /// A request that waited, or was challenged, is on its way again, or has come to nothing.
    fn sent_later(&mut self, now: Instant, id: RequestId, errand: Errand, sent: Result<(), RequestError>) {
        let cause = match sent {
            Ok(()) => return self.requests.insert(id, errand),
            Err(RequestError::NoDialog) => Cause::Ended,
            Err(_) => Cause::FlowLost,
        };
        self.concluded(now, id, errand, Outcome::Failed(Failure::of(cause)));
    }
}
