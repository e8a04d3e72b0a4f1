//! Requests within a dialog that come without the Routes it was recorded with, because a user agent left Record-Route out of
//! its answer: what they address is the other side's Contact, and where somebody here registered that, they are for it.
//!
//! So are requests outside dialogs of our own accounts: who is transferred to a phone that has no GRUU calls its Contact. But a
//! contact is what its user wrote, and must not be where others are.
//!
//! Nothing is proven by them: who sends one must be an account that proves itself, or a peer, as for any request.

use core::net::IpAddr;

use smol_str::SmolStr;

use super::Server;
use super::peers::Standing;
use super::questions::{Aim, Arrival, Sought};
use super::rule::Rule;
use crate::message::{Method, SipUri, Uri};
use crate::registrar::Binding;
use crate::time::Instant;

impl Server {
    /// The address-of-record whose contact such a request may be for: To has it (§12.2.1.1: the remote URI).
    pub(super) fn stray(&self, arrival: &Arrival) -> Option<SmolStr> {
        arrival.request.to_tag()?;
        let to = arrival.request.to();
        self.domain.aor(to.parsed_uri()?.sip()?, arrival.from.local.ip())
    }

    /// Whether whoever sent a request that `standing` answers for may have it find a contact.
    pub(super) const fn may_stray(standing: &Standing) -> bool {
        matches!(standing, Standing::Account { .. } | Standing::Peer { .. })
    }

    /// An ACK without our Routes: nobody can be asked who sent it, so that it must come over a flow that was proven.
    pub(super) fn stray_ack(&mut self, now: Instant, mut arrival: Arrival, routes: usize) {
        let Some(Uri::Sip(uri)) = Uri::parse(arrival.request.uri()) else {
            return self.counters.acks_dropped += 1;
        };
        let ours = self.is_for_us(&uri, &arrival);
        let found = if ours { uri.gruu().is_some() } else { self.stray(&arrival).is_some() };
        let standing = self.standing(now, &arrival, &uri, ours).filter(Self::may_stray);
        let Some(standing) = standing.filter(|_| found) else {
            return self.counters.acks_dropped += 1;
        };
        arrival.standing = standing;
        self.authorized(now, arrival, None, routes);
    }

    /// Whether a request outside dialogs may be for a contact that somebody registered.
    pub(super) fn may_be_contact(arrival: &Arrival, uri: &SipUri<'_>) -> bool {
        *arrival.request.method() != Method::Register && !uri.is_nobody() && is_no_domain(uri)
    }

    /// No contact of who To names, or of anybody, is what the request addresses.
    pub(super) fn no_contact(&mut self, now: Instant, sought: Sought) {
        let Sought { arrival, sender, routes, aim, .. } = sought;
        let leads_on = match Uri::parse(arrival.request.uri()) {
            Some(Uri::Sip(uri)) => self.leads_on(&uri),
            _ => false,
        };
        if arrival.standing.is_ours() && leads_on && arrival.server.is_some() {
            return self.depart(now, arrival, sender, routes);
        }
        if aim == Aim::Contact {
            return self.no_relay(now, &arrival);
        }
        self.counters.dialogs_unknown += 1;
        self.refuse(now, &arrival, Rule::ContactUnknown.into());
    }
}

/// Whether a contact with this URI could be none of another domain's: such a name is an account's to register, and whoever calls it
/// means that domain.
fn is_no_domain(uri: &SipUri<'_>) -> bool {
    uri.param("maddr").is_none() && (uri.host.ip().is_some() || uri.host.is_invalid())
}

/// Whether nobody but this contact's user agent is where `uri` leads: a name that leads nowhere, an address for documentation
/// (RFC 5737; there are user agents that make their Contact of it), or the one that it is reached at. What else somebody
/// registered may be somebody else's.
pub(super) fn is_there_alone(binding: &Binding, uri: &SipUri<'_>) -> bool {
    match uri.host.ip() {
        None => true,
        Some(IpAddr::V4(v4)) if matches!(v4.octets(), [192, 0, 2, _]) => true,
        Some(ip) => binding.hop.is_some_and(|hop| {
            hop.remote.ip() == ip && uri.port.is_some_and(|port| port == hop.remote.port())
        }),
    }
}
