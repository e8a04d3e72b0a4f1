//! The table of response contexts, driven by what the transaction layer tells.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::again::Absence;
use super::answered::Answered;
use super::best::Final;
use super::context::{Context, LOST_CALLER, State, TIMER_C};
use super::edge::{EdgeRole, Granted};
use super::failover::{Failure, Retry};
use super::forward::{self, Trust};
use super::identity::Asserted;
use super::kept::Keep;
use super::refusal::{Ended, ending, trace, warning};
use super::shapes::{Counters, Lost, Settings, Turn, Wanted};
use crate::entropy;
use crate::message::typed::Contact;
use crate::message::{HeaderName, Response, Uri, Writer, is_sips, reason_phrase};
use crate::time::Instant;
use crate::transaction::{ById, ClientId, Event, ServerId};
use crate::transport::RouteTarget;

/// All requests on their way through a proxy.
#[derive(Debug)]
pub struct Proxy {
    pub(super) settings: Settings,
    pub(super) contexts: ById<ServerId, Box<Context>>,
    /// What is left of calls that are answered.
    pub(super) answered: ById<ServerId, Box<Answered>>,
    pub(super) clients: ById<ClientId, Leg>,
    deadlines: BTreeSet<(Instant, ServerId)>,
    pub(super) wanted: VecDeque<Wanted>,
    /// Requests whose target failed while there are others.
    pub(super) retries: VecDeque<Retry>,
    /// Receivers that are to be waited for.
    pub(super) absences: VecDeque<Absence>,
    /// Requests that came to nothing, to be told.
    ended: VecDeque<Ended>,
    /// Answers whose receivers' connection was lost before.
    homeless: VecDeque<Lost>,
    /// Calls to be written down, or forgotten.
    pub(super) keeps: VecDeque<Keep>,
    /// Targets that failed, to be told.
    pub(super) failures: VecDeque<Failure>,
    /// What registrars behind us have granted, to be told.
    pub(super) granted: VecDeque<Granted>,
    pub(super) counters: Counters,
}

/// What a client transaction is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    /// The request that it is a copy of.
    pub(super) server: ServerId,
    /// It went to somebody of our trust domain.
    pub(super) trusted: bool,
}

