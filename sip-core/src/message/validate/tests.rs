use std::format;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::message::Message;

/// An expectation, short enough for a table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// Accepted.
    A,
    /// Rejected with this status.
    R(u16),
    /// Dropped.
    D(Dropped),
}

use Expected::{A, D, R};

macro_rules! v {
    ($rfc:literal $name:literal, $ua:expr, $proxy:expr, $registrar:expr) => {
        (
            $name,
            include_bytes!(concat!("../../../vectors/", $rfc, "/", $name, ".dat")),
            [$ua, $proxy, $registrar],
        )
    };
}

/// Every vector of RFC 4475 and RFC 5118: what a user agent, a proxy and a registrar make of it.
#[rustfmt::skip]
const VECTORS: &[(&str, &[u8], [Expected; 3])] = &[
    // §3.1.1: valid. A registrar takes no calls, a user agent no registrations.
    v!("rfc4475" "wsinv", A, A, R(405)),
    v!("rfc4475" "intmeth", R(501), A, R(501)),
    v!("rfc4475" "esc01", A, A, R(405)),
    v!("rfc4475" "escnull", R(405), A, A),
    v!("rfc4475" "esc02", R(501), A, R(501)),
    v!("rfc4475" "lwsdisp", A, A, A),
    v!("rfc4475" "longreq", A, A, R(405)),
    v!("rfc4475" "dblreq", R(405), A, A),
    v!("rfc4475" "semiuri", A, A, A),
    v!("rfc4475" "transports", A, A, A),
    v!("rfc4475" "mpart01", R(415), A, R(405)),
    v!("rfc4475" "unreason", A, A, A),
    v!("rfc4475" "noreason", A, A, A),
    // §3.1.2: invalid. Every element sees what the parser sees.
    v!("rfc4475" "badinv01", D(Dropped::Malformed), D(Dropped::Malformed), D(Dropped::Malformed)),
    v!("rfc4475" "clerr", R(400), R(400), R(400)),
    v!("rfc4475" "ncl", R(400), R(400), R(400)),
    v!("rfc4475" "scalar02", R(400), R(400), R(400)),
    v!("rfc4475" "scalarlg", D(Dropped::Malformed), D(Dropped::Malformed), D(Dropped::Malformed)),
    v!("rfc4475" "quotbal", R(400), R(400), R(400)),
    v!("rfc4475" "ltgtruri", R(400), R(400), R(400)),
    v!("rfc4475" "lwsruri", R(400), R(400), R(400)),
    v!("rfc4475" "lwsstart", R(400), R(400), R(400)),
    v!("rfc4475" "trws", R(400), R(400), R(400)),
    v!("rfc4475" "escruri", R(400), R(400), R(400)),
    // Date is of no importance here, and Contact only to who makes use of it.
    v!("rfc4475" "baddate", A, A, R(405)),
    v!("rfc4475" "regbadct", R(405), A, R(400)),
    v!("rfc4475" "badaspec", R(400), R(400), R(400)),
    v!("rfc4475" "baddn", R(400), R(400), R(400)),
    v!("rfc4475" "badvers", R(505), R(505), R(505)),
    v!("rfc4475" "mismatch01", R(400), R(400), R(400)),
    v!("rfc4475" "mismatch02", R(501), R(501), R(501)),
    v!("rfc4475" "bigcode", D(Dropped::Malformed), D(Dropped::Malformed), D(Dropped::Malformed)),
    // §3.2: matched by RFC 2543's rules
    v!("rfc4475" "badbranch", A, A, A),
    // §3.3: application layer
    v!("rfc4475" "insuf", R(400), R(400), R(400)),
    v!("rfc4475" "unkscm", R(416), R(416), R(416)),
    v!("rfc4475" "novelsc", R(416), R(416), R(416)),
    v!("rfc4475" "unksm2", R(405), A, R(400)),
    v!("rfc4475" "bext01", R(420), R(420), R(420)),
    v!("rfc4475" "invut", R(415), A, R(405)),
    // The unknown scheme counts for nothing; whether to challenge is decided later.
    v!("rfc4475" "regaut01", R(405), A, A),
    v!("rfc4475" "multi01", R(400), R(400), R(400)),
    v!("rfc4475" "mcl01", R(400), R(400), R(400)),
    v!("rfc4475" "bcast", D(Dropped::Misrouted), D(Dropped::ViaAddress), D(Dropped::Misrouted)),
    // OPTIONS is not forwarded further, and may be answered by whom it reached (§11).
    v!("rfc4475" "zeromf", A, A, A),
    v!("rfc4475" "cparam01", R(405), A, A),
    v!("rfc4475" "cparam02", R(405), A, A),
    v!("rfc4475" "regescrt", R(405), A, A),
    v!("rfc4475" "sdp01", R(406), A, R(405)),
    // §3.4
    v!("rfc4475" "inv2543", A, A, R(405)),
    // in the archive, not in the text: no version and no Via
    v!("rfc4475" "test", D(Dropped::Malformed), D(Dropped::Malformed), D(Dropped::Malformed)),
    // RFC 5118 §4
    v!("rfc5118" "ipv6-good", R(405), A, A),
    v!("rfc5118" "ipv6-bad", R(400), R(400), R(400)),
    v!("rfc5118" "port-ambiguous", R(405), A, A),
    v!("rfc5118" "port-unambiguous", R(405), A, A),
    v!("rfc5118" "via-received-param-with-delim", A, A, R(405)),
    v!("rfc5118" "via-received-param-no-delim", A, A, A),
    // the body is shorter than its Content-Length
    v!("rfc5118" "ipv6-in-sdp", R(400), R(400), R(400)),
    v!("rfc5118" "ipv6-in-sdp.fixed", A, A, R(405)),
    v!("rfc5118" "mult-ip-in-header", A, A, R(405)),
    v!("rfc5118" "mult-ip-in-sdp", A, A, R(405)),
    v!("rfc5118" "mult-ip-in-sdp.fixed", A, A, R(405)),
    v!("rfc5118" "ipv4-mapped-ipv6", A, A, R(405)),
    v!("rfc5118" "ipv4-mapped-ipv6.fixed", A, A, R(405)),
    v!("rfc5118" "ipv6-bug-abnf-3-colons", A, A, A),
    v!("rfc5118" "ipv6-correct-abnf-2-colons", A, A, A),
];

