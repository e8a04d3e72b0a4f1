//! Servers of others that the configuration names, and which requests go to them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::{SmolStr, format_smolstr};

use super::Config;
use super::questions::Arrival;
use crate::entropy::Entropy;
use crate::message::{Host, SipUri, Uri, unescape};
use crate::proxy::EdgeRole;
use crate::transport::target::{self, Way};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// One of our accounts, which proved itself.
    Account {
        /// Its user name.
        username: SmolStr,
    },
    /// A server of the configuration, by its address.
    Peer {
        /// The domain its certificate names.
        domain: SmolStr,
    },
    /// Whoever would be asked to prove that it is one of ours, of an ACK or a CANCEL without a transaction, which nobody can be
    /// asked for (§22.1).
    Unasked,
    /// Who has registered through us in a domain behind us, or does; see [`super::guests`].
    Guest {
        /// That domain.
        domain: SmolStr,
    },
    /// The registrar of such a domain, along the Path of a guest.
    Registrar,
    /// Nobody we know.
    Stranger,
}

impl Standing {
    /// What this server is to its request as an edge proxy.
    pub(super) const fn edge(&self) -> EdgeRole {
        match self {
            Self::Guest { .. } => EdgeRole::Guest,
            Self::Registrar => EdgeRole::AlongPath,
            _ => EdgeRole::None,
        }
    }

    /// Whether somebody here answers for it.
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::Account { .. })
    }

    /// Whether it may be one of ours, as far as it can be known.
    pub(super) const fn may_be_ours(&self) -> bool {
        matches!(self, Self::Account { .. } | Self::Unasked)
    }
}

/// A server, or the servers of a domain, that we know by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What it is called here.
    pub name: SmolStr,
    /// Where it is reached, as in `sip:trunk.example.net;transport=tcp`.
    pub uri: SmolStr,
    /// The addresses its requests come from.
    pub sources: Vec<IpAddr>,
    /// Whether it is of our trust domain (RFC 3325 §3): who it says calls is believed, and it is told who calls.
    pub trusted: bool,
}

impl Peer {
    /// The host of its URI.
    pub(super) fn domain(&self) -> SmolStr {
        match Uri::parse(&self.uri) {
            Some(Uri::Sip(SipUri { host: Host::Ip(ip), .. })) => format_smolstr!("{ip}"),
            Some(Uri::Sip(uri)) => format_smolstr!("{}", uri.host),
            _ => SmolStr::default(),
        }
    }
}

/// Requests that go to peers instead of where DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// Of this domain; `*.example.com` is every domain below. `None`: of our own domain, where nobody has the address.
    pub domain: Option<SmolStr>,
    /// For these users; `None`: for all.
    pub numbers: Option<NumberPattern>,
    /// To one of these.
    pub peers: Vec<Share>,
}

/// A peer's share of the requests of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The name of the [`Peer`].
    pub peer: SmolStr,
    /// Lower goes first; the others are tried when those before them fail.
    pub priority: u16,
    /// Among equals, the share of the load.
    pub weight: u16,
}

/// Which user parts are meant: characters stand for themselves, `x` for any digit, and `*` at the end for anything that
/// follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern(SmolStr);

impl NumberPattern {
    /// `None`: nothing is meant, or a `*` stands elsewhere than at the end.
    pub fn new(text: &str) -> Option<Self> {
        let sound = !text.is_empty() && text.find('*').is_none_or(|at| at + 1 == text.len());
        sound.then(|| Self(text.into()))
    }

    /// Whether a user part, unescaped, is meant.
    pub fn matches(&self, user: &str) -> bool {
        let (fixed, open) = self.parts();
        let Some(rest) = after(fixed, user) else { return false };
        open || rest.is_empty()
    }

    /// Whether whatever `other` means is meant, too.
    pub fn covers(&self, other: &Self) -> bool {
        let ((fixed, open), (theirs, others)) = (self.parts(), other.parts());
        let Some(rest) = after(fixed, theirs) else { return false };
        open || (rest.is_empty() && !others)
    }

    /// What stands before the `*`, and whether there is one.
    fn parts(&self) -> (&str, bool) {
        match self.0.strip_suffix('*') {
            Some(fixed) => (fixed, true),
            None => (&self.0, false),
        }
    }
}

