//! The notifier of `reg` (RFC 3680, RFC 6665 §4.2): who watches an address-of-record of ours is told of its bindings by the
//! server itself.
//!
//! The walk of a NOTIFY: something is due ([`Server::attend`]), the way to the watcher is asked for, then what is there now, so
//! that what goes out is the newest; what it differs by from what the watcher was told is the document.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::boundary::{Hold, Watch, WatchError, Watched, Watcher};
use super::peers::Standing;
use super::questions::{Arrival, Errand, Pending};
use super::reply::Reply;
use super::rule::Rule;
use super::subscriptions::Subscription;
use super::{Mode, Output, Question, Server, Wait, WatchId};
use crate::body::reginfo::{ContactEvent, RegInfo};
use crate::dialog::{self, Dialog};
use crate::events::{self, EventName, LEAST_LIFETIME, Notifier, Package, Reason, TooBrief};
use crate::message::typed::Event as EventField;
use crate::message::validate::{Role, Rules};
use crate::message::{
    HeaderName, Method, NameAddr, Request, SessionIdentifier, Uuid, Writer, is_sips, reason_phrase,
};
use crate::registrar::{self, Ended, Report};
use crate::time::{Duration, Instant};
use crate::transaction::Event;
use crate::transport::target::Way;
use crate::transport::{Hop, RouteTarget, Transport};
use crate::{entropy, limits};

/// The packages there are.
pub(super) const ALLOW_EVENTS: &str = "reg";

const RULES: Rules<'_> = Rules {
    role: Role::UserAgent,
    allow: "SUBSCRIBE",
    // No SUBSCRIBE to this package says anything by a body (RFC 3680 §4.3: filters are for others to define).
    accept: "",
    ..registrar::RULES
};

/// The longest a subscription is granted for: the package's own default (RFC 3680 §4.4).
const MOST: u32 = Package::Reg.default_expires();

/// RFC 3680 §4.10: "once every 5 seconds".
const QUIET: Duration = Duration::from_secs(5);

/// A SUBSCRIBE whose answer waits for whether it may stand.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) id: WatchId,
    pub(super) aor: SmolStr,
    pub(super) watcher: Watcher,
    pub(super) way: RouteTarget,
    pub(super) expires: Duration,
}

impl Server {
    /// Whether a request subscribes to what this server tells itself. What is for a user's own user agents is forwarded.
    pub(super) fn is_for_notifier(&self, arrival: &Arrival) -> bool {
        let request = &arrival.request;
        *request.method() == Method::Subscribe
            && request.to_tag().is_none()
            && arrival.server.is_some()
            && self.config.routing.mode != Mode::Stateless
            && matches!(request.headers().typed::<EventField<'_>>(), Ok(Some(event)) if event.kind == ALLOW_EVENTS)
    }

    /// A SUBSCRIBE outside dialogs to the registrations of `aor`.
    pub(super) fn subscribe(&mut self, now: Instant, arrival: Arrival, username: Option<&str>, aor: SmolStr) {
        if self.is_merged(now, &arrival) {
            return;
        }
        if let Err(rejection) = RULES.request(&arrival.request) {
            return self.refuse(now, &arrival, rejection.into());
        }
        let Some(watcher) = self.watcher(&arrival).filter(|watcher| self.may_watch(watcher, &aor)) else {
            return self.refuse(now, &arrival, Rule::WatchForbidden.into());
        };
        if !events::is_acceptable(&arrival.request, &Package::Reg) {
            return self.refuse(now, &arrival, Rule::NotReginfo.into());
        }
        let expires = match events::granted(&arrival.request, &Package::Reg, MOST) {
            Ok(expires) => expires,
            Err(TooBrief) => return self.refuse(now, &arrival, too_brief()),
        };
        if self.subscriptions.len() >= self.config.limits.subscriptions {
            self.counters.subscriptions_full += 1;
            return self.refuse(now, &arrival, Rule::SubscriptionsFull.into());
        }
        let way = arrival.sender(username);
        let id = self.subscriptions.ask();
        let hold = if expires.is_zero() { Hold::Not } else { Hold::Begin };
        let watch = Watch { id, aor: aor.clone(), watcher: watcher.clone(), hold, until: now + expires };
        let application = Application { id, aor, watcher, way, expires }.into();
        let pending = Pending::Subscribe { arrival, application };
        if let Err(pending) = self.ask(self.soon(now), Question::Watch(watch), pending)
            && let Some(arrival) = pending.arrival()
        {
            self.subscriptions.asked();
            self.refuse(now, arrival, Rule::Overloaded.into());
        }
    }

    /// Whether it may stand is known: it is answered, and the state follows at once (RFC 6665 §4.2.1.2).
    pub(super) fn subscribed(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        application: Application,
        answer: Result<Watched, WatchError>,
    ) {
        self.subscriptions.asked();
        if let Err(error) = answer {
            if error == WatchError::Full {
                self.counters.subscriptions_full += 1;
            }
            return self.refuse(now, arrival, error.rule().into());
        }
        let Application { id, aor, watcher, way, expires } = application;
        let tag = self.fresh_tag();
        let request = &arrival.request;
        let session = SessionIdentifier::begun_by(request.headers(), Uuid::new(&mut *self.entropy));
        let event = match request.headers().typed::<EventField<'_>>() {
            Ok(Some(event)) => EventName::of(&event),
            _ => EventName::new(Package::Reg),
        };
        let mut machine = Notifier::new(now, event, request, &tag, session, expires);
        machine.accepted(now, expires);
        machine.grant(None);
        self.counters.subscriptions += 1;
        self.confirm_subscription(now, arrival, Some(&tag), expires);
        self.subscriptions.insert(id, Subscription::new(machine, aor, watcher, way, now));
        self.attend(now, id);
    }

