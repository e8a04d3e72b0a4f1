//! Offers in a 2xx, which answers an INVITE of ours that has none (RFC 3261 §13.2.1, §13.2.2.4): the answer goes in the ACK.

use std::string::String;

use super::changes::{established, second_answer, secs, talking};
use super::pair::{Pair, Who};
use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method};
use crate::transport::Transport;
use crate::user_agent::{CallState, Cause, End, Event};

use Who::{Alice, Bob};

/// §13.2.1: "a re-INVITE with no session description", and an INVITE without: the answer goes in the ACK.
#[test]
fn rfc3261_13_2_1_offers_in_a_2xx() {
    let (mut pair, alices, _) = talking(Transport::Udp, 3);
    let now = pair.time;
    pair.alice.solicit(now, alices).unwrap();
    pair.drain();
    pair.run(secs(5));
    pair.agree();
    assert!(pair.of(Bob).iter().any(|e| matches!(e, Event::Offered { sdp: None, .. })));
    assert!(pair.of(Alice).iter().any(|e| matches!(e, Event::Offered { sdp: Some(_), .. })));
    assert!(pair.of(Bob).iter().any(|e| matches!(e, Event::OfferAnswered { .. })), "in the ACK");

    let mut pair = Pair::new(Transport::Udp, 4);
    let now = pair.time;
    let call = pair.alice.call_offerless(now, "bob").unwrap();
    pair.drain();
    pair.run(secs(5));
    pair.agree();
    let events = pair.of(Alice);
    assert!(events.contains(&Event::Accepted { call, sdp: None }));
    assert!(matches!(events.last(), Some(Event::Offered { sdp: Some(_), .. })));
    assert!(matches!(pair.of(Bob).last(), Some(Event::Confirmed { sdp: Some(_), .. })));
}

/// The 2xx comes again and again until our user has answered; then the ACK goes out, once for each.
#[test]
fn rfc3261_13_2_2_4_the_ack_waits_for_the_answer() {
    let mut solo = Solo::new();
    let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(invite.body().is_empty());
    solo.answer(&invite, "callee");
    solo.answer(&invite, "callee");
    solo.nothing_sent();
    assert_eq!(solo.event(), Event::Accepted { call, sdp: None });
    assert_eq!(solo.event(), Event::Offered { call, sdp: Some(ANSWER.into()) });
    assert!(solo.events.is_empty());
    solo.ua.answer(solo.now, call, OFFER).unwrap();
    solo.drain();
    let ack = solo.request(&Method::Ack);
    assert_eq!(ack.body(), OFFER.as_bytes());
    solo.answer(&invite, "callee");
    assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
    // Nobody answers: an answer that takes nothing, then BYE (§14.2).
    for refuses in [true, false] {
        let mut solo = Solo::new();
        let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.answer(&invite, "callee");
        if refuses {
            solo.ua.refuse(solo.now, call).unwrap();
            solo.drain();
        } else {
            solo.advance(secs(20));
        }
        let ack = solo.request(&Method::Ack);
        assert!(String::from_utf8_lossy(ack.body()).contains("m=audio 0 "));
        solo.request(&Method::Bye);
        assert_eq!(solo.ua.call_state(call), Some(CallState::Ended));
    }
}

/// Our user hangs up instead of answering: the 2xx still gets an ACK with an answer, and then the BYE goes.
#[test]
fn rfc3261_13_2_2_4_hanging_up_before_the_answer_acknowledges_the_2xx() {
    for solicited in [false, true] {
        let (mut solo, call, invite) = if solicited {
            let (mut solo, call) = established();
            solo.ua.solicit(solo.now, call).unwrap();
            solo.drain();
            let invite = solo.request(&Method::Invite);
            solo.reply(&invite, 200, "", &second_answer());
            (solo, call, invite)
        } else {
            let mut solo = Solo::new();
            let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
            solo.drain();
            let invite = solo.request(&Method::Invite);
            solo.answer(&invite, "callee");
            (solo, call, invite)
        };
        solo.nothing_sent();
        solo.events.clear();
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        let ack = solo.request(&Method::Ack);
        assert_eq!(ack.cseq().number, invite.cseq().number);
        assert!(String::from_utf8_lossy(ack.body()).contains("m=audio 0 "));
        let bye = solo.request(&Method::Bye);
        solo.reply(&bye, 200, "", "");
        solo.advance(secs(64));
        solo.nothing_sent();
        assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
    }
}

/// The same while there is no flow: the ACK waits for one, and the BYE for the ACK.
#[test]
fn rfc3261_13_2_2_4_hanging_up_before_the_answer_while_away() {
    for back in [true, false] {
        let mut solo = Solo::new();
        let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.answer(&invite, "callee");
        solo.close();
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        solo.nothing_sent();
        if back {
            solo.advance(secs(5));
            solo.reopen(2);
            let ack = solo.request(&Method::Ack);
            assert!(String::from_utf8_lossy(ack.body()).contains("m=audio 0 "));
            let bye = solo.request(&Method::Bye);
            solo.reply(&bye, 200, "", "");
        } else {
            solo.advance(secs(40));
            solo.reopen(2);
            let bye = solo.request(&Method::Bye);
            solo.reply(&bye, 481, "", "");
        }
        solo.advance(secs(64));
        solo.nothing_sent();
        assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
    }
}

/// "If the offer in the 2xx response is not acceptable": an answer that takes nothing, then BYE.
#[test]
fn rfc3261_13_2_2_4_an_illegal_offer_in_a_2xx_is_answered_and_the_call_ended() {
    let failed = |solo: &mut Solo, call| {
        let Event::Ended { call: ended, end: End::Failed(failure) } = solo.event() else { panic!() };
        assert_eq!((ended, failure.cause), (call, Cause::NotAcceptable));
    };
    let (mut solo, call) = established();
    solo.ua.solicit(solo.now, call).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    // Another payload type's meaning, and an older version (RFC 3264 §8).
    let illegal = ANSWER.replace("o=- 2 1", "o=- 2 0").replace("m=audio", "m=video");
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &illegal);
    let ack = solo.request(&Method::Ack);
    assert!(String::from_utf8_lossy(ack.body()).contains("m=video 0 "));
    let bye = solo.request(&Method::Bye);
    assert!(bye.headers().first(HeaderName::Reason).unwrap().contains("cause=488"));
    failed(&mut solo, call);
    solo.reply(&bye, 200, "", "");
    solo.advance(secs(64));
    assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
    // Nothing offered where something has to be: there is no session.
    let mut solo = Solo::new();
    let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    assert!(solo.request(&Method::Ack).body().is_empty());
    solo.request(&Method::Bye);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: None });
    failed(&mut solo, call);
    // In a call that stands the session goes on.
    let (mut solo, call) = established();
    solo.ua.solicit(solo.now, call).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    assert!(solo.request(&Method::Ack).body().is_empty());
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    solo.nothing_sent();
}
