//! The sections that say where requests go beside our own users: `[outbound]`, `[dns]`, `[[peer]]`, `[[route]]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use sip_core::message::{SipUri, Uri};
use sip_core::server::{Callers, NumberPattern, Outward, Preloaded, Share, StaticRoute};
use smol_str::SmolStr;

use super::file::{host, non_empty};
use super::reader::{Section, Value};
use super::{CertificateFiles, ConfigError, defaults};

/// Where our users may call, and who may call them.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Where our users may call beside our domain and the static routes.
    pub to: Outward,
    /// Which strangers may call our users.
    pub callers: Callers,
    /// Whose requests outside dialogs may have a Route that leads elsewhere.
    pub preloaded: Preloaded,
    /// The authorities that sign other domains' certificates, a PEM file; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// What we show servers that ask for a certificate.
    pub certificate: Option<CertificateFiles>,
}

impl Outbound {
    /// On somebody's own machine nobody is far away.
    pub const fn development() -> Self {
        Self {
            to: Outward::Nowhere,
            callers: Callers::Anyone,
            preloaded: Preloaded::Nobody,
            ca: None,
            certificate: None,
        }
    }

    /// Other domains may be called, and only peers call.
    pub const fn production() -> Self {
        Self {
            to: Outward::Public,
            callers: Callers::Peers,
            preloaded: Preloaded::Nobody,
            ca: None,
            certificate: None,
        }
    }
}

/// A server, or the servers of a domain, that we know by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerServer {
    /// Its name, its URI and the addresses its requests come from.
    pub peer: sip_core::server::Peer,
    /// How often it is asked whether it is there; `None`: never.
    pub probe: Option<Duration>,
}

const PEERS: &str = "sections, [[peer]], with `name` and `uri`";
const ROUTES: &str = "sections, [[route]], with `domain` or `number`, and `to`";
const NAME: &str = "a name that no other [[peer]] has";
const URI: &str = "a SIP URI without user, as in \"sip:trunk.example.net;transport=tcp\"";
const ADDRESSES: &str = "a list of IP addresses, as in [\"198.51.100.7\"]";
const DOMAIN: &str = "a host name or IP address without port, as in \"example.net\" or \"*.example.net\"";
const NUMBER: &str =
    "the characters of a user part, `x` for any digit, `*` at the end for anything, as in \"+49*\"";
const TO: &str = "a list of names of [[peer]] sections, or of { peer = NAME, priority = N, weight = N }";

pub(super) fn outbound(mut section: Section<'_>, development: bool) -> Result<Outbound, ConfigError> {
    let mut outbound = if development { Outbound::development() } else { Outbound::production() };
    if let Some(value) = section.take("to") {
        outbound.to = value.text("\"nowhere\", \"public\", \"anywhere\"", |text| match text {
            "nowhere" => Some(Outward::Nowhere),
            "public" => Some(Outward::Public),
            "anywhere" => Some(Outward::Anywhere),
            _ => None,
        })?;
    }
    if let Some(value) = section.take("callers") {
        outbound.callers = value.text("\"peers\", \"anyone\"", |text| match text {
            "peers" => Some(Callers::Peers),
            "anyone" => Some(Callers::Anyone),
            _ => None,
        })?;
    }
    if let Some(value) = section.take("preloaded_route") {
        outbound.preloaded = value.text("\"nobody\", \"accounts\"", |text| match text {
            "nobody" => Some(Preloaded::Nobody),
            "accounts" => Some(Preloaded::Accounts),
            _ => None,
        })?;
    }
    if let Some(value) = section.take("ca") {
        outbound.ca = Some(value.text("a PEM file of authorities", non_empty)?.into());
    }
    if let Some(value) = section.take("chain") {
        let chain = value.text("a PEM file of the certificate we show", non_empty)?.into();
        let accepted = "a PEM file of its private key";
        let key = section.require("key", accepted)?.text(accepted, non_empty)?.into();
        outbound.certificate = Some(CertificateFiles { chain, key });
    }
    section.finish()?;
    Ok(outbound)
}

