//! Header fields that an application adds to messages the core writes.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::{HeaderName, is_token};
use crate::limits;

/// Header fields of an application's, in order. None of them is one that the core writes, and none can end its line:
/// what is here can be added to any message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(SmolStr, SmolStr)>);

/// Why a header field cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// No field has such a name (RFC 3261 §25.1: a token).
    #[error("{0:?} is no name of a header field")]
    Name(SmolStr),
    /// The core writes it where it belongs.
    #[error("{0} is not the application's to write")]
    Reserved(HeaderName),
    /// A CR, LF or other control character, which would end the field or make another.
    #[error("{name} has a control character at byte {at}")]
    Control {
        /// The field.
        name: SmolStr,
        /// Where in its value.
        at: usize,
    },
    /// [`limits::ADDED_FIELDS`] are there.
    #[error("{0} is one header field too many")]
    TooMany(SmolStr),
    /// [`limits::ADDED_BYTES`] would be exceeded.
    #[error("with {0} the added header fields are too large")]
    TooLarge(SmolStr),
}

impl Fields {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one. A name may come several times.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        let known = check(name, value)?;
        if is_reserved(known) {
            return Err(FieldError::Reserved(known));
        }
        if self.0.len() >= limits::ADDED_FIELDS {
            return Err(FieldError::TooMany(name.into()));
        }
        let bytes: usize = self.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes + name.len() + value.len() > limits::ADDED_BYTES {
            return Err(FieldError::TooLarge(name.into()));
        }
        self.0.push((name.into(), value.into()));
        Ok(())
    }

    /// The same, to write several in a row.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, FieldError> {
        self.add(name, value)?;
        Ok(self)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of this name is there, in whatever spelling.
    pub fn has(&self, name: HeaderName) -> bool {
        self.iter().any(|(other, _)| HeaderName::from_bytes(other.as_bytes()) == name)
    }

    /// Adds one of the core's own making.
    pub(crate) fn push(&mut self, name: HeaderName, value: SmolStr) {
        self.0.push((SmolStr::new_static(name.as_str()), value));
    }

    /// Adds those of another command, which were to go in the same message.
    pub(crate) fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn into_pairs(self) -> Vec<(SmolStr, SmolStr)> {
        self.0
    }
}

/// Whether a field can stand in a message, and which one it is.
pub(crate) fn check(name: &str, value: &str) -> Result<HeaderName, FieldError> {
    if !is_token(name) {
        return Err(FieldError::Name(name.into()));
    }
    // TEXT-UTF8-TRIM (§25.1) has no control characters; a tab is white space.
    match value.bytes().position(|byte| byte.is_ascii_control() && byte != b'\t') {
        Some(at) => Err(FieldError::Control { name: name.into(), at }),
        None => Ok(HeaderName::from_bytes(name.as_bytes())),
    }
}

/// What routes a message, names its dialog and transaction, frames its body or proves who sends it: in every message the core
/// alone writes it.
pub(crate) const fn is_the_cores(name: HeaderName) -> bool {
    use HeaderName as H;
    matches!(
        name,
        H::Via
            | H::From
            | H::To
            | H::CallId
            | H::CSeq
            | H::Contact
            | H::MaxForwards
            | H::Route
            | H::RecordRoute
            | H::ContentLength
            | H::ContentType
            | H::Authorization
            | H::ProxyAuthorization
            | H::UserAgent
    )
}

/// That, and what agrees upon extensions or says what a message of the core's is about. With another value the other side would
/// understand what the core does not mean.
const fn is_reserved(name: HeaderName) -> bool {
    use HeaderName as H;
    is_the_cores(name)
        || matches!(
            name,
            H::Path
                | H::ServiceRoute
                | H::MaxBreadth
                | H::ContentEncoding
                | H::ContentDisposition
                | H::Accept
                | H::AcceptEncoding
                | H::Allow
                | H::AllowEvents
                | H::WwwAuthenticate
                | H::ProxyAuthenticate
                | H::AuthenticationInfo
                | H::Require
                | H::ProxyRequire
                | H::Supported
                | H::Unsupported
                | H::Server
                | H::Timestamp
                | H::Event
                | H::SubscriptionState
                | H::SipEtag
                | H::SipIfMatch
                | H::MinExpires
                | H::FlowTimer
                | H::SessionExpires
                | H::MinSe
                | H::SessionId
                | H::RSeq
                | H::RAck
                | H::ReferTo
                | H::ReferSub
                | H::ReferredBy
                | H::Replaces
                | H::Join
                | H::TargetDialog
                | H::InfoPackage
                | H::RecvInfo
        )
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn rfc3261_25_1_nothing_ends_its_line() {
        let mut fields = Fields::new();
        for (value, at) in [("a\r\nVia: x", 1), ("\n", 0), ("x\0", 1), ("\u{7f}", 0), ("ab\u{1b}", 2)] {
            assert_eq!(fields.add("X-Note", value), Err(FieldError::Control { name: "X-Note".into(), at }));
        }
        for name in ["", "X Note", "X:", "X\r\n", "X-Nöte"] {
            assert_eq!(fields.add(name, "x"), Err(FieldError::Name(name.into())), "{name:?}");
        }
        assert!(fields.is_empty());
        fields.add("X-Note", "grüße\taus \"Köln\"").unwrap();
        assert_eq!(fields.iter().next(), Some(("X-Note", "grüße\taus \"Köln\"")));
    }

    #[test]
    fn what_the_core_writes_is_refused_by_name_in_every_spelling() {
        let mut fields = Fields::new();
        for name in ["Via", "v", "VIA", "f", "to", "Call-Id", "cseq", "m", "Route", "l", "Require", "k", "x"]
        {
            let known = HeaderName::from_bytes(name.as_bytes());
            let error = fields.add(name, "x").unwrap_err();
            assert_eq!(error, FieldError::Reserved(known));
            assert!(error.to_string().starts_with(known.as_str()), "{error}");
        }
        for name in ["Subject", "s", "Reason", "X-Call", "Priority", "Reply-To", "Accept-Contact", "Expires"]
        {
            fields.add(name, "x").unwrap();
        }
        assert!(fields.has(HeaderName::Subject) && !fields.has(HeaderName::Via));
    }

    #[test]
    fn caps() {
        let mut fields = Fields::new();
        for _ in 0..limits::ADDED_FIELDS {
            fields.add("X-Note", "x").unwrap();
        }
        assert_eq!(fields.add("X-More", "x"), Err(FieldError::TooMany("X-More".into())));
        let large = "x".repeat(limits::ADDED_BYTES);
        assert_eq!(Fields::new().add("X-Large", &large), Err(FieldError::TooLarge("X-Large".into())));
        assert!(Fields::new().add("X-Large", &large[..limits::ADDED_BYTES - 7]).is_ok());
    }
}
