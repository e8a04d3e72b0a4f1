//! One contact bound to an address-of-record.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::IpAddr;

use smol_str::SmolStr;

use crate::message::typed::QValue;
use crate::message::{Host, Params, Uri, unescape};
use crate::time::{Duration, Instant};
use crate::transport::{Hop, RegistrationKey, Transport};

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
    /// The hop that REGISTER came over, or one along its Path when that was gone, and the only one the contact is reached over.
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

    /// Whether it lasts and has a Path, along which it is reached without the hop that its REGISTER came over.
    pub fn has_way(&self, now: Instant) -> bool {
        self.expires_at > now && !self.path.is_empty()
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
/// (RFC 5626 §5.3).
pub fn reach(bindings: &[Binding], key: &RegistrationKey, now: Instant) -> Option<Hop> {
    let there = |fits: &dyn Fn(&RegistrationKey) -> bool| {
        bindings.iter().find_map(|b| b.hop.filter(|_| fits(&b.key) && b.expires_at > now))
    };
    there(&|other| other == key).or_else(|| there(&|other| other.is_of_same_agent(key)))
}

/// Whether a registration is there, or away for a while: it, or another flow of the same user agent.
pub fn is_known(bindings: &[Binding], key: &RegistrationKey, now: Instant) -> bool {
    bindings.iter().any(|b| b.expires_at > now && b.key.is_of_same_agent(key))
}

/// Whether one of these contacts is reached over just this hop: whoever sends over it is its user agent.
pub fn is_there(bindings: &[Binding], hop: &Hop, now: Instant) -> bool {
    bindings.iter().any(|b| b.expires_at > now && b.hop.as_ref() == Some(hop))
}

/// Which phone, itself and not an edge proxy before it, is at the other end of a hop of datagrams: the newest, should a NAT have
/// given its address to another since. One without `reg-id` does not say who it is.
pub fn registered_at<'a>(bindings: &'a [Binding], hop: &Hop, now: Instant) -> Option<&'a RegistrationKey> {
    let there = |b: &&Binding| {
        b.expires_at > now && b.hop.as_ref() == Some(hop) && b.path.is_empty() && b.key.reg_id > 0
    };
    let udp = hop.transport == Transport::Udp;
    bindings.iter().rfind(there).filter(|_| udp).map(|binding| &binding.key)
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
