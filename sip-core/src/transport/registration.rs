//! The name of one registration.

use smol_str::SmolStr;

/// Which registration of which account: what a flow proves to be and what a route token may lead to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationKey {
    /// The address-of-record in canonical form: `sip:user@domain`.
    pub aor: SmolStr,
    /// The user agent's `+sip.instance` without brackets; the contact's URI in a comparable form for one that has
    /// none or no `reg-id`.
    pub instance: SmolStr,
    /// Its `reg-id` (RFC 5626 §4.2); 0 for a user agent that has none.
    pub reg_id: u32,
}
