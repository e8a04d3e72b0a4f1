//! Our own reliable provisional responses (RFC 3262 §3, §5).

use std::format;
use std::string::String;
use std::vec::Vec;

use super::incoming::send;
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, reply};
use crate::message::{Fields, HeaderName, Message, Method, Response};
use crate::offer_answer::{Fault, Turn};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, CommandError, End, Event};

use Who::{Alice, Bob};

const SDP: &str = "Content-Type: application/sdp";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An INVITE from a caller that says this about 100rel.
fn offered(field: &str, sdp: &str) -> (Solo, CallId) {
    let mut solo = Solo::new();
    let mut lines: Vec<&str> = INVITE[..if sdp.is_empty() { 5 } else { 6 }].to_vec();
    lines.push(field);
    solo.send("INVITE", &lines, sdp);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    (solo, call)
}

fn rseq(response: &Response) -> u32 {
    assert!(response.headers().lists(HeaderName::Require, "100rel"));
    response.headers().first(HeaderName::RSeq).unwrap().parse().unwrap()
}

fn prack(solo: &mut Solo, response: &Response, cseq: u32, rack: &str, body: &str) {
    let rack = format!("RAck: {rack}");
    let extra = [&*rack, SDP];
    send(solo, response, "PRACK", cseq, &extra[..if body.is_empty() { 1 } else { 2 }], body);
}

#[test]
fn rfc3262_3_retransmitted_until_the_prack() {
    let (mut solo, call) = offered("Supported: 100rel", OFFER);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    assert_eq!(progress.body(), ANSWER.as_bytes());
    let number = rseq(&progress);
    assert!((1..1 << 31).contains(&number));
    let start = solo.now;
    solo.advance(secs(8));
    let times: Vec<u128> = solo.sent.iter().map(|(at, ..)| at.since(start).as_millis()).collect();
    assert_eq!(times, [500, 1500, 3500, 7500], "doubled without T2");
    assert!(solo.sent.drain(..).all(|(.., message)| match message {
        Message::Response(again) => again.bytes() == progress.bytes(),
        Message::Request(_) => false,
    }));
    assert_eq!(
        solo.ua.progress(solo.now, call, ANSWER),
        Err(CommandError::Description(Fault::Turn(Turn::Stable))),
        "answered already"
    );
    prack(&mut solo, &progress, 11, &format!("{number} 10 INVITE"), "");
    solo.response(200);
    // 180 is no news that must arrive.
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    assert!(!solo.response(180).headers().has(HeaderName::RSeq));
    solo.advance(secs(50));
    solo.nothing_sent();
    // RFC 6337 §3.1: the answer has arrived, so the 2xx has none.
    solo.ua.accept(solo.now, call, "whatever").unwrap();
    solo.drain();
    assert!(solo.response(200).body().is_empty());
    assert_eq!(solo.ua.session(call).unwrap().local().unwrap(), ANSWER.as_bytes());
}

/// "It MUST be prepared to process PRACK requests for those outstanding responses": one that crosses the refusal.
#[test]
fn rfc3262_3_a_prack_that_crosses_the_refusal() {
    let (mut solo, call) = offered("Require: 100rel", OFFER);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    let number = rseq(&ringing);
    solo.ua.reject(solo.now, call, 486, None).unwrap();
    solo.drain();
    solo.response(486);
    prack(&mut solo, &ringing, 11, &format!("{} 10 INVITE", number + 1), "");
    solo.response(481);
    prack(&mut solo, &ringing, 12, &format!("{number} 10 INVITE"), "");
    solo.response(200);
    prack(&mut solo, &ringing, 13, &format!("{number} 10 INVITE"), "");
    solo.response(481);
    // With the INVITE's transaction that is over.
    let (mut solo, call) = offered("Require: 100rel", OFFER);
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.reject(solo.now, call, 486, None).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    solo.response(486);
    let to = format!("To: {}", ringing.headers().first(HeaderName::To).unwrap());
    let lines = [INVITE[0], &*to, INVITE[2], "CSeq: 10 ACK"];
    let branch = format!("z9hG4bKsolo{}", solo.serial);
    solo.send_branch("ACK", &branch, &lines, "");
    prack(&mut solo, &ringing, 11, &format!("{} 10 INVITE", rseq(&ringing)), "");
    solo.response(481);
}

