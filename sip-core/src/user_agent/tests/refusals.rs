//! Every refusal that the RFCs ask for, in a call and outside: the answer, what it says, and that nothing else changes.

use std::format;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::message::{HeaderName, Method};
use crate::offer_answer::Turn;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, End, Event, Load, Side};

const SDP: &str = "Content-Type: application/sdp";

/// A user agent that takes words and subscriptions, in a call with bob, and bob's side of the dialog: From, To, Call-ID,
/// and his last CSeq.
fn in_a_call(ours: bool) -> (Solo, CallId, [String; 3], u32) {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into()].into();
    config.message_bytes = 100;
    config.event_packages = ["presence".into()].into();
    config.info_packages = ["foo".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let (call, names, last) = if ours {
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.answer(&invite, "callee");
        solo.request(&Method::Ack);
        let names = [
            String::from("From: <sip:bob@example.com>;tag=callee"),
            format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
            format!("Call-ID: {}", invite.call_id()),
        ];
        (call, names, 10)
    } else {
        let (call, ok) = super::incoming::established(&mut solo);
        let mut lines = super::incoming::in_dialog(&ok, "BYE", 1).into_iter();
        let mut next = || lines.next().unwrap();
        let (from, to, id) = (next(), next(), next());
        (call, [from, to, id], 10)
    };
    solo.events.clear();
    // Transactions of the making end.
    solo.advance(crate::time::Duration::from_secs(40));
    solo.sent.clear();
    (solo, call, names, last)
}

/// All that a refused request must not touch.
fn everything(solo: &Solo, call: CallId) -> (CallState, [Option<Bytes>; 3], Turn, Load) {
    let session = solo.ua.session(call).unwrap();
    let descriptions = [session.local(), session.remote(), session.pending()].map(Option::<&Bytes>::cloned);
    // A final answer is kept for the request's repetitions, whatever way they come.
    let load = Load { transactions: 0, timers: 0, ongoing: 0, repeats: 0, ..solo.ua.load() };
    (solo.ua.call_state(call).unwrap(), descriptions, session.turn(), load)
}

/// The one answer to what was sent last.
#[track_caller]
fn refused(solo: &mut Solo, status: u16, says: Option<(HeaderName, &str)>, what: &str) {
    // §8.2.6.1: a 100 may come before.
    if solo.sent.len() == 2 {
        solo.response(100);
    }
    let response = solo.response(status);
    assert!(response.to_tag().is_some(), "{what}");
    if let Some((name, value)) = says {
        assert_eq!(response.headers().first(name), Some(value), "{what}");
    }
    solo.nothing_sent();
    assert!(solo.events.is_empty(), "{what}: {:?}", solo.events);
}

