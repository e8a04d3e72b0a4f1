//! The name of one registration.

use smol_str::SmolStr;

use crate::message::Uri;

/// Which registration of which account: what a flow proves to be and what a route token may lead to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationKey {
    /// The address-of-record in canonical form: `sip:user@domain`.
    pub aor: SmolStr,
    /// The user agent's `+sip.instance` without brackets; the contact's URI for one that has none or no `reg-id`.
    pub instance: SmolStr,
    /// Its `reg-id` (RFC 5626 §4.2); 0 for a user agent that has none.
    pub reg_id: u32,
}

impl RegistrationKey {
    /// Whether both are of one user agent, over whichever of its flows (RFC 5626 §4.2): it goes on with its dialogs over
    /// another when one is lost.
    pub fn is_of_same_agent(&self, other: &Self) -> bool {
        let flows =
            self.aor == other.aor && self.instance == other.instance && self.reg_id > 0 && other.reg_id > 0;
        flows || self.is_same(other)
    }

    /// Whether both name one registration: instance and `reg-id` are the same (RFC 5626 §6), or without them the
    /// contacts are by the rules of their scheme (RFC 3261 §10.3 step 7, §19.1.4).
    pub fn is_same(&self, other: &Self) -> bool {
        let equivalent = || match (Uri::parse(&self.instance), Uri::parse(&other.instance)) {
            (Some(one), Some(two)) => one.is_equivalent(&two),
            _ => false,
        };
        self == other || (self.aor == other.aor && self.reg_id == 0 && other.reg_id == 0 && equivalent())
    }
}
