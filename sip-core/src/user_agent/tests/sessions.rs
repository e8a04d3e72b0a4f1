//! Session-ID (RFC 7989): which UUIDs stand in what a user agent sends.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::incoming::{established, send};
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER, config};
use crate::body::Content;
use crate::events::{EventName, Package};
use crate::message::{HeaderName, Headers, Message, Method, SessionIdentifier};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Addressee, CallSnapshot, CallState, Continuation, Event};

use Who::{Alice, Bob};

const B: &str = "b0000000000040008000000000000001";
const C: &str = "c0000000000040008000000000000002";
const NIL: &str = "00000000000000000000000000000000";

/// Both UUIDs of a message, ours first.
#[track_caller]
fn ids(headers: &Headers) -> (String, String) {
    assert_eq!(headers.all(HeaderName::SessionId).count(), 1, "{:?}", headers.bytes());
    let value = headers.first(HeaderName::SessionId).unwrap();
    let (local, remote) = value.split_once(";remote=").unwrap();
    assert!([local, remote].into_iter().all(|uuid| uuid.len() == 32));
    (local.into(), remote.into())
}

/// The header field of somebody who knows us, or does not.
fn from(theirs: &str, ours: &str) -> String {
    format!("Session-ID: {theirs};remote={ours}")
}

/// Alice calls bob; the INVITE, and her UUID.
fn calling(solo: &mut Solo) -> (crate::user_agent::CallId, crate::message::Request, String) {
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let (ours, theirs) = ids(invite.headers());
    assert_eq!(theirs, NIL);
    (call, invite, ours)
}

const CONTACT: &str = "Contact: <sip:bob@192.0.2.7>\r\n";

#[test]
fn rfc7989_6_both_uuids_stand_in_every_message_of_a_call() {
    let mut pair = Pair::new(Transport::Udp, 5);
    let call = pair.call();
    pair.run(Duration::from_secs(5));
    let now = pair.time;
    pair.alice.hold(now, call).unwrap();
    pair.drain();
    pair.run(Duration::from_secs(1));
    pair.alice.info(pair.time, call, "application/dtmf-relay", "Signal=1\r\n").unwrap();
    pair.drain();
    pair.run(Duration::from_secs(1));
    let bobs = pair.bobs().unwrap();
    pair.bob.hangup(pair.time, bobs).unwrap();
    pair.drain();
    pair.drive();
    let mut seen: Vec<(Who, String, String)> = Vec::new();
    for (_, who, message) in &pair.wire {
        let headers = match message {
            Message::Request(request) => request.headers(),
            Message::Response(response) => response.headers(),
        };
        let (local, remote) = ids(headers);
        seen.push((*who, local, remote));
    }
    let (a, b) = (seen[0].1.clone(), seen[1].1.clone());
    assert_ne!(a, b);
    // The first INVITE does not know whom it will reach; all that comes after does.
    assert_eq!(seen.remove(0), (Alice, a.clone(), NIL.into()));
    for (who, local, remote) in seen {
        let expected = if who == Alice { (&a, &b) } else { (&b, &a) };
        assert_eq!((&local, &remote), expected);
    }
    // Version 4, RFC 4122's variant.
    assert_eq!(&a[12..13], "4");
    assert!("89ab".contains(&a[16..17]));
    // Each side is told once.
    for (who, text) in [(Alice, format!("{a};remote={b}")), (Bob, format!("{b};remote={a}"))] {
        let told = |(of, event): &(Who, Event)| match event {
            Event::Session { session, .. } if *of == who => Some(session.to_string()),
            _ => None,
        };
        assert_eq!(pair.events.iter().filter_map(told).collect::<Vec<_>>(), [text]);
    }
}

