//! 3xx answers followed (RFC 3261 §8.1.3.4).

use std::format;
use std::string::String;
use std::vec::Vec;

use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, CommandError, End, Event};

fn calling(redirections: u8) -> (Solo, CallId, Request) {
    calling_with(redirections, false)
}

fn calling_with(redirections: u8, asked: bool) -> (Solo, CallId, Request) {
    let mut config = super::config("sip:alice@example.com");
    config.redirections = redirections;
    config.redirections_asked = asked;
    let mut solo = Solo::with(config, Transport::Wss);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    (solo, call, invite)
}

/// The next INVITE after this answer.
fn refused(solo: &mut Solo, invite: &Request, status: u16, contacts: &str) -> Request {
    let fields = if contacts.is_empty() { String::new() } else { format!("Contact: {contacts}\r\n") };
    solo.reply(invite, status, &fields, "");
    solo.request(&Method::Ack);
    solo.request(&Method::Invite)
}

#[track_caller]
fn failed(solo: &mut Solo, cause: Cause) {
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, cause);
    assert!(matches!(solo.event(), Event::Released { .. }));
    solo.nothing_sent();
}

#[test]
fn rfc3261_8_1_3_4_contacts_are_tried_by_q() {
    let (mut solo, call, first) = calling(5);
    let contacts = "<sip:a@x.example>;q=0.3, <mailto:b@x.example>, <sip:c@x.example;method=BYE?Subject=x>;q=0.9, \
                    <sip:d@x.example>;q=0.9";
    let second = refused(&mut solo, &first, 302, contacts);
    assert_eq!(second.uri(), "sip:c@x.example", "without method and headers");
    // §8.1.3.4: To, From and Call-ID of the old one, a new branch and CSeq.
    assert_eq!(second.to().uri, first.to().uri);
    assert_eq!((second.call_id(), second.from_tag()), (first.call_id(), first.from_tag()));
    assert_eq!(second.cseq().number, 2);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.body(), first.body());
    let third = refused(&mut solo, &second, 486, "");
    assert_eq!(third.uri(), "sip:d@x.example");
    let fourth = refused(&mut solo, &third, 404, "");
    assert_eq!(fourth.uri(), "sip:a@x.example");
    assert!(solo.events.is_empty());
    solo.reply(&fourth, 200, "Contact: <sip:a@192.0.2.7>\r\n", ANSWER);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
}

/// §8.1.3.4: "a given URI MUST NOT be added to the target set more than once": redirections in a loop end.
#[test]
fn rfc3261_8_1_3_4_redirections_in_a_loop() {
    let (mut solo, _, first) = calling(200);
    let back = "<sip:b@x.example>, <sip:bob@EXAMPLE.com>";
    let second = refused(&mut solo, &first, 302, "<sip:b@x.example>");
    solo.reply(&second, 302, &format!("Contact: {back}\r\n"), "");
    solo.request(&Method::Ack);
    failed(&mut solo, Cause::Redirected);
}

#[test]
fn rfc3261_8_1_3_4_redirections_without_end() {
    // Each leads to a new place, and a hundred are named at once.
    for (limit, tried) in [(3, 3), (200, crate::limits::REDIRECTIONS)] {
        let (mut solo, _, mut invite) = calling(limit);
        for round in 0..tried {
            let many: Vec<String> = (0..100).map(|n| format!("<sip:u{n}@r{round}.example>")).collect();
            invite = refused(&mut solo, &invite, 302, &many.join(", "));
        }
        solo.reply(&invite, 302, "Contact: <sip:one@more.example>\r\n", "");
        solo.request(&Method::Ack);
        failed(&mut solo, Cause::Redirected);
    }
}

#[test]
fn rfc3261_21_6_a_6xx_ends_all() {
    let (mut solo, _, first) = calling(5);
    let second = refused(&mut solo, &first, 300, "<sip:a@x.example>, <sip:b@x.example>");
    solo.reply(&second, 603, "", "");
    solo.request(&Method::Ack);
    failed(&mut solo, Cause::Declined);
}

