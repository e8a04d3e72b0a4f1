//! Challenges and credentials of any kind: they print to equal ones, and a client answers them or says why not.

use sip_core::auth::{
    Algorithm, Attempt, Authority, Challenge, Challenger, Client, Credentials, Outcome, Qop, Secrets,
};
use sip_core::entropy::SeededEntropy;
use sip_core::limits;
use sip_core::time::{Duration, Instant};

const NOW: Instant = Instant::from_micros(1_700_000_000_000_000);

/// A value a line; a line that begins with a blank goes on with the one before.
pub(crate) fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut values: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match values.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => values.push(line.to_owned()),
        }
    }
    values.iter_mut().for_each(|value| value.truncate(value.trim_end_matches(['\r', '\n']).len()));
    for value in &values {
        if let Ok(challenge) = Challenge::parse(value) {
            let printed = challenge.to_string();
            assert_eq!(Challenge::parse(&printed), Ok(challenge), "{printed}");
        }
        if let Ok(credentials) = Credentials::parse(value) {
            let printed = credentials.to_string();
            assert_eq!(Credentials::parse(&printed), Ok(credentials), "{printed}");
        }
    }
    // Each costs a few digests in every round.
    values.truncate(40);
    client(&values);
    server(&values);
}

fn client(values: &[String]) {
    for mut client in
        [Client::new("bob", "zanzibar"), Client::new("bob", "zanzibar").expecting("example.com")]
    {
        let mut attempt = Attempt::default();
        let mut entropy = SeededEntropy(1);
        for round in 0..u32::from(limits::AUTH_ROUNDS) + 2 {
            let sent =
                client.authorize(&mut attempt, "INVITE", "sip:alice@example.com", b"body", &mut entropy);
            assert!(sent.len() <= limits::AUTH_CHALLENGES);
            for authorization in sent {
                let credentials = Credentials::parse(&authorization.value);
                let credentials =
                    credentials.unwrap_or_else(|error| panic!("{error}: {}", authorization.value));
                assert_eq!(credentials.uri, "sip:alice@example.com");
                proves(&credentials);
            }
            let authorities = [Authority::Server, Authority::Proxy].into_iter().cycle();
            let challenges = authorities.zip(values).map(|(authority, value)| (authority, value.as_str()));
            let answer = client.challenged(&mut attempt, "sip:alice@example.com", challenges);
            assert!(round < u32::from(limits::AUTH_ROUNDS) || answer.is_err(), "a client stops trying");
        }
    }
}

/// Whoever knows the password finds what the client says right, up to the nonce.
fn proves(credentials: &Credentials) {
    // These our servers neither offer nor take.
    if credentials.session
        || credentials.userhash
        || credentials.protection.as_ref().is_some_and(|added| added.qop == Qop::AuthInt)
    {
        return;
    }
    let secrets = Secrets::from_password("bob", &credentials.realm, "zanzibar");
    let judged = Challenger::new(&credentials.realm, [7; 32]).verify(
        credentials,
        Some(&secrets),
        &Algorithm::ALL,
        "INVITE",
        "sip:alice@example.com",
        NOW,
    );
    assert_eq!(judged, Outcome::BadNonce, "{credentials}");
}

fn server(values: &[String]) {
    let challenger = Challenger::new("example.com", [7; 32]);
    let Ok(Some(credentials)) = challenger.find(values.iter().map(String::as_str)) else { return };
    let secrets = Secrets::from_password("bob", "example.com", "zanzibar");
    for now in [NOW, NOW + Duration::from_secs(1 << 40), Instant::from_micros(0)] {
        for secrets in [Some(&secrets), None] {
            let judged =
                challenger.verify(&credentials, secrets, &Algorithm::ALL, "REGISTER", "sip:example.com", now);
            assert!(!matches!(judged, Outcome::Ok { .. }), "nobody was challenged: {credentials}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = [
        "Digest realm=\"example.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", opaque=\"x\", qop=\"auth,auth-int\", stale=FALSE, algorithm=SHA-256\r\nDigest realm=\"example.com\", nonce=\"1\", algorithm=MD5",
        "Digest realm=\"a\\\"b\",\r\n nonce=\"f84f1cec41e6cbe5aea9c8e88d359\"\r\nBearer realm=\"x\"\r\nDigest realm=\"proxy\", nonce=\"2\", stale=true, algorithm=SHA-512-256, qop=\"auth\"",
        "Digest username=\"bob\", realm=\"example.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", uri=\"sip:example.com\", response=\"7587245234b3434cc3412213e5f113a5\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", opaque=\"x\"",
        "Digest username=\"bob\", realm=\"example.com\", nonce=\"\", uri=\"sip:example.com\", response=\"\", algorithm=SHA-256",
        "Digest realm=unquoted, nonce=a/b=, domain=\"sip:a\", userhash=true, algorithm=SHA-256-sess, qop=\"auth-int\"",
    ];
    all.map(|text| text.as_bytes().to_vec()).to_vec()
}
