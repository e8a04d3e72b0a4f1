//! What names a communication session from end to end, whatever stands between (RFC 7989): a UUID of each side.

use core::fmt;

use super::typed::{SessionId, TypedHeader as _};
use super::{HeaderName, Headers, Writer};
use crate::entropy::Entropy;

/// A UUID as Session-ID has it: 32 lower-case hexadecimal digits. The default is the nil UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// Who is not known.
    pub const NIL: Self = Self([0; 16]);

    /// A new one, of version 4 (§4.1, RFC 4122 §4.4).
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Reads one; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }

    /// Whether it is nobody's.
    pub fn is_nil(&self) -> bool {
        *self == Self::NIL
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The session identifier as one side sees it. Shown as the value of its Session-ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionIdentifier {
    /// Ours; nil: we say nothing.
    pub local: Uuid,
    /// The other side's; nil while it is not known.
    pub remote: Uuid,
    /// The other side is of RFC 7329, which knows one UUID for both (§11).
    shared: bool,
}

impl SessionIdentifier {
    /// A session whose other side is not known.
    pub const fn new(local: Uuid) -> Self {
        Self { local, remote: Uuid::NIL, shared: false }
    }

    /// Reads the value of a Session-ID of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let field = SessionId::parse(text).ok()?;
        let remote = field.remote.and_then(Uuid::parse);
        let local = Uuid::parse(field.local)?;
        Some(Self { local, remote: remote.unwrap_or_default(), shared: remote.is_none() })
    }

    /// What a message of ours says.
    pub fn of(headers: &Headers) -> Self {
        headers.first(HeaderName::SessionId).and_then(Self::parse).unwrap_or_default()
    }

    /// The session that a request begins, as its receiver sees it: `local` is a new UUID of ours.
    #[must_use]
    pub fn begun_by(request: &Headers, local: Uuid) -> Self {
        match theirs(request) {
            // §11: "one UUID is used to identify this dialog".
            Some((uuid, None)) => Self { local: uuid, remote: Uuid::NIL, shared: true },
            Some((uuid, Some(_))) => Self { local, remote: uuid, shared: false },
            None => Self::new(local),
        }
    }

    /// Takes the UUID of the other side from a message of its (§6, §8). One that has none or a malformed one changes
    /// nothing.
    pub fn heard(&mut self, headers: &Headers) {
        match theirs(headers) {
            // §11: our own UUID, and no more of it.
            Some((uuid, None)) if uuid == self.local => self.shared = true,
            // §11: who repeats what we say does not know better.
            Some((uuid, _)) if uuid != self.local && !self.shared => self.remote = uuid,
            _ => {}
        }
    }

    /// What the response to a request says: "all responses to that request MUST contain the new UUID" (§8), which is
    /// the other side's only once they succeed.
    #[must_use]
    pub fn answering(mut self, request: &Headers) -> Self {
        self.heard(request);
        self
    }

    /// Adds the field, if there is a session.
    pub fn write(self, writer: Writer) -> Writer {
        if self.local.is_nil() { writer } else { writer.header(HeaderName::SessionId, self) }
    }
}

impl fmt::Display for SessionIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local)?;
        if self.shared { Ok(()) } else { write!(f, ";remote={}", self.remote) }
    }
}

/// The sender's UUID in a message, unless it is nil, and what it takes ours for.
fn theirs(headers: &Headers) -> Option<(Uuid, Option<Uuid>)> {
    let field = headers.typed::<SessionId<'_>>().ok()??;
    let local = Uuid::parse(field.local).filter(|uuid| !uuid.is_nil())?;
    Some((local, field.remote.and_then(Uuid::parse)))
}
