//! Datagrams that go out together: what one batch of received ones brings about, in one system call where the system
//! has it.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use bytes::Bytes;

use crate::flows::Flow;
use crate::metrics::{Loss, Metrics};

/// The most that wait for each other.
const TOGETHER: usize = 32;

/// Datagrams that were sent and have not gone out yet. Whoever has it flushes it.
#[derive(Debug, Default)]
pub struct Datagrams {
    /// All over this flow, which has a datagram socket.
    flow: Option<Arc<Flow>>,
    waiting: Vec<Datagram>,
}

#[derive(Debug)]
struct Datagram {
    to: SocketAddr,
    message: Bytes,
}

impl Datagrams {
    /// Puts one behind the others.
    pub(crate) fn push(&mut self, flow: Arc<Flow>, to: SocketAddr, message: Bytes, metrics: &Metrics) {
        let same = self.flow.as_ref().is_some_and(|other| Arc::ptr_eq(other, &flow));
        if !same || self.waiting.len() >= TOGETHER {
            self.flush(metrics);
            self.flow = Some(flow);
        }
        self.waiting.push(Datagram { to, message });
    }

    /// Sends all, in their order. One that finds no room, or that the system refuses, is lost as any may be on its way: the
    /// transaction repeats it.
    pub(crate) fn flush(&mut self, metrics: &Metrics) {
        if self.waiting.is_empty() {
            return;
        }
        if let Some((flow, socket)) = self.flow.as_ref().and_then(|flow| Some((flow, flow.socket()?))) {
            let mut sent = self.waiting.len();
            deliver(
                &self.waiting,
                |datagrams| send(socket, datagrams),
                |datagram, error| {
                    tracing::debug!(remote = %datagram.to, %error, "datagram not sent");
                    metrics.lost(Loss::Datagram);
                    sent -= 1;
                },
            );
            metrics.sent(flow.transport(), sent as u64);
        }
        self.waiting.clear();
    }
}

/// Has `send` send all datagrams, which it may do some at a time, from the first on: it tells how many went, or what is wrong
/// with the first.
fn deliver(
    mut rest: &[Datagram],
    mut send: impl FnMut(&[Datagram]) -> io::Result<usize>,
    mut lost: impl FnMut(&Datagram, &io::Error),
) {
    let mut told = false;
    while let Some((first, behind)) = rest.split_first() {
        match send(rest) {
            Ok(count) => (rest, told) = (rest.get(count.max(1)..).unwrap_or_default(), false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return rest.iter().for_each(|datagram| lost(datagram, &error));
            }
            // What an ICMP message said of an earlier one is told to whoever sends next, who has no part in it.
            Err(_) if !told => told = true,
            Err(error) => {
                lost(first, &error);
                (rest, told) = (behind, false);
            }
        }
    }
}

/// Sends as many as go at once, the first of them at least.
fn send(socket: &UdpSocket, datagrams: &[Datagram]) -> io::Result<usize> {
    match datagrams {
        [one] => socket.send_to(&one.message, one.to).map(|_| 1),
        many => send_many(socket, many),
    }
}

#[cfg(target_os = "linux")]
fn send_many(socket: &UdpSocket, datagrams: &[Datagram]) -> io::Result<usize> {
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
    let addresses: Vec<SocketAddrAny> = datagrams.iter().map(|datagram| datagram.to.into()).collect();
    let slices: Vec<_> = datagrams.iter().map(|datagram| [io::IoSlice::new(&datagram.message)]).collect();
    let mut controls: Vec<_> = datagrams.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut headers: Vec<_> = addresses
        .iter()
        .zip(&slices)
        .zip(&mut controls)
        .map(|((address, slice), control)| MMsgHdr::new_with_addr(address, slice, control))
        .collect();
    Ok(sendmmsg(socket, &mut headers, SendFlags::empty())?)
}

