//! The hash algorithms of digest and the one computation that both sides share.

use core::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A digest algorithm. They are ordered by strength, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `MD5`: all that many phones know.
    Md5,
    /// `SHA-256`.
    Sha256,
}

impl Algorithm {
    /// All that are known, weakest first.
    pub const ALL: [Self; 2] = [Self::Md5, Self::Sha256];

    /// The value of the `algorithm` parameter (RFC 8760 §2.7).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Reads an `algorithm` parameter, in any case.
    pub fn from_token(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.token().eq_ignore_ascii_case(token))
    }

    /// Hexadecimal digits in a digest of this algorithm (RFC 8760 §2.2).
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }

    /// The hash of `parts` joined by colons: RFC 7616's `H(a ":" b ":" …)`.
    pub(super) fn hash(self, parts: &[&str]) -> HexDigest {
        match self {
            Self::Md5 => hash_with::<Md5>(parts),
            Self::Sha256 => hash_with::<Sha256>(parts),
        }
    }

    /// `H(A1)` for a user (RFC 7616 §3.4.2).
    pub(super) fn ha1(self, username: &str, realm: &str, password: &str) -> HexDigest {
        self.hash(&[username, realm, password])
    }

    /// The request-digest (RFC 7616 §3.4.1). `nc_cnonce` is `None` for a peer that speaks RFC 2069: no qop.
    pub(super) fn response(
        self,
        ha1: &HexDigest,
        nonce: &str,
        nc_cnonce: Option<(&str, &str)>,
        method: &str,
        uri: &str,
    ) -> HexDigest {
        let ha2 = self.hash(&[method, uri]);
        match nc_cnonce {
            Some((nc, cnonce)) => self.hash(&[ha1.as_str(), nonce, nc, cnonce, "auth", ha2.as_str()]),
            None => self.hash(&[ha1.as_str(), nonce, ha2.as_str()]),
        }
    }
}

fn hash_with<D: Digest>(parts: &[&str]) -> HexDigest {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    HexDigest::from_bytes(&hasher.finalize())
}

/// A digest as lower-case hexadecimal text. Compared in constant time; never shown by `Debug`, since an HA1 is as
/// good as a password.
#[derive(Clone, Copy)]
pub struct HexDigest {
    digits: [u8; Self::MAX],
    len: u8,
}

impl HexDigest {
    const MAX: usize = 64;

    fn from_bytes(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = Self { digits: [b'0'; Self::MAX], len: 0 };
        for (pair, byte) in out.digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
            out.len += 2;
        }
        out
    }

    /// Reads the digits of a digest made with `algorithm`, in either case.
    pub fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let len = algorithm.hex_len();
        if text.len() != len || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut out = Self { digits: [b'0'; Self::MAX], len: 0 };
        for (digit, byte) in out.digits.iter_mut().zip(text.bytes()) {
            *digit = byte.to_ascii_lowercase();
            out.len += 1;
        }
        Some(out)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        // Only hexadecimal digits are ever written into `digits`, so this is never the empty default.
        core::str::from_utf8(&self.digits[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl PartialEq for HexDigest {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && bool::from(self.digits.ct_eq(&other.digits))
    }
}

impl Eq for HexDigest {}

impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HexDigest(…)")
    }
}
