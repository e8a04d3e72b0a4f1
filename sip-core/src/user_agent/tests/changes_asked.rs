//! Changes of a session that the other side asks for.

use std::format;
use std::string::String;

use super::incoming::{accepted, established, in_dialog, offered, send};
use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::{Fields, HeaderName, Method, Response};
use crate::offer_answer::Turn;
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, End, Event, Withdrawal};

const SDP: &str = "Content-Type: application/sdp";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Bob's next offer, and our answer to it.
pub(super) fn second(direction: &str) -> (String, String) {
    (
        format!("{}a={direction}\r\n", OFFER.replace("o=- 1 1", "o=- 1 2")),
        ANSWER.replace("o=- 2 1", "o=- 2 2"),
    )
}

#[track_caller]
fn asked(solo: &mut Solo, ok: &Response, method: &str, cseq: u32, sdp: &str) -> String {
    let branch = send(solo, ok, method, cseq, &[SDP], sdp);
    if method == "INVITE" {
        solo.response(100);
    }
    let Event::Offered { sdp: Some(told), .. } = solo.event() else { panic!() };
    assert_eq!(told, sdp);
    branch
}

#[test]
fn rfc3261_14_2_a_reinvite_is_answered() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, answer) = second("sendonly");
    asked(&mut solo, &ok, "INVITE", 11, &offer);
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    let again = solo.response(200);
    assert_eq!(again.body(), answer.as_bytes());
    assert!(again.headers().has(HeaderName::Contact) && again.headers().lists(HeaderName::Allow, "UPDATE"));
    assert!(solo.ua.session(call).unwrap().is_held());
    // §13.3.1.4: until its ACK.
    solo.advance(secs(4));
    assert_eq!(solo.sent.len(), 3);
    solo.sent.clear();
    send(&mut solo, &ok, "ACK", 11, &[], "");
    solo.advance(secs(60));
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    // The Contact of the re-INVITE is where our requests go now.
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Bye).uri(), "sip:bob@z.invalid;transport=ws");
}

/// A body that may be left unread (§20.11) is no offer: the 2xx offers, the ACK answers, and the next may come.
#[test]
fn rfc3261_14_2_a_reinvite_whose_body_is_no_offer_gets_ours() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let fields = ["Content-Type: text/plain", "Content-Disposition: render;handling=optional"];
    send(&mut solo, &ok, "INVITE", 11, &fields, "hello");
    solo.response(100);
    assert_eq!(solo.event(), Event::Offered { call, sdp: None });
    let ours = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.ua.answer(solo.now, call, &ours).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).body(), ours.as_bytes());
    let theirs = OFFER.replace("o=- 1 1", "o=- 1 2");
    send(&mut solo, &ok, "ACK", 11, &[SDP], &theirs);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: theirs });
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    asked(&mut solo, &ok, "INVITE", 12, &OFFER.replace("o=- 1 1", "o=- 1 3"));
}

#[test]
fn rfc3261_14_2_a_reinvite_without_its_ack_ends_the_call() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, answer) = second("sendrecv");
    asked(&mut solo, &ok, "INVITE", 11, &offer);
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    send(&mut solo, &ok, "ACK", 12, &[], "");
    solo.advance(secs(32));
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::NotAcknowledged);
    assert!(matches!(solo.sent.pop_back(), Some((_, _, crate::message::Message::Request(r)))
        if *r.method() == Method::Bye));
}

#[test]
fn rfc3261_14_2_a_reinvite_that_is_refused() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let before = solo.ua.session(call).unwrap().remote().cloned();
    let (offer, _) = second("inactive");
    asked(&mut solo, &ok, "INVITE", 11, &offer);
    solo.ua.refuse(solo.now, call).unwrap();
    solo.drain();
    let refused = solo.response(488);
    let warning = |refused: &Response| refused.headers().first(HeaderName::Warning).map(String::from);
    assert!(warning(&refused).unwrap().starts_with("399 "), "SHOULD");
    let session = solo.ua.session(call).unwrap();
    assert_eq!((session.remote().cloned(), session.turn()), (before, Turn::Stable));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    // Nobody answers.
    asked(&mut solo, &ok, "INVITE", 12, &offer);
    solo.advance(secs(60));
    assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::TimedOut { status: 488 } });
    assert!(warning(&solo.response(488)).is_some());
    // Our user may say more.
    asked(&mut solo, &ok, "UPDATE", 20, &offer);
    let mut fields = Fields::new();
    fields.add("Warning", "304 example.com \"No video here\"").unwrap();
    solo.ua.with(&fields).refuse(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(warning(&solo.response(488)).as_deref(), Some("304 example.com \"No video here\""));
    // The other side changes its mind (§9.2), and says why (RFC 3326 §2).
    let branch = asked(&mut solo, &ok, "INVITE", 23, &offer);
    let mut lines = in_dialog(&ok, "CANCEL", 23);
    lines.push("Reason: SIP;cause=480;text=\"Camera off\"".into());
    let lines: std::vec::Vec<&str> = lines.iter().map(String::as_str).collect();
    solo.send_branch("CANCEL", &branch, &lines, "");
    solo.response(200);
    solo.response(487);
    let Event::OfferWithdrawn { why: Withdrawal::Canceled { reason: Some(reason) }, .. } = solo.event()
    else {
        panic!()
    };
    assert_eq!((reason.cause("SIP"), reason.text()), (Some(480), Some("Camera off")));
    assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
}

