use std::format;
use std::string::String;
use std::vec::Vec;

use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, said};
use crate::limits;
use crate::message::{HeaderName, Method, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, CommandError, End, Event, Side};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An INVITE from bob, answered 100.
pub(super) fn offered(solo: &mut Solo) -> (CallId, String) {
    let branch = solo.invite();
    assert_eq!(solo.response(100).to_tag(), None);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    (call, branch)
}

/// Accepted, the ACK still missing.
pub(super) fn accepted(solo: &mut Solo) -> (CallId, Response) {
    let (call, _) = offered(solo);
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    (call, solo.response(200))
}

pub(super) fn in_dialog(ok: &Response, method: &str, cseq: u32) -> Vec<String> {
    [
        String::from("From: \"Bob\" <sip:bob@example.com>;tag=bobtag"),
        format!("To: <sip:alice@example.com>;tag={}", ok.to_tag().unwrap()),
        String::from("Call-ID: call-1"),
        format!("CSeq: {cseq} {method}"),
        String::from("Contact: <sip:bob@z.invalid;transport=ws>"),
    ]
    .into()
}

pub(super) fn send(
    solo: &mut Solo,
    ok: &Response,
    method: &str,
    cseq: u32,
    extra: &[&str],
    body: &str,
) -> String {
    let lines = in_dialog(ok, method, cseq);
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(extra.iter().copied()).collect();
    solo.send(method, &lines, body)
}

pub(super) fn established(solo: &mut Solo) -> (CallId, Response) {
    let (call, ok) = accepted(solo);
    send(solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    (call, ok)
}

/// RFC 3665 §3.1, the callee's side.
#[test]
fn success() {
    let mut solo = Solo::registered();
    let mut lines = INVITE.to_vec();
    lines.push("Record-Route: <sip:p2.example;lr>");
    lines.push("Record-Route: <sip:p1.example;lr>");
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let Event::Incoming { call, from, to, sdp, .. } = solo.event() else { panic!() };
    assert_eq!((from.uri.as_str(), from.user.as_str()), ("sip:bob@example.com", "bob"));
    assert_eq!(from.display_name.as_deref(), Some("Bob"));
    assert_eq!(to.uri, "sip:alice@example.com");
    assert_eq!(sdp.as_deref(), Some(OFFER));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    assert_eq!(ringing.headers().all(HeaderName::RecordRoute).count(), 2);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.nothing_sent();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(ok.to_tag(), ringing.to_tag());
    assert_eq!(ok.body(), ANSWER.as_bytes());
    assert_eq!(
        ok.headers().all(HeaderName::RecordRoute).collect::<Vec<_>>(),
        ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    );
    assert!(ok.headers().first(HeaderName::Contact).unwrap().contains(".invalid;transport=ws;ob>"));
    assert_eq!(solo.ua.accept(solo.now, call, ANSWER), Err(CommandError::WrongState(CallState::Established)));
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    solo.advance(secs(600));
    assert!(solo.sent.iter().all(|(_, _, m)| matches!(m, crate::message::Message::Request(r)
        if *r.method() == Method::Register)));
    solo.sent.clear();
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    assert_eq!(bye.uri(), "sip:bob@y.invalid;transport=ws");
    assert_eq!(
        bye.headers().all(HeaderName::Route).collect::<Vec<_>>(),
        ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    );
    assert_eq!((bye.to_tag(), bye.from_tag()), (Some("bobtag"), ok.to_tag()));
}

/// §13.3.1.4: "regardless of the transport", from T1 doubling to T2.
#[test]
fn the_answer_is_retransmitted_until_its_ack() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    let start = solo.now;
    solo.advance(secs(20));
    let times: Vec<u128> = solo.sent.iter().map(|(at, _, _)| at.since(start).as_millis()).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500]);
    solo.sent.clear();
    // The INVITE again is absorbed; its answer is our retransmission's business.
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.advance(secs(60));
    solo.nothing_sent();
    assert!(solo.events.is_empty());
}

#[test]
fn an_answer_nobody_acknowledges_is_hung_up() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    // An ACK for something else is none.
    send(&mut solo, &ok, "ACK", 11, &[], "");
    assert!(solo.events.is_empty());
    solo.advance(secs(32));
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::NotAcknowledged);
    assert_eq!(solo.sent.len(), 11, "ten retransmissions and the BYE");
    solo.sent.drain(..10);
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 481, "", "");
    assert_eq!(solo.event(), Event::Released { call });
}

