//! Requests within dialogs that come again under another branch, for a server on their way has forgotten them.

use std::format;
use std::string::String;

use super::changes_asked::second;
use super::incoming::{established, send};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::limits;
use crate::message::{HeaderName, Response};
use crate::offer_answer::Turn;
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, End, Event, Side, Withdrawal};

const SDP: &str = "Content-Type: application/sdp";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call that rings with a session, and bob's PRACK with the next offer, which is told.
fn pracked(solo: &mut Solo) -> (CallId, Response, String) {
    let mut lines = INVITE.to_vec();
    lines.push("Supported: 100rel");
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.progress(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let progress = solo.response(183);
    let rack = format!("RAck: {} 10 INVITE", progress.headers().first(HeaderName::RSeq).unwrap());
    send(solo, &progress, "PRACK", 11, &[&rack, SDP], &second("sendrecv").0);
    assert!(matches!(solo.event(), Event::Offered { sdp: Some(_), .. }));
    solo.nothing_sent();
    (call, progress, rack)
}

/// The next message, an answer with this status in the transaction of this branch, and with nobody else's Via.
#[track_caller]
fn answered(solo: &mut Solo, branch: &str, status: u16) -> Response {
    let response = solo.response(status);
    let vias: std::vec::Vec<&str> = response.headers().all(HeaderName::Via).collect();
    assert_eq!(vias, [format!("SIP/2.0/WSS proxy.example;branch={branch}")]);
    response
}

/// RFC 3262 §3: what it acknowledges is acknowledged already, which would be 481 to another PRACK.
#[test]
fn rfc3262_3_a_prack_that_comes_again_is_answered_as_before() {
    let mut solo = Solo::new();
    let (call, progress, rack) = pracked(&mut solo);
    let (offer, answer) = second("sendrecv");
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    let first = solo.response(200);
    // Its answer was lost. Meanwhile there was something else, after which it is out of order.
    for between in [false, true] {
        if between {
            send(&mut solo, &progress, "OPTIONS", 12, &[], "");
            solo.response(200);
        }
        let branch = send(&mut solo, &progress, "PRACK", 11, &[&rack, SDP], &offer);
        let again = answered(&mut solo, &branch, 200);
        assert_eq!(again.body(), answer.as_bytes());
        assert_eq!(again.to_tag(), first.to_tag());
        assert_eq!(again.cseq().number, 11);
        assert_eq!(again.headers().first(HeaderName::Contact), first.headers().first(HeaderName::Contact));
    }
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.session(call).unwrap().local().unwrap(), answer.as_bytes());
    // Another PRACK is another.
    send(&mut solo, &progress, "PRACK", 13, &[&rack, SDP], &offer);
    solo.response(481);
    // And after half a minute nobody asks any more.
    solo.advance(secs(32));
    solo.sent.clear();
    send(&mut solo, &progress, "PRACK", 11, &[&rack, SDP], &offer);
    assert_eq!(solo.response(500).reason(), "CSeq Out of Order");
}

/// RFC 3262 §5, RFC 3311 §5.2: our user is asked once and answers all.
#[test]
fn rfc3262_5_an_offer_that_comes_again_is_told_once() {
    for refused in [false, true] {
        let mut solo = Solo::new();
        let (call, progress, rack) = pracked(&mut solo);
        let (offer, answer) = second("sendrecv");
        let first = format!("z9hG4bKsolo{}", solo.serial);
        let second = send(&mut solo, &progress, "PRACK", 11, &[&rack, SDP], &offer);
        solo.nothing_sent();
        assert!(solo.events.is_empty());
        let status = if refused {
            solo.ua.refuse(solo.now, call).unwrap();
            488
        } else {
            solo.ua.answer(solo.now, call, &answer).unwrap();
            200
        };
        solo.drain();
        for branch in [first, second] {
            answered(&mut solo, &branch, status);
        }
        solo.nothing_sent();
        let third = send(&mut solo, &progress, "PRACK", 11, &[&rack, SDP], &offer);
        answered(&mut solo, &third, status);
        assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
        assert!(solo.events.is_empty());
    }
}

#[test]
fn rfc3261_12_2_2_what_comes_again_is_done_once() {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let (call, ok) = established(&mut solo);
    let relay = ["Content-Type: application/dtmf-relay"];
    for (cseq, method, extra, body) in [
        (11, "INFO", &relay[..], "Signal=1\r\n"),
        (12, "MESSAGE", &["Content-Type: text/plain"], "hello"),
        (13, "UPDATE", &[], ""),
    ] {
        let first = send(&mut solo, &ok, method, cseq, extra, body);
        answered(&mut solo, &first, 200);
        let told = solo.events.drain(..).count();
        assert_eq!(told, usize::from(!body.is_empty()), "{method}");
        let second = send(&mut solo, &ok, method, cseq, extra, body);
        answered(&mut solo, &second, 200);
        assert!(solo.events.is_empty(), "{method}");
    }
    // Refusals are answers too: the session that would be asked for is not.
    let first = send(&mut solo, &ok, "UPDATE", 14, &["Require: what"], "");
    let refusal = answered(&mut solo, &first, 420);
    let second = send(&mut solo, &ok, "UPDATE", 14, &["Require: what"], "");
    let again = answered(&mut solo, &second, 420);
    assert_eq!(
        again.headers().first(HeaderName::Unsupported),
        refusal.headers().first(HeaderName::Unsupported)
    );
    // The same number with another method is none of them.
    send(&mut solo, &ok, "OPTIONS", 14, &[], "");
    solo.response(200);
    // §15.1.2: after the call as well.
    for told in [true, false] {
        let branch = send(&mut solo, &ok, "BYE", 15, &[], "");
        answered(&mut solo, &branch, 200);
        if told {
            let end = End::Hangup { by: Side::Remote, reason: None };
            assert_eq!(solo.event(), Event::Ended { call, end });
            assert_eq!(solo.event(), Event::Released { call });
        }
        assert!(solo.events.is_empty());
    }
    solo.advance(secs(33));
    assert_eq!(solo.ua.poll_timeout(), None);
    send(&mut solo, &ok, "BYE", 15, &[], "");
    solo.response(481);
}

