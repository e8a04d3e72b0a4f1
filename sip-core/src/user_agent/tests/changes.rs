//! Changes of a session that we ask for, and two user agents that ask at once.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::pair::{Pair, Who};
use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method, Request};
use crate::offer_answer::{Fault, Turn};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, CommandError, End, Event, Failure, Input, Side};

use Who::{Alice, Bob};

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn talking(transport: Transport, seed: u64) -> (Pair, CallId, CallId) {
    let mut pair = Pair::new(transport, seed);
    let call = pair.call();
    pair.run(secs(5));
    let bobs = pair.bobs().unwrap();
    pair.agree();
    (pair, call, bobs)
}

/// The version after the first of [`OFFER`].
fn second_offer() -> String {
    OFFER.replace("o=- 1 1", "o=- 1 2")
}

/// A call of ours, answered, over a WebSocket.
pub(super) fn established() -> (Solo, CallId) {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    (solo, call)
}

fn reinvite(solo: &mut Solo, call: CallId) -> Request {
    solo.ua.offer(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    solo.request(&Method::Invite)
}

/// An answer to the second offer.
pub(super) fn second_answer() -> String {
    ANSWER.replace("o=- 2 1", "o=- 2 2")
}

#[test]
fn rfc3264_8_4_hold_and_resume_from_both_sides() {
    for transport in [Transport::Ws, Transport::Udp] {
        for holder in [Alice, Bob] {
            let (mut pair, alices, bobs) = talking(transport, 1);
            let call = if holder == Alice { alices } else { bobs };
            let other = if holder == Alice { bobs } else { alices };
            for hold in [true, false] {
                let now = pair.time;
                let ua = pair.ua(holder);
                let asked = if hold { ua.hold(now, call) } else { ua.resume(now, call) };
                asked.unwrap();
                pair.drain();
                pair.run(secs(5));
                pair.agree();
                assert_eq!(pair.ua(holder).session(call).unwrap().holds(), hold);
                let other_side = if holder == Alice { &pair.bob } else { &pair.alice };
                assert_eq!(other_side.session(other).unwrap().is_held(), hold);
            }
            assert_eq!(pair.count(holder, &Method::Invite), if holder == Alice { 3 } else { 2 });
            let answered =
                |who| pair.of(who).iter().filter(|e| matches!(e, Event::OfferAnswered { .. })).count();
            let other = if holder == Alice { Bob } else { Alice };
            assert_eq!((answered(holder), answered(other)), (2, 0));
        }
    }
}

/// §14.1: "the UAC that generated the Call-ID" waits 2.1 to 4 s, the other up to 2 s, and both get their change.
#[test]
fn rfc3261_14_1_reinvites_that_cross() {
    for seed in 0..20 {
        let (mut pair, alices, bobs) = talking(Transport::Udp, seed);
        let now = pair.time;
        pair.alice.hold(now, alices).unwrap();
        pair.bob.hold(now, bobs).unwrap();
        pair.drain();
        pair.run(secs(10));
        pair.agree();
        let session = pair.alice.session(alices).unwrap();
        assert!(session.holds() && session.is_held(), "both hold");
        assert_eq!((pair.count(Alice, &Method::Invite), pair.count(Bob, &Method::Invite)), (3, 2));
        let times = |who| {
            let sent = pair.wire.iter().filter(move |(at, from, message)| {
                *from == who
                    && *at > now
                    && matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Invite)
            });
            sent.map(|(at, ..)| at.since(now).as_millis()).collect::<Vec<_>>()
        };
        // A round trip passes before either knows.
        assert!((2140..=4040).contains(&times(Alice)[0]), "{:?}", times(Alice));
        assert!((40..=2040).contains(&times(Bob)[0]), "{:?}", times(Bob));
    }
}

