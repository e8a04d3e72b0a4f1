//! TLS towards servers of other domains: their certificate must be that of the domain that was asked for.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Reload, Reloaded, Secured, identity};
use crate::config::CertificateFiles;

/// Where systems keep the authorities they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Opens TLS connections.
#[derive(Debug)]
pub struct Connector(Reloaded<TlsConnector>);

impl Connector {
    /// One that trusts the authorities of `bundle`, or of the system, and shows `own` where it is asked for a
    /// certificate. `None`: the system names no authority.
    pub fn open(bundle: Option<&Path>, own: Option<&CertificateFiles>) -> anyhow::Result<Option<Self>> {
        let Some(path) = bundle.map(PathBuf::from).or_else(system) else { return Ok(None) };
        let (all, own) = (bundle.is_some(), own.cloned());
        let mut files = vec![path.clone()];
        files.extend(own.iter().flat_map(|own| [own.chain.clone(), own.key.clone()]));
        Ok(Some(Self(Reloaded::open(files, move || connector(&path, all, own.as_ref()))?)))
    }

    /// Makes the handshake with a server of `domain`, which is told whom it is taken for (SNI).
    pub async fn connect(&self, domain: &str, stream: TcpStream) -> std::io::Result<Secured> {
        let name = match domain.parse::<IpAddr>() {
            Ok(ip) => ServerName::IpAddress(ip.into()),
            Err(_) => ServerName::try_from(domain.to_owned())
                .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?,
        };
        Secured::connect(&self.0.current(), name, stream).await
    }
}

impl Reload for Connector {
    fn reload(&self) -> anyhow::Result<bool> {
        self.0.reload()
    }
}

/// `all`: each authority of the bundle must be readable.
fn connector(bundle: &Path, all: bool, own: Option<&CertificateFiles>) -> anyhow::Result<TlsConnector> {
    let roots = authorities(bundle, all)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(DomainVerifier { roots, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(CertificateFiles { chain, key }) => {
            let name = |path: &Path| format!("{}", path.display());
            let certificates = CertificateDer::pem_file_iter(chain)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| name(chain))?;
            let secret = PrivateKeyDer::from_pem_file(key).with_context(|| name(key))?;
            builder.with_client_auth_cert(certificates, secret).with_context(|| name(chain))?
        }
    };
    Ok(Arc::new(config).into())
}

/// The system's bundle of authorities.
pub fn system() -> Option<PathBuf> {
    SYSTEM.into_iter().map(PathBuf::from).find(|path| path.is_file())
}

/// The authorities of a PEM file. Of the system's bundle, those that cannot be read are left out.
pub fn authorities(path: &Path, all: bool) -> anyhow::Result<RootCertStore> {
    let file = || format!("{}", path.display());
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(file)?;
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(certificates);
    anyhow::ensure!(!roots.is_empty(), "{}: no authority in PEM is in it", path.display());
    anyhow::ensure!(!all || ignored == 0, "{}: {ignored} certificates cannot be read", path.display());
    Ok(roots)
}

/// Signed by an authority, valid now, and of the domain (RFC 5922 §7.3).
#[derive(Debug)]
struct DomainVerifier {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DomainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        if identity::is_of(end_entity, &server_name.to_str()) {
            return Ok(ServerCertVerified::assertion());
        }
        // Names the names it has, as rustls itself does; a wildcard, which it would take, is none here.
        verify_server_name(&parsed, server_name)?;
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