#[test]
fn a_call_that_was_given_up_goes_nowhere() {
    let (mut solo, call, invite) = calling(5);
    solo.reply(&invite, 180, "", "");
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Cancel);
    solo.reply(&invite, 302, "Contact: <sip:a@x.example>\r\n", "");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
}

const CONTACTS: &str = "<sip:a@x.example>;q=0.3, <mailto:b@x.example>, <sip:bob@example.com>, <sip:c@x.example>;q=0.9, <sip:d@x.example>;q=0.9";

/// A call that is sent elsewhere, and our user is asked.
fn asked(redirections: u8) -> (Solo, CallId) {
    let (mut solo, call, first) = calling_with(redirections, true);
    solo.reply(&first, 302, &format!("Contact: {CONTACTS}\r\n"), "");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    (solo, call)
}

#[track_caller]
fn told(solo: &mut Solo) -> Vec<String> {
    let Event::Redirected { status: 302, targets, response, .. } = solo.event() else { panic!() };
    assert_eq!(response.status(), 302);
    targets.iter().map(|target| format!("{} {}", target.uri, target.q)).collect()
}

#[test]
fn rfc3261_8_1_3_4_our_user_decides_which_contacts_are_tried_and_in_which_order() {
    let (mut solo, call) = asked(5);
    assert_eq!(told(&mut solo), ["sip:c@x.example 0.9", "sip:d@x.example 0.9", "sip:a@x.example 0.3"]);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
    // Nothing but what was named, and nothing twice.
    for wrong in [&["sip:e@x.example"][..], &["sip:a@x.example", "sip:a@x.example"]] {
        assert_eq!(solo.ua.follow(solo.now, call, wrong), Err(CommandError::InvalidTarget));
    }
    solo.drain();
    solo.nothing_sent();
    solo.ua.follow(solo.now, call, &["sip:a@x.example", "sip:d@x.example"]).unwrap();
    solo.drain();
    let second = solo.request(&Method::Invite);
    assert_eq!((second.uri(), second.cseq().number), ("sip:a@x.example", 2));
    let over = Err(CommandError::WrongState(CallState::Connecting));
    assert_eq!(solo.ua.follow(solo.now, call, &["sip:c@x.example"]), over);
    // The next 3xx asks again; what was left out may come again, what was tried may not.
    let contacts = "<sip:c@x.example>, <sip:a@x.example>, <sip:d@x.example>";
    solo.reply(&second, 302, &format!("Contact: {contacts}\r\n"), "");
    solo.request(&Method::Ack);
    assert_eq!(told(&mut solo), ["sip:c@x.example 1"]);
    solo.ua.follow(solo.now, call, &["sip:c@x.example"]).unwrap();
    solo.drain();
    let third = solo.request(&Method::Invite);
    assert_eq!(third.uri(), "sip:c@x.example");
    // What was chosen before still waits.
    let fourth = refused(&mut solo, &third, 486, "");
    assert_eq!(fourth.uri(), "sip:d@x.example");
    solo.reply(&fourth, 200, "Contact: <sip:d@192.0.2.7>\r\n", ANSWER);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
}

