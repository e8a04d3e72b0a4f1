//! The keys of a configuration file.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sip_core::auth::Algorithm;
use sip_core::transport::target::Transports;

use super::reader::{Section, Source, Value};
use super::{
    Audience, CertificateFiles, Clients, Config, ConfigError, HttpListener, Kept, LOG, Limits, Listen,
    LoadBalancers, Memory, Port, SipListener, Timeouts, defaults, load_balancers, log_filter, next_hop,
    routes,
};

const ADDRESS: &str = "an IP address and port, as in \"192.0.2.1:5060\" or \"[::1]:0\" (0: any free port)";
const LOOPBACK: &str =
    "a loopback address, since `development` is true: \"127.0.0.1:PORT\" or \"[::1]:PORT\"";
const PASSWORDS: &str = "true, since `development` is not";
const DOMAIN: &str = "a host name or IP address without port, as in \"example.com\"";
const DIGEST: &str = "a list of \"SHA-512-256\", \"SHA-256\", \"MD5\", each at most once";
const CERTIFICATES: &str = "sections, [[certificate]], with `chain` and `key`; TLS needs one";
const CHAIN: &str = "a PEM file of our certificate and those between it and its root";
const KEY: &str = "a PEM file of the certificate's private key";
const ORIGIN: &str = "origins as browsers send them, as in \"https://phone.example.com\"";

/// A machine of a whole TiB, MiB.
const MOST_MEMORY: usize = 1_048_576;

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut top = Source { path, text }.parse()?;
    let development = top.take("development").map_or(Ok(false), |value| value.boolean())?;
    let passwords = match top.take("passwords") {
        Some(value) => {
            let passwords = value.boolean()?;
            if !passwords && !development {
                return Err(value.refuse(PASSWORDS));
            }
            passwords
        }
        None => true,
    };
    let domain = match top.take("domain") {
        Some(value) => value.text(DOMAIN, own_domain)?,
        None if development => defaults::DOMAIN.into(),
        None => top.require("domain", DOMAIN)?.text(DOMAIN, own_domain)?,
    };
    let aliases = match top.take("aliases") {
        Some(value) => {
            let accepted = "a list of host names and IP addresses without port";
            value
                .elements(accepted)?
                .iter()
                .map(|item| item.text(accepted, host))
                .collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let data = match top.take("data") {
        Some(value) => value.text("a directory, as in \"/var/lib/trapezoid\"", non_empty)?.into(),
        None => defaults::DATA.into(),
    };
    let location = match top.take("location") {
        Some(value) => value.text("\"disk\", \"memory\"", |text| match text {
            "disk" => Some(Kept::Disk),
            "memory" => Some(Kept::Memory),
            _ => None,
        })?,
        None => defaults::LOCATION,
    };
    let log = match top.take("log") {
        Some(value) => value.text(LOG, |text| log_filter(text).map(|_| text.to_owned()))?,
        None => defaults::LOG.into(),
    };
    let (first, further) = match top.take("http") {
        Some(value) => {
            let mut sections = value.sections()?.into_iter();
            (sections.next(), sections.collect())
        }
        None => (None, Vec::new()),
    };
    let mut http = http(first.unwrap_or_else(|| top.absent("http")), development)?;
    http.also = addresses(further, development)?;
    let for_tls = top.place("https").or_else(|| top.place("tls"));
    let https = match top.take("https") {
        Some(value) => addresses(value.sections()?, development)?,
        None => Vec::new(),
    };
    let udp = sip_listeners(top.take("udp"), development, false, "sections, [[udp]]")?;
    let tcp = sip_listeners(top.take("tcp"), development, false, "sections, [[tcp]]")?;
    let tls = sip_listeners(top.take("tls"), development, true, "sections, [[tls]]")?;
    let certificates = match top.take("certificate") {
        Some(value) => certificates(value)?,
        // A development gateway makes its own.
        None if development || (https.is_empty() && tls.is_empty()) => Vec::new(),
        None => return Err(top.missing_for(for_tls, "certificate", CERTIFICATES)),
    };
    let load_balancers = match top.take("load_balancer") {
        Some(value) => {
            let open = [
                (Port::Http, true),
                (Port::Https, !https.is_empty()),
                (Port::Tcp, !tcp.is_empty()),
                (Port::Tls, !tls.is_empty()),
            ];
            load_balancers::parse(value.section()?, &open)?
        }
        None => LoadBalancers::default(),
    };
    let outbound = next_hop::outbound(top.section("outbound")?, development)?;
    let dns = next_hop::dns(top.section("dns")?)?;
    let peers = next_hop::peers(top.take("peer"), transports(&udp))?;
    let own: Vec<&str> = std::iter::once(&domain).chain(&aliases).map(String::as_str).collect();
    let routes = routes::parse(top.take("route"), &peers, &own)?;
    let proxy = super::proxy::parse(top.section("proxy")?)?;
    let edges = super::edges::parse(top.take("edge"), &own, &proxy)?;
    let reach =
        super::forward::Reach { domain: &domain, aliases: &aliases, routes: &routes, outward: outbound.to };
    let forwards = super::forward::parse(top.take("forward"), &proxy, &reach)?;
    let registrar =
        super::registrar::parse(top.section("registrar")?, &peers, !https.is_empty() || !tls.is_empty())?;
    let authentication = super::authentication::parse(top.section("authentication")?)?;
    let limits = limits(top.section("limits")?)?;
    let timeouts = timeouts(top.section("timeouts")?)?;
    top.finish()?;
    Ok(Config {
        domain,
        aliases,
        data,
        location,
        development,
        passwords,
        http,
        https,
        udp,
        tcp,
        tls,
        certificates,
        load_balancers,
        outbound,
        dns,
        peers,
        routes,
        edges,
        proxy,
        forwards,
        registrar,
        authentication,
        limits,
        timeouts,
        log,
    })
}

fn certificates(value: Value<'_>) -> Result<Vec<CertificateFiles>, ConfigError> {
    let refusal = value.refuse(CERTIFICATES);
    let mut certificates = Vec::new();
    for item in value.elements(CERTIFICATES)? {
        let mut section = item.section()?;
        let chain = section.require("chain", CHAIN)?.text(CHAIN, non_empty)?.into();
        let key = section.require("key", KEY)?.text(KEY, non_empty)?.into();
        section.finish()?;
        certificates.push(CertificateFiles { chain, key });
    }
    if certificates.is_empty() { Err(refusal) } else { Ok(certificates) }
}

fn http(mut section: Section<'_>, development: bool) -> Result<HttpListener, ConfigError> {
    let listen = listen(section.require("listen", ADDRESS)?, development)?;
    let mut http = HttpListener::at(listen.into());
    if let Some(value) = section.take("www") {
        http.www = Some(value.text("the directory of the built page", non_empty)?.into());
    }
    if let Some(value) = section.take("allowed_origins") {
        http.allowed_origins =
            value.elements(ORIGIN)?.iter().map(|item| item.text(ORIGIN, origin)).collect::<Result<_, _>>()?;
    }
    if let Some(value) = section.take("metrics") {
        http.metrics = value.text("\"loopback\", \"everyone\"", |text| match text {
            "loopback" => Some(Audience::Loopback),
            "everyone" => Some(Audience::Everyone),
            _ => None,
        })?;
    }
    if let Some(value) = section.take("digest") {
        http.digest = digest(value)?;
    }
    section.finish()?;
    Ok(http)
}

/// Sections that say an address and no more.
fn addresses(sections: Vec<Section<'_>>, development: bool) -> Result<Vec<Listen>, ConfigError> {
    let address = |mut section: Section<'_>| {
        let address = listen(section.require("listen", ADDRESS)?, development)?;
        section.finish()?;
        Ok(address.into())
    };
    sections.into_iter().map(address).collect()
}

