//! The certificates we show.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::{Reload, Reloaded, Validity, identity};
use crate::config::CertificateFiles;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or does not have what it should.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Whether it is the certificate's file, and not the key's.
        chain: bool,
        /// Why.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error("{} is not the key of {}", key.display(), chain.display())]
    Mismatch {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// All certificates, as their files last had them.
#[derive(Debug)]
pub struct Certificates {
    /// In the order of the configuration.
    shown: Reloaded<Arc<[Shown]>, CertificateError>,
}

#[derive(Debug)]
struct Shown {
    /// Its file.
    chain: PathBuf,
    /// Lower case; one may begin with `*.`.
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads the files.
    pub fn open(files: Vec<CertificateFiles>) -> Result<Self, CertificateError> {
        let paths = files.iter().flat_map(|files| [files.chain.clone(), files.key.clone()]).collect();
        let load = move || files.iter().map(shown).collect();
        Ok(Self { shown: Reloaded::open(paths, load)? })
    }

    /// When each is valid, of those that are not now: where its file is, and a sentence.
    pub fn not_valid(&self, now: SystemTime) -> Vec<String> {
        let all = self.shown.current();
        let over = |shown: &Shown| {
            let validity = Validity::of(shown.key.cert.first()?)?;
            (!validity.has(now)).then(|| format!("{}: it is {validity}", shown.chain.display()))
        };
        all.iter().filter_map(over).collect()
    }

    /// Whether one of them is of this host or domain.
    pub fn names(&self, name: &str) -> bool {
        let plain = name.trim_matches(['[', ']']);
        let is_of = |shown: &Shown| {
            let is = |certificate| identity::is_of(certificate, plain);
            shown.is_for(plain) || shown.key.cert.first().is_some_and(is)
        };
        self.shown.current().iter().any(is_of)
    }

    /// The certificate for a name; the first for a name that none has, or none.
    fn shown_to(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let all = self.shown.current();
        let named = name.and_then(|name| all.iter().find(|shown| shown.is_for(name)));
        named.or(all.first()).map(|shown| Arc::clone(&shown.key))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown_to(hello.server_name())
    }
}

impl Reload for Certificates {
    fn reload(&self) -> anyhow::Result<bool> {
        Ok(self.shown.reload()?)
    }
}

impl Shown {
    /// RFC 6125 §6.4.3: a wildcard stands for the whole leftmost label.
    fn is_for(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix),
            None => *own == name,
        })
    }
}

fn shown(files: &CertificateFiles) -> Result<Shown, CertificateError> {
    let file = |path: &Path, reason: String| {
        let chain = path == files.chain;
        CertificateError::File { path: path.into(), chain, reason }
    };
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file(&files.chain, error.to_string()))?;
    let Some(first) = chain.first() else {
        return Err(file(&files.chain, "no certificate in PEM is in it".into()));
    };
    let end_entity = EndEntityCert::try_from(first)
        .map_err(|error| file(&files.chain, format!("its first certificate cannot be read: {error}")))?;
    let names = end_entity.valid_dns_names().map(str::to_ascii_lowercase).collect();
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| file(&files.key, error.to_string()))?;
    let key =
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                CertificateError::Mismatch { chain: files.chain.clone(), key: files.key.clone() }
            }
            other => file(&files.key, other.to_string()),
        })?;
    Ok(Shown { chain: files.chain.clone(), names, key: Arc::new(key) })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn write(directory: &Path, stem: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let files = CertificateFiles {
            chain: directory.join(format!("{stem}.crt")),
            key: directory.join(format!("{stem}.key")),
        };
        fs::write(&files.chain, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn the_certificate_of_the_name_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let first = write(directory.path(), "first", &["a.example.com"]);
        let second = write(directory.path(), "second", &["b.example.com", "*.wild.example.com"]);
        let certificates = Certificates::open(vec![first, second]).unwrap();
        let which = |name: Option<&str>| {
            let shown = certificates.shown_to(name).unwrap();
            certificates.shown.current().iter().position(|one| Arc::ptr_eq(&one.key, &shown)).unwrap()
        };
        for (name, expected) in [
            (None, 0),
            (Some("a.example.com"), 0),
            (Some("B.example.com"), 1),
            (Some("x.wild.example.com"), 1),
            (Some("x.y.wild.example.com"), 0),
            (Some("wild.example.com"), 0),
            (Some("elsewhere.example.net"), 0),
        ] {
            assert_eq!(which(name), expected, "{name:?}");
        }
    }

    #[test]
    fn faults_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let good = write(directory.path(), "good", &["a.example.com"]);
        let other = write(directory.path(), "other", &["a.example.com"]);
        let path = |name: &str| directory.path().join(name);
        fs::write(path("empty"), "").unwrap();
        fs::write(path("nonsense"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        let error = |chain: &Path, key: &Path| {
            let files = CertificateFiles { chain: chain.into(), key: key.into() };
            Certificates::open(vec![files]).unwrap_err().to_string()
        };
        assert!(error(&path("absent"), &good.key).contains("absent: "));
        assert!(error(&path("empty"), &good.key).contains("empty: no certificate"));
        assert!(error(&path("nonsense"), &good.key).contains("nonsense: its first certificate"));
        assert!(error(&good.chain, &path("empty")).contains("empty: "));
        assert!(error(&good.chain, &other.key).contains("is not the key of"));
    }

    #[test]
    fn faulty_files_leave_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let files = write(directory.path(), "one", &["a.example.com"]);
        let certificates = Certificates::open(vec![files.clone()]).unwrap();
        let before = certificates.shown_to(None).unwrap();
        assert!(!certificates.reload().unwrap());
        fs::write(&files.chain, "").unwrap();
        // Whatever the file system's clock can tell apart.
        let later = SystemTime::now() + Duration::from_secs(10);
        fs::File::options().write(true).open(&files.chain).unwrap().set_modified(later).unwrap();
        certificates.reload().unwrap_err();
        assert!(Arc::ptr_eq(&before, &certificates.shown_to(None).unwrap()));
        assert!(!certificates.reload().unwrap(), "said once");
        write(directory.path(), "one", &["a.example.com"]);
        assert!(certificates.reload().unwrap());
        assert!(!Arc::ptr_eq(&before, &certificates.shown_to(None).unwrap()));
    }
}
