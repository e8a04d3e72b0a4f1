//! The table of response contexts, driven by what the transaction layer tells.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::best::Final;
use super::branch::{self, LoopMark};
use super::context::{Branch, Context, LOST_CALLER, State, TIMER_C};
use super::{forward, record_route};
use crate::entropy::{self, Entropy};
use crate::limits;
use crate::message::{HeaderName, Method, Request, Response, Writer, reason_phrase};
use crate::time::Instant;
use crate::transaction::{ClientId, Event, Layer, ServerId};
use crate::transport::{Hop, RouteTarget, RouteTokens, Transport};

/// What a proxy is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The realm whose Proxy-Authorization ends here.
    pub realm: SmolStr,
    /// Most branches of one request; see [`limits::FORKS`].
    pub forks: usize,
    /// The Server field of responses it makes itself, if there shall be one.
    pub server: Option<SmolStr>,
}

/// What a proxy needs for every step.
#[expect(missing_debug_implementations, reason = "borrows for one call")]
pub struct Turn<'a> {
    /// Now.
    pub now: Instant,
    /// The transactions.
    pub layer: &'a mut Layer,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
    /// Seals Record-Routes.
    pub tokens: &'a RouteTokens,
}

/// A request that is to be forwarded.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Its server transaction.
    pub server: ServerId,
    /// As it was received.
    pub request: Request,
    /// Where from.
    pub from: Hop,
    /// Who sent it: what the sender's Record-Route will lead to.
    pub sender: RouteTarget,
    /// How many of its Routes are consumed here.
    pub routes: usize,
}

/// Where a copy of a request goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The contact's URI; `None` leaves the Request-URI as it is.
    pub contact: Option<SmolStr>,
    /// How it is reached.
    pub hop: Hop,
    /// What the receiver's Record-Route will lead to.
    pub receiver: RouteTarget,
}

/// What a proxy counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests forwarded, one a branch.
    pub forwarded: u64,
    /// Responses forwarded.
    pub responses_forwarded: u64,
    /// Targets not tried because of [`Settings::forks`].
    pub forks_over_cap: u64,
    /// Branches that ended because the flow was gone.
    pub unreachable: u64,
}

/// All requests on their way through a proxy.
#[derive(Debug)]
pub struct Proxy {
    settings: Settings,
    contexts: BTreeMap<ServerId, Context>,
    clients: BTreeMap<ClientId, ServerId>,
    deadlines: BTreeSet<(Instant, ServerId)>,
    counters: Counters,
}