#[test]
fn rfc3262_3_nobody_acknowledges() {
    let (mut solo, call) = offered("Supported: 100rel", OFFER);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.advance(secs(32));
    assert_eq!(solo.sent.len(), 8, "7 and the 504");
    solo.sent.drain(..7);
    solo.response(504);
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Timeout);
    assert_eq!(solo.event(), Event::Released { call });
}

/// §3: stray PRACKs get 481 and change nothing.
#[test]
fn rfc3262_3_pracks_that_match_nothing() {
    let (mut solo, call) = offered("Supported: 100rel", OFFER);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    prack(&mut solo, &ringing, 11, "1 10 INVITE", "");
    solo.response(481);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    let number = rseq(&progress);
    for (cseq, rack, status) in [
        (12, format!("{} 10 INVITE", number + 1), 481),
        (13, format!("{number} 9 INVITE"), 481),
        (14, format!("{number} 10 UPDATE"), 481),
        (15, String::from("nonsense"), 400),
    ] {
        prack(&mut solo, &progress, cseq, &rack, "");
        solo.response(status);
    }
    send(&mut solo, &progress, "PRACK", 16, &[], "");
    solo.response(400);
    assert_eq!(solo.ua.accept(solo.now, call, ANSWER), Ok(()));
    solo.drain();
    solo.nothing_sent();
    let rack = format!("{number} 10 INVITE");
    prack(&mut solo, &progress, 17, &rack, "");
    solo.response(200);
    solo.response(200);
    // Once is enough.
    prack(&mut solo, &progress, 18, &rack, "");
    solo.response(481);
    assert!(solo.events.is_empty());
    // In a dialog that is none.
    let mut lines = INVITE[..3].to_vec();
    lines[1] = "To: <sip:alice@example.com>;tag=none";
    lines.extend(["CSeq: 11 PRACK", "RAck: 1 1 INVITE"]);
    solo.send("PRACK", &lines, "");
    solo.response(481);
}

/// §3: the 2xx waits for the PRACK of what has a description, and may be given up meanwhile.
#[test]
fn rfc3262_3_the_2xx_waits() {
    for cancelled in [false, true] {
        let mut solo = Solo::new();
        let mut lines = INVITE.to_vec();
        lines.push("Supported: 100rel");
        let branch = solo.send("INVITE", &lines, OFFER);
        solo.response(100);
        let Event::Incoming { call, .. } = solo.event() else { panic!() };
        solo.ua.progress(solo.now, call, ANSWER).unwrap();
        solo.ua.accept(solo.now, call, ANSWER).unwrap();
        solo.drain();
        let progress = solo.response(183);
        solo.nothing_sent();
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
        assert_eq!(
            solo.ua.accept(solo.now, call, ANSWER),
            Err(CommandError::WrongState(CallState::Established))
        );
        if cancelled {
            let mut lines = INVITE[..3].to_vec();
            lines.push("CSeq: 10 CANCEL");
            solo.send_branch("CANCEL", &branch, &lines, "");
            solo.response(200);
            solo.response(487);
            assert!(matches!(solo.event(), Event::Ended { end: End::Canceled { .. }, .. }));
            continue;
        }
        let number = rseq(&progress);
        prack(&mut solo, &progress, 11, &format!("{number} 10 INVITE"), "");
        solo.response(200);
        solo.response(200);
    }
}

/// A call whose 2xx waits for the PRACK.
fn accepting() -> (Solo, CallId, Response) {
    let (mut solo, call) = offered("Supported: 100rel", OFFER);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    solo.nothing_sent();
    (solo, call, progress)
}

/// The INVITE has got its final answer, and once that is acknowledged nothing is left.
#[track_caller]
fn over(mut solo: Solo, call: CallId) {
    assert_eq!(solo.event(), Event::Released { call });
    solo.advance(secs(64));
    assert!(solo.sent.iter().all(|(.., message)| matches!(message, Message::Response(_))), "no BYE");
    assert!(solo.ua.load().is_empty(), "{:?}", solo.ua.load());
}

