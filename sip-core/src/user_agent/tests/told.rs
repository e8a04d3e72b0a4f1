//! What an application is told beside the call: the messages themselves, who calls by whose word, and why it ended.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::incoming::send;
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config, hop, said};
use crate::message::typed::{Contact, Privacy, QValue, Subject};
use crate::message::{HeaderName, Method, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, Cause, CommandError, End, Event, Failure, Side, WatcherUpdate};

fn invited(solo: &mut Solo, extra: &[&str]) -> Event {
    let mut lines = INVITE.to_vec();
    lines.extend(extra);
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    solo.event()
}

fn ringing(solo: &mut Solo) -> CallId {
    let Event::Incoming { call, .. } = invited(solo, &[]) else { panic!() };
    call
}

#[test]
fn rfc3261_20_whatever_the_invite_says_is_told() {
    let mut solo = Solo::registered();
    let lines = [
        "Subject: lunch",
        "Alert-Info: <http://x.example/ring.wav>",
        "Call-Info: <http://x.example/bob.jpg>;purpose=icon",
        "Priority: urgent",
        "Organization: Example",
        "Reply-To: <sip:desk@example.com>",
        "History-Info: <sip:sales@example.com>;index=1",
        "X-Ticket: 42",
    ];
    let Event::Incoming { request, asserted: None, .. } = invited(&mut solo, &lines) else { panic!() };
    let headers = request.headers();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(headers.named(name), Some(value));
    }
    assert_eq!(
        headers.typed::<Subject<'_>>().unwrap().map(|subject| format!("{subject}")),
        Some("lunch".into())
    );
}

#[test]
fn rfc3261_20_whatever_the_answers_say_can_be_read() {
    let mut solo = Solo::registered();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(solo.ua.call_response(call).is_none());
    solo.reply(&invite, 180, "Alert-Info: <urn:alert:service:call-waiting>\r\n", "");
    let ring = solo.ua.call_response(call).unwrap();
    assert_eq!((ring.status(), ring.headers().has(HeaderName::AlertInfo)), (180, true));
    solo.answer(&invite, "b1");
    assert_eq!(solo.ua.call_response(call).map(Response::status), Some(200));
    // It is kept no longer than the making of the call.
    solo.advance(Duration::from_secs(40));
    assert!(solo.ua.call_response(call).is_none());
}

#[test]
fn rfc3325_9_1_who_calls_by_the_word_of_our_server() {
    let line = "P-Asserted-Identity: \"Cullen\" <sip:fluffy@example.com>";
    for trusted in [false, true] {
        let mut config = config("sip:alice@example.com");
        config.asserted_identity = trusted;
        let mut solo = Solo::with(config, Transport::Udp);
        let Event::Incoming { asserted, .. } = invited(&mut solo, &[line]) else { panic!() };
        let told = asserted.map(|who| (String::from(who.uri), who.display_name.map(String::from)));
        let vouched = Some(("sip:fluffy@example.com".into(), Some("Cullen".into())));
        assert_eq!(told, vouched.filter(|_| trusted));

        // From anywhere else it is anybody's word.
        solo.hop = hop(77, Transport::Udp);
        solo.sent.clear();
        let lines = [INVITE[0], INVITE[1], "Call-ID: call-2", INVITE[3], INVITE[4], INVITE[5], line];
        solo.send("INVITE", &lines, OFFER);
        let Event::Incoming { asserted: None, .. } = solo.event() else { panic!() };
    }
}

#[test]
fn rfc3323_4_1_an_anonymous_caller_is_recognised() {
    let mut solo = Solo::registered();
    let mut lines = INVITE.to_vec();
    lines[0] = "From: \"Anonymous\" <sip:anonymous@Anonymous.invalid>;tag=bobtag";
    lines.push("Privacy: id");
    solo.send("INVITE", &lines, OFFER);
    let Event::Incoming { from, to, request, .. } = solo.event() else { panic!() };
    assert!(from.is_anonymous() && !to.is_anonymous());
    assert!(request.headers().typed::<Privacy<'_>>().unwrap().unwrap().has("id"));
}

#[test]
fn rfc3326_2_rfc9366_every_value_of_reason_is_told() {
    type Row<'a> = (&'a str, &'a [(&'a str, u32, &'a str)]);
    let rows: [Row<'_>; 4] = [
        ("Reason: SIP;cause=480;text=\"Gone\"", &[("SIP", 480, "Gone")]),
        (
            "Reason: Q.850;cause=16;text=\"Terminated\", SIP;cause=200, SIP;cause=600;text=\"Busy\"",
            &[("Q.850", 16, "Terminated"), ("SIP", 200, ""), ("SIP", 600, "Busy")],
        ),
        ("Reason: ;;;", &[]),
        ("X: y", &[]),
    ];
    for (line, expected) in rows {
        let mut solo = Solo::registered();
        let call = ringing(&mut solo);
        solo.ua.accept(solo.now, call, ANSWER).unwrap();
        solo.drain();
        let ok = solo.response(200);
        send(&mut solo, &ok, "ACK", 10, &[], "");
        solo.events.clear();
        send(&mut solo, &ok, "BYE", 11, &[line], "");
        let reason = (!expected.is_empty()).then(|| said(expected));
        if let Some(reason) = &reason {
            assert_eq!(reason.cause("sip"), expected.iter().find(|(p, ..)| *p == "SIP").map(|(_, c, _)| *c));
        }
        assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Remote, reason } });
    }
}