/// §15: the callee "MUST NOT send a BYE on a confirmed dialog until it has received an ACK".
#[test]
fn hanging_up_waits_for_the_ack() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } });
    solo.nothing_sent();
    solo.advance(Duration::from_millis(600));
    solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call });
    assert!(solo.events.is_empty());
}

#[test]
fn an_invite_without_offer_gets_one_and_the_ack_answers() {
    let mut solo = Solo::new();
    solo.send("INVITE", &INVITE[..5], "");
    solo.response(100);
    let Event::Incoming { call, sdp: None, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, OFFER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(ok.body(), OFFER.as_bytes());
    send(&mut solo, &ok, "ACK", 10, &["Content-Type: application/sdp"], ANSWER);
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: Some(ANSWER.into()) });
}

#[test]
fn refusing() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    for status in [0, 200, 299, 700] {
        assert_eq!(solo.ua.reject(solo.now, call, status, None), Err(CommandError::InvalidStatus(status)));
    }
    solo.ua.reject(solo.now, call, 486, Some("On the\r\nother line")).unwrap();
    solo.drain();
    let busy = solo.response(486);
    assert_eq!(busy.reason(), "On the  other line");
    let reason = "On the\r\nother line".into();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Rejected { status: 486, reason } });
    assert_eq!(solo.event(), Event::Released { call });
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.response(603);
    assert_eq!(
        solo.event(),
        Event::Ended { call, end: End::Rejected { status: 603, reason: "Decline".into() } }
    );
}

/// RFC 3665 §3.8, the callee's side.
#[test]
fn cancelled() {
    let rows = [
        ("X: y", End::Canceled { by: Side::Remote, reason: None }),
        (
            "Reason: SIP;cause=487;text=\"No time\"",
            End::Canceled { by: Side::Remote, reason: Some(said(&[("SIP", 487, "No time")])) },
        ),
        (
            "Reason: SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=26;text=\"in the hall\"",
            End::AnsweredElsewhere {
                reason: said(&[("SIP", 200, "Call completed elsewhere"), ("Q.850", 26, "in the hall")]),
            },
        ),
        (
            "Reason: Q.850;cause=200",
            End::Canceled { by: Side::Remote, reason: Some(said(&[("Q.850", 200, "")])) },
        ),
        ("Reason: ;;;\"", End::Canceled { by: Side::Remote, reason: None }),
    ];
    for (reason, end) in rows {
        let mut solo = Solo::new();
        let (call, branch) = offered(&mut solo);
        solo.ua.ring(solo.now, call).unwrap();
        solo.drain();
        solo.response(180);
        let lines = [INVITE[0], INVITE[1], INVITE[2], "CSeq: 10 CANCEL", reason];
        solo.send_branch("CANCEL", &branch, &lines, "");
        let (ok, refusal) = (solo.response(200), solo.response(487));
        assert_eq!((&ok.cseq().method, &refusal.cseq().method), (&Method::Cancel, &Method::Invite));
        assert_eq!(ok.to_tag(), refusal.to_tag(), "§9.2");
        assert_eq!(solo.event(), Event::Ended { call, end });
        assert_eq!(solo.event(), Event::Released { call });
    }
}

#[test]
fn a_cancel_that_is_late_or_for_nothing() {
    let mut solo = Solo::new();
    let (_, branch) = offered(&mut solo);
    let lines = [INVITE[0], INVITE[1], INVITE[2], "CSeq: 10 CANCEL"];
    solo.send_branch("CANCEL", "z9hG4bKother", &lines, "");
    solo.response(481);
    let call = solo.ua.calls().next().unwrap();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    solo.send_branch("CANCEL", &branch, &lines, "");
    solo.response(200);
    assert!(solo.events.is_empty());
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
}

#[test]
fn ringing_is_repeated_and_ends() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    solo.advance(secs(179));
    for _ in 0..3 {
        solo.response(180);
    }
    solo.nothing_sent();
    solo.advance(secs(1));
    solo.response(480);
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::NoAnswer);
    assert_eq!(solo.event(), Event::Released { call });
}

/// §13.3.1: the caller's own limit.
#[test]
fn an_invitation_that_expires() {
    let mut solo = Solo::new();
    let mut lines = INVITE.to_vec();
    lines.push("Expires: 30");
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.advance(secs(29));
    solo.nothing_sent();
    solo.advance(secs(1));
    solo.response(487);
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::NoAnswer);
    assert_eq!(solo.event(), Event::Released { call });
}

