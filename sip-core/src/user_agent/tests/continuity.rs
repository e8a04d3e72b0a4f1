//! Calls outlive their flows (RFC 5626 §4.5, RFC 3261 §12.2.1.2): they are asked about, and end only when the other
//! side says so or nothing.

use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::publications::publish;
use super::solo::Solo;
use super::subscriptions::standing;
use super::{ANSWER, OFFER, changes_asked, config, hop, incoming};
use crate::message::{HeaderName, Message, Method, Request};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, End, Event, Input, OutboundFlow};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An established call whose other side allows `methods`, a minute old.
fn established(solo: &mut Solo, methods: &str) -> CallId {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let lines = format!("Contact: <sip:bob@192.0.2.7>\r\nAllow: {methods}\r\n");
    solo.reply(&invite, 200, &lines, ANSWER);
    solo.request(&Method::Ack);
    solo.advance(secs(60));
    solo.events.clear();
    call
}

fn lose_flow(solo: &mut Solo) {
    let next = solo.hop.flow.0 + 1;
    solo.close();
    solo.advance(secs(3));
    assert!(solo.events.is_empty());
    solo.reopen(next);
    solo.accept_register(600);
    solo.events.clear();
}

#[test]
fn rfc3311_a_lost_flow_is_followed_by_an_update_without_offer() {
    let mut solo = Solo::registered();
    let call = established(&mut solo, "INVITE, ACK, BYE, UPDATE");
    lose_flow(&mut solo);
    let update = solo.request(&Method::Update);
    assert!(update.body().is_empty());
    assert_eq!(solo.sent.len(), 0, "once");
    solo.reply(&update, 200, "Contact: <sip:bob@192.0.2.8>\r\n", "");
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Bye).uri(), "sip:bob@192.0.2.8", "where the other side is now");
}

#[test]
fn rfc3261_14_1_without_update_it_is_a_reinvite_with_what_is_in_force() {
    let mut solo = Solo::registered();
    let call = established(&mut solo, "INVITE, ACK, BYE");
    lose_flow(&mut solo);
    let reinvite = solo.request(&Method::Invite);
    assert_eq!(reinvite.body(), OFFER.as_bytes());
    solo.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", ANSWER);
    solo.request(&Method::Ack);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3261_12_2_1_2_only_481_408_and_silence_end_the_call() {
    for status in [200, 400, 403, 430, 480, 488, 500, 503, 603] {
        let mut solo = Solo::registered();
        let call = established(&mut solo, "INVITE, UPDATE");
        lose_flow(&mut solo);
        let update = solo.request(&Method::Update);
        solo.reply(&update, status, "", "");
        assert!(solo.events.is_empty(), "{status}: {:?}", solo.events);
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established), "{status}");
    }
    for status in [408, 481] {
        let mut solo = Solo::registered();
        let call = established(&mut solo, "INVITE, UPDATE");
        lose_flow(&mut solo);
        let update = solo.request(&Method::Update);
        solo.reply(&update, status, "", "");
        let Event::Ended { call: ended, end: End::Failed(failure) } = solo.event() else { panic!() };
        assert_eq!((ended, failure.status), (call, Some(status)));
    }
    let mut solo = Solo::registered();
    established(&mut solo, "INVITE, UPDATE");
    lose_flow(&mut solo);
    solo.advance(secs(32) - Duration::from_micros(1));
    assert!(solo.events.is_empty());
    solo.advance(Duration::from_micros(1));
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Timeout);
}

/// Our user is asked something when the flow is lost. Once they have said no, nobody else would hear whether the other side
/// is still there; a yes to a re-INVITE has an ACK.
#[test]
fn rfc3261_12_2_1_2_a_call_whose_offer_waits_is_asked_about_when_that_is_refused() {
    for (method, taken, asks) in
        [("INVITE", false, true), ("INVITE", true, false), ("UPDATE", false, true), ("UPDATE", true, true)]
    {
        let mut solo = Solo::registered();
        let (call, ok) = incoming::established(&mut solo);
        let (offer, answer) = changes_asked::second("sendonly");
        incoming::send(&mut solo, &ok, method, 11, &["Content-Type: application/sdp"], &offer);
        assert!(matches!(solo.event(), Event::Offered { .. }));
        solo.sent.clear();
        lose_flow(&mut solo);
        let requests = |solo: &mut Solo| {
            let sent: Vec<Message> = solo.sent.drain(..).map(|(.., message)| message).collect();
            sent.into_iter().filter(|message| matches!(message, Message::Request(_))).count()
        };
        assert_eq!(requests(&mut solo), 0);
        match taken {
            true => solo.ua.answer(solo.now, call, &answer).unwrap(),
            false => solo.ua.refuse(solo.now, call).unwrap(),
        }
        solo.drain();
        assert_eq!(requests(&mut solo), usize::from(asks), "{method} {taken}");
        if !asks {
            incoming::send(&mut solo, &ok, "ACK", 11, &[], "");
            assert_eq!(requests(&mut solo), 0);
            continue;
        }
        // Nobody answers.
        solo.advance(secs(32));
        assert_eq!(solo.ua.call_state(call), Some(CallState::Ended), "{method} {taken}");
    }
}

