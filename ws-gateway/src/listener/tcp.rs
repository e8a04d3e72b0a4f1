//! SIP over TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Admission, accept};
use crate::connection::serve_stream;
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
        let permit = match admission.admit(remote.ip()) {
            Ok(permit) => permit,
            Err(refusal) => {
                // There is nothing to say in SIP before a request has come.
                exchange.metrics.refused(refusal);
                tracing::warn!(%remote, transport = "TCP", "connection refused: {}", refusal.sentence());
                continue;
            }
        };
        let (exchange, stop) = (Arc::clone(&exchange), stop.clone());
        tasks.spawn(async move {
            serve_stream(exchange, stream, advertised, remote, stop, |_| {}).await;
            drop(permit);
        });
    }
}
