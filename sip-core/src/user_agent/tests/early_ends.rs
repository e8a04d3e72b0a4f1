//! What was asked in an early dialog that comes to nothing: another fork answers, or the INVITE goes out again. Each change has its
//! outcome, each question is taken back, each request is answered.

use std::format;
use std::string::String;

use super::solo::Solo;
use super::{ANSWER, OFFER, config};
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, Cause, CommandError, Event, Withdrawal};

const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\"\r\n";

fn rseq(number: u32) -> String {
    let fields = "Require: 100rel\r\nContact: <sip:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE, PRACK\r\n";
    format!("{fields}RSeq: {number}\r\n")
}

fn second_offer() -> String {
    OFFER.replace("o=- 1 1", "o=- 1 2")
}

/// What becomes of the early dialog.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    AnotherAnswers,
    Challenged,
    SentOn,
}

const ALL: [Then; 3] = [Then::AnotherAnswers, Then::Challenged, Then::SentOn];

fn solo(hold: Duration) -> Solo {
    let mut config = config("sip:alice@example.com");
    config.prack_hold = hold;
    config.redirections = 3;
    Solo::with(config, Transport::Wss)
}

fn pracked(solo: &mut Solo, invite: &Request) {
    solo.reply_tagged(invite, 183, Some("one"), &rseq(1), ANSWER);
    let prack = solo.request(&Method::Prack);
    solo.reply_tagged(&prack, 200, Some("one"), "", "");
    assert!(matches!(solo.event(), Event::Progress { sdp: Some(_), .. }));
}

fn end_dialog(solo: &mut Solo, invite: &Request, then: Then) {
    match then {
        Then::AnotherAnswers => solo.answer(invite, "two"),
        Then::Challenged => solo.reply(invite, 407, CHALLENGE, ""),
        Then::SentOn => solo.reply(invite, 302, "Contact: <sip:carol@example.com>\r\n", ""),
    }
}

/// One that is sent again is answered by another.
fn finish(solo: &mut Solo, call: CallId, then: Then) {
    if then != Then::AnotherAnswers {
        let again = solo.request(&Method::Invite);
        solo.answer(&again, "two");
        solo.request(&Method::Ack);
    }
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
    solo.ua.offer(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    solo.request(&Method::Invite);
    // What was left of the other dialog times out.
    solo.sent.clear();
    solo.advance(Duration::from_secs(31));
    assert!(solo.events.is_empty(), "{:?}", solo.events);
}

#[track_caller]
fn refused(solo: &mut Solo, call: CallId) {
    let Event::OfferRefused { call: of, failure } = solo.event() else { panic!() };
    assert_eq!((of, failure.cause), (call, Cause::Rejected));
}

#[test]
fn rfc3311_5_1_an_update_in_a_fork_that_loses_is_told() {
    for then in ALL {
        let mut solo = solo(Duration::ZERO);
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        pracked(&mut solo, &invite);
        solo.ua.offer(solo.now, call, &second_offer()).unwrap();
        solo.drain();
        let update = solo.request(&Method::Update);
        end_dialog(&mut solo, &invite, then);
        solo.request(&Method::Ack);
        refused(&mut solo, call);
        // Its answer comes too late to mean anything.
        solo.reply_tagged(&update, 200, Some("one"), "", &ANSWER.replace("o=- 2 1", "o=- 2 2"));
        finish(&mut solo, call, then);
    }
}

#[test]
fn rfc3262_5_an_offer_in_the_prack_of_a_fork_that_loses_is_told() {
    for then in ALL {
        let mut solo = solo(Duration::from_secs(5));
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply_tagged(&invite, 183, Some("one"), &rseq(1), ANSWER);
        solo.event();
        solo.ua.offer(solo.now, call, &second_offer()).unwrap();
        solo.drain();
        let prack = solo.request(&Method::Prack);
        end_dialog(&mut solo, &invite, then);
        solo.request(&Method::Ack);
        refused(&mut solo, call);
        solo.reply_tagged(&prack, 481, Some("one"), "", "");
        finish(&mut solo, call, then);
    }
}

#[test]
fn rfc3262_5_an_offer_of_a_fork_that_loses_is_taken_back() {
    for then in ALL {
        let mut solo = solo(Duration::ZERO);
        let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply_tagged(&invite, 183, Some("one"), &rseq(1), ANSWER);
        assert!(matches!(solo.event(), Event::Progress { .. }));
        assert!(matches!(solo.event(), Event::Offered { .. }));
        end_dialog(&mut solo, &invite, then);
        if then != Then::AnotherAnswers {
            solo.request(&Method::Ack);
        }
        assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::Overtaken });
        if then != Then::AnotherAnswers {
            let again = solo.request(&Method::Invite);
            assert!(matches!(solo.ua.answer(solo.now, call, OFFER), Err(CommandError::Description(_))));
            solo.answer(&again, "two");
        }
        assert_eq!(solo.event(), Event::Accepted { call, sdp: None });
        assert_eq!(solo.event(), Event::Offered { call, sdp: Some(ANSWER.into()) });
        solo.ua.answer(solo.now, call, OFFER).unwrap();
        solo.drain();
        assert_eq!(solo.request(&Method::Ack).body(), OFFER.as_bytes());
    }
}

