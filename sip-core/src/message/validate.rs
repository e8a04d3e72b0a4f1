//! What an element makes of a message before it means anything: accept, reject or drop, as data (RFC 3261 §8.1.3,
//! §8.2, §10.3, §16.3; RFC 4475; RFC 5118).
//!
//! What it does not do: what needs memory (loops, merged requests, dialogs), whose the Request-URI is, who sent it, or
//! Routes, which whoever follows them reads.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use thiserror::Error;

use super::typed::{
    Accept, Contact, ContentDisposition, ContentEncoding, ContentType, Event, Expires, From, Join, ReferTo,
    Replaces, To, TypedHeader,
};
use super::{
    Fault, HeaderName, Headers, Method, NameAddr, ParseError, Refused, Request, Response, Uri, Via, chars,
    is_sips, split_list,
};
use crate::limits;

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

/// What an element is and supports. Lists are written as the fields are that tell them.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What it is.
    pub role: Role,
    /// Schemes a Request-URI may have.
    pub schemes: &'a [&'a str],
    /// Methods taken, as Allow has them; a proxy takes every one.
    pub allow: &'a str,
    /// Option tags supported, as Supported has them: in Require, at a proxy in Proxy-Require.
    pub supported: &'a str,
    /// Media types taken, and offered in answers to INVITE, as Accept has them. Who names `multipart/mixed` takes every
    /// multipart (RFC 5621 §4.2), and looks for its types in the parts; its answers are none.
    pub accept: &'a str,
}

/// The answer to a message that is not processed. Prints as the reason phrase, which names the defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status.
    pub status: u16,
    /// Why.
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
    #[error("Not Acceptable (No Type In Accept)")]
    NotAcceptable,
    /// To names no SIP or SIPS URI, so that there is nothing to register (§10.3 step 5).
    #[error("Address-Of-Record Is Not A SIP URI")]
    AddressOfRecord,
    /// `*` with another Contact, or without `Expires: 0` (§10.3 step 6).
    #[error("Wildcard Contact Needs Expires 0 And No Other Contact")]
    Wildcard,
    /// The Request-URI is a `sips` URI and the Contact is none (§8.1.1.8, RFC 5630 §5.1.2).
    #[error("Contact Is Not A sips URI")]
    SipsContact,
    /// Replaces outside an INVITE (RFC 3891 §3).
    #[error("Replaces Outside INVITE")]
    ReplacesMethod,
    /// Join outside an INVITE, or beside Replaces (RFC 3911 §4).
    #[error("Join Outside INVITE Or With Replaces")]
    Join,
}

impl Defect {
    /// What its sender may change.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Syntax(_) => "write the message as RFC 3261 has it",
            Self::MethodNotAllowed | Self::NotImplemented => "Allow has what may be asked of this address",
            Self::Scheme => "the Request-URI must be a sip URI or a sips URI",
            Self::TooManyHops => "the way is longer than Max-Forwards; perhaps it goes in circles",
            Self::BadExtension => "leave out of Require and Proxy-Require what Unsupported has",
            Self::MediaType => "send a body of a type and coding that Accept and Accept-Encoding have",
            Self::NotAcceptable => "Accept must have a type that the answer could be of",
            Self::AddressOfRecord => "To must be a sip URI with a user part",
            Self::Wildcard => "`Contact: *` goes with Expires: 0 and no other Contact",
            Self::SipsContact => "a request for a sips URI that begins a dialog has a sips Contact",
            Self::ReplacesMethod => "only an INVITE replaces a call",
            Self::Join => "only an INVITE joins a call, and not while it replaces another",
        }
    }
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