/// §15: the callee "MUST NOT send a BYE on early dialogs"; a call whose 2xx was not sent yet ends by the final answer
/// to its INVITE.
#[test]
fn rfc3261_15_no_bye_while_the_2xx_waits_for_a_prack() {
    let (mut solo, call, _) = accepting();
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.response(603);
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(603, None) });
    over(solo, call);

    let (mut solo, call, _) = accepting();
    solo.ua.shutdown(solo.now);
    solo.drain();
    solo.response(480);
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(480, None) });
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.event(), Event::ShutDown);
    solo.nothing_sent();

    // The caller knows nothing of the dialog (§12.2.1.2).
    let (mut solo, call, _) = accepting();
    solo.ua.info(solo.now, call, "text/plain", "there?").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    solo.reply(&info, 481, "", "");
    solo.response(480);
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.status, Some(481));
    over(solo, call);
}

/// RFC 3891 §3: "an early dialog that was not initiated by this UA" is replaced by nobody.
#[test]
fn rfc3891_3_a_call_whose_2xx_waits_is_not_replaced() {
    let (mut solo, call, progress) = accepting();
    let tag = progress.to_tag().unwrap();
    let mut lines = INVITE.to_vec();
    lines[2] = "Call-ID: call-2";
    let replaces = format!("Replaces: call-1;to-tag={tag};from-tag=bobtag");
    lines.push(&replaces);
    solo.send("INVITE", &lines, OFFER);
    solo.response(481);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// §3: where the caller requires it, all but 100 are reliable, one after the other.
#[test]
fn rfc3262_3_required() {
    let (mut solo, call) = offered("Require: 100rel", OFFER);
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    solo.nothing_sent();
    prack(&mut solo, &ringing, 11, &format!("{} 10 INVITE", rseq(&ringing)), "");
    solo.response(200);
    let progress = solo.response(183);
    assert_eq!(rseq(&progress), rseq(&ringing) + 1);
    // A 2xx need not wait for what has no description; its PRACK is still answered.
    let (mut solo, call) = offered("Require: 100rel", OFFER);
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    assert_eq!(solo.response(200).body(), ANSWER.as_bytes());
    prack(&mut solo, &ringing, 11, &format!("{} 10 INVITE", rseq(&ringing)), "");
    solo.response(200);
}

/// "If a reliable provisional response is the first reliable message sent back, and the INVITE did not contain an offer, one MUST appear
/// in that": it rings once there is one.
#[test]
fn rfc3262_5_what_rings_reliably_without_an_offer_has_ours() {
    let (mut solo, call) = offered("Require: 100rel", "");
    let fields = Fields::new().with("Alert-Info", "<http://example.com/ring>").unwrap();
    solo.ua.with(&fields).ring(solo.now, call).unwrap();
    solo.drain();
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.advance(secs(61));
    solo.nothing_sent();
    solo.ua.progress(solo.now, call, OFFER).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    assert_eq!(ringing.body(), OFFER.as_bytes());
    assert!(ringing.headers().has(HeaderName::AlertInfo));
    prack(&mut solo, &ringing, 11, &format!("{} 10 INVITE", rseq(&ringing)), ANSWER);
    solo.response(200);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: ANSWER.into() });
    // From then on as ever.
    solo.advance(secs(60));
    let again = solo.response(180);
    assert!(again.body().is_empty() && rseq(&again) == rseq(&ringing) + 1);
    // It may be accepted without: then the 2xx offers.
    let (mut solo, call) = offered("Require: 100rel", "");
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.accept(solo.now, call, OFFER).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).body(), OFFER.as_bytes());
    // Where it need not be reliable it rings at once.
    let (mut solo, call) = offered("Supported: 100rel", "");
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    assert!(!solo.response(180).headers().has(HeaderName::RSeq));
}

#[test]
fn rfc3262_3_a_caller_without_gets_421_if_we_insist() {
    let mut config = super::config("sip:alice@example.com");
    config.reliable_required = true;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.send("INVITE", &INVITE, OFFER);
    assert!(solo.response(421).headers().lists(HeaderName::Require, "100rel"));
    assert!(solo.events.is_empty());
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(invite.headers().lists(HeaderName::Require, "100rel"));
}

