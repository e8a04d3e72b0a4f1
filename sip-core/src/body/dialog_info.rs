//! Dialogs of somebody else (RFC 4235), `application/dialog-info+xml`: the lamps of a desk phone.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::xml::{Element, XmlError};
use super::{keywords, number};

/// The namespace.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";

keywords! {
    /// Whether a document tells all or what changed.
    Extent {
        /// All of it.
        Full "full",
        /// What changed since the version before.
        Partial "partial",
    }
}

keywords! {
    /// Where a dialog stands (§3.7.1).
    DialogState {
        /// The INVITE is sent.
        Trying "trying",
        /// A provisional response without tag has come.
        Proceeding "proceeding",
        /// A provisional response with tag has come.
        Early "early",
        /// A 2xx has come.
        Confirmed "confirmed",
        /// Over.
        Terminated "terminated",
    }
}

keywords! {
    /// What ended a dialog (§3.7.1).
    DialogEvent {
        /// A CANCEL.
        Cancelled "cancelled",
        /// A 4xx to 6xx.
        Rejected "rejected",
        /// Another dialog took its place.
        Replaced "replaced",
        /// A BYE from here.
        LocalBye "local-bye",
        /// A BYE from there.
        RemoteBye "remote-bye",
        /// An error.
        Error "error",
        /// Silence.
        Timeout "timeout",
    }
}

keywords! {
    /// Who sent the INVITE.
    Initiation {
        /// The entity did.
        Initiator "initiator",
        /// The other side did.
        Recipient "recipient",
    }
}

/// A document (§4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogInfo {
    /// Rises by one with every document of a subscription.
    pub version: u32,
    /// All, or changes.
    pub extent: Extent,
    /// Whose dialogs: a URI.
    pub entity: String,
    /// The dialogs.
    pub dialogs: Vec<Dialog>,
    /// Elements of other namespaces.
    pub extensions: Vec<Element>,
}

/// One dialog (§4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Tells the dialogs of a subscription apart.
    pub id: String,
    /// Call-ID.
    pub call_id: Option<String>,
    /// The entity's tag.
    pub local_tag: Option<String>,
    /// The other side's tag.
    pub remote_tag: Option<String>,
    /// Who began it.
    pub direction: Option<Initiation>,
    /// Where it stands.
    pub state: DialogState,
    /// What brought it there.
    pub event: Option<DialogEvent>,
    /// The status of the response that did.
    pub code: Option<u16>,
    /// Seconds since it began.
    pub duration: Option<u64>,
    /// Which dialog it replaced.
    pub replaces: Option<Replaces>,
    /// Who referred to it.
    pub referred_by: Option<Identity>,
    /// The route set, hop by hop.
    pub route_set: Vec<String>,
    /// The entity's side.
    pub local: Option<Participant>,
    /// The other side.
    pub remote: Option<Participant>,
    /// Elements of other namespaces, and of this one that are unknown.
    pub extensions: Vec<Element>,
}

/// `replaces`: a dialog by its identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// The local tag.
    pub local_tag: String,
    /// The remote tag.
    pub remote_tag: String,
}

/// A URI with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The URI.
    pub uri: String,
    /// The name shown.
    pub display_name: Option<String>,
}

/// One side of a dialog (§4.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// Who: the From or To.
    pub identity: Option<Identity>,
    /// Where: the Contact.
    pub target: Option<Target>,
    /// Content type and text of its session description.
    pub session_description: Option<(String, String)>,
    /// Its last sequence number.
    pub cseq: Option<u32>,
}

/// `target` (§4.1.6.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The URI.
    pub uri: String,
    /// Parameters of the Contact, `+sip.rendering` for one.
    pub params: Vec<(String, Option<String>)>,
}

impl DialogInfo {
    /// Parses a document.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let root = Element::parse_as(document, NAMESPACE, "dialog-info")?;
        Ok(Self {
            version: root.attribute("version").and_then(number).ok_or(XmlError::VALUE)?,
            extent: root.attribute("state").and_then(Extent::parse).ok_or(XmlError::VALUE)?,
            entity: root.attribute("entity").ok_or(XmlError::VALUE)?.into(),
            dialogs: root.own("dialog").map(Dialog::read).collect::<Result<_, _>>()?,
            extensions: root.extensions(&["dialog"]),
        })
    }
}

/// Prints the document.
impl Display for DialogInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        new("dialog-info")
            .with("version", self.version.to_string())
            .with("state", self.extent.as_str())
            .with("entity", &*self.entity)
            .with_children(self.dialogs.iter().map(Dialog::element))
            .with_children(self.extensions.iter().cloned())
            .fmt(f)
    }
}

impl Dialog {
    /// A dialog of which nothing else is known.
    pub fn new(id: impl Into<String>, state: DialogState) -> Self {
        Self {
            id: id.into(),
            call_id: None,
            local_tag: None,
            remote_tag: None,
            direction: None,
            state,
            event: None,
            code: None,
            duration: None,
            replaces: None,
            referred_by: None,
            route_set: Vec::new(),
            local: None,
            remote: None,
            extensions: Vec::new(),
        }
    }

