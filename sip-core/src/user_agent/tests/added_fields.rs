//! Header fields of the application's, in each message that can carry them.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::incoming::send;
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::body::Content;
use crate::events::{EventName, Package};
use crate::message::{Fields, HeaderName, Headers, Message, Method, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Addressee, CallId, Event, RegisterError, RequestError};

fn note(text: &str) -> Fields {
    Fields::new().with("X-Note", text).unwrap()
}

fn reason() -> Fields {
    Fields::new().with("Reason", "Q.850;cause=16;text=\"Terminated\"").unwrap()
}

#[track_caller]
fn noted(headers: &Headers) -> Vec<String> {
    headers
        .fields()
        .iter()
        .filter(|f| headers.name_of(f) == "X-Note")
        .map(|f| headers.value_of(f).to_string())
        .collect()
}

fn incoming(solo: &mut Solo, lines: &[&str]) -> CallId {
    let mut all = INVITE.to_vec();
    all.extend(lines);
    solo.send("INVITE", &all, OFFER);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    call
}

/// A call of ours that stands.
fn standing(solo: &mut Solo) -> CallId {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "b1");
    solo.request(&Method::Ack);
    solo.events.clear();
    call
}

#[test]
fn rfc3261_22_2_they_are_in_every_try_of_an_invite_and_nowhere_else() {
    let mut config = config("sip:alice@example.com");
    config.redirections = 2;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.register();
    let fields = note("1").with("Subject", "lunch").unwrap();
    let call = solo.ua.with(&fields).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let challenge = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    for (status, extra) in
        [(407, challenge), (422, "Min-SE: 3600\r\n"), (302, "Contact: <sip:carol@example.com>\r\n"), (0, "")]
    {
        let invite = solo.request(&Method::Invite);
        assert_eq!(
            (noted(invite.headers()), invite.headers().first(HeaderName::Subject)),
            (["1".into()].into(), Some("lunch"))
        );
        if status > 0 {
            solo.reply(&invite, status, extra, "");
            assert!(noted(solo.request(&Method::Ack).headers()).is_empty());
        } else {
            solo.answer(&invite, "b1");
            assert!(noted(solo.request(&Method::Ack).headers()).is_empty());
        }
    }
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert!(noted(solo.request(&Method::Bye).headers()).is_empty());
}

#[test]
fn they_are_in_the_invite_that_is_repeated_over_another_flow() {
    let mut solo = Solo::registered();
    solo.ua.with(&note("1")).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.close();
    solo.reopen(2);
    solo.accept_register(600);
    let again = solo.request(&Method::Invite);
    assert_eq!(noted(again.headers()), ["1"]);
    assert_eq!(again.branch(), invite.branch());
}

#[test]
fn rfc3261_13_3_1_what_a_callee_says() {
    for reliably in [false, true] {
        let mut solo = Solo::registered();
        let lines: &[&str] = if reliably { &["Supported: 100rel", "Require: 100rel"] } else { &[] };
        let call = incoming(&mut solo, lines);
        solo.ua.with(&note("rings")).ring(solo.now, call).unwrap();
        solo.ua.with(&note("plays")).progress(solo.now, call, ANSWER).unwrap();
        solo.ua.with(&note("stands")).accept(solo.now, call, ANSWER).unwrap();
        solo.drain();
        for (status, said) in [(180, "rings"), (183, "plays")] {
            let response = solo.response(status);
            assert_eq!(noted(response.headers()), [said]);
            if reliably {
                // Each waits for the PRACK of the one before.
                solo.nothing_sent();
                prack(&mut solo, &response, u32::from(status));
            }
        }
        assert_eq!(noted(solo.response(200).headers()), ["stands"]);
    }
}

/// PRACKs a reliable response, and takes the answer.
fn prack(solo: &mut Solo, response: &Response, cseq: u32) {
    let rseq = response.headers().first(HeaderName::RSeq).unwrap();
    let rack = format!("RAck: {rseq} 10 INVITE");
    send(solo, response, "PRACK", cseq, &[&rack], "");
    solo.response(200);
}

#[test]
fn rfc3326_2_the_application_says_why_it_hangs_up_cancels_or_refuses() {
    let mut solo = Solo::registered();
    let call = standing(&mut solo);
    solo.ua.with(&reason()).hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    let said = |headers: &Headers| headers.first(HeaderName::Reason).map(String::from);
    let why = Some(String::from("Q.850;cause=16;text=\"Terminated\""));
    assert_eq!(said(bye.headers()), why);
    // §22.2: with credentials too.
    solo.reply(&bye, 407, "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n", "");
    let again = solo.request(&Method::Bye);
    assert_eq!(said(again.headers()), why);
    solo.reply(&again, 200, "", "");

    for rings in [true, false] {
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        if rings {
            solo.reply(&invite, 180, "", "");
        }
        solo.ua.with(&reason()).hangup(solo.now, call).unwrap();
        solo.drain();
        if !rings {
            // §9.1: it waits for a provisional answer.
            solo.nothing_sent();
            solo.reply(&invite, 180, "", "");
        }
        assert_eq!(said(solo.request(&Method::Cancel).headers()), why);
        solo.reply(&invite, 487, "", "");
        solo.request(&Method::Ack);
    }
}

