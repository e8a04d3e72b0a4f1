//! The scenarios, and what each costs a server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use crate::cpu;
use crate::load::phone::Phone;
use crate::load::sipp::{self, Sipp};
use crate::load::{Outcome, websocket};
use crate::server::{Certificate, KINDS, Kind, Server, free_port, register};

/// How much is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Turns of each server.
    pub rounds: usize,
    /// Seconds of load in each scenario.
    pub seconds: u64,
    /// WebSockets held at once for the memory.
    pub held: usize,
    /// Which scenarios.
    pub groups: Vec<Group>,
    /// A part of the names of the operations.
    pub only: String,
    /// Which servers.
    pub servers: Vec<Kind>,
    /// Our program.
    pub gateway: PathBuf,
}

impl Plan {
    fn asks(&self, (_, name): (usize, &str)) -> bool {
        name.contains(&self.only)
    }
}

/// Scenarios that share a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// What SIPp sends over UDP.
    Udp,
    /// What phones do over WebSocket.
    Websocket,
    /// Memory.
    Held,
    /// How many operations a second SIPp gets done over UDP with nothing repeated.
    Most,
}

/// What one scenario cost one server in one round.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// CPU microseconds an operation, or bytes a connection.
    pub cost: f64,
    /// Operations offered a second.
    pub rate: u64,
    /// Operations that were done a second.
    pub achieved: f64,
    /// What came of it.
    pub outcome: Outcome,
    /// The share of all processors that was busy, whatever with.
    pub busy: f64,
}

impl Figure {
    /// Everything was done at once, and about as fast as it was offered. SIPp itself takes some time to start and to end.
    fn kept_up(&self) -> bool {
        self.outcome.failed == 0 && self.outcome.repeated == 0 && self.achieved > 0.9 * self.rate as f64
    }
}

/// A scenario's figures: by scenario, then server.
pub type Figures = BTreeMap<(usize, &'static str), BTreeMap<Kind, Vec<Figure>>>;

/// Names of the scenarios, in the order of the table.
pub const REGISTER: (usize, &str) = (0, "REGISTER over UDP, 2,000/s");
pub const REGISTER_FAST: (usize, &str) = (1, "REGISTER over UDP, 10,000/s");
pub const MESSAGE: (usize, &str) = (2, "MESSAGE relayed over UDP, 1,500/s");
pub const MESSAGE_FAST: (usize, &str) = (3, "MESSAGE relayed over UDP, 5,000/s");
pub const CALL_SLOW: (usize, &str) = (4, "call over UDP, 300/s");
pub const CALL: (usize, &str) = (5, "call over UDP, 1,000/s");
pub const CALL_FAST: (usize, &str) = (6, "call over UDP, 1,500/s");
pub const WS_CONNECT: (usize, &str) = (7, "WebSocket opened");
pub const WS_REGISTER: (usize, &str) = (8, "REGISTER over WebSocket");
pub const WS_CALL: (usize, &str) = (9, "call between WebSockets");
pub const WS_UDP: (usize, &str) = (10, "call from WebSocket to UDP");
/// Bytes a connection.
pub const HELD_WS: (usize, &str) = (11, "registered WebSocket held");
pub const HELD_WSS: (usize, &str) = (12, "the same with TLS");
/// The highest rate that is kept up with.
pub const MOST_REGISTER: (usize, &str) = (13, "REGISTER");
pub const MOST_MESSAGE: (usize, &str) = (14, "MESSAGE relayed");
pub const MOST_CALL: (usize, &str) = (15, "call");

/// All of SIPp's own repetitions and their end: 64 T1.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs everything, the servers in turn.
pub fn all(plan: &Plan) -> Result<Figures> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
    let certificate = Certificate { chain: made.cert.pem(), key: made.signing_key.serialize_pem() };
    let tls = Arc::new(connector(&certificate)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = Figures::new();
    for round in 0..plan.rounds {
        for kind in KINDS.into_iter().filter(|kind| plan.servers.contains(kind)) {
            eprintln!("round {}, {kind:?}", round + 1);
            let asked = |group| plan.groups.contains(&group);
            let mut bench = Bench { plan, kind, runtime: &runtime, figures: &mut figures };
            if asked(Group::Udp) {
                bench.datagrams(&certificate)?;
            }
            if asked(Group::Websocket) {
                bench.websockets(&certificate)?;
            }
            if asked(Group::Most) {
                bench.most(&certificate)?;
            }
            if asked(Group::Held) {
                bench.held(&certificate, HELD_WS, None)?;
            }
            // TLS is no part of the floor.
            if asked(Group::Held) && kind != Kind::Floor {
                bench.held(&certificate, HELD_WSS, Some(Arc::clone(&tls)))?;
            }
        }
    }
    Ok(figures)
}

struct Bench<'a> {
    plan: &'a Plan,
    kind: Kind,
    runtime: &'a Runtime,
    figures: &'a mut Figures,
}

