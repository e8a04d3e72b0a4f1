//! Where everything meets: messages in, the shard they belong to, and what it wants done.
//!
//! The task that read a message does all of it: it picks the shard by the message's Call-ID, feeds the core under the
//! shard's lock, and then sends, answers questions and feeds answers until nothing is left to do.

mod answers;
mod guard;

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sip_core::auth::Patience;
use sip_core::entropy::token;
use sip_core::message::scan_call_id;
use sip_core::server::{
    Answer, Counters, Health, Input, Keep, KeptCall, Output, QuestionId, Server, Watcher,
};
use sip_core::time::Instant;
use sip_core::transport::framing::StreamError;
use sip_core::transport::{FlowId, Hop};
use siphasher::sip::SipHasher13;
use smol_str::SmolStr;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::budget::Budgets;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::datagrams::Datagrams;
use crate::dialer::Dialer;
use crate::entropy::{OsEntropy, random};
use crate::flows::{Flow, Flows, MAX_SHARDS};
use crate::location::{Location, Told};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::places::Places;
use crate::resolver::Resolver;
use crate::shard::Shard;
use crate::targets::Targets;
use guard::Guard;
pub use guard::Guarded;

/// Shards: many more than there are threads, so that two rarely want the same.
pub const SHARDS: usize = 32;
const _: () = assert!(SHARDS <= MAX_SHARDS);

/// Requests that wait for a connection to be opened, half of them from one address. Past it: there is no way, and the request fails.
const CONNECTING: usize = 4_096;

/// Bits of randomness in the Call-ID of a request of our own.
const CALL_ID_BITS: usize = 120;

/// The shortest time between two looks at the shards' timers: what is due within it fires together, and the thread sleeps
/// on. The shortest timer of all is T1, fifty times as long.
const TICK: std::time::Duration = std::time::Duration::from_millis(10);

/// How often ended bindings are swept out.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(30);

/// All that connections, sockets and timers share.
#[derive(Debug)]
pub struct Exchange {
    /// Open connections and bound sockets.
    pub flows: Flows,
    /// Who is registered where.
    pub location: Arc<Location>,
    /// Who may register.
    pub accounts: Arc<Accounts>,
    /// What the gateway counts itself.
    pub metrics: Metrics,
    /// Caps.
    pub limits: Limits,
    /// What connections share.
    pub budgets: Budgets,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Which servers of other domains failed lately.
    pub targets: Targets,
    /// For lines about connections that were refused, or that the gateway closed.
    pub connection_lines: LogLimit,
    refusal_lines: LogLimit,
    guard: Guard,
    dialer: Dialer,
    resolver: Resolver,
    /// Requests that wait for a connection to be opened.
    connecting: Arc<Places>,
    shards: Vec<Shard>,
    /// Unknown outside: nobody can aim all their Call-IDs at one shard.
    hash_key: (u64, u64),
    /// What the timer task sleeps until, microseconds.
    alarm: AtomicU64,
    alarm_changed: Notify,
    /// The gateway stops.
    stop: CancellationToken,
}

/// How others are found and reached.
#[derive(Debug)]
pub struct Network {
    /// Opens connections.
    pub dialer: Dialer,
    /// Asks DNS.
    pub resolver: Resolver,
}

/// Inputs still to be fed, each to its shard.
type Work = VecDeque<(usize, Input)>;

/// Room that one turn leaves to the next of its thread.
#[derive(Debug, Default)]
struct Room {
    work: Work,
    outputs: Vec<Output>,
}

/// The most inputs or outputs that room is kept for.
const KEPT: usize = 64;

thread_local! {
    static ROOM: Cell<Room> = const { Cell::new(Room { work: Work::new(), outputs: Vec::new() }) };
}

