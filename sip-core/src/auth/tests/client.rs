//! The client with everything that RFC 7616, RFC 8760 and RFC 8898 have.

use super::*;

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

/// Only a challenge begins another authentication session, and with it another key (§3.4.2, §3.6).
#[test]
fn rfc7616_3_4_2_the_session_key_outlives_the_nonce() {
    let mut client = Client::new("alice", "wonderland");
    let challenge = "Digest realm=\"r\", nonce=\"n1\", algorithm=SHA-256-sess, qop=\"auth\"";
    let first = told(&mut client, challenge, "REGISTER", &[]).protection.unwrap();
    client.informed(URI, info("nextnonce=\"n2\"").0);
    let fields = client.authorize(&mut Attempt::default(), "REGISTER", URI, &[], &mut SeededEntropy(99));
    let next = Credentials::parse(&fields[0].value).unwrap();
    assert_eq!((next.nonce.as_str(), next.protection.as_ref().unwrap().nonce_count), ("n2", 1));
    let a1 = Algorithm::Sha256.hash(&["alice", "r", "wonderland"]);
    let key = Algorithm::Sha256.hash(&[a1.as_str(), "n1", &first.cnonce]);
    assert_eq!(next.digest(&key, "REGISTER", &[]).as_str(), next.response);
}

/// A nonce that an answer named is as old as that answer: who refuses it says nothing of the password, with or without
/// `stale`.
#[test]
fn rfc7616_3_5_a_next_nonce_that_is_refused_is_no_wrong_password() {
    let mut client = Client::new("alice", "wonderland");
    told(&mut client, "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"", "REGISTER", &[]);
    client.informed(URI, info("nextnonce=\"n2\"").0);
    let mut attempt = Attempt::default();
    client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    let again = [(Authority::Server, "Digest realm=\"r\", nonce=\"n3\", qop=\"auth\"")];
    assert_eq!(client.challenged(&mut attempt, URI, again), Ok(()));
    client.authorize(&mut attempt, "REGISTER", URI, &[], &mut entropy());
    let again = [(Authority::Server, "Digest realm=\"r\", nonce=\"n4\", qop=\"auth\"")];
    assert_eq!(client.challenged(&mut attempt, URI, again), Err(ClientError::Rejected("r".into())));
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
