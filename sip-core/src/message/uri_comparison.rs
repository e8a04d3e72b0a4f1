//! When two URIs are the same (RFC 3261 §19.1.4, RFC 3966 §4).

use super::{SipUri, Uri};

/// Most parameters, and most headers, of a URI that is compared. Past it only URIs that are the same byte for byte
/// are the same: each is looked for in the other, so that the work grows with the square.
const COMPARED: usize = 64;

/// Parameters that never equal their absence: their default is not what leaving them out means. `gr` is none of them:
/// a public GRUU equals its address-of-record (RFC 5627 §5.1).
const WEIGHTY: [&str; 5] = ["transport", "user", "ttl", "method", "maddr"];

impl Uri<'_> {
    /// Whether both are the same resource by their scheme's rules; unknown schemes compare byte for byte.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(a), Uri::Sip(b)) => a.is_equivalent(b),
            (Self::Tel(a), Uri::Tel(b)) => a.is_equivalent(b),
            (Self::Other { scheme: a, rest: x }, Uri::Other { scheme: b, rest: y }) => {
                a.eq_ignore_ascii_case(b) && x == y
            }
            _ => false,
        }
    }
}

impl SipUri<'_> {
    /// The same, whichever of the schemes `sip` and `sips` each is of: RFC 5630 §4 has it that both name one resource. (§19.1.4 compares
    /// contacts.)
    pub fn is_same_resource(&self, other: &SipUri<'_>) -> bool {
        let other = SipUri { secure: self.secure, ..*other };
        self.is_equivalent(&other)
    }

    /// §19.1.4. Not transitive: a parameter that one URI lacks is ignored, save the few that weigh.
    pub fn is_equivalent(&self, other: &SipUri<'_>) -> bool {
        if self == other {
            return true;
        }
        self.secure == other.secure
            && same_optional(self.user, other.user, Case::Matters)
            && same_optional(self.password, other.password, Case::Matters)
            && self.host.matches(other.host)
            && self.port == other.port
            && self.same_params(other)
            && same_headers(self.headers, other.headers)
    }

    fn same_params(&self, other: &SipUri<'_>) -> bool {
        if self.params().count() > COMPARED || other.params().count() > COMPARED {
            return self.params_text == other.params_text;
        }
        let weighty = |name: &str| WEIGHTY.iter().any(|known| same(known, name, Case::Ignored));
        let agree = |one: &SipUri<'_>, two: &SipUri<'_>| {
            one.params().all(|(name, value)| {
                let mut found = two.params().filter(|(n, _)| same(n, name, Case::Ignored)).peekable();
                match found.peek() {
                    None => !weighty(name),
                    // A name may stand once (§19.1.1); where it stands more often, all must agree.
                    Some(_) => found.all(|(_, v)| same_optional(v, value, Case::Ignored)),
                }
            })
        };
        agree(self, other) && agree(other, self)
    }
}

/// Headers are never ignored; their order is.
fn same_headers(one: Option<&str>, two: Option<&str>) -> bool {
    fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
        text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
    let (Some(one), Some(two)) = (one, two) else { return one == two };
    let count = pairs(one).count();
    if count != pairs(two).count() || count > COMPARED {
        return one == two;
    }
    // What a header's value means is its field's matter; here values compare as text.
    let covers = |one: &str, two: &str| {
        pairs(one).all(|(name, value)| {
            pairs(two).any(|(n, v)| same(n, name, Case::Ignored) && same(v, value, Case::Matters))
        })
    };
    covers(one, two) && covers(two, one)
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Matters,
    Ignored,
}

fn same_optional(one: Option<&str>, two: Option<&str>, case: Case) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same(one, two, case),
        (None, None) => true,
        _ => false,
    }
}

/// Compares unit by unit. Outside the reserved set a character is the same as its escape.
fn same(one: &str, two: &str, case: Case) -> bool {
    let mut one = units(one);
    let mut two = units(two);
    loop {
        return match (one.next(), two.next()) {
            (None, None) => true,
            (Some((a, escaped)), Some((b, also))) => {
                let equal = a == b || (case == Case::Ignored && a.eq_ignore_ascii_case(&b));
                if equal && (escaped == also || !is_reserved(a)) {
                    continue;
                }
                false
            }
            _ => false,
        };
    }
}

/// Bytes, with whether each stood escaped.
fn units(text: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut bytes = text.bytes();
    core::iter::from_fn(move || {
        let byte = bytes.next()?;
        let mut ahead = bytes.clone();
        let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
        match digits {
            (Some(high), Some(low)) if byte == b'%' => {
                bytes = ahead;
                Some((high << 4 | low, true))
            }
            _ => Some((byte, false)),
        }
    })
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 2396's set, which §19.1.4 means.
const fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;

    fn equivalent(one: &str, two: &str) -> bool {
        let parse = |text| Uri::parse(text).unwrap_or_else(|| panic!("{text}"));
        let forth = parse(one).is_equivalent(&parse(two));
        assert_eq!(forth, parse(two).is_equivalent(&parse(one)), "{one} {two}");
        forth
    }

    #[test]
    fn the_sections_examples() {
        for (one, two) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
            ("sip:a@b;gr=1", "sip:a@b"),
            ("tel:+1-201-555-0123", "tel:+12015550123"),
            ("tel:7042;phone-context=Example.com", "TEL:70.42;phone-context=example.com"),
            ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555"),
            ("urn:service:sos", "URN:service:sos"),
        ] {
            assert!(equivalent(one, two), "{one} {two}");
        }
        for (one, two) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@[::ffff:192.0.2.1]", "sip:a@192.0.2.1"),
            ("sip:a@b", "sips:a@b"),
            ("sip:a@b", "sip:b"),
            ("sip:a@b", "sip:a:x@b"),
            ("sip:a%3Bx@b", "sip:a;x@b"),
            ("sip:a@b;lr", "sip:a@b;lr=x"),
            ("sip:a@b?x=1&x=1&y=2", "sip:a@b?x=1&y=2&z=3"),
            ("tel:+1234", "tel:1234;phone-context=a"),
            ("tel:+1234;ext=1", "tel:+1234"),
            ("tel:+1234", "sip:+1234@a"),
            ("urn:a", "urn:A"),
        ] {
            assert!(!equivalent(one, two), "{one} {two}");
        }
    }

    #[test]
    fn many_parameters_cost_little() {
        let one = (0..9_000).fold("sip:a@b".into(), |text, i| format!("{text};{i}"));
        assert!(equivalent(&one, &one));
        assert!(!equivalent(&one, &format!("{one};x")));
    }

    proptest! {
        #[test]
        fn every_uri_equals_itself_and_none_panics(a in "(sips?:|tel:)[a-z%0-9@:;?=&+\\[\\].-]{0,40}", b in "sip:\\PC{0,40}") {
            if let Some(a) = Uri::parse(&a) {
                prop_assert!(a.is_equivalent(&a));
                if let Some(b) = Uri::parse(&b) {
                    prop_assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
                }
            }
        }
    }
}
