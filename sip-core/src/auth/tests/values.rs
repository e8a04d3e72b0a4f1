//! Values of header fields, read and printed.

use super::*;

#[test]
fn rfc3665_and_rfc3261_values_parse() {
    // RFC 3665 §2.1 F2; RFC 3261 §20.27, whose qop has no quotes in some phones.
    let challenge = Challenge::parse(
        "Digest realm=\"atlanta.example.com\", qop=\"auth\",\r\n nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\",\r\n opaque=\"\", stale=FALSE, algorithm=MD5",
    )
    .unwrap();
    assert_eq!(challenge.realm, "atlanta.example.com");
    assert_eq!(challenge.opaque.as_deref(), Some(""));
    assert!(challenge.qop == Some(Qop::Auth) && !challenge.stale);
    // Its response is a digit short: no proof, but no syntax error either.
    let credentials = Credentials::parse(
        "Digest username=\"bob\", realm=\"atlanta.example.com\",\r\n nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", opaque=\"\",\r\n uri=\"sips:ss2.biloxi.example.com\",\r\n response=\"dfe56131d1958046689d83306477ecc\"",
    );
    assert_eq!(credentials.unwrap().uri, "sips:ss2.biloxi.example.com");
    let credentials = Credentials::parse(
        "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\r\n\turi=\"sip:bob@biloxi.com\", qop=auth, nc=00000001, cnonce=\"0a4f113b\",\r\n response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    assert_eq!(credentials.unwrap().username, "bob");
}

#[test]
fn values_are_read_leniently_where_that_is_safe() {
    let rows = [
        "Digest realm=\"r\",nonce=\"n\"",
        "  digest\trealm = \"r\" ,\r\n nonce= \"n\"  ",
        "Digest , realm=\"r\",, nonce=\"n\",",
        "DIGEST nonce=n, realm=r, x-unknown=\"a,b\", Y=z",
        "Digest realm=\"r\", nonce=\"\\n\", algorithm=\"md5\", qop=\"\"",
    ];
    for row in rows {
        let challenge = Challenge::parse(row).unwrap();
        assert_eq!((challenge.realm.as_str(), challenge.nonce.as_str()), ("r", "n"), "{row}");
        assert_eq!(challenge.algorithm, Algorithm::Md5);
    }
    let options =
        "Digest realm=\"a \\\"b\\\" \\\\\", nonce=\"é\r\n  x\", qop=\"auth-int , AUTH\", stale=\"TRUE\"";
    let challenge = Challenge::parse(options).unwrap();
    assert_eq!(challenge.realm, "a \"b\" \\");
    assert_eq!(challenge.nonce, "é x");
    assert!(challenge.qop == Some(Qop::Auth) && challenge.stale);
    assert_eq!(Challenge::parse(&challenge.to_string()).unwrap(), challenge);
}

#[test]
fn bad_values_are_refused() {
    use ParseError::{Duplicate, Invalid, Missing, NotDigest, Syntax, Unsupported};
    let many = format!("Digest {}", (0..33).map(|i| format!("p{i}=x,")).collect::<String>());
    let long = format!("Digest {}=x", "n".repeat(65));
    let rows = [
        ("", NotDigest),
        ("Basic realm=\"r\"", NotDigest),
        ("Digestrealm=\"r\"", NotDigest),
        ("Digest,realm=\"r\"", Syntax(6)),
        ("Digest", Missing("realm")),
        ("Digest ,,,", Missing("realm")),
        ("Digest realm=\"r\"", Missing("nonce")),
        ("Digest realm", Syntax(12)),
        ("Digest realm=", Syntax(13)),
        ("Digest realm=,nonce=n", Syntax(13)),
        ("Digest realm=\"", Syntax(14)),
        ("Digest realm=\"r", Syntax(14)),
        ("Digest realm=\"r\\", Syntax(15)),
        ("Digest realm=\"r\\\"", Syntax(17)),
        ("Digest realm=\"r\" nonce=\"n\"", Syntax(17)),
        ("Digest realm=\"r\"x", Syntax(16)),
        ("Digest =x", Syntax(7)),
        ("Digest \"realm\"=x", Syntax(7)),
        ("Digest realm=\"a\r\nVia: b\"", Syntax(15)),
        ("Digest realm=\"a\nb\"", Syntax(15)),
        ("Digest realm=\"a\0b\"", Syntax(15)),
        ("Digest realm=\"a\\\0b\"", Syntax(15)),
        ("Digest realm=\"a\\\r\n b\"", Syntax(15)),
        ("Digest realm=a\r\nx", Syntax(14)),
        ("Digest realm=é", Syntax(13)),
        ("Digest é=x", Syntax(7)),
        ("Digest realm=\"r\", nonce=\"n\", Realm=\"s\"", Duplicate("Realm".into())),
        ("Digest x=1, realm=\"r\", nonce=\"n\", X=1", Duplicate("X".into())),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1", Unsupported("algorithm")),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess", Missing("qop")),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-session", Unsupported("algorithm")),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=-sess", Unsupported("algorithm")),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\"", Unsupported("qop")),
        (&many, ParseError::TooMany),
        (&long, Syntax(72)),
    ];
    for (row, error) in rows {
        assert_eq!(Challenge::parse(row), Err(error), "{row:?}");
    }

    let good = "username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:x\"";
    let md5 = "0123456789abcdef0123456789abcdef";
    let rows = [
        (format!("{good}, response=\"{md5}\", qop=auth"), Missing("nc")),
        (format!("{good}, response=\"{md5}\", qop=auth, nc=00000001"), Missing("cnonce")),
        (format!("{good}, response=\"{md5}\", qop=auth, nc=1, cnonce=\"c\""), Invalid("nc")),
        (format!("{good}, response=\"{md5}\", qop=auth, nc=+0000001, cnonce=\"c\""), Invalid("nc")),
        (format!("{good}, response=\"{md5}\", qop=auth, nc=0000000A, cnonce=\"c\""), Invalid("nc")),
        (format!("{good}, response=\"{md5}\", qop=auth-conf"), Unsupported("qop")),
        (good.into(), Missing("response")),
        (format!("realm=\"r\", response=\"{md5}\", username*=UTF-8''x"), Missing("username")),
    ];
    for (row, error) in rows {
        assert_eq!(Credentials::parse(&format!("Digest {row}")), Err(error), "{row:?}");
    }
}

#[test]
fn a_nonce_is_given_back_with_its_tabs() {
    let challenge = Challenge::parse("Digest realm=\"a\", nonce=\"1\t2\"").unwrap();
    assert_eq!(challenge.nonce, "1\t2");
    assert_eq!(Challenge::parse(&challenge.to_string()), Ok(challenge));
}

#[test]
fn nothing_printed_can_end_its_header_field() {
    let mut client = Client::new("a\r\nVia: x\0\"", "p");
    let credentials = {
        let mut attempt = Attempt::default();
        let challenge = challenger().challenges(&[Algorithm::Md5], false, T0, &mut entropy());
        client.challenged(&mut attempt, URI, borrowed(&values(&challenge))).unwrap();
        client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).remove(0).value
    };
    assert!(!credentials.bytes().any(|b| b.is_ascii_control()));
    assert_eq!(Credentials::parse(&credentials).unwrap().username, "aVia: x\"");
}
