//! SIP over TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::transport::Transport;
use smol_str::SmolStr;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Admission, Permit, accept};
use crate::config::Port;
use crate::connection::{Line, serve_stream};
use crate::exchange::Exchange;
use crate::metrics::Refusal;

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
        let (mut stream, remote) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.cancelled() => return,
        };
        let Some(permit) = admit(&admission, &exchange, remote, Port::Tcp) else { continue };
        let (exchange, stop) = (Arc::clone(&exchange), stop.clone());
        tasks.spawn(async move {
            let Some(remote) = client(&permit, &exchange, &mut stream, remote, Port::Tcp).await else {
                return;
            };
            let line = Line {
                transport: Transport::Tcp,
                local: advertised,
                remote,
                domain: SmolStr::default(),
                certified: None,
            };
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
    port: Port,
) -> Option<Permit> {
    admission.arrived(port, remote).map_err(|refusal| refused(exchange, remote, port, refusal)).ok()
}

/// Whose connection it is that came from `remote`, if that is known and they have a place.
pub(super) async fn client(
    permit: &Permit,
    exchange: &Exchange,
    stream: &mut TcpStream,
    remote: SocketAddr,
    port: Port,
) -> Option<SocketAddr> {
    let client = permit.client(port, stream, remote, exchange.timeouts.handshake).await;
    client.map_err(|refusal| refused(exchange, remote, port, refusal)).ok()
}

fn refused(exchange: &Exchange, remote: SocketAddr, port: Port, refusal: Refusal) {
    exchange.metrics.refused(refusal);
    exchange
        .connection_lines
        .write(|| tracing::warn!(%remote, ?port, "connection refused: {}", refusal.sentence()));
}