/// Without 100rel the description may be lost, so the 2xx repeats it.
#[test]
fn rfc6337_3_1_an_unreliable_answer_is_said_again() {
    let (mut solo, call) = offered("Supported: outbound", OFFER);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    assert!(!progress.headers().has(HeaderName::RSeq));
    solo.ua.accept(solo.now, call, "another").unwrap();
    solo.drain();
    assert_eq!(solo.response(200).body(), ANSWER.as_bytes());
    // And it cannot offer.
    let (mut solo, call) = offered("Supported: outbound", "");
    assert!(matches!(solo.ua.progress(solo.now, call, ANSWER), Err(CommandError::Description(_))));
    solo.nothing_sent();
}

/// §5: our offer in the 183, their answer in the PRACK; then their next offer in another PRACK.
#[test]
fn rfc3262_5_offers_and_answers_in_a_prack() {
    let (mut solo, call) = offered("Require: 100rel", "");
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    let rack = format!("{} 10 INVITE", rseq(&progress));
    // Without its answer it acknowledges nothing.
    prack(&mut solo, &progress, 11, &rack, "");
    solo.response(400);
    prack(&mut solo, &progress, 12, &rack, OFFER);
    solo.response(200);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: OFFER.into() });
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    let next = OFFER.replace("o=- 1 1", "o=- 1 2");
    prack(&mut solo, &ringing, 13, &format!("{} 10 INVITE", rseq(&ringing)), &next);
    assert_eq!(solo.event(), Event::Offered { call, sdp: Some(next) });
    let answer = reply(solo.ua.session(call).unwrap(), None);
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(ok.body(), answer.as_bytes());
    assert!(!ok.headers().has(HeaderName::Contact), "table 1");
    solo.ua.accept(solo.now, call, "").unwrap();
    solo.drain();
    assert!(solo.response(200).body().is_empty());
}

#[test]
fn early_media_survives_a_bad_network() {
    let mut established = 0;
    for seed in 0..60 {
        let mut pair = Pair::new(Transport::Udp, seed);
        pair.loss = 20;
        pair.duplication = 20;
        pair.jitter = Duration::from_millis(150);
        pair.bob_answers = None;
        let call = pair.call();
        pair.run(secs(3));
        if let Some(bobs) = pair.bobs() {
            let now = pair.time;
            pair.bob.progress(now, bobs, ANSWER).unwrap();
            if seed % 2 == 0 {
                pair.bob.accept(now, bobs, ANSWER).unwrap();
            }
            pair.drain();
            pair.run(secs(20));
            let now = pair.time;
            let _ = pair.bob.accept(now, bobs, ANSWER);
            pair.drain();
            pair.run(secs(40));
        }
        if pair.state(Alice) == Some(CallState::Established) && pair.state(Bob) == pair.state(Alice) {
            established += 1;
            pair.agree();
        }
        let now = pair.time;
        let _ = pair.alice.hangup(now, call);
        pair.drain();
        pair.loss = 0;
        pair.drive();
        assert_eq!((pair.alice.calls.len(), pair.bob.calls.len()), (0, 0), "{seed}");
        assert!(pair.alice.layer.is_empty() && pair.bob.layer.is_empty(), "{seed}");
    }
    assert!(established > 40, "{established}");
}

/// RFC 4028 §7: a session is timed from the 2xx on. What rings ends by its own timers, and never by a BYE of ours (RFC 3261 §15).
#[test]
fn rfc4028_7_a_call_that_rings_is_not_timed() {
    let (mut solo, call) = offered("Supported: 100rel, timer\r\nAllow: INVITE, UPDATE", OFFER);
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let response = solo.response(183);
    prack(&mut solo, &response, 11, &format!("{} 10 INVITE", rseq(&response)), "");
    solo.response(200);
    solo.ua.offer(solo.now, call, &ANSWER.replace("o=- 2 1", "o=- 2 2")).unwrap();
    solo.drain();
    let update = solo.request(&Method::Update);
    let fields = "Contact: <sip:bob@192.0.2.7>\r\nRequire: timer\r\nSession-Expires: 90;refresher=uas\r\n";
    solo.reply(&update, 200, fields, &OFFER.replace("o=- 1 1", "o=- 1 2"));
    assert!(matches!(solo.event(), Event::OfferAnswered { .. }));
    solo.advance(secs(170));
    solo.sent.retain(|(_, _, message)| !matches!(message, Message::Response(r) if r.is_provisional()));
    solo.nothing_sent();
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.response(200);
}
