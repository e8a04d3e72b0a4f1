//! Opens connections: to phones that have none, and to servers of other domains.
//!
//! A connection that exists is used again (RFC 5923): over TCP by its peer's address, over TLS by that and the domain its
//! certificate was verified for, so that what is for one domain never goes over a connection that was verified for another.

mod race;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use sip_core::server::{Health, Source};
use sip_core::transport::target::Way;
use sip_core::transport::{Hop, Transport};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::connection::{Line, serve_stream};
use crate::exchange::Exchange;
use crate::flows::Flow;
use crate::listener::{Admission, keep_alive};
use crate::places::{Place, Places};
use crate::tls::{Connector, Secured};

/// Connections being opened at a time, half of them for one address and for one account. Past it: there is no way to the peer, and the
/// request fails.
const DIALS: usize = 64;

/// Opens connections, one at a time to any one peer.
#[derive(Debug)]
pub struct Dialer {
    locals: Locals,
    /// `None`: nobody is reached over TLS.
    connector: Option<Arc<Connector>>,
    /// Who waits for each: whoever asks is one of a bounded number.
    pending: Mutex<HashMap<Key, Vec<oneshot::Sender<Option<Hop>>>>>,
    dials: Arc<Places>,
    admission: Arc<Admission>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Our listeners as peers see them: where a peer finds us when the connection we opened is gone.
#[derive(Debug, Default)]
pub struct Locals {
    /// For TCP.
    pub tcp: Vec<SocketAddr>,
    /// For TLS.
    pub tls: Vec<SocketAddr>,
}

/// What makes two wishes for a connection one: transport, addresses and, where it matters, the domain.
type Key = (Transport, Vec<SocketAddr>, smol_str::SmolStr);

/// What was opened.
enum Opened {
    Plain(TcpStream),
    Tls(Box<Secured>),
}

impl Dialer {
    /// A dialer whose connections are counted by `admission` and served as `tasks` until `stop`.
    pub fn new(
        locals: Locals,
        connector: Option<Arc<Connector>>,
        admission: Arc<Admission>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (pending, dials) = (Mutex::default(), Places::new(DIALS));
        Self { locals, connector, pending, dials, admission, tasks, stop }
    }

    /// What waits for others, as a task of the gateway.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Opens a connection for a request of `source`. `None`: it cannot be had, or too many are being opened.
    pub async fn open(&self, exchange: &Arc<Exchange>, way: &Way, source: Option<&Source>) -> Option<Hop> {
        if !matches!(way.transport, Transport::Tcp | Transport::Tls) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut pending = self.pending.lock();
            let waiters = match pending.get_mut(&key(way)) {
                Some(waiters) => waiters,
                None => {
                    let place = self.dials.take(source)?;
                    self.tasks.spawn(connect(Arc::clone(exchange), way.clone(), place));
                    pending.entry(key(way)).or_default()
                }
            };
            waiters.push(sender);
        }
        receiver.await.ok().flatten()
    }

    fn answer(&self, way: &Way, hop: Option<Hop>) {
        for waiter in self.pending.lock().remove(&key(way)).unwrap_or_default() {
            // Whoever waited may have given up.
            let _ = waiter.send(hop);
        }
    }

    /// Our address as the peer of a connection sees it.
    fn local(&self, transport: Transport, bound: SocketAddr) -> SocketAddr {
        let listeners = if transport == Transport::Tls { &self.locals.tls } else { &self.locals.tcp };
        let family = |listener: &&SocketAddr| listener.is_ipv4() == bound.is_ipv4();
        let exact = listeners.iter().find(|listener| listener.ip() == bound.ip());
        exact.or_else(|| listeners.iter().find(family)).copied().unwrap_or(bound)
    }

    async fn reach(&self, exchange: &Exchange, way: &Way) -> io::Result<(Opened, SocketAddr, SocketAddr)> {
        let stream = race::connect(&way.addresses).await?;
        keep_alive(&stream)?;
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        if way.transport == Transport::Tcp {
            return Ok((Opened::Plain(stream), local, remote));
        }
        let Some(connector) = &self.connector else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no authority is trusted for TLS"));
        };
        match connector.connect(&way.domain, stream).await {
            Ok(stream) => Ok((Opened::Tls(stream.into()), local, remote)),
            Err(error) => {
                exchange.metrics.refused_servers.inc();
                Err(error)
            }
        }
    }
}

fn key(way: &Way) -> Key {
    (way.transport, way.addresses.clone(), verified(way))
}

/// The domain a connection is verified for.
fn verified(way: &Way) -> smol_str::SmolStr {
    if way.transport == Transport::Tls { way.domain.clone() } else { Default::default() }
}

async fn connect(exchange: Arc<Exchange>, way: Way, place: Place) {
    let dialer = exchange.dialer();
    let transport = way.transport;
    // All of them are one host, so that any of its addresses stands for it.
    let permit = match dialer.admission.admit(way.addresses[0].ip()) {
        Ok(permit) => permit,
        Err(refusal) => {
            exchange.metrics.refused(refusal);
            tracing::warn!(addresses = ?way.addresses, "not connected: {}", refusal.sentence());
            return dialer.answer(&way, None);
        }
    };
    let reached = timeout(exchange.timeouts.dial, dialer.reach(&exchange, &way)).await;
    drop(place);
    let (stream, bound, remote) = match reached.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(reached) => reached,
        Err(error) => {
            exchange.metrics.failed_dials.inc();
            let (addresses, domain) = (&way.addresses, &way.domain);
            tracing::info!(?addresses, transport = transport.via_token(), %domain, %error, "not connected");
            for address in &way.addresses {
                exchange.targets.note(transport, *address, Health::Failed(None), clock::now());
            }
            return dialer.answer(&way, None);
        }
    };
    exchange.metrics.dials.inc();
    let domain = verified(&way);
    // Whoever we reached there is who comes back over it (RFC 5923 §8.1).
    let certified = (!domain.is_empty()).then(|| Arc::from([domain.clone()]));
    let line = Line { transport, local: dialer.local(transport, bound), remote, domain, certified };
    let opened = |flow: &Flow| dialer.answer(&way, flow.hop());
    let stop = dialer.stop.clone();
    match stream {
        Opened::Plain(stream) => serve_stream(Arc::clone(&exchange), stream, line, stop, opened).await,
        Opened::Tls(stream) => serve_stream(Arc::clone(&exchange), *stream, line, stop, opened).await,
    }
    drop(permit);
}