#[test]
fn rfc3261_20_33_20_43_a_refusal_is_told_whole() {
    let mut solo = Solo::registered();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let extra = "Retry-After: 120 (lunch)\r\nWarning: 399 x.example \"Out\"\r\nWarning: 370 x.example \"Thin line\"\r\n";
    solo.reply(&invite, 486, extra, "");
    let end = End::Failed(Failure {
        status: Some(486),
        reason: Some("Busy Here".into()),
        retry_after: Some(Duration::from_secs(120)),
        warnings: ["Out".into(), "Thin line".into()].into(),
        ..Failure::of(Cause::Busy)
    });
    assert_eq!(solo.event(), Event::Ended { call, end });
}

#[test]
fn rfc5079_who_takes_no_anonymous_calls_is_told_apart() {
    let mut solo = Solo::registered();
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 433, "", "");
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::AnonymityDisallowed);
    solo.sent.clear();
    solo.events.clear();

    let call = ringing(&mut solo);
    solo.sent.clear();
    solo.ua.reject(solo.now, call, 433, None).unwrap();
    solo.drain();
    assert_eq!(solo.response(433).reason(), "Anonymity Disallowed");
}

#[test]
fn rfc3261_21_3_a_caller_is_sent_elsewhere() {
    let mut solo = Solo::registered();
    let call = ringing(&mut solo);
    let half = QValue::from_thousandths(500);
    let refused = |solo: &mut Solo, status, targets: &[(&str, Option<QValue>)]| {
        solo.ua.redirect(solo.now, call, status, targets).unwrap_err()
    };
    for status in [200, 299, 400, 603] {
        assert_eq!(refused(&mut solo, status, &[("carol", None)]), CommandError::InvalidStatus(status));
    }
    let many = [("carol", None); 17];
    for targets in [&[][..], &[("carol", None), ("no target", None)], &many] {
        assert_eq!(refused(&mut solo, 302, targets), CommandError::InvalidTarget);
    }
    solo.nothing_sent();
    solo.ua.redirect(solo.now, call, 302, &[("carol", None), ("sip:mail@example.org", half)]).unwrap();
    solo.drain();
    let moved = solo.response(302);
    let contacts: Vec<_> =
        moved.headers().typed_all::<Contact<'_>>().flatten().map(|c| format!("{c}")).collect();
    assert_eq!(contacts, ["<sip:carol@example.com>", "<sip:mail@example.org>;q=0.5"]);
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(302, None) });
    assert_eq!(solo.ua.redirect(solo.now, call, 302, &[("x", None)]), Err(CommandError::NoSuchCall));
}

#[test]
fn rfc3261_20_whatever_other_requests_say_is_told() {
    let mut config = config("sip:alice@example.com");
    config.event_packages = ["presence".into()].into();
    config.message_types = ["text/plain".into()].into();
    config.info_packages = ["nil".into()].into();
    config.referrals = true;
    let mut solo = Solo::with(config, Transport::Wss);
    let call = ringing(&mut solo);
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    let note = "X-Note: 1";
    send(&mut solo, &ok, "INFO", 11, &["Info-Package: nil", note], "");
    send(&mut solo, &ok, "MESSAGE", 12, &["Content-Type: text/plain", note], "hello");
    send(
        &mut solo,
        &ok,
        "REFER",
        13,
        &["Refer-To: <sip:carol@example.com>", "Contact: <sip:bob@y.invalid>", note],
        "",
    );
    let lines =
        [INVITE[0], INVITE[1], "Call-ID: s-1", "CSeq: 1 SUBSCRIBE", INVITE[4], "Event: presence", note];
    solo.send("SUBSCRIBE", &lines, "");
    let noted: Vec<_> = solo
        .events
        .iter()
        .filter_map(|event| match event {
            Event::InfoPackage { request, .. }
            | Event::Message { request, .. }
            | Event::Referred { request, .. }
            | Event::Watcher { update: WatcherUpdate::Asked { request, .. }, .. } => Some(request),
            _ => None,
        })
        .map(|request| (request.method().clone(), request.headers().named("X-Note")))
        .collect();
    let methods = [Method::Info, Method::Message, Method::Refer, Method::Subscribe];
    assert_eq!(noted, methods.map(|method| (method, Some("1"))));
}
