//! Registrar, proxy and the server's own user agent behind one handle.
//!
//! The walk of a request: `receive` parses it, stamps its Via and gives it to the transaction layer; `dispatch`
//! validates it and reads its Routes; then it is either within a dialog (`dialog`: its sender is checked, its way is
//! found or awaited) or outside (`authenticate`, then `registration`, `lookup`, or `own`). What must be known from
//! outside is asked, and `questions` keeps what waits. What is for another domain goes through `outward`, by the peers
//! and routes of `peers` or by DNS; a registration whose way is gone is reached along its Path by `edge`; who registers elsewhere through
//! us is `guests`'; `probe` asks peers whether they are there. Subscriptions to registrations are `notifier`'s.

mod addresses;
mod authenticate;
mod boundary;
mod cancel;
mod config;
mod counters;
mod dialog;
mod dispatch;
mod edge;
mod forwarding;
mod guests;
mod kept;
mod lookup;
mod notifier;
mod outward;
mod own;
mod peers;
mod preloaded;
mod probe;
mod questions;
mod receive;
mod registration;
mod reply;
mod rule;
mod stateless;
mod stray;
mod stream;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use crate::proxy::{Forward, Forwards, Granted, Keep, KeptCall, Occasion};
pub use boundary::{
    Answer, Health, Hold, Identity, Input, Output, Question, QuestionId, Source, Wait, Watch, WatchError,
    WatchId, Watched, Watcher,
};
pub use config::{Callers, Config, ForwardRule, Limits, Mode, Outward, Preloaded, Routing, WatchedUsers};
pub use counters::Counters;
pub use guests::Guests;
pub use peers::{NumberPattern, Peer, Share, StaticRoute};
pub use rule::Rule;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::auth::Challenger;
use crate::entropy::BoxedEntropy;
use crate::limits;
use crate::proxy::{Domain, Proxy, Settings, Turn};
use crate::registrar::{Clock, Gruus};
use crate::time::Instant;
use crate::transaction::{self, Event, Layer, Ongoing};
use crate::transport::{Hop, RegistrationKey, RouteTokens, Seals, Transport};
use forwarding::Forwarding;
use probe::Probes;
use questions::{Pending, Questions};
use receive::Known;
use subscriptions::Subscriptions;

/// A registrar and proxy for one domain.
///
/// After any input, drain [`Server::poll_output`] until it is `None`, then sleep until [`Server::poll_timeout`].
/// Several instances serve one domain together when each sees all messages of the Call-IDs it sees any of.
#[expect(missing_debug_implementations, reason = "the entropy has none")]
pub struct Server {
    config: Config,
    domain: Domain,
    challenger: Challenger,
    tokens: RouteTokens,
    gruus: Gruus,
    clock: Clock,
    entropy: BoxedEntropy,
    layer: Layer,
    /// What the layer told while something else was being done.
    events: VecDeque<Event>,
    proxy: Proxy,
    questions: Questions,
    ongoing: Ongoing,
    probes: Probes,
    subscriptions: Subscriptions,
    forwarding: Forwarding,
    /// Registrations that are being reached along their Paths.
    edges: BTreeSet<RegistrationKey>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Server {
    /// A server with nothing to do.
    pub fn new(config: Config, mut entropy: BoxedEntropy) -> Self {
        let settings = Settings {
            agent: config.domain.clone(),
            forks: config.limits.forks,
            breadth: config.limits.breadth,
            ring: config.routing.ring,
            recurse: config.routing.recurse,
            history: config.routing.history,
            session_timer: config.routing.session_timer,
            alias: config.alias,
            keeps_calls: config.keeps_calls,
            server: config.server.clone(),
            ..Settings::new(config.realm.clone())
        };
        let domain = Domain::new(config.domain.clone(), config.aliases.clone());
        let layer = Layer::new(config.timers, &mut *entropy).capped(config.limits.transactions);
        Self {
            forwarding: Forwarding::new(&config.forwarding, &domain),
            tokens: RouteTokens::new(
                config.route_key,
                &config.previous_route_keys,
                config.nonce_key,
                &config.domain,
            ),
            domain,
            challenger: Challenger::new(&config.realm, config.nonce_key),
            gruus: Gruus::new(
                config.domain.clone(),
                Seals::new(config.route_key, &config.previous_route_keys),
            ),
            clock: Clock::default(),
            ongoing: layer.ongoing(),
            layer,
            entropy,
            events: VecDeque::new(),
            proxy: Proxy::new(settings),
            questions: Questions::default(),
            probes: Probes::default(),
            subscriptions: Subscriptions::default(),
            edges: BTreeSet::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// Tells what happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { from, identity, guests, certified, message } => {
                self.receive(now, from, Known { identity, guests, certified }, message);
            }
            Input::Broken { from, error } => self.broken(from, &error),
            Input::FlowClosed(flow) => self.layer.flow_closed(now, flow),
            Input::Answer(id, answer) => self.answer(now, id, answer),
            Input::Probe { peer, call_id } => self.probe(now, peer, call_id),
            Input::Changed(id) => self.watched_changed(now, id),
            Input::TakeUp(call) => self.take_up(now, *call),
            Input::Timeout => self.handle_timeout(now),
        }
        loop {
            self.collect();
            self.go_on(now);
            if let Some(event) = self.events.pop_front() {
                self.handle_event(now, event);
            } else if let Some(wanted) = self.proxy.poll_wanted() {
                self.want(now, wanted);
            } else {
                return;
            }
        }
    }

