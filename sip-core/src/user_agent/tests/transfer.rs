//! Transfers we ask for (RFC 3515), against another side played by hand.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::OFFER;
use super::incoming::{established, offered, send};
use super::solo::Solo;
use crate::message::typed::{ReferTo, ReferredBy};
use crate::message::{HeaderName, Method, Request, Response, Uri, unescape};
use crate::time::Duration;
use crate::user_agent::{
    CallId, CallState, Cause, End, Event, RequestError, Side, TransferEnd, TransferUpdate,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call with bob, and a REFER in it.
fn referred(solo: &mut Solo) -> (CallId, Response, Request) {
    let (call, ok) = established(solo);
    solo.ua.transfer(solo.now, call, "carol").unwrap();
    solo.drain();
    let refer = solo.request(&Method::Refer);
    (call, ok, refer)
}

/// Bob's NOTIFY, with this sipfrag.
fn notify(solo: &mut Solo, ok: &Response, cseq: u32, event: &str, state: &str, body: &str) {
    let event = format!("Event: {event}");
    let state = format!("Subscription-State: {state}");
    let lines = [&*event, &*state, "Content-Type: message/sipfrag;version=2.0"];
    send(solo, ok, "NOTIFY", cseq, &lines, &format!("{body}\r\n"));
}

#[track_caller]
fn update(solo: &mut Solo, of: CallId) -> TransferUpdate {
    match solo.event() {
        Event::Transfer { call, update, .. } if call == Some(of) => update,
        other => panic!("{other:?}"),
    }
}

fn progress(status: u16, reason: &str) -> TransferUpdate {
    TransferUpdate::Progress { status, reason: reason.into() }
}

#[track_caller]
fn failure(update: TransferUpdate) -> (Cause, Option<u16>) {
    match update {
        TransferUpdate::Ended(TransferEnd::Failed(failure)) => (failure.cause, failure.status),
        other => panic!("{other:?}"),
    }
}

const OVER: &str = "terminated;reason=noresource";

#[test]
fn rfc3515_2_1_a_transfer_that_succeeds() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    let headers = refer.headers();
    let to = headers.typed::<ReferTo<'_>>().unwrap().unwrap();
    let by = headers.typed::<ReferredBy<'_>>().unwrap().unwrap();
    assert_eq!((to.uri, by.uri), ("sip:carol@example.com", "sip:alice@example.com"));
    assert_eq!((refer.call_id(), refer.to_tag()), ("call-1", Some("bobtag")));
    assert!(headers.has(HeaderName::Contact));
    // One at a time.
    assert_eq!(solo.ua.transfer(solo.now, call, "dave"), Err(RequestError::TooMany));
    solo.reply(&refer, 202, "", "");
    assert_eq!(update(&mut solo, call), TransferUpdate::Accepted);
    notify(&mut solo, &ok, 11, "refer", "active;expires=60", "SIP/2.0 100 Trying");
    solo.response(200);
    assert_eq!(update(&mut solo, call), progress(100, "Trying"));
    let named = format!("refer;id={}", refer.cseq().number);
    notify(&mut solo, &ok, 12, &named, "active;expires=50", "SIP/2.0 180 Ringing");
    solo.response(200);
    assert_eq!(update(&mut solo, call), progress(180, "Ringing"));
    notify(&mut solo, &ok, 13, "refer", OVER, "SIP/2.0 200 OK");
    solo.response(200);
    assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Done));
    assert!(solo.events.is_empty() && solo.ua.load().subscriptions == 0);
    // What comes after the end is nobody's.
    notify(&mut solo, &ok, 14, "refer", OVER, "SIP/2.0 200 OK");
    solo.response(481);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    solo.ua.transfer(solo.now, call, "dave").unwrap();
}

#[test]
fn rfc3515_2_4_4_the_notify_may_overtake_the_202() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    notify(&mut solo, &ok, 11, "refer", OVER, "SIP/2.0 200 OK");
    solo.response(200);
    assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Done));
    solo.reply(&refer, 202, "", "");
    assert!(solo.events.is_empty(), "the last has been told");
}

