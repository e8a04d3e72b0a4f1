mod client;
mod values;

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
