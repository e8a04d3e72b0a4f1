use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use proptest::prelude::*;

use super::algorithm::Subject;
use super::verify::same_resource;
use super::*;
use crate::entropy::SeededEntropy;
use crate::limits;
use crate::time::{Duration, Instant};

const T0: Instant = Instant::from_micros(1_700_000_000_000_000);
const BOTH: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];
const URI: &str = "sip:example.com";

fn entropy() -> SeededEntropy {
    SeededEntropy(7)
}

fn is_alice(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok { username, .. } if username == "alice")
}

fn challenger() -> Challenger {
    Challenger::new("example.com", [7; 32])
}

fn alice() -> Secrets {
    Secrets::from_password("alice", "example.com", "wonderland")
}

fn values(challenges: &[Challenge]) -> Vec<(Authority, String)> {
    challenges.iter().map(|c| (Authority::Server, c.to_string())).collect()
}

fn borrowed(values: &[(Authority, String)]) -> impl Iterator<Item = (Authority, &str)> {
    values.iter().map(|(authority, value)| (*authority, value.as_str()))
}

/// What `client` says to `challenges`.
fn answer(client: &mut Client, challenges: &[Challenge]) -> Credentials {
    let mut attempt = Attempt::default();
    client.challenged(&mut attempt, URI, borrowed(&values(challenges))).unwrap();
    let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    assert_eq!(fields.len(), 1);
    Credentials::parse(&fields[0].value).unwrap()
}

// ---- vectors ----

const RFC7616_NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const RFC7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

