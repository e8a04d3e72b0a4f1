//! Offers of ours in a PRACK (RFC 3262 §5, RFC 6337 §2.2 pattern 5), and in an UPDATE of a call that stands (RFC 3311 §5.1).

use std::format;
use std::string::String;

use super::changes::{established, second_answer, secs};
use super::solo::Solo;
use super::{ANSWER, OFFER, config};
use crate::message::{HeaderName, Method, Request};
use crate::offer_answer::Turn;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, CommandError, Event};

fn second_offer() -> String {
    OFFER.replace("o=- 1 1", "o=- 1 2")
}

fn rseq(number: u32) -> String {
    format!("Contact: <sip:bob@192.0.2.7>\r\nRequire: 100rel\r\nRSeq: {number}\r\n")
}

fn rack(prack: &Request) -> &str {
    prack.headers().first(HeaderName::RAck).unwrap()
}

/// A call whose answer came in a reliable 183; its PRACK waits for five seconds.
fn held() -> (Solo, CallId, Request) {
    let mut config = config("sip:alice@example.com");
    config.prack_hold = secs(5);
    let mut solo = Solo::with(config, Transport::Wss);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 183, &rseq(7), ANSWER);
    assert!(matches!(solo.event(), Event::Progress { status: 183, sdp: Some(_), .. }));
    solo.nothing_sent();
    // It comes again for want of its PRACK.
    solo.advance(secs(1));
    solo.reply(&invite, 183, &rseq(7), ANSWER);
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    (solo, call, invite)
}

#[test]
fn rfc3262_5_an_offer_in_a_prack() {
    let (mut solo, call, invite) = held();
    solo.ua.offer(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    let prack = solo.request(&Method::Prack);
    assert_eq!((rack(&prack), prack.body()), ("7 1 INVITE", second_offer().as_bytes()));
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::LocalOffer);
    // One at a time.
    assert_eq!(
        solo.ua.offer(solo.now, call, &second_offer()),
        Err(CommandError::WrongState(CallState::Connecting))
    );
    solo.reply(&prack, 200, "", &second_answer());
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
    let session = solo.ua.session(call).unwrap();
    assert_eq!(&session.local().unwrap()[..], second_offer().as_bytes());
    assert_eq!(&session.remote().unwrap()[..], second_answer().as_bytes());
    // The 2xx says nothing more.
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    assert!(solo.request(&Method::Ack).body().is_empty());
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(second_answer()) });
}

#[test]
fn rfc3262_5_a_prack_without_an_offer_waits_no_longer_than_it_may() {
    let (mut solo, _, invite) = held();
    solo.advance(secs(4));
    let prack = solo.request(&Method::Prack);
    assert_eq!((rack(&prack), prack.body()), ("7 1 INVITE", &b""[..]));
    solo.reply(&prack, 200, "", "");
    // One without a description has nothing to wait for.
    solo.reply(&invite, 180, &rseq(8), "");
    assert_eq!(rack(&solo.request(&Method::Prack)), "8 1 INVITE");
    // The next response shows that it waits in vain.
    let (mut solo, _, invite) = held();
    solo.reply(&invite, 180, &rseq(8), "");
    assert_eq!(rack(&solo.request(&Method::Prack)), "7 1 INVITE");
    assert_eq!(rack(&solo.request(&Method::Prack)), "8 1 INVITE");
    // The 2xx or a CANCEL ends the wait.
    for ends in [true, false] {
        let (mut solo, call, invite) = held();
        if ends {
            solo.answer(&invite, "callee");
            solo.request(&Method::Ack);
        } else {
            solo.ua.cancel(solo.now, call).unwrap();
            solo.drain();
            let cancel = solo.request(&Method::Cancel);
            solo.reply(&cancel, 200, "", "");
            solo.reply(&invite, 487, "", "");
            solo.request(&Method::Ack);
        }
        solo.advance(secs(20));
        assert!(!solo.sent.iter().any(|(_, _, message)| {
            matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Prack)
        }));
    }
}

