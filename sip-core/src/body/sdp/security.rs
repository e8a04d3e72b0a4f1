//! Keys: `fingerprint` and `setup` (RFC 8122, RFC 4145, RFC 8842), `tls-id` (RFC 8842), `crypto` (RFC 4568).

use core::fmt::{self, Display};

use super::Attribute;
use super::attribute::{first_number, first_word, single};

/// `a=fingerprint`: the hash of the certificate a DTLS or TLS side will show (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// `sha-256`, …, in any case.
    pub hash: &'a str,
    /// Pairs of hexadecimal digits, parted by colons.
    pub digest: &'a str,
}

impl<'a> Fingerprint<'a> {
    /// The digest's bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.digest.split(':').filter_map(|pair| u8::from_str_radix(pair, 16).ok())
    }

    /// Whether this is the fingerprint of a certificate whose hash is `digest`.
    pub fn matches(&self, hash: &str, digest: &[u8]) -> bool {
        self.hash.eq_ignore_ascii_case(hash) && self.bytes().eq(digest.iter().copied())
    }
}

impl<'v> Attribute<'v> for Fingerprint<'v> {
    const NAME: &'static str = "fingerprint";

    fn parse(value: &'v str) -> Option<Self> {
        let (hash, digest) = first_word(value)?;
        let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        digest.split(':').all(is_pair).then_some(Self { hash, digest })
    }
}

impl Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.hash, self.digest)
    }
}

/// `a=setup`: who opens the connection (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer opens it.
    Active,
    /// The writer waits.
    Passive,
    /// Either; an offer's.
    ActPass,
    /// Neither, for now.
    HoldConn,
}

impl Setup {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

impl<'v> Attribute<'v> for Setup {
    const NAME: &'static str = "setup";

    fn parse(value: &'v str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::ActPass, Self::HoldConn]
            .into_iter()
            .find(|setup| value.trim_matches(' ').eq_ignore_ascii_case(setup.as_str()))
    }
}

impl Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

single! {
    /// `a=tls-id`: one DTLS association; another one means a new association (RFC 8842 §4).
    TlsId "tls-id"
}

/// `a=crypto`: an SRTP key in the description itself (RFC 4568 §9.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// Tells the offer's lines apart; the answer repeats it.
    pub tag: u32,
    /// `AES_CM_128_HMAC_SHA1_80`, …
    pub suite: &'a str,
    /// `inline:` and key, lifetime and MKI; several are parted by semicolons.
    pub key_params: &'a str,
    /// `UNENCRYPTED_SRTCP`, `KDR=…`, … as they stand.
    pub session_params: &'a str,
}

impl<'a> Crypto<'a> {
    /// Key and salt in base64, of the first key, without lifetime and MKI.
    pub fn key_salt(&self) -> Option<&'a str> {
        let first = self.key_params.split(';').next()?;
        first.strip_prefix("inline:")?.split('|').next()
    }
}

impl<'v> Attribute<'v> for Crypto<'v> {
    const NAME: &'static str = "crypto";

    fn parse(value: &'v str) -> Option<Self> {
        let (tag, rest) = first_number(value)?;
        let (suite, rest) = first_word(rest)?;
        let (key_params, session_params) = first_word(rest)?;
        key_params.contains(':').then_some(Self { tag, suite, key_params, session_params })
    }
}

impl Display for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.tag, self.suite, self.key_params)?;
        super::attribute::words(f, "", self.session_params)
    }
}

/// Without the key: this ends up in logs.
impl fmt::Debug for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto").field("tag", &self.tag).field("suite", &self.suite).finish_non_exhaustive()
    }
}