#[test]
fn published_digests() {
    struct Vector {
        algorithm: Algorithm,
        user: (&'static str, &'static str, &'static str),
        nonce: &'static str,
        qop: Option<(&'static str, &'static str)>,
        request: (&'static str, &'static str),
        response: &'static str,
    }
    let mufasa = ("Mufasa", "http-auth@example.org", "Circle of Life");
    let vectors = [
        // RFC 7616 §3.9.1
        Vector {
            algorithm: Algorithm::Md5,
            user: mufasa,
            nonce: RFC7616_NONCE,
            qop: Some(("00000001", RFC7616_CNONCE)),
            request: ("GET", "/dir/index.html"),
            response: "8ca523f5e9506fed4657c9700eebdbec",
        },
        Vector {
            algorithm: Algorithm::Sha256,
            user: mufasa,
            nonce: RFC7616_NONCE,
            qop: Some(("00000001", RFC7616_CNONCE)),
            request: ("GET", "/dir/index.html"),
            response: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        },
        // RFC 2617 §3.5
        Vector {
            algorithm: Algorithm::Md5,
            user: ("Mufasa", "testrealm@host.com", "Circle Of Life"),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: Some(("00000001", "0a4f113b")),
            request: ("GET", "/dir/index.html"),
            response: "6629fae49393a05397450978507c4ef1",
        },
        // RFC 2069 §2.4 as corrected by its erratum 749: no qop.
        Vector {
            algorithm: Algorithm::Md5,
            user: ("Mufasa", "testrealm@host.com", "CircleOfLife"),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: None,
            request: ("GET", "/dir/index.html"),
            response: "1949323746fe6a43ef61f9606e7febea",
        },
    ];
    for Vector { algorithm, user, nonce, qop, request, response } in vectors {
        let ha1 = algorithm.ha1(user.0, user.1, user.2);
        let protection = qop.map(|(nc, cnonce)| (nc, cnonce, Qop::Auth));
        let subject = Subject { nonce, protection, method: request.0, uri: request.1, body: &[] };
        let digest = algorithm.response(&ha1, &subject);
        assert_eq!(digest.as_str(), response);
    }
}

#[test]
fn rfc7616_credentials_as_printed_there() {
    let value = "Digest username=\"Mufasa\",\r\n       realm=\"http-auth@example.org\",\r\n       uri=\"/dir/index.html\",\r\n       algorithm=MD5,\r\n       nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",\r\n       nc=00000001,\r\n       cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\",\r\n       qop=auth,\r\n       response=\"8ca523f5e9506fed4657c9700eebdbec\",\r\n       opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    let credentials = Credentials::parse(value).unwrap();
    assert_eq!(
        credentials.protection,
        Some(Protection { qop: Qop::Auth, nonce_count: 1, cnonce: RFC7616_CNONCE.into() })
    );
    let ha1 = Algorithm::Md5.ha1("Mufasa", "http-auth@example.org", "Circle of Life");
    assert_eq!(credentials.digest(&ha1, "GET", &[]).as_str(), credentials.response);
    assert_eq!(Credentials::parse(&credentials.to_string()).unwrap(), credentials);
}

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

// ---- parsing ----

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

proptest! {
    #[test]
    fn no_input_panics(value in "\\PC*|Digest [a-z=\",\\\\ \\r\\n\\x00é]*") {
        let _ = Challenge::parse(&value);
        let _ = Credentials::parse(&value);
    }

    /// Valid credentials, cut, and with a byte replaced.
    #[test]
    fn no_perturbation_panics(cut in 0usize..400, at in 0usize..400, with in any::<char>()) {
        let value = "Digest username=\"Mufasa\", realm=\"a\\\"b\",\r\n uri=\"/dir\", algorithm=MD5, nonce=\"7yp\", nc=00000001, cnonce=\"f2\", qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"F\"";
        let mut value: Vec<char> = value.chars().take(cut).collect();
        if let Some(c) = value.get_mut(at) {
            *c = with;
        }
        let value: String = value.into_iter().collect();
        let _ = Challenge::parse(&value);
        let _ = Credentials::parse(&value);
    }

    #[test]
    fn printed_credentials_parse_back(username in "\\P{Cc}*", realm in "\\P{Cc}*", uri in "\\P{Cc}*", nc in any::<u32>()) {
        let credentials = Credentials {
            username: username.into(),
            realm: realm.into(),
            nonce: "n".into(),
            uri: uri.into(),
            response: "0123456789abcdef0123456789abcdef".into(),
            algorithm: Algorithm::Md5,
            session: nc % 2 == 1,
            userhash: nc % 3 == 1,
            protection: Some(Protection { qop: Qop::AuthInt, nonce_count: nc, cnonce: "\"".into() }),
            opaque: Some("\\".into()),
        };
        prop_assert_eq!(Credentials::parse(&credentials.to_string()), Ok(credentials));
    }

    #[test]
    fn any_uri_equals_itself_and_none_panics(a in "(sips?:)?[a-z%0-9@:;?\\[\\]é]*", b in "\\PC*") {
        prop_assert!(same_resource(&a, &a));
        let _ = same_resource(&a, &b);
    }
}

// ---- secrets ----

#[test]
fn secrets_are_kept_and_read_back() {
    let secrets = alice();
    let kept: Vec<(Algorithm, String)> = secrets.ha1s().map(|(a, h)| (a, h.to_uppercase())).collect();
    assert_eq!(kept.len(), 3);
    let read = Secrets::from_ha1s("alice", "example.com", kept.iter().rev().map(|(a, h)| (*a, h.as_str())));
    assert_eq!(read.as_ref(), Ok(&secrets));
    assert_ne!(secrets, Secrets::from_password("alice", "example.com", "other"));
    let bad = Secrets::from_ha1s("alice", "example.com", [(Algorithm::Sha256, kept[0].1.as_str())]);
    assert_eq!(bad, Err(InvalidHa1(Algorithm::Sha256)));
    assert!(!format!("{secrets:?}").contains(secrets.ha1(Algorithm::Md5).unwrap().as_str()));
    assert!(!format!("{:?}", Client::new("alice", "wonderland")).contains("wonderland"));
}

// ---- client and server ----

#[test]
fn the_strongest_supported_challenge_is_answered() {
    let challenge = |realm: &str, algorithm: &str| {
        (
            Authority::Server,
            format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\", algorithm={algorithm}"),
        )
    };
    type Row = (&'static [(&'static str, &'static str)], Result<Algorithm, ClientError>);
    let rows: [Row; 8] = [
        (&[("r", "MD5"), ("r", "SHA-256")], Ok(Algorithm::Sha256)),
        (&[("r", "SHA-256"), ("r", "MD5")], Ok(Algorithm::Sha256)),
        (&[("r", "SHA-512-256"), ("r", "MD5")], Ok(Algorithm::Sha512_256)),
        (&[("r", "SHA-1"), ("r", "MD5")], Ok(Algorithm::Md5)),
        (&[("evil", "SHA-256"), ("r", "MD5")], Ok(Algorithm::Md5)),
        (&[("r", "X")], Err(ClientError::Unsupported(ParseError::Unsupported("algorithm")))),
        (&[("evil", "MD5")], Err(ClientError::WrongRealm("evil".into()))),
        (&[], Err(ClientError::NoChallenge)),
    ];
    for (offered, expected) in rows {
        let mut client = Client::new("alice", "p").expecting("r");
        let mut attempt = Attempt::default();
        let offered: Vec<_> = offered.iter().map(|(r, a)| challenge(r, a)).collect();
        let result = client.challenged(&mut attempt, URI, borrowed(&offered));
        let used = result.map(|()| {
            let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
            assert_eq!(fields.len(), 1);
            Credentials::parse(&fields[0].value).unwrap().algorithm
        });
        assert_eq!(used, expected, "{offered:?}");
    }
}

#[test]
fn client_and_server_agree() {
    let server = challenger();
    for algorithms in [&BOTH[..], &BOTH[1..]] {
        let challenges = server.challenges(algorithms, false, T0, &mut entropy());
        assert_eq!(challenges.iter().map(|c| c.algorithm).collect::<Vec<_>>(), algorithms);
        let clients = [Client::new("alice", "wonderland"), Client::from_secrets(alice())];
        for mut client in clients {
            let credentials = answer(&mut client, &challenges);
            assert_eq!(credentials.algorithm, algorithms[0]);
            let outcome = server.verify(&credentials, Some(&alice()), algorithms, "REGISTER", URI, T0);
            assert!(is_alice(&outcome), "{outcome:?}");
        }
    }
}

#[test]
fn a_peer_without_qop_is_understood() {
    let mut challenges = challenger().challenges(&[Algorithm::Md5], false, T0, &mut entropy());
    challenges[0].qop = None;
    let credentials = answer(&mut Client::new("alice", "wonderland"), &challenges);
    assert_eq!(credentials.protection, None);
    let outcome = challenger().verify(&credentials, Some(&alice()), &BOTH, "REGISTER", URI, T0);
    assert!(is_alice(&outcome), "{outcome:?}");
}

#[test]
fn outcomes() {
    let server = challenger();
    let challenges = server.challenges(&BOTH, false, T0, &mut entropy());
    let good = answer(&mut Client::new("alice", "wonderland"), &challenges);
    let guess = answer(&mut Client::new("alice", "queen"), &challenges);
    let secs = Duration::from_secs;
    let verify = |credentials: &Credentials, now| {
        server.verify(credentials, Some(&alice()), &BOTH, "REGISTER", URI, now)
    };
    assert!(is_alice(&verify(&good, T0)));
    assert!(is_alice(&verify(&good, T0 + secs(300))));
    assert_eq!(verify(&good, T0 + secs(301)), Outcome::Stale);
    assert!(is_alice(&verify(&good, T0 - secs(299))));
    assert_eq!(verify(&good, T0 - secs(301)), Outcome::Stale);
    assert_eq!(verify(&guess, T0), Outcome::Wrong);
    // With an old nonce nothing is said of the password: else old nonces would do for guessing.
    assert_eq!(verify(&guess, T0 + secs(301)), Outcome::Stale);
    assert_eq!(server.verify(&good, None, &BOTH, "REGISTER", URI, T0), Outcome::Wrong);
    let bob = Secrets::from_password("bob", "example.com", "wonderland");
    assert_eq!(server.verify(&good, Some(&bob), &BOTH, "REGISTER", URI, T0), Outcome::Wrong);
    assert_eq!(server.verify(&good, Some(&alice()), &BOTH, "INVITE", URI, T0), Outcome::Wrong);
    let elsewhere = "sip:example.org";
    assert_eq!(server.verify(&good, Some(&alice()), &BOTH, "REGISTER", elsewhere, T0), Outcome::WrongUri);
    let md5_only = [Algorithm::Md5];
    assert_eq!(server.verify(&good, Some(&alice()), &md5_only, "REGISTER", URI, T0), Outcome::WrongAlgorithm);
    for response in ["x", "dfe56131d1958046689d83306477ecc", &"é".repeat(32)] {
        assert_eq!(verify(&Credentials { response: response.into(), ..good.clone() }, T0), Outcome::Wrong);
    }
    let unproven = Credentials { response: "".into(), ..good.clone() };
    assert_eq!(verify(&unproven, T0), Outcome::Unproven);

    let other_realm = Challenger::new("example.org", [7; 32]);
    assert_eq!(other_realm.verify(&good, Some(&alice()), &BOTH, "REGISTER", URI, T0), Outcome::WrongRealm);
    let other_key = Challenger::new("example.com", [8; 32]);
    let outcome = other_key.verify(&good, Some(&alice()), &BOTH, "REGISTER", URI, T0);
    assert_eq!(outcome, Outcome::BadNonce);
    assert!(outcome.is_stale());
    assert_eq!(other_key.verify(&guess, Some(&alice()), &BOTH, "REGISTER", URI, T0), Outcome::BadNonce);
}

#[test]
fn a_nonce_is_good_for_its_realm_and_untouched_only() {
    let server = challenger();
    let nonce = server.challenges(&BOTH, false, T0, &mut entropy())[0].nonce.clone();
    let outcome = |server: &Challenger, nonce: &str| {
        let mut credentials = Credentials::parse(
            "Digest username=\"alice\", realm=\"example.com\", nonce=\"\", uri=\"sip:example.com\", response=\"\"",
        )
        .unwrap();
        credentials.nonce = nonce.into();
        let ha1 = Algorithm::Md5.ha1("alice", "example.com", "wonderland");
        credentials.response = credentials.digest(&ha1, "REGISTER", &[]).as_str().into();
        server.verify(&credentials, Some(&alice()), &BOTH, "REGISTER", URI, T0)
    };
    assert!(is_alice(&outcome(&server, &nonce)));
    for at in 0..nonce.len() {
        let mut bytes = nonce.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(outcome(&server, &changed), Outcome::BadNonce, "byte {at}");
        assert_eq!(outcome(&server, &nonce[..at]), Outcome::BadNonce, "cut at {at}");
    }
    assert_eq!(outcome(&server, &format!("{nonce}AAAA")), Outcome::BadNonce);
    // The same key serving another realm.
    let elsewhere = Challenger::new("example.org", [7; 32]).challenges(&BOTH, false, T0, &mut entropy());
    assert_eq!(outcome(&server, &elsewhere[0].nonce), Outcome::BadNonce);
}

#[test]
fn a_nonce_is_used_again_and_counted() {
    let server = challenger();
    let mut client = Client::new("alice", "wonderland");
    let challenges = server.challenges(&BOTH, false, T0, &mut entropy());
    let first = answer(&mut client, &challenges);
    let mut attempt = Attempt::default();
    let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut SeededEntropy(8));
    let second = Credentials::parse(&fields[0].value).unwrap();
    assert_eq!(first.nonce, second.nonce);
    let protection = |c: &Credentials| c.protection.clone().unwrap();
    assert_eq!((protection(&first).nonce_count, protection(&second).nonce_count), (1, 2));
    assert_ne!(protection(&first).cnonce, protection(&second).cnonce);
    let outcome = server.verify(&second, Some(&alice()), &BOTH, "REGISTER", URI, T0);
    assert!(is_alice(&outcome), "{outcome:?}");
    // A registrar's challenge is no business of whoever is called.
    assert!(client.authorize(&mut attempt, "INVITE", "sip:bob@example.com", &[], &mut entropy()).is_empty());
    client.reset();
    assert!(client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).is_empty());
}

