//! WWW-Authenticate and Proxy-Authenticate (RFC 3261 §20.27, §20.44).

use core::fmt;

use smol_str::SmolStr;

use super::Algorithm;
use super::params::{Params, ParseError, Quoted};

/// One challenge, as a server gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is wanted.
    pub realm: SmolStr,
    /// To be given back as it is.
    pub nonce: SmolStr,
    /// To be given back as it is.
    pub opaque: Option<SmolStr>,
    /// The algorithm; MD5 when the challenge names none.
    pub algorithm: Algorithm,
    /// Whether `qop=auth` is offered. `false`: no qop at all, as in RFC 2069.
    pub qop_auth: bool,
    /// The credentials were right but their nonce was too old: try again, ask nobody.
    pub stale: bool,
}

impl Challenge {
    /// Reads a header field's value.
    ///
    /// A challenge that can only be ignored (RFC 8760 §2.4) is an error too: [`ParseError::NotDigest`],
    /// [`ParseError::Unsupported`].
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        let params = Params::parse(value)?;
        let algorithm = match params.get("algorithm") {
            None => Algorithm::Md5,
            Some(token) => Algorithm::from_token(token).ok_or(ParseError::Unsupported("algorithm"))?,
        };
        let qop_auth = match params.get("qop") {
            None | Some("") => false,
            Some(options) if options.split(',').any(|o| o.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(ParseError::Unsupported("qop")),
        };
        Ok(Self {
            realm: params.required("realm")?.into(),
            nonce: params.required("nonce")?.into(),
            opaque: params.get("opaque").map(SmolStr::from),
            algorithm,
            qop_auth,
            // RFC 7616 §3.3: anything but TRUE means FALSE.
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

/// The header field's value.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", Quoted(&self.realm), Quoted(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm.token())?;
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        Ok(())
    }
}
