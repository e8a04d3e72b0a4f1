//! A TLS connection. What a peer sends that says nothing yet, a part of a handshake's message or of a record, the TLS library keeps, and
//! of messages up to 64 KiB each, also long after the handshake: here it has a bound.

use std::io;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::watched::{Watch, Watched};

/// The longest record with what is read too far, and a handshake in which a client shows some certificates. Past it: it is closed.
const MOST_UNSAID: usize = 24 * 1_024;

/// A TLS connection whose handshake is done.
pub type Secured = Watched<TlsStream<Bounded>, Said>;

/// What is below TLS.
type Bounded = Watched<TcpStream, Unsaid>;

/// Hears what TLS says.
#[derive(Debug)]
pub struct Said;

/// Bytes that came since TLS last said something.
#[derive(Debug)]
pub struct Unsaid(usize);

impl Secured {
    /// Takes a client's handshake.
    pub async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<Self> {
        Ok(Self::done(acceptor.accept(bounded(stream)).await?.into()))
    }

    /// Makes the handshake with the server of this name.
    pub async fn connect(
        connector: &TlsConnector,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> io::Result<Self> {
        Ok(Self::done(connector.connect(name, bounded(stream)).await?.into()))
    }

    /// The certificate that the peer has shown.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.stream.get_ref().1.peer_certificates().and_then(<[_]>::first)
    }

    fn done(mut stream: TlsStream<Bounded>) -> Self {
        said(&mut stream);
        Self { stream, watch: Said }
    }
}

const fn bounded(stream: TcpStream) -> Bounded {
    Watched { stream, watch: Unsaid(0) }
}

fn said(stream: &mut TlsStream<Bounded>) {
    stream.get_mut().0.watch.0 = 0;
}

impl Watch<TlsStream<Bounded>> for Said {
    fn read(&mut self, stream: &mut TlsStream<Bounded>, bytes: usize) -> io::Result<()> {
        if bytes > 0 {
            said(stream);
        }
        Ok(())
    }
}

impl Watch<TcpStream> for Unsaid {
    fn read(&mut self, _: &mut TcpStream, bytes: usize) -> io::Result<()> {
        self.0 += bytes;
        if self.0 > MOST_UNSAID {
            let reason = "too much TLS that says nothing";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(())
    }
}