#[test]
fn refused_credentials_are_not_tried_again_but_stale_ones_are() {
    let server = challenger();
    let mut client = Client::new("alice", "wrong");
    let mut attempt = Attempt::default();
    let challenge = |stale| values(&server.challenges(&BOTH, stale, T0, &mut entropy()));
    client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    assert_eq!(client.challenged(&mut attempt, URI, borrowed(&challenge(false))), Ok(()));
    assert_eq!(client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).len(), 1);
    assert_eq!(client.challenged(&mut attempt, URI, borrowed(&challenge(true))), Ok(()));
    assert_eq!(client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).len(), 1);
    let refused = client.challenged(&mut attempt, URI, borrowed(&challenge(false)));
    assert_eq!(refused, Err(ClientError::Rejected("example.com".into())));
    // What was refused is not sent again with the next request.
    assert!(client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).is_empty());
}

#[test]
fn a_server_that_forgot_its_nonce_without_saying_stale_is_answered() {
    let mut client = Client::new("alice", "wonderland");
    let server = challenger();
    answer(&mut client, &server.challenges(&BOTH, false, T0, &mut entropy()));
    let mut attempt = Attempt::default();
    assert_eq!(client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy()).len(), 1);
    let again = values(&server.challenges(&BOTH, false, T0, &mut SeededEntropy(9)));
    assert_eq!(client.challenged(&mut attempt, URI, borrowed(&again)), Ok(()));
}