pub(super) fn dns(mut section: Section<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    const SERVERS: &str = "a list of IP addresses, with a port where it is not 53, as in [\"192.0.2.53\"]";
    let read = |text: &str| {
        let address = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        address.or_else(|_| text.parse()).ok()
    };
    let servers = match section.take("servers") {
        Some(value) => {
            let items = value.elements(SERVERS)?;
            items.iter().map(|item| item.text(SERVERS, read)).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    section.finish()?;
    Ok(servers)
}

pub(super) fn peers(value: Option<Value<'_>>) -> Result<Vec<PeerServer>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut peers: Vec<PeerServer> = Vec::new();
    for item in value.elements(PEERS)? {
        let mut section = item.section()?;
        let name = section.require("name", NAME)?;
        let known = |text: &str| peers.iter().any(|other| other.peer.name == text);
        let name = name.text(NAME, |text| non_empty(text).filter(|text| !known(text)))?;
        let uri = section.require("uri", URI)?.text(URI, |text| server(text).map(|_| SmolStr::from(text)))?;
        let sources = match section.take("from") {
            Some(value) => {
                let items = value.elements(ADDRESSES)?;
                items.iter().map(|item| item.text(ADDRESSES, |t| t.parse().ok())).collect::<Result<_, _>>()?
            }
            // A peer that is an address comes from there.
            None => server(&uri).and_then(|uri| uri.host.ip()).into_iter().collect(),
        };
        let trusted = section.take("trusted").map_or(Ok(false), |value| value.boolean())?;
        let probe = match section.take("probe") {
            Some(value) => match value.number(0..=3_600)? {
                0 => None,
                seconds => Some(Duration::from_secs(seconds as u64)),
            },
            None => Some(defaults::PROBE),
        };
        section.finish()?;
        peers.push(PeerServer {
            peer: sip_core::server::Peer { name: name.into(), uri, sources, trusted },
            probe,
        });
    }
    Ok(peers)
}

fn server(text: &str) -> Option<SipUri<'_>> {
    match Uri::parse(text)? {
        Uri::Sip(uri) if uri.user.is_none() && uri.headers.is_none() => Some(uri),
        _ => None,
    }
}

pub(super) fn routes(
    value: Option<Value<'_>>,
    peers: &[PeerServer],
) -> Result<Vec<StaticRoute>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    value.elements(ROUTES)?.into_iter().map(|item| route(item.section()?, peers)).collect()
}

fn route(mut section: Section<'_>, peers: &[PeerServer]) -> Result<StaticRoute, ConfigError> {
    let domain = match section.take("domain") {
        Some(value) => Some(value.text(DOMAIN, domain)?),
        None => None,
    };
    let numbers = match section.take("number") {
        Some(value) => Some(value.text(NUMBER, NumberPattern::new)?),
        // Else all that nobody here has would go there, typing errors too: `number = "*"` says so.
        None if domain.is_none() => return Err(section.missing("number", NUMBER)),
        None => None,
    };
    let to = section.require("to", TO)?;
    let refusal = to.refuse(TO);
    let shares: Vec<Share> =
        to.elements(TO)?.into_iter().map(|item| share(item, peers)).collect::<Result<_, _>>()?;
    section.finish()?;
    if shares.is_empty() { Err(refusal) } else { Ok(StaticRoute { domain, numbers, peers: shares }) }
}

fn domain(text: &str) -> Option<SmolStr> {
    match text.strip_prefix("*.") {
        Some(parent) => host(parent).filter(|parent| parent.parse::<IpAddr>().is_err()).map(|_| text.into()),
        None => match host(text)?.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => Some(format!("[{ip}]").into()),
            _ => Some(text.into()),
        },
    }
}

fn share(item: Value<'_>, peers: &[PeerServer]) -> Result<Share, ConfigError> {
    let names: Vec<&str> = peers.iter().map(|peer| peer.peer.name.as_str()).collect();
    let accepted =
        if names.is_empty() { PEERS.into() } else { format!("the name of a peer: {}", names.join(", ")) };
    let known = |text: &str| names.contains(&text).then(|| SmolStr::from(text));
    if item.is_text() {
        return Ok(Share { peer: item.text(&accepted, known)?, priority: 1, weight: 1 });
    }
    let mut section = item.section()?;
    let peer = section.require("peer", &accepted)?.text(&accepted, known)?;
    let mut number = |key| section.take(key).map_or(Ok(1), |value| value.number(0..=65_535));
    let (priority, weight) = (number("priority")? as u16, number("weight")? as u16);
    section.finish()?;
    Ok(Share { peer, priority, weight })
}
