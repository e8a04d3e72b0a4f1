//! Lost flows and leaving: what waits, what is repeated, what ends.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::user_agent::{CallId, CallState, Cause, End, Event, RegisterError, RequestError, Side};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn calling(solo: &mut Solo) -> (CallId, Request) {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    (call, solo.request(&Method::Invite))
}

fn established(solo: &mut Solo) -> (CallId, Request) {
    let (call, invite) = calling(solo);
    solo.answer(&invite, "callee");
    let ack = solo.request(&Method::Ack);
    solo.events.clear();
    (call, ack)
}

#[track_caller]
fn ended(solo: &mut Solo, cause: Cause) {
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, cause);
}

#[test]
fn hanging_up_while_away_is_said_after_registering() {
    let mut solo = Solo::registered();
    let (call, _) = established(&mut solo);
    solo.advance(secs(60));
    solo.close();
    solo.advance(secs(10));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established), "a call outlives its flow");
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } });
    solo.nothing_sent();
    // Our user does not wait for ever; the other side is told all the same.
    solo.advance(secs(31));
    assert!(solo.events.is_empty());
    solo.advance(secs(1));
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.call_state(call), None);
    solo.advance(secs(3600));
    solo.nothing_sent();
    solo.reopen(2);
    assert_eq!(solo.sent.len(), 1, "REGISTER first, and nothing before its answer");
    solo.accept_register(600);
    let bye = solo.request(&Method::Bye);
    assert_eq!(bye.headers().first(HeaderName::Route), Some("<sip:p.example;lr>"));
    assert!(matches!(solo.event(), Event::Registered { .. }));
    assert!(solo.events.is_empty());
    // That flow is lost, too.
    solo.close();
    solo.reopen(3);
    solo.accept_register(600);
    let again = solo.request(&Method::Bye);
    assert_eq!(again.bytes(), bye.bytes());
    solo.reply(&again, 200, "", "");
    solo.advance(secs(3600));
    assert!(!solo.events.iter().any(|event| matches!(event, Event::Released { .. })), "once");
}

#[test]
fn hanging_up_before_the_registration_is_back_waits_for_it() {
    let mut solo = Solo::registered();
    let (call, _) = established(&mut solo);
    solo.close();
    solo.reopen(2);
    solo.ua.hangup(solo.now, call).unwrap();
    assert_eq!(
        solo.ua.info(solo.now, call, "application/dtmf", "1"),
        Err(RequestError::WrongState(CallState::Ended))
    );
    solo.drain();
    assert_eq!(solo.sent.len(), 1);
    solo.accept_register(600);
    solo.request(&Method::Ack);
    solo.request(&Method::Bye);
}

/// A registration that is refused for good holds nothing back.
#[test]
fn a_refused_registration_lets_the_bye_go() {
    let mut solo = Solo::registered();
    let (call, _) = established(&mut solo);
    solo.close();
    solo.ua.hangup(solo.now, call).unwrap();
    solo.reopen(2);
    let register = solo.request(&Method::Register);
    solo.reply(&register, 403, "", "");
    solo.request(&Method::Ack);
    solo.request(&Method::Bye);
}

#[test]
fn the_ack_goes_out_again_over_the_new_flow() {
    let mut solo = Solo::registered();
    let (_, ack) = established(&mut solo);
    solo.close();
    solo.reopen(2);
    solo.accept_register(600);
    assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
    let probe = solo.request(&Method::Invite);
    solo.reply(&probe, 488, "", "");
    solo.request(&Method::Ack);
    // Not for ever.
    solo.advance(secs(33));
    solo.close();
    solo.reopen(3);
    solo.accept_register(600);
    solo.request(&Method::Invite);
    solo.nothing_sent();
}

#[test]
fn an_unanswered_invite_is_repeated_over_the_new_flow() {
    let mut solo = Solo::registered();
    let (call, invite) = calling(&mut solo);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.close();
    solo.advance(secs(5));
    assert!(solo.events.is_empty());
    solo.reopen(2);
    solo.accept_register(600);
    let again = solo.request(&Method::Invite);
    assert_eq!(again.bytes(), invite.bytes());
    solo.reply(&again, 180, "", "");
    solo.advance(secs(40));
    solo.nothing_sent();
    solo.events.clear();
    solo.answer(&again, "callee");
    solo.request(&Method::Ack);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
}

