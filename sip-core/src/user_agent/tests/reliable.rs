//! Reliable provisional responses to our INVITE (RFC 3262 §4, §5), and what they make possible (RFC 3311).

use std::format;

use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method, Request};
use crate::offer_answer::Turn;
use crate::time::Duration;
use crate::user_agent::{CallId, CallState, CommandError, Event, Withdrawal};

fn rseq(number: u32) -> std::string::String {
    format!(
        "Require: 100rel\r\nRSeq: {number}\r\nContact: <sip:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE, PRACK\r\n"
    )
}

fn calling() -> (Solo, CallId, Request) {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(invite.headers().lists(HeaderName::Supported, "100rel"));
    (solo, call, invite)
}

fn rack(prack: &Request) -> &str {
    prack.headers().first(HeaderName::RAck).unwrap()
}

#[test]
fn rfc3262_4_each_gets_its_prack_in_order() {
    let (mut solo, call, invite) = calling();
    solo.reply(&invite, 180, &rseq(7), "");
    let prack = solo.request(&Method::Prack);
    assert_eq!(rack(&prack), "7 1 INVITE");
    assert_eq!((prack.uri(), prack.cseq().number), ("sip:bob@192.0.2.7", 2));
    assert!(matches!(solo.event(), Event::Progress { status: 180, .. }));
    // The same again, one after a gap, one from before: "MUST NOT be acknowledged with a PRACK, and MUST NOT be
    // processed further".
    for number in [7, 9, 6] {
        solo.reply(&invite, 183, &rseq(number), ANSWER);
        solo.nothing_sent();
        assert!(solo.events.is_empty(), "{number}");
    }
    solo.reply(&prack, 200, "", "");
    solo.reply(&invite, 183, &rseq(8), ANSWER);
    let prack = solo.request(&Method::Prack);
    assert_eq!(rack(&prack), "8 1 INVITE");
    assert_eq!(
        solo.event(),
        Event::Progress { call, status: 183, reason: "Session Progress".into(), sdp: Some(ANSWER.into()) }
    );
    // What becomes of a PRACK is no end of the call.
    solo.reply(&prack, 481, "", "");
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    // RFC 6337 §3.1: the 2xx says nothing more, and the CSeq goes on.
    let contact = "Contact: <sip:bob@192.0.2.7>\r\n";
    solo.reply(&invite, 200, contact, "");
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
    solo.request(&Method::Ack);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Bye).cseq().number, 4);
}

/// §4: "the sequence number space of each fork is its own".
#[test]
fn rfc3262_4_forks_count_for_themselves() {
    let (mut solo, _, invite) = calling();
    for (tag, number) in [("one", 5), ("two", 90), ("one", 6), ("two", 91)] {
        solo.reply_tagged(&invite, 183, Some(tag), &rseq(number), "");
        let prack = solo.request(&Method::Prack);
        assert_eq!((rack(&prack), prack.to_tag()), (&*format!("{number} 1 INVITE"), Some(tag)));
    }
}

#[test]
fn rfc3262_4_a_challenged_prack_goes_out_again() {
    let (mut solo, _, invite) = calling();
    solo.reply(&invite, 183, &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    let challenge =
        "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n";
    solo.reply(&prack, 407, challenge, "");
    let again = solo.request(&Method::Prack);
    assert!(again.headers().has(HeaderName::ProxyAuthorization));
    assert_eq!((rack(&again), again.cseq().number), ("1 1 INVITE", prack.cseq().number + 1));
}

/// §5: an INVITE without offer: theirs is in the 183, the answer in its PRACK, and the 2xx needs neither.
#[test]
fn rfc3262_5_an_offer_in_a_provisional_response() {
    let mut solo = Solo::new();
    let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    // An unreliable one cannot offer (§13.2.1).
    solo.reply(&invite, 183, "Contact: <sip:bob@192.0.2.7>\r\n", ANSWER);
    assert!(matches!(solo.event(), Event::Progress { sdp: None, .. }));
    solo.reply(&invite, 183, &rseq(1), ANSWER);
    assert!(matches!(solo.event(), Event::Progress { sdp: None, .. }));
    assert_eq!(solo.event(), Event::Offered { call, sdp: Some(ANSWER.into()) });
    solo.nothing_sent();
    solo.ua.answer(solo.now, call, OFFER).unwrap();
    solo.drain();
    let prack = solo.request(&Method::Prack);
    assert_eq!((rack(&prack), prack.body()), ("1 1 INVITE", OFFER.as_bytes()));
    solo.reply(&prack, 200, "", "");
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    assert!(solo.request(&Method::Ack).body().is_empty());
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
}

/// A callee that does not wait for the PRACK with the answer (§3) gets it in the ACK, as if the 2xx had offered.
#[test]
fn rfc3262_3_a_2xx_that_does_not_wait_for_the_answer() {
    for repeats in ["", ANSWER] {
        let mut solo = Solo::new();
        let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 183, &rseq(1), ANSWER);
        solo.event();
        assert!(matches!(solo.event(), Event::Offered { .. }));
        solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", repeats);
        assert_eq!(solo.event(), Event::Accepted { call, sdp: None });
        assert!(solo.events.is_empty() && solo.sent.is_empty());
        solo.ua.answer(solo.now, call, OFFER).unwrap();
        solo.drain();
        assert_eq!(solo.request(&Method::Ack).body(), OFFER.as_bytes());
        solo.nothing_sent();
        assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    }
}

