//! Certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_gateway::config::CertificateFiles;

/// An authority, and what it certifies, in files of one directory.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
    /// Its own, if it has one.
    directory: Option<TempDir>,
}

impl Authority {
    pub(crate) fn new(directory: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = directory.join("ca.pem");
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, directory: None }
    }

    /// One with a directory of its own.
    pub(crate) fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut authority = Self::new(directory.path());
        authority.directory = Some(directory);
        authority
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.file).unwrap()).unwrap();
        Arc::new(roots)
    }

    /// A server that shows this certificate, and asks clients for one of ours.
    pub(crate) fn acceptor(&self, files: &CertificateFiles) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate_of(files)], PrivateKeyDer::from_pem_file(&files.key).unwrap())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client that shows this certificate, and wants servers to show one of ours.
    pub(crate) fn connector(&self, files: &CertificateFiles) -> TlsConnector {
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(vec![certificate_of(files)], key)
            .unwrap();
        TlsConnector::from(Arc::new(config))
    }

    pub(crate) fn certify(&self, domain: &str) -> CertificateFiles {
        let mut params = CertificateParams::new(vec![domain.into()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let directory = self.file.parent().unwrap();
        let files = CertificateFiles {
            chain: directory.join(format!("{domain}.crt")),
            key: directory.join(format!("{domain}.key")),
        };
        std::fs::write(&files.chain, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// The certificate itself.
pub(crate) fn certificate_of(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.chain).unwrap()
}
