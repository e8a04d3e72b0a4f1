//! SIP over TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::transport::Transport;
use smol_str::SmolStr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Admission, Permit, accept};
use crate::connection::{Line, serve_stream};
use crate::exchange::Exchange;

/// Accepts connections until `stop`. `advertised` is our address as peers see it.
pub async fn serve(
    listener: TcpListener,
    advertised: SocketAddr,
    exchange: Arc<Exchange>,
    admission: Arc<Admission>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let (stream, remote) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.cancelled() => return,
        };
        let Some(permit) = admit(&admission, &exchange, remote, Transport::Tcp) else { continue };
        let (exchange, stop) = (Arc::clone(&exchange), stop.clone());
        tasks.spawn(async move {
            let line =
                Line { transport: Transport::Tcp, local: advertised, remote, domain: SmolStr::default() };
            serve_stream(exchange, stream, line, stop, |_| {}).await;
            drop(permit);
        });
    }
}

/// A place for a new connection, if there is one. There is nothing to say in SIP before a request has come.
pub(super) fn admit(
    admission: &Arc<Admission>,
    exchange: &Exchange,
    remote: SocketAddr,
    transport: Transport,
) -> Option<Permit> {
    admission
        .admit(remote.ip())
        .map_err(|refusal| {
            exchange.metrics.refused(refusal);
            let transport = transport.via_token();
            tracing::warn!(%remote, transport, "connection refused: {}", refusal.sentence());
        })
        .ok()
}