#[test]
fn rfc7989_6_each_fork_is_spoken_to_with_its_own_uuid() {
    let mut solo = Solo::new();
    let (call, invite, a) = calling(&mut solo);
    for (tag, uuid) in [("one", B), ("two", C)] {
        let lines = format!("{CONTACT}Require: 100rel\r\nRSeq: 7\r\n{}\r\n", from(uuid, &a));
        solo.reply_tagged(&invite, 180, Some(tag), &lines, "");
        let prack = solo.request(&Method::Prack);
        assert_eq!((prack.to_tag(), ids(prack.headers())), (Some(tag), (a.clone(), uuid.into())));
        solo.reply(&prack, 200, &format!("{}\r\n", from(uuid, &a)), "");
    }
    solo.reply_tagged(&invite, 200, Some("one"), &format!("{CONTACT}{}\r\n", from(B, &a)), ANSWER);
    assert_eq!(ids(solo.request(&Method::Ack).headers()), (a.clone(), B.into()));
    assert_eq!(solo.ua.session_id(call).unwrap().to_string(), format!("{a};remote={B}"));
    solo.reply_tagged(&invite, 200, Some("two"), &format!("{CONTACT}{}\r\n", from(C, &a)), ANSWER);
    for method in [Method::Ack, Method::Bye] {
        assert_eq!(ids(solo.request(&method).headers()), (a.clone(), C.into()));
    }
}

#[test]
fn rfc7989_6_a_cancel_says_what_its_invite_said() {
    let mut solo = Solo::new();
    let (call, invite, a) = calling(&mut solo);
    solo.reply(&invite, 180, &format!("{CONTACT}{}\r\n", from(B, &a)), "");
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    let cancel = solo.request(&Method::Cancel);
    assert_eq!(ids(cancel.headers()), (a.clone(), NIL.into()));
    solo.reply(&cancel, 200, "", "");
    solo.reply(&invite, 487, &format!("{}\r\n", from(B, &a)), "");
    // §10.8.1: the ACK to a refusal knows who refused.
    assert_eq!(ids(solo.request(&Method::Ack).headers()), (a, B.into()));
    // One whose INVITE has lost its flow.
    let (call, _, a) = calling(&mut solo);
    solo.close();
    solo.ua.cancel(solo.now, call).unwrap();
    solo.drain();
    solo.reopen(2);
    assert_eq!(ids(solo.request(&Method::Cancel).headers()), (a, NIL.into()));
}

#[test]
fn rfc7989_6_our_uuid_stays_through_every_try() {
    let mut config = config("sip:alice@example.com");
    config.redirections = 1;
    let mut solo = Solo::with(config, Transport::Wss);
    let (_, invite, a) = calling(&mut solo);
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=MD5\r\n";
    solo.reply(&invite, 407, &format!("{challenge}{}\r\n", from(NIL, &a)), "");
    solo.request(&Method::Ack);
    let invite = solo.request(&Method::Invite);
    assert_eq!(ids(invite.headers()), (a.clone(), NIL.into()));
    solo.reply(&invite, 422, &format!("Min-SE: 3600\r\n{}\r\n", from(B, &a)), "");
    solo.request(&Method::Ack);
    let invite = solo.request(&Method::Invite);
    assert_eq!(ids(invite.headers()), (a.clone(), B.into()), "§8: a response is believed");
    solo.reply(&invite, 302, &format!("Contact: <sip:carol@example.com>\r\n{}\r\n", from(B, &a)), "");
    assert_eq!(ids(solo.request(&Method::Ack).headers()), (a.clone(), B.into()));
    let invite = solo.request(&Method::Invite);
    assert_eq!(ids(invite.headers()), (a, NIL.into()), "\"it MUST NOT use the current peer's UUID\"");
}