/// What follows in `text` after what `fixed` means.
fn after<'a>(fixed: &str, text: &'a str) -> Option<&'a str> {
    let mut rest = text.chars();
    let head = fixed.chars().all(|wanted| {
        rest.next().is_some_and(|found| found == wanted || (wanted == 'x' && found.is_ascii_digit()))
    });
    head.then_some(rest.as_str())
}

impl StaticRoute {
    /// Whether requests for this URI, of another domain than ours, take this route.
    pub fn leads(&self, uri: &SipUri<'_>) -> bool {
        self.matches(uri, false)
    }

    /// Whether every request that `other` leads takes this route, where this one stands before it.
    pub fn covers(&self, other: &Self) -> bool {
        let domain = match (&self.domain, &other.domain) {
            (None, None) => true,
            (Some(wanted), Some(domain)) => {
                wanted.eq_ignore_ascii_case(domain)
                    || wanted.strip_prefix("*.").is_some_and(|parent| is_below(domain, parent))
            }
            _ => false,
        };
        let numbers = match (&self.numbers, &other.numbers) {
            (None, _) => true,
            (Some(wanted), Some(numbers)) => wanted.covers(numbers),
            (Some(_), None) => false,
        };
        domain && numbers
    }

    fn matches(&self, uri: &SipUri<'_>, ours: bool) -> bool {
        let domain = match (&self.domain, uri.host) {
            (None, _) => ours,
            (Some(_), _) if ours => false,
            (Some(wanted), host) => match (wanted.strip_prefix("*."), host) {
                (Some(parent), Host::Name(name)) => is_below(name, parent),
                (Some(_), Host::Ip(_)) => false,
                (None, host) => Host::parse(wanted).is_some_and(|wanted| wanted.matches(host)),
            },
        };
        let user = |pattern: &NumberPattern| uri.user.is_some_and(|user| pattern.matches(&unescape(user)));
        domain && self.numbers.as_ref().is_none_or(user)
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(head) = name.len().checked_sub(parent.len() + 1) else { return false };
    head > 0
        && name.as_bytes().get(head) == Some(&b'.')
        && name.get(head + 1..).is_some_and(|tail| tail.eq_ignore_ascii_case(parent))
}

impl Config {
    /// The peer whose requests come from this address.
    pub(super) fn peer_at(&self, address: IpAddr) -> Option<&Peer> {
        let address = address.to_canonical();
        self.peers.iter().find(|peer| peer.sources.iter().any(|source| source.to_canonical() == address))
    }

    /// The peer that sent a request: whose domain its connection's certificate names (RFC 5922 §7.4), else whose address it came
    /// from.
    pub(super) fn peer_of(&self, arrival: &Arrival) -> Option<&Peer> {
        let certified = arrival.certified.as_deref().unwrap_or_default();
        let names = |peer: &&Peer| {
            let domain = peer.domain();
            certified.iter().any(|name| name.eq_ignore_ascii_case(&domain))
        };
        self.peers.iter().find(names).or_else(|| self.peer_at(arrival.from.remote.ip()))
    }

    /// Whether whoever is at this address, as a server of this domain, is of our trust domain.
    pub(super) fn trusts(&self, address: IpAddr, domain: &str) -> bool {
        let address = address.to_canonical();
        let is_there = |peer: &Peer| peer.sources.iter().any(|source| source.to_canonical() == address);
        self.peers
            .iter()
            .any(|peer| peer.trusted && (is_there(peer) || peer.domain().eq_ignore_ascii_case(domain)))
    }

    /// Whether a way leads to a peer that the configuration has reached over UDP.
    pub(super) fn wants_datagrams(&self, way: &Way) -> bool {
        let over_udp = |peer: &Peer| match Uri::parse(&peer.uri) {
            Some(Uri::Sip(uri)) => uri.param("transport").is_some_and(|it| it.eq_ignore_ascii_case("udp")),
            _ => false,
        };
        let is_there = |peer: &Peer| {
            let at = |address: &SocketAddr| {
                peer.sources.iter().any(|source| source.to_canonical() == address.ip().to_canonical())
            };
            peer.domain().eq_ignore_ascii_case(&way.domain) || way.addresses.iter().any(at)
        };
        self.peers.iter().any(|peer| is_there(peer) && over_udp(peer))
    }