/// §14.2, RFC 3311 §5.2: one offer at a time, each case with its own answer, and nothing else changes.
#[test]
fn rfc3311_5_2_offers_that_come_at_the_wrong_time() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let (offer, answer) = second("sendrecv");
    // Theirs is pending: 500 with Retry-After.
    for (first, cseq) in [("INVITE", 11), ("UPDATE", 21)] {
        asked(&mut solo, &ok, first, cseq, &offer);
        for (at, method) in (cseq + 1..).zip(["INVITE", "UPDATE"]) {
            send(&mut solo, &ok, method, at, &[SDP], &offer);
            let later = solo.response(500);
            let wait: u32 = later.headers().first(HeaderName::RetryAfter).unwrap().parse().unwrap();
            assert!(wait <= 10);
        }
        solo.ua.refuse(solo.now, call).unwrap();
        solo.drain();
        solo.response(488);
    }
    // Ours is pending: 491.
    solo.ua.offer(solo.now, call, &answer).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    for (cseq, method) in [(31, "INVITE"), (32, "UPDATE")] {
        send(&mut solo, &ok, method, cseq, &[SDP], &offer);
        solo.response(491);
    }
    // An UPDATE without an offer does not mind (§5.2).
    send(&mut solo, &ok, "UPDATE", 33, &[], "");
    solo.response(200);
    assert!(solo.events.is_empty());
    solo.reply(&invite, 488, "", "");
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    asked(&mut solo, &ok, "UPDATE", 34, &offer);
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).body(), answer.as_bytes());
}

/// RFC 3311 §5.2: "a final response promptly", else 504.
#[test]
fn rfc3311_5_2_an_update_nobody_answers() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    asked(&mut solo, &ok, "UPDATE", 11, &second("sendrecv").0);
    solo.advance(secs(10));
    // RFC 4320 §4.1.
    solo.response(100);
    solo.response(504);
    assert_eq!(solo.event(), Event::OfferWithdrawn { call, why: Withdrawal::TimedOut { status: 504 } });
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// RFC 3264 §8: what is in force already is confirmed without anybody.
#[test]
fn rfc3264_8_the_same_offer_again_disturbs_nobody() {
    let mut solo = Solo::new();
    let (_, ok) = established(&mut solo);
    for (cseq, method) in [(11, "INVITE"), (12, "UPDATE"), (13, "INVITE")] {
        send(&mut solo, &ok, method, cseq, &[SDP], OFFER);
        if method == "INVITE" {
            solo.response(100);
        }
        assert_eq!(solo.response(200).body(), ANSWER.as_bytes());
        send(&mut solo, &ok, "ACK", cseq, &[], "");
    }
    assert!(solo.events.is_empty());
}

/// RFC 3264 §8: codecs that change their numbers in the middle of a call, versions that do not rise, media that
/// vanish: 488, and the session is what it was.
#[test]
fn rfc3264_8_illegal_offers_get_488() {
    let rows = [
        OFFER.replace("o=- 1 1", "o=- 1 0"),
        OFFER.replace("o=- 1 1", "o=- 1 2").replace("m=audio 9", "m=video 9"),
        String::from("v=0\r\nnonsense\r\n"),
    ];
    // 111 is opus from the first offer on.
    let map = |codec: &str| format!("a=rtpmap:111 {codec}\r\n");
    let first = format!("{OFFER}{}", map("opus/48000/2"));
    let rows = rows.into_iter().chain([first.replace("o=- 1 1", "o=- 1 2").replace("opus", "L16")]);
    let mut solo = Solo::new();
    solo.send("INVITE", &super::solo::INVITE, &first);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, &format!("{ANSWER}{}", map("opus/48000/2"))).unwrap();
    solo.drain();
    let ok = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.event();
    let mut cseq = 11;
    for offer in rows {
        for method in ["INVITE", "UPDATE"] {
            send(&mut solo, &ok, method, cseq, &[SDP], &offer);
            if method == "INVITE" {
                solo.response(100);
            }
            let refused = solo.response(488);
            assert!(refused.headers().first(HeaderName::Warning).unwrap().starts_with("305 "));
            cseq += 1;
        }
    }
    send(&mut solo, &ok, "INVITE", cseq, &["Content-Type: text/plain"], "hello");
    assert!(solo.response(415).headers().lists(HeaderName::Accept, "application/sdp"));
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.session(call).unwrap().remote().unwrap(), first.as_bytes());
}

