//! Bodies of several parts (RFC 5621), as they come and in answers.

use std::format;
use std::string::{String, ToString};

use super::incoming::{established, send};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::events::{EventName, Package};
use crate::limits;
use crate::message::{HeaderName, Method, Request, Response, Writer, reason_phrase};
use crate::transport::Transport;
use crate::user_agent::{CallState, Event, SubscriptionUpdate};

const MIXED: &str = "Content-Type: multipart/mixed;boundary=\"b 1\"";
const ALTERNATIVE: &str = "Content-Type: multipart/alternative; boundary=\"b 1\"";
const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

/// A location beside the session, which must be understood or may be ignored.
const REQUIRED: &str = "Content-Type: application/pidf+xml\r\n\r\n<presence/>";
const OPTIONAL: &str =
    "Content-Type: application/pidf+xml\r\nContent-Disposition: render;handling=optional\r\n\r\n<presence/>";

fn session(sdp: &str) -> String {
    format!("Content-Type: application/sdp\r\n\r\n{sdp}")
}

fn parts(boundary: &str, parts: &[&str]) -> String {
    let body: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
    format!("a preamble\r\n{body}--{boundary}--\r\nan epilogue")
}

fn mixed(all: &[&str]) -> String {
    parts("b 1", all)
}

fn invite_with(solo: &mut Solo, content_type: &str, body: &str) {
    let mut lines = INVITE.to_vec();
    lines[5] = content_type;
    solo.send("INVITE", &lines, body);
}

fn reply_with(solo: &mut Solo, request: &Request, status: u16, fields: &[(&str, &str)], body: &str) {
    let mut writer = Writer::response(request, status, reason_phrase(status), Some("callee"));
    for (name, value) in fields {
        writer = writer.field(name, value);
    }
    solo.deliver(writer.body("multipart/mixed;boundary=\"b 1\"", body.as_bytes()));
}

#[test]
fn rfc5621_4_2_an_offer_in_parts() {
    let offer = session(OFFER);
    let nested = format!(
        "Content-Type: multipart/alternative;boundary=in\r\n\r\n{}",
        parts("in", &[&offer, "Content-Type: application/new-session\r\n\r\nv=9"])
    );
    let rows = [
        (MIXED, mixed(&[&offer])),
        (MIXED, mixed(&[OPTIONAL, &offer])),
        (MIXED, mixed(&[&offer, OPTIONAL])),
        (ALTERNATIVE, mixed(&[&offer, REQUIRED])),
        (MIXED, mixed(&[OPTIONAL, &nested])),
        // A kind of multipart that nobody knows is mixed.
        ("Content-Type: multipart/waltz;boundary=\"b 1\"", mixed(&[&offer, OPTIONAL])),
    ];
    for (content_type, body) in rows {
        let mut solo = Solo::new();
        invite_with(&mut solo, content_type, &body);
        solo.response(100);
        let Event::Incoming { call, sdp, .. } = solo.event() else { panic!("{body}") };
        assert_eq!(sdp.as_deref(), Some(OFFER), "{body}");
        assert_eq!(&solo.ua.session(call).unwrap().pending().unwrap()[..], OFFER.as_bytes());
        solo.ua.accept(solo.now, call, ANSWER).unwrap();
        solo.drain();
        assert_eq!(solo.response(200).body(), ANSWER.as_bytes());
    }
    // Parts that may all be ignored offer nothing: then the offer is ours.
    let mut solo = Solo::new();
    invite_with(&mut solo, MIXED, &mixed(&[OPTIONAL]));
    solo.response(100);
    assert!(matches!(solo.event(), Event::Incoming { sdp: None, .. }));
}

