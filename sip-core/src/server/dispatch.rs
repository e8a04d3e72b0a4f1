//! What a request is for, and what is done when an answer comes or does not.

use alloc::vec::Vec;

use super::lookup::side_of;
use super::peers::Standing;
use super::questions::{Arrival, Pending, Sought};
use super::reply::Reply;
use super::rule::Rule;
use super::{Answer, Mode, Question, QuestionId, Server};
use crate::message::validate::{Defect, Rejection};
use crate::message::{HeaderName, Method, Refused, Request, Writer, reason_phrase};
use crate::proxy::{self, Path, Refusal, Secure};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;
use crate::transport::{RouteTarget, Transport, via};

/// A request that was answered later than this had to wait for its receiver.
const NOTICEABLE: Duration = Duration::from_millis(20);

/// A request as it would be if its sender did as this server does; `None`: it is so already.
type Reading = fn(&Server, &Arrival, Instant) -> Option<Result<Request, Refused>>;

const READINGS: [Reading; 3] = [
    |server, arrival, now| proxy::loosen(&arrival.request, &server.tokens, now),
    |server, arrival, _| proxy::without_maddr(&arrival.request, &arrival.from, &server.domain),
    |server, arrival, now| match proxy::number_as_user(&arrival.request, &server.config.domain) {
        // §16.6 step 6: what the next proxy makes of it is for that to say.
        Some(_) if matches!(server.path(arrival, now), Ok(Path::Preloaded { .. } | Path::Flow { .. })) => {
            None
        }
        user => user,
    },
];

impl Server {
    /// §16.3, §16.4.
    pub(super) fn dispatch(&mut self, now: Instant, mut arrival: Arrival) {
        for read in READINGS {
            match read(self, &arrival, now) {
                None => {}
                Some(Ok(request)) => arrival.request = request,
                Some(Err(refused)) => {
                    return self.refuse(now, &arrival, Refusal::from(refused.error).into());
                }
            }
        }
        if let Err(refusal) = proxy::validate(&arrival.request, &self.tokens) {
            return self.refuse(now, &arrival, refusal.into());
        }
        let path = self.path(&arrival, now);
        // §26.2.2: "each hop over which the request is forwarded … must be secured with TLS", and this one was not.
        let promised = |path: &Path| match path {
            Path::Dialog { .. } => Secure::within(&arrival.request).from,
            outside => Secure::of(&arrival.request, outside.routes()).from,
        };
        if !arrival.from.transport.is_secure() && path.as_ref().is_ok_and(promised) {
            return self.refuse(now, &arrival, Rule::SipsInsecure.into());
        }
        match path {
            // An OPTIONS at its last hop is answered only when its sender is known, which here takes forwarding.
            Ok(Path::Dialog { .. }) if arrival.request.max_forwards() == Some(0) => {
                self.refuse(now, &arrival, Rejection::of(483, Defect::TooManyHops).into());
            }
            Ok(Path::Dialog { sender, receiver }) => self.check_sender(now, arrival, sender, receiver),
            Ok(Path::Outside { routes })
                if arrival.is_ack() && self.config.routing.mode != Mode::Stateless =>
            {
                self.stray_ack(now, arrival, routes);
            }
            Ok(Path::Outside { routes }) => self.outside(now, arrival, routes),
            Ok(Path::Preloaded { routes }) => self.preloaded(now, arrival, routes),
            Ok(Path::Flow { token, routes }) => self.along_path(now, arrival, *token, routes),
            Err(refusal) => {
                match refusal {
                    Refusal::ForeignRoute | Refusal::RouteSet => self.counters.relay_refused += 1,
                    Refusal::Expired => self.counters.dialogs_unknown += 1,
                    _ => {}
                }
                self.refuse(now, &arrival, refusal.into());
            }
        }
    }

    fn path(&self, arrival: &Arrival, now: Instant) -> Result<Path, Refusal> {
        Path::read(&arrival.request, &arrival.from, &self.domain, &self.tokens, now)
    }

    /// Answers a request with other than success. An ACK is never answered, and a CANCEL that goes nowhere is one for nothing (§9.2).
    pub(super) fn refuse(&mut self, now: Instant, arrival: &Arrival, reply: Reply) {
        let reply = if arrival.is_cancel() { Rule::NothingToCancel.into() } else { reply };
        match arrival.server {
            Some(server) if !self.forgets(server, arrival, &reply) => {
                if reply.status >= 300 && self.may_be_forged(now, arrival) {
                    self.reply_once(now, server, &arrival.request, reply);
                } else {
                    self.reply(now, server, &arrival.request, reply);
                }
                self.answered_late(now, arrival);
            }
            None if arrival.is_ack() => self.counters.acks_dropped += 1,
            _ => {
                let back = via::response_hop(&arrival.from, &arrival.request.via());
                self.reply_stateless(&arrival.request, back, reply);
            }
        }
    }

