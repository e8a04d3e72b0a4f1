//! Which contacts a request is for, and who is waited for while they are away.

use smol_str::SmolStr;

use super::{Binding, Instance, reach};
use crate::time::Instant;
use crate::transport::{Hop, RegistrationKey};

/// Which contacts of an address-of-record a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// All of them.
    All,
    /// Those of the instance that a GRUU names.
    Of(Instance),
    /// The one with this URI.
    At(SmolStr),
}

/// Who is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A registration, over whichever flow.
    Registration(RegistrationKey),
    /// The first of these contacts that is there.
    Contacts {
        /// The address-of-record.
        aor: SmolStr,
        /// Which of its contacts.
        contacts: Contacts,
    },
}

impl Contacts {
    /// Whether a contact is one of them.
    pub fn has(&self, binding: &Binding) -> bool {
        match self {
            Self::All => true,
            Self::Of(instance) => instance.has(binding),
            Self::At(uri) => binding.is_at(uri),
        }
    }
}

impl Awaited {
    /// The address-of-record whose bindings tell.
    pub const fn aor(&self) -> &SmolStr {
        match self {
            Self::Registration(key) => &key.aor,
            Self::Contacts { aor, .. } => aor,
        }
    }

    /// Those that are away and have a Path.
    pub fn away<'a>(&'a self, bindings: &'a [Binding], now: Instant) -> impl Iterator<Item = &'a Binding> {
        bindings.iter().filter(move |binding| {
            let awaited = match self {
                Self::Registration(key) => binding.is_of(key),
                Self::Contacts { contacts, .. } => contacts.has(binding),
            };
            awaited && binding.hop.is_none() && binding.has_way(now)
        })
    }

    /// A hop to it, if it is there.
    pub fn reach(&self, bindings: &[Binding], now: Instant) -> Option<Hop> {
        match self {
            Self::Registration(key) => reach(bindings, key, now),
            Self::Contacts { contacts, .. } => bindings
                .iter()
                .filter(|binding| binding.expires_at > now && contacts.has(binding))
                .find_map(|binding| binding.hop),
        }
    }
}
