//! One contact bound to an address-of-record.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::IpAddr;

use smol_str::SmolStr;

use crate::message::typed::QValue;
use crate::message::{Host, NameAddr, Params, Uri, is_sips, split_list, unescape};
use crate::time::{Duration, Instant};
use crate::transport::{Hop, Phone, RegistrationKey, Transport, is_same_instance};

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
    /// The lowest CSeq of a REGISTER of this Call-ID whose temporary GRUU is still valid (RFC 5627 §5.1).
    pub first_cseq: u32,
    /// The Path of that REGISTER (RFC 3327): the Routes of what is forwarded; empty if it came straight here.
    pub path: SmolStr,
    /// The peer of the configuration that the Path came through; empty: none, and it may be the user's own.
    pub through: SmolStr,
    /// Whether that REGISTER came straight and over TCP from the host of its Contact, which takes connections there and has no flow of
    /// its own (RFC 5626).
    pub listens: bool,
    /// The hop that REGISTER came over, or one along its Path or to its Contact when that was gone, and the only one the contact is
    /// reached over.
    /// `None` while the user agent is away: whoever keeps the bindings clears it when the flow closes.
    pub hop: Option<Hop>,
}

impl Binding {
    /// `+sip.instance` without quotes and brackets (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<SmolStr> {
        instance(&self.params)
    }

    /// Its weight among the contacts of its address-of-record (§20.10); 1 unless it says otherwise.
    pub fn q(&self) -> QValue {
        let params = Params::parse(&self.params);
        params.and_then(|params| params.value("q")).and_then(QValue::parse).unwrap_or_default()
    }

    /// Whether it lasts and is reached without the hop that its REGISTER came over.
    pub fn has_way(&self, now: Instant) -> bool {
        self.expires_at > now && self.way().is_some()
    }

    /// Where it is then, as a URI: the first of its Path (RFC 3327 §5.3), or its Contact, if it listens there.
    pub fn way(&self) -> Option<&str> {
        match split_list(&self.path).next() {
            Some(first) => NameAddr::parse(first).map(|address| address.uri),
            None => self.listens.then_some(&self.contact),
        }
    }

    /// Whether a hop is a phone's that listens at its Contact: one over TCP from that address. It sends over connections that it opens from
    /// any port, to where the Routes say, and not over the one that was opened to it (§12.2.1.1, RFC 5923 §1).
    pub fn opens(&self, hop: &Hop) -> bool {
        self.listens && hop.transport == Transport::Tcp && is_host(&self.contact, hop.remote.ip())
    }

    /// Whether it is this URI (§19.1.4). A `sips` Contact is the corresponding `sip` URI as well (RFC 5630 §5.1.1.1); of the
    /// other way round [`Contacts::Secure`](super::Contacts::Secure) takes care.
    pub fn is_at(&self, uri: &str) -> bool {
        self.contact == uri
            || match (Uri::parse(uri), Uri::parse(&self.contact)) {
                (Some(Uri::Sip(uri)), Some(Uri::Sip(contact))) => contact.is_same_resource(&uri),
                _ => false,
            }
    }

    /// Whether requests for `sips` URIs may go to it (RFC 5630 §5.3).
    pub fn is_secure(&self) -> bool {
        is_sips(&self.contact)
    }

    /// Whether the contact's address is another than the one it is reached at: that of a user agent behind a NAT.
    pub fn is_translated(&self) -> bool {
        let Some(hop) = &self.hop else { return false };
        match Uri::parse(&self.contact) {
            Some(Uri::Sip(uri)) => {
                uri.host.ip() != Some(hop.remote.ip()) || uri.port.unwrap_or(5060) != hop.remote.port()
            }
            _ => false,
        }
    }

    /// What its user agent is known by in dialogs: its registration, or without `reg-id` its instance (RFC 5626 §4.1), if it says one,
    /// which is the same in another network, under another Contact.
    pub fn agent(&self) -> RegistrationKey {
        let named = |urn: SmolStr| RegistrationKey { instance: urn, ..self.key.clone() };
        let by_instance = if self.key.reg_id > 0 { None } else { self.instance().map(named) };
        by_instance.filter(RegistrationKey::names_agent).unwrap_or_else(|| self.key.clone())
    }

    /// Whether it is of the user agent that is known by this.
    pub fn is_of(&self, agent: &RegistrationKey) -> bool {
        let by_instance = || self.instance().is_some_and(|urn| is_same_instance(&urn, &agent.instance));
        self.key.is_of_same_agent(agent)
            || (agent.reg_id == 0 && agent.names_agent() && self.key.aor == agent.aor && by_instance())
    }

    /// What tells the REGISTERs of its Call-ID from others, nearly always.
    pub fn registered_by(&self) -> u32 {
        // FNV-1a: whoever chooses one that meets another takes a dialog from another phone of their own.
        self.call_id
            .bytes()
            .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Time left, zero when it has ended.
    pub const fn remaining(&self, now: Instant) -> Duration {
        self.expires_at.since(now)
    }
}

/// The same in the parameters of any contact.
pub(super) fn instance(params: &str) -> Option<SmolStr> {
    let value = Params::parse(params)?.text("+sip.instance")?;
    Some(value.strip_prefix('<')?.strip_suffix('>')?.into())
}

/// Whether the host of a contact is this address.
pub(super) fn is_host(contact: &str, address: IpAddr) -> bool {
    let Some(Uri::Sip(uri)) = Uri::parse(contact) else { return false };
    uri.host.ip().map(|ip| ip.to_canonical()) == Some(address.to_canonical())
}