#[test]
fn rfc3261_8_2_refusals_in_a_call_change_nothing() {
    const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY, SUBSCRIBE, MESSAGE";
    const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";
    let video = OFFER.replace("o=- 1 1", "o=- 1 2").replace("m=audio", "m=video");
    let theirs_next = |ours: bool| match ours {
        true => ANSWER.replace("o=- 2 1", "o=- 2 2").replace("m=audio", "m=video"),
        false => video.clone(),
    };
    let long = "x".repeat(101);
    for ours in [false, true] {
        let illegal = theirs_next(ours);
        type Row<'a> = (u16, &'a str, &'a [&'a str], &'a str, Option<(HeaderName, &'a str)>);
        let rows: [Row<'_>; 33] = [
            (405, "PUBLISH", &["Event: presence"], "", Some((HeaderName::Allow, ALLOW))),
            (405, "REGISTER", &[], "", Some((HeaderName::Allow, ALLOW))),
            (405, "REFER", &["Refer-To: <sip:carol@example.com>"], "", Some((HeaderName::Allow, ALLOW))),
            (406, "INVITE", &["Accept: text/waltz"], "", None),
            (413, "MESSAGE", &["Content-Type: text/plain"], &long, None),
            (415, "INVITE", &["Content-Type: text/plain"], "x", Some((HeaderName::Accept, ACCEPT))),
            (415, "UPDATE", &["Content-Type: text/plain"], "x", Some((HeaderName::Accept, ACCEPT))),
            (415, "INFO", &["Content-Type: text/plain"], "x", None),
            (415, "MESSAGE", &["Content-Type: text/html"], "x", None),
            (
                415,
                "INVITE",
                &[SDP, "Content-Encoding: gzip"],
                "x",
                Some((HeaderName::AcceptEncoding, "identity")),
            ),
            (400, "INVITE", &[], "a body without a type", None),
            (416, "INVITE tel:+1234", &[SDP], &illegal, None),
            (420, "INVITE", &["Require: waltz", SDP], OFFER, Some((HeaderName::Unsupported, "waltz"))),
            (420, "UPDATE", &["Require: waltz, timer"], "", Some((HeaderName::Unsupported, "waltz"))),
            (420, "INFO", &["Require: waltz"], "", Some((HeaderName::Unsupported, "waltz"))),
            (420, "OPTIONS", &["Require: waltz"], "", Some((HeaderName::Unsupported, "waltz"))),
            (420, "MESSAGE", &["Require: waltz"], "", Some((HeaderName::Unsupported, "waltz"))),
            (
                420,
                "PRACK",
                &["Require: waltz", "RAck: 1 1 INVITE"],
                "",
                Some((HeaderName::Unsupported, "waltz")),
            ),
            (420, "BYE", &["Require: waltz"], "", Some((HeaderName::Unsupported, "waltz"))),
            (
                422,
                "INVITE",
                &["Session-Expires: 30", "Supported: timer"],
                "",
                Some((HeaderName::MinSe, "90")),
            ),
            (
                422,
                "UPDATE",
                &["Session-Expires: 30", "Supported: timer"],
                "",
                Some((HeaderName::MinSe, "90")),
            ),
            (469, "INFO", &["Info-Package: waltz"], "", Some((HeaderName::RecvInfo, "foo"))),
            (481, "PRACK", &["RAck: 1 10 INVITE"], "", None),
            (481, "NOTIFY", &["Event: presence", "Subscription-State: active"], "", None),
            (481, "NOTIFY", &["Event: refer", "Subscription-State: active"], "", None),
            (488, "INVITE", &[SDP], &illegal, None),
            (488, "UPDATE", &[SDP], &illegal, None),
            (488, "UPDATE", &[SDP], "nonsense", None),
            (400, "INVITE", &["Join: x;to-tag=a;from-tag=b", "Replaces: x;to-tag=a;from-tag=b"], "", None),
            (400, "UPDATE", &["Replaces: x;to-tag=a;from-tag=b"], "", None),
            (400, "UPDATE", &["Session-Expires: soon"], "", None),
            (501, "WALTZ", &[], "", Some((HeaderName::Allow, ALLOW))),
            (501, "invite", &[], "", Some((HeaderName::Allow, ALLOW))),
        ];
        let (mut solo, call, names, mut cseq) = in_a_call(ours);
        let before = everything(&solo, call);
        for (status, method, more, body, says) in rows {
            cseq += 1;
            let name = method.split(' ').next().unwrap();
            let number = format!("CSeq: {cseq} {name}");
            let mut lines: Vec<&str> = names.iter().map(String::as_str).collect();
            lines.extend([&*number, "Contact: <sip:bob@elsewhere.invalid>"]);
            lines.extend(more);
            solo.send(method, &lines, body);
            let what = format!("{status} {method} {more:?}");
            refused(&mut solo, status, says, &what);
            if name == "INVITE" {
                let number = format!("CSeq: {cseq} ACK");
                let mut lines: Vec<&str> = names.iter().map(String::as_str).collect();
                lines.push(&number);
                let branch = format!("z9hG4bKsolo{}", solo.serial);
                solo.send_branch("ACK", &branch, &lines, "");
                solo.nothing_sent();
            }
            assert_eq!(everything(&solo, call), before, "{what}");
        }
        // Nor where requests go (§12.2.2): a refused one refreshes no target.
        solo.ua.info(solo.now, call, "application/dtmf-relay", "Signal=1\r\n").unwrap();
        solo.drain();
        let info = solo.request(&Method::Info);
        assert!(!info.uri().contains("elsewhere"), "{}", info.uri());
        solo.reply(&info, 200, "", "");
        solo.events.clear();
        // And the call goes on, and ends as calls do.
        let bye = format!("CSeq: {} BYE", cseq + 1);
        let lines: Vec<&str> = names.iter().map(String::as_str).chain([&*bye]).collect();
        solo.send("BYE", &lines, "");
        solo.response(200);
        assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason: None } });
    }
}

