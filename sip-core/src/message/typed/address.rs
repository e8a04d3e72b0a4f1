//! Fields that hold addresses: RFC 3261, 3325 (asserted identities), 3327 (Path), 3515 (Refer-To), 3608
//! (Service-Route), 3892 (Referred-By).

use core::fmt;
use core::ops::Deref;

use super::access::name_addr;
use super::cursor::{Cursor, known, once, place, token_param};
use super::{Cardinality, HeaderError, QValue, TypedHeader};
use crate::message::{HeaderName, NameAddr, Uri, unquote};

/// A field that is an address, and its checks beyond that.
macro_rules! address {
    ($($(#[$doc:meta])* $name:ident $cardinality:ident $check:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(NameAddr<'a>);

        impl<'a> Deref for $name<'a> {
            type Target = NameAddr<'a>;

            fn deref(&self) -> &NameAddr<'a> {
                &self.0
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;
            const CARDINALITY: Cardinality = Cardinality::$cardinality;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let address = name_addr(text)?;
                $check(text, &address)?;
                Ok(Self(address))
            }
        }
    )*};
}

address! {
    /// `From` (RFC 3261 §20.20). RFC 2543 peers send no tag.
    From One tagged;
    /// `To` (RFC 3261 §20.39).
    To One tagged;
    /// `Reply-To` (RFC 3261 §20.31).
    ReplyTo One any;
    /// `Route` (RFC 3261 §20.34).
    Route List bracketed;
    /// `Record-Route` (RFC 3261 §20.30).
    RecordRoute List bracketed;
    /// `Path` (RFC 3327 §4).
    Path List bracketed;
    /// `Service-Route` (RFC 3608 §5).
    ServiceRoute List bracketed;
    /// `Refer-To` (RFC 3515 §2.1): one URI, and no comma smuggles a second.
    ReferTo One any;
    /// `Referred-By` (RFC 3892 §3).
    ReferredBy One content_id;
    /// `P-Asserted-Identity` (RFC 3325 §9.1): SIP, SIPS or tel.
    PAssertedIdentity List identity;
    /// `P-Preferred-Identity` (RFC 3325 §9.2): SIP, SIPS or tel.
    PPreferredIdentity List identity;
    /// `Remote-Party-ID`: what stood for P-Asserted-Identity before RFC 3325, in drafts alone.
    RemotePartyId List any;
}

const fn any(_: &str, _: &NameAddr<'_>) -> Result<(), HeaderError> {
    Ok(())
}

fn tagged(text: &str, address: &NameAddr<'_>) -> Result<(), HeaderError> {
    token_param(text, address.params, "tag").map(drop)
}

/// `name-addr`: without brackets, the URI's parameters would be the field's.
pub(super) fn bracketed(text: &str, address: &NameAddr<'_>) -> Result<(), HeaderError> {
    let at = place(text, address.uri);
    if at > 0 && text.as_bytes().get(at - 1) == Some(&b'<') {
        return Ok(());
    }
    Err(HeaderError::Expected { what: "<", offset: at })
}

/// RFC 3325 §9.1. How many there are, and of which schemes, is for whoever reads the list.
fn identity(text: &str, address: &NameAddr<'_>) -> Result<(), HeaderError> {
    match address.parsed_uri() {
        Some(Uri::Sip(_) | Uri::Tel(_)) => Ok(()),
        _ => Err(HeaderError::Expected { what: "sip, sips or tel URI", offset: place(text, address.uri) }),
    }
}

/// `cid` is a quoted message identification (RFC 3892 §3).
fn content_id(text: &str, address: &NameAddr<'_>) -> Result<(), HeaderError> {
    let Some(value) = once(text, address.params, "cid")? else { return Ok(()) };
    let error = HeaderError::Expected { what: "cid", offset: place(text, value) };
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).ok_or(error)?;
    let (left, right) = inner.split_once('@').ok_or(error)?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b".-!%*_+'`~[]:".contains(&b);
    if left.is_empty() || right.is_empty() || !left.bytes().chain(right.bytes()).all(atom) {
        return Err(error);
    }
    Ok(())
}

impl<'a> ReferredBy<'a> {
    /// The Content-ID of the body part that proves the referral.
    pub fn cid(&self) -> Option<&'a str> {
        self.params.value("cid").map(|value| value.trim_matches('"'))
    }
}

/// `Contact` (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: every binding there is (§10.2.2). Only alone, and only in a REGISTER with Expires 0.
    Any,
    /// An address.
    Address(ContactAddress<'a>),
}

/// One address of a Contact with what its parameters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactAddress<'a> {
    /// The address.
    pub address: NameAddr<'a>,
    /// Preference.
    pub q: Option<QValue>,
    /// Seconds. A malformed value counts as 3600 (§10.2.1.1).
    pub expires: Option<u32>,
    /// Which of several flows (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
}

impl<'a> TypedHeader<'a> for Contact<'a> {
    const NAME: HeaderName = HeaderName::Contact;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut star = Cursor::new(text);
        if star.eat(b'*') {
            return star.end().map(|()| Self::Any);
        }
        let address = name_addr(text)?;
        let [q, expires, reg_id] = known(text, address.params, ["q", "expires", "reg-id"])?;
        let q = QValue::known(text, q)?;
        let expires = match expires.number(text, u32::MAX) {
            Ok(expires) => expires,
            // More seconds than fit are as many as fit (§20.19).
            Err(HeaderError::Range { .. }) => Some(u32::MAX),
            Err(_) => Some(3600),
        };
        let reg_id = reg_id.number(text, (1 << 31) - 1)?;
        if reg_id == Some(0) {
            let offset = address.params.value("reg-id").map_or(0, |value| place(text, value));
            return Err(HeaderError::Range { what: "reg-id", offset });
        }
        Ok(Self::Address(ContactAddress { address, q, expires, reg_id }))
    }
}

impl<'a> ContactAddress<'a> {
    /// `+sip.instance` without quotes and brackets (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<&'a str> {
        let value = self.address.params.value("+sip.instance")?;
        value.strip_prefix("\"<").and_then(|v| v.strip_suffix(">\""))
    }

    /// The public GRUU a registrar assigned (RFC 5627 §4.2).
    pub fn pub_gruu(&self) -> Option<alloc::borrow::Cow<'a, str>> {
        self.address.params.value("pub-gruu").map(unquote)
    }

    /// The temporary GRUU a registrar assigned (RFC 5627 §4.2).
    pub fn temp_gruu(&self) -> Option<alloc::borrow::Cow<'a, str>> {
        self.address.params.value("temp-gruu").map(unquote)
    }

    /// What the device can do (RFC 3840 §9).
    pub fn features(&self) -> impl Iterator<Item = Result<super::Feature<'a>, HeaderError>> + use<'a> {
        super::features(self.address.params)
    }
}

impl fmt::Display for Contact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(contact) => contact.address.fmt(f),
        }
    }
}