#[test]
fn rfc5621_8_4_parts_that_are_required_and_unknown() {
    let offer = session(OFFER);
    let early = format!("Content-Disposition: early-session\r\n{offer}");
    let elsewhere = format!("Content-Disposition: by-reference\r\n{offer}");
    let coded = format!("Content-Transfer-Encoding: base64\r\n{offer}");
    let many: std::vec::Vec<&str> = std::iter::repeat_n(OPTIONAL, limits::BODY_PARTS + 1).collect();
    let mut deep = offer.clone();
    for depth in 0..limits::MULTIPART_DEPTH {
        let body = parts(&format!("d{depth}"), &[&deep]);
        deep = format!("Content-Type: multipart/mixed;boundary=d{depth}\r\n\r\n{body}");
    }
    let rows = [
        (415, MIXED, mixed(&[&offer, REQUIRED])),
        (415, MIXED, mixed(&[REQUIRED])),
        (415, ALTERNATIVE, mixed(&[REQUIRED, OPTIONAL])),
        // Two sessions: one of them has no context.
        (415, MIXED, mixed(&[&offer, &offer])),
        (415, MIXED, mixed(&[&early])),
        (415, MIXED, mixed(&[&elsewhere])),
        (415, MIXED, mixed(&[&coded])),
        (400, MIXED, String::from("no delimiter")),
        (400, "Content-Type: multipart/mixed", mixed(&[&offer])),
        (413, MIXED, mixed(&many)),
        (413, MIXED, mixed(&[&deep])),
    ];
    for (status, content_type, body) in rows {
        let mut solo = Solo::new();
        invite_with(&mut solo, content_type, &body);
        let response = solo.response(status);
        let accept = response.headers().first(HeaderName::Accept);
        assert_eq!(accept, Some(ACCEPT).filter(|_| status == 415), "{body}");
        assert!(solo.events.is_empty());
        assert_eq!(solo.ua.calls().count(), 0);
    }
    // All of it may be ignored.
    for body in [mixed(&[&offer, REQUIRED]), String::from("no delimiter")] {
        let mut solo = Solo::new();
        let mut lines = INVITE.to_vec();
        lines[5] = MIXED;
        lines.push("Content-Disposition: render;handling=optional");
        solo.send("INVITE", &lines, &body);
        solo.response(100);
        assert!(matches!(solo.event(), Event::Incoming { sdp: None, .. }));
    }
}

/// RFC 3261 §20.11, RFC 3959 §5: a description that is for something else is not the offer, nor the answer.
#[test]
fn rfc3959_5_an_early_session_is_not_the_session() {
    let mut solo = Solo::new();
    let mut lines = INVITE.to_vec();
    lines.push("Content-Disposition: early-session");
    solo.send("INVITE", &lines, OFFER);
    assert_eq!(solo.response(415).headers().first(HeaderName::Accept), Some(ACCEPT));
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let fields = "Contact: <sip:bob@192.0.2.7>\r\nContent-Disposition: early-session\r\n";
    solo.reply(&invite, 183, fields, &OFFER.replace("o=- 1 1", "o=- 9 1"));
    assert!(matches!(solo.event(), Event::Progress { status: 183, sdp: None, .. }));
    solo.answer(&invite, "callee");
    assert!(matches!(solo.event(), Event::Accepted { sdp: Some(sdp), .. } if sdp == ANSWER));
    assert_eq!(&solo.ua.session(call).unwrap().remote().unwrap()[..], ANSWER.as_bytes());
}

/// §4.2, §10: answers in parts; nobody can be told what is not understood beside them.
#[test]
fn rfc5621_10_an_answer_in_parts() {
    let answer = mixed(&[REQUIRED, &session(ANSWER)]);
    let contact = ("Contact", "<sip:bob@192.0.2.7>");
    for status in [183, 200] {
        let mut solo = Solo::new();
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        reply_with(&mut solo, &invite, status, &[contact], &answer);
        let (Event::Progress { sdp, .. } | Event::Accepted { sdp, .. }) = solo.event() else { panic!() };
        assert_eq!(sdp.as_deref(), Some(ANSWER));
        assert_eq!(&solo.ua.session(call).unwrap().remote().unwrap()[..], ANSWER.as_bytes());
    }
}