const USER_AGENT: Rules<'_> = Rules {
    role: Role::UserAgent,
    schemes: &["sip", "sips"],
    allow: "INVITE, ACK, BYE, CANCEL, OPTIONS, SUBSCRIBE, REFER, INFO, MESSAGE",
    supported: "100rel",
    accept: "application/sdp, text/plain",
};

const PROXY: Rules<'_> =
    Rules { role: Role::Proxy, schemes: &["sip", "sips"], allow: "", supported: "", accept: "" };

const REGISTRAR: Rules<'_> = Rules {
    role: Role::Registrar,
    schemes: &["sip", "sips"],
    allow: "REGISTER, OPTIONS",
    supported: "path",
    accept: "",
};

/// What becomes of a message.
#[derive(Debug, PartialEq)]
enum Outcome {
    Accept,
    Reject(Rejection),
    Drop(Dropped),
}

fn judge(rules: &Rules<'_>, bytes: &[u8]) -> Outcome {
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(Message::Request(request)) => {
            rules.request(&request).map_or_else(Outcome::Reject, |()| Outcome::Accept)
        }
        Ok(Message::Response(response)) => {
            rules.response(&response).map_or_else(Outcome::Drop, |()| Outcome::Accept)
        }
        Err(refused) => match rules.refused(&refused) {
            Ok((_, rejection)) => Outcome::Reject(rejection),
            Err(dropped) => Outcome::Drop(dropped),
        },
    }
}

fn short(outcome: &Outcome) -> Expected {
    match outcome {
        Outcome::Accept => A,
        Outcome::Reject(rejection) => R(rejection.status),
        Outcome::Drop(dropped) => D(*dropped),
    }
}

