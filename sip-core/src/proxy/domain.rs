//! Which hosts are us.

use alloc::vec::Vec;
use core::net::IpAddr;

use smol_str::{SmolStr, SmolStrBuilder};

use crate::message::{Host, SipUri, escape_user, unescape};

/// The domain a server is responsible for, and the other hosts that mean it. Ports never count.
#[derive(Clone, Debug)]
pub struct Domain {
    name: SmolStr,
    /// Names that mean it, its own among them.
    names: Vec<SmolStr>,
    /// Addresses that mean it.
    addresses: Vec<IpAddr>,
}

impl Domain {
    /// A domain. What is no host among the names matches nothing.
    pub fn new(name: SmolStr, aliases: Vec<SmolStr>) -> Self {
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for alias in core::iter::once(&name).chain(&aliases) {
            match Host::parse(alias) {
                Some(Host::Name(_)) => names.push(alias.clone()),
                Some(Host::Ip(ip)) => addresses.push(ip),
                None => {}
            }
        }
        Self { name, names, addresses }
    }

    /// Whether `host` is us for a request that came to `local`.
    pub fn is(&self, host: Host<'_>, local: IpAddr) -> bool {
        match host {
            // Nearly all write it as it is written here.
            Host::Name(other) => {
                let same = |name: &SmolStr| name == other || Host::Name(name).matches(host);
                self.names.iter().any(same)
            }
            // Of a socket for both, an IPv4 peer's address is one in IPv6.
            Host::Ip(ip) => ip.to_canonical() == local.to_canonical() || self.addresses.contains(&ip),
        }
    }

    /// Whether a URI leads to us: by its host, and by its `maddr` if it has one, which goes before the host (§19.1.1).
    pub fn names(&self, uri: &SipUri<'_>, local: IpAddr) -> bool {
        self.is(uri.host, local)
            && match uri.param("maddr") {
                None => true,
                Some(maddr) => Host::parse(maddr).is_some_and(|host| self.is(host, local)),
            }
    }

    /// The address-of-record `uri` names under our domain, whichever alias it uses. `None`: its host is not us, or it
    /// has no user part.
    pub fn aor(&self, uri: &SipUri<'_>, local: IpAddr) -> Option<SmolStr> {
        let user = uri.user.filter(|_| self.is(uri.host, local))?;
        Some(self.address(&unescape(user)))
    }

    /// Whether an address-of-record is that of a user name.
    pub fn is_address_of(&self, aor: &str, user: &str) -> bool {
        let name = aor.strip_prefix("sip:").and_then(|rest| rest.strip_suffix(self.name.as_str()));
        name.and_then(|name| name.strip_suffix('@')).is_some_and(|name| name == escape_user(user))
    }

    /// The address-of-record of a user name that is not escaped.
    pub fn address(&self, user: &str) -> SmolStr {
        let user = escape_user(user);
        let mut out = SmolStrBuilder::with_capacity("sip:@".len() + user.len() + self.name.len());
        out.push_str("sip:");
        out.push_str(&user);
        out.push('@');
        out.push_str(&self.name);
        out.finish()
    }
}
