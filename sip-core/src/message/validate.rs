//! What an element makes of a message before it means anything: accept, reject or drop, as data (RFC 3261 §8.1.3,
//! §8.2, §10.3, §16.3; RFC 4475; RFC 5118).
//!
//! What it does not do: what needs memory (loops, merged requests, dialogs), whose the Request-URI is, or who sent it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use thiserror::Error;

use super::typed::{
    Accept, Contact, ContentDisposition, ContentEncoding, ContentType, Event, Expires, ReferTo, Replaces,
    Route, TypedHeader,
};
use super::{
    Fault, HeaderName, Headers, Message, Method, ParseError, Refused, Request, Response, Uri, Via, split_list,
};

/// What kind of element judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user agent: server for requests, client for responses.
    UserAgent,
    /// A proxy. It looks at nothing that is not its own business.
    Proxy,
    /// A registrar.
    Registrar,
}

/// What an element is and supports.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What it is.
    pub role: Role,
    /// Methods taken; a proxy takes every one.
    pub methods: &'a [&'a str],
    /// Option tags supported: in Require, at a proxy in Proxy-Require.
    pub extensions: &'a [&'a str],
    /// Schemes a Request-URI may have.
    pub schemes: &'a [&'a str],
    /// Media types taken, and offered in answers to INVITE.
    pub content_types: &'a [&'a str],
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is processed.
    Accept,
    /// It is answered.
    Reject(Rejection),
    /// Nobody hears of it, but it is counted.
    Drop(Dropped),
}

/// The answer to a message that is not processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status.
    pub status: u16,
    /// Why; prints as the reason phrase.
    pub defect: Defect,
    /// The field that says more: Allow, Unsupported, Accept or Accept-Encoding.
    pub field: Option<(HeaderName, String)>,
}

/// Why a message is not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Defect {
    /// The message is malformed, or a field that must be there is not.
    #[error("{0}")]
    Syntax(Fault),
    /// The method is known and not taken (§8.2.1).
    #[error("Method Not Allowed")]
    MethodNotAllowed,
    /// The method is not known (§21.5.2).
    #[error("Not Implemented")]
    NotImplemented,
    /// The Request-URI's scheme is not supported (§8.2.2.1, §16.3 step 2).
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// Max-Forwards is 0 at a proxy (§16.3 step 3).
    #[error("Too Many Hops")]
    TooManyHops,
    /// Require or Proxy-Require names what is not supported (§8.2.2.3, §16.3 step 5).
    #[error("Bad Extension")]
    BadExtension,
    /// The body's type or coding is not supported (§8.2.3).
    #[error("Unsupported Media Type")]
    MediaType,
    /// No type that an answer could have is acceptable (§21.4.7).
    #[error("Not Acceptable")]
    NotAcceptable,
    /// To names no SIP or SIPS URI, so that there is nothing to register (§10.3 step 5).
    #[error("Address-Of-Record Is Not A SIP URI")]
    AddressOfRecord,
    /// `*` with another Contact, or without `Expires: 0` (§10.3 step 6).
    #[error("Wildcard Contact Needs Expires 0 And No Other Contact")]
    Wildcard,
    /// Replaces outside an INVITE (RFC 3891 §3).
    #[error("Replaces Outside INVITE")]
    ReplacesMethod,
}

/// Why a message vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// A malformed response, an ACK, or a request without a Via to answer to.
    Malformed,
    /// A response at a user agent with a second Via: it is another's (§8.1.3.3).
    Misrouted,
    /// A response whose next Via names no one host: a broadcast, multicast or unspecified address (RFC 4475
    /// §3.3.10).
    ViaAddress,
}

impl Dropped {
    /// The counter's name.
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_dropped",
            Self::Misrouted => "responses_misrouted",
            Self::ViaAddress => "responses_to_no_host",
        }
    }
}

/// Judges what the parser made of a message.
pub fn validate(rules: &Rules<'_>, parsed: Result<&Message, &Refused>) -> Outcome {
    match parsed {
        Err(refused) => malformed(rules, refused),
        Ok(Message::Response(response)) => response_outcome(rules.role, response),
        // An ACK is never answered (§17.1.1.3); what is wrong with one ends where its INVITE's transaction does.
        Ok(Message::Request(request)) if *request.method() == Method::Ack => Outcome::Accept,
        Ok(Message::Request(request)) => match request_defects(rules, request) {
            Ok(()) => Outcome::Accept,
            Err(rejection) => Outcome::Reject(rejection),
        },
    }
}

