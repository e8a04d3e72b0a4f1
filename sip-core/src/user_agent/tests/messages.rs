//! MESSAGE (RFC 3428), OPTIONS (RFC 3261 §11) and requests without a command of their own.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::solo::Solo;
use super::{OFFER, config};
use crate::body::Content;
use crate::limits;
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{
    Addressee, CallId, CallState, Cause, Config, End, Event, Failure, MessageError, RequestError, RequestId,
};

/// Lines of a MESSAGE to alice.
const MESSAGE: [&str; 5] = [
    "From: \"Bob\" <sip:bob@example.com>;tag=bobtag",
    "To: <sip:alice@example.com>",
    "Call-ID: message-1",
    "CSeq: 1 MESSAGE",
    "Content-Type: text/plain;charset=utf-8",
];

fn chatting() -> Config {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into(), "message/cpim".into()].into();
    config
}

fn text(words: &str) -> Content {
    Content::new("text/plain", String::from(words))
}

pub(super) fn established(solo: &mut Solo) -> CallId {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    call
}

fn say(solo: &mut Solo, to: &str, words: &str) -> RequestId {
    let id = solo.ua.message(solo.now, Addressee::Target(to), text(words)).unwrap();
    solo.drain();
    id
}

#[track_caller]
pub(super) fn failed(solo: &mut Solo, id: RequestId) -> Failure {
    match solo.event() {
        Event::Answered { request, result: Err(failure) } if request == id => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc3428_4_a_message_and_its_delivery() {
    let mut solo = Solo::new();
    for (status, arrived) in [(200, true), (202, true), (486, false), (603, false)] {
        let id = say(&mut solo, "bob", "hello");
        let message = solo.request(&Method::Message);
        assert_eq!(message.uri(), "sip:bob@example.com");
        assert!(!message.headers().has(HeaderName::Contact), "MUST NOT (§4)");
        assert!(message.to_tag().is_none());
        assert_eq!(message.headers().first(HeaderName::ContentType), Some("text/plain"));
        assert_eq!(message.body(), b"hello");
        solo.reply(&message, status, "", "");
        match solo.event() {
            Event::Answered { request, result: Ok(answer) } => {
                assert!(arrived);
                assert_eq!((request, answer.status()), (id, status));
            }
            Event::Answered { request, result: Err(failure) } => {
                assert!(!arrived);
                assert_eq!((request, failure.status), (id, Some(status)));
            }
            other => panic!("{other:?}"),
        }
    }
    solo.advance(Duration::from_secs(60));
    assert!(solo.ua.requests.values().next().is_none());
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc3428_8_no_more_than_1300_bytes_outside_a_call() {
    let mut solo = Solo::new();
    let long = "x".repeat(999);
    let Err(RequestError::TooLarge { bytes, most }) =
        solo.ua.message(solo.now, Addressee::Target("bob"), text(&long))
    else {
        panic!()
    };
    assert!(bytes > most && most == limits::MESSAGE_COMFORT);
    // To the byte.
    let fits = "x".repeat(999 - (bytes - most));
    say(&mut solo, "bob", &fits);
    assert_eq!(solo.request(&Method::Message).bytes().len(), most);
    // In a call there is a media session around it.
    let call = established(&mut solo);
    solo.ua.message(solo.now, Addressee::Call(call), text(&long)).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Message).to_tag(), Some("callee"));
    // Who knows every hop may say so.
    let mut config = config("sip:alice@example.com");
    config.congestion_safe = true;
    let mut solo = Solo::with(config, Transport::Wss);
    say(&mut solo, "bob", &long);
    assert!(solo.request(&Method::Message).bytes().len() > most);
}

#[test]
fn rfc3428_8_one_at_a_time_to_one_uri() {
    let mut solo = Solo::new();
    let first = say(&mut solo, "bob", "one");
    let second = say(&mut solo, "bob", "two");
    let third = say(&mut solo, "bob", "three");
    let other = say(&mut solo, "carol", "one");
    let one = solo.request(&Method::Message);
    let to_carol = solo.request(&Method::Message);
    assert_eq!((one.body(), to_carol.uri()), (&b"one"[..], "sip:carol@example.com"));
    solo.nothing_sent();
    solo.reply(&to_carol, 200, "", "");
    solo.nothing_sent();
    solo.reply(&one, 480, "", "");
    let two = solo.request(&Method::Message);
    assert_eq!(two.body(), b"two");
    // The second is lost; the third goes out all the same.
    solo.advance(Duration::from_secs(32));
    assert_eq!(solo.request(&Method::Message).body(), b"three");
    let told: Vec<RequestId> = solo
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Answered { request, .. } => Some(*request),
            _ => None,
        })
        .collect();
    assert_eq!(told, [other, first, second]);
    assert_ne!(second, third);
}

