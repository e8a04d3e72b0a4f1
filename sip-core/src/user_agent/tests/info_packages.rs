//! Info Packages (RFC 6086).

use std::format;
use std::string::String;
use std::vec::Vec;

use super::messages::{established, failed};
use super::solo::Solo;
use super::{OFFER, config};
use crate::body::Content;
use crate::limits;
use crate::message::{HeaderName, Method};
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Event, RequestError};

/// An incoming call whose INVITE has these fields, answered, with what a request in its dialog needs.
fn called(solo: &mut Solo, more: &[&str]) -> (CallId, crate::message::Response) {
    let lines: Vec<&str> = super::solo::INVITE.into_iter().chain(more.iter().copied()).collect();
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, super::ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    in_call(solo, &ok, "ACK", 10, &[], "");
    solo.events.clear();
    (call, ok)
}

fn in_call(
    solo: &mut Solo,
    ok: &crate::message::Response,
    method: &str,
    cseq: u32,
    more: &[&str],
    body: &str,
) {
    let to = format!("To: <sip:alice@example.com>;tag={}", ok.to_tag().unwrap());
    let cseq = format!("CSeq: {cseq} {method}");
    let mut lines = std::vec![super::solo::INVITE[0], &*to, "Call-ID: call-1", &*cseq];
    lines.extend(more);
    solo.send(method, &lines, body);
}

#[test]
fn rfc6086_5_2_3_recv_info_is_said() {
    let mut config = config("sip:alice@example.com");
    config.info_packages = ["foo".into(), "bar".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(invite.headers().first(HeaderName::RecvInfo), Some("foo, bar"));
    // In the answer to a request that has one, and only there.
    let (_, ok) = called(&mut solo, &["Recv-Info: "]);
    assert_eq!(ok.headers().first(HeaderName::RecvInfo), Some("foo, bar"));
    let mut solo = Solo::new();
    let (_, ok) = called(&mut solo, &[]);
    assert!(!ok.headers().has(HeaderName::RecvInfo));
    let mut solo = Solo::new();
    let (_, ok) = called(&mut solo, &["Recv-Info: foo"]);
    assert_eq!(ok.headers().first(HeaderName::RecvInfo), Some(""), "known, and nothing is wanted");
}

/// The set stays what it was said to be, in answers to what changes the session too.
#[test]
fn rfc6086_5_2_3_recv_info_in_answers_to_reinvite_and_update() {
    let mut config = config("sip:alice@example.com");
    config.info_packages = ["foo".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let (call, ok) = called(&mut solo, &["Recv-Info: bar"]);
    let sdp = ["Content-Type: application/sdp", "Recv-Info: baz", "Contact: <sip:bob@z.invalid>"];
    in_call(&mut solo, &ok, "INVITE", 11, &sdp, OFFER);
    solo.response(100);
    assert_eq!(solo.response(200).headers().first(HeaderName::RecvInfo), Some("foo"));
    in_call(&mut solo, &ok, "ACK", 11, &[], "");
    in_call(&mut solo, &ok, "UPDATE", 12, &["Recv-Info: qux", "Contact: <sip:bob@z.invalid>"], "");
    assert_eq!(solo.response(200).headers().first(HeaderName::RecvInfo), Some("foo"));
    // Theirs is what they said last.
    for (package, taken) in [("bar", false), ("baz", false), ("qux", true)] {
        let sent = solo.ua.info_package(solo.now, call, package, None);
        assert_eq!(sent.is_ok(), taken, "{package}");
    }
    in_call(&mut solo, &ok, "UPDATE", 13, &["Contact: <sip:bob@z.invalid>"], "");
    solo.sent.pop_front();
    assert!(!solo.response(200).headers().has(HeaderName::RecvInfo), "it was not asked for");
}

#[test]
fn rfc6086_4_2_2_packages_that_come() {
    let mut config = config("sip:alice@example.com");
    config.info_packages = ["foo".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let (call, ok) = called(&mut solo, &["Recv-Info: "]);
    let typed = ["Info-Package: foo;x=1", "Content-Type: text/foo", "Content-Disposition: Info-Package"];
    in_call(&mut solo, &ok, "INFO", 11, &typed, "hello");
    solo.response(200);
    let Event::InfoPackage { call: of, package, content: Some(content), .. } = solo.event() else { panic!() };
    assert_eq!((of, &*package, &content.body[..]), (call, "foo;x=1", &b"hello"[..]));
    in_call(&mut solo, &ok, "INFO", 12, &["Info-Package: foo"], "");
    solo.response(200);
    assert!(matches!(solo.event(), Event::InfoPackage { content: None, .. }));
    in_call(&mut solo, &ok, "INFO", 13, &["Info-Package: bar"], "");
    assert_eq!(solo.response(469).headers().first(HeaderName::RecvInfo), Some("foo"));
    for wrong in ["Info-Package: ", "Info-Package: foo, bar", "Info-Package: foo\r\nInfo-Package: foo"] {
        in_call(&mut solo, &ok, "INFO", 14, &[wrong], "");
        solo.response(400);
    }
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established), "the call goes on");
}

#[test]
fn rfc6086_4_2_1_packages_are_sent_to_who_takes_them() {
    let mut solo = Solo::new();
    let (call, _) = called(&mut solo, &["Recv-Info: foo, bar"]);
    let content = Content::new("text/foo", String::from("hello"));
    let id = solo.ua.info_package(solo.now, call, "foo;x=1", Some(content)).unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    let field = |name| info.headers().first(name);
    assert_eq!(field(HeaderName::InfoPackage), Some("foo;x=1"));
    assert_eq!(field(HeaderName::ContentDisposition), Some("Info-Package"));
    assert!(field(HeaderName::RecvInfo).is_none(), "MUST NOT");
    // §4.2.1: a 469 is of the request alone.
    solo.reply(&info, 469, "Recv-Info: bar\r\n", "");
    assert_eq!(failed(&mut solo, id).status, Some(469));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    for package in ["baz", "Foo", "", "foo bar"] {
        assert_eq!(
            solo.ua.info_package(solo.now, call, package, None),
            Err(RequestError::PackageNotTaken),
            "{package}"
        );
    }
    // Who says nothing knows nothing of it.
    let mut solo = Solo::new();
    let call = established(&mut solo);
    assert_eq!(solo.ua.info_package(solo.now, call, "foo", None), Err(RequestError::PackageNotTaken));
}

/// Of a peer that names thousands only so many are kept.
#[test]
fn rfc6086_5_2_2_the_set_has_a_cap() {
    let mut solo = Solo::new();
    let names: Vec<_> = (0..2_000).map(|n| format!("p{n}")).collect();
    let (call, _) = called(&mut solo, &[&format!("Recv-Info: {}", names.join(", "))]);
    let last = limits::INFO_PACKAGES - 1;
    assert!(solo.ua.info_package(solo.now, call, &format!("p{last}"), None).is_ok());
    let beyond = solo.ua.info_package(solo.now, call, &format!("p{}", last + 1), None);
    assert_eq!(beyond, Err(RequestError::PackageNotTaken));
}
