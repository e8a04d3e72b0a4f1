//! TLS: for whoever connects to us, certificates from files; towards servers of other domains, their certificates checked.
//! All files are read again when they change.

mod certificates;
mod connector;
mod development;
mod identity;
mod reloaded;
mod secured;
mod validity;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::config::Clients;

pub use certificates::{CertificateError, Certificates};
pub use connector::{Connector, authorities, system};
pub use development::certificate as development_certificate;
pub use identity::domains;
pub use reloaded::{RELOAD, Reload, Reloaded};
pub use secured::Secured;
pub use validity::Validity;

/// What takes the TLS handshakes of a listener. `protocols` are offered by ALPN; without any it is not spoken of.
/// `clients`: whose certificates are asked for; when their authorities change it is another, which knows no session of before.
pub fn acceptor(
    certificates: Arc<Certificates>,
    protocols: &'static [&'static [u8]],
    clients: Clients,
) -> anyhow::Result<Reloaded<TlsAcceptor>> {
    let files = match &clients {
        Clients::Anyone => Vec::new(),
        Clients::Asked(path) | Clients::Required(path) => vec![path.clone()],
    };
    Reloaded::open(files, move || make_acceptor(Arc::clone(&certificates), protocols, &clients))
}

fn make_acceptor(
    certificates: Arc<Certificates>,
    protocols: &[&[u8]],
    clients: &Clients,
) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match clients {
        Clients::Anyone => WebPkiClientVerifier::no_client_auth(),
        Clients::Asked(path) | Clients::Required(path) => {
            let roots = Arc::new(authorities(path, true)?);
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
            match clients {
                Clients::Required(_) => builder.build()?,
                _ => builder.allow_unauthenticated().build()?,
            }
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    // A browser that comes back after a lost connection needs one round trip less, and we keep nothing for it.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config).into())
}
