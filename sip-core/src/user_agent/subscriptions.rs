//! Subscriptions of ours (RFC 6665 §4.1): made, refreshed, made anew, left. What is due goes out when there is a flow
//! to send over.

use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::checks::Refusal;
use super::requests::{Errand, Outcome, Place, Whose};
use super::transfer::Transfer;
use super::{CallId, Cause, Event, EventsError, Failure, RequestError, UserAgent, target, target_dialog};
use crate::body::Content;
use crate::dialog::DialogId;
use crate::events::{Due, Ending, EventName, Notified, NotifyError, Reason, Source, Subscriber, Verdict};
use crate::limits;
use crate::message::typed::Event as EventField;
use crate::message::{Fields, HeaderName, Method, Request};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;
use crate::transport::FlowId;

/// Names a subscription of one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(super) u64);

/// What happened to a subscription of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionUpdate {
    /// A NOTIFY came. [`Document::parse`](crate::events::Document::parse) reads its content.
    Notified {
        /// From which notifier, and what it says of the subscription.
        notified: Notified,
        /// The state of what is watched, if the NOTIFY has it.
        content: Option<Content>,
        /// The NOTIFY, for what is not told here.
        request: Request,
    },
    /// There is no subscription now; another try follows by itself.
    Retrying {
        /// What went wrong; `None`: the notifier ended it in good order.
        failure: Option<Failure>,
        /// After how long.
        retry_in: Duration,
    },
    /// It is over.
    Ended(SubscriptionEnd),
}

/// How a subscription of ours ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// We wanted no more: it was left, or fetched.
    Done,
    /// The notifier ended it, and asking again gains nothing.
    Terminated(Option<Reason>),
    /// It was refused, or nobody answered.
    Failed(Failure),
}

/// A subscription of ours.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) machine: Subscriber,
    uri: SmolStr,
    /// The Target-Dialog of its SUBSCRIBE (RFC 4538).
    about: Option<SmolStr>,
    /// What the application adds to each SUBSCRIBE.
    fields: Fields,
    /// What it is about, where a REFER of ours made it.
    pub(super) transfer: Option<Transfer>,
    /// The connection its last SUBSCRIBE went over, by which it is notified.
    pub(super) over: Option<FlowId>,
}

impl Subscription {
    /// It is told as [`Event::Transfer`] and nothing else.
    pub(super) const fn of_transfer(machine: Subscriber, transfer: Transfer) -> Self {
        Self {
            machine,
            uri: SmolStr::new_static(""),
            about: None,
            fields: Fields::new(),
            transfer: Some(transfer),
            over: None,
        }
    }
}

impl UserAgent {
    /// Subscribes to the state of `bob`, `bob@example.com` or a SIP URI, for `expires` seconds or as long as the package
    /// has by default, and keeps it up until [`Self::unsubscribe`]: through refreshes, lost flows and notifiers that
    /// ask for another try. Without a flow it waits for one.
    pub fn subscribe(
        &mut self,
        now: Instant,
        target: &str,
        event: EventName,
        expires: Option<u32>,
    ) -> Result<SubscriptionId, RequestError> {
        let expires = expires.unwrap_or(event.package.default_expires()).max(1);
        self.begin(now, target, Subscriber::new(now, event, expires), None)
    }

    /// The same of somebody who is to know that we are in this call with them, by its Target-Dialog (RFC 4538 §3): who tells
    /// no strangers may tell the other side of a call. Who does not know that refuses with 420.
    pub fn subscribe_about(
        &mut self,
        now: Instant,
        target: &str,
        event: EventName,
        expires: Option<u32>,
        call: CallId,
    ) -> Result<SubscriptionId, RequestError> {
        let about = self.nameable(call).map(target_dialog::naming).ok_or(RequestError::NoDialog)?;
        let expires = expires.unwrap_or(event.package.default_expires()).max(1);
        self.begin(now, target, Subscriber::new(now, event, expires), Some(about))
    }

    /// Asks for the state once (§4.4.3). Where a package lets SUBSCRIBE fork, the end is told only when no other
    /// notifier can answer any more, after 32 s.
    pub fn fetch(
        &mut self,
        now: Instant,
        target: &str,
        event: EventName,
    ) -> Result<SubscriptionId, RequestError> {
        self.begin(now, target, Subscriber::once(now, event), None)
    }