    /// A SUBSCRIBE within a subscription (RFC 6665 §4.2.1.4), from `username` if it proved itself with this very request.
    pub(super) fn resubscribe(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        username: Option<&str>,
        id: WatchId,
    ) {
        let (way, watcher) = (arrival.sender(username), self.watcher(arrival));
        let request = &arrival.request;
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        if watcher.as_ref() != Some(&found.watcher) {
            return self.wrong_sender(now, arrival);
        }
        if let Err(rejection) = RULES.request(request) {
            return self.refuse(now, arrival, rejection.into());
        }
        let event = request.headers().typed::<EventField<'_>>().ok().flatten();
        if !event.is_some_and(|event| found.machine.event().matches(&event)) {
            return self.refuse(now, arrival, bad_event());
        }
        if found.machine.is_terminated() {
            return self.refuse(now, arrival, Rule::SubscriptionUnknown.into());
        }
        let expires = events::granted(request, &Package::Reg, MOST);
        let Some(dialog) = found.machine.dialog_mut() else { return };
        if dialog.check_sequence(request).is_err() {
            return self.refuse(now, arrival, Rule::OutOfOrder.into());
        }
        let Ok(expires) = expires else { return self.refuse(now, arrival, too_brief()) };
        dialog.refresh_target(request.headers());
        found.machine.accepted(now, expires);
        (found.way, found.full, found.quiet_until) = (way, true, now);
        self.confirm_subscription(now, arrival, None, expires);
        self.attend(now, id);
    }

    /// A SUBSCRIBE for the domain itself, or within a subscription that is over.
    pub(super) fn subscribe_to_nobody(&mut self, now: Instant, arrival: &Arrival) {
        let reply = match RULES.request(&arrival.request) {
            Err(rejection) => rejection.into(),
            Ok(()) if arrival.request.to_tag().is_some() => Rule::SubscriptionUnknown.into(),
            Ok(()) if self.is_for_notifier(arrival) => Rule::UserUnknown.into(),
            Ok(()) => bad_event(),
        };
        self.refuse(now, arrival, reply);
    }

