//! Calls that are added to others (RFC 3911), and subscriptions that name a call (RFC 4538 §3).

use std::format;
use std::string::String;
use std::vec::Vec;

use super::incoming::{accepted, established, offered};
use super::solo::Solo;
use super::{ANSWER, OFFER, config};
use crate::events::{EventName, Package};
use crate::message::typed::{Join, TargetDialog};
use crate::message::{HeaderName, Method, Response};
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, End, Event, Replacement, RequestError};

fn joinable() -> Solo {
    let mut config = config("sip:alice@example.com");
    config.joins = true;
    Solo::with(config, Transport::Wss)
}

/// A request from carol with these further lines.
fn carol(solo: &mut Solo, method: &str, more: &[&str]) {
    let id = format!("Call-ID: call-c{}", solo.serial);
    let cseq = format!("CSeq: 1 {method}");
    let lines = [
        "From: <sip:carol@example.com>;tag=caroltag",
        "To: <sip:alice@example.com>",
        &id,
        &cseq,
        "Contact: <sip:carol@z.invalid;transport=ws>",
    ];
    let lines: Vec<&str> = lines.iter().chain(more).copied().collect();
    solo.send(method, &lines, if method == "INVITE" { OFFER } else { "" });
}

const SDP: &str = "Content-Type: application/sdp";

/// The dialog of bob's call, as we know it.
fn of_bobs(tag: &str) -> String {
    format!("Join: call-1;to-tag={tag};from-tag=bobtag")
}

#[track_caller]
fn arrived(solo: &mut Solo) -> (CallId, Option<CallId>) {
    solo.response(100);
    match solo.event() {
        Event::Incoming { call, joins, replaces: None, .. } => (call, joins),
        other => panic!("{other:?}"),
    }
}

fn unchanged(solo: &Solo, call: CallId, state: CallState) {
    assert!(solo.events.is_empty(), "{:?}", solo.events);
    assert_eq!(solo.ua.call_state(call), Some(state));
    assert_eq!(solo.ua.calls().count(), 1);
}

#[test]
fn rfc3911_4_a_dialog_is_joined_and_goes_on() {
    let mut solo = joinable();
    let (bobs, ok) = established(&mut solo);
    assert!(ok.headers().lists(HeaderName::Supported, "join"));
    carol(&mut solo, "INVITE", &["Require: join", &of_bobs(ok.to_tag().unwrap()), SDP]);
    let (call, joins) = arrived(&mut solo);
    assert_eq!(joins, Some(bobs));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.response(200);
    assert_eq!(solo.ua.call_state(bobs), Some(CallState::Established));
    solo.nothing_sent();
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.calls().count(), 2);
    // "If the UAS is incapable of satisfying the Join request, it MUST return a 488": the matched dialog stays.
    let mut solo = joinable();
    let (bobs, ok) = established(&mut solo);
    carol(&mut solo, "INVITE", &[&of_bobs(ok.to_tag().unwrap()), SDP]);
    let (call, joins) = arrived(&mut solo);
    assert_eq!(joins, Some(bobs));
    solo.ua.reject(solo.now, call, 488, None).unwrap();
    solo.drain();
    solo.response(488);
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(488, None) });
    solo.events.clear();
    unchanged(&solo, bobs, CallState::Established);
}

/// "unlike the Replaces header, the Join header has no limitation on its use with early dialogs"
#[test]
fn rfc3911_4_early_dialogs_of_both_sides_may_be_joined() {
    let mut solo = joinable();
    let (bobs, _) = offered(&mut solo);
    solo.ua.ring(solo.now, bobs).unwrap();
    solo.drain();
    let tag = String::from(solo.response(180).to_tag().unwrap());
    carol(&mut solo, "INVITE", &[&of_bobs(&tag), SDP]);
    assert_eq!(arrived(&mut solo).1, Some(bobs));

    let mut solo = joinable();
    let ours = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    solo.events.clear();
    let (id, tag) = (invite.call_id(), invite.from_tag().unwrap());
    carol(&mut solo, "INVITE", &[&format!("Join: {id};from-tag=callee;to-tag={tag}"), SDP]);
    assert_eq!(arrived(&mut solo).1, Some(ours));
}

