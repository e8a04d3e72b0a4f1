//! What those who watch an address-of-record are told of its bindings (RFC 3680, with the GRUUs of RFC 5628).
//!
//! A subscriber has been told some bindings, and others are there now: what lies between is what happened. Why a contact is
//! bound no longer cannot be seen in that, so that whoever keeps the bindings notes it ([`ended`]).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::{Binding, BindingUpdate, Change, Gruus};
use crate::body::dialog_info::Extent;
use crate::body::reginfo::{Contact, ContactEvent, ContactState, RegInfo, Registration, RegistrationState};
use crate::body::xml::Element;
use crate::entropy::Entropy;
use crate::message::Params;
use crate::time::Instant;
use crate::transport::RegistrationKey;

/// The namespace of RFC 5628's elements.
const GRUU_NAMESPACE: &str = "urn:ietf:params:xml:ns:gruuinfo";

/// Why a contact is bound no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which registration it was.
    pub key: RegistrationKey,
    /// What ended it.
    pub event: ContactEvent,
}

/// Which of the bindings of before an update ended, and why (§4.7.1). What had run out is not among them.
pub fn ended<'a>(
    before: &'a [Binding],
    after: &'a [Binding],
    update: &'a BindingUpdate,
) -> impl Iterator<Item = Ended> + 'a {
    let gone = before.iter().filter(|old| !after.iter().any(|binding| binding.key.is_same(&old.key)));
    gone.map(|old| {
        let asked = match &update.change {
            Change::RemoveAll => true,
            Change::Fetch => false,
            Change::Contacts(contacts) => contacts.iter().any(|contact| contact.key.is_same(&old.key)),
        };
        // What is not asked for is the registrar's doing: the contact had to make room, and may come again.
        let event = if asked { ContactEvent::Unregistered } else { ContactEvent::Deactivated };
        Ended { key: old.key.clone(), event }
    })
}

/// What a subscriber is told next.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The address-of-record.
    pub aor: &'a str,
    /// The number of the document.
    pub version: u32,
    /// What the subscriber was told last, if anything.
    pub told: Option<&'a [Binding]>,
    /// What is there now.
    pub bindings: &'a [Binding],
    /// What is known of those that are there no longer.
    pub ended: &'a [Ended],
    /// Makes their GRUUs.
    pub gruus: &'a Gruus,
    /// Whether whoever is told is the user whose they are: temporary GRUUs hide that from everybody else (RFC 5627 §3.1.2).
    pub own: bool,
}

impl Report<'_> {
    /// The whole state, and what ended since the last document (§4.7.2).
    pub fn full(&self, now: Instant, entropy: &mut dyn Entropy) -> RegInfo {
        self.document(now, Extent::Full, self.contacts(now, true, entropy))
    }

    /// The contacts whose state has changed (§4.7.2), if there are any.
    pub fn partial(&self, now: Instant, entropy: &mut dyn Entropy) -> Option<RegInfo> {
        let contacts = self.contacts(now, false, entropy);
        (!contacts.is_empty()).then(|| self.document(now, Extent::Partial, contacts))
    }

    fn document(&self, now: Instant, extent: Extent, contacts: Vec<Contact>) -> RegInfo {
        let state = if self.bindings.iter().any(|binding| binding.expires_at > now) {
            RegistrationState::Active
        } else if contacts.is_empty() {
            RegistrationState::Init
        } else {
            RegistrationState::Terminated
        };
        let registration = Registration {
            aor: self.aor.into(),
            id: hash(&[self.aor.as_bytes()]),
            state,
            contacts,
            extensions: Vec::new(),
        };
        RegInfo {
            version: self.version,
            extent,
            registrations: [registration].into(),
            extensions: Vec::new(),
        }
    }

    fn contacts(&self, now: Instant, all: bool, entropy: &mut dyn Entropy) -> Vec<Contact> {
        let told = self.told.unwrap_or_default();
        let there = self.bindings.iter().filter(|binding| binding.expires_at > now);
        let there = there.filter_map(|binding| {
            let known = told.iter().find(|known| is_same_row(known, binding));
            let event = match known {
                None => ContactEvent::Registered,
                Some(known) if has_changed(known, binding) => ContactEvent::Refreshed,
                // RFC 5627 §5.1: another flow ended its temporary GRUUs, of which its user agent is to know.
                Some(known) if self.own && known.first_cseq != binding.first_cseq => ContactEvent::Registered,
                // §5.1: what brought it into its state, in which it stays while it is refreshed.
                Some(_) if all => ContactEvent::Registered,
                Some(_) => return None,
            };
            Some((binding, event))
        });
        let lasts = |old: &Binding| {
            self.bindings.iter().any(|binding| is_same_row(old, binding) && binding.expires_at > now)
        };
        let gone = told.iter().filter(|old| !lasts(old));
        let gone = gone.map(|old| (old, self.end_of(old, now)));
        there.chain(gone).map(|(binding, event)| self.contact(binding, event, now, entropy)).collect()
    }

    fn end_of(&self, old: &Binding, now: Instant) -> ContactEvent {
        let noted = self.ended.iter().rev().find(|ended| ended.key.is_same(&old.key));
        match noted {
            Some(noted) => noted.event,
            None if old.expires_at <= now => ContactEvent::Expired,
            // Its user agent has given it another URI (RFC 5626 §6).
            None => ContactEvent::Unregistered,
        }
    }

    fn contact(
        &self,
        binding: &Binding,
        event: ContactEvent,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Contact {
        let active = matches!(event, ContactEvent::Registered | ContactEvent::Refreshed);
        let params = Params::parse(&binding.params).unwrap_or_default();
        let left = binding.remaining(now).as_millis().div_ceil(1000);
        let unknown = params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("q"));
        let mut gruus = Vec::new();
        if let Some(urn) = binding.instance().filter(|_| active) {
            let public = self.gruus.public(binding, &urn);
            gruus.push(Element::new(GRUU_NAMESPACE, "pub-gruu").with("uri", public));
            if self.own {
                let temporary = self.gruus.temporary(binding, &urn, entropy);
                let since = binding.first_cseq.to_string();
                let element = Element::new(GRUU_NAMESPACE, "temp-gruu").with("uri", temporary);
                gruus.push(element.with("first-cseq", since));
            }
        }
        Contact {
            id: row(binding),
            state: if active { ContactState::Active } else { ContactState::Terminated },
            event,
            duration_registered: None,
            expires: active.then(|| u64::try_from(left).unwrap_or(u64::MAX)),
            retry_after: None,
            q: params.value("q").map(String::from),
            call_id: Some(binding.call_id.to_string()),
            cseq: Some(binding.cseq.into()),
            uri: binding.contact.to_string(),
            display_name: None,
            unknown_params: unknown
                .map(|(name, value)| (name.into(), value.unwrap_or_default().into()))
                .collect(),
            extensions: gruus,
        }
    }
}

/// §5.1: contacts with different URIs are different ones; two flows of one user agent may have the same.
fn is_same_row(one: &Binding, other: &Binding) -> bool {
    one.contact == other.contact && one.key.is_same(&other.key)
}

/// A user agent that is away for a moment, or back, is bound as before.
fn has_changed(known: &Binding, binding: &Binding) -> bool {
    known.call_id != binding.call_id
        || known.cseq != binding.cseq
        || known.expires_at != binding.expires_at
        || known.params != binding.params
}

fn row(binding: &Binding) -> String {
    let RegistrationKey { instance, reg_id, .. } = &binding.key;
    hash(&[instance.as_bytes(), &reg_id.to_be_bytes(), binding.contact.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(first))
}
