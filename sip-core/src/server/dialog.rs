//! Requests within dialogs that were recorded here: their sender is checked, their way is found or awaited.
//!
//! A receiver that is away for a moment — a page on its way to a new socket, or everybody after a restart — costs
//! a request some seconds and not its life.

use alloc::vec::Vec;
use core::cmp::Ordering;

use smol_str::SmolStr;

use super::peers::Standing;
use super::questions::{Arrival, Pending};
use super::rule::Rule;
use super::stream::Long;
use super::{Question, Server, Wait};
use crate::message::{HeaderName, Method, Uri};
use crate::proxy::{Absence, Lost, Secure, Sender, Target};
use crate::registrar::{Binding, Instance};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::target::Way;
use crate::transport::{Hop, RouteTarget, Transport};

/// Routes of an in-dialog request that are ours: the sender's token and the receiver's.
pub(super) const TOKENS: usize = 2;

impl Server {
    pub(super) fn check_sender(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
    ) {
        let proven = arrival.identity.as_ref().map(|identity| &identity.registration);
        match Sender::of(&sender, &arrival.from, proven) {
            Sender::Proven => self.hold(now, arrival, sender, receiver),
            Sender::Other => self.wrong_sender(now, &arrival),
            Sender::Reached(key) => {
                let wait = Wait { until: self.soon(now), within: true };
                let question = Question::Reach(RouteTarget::Registration(key), wait);
                let pending = Pending::Sender { arrival, sender, receiver };
                self.ask_or_refuse(now, wait.until, question, pending);
            }
        }
    }

    pub(super) fn sender_reached(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
        hop: Option<Hop>,
    ) {
        let key = sender.registration().filter(|_| arrival.from.transport == Transport::Tcp);
        if hop.is_some_and(|hop| self.is_from(&arrival, &hop)) {
            self.hold(now, arrival, sender, receiver);
        } else if let Some(aor) = key.map(|key| key.aor.clone()) {
            let pending = Pending::Sender { arrival, sender, receiver };
            self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
        } else {
            self.wrong_sender(now, &arrival);
        }
    }

    /// What the registrations are of somebody who is reached over another hop than the request came from.
    pub(super) fn sender_known(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
        bindings: &[Binding],
    ) {
        let is_sender = |binding: &Binding| {
            let there = binding.expires_at > now && binding.opens(&arrival.from);
            there && sender.registration().is_some_and(|key| binding.is_of(key))
        };
        if bindings.iter().any(is_sender) {
            self.hold(now, arrival, sender, receiver);
        } else {
            self.wrong_sender(now, &arrival);
        }
    }

    pub(super) fn wrong_sender(&mut self, now: Instant, arrival: &Arrival) {
        self.counters.sender_mismatched += 1;
        self.refuse(now, arrival, Rule::NotInDialog.into());
    }