fn sip_listeners(
    value: Option<Value<'_>>,
    development: bool,
    tls: bool,
    accepted: &str,
) -> Result<Vec<SipListener>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    value
        .elements(accepted)?
        .into_iter()
        .map(|item| sip_listener(item.section()?, development, tls))
        .collect()
}

fn sip_listener(mut section: Section<'_>, development: bool, tls: bool) -> Result<SipListener, ConfigError> {
    let address = listen(section.require("listen", ADDRESS)?, development)?;
    let mut listener = SipListener::at(address.into());
    const ADVERTISE: &str = "the IP address that peers reach us at, of the family of `listen`";
    // A listener on all addresses cannot know which of them to write into Via and Record-Route.
    let advertise = if address.ip().is_unspecified() {
        Some(section.require("advertise", ADVERTISE)?)
    } else {
        section.take("advertise")
    };
    if let Some(value) = advertise {
        // IPv4 and IPv6 are listeners of their own.
        let fits = |ip: &IpAddr| !ip.is_unspecified() && ip.is_ipv4() == address.is_ipv4();
        let read = |text: &str| text.parse::<IpAddr>().ok().filter(fits);
        listener.advertise = Some(value.text(ADVERTISE, read)?);
    }
    if let Some(value) = section.take("digest") {
        listener.digest = digest(value)?;
    }
    if tls {
        listener.clients = clients(&mut section)?;
    }
    section.finish()?;
    Ok(listener)
}

fn clients(section: &mut Section<'_>) -> Result<Clients, ConfigError> {
    const ACCEPTED: &str = "\"nobody\", \"asked\", \"required\"";
    const AUTHORITIES: &str = "a PEM file of the authorities that sign clients' certificates";
    let make: fn(PathBuf) -> Clients = match section.take("client_certificates") {
        None => return no_authorities(section),
        Some(value) => match value.text(ACCEPTED, |text| Some(text.to_owned()))?.as_str() {
            "nobody" => return no_authorities(section),
            "asked" => Clients::Asked,
            "required" => Clients::Required,
            _ => return Err(value.refuse(ACCEPTED)),
        },
    };
    Ok(make(section.require("client_ca", AUTHORITIES)?.text(AUTHORITIES, non_empty)?.into()))
}

