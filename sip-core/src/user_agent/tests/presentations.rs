//! What one call says of us: its name, its Contacts, its ACKs; and fields in messages that answer others.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::incoming::{offered, send};
use super::solo::Solo;
use super::{ANSWER, OFFER, config};
use crate::body::Content;
use crate::events::Reason;
use crate::message::{Fields, HeaderName, Headers, Message, Method};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallState, Event, Presentation, PresentationError, WatcherUpdate};

const RELIABLY: &str = "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:bob@192.0.2.7>\r\n";

fn note(text: &str) -> Fields {
    Fields::new().with("X-Note", text).unwrap()
}

fn noted(headers: &Headers) -> Vec<String> {
    let fields = headers.fields().iter().filter(|f| headers.name_of(f) == "X-Note");
    fields.map(|f| headers.value_of(f).to_string()).collect()
}

fn field(headers: &Headers, name: HeaderName) -> &str {
    headers.first(name).unwrap_or_default()
}

fn work() -> Presentation {
    let presentation = Presentation::new().named("Alice \"at work\"").unwrap();
    presentation.contact_param("line", Some("2;x")).unwrap().contact_param("desk", None).unwrap()
}

#[test]
fn rfc3261_20_20_a_call_under_another_name() {
    let mut config = config("sip:alice@example.com");
    config.display_name = Some("Alice".into());
    let rows = [
        (work(), "\"Alice \\\"at work\\\"\" <sip:alice@example.com>"),
        (Presentation::new().named("").unwrap(), "<sip:alice@example.com>"),
        (Presentation::new(), "\"Alice\" <sip:alice@example.com>"),
        (Presentation::new().from_user("+15551000").unwrap(), "\"Alice\" <sip:+15551000@example.com>"),
        (work().from_user("a@b>").unwrap(), "\"Alice \\\"at work\\\"\" <sip:a%40b%3E@example.com>"),
    ];
    for (presentation, from) in rows {
        let mut solo = Solo::with(config.clone(), Transport::Wss);
        let none = Fields::new();
        let call = solo.ua.with(&none).presenting(&presentation).call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let challenge = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 407, challenge, "");
        solo.request(&Method::Ack);
        let invite = solo.request(&Method::Invite);
        solo.answer(&invite, "one");
        let ack = solo.request(&Method::Ack);
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        let bye = solo.request(&Method::Bye);
        for request in [&invite, &ack, &bye] {
            assert!(field(request.headers(), HeaderName::From).starts_with(from), "{request:?}");
        }
        // The next call is the configuration's.
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let next = solo.sent.iter().find_map(|(_, _, message)| match message {
            Message::Request(request) if *request.method() == Method::Invite => Some(request),
            _ => None,
        });
        assert!(field(next.unwrap().headers(), HeaderName::From).starts_with("\"Alice\" <"));
    }
}

#[test]
fn rfc3261_8_1_1_3_a_call_is_from_somebody() {
    assert_eq!(Presentation::new().from_user(""), Err(PresentationError::NoUser));
    let long = "1".repeat(crate::limits::ADDED_BYTES + 1);
    assert_eq!(Presentation::new().from_user(&long), Err(PresentationError::TooLarge));
}

