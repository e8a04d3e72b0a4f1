//! Calls that take the place of others (RFC 3891), against a world played by hand.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::incoming::{established, offered};
use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::message::typed::Replaces;
use crate::message::{HeaderName, Method, Request, Response};
use crate::user_agent::{CallError, CallId, CallState, CommandError, End, Event, Replacement};

/// INVITE from carol with these further lines; the answer is the next thing sent.
fn carol(solo: &mut Solo, more: &[&str]) {
    let cseq = format!("CSeq: {} INVITE", solo.serial + 1);
    let lines = [
        "From: <sip:carol@example.com>;tag=caroltag",
        "To: <sip:alice@example.com>",
        "Call-ID: call-2",
        &cseq,
        "Contact: <sip:carol@z.invalid;transport=ws>",
        "Require: replaces",
        "Content-Type: application/sdp",
    ];
    let lines: Vec<&str> = lines.iter().chain(more).copied().collect();
    solo.send("INVITE", &lines, OFFER);
}

fn of_bobs(ok: &Response, more: &str) -> String {
    format!("Replaces: call-1;to-tag={};from-tag=bobtag{more}", ok.to_tag().unwrap())
}

#[track_caller]
fn arrived(solo: &mut Solo) -> (CallId, Option<CallId>) {
    solo.response(100);
    match solo.event() {
        Event::Incoming { call, replaces, .. } => (call, replaces),
        other => panic!("{other:?}"),
    }
}

/// Alice calls bob, whose phone rings.
fn ringing(solo: &mut Solo) -> (CallId, Request, String) {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 180, "Contact: <sip:bob@192.0.2.7>\r\n", "");
    solo.events.clear();
    let (id, tag) = (invite.call_id(), invite.from_tag().unwrap());
    let replaces = format!("Replaces: {id};from-tag=callee;to-tag={tag}");
    (call, invite, replaces)
}

#[test]
fn rfc3891_3_a_confirmed_dialog_is_replaced_when_the_new_call_is_accepted() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    carol(&mut solo, &[&of_bobs(&ok, ""), "Referred-By: \"Bob\" <sip:bob@example.com>"]);
    solo.response(100);
    let Event::Incoming { call, from, replaces, referred_by, .. } = solo.event() else { panic!() };
    assert_eq!((&*from.uri, replaces), ("sip:carol@example.com", Some(old)));
    assert_eq!(&*referred_by.unwrap().uri, "sip:bob@example.com");
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    assert!(solo.response(200).headers().lists(HeaderName::Supported, "replaces"));
    let bye = solo.request(&Method::Bye);
    assert_eq!((bye.call_id(), bye.to_tag()), ("call-1", Some("bobtag")));
    assert_eq!(solo.event(), Event::Ended { call: old, end: End::Replaced { by: call } });
    solo.reply(&bye, 200, "", "");
    assert_eq!(solo.event(), Event::Released { call: old });
    assert_eq!(solo.ua.calls().collect::<Vec<_>>(), [call]);
}

#[test]
fn rfc3891_3_a_refused_replacement_leaves_the_call_unchanged() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    carol(&mut solo, &[&of_bobs(&ok, "")]);
    let (call, _) = arrived(&mut solo);
    // What cannot be accepted is no replacement either.
    let two_media = format!("{ANSWER}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n");
    let refused = solo.ua.accept(solo.now, call, &two_media);
    assert!(matches!(refused, Err(CommandError::Description(_))), "{refused:?}");
    solo.nothing_sent();
    solo.ua.reject(solo.now, call, 488, None).unwrap();
    solo.drain();
    solo.response(488);
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
}

#[test]
fn rfc3891_3_what_matches_nothing_gets_481() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    let tag = ok.to_tag().unwrap();
    let rows = [
        format!("Replaces: call-9;to-tag={tag};from-tag=bobtag"),
        format!("Replaces: call-1;to-tag={tag};from-tag=other"),
        format!("Replaces: call-1;to-tag={tag};from-tag=0"),
        // The tags the wrong way round.
        format!("Replaces: call-1;to-tag=bobtag;from-tag={tag}"),
    ];
    for row in &rows {
        carol(&mut solo, &[row]);
        solo.response(481);
        assert!(solo.events.is_empty(), "{row}");
    }
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
}

