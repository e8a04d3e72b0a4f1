//! Header field names, long and compact (RFC 3261 §7.3.3, §20).

use core::fmt;

macro_rules! header_names {
    ($($variant:ident $name:literal $lower:literal $($compact:literal)?),* $(,)?) => {
        /// A header field this crate knows by name, or [`HeaderName::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// A name outside this list; the field keeps its own text.
            Other,
        }

        impl HeaderName {
            /// The usual spelling; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// Recognises a name in any case, long or compact.
            pub fn from_bytes(name: &[u8]) -> Self {
                // No known name is longer; a longer one is another.
                let mut lower = [0u8; 24];
                let Some(lower) = lower.get_mut(..name.len()) else { return Self::Other };
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                match &*lower {
                    $($lower $(| $compact)? => Self::$variant,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

header_names! {
    Via "Via" b"via" b"v",
    From "From" b"from" b"f",
    To "To" b"to" b"t",
    CallId "Call-ID" b"call-id" b"i",
    CSeq "CSeq" b"cseq",
    Contact "Contact" b"contact" b"m",
    MaxForwards "Max-Forwards" b"max-forwards",
    Route "Route" b"route",
    RecordRoute "Record-Route" b"record-route",
    ContentLength "Content-Length" b"content-length" b"l",
    ContentType "Content-Type" b"content-type" b"c",
    ContentDisposition "Content-Disposition" b"content-disposition",
    ContentEncoding "Content-Encoding" b"content-encoding" b"e",
    Accept "Accept" b"accept",
    AcceptEncoding "Accept-Encoding" b"accept-encoding",
    Allow "Allow" b"allow",
    AllowEvents "Allow-Events" b"allow-events" b"u",
    Authorization "Authorization" b"authorization",
    Event "Event" b"event" b"o",
    Expires "Expires" b"expires",
    MinExpires "Min-Expires" b"min-expires",
    Path "Path" b"path",
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity",
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity",
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate",
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization",
    ProxyRequire "Proxy-Require" b"proxy-require",
    RAck "RAck" b"rack",
    RSeq "RSeq" b"rseq",
    Reason "Reason" b"reason",
    ReferTo "Refer-To" b"refer-to" b"r",
    ReferredBy "Referred-By" b"referred-by" b"b",
    Replaces "Replaces" b"replaces",
    Require "Require" b"require",
    RecvInfo "Recv-Info" b"recv-info",
    RetryAfter "Retry-After" b"retry-after",
    Server "Server" b"server",
    ServiceRoute "Service-Route" b"service-route",
    SessionExpires "Session-Expires" b"session-expires" b"x",
    Subject "Subject" b"subject" b"s",
    SubscriptionState "Subscription-State" b"subscription-state",
    Supported "Supported" b"supported" b"k",
    Unsupported "Unsupported" b"unsupported",
    UserAgent "User-Agent" b"user-agent",
    Warning "Warning" b"warning",
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate",
    Date "Date" b"date",
    MaxBreadth "Max-Breadth" b"max-breadth",
    FlowTimer "Flow-Timer" b"flow-timer",
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
