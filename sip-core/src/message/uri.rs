//! URIs (RFC 3261 §19.1, RFC 3966, RFC 3986).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{TelUri, chars};

/// A URI, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:` with a number (RFC 3966).
    Tel(TelUri<'a>),
    /// Any other absolute URI, and `tel:` with what is no number: scheme and the rest.
    Other {
        /// The scheme as it stands.
        scheme: &'a str,
        /// What follows the colon.
        rest: &'a str,
    },
}

/// A SIP or SIPS URI, in its parts and still escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// `sips:`.
    pub secure: bool,
    /// The user part, escaped as it stands.
    pub user: Option<&'a str>,
    /// The password; its use is discouraged (§19.1.1).
    pub password: Option<&'a str>,
    /// The host.
    pub host: Host<'a>,
    /// The port, if one is given.
    pub port: Option<u16>,
    /// URI parameters, from the first `;` on.
    pub params_text: &'a str,
    /// What follows `?`.
    pub headers: Option<&'a str>,
}

/// A host (§25.1, RFC 5954 for IPv6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A domain name.
    Name(&'a str),
    /// An address.
    Ip(IpAddr),
}

impl<'a> Host<'a> {
    /// Parses a name, IPv4 address or bracketed IPv6 address.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, end) = Self::read(text, 0)?;
        (end == text.len()).then_some(host)
    }

    /// Reads the host that stands at `start`; also where it ends.
    pub(crate) fn read(text: &'a str, start: usize) -> Option<(Self, usize)> {
        let bytes = text.as_bytes();
        if bytes.get(start) == Some(&b'[') {
            let close = chars::find_byte(bytes, start, b']');
            let inner = text.get(start + 1..close).filter(|_| close < text.len())?;
            // RFC 3261's grammar erroneously produced three colons before an IPv4 part (RFC 5118 §4.10).
            let address = match inner.split_once(":::") {
                Some((left, right)) if right.parse::<Ipv4Addr>().is_ok() => {
                    alloc::format!("{left}::{right}").parse::<Ipv6Addr>()
                }
                _ => inner.parse(),
            };
            return Some((Self::Ip(address.ok()?.into()), close + 1));
        }
        if bytes.get(start).is_some_and(u8::is_ascii_digit)
            && let Some((ip, end)) = read_ipv4(bytes, start)
        {
            return Some((Self::Ip(ip.into()), end));
        }
        let (top, end) = labels(bytes, start)?;
        let name = &text[start..end];
        // Top labels begin with a letter (§25.1): what does not is an address or nothing. Resolvers would take the rest,
        // "0x7f.1" for one, for addresses that nobody here has looked at.
        if bytes[top].is_ascii_alphabetic() {
            return Some((Self::Name(name), end));
        }
        Some((Self::Ip(name.parse::<Ipv4Addr>().ok()?.into()), end))
    }

    /// The address, if this is one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Name(_) => None,
        }
    }

    /// A name under `.invalid` (RFC 2606): never to be looked up.
    pub fn is_invalid(self) -> bool {
        matches!(self, Self::Name(n) if n.len() >= 8 && n.is_char_boundary(n.len() - 8)
            && n[n.len() - 8..].eq_ignore_ascii_case(".invalid"))
    }

    /// Whether both name the same host: names in any case and with or without the root's dot (§25.1 `hostname`),
    /// addresses by value. An IPv4 address in IPv6 is another than that IPv4 address (§19.1.4); they are one only
    /// for sockets.
    pub fn matches(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(a), Host::Name(b)) => rootless(a).eq_ignore_ascii_case(rootless(b)),
            (Self::Ip(a), Host::Ip(b)) => a == b,
            _ => false,
        }
    }
}

/// Reads the IPv4 address that stands at `start` and is no name's beginning; also where it ends. What is none by its look
/// alone is left to who reads names.
fn read_ipv4(bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
    let digit = |at: usize| bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let (mut address, mut at) = (0u32, start);
    for octet in 0..4 {
        if octet > 0 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let mut value = u32::from(digit(at)?);
        at += 1;
        for _ in 0..2 {
            let Some(next) = digit(at) else { break };
            // A zero before others might mean octal.
            if value == 0 {
                return None;
            }
            value = value * 10 + u32::from(next);
            at += 1;
        }
        if value > 255 {
            return None;
        }
        address = address << 8 | value;
    }
    let ends = bytes.get(at).is_none_or(|byte| *byte != b'.' && !chars::is_in_label(*byte));
    ends.then(|| (Ipv4Addr::from_bits(address), at))
}

