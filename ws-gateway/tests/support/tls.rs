//! TLS with certificates checked: as a client, and as another domain's server.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_gateway::config::CertificateFiles;

use super::{PATIENCE, Running};

/// The certificate in these files.
pub(crate) fn certificate_of(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.chain).unwrap()
}

/// The certificate that a development gateway made for itself.
pub(crate) fn own_certificate(running: &Running) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(running.data.path().join("development.crt")).unwrap()
}

fn key_of(files: &CertificateFiles) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(&files.key).unwrap()
}

fn roots(trusted: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    roots
}

/// The client's handshake: shows `own`, and wants a certificate for `name` that is `trusted` or signed by it.
pub(crate) async fn secure(
    stream: TcpStream,
    name: &str,
    trusted: &CertificateDer<'static>,
    own: Option<&CertificateFiles>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(trusted));
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(files) => builder.with_client_auth_cert(vec![certificate_of(files)], key_of(files)).unwrap(),
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

/// A connection to `localhost` at this port.
pub(crate) async fn connect(
    port: SocketAddr,
    trusted: &CertificateDer<'static>,
    own: Option<&CertificateFiles>,
) -> std::io::Result<TlsStream<TcpStream>> {
    secure(TcpStream::connect(port).await?, "localhost", trusted, own).await
}

/// Whether a client that shows this certificate is answered.
pub(crate) async fn is_answered(
    port: SocketAddr,
    trusted: &CertificateDer<'static>,
    own: Option<&CertificateFiles>,
) -> bool {
    let Ok(mut stream) = connect(port, trusted, own).await else { return false };
    // With TLS 1.3 a server refuses after the client's handshake is over. This is a keep-alive and its answer (RFC 5626
    // §4.4.1).
    let mut pong = [0; 2];
    stream.write_all(b"\r\n\r\n").await.is_ok()
        && timeout(PATIENCE, stream.read_exact(&mut pong)).await.unwrap().is_ok()
        && pong == *b"\r\n"
}

/// A server that shows `own`, and wants clients to show a certificate that `trusted` has signed.
pub(crate) fn acceptor(trusted: &CertificateDer<'static>, own: &CertificateFiles) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let roots = Arc::new(roots(trusted));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate_of(own)], key_of(own))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