/// Two forks offer: our user hears of the newest, and the older one is answered without media.
#[test]
fn rfc3262_5_of_two_forks_offers_the_newest_counts() {
    let mut solo = Solo::new();
    let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply_tagged(&invite, 183, Some("one"), &rseq(1), ANSWER);
    solo.nothing_sent();
    solo.events.clear();
    solo.reply_tagged(&invite, 183, Some("two"), &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    assert_eq!(prack.to_tag(), Some("one"));
    assert!(matches!(solo.event(), Event::Progress { .. }));
    assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::Overtaken });
    assert!(matches!(solo.event(), Event::Offered { .. }));
    assert!(std::string::String::from_utf8_lossy(prack.body()).contains("m=audio 0 "));
    solo.ua.answer(solo.now, call, OFFER).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Prack).to_tag(), Some("two"));
}

/// RFC 3311 §5.1: before the 2xx, an UPDATE, and only where an answer is known to have arrived.
#[test]
fn rfc3311_5_1_update_of_a_call_that_rings() {
    let (mut solo, call, invite) = calling();
    let second = OFFER.replace("o=- 1 1", "o=- 1 2");
    let early = Err(CommandError::WrongState(CallState::Connecting));
    assert_eq!(solo.ua.offer(solo.now, call, &second), early);
    let allow = "Contact: <sip:bob@192.0.2.7>\r\nAllow: UPDATE\r\n";
    solo.reply_tagged(&invite, 183, Some("one"), allow, ANSWER);
    assert_eq!(solo.ua.offer(solo.now, call, &second), early, "an unreliable answer is none yet");
    solo.reply_tagged(&invite, 183, Some("two"), &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    solo.reply_tagged(&prack, 200, Some("two"), "", "");
    solo.events.clear();
    solo.ua.offer(solo.now, call, &second).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    assert_eq!((update.to_tag(), update.body()), (Some("two"), second.as_bytes()));
    assert!(update.headers().has(HeaderName::Contact));
    let answer = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.reply_tagged(&update, 200, Some("two"), "Contact: <sip:bob@192.0.2.9>\r\n", &answer);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: answer.clone() });
    // It wins, with what it said last.
    solo.reply_tagged(&invite, 200, Some("two"), "Contact: <sip:bob@192.0.2.9>\r\n", "");
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(answer) });
    assert_eq!(solo.ua.session(call).unwrap().local().unwrap(), second.as_bytes());
}

/// RFC 3311 §5.2: and theirs to us. A 481 there ends nothing but the change.
#[test]
fn rfc3311_5_2_update_to_a_caller() {
    let (mut solo, call, invite) = calling();
    solo.reply(&invite, 183, &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    solo.reply(&prack, 200, "", "");
    solo.events.clear();
    let lines = [
        "From: <sip:bob@example.com>;tag=callee",
        &format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
        &format!("Call-ID: {}", invite.call_id()),
        "CSeq: 1 UPDATE",
        "Contact: <sip:bob@192.0.2.10>",
        "Content-Type: application/sdp",
    ];
    let offer = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.send("UPDATE", &lines, &offer);
    assert_eq!(solo.event(), Event::Offered { call, sdp: Some(offer) });
    let answer = OFFER.replace("o=- 1 1", "o=- 1 2");
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).body(), answer.as_bytes());
    solo.ua.offer(solo.now, call, &OFFER.replace("o=- 1 1", "o=- 1 3")).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    assert_eq!(update.uri(), "sip:bob@192.0.2.10", "target refresh");
    solo.reply(&update, 481, "", "");
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
}

