//! The sections `[[route]]`: requests that go to peers instead of where DNS says.

use std::net::IpAddr;

use sip_core::server::{NumberPattern, Share, StaticRoute};
use smol_str::SmolStr;

use super::file::host;
use super::next_hop::PEERS;
use super::reader::{Section, Value};
use super::{ConfigError, PeerServer};

const ROUTES: &str = "sections, [[route]], with `domain` or `number`, and `to`";
const OTHER: &str = "another domain than ours; without `domain` a route is for numbers of our own";
const HIDDEN: &str =
    "what no [[route]] before it takes: the first that matches counts, and this one never would";
const DOMAIN: &str = "a host name or IP address without port, as in \"example.net\" or \"*.example.net\"";
const NUMBER: &str =
    "the characters of a user part, `x` for any digit, `*` at the end for anything, as in \"+49*\"";
const TO: &str = "a list of names of [[peer]] sections, or of { peer = NAME, priority = N, weight = N }";

/// `own`: our domain and its aliases.
pub(super) fn parse(
    value: Option<Value<'_>>,
    peers: &[PeerServer],
    own: &[&str],
) -> Result<Vec<StaticRoute>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut routes: Vec<StaticRoute> = Vec::new();
    for item in value.elements(ROUTES)? {
        let (route, hidden) = route(item.section()?, peers, own)?;
        if routes.iter().any(|before| before.covers(&route)) {
            return Err(hidden);
        }
        routes.push(route);
    }
    Ok(routes)
}

/// A route, and the error that those before it take all that it would.
fn route(
    mut section: Section<'_>,
    peers: &[PeerServer],
    own: &[&str],
) -> Result<(StaticRoute, ConfigError), ConfigError> {
    let said = section.take("domain");
    let domain = match &said {
        Some(value) => {
            let domain = value.text(DOMAIN, domain)?;
            if own.iter().any(|own| is_same(own, &domain)) {
                return Err(value.refuse(OTHER));
            }
            Some(domain)
        }
        None => None,
    };
    let (numbers, hidden) = match (section.take("number"), said) {
        (Some(value), _) => (Some(value.text(NUMBER, NumberPattern::new)?), value.refuse(HIDDEN)),
        (None, Some(said)) => (None, said.refuse(HIDDEN)),
        // Else all that nobody here has would go there, typing errors too: `number = "*"` says so.
        (None, None) => return Err(section.missing("number", NUMBER)),
    };
    let to = section.require("to", TO)?;
    let refusal = to.refuse(TO);
    let shares: Vec<Share> =
        to.elements(TO)?.into_iter().map(|item| share(item, peers)).collect::<Result<_, _>>()?;
    section.finish()?;
    if shares.is_empty() {
        Err(refusal)
    } else {
        Ok((StaticRoute { domain, numbers, peers: shares }, hidden))
    }
}

/// With brackets or without.
pub(super) fn is_same(own: &str, domain: &str) -> bool {
    let plain = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
    plain(own) == plain(domain)
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
