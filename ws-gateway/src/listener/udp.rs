//! SIP over UDP.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use sip_core::limits::MESSAGE_BYTES;
use sip_core::transport::framing::{self, Frame, PONG};
use sip_core::transport::stun;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use super::canonical;
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
    let opened = Batch::new(&socket).and_then(|batch| Ok((batch, reading(&socket)?)));
    let (mut batch, readable) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, local = %flow.local(), "a UDP port cannot be read");
            return exchange.flow_closed(&flow);
        }
    };
    let mut answers = Datagrams::default();
    // Made once: it waits in a list of all that are told.
    let mut stopping = pin!(stop.cancelled());
    loop {
        tokio::select! {
            biased;
            () = stopping.as_mut() => break,
            read = batch.read(&readable) => if let Err(error) = read {
                tracing::debug!(%error, "datagrams not received");
                tokio::time::sleep(PAUSE).await;
            },
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

/// Datagrams that are read together: all that have come, as many as the system gives at once.
struct Batch {
    state: UdpSocketState,
    /// Each takes the longest datagram there is, so that none is ever cut, or many that the system has joined.
    buffers: Vec<Box<[u8]>>,
    read: [RecvMeta; BATCH_SIZE],
    /// How many of `read` are of the last time.
    count: usize,
}

impl Batch {
    fn new(socket: &UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(socket.into())?;
        allow_fragments(socket)?;
        let buffers = (0..BATCH_SIZE).map(|_| vec![0; MESSAGE_BYTES].into_boxed_slice()).collect();
        Ok(Self { state, buffers, read: [RecvMeta::default(); BATCH_SIZE], count: 0 })
    }

    /// Waits until there are some and reads them.
    async fn read(&mut self, socket: &AsyncFd<Arc<UdpSocket>>) -> io::Result<()> {
        let Self { state, buffers, read, count } = self;
        *count = 0;
        while *count == 0 {
            let read = socket.readable().await?.try_io(|socket| {
                let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                    std::array::from_fn(|_| IoSliceMut::new(&mut []));
                for (slice, buffer) in slices.iter_mut().zip(buffers.iter_mut()) {
                    *slice = IoSliceMut::new(buffer);
                }
                *count = state.recv((&**socket.get_ref()).into(), &mut slices, read)?;
                // There is no more, or else the system says so again: to ask once more would be a call in vain.
                if *count < BATCH_SIZE { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            // Otherwise it was read to its end.
            if let Ok(read) = read {
                read?;
            }
        }
        Ok(())
    }

    /// Those of the last time, in their order, each with its sender.
    fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let read = self.buffers.iter().zip(&self.read[..self.count]);
        read.flat_map(|(buffer, meta)| {
            let joined = buffer.get(..meta.len).unwrap_or_default();
            joined.chunks(meta.stride.max(1)).map(|datagram| (datagram, canonical(meta.addr)))
        })
    }
}

/// What reads batches forbids fragments, which long SIP messages go in (RFC 3261 §18.1.1): with this they are as the system has
/// them by default.
#[cfg(target_os = "linux")]
fn allow_fragments(socket: &UdpSocket) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    match socket.local_addr()? {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::WANT)?,
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn allow_fragments(_: &UdpSocket) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Datagrams of one length from one sender are those the system joins.
    #[tokio::test]
    async fn datagrams_come_one_by_one_in_order_however_they_are_read() {
        let [socket, one, other] = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let (to, senders) = (socket.local_addr().unwrap(), [one, other]);
        let lengths = [100, 100, 100, 1, 0, 60_000, 7, 100];
        let mut batch = Batch::new(&socket).unwrap();
        let socket = reading(&Arc::new(socket)).unwrap();
        for (i, length) in lengths.iter().enumerate() {
            senders[i % 2].send_to(&vec![i as u8; *length], to).unwrap();
        }
        let mut seen = Vec::new();
        // An empty datagram is nothing to anybody.
        while seen.len() < lengths.len() - 1 {
            batch.read(&socket).await.unwrap();
            seen.extend(batch.datagrams().map(|(datagram, from)| (datagram[0], datagram.len(), from)));
        }
        let expected: Vec<_> = (0..lengths.len())
            .filter(|i| lengths[*i] > 0)
            .map(|i| (i as u8, lengths[i], senders[i % 2].local_addr().unwrap()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn rfc3261_18_1_1_long_messages_may_go_in_fragments() {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, ip_mtu_discover};
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = ip_mtu_discover(&socket).unwrap();
        let _batch = Batch::new(&socket).unwrap();
        assert_eq!(ip_mtu_discover(&socket).unwrap(), before);
        assert_eq!(before, Ipv4PathMtuDiscovery::WANT);
    }
}