    /// Whether a request is forgotten as it is refused (§26.3.2.4). Whom a datagram says that it is from may be the one who is to be
    /// drowned in answers: nobody is challenged twice who did not ask twice, nor told again and again that his call is refused; and
    /// what proves nothing takes no room. Who asks again is answered anew.
    ///
    /// Not so a call to who is not there (404, 480): she may be in the next moment, and a copy of the INVITE that a network kept for
    /// so long would ring, and be answered, for a caller who has heard that there is no call. It is remembered for that long, T4, and
    /// told once all the same.
    fn forgets(&mut self, server: ServerId, arrival: &Arrival, reply: &Reply) -> bool {
        let refused = match reply.status {
            401 | 407 => true,
            404 | 480 => false,
            status => arrival.is_invite() && status >= 300,
        };
        let forgotten = arrival.is_unproven() && refused && self.layer.forget(server);
        if forgotten {
            self.ongoing.forget(server);
        }
        forgotten
    }

    /// Whether an INVITE may have another sender than it says. Within a dialog its sender was checked, if it comes so far that it is not
    /// forgotten.
    fn may_be_forged(&self, now: Instant, arrival: &Arrival) -> bool {
        arrival.is_invite()
            && arrival.is_unproven()
            && !matches!(self.path(arrival, now), Ok(Path::Dialog { .. }))
    }

    /// INVITE's 100 (§16.2: what takes more than 200 ms is announced, and a fork always does).
    pub(super) fn trying(&mut self, now: Instant, arrival: &Arrival) {
        if let Some(server) = arrival.server.filter(|_| arrival.is_invite()) {
            let trying = Writer::response(&arrival.request, 100, reason_phrase(100), None).finish();
            self.count(100);
            self.layer.respond(now, server, 100, trying);
        }
    }

    /// Asks for what an arrival waits for, or refuses it because too much is being asked.
    pub(super) fn ask_or_refuse(
        &mut self,
        now: Instant,
        deadline: Instant,
        question: Question,
        pending: Pending,
    ) {
        if let Err(pending) = self.ask(deadline, question, pending)
            && let Some(arrival) = pending.arrival()
        {
            self.refuse(now, arrival, Rule::Overloaded.into());
        }
    }

    pub(super) fn answer(&mut self, now: Instant, id: QuestionId, answer: Answer) {
        if let Answer::Reachable(Some(hop)) = &answer
            && let Some(held) = self.questions.held_through(id)
        {
            // What came before it goes before it, whichever answer comes first.
            for id in held {
                if let Some(pending) = self.questions.remove(id) {
                    self.release(now, *pending, *hop);
                }
            }
            return;
        }
        if let Answer::Away(bindings) = answer {
            return self.away(now, id, bindings);
        }
        let Some(pending) = self.questions.remove(id) else {
            self.counters.answers_late += 1;
            return;
        };
        match (*pending, answer) {
            (
                Pending::Credentials { mut arrival, credentials, routes },
                Answer::Credentials(secrets, contact),
            ) => {
                // Of use to nobody who does not prove to be this account.
                arrival.back = contact.map(|contact| side_of(&arrival.answered_at(), &contact).into());
                self.verify(now, arrival, &credentials, secrets.as_deref(), routes);
            }
            (Pending::Credentials { arrival, .. }, Answer::Held(wait)) => {
                self.hold_back(now, &arrival, wait);
            }
            (Pending::Admission { arrival, username, routes }, Answer::Admitted(first)) => {
                self.admitted(now, arrival, username, routes, first);
            }
            (Pending::Whence { arrival, routes, invite }, Answer::Bindings(bindings)) => {
                self.whence_known(now, arrival, routes, invite, &bindings.unwrap_or_default());
            }
            (Pending::Lookup(sought), Answer::Bindings(bindings)) => self.found(now, sought, bindings),
            (Pending::Away { sought, aor }, Answer::Reachable(Some(_))) => self.look_again(now, sought, aor),
            (Pending::Update { arrival, identity }, Answer::Updated(result)) => {
                self.updated(now, arrival, identity, result);
            }
            (Pending::Subscribe { arrival, application }, Answer::Watched(answer)) => {
                self.subscribed(now, &arrival, *application, answer);
            }
            (Pending::Notify { id }, Answer::Reachable(hop)) => self.watcher_reached(now, id, hop),
            (Pending::Tell { id, hop }, Answer::Watched(answer)) => self.tell(now, id, hop, answer),
            (Pending::Sender { arrival, sender, receiver }, Answer::Reachable(hop)) => {
                self.sender_reached(now, arrival, sender, receiver, hop);
            }
            (Pending::Sender { arrival, sender, receiver }, Answer::Bindings(bindings)) => {
                self.sender_known(now, arrival, sender, receiver, &bindings.unwrap_or_default());
            }
            (Pending::AlongPath { arrival, token, routes }, Answer::Reachable(hop)) => {
                self.path_reached(now, &arrival, *token, routes, hop);
            }
            (named @ Pending::Named { .. }, Answer::Bindings(bindings)) => self.named(now, named, bindings),
            (Pending::Back { message }, Answer::Reachable(Some(hop))) => self.transmit(hop, message),
            (Pending::Again(absence), Answer::Reachable(hop)) => self.again(now, *absence, hop),
            (Pending::Caller { server }, Answer::Reachable(hop)) => self.caller_back(server, hop),
            (Pending::Extend { server, q, diverted }, Answer::Bindings(bindings)) => match diverted {
                Some(uri) => self.diverted_to(now, server, q, uri, bindings),
                None => self.extend(now, server, q, bindings.unwrap_or_default(), None),
            },
            (Pending::Join { server, q, key }, Answer::Reachable(Some(_))) => {
                self.look_for(now, server, q, key);
            }
            (Pending::Joined { server, q, key }, Answer::Bindings(bindings)) => {
                self.joined(now, server, q, &key, bindings.unwrap_or_default());
            }
            (Pending::Locate(quest, search), Answer::Resolved(records)) => {
                self.resolved(now, quest, search, records);
            }
            (Pending::Connect(errand, ways), Answer::Connected(Some((at, hop)))) if at < ways.len() => {
                self.connected(now, errand, ways, at, hop);
            }
            // No way to the receiver; or the answer to another question than was asked, which is as good as none.
            (pending, _) => self.give_up(now, pending),
        }
    }