#[test]
fn rfc5621_4_2_parts_in_every_place_of_an_offer_or_answer() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let next = OFFER.replace("o=- 1 1", "o=- 1 2").replace("a=fing", "a=sendonly\r\na=fing");
    // A re-INVITE and an UPDATE; a part that must be understood and is not leaves the session as it was.
    for (cseq, method) in [(11, "INVITE"), (13, "UPDATE")] {
        let agreed = solo.ua.session(call).unwrap().remote().cloned();
        send(&mut solo, &ok, method, cseq, &[MIXED], &mixed(&[&session(&next), REQUIRED]));
        let refused = solo.response(415);
        assert_eq!(refused.headers().first(HeaderName::Accept), Some(ACCEPT));
        assert!(solo.events.is_empty());
        assert_eq!(solo.ua.session(call).unwrap().remote().cloned(), agreed);
        let version = if method == "INVITE" { "o=- 1 2" } else { "o=- 1 3" };
        let next = next.replace("o=- 1 2", version);
        send(&mut solo, &ok, method, cseq + 1, &[MIXED], &mixed(&[OPTIONAL, &session(&next)]));
        if method == "INVITE" {
            solo.response(100);
        }
        assert_eq!(solo.event(), Event::Offered { call, sdp: Some(next.clone()) });
        let sdp = super::reply(solo.ua.session(call).unwrap(), Some(&next));
        solo.ua.answer(solo.now, call, &sdp).unwrap();
        solo.drain();
        solo.response(200);
        if method == "INVITE" {
            send(&mut solo, &ok, "ACK", cseq + 1, &[], "");
        }
        assert_eq!(&solo.ua.session(call).unwrap().remote().unwrap()[..], next.as_bytes());
    }
    // The 200 to ours.
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let reinvite = solo.request(&Method::Invite);
    let theirs = next.replace("o=- 1 2", "o=- 1 4").replace("sendonly", "recvonly");
    let contact = ("Contact", "<sip:bob@192.0.2.7>");
    reply_with(&mut solo, &reinvite, 200, &[contact], &mixed(&[&session(&theirs)]));
    solo.request(&Method::Ack);
    assert_eq!(solo.event(), Event::OfferAnswered { call, sdp: theirs });
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc5621_4_2_the_answer_in_an_ack() {
    let mut solo = Solo::new();
    solo.send("INVITE", &INVITE[..5], "");
    solo.response(100);
    let Event::Incoming { call, sdp: None, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, OFFER).unwrap();
    solo.drain();
    let ok: Response = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[MIXED], &mixed(&[REQUIRED, &session(ANSWER)]));
    assert_eq!(solo.event(), Event::Confirmed { call, sdp: Some(ANSWER.into()) });
}

/// §4.2 is for every method.
#[test]
fn rfc5621_4_2_words_and_keys_in_parts() {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let message = |solo: &mut Solo, content_type: &str, body: &str| {
        let (id, cseq) = (format!("Call-ID: m{}", solo.serial), "CSeq: 1 MESSAGE");
        let lines = [INVITE[0], INVITE[1], id.as_str(), cseq, content_type];
        solo.send("MESSAGE sip:alice@example.com", &lines, body);
    };
    let html = "Content-Type: text/html\r\n\r\n<b>hello</b>";
    // A part without a type is text.
    message(&mut solo, ALTERNATIVE, &mixed(&["\r\nhello", html]));
    solo.response(200);
    let Event::Message { content, .. } = solo.event() else { panic!() };
    assert_eq!((&*content.content_type, &content.body[..]), ("text/plain", &b"hello"[..]));
    message(&mut solo, MIXED, &mixed(&["\r\nhello", html]));
    let accept = solo.response(415).headers().first(HeaderName::Accept).map(ToString::to_string);
    assert_eq!(accept.as_deref(), Some("text/plain, multipart/mixed, multipart/alternative"));
    assert!(solo.events.is_empty());

    let (call, ok) = established(&mut solo);
    let keys = "Content-Type: application/dtmf-relay\r\n\r\nSignal=5\r\n";
    send(&mut solo, &ok, "INFO", 11, &[MIXED], &mixed(&[keys, OPTIONAL]));
    solo.response(200);
    let Event::Info { call: of, content_type, body } = solo.event() else { panic!() };
    assert_eq!((of, &*content_type, &*body), (call, "application/dtmf-relay", "Signal=5\r\n"));
}

#[test]
fn rfc5621_4_2_a_state_in_parts() {
    let mut solo = Solo::registered();
    let event = EventName::new(Package::Presence);
    solo.ua.subscribe(solo.now, "bob", event, None).unwrap();
    solo.drain();
    let subscribe = solo.request(&Method::Subscribe);
    solo.reply(&subscribe, 200, "Expires: 600\r\nContact: <sip:bob@192.0.2.7>\r\n", "");
    let pidf = "Content-Type: application/pidf+xml\r\n\r\n<presence/>";
    let from = "From: <sip:bob@example.com>;tag=callee";
    let to = format!("To: {}", subscribe.headers().first(HeaderName::From).unwrap());
    let id = format!("Call-ID: {}", subscribe.call_id());
    let lines = [
        from,
        &to,
        &id,
        "CSeq: 1 NOTIFY",
        "Contact: <sip:bob@192.0.2.7>",
        "Event: presence",
        "Subscription-State: active;expires=600",
        MIXED,
    ];
    solo.send("NOTIFY", &lines, &mixed(&[pidf, "Content-Disposition: x;handling=optional\r\n\r\nx"]));
    solo.response(200);
    let Event::Subscription { update: SubscriptionUpdate::Notified { content, .. }, .. } = solo.event()
    else {
        panic!()
    };
    let content = content.unwrap();
    assert_eq!((&*content.content_type, &content.body[..]), ("application/pidf+xml", &b"<presence/>"[..]));
}
