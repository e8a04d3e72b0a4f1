//! One connection to a host that has several addresses: they are tried a moment after one another, and the first that is
//! there is taken (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What an address gets of time before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to one of the addresses, which stand in the order of preference.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(next) = waiting.next() {
            attempts.push(TcpStream::connect(*next));
        }
        if attempts.is_empty() {
            return Err(last);
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test]
    async fn rfc8305_5_an_address_that_is_not_there_costs_little() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let closed = gone.local_addr().unwrap();
        drop(gone);
        // Accepts nobody: its queue is full, and whoever comes then waits.
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 3], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let mut filling = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(silent)).await {
            filling.push(stream);
        }
        let began = Instant::now();
        let stream = connect(&[closed, silent, there.local_addr().unwrap()]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there.local_addr().unwrap());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(connect(&[closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        connect(&[]).await.unwrap_err();
    }
}
