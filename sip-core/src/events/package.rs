//! Event packages: what is watched, in which documents, and whether a SUBSCRIBE may fork (RFC 6665 §5.4).

use alloc::borrow::Cow;
use alloc::string::ToString;
use core::fmt;

use smol_str::SmolStr;

use crate::body::dialog_info::DialogInfo;
use crate::body::message_summary::MessageSummary;
use crate::body::pidf::Presence;
use crate::body::reginfo::RegInfo;
use crate::body::sipfrag::SipFrag;
use crate::body::xml::XmlError;
use crate::body::{BodyError, Content};
use crate::message::typed::Event;

/// An event package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    /// Whether somebody can be reached (RFC 3856).
    Presence,
    /// Somebody's calls (RFC 4235).
    Dialog,
    /// Somebody's registrations (RFC 3680).
    Reg,
    /// A mailbox (RFC 3842).
    MessageSummary,
    /// What becomes of a REFER (RFC 3515).
    Refer,
    /// Another one, by name.
    Other(SmolStr),
}

impl Package {
    /// Reads an event type. Names compare byte for byte (RFC 6665 §8.2.1).
    pub fn from_token(token: &str) -> Self {
        match token {
            "presence" => Self::Presence,
            "dialog" => Self::Dialog,
            "reg" => Self::Reg,
            "message-summary" => Self::MessageSummary,
            "refer" => Self::Refer,
            other => Self::Other(other.into()),
        }
    }

    /// The event type.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Presence => "presence",
            Self::Dialog => "dialog",
            Self::Reg => "reg",
            Self::MessageSummary => "message-summary",
            Self::Refer => "refer",
            Self::Other(name) => name,
        }
    }

    /// The media type of its documents; `None`: the package is not known here, and any may come.
    pub const fn media_type(&self) -> Option<&'static str> {
        match self {
            Self::Presence => Some("application/pidf+xml"),
            Self::Dialog => Some("application/dialog-info+xml"),
            Self::Reg => Some("application/reginfo+xml"),
            Self::MessageSummary => Some("application/simple-message-summary"),
            Self::Refer => Some("message/sipfrag"),
            Self::Other(_) => None,
        }
    }

    /// Whether one SUBSCRIBE may make several subscriptions: RFC 4235 §3.9, 3842 §3.10 and 3515 §3.9 say so, RFC 3856
    /// §6.9 and 3680 §4.9 forbid it.
    pub const fn forks(&self) -> bool {
        !matches!(self, Self::Presence | Self::Reg)
    }

    /// Seconds to subscribe for where nothing else is asked: an hour is each package's own default, save reg's
    /// (RFC 3680 §4.4), which is slightly more than a registration's.
    pub const fn default_expires(&self) -> u32 {
        match self {
            Self::Reg => 3761,
            _ => 3600,
        }
    }
}

/// What one subscription is about: a package, and the `id` that tells it from others in its dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName {
    /// The package.
    pub package: Package,
    /// `id`.
    pub id: Option<SmolStr>,
}

impl EventName {
    /// A package's without an id.
    pub const fn new(package: Package) -> Self {
        Self { package, id: None }
    }

    /// What a field names.
    pub fn of(event: &Event<'_>) -> Self {
        Self { package: Package::from_token(event.kind), id: event.id.map(SmolStr::new) }
    }

    /// RFC 6665 §8.2.1: package and id, byte for byte; nothing else counts.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.package.as_str() == event.kind && self.id.as_deref() == event.id
    }
}

/// As Event has it.
impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.package.as_str())?;
        self.id.as_ref().map_or(Ok(()), |id| write!(f, ";id={id}"))
    }
}

/// A package's document as a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Document<'a> {
    /// RFC 3863.
    Presence(Presence),
    /// RFC 4235.
    Dialog(DialogInfo),
    /// RFC 3680.
    Reg(RegInfo),
    /// RFC 3842.
    MessageSummary(MessageSummary<'a>),
    /// RFC 3420.
    Refer(SipFrag<'a>),
    /// Of a package that is not known here.
    Other(Cow<'a, Content>),
}

/// Why a body is no document of its package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is of another media type.
    #[error("{0} is not what the package has")]
    MediaType(SmolStr),
    /// It is no such XML document.
    #[error("{0}")]
    Xml(XmlError),
    /// It is no such text.
    #[error("{0}")]
    Text(BodyError),
}

impl<'a> Document<'a> {
    /// Reads a body by the package that brought it.
    pub fn parse(package: &Package, content: &'a Content) -> Result<Self, DocumentError> {
        if package.media_type().is_some_and(|media_type| !content.is(media_type)) {
            return Err(DocumentError::MediaType(content.content_type.clone()));
        }
        let body = &content.body;
        let text = DocumentError::Text;
        Ok(match package {
            Package::Presence => Self::Presence(Presence::parse(body).map_err(DocumentError::Xml)?),
            Package::Dialog => Self::Dialog(DialogInfo::parse(body).map_err(DocumentError::Xml)?),
            Package::Reg => Self::Reg(RegInfo::parse(body).map_err(DocumentError::Xml)?),
            Package::MessageSummary => Self::MessageSummary(MessageSummary::parse(body).map_err(text)?),
            Package::Refer => Self::Refer(SipFrag::parse(body).map_err(text)?),
            Package::Other(_) => Self::Other(Cow::Borrowed(content)),
        })
    }

    /// Writes the body.
    pub fn content(&self) -> Content {
        let (package, text) = match self {
            Self::Presence(presence) => (Package::Presence, presence.to_string()),
            Self::Dialog(info) => (Package::Dialog, info.to_string()),
            Self::Reg(info) => (Package::Reg, info.to_string()),
            Self::MessageSummary(summary) => (Package::MessageSummary, summary.to_string()),
            Self::Refer(fragment) => {
                // RFC 3515 §2.4.5 asks for the version.
                return Content::new("message/sipfrag;version=2.0", fragment.print());
            }
            Self::Other(content) => return content.clone().into_owned(),
        };
        Content::new(package.media_type().unwrap_or_default(), text.into_bytes())
    }
}