    fn confirm_subscription(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        tag: Option<&str>,
        expires: Duration,
    ) {
        let Some(server) = arrival.server else { return };
        let request = &arrival.request;
        let mut writer = Writer::response(request, 200, reason_phrase(200), tag)
            .copy(request.headers(), HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.contact(&arrival.from, dialog::wants_sips(request)))
            .header(HeaderName::Expires, expires.as_secs())
            .header(HeaderName::AllowEvents, ALLOW_EVENTS);
        if let Some(name) = &self.config.server {
            writer = writer.header(HeaderName::Server, name);
        }
        self.count(200);
        self.layer.respond(now, server, 200, writer.finish());
        self.answered_late(now, arrival);
    }

    /// Where requests within a subscription come to. A page sends over its connection whatever this says, and what TLS verifies is
    /// the domain; others come to the address that they know.
    /// `secure`: §12.1.1, "the Contact header field in the response MUST be a SIPS URI".
    fn contact(&self, hop: &Hop, secure: bool) -> String {
        let transport = hop.transport.uri_token();
        let (domain, port) = (&self.config.domain, hop.local.port());
        match hop.transport {
            Transport::Wss if secure => format!("<sips:{domain};transport={transport}>"),
            Transport::Ws | Transport::Wss => format!("<sip:{domain};transport={transport}>"),
            Transport::Tls if secure => format!("<sips:{domain}:{port}>"),
            Transport::Tls => format!("<sip:{domain}:{port};transport={transport}>"),
            _ if hop.local.ip().is_unspecified() => format!("<sip:{domain}:{port};transport={transport}>"),
            Transport::Udp | Transport::Tcp => format!("<sip:{};transport={transport}>", hop.local),
        }
    }

    /// Who sent a request, as one who watches.
    fn watcher(&self, arrival: &Arrival) -> Option<Watcher> {
        match &arrival.standing {
            Standing::Account { username } => Some(Watcher::Account(username.clone())),
            Standing::Peer { .. } => {
                self.config.peer_of(arrival).map(|peer| Watcher::Peer(peer.name.clone()))
            }
            _ => None,
        }
    }

    /// RFC 3680 §4.6: a user its own; whoever registers for another sees them in any 200; others as the configuration has it.
    fn may_watch(&self, watcher: &Watcher, aor: &SmolStr) -> bool {
        let own = match watcher {
            Watcher::Account(username) => {
                let others = self.config.registrants.get(username);
                self.domain.address(username) == *aor || others.is_some_and(|others| others.contains(aor))
            }
            Watcher::Peer(_) => false,
        };
        own || self.config.watchers.get(watcher).is_some_and(|of| of.includes(aor))
    }

    /// What a subscription watches has changed, or may have.
    pub(super) fn watched_changed(&mut self, now: Instant, id: WatchId) {
        if let Some(found) = self.subscriptions.get_mut(id) {
            found.changed = true;
            self.attend(now, id);
        }
    }

    /// Begins the next NOTIFY, if one is due.
    fn attend(&mut self, now: Instant, id: WatchId) {
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        let may = !found.busy && found.quiet_until <= now;
        if may && found.changed && !found.machine.is_in_flight() {
            found.machine.notify(None);
        }
        if !may || found.machine.due(now).is_none() {
            return self.subscriptions.schedule(id);
        }
        found.busy = true;
        // The next hop by the dialog (§12.2.1.1), where the watcher is another domain's; others are where their flow is.
        if let RouteTarget::Peer { transport, remote, domain, .. } = &found.way {
            let known = Way {
                transport: *transport,
                addresses: [*remote].into(),
                domain: domain.clone(),
                free: false,
            };
            let next = found.machine.dialog_mut().map(|dialog| next_hop(dialog));
            self.subscriptions.schedule(id);
            return self.seek(now, Errand::Notify { id, known }, next.into_iter().collect());
        }
        let wait = Wait { until: now + self.config.limits.grace, within: true };
        let question = Question::Reach(found.way.clone(), wait);
        self.subscriptions.schedule(id);
        if self.ask(wait.until, question, Pending::Notify { id }).is_err() {
            self.put_off(now, id);
        }
    }

    /// It cannot be done now: a little later.
    pub(super) fn put_off(&mut self, now: Instant, id: WatchId) {
        if let Some(found) = self.subscriptions.get_mut(id) {
            (found.busy, found.quiet_until) = (false, now + QUIET);
            self.subscriptions.schedule(id);
        }
    }

