//! Route tokens: where a dialog's requests go, sealed into the user part of our Record-Route URIs.
//!
//! A token outlives sockets and restarts, tells a reader nothing (RFC 3323), and opens only in the call it was made
//! for: the Call-ID is bound to what is sealed ([`super::Seals`]), an expiry and the target.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use sha2::{Digest as _, Sha256};
use siphasher::sip::SipHasher13;
use siphasher::sip128::SipHasher24;
use smol_str::{SmolStr, format_smolstr};

use super::{FlowId, Hop, RegistrationKey, Seals, Transport};
use crate::entropy::Entropy;
use crate::time::{Duration, Instant};

/// How long a token opens: the longest dialog whose end still finds its way. Nothing renews a route set (RFC 3261 §12.2).
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// Why a token leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It is not one of ours, was changed, or is of another call.
    Foreign,
    /// It is too old.
    Expired,
}

/// Where a route token leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteTarget {
    /// Over whatever flow this registration has now.
    Registration(RegistrationKey),
    /// Over this very flow. A token may come back after a restart, so a caller that keeps its token keys must not
    /// give an old flow's id to a new one.
    Flow(FlowId),
    /// To a phone on UDP that says who it is. In a box: it is larger than all others.
    Phone(Box<Phone>),
    /// To this address: a datagram, or a connection that exists or can be opened.
    Address {
        /// How.
        transport: Transport,
        /// From where: our address as that peer knows it. A NAT, and many a phone, lets nothing through from another.
        local: SocketAddr,
        /// Where.
        remote: SocketAddr,
    },
    /// To another domain: where the next Route or the Request-URI says, and to this server of it if that is nowhere.
    Peer {
        /// How it was reached.
        transport: Transport,
        /// Where.
        remote: SocketAddr,
        /// The domain that its certificate names, or would.
        domain: SmolStr,
        /// Whether Route and Request-URI are followed. Otherwise all goes to this server: where nobody of ours is in the
        /// dialog, to follow them would be to relay.
        onward: bool,
    },
}

/// A phone on UDP: where its registration is now, and while that is not known, at the address that it had when the dialog began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone {
    /// Who it is.
    pub registration: RegistrationKey,
    /// What its REGISTERs are told from others by, where it has no `reg-id` (`registrar::Binding::registered_by`); else 0.
    pub registered_by: u32,
    /// As in [`RouteTarget::Address`].
    pub local: SocketAddr,
    /// Where it was.
    pub remote: SocketAddr,
}

impl RouteTarget {
    /// The registration that it follows over its flows and addresses.
    pub fn registration(&self) -> Option<&RegistrationKey> {
        match self {
            Self::Registration(key) => Some(key),
            Self::Phone(phone) => Some(&phone.registration),
            Self::Flow(_) | Self::Address { .. } | Self::Peer { .. } => None,
        }
    }

    /// Whoever is at the other end of a hop, over whatever flow.
    pub(crate) const fn at(hop: &Hop) -> Self {
        Self::Address { transport: hop.transport, local: hop.local, remote: hop.remote }
    }

    /// Appends it as it stands in a token.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode(self, out);
    }

    /// Undoes [`Self::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        decode(bytes)
    }
}

/// Seals and opens route tokens.
#[derive(Clone, Debug)]
pub struct RouteTokens {
    pub(super) seals: Seals,
    lifetime: Duration,
    /// Of [`RouteTokens::fingerprint`].
    hashing: SipHasher24,
    /// Of [`RouteTokens::loops`].
    loops: SipHasher13,
}

impl RouteTokens {
    /// Seals with `current`; opens what it or one of `previous` has sealed. See [`Seals::new`]. What is named by `lasting` is named
    /// so for `domain` after every restart: that key is never replaced, not even together with `current`.
    ///
    /// Another domain's server with the same keys, of a copied directory perhaps, knows no marks of this one. Nothing else that an
    /// operator changes may change them: they are half of a branch, and a CANCEL has to find its INVITE's (RFC 3261 §9.1).
    pub fn new(current: [u8; 32], previous: &[[u8; 32]], lasting: [u8; 32], domain: &str) -> Self {
        let key = Sha256::new().chain_update(b"fingerprint key").chain_update(lasting).finalize();
        let marks = Sha256::new().chain_update(b"loop mark key").chain_update(lasting).chain_update(domain);
        let marks = marks.finalize();
        let (mut hashing, mut loops) = ([0; 16], [0; 16]);
        hashing.copy_from_slice(&key[..16]);
        loops.copy_from_slice(&marks[..16]);
        Self {
            seals: Seals::new(current, previous),
            lifetime: DEFAULT_TOKEN_LIFETIME,
            hashing: SipHasher24::new_with_key(&hashing),
            loops: SipHasher13::new_with_key(&loops),
        }
    }