/// The labels of the name that stands at `start`: where the last one begins, and the end, past the root's dot. None is
/// empty or has a hyphen at its edge (§25.1 `domainlabel`).
pub(super) fn labels(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let (mut label, mut at) = (start, start);
    loop {
        let end = chars::skip_label(bytes, at);
        if end == at {
            return (at > start).then_some((label, at));
        }
        label = at;
        if bytes[label] == b'-' || bytes[end - 1] == b'-' {
            return None;
        }
        if bytes.get(end) != Some(&b'.') {
            return Some((label, end));
        }
        at = end + 1;
    }
}

fn rootless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Reads the port that stands at `start`, its digits; also where it ends.
pub(crate) fn read_port(text: &str, start: usize) -> Option<(u16, usize)> {
    let (mut port, mut at) = (0u32, start);
    while let Some(digit @ b'0'..=b'9') = text.as_bytes().get(at) {
        // What is too large stays so.
        port = (port * 10 + u32::from(digit - b'0')).min(1 << 16);
        at += 1;
    }
    (at > start).then_some((u16::try_from(port).ok()?, at))
}

impl<'a> Uri<'a> {
    /// Parses a whole URI. `None` if `text` is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        // Nearly every one is.
        if let Some(rest) = text.strip_prefix("sip:") {
            return SipUri::parse_rest(rest, false).map(Self::Sip);
        }
        let (scheme, rest) = text.split_once(':')?;
        if scheme.eq_ignore_ascii_case("sip") {
            return SipUri::parse_rest(rest, false).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return SipUri::parse_rest(rest, true).map(Self::Sip);
        }
        let scheme_ok = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !scheme_ok || rest.is_empty() || !chars::is_absolute_uri(rest) {
            return None;
        }
        if scheme.eq_ignore_ascii_case("tel") {
            return Some(TelUri::parse(rest).map_or(Self::Other { scheme, rest }, Self::Tel));
        }
        Some(Self::Other { scheme, rest })
    }

    /// The SIP or SIPS URI, if this is one.
    pub const fn sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }
}

/// Whether a URI is of the scheme `sips`.
pub fn is_sips(uri: &str) -> bool {
    uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
}

/// A SIP or SIPS URI as a `sip` URI, all else of it as it is: the same resource (RFC 5630 §4).
pub fn as_sip(uri: &str) -> Cow<'_, str> {
    if is_sips(uri) { Cow::Owned(["sip:", &uri[5..]].concat()) } else { Cow::Borrowed(uri) }
}

/// The same as a `sips` URI. What is neither stays as it is.
pub fn as_sips(uri: &str) -> Cow<'_, str> {
    match uri.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("sip:") => Cow::Owned(["sips:", &uri[4..]].concat()),
        _ => Cow::Borrowed(uri),
    }
}

impl<'a> SipUri<'a> {
    /// Whether it is the address of who wants to be nobody (RFC 3323 §4.1.1.3).
    pub fn is_nobody(&self) -> bool {
        matches!(self.host, Host::Name(name) if name.eq_ignore_ascii_case("anonymous.invalid"))
    }

    /// Parses what follows `sip:` or `sips:`.
    fn parse_rest(text: &'a str, secure: bool) -> Option<Self> {
        let bytes = text.as_bytes();
        // Neither parameters nor headers may hold a raw "@" (§25.1), so the first one ends the userinfo.
        let at_sign = chars::find_byte(bytes, 0, b'@');
        let (mut user, mut password, mut at) = (None, None, 0);
        if at_sign < text.len() {
            let colon = chars::find_byte(&bytes[..at_sign], 0, b':');
            user = Some(&text[..colon]).filter(|user| !user.is_empty() && chars::is_user(user));
            password = text.get(colon + 1..at_sign);
            if user.is_none() || !password.is_none_or(chars::is_password) {
                return None;
            }
            at = at_sign + 1;
        }
        let (host, end) = Host::read(text, at)?;
        let mut port = None;
        at = end;
        if bytes.get(at) == Some(&b':') {
            let (number, end) = read_port(text, at + 1)?;
            (port, at) = (Some(number), end);
        }
        let (params, headers) = match chars::find_byte(bytes, at, b'?') {
            end if end < text.len() => (&text[at..end], Some(&text[end + 1..])),
            _ => (&text[at..], None),
        };
        let sound = are_uri_params(params.as_bytes()) && headers.is_none_or(are_uri_headers);
        sound.then_some(Self { secure, user, password, host, port, params_text: params, headers })
    }