/// A session that is changed over and over on a network that loses, doubles and reorders.
#[test]
fn changes_survive_a_bad_network() {
    for seed in 0..60 {
        let mut pair = Pair::new(Transport::Udp, seed);
        pair.loss = 20;
        pair.duplication = 20;
        pair.jitter = Duration::from_millis(150);
        let call = pair.call();
        pair.run(secs(40));
        if pair.state(Alice) != Some(CallState::Established) {
            continue;
        }
        for round in 0..4 {
            let (now, Some(bobs)) = (pair.time, pair.bobs()) else { break };
            let hold = round % 2 == 0;
            let asked = if hold { pair.alice.hold(now, call) } else { pair.alice.resume(now, call) };
            if asked.is_err() {
                break;
            }
            // Every other time both at once.
            if seed % 2 == 0 {
                let _ = pair.bob.hold(now, bobs);
            }
            pair.drain();
            pair.run(secs(100));
            if pair.state(Alice) == Some(CallState::Established) && pair.state(Bob) == pair.state(Alice) {
                pair.agree();
            }
        }
        let now = pair.time;
        let _ = pair.alice.hangup(now, call);
        pair.drain();
        pair.loss = 0;
        pair.drive();
        for who in [Alice, Bob] {
            let ended = pair.of(who).iter().filter(|e| matches!(e, Event::Ended { .. })).count();
            assert!(ended <= 1);
            assert_eq!(pair.state(who), None, "{seed}");
        }
        assert_eq!((pair.alice.calls.len(), pair.bob.calls.len()), (0, 0), "{seed}");
        assert!(pair.alice.layer.is_empty() && pair.bob.layer.is_empty(), "{seed}");
    }
}

#[test]
fn rfc3261_14_1_a_refused_change_leaves_the_call_as_it_was() {
    for status in [488, 606, 403, 603, 503] {
        let (mut solo, call) = established();
        let before = solo.ua.session(call).unwrap().local().cloned();
        let invite = reinvite(&mut solo, call);
        assert_eq!(invite.uri(), "sip:bob-callee@192.0.2.7");
        assert_eq!(invite.body(), second_offer().as_bytes());
        assert_eq!(
            solo.ua.hold(solo.now, call),
            Err(CommandError::Description(Fault::Turn(Turn::LocalOffer))),
            "one at a time"
        );
        solo.reply(&invite, status, "", "");
        solo.request(&Method::Ack);
        let Event::OfferRefused { failure, .. } = solo.event() else { panic!() };
        assert_eq!(failure.status, Some(status));
        assert_eq!(solo.ua.session(call).unwrap().local().cloned(), before);
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
        // It may be tried again.
        let invite = reinvite(&mut solo, call);
        let contact = "Contact: <sip:bob@192.0.2.8>\r\n";
        solo.reply(&invite, 200, contact, &second_answer());
        let ack = solo.request(&Method::Ack);
        assert_eq!(
            (ack.uri(), ack.cseq().number),
            ("sip:bob@192.0.2.8", invite.cseq().number),
            "target refresh"
        );
        assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
        solo.nothing_sent();
        // The 2xx again gets its ACK again, and the first one's its own.
        solo.reply(&invite, 200, contact, &second_answer());
        assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
        assert!(solo.events.is_empty());
    }
}

#[test]
fn rfc3261_12_2_1_2_a_change_that_nobody_knows_or_answers_ends_the_call() {
    for status in [Some(481), Some(408), None] {
        let (mut solo, call) = established();
        let invite = reinvite(&mut solo, call);
        match status {
            Some(status) => {
                solo.reply(&invite, status, "", "");
                solo.request(&Method::Ack);
            }
            None => {
                solo.advance(secs(33));
                assert!(!solo.sent.is_empty());
            }
        }
        let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
        assert_eq!(failure.status, status);
        let bye = loop {
            match solo.sent.pop_front().unwrap().2 {
                crate::message::Message::Request(r) if *r.method() == Method::Bye => break r,
                _ => {}
            }
        };
        solo.reply(&bye, 481, "", "");
        assert_eq!(solo.event(), Event::Released { call });
        solo.advance(secs(70));
        assert_eq!(solo.ua.calls.len(), 0);
        assert!(solo.ua.layer.is_empty());
    }
}