#[test]
fn the_caller_hangs_up_before_the_answer_and_before_the_ack() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    send(&mut solo, &ringing, "BYE", 11, &[], "");
    solo.response(200);
    assert_eq!(solo.response(487).cseq().method, Method::Invite);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Canceled { by: Side::Remote, reason: None } });
    assert_eq!(solo.event(), Event::Released { call });

    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    send(&mut solo, &ok, "BYE", 11, &[], "");
    solo.response(200);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason: None } });
    assert_eq!(solo.event(), Event::Released { call });
    solo.advance(secs(64));
    solo.nothing_sent();
}

#[test]
fn requests_in_a_call() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    send(&mut solo, &ok, "OPTIONS", 11, &[], "");
    let options = solo.response(200);
    assert!(options.headers().lists(HeaderName::Allow, "INVITE"));
    for method in ["REFER", "MESSAGE", "SUBSCRIBE"] {
        send(&mut solo, &ok, method, 13, &[], "");
        assert!(solo.response(405).headers().has(HeaderName::Allow), "{method}");
    }
    // RFC 6665 §4.1.3: of no subscription.
    send(&mut solo, &ok, "NOTIFY", 13, &["Event: refer", "Subscription-State: active"], "");
    solo.response(481);
    send(&mut solo, &ok, "DANCE", 14, &[], "");
    solo.response(501);
    send(&mut solo, &ok, "OPTIONS", 15, &["Require: waltz"], "");
    assert_eq!(solo.response(420).headers().first(HeaderName::Unsupported), Some("waltz"));
    send(&mut solo, &ok, "OPTIONS", 9, &[], "");
    assert_eq!(solo.response(500).reason(), "CSeq Out of Order");
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    send(&mut solo, &ok, "BYE", 16, &[], "");
    solo.response(200);
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason: None } });
}

#[test]
fn info_in_a_call() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    send(&mut solo, &ok, "INFO", 11, &["Content-Type: application/dtmf-relay;x=y"], "Signal=1\r\n");
    solo.response(200);
    let Event::Info { content_type, body, .. } = solo.event() else { panic!() };
    assert_eq!((content_type.as_str(), body.as_str()), ("application/dtmf-relay;x=y", "Signal=1\r\n"));
    send(&mut solo, &ok, "INFO", 12, &[], "");
    solo.response(200);
    send(&mut solo, &ok, "INFO", 13, &["Content-Type: text/plain"], "hello");
    assert!(solo.response(415).headers().lists(HeaderName::Accept, "application/dtmf"));
    send(&mut solo, &ok, "INFO", 14, &["Info-Package: chess"], "");
    assert_eq!(solo.response(469).headers().first(HeaderName::RecvInfo), Some(""));
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// §14.2: "before it sends the final response to a first INVITE".
#[test]
fn rfc3261_14_2_an_invite_before_the_answer_is_too_early() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    send(&mut solo, &ringing, "INVITE", 11, &["Content-Type: application/sdp"], OFFER);
    let early = solo.response(500);
    let wait: u32 = early.headers().first(HeaderName::RetryAfter).unwrap().parse().unwrap();
    assert!(wait <= 10);
}

#[test]
fn calls_beyond_the_cap_are_busy() {
    let mut solo = Solo::new();
    for number in 0..limits::CALLS {
        let call_id = format!("Call-ID: call-{number}");
        let mut lines = INVITE;
        lines[2] = &call_id;
        solo.send("INVITE", &lines, OFFER);
        solo.response(100);
    }
    let mut lines = INVITE;
    lines[2] = "Call-ID: one-too-many";
    solo.send("INVITE", &lines, OFFER);
    solo.response(486);
    assert_eq!(solo.events.len(), limits::CALLS);
    solo.send("OPTIONS", &[INVITE[0], INVITE[1], "Call-ID: o", "CSeq: 1 OPTIONS"], "");
    solo.response(486);
}

#[test]
fn over_udp_the_answer_goes_where_the_via_says() {
    let mut solo = Solo::with(super::config("sip:alice@example.com"), Transport::Udp);
    let text = format!(
        "OPTIONS sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP phone.example:5099;branch=z9hG4bKu1\r\n{}\r\n{}\r\n\
         Call-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n",
        INVITE[0], INVITE[1]
    );
    solo.deliver(text.into());
    let (_, to, _) = solo.sent.front().unwrap();
    assert_eq!(*to, crate::transport::Hop { remote: "192.0.2.9:5099".parse().unwrap(), ..solo.hop });
    let ok = solo.response(200);
    assert_eq!(ok.via().params.value("received"), Some("192.0.2.9"));
}