#[test]
fn rfc7989_6_who_is_sent_elsewhere_keeps_its_uuid() {
    let mut config = config("sip:alice@example.com");
    config.referrals = true;
    let mut solo = Solo::with(config, Transport::Wss);
    let (old, ok) = established(&mut solo);
    let ours = solo.ua.session_id(old).unwrap().local.to_string();
    // §10.2: a REFER.
    let heard = from(B, &ours);
    send(&mut solo, &ok, "REFER", 11, &["Refer-To: <sip:carol@example.com>", &heard], "");
    let referral = solo.events.drain(..).find_map(|event| match event {
        Event::Referred { referral, .. } => Some(referral),
        _ => None,
    });
    solo.ua.accept_refer(solo.now, referral.unwrap(), OFFER).unwrap();
    solo.drain();
    assert_eq!(ids(solo.request(&Method::Invite).headers()), (ours.clone(), NIL.into()));
    assert_eq!(ids(solo.response(200).headers()), (ours.clone(), B.into()));
    assert_eq!(ids(solo.request(&Method::Notify).headers()), (ours.clone(), B.into()));
    // An INVITE in the place of the old call.
    let replaces = format!("Replaces: call-1;to-tag={};from-tag=bobtag", ok.to_tag().unwrap());
    let mut lines: Vec<&str> = INVITE.to_vec();
    lines[0] = "From: <sip:carol@example.com>;tag=caroltag";
    lines[2] = "Call-ID: call-2";
    let heard = from(C, NIL);
    lines.extend(["Require: replaces", &*replaces, &*heard]);
    solo.send("INVITE", &lines, OFFER);
    assert_eq!(ids(solo.response(100).headers()), (ours, C.into()));
}

#[test]
fn rfc7989_8_a_new_uuid_counts_once_its_request_succeeds() {
    let mut solo = Solo::new();
    let (call, ok) = established(&mut solo);
    let ours = solo.ua.session_id(call).unwrap().local.to_string();
    let (b, c) = (from(B, &ours), from(C, &ours));
    let info = ["Content-Type: application/dtmf-relay", &*b];
    send(&mut solo, &ok, "INFO", 11, &info, "Signal=1\r\n");
    assert_eq!(ids(solo.response(200).headers()), (ours.clone(), B.into()));
    // Refused: the answer says the new one, and nothing after it.
    send(&mut solo, &ok, "INFO", 12, &["Content-Type: text/html", &c], "<p>");
    assert_eq!(ids(solo.response(415).headers()), (ours.clone(), C.into()));
    assert_eq!(solo.ua.session_id(call).unwrap().remote.to_string(), B);
    // A message without, or with a malformed one, says nothing.
    send(&mut solo, &ok, "INFO", 13, &["Content-Type: application/dtmf-relay"], "Signal=1\r\n");
    assert_eq!(ids(solo.response(200).headers()), (ours.clone(), B.into()));
    let bad = format!("Session-ID: {};remote={ours}", &C[1..]);
    send(&mut solo, &ok, "INFO", 14, &["Content-Type: application/dtmf-relay", &bad], "Signal=1\r\n");
    assert_eq!(ids(solo.response(200).headers()), (ours.clone(), B.into()));
    // A response is believed whatever it is.
    solo.ua.info(solo.now, call, "application/dtmf-relay", "Signal=1\r\n").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    assert_eq!(ids(info.headers()), (ours.clone(), B.into()));
    solo.reply(&info, 488, &format!("{c}\r\n"), "");
    // And so is the ACK to a 2xx.
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(ids(solo.request(&Method::Invite).headers()), (ours.clone(), C.into()));
    send(&mut solo, &ok, "ACK", 10, &[&b], "");
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(ids(solo.request(&Method::Bye).headers()), (ours, B.into()));
}