#[test]
fn a_transfer_that_fails_leaves_the_call_as_it_was() {
    for (status, cause) in [(603, Cause::Declined), (405, Cause::Rejected), (503, Cause::ServerError)] {
        let mut solo = Solo::new();
        let (call, _, refer) = referred(&mut solo);
        solo.reply(&refer, status, "", "");
        assert_eq!(failure(update(&mut solo, call)), (cause, Some(status)));
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
        assert_eq!(solo.ua.load().subscriptions, 0);
        solo.nothing_sent();
    }
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    solo.reply(&refer, 202, "", "");
    notify(&mut solo, &ok, 11, "refer", OVER, "SIP/2.0 486 Busy Here");
    solo.events.pop_front();
    assert_eq!(failure(update(&mut solo, call)), (Cause::Busy, Some(486)));
    solo.response(200);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    solo.nothing_sent();
}

/// RFC 6665 §4.1.2.4: without a NOTIFY there is no subscription.
#[test]
fn rfc3515_2_4_4_without_any_notify_it_has_failed() {
    let mut solo = Solo::new();
    let (call, _, refer) = referred(&mut solo);
    solo.reply(&refer, 202, "", "");
    solo.events.clear();
    solo.advance(secs(31));
    assert!(solo.events.is_empty());
    solo.advance(secs(2));
    assert_eq!(failure(update(&mut solo, call)), (Cause::Timeout, None));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3515_2_4_7_a_subscription_that_ends_early_leaves_the_outcome_unknown() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    solo.reply(&refer, 202, "", "");
    solo.events.clear();
    notify(&mut solo, &ok, 11, "refer", OVER, "SIP/2.0 100 Trying");
    assert_eq!(update(&mut solo, call), progress(100, "Trying"));
    assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Unknown));
}

#[test]
fn rfc3515_2_4_7_who_tells_the_outcome_and_goes_on_is_told_to_stop() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    solo.reply(&refer, 202, "", "");
    solo.events.clear();
    notify(&mut solo, &ok, 11, "refer", "active;expires=3600", "SIP/2.0 200 OK");
    assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Done));
    solo.response(200);
    let leave = solo.request(&Method::Subscribe);
    let headers = leave.headers();
    assert_eq!(headers.first(HeaderName::Expires), Some("0"));
    assert_eq!(headers.first(HeaderName::Event), Some(&*format!("refer;id={}", refer.cseq().number)));
    assert_eq!((leave.to_tag(), leave.cseq().number), (Some("bobtag"), refer.cseq().number + 1));
    solo.reply(&leave, 200, "Expires: 0\r\n", "");
    notify(&mut solo, &ok, 12, "refer", "terminated;reason=timeout", "SIP/2.0 200 OK");
    solo.response(200);
    assert!(solo.events.is_empty() && solo.ua.load().subscriptions == 0);
}

#[test]
fn rfc4488_4_who_makes_no_subscription_tells_no_more() {
    let mut solo = Solo::new();
    let (call, _, refer) = referred(&mut solo);
    solo.reply(&refer, 200, "Refer-Sub: false\r\n", "");
    assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Unknown));
    assert_eq!(solo.ua.load().subscriptions, 0);
}