#[test]
fn a_server_that_is_never_content_is_given_up() {
    let mut client = Client::new("alice", "wonderland");
    let mut attempt = Attempt::default();
    let stale = values(&challenger().challenges(&BOTH, true, T0, &mut entropy()));
    for _ in 0..limits::AUTH_ROUNDS {
        assert_eq!(client.challenged(&mut attempt, URI, borrowed(&stale)), Ok(()));
        client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    }
    assert_eq!(client.challenged(&mut attempt, URI, borrowed(&stale)), Err(ClientError::TooManyRounds));
}

#[test]
fn two_proxies_and_the_callee_challenge_one_after_another() {
    let mut client = Client::new("alice", "wonderland");
    let mut attempt = Attempt::default();
    let uri = "sip:bob@example.com";
    let steps = [(Authority::Proxy, "a"), (Authority::Proxy, "b"), (Authority::Server, "a")];
    for (count, (authority, realm)) in steps.into_iter().enumerate() {
        assert_eq!(client.authorize(&mut attempt, "INVITE", uri, &[], &mut entropy()).len(), count);
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"{count}\"");
        assert_eq!(client.challenged(&mut attempt, uri, [(authority, challenge.as_str())]), Ok(()));
    }
    let fields = client.authorize(&mut attempt, "INVITE", uri, &[], &mut entropy());
    let authorities: Vec<_> = fields.iter().map(|f| f.authority).collect();
    assert_eq!(authorities, vec![Authority::Proxy, Authority::Proxy, Authority::Server]);
    // The proxies are met by every request, the callee only by those to that URI.
    assert_eq!(client.authorize(&mut attempt, "BYE", "sip:bob@192.0.2.4", &[], &mut entropy()).len(), 2);
}

