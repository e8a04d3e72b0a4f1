//! Telephone numbers (RFC 3966).

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::{Host, chars, escape_user, push_param, unescape};

/// Most parameters of a `tel` URI. RFC 3966 defines four, and number portability (RFC 4694) five more.
const PARAMETERS: usize = 32;

/// What follows `tel:`, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelUri<'a> {
    /// The number with its visual separators; a global one begins with `+`.
    pub number: &'a str,
    /// Parameters, from the first semicolon on.
    params_text: &'a str,
}

impl<'a> TelUri<'a> {
    /// Parses what follows `tel:`. A local number needs its context (§5.1.5), and no parameter may stand twice (§3).
    pub fn parse(rest: &'a str) -> Option<Self> {
        let end = rest.find(';').unwrap_or(rest.len());
        let uri = Self { number: &rest[..end], params_text: &rest[end..] };
        let number_ok = match uri.number.strip_prefix('+') {
            Some(digits) => is_global(digits),
            None => {
                uri.number.bytes().all(|b| b.is_ascii_hexdigit() || b"*#-.()".contains(&b))
                    && uri.number.bytes().any(|b| b.is_ascii_hexdigit() || b"*#".contains(&b))
                    && uri.param("phone-context").is_some()
            }
        };
        (number_ok && uri.params_ok()).then_some(uri)
    }

    fn params_ok(&self) -> bool {
        self.params().count() <= PARAMETERS
            && self.params().enumerate().all(|(at, (name, value))| {
                let value_ok = match value {
                    None => !matches_any(name, &["isub", "ext", "phone-context"]),
                    Some("") => false,
                    Some(value) if name.eq_ignore_ascii_case("ext") => value.bytes().all(is_phone_digit),
                    Some(value) if name.eq_ignore_ascii_case("phone-context") => is_context(value),
                    Some(value) if name.eq_ignore_ascii_case("isub") => {
                        value.bytes().all(|b| b.is_ascii_graphic())
                    }
                    Some(value) => chars::is_uri_param(value),
                };
                let name_ok =
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                let first = self.params().take(at).all(|(n, _)| !n.eq_ignore_ascii_case(name));
                name_ok && value_ok && first
            })
    }

    /// Whether the number is a global one.
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// The number's characters without visual separators.
    pub fn digits(&self) -> impl Iterator<Item = char> + use<'a> {
        self.number.chars().filter(|c| !is_separator(*c))
    }

    /// The `phone-context` of a local number: a domain name or the first digits of global numbers.
    pub fn context(&self) -> Option<&'a str> {
        self.param("phone-context")
    }

    /// The extension behind the number.
    pub fn extension(&self) -> Option<&'a str> {
        self.param("ext")
    }

    /// The value of a parameter.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, value)| value)
    }

    /// Parameters in order.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.params_text
            .split(';')
            .skip(1)
            .map(|param| param.split_once('=').map_or((param, None), |(name, value)| (name, Some(value))))
    }

    /// §4: numbers without separators, parameters in any order, none ignored, all in any case.
    pub fn is_equivalent(&self, other: &TelUri<'_>) -> bool {
        let same = |one: &str, two: &str| {
            let letters = |text: &str| text.chars().filter(|c| !is_separator(*c)).count();
            letters(one) == letters(two)
                && one
                    .chars()
                    .filter(|c| !is_separator(*c))
                    .zip(two.chars().filter(|c| !is_separator(*c)))
                    .all(|(a, b)| a.eq_ignore_ascii_case(&b))
        };
        same(self.number, other.number)
            && self.params().count() == other.params().count()
            && self.params().all(|(name, value)| {
                let numeric = name.eq_ignore_ascii_case("ext")
                    || (name.eq_ignore_ascii_case("phone-context")
                        && value.is_some_and(|value| value.starts_with('+')));
                other.params().any(|(n, v)| {
                    n.eq_ignore_ascii_case(name)
                        && match (value, v) {
                            (Some(value), Some(v)) if numeric => same(value, v),
                            (Some(value), Some(v)) => value.eq_ignore_ascii_case(v),
                            (None, None) => true,
                            _ => false,
                        }
                })
            })
    }
}