    fn begin(
        &mut self,
        now: Instant,
        target: &str,
        machine: Subscriber,
        about: Option<SmolStr>,
    ) -> Result<SubscriptionId, RequestError> {
        if self.is_shutting_down() {
            return Err(RequestError::ShutDown);
        }
        let uri = target::parse(target, self.config.aor.domain()).ok_or(RequestError::InvalidTarget)?;
        if self.subscriptions.len() >= limits::SUBSCRIPTIONS {
            return Err(RequestError::TooMany);
        }
        let fields = core::mem::take(&mut self.adding);
        let id = SubscriptionId(self.next_event);
        self.next_event += 1;
        self.subscriptions
            .insert(id, Subscription { machine, uri, about, fields, transfer: None, over: None });
        self.settle(now);
        Ok(id)
    }

    /// Leaves a subscription (§4.1.2.3). Its end is told once the notifiers have said so, or had time to.
    pub fn unsubscribe(&mut self, now: Instant, subscription: SubscriptionId) -> Result<(), EventsError> {
        let found = self.subscriptions.get_mut(&subscription).ok_or(EventsError::Unknown)?;
        let verdict = found.machine.unsubscribe(now);
        self.judge_subscription(now, subscription, verdict, None);
        self.settle(now);
        Ok(())
    }

    /// Asks the notifiers for all they know, before the subscription has to be refreshed: what one of them has told last
    /// is incomplete ([`Merged::Incomplete`](crate::events::Merged::Incomplete)).
    pub fn refresh_subscription(
        &mut self,
        now: Instant,
        subscription: SubscriptionId,
    ) -> Result<(), EventsError> {
        let found = self.subscriptions.get_mut(&subscription).ok_or(EventsError::Unknown)?;
        found.machine.refresh(now);
        self.settle(now);
        Ok(())
    }

    /// Sends what is due.
    pub(super) fn send_subscriptions(&mut self, now: Instant) {
        let all: Vec<SubscriptionId> = self.subscriptions.keys().collect();
        for id in all {
            while self.may_send_events()
                && let Some(due) = self.subscriptions.get(&id).and_then(|found| found.machine.due(now))
            {
                self.send_subscribe(now, id, due);
            }
        }
    }

    fn send_subscribe(&mut self, now: Instant, id: SubscriptionId, due: Due) {
        let Some(found) = self.subscriptions.get(&id) else { return };
        let (uri, event) = (found.uri.clone(), found.machine.event().clone());
        let asks = found.machine.asks();
        let fields = found.fields.clone();
        let (place, source) = match due {
            Due::Initial => (Place::Outside(self.stranger(uri)), None),
            Due::Within(source) => (Place::Subscription(id, source), Some(source)),
        };
        let mut errand = Errand::new(Whose::Subscription(id, source), Method::Subscribe, place)
            .with(HeaderName::Event, event.to_smolstr())
            .with(HeaderName::Expires, asks.to_smolstr());
        if let Some(media_type) = event.package.media_type() {
            errand = errand.with(HeaderName::Accept, media_type);
        }
        // §3: once there is a dialog it says whose the request is.
        let about = self.subscriptions.get(&id).and_then(|found| found.about.clone());
        if let Some(about) = about.filter(|_| due == Due::Initial) {
            errand =
                errand.with(HeaderName::TargetDialog, about).with(HeaderName::Require, target_dialog::TAG);
        }
        errand = errand.with(HeaderName::Allow, self.local.allow.clone());
        if !self.config.event_packages.is_empty() {
            errand = errand.with(HeaderName::AllowEvents, self.config.allow_events());
        }
        errand.fields.extend(fields.into_pairs());
        if self.dispatch(now, errand).is_err() {
            // No transaction, or no dialog: as if nobody had answered.
            self.subscribe_failed(now, id, source, Failure::of(Cause::Rejected));
        }
    }

