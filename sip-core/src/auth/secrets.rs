//! What is kept of a user instead of the password.

use core::fmt;

use alloc::vec::Vec;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use smol_str::SmolStr;

use super::{Algorithm, HexDigest};

/// The HA1 of one user in one realm, one per algorithm; never the password.
///
/// Keep it as safe as a password: whoever has an HA1 can authenticate in its realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    username: SmolStr,
    realm: SmolStr,
    ha1s: Vec<(Algorithm, HexDigest)>,
}

/// An HA1 that is not as many hexadecimal digits as its algorithm makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an HA1 for {} has {} hexadecimal digits", .0.token(), .0.hex_len())]
pub struct InvalidHa1(pub Algorithm);

impl Secrets {
    /// The secrets of a user for every known algorithm.
    pub fn from_password(username: &str, realm: &str, password: &str) -> Self {
        let ha1s = Algorithm::ALL.map(|algorithm| (algorithm, algorithm.ha1(username, realm, password)));
        Self { username: username.into(), realm: realm.into(), ha1s: ha1s.into() }
    }

    /// Secrets that were kept: what [`Self::ha1s`] gave, in any order. The later of two for one algorithm wins.
    pub fn from_ha1s<'a>(
        username: &str,
        realm: &str,
        ha1s: impl IntoIterator<Item = (Algorithm, &'a str)>,
    ) -> Result<Self, InvalidHa1> {
        let mut secrets = Self { username: username.into(), realm: realm.into(), ha1s: Vec::new() };
        for (algorithm, text) in ha1s {
            let ha1 = HexDigest::parse(algorithm, text).ok_or(InvalidHa1(algorithm))?;
            secrets.ha1s.retain(|(known, _)| *known != algorithm);
            secrets.ha1s.push((algorithm, ha1));
        }
        secrets.ha1s.sort_by_key(|(algorithm, _)| *algorithm);
        Ok(secrets)
    }

    /// The digest user name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The realm they hold in.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The HA1 for `algorithm`, if there is one.
    pub fn ha1(&self, algorithm: Algorithm) -> Option<&HexDigest> {
        self.ha1s.iter().find(|(known, _)| *known == algorithm).map(|(_, ha1)| ha1)
    }

    /// All of them, weakest algorithm first, to be kept.
    pub fn ha1s(&self) -> impl Iterator<Item = (Algorithm, &str)> {
        self.ha1s.iter().map(|(algorithm, ha1)| (*algorithm, ha1.as_str()))
    }

    /// What tells these secrets from others and says nothing of them to who has not `key`: what was proven with them can be kept
    /// with it.
    pub fn fingerprint(&self, key: &[u8; 32]) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(b"account");
        let mut add = |text: &str| {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        };
        add(&self.username);
        add(&self.realm);
        for (algorithm, ha1) in self.ha1s() {
            add(algorithm.token());
            add(ha1);
        }
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        fingerprint
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}