    fn read(element: &Element) -> Result<Self, XmlError> {
        let text = |name| element.attribute(name).map(String::from);
        let state = element.own("state").next().ok_or(XmlError::VALUE)?;
        let hops = element.own("route-set").next();
        let known =
            ["state", "duration", "replaces", "referred-by", "route-set", "local", "remote"].as_slice();
        Ok(Self {
            id: text("id").ok_or(XmlError::VALUE)?,
            call_id: text("call-id"),
            local_tag: text("local-tag"),
            remote_tag: text("remote-tag"),
            direction: element.attribute("direction").and_then(Initiation::parse),
            state: DialogState::parse(&state.text()).ok_or(XmlError::VALUE)?,
            event: state.attribute("event").and_then(DialogEvent::parse),
            code: state.attribute("code").and_then(number),
            duration: element.text_of("duration").as_deref().and_then(number),
            replaces: element.own("replaces").next().map(Replaces::read),
            referred_by: element.own("referred-by").next().map(Identity::read),
            route_set: hops.map(|set| set.own("hop").map(Element::text).collect()).unwrap_or_default(),
            local: element.own("local").next().map(Participant::read),
            remote: element.own("remote").next().map(Participant::read),
            extensions: element.extensions(known),
        })
    }

    fn element(&self) -> Element {
        let state = new("state")
            .with_some("event", self.event.map(DialogEvent::as_str))
            .with_some("code", self.code.map(|code| code.to_string()))
            .with_text(self.state.as_str());
        let hops = self.route_set.iter().map(|hop| new("hop").with_text(hop));
        let route_set = (!self.route_set.is_empty()).then(|| new("route-set").with_children(hops));
        new("dialog")
            .with("id", &*self.id)
            .with_some("call-id", self.call_id.as_deref())
            .with_some("local-tag", self.local_tag.as_deref())
            .with_some("remote-tag", self.remote_tag.as_deref())
            .with_some("direction", self.direction.map(Initiation::as_str))
            .with_child(state)
            .with_children(self.duration.map(|seconds| new("duration").with_text(seconds.to_string())))
            .with_children(self.replaces.as_ref().map(Replaces::element))
            .with_children(self.referred_by.as_ref().map(|by| by.element("referred-by")))
            .with_children(route_set)
            .with_children(self.local.as_ref().map(|side| side.element("local")))
            .with_children(self.remote.as_ref().map(|side| side.element("remote")))
            .with_children(self.extensions.iter().cloned())
    }
}

impl Replaces {
    fn read(element: &Element) -> Self {
        let text = |name| element.attribute(name).map(String::from).unwrap_or_default();
        Self { call_id: text("call-id"), local_tag: text("local-tag"), remote_tag: text("remote-tag") }
    }

    fn element(&self) -> Element {
        new("replaces")
            .with("call-id", &*self.call_id)
            .with("local-tag", &*self.local_tag)
            .with("remote-tag", &*self.remote_tag)
    }
}

impl Identity {
    fn read(element: &Element) -> Self {
        // RFC 4235's schema says display-name, its examples say display.
        let name = element.attribute("display-name").or_else(|| element.attribute("display"));
        Self { uri: element.text(), display_name: name.map(Into::into) }
    }

    fn element(&self, local: &str) -> Element {
        new(local).with_some("display-name", self.display_name.as_deref()).with_text(&self.uri)
    }
}

impl Participant {
    fn read(element: &Element) -> Self {
        let param = |param: &Element| {
            let name = param.attribute("pname").unwrap_or_default();
            (name.into(), param.attribute("pval").map(String::from))
        };
        let description = element.own("session-description").next();
        Self {
            identity: element.own("identity").next().map(Identity::read),
            target: element.own("target").next().map(|target| Target {
                uri: target.attribute("uri").unwrap_or_default().into(),
                params: target.own("param").map(param).collect(),
            }),
            session_description: description
                .map(|text| (text.attribute("type").unwrap_or_default().into(), text.text())),
            cseq: element.text_of("cseq").as_deref().and_then(number),
        }
    }

    fn element(&self, local: &str) -> Element {
        let target =
            self.target.as_ref().map(|target| {
                let params = target.params.iter();
                new("target").with("uri", &*target.uri).with_children(params.map(|(name, value)| {
                    new("param").with("pname", &**name).with_some("pval", value.as_deref())
                }))
            });
        let description = self.session_description.as_ref();
        new(local)
            .with_children(self.identity.as_ref().map(|identity| identity.element("identity")))
            .with_children(target)
            .with_children(
                description
                    .map(|(kind, text)| new("session-description").with("type", &**kind).with_text(text)),
            )
            .with_children(self.cseq.map(|cseq| new("cseq").with_text(cseq.to_string())))
    }
}

fn new(local: &str) -> Element {
    Element::new(NAMESPACE, local)
}
