//! SIP over UDP.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip_core::transport::framing::{self, Frame, PONG};
use sip_core::transport::stun;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use crate::datagrams::Datagrams;
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
    let readable = match reading(&socket) {
        Ok(readable) => readable,
        Err(error) => {
            tracing::error!(%error, local = %flow.local(), "a UDP port cannot be read");
            return exchange.flow_closed(&flow);
        }
    };
    let (mut batch, mut answers) = (Batch::new(), Datagrams::default());
    // Made once: it waits in a list of all that are told.
    let mut stopping = pin!(stop.cancelled());
    loop {
        let read = tokio::select! {
            biased;
            () = stopping.as_mut() => break,
            read = read(&readable, &mut batch) => read,
        };
        if let Err(error) = read {
            tracing::debug!(%error, "datagrams not received");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        for (datagram, remote) in batch.datagrams() {
            take(&socket, &flow, &exchange, datagram, remote, &mut answers);
        }
        answers.flush(&exchange.metrics);
    }
    exchange.flow_closed(&flow);
}

/// Waits for what comes alone: each datagram that a peer has taken makes room again, and who waits for room, too, is woken
/// once more for each that was sent.
fn reading(socket: &Arc<UdpSocket>) -> io::Result<AsyncFd<Arc<UdpSocket>>> {
    // SAFETY: it owns the socket along with others, so that the descriptor stays open and the same as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(Arc::clone(socket), Interest::READABLE)? })
}

/// Waits until some have come and reads them.
async fn read(socket: &AsyncFd<Arc<UdpSocket>>, batch: &mut Batch) -> io::Result<()> {
    loop {
        let read = socket.readable().await?.try_io(|socket| {
            batch.read(socket.get_ref())?;
            // There is no more, or else the system says so again: to ask once more would be a call in vain.
            if batch.is_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        // Otherwise it was read to its end.
        if let Ok(read) = read {
            return read;
        }
        if !batch.is_empty() {
            return Ok(());
        }
    }
}

fn take(
    socket: &UdpSocket,
    flow: &Arc<Flow>,
    exchange: &Arc<Exchange>,
    datagram: &[u8],
    remote: SocketAddr,
    answers: &mut Datagrams,
) {
    if let Some(answer) = stun::answer(datagram, remote) {
        exchange.metrics.keep_alives.inc();
        // Lost like any other datagram if there is no room for it.
        let _ = socket.send_to(&answer, remote);
        return;
    }
    match framing::datagram(Bytes::copy_from_slice(datagram)) {
        Some(Frame::Message(message)) => {
            exchange.receive_with(flow, flow.hop_to(remote), message, answers);
        }
        Some(Frame::Ping) => {
            exchange.metrics.keep_alives.inc();
            let _ = socket.send_to(PONG, remote);
        }
        Some(Frame::Pong) => {}
        None => {
            exchange.metrics.noise.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn rfc3261_18_1_1_long_messages_may_go_in_fragments() {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, ip_mtu_discover};

        let listen = crate::config::Listen { address: "127.0.0.1:0".parse().unwrap(), or_any_port: false };
        let socket = crate::listener::bind_udp(listen, "UDP").unwrap();
        assert_eq!(ip_mtu_discover(&socket).unwrap(), Ipv4PathMtuDiscovery::WANT);
    }
}
