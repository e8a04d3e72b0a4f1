//! Whom to call: what a person types becomes a Request-URI.

use alloc::format;
use alloc::string::String;

use smol_str::SmolStr;

use crate::message::{SipUri, Uri, escape_user, number_in, push_param};

/// `bob`, `bob@example.com`, `+49 30 1234-56`, a SIP URI or a `tel` URI, as pages link to. `None` if it is none of these.
pub(super) fn parse(text: &str, domain: &str) -> Option<SmolStr> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return None;
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|s| s.eq_ignore_ascii_case("sip") || s.eq_ignore_ascii_case("sips")) {
        return from_uri(text);
    }
    if let Some(uri) = number_in(text, domain) {
        return from_uri(&uri);
    }
    // Many links lack the context that a local number needs (RFC 3966 §5.1.5): it is meant as if it were typed.
    let text = match text.split_at_checked(4) {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel:") && is_number(number) => number,
        _ => text,
    };
    let (user, host) = text.rsplit_once('@').unwrap_or((text, domain));
    let user = if is_number(user) {
        // RFC 3966 §5.1.1: visual separators are for the eye.
        user.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
    } else {
        String::from(user)
    };
    // A colon would be a password or another scheme's URI, a space most likely a slip.
    if user.is_empty() || user.contains([':', ' ', '@', '<', '>']) {
        return None;
    }
    let uri = format!("sip:{}@{host}", escape_user(&user));
    from_uri(&uri)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b"+ -.()".contains(&b))
}

/// A URI's headers part and `method` have no place in a Request-URI (RFC 3261 §19.1.1, table 1).
pub(super) fn from_uri(text: &str) -> Option<SmolStr> {
    let uri = Uri::parse(text)?;
    let sip = uri.sip()?;
    let mut out = format!("{}", SipUri { params_text: "", headers: None, ..*sip });
    for (name, value) in sip.params().filter(|(name, _)| !name.eq_ignore_ascii_case("method")) {
        push_param(&mut out, name, value);
    }
    Some(out.into())
}

/// Whether it names one user agent instance (RFC 5627 §3.1).
pub(super) fn is_gruu(uri: &str) -> bool {
    Uri::parse(uri).is_some_and(|uri| uri.sip().is_some_and(|sip| sip.has_param("gr")))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_people_type() {
        let rows: &[(&str, Option<&str>)] = &[
            ("bob", Some("sip:bob@home.example")),
            (" bob ", Some("sip:bob@home.example")),
            ("bob@other.example", Some("sip:bob@other.example")),
            ("bob@127.0.0.1:5070", Some("sip:bob@127.0.0.1:5070")),
            ("+49 (30) 12-34", Some("sip:+49301234@home.example")),
            ("sip:bob@x.example;transport=ws?Subject=hi", Some("sip:bob@x.example;transport=ws")),
            ("SIPS:bob@x.example;method=BYE;lr", Some("sips:bob@x.example;lr")),
            ("jörg", Some("sip:j%C3%B6rg@home.example")),
            ("*98", Some("sip:*98@home.example")),
            ("", None),
            ("  ", None),
            ("tel:+49-30-1234", Some("sip:+49301234@home.example;user=phone")),
            ("TEL:201;phone-context=home.example", Some("sip:201@home.example;user=phone")),
            ("tel:201;phone-context=+49", Some("sip:201;phone-context=+49@home.example;user=phone")),
            ("tel:(030) 1234", Some("sip:0301234@home.example")),
            ("tel:", None),
            ("tel:bob", None),
            ("tel:201@x.example", None),
            ("mailto:bob@x.example", None),
            ("bob smith", None),
            ("bob@", None),
            ("@x.example", None),
            ("sip:", None),
            ("bob\r\nX: y", None),
            ("bob@host with space", None),
            ("()", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text, "home.example").as_deref(), *expected, "{text:?}");
        }
    }
}