/// §18.3, RFC 4475 §3.1.2: an answer if there is a way for one.
fn malformed(rules: &Rules<'_>, refused: &Refused) -> Outcome {
    let Some(headers) = refused.request.as_ref().filter(|headers| is_answerable(headers)) else {
        return Outcome::Drop(Dropped::Malformed);
    };
    let fault = refused.error.fault;
    let token = headers.start_line().split(' ').next().unwrap_or_default();
    let method = Method::from_token(token);
    // RFC 4475 §3.1.2.18: that the method is unknown tells its sender more than that CSeq is wrong.
    if fault == Fault::CSeqMethod && matches!(method, Method::Other(_)) {
        return Outcome::Reject(method_rejection(rules, &method));
    }
    Outcome::Reject(Rejection::of(fault.status(), Defect::Syntax(fault)))
}

fn is_answerable(headers: &Headers) -> bool {
    headers.list(HeaderName::Via).next().and_then(Via::parse).is_some()
}

fn response_outcome(role: Role, response: &Response) -> Outcome {
    let Some(next) = response.headers().list(HeaderName::Via).nth(1) else { return Outcome::Accept };
    if role != Role::Proxy {
        return Outcome::Drop(Dropped::Misrouted);
    }
    let Some(next) = Via::parse(next) else { return Outcome::Drop(Dropped::Malformed) };
    let received = next.params.value("received").map(|text| text.trim_matches(['[', ']']));
    let address = received.map_or(next.host.ip(), |text| text.parse().ok());
    let nowhere = address.is_some_and(|ip| match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified(),
        IpAddr::V6(ip) => {
            let mapped = ip.to_ipv4_mapped();
            ip.is_multicast()
                || ip.is_unspecified()
                || mapped.is_some_and(|ip| ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified())
        }
    });
    if nowhere { Outcome::Drop(Dropped::ViaAddress) } else { Outcome::Accept }
}

/// The order is §8.2's, or §16.3's.
fn request_defects(rules: &Rules<'_>, request: &Request) -> Result<(), Rejection> {
    let headers = request.headers();
    let scheme = request.uri().split(':').next().unwrap_or_default();
    let known_scheme = rules.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if rules.role == Role::Proxy {
        if !known_scheme {
            return Err(Rejection::of(416, Defect::Scheme));
        }
        if request.max_forwards() == Some(0) {
            return Err(Rejection::of(483, Defect::TooManyHops));
        }
        if *request.method() != Method::Cancel {
            extensions(rules, headers, HeaderName::ProxyRequire)?;
        }
        return each::<Route<'_>>(headers);
    }
    if !rules.methods.contains(&request.method().as_str()) {
        return Err(method_rejection(rules, request.method()));
    }
    if !known_scheme {
        return Err(Rejection::of(416, Defect::Scheme));
    }
    // §8.2.2.3 does not hold for CANCEL, which has no body either (§9.1).
    if *request.method() == Method::Cancel {
        return Ok(());
    }
    extensions(rules, headers, HeaderName::Require)?;
    match rules.role {
        Role::Registrar => registration(request),
        _ => user_agent(rules, request),
    }
}

fn user_agent(rules: &Rules<'_>, request: &Request) -> Result<(), Rejection> {
    let headers = request.headers();
    let method = request.method();
    // §8.1.1.8: what makes a dialog says where its sender is. (§12.1.1; RFC 6665 §8.1; RFC 3515 §2.2.)
    if matches!(method, Method::Invite | Method::Subscribe | Method::Refer) {
        let uri = match one::<Contact<'_>>(headers)? {
            Some(Contact::Address(contact)) => contact.address.parsed_uri(),
            Some(Contact::Any) => None,
            // RFC 2543 peers, which are known by their missing tag, may leave it out (RFC 4475 §3.4.1).
            None if request.from_tag().is_none() => Uri::parse(request.from().uri),
            None => return Err(missing(HeaderName::Contact)),
        };
        if !matches!(uri, Some(Uri::Sip(_))) {
            return Err(syntax(Fault::Malformed(HeaderName::Contact)));
        }
    }
    if matches!(method, Method::Subscribe | Method::Notify | Method::Publish) {
        one::<Event<'_>>(headers)?.ok_or(missing(HeaderName::Event))?;
    }
    if *method == Method::Refer {
        one::<ReferTo<'_>>(headers)?.ok_or(missing(HeaderName::ReferTo))?;
    }
    // RFC 3891 §3: 400 for two, and outside INVITE.
    if one::<Replaces<'_>>(headers)?.is_some() && *method != Method::Invite {
        return Err(Rejection::of(400, Defect::ReplacesMethod));
    }
    body(rules, request)?;
    // RFC 4475 §3.3.15. No Accept means application/sdp (§20.1), an empty one means nothing.
    if *method == Method::Invite && headers.has(HeaderName::Accept) {
        each::<Accept<'_>>(headers)?;
        let covered = headers.typed_all::<Accept<'_>>().flatten().any(|range| {
            let mut types = rules.content_types.iter().filter_map(|known| known.split_once('/'));
            types.any(|(kind, subtype)| range.covers(kind, subtype))
        });
        if !covered {
            return Err(Rejection::of(406, Defect::NotAcceptable));
        }
    }
    Ok(())
}

