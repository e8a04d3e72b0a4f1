//! Bearer tokens (RFC 8898): challenges, and the tokens a client has.

use core::fmt;

use smol_str::SmolStr;

use super::Authority;
use crate::message::typed::{AuthValue, TypedHeader as _, WwwAuthenticate};

/// A challenge that wants a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerChallenge {
    /// Who challenges.
    pub authority: Authority,
    /// Where the token is to be valid.
    pub realm: SmolStr,
    /// `https` URI of the authorization server that gives tokens (§4).
    pub authz_server: Option<SmolStr>,
    /// What the token must at least be good for, separated by spaces.
    pub scope: Option<SmolStr>,
    /// Why the one before was refused: `invalid_token`, `invalid_scope`.
    pub error: Option<SmolStr>,
}

impl BearerChallenge {
    /// Reads a WWW-Authenticate or Proxy-Authenticate value. `None` if it is another scheme's, or malformed, or has no
    /// realm: then nobody knows what the token is for.
    pub fn parse(authority: Authority, value: &str) -> Option<Self> {
        // Both header fields have the same values.
        let WwwAuthenticate(value) = WwwAuthenticate::parse(value).ok()?;
        let text = |value: &AuthValue<'_>, name| value.text(name).map(|text| SmolStr::from(text.as_ref()));
        if !value.scheme().eq_ignore_ascii_case("Bearer") {
            return None;
        }
        Some(Self {
            authority,
            realm: text(&value, "realm")?,
            authz_server: text(&value, "authz_server"),
            scope: text(&value, "scope"),
            error: text(&value, "error"),
        })
    }
}

/// A token, and where it is shown.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) authority: Authority,
    pub(super) realm: SmolStr,
    /// As a digest session's.
    pub(super) scope: Option<SmolStr>,
    pub(super) value: SmolStr,
}

/// `b64token` of RFC 6750 §2.1: nothing in it can end the header field it stands in.
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// Without the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("realm", &self.realm).finish_non_exhaustive()
    }
}
