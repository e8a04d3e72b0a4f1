//! Registrations (RFC 3680), `application/reginfo+xml`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::dialog_info::Extent;
use super::xml::{Element, XmlError};
use super::{keywords, number};

/// The namespace.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:reginfo";

keywords! {
    /// Where an address-of-record stands (§4.7).
    RegistrationState {
        /// Nobody has registered.
        Init "init",
        /// There are contacts.
        Active "active",
        /// There are none any more.
        Terminated "terminated",
    }
}

keywords! {
    /// Where a contact stands (§4.7).
    ContactState {
        /// Bound.
        Active "active",
        /// Not any more.
        Terminated "terminated",
    }
}

keywords! {
    /// What brought a contact there (§4.7).
    ContactEvent {
        /// A REGISTER.
        Registered "registered",
        /// Somebody other than the user agent.
        Created "created",
        /// A REGISTER again.
        Refreshed "refreshed",
        /// The registrar shortened it; the user agent is to register again.
        Shortened "shortened",
        /// Nobody refreshed it.
        Expired "expired",
        /// The registrar ended it; the user agent is to register again.
        Deactivated "deactivated",
        /// The same, after `retry_after`.
        Probation "probation",
        /// The user agent ended it.
        Unregistered "unregistered",
        /// The registrar ended it for good.
        Rejected "rejected",
    }
}

/// A document (§5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegInfo {
    /// Rises by one with every document of a subscription.
    pub version: u32,
    /// All, or changes.
    pub extent: Extent,
    /// The addresses-of-record.
    pub registrations: Vec<Registration>,
    /// Elements of other namespaces.
    pub extensions: Vec<Element>,
}

/// One address-of-record (§5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The address-of-record.
    pub aor: String,
    /// Tells the registrations of a subscription apart.
    pub id: String,
    /// Where it stands.
    pub state: RegistrationState,
    /// Its contacts.
    pub contacts: Vec<Contact>,
    /// Elements of other namespaces.
    pub extensions: Vec<Element>,
}

/// One contact (§5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Tells the contacts apart; stays while the URI is registered.
    pub id: String,
    /// Where it stands.
    pub state: ContactState,
    /// What brought it there.
    pub event: ContactEvent,
    /// Seconds it has been bound.
    pub duration_registered: Option<u64>,
    /// Seconds left.
    pub expires: Option<u64>,
    /// Seconds to wait; with `probation`.
    pub retry_after: Option<u64>,
    /// The `q` of the Contact, as written.
    pub q: Option<String>,
    /// Call-ID of the last REGISTER.
    pub call_id: Option<String>,
    /// CSeq of the last REGISTER.
    pub cseq: Option<u64>,
    /// The URI.
    pub uri: String,
    /// The name shown.
    pub display_name: Option<String>,
    /// Parameters of the Contact that are none of the above, name and value: `+sip.instance` for one.
    pub unknown_params: Vec<(String, String)>,
    /// Elements of other namespaces: GRUUs (RFC 5628), for one.
    pub extensions: Vec<Element>,
}

impl RegInfo {
    /// Parses a document.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let root = Element::parse_as(document, NAMESPACE, "reginfo")?;
        Ok(Self {
            version: root.attribute("version").and_then(number).ok_or(XmlError::VALUE)?,
            extent: root.attribute("state").and_then(Extent::parse).ok_or(XmlError::VALUE)?,
            registrations: root.own("registration").map(Registration::read).collect::<Result<_, _>>()?,
            extensions: root.extensions(&["registration"]),
        })
    }
}

/// Prints the document.
impl Display for RegInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        new("reginfo")
            .with("version", self.version.to_string())
            .with("state", self.extent.as_str())
            .with_children(self.registrations.iter().map(Registration::element))
            .with_children(self.extensions.iter().cloned())
            .fmt(f)
    }
}

impl Registration {
    fn read(element: &Element) -> Result<Self, XmlError> {
        Ok(Self {
            aor: element.attribute("aor").ok_or(XmlError::VALUE)?.into(),
            id: element.attribute("id").ok_or(XmlError::VALUE)?.into(),
            state: element.attribute("state").and_then(RegistrationState::parse).ok_or(XmlError::VALUE)?,
            contacts: element.own("contact").map(Contact::read).collect::<Result<_, _>>()?,
            extensions: element.extensions(&["contact"]),
        })
    }

    fn element(&self) -> Element {
        new("registration")
            .with("aor", &*self.aor)
            .with("id", &*self.id)
            .with("state", self.state.as_str())
            .with_children(self.contacts.iter().map(Contact::element))
            .with_children(self.extensions.iter().cloned())
    }
}

impl Contact {
    fn read(element: &Element) -> Result<Self, XmlError> {
        let text = |name| element.attribute(name).map(String::from);
        let count = |name| element.attribute(name).and_then(number);
        let param = |param: &Element| (param.attribute("name").unwrap_or_default().into(), param.text());
        Ok(Self {
            id: text("id").ok_or(XmlError::VALUE)?,
            state: element.attribute("state").and_then(ContactState::parse).ok_or(XmlError::VALUE)?,
            event: element.attribute("event").and_then(ContactEvent::parse).ok_or(XmlError::VALUE)?,
            duration_registered: count("duration-registered"),
            expires: count("expires"),
            retry_after: count("retry-after"),
            q: text("q"),
            call_id: text("callid"),
            cseq: count("cseq"),
            uri: element.text_of("uri").ok_or(XmlError::VALUE)?,
            display_name: element.text_of("display-name"),
            unknown_params: element.own("unknown-param").map(param).collect(),
            extensions: element.extensions(&["uri", "display-name", "unknown-param"]),
        })
    }

    fn element(&self) -> Element {
        let count = |count: Option<u64>| count.map(|count| count.to_string());
        let params = self.unknown_params.iter();
        new("contact")
            .with("id", &*self.id)
            .with("state", self.state.as_str())
            .with("event", self.event.as_str())
            .with_some("duration-registered", count(self.duration_registered))
            .with_some("expires", count(self.expires))
            .with_some("retry-after", count(self.retry_after))
            .with_some("q", self.q.as_deref())
            .with_some("callid", self.call_id.as_deref())
            .with_some("cseq", count(self.cseq))
            .with_child(new("uri").with_text(&self.uri))
            .with_children(self.display_name.as_ref().map(|name| new("display-name").with_text(name)))
            .with_children(
                params.map(|(name, value)| new("unknown-param").with("name", &**name).with_text(value)),
            )
            .with_children(self.extensions.iter().cloned())
    }
}

fn new(local: &str) -> Element {
    Element::new(NAMESPACE, local)
}