#[test]
fn rfc3261_8_2_refusals_outside_a_call_change_nothing() {
    let long = "x".repeat(101);
    type Row<'a> = (u16, &'a str, &'a [&'a str], &'a str, Option<(HeaderName, &'a str)>);
    let rows: [Row<'_>; 26] = [
        (405, "PUBLISH", &["Event: presence"], "", None),
        (405, "REGISTER", &[], "", None),
        (405, "REFER", &["Refer-To: <sip:carol@example.com>"], "", None),
        (406, "INVITE", &["Accept: text/waltz", SDP], OFFER, None),
        (413, "MESSAGE", &["Content-Type: text/plain"], &long, None),
        (415, "INVITE", &["Content-Type: text/plain"], "x", None),
        (415, "MESSAGE", &["Content-Type: text/html"], "x", None),
        (416, "INVITE sips:alice@example.com", &[SDP], OFFER, None),
        (416, "INVITE tel:+1234", &[SDP], OFFER, None),
        (416, "OPTIONS waltz:alice", &[], "", None),
        (404, "INVITE sip:carol@example.com", &[SDP], OFFER, None),
        (420, "INVITE", &["Require: waltz", SDP], OFFER, Some((HeaderName::Unsupported, "waltz"))),
        (
            420,
            "OPTIONS",
            &["Require: 100rel, waltz, tango"],
            "",
            Some((HeaderName::Unsupported, "waltz, tango")),
        ),
        (
            422,
            "INVITE",
            &["Session-Expires: 30", "Supported: timer", SDP],
            OFFER,
            Some((HeaderName::MinSe, "90")),
        ),
        (481, "INVITE", &["Replaces: x;to-tag=a;from-tag=b", SDP], OFFER, None),
        (481, "BYE", &[], "", None),
        (481, "UPDATE", &[SDP], OFFER, None),
        (481, "PRACK", &["RAck: 1 1 INVITE"], "", None),
        (481, "INFO", &[], "", None),
        (481, "NOTIFY", &["Event: presence", "Subscription-State: active"], "", None),
        (481, "CANCEL", &[], "", None),
        (489, "SUBSCRIBE", &["Event: waltz"], "", Some((HeaderName::AllowEvents, "presence"))),
        (489, "SUBSCRIBE", &["Expires: 60"], "", Some((HeaderName::AllowEvents, "presence"))),
        (400, "INVITE", &[], "a body without a type", None),
        (501, "WALTZ", &[], "", None),
        (501, "Options", &[], "", None),
    ];
    let (mut solo, call, ..) = in_a_call(false);
    let before = everything(&solo, call);
    for (number, (status, method, more, body, says)) in rows.into_iter().enumerate() {
        let name = method.split(' ').next().unwrap();
        let (id, cseq) = (format!("Call-ID: other-{number}"), format!("CSeq: 1 {name}"));
        let mut lines = [INVITE[0], INVITE[1], &*id, &*cseq, INVITE[4]].to_vec();
        lines.extend(more);
        solo.send(method, &lines, body);
        let what = format!("{status} {method} {more:?}");
        refused(&mut solo, status, says, &what);
        assert_eq!(everything(&solo, call), before, "{what}");
    }
}

