use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::solo::Solo;
use super::{OFFER, config};
use crate::auth::{Algorithm, Challenger, Credentials, Outcome, Secrets};
use crate::entropy::SeededEntropy;
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Cause, End, Event};

const BOTH: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];

fn challenger() -> Challenger {
    Challenger::new("example.com", [3; 32])
}

fn challenge(solo: &mut Solo, request: &Request, status: u16, stale: bool) {
    let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let challenges = challenger().challenges(&BOTH, stale, solo.now, &mut SeededEntropy(9));
    let lines: Vec<String> = challenges.iter().map(|c| format!("{name}: {c}\r\n")).collect();
    solo.reply(request, status, &lines.concat(), "");
}

fn judge(solo: &Solo, request: &Request, header: HeaderName) -> (Credentials, bool) {
    let credentials =
        challenger().find(request.headers().all(header)).unwrap().expect("credentials for this realm");
    let secrets = Secrets::from_password("alice", "example.com", "secret");
    let method = request.method().as_str();
    let outcome = challenger().verify(&credentials, Some(&secrets), &BOTH, method, request.uri(), solo.now);
    (credentials, matches!(outcome, Outcome::Ok { username, .. } if username == "alice"))
}

#[test]
fn register_proves_the_password_with_the_stronger_algorithm() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    assert!(!first.headers().has(HeaderName::Authorization));
    challenge(&mut solo, &first, 401, false);
    let second = solo.request(&Method::Register);
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!(second.call_id(), first.call_id());
    let (credentials, outcome) = judge(&solo, &second, HeaderName::Authorization);
    assert_eq!((credentials.algorithm, outcome), (Algorithm::Sha256, true));
    assert_eq!(credentials.protection.unwrap().nonce_count, 1);
    let contact = second.headers().first(HeaderName::Contact).unwrap().to_string();
    solo.reply(&second, 200, &format!("Contact: {contact};expires=100\r\n"), "");
    assert!(matches!(solo.event(), Event::Registered { .. }));
    // The refresh uses the nonce again, and a new one when it has become stale.
    solo.advance(Duration::from_secs(91));
    let refresh = solo.request(&Method::Register);
    let (credentials, outcome) = judge(&solo, &refresh, HeaderName::Authorization);
    assert_eq!((credentials.protection.unwrap().nonce_count, outcome), (2, true));
    challenge(&mut solo, &refresh, 401, true);
    let again = solo.request(&Method::Register);
    assert!(judge(&solo, &again, HeaderName::Authorization).1);
    solo.nothing_sent();
}

/// A user agent that was challenged, and its REGISTER with a wrong password.
fn with_a_wrong_password() -> (Solo, Request) {
    let mut config = config("sip:alice@example.com");
    config.password = Some(String::from("wrong"));
    let mut solo = Solo::with(config, Transport::Ws);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    challenge(&mut solo, &first, 401, false);
    let second = solo.request(&Method::Register);
    (solo, second)
}

#[test]
fn a_refused_password_is_told_once() {
    let (mut solo, second) = with_a_wrong_password();
    assert!(!judge(&solo, &second, HeaderName::Authorization).1);
    challenge(&mut solo, &second, 401, false);
    solo.nothing_sent();
    let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
    assert_eq!((failure.cause, failure.status), (Cause::WrongPassword, Some(401)));
    solo.reopen(2);
    solo.nothing_sent();
}

#[test]
fn no_password_is_a_wrong_one() {
    let mut config = config("sip:alice@example.com");
    config.password = None;
    let mut solo = Solo::with(config, Transport::Ws);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    challenge(&mut solo, &first, 401, false);
    let Event::RegistrationFailed { failure, .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::WrongPassword);
}

#[test]
fn a_challenge_nobody_can_answer_is_another_failure() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    let line =
        "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=SHA-3, qop=\"auth\"\r\n";
    solo.reply(&first, 401, line, "");
    let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::AuthenticationUnsupported);
}

/// RFC 3665 §3.2's shape: the INVITE's 407 is acknowledged and the INVITE sent again; the ACK of the 2xx has the
/// INVITE's credentials.
#[test]
fn invite_proves_the_password_to_a_proxy() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let first = solo.request(&Method::Invite);
    challenge(&mut solo, &first, 407, false);
    let ack = solo.request(&Method::Ack);
    assert_eq!((ack.branch(), ack.to_tag()), (first.branch(), Some("callee")));
    let second = solo.request(&Method::Invite);
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!((second.call_id(), second.from_tag()), (first.call_id(), first.from_tag()));
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.to_tag(), None);
    assert_eq!(second.body(), OFFER.as_bytes());
    assert!(judge(&solo, &second, HeaderName::ProxyAuthorization).1);
    assert!(solo.events.is_empty());
    solo.answer(&second, "b");
    let ack = solo.request(&Method::Ack);
    assert_eq!(
        ack.headers().first(HeaderName::ProxyAuthorization),
        second.headers().first(HeaderName::ProxyAuthorization)
    );
    assert!(matches!(solo.event(), Event::Accepted { call: c, .. } if c == call));
    // A BYE that is challenged is sent again, too.
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    assert_eq!(bye.cseq().number, second.cseq().number + 1);
    challenge(&mut solo, &bye, 407, true);
    let bye = solo.request(&Method::Bye);
    assert!(judge(&solo, &bye, HeaderName::ProxyAuthorization).1);
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
}

