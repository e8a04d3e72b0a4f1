//! What a call says of us where that is not what the configuration says.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use smol_str::{SmolStr, format_smolstr};

use super::{CallId, Config, UserAgent};
use crate::limits;
use crate::message::{Fields, escape_param, escape_user, quote, unescape};

/// What one call says of us: [`With::presenting`](super::With::presenting). It stays so through the call, whatever is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presentation {
    name: Option<SmolStr>,
    /// Escaped.
    user: Option<SmolStr>,
    /// URI parameters, each with its semicolon.
    contact: SmolStr,
    acks: Fields,
}

/// Why something cannot be said of us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresentationError {
    /// The parameter leads requests to us, or marks our address; the core alone writes it.
    #[error("the URI parameter {0:?} is not the application's to write")]
    Reserved(SmolStr),
    /// A parameter without a name, or one that is there already.
    #[error("{0:?} is no new URI parameter")]
    Parameter(SmolStr),
    /// A From of nobody; `call_anonymously` is for that.
    #[error("there is no user to call as")]
    NoUser,
    /// [`limits::ADDED_BYTES`](crate::limits::ADDED_BYTES) would be exceeded.
    #[error("what is said of us is too large")]
    TooLarge,
}

/// What routes a request, or says what kind of address it is (RFC 3261 §19.1.1, RFC 5626 §5.4, RFC 5627 §3.1.2, §4.2, RFC 3486).
const RESERVED: [&str; 10] =
    ["transport", "lr", "maddr", "ttl", "user", "comp", "method", "gr", "ob", "sigcomp-id"];

impl Presentation {
    /// As the configuration has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Under this display name, in a call of ours. An empty one: under none.
    pub fn named(mut self, name: &str) -> Result<Self, PresentationError> {
        if name.len() > limits::ADDED_BYTES {
            return Err(PresentationError::TooLarge);
        }
        self.name = Some(name.into());
        Ok(self)
    }

    /// As another user of our domain, in a call of ours: of several numbers of an account the one that is shown (RFC 3261
    /// §8.1.1.3). Credentials are the account's all the same, and the server says whether it may.
    pub fn from_user(mut self, user: &str) -> Result<Self, PresentationError> {
        let user = SmolStr::from(escape_user(user));
        if user.is_empty() {
            return Err(PresentationError::NoUser);
        }
        if user.len() > limits::ADDED_BYTES {
            return Err(PresentationError::TooLarge);
        }
        self.user = Some(user);
        Ok(self)
    }

    /// With a parameter in the URI of every Contact, for whoever calls back, or for us to know a request by. What may not stand
    /// in a URI is escaped.
    pub fn contact_param(mut self, name: &str, value: Option<&str>) -> Result<Self, PresentationError> {
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Err(PresentationError::Reserved(name.into()));
        }
        let written = escape_param(name);
        let known = |param: &str| param.split('=').next().is_some_and(|k| k.eq_ignore_ascii_case(&written));
        if written.is_empty() || value.is_some_and(str::is_empty) || self.contact.split(';').any(known) {
            return Err(PresentationError::Parameter(name.into()));
        }
        self.contact = match value {
            Some(value) => format_smolstr!("{};{written}={}", self.contact, escape_param(value)),
            None => format_smolstr!("{};{written}", self.contact),
        };
        match self.contact.len() > limits::ADDED_BYTES {
            true => Err(PresentationError::TooLarge),
            false => Ok(self),
        }
    }

    /// With these header fields in every ACK, and in every PRACK, that goes out by itself.
    #[must_use]
    pub fn in_acks(mut self, fields: Fields) -> Self {
        self.acks = fields;
        self
    }

    /// What a call was presented with whose Contacts had these parameters; `None`: nothing but what the configuration says.
    pub(super) fn kept(params: &str) -> Result<Presenting, PresentationError> {
        let Some(params) = params.strip_prefix(';') else {
            return match params.is_empty() {
                true => Ok(None),
                false => Err(PresentationError::Parameter(params.into())),
            };
        };
        let mut kept = Self::new();
        for param in params.split(';') {
            let (name, value) =
                param.split_once('=').map_or((param, None), |(name, value)| (name, Some(value)));
            kept = kept.contact_param(&unescape(name), value.map(unescape).as_deref())?;
        }
        Ok(Some(kept.into()))
    }

    /// Name and address, as From has them.
    pub(super) fn from(&self, config: &Config) -> String {
        let aor = &config.aor;
        let scheme = aor.as_str().split(':').next().unwrap_or_default();
        let uri = match &self.user {
            Some(user) => format_smolstr!("{scheme}:{user}@{}", aor.domain()),
            None => aor.as_str().into(),
        };
        match self.name.as_ref().or(config.display_name.as_ref()).filter(|name| !name.is_empty()) {
            Some(name) => format!("{} <{uri}>", quote(name)),
            None => format!("<{uri}>"),
        }
    }
}

impl UserAgent {
    /// The parameters of a call's Contacts.
    pub(super) fn contact_params(&self, call: CallId) -> SmolStr {
        let presentation = self.calls.get(&call).and_then(|call| call.presentation.as_ref());
        presentation.map_or_else(SmolStr::default, |found| found.contact.clone())
    }

    /// What its ACKs and PRACKs say beside.
    pub(super) fn ack_fields(&self, call: CallId) -> Fields {
        let presentation = self.calls.get(&call).and_then(|call| call.presentation.as_ref());
        presentation.map_or_else(Fields::new, |found| found.acks.clone())
    }

    /// The command that answers a call may say how.
    pub(super) fn present(&mut self, call: CallId) {
        if let Some(presentation) = self.presenting.take()
            && let Some(call) = self.calls.get_mut(&call)
        {
            call.presentation = Some(presentation);
        }
    }
}

/// Of the configuration, where nothing else is said.
pub(super) fn contact_of(presentation: Option<&Presentation>) -> &str {
    presentation.map_or("", |found| &found.contact)
}

pub(super) type Presenting = Option<Box<Presentation>>;
