//! Peers that lie, and races that other tests here do not have: each gets the RFC's answer, and nothing else changes.

use std::format;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::incoming::{established, offered, send};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::limits;
use crate::message::{HeaderName, Method};
use crate::offer_answer::Turn;
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallState, Cause, End, Event, Failure, Side};

const SDP: &str = "Content-Type: application/sdp";

/// Descriptions where nobody has offered: each is ignored, wherever it comes.
#[test]
fn rfc3261_13_2_1_an_answer_without_an_offer() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let before = |solo: &Solo| {
        let session = solo.ua.session(call).unwrap();
        assert_eq!(session.turn(), Turn::Stable);
        (session.local().cloned(), session.remote().cloned())
    };
    let agreed = before(&solo);
    let other = OFFER.replace("o=- 1 1", "o=- 1 2");
    // In an ACK that acknowledges nothing.
    send(&mut solo, &ok, "ACK", 10, &[SDP], &other);
    // In a 200 to an INFO.
    solo.ua.info(solo.now, call, "application/dtmf-relay", "Signal=1\r\n").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    solo.reply(&info, 200, "", &other);
    assert!(matches!(solo.event(), Event::Answered { result: Ok(_), .. }));
    // In a 200 to an UPDATE that only refreshes.
    send(&mut solo, &ok, "UPDATE", 11, &["Allow: UPDATE, INVITE"], "");
    solo.response(200);
    solo.close();
    solo.reopen(2);
    let update = solo.request(&Method::Update);
    assert!(update.body().is_empty());
    solo.reply(&update, 200, "Contact: <sip:bob@z.invalid>\r\n", &other);
    assert_eq!(before(&solo), agreed);
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    // In a 2xx after the answer came in a reliable response: "the UAC MUST treat the first [...] as the answer".
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let fields = "Contact: <sip:bob@192.0.2.7>\r\nRequire: 100rel\r\nRSeq: 1\r\n";
    solo.reply(&invite, 183, fields, ANSWER);
    solo.request(&Method::Prack);
    let other = ANSWER.replace("RTP/SAVPF 111", "RTP/SAVPF 0");
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &other);
    solo.request(&Method::Ack);
    assert_eq!(solo.events.back(), Some(&Event::Accepted { call, sdp: Some(ANSWER.into()) }));
}

/// A 2xx to an offer with no answer in it or before it: nobody knows what to send, so there is no call.
#[test]
fn rfc3261_13_2_1_a_2xx_without_the_answer_is_no_call() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    solo.request(&Method::Ack);
    solo.request(&Method::Bye);
    let Some(Event::Ended { call: ended, end: End::Failed(failure) }) = solo.events.pop_front() else {
        panic!("{:?}", solo.events)
    };
    assert_eq!((ended, failure.cause), (call, Cause::NotAcceptable));
    assert!(solo.events.is_empty());
}

/// An answer whose offer was withdrawn with 491, repeated: it is nobody's.
#[test]
fn rfc3264_4_an_answer_to_an_offer_that_was_refused() {
    let mut solo = Solo::new();
    let (call, _) = established(&mut solo);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let before = solo.ua.session(call).unwrap().remote().cloned();
    solo.reply(&invite, 488, "", "");
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    // §17.1.1.2: after the final answer a 2xx is a stray one.
    let fields = "Contact: <sip:bob@z.invalid>\r\n";
    solo.reply(&invite, 200, fields, &OFFER.replace("o=- 1 1", "o=- 1 2"));
    solo.nothing_sent();
    assert_eq!(solo.ua.session(call).unwrap().remote().cloned(), before);
    assert!(solo.events.is_empty());
}

/// A 3xx with 500 Contacts: a few are told, a few are tried.
#[test]
fn rfc3261_8_1_3_4_a_3xx_with_500_contacts() {
    let contacts: Vec<String> = (0..500).map(|n| format!("<sip:c{n}@example.com>")).collect();
    let contacts = format!("Contact: {}\r\n", contacts.join(", "));
    let mut solo = Solo::new();
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 302, &contacts, "");
    let Some(Event::Ended { end: End::Failed(Failure { contacts: told, .. }), .. }) = solo.events.pop_front()
    else {
        panic!()
    };
    assert_eq!((told.len(), &*told[0]), (limits::FORKS, "sip:c0@example.com"));
    let mut config = config("sip:alice@example.com");
    config.redirections = 255;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let mut tries = 0;
    while let Some((.., message)) = solo.sent.pop_front() {
        let crate::message::Message::Request(request) = message else { continue };
        if *request.method() == Method::Invite {
            tries += 1;
            solo.reply(&request, 302, &contacts, "");
        }
    }
    assert!((2..=limits::REDIRECTIONS + 1).contains(&tries), "{tries}");
    assert!(matches!(solo.events.pop_front(), Some(Event::Ended { end: End::Failed(_), .. })));
}

