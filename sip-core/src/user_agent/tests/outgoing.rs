use std::format;

use super::solo::Solo;
use super::{ANSWER, OFFER, said};
use crate::limits;
use crate::message::{HeaderName, Method};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{
    CallError, CallId, CallState, Cause, CommandError, End, Event, Failure, RegistrationState, RequestError,
    Side,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failed(cause: Cause) -> End {
    End::Failed(Failure::of(cause))
}

fn call(solo: &mut Solo) -> CallId {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    call
}

/// RFC 3665 §3.1.
#[test]
fn success() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Connecting));
    assert_eq!(solo.ua.remote(call).unwrap().uri, "sip:bob@example.com");
    let invite = solo.request(&Method::Invite);
    assert_eq!(invite.uri(), "sip:bob@example.com");
    assert_eq!(invite.body(), OFFER.as_bytes());
    let headers = invite.headers();
    assert_eq!(headers.first(HeaderName::ContentType), Some("application/sdp"));
    assert!(headers.lists(HeaderName::Allow, "BYE") && headers.lists(HeaderName::Supported, "100rel"));
    solo.reply_tagged(&invite, 100, None, "", "");
    assert!(solo.events.is_empty());
    solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    assert_eq!(solo.event(), Event::Progress { call, status: 180, reason: "Ringing".into(), sdp: None });
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
    solo.reply(&invite, 183, "Contact: <sip:bob@192.0.2.7>\r\n", ANSWER);
    let Event::Progress { status: 183, sdp: Some(sdp), .. } = solo.event() else { panic!() };
    assert_eq!(sdp, ANSWER);
    solo.answer(&invite, "callee");
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    let ack = solo.request(&Method::Ack);
    assert_eq!(ack.uri(), "sip:bob-callee@192.0.2.7");
    assert_eq!(ack.headers().first(HeaderName::Route), Some("<sip:p.example;lr>"));
    assert_eq!((ack.cseq().number, ack.to_tag()), (invite.cseq().number, Some("callee")));
    assert_ne!(ack.branch(), invite.branch());
    // It rings as long as it likes now.
    solo.advance(secs(600));
    assert_eq!(solo.ua.calls().count(), 1);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } });
    let bye = solo.request(&Method::Bye);
    assert_eq!(bye.uri(), "sip:bob-callee@192.0.2.7");
    assert_eq!(bye.headers().first(HeaderName::Route), Some("<sip:p.example;lr>"));
    assert_eq!(bye.cseq().number, invite.cseq().number + 1);
    assert!(solo.events.is_empty());
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.call_state(call), None);
    assert_eq!(solo.ua.hangup(solo.now, call), Err(CommandError::NoSuchCall));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn the_ack_goes_out_for_every_success() {
    let mut solo = Solo::new();
    call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    let ack = solo.request(&Method::Ack);
    solo.events.clear();
    for _ in 0..3 {
        solo.advance(secs(4));
        solo.answer(&invite, "callee");
        assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
    }
    // Also past the transaction's life (Timer M).
    solo.advance(secs(40));
    solo.answer(&invite, "callee");
    assert_eq!(solo.request(&Method::Ack).bytes(), ack.bytes());
    assert!(solo.events.is_empty());
    solo.nothing_sent();
}

/// RFC 3665 §3.8.
/// RFC 8829 §5.1.2: an answer that calls DTLS-SRTP by another name, as of servers that always say `RTP/SAVPF`.
#[test]
fn rfc8829_5_1_2_an_answer_in_a_profile_of_another_name() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let answer = ANSWER.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF");
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &answer);
    assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(answer) });
    solo.request(&Method::Ack);
    solo.nothing_sent();
}

#[test]
fn cancel() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    let cancel = solo.request(&Method::Cancel);
    assert_eq!((cancel.branch(), cancel.uri()), (invite.branch(), invite.uri()));
    assert_eq!(solo.event(), Event::Ended { call, end: End::Canceled { by: Side::Local, reason: None } });
    assert_eq!(solo.ua.cancel(solo.now, call), Err(CommandError::WrongState(CallState::Ended)));
    solo.reply(&cancel, 200, "", "");
    assert!(solo.events.is_empty());
    solo.reply(&invite, 487, "", "");
    solo.request(&Method::Ack);
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.call_state(call), None);
}

/// §9.1: "the client MUST wait for the arrival of a provisional response before sending the request".
#[test]
fn cancel_before_anything_was_heard() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply_tagged(&invite, 100, None, "", "");
    solo.request(&Method::Cancel);
    solo.reply(&invite, 487, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
}