#[test]
fn remembered_challenges_are_capped() {
    let mut client = Client::new("alice", "p");
    for realm in 0..limits::AUTH_CHALLENGES + 3 {
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\"");
        client.challenged(&mut Attempt::default(), URI, [(Authority::Proxy, challenge.as_str())]).unwrap();
    }
    let fields = client.authorize(&mut Attempt::default(), "INVITE", URI, &[], &mut entropy());
    assert_eq!(fields.len(), limits::AUTH_CHALLENGES);
    assert!(fields[0].value.contains("realm=\"3\""));
}

#[test]
fn credentials_for_our_realm_are_found_among_others() {
    let value = |realm: &str, algorithm: Algorithm| {
        let digits = "a".repeat(algorithm.hex_len());
        format!(
            "Digest username=\"u\", realm=\"{realm}\", nonce=\"n\", uri=\"sip:x\", response=\"{digits}\", algorithm={}",
            algorithm.token()
        )
    };
    let server = challenger();
    let ours = value("example.com", Algorithm::Md5);
    let stronger = value("example.com", Algorithm::Sha256);
    let theirs = value("example.org", Algorithm::Sha256);
    let found = |values: &[&str]| server.find(values.iter().copied()).map(|c| c.map(|c| c.algorithm));
    assert_eq!(found(&[]), Ok(None));
    assert_eq!(found(&[&theirs]), Ok(None));
    assert_eq!(found(&["Basic QWxhZGRpbg=="]), Ok(None));
    assert_eq!(found(&[&theirs, &ours]), Ok(Some(Algorithm::Md5)));
    assert_eq!(found(&[&stronger, &ours]), Ok(Some(Algorithm::Sha256)));
    assert_eq!(found(&["Digest \"", &ours]), Ok(Some(Algorithm::Md5)));
    assert_eq!(found(&["Digest \"", &theirs]), Err(ParseError::Syntax(7)));
}

