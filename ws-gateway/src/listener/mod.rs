//! Sockets that wait for peers: bind, accept, admit.

mod admission;
mod batch;
mod proxy_protocol;
mod tcp;
mod tls;
mod udp;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Context as _;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Listen;

pub use admission::{Admission, Permit};
pub use tcp::serve as serve_tcp;
pub use tls::{handshake as tls_handshake, serve as serve_tls};
pub use udp::serve as serve_udp;

/// Connections the system may hold that we have not accepted yet.
const BACKLOG: i32 = 1024;

/// What the system is asked to keep of datagrams that came and were not read yet, or wait to go out: a burst of some
/// thousand. It gives as much as its own limits allow.
const DATAGRAM_BUFFER: usize = 8 * 1024 * 1024;

/// Silence on a TCP connection after which the system asks whether the peer is still there, and the time between
/// such questions. After four without an answer the connection is broken.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// How long accepting pauses when the system has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds a TCP port.
pub fn bind_tcp(listen: Listen, what: &str) -> anyhow::Result<TcpListener> {
    bind(listen, what, |address| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restarted gateway has its ports back at once, though old connections still linger on them.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    })
}

/// Binds a UDP port.
pub fn bind_udp(listen: Listen, what: &str) -> anyhow::Result<UdpSocket> {
    bind(listen, what, |address| {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // IPv4 peers would have to be sent to by other addresses than they have: they get a socket of their own.
            socket.set_only_v6(true)?;
        }
        socket.set_recv_buffer_size(DATAGRAM_BUFFER)?;
        socket.set_send_buffer_size(DATAGRAM_BUFFER)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    })
}

fn bind<T>(listen: Listen, what: &str, bind: impl Fn(SocketAddr) -> io::Result<T>) -> anyhow::Result<T> {
    match bind(listen.address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && listen.or_any_port => {
            tracing::warn!("{what}: {} is taken, another port is used instead", listen.address);
            bind(SocketAddr::new(listen.address.ip(), 0))
        }
        bound => bound,
    }
    .with_context(|| format!("{what} cannot listen on {}", listen.address))
}

/// Has the system find out when the peer of a connection is gone, and send small messages at once.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(4);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// An IPv4 peer of a socket for both families is an IPv4 peer.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Accepts the next connection, whatever goes wrong before: one peer's fault, or a shortage that passes.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => match keep_alive(&stream) {
                Ok(()) => return (stream, canonical(remote)),
                // It is gone already.
                Err(error) => tracing::debug!(%remote, %error, "connection not accepted"),
            },
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