impl Proxy {
    /// A proxy with nothing on its way.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            contexts: ById::new(),
            answered: ById::new(),
            clients: ById::new(),
            deadlines: BTreeSet::new(),
            wanted: VecDeque::new(),
            retries: VecDeque::new(),
            absences: VecDeque::new(),
            ended: VecDeque::new(),
            homeless: VecDeque::new(),
            keeps: VecDeque::new(),
            failures: VecDeque::new(),
            granted: VecDeque::new(),
            counters: Counters {
                forwarded: 0,
                responses_forwarded: 0,
                forks_over_cap: 0,
                unreachable: 0,
                failovers: 0,
                repeated: 0,
                not_kept: 0,
                diverted: 0,
                diversions_over_cap: 0,
            },
        }
    }

    /// Cancels a request's branches because its sender sent CANCEL (§16.10). `reason` is what its Reason says, which goes
    /// on (RFC 3326 §2). `false`: it is not on its way here.
    pub fn cancel(&mut self, turn: &mut Turn<'_>, server: ServerId, reason: Option<&str>) -> bool {
        let Some(mut context) = self.contexts.remove(&server) else {
            // §9.2: it has no effect on what is answered.
            return self.answered.get(&server).is_some();
        };
        context.cancelled = true;
        cancel_pending(turn, &context, reason);
        self.settle(turn, server, context);
        true
    }

    /// Who sent a request that is on its way.
    pub fn sender(&self, server: ServerId) -> Option<&RouteTarget> {
        let open = self.contexts.get(&server).map(|context| &context.inbound.sender);
        open.or_else(|| self.answered.get(&server).map(|answered| &answered.sender))
    }

    /// Whose identity a request asserts that is on its way.
    pub fn asserted(&self, server: ServerId) -> Option<&Asserted> {
        let open = self.contexts.get(&server).map(|context| &context.inbound.asserted);
        open.or_else(|| self.answered.get(&server).map(|answered| &answered.asserted))
    }

    /// The flow of a pending request's sender is gone. Unless it repeats its request over another or
    /// [`Layer::set_server_hop`](crate::transaction::Layer::set_server_hop) moves it, it is given up after a while.
    ///
    /// `None`: it is not on its way here.
    pub fn caller_lost(&mut self, turn: &mut Turn<'_>, server: ServerId) -> Option<Lost> {
        let Some(mut context) = self.contexts.remove(&server) else {
            return self.answered.get(&server).map(|answered| answered.lost(server));
        };
        let lost = context.inbound.lost();
        if !context.answered {
            let flow = turn.layer.server_hop(server).map(|hop| hop.flow);
            context.lost = flow.map(|flow| (turn.now + LOST_CALLER, flow));
        }
        self.settle(turn, server, context);
        Some(lost)
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
        let Some(leg) = self.clients.get(&client).copied() else { return };
        let server = leg.server;
        let Some(mut context) = self.contexts.remove(&server) else {
            return self.handle_accepted(turn, client, leg, &event);
        };
        match event {
            Event::Response { response, .. } => self.receive(turn, leg, &mut context, client, response),
            Event::TimedOut { .. } => {
                self.fail(server, &mut context, client, Final::Local(408));
                // RFC 4320 §4.2: its sender's own timer has fired as well, and nobody waits for another answer.
                if !context.is_invite() {
                    context.waiting.clear();
                }
            }
            Event::TransportFailed { .. } => {
                if !self.part(server, &mut context, client) {
                    self.counters.unreachable += 1;
                    self.fail(server, &mut context, client, Final::Local(480));
                }
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
        Leg { server, trusted }: Leg,
        context: &mut Context,
        client: ClientId,
        response: Response,
    ) {
        let (invite, answered, session) = (context.is_invite(), context.answered, context.session);
        let to = context.inbound.asserted == Asserted::Theirs;
        if matches!(response.status(), 200..=299) {
            self.note_granted(turn, &context.inbound, &response);
        }
        let Some(branch) = context.branch_of(client) else { return };
        (branch.patience, branch.heard) = (None, true);
        // Only who is called here may send its caller on at our cost: other domains tell theirs.
        let (here, given_up) = (branch.detours.is_none(), branch.given_up);
        let trust = Trust { from: trusted, to };
        match response.status() {
            // §16.7 step 4: a 100 is never forwarded.
            100 => {}
            101..=199 => {
                branch.rang = true;
                // §16.7 step 2: ringing restarts Timer C.
                if let State::Pending { timer_c: Some(timer_c) } = &mut branch.state {
                    *timer_c = turn.now + TIMER_C;
                }
                if !answered && let Some(bytes) = forward::response(&response, trust, None) {
                    self.respond(turn, server, response.status(), bytes);
                }
            }
            // Step 5: at once, and to INVITE every one of them.
            200..=299 => match forward::response(&response, trust, session) {
                Some(bytes) => {
                    branch.again = None;
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
            300..=399 if here && self.follow(server, context, &response) => replace(context, client),
            // RFC 3263 §4.3.
            503 => self.fail(server, context, client, Final::Far(response)),
            // It was given up by us: it is no answer to the caller.
            487 if given_up && !context.cancelled => end(context, client, Final::Local(480)),
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

    pub(super) fn respond(&mut self, turn: &mut Turn<'_>, server: ServerId, status: u16, bytes: Bytes) {
        self.counters.responses_forwarded += 1;
        turn.layer.respond(turn.now, server, status, bytes);
    }

    /// Whether the contacts of a 3xx are followed here (§16.7 step 4). Only all of them, so that none is lost; each once;
    /// and only where they take the place of the target: 305 and 380 say something else.
    fn follow(&mut self, server: ServerId, context: &mut Context, response: &Response) -> bool {
        let recurses = self.settings.recurse && matches!(response.status(), 300..=302);
        if !recurses || context.is_settled() {
            return false;
        }
        let mut found: Vec<Wanted> = Vec::new();
        for contact in response.headers().typed_all::<Contact<'_>>() {
            let Ok(Contact::Address(contact)) = contact else { return false };
            let uri = contact.address.uri;
            // RFC 5630 §5.3: from `sips` to `sip` or the other way nobody goes but the caller.
            let alike = is_sips(uri) == is_sips(context.inbound.request.uri());
            if !alike || !matches!(contact.address.parsed_uri(), Some(Uri::Sip(_))) {
                return false;
            }
            let known = |other: &SmolStr| *other == uri;
            if !context.followed.iter().any(known) && !found.iter().any(|wanted| known(&wanted.uri)) {
                found.push(Wanted {
                    server,
                    uri: uri.into(),
                    q: contact.q.unwrap_or_default(),
                    diverted: false,
                });
            }
        }
        let tried = context.branches.len() + context.waiting.len() + context.awaited;
        if found.is_empty() || tried + found.len() > self.settings.forks {
            return false;
        }
        context.awaited += found.len();
        context.followed.extend(found.iter().map(|wanted| wanted.uri.clone()));
        self.wanted.extend(found);
        true
    }

    /// The next URI that targets are to be found for.
    pub fn poll_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// Tries what is to be tried, answers if it is time, and puts the context back unless it is over.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>, server: ServerId, mut context: Box<Context>) {
        self.advance(turn, &mut context);
        if context.diverter.is_some() && self.divert_failed(turn, &mut context) {
            self.advance(turn, &mut context);
        }
        self.conclude(turn, server, &mut context);
        self.keep(turn, &mut context);
        let over = context.is_over();
        let next = if over { None } else { context.next() };
        if next != context.deadline {
            if let Some(old) = context.deadline {
                self.deadlines.remove(&(old, server));
            }
            if let Some(new) = next {
                self.deadlines.insert((new, server));
            }
            context.deadline = next;
        }
        if !over {
            self.contexts.insert(server, context);
            return;
        }
        if !context.is_invite() && turn.layer.has_lost_flow(server) {
            self.homeless.push_back(context.inbound.lost());
        }
        self.leave(server, context);
    }

    /// §16.7 steps 6 to 9.
    fn conclude(&mut self, turn: &mut Turn<'_>, server: ServerId, context: &mut Context) {
        let Some(best) = context.conclusion() else { return };
        let far = match best {
            // Step 6: a 503 is one element's trouble, not the domain's.
            Final::Far(response) if response.status() == 503 => Err(500),
            // RFC 5626 §11.5: that one flow failed is between proxies.
            Final::Far(response) if response.status() == 430 && !context.inbound.is_from_proxy() => Err(480),
            Final::Far(response) if matches!(response.status(), 401 | 407) => {
                let others = context.finals().filter_map(|other| match other {
                    Final::Far(other) if matches!(other.status(), 401 | 407) => Some(other),
                    _ => None,
                });
                let others = others.filter(|other| !core::ptr::eq(*other, response));
                forward::challenge(response, others).map(|b| (response.status(), b)).ok_or(502)
            }
            Final::Far(response) => {
                forward::response(response, Trust::default(), None).map(|b| (response.status(), b)).ok_or(502)
            }
            Final::Local(408) if context.cancelled => Err(487),
            // §5.3.1: "If the flow no longer exists, the proxy SHOULD send a 430".
            Final::Local(480) if context.inbound.edge == EdgeRole::AlongPath => Err(430),
            Final::Local(status) => Err(*status),
        };
        context.answered = true;
        match far {
            Ok((status, bytes)) => self.respond(turn, server, status, bytes),
            Err(status) => {
                let tag = entropy::token(turn.entropy, 80);
                let mut writer =
                    Writer::response(&context.inbound.request, status, reason_phrase(status), Some(&tag));
                if let Some(why) = ending(status) {
                    writer =
                        writer.header(HeaderName::Warning, self.explain(turn, context, status, why, &tag));
                }
                if let Some(name) = &self.settings.server {
                    writer = writer.header(HeaderName::Server, name);
                }
                turn.layer.respond(turn.now, server, status, writer.finish());
            }
        }
    }

    /// The Warning of an answer that nobody behind us gave, which the log has too.
    fn explain(&mut self, turn: &Turn<'_>, context: &Context, status: u16, why: &str, tag: &str) -> String {
        let explained = format!("{}: {why}", reason_phrase(status));
        let warning = warning(399, &self.settings.agent, &explained, tag);
        let request = &context.inbound.request;
        self.ended.push_back(Ended {
            peer: turn.layer.server_hop(context.inbound.server).unwrap_or(context.inbound.from),
            trace: trace(tag).into(),
            status,
            reason: explained,
            method: request.method().clone(),
            call_id: request.call_id().into(),
        });
        warning
    }

    /// A request that came to nothing, without an answer of somebody's.
    pub fn poll_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// An answer to another request than INVITE that found no flow (§18.2.2). Of INVITE [`Proxy::caller_lost`] is called in time.
    pub fn poll_homeless(&mut self) -> Option<Lost> {
        self.homeless.pop_front()
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
            // Those that ring make way; what they answer to the CANCEL still counts.
            if context.ring.take_if(|at| *at <= turn.now).is_some() {
                make_way(turn, &mut context);
            }
            if context.no_answer.take_if(|at| *at <= turn.now).is_some() {
                self.divert_unanswered(turn, &mut context);
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
            self.lose_patience(turn, server, &mut context);
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
        self.contexts.len() + self.answered.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty() && self.answered.is_empty()
    }
}

/// RFC 3326 §2: a phone that stops ringing because another answered shall not tell of a missed call.
pub(super) const ANSWERED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

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

/// What rings is cancelled, and what comes next does not wait for its end.
pub(super) fn make_way(turn: &mut Turn<'_>, context: &mut Context) {
    cancel_pending(turn, context, None);
    context.branches.iter_mut().for_each(|branch| branch.given_up = true);
}

/// Ends a branch, unless it has ended or was accepted. A flow that failed makes way for another of the same instance
/// (RFC 5626 §7), which is tried before anything else.
pub(super) fn end(context: &mut Context, client: ClientId, how: Final) {
    let (level, settled) = (context.level, context.is_settled());
    let Some(branch) = context.branch_of(client).filter(|branch| branch.is_pending()) else { return };
    let failed = matches!(how.status(), 408 | 430) || matches!(how, Final::Local(480));
    if failed && !branch.given_up && !settled && !branch.spares.is_empty() {
        let mut next = branch.spares.remove(0);
        next.spares = core::mem::take(&mut branch.spares);
        next.q = level;
        branch.state = State::Replaced;
        context.waiting.push_front(next);
    } else {
        branch.state = State::Ended(how);
    }
}

/// Ends a branch whose targets others are.
fn replace(context: &mut Context, client: ClientId) {
    if let Some(branch) = context.branch_of(client) {
        branch.state = State::Replaced;
    }
}