/// §13.2.1: "the UAC MUST treat the first session description it receives as the answer": what a dialog says after that
/// is ignored, whatever it says.
#[test]
fn rfc3261_13_2_1_the_first_description_counts() {
    let (mut solo, call, invite) = calling();
    let contact = "Contact: <sip:bob@192.0.2.7>\r\n";
    let other = ANSWER.replace("o=- 2 1", "o=- 2 9").replace("m=audio 9", "m=audio 7");
    // An illegal one is none.
    solo.reply(&invite, 183, contact, &ANSWER.replace("m=audio", "m=video"));
    solo.reply(&invite, 183, contact, ANSWER);
    solo.reply(&invite, 183, contact, &other);
    let told: std::vec::Vec<_> = solo.events.drain(..).collect();
    let sdps = told.iter().map(|event| match event {
        Event::Progress { sdp, .. } => sdp.as_deref(),
        _ => panic!(),
    });
    assert_eq!(sdps.collect::<std::vec::Vec<_>>(), [None, Some(ANSWER), None]);
    solo.reply(&invite, 200, contact, &other);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
}

/// Endless 1xx keep nobody longer than our user's patience, and cost nothing.
#[test]
fn rfc3261_13_3_1_1_endless_progress_ends() {
    let (mut solo, call, invite) = calling();
    for number in 1..=5000 {
        solo.reply_tagged(&invite, 180 + (number % 4) as u16, Some("one"), &rseq(number), "");
        if let Some(prack) = solo.sent.pop_front() {
            let crate::message::Message::Request(prack) = prack.2 else { panic!() };
            solo.reply(&prack, 200, "", "");
        }
        solo.events.clear();
        solo.advance(Duration::from_millis(11));
    }
    assert!(solo.ua.layer.len() < 1000, "{}", solo.ua.layer.len());
    solo.advance(Duration::from_secs(6));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ended));
    let _ = solo.request(&Method::Cancel);
}

/// §12.2.2: what is overtaken by a request with a higher CSeq is refused, and a response without its PRACK ends the call.
#[test]
fn rfc3261_12_2_2_an_update_does_not_overtake_the_prack() {
    let second = OFFER.replace("o=- 1 1", "o=- 1 2");
    for answered in [true, false] {
        let (mut solo, call, invite) = calling();
        solo.reply(&invite, 183, &rseq(1), ANSWER);
        let prack = solo.request(&Method::Prack);
        solo.events.clear();
        solo.ua.offer(solo.now, call, &second).unwrap();
        assert!(matches!(solo.ua.offer(solo.now, call, &second), Err(CommandError::Description(_))));
        solo.drain();
        solo.nothing_sent();
        if answered {
            solo.reply(&prack, 200, "", "");
            let update = solo.request(&Method::Update);
            assert_eq!((update.cseq().number, update.body()), (prack.cseq().number + 1, second.as_bytes()));
        } else {
            // The 2xx was faster: it goes by re-INVITE at once.
            solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
            solo.request(&Method::Ack);
            assert_eq!(solo.request(&Method::Invite).body(), second.as_bytes());
            solo.reply(&prack, 500, "", "");
            solo.nothing_sent();
        }
    }
    // Another fork is the call: nothing comes of it.
    let (mut solo, call, invite) = calling();
    solo.reply_tagged(&invite, 183, Some("one"), &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    solo.ua.offer(solo.now, call, &second).unwrap();
    solo.drain();
    solo.events.clear();
    solo.answer(&invite, "two");
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    assert!(matches!(solo.event(), Event::Accepted { .. }));
    solo.reply_tagged(&prack, 200, Some("one"), "", "");
    solo.nothing_sent();
    assert!(solo.events.is_empty());
}
