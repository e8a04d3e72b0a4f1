//! In which order what DNS knows is tried.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Naptr, Srv};
use crate::entropy::{self, Entropy};

/// RFC 2782's "Usage rules": by priority, and among equals by chance, each as often as its weight says. `key` gives
/// both.
pub(crate) fn by_weight<T>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> (u16, u16),
    entropy: &mut dyn Entropy,
) -> Vec<T> {
    // "To select a target to be contacted next, arrange all SRV RRs … placing the weight 0 at the beginning".
    all.sort_by_key(|one| (key(one).0, key(one).1 != 0));
    let mut ordered = Vec::with_capacity(all.len());
    while let Some(first) = all.first() {
        let priority = key(first).0;
        let equals = all.iter().take_while(|one| key(one).0 == priority).count();
        let sum: u64 = all[..equals].iter().map(|one| u64::from(key(one).1)).sum();
        let chosen = entropy::number(entropy) % (sum + 1);
        let mut running = 0;
        let at = all[..equals].iter().position(|one| {
            running += u64::from(key(one).1);
            running >= chosen
        });
        // The last running sum is the whole.
        ordered.push(all.remove(at.unwrap_or(0)));
    }
    ordered
}

pub(super) fn srv(records: Vec<Srv>, entropy: &mut dyn Entropy) -> Vec<Srv> {
    by_weight(records, |record| (record.priority, record.weight), entropy)
}

/// RFC 3403 §4.1: by order, then by preference.
pub(super) fn naptr(records: &mut [Naptr]) {
    records.sort_by_key(|record| (record.order, record.preference));
}

/// Both families in turn, IPv6 first, each in the order DNS gave (RFC 8305 §4).
pub(super) fn addresses(all: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = all.iter().filter(|address| address.is_ipv6());
    let mut four = all.iter().filter(|address| address.is_ipv4());
    let mut ordered = Vec::with_capacity(all.len());
    loop {
        match (six.next(), four.next()) {
            (None, None) => return ordered,
            (one, other) => ordered.extend(one.into_iter().chain(other)),
        }
    }
}