#[test]
fn uris_are_compared_loosely() {
    let rows = [
        ("sip:example.com", "sip:example.com", true),
        ("sip:example.com", "SIP:EXAMPLE.COM:5060;transport=udp", true),
        ("sip:example.com", "sips:example.com", true),
        ("sip:bob@example.com", "sip:bob@example.com;user=phone?Subject=x", true),
        ("sip:b%6fb@example.com", "sip:bob@example.com:5070", true),
        ("sip:[2001:db8::1]:5060", "sip:[2001:DB8::1];lr", true),
        ("tel:+123;phone-context=x", "TEL:+123", true),
        ("sip:bob@example.com", "sip:Bob@example.com", false),
        ("sip:bob@example.com", "sip:example.com", false),
        ("sip:bob@example.com", "sip:bob@example.org", false),
        ("sip:a;b@c", "sip:a@c", false),
        ("sip:[2001:db8::1]", "sip:[2001:db8::2]", false),
        ("tel:+123", "sip:+123", false),
        ("", "sip:example.com", false),
        ("example.com", "sip:example.com", false),
    ];
    for (a, b, same) in rows {
        assert_eq!(same_resource(a, b), same, "{a} {b}");
        assert_eq!(same_resource(b, a), same, "{b} {a}");
    }
}

// ---- the client with everything RFC 7616 and RFC 8760 have ----

fn told(client: &mut Client, challenge: &str, method: &str, body: &[u8]) -> Credentials {
    let mut attempt = Attempt::default();
    client.challenged(&mut attempt, URI, [(Authority::Server, challenge)]).unwrap();
    let fields = client.authorize(&mut attempt, method, URI, body, &mut entropy());
    Credentials::parse(&fields[0].value).unwrap()
}

/// RFC 7616 §3.4: each formula written out once more, with the hash alone in common.
#[test]
fn rfc8760_2_every_algorithm_with_sess_and_auth_int() {
    let body = b"v=0\r\n";
    for algorithm in Algorithm::ALL {
        for (session, qop) in [(false, "auth"), (false, "auth-int"), (true, "auth"), (true, "auth-int")] {
            let suffix = if session { "-sess" } else { "" };
            let name = algorithm.token();
            let challenge =
                format!("Digest realm=\"r\", nonce=\"n\", algorithm={name}{suffix}, qop=\"{qop}\"");
            let mut client = Client::new("alice", "wonderland");
            let said = told(&mut client, &challenge, "INVITE", body);
            let protection = said.protection.clone().unwrap();
            assert_eq!((said.algorithm, said.session, protection.qop.token()), (algorithm, session, qop));
            let mut a1 = algorithm.hash(&["alice", "r", "wonderland"]);
            if session {
                a1 = algorithm.hash(&[a1.as_str(), "n", &protection.cnonce]);
            }
            let text = core::str::from_utf8(body).unwrap();
            let a2 = match qop {
                "auth" => algorithm.hash(&["INVITE", URI]),
                _ => algorithm.hash(&["INVITE", URI, algorithm.hash(&[text]).as_str()]),
            };
            let nc = "00000001";
            let expected = algorithm.hash(&[a1.as_str(), "n", nc, &protection.cnonce, qop, a2.as_str()]);
            assert_eq!(said.response, expected.as_str(), "{challenge}");
        }
    }
}