#[cfg(not(target_os = "linux"))]
fn send_many(socket: &UdpSocket, datagrams: &[Datagram]) -> io::Result<usize> {
    let socket = socket2::SockRef::from(socket);
    let mut count = 0;
    for datagram in datagrams {
        match socket.send_to(&datagram.message, &datagram.to.into()) {
            Ok(_) => count += 1,
            // Told again when it is the first.
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn to(address: SocketAddr, length: usize, mark: u8) -> Datagram {
        Datagram { to: address, message: vec![mark; length].into() }
    }

    fn sockets() -> (UdpSocket, UdpSocket, SocketAddr) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let at = receiver.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        (socket, receiver, at)
    }

    fn receive(receiver: &UdpSocket) -> (u8, usize) {
        let mut buffer = vec![0; 65_536];
        let length = receiver.recv(&mut buffer).unwrap();
        (buffer[0], length)
    }

    /// Sends what there is over a real socket; the marks of what was lost.
    fn all(socket: &UdpSocket, datagrams: &[Datagram]) -> Vec<u8> {
        let mut lost = Vec::new();
        deliver(datagrams, |some| send(socket, some), |datagram, _| lost.push(datagram.message[0]));
        lost
    }

    #[test]
    fn datagrams_go_out_in_their_order() {
        let (socket, receiver, at) = sockets();
        let datagrams: Vec<_> = (1..=20).map(|n| to(at, 100 + usize::from(n), n)).collect();
        assert!(all(&socket, &datagrams).is_empty());
        for n in 1..=20 {
            assert_eq!(receive(&receiver), (n, 100 + usize::from(n)));
        }
    }

    #[test]
    fn one_that_is_too_long_is_lost_alone() {
        let (socket, receiver, at) = sockets();
        for place in 0..3 {
            let length = |n| if n == place { 70_000 } else { 10 };
            let datagrams: Vec<_> = (0..3).map(|n| to(at, length(n), n as u8)).collect();
            assert_eq!(all(&socket, &datagrams), [place as u8]);
            for n in (0..3).filter(|n| *n != place) {
                assert_eq!(receive(&receiver), (n as u8, 10));
            }
        }
    }

    #[test]
    fn a_port_that_nobody_listens_on_costs_the_others_nothing() {
        let (socket, receiver, at) = sockets();
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // The system's word that nobody listens is there when the next are sent.
        for _ in 0..10 {
            let datagrams = [to(nobody, 10, 1), to(at, 10, 2), to(nobody, 10, 3), to(at, 10, 4)];
            assert!(all(&socket, &datagrams).is_empty());
            assert_eq!((receive(&receiver), receive(&receiver)), ((2, 10), (4, 10)));
        }
    }

    /// What `deliver` makes of these answers of the system; what it was given each time, and what was lost.
    fn scripted(count: u8, answers: &[Result<usize, io::ErrorKind>]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let at = SocketAddr::from(([127, 0, 0, 1], 9));
        let datagrams: Vec<_> = (0..count).map(|n| to(at, 1, n)).collect();
        let (mut given, mut lost, mut answers) = (Vec::new(), Vec::new(), answers.iter());
        deliver(
            &datagrams,
            |some| {
                given.push(some.iter().map(|datagram| datagram.message[0]).collect());
                answers.next().unwrap().map_err(io::Error::from)
            },
            |datagram, _| lost.push(datagram.message[0]),
        );
        assert_eq!(answers.next(), None);
        (given, lost)
    }

    #[test]
    fn what_the_system_did_not_take_is_given_to_it_again() {
        let (given, lost) = scripted(5, &[Ok(2), Ok(1), Ok(2)]);
        assert_eq!(given, [vec![0, 1, 2, 3, 4], vec![2, 3, 4], vec![3, 4]]);
        assert!(lost.is_empty());
    }

    #[test]
    fn without_room_the_rest_is_lost_and_nobody_waits() {
        let (given, lost) = scripted(4, &[Ok(1), Err(io::ErrorKind::WouldBlock)]);
        assert_eq!((given.len(), lost), (2, vec![1, 2, 3]));
    }

    #[test]
    fn an_error_of_an_earlier_datagram_costs_none() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        assert!(scripted(3, &[refused, Ok(3)]).1.is_empty());
        assert!(scripted(3, &[Ok(1), refused, Ok(1), refused, Ok(1)]).1.is_empty());
        // Told twice, it is the datagram's own.
        assert_eq!(scripted(3, &[refused, refused, Ok(2)]).1, [0]);
    }
}
