//! The sections `[[forward]]`: calls that go to another address.

use std::collections::BTreeSet;

use sip_core::message::{Host, SipUri, Uri, is_sips, unescape};
use sip_core::server::{Forward, ForwardRule, Mode, Occasion, Outward, Routing, StaticRoute};
use sip_core::time::Duration;

use super::reader::{Section, Value};
use super::{ConfigError, registrar};

const SECTIONS: &str = "sections, [[forward]], with `when` and `to`";
const MODE: &str = "nothing, since `proxy.mode` is not \"proxy\"";
const WHEN: &str = "\"always\", \"busy\", \"no answer\", \"offline\"";
const USER: &str = "the user name of an account";
const TO: &str = "a SIP URI with a user, without headers, as in \"sip:voicemail@example.com\"";
const REACHED: &str = "a SIP URI of `domain`, or of another where a [[route]] or `outbound.to` leads";
const NO_SIPS: &str =
    "a sip URI: calls for sips URIs go on over TLS by themselves, and no others may become such";
const ITSELF: &str = "another address than that of `user`, whose calls would never arrive";
const TWICE: &str = "each occasion once for the same user";

/// Seconds that a phone rings, where nothing is said of it.
const AFTER: u64 = 20;

/// What a forwarded call may reach.
pub(super) struct Reach<'a> {
    pub(super) domain: &'a str,
    pub(super) aliases: &'a [String],
    pub(super) routes: &'a [StaticRoute],
    pub(super) outward: Outward,
}

pub(super) fn parse(
    value: Option<Value<'_>>,
    proxy: &Routing,
    reach: &Reach<'_>,
) -> Result<Vec<ForwardRule>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if proxy.mode != Mode::Proxy {
        return Err(value.refuse(MODE));
    }
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for item in value.elements(SECTIONS)? {
        let mut section = item.section()?;
        rules.push(rule(&mut section, reach, &mut seen)?);
        section.finish()?;
    }
    Ok(rules)
}

fn rule(
    section: &mut Section<'_>,
    reach: &Reach<'_>,
    seen: &mut BTreeSet<(Option<String>, String)>,
) -> Result<ForwardRule, ConfigError> {
    let user = section.take("user").map(|value| value.text(USER, registrar::name)).transpose()?;
    let when = section.require("when", WHEN)?;
    let named = when.text(WHEN, |text| Some(text.to_owned()))?;
    let occasion = match named.as_str() {
        "always" => Occasion::Always,
        "busy" => Occasion::Busy,
        "offline" => Occasion::Offline,
        "no answer" => Occasion::NoAnswer(match section.take("after") {
            Some(value) => Duration::from_secs(value.number(5..=180)? as u64),
            None => Duration::from_secs(AFTER),
        }),
        _ => return Err(when.refuse(WHEN)),
    };
    if !seen.insert((user.clone(), named)) {
        return Err(when.refuse(TWICE));
    }
    let value = section.require("to", TO)?;
    let to = value.text(TO, uri)?;
    // RFC 5630 §5.3: the scheme is the caller's.
    if is_sips(&to) {
        return Err(value.refuse(NO_SIPS));
    }
    if !reach.leads(&to) {
        return Err(value.refuse(REACHED));
    }
    if let (Occasion::Always, Some(user)) = (&occasion, &user)
        && reach.is_of(&to, user)
    {
        return Err(value.refuse(ITSELF));
    }
    let private = section.take("private").map_or(Ok(false), |value| value.boolean())?;
    let user = user.map(Into::into);
    Ok(ForwardRule { user, when: occasion, forward: Forward { to: to.into(), private } })
}

impl Reach<'_> {
    fn is_ours(&self, uri: &SipUri<'_>) -> bool {
        let mut names = std::iter::once(self.domain).chain(self.aliases.iter().map(String::as_str));
        names.any(|name| is_host(name, uri))
    }

    /// Whether `to` is this user's address.
    fn is_of(&self, to: &str, user: &str) -> bool {
        let Some(Uri::Sip(uri)) = Uri::parse(to) else { return false };
        self.is_ours(&uri) && uri.user.is_some_and(|own| unescape(own) == user)
    }

    fn leads(&self, to: &str) -> bool {
        let Some(Uri::Sip(uri)) = Uri::parse(to) else { return false };
        self.is_ours(&uri)
            || self.outward != Outward::Nowhere
            || self.routes.iter().any(|route| route.leads(&uri))
    }
}

/// Whether a name or an address, one of ours, is the host of a URI.
pub(crate) fn is_host(name: &str, uri: &SipUri<'_>) -> bool {
    match (name.parse::<std::net::IpAddr>(), uri.host) {
        (Ok(ip), Host::Ip(other)) => other == ip,
        (Err(_), host) => Host::parse(name).is_some_and(|name| name.matches(host)),
        _ => false,
    }
}

fn uri(text: &str) -> Option<String> {
    match Uri::parse(text)? {
        Uri::Sip(uri) => (uri.user.is_some() && !text.contains('?')).then(|| text.to_owned()),
        _ => None,
    }
}
