//! REGISTER → [`BindingUpdate`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use smol_str::SmolStr;
use thiserror::Error;

use super::binding::key;
use super::{BindingUpdate, Change, ContactUpdate};
use crate::limits;
use crate::message::typed::{Contact, ContactAddress, Path};
use crate::message::validate::{Rejection, Role, Rules};
use crate::message::{HeaderName, Host, Request, SipUri, Uri, is_sips, unquote};
use crate::time::Duration;
use crate::transport::Hop;

/// What the registrar takes.
pub const RULES: Rules<'_> = Rules {
    role: Role::Registrar,
    schemes: &["sip", "sips"],
    allow: "OPTIONS, REGISTER",
    supported: "gruu, outbound, path",
    accept: "",
};

/// How long a contact may be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Shorter is refused with 423, save zero, which removes.
    pub min: Duration,
    /// When the REGISTER names none.
    pub default: Duration,
    /// Longer is shortened to this.
    pub max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self { min: Duration::from_secs(60), default: hour, max: hour }
    }
}

/// Why a REGISTER asks for nothing that can be done. The text is the reason phrase.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not as a REGISTER must be.
    #[error("{0}")]
    Invalid(#[from] Rejection),
    /// A Contact is no SIP URI, so that no request could be sent to it.
    #[error("Contact Is Not A SIP URI")]
    ContactScheme,
    /// A Contact is longer than [`limits::CONTACT_BYTES`].
    #[error("Contact Too Long")]
    ContactTooLong,
    /// More Contacts than [`limits::CONTACTS_PER_REGISTER`].
    #[error("Too Many Contacts In One REGISTER")]
    TooManyContacts,
    /// Several Contacts to bind, one of them with `reg-id` (RFC 5626 §6): one flow is one contact's.
    #[error("A Contact With reg-id Comes Alone")]
    SharedFlow,
    /// Outbound was asked for and the REGISTER came through another element, which would have to keep the flow
    /// (RFC 5626 §6).
    #[error("First Hop Lacks Outbound Support")]
    NotFirstHop,
    /// A Contact is the address-of-record itself, or a GRUU of it: a loop (RFC 5627 §5.1).
    #[error("Contact Is The Address Itself")]
    OwnAddress,
    /// A Contact to bind is a `sips` URI, and the Request-URI, another Contact or a Path is none (RFC 5630 §5.2); or it came without TLS.
    #[error("Bad Request (sips Contact Without sips Request-URI, Contacts, Path Or TLS)")]
    NotSecureThroughout,
    /// Path of more than [`limits::PATH_BYTES`].
    #[error("Path Too Long")]
    PathTooLong,
    /// A Contact's expiry is below the bound.
    #[error("Interval Too Brief")]
    TooBrief {
        /// The bound, for Min-Expires.
        min: Duration,
    },
}

impl Refusal {
    /// The status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(rejection) => rejection.status,
            Self::ContactScheme | Self::ContactTooLong | Self::TooManyContacts | Self::SharedFlow => 400,
            Self::PathTooLong | Self::NotSecureThroughout => 400,
            Self::OwnAddress => 403,
            Self::NotFirstHop => 439,
            Self::TooBrief { .. } => 423,
        }
    }

    /// What to change.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Invalid(rejection) => rejection.defect.advice(),
            Self::ContactScheme => "Contact must be a sip URI or a sips URI",
            Self::ContactTooLong => "a Contact has 4,096 bytes at most",
            Self::TooManyContacts => "a REGISTER has ten Contacts at most",
            Self::SharedFlow => "register each Contact with a reg-id in a REGISTER of its own",
            Self::NotFirstHop => "register over a connection of your own, or leave out reg-id",
            Self::OwnAddress => "Contact must be where you are, not the address that you register",
            Self::NotSecureThroughout => {
                "with a sips Contact the Request-URI, all Contacts and all Paths are sips URIs, and TLS is below; or register a sip Contact"
            }
            Self::PathTooLong => "the proxies on the way write too many Paths",
            Self::TooBrief { .. } => "ask for no less than Min-Expires",
        }
    }

    /// The field that says more, if there is one.
    pub fn field(self) -> Option<(HeaderName, String)> {
        match self {
            Self::Invalid(rejection) => rejection.field,
            Self::TooBrief { min } => Some((HeaderName::MinExpires, min.as_secs().to_string())),
            _ => None,
        }
    }
}