    /// The way to the watcher is known, or there is none.
    pub(super) fn watcher_reached(&mut self, now: Instant, id: WatchId, hop: Option<Hop>) {
        let Some(hop) = hop else { return self.unsubscribe(id, true) };
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        // §8.1.2: a `sips` URI is reached over TLS or not at all.
        if found.machine.dialog_mut().is_some_and(|dialog| is_promised(dialog)) && !hop.transport.is_secure()
        {
            return self.unsubscribe(id, true);
        }
        // What changes from now on is in the answer, or told after it.
        found.changed = false;
        let (hold, until) = if found.machine.is_terminated() {
            (Hold::Not, now)
        } else {
            (Hold::Keep, now + found.machine.left(now))
        };
        let (aor, watcher) = (found.aor.clone(), found.watcher.clone());
        let question = Question::Watch(Watch { id, aor, watcher, hold, until });
        if self.ask(self.soon(now), question, Pending::Tell { id, hop }).is_err() {
            self.put_off(now, id);
        }
    }

    /// What is there now is known: it is told.
    pub(super) fn tell(&mut self, now: Instant, id: WatchId, hop: Hop, answer: Result<Watched, WatchError>) {
        let dialog = self.subscriptions.get_mut(id).and_then(|found| found.machine.dialog_mut());
        let promised = dialog.is_some_and(|dialog| is_promised(dialog));
        let contact = self.contact(&hop, promised);
        let branch = entropy::token(&mut *self.entropy, 80);
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        found.busy = false;
        // Whoever may watch no more is told nothing more.
        let silent = answer.as_ref().is_err_and(|error| *error != WatchError::UnknownAor);
        let mut watched = answer.unwrap_or_else(|error| {
            let told = found.told.iter().flatten();
            let ended = |event| move |key| Ended { key, event };
            let keys = told.map(|binding| binding.key.clone());
            let ended: Vec<Ended> = match error {
                // The account is gone, and registers no more.
                WatchError::UnknownAor => keys.map(ended(ContactEvent::Rejected)).collect(),
                _ => Vec::new(),
            };
            found.machine.terminate(now, error.reason(), None);
            found.full = true;
            Watched { bindings: Vec::new(), ended }
        });
        watched.bindings.retain(|binding| binding.expires_at > now);
        let report = Report {
            aor: &found.aor,
            version: found.version,
            told: found.told.as_deref(),
            bindings: &watched.bindings,
            ended: &watched.ended,
            gruus: &self.gruus,
            own: matches!(&found.watcher, Watcher::Account(name) if self.domain.address(name) == found.aor),
        };
        let entropy = &mut *self.entropy;
        let full = found.full || found.machine.is_terminated();
        let document = if full { Some(report.full(now, entropy)) } else { report.partial(now, entropy) };
        let (Some(mut document), Some(notice)) = (document, found.machine.due(now)) else {
            found.told = Some(watched.bindings);
            found.machine.nothing_new();
            return self.subscriptions.schedule(id);
        };
        let event = found.machine.event().to_smolstr();
        let Some(dialog) = found.machine.dialog_mut() else { return };
        let via = format!("SIP/2.0/{} {};branch=z9hG4bK{branch}", hop.transport.via_token(), hop.local);
        let writer = dialog
            .request(&Method::Notify, via)
            .header(HeaderName::Event, event)
            .header(HeaderName::SubscriptionState, notice.state)
            .header(HeaderName::Contact, contact);
        let message = if silent {
            writer.finish()
        } else {
            let (text, left_out) = printed(&mut document);
            self.counters.contacts_not_told += left_out;
            writer.body(Package::Reg.media_type().unwrap_or_default(), text.as_bytes())
        };
        let sent =
            Request::parse(message).ok().and_then(|request| self.layer.send_request(now, &request, hop));
        let Some(client) = sent else { return self.put_off(now, id) };
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        found.machine.sent();
        found.told = Some(watched.bindings);
        found.version = found.version.saturating_add(1);
        (found.full, found.quiet_until) = (false, now + QUIET);
        self.counters.notifies += 1;
        self.subscriptions.sent(client, id);
        self.subscriptions.schedule(id);
    }

