//! From a target set to branches (§16.6): in parallel what is preferred alike, one group after the other, and never
//! broader than Max-Breadth allows (RFC 5393 §5).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::again::Sent;
use super::branch::{self, LoopMark, Name};
use super::context::{Branch, Context, State, TIMER_C, patience};
use super::history::Diverted;
use super::shapes::{Inbound, Target, Targets, Turn};
use super::sips::{Copy, Secure};
use super::table::{Leg, Proxy};
use super::{edge, forward, record_route};
use crate::limits;
use crate::message::typed::MaxBreadth;
use crate::message::{Method, Request};
use crate::transaction::ServerId;
use crate::transport::Transport;

impl Proxy {
    /// Forwards a request to its targets (§16.6): first to all of the highest weight, and when they have failed or rung
    /// long enough to the next. Whoever drives the proxy has answered an INVITE with 100.
    pub fn fork(&mut self, turn: &mut Turn<'_>, inbound: Inbound, targets: Targets) {
        let server = inbound.server;
        let mut context = self.begin(turn, inbound);
        context.diverted = self.told_from_the_start(&context.inbound.request, &targets);
        match context.breadth {
            // Not even one copy may leave (RFC 5393 §5.3.3).
            0 => context.branches.push(Branch::failed(440)),
            _ => self.aim(turn, &mut context, targets),
        }
        self.settle(turn, server, context);
    }

    /// What follows from a request for all its copies.
    pub(super) fn begin(&self, turn: &mut Turn<'_>, inbound: Inbound) -> Box<Context> {
        let request = &inbound.request;
        let records = record_route::records(request, inbound.routes);
        let back = records.then(|| {
            let secure = Secure::of(request, inbound.routes).from && inbound.from.transport.is_secure();
            record_route::value(turn, &inbound.sender, request.call_id(), &inbound.from, secure)
        });
        let mark = LoopMark::of(request, turn.tokens);
        let breadth = incoming_breadth(request, self.settings.breadth);
        let session = self.settings.session_timer.and_then(|timer| timer.asks(request));
        let mut context = Box::new(Context::new(inbound, mark, back, breadth));
        context.session = session;
        context
    }

    /// More targets for a request on its way: what was found for a [`super::Wanted`]. With none there is one branch less.
    pub fn extend(&mut self, turn: &mut Turn<'_>, server: ServerId, targets: Targets) {
        let Some(mut context) = self.contexts.remove(&server) else { return };
        context.awaited = context.awaited.saturating_sub(1);
        self.aim(turn, &mut context, targets);
        self.settle(turn, server, context);
    }

    /// One of the targets that were [`Targets::sought`] is found, or none is. It is called beside those that ring by now, unless the
    /// call has gone on from them to another address.
    pub fn join(&mut self, turn: &mut Turn<'_>, server: ServerId, found: Vec<Target>) {
        let Some(mut context) = self.contexts.remove(&server) else { return };
        if let Some(left) = context.sought.checked_sub(1) {
            context.sought = left;
            self.add(&mut context, found);
        }
        self.settle(turn, server, context);
    }

    /// Puts targets where their weight says, behind those of the same.
    pub(super) fn add(&mut self, context: &mut Context, mut targets: Vec<Target>) {
        let room = self.settings.forks.saturating_sub(context.branches.len() + context.waiting.len());
        self.counters.forks_over_cap += targets.len().saturating_sub(room) as u64;
        targets.truncate(room);
        if context.waiting.is_empty() {
            // Most have one, which stays where it is.
            context.waiting = targets.into();
        } else {
            context.waiting.extend(targets);
        }
        context.waiting.make_contiguous().sort_by_key(|target| Reverse(target.q));
    }