    /// Asks for the way to the receiver. Until it is known the request is held.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
    ) {
        if let RouteTarget::Peer { transport, remote, domain, onward } = receiver {
            let known = Way { transport, addresses: [remote].into(), domain, free: false };
            // A peer knows both tokens and could name its own twice: what it sends goes nowhere else by what it says.
            let onward = onward && !matches!(sender, RouteTarget::Peer { .. });
            return self.depart_within(now, arrival, sender, TOKENS, known, onward);
        }
        let limits = &self.config.limits;
        if arrival.server.is_none()
            && let Some((id, age)) = self.questions.held_ack(&receiver, &arrival.request)
        {
            // Of one dialog the newest alone is delivered: it answers the newest 2xx.
            if age != Ordering::Less {
                return;
            }
            self.questions.remove(id);
        }
        if self.questions.held() >= limits.held_requests
            || self.questions.held_for(&receiver) >= limits.held_per_registration
        {
            self.counters.hold_full += 1;
            return self.refuse(now, &arrival, Rule::TooManyHeld.into());
        }
        self.trying(now, &arrival);
        match self.stream_for(&arrival, &sender, &receiver) {
            Some((remote, uri)) => self.seek_stream(now, Long { arrival, sender, receiver, remote }, uri),
            None => self.reach(now, arrival, sender, receiver),
        }
    }

    /// Asks for the way to the receiver.
    pub(super) fn reach(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
    ) {
        let limits = &self.config.limits;
        // The sender of a re-INVITE hears a 100, that of another request gives up after 32 s (RFC 4320 §4.2).
        let patient = matches!(arrival.request.method(), Method::Invite | Method::Ack);
        let until = now + if patient { limits.grace } else { limits.hold };
        let question = Question::Reach(receiver.clone(), Wait { until, within: true });
        let pending = Pending::Held { arrival, sender, receiver, since: now };
        self.ask_or_refuse(now, until, question, pending);
    }

    pub(super) fn release(&mut self, now: Instant, held: Pending, hop: Hop) {
        let Pending::Held { arrival, sender, receiver, since } = held else { return };
        self.count_wait(now, since);
        let Some((aor, instance)) = self.gruu_of(&arrival) else {
            return self.deliver(now, &arrival, sender, Target::new(None, hop, receiver));
        };
        let pending = Pending::Named { arrival, sender, receiver, hop, instance };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
    }

    /// What a request's GRUU names, if its Request-URI is one of ours.
    fn gruu_of(&self, arrival: &Arrival) -> Option<(SmolStr, Instance)> {
        let Some(Uri::Sip(uri)) = arrival.request.parsed_uri() else { return None };
        // Most are none.
        if !uri.has_param("gr") {
            return None;
        }
        let aor = self.domain.aor(&uri, arrival.from.local.ip())?;
        self.gruus.resolve(&uri, &aor)?
    }

    /// RFC 5627 §6.1: a GRUU is replaced by the contact also where Routes lead to it: a proxy in between, which is not of this
    /// domain, would send it here again. The contact's Path is for requests without further Routes, which would lead there twice.
    pub(super) fn named(&mut self, now: Instant, named: Pending, bindings: Option<Vec<Binding>>) {
        let Pending::Named { arrival, sender, receiver, hop, instance } = named else { return };
        let mut target = Target::new(None, hop, receiver);
        let is_there = |binding: &&Binding| {
            let at = |own: Hop| own.flow == hop.flow && own.remote == hop.remote;
            binding.hop.is_some_and(at) && instance.has(binding)
        };
        if let Some(binding) = bindings.iter().flatten().rev().find(is_there) {
            target.contact = Some(binding.contact.clone());
            if arrival.request.headers().list(HeaderName::Route).nth(TOKENS).is_none() {
                target.path = binding.path.clone();
            }
        }
        self.deliver(now, &arrival, sender, target);
    }

    /// Sends on what is within a dialog.
    pub(super) fn deliver(&mut self, now: Instant, arrival: &Arrival, sender: RouteTarget, target: Target) {
        // It came back over another transport than the dialog was promised.
        if Secure::of(&arrival.request, TOKENS).to && !target.hop.transport.is_secure() {
            return self.refuse(now, arrival, Rule::SipsNotAllowed.into());
        }
        if arrival.server.is_none() {
            return self.forward_stateless(now, arrival, &sender, TOKENS, &target);
        }
        self.forward(now, arrival, sender, TOKENS, target.into());
    }

    /// The flow of a receiver closed before it answered: it is waited for as if the request came now.
    pub(super) fn wait_again(&mut self, now: Instant, absence: Absence) {
        if let Some(was) = absence.kept() {
            return self.ring_on(now, absence, was);
        }
        let limits = &self.config.limits;
        let within = absence.is_within();
        let time = match absence.method() {
            Method::Invite if within => limits.grace,
            Method::Invite => limits.away,
            _ => limits.hold,
        };
        let target = absence.receiver().clone();
        self.wait_for(now, absence, target, Wait { until: now + time, within });
    }

    pub(super) fn wait_for(&mut self, now: Instant, absence: Absence, target: RouteTarget, wait: Wait) {
        let question = Question::Reach(target, wait);
        if let Err(pending) = self.ask(wait.until, question, Pending::Again(absence.into()))
            && let Pending::Again(absence) = *pending
        {
            self.again(now, *absence, None);
        }
    }

    /// It is back, or not.
    pub(super) fn again(&mut self, now: Instant, absence: Absence, hop: Option<Hop>) {
        let (proxy, mut turn) = self.turn(now);
        proxy.again(&mut turn, absence, hop);
    }

    /// The flow of a request's sender closed before all was said to it.
    pub(super) fn caller_lost(&mut self, now: Instant, server: ServerId) {
        let (proxy, mut turn) = self.turn(now);
        if let Some(lost) = proxy.caller_lost(&mut turn, server) {
            self.find_caller(now, lost);
        }
    }

    /// The same, if it did so while something was being found out about the request, which is answered now.
    pub(super) fn answered_late(&mut self, now: Instant, arrival: &Arrival) {
        let Some(server) = arrival.server.filter(|server| self.layer.has_lost_flow(*server)) else { return };
        let username = match &arrival.standing {
            Standing::Account { username } => Some(&**username),
            _ => None,
        };
        let ours = username.is_some() || arrival.identity.is_some();
        self.find_caller(now, Lost { server, sender: arrival.sender(username), ours });
    }

    /// Where the answers to a request go whose flow is gone. A registration may come back over another.
    pub(super) fn find_caller(&mut self, now: Instant, lost: Lost) {
        let server = lost.server;
        let sender = match lost.sender {
            sender @ RouteTarget::Registration(_) => sender,
            // A phone on UDP that sent it over a connection.
            RouteTarget::Phone(phone) => RouteTarget::Registration(phone.registration),
            RouteTarget::Peer { domain, .. } => return self.return_to(now, server, Some(domain), lost.ours),
            RouteTarget::Flow(_) => return self.return_to(now, server, None, lost.ours),
            RouteTarget::Address { .. } => return,
        };
        // At the cap nobody is told: the caller is given up a little later by itself.
        let within = self.layer.server_origin(server).is_some_and(|origin| origin.is_within());
        let wait = Wait { until: now + self.config.limits.hold, within };
        let _ = self.ask(wait.until, Question::Reach(sender, wait), Pending::Caller { server });
    }

    /// It did: the latest response goes there, and all that follow.
    pub(super) fn caller_back(&mut self, server: ServerId, hop: Option<Hop>) {
        let old = self.layer.server_hop(server);
        if let (Some(hop), Some(old)) = (hop, old)
            && hop.flow != old.flow
            && (hop.transport.is_secure() || !self.is_secure(server))
        {
            self.layer.set_server_hop(server, hop);
        }
    }
}