/// RFC 5589 §7.3: the target is the Contact of the other call, and the Replaces names it as the target knows it.
#[test]
fn rfc5589_7_3_an_attended_transfer_names_the_other_call() {
    let mut solo = Solo::new();
    let (call, _) = established(&mut solo);
    let other = solo.ua.call(solo.now, "carol", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert!(matches!(
        solo.ua.transfer_to(solo.now, call, other),
        Err(RequestError::WrongState(CallState::Connecting))
    ));
    assert!(solo.ua.transfer_to(solo.now, call, call).is_err());
    solo.answer(&invite, "carols+tag");
    solo.request(&Method::Ack);
    solo.ua.transfer_to(solo.now, call, other).unwrap();
    solo.drain();
    let refer = solo.request(&Method::Refer);
    assert_eq!(refer.call_id(), "call-1");
    let to = refer.headers().typed::<ReferTo<'_>>().unwrap().unwrap().uri.to_string();
    let uri = Uri::parse(&to).unwrap();
    let uri = uri.sip().unwrap();
    assert_eq!(uri.aor(), "sip:bob-carols+tag@192.0.2.7");
    let headers: Vec<String> = uri.headers.unwrap().split('&').map(|h| unescape(h).into_owned()).collect();
    let (id, tag) = (invite.call_id(), invite.from_tag().unwrap());
    let replaces = format!("Replaces={id};to-tag=carols+tag;from-tag={tag}");
    assert_eq!(headers, [replaces, String::from("Require=replaces")]);
    assert!(!uri.headers.unwrap().contains([';', '@']));
}

#[test]
fn illegal_transfers_are_refused() {
    let mut solo = Solo::new();
    let (call, _) = offered(&mut solo);
    assert_eq!(
        solo.ua.transfer(solo.now, call, "carol"),
        Err(RequestError::WrongState(CallState::Connecting))
    );
    assert_eq!(solo.ua.transfer(solo.now, call, "<>"), Err(RequestError::InvalidTarget));
    solo.ua.reject(solo.now, call, 486, None).unwrap();
    assert!(solo.ua.transfer(solo.now, call, "carol").is_err());
    assert_eq!(solo.ua.load().subscriptions, 0);
}

#[test]
fn rfc3261_22_2_a_challenged_refer_and_the_id_of_its_notifies() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", algorithm=MD5\r\n";
    solo.reply(&refer, 401, challenge, "");
    let again = solo.request(&Method::Refer);
    assert!(again.headers().has(HeaderName::Authorization));
    solo.reply(&again, 202, "", "");
    solo.events.clear();
    let old = format!("refer;id={}", refer.cseq().number);
    notify(&mut solo, &ok, 11, &old, "active;expires=60", "SIP/2.0 100 Trying");
    solo.response(489);
    assert!(solo.events.is_empty());
    let new = format!("refer;id={}", again.cseq().number);
    notify(&mut solo, &ok, 12, &new, "active;expires=60", "SIP/2.0 100 Trying");
    solo.response(200);
    assert_eq!(update(&mut solo, call), progress(100, "Trying"));
}

/// RFC 5057 §4.1: the subscription outlives the call in whose dialog it is.
#[test]
fn rfc5057_4_1_what_is_told_after_the_bye_is_heard() {
    for answered in [false, true] {
        let mut solo = Solo::new();
        let (call, ok, refer) = referred(&mut solo);
        solo.reply(&refer, 202, "", "");
        notify(&mut solo, &ok, 11, "refer", "active;expires=60", "SIP/2.0 100 Trying");
        solo.response(200);
        solo.events.clear();
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        let bye = solo.request(&Method::Bye);
        if answered {
            solo.reply(&bye, 200, "", "");
            assert_eq!(solo.events.pop_back(), Some(Event::Released { call }));
        }
        assert_eq!(solo.event(), Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } });
        notify(&mut solo, &ok, 12, "refer", "active;expires=3600", "SIP/2.0 200 OK");
        solo.response(200);
        assert_eq!(update(&mut solo, call), TransferUpdate::Ended(TransferEnd::Done));
        if answered {
            // Our CSeq goes on where the BYE left it.
            let leave = solo.request(&Method::Subscribe);
            assert_eq!(leave.cseq().number, bye.cseq().number + 1);
        }
        solo.advance(secs(3700));
        assert_eq!(solo.ua.load().subscriptions, 0);
    }
}

#[test]
fn a_refer_that_finds_nobody_ends_the_call() {
    let mut solo = Solo::new();
    let (call, _, refer) = referred(&mut solo);
    solo.reply(&refer, 481, "", "");
    assert!(matches!(solo.event(), Event::Ended { call: of, .. } if of == call));
    assert_eq!(failure(update(&mut solo, call)), (Cause::Rejected, Some(481)));
}

/// Lies: no body, no status, a status that is none.
#[test]
fn rfc3515_2_4_5_bodies_that_are_no_status_tell_nothing() {
    let mut solo = Solo::new();
    let (call, ok, refer) = referred(&mut solo);
    solo.reply(&refer, 202, "", "");
    solo.events.clear();
    for (cseq, body) in [(11, ""), (12, "INVITE sip:a@b SIP/2.0"), (13, "SIP/2.0 999 No"), (14, "To: x")] {
        notify(&mut solo, &ok, cseq, "refer", "active;expires=60", body);
        solo.response(200);
        assert!(solo.events.is_empty(), "{body}");
    }
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}
