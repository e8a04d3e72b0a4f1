//! Which domains said that they have TLS (RFC 3263 §7): where that ceases, somebody may want calls in the clear.

use alloc::collections::BTreeMap;

use smol_str::SmolStr;

use super::{Query, Records};
use crate::limits;
use crate::time::{Duration, Instant};

/// How long it is remembered: a domain that gave TLS up says the same for longer.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// The domains whose NAPTR records named `SIPS`, and when they last did.
#[derive(Debug, Default)]
pub struct Secured {
    domains: BTreeMap<SmolStr, Instant>,
}

impl Secured {
    /// Takes note of what DNS said. `true`: it named `SIPS` before and does no longer, "a sign of a potential attack"; told once. No
    /// answer says nothing.
    pub fn note(&mut self, query: &Query, records: &Records, now: Instant) -> bool {
        let Query::Naptr(domain) = query else { return false };
        let offers = match records {
            Records::Naptr(all) => all.iter().any(|one| one.service.eq_ignore_ascii_case("SIPS+D2T")),
            Records::Failed => return false,
            _ => false,
        };
        if !offers {
            return self.domains.remove(domain).is_some_and(|last| now.since(last) <= REMEMBERED);
        }
        if !self.domains.contains_key(domain) && self.domains.len() >= limits::SECURED_DOMAINS {
            let oldest = self.domains.iter().min_by_key(|(_, last)| **last).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.domains.remove(&oldest));
        }
        self.domains.insert(domain.clone(), now);
        false
    }
}
