//! Where everything meets: messages in, the shard they belong to, and what it wants done.
//!
//! The task that read a message does all of it: it picks the shard by the message's Call-ID, feeds the core under the
//! shard's lock, and then sends, answers questions and feeds answers until nothing is left to do.

use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sip_core::message::scan_call_id;
use sip_core::server::{Answer, Counters, Input, Output, Question, QuestionId, Server};
use sip_core::time::Instant;
use sip_core::transport::target::Records;
use sip_core::transport::{FlowId, Hop, RouteTarget, Transport};
use siphasher::sip::SipHasher13;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::dialer::Dialer;
use crate::entropy::{OsEntropy, random};
use crate::flows::{Flow, Flows, MAX_SHARDS};
use crate::location::{Location, Reach, Waiter};
use crate::metrics::Metrics;
use crate::shard::Shard;

/// Shards: many more than there are threads, so that two rarely want the same.
pub const SHARDS: usize = 32;
const _: () = assert!(SHARDS <= MAX_SHARDS);

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
    pub accounts: Accounts,
    /// What the gateway counts itself.
    pub metrics: Metrics,
    /// Caps.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    dialer: Dialer,
    shards: Vec<Shard>,
    /// Unknown outside: nobody can aim all their Call-IDs at one shard.
    hash_key: (u64, u64),
    /// What the timer task sleeps until, microseconds.
    alarm: AtomicU64,
    alarm_changed: Notify,
}

/// Inputs still to be fed, each to its shard.
type Work = VecDeque<(usize, Input)>;