/// Without a wish to see certificates, authorities that sign them are a misunderstanding.
fn no_authorities(section: &mut Section<'_>) -> Result<Clients, ConfigError> {
    match section.take("client_ca") {
        Some(value) => {
            Err(value.refuse("nothing, unless `client_certificates` is \"asked\" or \"required\""))
        }
        None => Ok(Clients::Anyone),
    }
}

/// What requests can go out over. Streams need no listener of ours.
fn transports(udp: &[SipListener]) -> Transports {
    let seen = |listener: &SipListener| listener.advertise.unwrap_or(listener.listen.address.ip());
    Transports {
        udp4: udp.iter().any(|listener| seen(listener).is_ipv4()),
        udp6: udp.iter().any(|listener| seen(listener).is_ipv6()),
        tcp: true,
        tls: true,
    }
}

fn limits(mut section: Section<'_>) -> Result<Limits, ConfigError> {
    let memory = section.take("memory");
    let mut number = |key, range: RangeInclusive<usize>, default| {
        section.take(key).map_or(Ok(default), |value| value.number(range))
    };
    let mut limits = Limits {
        connections: number("connections", 1..=1_000_000, defaults::CONNECTIONS)?,
        connections_per_ip: number("connections_per_ip", 1..=1_000_000, defaults::CONNECTIONS_PER_IP)?,
        handshakes: number("handshakes", 1..=1_000_000, defaults::HANDSHAKES)?,
        handshakes_per_ip: number("handshakes_per_ip", 1..=1_000_000, defaults::HANDSHAKES_PER_IP)?,
        memory: Memory::mebibytes(defaults::MEMORY),
        contacts_per_aor: number("contacts_per_aor", 1..=100, defaults::CONTACTS_PER_AOR)?,
        registrations: number("registrations", 1..=10_000_000, defaults::REGISTRATIONS)?,
        queued_messages: number("queued_messages", 1..=100_000, defaults::QUEUED_MESSAGES)?,
        queued_bytes: number("queued_bytes", 65_536..=1_073_741_824, defaults::QUEUED_BYTES)?,
    };
    // What all connections and all registrations take has to fit.
    let least = Memory::least(&limits);
    match memory {
        Some(value) => limits.memory = Memory::mebibytes(value.number(least..=MOST_MEMORY)?),
        None if least > defaults::MEMORY => return Err(section.missing("memory", &enough(least))),
        None => {}
    }
    section.finish()?;
    Ok(limits)
}

fn enough(least: usize) -> String {
    format!("MiB, {least} at least, for so many `connections` and `registrations`")
}

fn timeouts(mut section: Section<'_>) -> Result<Timeouts, ConfigError> {
    let mut seconds = |key, range: RangeInclusive<usize>, default| match section.take(key) {
        Some(value) => value.number(range).map(|seconds| Duration::from_secs(seconds as u64)),
        None => Ok(default),
    };
    let timeouts = Timeouts {
        handshake: seconds("handshake", 1..=300, defaults::HANDSHAKE)?,
        first_message: seconds("first_message", 1..=86_400, defaults::FIRST_MESSAGE)?,
        idle: seconds("idle", 1..=86_400, defaults::IDLE)?,
        ping: seconds("ping", 1..=86_400, defaults::PING)?,
        pong: seconds("pong", 1..=300, defaults::PONG)?,
        write: seconds("write", 1..=300, defaults::WRITE)?,
        dial: seconds("dial", 1..=60, defaults::DIAL)?,
        away: seconds("away", 0..=3_600, defaults::AWAY)?,
        stop: seconds("stop", 0..=60, defaults::STOP)?,
    };
    section.finish()?;
    Ok(timeouts)
}

fn listen(value: Value<'_>, development: bool) -> Result<SocketAddr, ConfigError> {
    let one = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_multicast(),
    };
    let address = value.text(ADDRESS, |text| text.parse::<SocketAddr>().ok().filter(one))?;
    if development && !address.ip().is_loopback() {
        return Err(value.refuse(LOOPBACK));
    }
    Ok(address)
}

fn digest(value: Value<'_>) -> Result<Vec<Algorithm>, ConfigError> {
    let mut algorithms = Vec::new();
    let refusal = value.refuse(DIGEST);
    for item in value.elements(DIGEST)? {
        let algorithm = item.text(DIGEST, Algorithm::from_token)?;
        if algorithms.contains(&algorithm) {
            return Err(item.refuse(DIGEST));
        }
        algorithms.push(algorithm);
    }
    if algorithms.is_empty() { Err(refusal) } else { Ok(algorithms) }
}

/// The domain of addresses-of-record, and the realm: a host as it stands in a URI. `None`: it is none.
pub fn own_domain(text: &str) -> Option<String> {
    let plain = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match plain.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => Some(format!("[{ip}]")),
        _ => host(text),
    }
}

/// A host name, in lower case, or an IP address without brackets; `None`: it is neither.
pub(super) fn host(text: &str) -> Option<String> {
    if text.parse::<IpAddr>().is_ok() {
        return Some(text.into());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (text.len() <= 253 && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

fn origin(text: &str) -> Option<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*".contains(&byte));
    // Browsers leave the scheme's own port out.
    let usual = if text.starts_with("https") { ":443" } else { ":80" };
    plain.then(|| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase())
}

pub(super) fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
