//! A certificate for somebody's own machine.

use anyhow::Context as _;
use rcgen::{CertificateParams, DnType, KeyPair};

use crate::config::CertificateFiles;
use crate::data::{DataDirectory, write_atomically};

/// The names it is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The self-signed certificate of the data directory, made if there is none. A browser asks its user to trust it.
pub fn certificate(data: &DataDirectory) -> anyhow::Result<CertificateFiles> {
    let files = CertificateFiles { chain: data.path("development.crt"), key: data.path("development.key") };
    data.locked(|| {
        if files.chain.exists() && files.key.exists() {
            return Ok(());
        }
        let mut params = CertificateParams::new(NAMES.map(String::from))?;
        params.distinguished_name.push(DnType::CommonName, "Trapezoid on this machine");
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        // The key first: a certificate without its key is made anew.
        write_atomically(&files.key, key.serialize_pem().as_bytes(), 0o600)?;
        write_atomically(&files.chain, certificate.pem().as_bytes(), 0o644)?;
        anyhow::Ok(())
    })
    .context("a development certificate cannot be made")?;
    Ok(files)
}