#[test]
fn rfc3261_22_2_a_change_that_is_challenged() {
    let (mut solo, call) = established();
    let invite = reinvite(&mut solo, call);
    let challenge =
        "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n";
    solo.reply(&invite, 407, challenge, "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    assert!(again.headers().has(HeaderName::ProxyAuthorization));
    assert_eq!(again.cseq().number, invite.cseq().number + 1);
    assert_eq!(again.body(), invite.body());
    solo.reply(&again, 200, "", &second_answer());
    let ack = solo.request(&Method::Ack);
    assert!(ack.headers().has(HeaderName::ProxyAuthorization), "§13.2.2.4");
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
}

/// §14.2: 500 says when to come again.
#[test]
fn rfc3261_14_2_a_change_that_has_to_wait() {
    let (mut solo, call) = established();
    let mut invite = reinvite(&mut solo, call);
    for _ in 0..7 {
        solo.reply(&invite, 500, "Retry-After: 3\r\n", "");
        solo.request(&Method::Ack);
        assert!(solo.events.is_empty());
        solo.advance(Duration::from_millis(2999));
        solo.nothing_sent();
        solo.advance(Duration::from_millis(1));
        invite = solo.request(&Method::Invite);
        assert_eq!(invite.body(), second_offer().as_bytes());
    }
    solo.reply(&invite, 500, "Retry-After: 3\r\n", "");
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferRefused { .. }), "not for ever");
    solo.advance(secs(60));
    solo.nothing_sent();
}

/// RFC 3264 §6, RFC 6337 §3.1: an answer that is none, or that the offer did not ask for, changes nothing.
#[test]
fn rfc3264_6_an_illegal_answer_is_no_answer() {
    for answer in
        ["", &second_answer().replace("m=audio", "m=video"), &second_answer().replace(" 111", " 96")]
    {
        let (mut solo, call) = established();
        let before = solo.ua.session(call).unwrap().remote().cloned();
        let invite = reinvite(&mut solo, call);
        solo.reply(&invite, 200, "", answer);
        solo.request(&Method::Ack);
        let failure = Failure::of(Cause::NotAcceptable);
        assert_eq!(solo.event(), Event::OfferRefused { call, failure });
        assert_eq!(solo.ua.session(call).unwrap().remote().cloned(), before);
    }
}

/// §8.3.2: "MUST NOT change for the duration of a session", in answers neither: whichever way ours was asked, it is as good as
/// refused, and both the session and the call are what they were.
#[test]
fn rfc3264_8_3_2_an_answer_that_changes_what_a_number_means_is_no_answer() {
    let (opus, other) = ("a=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:111 L16/48000/2\r\n");
    for method in [Method::Invite, Method::Update] {
        let mut solo = Solo::new();
        let call = solo.ua.call(solo.now, "bob", &format!("{OFFER}{opus}")).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        let first = format!("{ANSWER}{opus}");
        let lines = "Contact: <sip:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE\r\n";
        solo.reply(&invite, 200, lines, &first);
        solo.request(&Method::Ack);
        solo.events.clear();
        let offer = format!("{}{opus}", second_offer());
        match method {
            Method::Invite => solo.ua.offer(solo.now, call, &offer).unwrap(),
            _ => solo.ua.offer_promptly(solo.now, call, &offer).unwrap(),
        }
        solo.drain();
        let request = solo.request(&method);
        solo.reply(&request, 200, lines, &format!("{}{other}", second_answer()));
        if method == Method::Invite {
            solo.request(&Method::Ack);
        }
        let failure = Failure::of(Cause::NotAcceptable);
        assert_eq!(solo.event(), Event::OfferRefused { call, failure });
        let session = solo.ua.session(call).unwrap();
        assert_eq!((session.remote().unwrap(), session.turn()), (&first.into(), Turn::Stable));
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
        solo.nothing_sent();
    }
}

#[test]
fn rfc3264_8_an_illegal_offer_of_ours_is_not_sent() {
    let (mut solo, call) = established();
    assert_eq!(
        solo.ua.offer(solo.now, call, &OFFER.replace("111", "96")),
        Err(CommandError::Description(Fault::Version))
    );
    assert_eq!(
        solo.ua.answer(solo.now, call, ANSWER),
        Err(CommandError::Description(Fault::Turn(Turn::Stable)))
    );
    assert_eq!(solo.ua.refuse(solo.now, call), Err(CommandError::Description(Fault::Turn(Turn::Stable))));
    let large = OFFER.replace("1 1", "1 2") + &"a=x\r\n".repeat(13_000);
    assert!(matches!(
        solo.ua.offer(solo.now, call, &large),
        Err(CommandError::Description(_) | CommandError::TooLarge)
    ));
    solo.nothing_sent();
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    solo.close();
    assert_eq!(solo.ua.hold(solo.now, call), Err(CommandError::Offline));
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    // Nor before there is a session, or after.
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    assert_eq!(solo.ua.hold(solo.now, call), Err(CommandError::WrongState(CallState::Connecting)));
}

