//! Datagrams that are read together: all that have come, in one system call where the system has it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use sip_core::limits::MESSAGE_BYTES;
use socket2::SockAddrStorage;

use super::canonical;

/// The most that are read at once.
const TOGETHER: usize = 16;

/// What was read last, and room for what is read next.
pub(super) struct Batch {
    rooms: Vec<Room>,
    /// Of the last time: how long each is, and its sender.
    read: Vec<(usize, SocketAddr)>,
}

/// Room for one.
struct Room {
    /// It takes the longest datagram there is, so that none is ever cut.
    bytes: Box<[u8]>,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the library has its own"))]
    sender: SockAddrStorage,
}

impl Batch {
    pub(super) fn new() -> Self {
        let room =
            |_| Room { bytes: vec![0; MESSAGE_BYTES].into_boxed_slice(), sender: SockAddrStorage::zeroed() };
        Self { rooms: (0..TOGETHER).map(room).collect(), read: Vec::with_capacity(TOGETHER) }
    }

    /// Reads what has come. If it fails there are none.
    pub(super) fn read(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.read.clear();
        receive(socket, &mut self.rooms, &mut self.read)
    }

    /// Whether as many were read as are read at once, so that there may be more.
    pub(super) fn is_full(&self) -> bool {
        self.read.len() >= TOGETHER
    }

    /// Whether none were.
    pub(super) fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// Those of the last time, in their order, each with its sender.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let read = self.rooms.iter().zip(&self.read);
        read.map(|(room, (length, sender))| {
            (room.bytes.get(..*length).unwrap_or_default(), canonical(*sender))
        })
    }
}

#[cfg(target_os = "linux")]
fn receive(socket: &UdpSocket, rooms: &mut [Room], read: &mut Vec<(usize, SocketAddr)>) -> io::Result<()> {
    use std::mem::zeroed;
    use std::os::fd::AsRawFd as _;
    use std::ptr;

    use socket2::SockAddr;

    // SAFETY: lengths of nothing and pointers to nothing.
    let (mut slices, mut headers) =
        unsafe { (zeroed::<[libc::iovec; TOGETHER]>(), zeroed::<[libc::mmsghdr; TOGETHER]>()) };
    let mut most = 0;
    for ((header, slice), room) in headers.iter_mut().zip(&mut slices).zip(&mut *rooms) {
        *slice = libc::iovec { iov_base: room.bytes.as_mut_ptr().cast(), iov_len: room.bytes.len() };
        header.msg_hdr.msg_name = ptr::from_mut(&mut room.sender).cast();
        header.msg_hdr.msg_namelen = room.sender.size_of();
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        most += 1;
    }
    let (headers_at, at_once) = (headers.as_mut_ptr(), libc::MSG_DONTWAIT as _);
    // SAFETY: each of the first `most` headers leads to room for an address and to a buffer as long as it says, which nobody else
    // uses meanwhile.
    let count = unsafe { libc::recvmmsg(socket.as_raw_fd(), headers_at, most, at_once, ptr::null_mut()) };
    // It is -1 if it failed.
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    for (header, room) in headers.iter().zip(&*rooms).take(count) {
        // SAFETY: it was all zeros, and the system has written so much of it.
        let sender = unsafe { SockAddr::new(ptr::read(&raw const room.sender), header.msg_hdr.msg_namelen) };
        // On a UDP socket each has one.
        let nobody = || SocketAddr::from(([0; 4], 0));
        read.push((header.msg_len as usize, sender.as_socket().unwrap_or_else(nobody)));
    }
    Ok(())
}

/// One after the other.
#[cfg(not(target_os = "linux"))]
fn receive(socket: &UdpSocket, rooms: &mut [Room], read: &mut Vec<(usize, SocketAddr)>) -> io::Result<()> {
    for room in rooms {
        match socket.recv_from(&mut room.bytes) {
            Ok(one) => read.push(one),
            // Told again when it is the first.
            Err(_) if !read.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_one_by_one_in_order_however_they_are_read() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let [socket, one, other] = [(); 3].map(|()| UdpSocket::bind(any).unwrap());
            let (to, senders) = (socket.local_addr().unwrap(), [one, other]);
            // More than are read at once, and no more than the system keeps.
            let lengths = [vec![100, 100, 100, 1, 0, 60_000, 7, 100], vec![20; 2 * TOGETHER]].concat();
            socket.set_nonblocking(true).unwrap();
            let mut batch = Batch::new();
            for (i, length) in lengths.iter().enumerate() {
                senders[i % 2].send_to(&vec![i as u8; *length], to).unwrap();
            }
            let mut seen = Vec::new();
            while seen.len() < lengths.len() {
                batch.read(&socket).unwrap();
                assert!(!batch.is_empty());
                seen.extend(batch.datagrams().map(|(datagram, from)| {
                    assert!(datagram.iter().all(|byte| *byte == datagram[0]));
                    (datagram.first().copied(), datagram.len(), from)
                }));
            }
            let expected: Vec<_> = (0..lengths.len())
                .map(|i| {
                    let mark = (lengths[i] > 0).then_some(i as u8);
                    (mark, lengths[i], senders[i % 2].local_addr().unwrap())
                })
                .collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn what_came_before_is_not_seen_again() {
        let [socket, sender] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.set_nonblocking(true).unwrap();
        let mut batch = Batch::new();
        sender.send_to(b"one", socket.local_addr().unwrap()).unwrap();
        batch.read(&socket).unwrap();
        assert_eq!(batch.datagrams().count(), 1);
        assert_eq!(batch.read(&socket).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(batch.is_empty() && batch.datagrams().next().is_none());
    }
}
