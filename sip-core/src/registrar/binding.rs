//! One contact bound to an address-of-record.

use alloc::string::String;
use core::fmt::Write;

use smol_str::SmolStr;

use crate::message::SipUri;
use crate::time::{Duration, Instant};
use crate::transport::{Hop, RegistrationKey};

/// A contact bound to an address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which registration this is. What makes a later REGISTER replace this binding and not add another.
    pub key: RegistrationKey,
    /// The Contact's URI as it came: the Request-URI of what is forwarded.
    pub contact: SmolStr,
    /// The Contact's parameters as they came, `expires` left out; empty, or begins with a semicolon.
    pub params: SmolStr,
    /// When the binding ends.
    pub expires_at: Instant,
    /// Call-ID of the REGISTER that made or refreshed it (§10.3 step 7).
    pub call_id: SmolStr,
    /// CSeq of that REGISTER.
    pub cseq: u32,
    /// The hop that REGISTER came over, and the only one the contact is reached over. `None` while the user agent
    /// is away: whoever keeps the bindings clears it when the flow closes.
    pub hop: Option<Hop>,
}

impl Binding {
    /// Time left, zero when it has ended.
    pub const fn remaining(&self, now: Instant) -> Duration {
        self.expires_at.since(now)
    }
}

/// The hop of a registration, if it is there and not away.
pub fn reach(bindings: &[Binding], key: &RegistrationKey, now: Instant) -> Option<Hop> {
    bindings.iter().find(|b| b.key == *key && b.expires_at > now)?.hop
}

/// The key of a contact. With `+sip.instance` and `reg-id` it is these two (RFC 5626 §6); else the contact's URI
/// stands in for the instance, in a form that is equal for equal URIs (§10.3 step 7, §19.1.4).
pub(super) fn key(aor: &SmolStr, uri: &SipUri<'_>, instance: Option<&str>, reg_id: u32) -> RegistrationKey {
    match instance {
        Some(instance) if reg_id > 0 => {
            RegistrationKey { aor: aor.clone(), instance: SmolStr::new(instance), reg_id }
        }
        _ => RegistrationKey { aor: aor.clone(), instance: comparable(uri), reg_id: 0 },
    }
}

/// One text for all URIs that are equal by §19.1.4. Parameters that one of two equal URIs may lack are left out.
fn comparable(uri: &SipUri<'_>) -> SmolStr {
    let mut out: String = uri.aor();
    if let Some(port) = uri.port {
        // Writing to a String cannot fail.
        let _ = write!(out, ":{port}");
    }
    for name in ["transport", "user", "ttl", "method", "maddr"] {
        if let Some(value) = uri.param(name) {
            let _ = write!(out, ";{name}={}", value.to_ascii_lowercase());
        }
    }
    SmolStr::from(out)
}