/// RFC 6337 §2.3: "UAC may send again a PRACK request without an offer"; the session stays as it was.
#[test]
fn rfc6337_2_3_an_offer_in_a_prack_that_is_refused() {
    let before = |solo: &Solo, call| {
        let session = solo.ua.session(call).unwrap();
        (session.local().cloned(), session.remote().cloned(), session.turn())
    };
    // 488, and an answer that is none.
    for (status, body) in
        [(488, String::new()), (200, String::new()), (200, ANSWER.replace("m=audio", "m=video"))]
    {
        let (mut solo, call, invite) = held();
        let agreed = before(&solo, call);
        solo.ua.offer(solo.now, call, &second_offer()).unwrap();
        solo.drain();
        let prack = solo.request(&Method::Prack);
        solo.reply(&prack, status, "", &body);
        let Event::OfferRefused { call: of, failure } = solo.event() else { panic!() };
        assert_eq!((of, failure.status), (call, Some(488).filter(|_| status == 488)));
        assert_eq!(before(&solo, call), agreed);
        if status == 488 {
            let again = solo.request(&Method::Prack);
            assert_eq!((rack(&again), again.body()), ("7 1 INVITE", &b""[..]));
            solo.reply(&again, 200, "", "");
        }
        solo.nothing_sent();
        solo.answer(&invite, "callee");
        solo.request(&Method::Ack);
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    }
}

/// The PRACK is repeated over the next flow like any request.
#[test]
fn rfc3262_5_an_offer_in_a_prack_outlives_its_flow() {
    let (mut solo, call, _) = held();
    solo.ua.offer(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    let prack = solo.request(&Method::Prack);
    solo.close();
    solo.reopen(2);
    solo.request(&Method::Invite);
    assert_eq!(solo.request(&Method::Prack).bytes(), prack.bytes());
    solo.reply(&prack, 200, "", &second_answer());
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
}

#[test]
fn rfc3311_5_1_an_offer_by_update_in_a_call_that_stands() {
    let (mut solo, call) = established();
    // Nobody has said that UPDATE is taken.
    assert_eq!(solo.ua.offer_promptly(solo.now, call, &second_offer()), Err(CommandError::NoUpdate));
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    let early = solo.ua.offer_promptly(solo.now, call, &second_offer());
    assert_eq!(early, Err(CommandError::WrongState(CallState::Connecting)));
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE\r\n", ANSWER);
    solo.request(&Method::Ack);
    solo.events.clear();
    // A person over there would have to be asked (§5.2): re-INVITE is another command.
    solo.ua.offer_promptly(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    assert_eq!(update.body(), second_offer().as_bytes());
    solo.reply(&update, 504, "", "");
    assert!(matches!(solo.event(), Event::OfferRefused { failure, .. } if failure.status == Some(504)));
    assert_eq!(&solo.ua.session(call).unwrap().local().unwrap()[..], OFFER.as_bytes());
    solo.ua.offer_promptly(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    solo.reply(&update, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &second_answer());
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: second_answer() });
    solo.nothing_sent();
}

/// RFC 3261 §13.2.2.4: a re-INVITE without offer that crosses our BYE: the offer in its 2xx is answered in the ACK.
#[test]
fn rfc5407_3_2_3_an_offer_in_a_2xx_that_crosses_the_bye() {
    let (mut solo, call) = established();
    solo.ua.solicit(solo.now, call).unwrap();
    solo.drain();
    let reinvite = solo.request(&Method::Invite);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Bye);
    solo.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &second_answer());
    let ack = solo.request(&Method::Ack);
    assert!(String::from_utf8_lossy(ack.body()).contains("m=audio 0 "));
}

#[test]
fn rfc3262_5_an_offer_in_a_prack_of_a_call_that_ended_has_no_outcome() {
    for accepted in [true, false] {
        let (mut solo, call, _) = held();
        solo.ua.offer(solo.now, call, &second_offer()).unwrap();
        solo.drain();
        let prack = solo.request(&Method::Prack);
        solo.ua.cancel(solo.now, call).unwrap();
        solo.drain();
        assert!(matches!(solo.event(), Event::Ended { .. }));
        match accepted {
            true => solo.reply(&prack, 200, "", &second_answer()),
            false => solo.reply(&prack, 488, "", ""),
        }
        assert!(solo.events.is_empty(), "{:?}", solo.events);
    }
}