/// What a REGISTER that came over `from` asks for. `aor` is the canonical form of its To, which the caller has
/// found to be the sender's own.
pub fn read(request: &Request, aor: SmolStr, from: Hop, bounds: &Bounds) -> Result<BindingUpdate, Refusal> {
    let mut change = change(request, RULES.register(request)?, &aor, bounds)?;
    if let Change::Contacts(contacts) = &mut change {
        secure(request, contacts, &from)?;
        outbound(request, contacts, &aor)?;
    }
    let path = path(request)?;
    Ok(BindingUpdate {
        path,
        through: "".into(),
        aor,
        call_id: SmolStr::new(request.call_id()),
        cseq: request.cseq().number,
        hop: from,
        change,
    })
}

fn change(
    request: &Request,
    read: Vec<Contact<'_>>,
    aor: &SmolStr,
    bounds: &Bounds,
) -> Result<Change, Refusal> {
    if read.len() > limits::CONTACTS_PER_REGISTER {
        return Err(Refusal::TooManyContacts);
    }
    let header_expires = request.headers().first(HeaderName::Expires);
    let mut contacts = Vec::with_capacity(read.len());
    for value in &read {
        match value {
            // Alone, as the rules have it.
            Contact::Any => return Ok(Change::RemoveAll),
            Contact::Address(address) => contacts.push(contact(address, aor, header_expires, bounds)?),
        }
    }
    Ok(if contacts.is_empty() { Change::Fetch } else { Change::Contacts(contacts) })
}

/// RFC 3327 §5.3: what other proxies have put between us and the contacts, topmost first. A user agent that does not say it
/// supports that is registered all the same, as policy may have it.
fn path(request: &Request) -> Result<SmolStr, Refusal> {
    let mut path = String::new();
    for value in request.headers().typed_all::<Path<'_>>() {
        let value = value.map_err(Rejection::from)?;
        let separator = if path.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(path, "{separator}{}", *value);
    }
    if path.len() > limits::PATH_BYTES { Err(Refusal::PathTooLong) } else { Ok(path.into()) }
}

/// RFC 5630 §5.2: "all the appropriate URIs are of the SIPS scheme; otherwise, there could be an inadvertent binding of a secure resource
/// (SIPS) to an unsecured one".
fn secure(request: &Request, contacts: &[ContactUpdate], from: &Hop) -> Result<(), Refusal> {
    let binds = |contact: &&ContactUpdate| !contact.expires.is_zero();
    if !contacts.iter().filter(binds).any(|contact| is_sips(&contact.contact)) {
        return Ok(());
    }
    let paths = request.headers().typed_all::<Path<'_>>();
    let mut paths = paths.map(|path| path.is_ok_and(|path| is_sips(path.uri)));
    let throughout = is_sips(request.uri())
        && from.transport.is_secure()
        && contacts.iter().filter(binds).all(|contact| is_sips(&contact.contact))
        && paths.all(|is_sips| is_sips);
    if throughout { Ok(()) } else { Err(Refusal::NotSecureThroughout) }
}

/// RFC 5626 §6: the user agent's first hop, whose Path is the last, keeps the flow to it.
fn first_hop_is_outbound(request: &Request) -> bool {
    let paths = request.headers().typed_all::<Path<'_>>();
    let Some(Ok(first_hop)) = paths.last() else { return false };
    matches!(first_hop.parsed_uri(), Some(Uri::Sip(uri)) if uri.is_outbound())
}