/// What equivalent contacts (§19.1.4) have in common, for whoever keeps an index of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContactKey<'a> {
    user: Cow<'a, str>,
    host: KeyHost<'a>,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum KeyHost<'a> {
    /// In lower case.
    Name(Cow<'a, str>),
    Ip(IpAddr),
}

impl<'a> ContactKey<'a> {
    /// That of a contact. `None`: its host is a domain's name, and nobody looks for it.
    pub fn of(contact: &'a str) -> Option<Self> {
        let Some(Uri::Sip(uri)) = Uri::parse(contact) else { return None };
        let host = match uri.host {
            Host::Name(_) if !uri.host.is_invalid() => return None,
            Host::Name(name) if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                KeyHost::Name(name.to_ascii_lowercase().into())
            }
            Host::Name(name) => KeyHost::Name(name.into()),
            Host::Ip(ip) => KeyHost::Ip(ip),
        };
        Some(Self { user: uri.user.map(unescape).unwrap_or_default(), host, port: uri.port })
    }
}

/// The bindings of the only address-of-record with such a contact, for whoever keeps no index. `None`: nobody has it, or several
/// do, and nobody can say whose it is.
pub fn holder<'a>(
    contact: &str,
    mut all: impl Iterator<Item = &'a Vec<Binding>>,
) -> Option<&'a Vec<Binding>> {
    let key = ContactKey::of(contact)?;
    let has =
        |bindings: &&Vec<Binding>| bindings.iter().any(|b| ContactKey::of(&b.contact).as_ref() == Some(&key));
    let only = all.find(has)?;
    all.find(has).is_none().then_some(only)
}

/// The hop of a registration, if it is there and not away; otherwise that of another flow of the same user agent
/// (RFC 5626 §5.3), the newest.
pub fn reach(bindings: &[Binding], key: &RegistrationKey, now: Instant) -> Option<Hop> {
    let there = |fits: &dyn Fn(&Binding) -> bool| {
        bindings.iter().rev().find_map(|b| b.hop.filter(|_| fits(b) && b.expires_at > now))
    };
    there(&|binding| binding.key == *key).or_else(|| there(&|binding| binding.is_of(key)))
}

/// Whether the registration of a phone is there, or away for a while: it, or another flow of the same user agent. Where it does not say
/// who it is, it is the one that has the same contact and goes on with the same Call-ID (§10.2): behind another NAT there may be
/// another phone of that address.
pub fn is_known(bindings: &[Binding], phone: &Phone, now: Instant) -> bool {
    let key = &phone.registration;
    bindings.iter().any(|b| {
        let same = b.expires_at > now && b.is_of(key);
        same && (key.names_agent() || b.registered_by() == phone.registered_by)
    })
}

/// Whether one of these contacts is reached over just this hop: whoever sends over it is its user agent.
pub fn is_there(bindings: &[Binding], hop: &Hop, now: Instant) -> bool {
    bindings.iter().any(|b| b.expires_at > now && b.hop.as_ref() == Some(hop))
}

/// Where a request came from that proves to be an account's, of whose contacts it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where its sender is reached.
    pub hop: Hop,
    /// The URI of its Contact; empty: it has none.
    pub contact: SmolStr,
    /// The peer of the configuration that it came through; empty: none.
    pub through: SmolStr,
}

/// Whose request it is, which begins a dialog: one with a Contact. Without an edge proxy: of the phone at the other end of the hop; over UDP
/// the newest, should a NAT have given its address to another since. Over a connection of an edge proxy, which is of many: of the
/// phone behind it that has the request's Contact, or the only one of the account there. Over a connection that a phone opened which
/// listens at its Contact: of that.
pub fn registered_at<'a>(bindings: &'a [Binding], from: &Origin, now: Instant) -> Option<&'a Binding> {
    let hop = &from.hop;
    if from.contact.is_empty() {
        return None;
    }
    let mut there = bindings.iter().filter(|binding| binding.expires_at > now);
    match hop.transport {
        Transport::Udp => there
            .filter(|b| b.hop.as_ref() == Some(hop) && b.path.is_empty())
            .rfind(|b| b.agent().names_agent() || b.is_at(&from.contact)),
        Transport::Tcp | Transport::Tls if !from.through.is_empty() => {
            let alike = |b: &Binding| b.hop.is_none_or(|other| other.transport == hop.transport);
            let mut behind = there.filter(|b| b.through == from.through && alike(b));
            let named = behind.clone().rfind(|b| b.is_at(&from.contact));
            named.or_else(|| behind.next().filter(|_| behind.next().is_none()))
        }
        Transport::Tcp | Transport::Tls => {
            let mut same = there.clone().filter(|b| b.hop.is_some_and(|other| other.flow == hop.flow));
            let named = same.clone().rfind(|b| b.is_at(&from.contact)).or_else(|| same.next_back());
            named.or_else(|| there.rfind(|b| b.opens(hop) && b.is_at(&from.contact)))
        }
        Transport::Ws | Transport::Wss => None,
    }
}

/// The key of a contact: `+sip.instance` and `reg-id` (RFC 5626 §6), or its URI.
pub(super) fn key(
    aor: &SmolStr,
    uri: &SmolStr,
    instance: Option<&str>,
    reg_id: Option<u32>,
) -> RegistrationKey {
    let (instance, reg_id) = match (instance, reg_id) {
        (Some(instance), Some(reg_id)) => (SmolStr::new(instance), reg_id),
        _ => (uri.clone(), 0),
    };
    RegistrationKey { aor: aor.clone(), instance, reg_id }
}