    /// What to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to tell [`Input::Timeout`]; `None`: not until there is other input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let subscriptions = self.subscriptions.next_deadline();
        [self.layer.poll_timeout(), self.proxy.poll_timeout(), self.questions.next(), subscriptions]
            .into_iter()
            .flatten()
            .min()
    }

    /// What was counted.
    pub const fn counters(&self) -> Counters {
        let proxy = self.proxy.counters();
        let mut counters = self.counters;
        counters.forwarded += proxy.forwarded;
        counters.responses_forwarded += proxy.responses_forwarded;
        counters.forks_over_cap += proxy.forks_over_cap;
        counters.branches_unreachable += proxy.unreachable;
        counters.failovers += proxy.failovers;
        counters.repeated += proxy.repeated;
        counters.calls_not_kept += proxy.not_kept;
        counters.diverted += proxy.diverted;
        counters.diversions_over_cap += proxy.diversions_over_cap;
        counters.outputs_dropped += self.layer.counters().dropped_outputs;
        counters
    }

    /// Transactions, requests on their way, and questions at this moment.
    pub fn load(&self) -> (usize, usize, usize) {
        (self.layer.len(), self.proxy.len(), self.questions.len())
    }

    /// Timers of transactions at this moment: two each at most.
    pub fn timers(&self) -> usize {
        self.layer.timers()
    }

    /// Subscriptions to registrations at this moment.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        let (proxy, mut turn) = self.turn(now);
        proxy.handle_timeout(&mut turn);
        while let Some(pending) = self.questions.expired(now) {
            self.counters.questions_timed_out += 1;
            self.give_up(now, *pending);
        }
        self.subscriptions_due(now);
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::ServerTransportFailed { server } => self.caller_lost(now, server),
            Event::ServerTerminated { server } => self.ongoing.forget(server),
            other if self.probes.concerns(&other) => self.probed(&other),
            other if self.subscriptions.concerns(&other) => self.notified(now, &other),
            other => {
                let (proxy, mut turn) = self.turn(now);
                proxy.handle_event(&mut turn, other);
                self.tell_granted();
            }
        }
    }

    /// The proxy and what it works with.
    fn turn(&mut self, now: Instant) -> (&mut Proxy, Turn<'_>) {
        let Self { layer, entropy, tokens, proxy, .. } = self;
        (proxy, Turn { now, layer, entropy: &mut **entropy, tokens })
    }

    /// Asks, unless too much is being asked: then what would have waited comes back.
    fn ask(&mut self, deadline: Instant, question: Question, pending: Pending) -> Result<(), Box<Pending>> {
        let pending = Box::new(pending);
        if self.questions.is_full(self.config.limits.questions) {
            self.counters.questions_full += 1;
            return Err(pending);
        }
        if self.questions.has_no_room(pending.bytes(), self.config.limits.waiting_bytes) {
            self.counters.waiting_full += 1;
            return Err(pending);
        }
        self.counters.questions += 1;
        let id = self.questions.insert(deadline, pending);
        self.emit(Output::Ask(id, question));
        Ok(())
    }

    /// The deadline of a question that is answered at once or by a database.
    fn soon(&self, now: Instant) -> Instant {
        now + self.config.limits.answer
    }

    fn transmit(&mut self, to: Hop, message: Bytes) {
        self.emit(Output::Transmit { to, message });
    }

    /// Queues an output behind all that the layer wants sent already.
    fn emit(&mut self, output: Output) {
        self.collect();
        self.queue(output);
    }

    fn collect(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                transaction::Output::Transmit { to, message } => self.queue(Output::Transmit { to, message }),
                transaction::Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    fn queue(&mut self, output: Output) {
        if self.outputs.len() >= self.config.limits.outputs {
            self.counters.outputs_dropped += 1;
            return;
        }
        if let Output::Transmit { to: Hop { transport: Transport::Udp, .. }, message } = &output
            && message.len() > limits::DATAGRAM_COMFORT
        {
            self.counters.datagrams_over_comfort += 1;
        }
        self.outputs.push_back(output);
    }
}
