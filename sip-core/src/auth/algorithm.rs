//! The hash algorithms of digest and the one computation that both sides share.

use core::fmt;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::ConstantTimeEq;

/// A digest algorithm. They are ordered by strength, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `MD5`: all that many phones know.
    Md5,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512-256`.
    Sha512_256,
}

/// What is protected (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// `auth`: method and Request-URI.
    Auth,
    /// `auth-int`: the body, too. What changes a body on the way breaks it.
    AuthInt,
}

impl Qop {
    /// The value of the `qop` parameter.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// Reads one value.
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| qop.token().eq_ignore_ascii_case(token))
    }
}

/// What a request-digest is made over (RFC 7616 §3.4.1, §3.4.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) nonce: &'a str,
    /// `nc` as it is printed, `cnonce` and `qop`. `None` for a peer that speaks RFC 2069.
    pub(super) protection: Option<(&'a str, &'a str, Qop)>,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

impl Algorithm {
    /// All that are known, weakest first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// The value of the `algorithm` parameter (RFC 8760 §2.7).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
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
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }

    /// The hash of `parts` joined by colons: RFC 7616's `H(a ":" b ":" …)`.
    pub(super) fn hash(self, parts: &[&str]) -> HexDigest {
        match self {
            Self::Md5 => hash_with::<Md5>(parts.iter().map(|part| part.as_bytes())),
            Self::Sha256 => hash_with::<Sha256>(parts.iter().map(|part| part.as_bytes())),
            Self::Sha512_256 => hash_with::<Sha512_256>(parts.iter().map(|part| part.as_bytes())),
        }
    }

    fn hash_body(self, body: &[u8]) -> HexDigest {
        match self {
            Self::Md5 => hash_with::<Md5>([body]),
            Self::Sha256 => hash_with::<Sha256>([body]),
            Self::Sha512_256 => hash_with::<Sha512_256>([body]),
        }
    }

    /// `H(A1)` for a user (RFC 7616 §3.4.2), without `-sess`.
    pub(super) fn ha1(self, username: &str, realm: &str, password: &str) -> HexDigest {
        self.hash(&[username, realm, password])
    }

    /// `H(A1)` of one session: what `-sess` makes of the other (RFC 7616 §3.4.2).
    pub(super) fn session_ha1(self, ha1: &HexDigest, nonce: &str, cnonce: &str) -> HexDigest {
        self.hash(&[ha1.as_str(), nonce, cnonce])
    }

    /// The request-digest (RFC 7616 §3.4.1).
    pub(super) fn response(self, ha1: &HexDigest, subject: &Subject<'_>) -> HexDigest {
        let Subject { nonce, protection, method, uri, body } = *subject;
        let ha2 = match protection {
            Some((_, _, Qop::AuthInt)) => self.hash(&[method, uri, self.hash_body(body).as_str()]),
            _ => self.hash(&[method, uri]),
        };
        match protection {
            Some((nc, cnonce, qop)) => {
                self.hash(&[ha1.as_str(), nonce, nc, cnonce, qop.token(), ha2.as_str()])
            }
            None => self.hash(&[ha1.as_str(), nonce, ha2.as_str()]),
        }
    }
}

/// An `algorithm` parameter in any case; the flag is `-sess` (RFC 7616 §3.3).
pub(super) fn parse_algorithm(token: Option<&str>) -> Option<(Algorithm, bool)> {
    let Some(token) = token else { return Some((Algorithm::Md5, false)) };
    let cut = token.len().checked_sub(5).filter(|at| token.is_char_boundary(*at));
    let (name, session) = match cut.map(|at| token.split_at(at)) {
        Some((name, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (name, true),
        _ => (token, false),
    };
    Some((Algorithm::from_token(name)?, session))
}

/// What `-sess` is printed as.
pub(super) const fn suffix(session: bool) -> &'static str {
    if session { "-sess" } else { "" }
}

fn hash_with<'a, D: Digest>(parts: impl IntoIterator<Item = &'a [u8]>) -> HexDigest {
    let mut hasher = D::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
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