/// §8.2.3.
fn body(rules: &Rules<'_>, request: &Request) -> Result<(), Rejection> {
    let headers = request.headers();
    let content_type = one::<ContentType<'_>>(headers)?;
    let disposition = one::<ContentDisposition<'_>>(headers)?;
    if request.body().is_empty() || disposition.is_some_and(|disposition| !disposition.required()) {
        return Ok(());
    }
    let content_type = content_type.ok_or(missing(HeaderName::ContentType))?;
    let mut known = rules.content_types.iter().filter_map(|known| known.split_once('/'));
    if !known.any(|(kind, subtype)| content_type.is(kind, subtype)) {
        let accept = rules.content_types.join(", ");
        return Err(Rejection::of(415, Defect::MediaType).with(HeaderName::Accept, accept));
    }
    each::<ContentEncoding<'_>>(headers)?;
    if headers.list(HeaderName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case("identity")) {
        let accept = String::from("identity");
        return Err(Rejection::of(415, Defect::MediaType).with(HeaderName::AcceptEncoding, accept));
    }
    Ok(())
}

/// §10.3.
fn registration(request: &Request) -> Result<(), Rejection> {
    let headers = request.headers();
    if *request.method() != Method::Register {
        return Ok(());
    }
    if !matches!(request.to().parsed_uri(), Some(Uri::Sip(_))) {
        return Err(Rejection::of(400, Defect::AddressOfRecord));
    }
    let mut contacts = 0usize;
    let mut wildcard = false;
    for contact in headers.typed_all::<Contact<'_>>() {
        contacts += 1;
        wildcard |= contact.map_err(|error| syntax(error.fault))? == Contact::Any;
    }
    if wildcard && (contacts > 1 || headers.typed::<Expires>().ok().flatten() != Some(Expires(0))) {
        return Err(Rejection::of(400, Defect::Wildcard));
    }
    Ok(())
}

fn extensions(rules: &Rules<'_>, headers: &Headers, name: HeaderName) -> Result<(), Rejection> {
    let supported = |tag: &&str| rules.extensions.iter().any(|known| known.eq_ignore_ascii_case(tag));
    let unsupported: Vec<&str> =
        headers.all(name).flat_map(split_list).filter(|tag| !supported(tag)).collect();
    if unsupported.is_empty() {
        return Ok(());
    }
    Err(Rejection::of(420, Defect::BadExtension).with(HeaderName::Unsupported, unsupported.join(", ")))
}

fn method_rejection(rules: &Rules<'_>, method: &Method) -> Rejection {
    let rejection = match method {
        Method::Other(_) => Rejection::of(501, Defect::NotImplemented),
        _ => Rejection::of(405, Defect::MethodNotAllowed),
    };
    // A proxy has no methods of its own to name.
    if rules.methods.is_empty() {
        rejection
    } else {
        rejection.with(HeaderName::Allow, rules.methods.join(", "))
    }
}

/// The one value of a field, or what is wrong with it.
fn one<'a, T: TypedHeader<'a>>(headers: &'a Headers) -> Result<Option<T>, Rejection> {
    headers.typed::<T>().map_err(|ParseError { fault, .. }| syntax(fault))
}

/// Every value of a field is sound.
fn each<'a, T: TypedHeader<'a>>(headers: &'a Headers) -> Result<(), Rejection> {
    headers.typed_all::<T>().try_for_each(|value| value.map(drop).map_err(|error| syntax(error.fault)))
}

const fn syntax(fault: Fault) -> Rejection {
    Rejection::of(fault.status(), Defect::Syntax(fault))
}

const fn missing(name: HeaderName) -> Rejection {
    syntax(Fault::Missing(name))
}

impl Rejection {
    const fn of(status: u16, defect: Defect) -> Self {
        Self { status, defect, field: None }
    }

    fn with(mut self, name: HeaderName, value: String) -> Self {
        self.field = Some((name, value));
        self
    }
}

#[cfg(test)]
mod tests;
