//! Presence (RFC 3863), `application/pidf+xml`.
//!
//! Rich presence, location and other extensions stay [`Element`]s, and are printed again.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::keywords;
use super::xml::{Element, Name, XmlError};

/// The namespace.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:pidf";

keywords! {
    /// Whether somebody can be reached (§4.1.4).
    Basic {
        /// Ready for messages.
        Open "open",
        /// Not.
        Closed "closed",
    }
}

/// A presence document (§4.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whose presence: a `pres:` or `sip:` URI.
    pub entity: String,
    /// The tuples, one for each way to be reached.
    pub tuples: Vec<Tuple>,
    /// Words about all of it.
    pub notes: Vec<Note>,
    /// Elements of other namespaces: persons and devices (RFC 4479), for one.
    pub extensions: Vec<Element>,
}

/// One way to be reached (§4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// Tells the tuples of a document apart.
    pub id: String,
    /// The basic status, which may be absent.
    pub basic: Option<Basic>,
    /// Other elements inside `status`.
    pub status: Vec<Element>,
    /// Elements of other namespaces: service capabilities, activities, …
    pub extensions: Vec<Element>,
    /// Where.
    pub contact: Option<Contact>,
    /// Words about it.
    pub notes: Vec<Note>,
    /// When it changed, as written (RFC 3339).
    pub timestamp: Option<String>,
}

/// `contact` (§4.1.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The URI.
    pub uri: String,
    /// Between 0 and 1, three decimals, as written; more is better.
    pub priority: Option<String>,
}

/// `note` (§4.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// `xml:lang`.
    pub language: Option<String>,
    /// The words.
    pub text: String,
}

impl Presence {
    /// Parses a document.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let root = Element::parse_as(document, NAMESPACE, "presence")?;
        Ok(Self {
            entity: root.attribute("entity").ok_or(XmlError::VALUE)?.into(),
            tuples: root.own("tuple").map(Tuple::read).collect::<Result<_, _>>()?,
            notes: notes(&root),
            extensions: root.extensions(&["tuple", "note"]),
        })
    }

    /// Whether any tuple is open.
    pub fn is_open(&self) -> bool {
        self.tuples.iter().any(|tuple| tuple.basic == Some(Basic::Open))
    }
}

/// Prints the document.
impl Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Element::new(NAMESPACE, "presence")
            .with("entity", &*self.entity)
            .with_children(self.tuples.iter().map(Tuple::element))
            .with_children(self.notes.iter().map(Note::element))
            .with_children(self.extensions.iter().cloned())
            .fmt(f)
    }
}

impl Tuple {
    fn read(element: &Element) -> Result<Self, XmlError> {
        let status = element.own("status").next().ok_or(XmlError::VALUE)?;
        let basic = match status.text_of("basic") {
            Some(word) => Some(Basic::parse(&word).ok_or(XmlError::VALUE)?),
            None => None,
        };
        let contact = element.own("contact").next();
        Ok(Self {
            id: element.attribute("id").ok_or(XmlError::VALUE)?.into(),
            basic,
            status: status.extensions(&["basic"]),
            extensions: element.extensions(&["status", "contact", "note", "timestamp"]),
            contact: contact.map(|contact| Contact {
                uri: contact.text(),
                priority: contact.attribute("priority").map(Into::into),
            }),
            notes: notes(element),
            timestamp: element.text_of("timestamp"),
        })
    }

    fn element(&self) -> Element {
        let new = |local| Element::new(NAMESPACE, local);
        let basic = self.basic.map(|basic| new("basic").with_text(basic.as_str()));
        let status = new("status").with_children(basic).with_children(self.status.iter().cloned());
        let contact = self.contact.as_ref().map(|contact| {
            new("contact").with_some("priority", contact.priority.as_deref()).with_text(&contact.uri)
        });
        // The order of the schema (§4.4).
        new("tuple")
            .with("id", &*self.id)
            .with_child(status)
            .with_children(self.extensions.iter().cloned())
            .with_children(contact)
            .with_children(self.notes.iter().map(Note::element))
            .with_children(self.timestamp.as_ref().map(|time| new("timestamp").with_text(time)))
    }
}

impl Note {
    fn element(&self) -> Element {
        let mut element = Element::new(NAMESPACE, "note").with_text(&self.text);
        if let Some(language) = &self.language {
            element.attributes.push((Name::new(Name::XML, "lang"), language.clone()));
        }
        element
    }
}

fn notes(element: &Element) -> Vec<Note> {
    let note = |note: &Element| Note { language: note.language().map(Into::into), text: note.text() };
    element.own("note").map(note).collect()
}