/// "The answerer MUST be prepared to receive an offer that contains SDP with a version that has not changed": servers that relay
/// media write a refresh anew and leave its version, and some phones hold so.
#[test]
fn rfc3264_8_an_offer_whose_version_stays_is_answered() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    for (cseq, method) in [(11, "INVITE"), (12, "UPDATE")] {
        let offer = format!("{OFFER}a=sendonly\r\na=candidate:{cseq} 1 udp 1 192.0.2.1 9 typ host\r\n");
        asked(&mut solo, &ok, method, cseq, &offer);
        let answer = ANSWER.replace("o=- 2 1", &format!("o=- 2 {cseq}"));
        solo.ua.answer(solo.now, call, &answer).unwrap();
        solo.drain();
        assert_eq!(solo.response(200).body(), answer.as_bytes());
        if method == "INVITE" {
            send(&mut solo, &ok, "ACK", cseq, &[], "");
        }
        assert!(solo.ua.session(call).unwrap().is_held());
    }
}

/// RFC 5407 §3.1.4: a re-INVITE overtakes the ACK of the INVITE: it is answered.
#[test]
fn rfc5407_3_1_4_a_reinvite_before_the_ack() {
    let mut solo = Solo::with(super::config("sip:alice@example.com"), Transport::Udp);
    let (call, ok) = accepted(&mut solo);
    let (offer, answer) = second("sendrecv");
    asked(&mut solo, &ok, "INVITE", 11, &offer);
    solo.ua.answer(solo.now, call, &answer).unwrap();
    solo.drain();
    solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: None });
    send(&mut solo, &ok, "ACK", 11, &[], "");
    solo.advance(secs(60));
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// RFC 5407 §3.1.5: the same while our own offer in the 2xx waits for its answer: 491.
#[test]
fn rfc5407_3_1_5_a_reinvite_before_the_answer_to_our_offer() {
    let mut solo = Solo::new();
    let lines: std::vec::Vec<&str> = super::solo::INVITE[..5].to_vec();
    solo.send("INVITE", &lines, "");
    solo.response(100);
    let Event::Incoming { call, sdp: None, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    for (cseq, method) in [(11, "INVITE"), (12, "UPDATE")] {
        send(&mut solo, &ok, method, cseq, &[SDP], &second("sendrecv").0);
        solo.response(491);
    }
    send(&mut solo, &ok, "ACK", 10, &[SDP], OFFER);
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: Some(OFFER.into()) });
}

/// RFC 5407 §3.2.2: a re-INVITE crosses our BYE.
#[test]
fn rfc5407_3_2_2_a_reinvite_after_our_bye() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    solo.request(&Method::Bye);
    for (cseq, method) in [(11, "INVITE"), (12, "UPDATE")] {
        send(&mut solo, &ok, method, cseq, &[SDP], &second("sendrecv").0);
        solo.response(481);
    }
}

/// §15.1.2: what is pending when the BYE comes is answered 487.
#[test]
fn rfc3261_15_1_2_a_bye_ends_what_is_pending() {
    for method in ["INVITE", "UPDATE"] {
        let mut solo = Solo::new();
        let (call, ok) = established(&mut solo);
        asked(&mut solo, &ok, method, 11, &second("sendrecv").0);
        send(&mut solo, &ok, "BYE", 12, &[], "");
        solo.response(200);
        solo.response(487);
        assert!(matches!(solo.event(), Event::Ended { .. }));
        assert_eq!(solo.event(), Event::Released { call });
        assert!(solo.events.is_empty());
    }
}

/// §14.1 2: our change waits for the ACK of theirs.
#[test]
fn rfc3261_14_1_a_change_waits_for_the_ack() {
    let mut solo = Solo::new();
    let (call, ok) = accepted(&mut solo);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    solo.nothing_sent();
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.request(&Method::Invite);
}

/// §14.2, §13.3.1.4: they want our offer, and its answer is in the ACK, or is not.
#[test]
fn rfc3261_14_2_a_reinvite_without_an_offer() {
    let (offer, answer) = second("sendrecv");
    for answered in [true, false] {
        let mut solo = Solo::new();
        let (call, ok) = established(&mut solo);
        send(&mut solo, &ok, "INVITE", 11, &[], "");
        solo.response(100);
        assert_eq!(solo.event(), Event::Offered { call, sdp: None });
        solo.ua.answer(solo.now, call, &answer).unwrap();
        solo.drain();
        assert_eq!(solo.response(200).body(), answer.as_bytes());
        if answered {
            send(&mut solo, &ok, "ACK", 11, &[SDP], &offer);
            assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: offer.clone() });
        } else {
            send(&mut solo, &ok, "ACK", 11, &[], "");
            assert!(matches!(solo.event(), Event::OfferRefused { .. }));
            assert_eq!(solo.ua.session(call).unwrap().local().unwrap(), ANSWER.as_bytes());
        }
        assert_eq!(solo.ua.session(call).unwrap().turn(), Turn::Stable);
    }
}

/// RFC 3311 §5.2, §12.2.2: an early dialog has UPDATE too; while the INVITE's offer is unanswered no other may come.
#[test]
fn rfc3311_5_2_update_of_an_unanswered_call() {
    let mut solo = Solo::new();
    let (call, _): (CallId, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    send(&mut solo, &ringing, "UPDATE", 11, &[SDP], &second("sendrecv").0);
    assert!(solo.response(500).headers().has(HeaderName::RetryAfter));
    send(&mut solo, &ringing, "UPDATE", 12, &[], "");
    solo.response(200);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Ringing));
}
