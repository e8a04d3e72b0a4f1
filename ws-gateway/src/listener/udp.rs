//! SIP over UDP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip_core::limits::MESSAGE_BYTES;
use sip_core::transport::framing::{self, Frame, PONG};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;
use crate::flows::Flow;

/// How long reading pauses after an error, lest a lasting one spins.
const PAUSE: Duration = Duration::from_millis(10);

/// Receives datagrams of `flow`, which is `socket`'s, until `stop`.
pub async fn serve(
    socket: Arc<UdpSocket>,
    flow: Arc<Flow>,
    exchange: Arc<Exchange>,
    stop: CancellationToken,
) {
    // No datagram is longer: none is ever cut.
    let mut buffer = vec![0; MESSAGE_BYTES];
    loop {
        let (length, remote) = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "datagram not received");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        match framing::datagram(Bytes::copy_from_slice(&buffer[..length])) {
            Some(Frame::Message(message)) => exchange.receive(&flow, flow.hop_to(remote), message),
            Some(Frame::Ping) => {
                exchange.metrics.keep_alives.inc();
                // Lost like any other datagram if there is no room for it.
                let _ = socket.try_send_to(PONG, remote);
            }
            Some(Frame::Pong) => {}
            None => {
                exchange.metrics.noise.inc();
            }
        }
    }
    exchange.flow_closed(&flow);
}