    /// The address-of-record this URI names: `sip:user@host`, user unescaped and escaped again in one way, host in
    /// lower case, without port, parameters, headers and password (§10.3 step 5).
    pub fn aor(&self) -> String {
        self.aor_in(self.host)
    }

    /// Like [`SipUri::aor`] with the host replaced: for a domain's aliases.
    pub fn aor_in(&self, host: Host<'_>) -> String {
        use fmt::Write;
        let mut out = String::from(if self.secure { "sips:" } else { "sip:" });
        if let Some(user) = self.user {
            out.push_str(&escape_user(&unescape(user)));
            out.push('@');
        }
        let start = out.len();
        // Writing to a String cannot fail.
        let _ = write!(out, "{host}");
        out[start..].make_ascii_lowercase();
        out
    }

    /// The value of a URI parameter; `None` when absent or without value.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v)
    }

    /// Whether a URI parameter is there.
    pub fn has_param(&self, name: &str) -> bool {
        self.params().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// URI parameters in order.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        params_of(self.params_text)
    }
}

/// The parameters that say where and how a request goes (§19.1.1), and a bit for each.
const fn steering(len: usize) -> Option<(&'static [u8], u8)> {
    // No two are of one length.
    match len {
        2 => Some((b"lr", 1)),
        3 => Some((b"ttl", 2)),
        4 => Some((b"user", 4)),
        5 => Some((b"maddr", 8)),
        6 => Some((b"method", 16)),
        9 => Some((b"transport", 32)),
        _ => None,
    }
}

/// `uri-parameters`. An empty value ("lr=") is none by the grammar, yet some elements send it. No
/// name may stand twice: of those that steer, two elements that took different ones would send a request two ways; with
/// others nobody is hurt.
fn are_uri_params(bytes: &[u8]) -> bool {
    skip_uri_params(bytes, 0) == Some(bytes.len())
}

/// Where the parameters end that stand at `at`; `None` if they are none, or one that steers stands twice.
#[inline]
pub(super) fn skip_uri_params(bytes: &[u8], at: usize) -> Option<usize> {
    // Most URIs have none.
    if bytes.get(at) == Some(&b';') { skip_some_uri_params(bytes, at) } else { Some(at) }
}

fn skip_some_uri_params(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut steered = 0u8;
    while bytes.get(at) == Some(&b';') {
        let end = chars::skip_uri_param(bytes, at + 1);
        if end == at + 1 {
            return None;
        }
        let name = &bytes[at + 1..end];
        if let Some((known, bit)) = steering(name.len())
            && chars::is_name(name, known)
        {
            if steered & bit != 0 {
                return None;
            }
            steered |= bit;
        }
        at = if bytes.get(end) == Some(&b'=') { chars::skip_uri_param(bytes, end + 1) } else { end };
    }
    Some(at)
}

/// `headers` without its question mark.
fn are_uri_headers(text: &str) -> bool {
    text.split('&').all(|pair| {
        pair.split_once('=')
            .is_some_and(|(n, v)| !n.is_empty() && chars::is_uri_param(n) && chars::is_uri_param(v))
    })
}

/// Splits `;name=value;name`, checking nothing.
fn params_of(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = text.get(1..);
    core::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
        rest = text.get(end + 1..);
        let param = &text[..end];
        Some(match memchr::memchr(b'=', param.as_bytes()) {
            Some(at) => (&param[..at], Some(&param[at + 1..])),
            None => (param, None),
        })
    })
}

/// Undoes `%HH`. Bytes that are not UTF-8 afterwards stay escaped as a whole.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Escapes what may not stand in a SIP URI's user part.
pub fn escape_user(text: &str) -> Cow<'_, str> {
    const PLAIN: &[u8] = b"-_.!~*'()&=+$,;?/";
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escape(text, PLAIN))
}

/// Escapes what may not stand in the name or value of a SIP URI's parameter.
pub fn escape_param(text: &str) -> String {
    escape(text, b"-_.!~*'()[]/:&+$")
}

/// Escapes what may not stand in the name or value of a SIP URI's header (RFC 3261 §25.1, hvalue).
pub fn escape_header(text: &str) -> String {
    escape(text, b"-_.!~*'()[]/?:+$")
}

fn escape(text: &str, plain: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend([
                '%',
                char::from(HEX[usize::from(byte >> 4)]),
                char::from(HEX[usize::from(byte & 15)]),
            ]);
        }
    }
    out
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = self.user {
            f.write_str(user)?;
            if let Some(password) = self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.params_text)?;
        if let Some(headers) = self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