/// FIPS 180-4's own vector.
#[test]
fn rfc8760_2_sha_512_256_is_the_truncated_one() {
    let digest = Algorithm::Sha512_256.hash(&["abc"]);
    assert_eq!(digest.as_str(), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

#[test]
fn rfc7616_3_4_2_a_session_key_stays_with_its_cnonce() {
    let mut client = Client::new("alice", "wonderland");
    let challenge = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256-sess, qop=\"auth\"";
    let first = told(&mut client, challenge, "REGISTER", &[]).protection.unwrap();
    let fields = client.authorize(&mut Attempt::default(), "REGISTER", URI, &[], &mut SeededEntropy(99));
    let second = Credentials::parse(&fields[0].value).unwrap();
    let protection = second.protection.clone().unwrap();
    assert_eq!((first.nonce_count, protection.nonce_count), (1, 2));
    assert_eq!(first.cnonce, protection.cnonce);
    let a1 = Algorithm::Sha256.hash(&["alice", "r", "wonderland"]);
    let key = Algorithm::Sha256.hash(&[a1.as_str(), "n", &first.cnonce]);
    assert_eq!(second.digest(&key, "REGISTER", &[]).as_str(), second.response);
}

#[test]
fn rfc7616_3_4_auth_is_preferred_to_auth_int() {
    let mut client = Client::new("alice", "wonderland");
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,auth\"";
    assert_eq!(told(&mut client, challenge, "REGISTER", b"x").protection.unwrap().qop, Qop::Auth);
}

/// RFC 7616 §3.9.2's user name, in the form this realm would have.
#[test]
fn rfc7616_3_4_4_the_user_name_is_hidden_where_that_is_wanted() {
    let mut client = Client::new("alice", "wonderland");
    let challenge = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\", userhash=true";
    let said = told(&mut client, challenge, "REGISTER", &[]);
    assert!(said.userhash);
    assert_eq!(said.username, Algorithm::Sha256.hash(&["alice", "r"]).as_str());
    // The digest is the same user's.
    let a1 = Algorithm::Sha256.hash(&["alice", "r", "wonderland"]);
    assert_eq!(said.digest(&a1, "REGISTER", &[]).as_str(), said.response);
}

fn info(text: &str) -> crate::message::typed::AuthenticationInfo<'_> {
    crate::message::typed::TypedHeader::parse(text).unwrap()
}

#[test]
fn rfc7616_3_5_the_next_nonce_is_used_from_its_first_count() {
    let mut client = Client::new("alice", "wonderland");
    told(&mut client, "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"", "REGISTER", &[]);
    client.informed("sip:elsewhere.example", info("nextnonce=\"evil\"").0);
    client.informed(URI, info("qop=auth, nextnonce=\"\"").0);
    client.informed(URI, info("qop=auth, nextnonce=\"n2\", rspauth=\"00\"").0);
    let fields = client.authorize(&mut Attempt::default(), "REGISTER", URI, &[], &mut entropy());
    let said = Credentials::parse(&fields[0].value).unwrap();
    assert_eq!((said.nonce.as_str(), said.protection.unwrap().nonce_count), ("n2", 1));
}

#[test]
fn the_server_refuses_what_it_did_not_offer() {
    let server = challenger();
    let nonce = server.challenges(&BOTH, false, T0, &mut entropy())[0].nonce.clone();
    for extra in ["algorithm=SHA-256-sess, qop=\"auth\"", "algorithm=SHA-256, qop=\"auth-int\""] {
        let mut client = Client::new("alice", "wonderland");
        let challenge = format!("Digest realm=\"example.com\", nonce=\"{nonce}\", {extra}");
        let said = told(&mut client, &challenge, "REGISTER", &[]);
        let outcome = server.verify(&said, Some(&alice()), &BOTH, "REGISTER", URI, T0);
        assert_eq!(outcome, Outcome::WrongAlgorithm, "{extra}");
    }
}

// ---- tokens ----

#[test]
fn rfc8898_4_bearer_challenges_are_read() {
    let read = |value| BearerChallenge::parse(Authority::Server, value);
    let value = "Bearer realm=\"example.com\", authz_server=\"https://as.example\", scope=\"sip call\",\
                 error=\"invalid_token\"";
    assert_eq!(
        read(value),
        Some(BearerChallenge {
            authority: Authority::Server,
            realm: "example.com".into(),
            authz_server: Some("https://as.example".into()),
            scope: Some("sip call".into()),
            error: Some("invalid_token".into()),
        })
    );
    for bad in ["", "Bearer", "Bearer abc", "Digest realm=\"r\"", "Bearer scope=\"x\"", "Bearer realm=\"r"] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn a_token_goes_where_it_was_asked_for_and_not_again_when_it_was_refused() {
    let value = "Bearer realm=\"r\", authz_server=\"https://as.example\"";
    let challenge = BearerChallenge::parse(Authority::Server, value).unwrap();
    let mut client = Client::without_password("alice");
    let mut attempt = Attempt::default();
    let refused = client.challenged(&mut attempt, URI, [(Authority::Server, value)]);
    assert_eq!(refused, Err(ClientError::Unsupported(ParseError::NotDigest)));
    for bad in ["", "=", "a b", "a\r\nVia: x", "a=b", "é"] {
        assert!(!client.add_token(URI, &challenge, bad), "{bad:?}");
    }
    assert!(client.add_token(URI, &challenge, "t0k3n-._~+/=="));
    assert_eq!(client.challenged(&mut attempt, URI, [(Authority::Server, value)]), Ok(()));
    let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    assert_eq!(
        fields,
        [Authorization { authority: Authority::Server, value: "Bearer t0k3n-._~+/==".into() }]
    );
    assert!(client.authorize(&mut Attempt::default(), "INVITE", "sip:x@y", &[], &mut entropy()).is_empty());
    // Another request that was challenged before the token came goes on with it.
    assert_eq!(client.challenged(&mut Attempt::default(), URI, [(Authority::Server, value)]), Ok(()));
    // This one has shown it.
    assert!(client.challenged(&mut attempt, URI, [(Authority::Server, value)]).is_err());
    assert_eq!(client.token_for(URI, &challenge), None);
    assert!(!format!("{client:?}").contains("t0k3n"));
}

#[test]
fn one_scheme_answers_a_realm() {
    let bearer = "Bearer realm=\"r\", authz_server=\"https://as.example\"";
    let digest = "Digest realm=\"r\", nonce=\"n\"";
    let both = [(Authority::Server, bearer), (Authority::Server, digest)];
    let mut client = Client::new("alice", "wonderland");
    let mut attempt = Attempt::default();
    client.challenged(&mut attempt, URI, both).unwrap();
    assert!(
        client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy())[0].value.starts_with("Digest ")
    );
    let mut client = Client::new("alice", "wonderland");
    let challenge = BearerChallenge::parse(Authority::Server, bearer).unwrap();
    assert!(client.add_token(URI, &challenge, "t"));
    let mut attempt = Attempt::default();
    client.challenged(&mut attempt, URI, both).unwrap();
    let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    assert_eq!(fields.iter().map(|f| f.value.as_str()).collect::<Vec<_>>(), ["Bearer t"]);
    // Refused, the password is left.
    client.challenged(&mut attempt, URI, both).unwrap();
    let fields = client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    assert!(fields.len() == 1 && fields[0].value.starts_with("Digest "));
}