    /// No answer came, or none that helps.
    pub(super) fn give_up(&mut self, now: Instant, pending: Pending) {
        match pending {
            Pending::Credentials { arrival, .. }
            | Pending::Admission { arrival, .. }
            | Pending::Whence { arrival, .. }
            | Pending::Lookup(Sought { arrival, .. })
            | Pending::Update { arrival, .. } => {
                self.refuse(now, &arrival, Rule::DirectoryDown.into());
            }
            Pending::Subscribe { arrival, .. } => {
                self.subscriptions.asked();
                self.refuse(now, &arrival, Rule::DirectoryDown.into());
            }
            Pending::Notify { id } => self.watcher_reached(now, id, None),
            Pending::Tell { id, .. } => self.put_off(now, id),
            Pending::Sender { arrival, .. } => self.wrong_sender(now, &arrival),
            Pending::Held { arrival, sender, receiver, since } => {
                self.count_wait(now, since);
                self.counters.held_timed_out += 1;
                let failed = is_failed_flow(&arrival, &sender, &receiver);
                let rule = if failed { Rule::FlowFailed } else { Rule::DialogAway };
                self.refuse(now, &arrival, rule.into());
            }
            Pending::AlongPath { arrival, token, routes } => {
                self.path_reached(now, &arrival, *token, routes, None);
            }
            named @ Pending::Named { .. } => self.named(now, named, None),
            Pending::Caller { .. } => {}
            Pending::Again(absence) => self.again(now, *absence, None),
            Pending::Away { sought, .. } => self.callee_away(now, sought),
            Pending::Back { .. } => self.counters.stray_responses += 1,
            Pending::Extend { server, q, .. } => self.extend(now, server, q, Vec::new(), None),
            Pending::Join { server, .. } | Pending::Joined { server, .. } => {
                self.join(now, server, Vec::new());
            }
            Pending::Locate(quest, search) => {
                let silent = search.silent();
                self.resolved(now, quest, search, silent);
            }
            Pending::Connect(errand, _) => self.unconnected(now, errand),
        }
    }

    pub(super) const fn count_wait(&mut self, now: Instant, since: Instant) {
        if now.since(since).as_micros() > NOTICEABLE.as_micros() {
            self.counters.held += 1;
        }
    }
}

/// RFC 5626 §5.3.1, §11.5: a receiver who is reached over one flow alone, and a proxy before us to hear that it is gone.
fn is_failed_flow(arrival: &Arrival, sender: &RouteTarget, receiver: &RouteTarget) -> bool {
    matches!((sender, receiver), (RouteTarget::Peer { .. }, RouteTarget::Flow(_)))
        && arrival.request.headers().list(HeaderName::Via).nth(1).is_some()
}

impl Arrival {
    pub(super) fn is_invite(&self) -> bool {
        self.server.is_some() && *self.request.method() == Method::Invite
    }

    pub(super) fn is_ack(&self) -> bool {
        *self.request.method() == Method::Ack
    }

    /// It came in a datagram, and nothing says that who it is from has sent it.
    fn is_unproven(&self) -> bool {
        self.from.transport == Transport::Udp && self.standing == Standing::Stranger
    }
}
