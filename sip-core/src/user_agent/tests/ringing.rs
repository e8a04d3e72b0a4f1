//! Calls that ring here when their flow is lost (RFC 6026 §7.1, §8.8): they ring on, and are answered over the next.

use std::string::String;

use super::incoming::{offered, send};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::message::{HeaderName, Message, Method};
use crate::time::Duration;
use crate::transport::{FlowId, Hop, Transport};
use crate::user_agent::{CallId, CallState, Cause, End, Event, Input, OutboundFlow, Side};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Bob's call rings, and its flow is lost.
fn away() -> (Solo, CallId, String) {
    let mut solo = Solo::registered();
    let (call, branch) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    solo.response(180);
    solo.close();
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    (solo, call, branch)
}

fn back(solo: &mut Solo) {
    solo.reopen(solo.hop.flow.0 + 1);
    solo.accept_register(600);
    solo.events.clear();
}

fn lost(solo: &mut Solo, call: CallId) {
    let Event::Ended { call: ended, end: End::Failed(failure) } = solo.event() else { panic!() };
    assert_eq!((ended, failure.cause), (call, Cause::FlowLost));
    assert_eq!(solo.event(), Event::Released { call });
    assert!(solo.events.is_empty());
}

#[test]
fn rfc6026_7_1_a_call_that_rings_is_answered_over_the_next_flow() {
    let (mut solo, call, _) = away();
    solo.advance(secs(10));
    back(&mut solo);
    // Whoever waits there hears how far it is.
    solo.response(180);
    assert!(solo.events.is_empty());
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    // The bound is gone with the answer.
    solo.advance(secs(60));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    assert!(solo.events.is_empty());
}

#[test]
fn rfc6026_7_1_a_call_that_is_answered_while_away() {
    let (mut solo, call, _) = away();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.nothing_sent();
    back(&mut solo);
    solo.advance(secs(4));
    let ok = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
}

#[test]
fn rfc6026_7_1_a_call_that_is_refused_while_away() {
    let (mut solo, call, _) = away();
    solo.ua.reject(solo.now, call, 486, None).unwrap();
    solo.drain();
    solo.nothing_sent();
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(486, None) });
    back(&mut solo);
    assert!(solo.response(486).to_tag().is_some());
    solo.advance(secs(40));
    assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
}

#[test]
fn rfc3261_9_2_a_call_that_rings_is_canceled_over_the_next_flow() {
    let (mut solo, call, branch) = away();
    back(&mut solo);
    solo.response(180);
    solo.send_branch("CANCEL", &branch, &[INVITE[0], INVITE[1], INVITE[2], "CSeq: 10 CANCEL"], "");
    solo.response(200);
    solo.response(487);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Canceled { by: Side::Remote, reason: None } });
}

#[test]
fn rfc6026_8_8_a_call_whose_flow_does_not_come_back_ends() {
    let (mut solo, call, _) = away();
    solo.advance(secs(32) - Duration::from_micros(1));
    assert!(solo.events.is_empty());
    solo.advance(Duration::from_micros(1));
    lost(&mut solo, call);
    solo.advance(secs(32));
    assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
}

/// The flow is back, and nothing is heard of the caller: it was told long ago that nobody answers.
#[test]
fn a_call_nobody_asks_about_any_more_rings_no_longer() {
    let (mut solo, call, _) = away();
    solo.advance(secs(10));
    back(&mut solo);
    solo.response(180);
    solo.advance(secs(22));
    solo.response(480);
    lost(&mut solo, call);
}

/// Whoever forwarded the INVITE repeats it where we are now, under its branch.
#[test]
fn rfc3261_17_2_3_an_invite_repeated_over_the_next_flow_finds_its_call() {
    let (mut solo, call, branch) = away();
    solo.reopen(2);
    solo.request(&Method::Register);
    solo.send_branch("INVITE", &branch, &INVITE, OFFER);
    solo.response(180);
    assert!(solo.events.is_empty());
    // Whoever repeats it still waits, for longer than a lost flow is.
    solo.advance(secs(40));
    solo.sent.clear();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.response(200);
}

/// It comes with another branch, through a proxy that tries our other flow or was restarted: one call, and one ringing.
#[test]
fn rfc3261_8_2_2_2_an_invite_that_comes_anew_goes_on_ringing() {
    let (mut solo, call, _) = away();
    solo.reopen(2);
    solo.request(&Method::Register);
    let mut lines = INVITE.to_vec();
    lines.push("Record-Route: <sip:second.example;lr>");
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let route = "<sip:second.example;lr>";
    let ringing = solo.response(180);
    assert_eq!(ringing.headers().first(HeaderName::RecordRoute), Some(route));
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.calls().count(), 1);
    // No bound any more: it is heard of.
    solo.advance(secs(40));
    solo.sent.clear();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(ok.to_tag(), ringing.to_tag());
    send(&mut solo, &ok, "ACK", 10, &[], "");
    send(&mut solo, &ok, "BYE", 11, &[], "");
    solo.response(200);
    solo.advance(secs(40));
    let load = solo.ua.load();
    assert_eq!((load.calls, load.farewells), (0, 0));
}

/// Another INVITE of the same caller is another call.
#[test]
fn rfc3261_8_2_2_2_another_invite_is_another_call() {
    let (mut solo, call, _) = away();
    back(&mut solo);
    solo.response(180);
    let mut lines = INVITE.to_vec();
    lines[2] = "Call-ID: call-2";
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    assert!(matches!(solo.event(), Event::Incoming { call: other, .. } if other != call));
    // The first again, with another branch: it goes on ringing, and its old transaction is over.
    solo.send("INVITE", &INVITE, OFFER);
    solo.response(100);
    solo.response(480);
    solo.response(180);
    assert!(solo.events.is_empty());
    // And once more: now it was forked on its way.
    solo.send("INVITE", &INVITE, OFFER);
    solo.response(482);
    assert_eq!(solo.ua.calls().count(), 2);
}

/// With several flows: only the server that the INVITE came through knows of it.
#[test]
fn rfc5626_5_3_the_answer_goes_back_to_the_server_the_invite_came_through() {
    let mut config = config("sip:alice@example.com");
    config.flows = [1, 2].map(|reg_id| OutboundFlow { reg_id, proxy: None }).into();
    let mut solo = Solo::with(config, Transport::Wss);
    solo.register();
    let second = Hop { flow: FlowId(20), ..solo.hop };
    solo.input(Input::FlowOpenedFor { reg_id: 2, hop: second });
    solo.accept_register(600);
    solo.events.clear();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    solo.response(180);
    solo.close();
    solo.nothing_sent();
    solo.reopen(3);
    solo.accept_register(600);
    let (_, hop, message) = solo.sent.pop_front().unwrap();
    assert_eq!(hop.flow, FlowId(3));
    assert!(matches!(message, Message::Response(response) if response.status() == 180));
}