#[test]
fn rfc3911_4_what_cannot_be_joined_is_refused_and_changes_nothing() {
    let mut solo = joinable();
    let (bobs, ok) = established(&mut solo);
    let tag = String::from(ok.to_tag().unwrap());
    let join = of_bobs(&tag);
    let other = of_bobs("another");
    let swapped = format!("Join: call-1;to-tag=bobtag;from-tag={tag}");
    let replaces = join.replace("Join", "Replaces");
    let rows: [(u16, &str, Vec<&str>); 6] = [
        (481, "INVITE", [&*other, SDP].into()),
        (481, "INVITE", [&*swapped, SDP].into()),
        (400, "INVITE", [&*join, &*join, SDP].into()),
        (400, "INVITE", [&*join, &*replaces, SDP].into()),
        (400, "INVITE", ["Join: call-1;to-tag=x", SDP].into()),
        (400, "OPTIONS", [&*join].into()),
    ];
    for (status, method, lines) in rows {
        carol(&mut solo, method, &lines);
        solo.response(status);
        unchanged(&solo, bobs, CallState::Established);
    }
    // It has just ended.
    solo.ua.hangup(solo.now, bobs).unwrap();
    solo.drain();
    solo.request(&Method::Bye);
    solo.events.clear();
    carol(&mut solo, "INVITE", &[&join, SDP]);
    solo.response(603);
    assert!(solo.events.is_empty());
}

/// "a dialog which was not created with an INVITE": 481.
#[test]
fn rfc3911_4_a_subscription_is_no_call() {
    let mut solo = joinable();
    solo.register();
    let (_, subscribe) = super::subscriptions::standing(&mut solo);
    let (id, tag) = (subscribe.call_id(), subscribe.from_tag().unwrap());
    carol(&mut solo, "INVITE", &[&format!("Join: {id};to-tag={tag};from-tag=n1"), SDP]);
    solo.response(481);
    assert!(solo.events.is_empty());
}

/// Who does not mix does not know it (RFC 3261 §8.2.2.3).
#[test]
fn rfc3911_7_2_without_support_it_is_refused_where_it_is_required() {
    let mut solo = Solo::new();
    let (_, ok) = established(&mut solo);
    assert!(!ok.headers().lists(HeaderName::Supported, "join"));
    let join = of_bobs(ok.to_tag().unwrap());
    carol(&mut solo, "INVITE", &["Require: join", &join, SDP]);
    assert_eq!(solo.response(420).headers().first(HeaderName::Unsupported), Some("join"));
    carol(&mut solo, "INVITE", &[&join, SDP]);
    assert_eq!(arrived(&mut solo).1, None);
}

#[test]
fn rfc3911_5_a_call_that_joins_another() {
    let mut config = config("sip:alice@example.com");
    config.redirections = 1;
    let mut solo = Solo::with(config, Transport::Wss);
    let wanted = Replacement::parse("425928@bobster.example;to-tag=7743;from-tag=6472;early-only").unwrap();
    solo.ua.call_joining(solo.now, "sip:carol@192.0.2.9", OFFER, wanted).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let headers = invite.headers();
    assert!(headers.lists(HeaderName::Require, "join") && !headers.has(HeaderName::Replaces));
    let said = headers.typed::<Join<'_>>().unwrap().unwrap();
    assert_eq!((said.call_id, said.to_tag, said.from_tag), ("425928@bobster.example", "7743", "6472"));
    // "this redirected INVITE MUST contain the same Join header"
    solo.reply(&invite, 302, "Contact: <sip:focus@192.0.2.10>\r\n", "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    assert_eq!(again.uri(), "sip:focus@192.0.2.10");
    assert_eq!(again.headers().first(HeaderName::Join), headers.first(HeaderName::Join));
}

#[test]
fn rfc4538_3_a_subscription_names_a_call_where_it_is_understood() {
    let mut solo = Solo::registered();
    let event = || EventName::new(Package::Dialog);
    let (call, ok): (CallId, Response) = accepted(&mut solo);
    let unknown = solo.ua.subscribe_about(solo.now, "bob", event(), None, call);
    assert_eq!(unknown, Err(RequestError::NoDialog), "bob has not said that he knows Target-Dialog");
    super::incoming::send(&mut solo, &ok, "ACK", 10, &[], "");
    super::incoming::send(&mut solo, &ok, "UPDATE", 11, &["Supported: tdialog"], "");
    solo.response(200);
    solo.events.clear();
    solo.ua.subscribe_about(solo.now, "bob", event(), None, call).unwrap();
    solo.drain();
    let subscribe = solo.request(&Method::Subscribe);
    let headers = subscribe.headers();
    assert!(headers.lists(HeaderName::Require, "tdialog"));
    // §3: the tags are its receiver's.
    let named = headers.typed::<TargetDialog<'_>>().unwrap().unwrap();
    assert_eq!(
        (named.call_id, named.local_tag, named.remote_tag),
        ("call-1", "bobtag", ok.to_tag().unwrap())
    );
}
