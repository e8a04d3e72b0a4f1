//! Authorization and Proxy-Authorization (RFC 3261 §20.7, §20.28).

use core::fmt;

use smol_str::SmolStr;

use super::algorithm::{Subject, parse_algorithm, suffix};
use super::params::{Params, ParseError, Quoted};
use super::{Algorithm, HexDigest, Qop};

/// What a client says to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Who it says it is.
    pub username: SmolStr,
    /// Where.
    pub realm: SmolStr,
    /// The nonce it was challenged with.
    pub nonce: SmolStr,
    /// What it believed the Request-URI to be.
    pub uri: SmolStr,
    /// The proof: hexadecimal digits, as many as the algorithm makes, or anything else from someone who cannot
    /// prove it; empty from a client that was not challenged yet and only tells its name (RFC 8760 §2.7).
    pub response: SmolStr,
    /// The algorithm; MD5 when none is named.
    pub algorithm: Algorithm,
    /// Whether it is used with `-sess`.
    pub session: bool,
    /// What `qop` adds. `None`: no qop, as in RFC 2069.
    pub protection: Option<Protection>,
    /// What the challenge had.
    pub opaque: Option<SmolStr>,
    /// The user name is the hash of user name and realm (RFC 7616 §3.4.4).
    pub userhash: bool,
}

/// The parameters that come with `qop` (RFC 7616 §3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// What is protected.
    pub qop: Qop,
    /// How often the nonce was used, this time included.
    pub nonce_count: u32,
    /// The client's own nonce.
    pub cnonce: SmolStr,
}

impl Credentials {
    /// Reads a header field's value.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        let params = Params::parse(value)?;
        let (algorithm, session) =
            parse_algorithm(params.get("algorithm")).ok_or(ParseError::Unsupported("algorithm"))?;
        Ok(Self {
            username: params.required("username")?.into(),
            realm: params.required("realm")?.into(),
            nonce: params.required("nonce")?.into(),
            uri: params.required("uri")?.into(),
            response: params.required("response")?.into(),
            algorithm,
            session,
            protection: Protection::read(&params)?,
            opaque: params.get("opaque").map(SmolStr::from),
            userhash: params.get("userhash").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// The digest these credentials must have, for someone with this `H(A1)` and in a request of this method with
    /// this body.
    pub(super) fn digest(&self, ha1: &HexDigest, method: &str, body: &[u8]) -> HexDigest {
        let Self { algorithm, nonce, uri, protection, .. } = self;
        let nc = protection.as_ref().map(|p| alloc::format!("{:08x}", p.nonce_count));
        let protection = protection.as_ref().zip(nc.as_deref());
        let protection = protection.map(|(p, nc)| (nc, p.cnonce.as_str(), p.qop));
        algorithm.response(ha1, &Subject { nonce, protection, method, uri, body })
    }
}

#[cfg(test)]
impl Credentials {
    /// The response these would have with this password.
    pub(crate) fn expected(&self, password: &str, method: &str, body: &[u8]) -> SmolStr {
        let ha1 = self.algorithm.ha1(&self.username, &self.realm, password);
        self.digest(&ha1, method, body).as_str().into()
    }
}

impl Protection {
    fn read(params: &Params<'_>) -> Result<Option<Self>, ParseError> {
        let qop = match params.get("qop") {
            None | Some("") => return Ok(None),
            Some(qop) => Qop::from_token(qop).ok_or(ParseError::Unsupported("qop"))?,
        };
        let nc = params.required("nc")?;
        // nc-value = 8LHEX. Anything else would be another text in the digest than the number printed.
        if nc.len() != 8 || !nc.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ParseError::Invalid("nc"));
        }
        let nonce_count = u32::from_str_radix(nc, 16).map_err(|_| ParseError::Invalid("nc"))?;
        Ok(Some(Self { qop, nonce_count, cnonce: params.required("cnonce")?.into() }))
    }
}

/// The header field's value.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}, realm={}", Quoted(&self.username), Quoted(&self.realm))?;
        write!(f, ", nonce={}, uri={}", Quoted(&self.nonce), Quoted(&self.uri))?;
        let (algorithm, suffix) = (self.algorithm.token(), suffix(self.session));
        write!(f, ", response={}, algorithm={algorithm}{suffix}", Quoted(&self.response))?;
        if let Some(Protection { qop, nonce_count, cnonce }) = &self.protection {
            write!(f, ", qop={}, nc={nonce_count:08x}, cnonce={}", qop.token(), Quoted(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if self.userhash {
            f.write_str(", userhash=true")?;
        }
        Ok(())
    }
}