#[test]
fn invite_with_a_wrong_password_fails() {
    let mut config = config("sip:alice@example.com");
    config.password = Some(String::from("wrong"));
    let mut solo = Solo::with(config, Transport::Ws);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    for _ in 0..2 {
        let invite = solo.request(&Method::Invite);
        challenge(&mut solo, &invite, 401, false);
        solo.request(&Method::Ack);
    }
    let Event::Ended { call: ended, end: End::Failed(failure) } = solo.event() else { panic!() };
    assert_eq!((ended, failure.cause), (call, Cause::WrongPassword));
    assert_eq!(solo.event(), Event::Released { call });
    solo.nothing_sent();
}

fn with_secrets(realm: &str, algorithms: &[Algorithm]) -> Solo {
    let all = Secrets::from_password("alice", realm, "secret");
    let known = all.ha1s().filter(|(algorithm, _)| algorithms.contains(algorithm));
    let mut config = config("sip:alice@example.com");
    config.password = None;
    config.secrets = Some(Secrets::from_ha1s("alice", realm, known).unwrap());
    let mut solo = Solo::with(config, Transport::Ws);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo
}

/// Of several challenges the strongest that there is an HA1 for (RFC 8760 §2.4).
#[test]
fn rfc7616_3_4_2_ha1s_prove_what_the_password_would() {
    for (known, used) in [
        (&[Algorithm::Md5][..], Algorithm::Md5),
        (&[Algorithm::Sha256], Algorithm::Sha256),
        (&BOTH, Algorithm::Sha256),
    ] {
        let mut solo = with_secrets("example.com", known);
        let first = solo.request(&Method::Register);
        challenge(&mut solo, &first, 401, false);
        let second = solo.request(&Method::Register);
        let (credentials, outcome) = judge(&solo, &second, HeaderName::Authorization);
        assert_eq!((credentials.algorithm, outcome), (used, true));
    }
}

#[test]
fn rfc7616_3_4_2_ha1s_of_another_realm_or_algorithm_are_no_wrong_password() {
    for (realm, known, cause) in [
        ("example.net", Algorithm::Sha256, Cause::OtherRealm),
        ("example.com", Algorithm::Sha512_256, Cause::NoHa1),
    ] {
        let mut solo = with_secrets(realm, &[known]);
        let first = solo.request(&Method::Register);
        challenge(&mut solo, &first, 401, false);
        solo.nothing_sent();
        let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
        assert_eq!((failure.cause, failure.status), (cause, Some(401)));
    }
}

#[test]
fn rfc3261_22_2_credentials_that_were_replaced_are_tried_by_the_next_register() {
    for hashed in [false, true] {
        let mut config = config("sip:alice@example.com");
        config.password = Some(String::from("wrong"));
        let mut solo = Solo::with(config, Transport::Ws);
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        for _ in 0..2 {
            let register = solo.request(&Method::Register);
            challenge(&mut solo, &register, 401, false);
        }
        assert!(matches!(solo.event(), Event::RegistrationFailed { .. }));
        match hashed {
            true => solo.ua.set_secrets(Secrets::from_password("alice", "example.com", "secret")),
            false => solo.ua.set_password(Some(String::from("secret"))),
        }
        solo.nothing_sent();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let first = solo.request(&Method::Register);
        challenge(&mut solo, &first, 401, false);
        let second = solo.request(&Method::Register);
        assert!(judge(&solo, &second, HeaderName::Authorization).1);
    }
}

/// It was refused for the old password, and says nothing of the new one.
#[test]
fn rfc3261_22_2_a_register_on_its_way_is_sent_again_with_the_new_password() {
    let (mut solo, second) = with_a_wrong_password();
    solo.ua.set_password(Some(String::from("secret")));
    challenge(&mut solo, &second, 401, false);
    let third = solo.request(&Method::Register);
    assert!(judge(&solo, &third, HeaderName::Authorization).1);
}

#[test]
fn another_display_name_is_in_what_is_sent_next() {
    let mut solo = Solo::new();
    solo.ua.set_display_name(Some("Alice B.".into()));
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(invite.headers().first(HeaderName::From).unwrap().starts_with("\"Alice B.\" <"));
}
