//! The section `[registrar]`: what those who register are told, and who registers for others or watches their registrations.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sip_core::message::{NameAddr, Uri, is_sips};
use sip_core::registrar::Bounds;
use sip_core::server::Watcher;
use sip_core::time::Duration;

use super::reader::{Section, Value};
use super::{ConfigError, PeerServer};
use crate::accounts::is_user_name;

const ROUTES: &str = "a list of routes in angle brackets, with `lr`, as in \"<sip:example.com;lr>\"";
const SIPS_ROUTE: &str = "a sips route where requests come over TLS: with a [[tls]] section or `https`";
const SECONDS: &str = "whole seconds from 10 to 3600, or 0 for none";
const THIRD_PARTIES: &str = "sections, [[registrar.third_party]], with `user` and `registers`";
const WATCHERS: &str = "sections, [[registrar.watcher]], with `user` or `peer`, and `watches`";
const WATCHED: &str = "a list of user names, or \"everybody\"";
const USER: &str = "the user name of an account";
const ONCE: &str = "each account, and each peer, in one section";
const USERS: &str = "a list of user names";

/// Keys, and the seconds each may have.
const LEAST: (&str, RangeInclusive<usize>) = ("min_expires", 1..=3_600);
const MOST: (&str, RangeInclusive<usize>) = ("max_expires", 60..=604_800);
const UNASKED: &str = "default_expires";

/// What those who register are told, and who registers for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// How long a contact may be bound (RFC 3261 §10.3 step 7).
    pub expiry: Bounds,
    /// Service-Route (RFC 3608).
    pub service_route: Vec<String>,
    /// Flow-Timer (RFC 5626 §4.4).
    pub flow_timer: Option<Duration>,
    /// Accounts that may register contacts of others: user names, and whose.
    pub third_parties: BTreeMap<String, Vec<String>>,
    /// Who may watch the registrations of others, and whose; `None`: everybody's.
    pub watchers: BTreeMap<Watcher, Option<Vec<String>>>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            expiry: Bounds::default(),
            service_route: Vec::new(),
            flow_timer: Some(Duration::from_secs(120)),
            third_parties: BTreeMap::new(),
            watchers: BTreeMap::new(),
        }
    }
}

/// `secure`: somebody can come over TLS.
pub(super) fn parse(
    mut section: Section<'_>,
    peers: &[PeerServer],
    secure: bool,
) -> Result<Registrar, ConfigError> {
    let mut registrar = Registrar { expiry: expiry(&mut section)?, ..Registrar::default() };
    if let Some(value) = section.take("service_route") {
        for item in value.elements(ROUTES)? {
            let route = item.text(ROUTES, route)?;
            // RFC 5630 §5.2: whoever is told of it sends nothing without TLS any more.
            if !secure && NameAddr::parse(&route).is_some_and(|address| is_sips(address.uri)) {
                return Err(item.refuse(SIPS_ROUTE));
            }
            registrar.service_route.push(route);
        }
    }
    if let Some(value) = section.take("flow_timer") {
        registrar.flow_timer = match value.number(0..=3_600)? {
            0 => None,
            seconds @ 10.. => Some(Duration::from_secs(seconds as u64)),
            _ => return Err(value.refuse(SECONDS)),
        };
    }
    if let Some(value) = section.take("third_party") {
        for item in value.elements(THIRD_PARTIES)? {
            let mut party = item.section()?;
            let who = party.require("user", USER)?;
            let user = who.text(USER, name)?;
            let others = users(party.require("registers", USERS)?, USERS)?;
            party.finish()?;
            if registrar.third_parties.insert(user, others).is_some() {
                return Err(who.refuse(ONCE));
            }
        }
    }
    if let Some(value) = section.take("watcher") {
        for item in value.elements(WATCHERS)? {
            let (who, watcher, watched) = watcher(item.section()?, peers)?;
            if registrar.watchers.insert(watcher, watched).is_some() {
                return Err(who.refuse(ONCE));
            }
        }
    }
    section.finish()?;
    Ok(registrar)
}

fn users(value: Value<'_>, accepted: &str) -> Result<Vec<String>, ConfigError> {
    value.elements(accepted)?.iter().map(|item| item.text(accepted, name)).collect()
}

/// An account or a peer, where its name stands, and whose registrations it may watch.
fn watcher<'a>(
    mut section: Section<'a>,
    peers: &[PeerServer],
) -> Result<(Value<'a>, Watcher, Option<Vec<String>>), ConfigError> {
    let (who, watcher) = match section.take("peer") {
        Some(value) => {
            let known = |text: &str| peers.iter().any(|peer| peer.peer.name == text).then(|| text.into());
            if let Some(user) = section.take("user") {
                return Err(user.refuse("nothing beside `peer`"));
            }
            let peer = value.text("the name of a [[peer]]", known)?;
            (value, Watcher::Peer(peer))
        }
        None => {
            let value = section.require("user", USER)?;
            let user = value.text(USER, name)?;
            (value, Watcher::Account(user.into()))
        }
    };
    let value = section.require("watches", WATCHED)?;
    let watched = match value.is_text() {
        true => value.text(WATCHED, |text| (text == "everybody").then_some(None))?,
        false => Some(users(value, WATCHED)?),
    };
    section.finish()?;
    Ok((who, watcher, watched))
}

/// The default is a wish between the two bounds; where it is not named, it keeps to them.
fn expiry(section: &mut Section<'_>) -> Result<Bounds, ConfigError> {
    let usual = Bounds::default();
    let mut seconds = |key, range| {
        let value = section.take(key).map(|value| Ok((value.number(range)? as u64, value))).transpose()?;
        Ok(value)
    };
    let min = seconds(LEAST.0, LEAST.1)?.map_or(usual.min, |(least, _)| Duration::from_secs(least));
    let max = match seconds(MOST.0, MOST.1)? {
        Some((most, value)) if most < min.as_secs() => {
            return Err(value.refuse(format!("no less than `{}`, {}", LEAST.0, min.as_secs())));
        }
        Some((most, _)) => Duration::from_secs(most),
        None => usual.max.max(min),
    };
    let range = min.as_secs() as usize..=max.as_secs() as usize;
    let default =
        seconds(UNASKED, range)?.map_or(usual.default.clamp(min, max), |(it, _)| Duration::from_secs(it));
    Ok(Bounds { min, default, max })
}

fn route(text: &str) -> Option<String> {
    let address = NameAddr::parse(text).filter(|_| text.starts_with('<'))?;
    // RFC 3608 §5: "such values MUST include the loose-routing indicator parameter".
    matches!(address.parsed_uri(), Some(Uri::Sip(uri)) if uri.has_param("lr")).then(|| text.to_owned())
}

pub(super) fn name(text: &str) -> Option<String> {
    is_user_name(text).then(|| text.to_owned())
}
