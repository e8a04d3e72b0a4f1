//! The name of one registration.

use smol_str::SmolStr;

use crate::message::Uri;

/// Which registration of which account: what a flow proves to be and what a route token may lead to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationKey {
    /// The address-of-record in canonical form: `sip:user@domain`.
    pub aor: SmolStr,
    /// The user agent's `+sip.instance` without brackets; the contact's URI for one that has none or no `reg-id`. (What dialogs are to
    /// follow has the instance without `reg-id`, too: `registrar::Binding::agent`.)
    pub instance: SmolStr,
    /// Its `reg-id` (RFC 5626 §4.2); 0 for a user agent that has none.
    pub reg_id: u32,
}

impl RegistrationKey {
    /// How long its text is.
    pub fn bytes(&self) -> usize {
        self.aor.len() + self.instance.len()
    }

    /// Whether it names a user agent, whatever its contact is: by a URN, with `reg-id` or without.
    pub fn names_agent(&self) -> bool {
        self.reg_id > 0 || self.instance.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
    }

    /// Whether both are of one user agent, over whichever of its flows (RFC 5626 §4.2): it goes on with its dialogs over
    /// another when one is lost.
    pub fn is_of_same_agent(&self, other: &Self) -> bool {
        let flows = self.reg_id > 0 && other.reg_id > 0;
        (flows && self.aor == other.aor && is_same_instance(&self.instance, &other.instance))
            || self.is_same(other)
    }

    /// Whether both name one registration: instance and `reg-id` are the same (RFC 5626 §6), or without them the
    /// contacts are by the rules of their scheme (RFC 3261 §10.3 step 7, §19.1.4).
    pub fn is_same(&self, other: &Self) -> bool {
        let equivalent = || match (Uri::parse(&self.instance), Uri::parse(&other.instance)) {
            // RFC 5630 §5.1.1.1: of the `sip` and the `sips` version of a Contact the later replaces the other.
            (Some(Uri::Sip(one)), Some(Uri::Sip(two))) => one.is_same_resource(&two),
            (Some(one), Some(two)) => one.is_equivalent(&two),
            _ => false,
        };
        let alike = || match self.reg_id {
            0 => equivalent(),
            _ => is_same_instance(&self.instance, &other.instance),
        };
        self == other || (self.aor == other.aor && self.reg_id == other.reg_id && alike())
    }
}

/// Whether two values of `+sip.instance` name one user agent (RFC 5626 §4.1), by the equality of URNs: scheme and namespace have
/// no case (RFC 2141 §5), and a UUID has none at all (RFC 4122 §3).
pub fn is_same_instance(one: &str, other: &str) -> bool {
    const UUID: &str = "urn:uuid:";
    let is_uuid = one.get(..UUID.len()).is_some_and(|head| head.eq_ignore_ascii_case(UUID));
    if one == other || is_uuid {
        return one.eq_ignore_ascii_case(other);
    }
    match (urn(one), urn(other)) {
        (Some((namespace, name)), Some((other_namespace, other_name))) => {
            namespace.eq_ignore_ascii_case(other_namespace) && name == other_name
        }
        _ => false,
    }
}

/// Its namespace and what it names there.
fn urn(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    rest.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("urn"))
}