impl Proxy {
    /// A proxy with nothing on its way.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            contexts: BTreeMap::new(),
            clients: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            counters: Counters { forwarded: 0, responses_forwarded: 0, forks_over_cap: 0, unreachable: 0 },
        }
    }

    /// Forwards a request to all targets at once (§16.6). Whoever drives the proxy has answered an INVITE with 100.
    pub fn fork(&mut self, turn: &mut Turn<'_>, inbound: Inbound, targets: &[Target]) {
        let mut context = Context::new(inbound.request.clone(), inbound.sender.clone());
        let tried = targets.len().min(self.settings.forks);
        self.counters.forks_over_cap += (targets.len() - tried) as u64;
        // A dialog's route set is settled by the request that began it (§12.2).
        let records =
            record_route::begins_dialog(context.request.method()) && context.request.to_tag().is_none();
        let back = records
            .then(|| record_route::value(turn, &inbound.sender, inbound.request.call_id(), &inbound.from));
        let mark = LoopMark::of(&inbound.request);
        for target in &targets[..tried] {
            let branch = self.send(turn, &inbound, target, back.as_deref(), mark);
            if let Some(client) = branch.client {
                self.clients.insert(client, inbound.server);
            }
            context.branches.push(branch);
        }
        if tried == 0 {
            context.branches.push(Branch { client: None, state: State::Ended(Final::Local(480)) });
        }
        self.settle(turn, inbound.server, context);
    }

    fn send(
        &mut self,
        turn: &mut Turn<'_>,
        inbound: &Inbound,
        target: &Target,
        back: Option<&str>,
        mark: LoopMark,
    ) -> Branch {
        let failed = |status| Branch { client: None, state: State::Ended(Final::Local(status)) };
        let request = &inbound.request;
        let mut record_routes: Vec<String> = Vec::with_capacity(2);
        if let Some(back) = back {
            record_routes.push(record_route::value(turn, &target.receiver, request.call_id(), &target.hop));
            record_routes.push(back.into());
        }
        let branch = branch::fresh(mark, turn.entropy);
        let change = forward::Change {
            request_uri: target.contact.as_deref().map(forward::request_uri),
            routes: inbound.routes,
            record_routes: &record_routes,
            hop: &target.hop,
            branch: &branch,
            realm: &self.settings.realm,
        };
        let bytes = forward::request(request, &change);
        // What we added may have been too much for it.
        if target.hop.transport == Transport::Udp && bytes.len() > limits::DATAGRAM_BYTES {
            return failed(513);
        }
        let Ok(forwarded) = Request::parse(bytes) else { return failed(513) };
        let Some(client) = turn.layer.send_request(turn.now, &forwarded, target.hop) else {
            return failed(503);
        };
        self.counters.forwarded += 1;
        let timer_c = (*request.method() == Method::Invite).then(|| turn.now + TIMER_C);
        Branch { client: Some(client), state: State::Pending { timer_c } }
    }

    /// Cancels a request's branches because its sender sent CANCEL (§16.10). `false`: it is not on its way here.
    pub fn cancel(&mut self, turn: &mut Turn<'_>, server: ServerId) -> bool {
        let Some(mut context) = self.contexts.remove(&server) else { return false };
        context.cancelled = true;
        cancel_pending(turn, &context, None);
        self.settle(turn, server, context);
        true
    }

    /// The flow of a pending request's sender is gone. Unless it repeats its request over another or
    /// [`Layer::set_server_hop`] moves it, it is given up after a while.
    ///
    /// Returns who the sender is.
    pub fn caller_lost(&mut self, turn: &mut Turn<'_>, server: ServerId) -> Option<RouteTarget> {
        let mut context = self.contexts.remove(&server)?;
        let sender = context.sender.clone();
        if !context.answered {
            let flow = turn.layer.server_hop(server).map(|hop| hop.flow);
            context.lost = flow.map(|flow| (turn.now + LOST_CALLER, flow));
        }
        self.settle(turn, server, context);
        Some(sender)
    }

    /// What the layer tells of the branches.
    pub fn handle_event(&mut self, turn: &mut Turn<'_>, event: Event) {
        let client = match &event {
            Event::Response { client, .. }
            | Event::TimedOut { client }
            | Event::TransportFailed { client }
            | Event::ClientTerminated { client } => *client,
            // A server transaction's end is no news: the context lives as long as its branches.
            _ => return,
        };
        let Some(server) = self.clients.get(&client).copied() else { return };
        let Some(mut context) = self.contexts.remove(&server) else { return };
        match event {
            Event::Response { response, .. } => self.receive(turn, server, &mut context, client, response),
            Event::TimedOut { .. } => end(&mut context, client, Final::Local(408)),
            Event::TransportFailed { .. } => {
                self.counters.unreachable += 1;
                end(&mut context, client, Final::Local(480));
            }
            _ => {
                self.clients.remove(&client);
                // The layer has told before how it ended.
                end(&mut context, client, Final::Local(408));
                if let Some(branch) = context.branch_of(client) {
                    branch.client = None;
                }
            }
        }
        self.settle(turn, server, context);
    }

    fn receive(
        &mut self,
        turn: &mut Turn<'_>,
        server: ServerId,
        context: &mut Context,
        client: ClientId,
        response: Response,
    ) {
        let (invite, answered) = (context.is_invite(), context.answered);
        let Some(branch) = context.branch_of(client) else { return };
        match response.status() {
            // §16.7 step 4: a 100 is never forwarded.
            100 => {}
            101..=199 => {
                // §16.7 step 2: ringing restarts Timer C.
                if let State::Pending { timer_c: Some(timer_c) } = &mut branch.state {
                    *timer_c = turn.now + TIMER_C;
                }
                if !answered && let Some(bytes) = forward::response(&response) {
                    self.respond(turn, server, response.status(), bytes);
                }
            }
            // Step 5: at once, and to INVITE every one of them.
            200..=299 => match forward::response(&response) {
                Some(bytes) => {
                    branch.state =
                        if invite { State::Accepted } else { State::Ended(Final::Far(response.clone())) };
                    if invite || !answered {
                        context.answered = true;
                        self.respond(turn, server, response.status(), bytes);
                        // Step 10.
                        cancel_pending(turn, context, Some(ANSWERED_ELSEWHERE));
                    }
                }
                // It lost the caller's Via on its way.
                None => end(context, client, Final::Local(502)),
            },
            300.. => {
                let global = response.status() >= 600;
                end(context, client, Final::Far(response));
                // Step 5: a 6xx waits for the others, which are cancelled.
                if global {
                    cancel_pending(turn, context, None);
                }
            }
            _ => {}
        }
    }

    fn respond(&mut self, turn: &mut Turn<'_>, server: ServerId, status: u16, bytes: Bytes) {
        self.counters.responses_forwarded += 1;
        turn.layer.respond(turn.now, server, status, bytes);
    }

    /// Answers if it is time, and puts the context back unless it is over.
    fn settle(&mut self, turn: &mut Turn<'_>, server: ServerId, mut context: Context) {
        self.conclude(turn, server, &mut context);
        let next = if context.is_over() { None } else { context.next() };
        if next != context.deadline {
            if let Some(old) = context.deadline {
                self.deadlines.remove(&(old, server));
            }
            if let Some(new) = next {
                self.deadlines.insert((new, server));
            }
            context.deadline = next;
        }
        if context.is_over() {
            for client in context.branches.iter().filter_map(|branch| branch.client) {
                self.clients.remove(&client);
            }
        } else {
            self.contexts.insert(server, context);
        }
    }

    /// §16.7 steps 6 to 9.
    fn conclude(&mut self, turn: &mut Turn<'_>, server: ServerId, context: &mut Context) {
        let Some(best) = context.conclusion() else { return };
        let far = match best {
            // Step 6: a 503 is one element's trouble, not the domain's.
            Final::Far(response) if response.status() == 503 => Err(500),
            Final::Far(response) if matches!(response.status(), 401 | 407) => {
                let others = context.finals().filter_map(|other| match other {
                    Final::Far(other) if matches!(other.status(), 401 | 407) => Some(other),
                    _ => None,
                });
                let others = others.filter(|other| !core::ptr::eq(*other, response));
                forward::challenge(response, others).map(|b| (response.status(), b)).ok_or(502)
            }
            Final::Far(response) => forward::response(response).map(|b| (response.status(), b)).ok_or(502),
            Final::Local(408) if context.cancelled => Err(487),
            Final::Local(status) => Err(*status),
        };
        context.answered = true;
        match far {
            Ok((status, bytes)) => self.respond(turn, server, status, bytes),
            Err(status) => {
                let tag = entropy::token(turn.entropy, 80);
                let mut writer =
                    Writer::response(&context.request, status, reason_phrase(status), Some(&tag));
                if let Some(name) = &self.settings.server {
                    writer = writer.header(HeaderName::Server, name);
                }
                turn.layer.respond(turn.now, server, status, writer.finish());
            }
        }
    }

    /// Lets Timer C and lost callers' patience fire.
    pub fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        while let Some((at, server)) = self.deadlines.first().copied().filter(|(at, _)| *at <= turn.now) {
            self.deadlines.remove(&(at, server));
            let Some(mut context) = self.contexts.remove(&server) else { continue };
            context.deadline = None;
            if let Some((_, flow)) = context.lost.take_if(|(at, _)| *at <= turn.now) {
                // It may have come back meanwhile, with the same branch over another flow.
                if turn.layer.server_hop(server).is_none_or(|hop| hop.flow == flow) {
                    context.cancelled = true;
                    cancel_pending(turn, &context, None);
                }
            }
            // §16.8: "the proxy MUST generate a CANCEL", and the layer ends what is not answered after that.
            for branch in &mut context.branches {
                if let State::Pending { timer_c } = &mut branch.state
                    && timer_c.take_if(|at| *at <= turn.now).is_some()
                    && let Some(client) = branch.client
                {
                    turn.layer.cancel(turn.now, client);
                }
            }
            self.settle(turn, server, context);
        }
    }

    /// When [`Proxy::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// What was counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How many requests are on their way.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }
}

/// RFC 3326 §2: a phone that stops ringing because another answered shall not tell of a missed call.
const ANSWERED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// §16.7 step 10: only INVITE can be cancelled.
fn cancel_pending(turn: &mut Turn<'_>, context: &Context, reason: Option<&str>) {
    if context.is_invite() {
        for client in context.pending() {
            match reason {
                Some(reason) => turn.layer.cancel_because(turn.now, client, reason),
                None => turn.layer.cancel(turn.now, client),
            };
        }
    }
}

/// Ends a branch, unless it has ended or was accepted.
fn end(context: &mut Context, client: ClientId, how: Final) {
    if let Some(branch) = context.branch_of(client).filter(|branch| branch.is_pending()) {
        branch.state = State::Ended(how);
    }
}
