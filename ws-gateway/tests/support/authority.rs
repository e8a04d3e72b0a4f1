//! Certificates.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
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

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.file).unwrap()
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