impl fmt::Display for TelUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params_text)
    }
}

/// RFC 3261 §19.1.6: a `tel` URI as a SIP URI of `domain`, as equal numbers are written alike: without separators for the eye, and
/// without a context that the domain is itself. `None`: it is no `tel` URI.
pub fn number_in(uri: &str, domain: &str) -> Option<String> {
    // Nearly none is.
    if !uri.get(..4)?.eq_ignore_ascii_case("tel:") {
        return None;
    }
    let tel = TelUri::parse(&uri[4..])?;
    let mut user: String = tel.digits().map(|digit| digit.to_ascii_lowercase()).collect();
    for (name, value) in tel.params() {
        let context = name.eq_ignore_ascii_case("phone-context");
        if context && value.is_some_and(|value| value.eq_ignore_ascii_case(domain)) {
            continue;
        }
        push_param(&mut user, &name.to_ascii_lowercase(), value.map(unescape).as_deref());
    }
    Some(format!("sip:{}@{domain};user=phone", escape_user(&user)))
}

fn matches_any(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')')
}

fn is_phone_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || is_separator(char::from(byte))
}

/// `global-number-digits` after its plus.
fn is_global(digits: &str) -> bool {
    digits.bytes().all(is_phone_digit) && digits.bytes().any(|b| b.is_ascii_digit())
}

fn is_context(text: &str) -> bool {
    match text.strip_prefix('+') {
        Some(digits) => is_global(digits),
        None => matches!(Host::parse(text), Some(Host::Name(_))),
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_fall_into_their_parts() {
        let uri = TelUri::parse("+1-(201)-555.0123;ext=12-3;isub=a/b;x").expect("global");
        assert!(uri.is_global());
        assert_eq!(uri.digits().collect::<String>(), "+12015550123");
        assert_eq!((uri.extension(), uri.param("ISUB"), uri.context()), (Some("12-3"), Some("a/b"), None));
        let uri = TelUri::parse("*31#7042;phone-context=example.com").expect("local");
        assert!(!uri.is_global());
        assert_eq!(uri.context(), Some("example.com"));
        assert_eq!(uri.to_string(), "tel:*31#7042;phone-context=example.com");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "+-",
            "+1a",
            "1234",
            "1234;ext=1",
            "12g;phone-context=a",
            "+1;",
            "+1;ext",
            "+1;ext=",
            "+1;ext=x",
            "+1;ext=1;EXT=1",
            "1;phone-context=+",
            "1;phone-context=a b",
            "1;phone-context=a;phone-context=a",
            "+1;a_b=1",
            "+1;a=%2",
            "+1,2",
        ] {
            assert_eq!(TelUri::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rfc3261_19_1_6_numbers_are_users_written_alike() {
        for (tel, sip) in [
            ("tel:+49-30-123456", Some("sip:+4930123456@b.example;user=phone")),
            ("TEL:+49.(30)123456", Some("sip:+4930123456@b.example;user=phone")),
            ("tel:201;phone-context=B.example", Some("sip:201@b.example;user=phone")),
            ("tel:201;phone-context=+49", Some("sip:201;phone-context=+49@b.example;user=phone")),
            ("tel:201;phone-context=c.example", Some("sip:201;phone-context=c.example@b.example;user=phone")),
            ("tel:+4930;EXT=12;x=%41%2f", Some("sip:+4930;ext=12;x=A/@b.example;user=phone")),
            ("tel:*A1#;phone-context=b.example", Some("sip:*a1%23@b.example;user=phone")),
            ("tel:201", None),
            ("tel:", None),
            ("sip:+4930@b.example", None),
            ("te", None),
            ("\u{e9}\u{e9}\u{e9}", None),
        ] {
            assert_eq!(number_in(tel, "b.example").as_deref(), sip, "{tel}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "[+0-9a-f*#().;=-]{0,30}(;phone-context=[a-z+0-9.]{0,8})?", noise in "\\PC{0,40}") {
            for text in [text, noise] {
                if let Some(uri) = TelUri::parse(&text) {
                    prop_assert_eq!(uri.to_string(), std::format!("tel:{text}"));
                    prop_assert!(uri.is_equivalent(&uri));
                }
            }
        }
    }
}