impl Exchange {
    /// An exchange with nobody connected. `config` is what each shard's core is told.
    pub fn new(
        config: &sip_core::server::Config,
        accounts: Arc<Accounts>,
        location: Arc<Location>,
        metrics: Metrics,
        limits: Limits,
        timeouts: Timeouts,
        network: Network,
    ) -> Self {
        let mut key = [0; 16];
        random(&mut key);
        let key = u128::from_le_bytes(key);
        let shard = |_| Shard::new(Server::new(config.clone(), Box::new(OsEntropy::new())));
        Self {
            flows: Flows::new(clock::now(), metrics.clone()),
            location,
            accounts,
            metrics,
            budgets: Budgets::new(limits.memory),
            limits,
            timeouts,
            targets: Targets::default(),
            connection_lines: LogLimit::default(),
            refusal_lines: LogLimit::default(),
            guard: Guard::new(Patience::default(), clock::now()),
            dialer: network.dialer,
            resolver: network.resolver,
            connecting: Places::new(CONNECTING),
            shards: (0..SHARDS).map(shard).collect(),
            hash_key: (key as u64, (key >> 64) as u64),
            alarm: AtomicU64::new(u64::MAX),
            alarm_changed: Notify::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The same with another patience for those who guess passwords.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { guard: Guard::new(patience, clock::now()), ..self }
    }

    /// The same, that knows when the gateway stops.
    #[must_use]
    pub fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// A message came in over `flow`.
    pub fn receive(self: &Arc<Self>, flow: &Flow, from: Hop, message: Bytes) {
        let mut datagrams = Datagrams::default();
        self.receive_with(flow, from, message, &mut datagrams);
        datagrams.flush(&self.metrics);
    }

    /// The same; what goes out over UDP waits in `datagrams`.
    pub fn receive_with(self: &Arc<Self>, flow: &Flow, from: Hop, message: Bytes, datagrams: &mut Datagrams) {
        // What comes as the gateway stops is for the next process: who sent it says it again there, and nothing is forgotten for it here.
        if self.stop.is_cancelled() {
            return;
        }
        self.metrics.received(from.transport);
        log("received", &from, &message);
        let now = clock::now();
        flow.touch(now);
        let shard = self.shard_of(&message);
        flow.used_by(shard);
        let (identity, guests, certified) = (flow.identity(), flow.guests(), flow.certified());
        let input = Input::Received { from, identity, guests, certified, message };
        self.turn_with(now, shard, input, datagrams);
    }

    /// What came over `flow` ceased to be messages: whoever sent it is told, if that is possible.
    pub fn broken(self: &Arc<Self>, flow: &Flow, from: Hop, error: StreamError) {
        self.refusal_lines
            .write(|| tracing::info!(remote = %from.remote, fault = %error.fault, "stream refused"));
        let shard = self.shard_of(error.head.as_deref().unwrap_or_default());
        flow.used_by(shard);
        self.turn(shard, Input::Broken { from, error });
    }

    /// A call that was being set up when an earlier process ended.
    pub fn take_up(self: &Arc<Self>, call: KeptCall) {
        let shard = self.shard_by(call.call_id().as_bytes());
        self.turn(shard, Input::TakeUp(call.into()));
    }

    /// A flow ended: the shards that used it are told, unless it is this gateway that ends. Calls that are being set up go on in the next
    /// process, and are not to be given up for want of what was closed here.
    pub fn flow_closed(self: &Arc<Self>, flow: &Flow) {
        for shard in self.flows.close(flow).filter(|_| !self.stop.is_cancelled()) {
            self.turn(shard, Input::FlowClosed(flow.id()));
        }
    }

    /// Answers a question that could not be answered at once.
    pub fn answer_later(self: &Arc<Self>, shard: usize, question: QuestionId, answer: Answer) {
        if !self.stop.is_cancelled() {
            self.turn(shard, Input::Answer(question, answer));
        }
    }

    /// What all shards have counted, and what they hold now: transactions, requests on their way, questions.
    pub fn counters(&self) -> (Counters, (usize, usize, usize)) {
        self.shards.iter().map(Shard::counters).fold(
            Default::default(),
            |(mut sum, load), (counters, more)| {
                sum.add(&counters);
                (sum, (load.0 + more.0, load.1 + more.1, load.2 + more.2))
            },
        )
    }

    /// Subscriptions to registrations now.
    pub fn subscriptions(&self) -> usize {
        self.shards.iter().map(Shard::subscriptions).sum()
    }

    /// What is kept of passwords that were tried.
    pub fn guarded(&self) -> Guarded {
        self.guard.load()
    }

    /// Asks a peer of the configuration whether it is there.
    pub fn probe(self: &Arc<Self>, peer: SmolStr) {
        // Always in the same shard, which asks nothing while it still waits for an answer: that there was none to an earlier question
        // would be told after the answer to a later one. What is answered finds the shard by the Call-ID.
        let (shard, mut entropy) = (self.shard_by(peer.as_bytes()), OsEntropy::new());
        let call_id = loop {
            let call_id: SmolStr = token(&mut entropy, CALL_ID_BITS).into();
            if self.shard_by(call_id.as_bytes()) == shard {
                break call_id;
            }
        };
        self.turn(shard, Input::Probe { peer, call_id });
    }

    /// These accounts are gone, or have another password: their registrations end, and whoever is there proves anew who it is.
    pub fn accounts_ended(self: &Arc<Self>, ended: &HashSet<SmolStr>) {
        let now = clock::now();
        self.flows.revoke(|username| ended.contains(username), now);
        for username in ended {
            let aor = self.accounts.aor(username);
            let mut told = self.location.revoke(&Watcher::Account(username.clone()));
            let (bindings, more) = self.location.end(&aor, !self.accounts.owns(&aor), now, &self.flows);
            told.extend(more);
            for Told { shard, id } in told {
                self.turn(shard, Input::Changed(id));
            }
            if bindings > 0 {
                tracing::info!(%username, bindings, "registrations ended: the account is gone or has another password");
            }
        }
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Fires the shards' timers, and sweeps, until `stop`.
    pub async fn run_timers(self: Arc<Self>, stop: CancellationToken) {
        let mut sweep = clock::now() + SWEEP;
        loop {
            let now = clock::now();
            for (index, shard) in self.shards.iter().enumerate() {
                if shard.deadline().is_some_and(|deadline| deadline <= now) {
                    self.turn(index, Input::Timeout);
                }
            }
            if sweep <= now {
                for Told { shard, id } in self.location.sweep(now, &self.flows) {
                    self.turn(shard, Input::Changed(id));
                }
                self.targets.sweep(now);
                sweep = now + SWEEP;
            }
            let deadlines = || self.shards.iter().filter_map(Shard::deadline);
            let wanted = deadlines().min().map_or(sweep, |deadline| deadline.min(sweep));
            let next = wanted.max(now + TICK);
            // No deadline could be earlier than the next tick.
            let alarm = if wanted < next { 0 } else { next.as_micros() };
            self.alarm.store(alarm, Ordering::SeqCst);
            // A deadline that was set between the look and the store has not seen this alarm: look again.
            if deadlines().any(|deadline| deadline.as_micros() < alarm) {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(clock::monotonic(next)) => {}
                () = self.alarm_changed.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// None or two Call-IDs: shard 0 says what is wrong with the message.
    fn shard_of(&self, message: &[u8]) -> usize {
        scan_call_id(message).map_or(0, |call_id| self.shard_by(call_id))
    }

    fn shard_by(&self, call_id: &[u8]) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        hasher.write(call_id);
        // The remainder is below SHARDS.
        (hasher.finish() % SHARDS as u64) as usize
    }

    /// Feeds one input and does all that follows from it at once.
    fn turn(self: &Arc<Self>, shard: usize, input: Input) {
        let mut datagrams = Datagrams::default();
        self.turn_with(clock::now(), shard, input, &mut datagrams);
        datagrams.flush(&self.metrics);
    }

    fn turn_with(self: &Arc<Self>, now: Instant, shard: usize, input: Input, datagrams: &mut Datagrams) {
        let Room { mut work, mut outputs } = ROOM.take();
        work.push_back((shard, input));
        // One bit for each.
        let mut fed = 0u64;
        let mut gone: Vec<(usize, FlowId)> = Vec::new();
        while let Some((shard, input)) = work.pop_front() {
            self.shards[shard].feed(now, input, &mut outputs, |call| self.keep(call));
            fed |= 1 << shard;
            for output in outputs.drain(..) {
                match output {
                    Output::Transmit { to, message } => {
                        log("sent", &to, &message);
                        // Once a turn: what the core sends on learning of it must not go round for ever.
                        if self.flows.send(shard, &to, message, now, datagrams).is_err()
                            && !gone.contains(&(shard, to.flow))
                            && !self.stop.is_cancelled()
                        {
                            gone.push((shard, to.flow));
                            work.push_back((shard, Input::FlowClosed(to.flow)));
                        }
                    }
                    Output::Refused { peer, trace, status, reason, method, call_id } => {
                        let (transport, remote) = (peer.transport.via_token(), peer.remote);
                        self.refusal_lines.write(|| {
                            tracing::info!(%trace, status, %method, transport, %remote, %call_id, "refused: {reason}");
                        });
                    }
                    Output::Guessed { username, source } => self.guard.wrong(&username, source, now),
                    Output::Alias { flow, remote } => self.flows.alias(flow, remote),
                    Output::Authenticated { flow, identity } => self.flows.identify(flow, identity),
                    Output::Granted(granted) => self.flows.grant(&granted, now),
                    Output::Unwatch { id, aor } => self.location.unwatch(&aor, Told { shard, id }),
                    Output::Known { flow, username } => self.flows.know(flow, username),
                    Output::Reached { registration, path, hop } => {
                        let woken = self.location.reached(&registration, &path, hop, now, &self.flows);
                        self.wake(woken, &mut work);
                    }
                    Output::Target { transport, remote, health } => {
                        if let Health::Failed(_) = health {
                            tracing::info!(%remote, transport = transport.via_token(), "target failed");
                        }
                        self.targets.note(transport, remote, health, now);
                    }
                    // Kept as it came.
                    Output::Keep(_) => {}
                    Output::Probed { peer, alive } => self.metrics.peer(&peer, alive),
                    Output::Ask(id, question) => self.ask(shard, id, question, now, &mut work),
                }
            }
        }
        // At the end, for a question that was answered at once is due no more.
        while fed != 0 {
            self.set_alarm(fed.trailing_zeros() as usize);
            fed &= fed - 1;
        }
        if work.capacity().max(outputs.capacity()) <= KEPT {
            ROOM.set(Room { work, outputs });
        }
    }

    fn keep(&self, call: Keep) {
        if self.location.changes().is_some_and(|changes| !changes.keep(call)) {
            self.metrics.calls_not_written.inc();
        }
    }

    fn set_alarm(&self, shard: usize) {
        if let Some(deadline) = self.shards[shard].deadline()
            && deadline.as_micros() < self.alarm.load(Ordering::SeqCst)
        {
            self.alarm_changed.notify_one();
        }
    }
}

/// The start line at level `debug`, the whole message at `trace`.
fn log(what: &str, peer: &Hop, message: &[u8]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let (transport, remote) = (peer.transport.via_token(), peer.remote);
    let text = String::from_utf8_lossy(message);
    let call_id = scan_call_id(message).map(String::from_utf8_lossy).unwrap_or_default();
    tracing::debug!(transport, %remote, %call_id, "{what}: {}", text.lines().next().unwrap_or_default());
    tracing::trace!(transport, %remote, "{what} in full:\n{text}");
}

#[cfg(test)]
mod tests;
