//! §8.2: what is refused, and with which words.

use std::format;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::solo::{INVITE, Solo};
use super::{OFFER, config};
use crate::message::{HeaderName, Message, Method};
use crate::transport::Transport;
use crate::user_agent::{Config, Event};

/// What an INVITE may bring.
const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

/// An INVITE with one line replaced.
fn with(at: usize, line: &'static str) -> Vec<&'static str> {
    let mut lines = INVITE.to_vec();
    lines[at] = line;
    lines
}

fn plus(line: &'static str) -> Vec<&'static str> {
    let mut lines = INVITE.to_vec();
    lines.push(line);
    lines
}

#[test]
fn invites_that_are_refused() {
    type Row<'a> = (u16, Vec<&'a str>, &'a str, Option<(HeaderName, &'a str)>);
    let rows: [Row<'_>; 10] = [
        (420, plus("Require: 100rel, x"), OFFER, Some((HeaderName::Unsupported, "x"))),
        (415, with(5, "Content-Type: text/plain"), "hello", Some((HeaderName::Accept, ACCEPT))),
        (400, with(5, "Content-Type: multipart/mixed;boundary=x"), "--x--", None),
        // §20.15: it "MUST be present if the body is not empty".
        (400, with(5, "X: no type"), OFFER, None),
        (406, plus("Accept: text/nobodyKnowsThis"), OFFER, None),
        (400, plus("Content-Type: application/sdp"), OFFER, None),
        (415, plus("Content-Encoding: gzip"), OFFER, Some((HeaderName::AcceptEncoding, "identity"))),
        (400, with(4, "X: no contact"), OFFER, None),
        (400, with(4, "Contact: <tel:+1>"), OFFER, None),
        (400, with(4, "Contact: *"), OFFER, None),
    ];
    for (status, lines, body, header) in rows {
        let mut solo = Solo::new();
        solo.send("INVITE", &lines, body);
        let response = solo.response(status);
        assert!(response.to_tag().is_some());
        if let Some((name, value)) = header {
            assert_eq!(response.headers().first(name), Some(value));
        }
        assert!(solo.events.is_empty(), "{lines:?}");
        assert_eq!(solo.ua.calls().count(), 0);
    }
}

#[test]
fn invites_that_are_taken() {
    let rows: [(Vec<&str>, &str); 6] = [
        (with(5, "c: Application/SDP;charset=utf-8"), OFFER),
        (plus("Content-Encoding: identity"), OFFER),
        // To may name anybody: the call was forwarded.
        (with(1, "To: <sip:sales@else.example>"), OFFER),
        (plus("Supported: 100rel, timer, waltz"), OFFER),
        (plus("Accept: text/plain, application/*"), OFFER),
        (plus("Require: outbound"), OFFER),
    ];
    for (lines, body) in rows {
        let mut solo = Solo::new();
        solo.send("INVITE", &lines, body);
        solo.response(100);
        assert!(matches!(solo.event(), Event::Incoming { sdp: Some(_), .. }), "{lines:?}");
    }
    // A body that may be ignored is.
    let mut solo = Solo::new();
    let mut lines = with(5, "Content-Type: text/html");
    lines.push("Content-Disposition: render;handling=optional");
    solo.send("INVITE", &lines, "<hr>");
    solo.response(100);
    assert!(matches!(solo.event(), Event::Incoming { sdp: None, .. }));
}

#[test]
fn request_uris() {
    let mut solo = Solo::new();
    let ours = solo.contact_user();
    let rows = [
        (format!("sip:{ours}@whatever.invalid;transport=ws"), 200),
        (String::from("sip:alice@example.com"), 200),
        (String::from("sip:%61lice@EXAMPLE.com:5070;x=y"), 200),
        (String::from("sip:alice@192.0.2.1"), 200),
        (String::from("sip:192.0.2.1"), 200),
        (String::from("sip:alice@other.example"), 404),
        (String::from("sip:bob@example.com"), 404),
        (String::from("tel:+1234"), 416),
        (String::from("sips:alice@example.com"), 416),
        (String::from("nobodyKnowsThisScheme:totallyopaquecontent"), 416),
    ];
    for (number, (uri, status)) in rows.iter().enumerate() {
        let text = format!(
            "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/WSS p.example;branch=z9hG4bKr{number}\r\n\
             From: <sip:bob@example.com>;tag=b\r\nTo: <sip:alice@example.com>\r\nCall-ID: r{number}\r\n\
             CSeq: 1 OPTIONS\r\n\r\n"
        );
        solo.deliver(Bytes::from(text));
        let response = solo.response(*status);
        assert_eq!(response.headers().has(HeaderName::Allow), *status == 200, "{uri}");
    }
}

