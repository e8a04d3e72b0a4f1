//! A TLS connection. What a peer sends that says nothing yet, a part of a handshake's message or of a record, the TLS library keeps, and
//! of messages up to 64 KiB each, also long after the handshake: here it has a bound.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// The longest record with what is read too far, and a handshake in which a client shows some certificates. Past it: it is closed.
const MOST_UNSAID: usize = 24 * 1_024;

/// A TLS connection whose handshake is done.
#[derive(Debug)]
pub struct Secured(TlsStream<Bounded>);

/// What is below TLS.
#[derive(Debug)]
struct Bounded {
    stream: TcpStream,
    /// Bytes that came since TLS last said something.
    unsaid: usize,
}

impl Secured {
    /// Takes a client's handshake.
    pub async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<Self> {
        Ok(Self::done(acceptor.accept(Bounded { stream, unsaid: 0 }).await?.into()))
    }

    /// Makes the handshake with the server of this name.
    pub async fn connect(
        connector: &TlsConnector,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> io::Result<Self> {
        Ok(Self::done(connector.connect(name, Bounded { stream, unsaid: 0 }).await?.into()))
    }

    /// The certificate that the peer has shown.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.0.get_ref().1.peer_certificates().and_then(<[_]>::first)
    }

    fn done(stream: TlsStream<Bounded>) -> Self {
        let mut this = Self(stream);
        this.said();
        this
    }

    fn said(&mut self) {
        self.0.get_mut().0.unsaid = 0;
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.0).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            this.said();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.unsaid += buffer.filled().len() - before;
        if this.unsaid > MOST_UNSAID {
            let reason = "too much TLS that says nothing";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
