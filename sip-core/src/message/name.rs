//! Header field names, long and compact (RFC 3261 §7.3.3, §20).

use core::fmt;

use super::chars;

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

/// Long names by [`Ends::slot`], as positions in [`HeaderName::ALL`]; the next free place where two meet.
static INDEX: [u8; SLOTS] = index();

/// The long names, in the order of [`HeaderName::ALL`].
static KNOWN: [Known; HeaderName::ALL.len()] = known();

/// Compact forms by letter, as positions in [`HeaderName::ALL`].
static COMPACT: [u8; 26] = compact();

const VACANT: u8 = u8::MAX;

/// The bit that makes a letter small.
const SMALL: u8 = 0x20;

/// Longer names have bytes that are in neither of their [`Ends`].
const ENDS_BYTES: usize = 16;

/// The first eight bytes of a name and its last eight, which overlap in most; of a name with fewer, all, and zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends(u64, u64);

impl Ends {
    /// Of the name that is the first `len` bytes of `line`.
    fn of(line: &[u8], len: usize) -> Self {
        match (line.first_chunk::<8>(), line[..len].last_chunk::<8>()) {
            (Some(first), Some(last)) => Self(u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            (Some(first), None) => Self(u64::from_le_bytes(*first) & !(u64::MAX << (8 * len)), 0),
            (None, _) => Self(line[..len].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        }
    }

    /// The name of `len` bytes that has these ends.
    #[inline]
    fn known(self, len: usize) -> HeaderName {
        let mut at = self.slot();
        // The table is never full, so a vacant place ends every probe.
        loop {
            let Some(known) = KNOWN.get(usize::from(INDEX[at])) else { return HeaderName::Other };
            if self.0 | known.letters.0 == known.small.0
                && self.1 | known.letters.1 == known.small.1
                && known.len == len
            {
                return known.name;
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// Names that differ in case alone have the same.
    const fn slot(self) -> usize {
        const SMALLS: u64 = u64::from_ne_bytes([SMALL; 8]);
        let first = (self.0 | SMALLS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let last = (self.1 | SMALLS).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (first.wrapping_add(last) >> 55) as usize
    }
}

/// A known name.
#[derive(Clone, Copy)]
struct Known {
    /// Its ends, in small letters.
    small: Ends,
    /// [`SMALL`] where those have letters.
    letters: Ends,
    len: usize,
    name: HeaderName,
}

const fn one(name: HeaderName) -> Known {
    let text = name.as_str().as_bytes();
    let (small, letters) = ends(text);
    Known { small, letters, len: text.len(), name }
}

/// Of a known name: its ends in small letters, and where those have letters.
const fn ends(name: &[u8]) -> (Ends, Ends) {
    let (mut small, mut letters) = ([[0; 8]; 2], [[0; 8]; 2]);
    let mut end = 0;
    while end < 2 {
        let mut i = 0;
        while i < 8 && i < name.len() && (end == 0 || name.len() >= 8) {
            let byte = name[if end == 0 { i } else { name.len() - 8 + i }];
            small[end][i] = byte.to_ascii_lowercase();
            letters[end][i] = if byte.is_ascii_alphabetic() { SMALL } else { 0 };
            i += 1;
        }
        end += 1;
    }
    (
        Ends(u64::from_le_bytes(small[0]), u64::from_le_bytes(small[1])),
        Ends(u64::from_le_bytes(letters[0]), u64::from_le_bytes(letters[1])),
    )
}

const fn known() -> [Known; HeaderName::ALL.len()] {
    let mut all = [one(HeaderName::Via); HeaderName::ALL.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = one(HeaderName::ALL[i]);
        i += 1;
    }
    all
}

const fn index() -> [u8; SLOTS] {
    let mut table = [VACANT; SLOTS];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        assert!(i < VACANT as usize, "positions fit one byte");
        let mut at = ends(HeaderName::ALL[i].as_str().as_bytes()).0.slot();
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

impl HeaderName {
    /// Recognises a name in any case, long or compact.
    pub fn from_bytes(name: &[u8]) -> Self {
        Self::leading(name, name.len())
    }

    /// Recognises the name that is the first `len` bytes of `line`: one lookup and, as a rule, a comparison of two words.
    pub(super) fn leading(line: &[u8], len: usize) -> Self {
        if len <= 1 {
            let letter = line[..len].first().map_or(0, u8::to_ascii_lowercase);
            let position = COMPACT.get(usize::from(letter.wrapping_sub(b'a')));
            return position.and_then(|i| Self::ALL.get(usize::from(*i))).copied().unwrap_or(Self::Other);
        }
        let name = Ends::of(line, len).known(len);
        let overlap = len <= ENDS_BYTES || name.as_str().as_bytes().eq_ignore_ascii_case(&line[..len]);
        if overlap { name } else { Self::Other }
    }

    /// The name and the place of the colon, if a known long one without white space before it begins `line`. What it
    /// does not see, [`HeaderName::leading`] does.
    #[inline]
    pub(super) fn usual(line: &[u8]) -> Option<(Self, usize)> {
        let (words, _) = line.first_chunk::<ENDS_BYTES>()?.as_chunks::<8>();
        let [first, second] = words else { return None };
        let (first, second) = (u64::from_le_bytes(*first), u64::from_le_bytes(*second));
        let colon = chars::first_of(first, b':');
        let (ends, len) = if colon < 8 {
            (Ends(first & !(u64::MAX << (8 * colon)), 0), colon)
        } else {
            let len = 8 + chars::first_of(second, b':');
            let last = line.get(len - 8..len)?.first_chunk::<8>()?;
            (Ends(first, u64::from_le_bytes(*last)), len)
        };
        // Of 16 bytes without a colon there may be more.
        let name = if len < ENDS_BYTES { ends.known(len) } else { Self::Other };
        (name != Self::Other).then_some((name, len))
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