impl Exchange {
    /// An exchange with nobody connected. `config` is what each shard's core is told.
    pub fn new(
        config: &sip_core::server::Config,
        accounts: Accounts,
        location: Arc<Location>,
        metrics: Metrics,
        limits: Limits,
        timeouts: Timeouts,
        dialer: Dialer,
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
            limits,
            timeouts,
            dialer,
            shards: (0..SHARDS).map(shard).collect(),
            hash_key: (key as u64, (key >> 64) as u64),
            alarm: AtomicU64::new(u64::MAX),
            alarm_changed: Notify::new(),
        }
    }

    /// A message came in over `flow`.
    pub fn receive(self: &Arc<Self>, flow: &Flow, from: Hop, message: Bytes) {
        self.metrics.received(from.transport);
        log("received", &from, &message);
        flow.touch(clock::now());
        let shard = self.shard_of(&message);
        flow.used_by(shard);
        let identity = flow.identity();
        self.turn(shard, Input::Received { from, identity, message });
    }

    /// A flow ended: the shards that used it are told.
    pub fn flow_closed(self: &Arc<Self>, flow: &Flow) {
        for shard in self.flows.close(flow) {
            self.turn(shard, Input::FlowClosed(flow.id()));
        }
    }

    /// Answers a question that could not be answered at once.
    pub fn answer_later(self: &Arc<Self>, shard: usize, question: QuestionId, answer: Answer) {
        self.turn(shard, Input::Answer(question, answer));
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
                self.location.sweep(now, &self.flows);
                sweep = now + SWEEP;
            }
            let deadlines = || self.shards.iter().filter_map(Shard::deadline);
            let next = deadlines().min().map_or(sweep, |deadline| deadline.min(sweep));
            self.alarm.store(next.as_micros(), Ordering::SeqCst);
            // A deadline that was set between the look and the store has not seen this alarm: look again.
            if deadlines().any(|deadline| deadline < next) {
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
        let Some(call_id) = scan_call_id(message) else { return 0 };
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        hasher.write(call_id);
        // The remainder is below SHARDS.
        (hasher.finish() % SHARDS as u64) as usize
    }

    /// Feeds one input and does all that follows from it.
    fn turn(self: &Arc<Self>, shard: usize, input: Input) {
        let mut work = Work::from([(shard, input)]);
        let mut outputs = Vec::new();
        let mut gone: Vec<(usize, FlowId)> = Vec::new();
        while let Some((shard, input)) = work.pop_front() {
            let now = clock::now();
            self.shards[shard].feed(now, input, &mut outputs);
            self.set_alarm(shard);
            for output in outputs.drain(..) {
                match output {
                    Output::Transmit { to, message } => {
                        log("sent", &to, &message);
                        // Once a turn: what the core sends on learning of it must not go round for ever.
                        if self.flows.send(shard, &to, message, now).is_err()
                            && !gone.contains(&(shard, to.flow))
                        {
                            gone.push((shard, to.flow));
                            work.push_back((shard, Input::FlowClosed(to.flow)));
                        }
                    }
                    Output::Authenticated { flow, identity } => self.flows.identify(flow, identity),
                    Output::Target { .. } | Output::Probed { .. } => {}
                    Output::Ask(id, question) => self.ask(shard, id, question, now, &mut work),
                }
            }
        }
    }

    fn ask(
        self: &Arc<Self>,
        shard: usize,
        id: QuestionId,
        question: Question,
        now: Instant,
        work: &mut Work,
    ) {
        let mut woken = Vec::new();
        let answer = match question {
            Question::Credentials { username } => Answer::Credentials(self.accounts.secrets(&username)),
            Question::Lookup { aor } => Answer::Bindings(
                self.accounts.owns(&aor).then(|| self.location.lookup(&aor, now, &self.flows)),
            ),
            Question::Update(update) if !self.accounts.owns(&update.aor) => {
                Answer::Updated(Err(sip_core::registrar::UpdateError::UnknownAor))
            }
            Question::Update(update) => {
                let (result, back) = self.location.update(&update, now, &self.flows);
                woken = back;
                Answer::Updated(result)
            }
            Question::Reach(target) => match self.reach(shard, id, target, now) {
                Some(answer) => answer,
                None => return,
            },
            Question::Resolve(queries) => Answer::Resolved(queries.iter().map(|_| Records::Failed).collect()),
            Question::Connect(_) => Answer::Connected(None),
        };
        work.push_back((shard, Input::Answer(id, answer)));
        // After the answer, so that the 200 to the REGISTER goes out before what was held for it.
        for woken in woken {
            self.metrics.woken.inc();
            let answer = Answer::Reachable(Some(woken.hop));
            work.push_back((woken.waiter.shard, Input::Answer(woken.waiter.question, answer)));
        }
    }

    /// `None`: the answer comes later.
    fn reach(
        self: &Arc<Self>,
        shard: usize,
        question: QuestionId,
        target: RouteTarget,
        now: Instant,
    ) -> Option<Answer> {
        let hop = match target {
            RouteTarget::Registration(key) => {
                match self.location.reach(&key, Waiter { shard, question }, now, &self.flows) {
                    Reach::Now(hop) => Some(hop),
                    Reach::Later => return None,
                    Reach::Never => None,
                }
            }
            RouteTarget::Flow(flow) => self.flows.hop(flow),
            RouteTarget::Address { transport: Transport::Udp, local, remote } => {
                self.flows.udp_to(local, remote)
            }
            RouteTarget::Address { transport: Transport::Tcp, remote, .. } => match self.flows.tcp_to(remote)
            {
                Some(hop) => Some(hop),
                None if self.dialer.dial(self, remote, shard, question) => return None,
                None => None,
            },
            // Nobody can be reached at an address over these: browsers do not listen, and there is no TLS yet.
            RouteTarget::Address { transport: Transport::Tls | Transport::Ws | Transport::Wss, .. }
            | RouteTarget::Peer { .. } => None,
        };
        Some(Answer::Reachable(hop))
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
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use prometheus_client::registry::Registry;
    use sip_core::server::Config;
    use tokio::net::TcpListener;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::data::DataDirectory;
    use crate::listener::Admission;

    fn exchange(directory: &tempfile::TempDir) -> Arc<Exchange> {
        let data = DataDirectory::open(directory.path()).unwrap();
        let accounts = Accounts::open(&data, "localhost").unwrap();
        let (limits, timeouts) = (Limits::default(), Timeouts::default());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let dialer = Dialer::new(Vec::new(), Admission::new(&limits), tasks, stop);
        let metrics = Metrics::register(&mut Registry::default());
        let config = Config::new("localhost", [1; 32], [2; 32]);
        let location = Arc::new(Location::new(sip_core::registrar::Caps::default(), None));
        Arc::new(Exchange::new(&config, accounts, location, metrics, limits, timeouts, dialer))
    }

    fn reach(exchange: &Arc<Exchange>, remote: SocketAddr) -> Option<Answer> {
        let target = RouteTarget::Address { transport: Transport::Tcp, local: remote, remote };
        exchange.reach(0, QuestionId(1), target, clock::now())
    }

    async fn eventually(mut happened: impl FnMut() -> bool) {
        let waiting = async {
            while !happened() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it happens");
    }

    #[tokio::test]
    async fn a_phone_without_a_connection_is_dialled_once() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = exchange(&directory);
        let phone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = phone.local_addr().unwrap();
        assert!(reach(&exchange, remote).is_none(), "answered later");
        assert!(reach(&exchange, remote).is_none(), "by the same connection");
        let (stream, _) = phone.accept().await.unwrap();
        eventually(|| exchange.flows.tcp_to(remote).is_some()).await;
        assert_eq!(exchange.metrics.dials.get(), 1);
        let Some(Answer::Reachable(Some(hop))) = reach(&exchange, remote) else { panic!("no way") };
        assert_eq!((hop.transport, hop.remote), (Transport::Tcp, remote));
        assert!(exchange.flows.send(0, &hop, Bytes::from_static(b"x"), clock::now()).is_ok());
        drop(stream);
        eventually(|| exchange.flows.tcp_to(remote).is_none()).await;
        assert!(exchange.flows.send(0, &hop, Bytes::from_static(b"x"), clock::now()).is_err());
    }

    #[tokio::test]
    async fn a_phone_that_is_not_there_cannot_be_reached() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = exchange(&directory);
        let phone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = phone.local_addr().unwrap();
        drop(phone);
        assert!(reach(&exchange, remote).is_none(), "answered later");
        eventually(|| exchange.metrics.failed_dials.get() == 1).await;
        assert!(exchange.flows.tcp_to(remote).is_none());
    }
}