#[test]
fn rfc3261_8_1_3_4_our_user_goes_nowhere() {
    let (mut solo, call) = asked(5);
    told(&mut solo);
    solo.ua.follow(solo.now, call, &[]).unwrap();
    solo.drain();
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!((failure.cause, failure.status, failure.contacts.len()), (Cause::Redirected, Some(302), 5));
    assert_eq!(solo.event(), Event::Released { call });
    solo.nothing_sent();
    // Hung up while asked: there is nothing to cancel.
    let (mut solo, call) = asked(5);
    told(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert!(matches!(solo.event(), Event::Ended { end: End::Canceled { .. }, .. }));
    assert_eq!(solo.event(), Event::Released { call });
    solo.nothing_sent();
    // Nobody decides.
    let (mut solo, _) = asked(5);
    told(&mut solo);
    solo.advance(Duration::from_secs(61));
    failed(&mut solo, Cause::NoAnswer);
    // No place is left, or none may be tried: nobody is asked.
    let (mut solo, call, first) = calling_with(5, true);
    solo.reply(&first, 302, "Contact: <mailto:b@x.example>\r\n", "");
    solo.request(&Method::Ack);
    failed(&mut solo, Cause::Redirected);
    assert_eq!(solo.ua.call_state(call), None);
    let (mut solo, _, first) = calling_with(0, true);
    solo.reply(&first, 302, &format!("Contact: {CONTACTS}\r\n"), "");
    solo.request(&Method::Ack);
    failed(&mut solo, Cause::Redirected);
}

#[test]
fn rfc3261_8_1_3_4_our_user_decides_while_there_is_no_flow() {
    let (mut solo, call) = asked(5);
    told(&mut solo);
    solo.close();
    solo.ua.follow(solo.now, call, &["sip:a@x.example"]).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reopen(2);
    assert_eq!(solo.request(&Method::Invite).uri(), "sip:a@x.example");
    // It is given up before.
    let (mut solo, call) = asked(5);
    told(&mut solo);
    solo.close();
    solo.ua.follow(solo.now, call, &["sip:a@x.example"]).unwrap();
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    assert!(matches!(solo.event(), Event::Ended { .. }));
    assert_eq!(solo.event(), Event::Released { call });
    solo.reopen(2);
    solo.nothing_sent();
}

/// The same address once more, through the proxy that the Contact names; after our own, and loosely.
#[test]
fn rfc3261_21_3_4_use_proxy() {
    let (mut solo, call, first) = calling(5);
    let routes = |request: &Request| -> Vec<String> {
        request.headers().list(HeaderName::Route).map(Into::into).collect()
    };
    assert!(routes(&first).is_empty());
    let second =
        refused(&mut solo, &first, 305, "<sip:p1.x.example>, <sip:p2.x.example;transport=tcp;lr>;q=0.5");
    assert_eq!((second.uri(), second.cseq().number), (first.uri(), 2));
    assert_eq!(routes(&second), ["<sip:p1.x.example;lr>"]);
    let challenge = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    solo.reply(&second, 407, challenge, "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    assert_eq!((again.uri(), routes(&again)), (first.uri(), routes(&second)));
    // The next proxy, then somewhere else without any.
    let third = refused(&mut solo, &again, 503, "");
    assert_eq!(
        (third.uri(), routes(&third)),
        (first.uri(), ["<sip:p2.x.example;transport=tcp;lr>".into()].into())
    );
    let fourth = refused(&mut solo, &third, 302, "<sip:carol@x.example>");
    assert_eq!((fourth.uri(), routes(&fourth)), ("sip:carol@x.example", Vec::new()));
    // Round and round it does not go.
    solo.reply(&fourth, 305, "Contact: <sip:p1.x.example>\r\n", "");
    solo.request(&Method::Ack);
    failed(&mut solo, Cause::Redirected);
    assert_eq!(solo.ua.call_state(call), None);
    // As our user decides.
    let (mut solo, call, first) = calling_with(5, true);
    solo.reply(&first, 305, "Contact: <sip:p1.x.example>\r\n", "");
    solo.request(&Method::Ack);
    let Event::Redirected { status: 305, targets, .. } = solo.event() else { panic!() };
    assert_eq!(targets[0].uri, "sip:p1.x.example");
    solo.ua.follow(solo.now, call, &["sip:p1.x.example"]).unwrap();
    solo.drain();
    let second = solo.request(&Method::Invite);
    assert_eq!((second.uri(), routes(&second)), (first.uri(), ["<sip:p1.x.example;lr>".into()].into()));
}