#[test]
fn every_vector_comes_to_what_its_section_says() {
    let mut wrong = Vec::new();
    for (name, bytes, expected) in VECTORS {
        let got = [USER_AGENT, PROXY, REGISTRAR].map(|rules| short(&judge(&rules, bytes)));
        if got != *expected {
            wrong.push(format!("{name}: {got:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(VECTORS.len(), 50 + 12 + 3, "50 of RFC 4475, 12 of RFC 5118 and 3 corrected ones");
}

fn vector(name: &str) -> &'static [u8] {
    VECTORS.iter().find(|v| v.0 == name).expect("in the table").1
}

fn field(rules: &Rules<'_>, name: &str) -> Option<(HeaderName, String)> {
    match judge(rules, vector(name)) {
        Outcome::Reject(rejection) => rejection.field,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn answers_name_what_would_do() {
    let of = |name, value: &str| Some((name, String::from(value)));
    assert_eq!(
        field(&USER_AGENT, "bext01"),
        of(HeaderName::Unsupported, "nothingSupportsThis, nothingSupportsThisEither")
    );
    assert_eq!(
        field(&PROXY, "bext01"),
        of(HeaderName::Unsupported, "noProxiesSupportThis, norDoAnyProxiesSupportThis")
    );
    assert_eq!(field(&USER_AGENT, "invut"), of(HeaderName::Accept, "application/sdp, text/plain"));
    assert_eq!(field(&REGISTRAR, "intmeth"), of(HeaderName::Allow, "REGISTER, OPTIONS"));
    assert_eq!(field(&PROXY, "mismatch02"), None);
}

/// A request of `method` with `fields` and a body that says it is SDP.
fn request(method: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn defects_beyond_the_vectors() {
    let contact = "Contact: <sip:a@b>\r\n";
    let with = |more: &str| format!("{contact}{more}\r\n");
    let missing = |name| Defect::Syntax(Fault::Missing(name));
    let malformed = |name| Defect::Syntax(Fault::Malformed(name));
    let duplicate = |name| Defect::Syntax(Fault::Duplicate(name));
    let cases: &[(Rules<'_>, &str, String, &str, u16, Defect)] = &[
        (USER_AGENT, "INVITE", String::new(), "", 400, missing(HeaderName::Contact)),
        (USER_AGENT, "INVITE", "Contact: *\r\n".into(), "", 400, malformed(HeaderName::Contact)),
        (USER_AGENT, "INVITE", "Contact: <tel:1>\r\n".into(), "", 400, malformed(HeaderName::Contact)),
        (USER_AGENT, "INVITE", with("m: <sip:c@d>"), "", 400, duplicate(HeaderName::Contact)),
        (USER_AGENT, "SUBSCRIBE", contact.into(), "", 400, missing(HeaderName::Event)),
        (USER_AGENT, "REFER", contact.into(), "", 400, missing(HeaderName::ReferTo)),
        (USER_AGENT, "REFER", with("r: <sip:a@b>, <sip:c@d>"), "", 400, malformed(HeaderName::ReferTo)),
        (USER_AGENT, "REFER", with("r: <sip:a@b>\r\nr: <sip:c@d>"), "", 400, duplicate(HeaderName::ReferTo)),
        (
            USER_AGENT,
            "OPTIONS",
            "Replaces: a;to-tag=1;from-tag=2\r\n".into(),
            "",
            400,
            Defect::ReplacesMethod,
        ),
        (USER_AGENT, "INVITE", with("Replaces: a;to-tag=1"), "", 400, malformed(HeaderName::Replaces)),
        (USER_AGENT, "INVITE", contact.into(), "v=0\r\n", 400, missing(HeaderName::ContentType)),
        (USER_AGENT, "INVITE", with("c: application/sdp\r\ne: gzip"), "v=0\r\n", 415, Defect::MediaType),
        (USER_AGENT, "INVITE", with("Accept:"), "", 406, Defect::NotAcceptable),
        (USER_AGENT, "INVITE", with("Accept: application/sdp;q=0"), "", 406, Defect::NotAcceptable),
        (PROXY, "INVITE", "Max-Forwards: 0\r\n".into(), "", 483, Defect::TooManyHops),
        (REGISTRAR, "REGISTER", with("m: *"), "", 400, Defect::Wildcard),
        (REGISTRAR, "REGISTER", "Contact:\r\n".into(), "", 400, malformed(HeaderName::Contact)),
        (REGISTRAR, "REGISTER", "Contact: *\r\n".into(), "", 400, Defect::Wildcard),
        (REGISTRAR, "REGISTER", "Contact: *\r\nExpires: 1\r\n".into(), "", 400, Defect::Wildcard),
        (REGISTRAR, "REGISTER", "Contact: <sip:a@b>;q=7\r\n".into(), "", 400, malformed(HeaderName::Contact)),
    ];
    for (rules, method, fields, body, status, defect) in cases {
        match judge(rules, &request(method, fields, body)) {
            Outcome::Reject(rejection) => {
                assert_eq!((rejection.status, rejection.defect), (*status, *defect), "{method} {fields:?}");
            }
            other => panic!("{method} {fields:?}: {other:?}"),
        }
    }
}

#[test]
fn a_tag_is_a_token() {
    let plain = String::from_utf8(request("REGISTER", "", "")).unwrap();
    for (find, replace, name) in [
        ("<sip:a@b>;tag=1", "<sip:a@b>;tag=\"1\"", HeaderName::From),
        ("To: <sip:a@b>", "To: <sip:a@b>;tag=[1]", HeaderName::To),
    ] {
        let message = plain.replace(find, replace);
        let rejection = Rejection::of(400, Defect::Syntax(Fault::Malformed(name)));
        assert_eq!(judge(&REGISTRAR, message.as_bytes()), Outcome::Reject(rejection), "{replace}");
        assert_eq!(judge(&PROXY, message.as_bytes()), Outcome::Accept, "a proxy keeps no dialogs: {replace}");
    }
}

#[test]
fn what_looks_odd_and_is_not() {
    let cases: &[(Rules<'_>, &str, &str, &str)] = &[
        (USER_AGENT, "INVITE", "Contact: <sips:a@b>\r\nAccept: */*\r\n", ""),
        (USER_AGENT, "INVITE", "m: <sip:a@b>\r\nRequire: 100REL\r\n", ""),
        (USER_AGENT, "OPTIONS", "c: x/y\r\nContent-Disposition: icon;handling=optional\r\n", "body"),
        (USER_AGENT, "CANCEL", "Require: foo\r\n", ""),
        (USER_AGENT, "ACK", "Require: foo\r\nc: x/y\r\n", "body"),
        (PROXY, "CANCEL", "Proxy-Require: foo\r\n", ""),
        (PROXY, "WHATEVER", "Contact: @\r\nRequire: foo\r\nDate: now\r\n", ""),
        (REGISTRAR, "REGISTER", "Contact: *\r\nExpires: 0\r\n", ""),
        (REGISTRAR, "REGISTER", "", ""),
    ];
    for (rules, method, fields, body) in cases {
        assert_eq!(judge(rules, &request(method, fields, body)), Outcome::Accept, "{method} {fields:?}");
    }
}

#[test]
fn responses_go_to_one_host_or_nowhere() {
    let response = |via: &str| {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n{via}From: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        judge(&PROXY, text.as_bytes())
    };
    assert_eq!(response(""), Outcome::Accept);
    assert_eq!(response("Via: SIP/2.0/UDP 192.0.2.1\r\n"), Outcome::Accept);
    assert_eq!(response("Via: SIP/2.0/UDP 255.255.255.255;received=192.0.2.1\r\n"), Outcome::Accept);
    for host in [
        "255.255.255.255",
        "224.0.0.1",
        "0.0.0.0",
        "[ff02::1]",
        "[::]",
        "[::ffff:224.0.1.75]",
        "h;received=[ff02::1]",
    ] {
        let outcome = response(&format!("Via: SIP/2.0/UDP {host}\r\n"));
        assert_eq!(outcome, Outcome::Drop(Dropped::ViaAddress), "{host}");
    }
    assert_eq!(response("Via: broken\r\n"), Outcome::Drop(Dropped::Malformed));
    assert_eq!(Dropped::ViaAddress.counter(), "responses_to_no_host");
}