impl Rules<'_> {
    /// Judges a request that could be parsed. The order is §8.2's, or §16.3's.
    pub fn request(&self, request: &Request) -> Result<(), Rejection> {
        if !self.wants_more(request)? {
            return Ok(());
        }
        if self.role == Role::Registrar { registration(request).map(drop) } else { self.user_agent(request) }
    }

    /// Judges a REGISTER as a registrar, and gives its Contacts, which have been read for it: as many as a registrar takes, and
    /// one more if there are more.
    pub fn register<'m>(&self, request: &'m Request) -> Result<Vec<Contact<'m>>, Rejection> {
        if self.wants_more(request)? { registration(request) } else { Ok(Vec::new()) }
    }

    /// What holds for all roles; and whether that is not all.
    fn wants_more(&self, request: &Request) -> Result<bool, Rejection> {
        // An ACK is never answered (§17.1.1.3); what is wrong with one ends where its INVITE's transaction does.
        if *request.method() == Method::Ack {
            return Ok(false);
        }
        let headers = request.headers();
        let scheme = request.uri().split(':').next().unwrap_or_default();
        let known_scheme = self.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        if self.role != Role::Proxy && !split_list(self.allow).any(|known| known == request.method().as_str())
        {
            return Err(self.method_not_taken(request.method()));
        }
        if !known_scheme {
            return Err(Rejection::of(416, Defect::Scheme));
        }
        // §16.3 step 3. OPTIONS at its last hop may be answered there as if it were for it (§11).
        if self.role == Role::Proxy
            && request.max_forwards() == Some(0)
            && *request.method() != Method::Options
        {
            return Err(Rejection::of(483, Defect::TooManyHops));
        }
        // §8.2.2.3 and §16.3 step 5 do not hold for CANCEL, which has no body either (§9.1).
        if *request.method() == Method::Cancel {
            return Ok(false);
        }
        if self.role == Role::Proxy {
            return self.extensions(headers, HeaderName::ProxyRequire).map(|()| false);
        }
        tagged::<From<'_>>(headers, request.from(), request.from_tag())?;
        tagged::<To<'_>>(headers, request.to(), request.to_tag())?;
        self.extensions(headers, HeaderName::Require)?;
        Ok(true)
    }

    /// Judges a response.
    pub fn response(&self, response: &Response) -> Result<(), Dropped> {
        let Some(next) = response.next_via() else { return Ok(()) };
        if self.role != Role::Proxy {
            return Err(Dropped::Misrouted);
        }
        let next = Via::parse(next).ok_or(Dropped::Malformed)?;
        let received = next.marks.received.then(|| next.params.value("received")).flatten();
        let received = received.map(|text| text.trim_matches(['[', ']']));
        let address = received.map_or(next.host.ip(), |text| text.parse().ok());
        if address.is_some_and(|ip| is_nowhere(ip.to_canonical())) {
            Err(Dropped::ViaAddress)
        } else {
            Ok(())
        }
    }

    /// Judges what could not be parsed (§18.3, RFC 4475 §3.1.2): an answer, with the fields it echoes, if there is a
    /// way for one.
    pub fn refused<'m>(&self, refused: &'m Refused) -> Result<(&'m Headers, Rejection), Dropped> {
        let headers = refused.request.as_ref().ok_or(Dropped::Malformed)?;
        let fault = refused.error.fault;
        let token = headers.start_line().split(' ').next().unwrap_or_default();
        let method = Method::from_token(token);
        // RFC 4475 §3.1.2.18: that the method is unknown tells its sender more than that CSeq is wrong.
        let rejection = match (fault, &method) {
            (Fault::CSeqMethod, Method::Other(_)) => self.method_not_taken(&method),
            _ => fault.into(),
        };
        Ok((headers, rejection))
    }

    /// The answer to a method that is not taken (§8.2.1): 405 if it is known, else 501 (§21.5.2).
    pub fn method_not_taken(&self, method: &Method) -> Rejection {
        let rejection = match method {
            Method::Other(_) => Rejection::of(501, Defect::NotImplemented),
            _ => Rejection::of(405, Defect::MethodNotAllowed),
        };
        // A proxy has no methods of its own to name.
        if self.allow.is_empty() { rejection } else { rejection.with(HeaderName::Allow, self.allow.into()) }
    }

    /// The type of a body that is understood; `None` if there is none, or none that matters (§8.2.3).
    pub fn body<'m>(&self, request: &'m Request) -> Result<Option<ContentType<'m>>, Rejection> {
        let headers = request.headers();
        let content_type = one::<ContentType<'_>>(headers)?;
        let disposition = one::<ContentDisposition<'_>>(headers)?;
        if request.body().is_empty() {
            return Ok(None);
        }
        let understood = self.understands(headers, content_type);
        let optional = disposition.is_some_and(|disposition| !disposition.required());
        if optional { Ok(understood.ok()) } else { understood.map(Some) }
    }

    fn understands<'m>(
        &self,
        headers: &'m Headers,
        content_type: Option<ContentType<'m>>,
    ) -> Result<ContentType<'m>, Rejection> {
        // §20.15: it "MUST be present if the body is not empty", so that this is a fault and no unknown type.
        let content_type = content_type.ok_or(missing(HeaderName::ContentType))?;
        let taken = |(kind, subtype)| {
            let mixed = (kind, subtype) == ("multipart", "mixed");
            content_type.is(kind, subtype) || (mixed && content_type.kind.eq_ignore_ascii_case(kind))
        };
        if !self.types().any(taken) {
            return Err(Rejection::of(415, Defect::MediaType).with(HeaderName::Accept, self.accept.into()));
        }
        each::<ContentEncoding<'_>>(headers)?;
        if headers.list(HeaderName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case("identity")) {
            let accept = String::from("identity");
            return Err(Rejection::of(415, Defect::MediaType).with(HeaderName::AcceptEncoding, accept));
        }
        Ok(content_type)
    }

    fn types(&self) -> impl Iterator<Item = (&str, &str)> {
        split_list(self.accept).filter_map(|known| known.split_once('/'))
    }

    fn user_agent(&self, request: &Request) -> Result<(), Rejection> {
        let headers = request.headers();
        let method = request.method();
        // §8.1.1.8: what makes a dialog says where its sender is. (§12.1.1; RFC 6665 §8.1; RFC 3515 §2.2.)
        if request.to_tag().is_none() && matches!(method, Method::Invite | Method::Subscribe | Method::Refer)
        {
            let uri = match one::<Contact<'_>>(headers)? {
                Some(Contact::Address(contact)) => contact.address.parsed_uri(),
                Some(Contact::Any) => None,
                // RFC 2543 peers, which are known by their missing tag, may leave it out (RFC 4475 §3.4.1).
                None if request.from_tag().is_none() => Uri::parse(request.from().uri),
                None => return Err(missing(HeaderName::Contact)),
            };
            let Some(Uri::Sip(uri)) = uri else {
                return Err(syntax(Fault::Malformed(HeaderName::Contact)));
            };
            if is_sips(request.uri()) && !uri.secure {
                return Err(Rejection::of(400, Defect::SipsContact));
            }
        }
        if matches!(method, Method::Subscribe | Method::Notify | Method::Publish) {
            one::<Event<'_>>(headers)?.ok_or(missing(HeaderName::Event))?;
        }
        if *method == Method::Refer {
            one::<ReferTo<'_>>(headers)?.ok_or(missing(HeaderName::ReferTo))?;
        }
        // RFC 3891 §3: 400 for two, and outside INVITE.
        let replaces = one::<Replaces<'_>>(headers)?.is_some();
        if replaces && *method != Method::Invite {
            return Err(Rejection::of(400, Defect::ReplacesMethod));
        }
        // RFC 3911 §4: the same, and 400 for what contradicts it.
        if one::<Join<'_>>(headers)?.is_some() && (replaces || *method != Method::Invite) {
            return Err(Rejection::of(400, Defect::Join));
        }
        self.body(request)?;
        // RFC 4475 §3.3.15. No Accept means application/sdp (§20.1), an empty one means nothing.
        if *method == Method::Invite && headers.has(HeaderName::Accept) {
            each::<Accept<'_>>(headers)?;
            let covered = headers.typed_all::<Accept<'_>>().flatten().any(|range| {
                self.types().any(|(kind, subtype)| kind != "multipart" && range.covers(kind, subtype))
            });
            if !covered {
                return Err(Rejection::of(406, Defect::NotAcceptable));
            }
        }
        Ok(())
    }

    fn extensions(&self, headers: &Headers, name: HeaderName) -> Result<(), Rejection> {
        let supported = |tag: &&str| split_list(self.supported).any(|known| known.eq_ignore_ascii_case(tag));
        let unsupported: Vec<&str> =
            headers.all(name).flat_map(split_list).filter(|tag| !supported(tag)).collect();
        if unsupported.is_empty() {
            return Ok(());
        }
        Err(Rejection::of(420, Defect::BadExtension).with(HeaderName::Unsupported, unsupported.join(", ")))
    }
}