#[test]
fn cancel_of_a_silent_callee_ends_too() {
    for provisional in [false, true] {
        let mut solo = Solo::new();
        let call = call(&mut solo);
        let invite = solo.request(&Method::Invite);
        if provisional {
            solo.reply(&invite, 180, "", "");
        }
        solo.ua.cancel(solo.now, call).unwrap();
        solo.advance(secs(33));
        assert_eq!(solo.events.back(), Some(&Event::Released { call }));
        assert_eq!(solo.ua.call_state(call), None, "{provisional}");
        assert_eq!(solo.ua.poll_timeout(), None);
    }
}

#[test]
fn an_answer_that_races_the_cancel_is_hung_up() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "", "");
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Cancel);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    let bye = solo.request(&Method::Bye);
    assert!(
        !solo.events.iter().any(|event| matches!(event, Event::Accepted { .. } | Event::Released { .. }))
    );
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }));
}

#[test]
fn nobody_answers() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.advance(secs(59));
    solo.nothing_sent();
    solo.advance(secs(1));
    solo.request(&Method::Cancel);
    assert_eq!(solo.event(), Event::Ended { call, end: failed(Cause::NoAnswer) });
    solo.reply(&invite, 487, "", "");
    assert_eq!(solo.event(), Event::Released { call });
}

#[test]
fn nobody_is_there_at_all() {
    let mut solo = Solo::with(super::config("sip:alice@example.com"), Transport::Udp);
    let call = call(&mut solo);
    solo.advance(secs(32));
    assert_eq!(solo.sent.len(), 7, "Timer A at 0, 0.5, 1.5, … 31.5 s");
    assert_eq!(solo.event(), Event::Ended { call, end: failed(Cause::Timeout) });
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.call_state(call), None);
}

#[test]
fn refusals() {
    let rows = [
        (302, Cause::Redirected),
        (400, Cause::Rejected),
        (403, Cause::Forbidden),
        (404, Cause::NotFound),
        (408, Cause::Timeout),
        (410, Cause::NotFound),
        (415, Cause::NotAcceptable),
        (480, Cause::Offline),
        (482, Cause::Rejected),
        (484, Cause::NotFound),
        (486, Cause::Busy),
        (487, Cause::Rejected),
        (488, Cause::NotAcceptable),
        (500, Cause::ServerError),
        (503, Cause::ServerError),
        (600, Cause::Busy),
        (603, Cause::Declined),
        (604, Cause::NotFound),
        (606, Cause::NotAcceptable),
    ];
    for (status, cause) in rows {
        let mut solo = Solo::new();
        let call = call(&mut solo);
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, status, "Contact: <sip:bob@else.example>, <sip:x@y.example>\r\n", "");
        solo.request(&Method::Ack);
        let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!("{status}") };
        assert_eq!((failure.cause, failure.status), (cause, Some(status)));
        assert_eq!(failure.reason.as_deref(), Some(crate::message::reason_phrase(status)));
        assert_eq!(failure.contacts.len(), if status == 302 { 2 } else { 0 });
        assert_eq!(solo.event(), Event::Released { call });
        assert_eq!(solo.ua.call_state(call), None);
    }
}

#[test]
fn a_408_after_ringing_is_no_answer() {
    let mut solo = Solo::new();
    call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "", "");
    solo.reply(&invite, 408, "", "");
    let Some(Event::Ended { end: End::Failed(failure), .. }) = solo.events.get(1) else { panic!() };
    assert_eq!((failure.cause, failure.status), (Cause::NoAnswer, Some(408)));
}

#[test]
fn commands_that_cannot_be() {
    let mut solo = Solo::new();
    assert_eq!(solo.ua.call(solo.now, "not an address", OFFER), Err(CallError::InvalidTarget));
    let large = "x".repeat(limits::MESSAGE_BYTES);
    assert_eq!(solo.ua.call(solo.now, "bob", &large), Err(CallError::TooLarge));
    let call = call(&mut solo);
    assert_eq!(solo.ua.accept(solo.now, call, ANSWER), Err(CommandError::WrongDirection));
    assert_eq!(solo.ua.ring(solo.now, call), Err(CommandError::WrongDirection));
    assert_eq!(solo.ua.reject(solo.now, call, 486, None), Err(CommandError::WrongDirection));
    assert_eq!(
        solo.ua.info(solo.now, call, "application/dtmf", "1"),
        Err(RequestError::WrongState(CallState::Connecting))
    );
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    assert_eq!(solo.ua.cancel(solo.now, call), Err(CommandError::WrongState(CallState::Established)));
    solo.close();
    assert_eq!(solo.ua.call(solo.now, "bob", OFFER), Err(CallError::Offline));
    assert_eq!(solo.ua.info(solo.now, call, "application/dtmf", "1"), Err(RequestError::Offline));
}