/// §12.2.2: the request of a dialog that is no more gets its answer.
#[test]
fn rfc3311_5_2_an_update_of_a_fork_that_loses_is_answered() {
    for then in ALL {
        let mut solo = solo(Duration::ZERO);
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        pracked(&mut solo, &invite);
        let lines = [
            "From: <sip:bob@example.com>;tag=one".into(),
            format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
            format!("Call-ID: {}", invite.call_id()),
            "CSeq: 1 UPDATE".into(),
            "Contact: <sip:bob@192.0.2.7>".into(),
            "Content-Type: application/sdp".into(),
        ];
        let lines: std::vec::Vec<&str> = lines.iter().map(|line| &**line).collect();
        solo.send("UPDATE", &lines, &ANSWER.replace("o=- 2 1", "o=- 2 2"));
        assert!(matches!(solo.event(), Event::Offered { .. }));
        solo.nothing_sent();
        end_dialog(&mut solo, &invite, then);
        let mut statuses = std::vec::Vec::new();
        let mut requests = std::collections::VecDeque::new();
        for sent in core::mem::take(&mut solo.sent) {
            match &sent.2 {
                crate::message::Message::Response(response) => statuses.push(response.status()),
                crate::message::Message::Request(_) => requests.push_back(sent),
            }
        }
        solo.sent = requests;
        assert_eq!(statuses, [481]);
        solo.request(&Method::Ack);
        assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::Overtaken });
        finish(&mut solo, call, then);
    }
}

/// One question at a time: another fork's UPDATE may come again later, and one that waits gives way to the newest fork's offer.
#[test]
fn rfc3311_5_2_updates_of_two_forks() {
    let mut solo = solo(Duration::ZERO);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let update = |solo: &mut Solo, tag: &str| {
        let from = format!("From: <sip:bob@example.com>;tag={tag}");
        let to = format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap());
        let call_id = format!("Call-ID: {}", invite.call_id());
        let contact = "Contact: <sip:bob@192.0.2.7>";
        let lines = [&from, &to, &call_id, "CSeq: 1 UPDATE", contact, "Content-Type: application/sdp"];
        solo.send("UPDATE", &lines, &ANSWER.replace("o=- 2 1", "o=- 2 2"));
    };
    for tag in ["one", "two"] {
        solo.reply_tagged(&invite, 183, Some(tag), &rseq(1), ANSWER);
        let prack = solo.request(&Method::Prack);
        solo.reply_tagged(&prack, 200, Some(tag), "", "");
    }
    solo.events.clear();
    update(&mut solo, "one");
    assert!(matches!(solo.event(), Event::Offered { .. }));
    update(&mut solo, "two");
    assert!(solo.response(500).headers().has(HeaderName::RetryAfter));
    assert!(solo.events.is_empty());
    solo.ua.answer(solo.now, call, &second_offer()).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).from_tag(), Some("one"));
}
