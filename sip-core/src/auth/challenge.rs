//! WWW-Authenticate and Proxy-Authenticate (RFC 3261 §20.27, §20.44).

use core::fmt;

use smol_str::SmolStr;

use super::algorithm::{parse_algorithm, suffix};
use super::params::{Params, ParseError, Quoted};
use super::{Algorithm, Qop};

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
    /// Whether it is used with `-sess`: the user's secret goes into one key for the session.
    pub session: bool,
    /// What is to be protected: `auth` where it is offered, for bodies change on the way. `None`: no qop at all, as
    /// in RFC 2069.
    pub qop: Option<Qop>,
    /// The credentials were right but their nonce was too old: try again, ask nobody.
    pub stale: bool,
    /// The user name may be hidden in a hash (RFC 7616 §3.4.4).
    pub userhash: bool,
}

impl Challenge {
    /// The order of preference: the algorithm, then `-sess`.
    pub(super) fn strength(&self) -> (Algorithm, bool) {
        (self.algorithm, self.session)
    }

    /// Reads a header field's value.
    ///
    /// A challenge that can only be ignored (RFC 8760 §2.4) is an error too: [`ParseError::NotDigest`],
    /// [`ParseError::Unsupported`].
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        let params = Params::parse(value)?;
        let (algorithm, session) =
            parse_algorithm(params.get("algorithm")).ok_or(ParseError::Unsupported("algorithm"))?;
        let qop = match params.get("qop") {
            None | Some("") => None,
            Some(options) => {
                let offered = |qop: &Qop| options.split(',').any(|o| Qop::from_token(o.trim()) == Some(*qop));
                let best = [Qop::Auth, Qop::AuthInt].into_iter().find(offered);
                Some(best.ok_or(ParseError::Unsupported("qop"))?)
            }
        };
        // A session key takes a cnonce, which only comes with qop.
        if session && qop.is_none() {
            return Err(ParseError::Missing("qop"));
        }
        let flag = |name| params.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self {
            realm: params.required("realm")?.into(),
            nonce: params.required("nonce")?.into(),
            opaque: params.get("opaque").map(SmolStr::from),
            algorithm,
            session,
            qop,
            // RFC 7616 §3.3: anything but TRUE means FALSE.
            stale: flag("stale"),
            userhash: flag("userhash"),
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
        write!(f, ", algorithm={}{}", self.algorithm.token(), suffix(self.session))?;
        if let Some(qop) = self.qop {
            write!(f, ", qop=\"{}\"", qop.token())?;
        }
        if self.userhash {
            f.write_str(", userhash=true")?;
        }
        Ok(())
    }
}