#[test]
fn methods_outside_a_dialog() {
    let rows = [
        ("BYE", 481),
        ("INFO", 481),
        ("REGISTER", 405),
        ("SUBSCRIBE", 405),
        ("NOTIFY", 481),
        ("PUBLISH", 405),
        ("REFER", 405),
        ("MESSAGE", 405),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("DANCE", 501),
        ("invite", 501),
    ];
    for (method, status) in rows {
        let mut solo = Solo::new();
        let cseq = format!("CSeq: 1 {method}");
        solo.send(method, &[INVITE[0], INVITE[1], INVITE[2], &cseq], "");
        let response = solo.response(status);
        assert_eq!(response.headers().has(HeaderName::Allow), status != 481, "{method}");
        // With a tag that names no dialog of ours.
        solo.send(method, &[INVITE[0], "To: <sip:alice@example.com>;tag=none", "Call-ID: x", &cseq], "");
        solo.response(481);
        assert!(solo.events.is_empty());
    }
}

#[test]
fn options_tell_what_we_can() {
    let mut solo = Solo::new();
    solo.send("OPTIONS", &[INVITE[0], INVITE[1], INVITE[2], "CSeq: 1 OPTIONS"], "");
    let ok = solo.response(200);
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO"] {
        assert!(ok.headers().lists(HeaderName::Allow, method));
    }
    assert!(ok.headers().lists(HeaderName::Accept, "application/sdp"));
    assert!(ok.headers().has(HeaderName::Supported));
}

/// §8.2.2.2: the same INVITE come over two ways.
#[test]
fn a_merged_request_is_refused() {
    let mut solo = Solo::new();
    solo.invite();
    solo.response(100);
    solo.invite();
    solo.response(482);
    // Another CSeq, another request.
    let lines = with(3, "CSeq: 11 INVITE");
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    assert_eq!(solo.ua.calls().count(), 2);
}

#[test]
fn an_offer_webrtc_cannot_take() {
    let mut config = config("sip:alice@example.com");
    config.dtls_required = true;
    let audio = "m=audio 4000 RTP/AVP 0\r\n";
    let print = "a=fingerprint:sha-256 AA:BB\r\n";
    let rows = [
        (format!("v=0\r\n{audio}"), false),
        (format!("v=0\r\n{print}{audio}"), true),
        (format!("v=0\r\n{audio}{print}"), true),
        (format!("v=0\r\n{audio}{print}{audio}"), false),
        (format!("v=0\r\n{audio}{print}m=video 0 RTP/AVP 31\r\n"), true),
        (String::from(OFFER), true),
    ];
    for (sdp, taken) in rows {
        let mut solo = Solo::with(config.clone(), Transport::Ws);
        solo.send("INVITE", &INVITE, &sdp);
        if taken {
            solo.response(100);
        } else {
            assert!(solo.response(488).headers().first(HeaderName::Warning).unwrap().starts_with("399 "));
        }
    }
}

#[test]
fn what_is_no_sip_is_refused_or_dropped() {
    let mut solo = Solo::new();
    solo.deliver(Bytes::from_static(b"\r\n\r\n"));
    solo.deliver(Bytes::from_static(b"hello"));
    solo.deliver(Bytes::from_static(b"\xff\xfe\r\n\r\n"));
    solo.nothing_sent();
    solo.deliver(Bytes::from_static(
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
          To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n",
    ));
    let refused = solo.response(400);
    assert!(refused.reason().contains("CSeq"), "{}", refused.reason());
    solo.deliver(Bytes::from_static(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/WS x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
          To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    ));
    solo.nothing_sent();
    assert_eq!((solo.ua.counters().malformed, solo.ua.counters().stray_responses), (3, 1));
    assert!(solo.events.is_empty());
}

/// A caller nobody can trust: no input makes it panic or keep anything.
#[test]
fn every_cut_of_an_invite_is_harmless() {
    let mut solo = Solo::new();
    solo.invite();
    let whole = {
        let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        solo.response(100);
        let invite = solo.request(&Method::Invite);
        solo.ua.hangup(solo.now, call).unwrap();
        invite.bytes().clone()
    };
    for end in 0..whole.len() {
        solo.deliver(whole.slice(..end));
    }
    solo.drain();
    assert!(solo.sent.iter().all(|(_, _, message)| matches!(message, Message::Response(_))));
}

#[test]
fn rfc3261_21_4_11_bodies_that_are_too_large() {
    let config = Config { body_bytes: OFFER.len(), ..config("sip:alice@example.com") };
    let mut solo = Solo::with(config, Transport::Wss);
    let large = format!("{OFFER}a=x\r\n");
    let lines = [INVITE[0], INVITE[1], "Call-ID: call-2", INVITE[3], INVITE[4], INVITE[5]];
    solo.send("INVITE", &lines, &large);
    solo.response(413);
    assert!(solo.events.is_empty());
    // What fits is taken, and so is the end of it whatever it brings.
    let (call, ok) = super::incoming::established(&mut solo);
    super::incoming::send(&mut solo, &ok, "INVITE", 11, &["Contact: <sip:b@y.invalid>", INVITE[5]], &large);
    solo.response(413);
    super::incoming::send(&mut solo, &ok, "INFO", 12, &["Content-Type: application/dtmf"], &large);
    solo.response(413);
    super::incoming::send(&mut solo, &ok, "BYE", 13, &["Content-Type: text/plain"], &large);
    solo.response(200);
    assert!(matches!(solo.event(), Event::Ended { call: of, .. } if of == call));
}
