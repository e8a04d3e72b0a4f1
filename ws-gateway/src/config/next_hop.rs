//! The sections that say where requests go beside our own users: `[outbound]`, `[dns]`, `[[peer]]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use sip_core::message::{SipUri, Uri};
use sip_core::server::{Callers, Outward, Preloaded};
use sip_core::transport::target::{Located, Nowhere, Transports, locate};
use smol_str::SmolStr;

use super::file::non_empty;
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

pub(super) const PEERS: &str = "sections, [[peer]], with `name` and `uri`";
const CHAIN: &str = "a PEM file of the certificate we show";
const KEY: &str = "a PEM file of its private key";
const NAME: &str = "a name that no other [[peer]] has";
const URI: &str = "a SIP URI without user, as in \"sip:trunk.example.net;transport=tcp\"";
const ADDRESSES: &str = "a list of IP addresses, as in [\"198.51.100.7\"]";
const TRANSPORT: &str =
    "a URI whose transport there is: udp with a [[udp]] section of its address's family, tcp, tls";
const INVALID: &str = "a URI with a host that can be found: a name under .invalid leads nowhere";
const ONE_TRUST: &str = "the same as of every other [[peer]] that comes from there";

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
    let (chain, key) = (section.take("chain"), section.take("key"));
    if chain.is_some() || key.is_some() {
        let chain = chain.ok_or_else(|| section.missing("chain", CHAIN))?.text(CHAIN, non_empty)?.into();
        let key = key.ok_or_else(|| section.missing("key", KEY))?.text(KEY, non_empty)?.into();
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

/// `transports`: what requests can go out over.
pub(super) fn peers(
    value: Option<Value<'_>>,
    transports: Transports,
) -> Result<Vec<PeerServer>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut peers: Vec<PeerServer> = Vec::new();
    for item in value.elements(PEERS)? {
        let mut section = item.section()?;
        let name = section.require("name", NAME)?;
        let known = |text: &str| peers.iter().any(|other| other.peer.name == text);
        let name = name.text(NAME, |text| non_empty(text).filter(|text| !known(text)))?;
        let value = section.require("uri", URI)?;
        let uri = value.text(URI, |text| server(text).map(|_| SmolStr::from(text)))?;
        match server(&uri).map(|uri| locate(&uri, transports)) {
            Some(Located::Nowhere(Nowhere::Invalid)) => return Err(value.refuse(INVALID)),
            Some(Located::Nowhere(_)) => return Err(value.refuse(TRANSPORT)),
            _ => {}
        }
        let sources: Vec<IpAddr> = match section.take("from") {
            Some(value) => {
                let items = value.elements(ADDRESSES)?;
                items.iter().map(|item| item.text(ADDRESSES, |t| t.parse().ok())).collect::<Result<_, _>>()?
            }
            // A peer that is an address comes from there.
            None => server(&uri).and_then(|uri| uri.host.ip()).into_iter().collect(),
        };
        let said = section.take("trusted");
        let trusted = said.as_ref().map_or(Ok(false), Value::boolean)?;
        // Who is there is known by the address alone.
        let shares = |other: &PeerServer| sources.iter().any(|source| other.peer.sources.contains(source));
        if peers.iter().any(|other| other.peer.trusted != trusted && shares(other)) {
            return Err(
                said.map_or_else(|| section.missing("trusted", ONE_TRUST), |said| said.refuse(ONE_TRUST))
            );
        }
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
