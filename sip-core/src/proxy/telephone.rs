//! Telephone numbers as Request-URIs (RFC 3966): whoever asks this domain for one asks for a user of it, or of its routes.

use alloc::format;
use alloc::string::String;

use crate::message::{Method, Refused, Request, Rewrite, Uri, escape_user, unescape};

/// RFC 3261 §19.1.6: a `tel` URI as a SIP URI of `domain`, as equal numbers are written alike: without separators for the eye, and
/// without a context that the domain is itself. `None`: it is no `tel` URI.
pub fn number_in(uri: &str, domain: &str) -> Option<String> {
    // Nearly none is.
    if !uri.get(..4)?.eq_ignore_ascii_case("tel:") {
        return None;
    }
    let Some(Uri::Tel(tel)) = Uri::parse(uri) else { return None };
    let mut user: String = tel.digits().map(|digit| digit.to_ascii_lowercase()).collect();
    for (name, value) in tel.params() {
        let context = name.eq_ignore_ascii_case("phone-context");
        if context && value.is_some_and(|value| value.eq_ignore_ascii_case(domain)) {
            continue;
        }
        user.push(';');
        user.push_str(&name.to_ascii_lowercase());
        if let Some(value) = value {
            user.push('=');
            user.push_str(&unescape(value));
        }
    }
    Some(format!("sip:{}@{domain};user=phone", escape_user(&user)))
}

/// A request for a number as one for a user of `domain`. `None`: it is for something else.
pub fn number_as_user(request: &Request, domain: &str) -> Option<Result<Request, Refused>> {
    let uri = number_in(request.uri(), domain).filter(|_| *request.method() != Method::Register)?;
    let mut rewrite = Rewrite::new(request.headers());
    rewrite.request_uri(request, &uri);
    Some(Request::parse(rewrite.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