#[test]
fn rfc7989_11_peers_of_rfc7329_have_one_uuid_for_both() {
    let mut solo = Solo::new();
    let alone = format!("Session-ID: {B}");
    let mut lines: Vec<&str> = INVITE.to_vec();
    lines.push(&alone);
    solo.send("INVITE", &lines, OFFER);
    let said = |headers: &Headers| headers.first(HeaderName::SessionId).map(String::from);
    assert_eq!(said(solo.response(100).headers()).as_deref(), Some(B));
    let Some(Event::Incoming { call, .. }) = solo.events.pop_front() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(said(ok.headers()).as_deref(), Some(B));
    send(&mut solo, &ok, "ACK", 10, &[&alone], "");
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(said(solo.request(&Method::Bye).headers()).as_deref(), Some(B));
    // Our own comes back, alone: "all future transactions within this dialog MUST contain only" it.
    let (_, invite, a) = calling(&mut solo);
    solo.reply(&invite, 200, &format!("{CONTACT}Session-ID: {a}\r\n"), ANSWER);
    assert_eq!(said(solo.request(&Method::Ack).headers()), Some(a));
    // What we said comes back as we said it: the order stays.
    let (call, invite, a) = calling(&mut solo);
    solo.reply(&invite, 200, &format!("{CONTACT}Session-ID: {a};remote={NIL}\r\n"), ANSWER);
    assert_eq!(ids(solo.request(&Method::Ack).headers()), (a, NIL.into()));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc7989_4_2_outside_calls_each_request_has_its_own() {
    let mut config = config("sip:alice@example.com");
    config.message_types = ["text/plain".into()].into();
    let mut solo = Solo::with(config, Transport::Wss);
    let mut seen = Vec::new();
    for _ in 0..2 {
        solo.ua.message(solo.now, Addressee::Target("bob"), Content::new("text/plain", "hi")).unwrap();
        solo.drain();
        let message = solo.request(&Method::Message);
        seen.push(ids(message.headers()));
        solo.reply(&message, 200, "", "");
    }
    assert_ne!(seen[0].0, seen[1].0);
    assert!(seen.iter().all(|(_, remote)| remote == NIL));
    // Answers name who asked; who does not ask with one gets none.
    let mut lines: Vec<&str> = INVITE[..3].to_vec();
    let theirs = from(B, NIL);
    lines.extend(["CSeq: 1 OPTIONS", &*theirs]);
    solo.send("OPTIONS", &lines, "");
    assert_eq!(ids(solo.response(200).headers()).1, B);
    lines.pop();
    solo.send("OPTIONS", &lines, "");
    assert!(!solo.response(200).headers().has(HeaderName::SessionId));
    // A subscription's dialogs keep it.
    let event = EventName::new(Package::Presence);
    let id = solo.ua.subscribe(solo.now, "bob", event, None).unwrap();
    solo.drain();
    let subscribe = solo.request(&Method::Subscribe);
    let (ours, _) = ids(subscribe.headers());
    let lines = [
        String::from("From: <sip:bob@example.com>;tag=n"),
        format!("To: <sip:alice@example.com>;tag={}", subscribe.from_tag().unwrap()),
        format!("Call-ID: {}", subscribe.call_id()),
        String::from("CSeq: 1 NOTIFY"),
        String::from("Contact: <sip:n@192.0.2.7>"),
        String::from("Event: presence"),
        String::from("Subscription-State: active;expires=3600"),
        from(C, &ours),
    ];
    solo.send("NOTIFY", &lines.iter().map(String::as_str).collect::<Vec<_>>(), "");
    assert_eq!(ids(solo.response(200).headers()), (ours.clone(), C.into()));
    solo.ua.unsubscribe(solo.now, id).unwrap();
    solo.drain();
    assert_eq!(ids(solo.request(&Method::Subscribe).headers()), (ours, C.into()));
}

#[test]
fn rfc7989_6_a_kept_call_keeps_both() {
    let mut solo = Solo::new();
    let (call, invite, a) = calling(&mut solo);
    solo.reply(&invite, 200, &format!("{CONTACT}{}\r\n", from(B, &a)), ANSWER);
    solo.request(&Method::Ack);
    let text = solo.ua.snapshot(solo.now, call).unwrap().to_string();
    let snapshot = CallSnapshot::parse(&text).unwrap();
    assert_eq!(snapshot.dialog.session, SessionIdentifier::parse(&format!("{a};remote={B}")).unwrap());
    let mut fresh = Solo::new();
    fresh.register();
    fresh.ua.restore(fresh.now, &snapshot, Continuation::Solicit).unwrap();
    fresh.drain();
    assert_eq!(ids(fresh.request(&Method::Invite).headers()), (a, B.into()));
}