/// §16.3 step 3 is for who forwards: a request that has come as far as it may has come.
#[test]
fn rfc3261_20_22_max_forwards_0_is_no_reason_to_refuse() {
    let mut solo = Solo::new();
    let user = solo.contact_user();
    let lines = INVITE.join("\r\n");
    let text = format!(
        "INVITE sip:{user}@x.invalid SIP/2.0\r\nVia: SIP/2.0/WSS p.example;branch=z9hG4bK0\r\nMax-Forwards: 0\r\n{lines}\r\n\
         Content-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    );
    solo.deliver(Bytes::from(text));
    solo.response(100);
    assert!(matches!(solo.event(), Event::Incoming { .. }));
}

/// Before the 2xx: what the other side may not ask for yet gets its answer, and the call is set up as if nothing had been.
#[test]
fn rfc3261_14_2_refusals_before_the_2xx_change_nothing() {
    type Row<'a> = (u16, &'a str, &'a [&'a str], &'a str);
    let next = OFFER.replace("o=- 1 1", "o=- 1 2");
    let rows: [Row<'_>; 11] = [
        (405, "PUBLISH", &["Event: presence"], ""),
        (415, "UPDATE", &["Content-Type: text/plain"], "x"),
        (415, "INFO", &["Content-Type: text/plain"], "x"),
        (420, "UPDATE", &["Require: waltz"], ""),
        (420, "BYE", &["Require: waltz"], ""),
        (422, "UPDATE", &["Session-Expires: 30", "Supported: timer"], ""),
        (469, "INFO", &["Info-Package: waltz"], ""),
        (481, "PRACK", &["RAck: 1 10 INVITE"], ""),
        (481, "NOTIFY", &["Event: refer", "Subscription-State: active"], ""),
        (481, "CANCEL", &[], ""),
        (501, "WALTZ", &[], ""),
    ];
    for ours in [true, false] {
        let mut solo = Solo::new();
        let (call, invite, names) = if ours {
            let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
            solo.drain();
            let invite = solo.request(&Method::Invite);
            solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
            let names = [
                String::from("From: <sip:bob@example.com>;tag=callee"),
                format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap()),
                format!("Call-ID: {}", invite.call_id()),
            ];
            (call, Some(invite), names)
        } else {
            let (call, _) = super::incoming::offered(&mut solo);
            solo.ua.ring(solo.now, call).unwrap();
            solo.drain();
            let ringing = solo.response(180);
            let mut lines = super::incoming::in_dialog(&ringing, "BYE", 1).into_iter();
            let mut next = || lines.next().unwrap();
            (call, None, [next(), next(), next()])
        };
        solo.events.clear();
        let before = everything(&solo, call);
        // §14.2, RFC 3311 §5.2: our offer waits for its answer, or theirs does.
        let (reinvite, update) = if ours { (491, 491) } else { (500, 500) };
        let early: [Row<'_>; 2] = [(reinvite, "INVITE", &[SDP], &next), (update, "UPDATE", &[SDP], &next)];
        for (number, (status, method, more, body)) in rows.into_iter().chain(early).enumerate() {
            let cseq = format!("CSeq: {} {method}", 20 + number);
            let mut lines: Vec<&str> = names.iter().map(String::as_str).collect();
            lines.extend([&*cseq, "Contact: <sip:bob@elsewhere.invalid>"]);
            lines.extend(more);
            solo.send(method, &lines, body);
            let what = format!("{ours} {status} {method} {more:?}");
            let later = status == 500;
            assert!(
                !later
                    || solo.sent.iter().any(|(.., message)| match message {
                        crate::message::Message::Response(response) =>
                            response.headers().has(HeaderName::RetryAfter),
                        crate::message::Message::Request(_) => false,
                    }),
                "{what}"
            );
            refused(&mut solo, status, None, &what);
            assert_eq!(everything(&solo, call), before, "{what}");
        }
        match invite {
            Some(invite) => {
                solo.answer(&invite, "callee");
                solo.request(&Method::Ack);
                assert_eq!(solo.event(), Event::Accepted { call, sdp: Some(ANSWER.into()) });
            }
            None => {
                solo.ua.accept(solo.now, call, ANSWER).unwrap();
                solo.drain();
                assert_eq!(solo.response(200).body(), ANSWER.as_bytes());
            }
        }
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    }
}
