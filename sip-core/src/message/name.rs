//! Header field names, long and compact (RFC 3261 §7.3.3, §20).

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
}

/// Places in [`INDEX`]: several times as many as names, so that most probes end at once.
const SLOTS: usize = 512;

/// Long names by [`slot`], as positions in [`HeaderName::ALL`]; the next free place where two meet.
static INDEX: [u8; SLOTS] = index();

/// Compact forms by letter, as positions in [`HeaderName::ALL`].
static COMPACT: [u8; 26] = compact();

const VACANT: u8 = u8::MAX;

const fn index() -> [u8; SLOTS] {
    let mut table = [VACANT; SLOTS];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        assert!(i < VACANT as usize, "positions fit one byte");
        let mut at = slot(HeaderName::ALL[i].as_str().as_bytes());
        while table[at] != VACANT {
            at = (at + 1) % SLOTS;
        }
        table[at] = i as u8;
        i += 1;
    }
    table
}

const fn compact() -> [u8; 26] {
    let mut table = [VACANT; 26];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        if let Some(letter) = HeaderName::ALL[i].compact() {
            table[(letter - b'a') as usize] = i as u8;
        }
        i += 1;
    }
    table
}

/// From the length and three letters in any case; equal names have equal slots. `name` is not empty.
const fn slot(name: &[u8]) -> usize {
    let len = name.len();
    let first = (name[0] | 0x20) as usize;
    let middle = (name[len / 2] | 0x20) as usize;
    let last = (name[len - 1] | 0x20) as usize;
    (len * 67 + first * 29 + middle * 11 + last * 5) % SLOTS
}

impl HeaderName {
    /// Recognises a name in any case, long or compact: one lookup and, as a rule, one comparison.
    pub fn from_bytes(name: &[u8]) -> Self {
        if let [letter] = name {
            let position = COMPACT.get(usize::from(letter.to_ascii_lowercase().wrapping_sub(b'a')));
            return position.and_then(|i| Self::ALL.get(usize::from(*i))).copied().unwrap_or(Self::Other);
        }
        if name.is_empty() {
            return Self::Other;
        }
        let mut at = slot(name);
        // The table is never full, so a vacant place ends every probe.
        loop {
            let position = usize::from(INDEX[at]);
            let (Some(candidate), Some(known)) = (Self::ALL.get(position), Self::SPELLINGS.get(position))
            else {
                return Self::Other;
            };
            // Nearly every sender spells names the usual way, which compares a word at a time.
            if known.as_bytes() == name || known.as_bytes().eq_ignore_ascii_case(name) {
                return *candidate;
            }
            at = (at + 1) % SLOTS;
        }
    }
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

    #[test]
    fn probes_are_short() {
        let mut longest = 0;
        let mut run = 0;
        for position in INDEX {
            run = if position == VACANT { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        assert!(longest <= 8, "{longest}");
    }
}
