//! In which order what DNS knows is tried.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Naptr, Srv};
use crate::entropy::{self, Entropy};

/// RFC 2782's "Usage rules": by priority, and among equals by chance, each as often as its weight says.
pub(super) fn srv(mut records: Vec<Srv>, entropy: &mut dyn Entropy) -> Vec<Srv> {
    // "To select a target to be contacted next, arrange all SRV RRs … placing the weight 0 at the beginning".
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let equals = records.iter().take_while(|record| record.priority == first.priority).count();
        let sum: u64 = records[..equals].iter().map(|record| u64::from(record.weight)).sum();
        let chosen = entropy::number(entropy) % (sum + 1);
        let mut running = 0;
        let at = records[..equals].iter().position(|record| {
            running += u64::from(record.weight);
            running >= chosen
        });
        // The last running sum is the whole.
        ordered.push(records.remove(at.unwrap_or(0)));
    }
    ordered
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
