//! SIP over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::transport::Transport;
use smol_str::SmolStr;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Admission, accept, tcp};
use crate::config::Port;
use crate::connection::{Line, serve_stream};
use crate::exchange::Exchange;
use crate::metrics::Refusal;
use crate::tls::{self, Reloaded, Secured};

/// Accepts connections until `stop`. `advertised` is our address as peers see it.
pub async fn serve(
    listener: TcpListener,
    acceptor: Arc<Reloaded<TlsAcceptor>>,
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
        let Some(permit) = tcp::admit(&admission, &exchange, remote, Port::Tls) else { continue };
        let (exchange, acceptor, stop) = (Arc::clone(&exchange), acceptor.current(), stop.clone());
        tasks.spawn(async move {
            let client = tcp::client(&permit, &exchange, &mut stream, remote, Port::Tls).await;
            let Some(remote) = client else { return };
            if let Some(stream) = handshake(&exchange, &acceptor, stream, remote).await {
                permit.established();
                let line = Line {
                    transport: Transport::Tls,
                    local: advertised,
                    remote,
                    domain: SmolStr::default(),
                    // Whoever shows one that is not signed as it must be is not here.
                    certified: stream.certificate().map(|certificate| tls::domains(certificate)),
                };
                serve_stream(exchange, stream, line, stop, |_| {}).await;
            }
            drop(permit);
        });
    }
}

/// Takes the handshake of a connection, in the time that one may take.
pub async fn handshake(
    exchange: &Exchange,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    remote: SocketAddr,
) -> Option<Secured> {
    let error = match timeout(exchange.timeouts.handshake, Secured::accept(acceptor, stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".into(),
    };
    exchange.metrics.refused(Refusal::Tls);
    exchange
        .connection_lines
        .write(|| tracing::info!(%remote, error, "connection refused: {}", Refusal::Tls.sentence()));
    None
}