#[test]
fn a_refusal_says_more() {
    let mut solo = Solo::registered();
    let call = incoming(&mut solo, &[]);
    let fields = note("no").with("Retry-After", "60 (lunch)").unwrap();
    solo.ua.with(&fields).reject(solo.now, call, 486, Some("At Lunch")).unwrap();
    solo.drain();
    let refusal = solo.response(486);
    assert_eq!((refusal.reason(), noted(refusal.headers())), ("At Lunch", ["no".into()].into()));
    assert_eq!(refusal.headers().first(HeaderName::RetryAfter), Some("60 (lunch)"));
}

#[test]
fn rfc3261_14_1_a_change_keeps_them_through_glare() {
    let mut solo = Solo::registered();
    let call = standing(&mut solo);
    solo.ua.with(&note("wait")).hold(solo.now, call).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(noted(invite.headers()), ["wait"]);
    solo.reply(&invite, 491, "", "");
    solo.request(&Method::Ack);
    solo.advance(Duration::from_secs(5));
    assert_eq!(noted(solo.request(&Method::Invite).headers()), ["wait"]);
}

#[test]
fn requests_with_a_command_of_their_own() {
    let mut solo = Solo::registered();
    let (now, fields) = (solo.now, note("1"));
    let call = standing(&mut solo);
    let text = || Content::new("text/plain", b"hello".to_vec());
    solo.ua.with(&fields).transfer(now, call, "carol").unwrap();
    solo.ua.with(&fields).message(now, Addressee::Target("bob"), text()).unwrap();
    solo.ua.with(&fields).options(now, Addressee::Call(call)).unwrap();
    solo.ua.with(&fields).info(now, call, "application/dtmf-relay", "Signal=1\r\n").unwrap();
    solo.drain();
    for method in [Method::Refer, Method::Message, Method::Options, Method::Info] {
        assert_eq!(noted(solo.request(&method).headers()), ["1"]);
    }
}

#[test]
fn rfc6665_4_1_2_subscriptions_publications_and_registrations_keep_them() {
    let mut solo = Solo::registered();
    let (now, fields) = (solo.now, note("1"));
    let event = EventName { package: Package::Presence, id: None };
    solo.ua.with(&fields).subscribe(now, "bob", event.clone(), Some(600)).unwrap();
    solo.drain();
    let subscribe = solo.request(&Method::Subscribe);
    assert_eq!(noted(subscribe.headers()), ["1"]);
    solo.reply(&subscribe, 401, "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n", "");
    assert_eq!(noted(solo.request(&Method::Subscribe).headers()), ["1"]);

    let state = Content::new("application/pidf+xml", b"<presence/>".to_vec());
    solo.ua.with(&fields).publish(now, Package::Presence, state.clone(), 120).unwrap();
    solo.drain();
    let publish = solo.request(&Method::Publish);
    assert_eq!(noted(publish.headers()), ["1"]);
    solo.reply(&publish, 200, "SIP-ETag: e1\r\nExpires: 120\r\n", "");
    solo.advance(Duration::from_secs(115));
    let refresh = solo.sent.iter().find_map(|(_, _, m)| match m {
        Message::Request(r) if *r.method() == Method::Publish => Some(r.clone()),
        _ => None,
    });
    assert_eq!(noted(refresh.unwrap().headers()), ["1"]);

    solo.sent.clear();
    solo.ua.with(&fields).register(solo.now).unwrap();
    solo.ua.unregister(solo.now).unwrap();
    solo.drain();
    let first = solo.request(&Method::Register);
    solo.reply(&first, 200, "Contact: *\r\n", "");
    assert_eq!(noted(first.headers()), ["1"]);
    assert_eq!(noted(solo.request(&Method::Register).headers()), ["1"]);

    // What an argument or the configuration says is not said twice.
    let expires = Fields::new().with("Expires", "5").unwrap();
    assert_eq!(
        solo.ua.with(&expires).subscribe(now, "bob", event, None),
        Err(RequestError::ReservedField("Expires".into()))
    );
    assert_eq!(
        solo.ua.with(&expires).publish(now, Package::Presence, state, 9),
        Err(RequestError::ReservedField("Expires".into()))
    );
    assert_eq!(solo.ua.with(&expires).register(now), Err(RegisterError::ReservedField(HeaderName::Expires)));
}

#[test]
fn a_command_that_fails_leaves_nothing_for_the_next() {
    let mut solo = Solo::registered();
    let (now, fields) = (solo.now, note("1"));
    assert!(solo.ua.with(&fields).call(now, "not a target", OFFER).is_err());
    let call = standing(&mut solo);
    assert!(solo.ua.with(&fields).ring(now, call).is_err());
    assert!(solo.ua.with(&fields).answer(now, call, ANSWER).is_err());
    solo.ua.hold(now, call).unwrap();
    solo.drain();
    assert!(noted(solo.request(&Method::Invite).headers()).is_empty());
}

#[test]
fn they_arrive_once_over_a_lossy_link() {
    let mut pair = Pair::new(Transport::Udp, 3);
    pair.loss = 20;
    let now = pair.time;
    pair.alice.with(&note("1")).call(now, "bob", OFFER).unwrap();
    pair.drain();
    pair.run(Duration::from_secs(30));
    let invites = pair.wire.iter().filter_map(|(_, who, m)| match m {
        Message::Request(r) if *who == Who::Alice && *r.method() == Method::Invite => {
            Some(noted(r.headers()))
        }
        _ => None,
    });
    assert!(invites.clone().count() > 0 && invites.into_iter().all(|noted| noted == ["1"]));
}
