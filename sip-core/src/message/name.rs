//! Header field names, long and compact (RFC 3261 §7.3.3, §20).

mod lookup;

use core::fmt;

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?),* $(,)?) => {
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
            /// Every known name.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The usual spelling of each, in the same order, and nothing for [`HeaderName::Other`].
            const SPELLINGS: &[&str] = &[$($name,)* ""];

            /// The usual spelling; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                Self::SPELLINGS[self as usize]
            }

            /// The one-letter form, if the name has one.
            pub const fn compact(self) -> Option<u8> {
                match self {
                    $($(Self::$variant => Some($compact),)?)*
                    _ => None,
                }
            }
        }
    };
}

header_names! {
    Via "Via" b'v',
    From "From" b'f',
    To "To" b't',
    CallId "Call-ID" b'i',
    CSeq "CSeq",
    Contact "Contact" b'm',
    MaxForwards "Max-Forwards",
    Route "Route",
    RecordRoute "Record-Route",
    ContentLength "Content-Length" b'l',
    ContentType "Content-Type" b'c',
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding" b'e',
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    Allow "Allow",
    AllowEvents "Allow-Events" b'u',
    Authorization "Authorization",
    Event "Event" b'o',
    Expires "Expires",
    MinExpires "Min-Expires",
    Path "Path",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require",
    RAck "RAck",
    RSeq "RSeq",
    Reason "Reason",
    ReferTo "Refer-To" b'r',
    ReferredBy "Referred-By" b'b',
    Replaces "Replaces",
    Require "Require",
    RetryAfter "Retry-After",
    Server "Server",
    ServiceRoute "Service-Route",
    SessionExpires "Session-Expires" b'x',
    Subject "Subject" b's',
    SubscriptionState "Subscription-State",
    Supported "Supported" b'k',
    Unsupported "Unsupported",
    UserAgent "User-Agent",
    Warning "Warning",
    WwwAuthenticate "WWW-Authenticate",
    Date "Date",
    MaxBreadth "Max-Breadth",
    FlowTimer "Flow-Timer",
    AcceptLanguage "Accept-Language",
    AlertInfo "Alert-Info",
    AuthenticationInfo "Authentication-Info",
    CallInfo "Call-Info",
    ContentLanguage "Content-Language",
    ErrorInfo "Error-Info",
    InReplyTo "In-Reply-To",
    MimeVersion "MIME-Version",
    Organization "Organization",
    Priority "Priority",
    ReplyTo "Reply-To",
    Timestamp "Timestamp",
    Privacy "Privacy",
    ReferSub "Refer-Sub",
    TargetDialog "Target-Dialog",
    AcceptContact "Accept-Contact" b'a',
    RejectContact "Reject-Contact" b'j',
    RequestDisposition "Request-Disposition" b'd',
    Join "Join",
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    MinSe "Min-SE",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    FeatureCaps "Feature-Caps",
    InfoPackage "Info-Package",
    RecvInfo "Recv-Info",
    UserToUser "User-to-User",
    SessionId "Session-ID",
    Identity "Identity" b'y',
    RemotePartyId "Remote-Party-ID",
}

/// Some of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameSet([u32; 3]);

const _: () = assert!((HeaderName::Other as usize) < 3 * 32, "a bit for every name");

impl NameSet {
    pub(super) const EMPTY: Self = Self([0; 3]);

    pub(super) const fn has(self, name: HeaderName) -> bool {
        self.0[name as usize / 32] & (1 << (name as usize % 32)) != 0
    }

    pub(super) const fn insert(&mut self, name: HeaderName) {
        self.0[name as usize / 32] |= 1 << (name as usize % 32);
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_name_is_found_in_every_spelling() {
        for &name in HeaderName::ALL {
            let text = name.to_string();
            for spelling in [text.clone(), text.to_lowercase(), text.to_uppercase()] {
                assert_eq!(HeaderName::from_bytes(spelling.as_bytes()), name, "{spelling}");
            }
            if let Some(letter) = name.compact() {
                assert_eq!(HeaderName::from_bytes(&[letter]), name, "{name}");
                assert_eq!(HeaderName::from_bytes(&[letter.to_ascii_uppercase()]), name, "{name}");
            }
        }
    }

    #[test]
    fn other_names_stay_other() {
        for name in [
            "",
            "z",
            "-",
            "{",
            "\u{80}",
            "Vi",
            "Viaa",
            "From ",
            "X-Something-Longer-Than-Any-Known-Name",
            "Fr\u{2f}m",
            "Call\rID",
            "Fro\0",
        ] {
            assert_eq!(HeaderName::from_bytes(name.as_bytes()), HeaderName::Other, "{name}");
        }
    }

    #[test]
    fn compact_forms_are_used_once() {
        let mut letters = std::vec::Vec::new();
        letters.extend(HeaderName::ALL.iter().filter_map(|name| name.compact()));
        letters.sort_unstable();
        let count = letters.len();
        letters.dedup();
        assert_eq!(letters.len(), count);
    }
}
