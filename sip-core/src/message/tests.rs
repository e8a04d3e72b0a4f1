mod edits;
mod refused;

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Every vector with what the parser must make of it: `None` accepts.
const VECTORS: &[(&str, &[u8], Option<Fault>)] = {
    use Fault::*;
    use HeaderName as H;
    macro_rules! v {
        ($rfc:literal $name:literal) => {
            ($name, include_bytes!(concat!("../../vectors/", $rfc, "/", $name, ".dat")), None)
        };
        ($rfc:literal $name:literal $fault:expr) => {
            ($name, include_bytes!(concat!("../../vectors/", $rfc, "/", $name, ".dat")), Some($fault))
        };
    }
    &[
        // RFC 4475 §3.1.1: valid messages
        v!("rfc4475" "wsinv"),
        v!("rfc4475" "intmeth"),
        v!("rfc4475" "esc01"),
        v!("rfc4475" "escnull"),
        v!("rfc4475" "esc02"),
        v!("rfc4475" "lwsdisp"),
        v!("rfc4475" "longreq"),
        v!("rfc4475" "dblreq"),
        v!("rfc4475" "semiuri"),
        v!("rfc4475" "transports"),
        v!("rfc4475" "mpart01"),
        v!("rfc4475" "unreason"),
        v!("rfc4475" "noreason"),
        // §3.1.2: invalid messages
        v!("rfc4475" "badinv01" Malformed(H::Via)),
        v!("rfc4475" "clerr" BodyTooShort),
        v!("rfc4475" "ncl" Malformed(H::ContentLength)),
        v!("rfc4475" "scalar02" Malformed(H::CSeq)),
        v!("rfc4475" "scalarlg" Malformed(H::CSeq)),
        v!("rfc4475" "quotbal" Malformed(H::To)),
        v!("rfc4475" "ltgtruri" RequestUri),
        v!("rfc4475" "lwsruri" RequestUri),
        v!("rfc4475" "lwsstart" RequestUri),
        v!("rfc4475" "trws" StartLine),
        v!("rfc4475" "escruri" RequestUri),
        // Date and Contact are not this layer's: it keeps them as they came.
        v!("rfc4475" "baddate"),
        v!("rfc4475" "regbadct"),
        v!("rfc4475" "badaspec" Malformed(H::To)),
        // The archive's file lacks the empty line after the fields; completed, its From is what is refused (below).
        v!("rfc4475" "baddn" Unterminated),
        v!("rfc4475" "badvers" Version),
        v!("rfc4475" "mismatch01" CSeqMethod),
        v!("rfc4475" "mismatch02" CSeqMethod),
        v!("rfc4475" "bigcode" Status),
        // §3.2: transaction layer semantics; the empty branch is matched by RFC 2543 rules
        v!("rfc4475" "badbranch"),
        // §3.3: application layer semantics
        v!("rfc4475" "insuf" Missing(H::From)),
        v!("rfc4475" "unkscm"),
        v!("rfc4475" "novelsc"),
        v!("rfc4475" "unksm2"),
        v!("rfc4475" "bext01"),
        v!("rfc4475" "invut"),
        v!("rfc4475" "regaut01"),
        v!("rfc4475" "multi01" Duplicate(H::From)),
        v!("rfc4475" "mcl01" Duplicate(H::ContentLength)),
        v!("rfc4475" "bcast"),
        v!("rfc4475" "zeromf"),
        v!("rfc4475" "cparam01"),
        v!("rfc4475" "cparam02"),
        v!("rfc4475" "regescrt"),
        v!("rfc4475" "sdp01"),
        // §3.4: backward compatibility
        v!("rfc4475" "inv2543"),
        // in the archive, not in the text: no version, and a line that is no field
        v!("rfc4475" "test" FieldName),
        // RFC 5118 §4
        v!("rfc5118" "ipv6-good"),
        v!("rfc5118" "ipv6-bad" RequestUri),
        v!("rfc5118" "port-ambiguous"),
        v!("rfc5118" "port-unambiguous"),
        v!("rfc5118" "via-received-param-with-delim"),
        v!("rfc5118" "via-received-param-no-delim"),
        v!("rfc5118" "ipv6-in-sdp" BodyTooShort),
        v!("rfc5118" "ipv6-in-sdp.fixed"),
        v!("rfc5118" "mult-ip-in-header"),
        v!("rfc5118" "mult-ip-in-sdp"),
        v!("rfc5118" "mult-ip-in-sdp.fixed"),
        v!("rfc5118" "ipv4-mapped-ipv6"),
        v!("rfc5118" "ipv4-mapped-ipv6.fixed"),
        v!("rfc5118" "ipv6-bug-abnf-3-colons"),
        v!("rfc5118" "ipv6-correct-abnf-2-colons"),
    ]
};

fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(bytes)).map_err(|refused| refused.error)
}

fn request(text: &str) -> Request {
    Request::parse(Bytes::from(text.replace('\n', "\r\n"))).expect("test message parses")
}

fn headers(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => request.headers(),
        Message::Response(response) => response.headers(),
    }
}

#[test]
fn vectors_come_to_what_the_table_says() {
    let mut wrong = Vec::new();
    for (name, bytes, expected) in VECTORS {
        let got = parse(bytes);
        if got.as_ref().err().map(|e| e.fault) != *expected {
            wrong.push(format!("{name}: {:?} instead of {expected:?}", got.err()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(VECTORS.len(), 50 + 12 + 3, "50 of RFC 4475, 12 of RFC 5118 and 3 corrected ones");
}

#[test]
fn an_unquoted_comma_in_a_display_name_is_refused() {
    let (_, bytes, _) = VECTORS.iter().find(|v| v.0 == "baddn").expect("in the table");
    let error = parse(&[bytes, &b"\r\n"[..]].concat()).expect_err("a comma in From");
    assert_eq!(error.fault, Fault::Malformed(HeaderName::From));
}

/// The version is one in any case (§7.1), so that no response is taken for a request and answered.
#[test]
fn status_lines() {
    let rest = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n\
                Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let parsed = |line: &str| Message::parse(Bytes::from(format!("{line}\r\n{rest}")));
    for (line, status, reason) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("sip/2.0 699 \u{43d}\u{435}\u{442}  = ", 699, "\u{43d}\u{435}\u{442}  = "),
        ("Sip/2.0 100 ", 100, ""),
        ("SIP/2.0 100", 100, ""),
    ] {
        let Ok(Message::Response(response)) = parsed(line) else { panic!("{line}") };
        assert_eq!((response.status(), response.reason()), (status, reason), "{line}");
    }
    for (line, fault) in [
        ("SIP/3.0 200 OK", Fault::Version),
        ("sip/2.00 200 OK", Fault::Version),
        ("SIP/2.0", Fault::Status),
        ("SIP/2.0  200 OK", Fault::Status),
        ("SIP/2.0 099 No", Fault::Status),
        ("SIP/2.0 700 No", Fault::Status),
        ("sip/2.0 2000 No", Fault::Status),
        ("SIP/2.0 +20 No", Fault::Status),
    ] {
        let refused = parsed(line).expect_err(line);
        assert_eq!((refused.error.fault, refused.request.is_none()), (fault, true), "{line}");
    }
}

#[test]
fn tortuous_invite_is_understood() {
    let Ok(Message::Request(request)) = parse(VECTORS[0].1) else { panic!("wsinv is a request") };
    assert_eq!(request.call_id(), "wsinv.ndaksdj@192.0.2.1");
    assert_eq!(request.max_forwards(), Some(68));
    assert_eq!(request.cseq().number, 9);
    assert_eq!(request.to_tag(), Some("1918181833n"));
    assert_eq!(request.from_tag(), Some("98asjd8"));
    assert_eq!(request.from().display_name().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(request.headers().list(HeaderName::Via).count(), 3);
    assert_eq!(request.branch(), Some("390skdjuw"));
    assert_eq!(request.headers().list(HeaderName::Route).count(), 1);
    assert_eq!(request.headers().list(HeaderName::Contact).count(), 1);
    assert_eq!(request.headers().first(HeaderName::Subject), Some(""));
}

#[test]
fn smuggling_and_ambiguity_are_refused_with_the_place() {
    let base = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";
    assert!(parse(format!("{base}\r\n").as_bytes()).is_ok());
    let length = HeaderName::ContentLength;
    // The line, the fault, and how far into the line it stands.
    let cases: &[(&str, Fault, usize)] = &[
        ("X\u{1}: y\r\n", Fault::FieldName, 1),
        ("X\u{b}: y\r\n", Fault::FieldName, 1),
        ("X\u{a0}: y\r\n", Fault::FieldName, 1),
        ("X Y: z\r\n", Fault::FieldName, 1),
        ("no colon here\r\n", Fault::FieldName, 2),
        (": empty\r\n", Fault::FieldName, 0),
        ("X\r Y: z\r\n", Fault::BareLineEnd, 1),
        ("X: a\nRoute: <sip:evil>\r\n", Fault::BareLineEnd, 4),
        ("X: a\rb\r\n", Fault::BareLineEnd, 4),
        ("X: a\r\r\n", Fault::BareLineEnd, 4),
        ("X: a\0b\r\n", Fault::Nul, 4),
        // A quoted pair is one only in a quoted string, and a backslash may be the second half of one.
        ("X: a\\\0b\r\n", Fault::Nul, 5),
        ("X: \"a\\\\\0b\"\r\n", Fault::Nul, 7),
        ("X: \"a\"\\\0\r\n", Fault::Nul, 7),
        ("X: \"\\\"\\\\\\\0\"\r\n Y\\\0\r\n", Fault::Nul, 16),
        ("X: \"a\\\0b\r\n", Fault::Nul, 6),
        ("Call-ID: 2\r\n", Fault::Duplicate(HeaderName::CallId), 0),
        ("X: y\r\ni: 1\r\n", Fault::Duplicate(HeaderName::CallId), 6),
        ("CSEQ : 2 OPTIONS\r\n", Fault::Duplicate(HeaderName::CSeq), 0),
        ("f: <sip:a@b>;tag=1\r\n", Fault::Duplicate(HeaderName::From), 0),
        ("t: <sip:a@b>\r\n", Fault::Duplicate(HeaderName::To), 0),
        ("Max-Forwards: 1\r\nMax-Forwards: 1\r\n", Fault::Duplicate(HeaderName::MaxForwards), 17),
        ("Max-Forwards: 256\r\n", Fault::Malformed(HeaderName::MaxForwards), 14),
        ("Max-Forwards: 70, 5\r\n", Fault::Malformed(HeaderName::MaxForwards), 14),
        // The same or not, two lengths are two messages for two readers.
        ("Content-Length: 0\r\nl: 0\r\n", Fault::Duplicate(length), 19),
        ("l: 0\r\nContent-Length : 5\r\n", Fault::Duplicate(length), 6),
        ("Content-Length: +0\r\n", Fault::Malformed(length), 16),
        ("Content-Length: -1\r\n", Fault::Malformed(length), 16),
        ("Content-Length: 0, 0\r\n", Fault::Malformed(length), 16),
        ("Content-Length: 0x0\r\n", Fault::Malformed(length), 16),
        ("Content-Length: 0 0\r\n", Fault::Malformed(length), 16),
        ("Content-Length:\r\n 0\r\n 0\r\n", Fault::Malformed(length), 18),
        ("Content-Length:\r\n", Fault::Malformed(length), 15),
        ("Content-Length: 99999999999999999999999\r\n", Fault::Malformed(length), 16),
        ("Content-Length: 18446744073709551615\r\n", Fault::BodyTooShort, 16),
        ("Content-Length: 1\r\n", Fault::BodyTooShort, 16),
    ];
    for (extra, fault, offset) in cases {
        let error = parse(format!("{base}{extra}\r\n").as_bytes()).expect_err(extra);
        assert_eq!((error.fault, error.offset), (*fault, base.len() + offset), "{extra:?}");
    }
    // A second value, a control character or nothing where one value stands.
    let cases: &[(&str, &str, Fault)] = &[
        ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1, <sip:c@d>;tag=2", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>;tag=1", "sip:a@b, sip:c@d", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1\u{1}2", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>\r\nCall", "<sip:a@b>, <sip:c@d>\r\nCall", Fault::Malformed(HeaderName::To)),
        ("<sip:a@b>\r\nCall", "<sip:a@b> <sip:c@d>\r\nCall", Fault::Malformed(HeaderName::To)),
        // Two tags name two dialogs, two branches two transactions (§7.3.1).
        ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1;x;TAG=1", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>\r\nCall", "<sip:a@b>;tag=1;tag=2\r\nCall", Fault::Malformed(HeaderName::To)),
        ("<sip:a@b>\r\nCall", "<sip:a@b>;tag;tag=2\r\nCall", Fault::Malformed(HeaderName::To)),
        (
            "SIP/2.0/UDP h;branch=z9hG4bK1",
            "SIP/2.0/UDP h;branch=z9hG4bK1;branch=z9hG4bK1",
            Fault::Malformed(HeaderName::Via),
        ),
        // Terminals that show a name obey control characters.
        ("<sip:a@b>;tag=1", "\u{7}\u{1b}[2J <sip:a@b>;tag=1", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>;tag=1", "a\u{7f} <sip:a@b>;tag=1", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>;tag=1", "\"a\u{7}\" <sip:a@b>;tag=1", Fault::Malformed(HeaderName::From)),
        ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1;x=\"\u{1b}\"", Fault::Malformed(HeaderName::From)),
        ("1\r\nCSeq", "1, 2\r\nCSeq", Fault::Malformed(HeaderName::CallId)),
        ("1\r\nCSeq", "1 2\r\nCSeq", Fault::Malformed(HeaderName::CallId)),
        ("1\r\nCSeq", "\r\nCSeq", Fault::Malformed(HeaderName::CallId)),
        ("1 OPTIONS\r\n", "1 OPTIONS, 2 OPTIONS\r\n", Fault::Malformed(HeaderName::CSeq)),
        ("1 OPTIONS\r\n", "1 OPTIONS 2\r\n", Fault::Malformed(HeaderName::CSeq)),
        ("1 OPTIONS\r\n", "2147483648 OPTIONS\r\n", Fault::Malformed(HeaderName::CSeq)),
        ("1 OPTIONS\r\n", "1 options\r\n", Fault::CSeqMethod),
        (
            "SIP/2.0/UDP h;branch=z9hG4bK1",
            "SIP/2.0/UDP h;branch=z9hG4bK1 x",
            Fault::Malformed(HeaderName::Via),
        ),
    ];
    for (from, to, fault) in cases {
        assert_eq!(base.matches(from).count(), 1, "{from}");
        let error = parse(format!("{}\r\n", base.replace(from, to)).as_bytes()).expect_err(to);
        assert_eq!((error.fault, error.offset), (*fault, base.find(from).unwrap()), "{to:?}");
    }
    // A response's CSeq names a method that no first line bounds.
    let response = base.replace("OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK");
    let most = crate::limits::IDENTIFIER_BYTES;
    for (length, fault) in [(most, None), (most + 1, Some(Fault::Overlong(HeaderName::CSeq)))] {
        let long = response.replace("1 OPTIONS", &format!("1 {}", "x".repeat(length)));
        assert_eq!(parse(format!("{long}\r\n").as_bytes()).err().map(|error| error.fault), fault);
    }
    let most = crate::limits::REQUEST_URI_BYTES;
    for (length, fault) in [(most, None), (most + 1, Some(Fault::RequestUriTooLong))] {
        let long = base.replacen("sip:a@b", &format!("sip:{}@b", "a".repeat(length - 6)), 1);
        assert_eq!(parse(format!("{long}\r\n").as_bytes()).err().map(|error| error.fault), fault);
    }
    assert_eq!(Fault::RequestUriTooLong.status(), 414);
    let overlong = "x".repeat(600);
    let long_branch = base.replace("z9hG4bK1", &format!("z9hG4bK{overlong}"));
    let error = parse(format!("{long_branch}\r\n").as_bytes()).expect_err("overlong branch");
    assert_eq!(error.fault, Fault::Overlong(HeaderName::Via));
    // At the cap, and one past it.
    let most = crate::limits::IDENTIFIER_BYTES;
    for (length, fits) in [(most, true), (most + 1, false)] {
        let long = "x".repeat(length);
        for (from, to, fault) in [
            ("z9hG4bK1", format!("z9hG4bK{}", &long[7..]), Fault::Overlong(HeaderName::Via)),
            (";tag=1", format!(";tag={long}"), Fault::Overlong(HeaderName::From)),
            ("Call-ID: 1", format!("Call-ID: {long}"), Fault::Overlong(HeaderName::CallId)),
            ("OPTIONS", long.clone(), Fault::Method),
        ] {
            assert!(base.contains(from), "{from}");
            let parsed = parse(format!("{}\r\n", base.replace(from, &to)).as_bytes());
            match parsed {
                Ok(_) => assert!(fits, "{from} {length}"),
                Err(error) => assert!(!fits && error.fault == fault, "{from} {length} {error:?}"),
            }
        }
    }
    let many = "X: y\r\n".repeat(crate::limits::HEADER_FIELDS);
    let error = parse(format!("{base}{many}\r\n").as_bytes()).expect_err("too many");
    let last = base.len() + (crate::limits::HEADER_FIELDS - 5) * "X: y\r\n".len();
    assert_eq!((error.fault, error.offset), (Fault::TooManyFields, last));
    let large = vec![b' '; crate::limits::MESSAGE_BYTES + 1];
    assert_eq!(parse(&large).expect_err("too large").fault, Fault::TooLarge);
}

#[test]
fn uris_fall_into_their_parts() {
    let Some(Uri::Sip(uri)) =
        Uri::parse("sips:al%20ice:pw@[2001:db8::1]:5061;transport=tcp;lr?subject=x&to=a")
    else {
        panic!("a SIPS URI")
    };
    assert!(uri.secure);
    assert_eq!((uri.user, uri.password, uri.port), (Some("al%20ice"), Some("pw"), Some(5061)));
    assert_eq!(uri.param("Transport"), Some("tcp"));
    assert!(uri.has_param("lr") && !uri.has_param("maddr"));
    assert_eq!(uri.headers, Some("subject=x&to=a"));
    assert_eq!(uri.aor(), "sips:al%20ice@[2001:db8::1]");
    assert_eq!(uri.to_string(), "sips:al%20ice:pw@[2001:db8::1]:5061;transport=tcp;lr?subject=x&to=a");
    for text in [
        "sip:",
        "sip:@h",
        "sip:a@",
        "sip:a b@h",
        "sip:a@h:99999",
        "sip:a@[::1",
        "sip:a%2@h",
        "a",
        "sip:a@h;",
        // Userinfo to one reader, host and parameters to another.
        "sip:host:5060;lr?x@evil.com",
        "sip:host:5060;lr@evil.com",
        "sip:host:5060/x@evil.com",
        "sip:a@h;lr;LR",
        "sip:a@h;transport=udp;x;transport=tcp",
        "sip:a@h;maddr=1.2.3.4;Maddr=1.2.3.4",
        "sip:a@h;ttl=1;ttl=1",
        "sip:a@h;user=ip;user=phone",
        "sip:a@h;method=BYE;method=BYE",
    ] {
        assert!(Uri::parse(text).is_none(), "{text}");
    }
    assert!(Uri::parse("sip:a:b&=+$,c@h;x;x").is_some());
    assert!(Host::Name("x1.INVALID").is_invalid());
    assert_eq!(
        Uri::parse("sip:ALICE@Example.COM:5060").and_then(|u| u.sip().map(SipUri::aor)).as_deref(),
        Some("sip:ALICE@example.com")
    );
}

#[test]
fn rfc3261_19_1_1_headers_follow_parameters_in_brackets_too() {
    for (text, params, headers) in [
        (
            "<sip:bob@h;transport=tcp?Replaces=1%3Bto-tag%3D2>",
            ";transport=tcp",
            Some("Replaces=1%3Bto-tag%3D2"),
        ),
        ("<sip:bob@h:5060;lr?a=b>;tag=1", ";lr", Some("a=b")),
        ("<sip:h?a=b>", "", Some("a=b")),
        ("<sip:h;x=y>", ";x=y", None),
    ] {
        let Some(Some(Uri::Sip(uri))) = NameAddr::parse(text).map(|a| a.parsed_uri()) else {
            panic!("{text}")
        };
        assert_eq!((uri.params_text, uri.headers), (params, headers), "{text}");
        let line = format!("INVITE {} SIP/2.0\r\n", &text[1..text.find('>').unwrap_or(0)]);
        let whole = format!(
            "{line}Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: {text}\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let refused = parse(whole.as_bytes()).err().map(|error| error.fault);
        assert_eq!(refused, headers.map(|_| Fault::RequestUri), "{text}");
    }
}

#[test]
fn lists_split_at_top_level_commas_only() {
    let list: Vec<&str> = split_list(r#""a, \"b" <sip:x,y@h>;q=1 ,, <sip:z@h>"#).collect();
    assert_eq!(list, [r#""a, \"b" <sip:x,y@h>;q=1"#, "<sip:z@h>"]);
}

#[test]
fn every_known_name_is_recognised_in_any_case() {
    for name in ["VIA", "v", "Call-ID", "I", "cseq", "RECORD-route", "l", "x", "P-Asserted-Identity"] {
        assert_ne!(HeaderName::from_bytes(name.as_bytes()), HeaderName::Other, "{name}");
    }
    assert_eq!(HeaderName::from_bytes(b"X-Whatever-is-longer-than-any-known"), HeaderName::Other);
}

/// Valid messages with bytes flipped, cut, inserted or repeated.
fn perturbed() -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((0usize..3, any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (0..VECTORS.len(), edits).prop_map(|(which, edits)| {
        let mut bytes = VECTORS[which].1.to_vec();
        for (kind, at, value) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_and_the_scanner_agrees(bytes in perturbed()) {
        let scanned = scan_call_id(&bytes);
        match Message::parse(Bytes::from(bytes.clone())) {
            Ok(message) => {
                let headers = headers(&message);
                prop_assert_eq!(scanned, headers.first(HeaderName::CallId).map(str::as_bytes));
                // An edit leaves every other byte alone: a field is added, and taken away again.
                let mut edit = Rewrite::new(headers);
                edit.append(HeaderName::Subject, "added");
                let edited = edit.finish();
                // (Surplus bytes after the body were cut off.)
                prop_assert_eq!(edited.len(), headers.bytes().len() + "Subject: added\r\n".len());
                let again = Message::parse(edited);
                prop_assert!(again.is_ok());
                let Ok(again) = again else { unreachable!() };
                let mut edit = Rewrite::new(self::headers(&again));
                edit.remove_if(HeaderName::Subject, |value| value == "added");
                prop_assert_eq!(edit.finish(), headers.bytes());
            }
            Err(refused) => {
                if let Some(request) = refused.request {
                    let _ = Writer::refusal(&request, &refused.error.into(), "t");
                }
            }
        }
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in ".{0,80}") {
        let _ = Message::parse(Bytes::from(bytes.clone()));
        let _ = scan_call_id(&bytes);
        let _ = Uri::parse(&text);
        let _ = NameAddr::parse(&text);
        let _ = Via::parse(&text);
        let _ = Params::parse(&text);
        let _ = split_list(&text).count();
        let _ = unescape(&text);
    }
}