    pub(super) fn subscribe_concluded(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        source: Option<Source>,
        outcome: &Outcome,
    ) {
        let Some(found) = self.subscriptions.get_mut(&id) else { return };
        match outcome {
            Outcome::Answered(response) => {
                let (status, headers) = (response.status(), response.headers());
                let verdict = match source {
                    None => found.machine.answered_initial(now, status, headers, &mut *self.entropy),
                    Some(source) => found.machine.answered(now, source, status, headers, &mut *self.entropy),
                };
                let failure = (!response.is_success()).then(|| Failure::of_response(response));
                self.judge_subscription(now, id, verdict, failure);
            }
            Outcome::Failed(failure) => self.subscribe_failed(now, id, source, failure.clone()),
        }
    }

    fn subscribe_failed(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        source: Option<Source>,
        failure: Failure,
    ) {
        let Some(found) = self.subscriptions.get_mut(&id) else { return };
        // A challenge that cannot be answered will not be tomorrow.
        let passes = failure.status.is_none();
        let verdict = match source {
            None => found.machine.failed_initial(now, passes, &mut *self.entropy),
            Some(source) => found.machine.failed(now, source, &mut *self.entropy),
        };
        self.judge_subscription(now, id, verdict, Some(failure));
    }

    /// Tells what has come of it.
    pub(super) fn judge_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        verdict: Verdict,
        failure: Option<Failure>,
    ) {
        if self.judge_transfer(id, &verdict) {
            return;
        }
        let update = match verdict {
            Verdict::GoesOn => return,
            Verdict::Retry(at) => SubscriptionUpdate::Retrying { failure, retry_in: at.since(now) },
            Verdict::Over(ending) => {
                if self.subscriptions.remove(&id).is_none() {
                    return;
                }
                let failure = failure.unwrap_or_else(|| Failure::of(Cause::Timeout));
                SubscriptionUpdate::Ended(match ending {
                    Ending::Done => SubscriptionEnd::Done,
                    Ending::Terminated(reason) => SubscriptionEnd::Terminated(reason),
                    Ending::Refused | Ending::Silence => SubscriptionEnd::Failed(failure),
                })
            }
        };
        self.event(Event::Subscription { subscription: id, update });
    }

    /// A NOTIFY, in a dialog of its own or in a call's (§4.1.3).
    pub(super) fn notified(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        dialog: &DialogId,
        shared: bool,
    ) -> Result<(), Refusal> {
        let event = request.headers().typed::<EventField<'_>>().ok().flatten();
        let of_dialog = || self.subscriptions.iter().filter(|(_, found)| found.machine.knows(dialog));
        // Several REFERs in one dialog are told apart by the event's id.
        let about = |found: &Subscription| event.is_some_and(|event| found.machine.is_about(&event));
        let found = of_dialog().find(|(_, found)| about(found)).or_else(|| of_dialog().next());
        let id = found.map(|(id, _)| id).ok_or_else(|| refusal(NotifyError::NoSubscription, self))?;
        let Some(package) = self.subscriptions.get(&id).map(|found| found.machine.event().package.clone())
        else {
            return Ok(());
        };
        let content = self.any_body(request, package.media_type())?;
        let Some(found) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        let outcome = found.machine.receive(now, request, shared, &mut *self.entropy);
        let (notified, verdict) = outcome.map_err(|error| refusal(error, self))?;
        self.respond(now, server, request, 200, &[]);
        if self.subscriptions.get(&id).is_some_and(|found| found.transfer.is_some()) {
            self.transfer_notified(now, id, notified.source, content.as_ref());
        } else {
            let update = SubscriptionUpdate::Notified { notified, content, request: request.clone() };
            self.event(Event::Subscription { subscription: id, update });
        }
        self.judge_subscription(now, id, verdict, None);
        Ok(())
    }
}

fn refusal(error: NotifyError, ua: &UserAgent) -> Refusal {
    match error {
        NotifyError::NoState => Refusal::with_reason(400, "Missing Subscription-State"),
        NotifyError::NoContact => Refusal::with_reason(400, "Missing Contact"),
        NotifyError::OutOfOrder => Refusal::with_reason(500, "CSeq Out of Order"),
        // RFC 6665 §8.2.2 lets any response have it.
        NotifyError::BadEvent if !ua.config.event_packages.is_empty() => {
            Refusal::of(489).with(HeaderName::AllowEvents, ua.config.allow_events())
        }
        _ => Refusal::of(error.status()),
    }
}
