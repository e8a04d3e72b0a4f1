//! The Contacts of a 200 to REGISTER (RFC 3261 §10.2.4, RFC 5626 §6, RFC 5627 §5.3).

use alloc::vec::Vec;

use smol_str::SmolStr;

use crate::limits;
use crate::message::{HeaderName, Headers, NameAddr};

/// One Contact that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where it leads.
    pub uri: SmolStr,
    /// Seconds left; `None` if the registrar does not say, or says what is no number.
    pub expires: Option<u32>,
    /// `+sip.instance` without brackets (RFC 5626 §4.1).
    pub instance: Option<SmolStr>,
    /// Which of the instance's flows (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
    /// RFC 5627 §3.1.1: the same for the life of the instance.
    pub public_gruu: Option<SmolStr>,
    /// RFC 5627 §3.1.2: says nothing of who it is.
    pub temporary_gruu: Option<SmolStr>,
}

impl Binding {
    /// Those of a response, [`limits::BINDINGS`] at most.
    pub(super) fn all(headers: &Headers) -> Vec<Self> {
        Self::iter(headers).take(limits::BINDINGS).collect()
    }

    pub(super) fn iter(headers: &Headers) -> impl Iterator<Item = Self> {
        headers.list(HeaderName::Contact).filter_map(NameAddr::parse).map(|contact| {
            let params = contact.params;
            let text = |name| params.text(name).map(SmolStr::from);
            let instance = text("+sip.instance");
            Self {
                uri: contact.uri.into(),
                expires: params.value("expires").and_then(|value| value.parse().ok()),
                instance: instance.map(|urn| urn.trim_start_matches('<').trim_end_matches('>').into()),
                reg_id: params.value("reg-id").and_then(|value| value.parse().ok()),
                public_gruu: text("pub-gruu"),
                temporary_gruu: text("temp-gruu"),
            }
        })
    }
}
