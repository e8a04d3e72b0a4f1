//! The races of RFC 5407 that other tests here do not have, and peers that lie.

use std::format;
use std::vec::Vec;

use super::incoming::{accepted, established, send};
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method};
use crate::offer_answer::Turn;
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallState, End, Event, Side};

use Who::{Alice, Bob};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// RFC 5407 §3.1.1: the INVITE again after the 2xx: the transaction absorbs it.
#[test]
fn rfc5407_3_1_1_the_invite_again_after_the_2xx() {
    let mut solo = Solo::with(super::config("sip:alice@example.com"), Transport::Udp);
    let branch = solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    solo.send_branch("INVITE", &branch, &INVITE, OFFER);
    assert!(solo.events.is_empty());
    solo.sent.clear();
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
}

/// RFC 5407 §3.1.2: a CANCEL crosses the 2xx: 200 to it, and the call stands.
#[test]
fn rfc5407_3_1_2_a_cancel_after_the_2xx() {
    let mut solo = Solo::new();
    let branch = solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let mut lines: Vec<&str> = INVITE[..3].to_vec();
    lines.push("CSeq: 10 CANCEL");
    solo.send_branch("CANCEL", &branch, &lines, "");
    solo.response(200);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    // Then the caller acknowledges and hangs up.
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    send(&mut solo, &ok, "BYE", 11, &[], "");
    solo.response(200);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason: None } });
}

/// RFC 5407 §3.1.3, §3.1.6: a BYE before the ACK ends the call, and no more 2xx go out.
#[test]
fn rfc5407_3_1_3_a_bye_before_the_ack() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    send(&mut solo, &ok, "BYE", 11, &[], "");
    solo.response(200);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason: None } });
    assert_eq!(solo.event(), Event::Released { call });
    solo.advance(secs(40));
    solo.nothing_sent();
}

/// RFC 5407 §3.2.1: both hang up at once: 200 to each.
#[test]
fn rfc5407_3_2_1_byes_that_cross() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    send(&mut solo, &ok, "BYE", 11, &[], "");
    solo.response(200);
    solo.reply(&bye, 481, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
}

/// RFC 5407 §3.2.4: the ACK comes after our BYE was asked for: then the BYE goes out.
#[test]
fn rfc5407_3_2_4_the_ack_after_hanging_up() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.nothing_sent();
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.request(&Method::Bye);
}

/// RFC 5407 §3.3.2: an UPDATE with an offer crosses a re-INVITE: 491 to the UPDATE at least, and both agree in the end.
#[test]
fn rfc5407_3_3_2_update_and_reinvite_cross() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let second = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.ua.offer(solo.now, call, &second).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let offer = OFFER.replace("o=- 1 1", "o=- 1 2");
    send(&mut solo, &ok, "UPDATE", 11, &["Content-Type: application/sdp"], &offer);
    solo.response(491);
    solo.reply(&invite, 491, "", "");
    solo.request(&Method::Ack);
    // While ours waits, theirs may come; then ours, of the version before, no longer fits, and the user is told.
    send(&mut solo, &ok, "UPDATE", 12, &["Content-Type: application/sdp"], &offer);
    assert!(matches!(solo.event(), Event::Offered { .. }));
    solo.ua.answer(solo.now, call, &second).unwrap();
    solo.drain();
    solo.response(200);
    solo.advance(secs(5));
    let told = solo.events.drain(..).collect::<Vec<_>>();
    let again = solo.sent.iter().any(|(.., message)| {
        matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Invite)
    });
    assert!(again || matches!(told[..], [Event::OfferRefused { .. }]), "{told:?}");
}

/// §12.2.2: wrong tags, a CSeq from before, a stray ACK: each its answer, and the call goes on.
#[test]
fn rfc3261_12_2_2_a_peer_that_lies() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let before = solo.ua.session(call).unwrap().remote().cloned();
    let sdp = "Content-Type: application/sdp";
    let offer = OFFER.replace("o=- 1 1", "o=- 1 2");
    for method in ["INVITE", "UPDATE", "BYE", "INFO", "PRACK"] {
        // A CSeq from before.
        send(&mut solo, &ok, method, 9, &[sdp], &offer);
        assert_eq!(solo.response(500).reason(), "CSeq Out of Order");
        // The other side's tag, or ours, is wrong.
        for (from, to) in [("liar", ok.to_tag().unwrap()), ("bobtag", "liar")] {
            let lines = [
                format!("From: <sip:bob@example.com>;tag={from}"),
                format!("To: <sip:alice@example.com>;tag={to}"),
                "Call-ID: call-1".into(),
                format!("CSeq: 20 {method}"),
                "Contact: <sip:bob@z.invalid>".into(),
            ];
            let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
            solo.send(method, &lines, "");
            solo.response(481);
        }
    }
    // ACKs to nothing, with answers to nothing and another's UUID (RFC 7989 §8); 11 is an INVITE that was refused.
    send(&mut solo, &ok, "INVITE", 11, &[sdp, "Require: nonsense"], &offer);
    solo.response(420);
    let uuid = "Session-ID: b0000000000040008000000000000001;remote=00000000000000000000000000000000";
    for cseq in [1, 9, 11, 4_000_000] {
        send(&mut solo, &ok, "ACK", cseq, &[sdp, uuid], &offer);
    }
    // The one we had, again, with an answer.
    send(&mut solo, &ok, "ACK", 10, &[sdp], &offer);
    assert!(solo.ua.session_id(call).unwrap().remote.is_nil());
    // A PRACK to nothing.
    send(&mut solo, &ok, "PRACK", 21, &["RAck: 1 10 INVITE"], "");
    solo.response(481);
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    let session = solo.ua.session(call).unwrap();
    assert_eq!((session.remote().cloned(), session.turn()), (before, Turn::Stable));
}

/// §15.1.2: "a BYE in an early dialog" of a caller's fork ends nothing: only the caller may send one (§15).
#[test]
fn rfc3261_15_a_bye_of_the_callee_before_it_answers() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    solo.events.clear();
    let lines = [
        "From: <sip:bob@example.com>;tag=callee",
        &format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
        &format!("Call-ID: {}", invite.call_id()),
        "CSeq: 1 BYE",
    ];
    solo.send("BYE", &lines, "");
    solo.response(200);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.answer(&invite, "callee");
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
}

/// RFC 3326: who is no longer called for hears why.
#[test]
fn rfc3326_2_a_call_nobody_answers_is_cancelled_with_a_reason() {
    let mut pair = Pair::new(Transport::Udp, 5);
    pair.bob_answers = None;
    pair.call();
    pair.run(secs(70));
    let cancel = pair.wire.iter().find_map(|(_, who, message)| match message {
        crate::message::Message::Request(r) if *who == Alice && *r.method() == Method::Cancel => Some(r),
        _ => None,
    });
    let reason = cancel.unwrap().headers().first(HeaderName::Reason);
    assert_eq!(reason, Some("SIP;cause=480;text=\"No answer\""));
    let heard = pair.of(Bob).iter().any(|event| match event {
        Event::Ended { end: End::Canceled { by: Side::Remote, reason }, .. } => {
            reason.as_ref().and_then(|reason| reason.text()) == Some("No answer")
        }
        _ => false,
    });
    assert!(heard);
}
