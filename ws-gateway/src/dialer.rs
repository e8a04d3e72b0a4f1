//! Opens TCP connections to phones.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use sip_core::server::{Answer, QuestionId};
use sip_core::transport::{Hop, Transport};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::serve_stream;
use crate::exchange::Exchange;
use crate::listener::{Admission, keep_alive};

/// Connections being opened at a time. Past it: there is no way to the peer, and the request fails.
const DIALS: usize = 64;

/// Questions that wait for one connection. Past it: as above.
const WAITERS: usize = 1_000;

/// Opens connections, one at a time to any one peer.
#[derive(Debug)]
pub struct Dialer {
    /// Our TCP listeners as peers see them: where a peer finds us when the connection we opened is gone.
    locals: Vec<SocketAddr>,
    pending: Mutex<HashMap<SocketAddr, Vec<(usize, QuestionId)>>>,
    admission: Arc<Admission>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Dialer {
    /// A dialer whose connections are counted by `admission` and served as `tasks` until `stop`.
    pub fn new(
        locals: Vec<SocketAddr>,
        admission: Arc<Admission>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { locals, pending: Mutex::default(), admission, tasks, stop }
    }

    /// Opens a connection to `remote` and then answers the question. `false`: too many are being opened.
    pub fn dial(
        &self,
        exchange: &Arc<Exchange>,
        remote: SocketAddr,
        shard: usize,
        question: QuestionId,
    ) -> bool {
        let mut pending = self.pending.lock();
        if let Some(waiters) = pending.get_mut(&remote) {
            let room = waiters.len() < WAITERS;
            if room {
                waiters.push((shard, question));
            }
            return room;
        }
        if pending.len() >= DIALS {
            return false;
        }
        pending.insert(remote, vec![(shard, question)]);
        self.tasks.spawn(connect(Arc::clone(exchange), remote));
        true
    }

    fn answer(&self, exchange: &Arc<Exchange>, remote: SocketAddr, hop: Option<Hop>) {
        let waiters = self.pending.lock().remove(&remote).unwrap_or_default();
        for (shard, question) in waiters {
            exchange.answer_later(shard, question, Answer::Reachable(hop));
        }
    }
}

async fn connect(exchange: Arc<Exchange>, remote: SocketAddr) {
    let dialer = exchange.dialer();
    let permit = match dialer.admission.admit(remote.ip()) {
        Ok(permit) => permit,
        Err(refusal) => {
            exchange.metrics.refused(refusal);
            tracing::warn!(%remote, "not connected: {}", refusal.sentence());
            dialer.answer(&exchange, remote, None);
            return;
        }
    };
    let opened = async {
        let stream = timeout(exchange.timeouts.dial, TcpStream::connect(remote))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        keep_alive(&stream)?;
        let local = stream.local_addr()?;
        Ok::<_, io::Error>((stream, local))
    };
    let (stream, local) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            exchange.metrics.failed_dials.inc();
            tracing::info!(%remote, %error, "not connected");
            dialer.answer(&exchange, remote, None);
            return;
        }
    };
    exchange.metrics.dials.inc();
    let local = dialer.locals.iter().copied().find(|l| l.is_ipv4() == local.is_ipv4()).unwrap_or(local);
    let opened = |flow: &crate::flows::Flow| dialer.answer(&exchange, remote, flow.hop());
    serve_stream(Arc::clone(&exchange), stream, Transport::Tcp, local, remote, dialer.stop.clone(), opened)
        .await;
    drop(permit);
}