#[test]
fn rfc3891_3_a_subscription_is_no_call() {
    let mut config = super::config("sip:alice@example.com");
    config.event_packages = ["presence".into()].into();
    let mut solo = Solo::with(config, crate::transport::Transport::Wss);
    let lines = [
        "From: <sip:bob@example.com>;tag=bobtag",
        "To: <sip:alice@example.com>",
        "Call-ID: call-1",
        "CSeq: 1 SUBSCRIBE",
        "Contact: <sip:bob@y.invalid;transport=ws>",
        "Event: presence",
    ];
    solo.send("SUBSCRIBE", &lines, "");
    let Event::Watcher { watcher, .. } = solo.event() else { panic!() };
    solo.ua.accept_watcher(solo.now, watcher, None).unwrap();
    solo.drain();
    let ok = solo.response(200);
    solo.request(&Method::Notify);
    carol(&mut solo, &[&of_bobs(&ok, "")]);
    solo.response(481);
}

#[test]
fn rfc3891_3_two_replaces_get_400() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    let replaces = of_bobs(&ok, "");
    carol(&mut solo, &[&replaces, &replaces]);
    solo.response(400);
    carol(&mut solo, &["Replaces: call-1;to-tag=x"]);
    solo.response(400);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
}

#[test]
fn rfc3891_3_early_only_and_a_confirmed_dialog_get_486() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    carol(&mut solo, &[&of_bobs(&ok, ";early-only")]);
    solo.response(486);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
}

#[test]
fn rfc3891_3_a_dialog_that_just_ended_gets_603() {
    let mut solo = Solo::new();
    let (old, ok) = established(&mut solo);
    solo.ua.hangup(solo.now, old).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.events.clear();
    carol(&mut solo, &[&of_bobs(&ok, "")]);
    solo.response(603);
    solo.reply(&bye, 200, "", "");
    carol(&mut solo, &[&of_bobs(&ok, "")]);
    solo.response(481);
}

/// RFC 5359 §2.7 (call pickup): who takes the call ends the ringing one.
#[test]
fn rfc3891_3_an_early_dialog_of_ours_is_canceled() {
    let mut solo = Solo::new();
    let (old, invite, replaces) = ringing(&mut solo);
    carol(&mut solo, &[&format!("{replaces};early-only")]);
    let (call, replaced) = arrived(&mut solo);
    assert_eq!(replaced, Some(old));
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    solo.response(200);
    let cancel = solo.request(&Method::Cancel);
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!(solo.event(), Event::Ended { call: old, end: End::Replaced { by: call } });
    solo.reply(&cancel, 200, "", "");
    solo.reply(&invite, 487, "", "");
    solo.request(&Method::Ack);
    assert_eq!(solo.event(), Event::Released { call: old });
}

#[test]
fn rfc3891_3_an_early_dialog_of_theirs_gets_481() {
    let mut solo = Solo::new();
    let (old, _) = offered(&mut solo);
    solo.ua.ring(solo.now, old).unwrap();
    solo.drain();
    let tag = solo.response(180);
    carol(&mut solo, &[&of_bobs(&tag, "")]);
    solo.response(481);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(old), Some(CallState::Ringing));
}

/// The race of §7.1: bob answers while carol's pickup waits for alice's user.
#[test]
fn rfc3891_7_1_a_pickup_that_comes_too_late_takes_nothing() {
    let mut solo = Solo::new();
    let (old, invite, replaces) = ringing(&mut solo);
    carol(&mut solo, &[&format!("{replaces};early-only")]);
    let (call, _) = arrived(&mut solo);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.events.clear();
    let late = solo.ua.accept(solo.now, call, ANSWER);
    assert_eq!(late, Err(CommandError::WrongState(CallState::Ended)));
    solo.drain();
    solo.response(486);
    assert_eq!(solo.event(), Event::Ended { call, end: End::rejected(486, None) });
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
    solo.events.pop_front();
    solo.nothing_sent();
}

#[test]
fn rfc3891_4_a_call_that_replaces_another() {
    let mut solo = Solo::new();
    let wanted = Replacement::parse("425928@bobster.example;to-tag=7743;from-tag=6472;early-only").unwrap();
    assert!(wanted.early_only && Replacement::parse("425928@bobster.example;to-tag=7743").is_err());
    let target = "sip:carol@192.0.2.9";
    assert_eq!(solo.ua.call_replacing(solo.now, "", OFFER, wanted.clone()), Err(CallError::InvalidTarget));
    solo.ua.call_replacing(solo.now, target, OFFER, wanted.clone()).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let headers = invite.headers();
    assert!(headers.lists(HeaderName::Require, "replaces"));
    let said = headers.typed::<Replaces<'_>>().unwrap().unwrap();
    assert_eq!((said.call_id, said.to_tag, said.from_tag), ("425928@bobster.example", "7743", "6472"));
    assert!(said.early_only());
    // With credentials it is the same call.
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=MD5\r\n";
    solo.reply(&invite, 401, challenge, "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    assert_eq!(again.headers().first(HeaderName::Replaces), headers.first(HeaderName::Replaces));
}
