//! Which contacts a request is for, and who is waited for while they are away.

use alloc::boxed::Box;

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
    /// Those among these that a request for a `sips` URI may go to.
    Secure(Box<Self>),
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
            Self::Secure(among) => binding.is_secure() && among.has(binding),
        }
    }

    /// Whether some are bound, and none of them may have what is for a `sips` URI.
    pub fn are_insecure(&self, bindings: &[Binding], now: Instant) -> bool {
        let Self::Secure(among) = self else { return false };
        let mut bound = bindings.iter().filter(|b| b.expires_at > now && among.has(b)).peekable();
        bound.peek().is_some() && !bound.any(Binding::is_secure)
    }

    /// These, for a request for a `sips` URI if it is `secure`.
    #[must_use]
    pub fn only(self, secure: bool) -> Self {
        if secure { Self::Secure(self.into()) } else { self }
    }

    /// The instance whose contacts they are.
    pub fn instance(&self) -> Option<&Instance> {
        match self {
            Self::Of(instance) => Some(instance),
            Self::Secure(among) => among.instance(),
            Self::All | Self::At(_) => None,
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

    /// Those that are away and have a way, along a Path or to a Contact.
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