/// §14.2: one change, one question, and its 2xx repeated for everybody until the ACK comes.
#[test]
fn rfc3261_14_2_a_reinvite_that_comes_again_is_one() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, answer) = second("sendonly");
    let first = send(&mut solo, &ok, "INVITE", 11, &[SDP], &offer);
    answered(&mut solo, &first, 100);
    assert!(matches!(solo.event(), Event::Offered { .. }));
    let second = send(&mut solo, &ok, "INVITE", 11, &[SDP], &offer);
    answered(&mut solo, &second, 100);
    assert!(solo.events.is_empty());
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    for _ in 0..2 {
        for branch in [&first, &second] {
            assert_eq!(answered(&mut solo, branch, 200).body(), answer.as_bytes());
        }
        solo.nothing_sent();
        solo.advance(Duration::from_millis(500));
    }
    // It is answered, and comes once more: by a server that will have the ACK.
    let third = send(&mut solo, &ok, "INVITE", 11, &[SDP], &offer);
    assert_eq!(answered(&mut solo, &third, 200).body(), answer.as_bytes());
    send(&mut solo, &ok, "ACK", 11, &[], "");
    solo.sent.clear();
    solo.advance(secs(60));
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// §9.2: what is canceled is the one request, whichever transaction the CANCEL names.
#[test]
fn rfc3261_9_2_a_reinvite_that_came_again_is_canceled() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, _) = second("sendonly");
    let first = send(&mut solo, &ok, "INVITE", 11, &[SDP], &offer);
    let second = send(&mut solo, &ok, "INVITE", 11, &[SDP], &offer);
    solo.sent.clear();
    solo.events.clear();
    let lines = super::incoming::in_dialog(&ok, "CANCEL", 11);
    let lines: std::vec::Vec<&str> = lines.iter().map(String::as_str).collect();
    solo.send_branch("CANCEL", &second, &lines, "");
    answered(&mut solo, &second, 200);
    answered(&mut solo, &first, 487);
    answered(&mut solo, &second, 487);
    assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::Canceled { reason: None } });
    assert!(solo.events.is_empty());
}

/// A peer that repeats without end, under ever other branches, costs what the caps say.
#[test]
fn rfc3261_12_2_2_a_peer_that_repeats_without_end() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, answer) = second("sendonly");
    send(&mut solo, &ok, "UPDATE", 11, &[SDP], &offer);
    assert!(matches!(solo.event(), Event::Offered { .. }));
    for _ in 0..limits::REPEATS_OF_ONE {
        send(&mut solo, &ok, "UPDATE", 11, &[SDP], &offer);
        solo.nothing_sent();
    }
    send(&mut solo, &ok, "UPDATE", 11, &[SDP], &offer);
    solo.response(482);
    // Whatever else comes meanwhile.
    for cseq in 12..12 + limits::REPEATS as u32 {
        send(&mut solo, &ok, "OPTIONS", cseq, &[], "");
        solo.response(200);
    }
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    for _ in 0..=limits::REPEATS_OF_ONE {
        solo.response(200);
    }
    // The oldest makes room, and what is forgotten is out of order.
    for cseq in 0..limits::REPEATS as u32 {
        send(&mut solo, &ok, "OPTIONS", 112 + cseq, &[], "");
        solo.response(200);
    }
    send(&mut solo, &ok, "OPTIONS", 112, &[], "");
    solo.response(200);
    send(&mut solo, &ok, "UPDATE", 11, &[SDP], &offer);
    assert_eq!(solo.response(500).reason(), "CSeq Out of Order");
    // In a dialog that is none nothing is noted.
    for cseq in 0..limits::REPEATS as u32 {
        let mut lines = INVITE[..3].to_vec();
        let cseq = format!("CSeq: {cseq} INFO");
        lines[1] = "To: <sip:alice@example.com>;tag=none";
        lines.push(&cseq);
        solo.send("INFO", &lines, "");
        solo.response(481);
    }
    send(&mut solo, &ok, "OPTIONS", 113, &[], "");
    solo.response(200);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// Over datagrams a repetition under either branch is the transaction's (§17.2.2).
#[test]
fn rfc3261_17_2_2_each_branch_repeats_its_answer() {
    let mut solo = Solo::with(config("sip:alice@example.com"), Transport::Udp);
    let (_, ok) = established(&mut solo);
    let first = send(&mut solo, &ok, "INFO", 11, &[], "");
    solo.response(200);
    let second = send(&mut solo, &ok, "INFO", 11, &[], "");
    solo.response(200);
    let lines = super::incoming::in_dialog(&ok, "INFO", 11);
    let lines: std::vec::Vec<&str> = lines.iter().map(String::as_str).collect();
    for branch in [first, second] {
        solo.send_branch("INFO", &branch, &lines, "");
        assert!(solo.response(200).headers().first(HeaderName::Via).unwrap().contains(&branch));
    }
}