impl Bench<'_> {
    fn datagrams(&mut self, certificate: &Certificate) -> Result<()> {
        let callee = free_port()?;
        let server = Server::start(self.kind, &self.plan.gateway, callee, certificate)?;
        let at = server.udp;
        let plan = self.plan;
        let mut run = |scenario, name, rate: u64| {
            if !plan.asks(scenario) {
                return Ok(());
            }
            let seconds = plan.seconds;
            // What happens for the first time costs more, and is not what is asked.
            sipp::run(name, free_port()?.port(), at, rate, rate / 2, PATIENCE)?
                .context("SIPp does not end")?;
            self.measure(scenario, &server, rate, || {
                sipp::run(name, free_port()?.port(), at, rate, rate * seconds, PATIENCE)?
                    .context("SIPp does not end")
            })
        };
        run(REGISTER, "register", 2_000)?;
        run(REGISTER_FAST, "register", 10_000)?;
        register("callee", callee, at)?;
        {
            let _answering = Sipp::answering("message_uas", callee.port(), at)?;
            run(MESSAGE, "message", 1_500)?;
            run(MESSAGE_FAST, "message", 5_000)?;
        }
        let _answering = Sipp::answering("uas", callee.port(), at)?;
        run(CALL_SLOW, "uac", 300)?;
        run(CALL, "uac", 1_000)?;
        run(CALL_FAST, "uac", 1_500)
    }

    /// Climbs until SIPp repeats something, does not do what it should, or something fails. The floor's rate is SIPp's own.
    fn most(&mut self, certificate: &Certificate) -> Result<()> {
        let callee = free_port()?;
        let server = Server::start(self.kind, &self.plan.gateway, callee, certificate)?;
        self.climb(MOST_REGISTER, &server, "register", 4_000)?;
        register("callee", callee, server.udp)?;
        {
            let _answering = Sipp::answering("message_uas", callee.port(), server.udp)?;
            self.climb(MOST_MESSAGE, &server, "message", 1_500)?;
        }
        let _answering = Sipp::answering("uas", callee.port(), server.udp)?;
        self.climb(MOST_CALL, &server, "uac", 400)
    }

    fn climb(
        &mut self,
        scenario: (usize, &'static str),
        server: &Server,
        name: &'static str,
        from: u64,
    ) -> Result<()> {
        if !self.plan.asks(scenario) {
            return Ok(());
        }
        let mut rate = from;
        let mut best = None;
        // One for all, or each time the users have one contact more.
        let port = free_port()?.port();
        // A neighbour's moment is not the server's limit: a rate is lost when it is lost three times.
        while let Some(figure) = (0..3).find_map(|_| match self.rung(scenario, server, name, port, rate) {
            Ok(figure) if figure.kept_up() => Some(Ok(figure)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }) {
            best = Some(figure?);
            rate = rate * 5 / 4;
        }
        let Some(figure) = best else {
            eprintln!("  {}: not even {from}/s", scenario.1);
            return Ok(());
        };
        self.note(scenario, figure);
        Ok(())
    }

    fn rung(
        &self,
        scenario: (usize, &'static str),
        server: &Server,
        name: &'static str,
        port: u16,
        rate: u64,
    ) -> Result<Figure> {
        let (at, count) = (server.udp, rate * self.plan.seconds);
        let figure = figure(scenario, server, rate, || {
            sipp::run(name, port, at, rate, count, Duration::from_secs(2)).map(Option::unwrap_or_default)
        })?;
        if !figure.kept_up() {
            eprintln!("  {} at {rate}/s: {:.0}/s, {:?}", scenario.1, figure.achieved, figure.outcome);
        }
        Ok(figure)
    }

    fn websockets(&mut self, certificate: &Certificate) -> Result<()> {
        let callee = free_port()?;
        let server = Server::start(self.kind, &self.plan.gateway, callee, certificate)?;
        register("callee", callee, server.udp)?;
        let _answering = Sipp::answering("uas", callee.port(), server.udp)?;
        let (runtime, at) = (self.runtime, server.ws);
        let rate = 1_000;
        let count = (rate * self.plan.seconds) as usize;
        let mut phones = runtime.block_on(websocket::connect(0..200, rate, at, None)).0;
        let keep = |(connected, outcome): websocket::Phones, phones: &mut Vec<_>| {
            phones.extend(connected);
            Ok(outcome)
        };
        self.measure(WS_CONNECT, &server, rate, || {
            keep(runtime.block_on(websocket::connect(200..200 + count, rate, at, None)), &mut phones)
        })?;
        let mut registered = Vec::new();
        self.measure(WS_REGISTER, &server, rate, || {
            keep(runtime.block_on(websocket::register(phones, rate)), &mut registered)
        })?;
        if !self.plan.asks(WS_UDP) && !self.plan.asks(WS_CALL) {
            return Ok(());
        }
        let rate = 300;
        let count = ((rate * self.plan.seconds) as usize).min(registered.len());
        let mut callers = registered.split_off(registered.len() - count);
        let mut called = Vec::new();
        self.measure(WS_UDP, &server, rate, || {
            keep(runtime.block_on(websocket::call_callee(std::mem::take(&mut callers), rate)), &mut called)
        })?;
        registered.extend(called);
        self.measure(WS_CALL, &server, rate, || {
            registered.sort_by_key(Phone::number);
            registered.truncate(2 * count);
            Ok(runtime.block_on(websocket::call_each_other(registered, rate)))
        })
    }

    fn held(
        &mut self,
        certificate: &Certificate,
        scenario: (usize, &'static str),
        tls: Option<Arc<TlsConnector>>,
    ) -> Result<()> {
        let callee = free_port()?;
        let server = Server::start(self.kind, &self.plan.gateway, callee, certificate)?;
        let at = if tls.is_some() { server.wss.context("no TLS")? } else { server.ws };
        let before = settled(&server)?;
        let started = Instant::now();
        let rate = if tls.is_some() { 800 } else { 2_000 };
        let (phones, outcome) = self.runtime.block_on(async {
            let (phones, _) = websocket::connect(0..self.plan.held, rate, at, tls).await;
            websocket::register(phones, 2 * rate).await
        });
        let took = started.elapsed().as_secs_f64();
        let after = match settled(&server) {
            Ok(after) => after,
            Err(error) => {
                // A server that does not live through it has a blank.
                eprintln!("  {}, {}: {error:#}\n{}", scenario.1, phones.len(), server.log());
                return Ok(());
            }
        };
        let cost = (after - before) / phones.len().max(1) as f64;
        let figure = Figure { cost, rate, achieved: outcome.done as f64 / took, outcome, busy: f64::NAN };
        self.note(scenario, figure);
        Ok(())
    }

    fn measure(
        &mut self,
        scenario: (usize, &'static str),
        server: &Server,
        rate: u64,
        run: impl FnOnce() -> Result<Outcome>,
    ) -> Result<()> {
        let figure = figure(scenario, server, rate, run)?;
        self.note(scenario, figure);
        Ok(())
    }

    fn note(&mut self, scenario: (usize, &'static str), figure: Figure) {
        eprintln!("  {}: {:.1}, {:?}", scenario.1, figure.cost, figure.outcome);
        self.figures.entry(scenario).or_default().entry(self.kind).or_default().push(figure);
    }
}

/// What `run` costs a server.
fn figure(
    scenario: (usize, &'static str),
    server: &Server,
    rate: u64,
    run: impl FnOnce() -> Result<Outcome>,
) -> Result<Figure> {
    let processes = server.processes();
    let (busy_before, all_before) = cpu::machine()?;
    let (started, before) = (Instant::now(), cpu::microseconds(&processes)?);
    let outcome = run().with_context(|| format!("{:?}, {}", server.kind, scenario.1))?;
    let spent = cpu::microseconds(&processes)? - before;
    let took = started.elapsed().as_secs_f64();
    let (busy_after, all_after) = cpu::machine()?;
    Ok(Figure {
        cost: spent / outcome.done.max(1) as f64,
        rate,
        achieved: outcome.done as f64 / took,
        outcome,
        busy: (busy_after - busy_before) / (all_after - all_before).max(1.0),
    })
}

/// What all processes of a server have, once none is started any more and none takes or gives back memory: Kamailio's
/// workers are still at it when the first of them answers.
fn settled(server: &Server) -> Result<f64> {
    let now = || -> Result<_> {
        let processes = server.processes();
        Ok((processes.len(), cpu::memory(&processes)?))
    };
    let mut last = now()?;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_secs(1));
        let next = now()?;
        if next.0 == last.0 && (next.1 - last.1).abs() < 64.0 * 1024.0 {
            return Ok(next.1);
        }
        last = next;
    }
    Ok(last.1)
}

/// Trusts this one certificate.
fn connector(certificate: &Certificate) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.chain.as_bytes())?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