/// NOTIFYs nobody asked for, in a call and outside.
#[test]
fn rfc6665_4_1_3_a_stray_notify_gets_481() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let about = ["Event: presence", "Subscription-State: active;expires=60"];
    send(&mut solo, &ok, "NOTIFY", 11, &about, "");
    solo.response(481);
    let refer = ["Event: refer", "Subscription-State: terminated", "Content-Type: message/sipfrag"];
    send(&mut solo, &ok, "NOTIFY", 12, &refer, "SIP/2.0 200 OK\r\n");
    solo.response(481);
    // Without any of what a NOTIFY has.
    send(&mut solo, &ok, "NOTIFY", 13, &[], "");
    solo.response(481);
    assert!(solo.events.is_empty() && solo.ua.load().subscriptions == 0);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    let mut lines: Vec<&str> = INVITE[..3].to_vec();
    lines.extend(["CSeq: 11 NOTIFY", "Event: presence", "Subscription-State: active"]);
    solo.send("NOTIFY", &lines, "");
    solo.response(481);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
}

/// A callee that never stops ringing, with every status there is: the caller's patience ends it.
#[test]
fn rfc3261_13_2_2_1_provisional_answers_without_end() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let start = solo.now;
    let mut number = 0_u32;
    while solo.ua.call_state(call).is_some_and(|state| state != CallState::Ended) {
        number += 1;
        assert!(number < 10_000, "it goes on for ever");
        // Each from another fork, so that they cannot be told apart either.
        let tag = format!("fork{number}");
        let status = 101 + u16::try_from(number % 99).unwrap();
        let fields = format!("Contact: <sip:{tag}@192.0.2.7>\r\nRequire: 100rel\r\nRSeq: 1\r\n");
        solo.reply_tagged(&invite, status, Some(&tag), &fields, ANSWER);
        solo.sent.clear();
        let found = solo.ua.calls.get(&call).unwrap();
        assert!(found.usages().count() <= limits::FORKS);
        solo.advance(Duration::from_millis(500));
    }
    assert_eq!(solo.now.since(start).as_secs(), 60);
    let ended = solo.events.iter().find_map(|event| match event {
        Event::Ended { end: End::Failed(failure), .. } => Some(failure.cause),
        _ => None,
    });
    assert_eq!(ended, Some(Cause::NoAnswer));
}

/// RFC 5407 §3.3.3: a REFER that crosses our BYE.
#[test]
fn rfc5407_3_3_3_a_refer_after_our_bye() {
    let mut config = config("sip:alice@example.com");
    config.referrals = true;
    let mut solo = Solo::with(config, Transport::Wss);
    let (call, ok) = established(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.events.clear();
    send(&mut solo, &ok, "REFER", 11, &["Refer-To: <sip:carol@example.com>"], "");
    solo.response(481);
    assert!(solo.events.is_empty());
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.load().watchers, 0);
}

/// RFC 5407 §3.1.6: a BYE overtakes the ACK of a re-INVITE.
#[test]
fn rfc5407_3_1_6_a_bye_before_the_ack_of_a_reinvite() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    send(&mut solo, &ok, "INVITE", 11, &[SDP], OFFER);
    solo.response(100);
    solo.response(200);
    send(&mut solo, &ok, "BYE", 12, &[], "");
    solo.response(200);
    assert!(matches!(solo.event(), Event::Ended { .. }));
    send(&mut solo, &ok, "ACK", 11, &[], "");
    solo.advance(Duration::from_secs(40));
    solo.nothing_sent();
    assert_eq!(solo.events.pop_front(), Some(Event::Released { call }));
    assert!(solo.events.is_empty());
}

/// RFC 5407 Appendix B: a re-INVITE comes after the BYE that was sent after it, or was sent after its BYE: there is no such call.
#[test]
fn rfc5407_b_a_reinvite_after_their_bye() {
    for (bye, invite) in [(12, 11), (11, 12)] {
        let mut solo = Solo::new();
        let (call, ok) = established(&mut solo);
        send(&mut solo, &ok, "BYE", bye, &[], "");
        solo.response(200);
        let end = End::Hangup { by: Side::Remote, reason: None };
        assert_eq!(solo.event(), Event::Ended { call, end });
        assert_eq!(solo.event(), Event::Released { call });
        send(&mut solo, &ok, "INVITE", invite, &[SDP], &OFFER.replace("o=- 1 1", "o=- 1 2"));
        solo.response(481);
        solo.advance(Duration::from_secs(40));
        solo.nothing_sent();
        assert!(solo.events.is_empty());
        assert_eq!(solo.ua.load().calls, 0);
    }
}