/// §12.2.1.1: every target refresh says where we are, so each has what the first had.
#[test]
fn rfc3261_12_2_1_1_parameters_of_ours_in_every_contact_of_a_call() {
    let ours = ";ob;line=2%3Bx;desk>";
    let mut solo = Solo::registered();
    let none = Fields::new();
    let call = solo.ua.with(&none).presenting(&work()).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(field(invite.headers(), HeaderName::Contact).ends_with(ours));
    solo.answer(&invite, "one");
    let ack = solo.request(&Method::Ack);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let change = solo.request(&Method::Invite);
    assert!(field(change.headers(), HeaderName::Contact).ends_with(ours));
    solo.reply_tagged(&change, 488, Some("one"), "", "");
    solo.request(&Method::Ack);
    let to = format!(
        "From: <sip:bob@example.com>;tag=one\r\nTo: <sip:alice@example.com>;tag={}",
        ack.from_tag().unwrap()
    );
    let call_id = format!("Call-ID: {}", invite.call_id());
    let (from, to) = to.split_once("\r\n").unwrap();
    solo.send("UPDATE", &[from, to, &call_id, "CSeq: 5 UPDATE", "Contact: <sip:bob@192.0.2.7>"], "");
    assert!(field(solo.response(200).headers(), HeaderName::Contact).ends_with(ours));

    // The callee's side, from the first answer that presents us so.
    let mut solo = Solo::registered();
    let (call, _) = offered(&mut solo);
    solo.ua.with(&none).presenting(&work()).ring(solo.now, call).unwrap();
    solo.drain();
    assert!(field(solo.response(180).headers(), HeaderName::Contact).ends_with(ours));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert!(field(ok.headers(), HeaderName::Contact).ends_with(ours));
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.events.clear();
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    assert!(field(solo.request(&Method::Invite).headers(), HeaderName::Contact).ends_with(ours));
    // Who calls that address calls us.
    let user = solo.contact_user();
    let from = "From: <sip:carol@example.com>;tag=c";
    let method = format!("OPTIONS sip:{user}@x.invalid;line=2%3Bx;desk");
    solo.send(&method, &[from, "To: <sip:alice@example.com>", "Call-ID: o", "CSeq: 1 OPTIONS"], "");
    solo.response(200);
}

#[test]
fn rfc5627_4_2_what_leads_to_us_is_not_the_applications_to_write() {
    for name in ["transport", "LR", "maddr", "ttl", "user", "comp", "method", "gr", "ob"] {
        let refused = Presentation::new().contact_param(name, Some("x"));
        assert_eq!(refused, Err(PresentationError::Reserved(name.into())));
    }
    for (name, value) in [("", None), ("line", Some("")), ("Line", Some("3"))] {
        let refused = work().contact_param(name, value);
        assert_eq!(refused, Err(PresentationError::Parameter(name.into())));
    }
    let escaped = Presentation::new().contact_param("a>b", Some("\r\nX: y")).unwrap();
    let mut solo = Solo::new();
    solo.ua.with(&Fields::new()).presenting(&escaped).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(field(invite.headers(), HeaderName::Contact).ends_with(";a%3Eb=%0D%0AX:%20y>"));
    let long = "x".repeat(9_000);
    assert_eq!(Presentation::new().contact_param("a", Some(&long)), Err(PresentationError::TooLarge));
    assert_eq!(Presentation::new().named(&long), Err(PresentationError::TooLarge));
    let name = Presentation::new().named("Al\r\nX: y").unwrap();
    solo.ua.with(&Fields::new()).presenting(&name).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(field(invite.headers(), HeaderName::From).starts_with("\"AlX: y\" <sip:alice@"));
}

#[test]
fn rfc3261_13_2_2_4_fields_in_acks_and_pracks_that_go_out_by_themselves() {
    let mut solo = Solo::registered();
    let presentation = Presentation::new().in_acks(note("heard"));
    let call = solo.ua.with(&note("call")).presenting(&presentation).call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(noted(invite.headers()), ["call"]);
    solo.reply_tagged(&invite, 183, Some("one"), RELIABLY, ANSWER);
    assert_eq!(noted(solo.request(&Method::Prack).headers()), ["heard"]);
    for _ in 0..2 {
        solo.answer(&invite, "one");
        assert_eq!(noted(solo.request(&Method::Ack).headers()), ["heard"]);
    }
    solo.answer(&invite, "two");
    assert_eq!(noted(solo.request(&Method::Ack).headers()), ["heard"]);
    assert!(noted(solo.request(&Method::Bye).headers()).is_empty());
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let change = solo.request(&Method::Invite);
    assert!(noted(change.headers()).is_empty());
    let answer = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.reply_tagged(&change, 200, Some("one"), "Contact: <sip:bob@192.0.2.7>\r\n", &answer);
    assert_eq!(noted(solo.request(&Method::Ack).headers()), ["heard"]);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3262_5_fields_in_the_ack_or_prack_that_answers() {
    for reliably in [true, false] {
        let mut solo = Solo::registered();
        let call = solo.ua.call_offerless(solo.now, "bob").unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        if reliably {
            solo.reply(&invite, 183, RELIABLY, ANSWER);
        } else {
            solo.answer(&invite, "callee");
        }
        solo.ua.with(&note("answer")).answer(solo.now, call, OFFER).unwrap();
        solo.drain();
        let method = if reliably { Method::Prack } else { Method::Ack };
        assert_eq!(noted(solo.request(&method).headers()), ["answer"]);
    }
    // An offer that goes in the PRACK.
    let mut config = config("sip:alice@example.com");
    config.prack_hold = Duration::from_secs(5);
    let mut solo = Solo::with(config, Transport::Wss);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 183, RELIABLY, ANSWER);
    solo.ua.with(&note("offer")).offer(solo.now, call, &OFFER.replace("o=- 1 1", "o=- 1 2")).unwrap();
    solo.drain();
    assert_eq!(noted(solo.request(&Method::Prack).headers()), ["offer"]);
}