    /// Something about a NOTIFY of ours.
    pub(super) fn notified(&mut self, now: Instant, event: &Event) {
        let status = match event {
            Event::Response { response, .. } if response.is_provisional() => return,
            Event::Response { response, .. } => Some(response.status()),
            _ => None,
        };
        let Some(id) = event.client().and_then(|client| self.subscriptions.concluded(client)) else { return };
        let Some(found) = self.subscriptions.get_mut(id) else { return };
        let goes_on = match (status, event) {
            (Some(status), _) => {
                // What was not taken is not known there.
                found.full |= !(200..300).contains(&status);
                found.lost = false;
                found.machine.answered(status)
            }
            // Once more over the next flow, and whole: whether it came is not known.
            (None, Event::TransportFailed { .. }) if !found.lost => {
                (found.lost, found.full, found.quiet_until) = (true, true, now);
                found.machine.notify_anew();
                true
            }
            // RFC 6665 §4.2.2: who does not answer is subscribed no longer.
            (None, _) => found.machine.failed(),
        };
        if goes_on {
            return self.attend(now, id);
        }
        let told = found.machine.is_terminated() && status.is_some();
        self.unsubscribe(id, !told);
    }

    /// Forgets a subscription. `failed`: its watcher did not hear of the end.
    fn unsubscribe(&mut self, id: WatchId, failed: bool) {
        let Some(subscription) = self.subscriptions.remove(id) else { return };
        if failed {
            self.counters.subscriptions_lost += 1;
        }
        self.emit(Output::Unwatch { id, aor: subscription.aor.clone() });
    }

    pub(super) fn subscriptions_due(&mut self, now: Instant) {
        for id in self.subscriptions.due(now) {
            let Some(found) = self.subscriptions.get_mut(id) else { continue };
            if !found.machine.handle_timeout(now) {
                self.unsubscribe(id, true);
                continue;
            }
            // A binding that was told has run out.
            found.changed |= found.told.iter().flatten().any(|binding| binding.expires_at <= now);
            self.attend(now, id);
        }
    }
}

fn too_brief() -> Reply {
    Reply::from(Rule::SubscriptionTooBrief).with(HeaderName::MinExpires, LEAST_LIFETIME.to_string())
}

fn bad_event() -> Reply {
    Reply::from(Rule::EventUnknown).with(HeaderName::AllowEvents, ALLOW_EVENTS)
}

/// The document's text, without the contacts that it has no room for, and how many those are.
fn printed(document: &mut RegInfo) -> (String, u64) {
    let mut left_out = 0;
    loop {
        let text = document.to_string();
        let last = document.registrations.first_mut().filter(|_| text.len() > limits::REGINFO_BYTES);
        if last.and_then(|registration| registration.contacts.pop()).is_none() {
            return (text, left_out);
        }
        left_out += 1;
    }
}

/// §12.2.1.1: the first Route, else the remote target.
fn next_hop(dialog: &Dialog) -> SmolStr {
    let route = dialog.routes().next().and_then(NameAddr::parse);
    route.map_or_else(|| dialog.target().into(), |route| route.uri.into())
}

/// Whether it is a `sips` URI that a request within the dialog is for, or goes along.
fn is_promised(dialog: &Dialog) -> bool {
    is_sips(dialog.target()) || is_sips(&next_hop(dialog))
}

impl WatchError {
    /// What a SUBSCRIBE is refused by.
    const fn rule(self) -> Rule {
        match self {
            Self::UnknownAor => Rule::UserUnknown,
            Self::Full => Rule::SubscriptionsFull,
            Self::Revoked | Self::WatcherGone => Rule::WatchForbidden,
        }
    }

    /// Why a subscription ends.
    const fn reason(self) -> Reason {
        match self {
            Self::UnknownAor => Reason::NoResource,
            Self::WatcherGone => Reason::Rejected,
            Self::Revoked | Self::Full => Reason::Deactivated,
        }
    }
}