    pub(super) fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// The route of a request. `ours`: its domain is ours and it has no such user.
    pub(super) fn route_for(&self, uri: &SipUri<'_>, ours: bool) -> Option<&StaticRoute> {
        self.routes.iter().find(|route| route.matches(uri, ours))
    }

    /// The URIs of a route's peers, in the order they are to be tried this time.
    pub(super) fn uris(&self, route: &StaticRoute, entropy: &mut dyn Entropy) -> VecDeque<SmolStr> {
        let shares = target::by_weight(route.peers.clone(), |share| (share.priority, share.weight), entropy);
        shares.iter().filter_map(|share| Some(self.peer(&share.peer)?.uri.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_patterns() {
        for (pattern, yes, no) in [
            ("+49*", &["+4930123", "+49"][..], &["49", "+4", "0049"][..]),
            ("0x", &["01", "09"], &["0", "012", "0a"]),
            ("00xx*", &["0049", "004930"], &["00", "004", "0a49"]),
            ("*", &["", "alice"], &[]),
            ("alice", &["alice"], &["alic", "alicex", "ALICE"]),
        ] {
            let parsed = NumberPattern::new(pattern).unwrap();
            for user in yes {
                assert!(parsed.matches(user), "{pattern} {user}");
            }
            for user in no {
                assert!(!parsed.matches(user), "{pattern} {user}");
            }
        }
        assert_eq!(NumberPattern::new(""), None);
        assert_eq!(NumberPattern::new("4*9"), None);
    }

    #[test]
    fn a_route_that_leaves_nothing_for_another() {
        let pattern = |text: &str| NumberPattern::new(text).unwrap();
        for (first, second, covered) in [
            ("*", "+49*", true),
            ("+*", "+49*", true),
            ("+49*", "+49*", true),
            ("0x*", "00*", true),
            ("0x", "01", true),
            ("0x", "0x", true),
            ("+49*", "+*", false),
            ("01", "0x", false),
            ("0x", "0x*", false),
            ("0x", "012", false),
            ("alice", "bob", false),
        ] {
            assert_eq!(pattern(first).covers(&pattern(second)), covered, "{first} {second}");
        }
        let route = |domain: Option<&str>, number: Option<&str>| StaticRoute {
            domain: domain.map(SmolStr::from),
            numbers: number.map(pattern),
            peers: Vec::new(),
        };
        let b = Some("b.example");
        for (first, second, covered) in [
            (route(b, None), route(Some("B.example"), Some("1*")), true),
            (route(Some("*.example"), None), route(b, None), true),
            (route(Some("*.example"), None), route(Some("*.b.example"), None), true),
            (route(b, Some("*")), route(b, None), false),
            (route(b, None), route(Some("*.b.example"), None), false),
            (route(None, Some("*")), route(b, Some("1")), false),
            (route(None, Some("*")), route(None, Some("1")), true),
        ] {
            assert_eq!(first.covers(&second), covered, "{first:?} {second:?}");
        }
    }

    #[test]
    fn domains_of_routes() {
        let route = |domain: Option<&str>| StaticRoute {
            domain: domain.map(SmolStr::from),
            numbers: None,
            peers: Vec::new(),
        };
        let matches = |domain: Option<&str>, uri: &str, ours| match Uri::parse(uri) {
            Some(Uri::Sip(uri)) => route(domain).matches(&uri, ours),
            _ => panic!("{uri}"),
        };
        assert!(matches(Some("b.example"), "sip:x@B.example.", false));
        assert!(!matches(Some("b.example"), "sip:x@a.b.example", false));
        assert!(matches(Some("*.b.example"), "sip:x@a.B.example", false));
        assert!(!matches(Some("*.b.example"), "sip:x@b.example", false));
        assert!(!matches(Some("*.b.example"), "sip:x@ab.example", false));
        assert!(!matches(Some("*.2.1"), "sip:x@192.0.2.1", false));
        assert!(matches(Some("192.0.2.1"), "sip:x@192.0.2.1", false));
        assert!(matches(None, "sip:x@ours.example", true));
        assert!(!matches(None, "sip:x@b.example", false));
        assert!(!matches(Some("ours.example"), "sip:x@ours.example", true));
    }
}