/// No one host: nothing is sent there (RFC 4475 §3.3.10).
const fn is_nowhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
    }
}

/// §10.3; the Contacts of a REGISTER.
fn registration(request: &Request) -> Result<Vec<Contact<'_>>, Rejection> {
    let headers = request.headers();
    let mut contacts = Vec::new();
    if *request.method() != Method::Register {
        return Ok(contacts);
    }
    // RFC 4475 §3.3.4.
    if !matches!(request.to().parsed_uri(), Some(Uri::Sip(_))) {
        return Err(Rejection::of(400, Defect::AddressOfRecord));
    }
    let mut wildcard = false;
    for contact in headers.typed_all::<Contact<'_>>() {
        let contact = contact.map_err(|error| syntax(error.fault))?;
        wildcard |= contact == Contact::Any;
        // Most have one: room for more would be made for nothing.
        match contacts.len() {
            0 => contacts.reserve_exact(1),
            len if len > limits::CONTACTS_PER_REGISTER => continue,
            _ => {}
        }
        contacts.push(contact);
    }
    // An empty field is no list of contacts, and no wish to know them either.
    if contacts.is_empty() && headers.has(HeaderName::Contact) {
        return Err(syntax(Fault::Malformed(HeaderName::Contact)));
    }
    if wildcard && (contacts.len() > 1 || headers.typed::<Expires>().ok().flatten() != Some(Expires(0))) {
        return Err(Rejection::of(400, Defect::Wildcard));
    }
    Ok(contacts)
}

/// That From and To are addresses, and have one tag at most, the parser saw to; that it is a token matters to who keeps dialogs.
fn tagged<'a, T: TypedHeader<'a>>(
    headers: &'a Headers,
    address: NameAddr<'a>,
    tag: Option<&str>,
) -> Result<(), Rejection> {
    match tag {
        Some(tag) if chars::is_token(tag) => Ok(()),
        None if address.params.as_str().is_empty() => Ok(()),
        _ => one::<T>(headers).map(drop),
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
    /// With no field that says more.
    pub const fn of(status: u16, defect: Defect) -> Self {
        Self { status, defect, field: None }
    }

    fn with(mut self, name: HeaderName, value: String) -> Self {
        self.field = Some((name, value));
        self
    }
}

impl core::convert::From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        syntax(fault)
    }
}

impl core::convert::From<ParseError> for Rejection {
    fn from(error: ParseError) -> Self {
        syntax(error.fault)
    }
}

/// "The Reason-Phrase SHOULD identify the syntax problem in more detail" (§21.4.1).
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            400 => write!(f, "Bad Request ({})", self.defect),
            _ => self.defect.fmt(f),
        }
    }
}

impl core::error::Error for Rejection {}

#[cfg(test)]
mod tests;
