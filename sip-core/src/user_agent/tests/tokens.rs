//! Bearer tokens from outside (RFC 8898), nonces that change, and servers that are never content.

use std::format;
use std::string::{String, ToString};

use super::solo::Solo;
use super::{OFFER, config};
use crate::auth::{Authority, BearerChallenge};
use crate::events::{EventName, Package};
use crate::limits;
use crate::message::{HeaderName, Message, Method};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Addressee, Cause, CredentialsId, End, Event, TokenError};

const SERVER: &str = "https://as.example.com/authorize";
const BEARER: &str =
    "Bearer realm=\"example.com\", scope=\"sip\", authz_server=\"https://as.example.com/authorize\"";

fn with_tokens(password: Option<&str>) -> Solo {
    let mut config = config("sip:alice@example.com");
    config.password = password.map(String::from);
    config.authorization_servers = [SERVER.into()].into();
    Solo::with(config, Transport::Wss)
}

#[track_caller]
fn needed(solo: &mut Solo) -> (CredentialsId, BearerChallenge) {
    match solo.event() {
        Event::CredentialsNeeded { request, challenge } => (request, challenge),
        other => panic!("{other:?}"),
    }
}

/// RFC 6665 §4.1.2.4: Timer N is about notifiers that were asked. While a person logs in nobody was.
#[test]
fn rfc6665_4_1_2_4_timer_n_does_not_run_while_a_token_is_fetched() {
    let mut solo = with_tokens(None);
    let event = EventName::new(Package::Presence);
    let id = solo.ua.subscribe(solo.now, "bob", event, None).unwrap();
    solo.drain();
    let first = solo.request(&Method::Subscribe);
    solo.reply(&first, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
    let (request, _) = needed(&mut solo);
    solo.advance(Duration::from_secs(100));
    solo.nothing_sent();
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
    solo.drain();
    let second = solo.request(&Method::Subscribe);
    assert_eq!((second.call_id(), second.cseq().number), (first.call_id(), first.cseq().number + 1));
    solo.reply(&second, 200, "Expires: 3600\r\n", "");
    // It runs from here.
    solo.advance(Duration::from_secs(32) - Duration::from_micros(1));
    assert!(solo.events.is_empty());
    solo.advance(Duration::from_micros(1));
    assert!(matches!(solo.event(), Event::Subscription { subscription, .. } if subscription == id));

    // The flow is lost meanwhile: it waits for the token all the same, and for the next flow if the token is first.
    for token_first in [false, true] {
        let mut solo = with_tokens(None);
        solo.ua.subscribe(solo.now, "bob", EventName::new(Package::Presence), None).unwrap();
        solo.drain();
        let first = solo.request(&Method::Subscribe);
        solo.reply(&first, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
        let (request, _) = needed(&mut solo);
        solo.close();
        if token_first {
            solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
        }
        solo.reopen(2);
        if !token_first {
            solo.nothing_sent();
            solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
            solo.drain();
        }
        let second = solo.request(&Method::Subscribe);
        assert_eq!((second.call_id(), second.cseq().number), (first.call_id(), first.cseq().number + 1));
        assert_eq!(second.headers().first(HeaderName::Authorization), Some("Bearer abc"));
        solo.nothing_sent();
    }
}

#[test]
fn rfc8898_1_4_1_register_waits_for_the_token_and_is_sent_again_with_it() {
    let mut solo = with_tokens(None);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    solo.reply(&first, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
    let (request, challenge) = needed(&mut solo);
    assert_eq!((challenge.authority, challenge.realm.as_str()), (Authority::Server, "example.com"));
    assert_eq!(challenge.scope.as_deref(), Some("sip"));
    // A person logs in; the transaction is long over.
    solo.advance(Duration::from_secs(60));
    solo.nothing_sent();
    assert_eq!(solo.ua.provide_token(solo.now, request, Some("no token")), Err(TokenError::Malformed));
    solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
    solo.drain();
    let second = solo.request(&Method::Register);
    assert_eq!(second.headers().first(HeaderName::Authorization), Some("Bearer abc"));
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!(solo.ua.provide_token(solo.now, request, Some("abc")), Err(TokenError::NotAsked));
    let contact = second.headers().first(HeaderName::Contact).unwrap().to_string();
    solo.reply(&second, 200, &format!("Contact: {contact};expires=600\r\n"), "");
    assert!(matches!(solo.event(), Event::Registered { .. }));
    // The refresh has it from the start; expired, a new one is asked for.
    solo.advance(Duration::from_secs(540));
    let refresh = solo.request(&Method::Register);
    assert_eq!(refresh.headers().first(HeaderName::Authorization), Some("Bearer abc"));
    solo.reply(&refresh, 401, &format!("WWW-Authenticate: {BEARER}, error=\"invalid_token\"\r\n"), "");
    let (request, challenge) = needed(&mut solo);
    assert_eq!(challenge.error.as_deref(), Some("invalid_token"));
    solo.ua.provide_token(solo.now, request, Some("def")).unwrap();
    solo.drain();
    let again = solo.request(&Method::Register);
    assert_eq!(again.headers().first(HeaderName::Authorization), Some("Bearer def"));
}

#[test]
fn rfc8898_2_1_4_a_call_waits_too_and_can_be_given_up_meanwhile() {
    for give_up in [false, true] {
        let mut solo = with_tokens(None);
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let first = solo.request(&Method::Invite);
        solo.reply(&first, 407, &format!("Proxy-Authenticate: {BEARER}\r\n"), "");
        solo.request(&Method::Ack);
        let (request, challenge) = needed(&mut solo);
        assert_eq!(challenge.authority, Authority::Proxy);
        // Past Timer D.
        solo.advance(Duration::from_secs(40));
        if give_up {
            solo.ua.hangup(solo.now, call).unwrap();
            solo.drain();
            assert!(matches!(solo.event(), Event::Ended { end: End::Canceled { .. }, .. }));
        }
        solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
        solo.drain();
        if give_up {
            assert_eq!(solo.event(), Event::Released { call });
            solo.nothing_sent();
            assert_eq!(solo.ua.call_state(call), None);
            continue;
        }
        let second = solo.request(&Method::Invite);
        assert_eq!(second.headers().first(HeaderName::ProxyAuthorization), Some("Bearer abc"));
        solo.answer(&second, "b");
        let ack = solo.request(&Method::Ack);
        assert_eq!(ack.headers().first(HeaderName::ProxyAuthorization), Some("Bearer abc"));
    }
}

#[test]
fn rfc8898_2_1_1_an_authorization_server_nobody_trusts_is_not_asked() {
    for untrusted in [
        "Bearer realm=\"example.com\", authz_server=\"https://evil.example/authorize\"",
        "Bearer realm=\"example.com\"",
    ] {
        let mut solo = with_tokens(None);
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let first = solo.request(&Method::Register);
        solo.reply(&first, 401, &format!("WWW-Authenticate: {untrusted}\r\n"), "");
        let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
        assert_eq!(failure.cause, Cause::AuthenticationUnsupported);
        solo.nothing_sent();
    }
}

#[test]
fn without_a_token_in_time_the_password_serves_or_the_request_has_failed() {
    let lines = format!(
        "WWW-Authenticate: {BEARER}\r\nWWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n"
    );
    for (password, declines) in [(Some("secret"), false), (Some("secret"), true), (None, false), (None, true)]
    {
        let mut solo = with_tokens(password);
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let first = solo.request(&Method::Register);
        solo.reply(&first, 401, &lines, "");
        let (request, _) = needed(&mut solo);
        if declines {
            solo.ua.provide_token(solo.now, request, None).unwrap();
            solo.drain();
        } else {
            solo.advance(limits::TOKEN_WAIT - Duration::from_micros(1));
            solo.nothing_sent();
            solo.advance(Duration::from_micros(1));
            assert_eq!(solo.ua.provide_token(solo.now, request, Some("late")), Err(TokenError::NotAsked));
        }
        if password.is_some() {
            let second = solo.request(&Method::Register);
            assert!(second.headers().first(HeaderName::Authorization).unwrap().starts_with("Digest "));
        } else {
            let Event::RegistrationFailed { failure, retry_in: None, .. } = solo.event() else { panic!() };
            assert_eq!(failure.cause, Cause::WrongPassword);
        }
    }
}

#[test]
fn a_server_that_refuses_every_token_is_given_up() {
    let mut solo = with_tokens(None);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let mut rounds = 0;
    while let Some((_, _, Message::Request(request))) = solo.sent.pop_front() {
        rounds += 1;
        assert!(rounds < 20);
        solo.reply(&request, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
        if let Some(Event::CredentialsNeeded { request, .. }) = solo.events.pop_front() {
            solo.ua.provide_token(solo.now, request, Some(&format!("t{rounds}"))).unwrap();
            solo.drain();
        }
    }
    assert_eq!(rounds, u32::from(limits::AUTH_ROUNDS) + 1);
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
}

#[test]
fn tokens_that_are_waited_for_are_capped_and_shared() {
    let mut solo = with_tokens(None);
    for user in 0..limits::TOKENS_WANTED + 1 {
        let call = solo.ua.call(solo.now, &format!("bob{user}"), OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
        solo.request(&Method::Ack);
        if user < limits::TOKENS_WANTED {
            needed(&mut solo);
        } else {
            assert!(matches!(solo.event(), Event::Ended { call: ended, .. } if ended == call));
        }
    }
    // Two calls to the same proxy wait for one token.
    let mut solo = with_tokens(None);
    let mut asked = None;
    for _ in 0..2 {
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 407, &format!("Proxy-Authenticate: {BEARER}\r\n"), "");
        solo.request(&Method::Ack);
        asked = asked.or_else(|| Some(needed(&mut solo).0));
    }
    assert!(solo.events.is_empty());
    solo.ua.provide_token(solo.now, asked.unwrap(), Some("abc")).unwrap();
    solo.drain();
    for _ in 0..2 {
        let invite = solo.request(&Method::Invite);
        assert_eq!(invite.headers().first(HeaderName::ProxyAuthorization), Some("Bearer abc"));
    }
}

// ---- nonces ----

#[test]
fn rfc7616_3_5_nextnonce_of_a_200_serves_the_refresh() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    solo.reply(
        &first,
        401,
        "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n1\", qop=\"auth\"\r\n",
        "",
    );
    let second = solo.request(&Method::Register);
    let contact = second.headers().first(HeaderName::Contact).unwrap().to_string();
    let lines = format!("Contact: {contact};expires=600\r\nAuthentication-Info: nextnonce=\"n2\"\r\n");
    solo.reply(&second, 200, &lines, "");
    solo.advance(Duration::from_secs(540));
    let refresh = solo.request(&Method::Register);
    let said = refresh.headers().first(HeaderName::Authorization).unwrap();
    assert!(said.contains("nonce=\"n2\"") && said.contains("nc=00000001"), "{said}");
}

#[test]
fn a_401_with_a_new_nonce_for_ever_is_given_up() {
    for (stale, most) in [("", 2), (", stale=true", u32::from(limits::AUTH_ROUNDS) + 1)] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let mut rounds = 0;
        while let Some((_, _, Message::Request(request))) = solo.sent.pop_front() {
            rounds += 1;
            assert!(rounds < 20);
            let line = format!(
                "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n{rounds}\", qop=\"auth\"{stale}\r\n"
            );
            solo.reply(&request, 401, &line, "");
        }
        assert_eq!(rounds, most, "{stale}");
        assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
    }
}

#[test]
fn rfc3261_22_3_several_realms_at_once() {
    let mut solo = Solo::new();
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let first = solo.request(&Method::Invite);
    let lines = "Proxy-Authenticate: Digest realm=\"one\", nonce=\"a\", qop=\"auth\"\r\n\
                 Proxy-Authenticate: Digest realm=\"two\", nonce=\"b\", algorithm=SHA-512-256, qop=\"auth\"\r\n\
                 Proxy-Authenticate: Digest realm=\"two\", nonce=\"c\", qop=\"auth\"\r\n";
    solo.reply(&first, 407, lines, "");
    solo.request(&Method::Ack);
    let second = solo.request(&Method::Invite);
    let said: std::vec::Vec<&str> = second.headers().all(HeaderName::ProxyAuthorization).collect();
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("realm=\"one\"") && said[0].contains("algorithm=MD5,"));
    assert!(said[1].contains("realm=\"two\"") && said[1].contains("algorithm=SHA-512-256,"));
}

/// The body that is protected is the one that is sent.
#[test]
fn rfc7616_3_4_3_auth_int_covers_the_offer() {
    let mut solo = Solo::new();
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let first = solo.request(&Method::Invite);
    solo.reply(&first, 407, "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"\r\n", "");
    solo.request(&Method::Ack);
    let second = solo.request(&Method::Invite);
    let value = second.headers().first(HeaderName::ProxyAuthorization).unwrap();
    let said = crate::auth::Credentials::parse(value).unwrap();
    let proof = |body: &[u8]| said.expected("secret", "INVITE", body);
    assert_eq!(said.response, proof(second.body()));
    assert_ne!(said.response, proof(b""));
}

/// What is to be sent with the token waits for the next flow, as what is on its way does.
#[test]
fn rfc8898_2_1_a_token_that_comes_while_there_is_no_flow() {
    let mut solo = with_tokens(None);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    let options = solo.ua.options(solo.now, Addressee::Target("bob")).unwrap();
    solo.drain();
    for method in [Method::Invite, Method::Options] {
        let first = solo.request(&method);
        solo.reply(&first, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
        solo.sent
            .retain(|(_, _, message)| !matches!(message, Message::Request(r) if *r.method() == Method::Ack));
    }
    let (request, _) = needed(&mut solo);
    solo.close();
    solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
    solo.drain();
    solo.nothing_sent();
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.advance(Duration::from_secs(5));
    solo.reopen(2);
    let invite = solo.request(&Method::Invite);
    assert_eq!(invite.headers().first(HeaderName::Authorization), Some("Bearer abc"));
    assert_eq!(invite.cseq().number, 2);
    let again = solo.request(&Method::Options);
    assert_eq!(again.headers().first(HeaderName::Authorization), Some("Bearer abc"));
    solo.reply(&again, 200, "", "");
    let Event::Answered { request, result: Ok(_) } = solo.event() else { panic!() };
    assert_eq!(request, options);
    solo.answer(&invite, "one");
    assert!(matches!(solo.event(), Event::Accepted { call: of, .. } if of == call));

    // Without one they fail in the end, each once.
    let mut solo = with_tokens(None);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.ua.options(solo.now, Addressee::Target("bob")).unwrap();
    solo.drain();
    for method in [Method::Invite, Method::Options] {
        let first = solo.request(&method);
        solo.reply(&first, 401, &format!("WWW-Authenticate: {BEARER}\r\n"), "");
        solo.sent
            .retain(|(_, _, message)| !matches!(message, Message::Request(r) if *r.method() == Method::Ack));
    }
    let (request, _) = needed(&mut solo);
    solo.close();
    solo.ua.provide_token(solo.now, request, Some("abc")).unwrap();
    solo.drain();
    solo.advance(Duration::from_secs(33));
    let mut ends: std::vec::Vec<Cause> = std::vec::Vec::new();
    while let Some(event) = solo.events.pop_front() {
        match event {
            Event::Ended { call: of, end: End::Failed(failure) } if of == call => ends.push(failure.cause),
            Event::Answered { result: Err(failure), .. } => ends.push(failure.cause),
            Event::Released { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ends, [Cause::FlowLost, Cause::FlowLost]);
}