#[test]
fn rfc6665_4_2_2_fields_in_each_notify_of_a_state() {
    let mut config = config("sip:alice@example.com");
    config.event_packages = ["presence".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let from = "From: <sip:bob@example.com>;tag=w";
    let contact = "Contact: <sip:bob@y.invalid>";
    let to = "To: <sip:alice@example.com>";
    let lines = [from, to, "Call-ID: w", "CSeq: 1 SUBSCRIBE", contact, "Event: presence", "Expires: 600"];
    solo.send("SUBSCRIBE", &lines, "");
    let Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } = solo.event() else { panic!() };
    let state = |words: &str| Some(Content::new("application/pidf+xml", words.to_string()));
    solo.ua.with(&note("first")).accept_watcher(solo.now, watcher, state("open")).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let told = |solo: &mut Solo| {
        let notify = solo.request(&Method::Notify);
        solo.reply(&notify, 200, "", "");
        noted(notify.headers())
    };
    assert!(noted(ok.headers()).is_empty());
    assert_eq!(told(&mut solo), ["first"]);
    solo.ua.with(&note("second")).notify(solo.now, watcher, state("closed")).unwrap();
    solo.drain();
    assert_eq!(told(&mut solo), ["second"]);
    // A refresh tells the same state.
    let to = format!("{to};tag={}", ok.to_tag().unwrap());
    let lines = [from, &to, "Call-ID: w", "CSeq: 2 SUBSCRIBE", contact, "Event: presence", "Expires: 600"];
    solo.send("SUBSCRIBE", &lines, "");
    solo.response(200);
    assert_eq!(told(&mut solo), ["second"]);
    solo.ua.notify(solo.now, watcher, state("open")).unwrap();
    solo.drain();
    assert!(told(&mut solo).is_empty());
    let fields = note("last");
    solo.ua.with(&fields).terminate_watcher(solo.now, watcher, Reason::Deactivated, None).unwrap();
    solo.drain();
    assert_eq!(told(&mut solo), ["last"]);
}

/// In what makes a dialog, in what refreshes its target, and in the answer to OPTIONS; the address stays the same.
#[test]
fn rfc3840_7_what_this_device_can_do_in_the_contacts_of_calls() {
    let mut config = config("sip:alice@example.com");
    config.features = ["isfocus".into(), "audio".into()].into();
    let can = ";ob>;isfocus;audio";
    let mut solo = Solo::with(config, Transport::Wss);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(field(invite.headers(), HeaderName::Contact).ends_with(can));
    solo.answer(&invite, "one");
    solo.request(&Method::Ack);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    assert!(field(solo.request(&Method::Invite).headers(), HeaderName::Contact).ends_with(can));
    solo.events.clear();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    for status in [180, 200] {
        assert!(field(solo.response(status).headers(), HeaderName::Contact).ends_with(can));
    }
    let lines =
        ["From: <sip:c@example.com>;tag=c", "To: <sip:alice@example.com>", "Call-ID: o", "CSeq: 1 OPTIONS"];
    solo.send("OPTIONS", &lines, "");
    assert!(field(solo.response(200).headers(), HeaderName::Contact).ends_with(can));
}
