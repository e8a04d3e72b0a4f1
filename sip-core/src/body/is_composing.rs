//! Somebody is writing (RFC 3994), `application/im-iscomposing+xml`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::xml::{Element, XmlError};
use super::{keywords, number};

/// The namespace.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:im-iscomposing";

keywords! {
    /// Whether somebody writes (§3.2).
    Composing {
        /// Yes.
        Active "active",
        /// No; also what anything unknown means.
        Idle "idle",
    }
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsComposing {
    /// Whether somebody writes.
    pub state: Composing,
    /// When the last message was sent or key pressed, as written (RFC 3339).
    pub last_active: Option<String>,
    /// The media type being written, `text/plain` if absent.
    pub content_type: Option<String>,
    /// Seconds until the writer tells again; past it, and without it past 120, the state is idle (§3.3).
    pub refresh: Option<u32>,
    /// Elements of other namespaces.
    pub extensions: Vec<Element>,
}

impl IsComposing {
    /// A state and nothing else.
    pub const fn new(state: Composing) -> Self {
        Self { state, last_active: None, content_type: None, refresh: None, extensions: Vec::new() }
    }

    /// Parses a document.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let root = Element::parse_as(document, NAMESPACE, "isComposing")?;
        let state = root.text_of("state").ok_or(XmlError::VALUE)?;
        Ok(Self {
            state: Composing::parse(&state).unwrap_or(Composing::Idle),
            last_active: root.text_of("lastactive"),
            content_type: root.text_of("contenttype"),
            refresh: root.text_of("refresh").as_deref().and_then(number),
            extensions: root.extensions(&["state", "lastactive", "contenttype", "refresh"]),
        })
    }
}

/// Prints the document.
impl Display for IsComposing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new = |local| Element::new(NAMESPACE, local);
        let text = |local, text: &Option<String>| text.as_ref().map(|text| new(local).with_text(text));
        new("isComposing")
            .with_child(new("state").with_text(self.state.as_str()))
            .with_children(text("lastactive", &self.last_active))
            .with_children(text("contenttype", &self.content_type))
            .with_children(self.refresh.map(|seconds| new("refresh").with_text(seconds.to_string())))
            .with_children(self.extensions.iter().cloned())
            .fmt(f)
    }
}