/// What is refused before anybody knows whose it is: §21.5.6, §21.5.7, and Max-Forwards, which is a proxy's business (§8.2).
#[test]
fn rfc3261_21_5_6_a_version_that_is_not_spoken_gets_505() {
    let mut solo = Solo::new();
    let text = |version: &str, more: &str| {
        format!(
            "OPTIONS sip:alice@example.com {version}\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{}\r\n\
             From: <sip:bob@example.com>;tag=b\r\nTo: <sip:alice@example.com>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\
             {more}\r\n",
            more.len()
        )
    };
    solo.deliver(Bytes::from(text("SIP/7.0", "")));
    solo.response(505);
    solo.deliver(Bytes::from(text("SIP/2.0", "Max-Forwards: 0\r\n")));
    solo.response(200);
    let long = format!("X: {}\r\n", "x".repeat(limits::MESSAGE_BYTES));
    solo.deliver(Bytes::from(text("SIP/2.0", &long)));
    solo.response(513);
    assert!(solo.events.is_empty());
}

/// §8.2.2.2: the same INVITE over another way.
#[test]
fn rfc3261_8_2_2_2_a_merged_request_gets_482() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    solo.send("INVITE", &INVITE, OFFER);
    solo.response(482);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
}

/// §8.2.2.2: the same for whatever our user would hear of twice, until the first is answered, and over datagrams as
/// long as it may be repeated (Timer J).
#[test]
fn rfc3261_8_2_2_2_what_comes_over_two_ways_is_told_once() {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into()].into();
    config.message_hold = Duration::from_secs(5);
    config.event_packages = ["presence".into()].into();
    config.referrals = true;
    let rows = [
        ("MESSAGE", ["Content-Type: text/plain", "Subject: hi"], "hello"),
        ("SUBSCRIBE", ["Event: presence", "Contact: <sip:bob@y.invalid;transport=ws>"], ""),
        ("REFER", ["Refer-To: <sip:carol@example.com>", "Contact: <sip:bob@y.invalid;transport=ws>"], ""),
    ];
    for (method, fields, body) in rows {
        let mut solo = Solo::with(config.clone(), Transport::Wss);
        let ask = |solo: &mut Solo, number: u32| {
            let cseq = format!("CSeq: {number} {method}");
            let mut lines = INVITE[..3].to_vec();
            lines.push(&cseq);
            lines.extend(fields);
            solo.send(method, &lines, body);
        };
        ask(&mut solo, 1);
        solo.event();
        solo.nothing_sent();
        ask(&mut solo, 1);
        assert_eq!(solo.response(482).reason(), "Merged Request", "{method}");
        assert!(solo.events.is_empty(), "{method}");
        // Another CSeq, another request.
        ask(&mut solo, 2);
        solo.event();
    }
    config.message_hold = Duration::ZERO;
    let rows = [
        ("MESSAGE", &["CSeq: 1 MESSAGE", "Content-Type: text/plain"][..], "hello", 2),
        ("OPTIONS", &["CSeq: 1 OPTIONS"], "", 0),
    ];
    for (method, fields, body, told) in rows {
        let mut solo = Solo::with(config.clone(), Transport::Udp);
        let lines = [&INVITE[..3], fields].concat();
        for (after, status) in [(0, 200), (31, 482), (33, 200)] {
            solo.advance(Duration::from_secs(after));
            solo.send(method, &lines, body);
            solo.response(status);
        }
        assert_eq!(solo.events.len(), told, "{method}");
    }
}

/// A 200 to REGISTER with 500 Contacts, and tags, Call-IDs and CSeqs in responses that are nobody's.
#[test]
fn rfc3261_17_1_3_responses_that_match_nothing_are_dropped() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let via = invite.headers().first(HeaderName::Via).unwrap();
    let from = invite.headers().first(HeaderName::From).unwrap();
    let rows = [
        // Another method under the INVITE's branch, another branch, another Via below ours.
        (String::from(via), "1 BYE", "200"),
        (via.replace("z9hG4bK", "z9hG4bKx"), "1 INVITE", "200"),
        (format!("{via}\r\nVia: SIP/2.0/UDP other.example;branch=z9hG4bK1"), "1 INVITE", "200"),
        (via.replace("z9hG4bK", "z9hG4bKx"), "1 INVITE", "180"),
    ];
    for (via, cseq, status) in rows {
        solo.deliver(Bytes::from(format!(
            "SIP/2.0 {status} Fine\r\nVia: {via}\r\nFrom: {from}\r\nTo: <sip:bob@example.com>;tag=liar\r\n\
             Call-ID: {}\r\nCSeq: {cseq}\r\nContact: <sip:liar@192.0.2.66>\r\n\r\n",
            invite.call_id()
        )));
        assert!(solo.events.is_empty(), "{via}");
        solo.nothing_sent();
    }
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
}