#[test]
fn rfc3261_22_2_a_challenged_message_is_sent_again() {
    let mut solo = Solo::new();
    let id = say(&mut solo, "bob", "hello");
    let first = solo.request(&Method::Message);
    solo.reply(
        &first,
        407,
        "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n",
        "",
    );
    let second = solo.request(&Method::Message);
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.from_tag(), first.from_tag());
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_ne!(second.branch(), first.branch());
    assert!(second.headers().has(HeaderName::ProxyAuthorization));
    assert_eq!(second.body(), b"hello");
    solo.reply(
        &second,
        407,
        "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"m\", qop=\"auth\"\r\n",
        "",
    );
    assert_eq!(failed(&mut solo, id).cause, Cause::WrongPassword);
    solo.nothing_sent();
}

#[test]
fn a_message_outlives_its_flow_for_a_while() {
    let mut solo = Solo::new();
    let id = say(&mut solo, "bob", "hello");
    let first = solo.request(&Method::Message);
    solo.close();
    solo.advance(Duration::from_secs(10));
    solo.reopen(2);
    let again = solo.request(&Method::Message);
    assert_eq!(again.bytes(), first.bytes(), "under the same branch, so that it is taken once");
    solo.reply(&again, 200, "", "");
    assert!(matches!(solo.event(), Event::Answered { request, result: Ok(_) } if request == id));
    let id = say(&mut solo, "bob", "hello");
    solo.request(&Method::Message);
    solo.close();
    solo.advance(Duration::from_secs(32));
    assert_eq!(failed(&mut solo, id).cause, Cause::FlowLost);
    assert_eq!(solo.ua.message(solo.now, Addressee::Target("bob"), text("x")), Err(RequestError::Offline));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc3428_7_a_message_is_told_and_answered() {
    let mut solo = Solo::with(chatting(), Transport::Wss);
    solo.send("MESSAGE", &MESSAGE, "hello");
    let ok = solo.response(200);
    assert!(!ok.headers().has(HeaderName::Contact), "MUST NOT (§7)");
    assert!(ok.body().is_empty(), "MUST NOT (§7)");
    let Event::Message { message, call: None, from, content, .. } = solo.event() else { panic!() };
    assert_eq!((&*from.uri, &content.body[..]), ("sip:bob@example.com", &b"hello"[..]));
    assert!(content.is("text/plain"));
    assert_eq!(solo.ua.accept_message(solo.now, message), Err(MessageError::Answered));
    // No dialog was made.
    let to = format!("To: <sip:alice@example.com>;tag={}", ok.to_tag().unwrap());
    solo.send("BYE", &[MESSAGE[0], &to, MESSAGE[2], "CSeq: 2 BYE"], "");
    solo.response(481);
}

#[test]
fn rfc3428_7_what_is_refused() {
    let mut solo = Solo::with(chatting(), Transport::Wss);
    let html = [MESSAGE[0], MESSAGE[1], MESSAGE[2], MESSAGE[3], "Content-Type: text/html"];
    solo.send("MESSAGE", &html, "<hr>");
    let refused = solo.response(415);
    assert_eq!(
        refused.headers().first(HeaderName::Accept),
        Some("text/plain, message/cpim, multipart/mixed, multipart/alternative")
    );
    solo.send("MESSAGE sip:bob@example.com", &MESSAGE, "hello");
    solo.response(404);
    let lines: Vec<&str> = MESSAGE.into_iter().chain(["Require: telepathy"]).collect();
    solo.send("MESSAGE", &lines, "hello");
    solo.response(420);
    assert!(solo.events.is_empty());
    // Who would not read them takes none.
    let mut solo = Solo::new();
    solo.send("MESSAGE", &MESSAGE, "hello");
    let refused = solo.response(405);
    assert!(!refused.headers().lists(HeaderName::Allow, "MESSAGE"));
    assert!(solo.events.is_empty());
}

#[test]
fn the_application_may_refuse_a_held_message() {
    let mut config = chatting();
    config.message_hold = Duration::from_secs(1);
    let mut solo = Solo::with(config, Transport::Wss);
    let arrives = |solo: &mut Solo| {
        let cseq = format!("CSeq: {} MESSAGE", solo.serial + 1);
        let mut lines = MESSAGE;
        lines[3] = &cseq;
        solo.send("MESSAGE", &lines, "hello");
        solo.nothing_sent();
        let Event::Message { message, .. } = solo.event() else { panic!() };
        message
    };
    let first = arrives(&mut solo);
    assert_eq!(solo.ua.refuse_message(solo.now, first, 200), Err(MessageError::InvalidStatus(200)));
    solo.ua.refuse_message(solo.now, first, 603).unwrap();
    solo.drain();
    solo.response(603);
    let second = arrives(&mut solo);
    solo.ua.accept_message(solo.now, second).unwrap();
    solo.drain();
    solo.response(200);
    let third = arrives(&mut solo);
    solo.advance(Duration::from_secs(1));
    solo.response(200);
    assert_eq!(solo.ua.refuse_message(solo.now, third, 603), Err(MessageError::Answered));
    // At the cap nothing is held.
    for _ in 0..limits::HELD_MESSAGES {
        arrives(&mut solo);
    }
    solo.send("MESSAGE", &MESSAGE, "hello");
    solo.response(200);
}

#[test]
fn rfc3428_4_in_a_call() {
    let mut solo = Solo::with(chatting(), Transport::Wss);
    let call = established(&mut solo);
    let id = solo.ua.message(solo.now, Addressee::Call(call), text("hello")).unwrap();
    solo.drain();
    let message = solo.request(&Method::Message);
    assert_eq!(message.to_tag(), Some("callee"));
    assert_eq!(message.headers().first(HeaderName::Route), Some("<sip:p.example;lr>"));
    assert!(!message.headers().has(HeaderName::Contact));
    reply_from_bob(&mut solo, &message);
    solo.response(200);
    let Event::Message { call: Some(of), content, .. } = solo.event() else { panic!() };
    assert_eq!((of, &content.body[..]), (call, &b"hello yourself"[..]));
    // A refusal is of the message alone (RFC 5057 §5.1), a 481 is of the call.
    solo.reply(&message, 415, "", "");
    assert_eq!(failed(&mut solo, id).cause, Cause::NotAcceptable);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    let id = solo.ua.message(solo.now, Addressee::Call(call), text("hello")).unwrap();
    solo.drain();
    let message = solo.request(&Method::Message);
    solo.reply(&message, 481, "", "");
    assert!(matches!(solo.event(), Event::Ended { end: End::Failed(_), .. }));
    assert_eq!(failed(&mut solo, id).status, Some(481));
}

/// MESSAGE in the dialog of `request`, from its other side.
fn reply_from_bob(solo: &mut Solo, request: &Request) {
    let from = format!("From: <sip:bob@example.com>;tag={}", request.to_tag().unwrap());
    let to = format!("To: <sip:alice@example.com>;tag={}", request.from_tag().unwrap());
    let call_id = format!("Call-ID: {}", request.call_id());
    let lines = [&*from, &to, &call_id, "CSeq: 1 MESSAGE", "Content-Type: text/plain"];
    solo.send("MESSAGE", &lines, "hello yourself");
}

#[test]
fn rfc3261_11_options_asks_and_answers() {
    let mut config = chatting();
    config.event_packages = ["presence".into(), "dialog".into()].into();
    config.info_packages = ["foo".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let id = solo.ua.options(solo.now, Addressee::Target("bob")).unwrap();
    solo.drain();
    let options = solo.request(&Method::Options);
    assert_eq!(options.headers().first(HeaderName::Accept), Some("application/sdp"));
    solo.reply(
        &options,
        200,
        "Allow: INVITE, ACK, WALTZ\r\nAccept: application/sdp, text/plain;q=0.5\r\nSupported: timer\r\n\
         Allow-Events: presence\r\nRecv-Info: \r\n",
        "",
    );
    let Event::Answered { request, result: Ok(answer) } = solo.event() else { panic!() };
    assert_eq!(request, id);
    let can = answer.capabilities();
    assert_eq!(can.allow, [Method::Invite, Method::Ack, Method::Other("WALTZ".into())]);
    assert_eq!(can.accept, ["application/sdp", "text/plain;q=0.5"]);
    assert_eq!((&*can.supported[0], &*can.allow_events[0]), ("timer", "presence"));
    assert_eq!(can.recv_info, Some(Vec::new()), "known there, and nothing is wanted");
    let lines = [MESSAGE[0], MESSAGE[1], MESSAGE[2], "CSeq: 1 OPTIONS"];
    solo.send("OPTIONS", &lines, "");
    let ours = solo.response(200);
    let field = |name| ours.headers().first(name);
    assert_eq!(
        field(HeaderName::Allow),
        Some("INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY, SUBSCRIBE, MESSAGE")
    );
    assert_eq!(
        field(HeaderName::Accept),
        Some("application/sdp, text/plain, message/cpim, multipart/mixed, multipart/alternative")
    );
    assert_eq!(field(HeaderName::AllowEvents), Some("presence, dialog"));
    assert_eq!(field(HeaderName::RecvInfo), Some("foo"));
}

#[test]
fn rfc3428_7_when_it_was_sent_and_how_long_it_is_worth_reading() {
    let mut solo = Solo::with(chatting(), Transport::Wss);
    let mut lines: Vec<&str> = MESSAGE.to_vec();
    lines.extend(["Expires: 300", "Date: Thu, 21 Feb 2002 13:02:03 GMT"]);
    solo.send("MESSAGE", &lines, "hello");
    solo.response(200);
    let Event::Message { date: Some(date), expires, .. } = solo.event() else { panic!() };
    assert_eq!((date.year, date.second, expires), (2002, 3, Some(Duration::from_secs(300))));
    solo.send("MESSAGE", &MESSAGE, "hello");
    assert!(matches!(solo.event(), Event::Message { date: None, expires: None, .. }));
}

#[test]
fn rfc3261_21_4_11_a_body_that_is_too_large_gets_413() {
    let mut config = chatting();
    config.message_bytes = 5;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.send("MESSAGE", &MESSAGE, "hello");
    solo.response(200);
    solo.events.clear();
    solo.send("MESSAGE", &MESSAGE, "hello!");
    solo.response(413);
    assert!(solo.events.is_empty());
}

#[test]
fn any_request_may_be_sent_but_those_with_a_command() {
    let mut solo = Solo::new();
    let waltz = Method::Other("WALTZ".into());
    let fields = [("X-Step", "three"), ("Subject", "dance")];
    let to = Addressee::Target("bob");
    let id = solo.ua.request(solo.now, waltz.clone(), to, &fields, None).unwrap();
    solo.drain();
    let request = solo.request(&waltz);
    assert_eq!(request.headers().named("x-step"), Some("three"));
    assert_eq!(request.headers().first(HeaderName::Subject), Some("dance"));
    assert_eq!(request.headers().all(HeaderName::Via).count(), 1);
    solo.reply(&request, 501, "", "");
    assert_eq!(failed(&mut solo, id).cause, Cause::ServerError);
    let own = [Method::Invite, Method::Bye, Method::Register, Method::Notify, Method::Other("A B".into())];
    for method in own {
        assert_eq!(solo.ua.request(solo.now, method, to, &[], None), Err(RequestError::InvalidMethod));
    }
    for (name, value) in [("X-Step", "three\r\nVia: smuggled"), ("Bad Name", "x"), ("", "x")] {
        let refused = solo.ua.request(solo.now, waltz.clone(), to, &[(name, value)], None);
        assert!(matches!(refused, Err(RequestError::Field(_))), "{name}");
    }
    for name in ["Via", "v", "Route", "from", "l"] {
        let refused = solo.ua.request(solo.now, waltz.clone(), to, &[(name, "x")], None);
        assert_eq!(refused, Err(RequestError::ReservedField(name.into())));
    }
    assert_eq!(
        solo.ua.request(solo.now, waltz.clone(), Addressee::Target(""), &[], None),
        Err(RequestError::InvalidTarget)
    );
    solo.nothing_sent();
    // The cap.
    for _ in 0..limits::REQUESTS {
        solo.ua.options(solo.now, to).unwrap();
    }
    assert_eq!(solo.ua.options(solo.now, to), Err(RequestError::TooMany));
}

#[test]
fn rfc3261_8_2_1_methods_that_are_not_taken() {
    let mut solo = Solo::new();
    for (method, status) in [("PUBLISH", 405), ("SUBSCRIBE", 405), ("WALTZ", 501)] {
        let cseq = format!("CSeq: 1 {method}");
        solo.send(method, &[MESSAGE[0], MESSAGE[1], MESSAGE[2], &cseq], "");
        let refused = solo.response(status);
        assert!(refused.headers().lists(HeaderName::Allow, "OPTIONS"), "{method}");
    }
}

/// What waits in a call, or is challenged there, is not said after the BYE, whose CSeq it would have (§12.2.1.1).
#[test]
fn rfc3261_15_nothing_is_said_in_a_call_after_its_bye() {
    let mut solo = Solo::with(chatting(), Transport::Wss);
    let call = established(&mut solo);
    let first = solo.ua.message(solo.now, Addressee::Call(call), text("one")).unwrap();
    let second = solo.ua.message(solo.now, Addressee::Call(call), text("two")).unwrap();
    let keys = solo.ua.info(solo.now, call, "application/dtmf", "1").unwrap();
    solo.drain();
    let one = solo.request(&Method::Message);
    let info = solo.request(&Method::Info);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.events.clear();
    solo.reply(&one, 200, "", "");
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n";
    solo.reply(&info, 407, challenge, "");
    solo.nothing_sent();
    assert!(matches!(solo.event(), Event::Answered { request, result: Ok(_) } if request == first));
    assert_eq!(failed(&mut solo, second).cause, Cause::Ended);
    assert_eq!(failed(&mut solo, keys).cause, Cause::Ended);
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call });
}

/// §8.2.1: the same in a call, which goes on.
#[test]
fn rfc3261_8_2_1_methods_that_are_not_taken_in_a_call() {
    let mut solo = Solo::new();
    let call = established(&mut solo);
    solo.ua.options(solo.now, Addressee::Call(call)).unwrap();
    solo.drain();
    let ours = solo.request(&Method::Options);
    let from = format!("From: <sip:bob@example.com>;tag={}", ours.to_tag().unwrap());
    let to = format!("To: <sip:alice@example.com>;tag={}", ours.from_tag().unwrap());
    let call_id = format!("Call-ID: {}", ours.call_id());
    let methods = [("WALTZ", 501), ("PUBLISH", 405), ("REGISTER", 405), ("REFER", 405), ("MESSAGE", 405)];
    for (cseq, (method, status)) in (1..).zip(methods) {
        solo.send(method, &[&*from, &to, &call_id, &format!("CSeq: {cseq} {method}")], "");
        let refused = solo.response(status);
        assert!(refused.headers().lists(HeaderName::Allow, "OPTIONS"), "{method}");
    }
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}