/// RFC 5407 §3.2.3: a 2xx to our re-INVITE crosses our BYE.
#[test]
fn rfc5407_3_2_3_a_2xx_that_crosses_the_bye_is_acknowledged() {
    let (mut solo, call) = established();
    let invite = reinvite(&mut solo, call);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } });
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call });
    solo.reply(&invite, 200, "", &second_answer());
    assert_eq!(solo.request(&Method::Ack).cseq().number, invite.cseq().number);
    assert!(solo.events.is_empty());
    solo.advance(secs(64));
    assert_eq!(solo.ua.calls.len(), 0);
    assert_eq!(solo.ua.poll_timeout(), None);
}

/// The flow breaks under a re-INVITE: it goes out again over the next one, the same; and if there is none, the call
/// is what it was.
#[test]
fn a_change_outlives_its_flow() {
    let (mut solo, call) = established();
    // Until then the first ACK goes out again too.
    solo.advance(secs(32));
    let invite = reinvite(&mut solo, call);
    solo.close();
    solo.reopen(2);
    let again = solo.request(&Method::Invite);
    assert_eq!(again.bytes(), invite.bytes());
    solo.reply(&again, 200, "", &second_answer());
    solo.request(&Method::Ack);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Invite);
    solo.close();
    solo.advance(secs(32));
    let Event::OfferRefused { failure, .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::FlowLost);
    assert!(!solo.ua.session(call).unwrap().holds());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn every_change_of_a_call_that_ends_leaves_nothing_behind() {
    for answers in [true, false] {
        let (mut pair, alices, _) = talking(Transport::Udp, 9);
        pair.answers_offers = answers;
        let now = pair.time;
        pair.alice.hold(now, alices).unwrap();
        pair.drain();
        pair.run(Duration::from_millis(30));
        let now = pair.time;
        pair.alice.hangup(now, alices).unwrap();
        pair.drain();
        pair.drive();
        assert_eq!((pair.alice.calls.len(), pair.bob.calls.len()), (0, 0));
        assert!(pair.alice.layer.is_empty() && pair.bob.layer.is_empty());
        let _ = format!("{:?}", pair.alice);
    }
}

/// §9.1: a re-INVITE that was heard and never answered, for a proxy has restarted, is canceled and given up; the call
/// stays as it was.
#[test]
fn rfc3261_9_1_a_reinvite_without_a_final_answer_is_canceled() {
    let (mut solo, call) = established();
    let invite = reinvite(&mut solo, call);
    solo.reply_tagged(&invite, 100, None, "", "");
    solo.advance(secs(89));
    solo.nothing_sent();
    solo.advance(secs(2));
    solo.request(&Method::Cancel);
    solo.advance(secs(33));
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    solo.ua.hold(solo.now, call).unwrap();
}

/// The same in a call that ends before the last silence: its end is the change's.
#[test]
fn rfc3261_9_1_a_canceled_reinvite_of_a_call_that_ended_is_not_told() {
    let (mut solo, call) = established();
    let invite = reinvite(&mut solo, call);
    solo.reply_tagged(&invite, 100, None, "", "");
    solo.advance(secs(90));
    solo.request(&Method::Cancel);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 200, "", "");
    solo.events.clear();
    solo.advance(secs(64));
    assert!(
        solo.events.iter().all(|event| !matches!(event, Event::OfferRefused { .. })),
        "{:?}",
        solo.events
    );
    assert_eq!((solo.ua.load().calls, solo.ua.load().purposes), (0, 0));
}

/// RFC 6026 §7.2: with Timer M the ACKs are over too, also of a call that has been left meanwhile.
#[test]
fn rfc6026_7_2_no_timer_is_due_after_it_fired() {
    let (mut solo, call) = established();
    solo.advance(secs(31));
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    while let Some(at) = solo.ua.poll_timeout() {
        solo.now = solo.now.max(at);
        solo.input(Input::Timeout);
        assert!(solo.ua.poll_timeout().is_none_or(|next| next > at), "{:?}", solo.ua.load());
    }
    assert_eq!(solo.ua.load().calls, 0);
}