    /// Starts what is to be tried now.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>, context: &mut Context) {
        if context.is_settled() {
            context.waiting.clear();
            context.ring = None;
        }
        while let Some(next) = context.waiting.front() {
            let ringing = context.branches.iter().any(|b| b.is_pending() && !b.given_up);
            if ringing && next.q < context.level {
                return;
            }
            context.level = next.q.min(context.level);
            let level = context.level;
            let group = context.waiting.iter().take_while(|target| target.q >= level).count();
            // What finds no room is tried as room becomes free (RFC 5393 §5.3.3.1).
            let room = context.breadth_left();
            let now = u32::try_from(group).unwrap_or(u32::MAX).min(room);
            if now == 0 {
                return;
            }
            // Each that waits keeps one: those that rang too long may be slow to give theirs back.
            let kept = u32::try_from(context.waiting.len()).unwrap_or(u32::MAX) - now;
            let kept = kept + u32::from(context.diverter.is_some());
            let kept = kept.saturating_add(u32::try_from(context.sought).unwrap_or(u32::MAX));
            let room = room - kept.min(room - now);
            // Most have one, and keep it while it rings: a vector's spare room would be three times as much.
            context.branches.reserve_exact(now as usize);
            for index in 0..now {
                let Some(target) = context.waiting.pop_front() else { break };
                // What does not divide goes to the first.
                let share = room / now + u32::from(index < room % now);
                let leg = Leg { server: context.inbound.server, trusted: target.trusted };
                let branch = self.send(turn, context, target, share);
                if let Some(client) = branch.client {
                    self.clients.insert(client, leg);
                }
                context.branches.push(branch);
            }
            let others = !context.waiting.is_empty() && context.is_invite();
            context.ring = others.then(|| turn.now + self.settings.ring);
        }
        // Likewise.
        context.waiting = VecDeque::new();
    }

    /// The story of a call that is for an address-of-record and goes to its contacts, where that is told (RFC 7044 §9.1).
    fn told_from_the_start(&self, request: &Request, targets: &Targets) -> Option<Box<Diverted>> {
        let retargeted = targets.sought > 0 || targets.found.iter().any(|target| target.contact.is_some());
        let begins = *request.method() == Method::Invite && request.to_tag().is_none();
        let told = self.settings.history && retargeted && begins;
        told.then(|| Box::new(Diverted::of(request, &format!("sip:{}", self.settings.agent), 0)))
    }

    fn send(&mut self, turn: &mut Turn<'_>, context: &mut Context, target: Target, breadth: u32) -> Branch {
        let Inbound { request, routes, .. } = &context.inbound;
        // Whoever finds targets leaves out what may not be one; here none slips through.
        let Some(Copy { uri, secure }) = Copy::of(request, *routes, &target) else {
            return Branch::failed(480);
        };
        let call_id = request.call_id();
        let there = context
            .back
            .as_ref()
            .map(|_| record_route::value(turn, &target.receiver, call_id, &target.hop, secure));
        let record_routes = [there.as_deref(), context.back.as_deref()].map(Option::unwrap_or_default);
        let own_path = edge::path(turn, &context.inbound, &target);
        let (name, branch) = name(turn, context, &target);
        let request_uri = uri.as_deref();
        let outside = target.detours.is_some() && !target.trusted;
        let story = context.diverted.as_mut().map(|diverted| diverted.tell(request_uri, outside));
        let via = branch::marked(&branch, self.settings.alias && target.may_alias());
        let change = forward::Change {
            request_uri,
            routes: *routes,
            path: &target.path,
            own_path: own_path.as_deref(),
            record_routes: if there.is_some() { &record_routes } else { &[] },
            hop: &target.hop,
            branch: &via,
            breadth,
            realm: &self.settings.realm,
            asserted: &context.inbound.asserted,
            trusted: target.trusted,
            story: story.as_ref(),
            session: context.session,
        };
        let bytes = forward::request(request, &change);
        // What we added, or another Request-URI, may have been too much for it.
        let datagram = target.hop.transport == Transport::Udp && bytes.len() > limits::DATAGRAM_BYTES;
        if datagram || !forward::can_be_read(request, &bytes) {
            return Branch::failed(513);
        }
        let client = turn.layer.send_written(turn.now, bytes.clone(), &branch, request.method(), target.hop);
        let Some(client) = client else { return Branch::failed(503) };
        self.counters.forwarded += 1;
        let timer_c = (*request.method() == Method::Invite).then(|| turn.now + TIMER_C);
        let Target { contact, hop, receiver, spares, detours, .. } = target;
        // Within a dialog the Request-URI is the caller's.
        let within = contact.is_none() || request.to_tag().is_some();
        // A datagram has no flow that it could be lost with.
        let reliable = hop.transport.is_reliable();
        let waits = reliable && (within || timer_c.is_some()) && receiver.registration().is_some();
        let kept = self.settings.keeps_calls && timer_c.is_some() && !waits;
        let kept = kept.then(|| Box::new(receiver.clone()));
        let again = waits.then_some(Sent {
            receiver,
            request: bytes,
            branch,
            method: request.method().clone(),
            within,
            secure,
        });
        Branch {
            client: Some(client),
            name: name.short(),
            state: State::Pending { timer_c },
            breadth,
            given_up: false,
            spares,
            again,
            receiver: kept,
            secure,
            patience: detours
                .as_ref()
                .is_some_and(|detours| !detours.ways.is_empty())
                .then(|| turn.now + patience(request.method())),
            detours,
            heard: false,
            rang: false,
        }
    }
}

/// What the copy for `target` is called, and its branch. Who registered is the same under another Contact (RFC 5626 §4.1).
fn name(turn: &mut Turn<'_>, context: &Context, target: &Target) -> (Name, String) {
    let to = match target.receiver.registration() {
        Some(key) => &key.instance,
        None => target.contact.as_deref().unwrap_or_default(),
    };
    let Inbound { request, from, .. } = &context.inbound;
    let named = |earlier| Name::of(request, from, to, earlier, turn.tokens);
    let first = named(0);
    let earlier = context.branches.iter().filter(|branch| branch.name == first.short()).count();
    let own = match earlier {
        0 => first,
        earlier => named(u32::try_from(earlier).unwrap_or(u32::MAX)),
    };
    let mut branch = own.branch(context.mark);
    // It was sent before, answered, and comes again.
    if turn.layer.is_named(&branch, request.method()) {
        branch = branch::fresh(context.mark, turn.entropy);
    }
    (first, branch)
}

/// RFC 5393 §5.3.3: ours where there is none or it is not a number, and never more than ours.
pub(super) fn incoming_breadth(request: &Request, most: u32) -> u32 {
    match request.headers().typed::<MaxBreadth>() {
        Ok(Some(MaxBreadth(breadth))) => breadth.min(most),
        _ => most,
    }
}
