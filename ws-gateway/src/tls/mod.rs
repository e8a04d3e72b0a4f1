//! TLS for whoever connects to us: certificates from files, read again when they change.

mod certificates;
mod development;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio_rustls::TlsAcceptor;

pub use certificates::{CertificateError, Certificates, RELOAD};
pub use development::certificate as development_certificate;

/// What takes the TLS handshakes of a listener. `protocols` are offered by ALPN; without any it is not spoken of.
pub fn acceptor(certificates: Arc<Certificates>, protocols: &[&[u8]]) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    // A browser that comes back after a lost connection needs one round trip less, and we keep nothing for it.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config).into())
}