#[test]
fn calls_are_capped_and_room_comes_back() {
    let mut solo = Solo::new();
    for _ in 0..limits::CALLS {
        call(&mut solo);
    }
    assert_eq!(solo.ua.call(solo.now, "bob", OFFER), Err(CallError::TooManyCalls));
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 486, "", "");
    call(&mut solo);
}

#[test]
fn info_carries_keys() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    solo.ua.info(solo.now, call, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    assert_eq!(info.body(), b"Signal=5\r\nDuration=160\r\n");
    assert_eq!(info.headers().first(HeaderName::ContentType), Some("application/dtmf-relay"));
    solo.reply(&info, 415, "", "");
    assert!(matches!(solo.event(), Event::Answered { result: Err(_), .. }));
    assert!(solo.events.is_empty(), "the call goes on");
    solo.ua.info(solo.now, call, "application/dtmf-relay", "Signal=6\r\n").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    solo.reply(&info, 481, "", "");
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.status, Some(481));
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 481, "", "");
    assert!(matches!(solo.event(), Event::Answered { result: Err(_), .. }));
    assert_eq!(solo.event(), Event::Released { call });
}

/// §15.1.1: whatever becomes of the BYE, the call is over.
#[test]
fn a_bye_nobody_answers() {
    for status in [Some(481), Some(408), Some(403), None] {
        let mut solo = Solo::new();
        let call = call(&mut solo);
        let invite = solo.request(&Method::Invite);
        solo.answer(&invite, "callee");
        solo.request(&Method::Ack);
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        let bye = solo.request(&Method::Bye);
        match status {
            Some(status) => solo.reply(&bye, status, "", ""),
            None => solo.advance(secs(32)),
        }
        assert_eq!(solo.events.back(), Some(&Event::Released { call }), "{status:?}");
        solo.advance(secs(600));
        solo.nothing_sent();
    }
}

/// The gateway holds a BYE for a page that is away, then answers 480; the page shall be hung up when it is back.
#[test]
fn a_bye_to_somebody_away_is_said_again() {
    let mut solo = Solo::registered();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.reply(&bye, 480, "Retry-After: 7\r\n", "");
    assert_eq!(solo.events.back(), Some(&Event::Released { call }), "the user need not wait");
    solo.advance(secs(6));
    solo.nothing_sent();
    solo.advance(secs(1));
    let again = solo.request(&Method::Bye);
    assert_eq!(again.cseq().number, bye.cseq().number + 1);
    let mut times = 0;
    let mut last = again;
    loop {
        solo.reply(&last, 480, "", "");
        solo.advance(secs(5));
        if solo.sent.is_empty() {
            break;
        }
        last = solo.request(&Method::Bye);
        times += 1;
    }
    assert_eq!(times, 7, "not for ever");
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
}

#[test]
fn an_info_nobody_answers_ends_the_call() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    solo.ua.info(solo.now, call, "application/dtmf", "1").unwrap();
    solo.drain();
    solo.request(&Method::Info);
    solo.advance(secs(32));
    assert_eq!(solo.event(), Event::Ended { call, end: failed(Cause::Timeout) });
    solo.request(&Method::Bye);
}

#[test]
fn the_other_side_hangs_up() {
    let mut solo = Solo::new();
    let call = call(&mut solo);
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    let lines = [
        "From: <sip:bob@example.com>;tag=callee",
        &format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
        &format!("Call-ID: {}", invite.call_id()),
        "CSeq: 1 BYE",
        "Reason: Q.850;cause=16, SIP;cause=200;text=\"Had enough\"",
    ];
    solo.send("BYE", &lines, "");
    solo.response(200);
    let end = End::Hangup {
        by: Side::Remote,
        reason: Some(said(&[("Q.850", 16, ""), ("SIP", 200, "Had enough")])),
    };
    assert_eq!(solo.event(), Event::Ended { call, end });
    assert_eq!(solo.event(), Event::Released { call });
    assert_eq!(solo.ua.hangup(solo.now, call), Err(CommandError::NoSuchCall));
    solo.nothing_sent();
    let lines = [lines[0], lines[1], lines[2], "CSeq: 2 BYE"];
    solo.send("BYE", &lines, "");
    solo.response(481);
}