#[test]
fn a_flow_that_flaps_repeats_one_request_under_its_branch() {
    let mut solo = Solo::registered();
    established(&mut solo, "INVITE, UPDATE");
    lose_flow(&mut solo);
    let first = solo.request(&Method::Update);
    for _ in 0..5 {
        lose_flow(&mut solo);
        assert_eq!(solo.request(&Method::Update).bytes(), first.bytes());
        solo.nothing_sent();
    }
    solo.reply(&first, 200, "", "");
    lose_flow(&mut solo);
    assert_ne!(solo.request(&Method::Update).branch(), first.branch());
}

#[test]
fn an_ended_call_and_one_that_was_never_in_doubt_are_not_asked_about() {
    let mut solo = Solo::registered();
    let call = established(&mut solo, "INVITE, UPDATE");
    // Registered anew over the same flow.
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.accept_register(600);
    solo.nothing_sent();
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
    solo.events.clear();
    lose_flow(&mut solo);
    solo.nothing_sent();
}

#[test]
fn rfc3261_14_2_an_unacknowledged_answer_asks_by_itself() {
    let mut solo = Solo::registered();
    solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.response(200);
    solo.close();
    solo.reopen(2);
    solo.accept_register(600);
    solo.advance(secs(4));
    assert!(solo.sent.iter().all(|(_, _, message)| matches!(message, Message::Response(_))));
}

/// Two flows, registered over flows 1 and 2.
fn two_flows() -> Solo {
    let mut config = config("sip:alice@example.com");
    config.flows = [1, 2].map(|reg_id| OutboundFlow { reg_id, proxy: None }).into();
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.accept_register(600);
    solo.hop = hop(2, Transport::Wss);
    solo.input(Input::FlowOpenedFor { reg_id: 2, hop: solo.hop });
    solo.accept_register(600);
    solo.events.clear();
    solo
}

fn over(solo: &Solo) -> u64 {
    solo.sent.front().expect("a message").1.flow.0
}

#[test]
fn rfc5626_4_3_requests_of_a_call_take_its_flow_or_another_after_it_was_lost() {
    let mut solo = two_flows();
    // A call that comes over the second flow stays there, although the first is preferred.
    solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let tag = ok.to_tag().unwrap().to_string();
    let to = format!("To: <sip:alice@example.com>;tag={tag}");
    solo.send("ACK", &["From: <sip:bob@example.com>;tag=bobtag", &to, "Call-ID: call-1", "CSeq: 10 ACK"], "");
    solo.ua.info(solo.now, call, "application/dtmf", "1").unwrap();
    solo.drain();
    assert_eq!(over(&solo), 2);
    let info: Request = solo.request(&Method::Info);
    solo.reply(&info, 200, "", "");
    // The first flow is nothing to it.
    solo.input(Input::FlowClosed(hop(1, Transport::Wss).flow));
    solo.nothing_sent();
    solo.input(Input::FlowOpened(hop(3, Transport::Wss)));
    let register = solo.request(&Method::Register);
    let contact = register.headers().first(HeaderName::Contact).unwrap().to_string();
    solo.hop = hop(3, Transport::Wss);
    solo.reply(&register, 200, &format!("Contact: {contact};expires=600\r\n"), "");
    solo.nothing_sent();
    // Its own is lost: at once over the other.
    solo.input(Input::FlowClosed(hop(2, Transport::Wss).flow));
    assert_eq!(over(&solo), 3);
    let probe = solo.request(&Method::Invite);
    assert_eq!(probe.body(), ANSWER.as_bytes());
    solo.reply(&probe, 200, "Contact: <sip:bob@y.invalid;transport=ws>\r\n", OFFER);
    assert_eq!(over(&solo), 3);
    solo.request(&Method::Ack);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(over(&solo), 3);
    solo.request(&Method::Bye);
}

/// What goes over one flow is nothing to another that is lost; over its own it is said again.
#[test]
fn rfc5626_4_5_events_are_said_again_only_if_their_own_flow_is_lost() {
    let mut solo = two_flows();
    let (_, subscribe) = standing(&mut solo);
    let (_, publish) = publish(&mut solo);
    solo.input(Input::FlowClosed(hop(2, Transport::Wss).flow));
    solo.nothing_sent();
    solo.hop = hop(3, Transport::Wss);
    solo.input(Input::FlowOpenedFor { reg_id: 2, hop: solo.hop });
    solo.accept_register(600);
    solo.nothing_sent();
    // Their own is lost: at once over the other.
    solo.input(Input::FlowClosed(hop(1, Transport::Wss).flow));
    assert_eq!(over(&solo), 3);
    let refresh = solo.request(&Method::Subscribe);
    assert_eq!(refresh.call_id(), subscribe.call_id());
    assert_eq!(over(&solo), 3);
    assert_eq!(solo.request(&Method::Publish).bytes(), publish.bytes(), "under its branch");
    // The first is back, and what is on its way over the second is lost with that.
    solo.hop = hop(4, Transport::Wss);
    solo.input(Input::FlowOpened(solo.hop));
    solo.accept_register(600);
    solo.nothing_sent();
    solo.input(Input::FlowClosed(hop(3, Transport::Wss).flow));
    assert_eq!(over(&solo), 4);
    assert_eq!(solo.request(&Method::Publish).bytes(), publish.bytes());
    assert_eq!(over(&solo), 4);
    assert_eq!(solo.request(&Method::Subscribe).bytes(), refresh.bytes());
    solo.nothing_sent();
}