    /// Another lifetime than [`DEFAULT_TOKEN_LIFETIME`]. A call that is longer cannot be hung up by the peer.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// A token for the dialogs of `call_id`, made of characters that need no escape in a URI's user part.
    pub fn seal(
        &self,
        target: &RouteTarget,
        call_id: &str,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> String {
        let mut out = String::new();
        self.seal_into(&mut out, target, call_id, now, entropy);
        out
    }

    /// The same, appended to `out`.
    pub fn seal_into(
        &self,
        out: &mut String,
        target: &RouteTarget,
        call_id: &str,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) {
        let expiry = self.expiry(now);
        self.seals.seal_into(out, call_id, entropy, |plain| {
            plain.extend_from_slice(&expiry.to_be_bytes());
            encode(target, plain);
        });
    }

    /// The last second of what is sealed now.
    pub(super) fn expiry(&self, now: Instant) -> u32 {
        u32::try_from((now + self.lifetime).as_secs()).unwrap_or(u32::MAX)
    }

    /// A hash of what is fed to it. Nobody without the key can tell one from chance, nor make two alike.
    pub(crate) const fn fingerprint(&self) -> SipHasher24 {
        self.hashing
    }

    /// The same, shorter and in less time: for what is seldom compared and opens nothing.
    pub(crate) const fn loops(&self) -> SipHasher13 {
        self.loops
    }

    /// Where a token leads.
    pub fn open(&self, token: &str, call_id: &str, now: Instant) -> Result<RouteTarget, Unopened> {
        let opened = self.seals.open(token, call_id, |plain| {
            let (expiry, target) = plain.split_first_chunk()?;
            let alive = now.as_secs() <= u64::from(u32::from_be_bytes(*expiry));
            if alive { decode(target).map(Ok) } else { Some(Err(Unopened::Expired)) }
        });
        opened.unwrap_or(Err(Unopened::Foreign))
    }
}

// The first byte of an encoded target: its kind, and flags for a registration.
const REGISTRATION: u8 = 0;
const FLOW: u8 = 1;
const ADDRESS: u8 = 2;
const PEER: u8 = 3;
const KIND: u8 = 3;
/// The AoR began with `sip:`, which is left out.
const SIP: u8 = 4;
/// The instance is a `urn:uuid:`, of which the sixteen bytes are kept.
const UUID: u8 = 8;
/// Of a peer: Route and Request-URI are followed.
const ONWARD: u8 = 16;
/// Of a registration: before it stand the addresses of a phone on UDP.
const PHONE: u8 = 32;

const TRANSPORTS: [Transport; 5] =
    [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

fn encode(target: &RouteTarget, out: &mut Vec<u8>) {
    match target {
        RouteTarget::Registration(key) => encode_registration(key, None, out),
        RouteTarget::Phone(phone) => encode_registration(&phone.registration, Some(phone), out),
        RouteTarget::Flow(FlowId(id)) => {
            out.push(FLOW);
            encode_number(*id, out);
        }
        RouteTarget::Address { transport, local, remote } => {
            out.push(ADDRESS);
            encode_transport(*transport, out);
            encode_address(local, out);
            encode_address(remote, out);
        }
        RouteTarget::Peer { transport, remote, domain, onward } => {
            out.push(PEER | if *onward { ONWARD } else { 0 });
            encode_transport(*transport, out);
            encode_address(remote, out);
            out.extend_from_slice(domain.as_bytes());
        }
    }
}

fn encode_registration(key: &RegistrationKey, phone: Option<&Phone>, out: &mut Vec<u8>) {
    let RegistrationKey { aor, instance, reg_id } = key;
    let uuid = uuid_bytes(instance);
    let (sip, aor) = match aor.strip_prefix("sip:") {
        Some(rest) => (SIP, rest),
        None => (0, aor.as_str()),
    };
    let flag = |flag: u8, set: bool| if set { flag } else { 0 };
    out.push(REGISTRATION | sip | flag(UUID, uuid.is_some()) | flag(PHONE, phone.is_some()));
    if let Some(phone) = phone {
        encode_address(&phone.local, out);
        encode_address(&phone.remote, out);
    }
    encode_number(u64::from(*reg_id), out);
    if let Some(phone) = phone.filter(|_| *reg_id == 0) {
        out.extend_from_slice(&phone.registered_by.to_be_bytes());
    }
    encode_number(aor.len() as u64, out);
    out.extend_from_slice(aor.as_bytes());
    match uuid {
        Some(bytes) => out.extend_from_slice(&bytes),
        None => out.extend_from_slice(instance.as_bytes()),
    }
}

fn encode_transport(transport: Transport, out: &mut Vec<u8>) {
    // All transports are in the table.
    out.push(TRANSPORTS.iter().position(|t| *t == transport).unwrap_or_default() as u8);
}

/// Its length but for the port, the port, and the address.
fn encode_address(address: &SocketAddr, out: &mut Vec<u8>) {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => {
            out.push(4);
            out.extend_from_slice(&port);
            out.extend_from_slice(&v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            // A link-local address means nothing without its scope (RFC 4007 §11).
            let scoped = v6.scope_id() != 0;
            out.push(if scoped { 20 } else { 16 });
            out.extend_from_slice(&port);
            out.extend_from_slice(&v6.ip().octets());
            if scoped {
                out.extend_from_slice(&v6.scope_id().to_be_bytes());
            }
        }
    }
}

/// Undoes [`encode`]. What was sealed is ours and sound; `None` all the same if it is not.
fn decode(bytes: &[u8]) -> Option<RouteTarget> {
    let (&first, mut rest) = bytes.split_first()?;
    match first & KIND {
        REGISTRATION => {
            let phone = match first & PHONE {
                0 => None,
                _ => Some((decode_address(&mut rest)?, decode_address(&mut rest)?)),
            };
            let reg_id = u32::try_from(decode_number(&mut rest)?).ok()?;
            let registered_by = match phone.is_some() && reg_id == 0 {
                true => {
                    let (bytes, tail) = rest.split_first_chunk()?;
                    rest = tail;
                    u32::from_be_bytes(*bytes)
                }
                false => 0,
            };
            let aor_len = usize::try_from(decode_number(&mut rest)?).ok()?;
            let (aor, instance) = rest.split_at_checked(aor_len)?;
            let aor = core::str::from_utf8(aor).ok()?;
            let aor = if first & SIP != 0 { format_smolstr!("sip:{aor}") } else { aor.into() };
            let instance = if first & UUID != 0 {
                uuid_text(instance.try_into().ok()?)
            } else {
                core::str::from_utf8(instance).ok()?.into()
            };
            let registration = RegistrationKey { aor, instance, reg_id };
            Some(match phone {
                Some((local, remote)) => {
                    RouteTarget::Phone(Phone { registration, registered_by, local, remote }.into())
                }
                None => RouteTarget::Registration(registration),
            })
        }
        FLOW => {
            let id = decode_number(&mut rest)?;
            rest.is_empty().then_some(RouteTarget::Flow(FlowId(id)))
        }
        ADDRESS => {
            let transport = decode_transport(&mut rest)?;
            let local = decode_address(&mut rest)?;
            let remote = decode_address(&mut rest)?;
            rest.is_empty().then_some(RouteTarget::Address { transport, local, remote })
        }
        PEER => {
            let transport = decode_transport(&mut rest)?;
            let remote = decode_address(&mut rest)?;
            let domain = core::str::from_utf8(rest).ok()?.into();
            Some(RouteTarget::Peer { transport, remote, domain, onward: first & ONWARD != 0 })
        }
        _ => None,
    }
}

fn decode_transport(rest: &mut &[u8]) -> Option<Transport> {
    let (&transport, tail) = rest.split_first()?;
    *rest = tail;
    TRANSPORTS.get(usize::from(transport)).copied()
}

fn decode_address(rest: &mut &[u8]) -> Option<SocketAddr> {
    let (&length, bytes) = rest.split_first()?;
    let (port, bytes) = bytes.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    let (bytes, tail) = bytes.split_at_checked(usize::from(length))?;
    *rest = tail;
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(v4)), port));
    }
    let (v6, scope) = bytes.split_first_chunk::<16>()?;
    let scope = match scope {
        [] => 0,
        scope => u32::from_be_bytes(scope.try_into().ok()?),
    };
    Some(SocketAddrV6::new(Ipv6Addr::from(*v6), port, 0, scope).into())
}

/// Seven bits a byte, lowest first, the top bit set on all but the last.
pub(super) fn encode_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn decode_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The UUID in `instance`, if it is one in the usual spelling, so that it comes back the same.
fn uuid_bytes(instance: &SmolStr) -> Option<[u8; 16]> {
    let digits: String = instance.strip_prefix("urn:uuid:")?.split('-').collect();
    let bytes = u128::from_str_radix(&digits, 16).ok()?.to_be_bytes();
    (uuid_text(bytes) == *instance).then_some(bytes)
}

fn uuid_text(bytes: [u8; 16]) -> SmolStr {
    let n = u128::from_be_bytes(bytes);
    let part = |shift: u32, bits: u32| (n >> shift) & ((1 << bits) - 1);
    format_smolstr!(
        "urn:uuid:{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 32),
        part(80, 16),
        part(64, 16),
        part(48, 16),
        part(0, 48)
    )
}

#[cfg(test)]
mod tests;
