//! Which hosts are us.

use alloc::vec::Vec;
use core::net::IpAddr;

use smol_str::SmolStr;

use crate::message::{Host, SipUri};

/// The domain a server is responsible for, and the other hosts that mean it. Ports never count.
#[derive(Clone, Debug)]
pub struct Domain {
    name: SmolStr,
    aliases: Vec<SmolStr>,
}

impl Domain {
    /// A domain. What is no host among the names matches nothing.
    pub fn new(name: SmolStr, aliases: Vec<SmolStr>) -> Self {
        Self { name, aliases }
    }

    /// Whether `host` is us for a request that came to `local`.
    pub fn is(&self, host: Host<'_>, local: IpAddr) -> bool {
        // Of a socket for both, an IPv4 peer's address is one in IPv6.
        host.ip().is_some_and(|ip| ip.to_canonical() == local.to_canonical())
            || core::iter::once(&self.name)
                .chain(&self.aliases)
                .any(|name| Host::parse(name).is_some_and(|name| name.matches(host)))
    }

    /// The address-of-record `uri` names under our domain, whichever alias it uses. `None`: its host is not us, or it
    /// has no user part.
    pub fn aor(&self, uri: &SipUri<'_>, local: IpAddr) -> Option<SmolStr> {
        let user = uri.user.filter(|_| self.is(uri.host, local))?;
        Some(self.address(&crate::message::unescape(user)))
    }

    /// The address-of-record of a user name that is not escaped.
    pub fn address(&self, user: &str) -> SmolStr {
        let mut out = alloc::string::String::from("sip:");
        out.push_str(&crate::message::escape_user(user));
        out.push('@');
        out.push_str(&self.name);
        SmolStr::from(out)
    }
}