/// What RFC 5626 §6 asks of Contacts with `reg-id`.
fn outbound(request: &Request, contacts: &mut [ContactUpdate], aor: &SmolStr) -> Result<(), Refusal> {
    let headers = request.headers();
    if contacts.iter().all(|contact| contact.key.reg_id == 0) {
        return Ok(());
    }
    if headers.list(HeaderName::Via).nth(1).is_some() && !first_hop_is_outbound(request) {
        if headers.lists(HeaderName::Supported, "outbound") {
            return Err(Refusal::NotFirstHop);
        }
        // "otherwise, the registrar MUST ignore the reg-id"
        for contact in contacts.iter_mut() {
            contact.key = key(aor, &contact.contact, None, None);
        }
        return Ok(());
    }
    let mut bound = contacts.iter().filter(|contact| !contact.expires.is_zero());
    let shared = bound.clone().nth(1).is_some() && bound.any(|contact| contact.key.reg_id > 0);
    if shared { Err(Refusal::SharedFlow) } else { Ok(()) }
}

fn contact(
    contact: &ContactAddress<'_>,
    aor: &SmolStr,
    header_expires: Option<&str>,
    bounds: &Bounds,
) -> Result<ContactUpdate, Refusal> {
    let &ContactAddress { address, reg_id, .. } = contact;
    let Some(Uri::Sip(uri)) = address.parsed_uri() else { return Err(Refusal::ContactScheme) };
    if is_own_address(&uri, aor) {
        return Err(Refusal::OwnAddress);
    }
    if address.uri.len() + address.params.as_str().len() > limits::CONTACT_BYTES {
        return Err(Refusal::ContactTooLong);
    }
    let (mut own_expires, mut instance) = (None, None);
    let mut params = String::with_capacity(address.params.as_str().len());
    for (name, value) in address.params.iter() {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("expires") {
            // Told anew with every answer.
            own_expires = own_expires.or(value);
            continue;
        }
        // A user agent suggests no GRUU (RFC 5627 §5.1).
        if is("pub-gruu") || is("temp-gruu") {
            continue;
        }
        if is("+sip.instance") {
            instance = instance.or(value);
        }
        params.extend([";", name]);
        params.extend(value.into_iter().flat_map(|value| ["=", value]));
    }
    // §10.3 step 7: the parameter, else the header, else the default. A malformed value counts as the default
    // (§10.2.1.1 for the parameter, and there is no better for the header).
    let wanted = match own_expires {
        Some(text) => seconds(text),
        None => header_expires.and_then(seconds),
    };
    let expires = wanted.unwrap_or(bounds.default).min(bounds.max);
    if !expires.is_zero() && expires < bounds.min {
        return Err(Refusal::TooBrief { min: bounds.min });
    }
    let instance = instance.map(unquote);
    let instance = instance.as_deref().map(|text| text.trim_start_matches('<').trim_end_matches('>'));
    let contact = SmolStr::new(address.uri);
    Ok(ContactUpdate {
        key: key(aor, &contact, instance.filter(|text| !text.is_empty()), reg_id),
        contact,
        params: SmolStr::from(params),
        expires,
    })
}

/// §19.1.4: parameters that one of the two lacks do not count, so this sees a public GRUU as well.
fn is_own_address(contact: &SipUri<'_>, aor: &str) -> bool {
    // The host tells nearly all of them apart.
    let at = aor.bytes().rposition(|byte| byte == b'@');
    let host = at.and_then(|at| Host::parse(&aor[at + 1..]));
    host.is_some_and(|host| host.matches(contact.host))
        && matches!(Uri::parse(aor), Some(Uri::Sip(aor)) if contact.is_same_resource(&aor))
}

/// `delta-seconds`; what does not fit is as long as can be said (§20.19).
fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse::<u32>().unwrap_or(u32::MAX).into()))
}