#[test]
fn an_invite_whose_flow_does_not_come_back_fails() {
    let mut solo = Solo::registered();
    let (call, invite) = calling(&mut solo);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.close();
    solo.advance(secs(32));
    ended(&mut solo, Cause::FlowLost);
    assert_eq!(solo.event(), Event::Released { call });
    // Should it ring over there yet, it stops when we are back.
    solo.reopen(2);
    solo.accept_register(600);
    let cancel = solo.request(&Method::Cancel);
    assert_eq!((cancel.branch(), cancel.uri()), (invite.branch(), invite.uri()));
    assert_eq!(cancel.cseq().number, invite.cseq().number);
    solo.reply(&cancel, 481, "", "");
    solo.nothing_sent();
}

#[test]
fn a_repeated_invite_nobody_knows_ends_in_time() {
    let mut solo = Solo::registered();
    let (call, invite) = calling(&mut solo);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.close();
    solo.advance(secs(20));
    solo.reopen(2);
    solo.accept_register(600);
    solo.request(&Method::Invite);
    solo.events.clear();
    solo.advance(secs(12));
    ended(&mut solo, Cause::FlowLost);
    solo.advance(secs(32));
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.call_state(call), None);
}

#[test]
fn hanging_up_an_unanswered_call_while_away() {
    let mut solo = Solo::registered();
    let (call, invite) = calling(&mut solo);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.close();
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Canceled { by: Side::Local, reason: None } });
    assert_eq!(solo.event(), Event::Released { call });
    solo.reopen(2);
    solo.accept_register(600);
    assert_eq!(solo.request(&Method::Cancel).branch(), invite.branch());
}

/// The call was given up while its flow was down, and somebody has answered it: ACK and BYE, whenever that is heard.
#[test]
fn rfc3261_13_2_2_4_a_2xx_to_an_invite_given_up_while_away() {
    for patient in [false, true] {
        let mut solo = Solo::registered();
        let (call, invite) = calling(&mut solo);
        solo.reply(&invite, 180, "", "");
        solo.close();
        if patient {
            solo.advance(secs(32));
        } else {
            solo.ua.hangup(solo.now, call).unwrap();
            solo.drain();
        }
        solo.sent.clear();
        solo.reopen(2);
        solo.accept_register(600);
        let cancel = solo.request(&Method::Cancel);
        solo.events.clear();
        solo.answer(&invite, "callee");
        let ack = solo.request(&Method::Ack);
        assert_eq!((ack.cseq().number, ack.to_tag()), (invite.cseq().number, Some("callee")));
        let bye = solo.request(&Method::Bye);
        assert_eq!(bye.to_tag(), Some("callee"));
        // The ACK was lost.
        solo.answer(&invite, "callee");
        assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
        solo.reply(&cancel, 200, "", "");
        solo.reply(&bye, 200, "", "");
        assert!(solo.events.is_empty(), "it has ended long ago: {:?}", solo.events);
        assert_eq!(solo.ua.counters().stray_responses, 0);
        solo.advance(secs(33));
        assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
        // And no longer.
        solo.answer(&invite, "callee");
        solo.nothing_sent();
        assert_eq!(solo.ua.counters().stray_responses, 1);
    }
}

#[test]
fn an_answer_whose_ack_is_missing_goes_out_over_the_new_flow() {
    let mut solo = Solo::registered();
    solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    solo.close();
    solo.advance(secs(3));
    solo.nothing_sent();
    solo.reopen(2);
    solo.accept_register(600);
    solo.advance(secs(4));
    assert_eq!(solo.response(200).bytes(), ok.bytes());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    solo.events.clear();
    solo.sent.clear();
    solo.advance(secs(25));
    ended(&mut solo, Cause::NotAcknowledged);
    assert!(solo.sent.iter().any(|(_, _, m)| matches!(m, crate::message::Message::Request(r)
        if *r.method() == Method::Bye)));
}

#[test]
fn shutting_down_ends_calls_then_the_registration() {
    let mut solo = Solo::registered();
    let (first, _) = established(&mut solo);
    solo.invite();
    solo.response(100);
    let Event::Incoming { call: second, .. } = solo.event() else { panic!() };
    solo.ua.shutdown(solo.now);
    solo.drain();
    let bye = solo.request(&Method::Bye);
    // Not 603, which would silence the person's other devices.
    solo.response(480);
    solo.nothing_sent();
    assert_eq!(
        solo.event(),
        Event::Ended { call: first, end: End::Hangup { by: Side::Local, reason: None } }
    );
    assert_eq!(solo.event(), Event::Ended { call: second, end: End::rejected(480, None) });
    assert_eq!(solo.ua.register(solo.now), Err(RegisterError::ShutDown));
    let mut lines: Vec<&str> = INVITE.to_vec();
    lines[2] = "Call-ID: late";
    solo.send("INVITE", &lines, OFFER);
    solo.response(486);
    solo.reply(&bye, 480, "", "");
    let remove = solo.request(&Method::Register);
    assert_eq!(remove.headers().first(HeaderName::Expires), Some("0"));
    solo.reply(&remove, 200, "", "");
    let tail: Vec<Event> = solo.events.drain(..).skip(1).collect();
    assert_eq!(tail, [Event::Released { call: first }, Event::Unregistered, Event::ShutDown]);
}

#[test]
fn shutting_down_never_hangs() {
    let mut solo = Solo::registered();
    established(&mut solo);
    calling(&mut solo);
    solo.ua.shutdown(solo.now);
    solo.advance(secs(100));
    assert_eq!(solo.events.back(), Some(&Event::ShutDown));

    let mut solo = Solo::registered();
    established(&mut solo);
    calling(&mut solo);
    solo.close();
    solo.ua.shutdown(solo.now);
    solo.drain();
    assert_eq!(solo.events.back(), Some(&Event::ShutDown));
    let released = solo.events.iter().filter(|event| matches!(event, Event::Released { .. })).count();
    assert_eq!(released, 2);

    let mut solo = Solo::new();
    solo.ua.shutdown(solo.now);
    solo.drain();
    assert_eq!(solo.events, [Event::ShutDown]);
}

#[test]
fn a_flow_that_closes_in_the_middle_of_shutting_down() {
    let mut solo = Solo::registered();
    established(&mut solo);
    solo.ua.shutdown(solo.now);
    solo.drain();
    solo.close();
    assert_eq!(solo.events.back(), Some(&Event::ShutDown));
    let mut solo = Solo::registered();
    solo.ua.shutdown(solo.now);
    solo.drain();
    solo.close();
    assert_eq!(solo.events.back(), Some(&Event::ShutDown));
}

/// Both hang up at once: both BYEs are answered.
#[test]
fn crossing_byes() {
    let mut solo = Solo::registered();
    let (call, ack) = established(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    let lines: [String; 4] = [
        String::from("From: <sip:bob@example.com>;tag=callee"),
        format!("To: <sip:alice@example.com>;tag={}", ack.from_tag().unwrap()),
        format!("Call-ID: {}", ack.call_id()),
        String::from("CSeq: 1 BYE"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    solo.send("BYE", &lines, "");
    solo.response(200);
    solo.reply(&bye, 481, "", "");
    let released = solo.events.iter().filter(|event| matches!(event, Event::Released { .. })).count();
    assert_eq!(released, 1);
}

/// BYEs that cannot be said are capped.
#[test]
fn farewells_are_capped() {
    let mut solo = Solo::registered();
    for _ in 0..crate::limits::FAREWELLS + 5 {
        let (call, _) = established(&mut solo);
        solo.advance(secs(33));
        solo.sent.clear();
        solo.close();
        solo.ua.hangup(solo.now, call).unwrap();
        solo.reopen(solo.hop.flow.0 + 1);
        // The REGISTER is left without an answer, so nothing may be said.
        solo.sent.clear();
        solo.drain();
    }
    assert_eq!(solo.ua.farewells.len(), crate::limits::FAREWELLS);
    assert_eq!(solo.ua.counters().dropped_farewells, 5);
    let released = solo.events.iter().filter(|event| matches!(event, Event::Released { .. })).count();
    assert!(released <= 5);
}

/// Who had it before knows it again, and its answer is the same.
#[test]
fn rfc3261_17_2_3_a_bye_whose_flow_was_lost_is_repeated_under_its_branch() {
    let mut solo = Solo::registered();
    let (call, _) = established(&mut solo);
    // Nothing of how it was made is under way any more.
    solo.advance(secs(60));
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    for flow in [2, 3] {
        solo.close();
        solo.reopen(flow);
        solo.accept_register(600);
        assert_eq!(solo.request(&Method::Bye).bytes(), bye.bytes());
        solo.nothing_sent();
    }
    // What was answered is said anew.
    solo.reply(&bye, 480, "Retry-After: 5\r\n", "");
    solo.advance(secs(5));
    let next = solo.request(&Method::Bye);
    assert_eq!(next.cseq().number, bye.cseq().number + 1);
    assert_ne!(next.branch(), bye.branch());
    solo.reply(&next, 200, "", "");
    assert_eq!(solo.ua.load().farewells, 0);
}
