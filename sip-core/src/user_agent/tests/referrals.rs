//! Transfers the other side asks for (RFC 3515): bob refers alice, and the test is both bob and carol.

use std::format;
use std::string::String;

use super::incoming::{established, offered, send};
use super::solo::Solo;
use super::{ANSWER, OFFER, config};
use crate::limits;
use crate::message::typed::Replaces;
use crate::message::{HeaderName, Message, Method, Request, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallError, CallId, CallState, Event, ReferralError, ReferralId};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn solo() -> Solo {
    let mut config = config("sip:alice@example.com");
    config.referrals = true;
    Solo::with(config, Transport::Wss)
}

const CAROL: &str = "Refer-To: <sip:carol@example.com>";

/// Bob refers alice, in their call.
#[track_caller]
fn asked(solo: &mut Solo, ok: &Response, cseq: u32, more: &[&str]) -> ReferralId {
    solo.events.clear();
    send(solo, ok, "REFER", cseq, more, "");
    match solo.event() {
        Event::Referred { referral, .. } => referral,
        other => panic!("{other:?}"),
    }
}

/// Alice does as she is told: the INVITE to carol.
fn placed(solo: &mut Solo, ok: &Response) -> (CallId, Request) {
    let referral = asked(solo, ok, 11, &[CAROL]);
    let call = solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(solo.response(200).cseq().number, 11);
    told(solo, "active;expires=240", "SIP/2.0 100 Trying");
    (call, invite)
}

/// The next NOTIFY, which is answered.
#[track_caller]
fn told(solo: &mut Solo, state: &str, line: &str) -> Request {
    let notify = solo.request(&Method::Notify);
    let headers = notify.headers();
    assert_eq!(headers.first(HeaderName::SubscriptionState), Some(state));
    assert_eq!(headers.first(HeaderName::ContentType), Some("message/sipfrag;version=2.0"));
    assert_eq!(String::from_utf8_lossy(notify.body()), format!("{line}\r\n"));
    solo.reply(&notify, 200, "", "");
    notify
}

const OVER: &str = "terminated;reason=noresource";

#[test]
fn rfc3515_2_4_2_a_referral_is_told_with_everything_it_says() {
    let mut solo = solo();
    let (call, ok) = established(&mut solo);
    assert!(ok.headers().lists(HeaderName::Allow, "REFER"));
    let replaces = "Replaces=12345%40192.0.2.9%3Bto-tag%3D7743%3Bfrom-tag%3D6472&Subject=hi";
    let to = format!("Refer-To: <sip:carol@192.0.2.9;transport=ws?{replaces}>");
    let by = "Referred-By: \"Bob\" <sip:bob@example.com>";
    send(&mut solo, &ok, "REFER", 11, &[&to, by], "");
    let Event::Referred { call: of, from, referral, target, replaces, referred_by, .. } = solo.event() else {
        panic!()
    };
    assert_eq!((of, &*target), (Some(call), "sip:carol@192.0.2.9;transport=ws"));
    assert_eq!(&*from.uri, "sip:bob@example.com");
    let replaces = replaces.unwrap();
    assert_eq!((&*replaces.call_id, &*replaces.to_tag), ("12345@192.0.2.9", "7743"));
    assert_eq!((&*replaces.from_tag, replaces.early_only), ("6472", false));
    assert_eq!(&*referred_by.unwrap().uri, "sip:bob@example.com");
    // Nothing is done without leave.
    solo.nothing_sent();
    solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    // RFC 3891 §4, RFC 3892 §2.2.
    let invite = solo.request(&Method::Invite);
    let headers = invite.headers();
    assert_eq!(invite.uri(), "sip:carol@192.0.2.9;transport=ws");
    let said = headers.typed::<Replaces<'_>>().unwrap().unwrap();
    assert_eq!((said.call_id, said.to_tag, said.from_tag), ("12345@192.0.2.9", "7743", "6472"));
    assert_eq!(headers.first(HeaderName::ReferredBy), Some("\"Bob\" <sip:bob@example.com>"));
    assert!(!headers.has(HeaderName::Subject));
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3515_2_4_5_the_progress_of_the_call_is_told() {
    let mut solo = solo();
    let (old, ok) = established(&mut solo);
    let (call, invite) = placed(&mut solo, &ok);
    solo.reply(&invite, 180, "Contact: <sip:carol@192.0.2.7>\r\n", "");
    let notify = told(&mut solo, "active;expires=240", "SIP/2.0 180 Ringing");
    assert_eq!((notify.call_id(), notify.to_tag()), ("call-1", Some("bobtag")));
    assert_eq!(notify.headers().first(HeaderName::Event), Some("refer;id=11"));
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    told(&mut solo, OVER, "SIP/2.0 200 OK");
    assert_eq!(solo.ua.load().watchers, 0);
    // Bob hangs up, and the new call goes on.
    send(&mut solo, &ok, "BYE", 12, &[], "");
    solo.response(200);
    assert_eq!(solo.ua.call_state(old), None);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3515_2_4_5_a_call_that_fails_is_told_and_leaves_the_old_one() {
    let mut solo = solo();
    let (old, ok) = established(&mut solo);
    let (_, invite) = placed(&mut solo, &ok);
    solo.reply(&invite, 486, "", "");
    solo.request(&Method::Ack);
    told(&mut solo, OVER, "SIP/2.0 486 Busy Here");
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
    assert_eq!(solo.ua.load().watchers, 0);
    // Given up by our own user.
    let referral = asked(&mut solo, &ok, 12, &[CAROL]);
    let call = solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    solo.request(&Method::Invite);
    solo.response(200);
    told(&mut solo, "active;expires=240", "SIP/2.0 100 Trying");
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    told(&mut solo, OVER, "SIP/2.0 487 Request Terminated");
    assert_eq!(solo.ua.call_state(old), Some(CallState::Established));
}

#[test]
fn rfc3515_2_4_2_refused_at_once_or_after_it_was_told_to_wait() {
    let mut solo = solo();
    let (call, ok) = established(&mut solo);
    let referral = asked(&mut solo, &ok, 11, &[CAROL]);
    assert_eq!(solo.ua.refuse_refer(solo.now, referral, 200), Err(ReferralError::InvalidStatus(200)));
    solo.ua.refuse_refer(solo.now, referral, 603).unwrap();
    solo.drain();
    solo.response(603);
    assert_eq!(solo.ua.refuse_refer(solo.now, referral, 603), Err(ReferralError::Unknown));
    assert_eq!(solo.ua.accept_refer(solo.now, referral, OFFER), Err(ReferralError::Unknown));
    let referral = asked(&mut solo, &ok, 12, &[CAROL]);
    solo.advance(secs(2));
    solo.response(200);
    told(&mut solo, "active;expires=238", "SIP/2.0 100 Trying");
    solo.ua.refuse_refer(solo.now, referral, 603).unwrap();
    solo.drain();
    told(&mut solo, OVER, "SIP/2.0 603 Decline");
    assert_eq!(solo.ua.load().watchers, 0);
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

#[test]
fn rfc3515_2_1_and_2_2_what_is_refused() {
    let mut solo = solo();
    let (call, ok) = established(&mut solo);
    let bad = "Refer-To: <sip:carol@example.com?Replaces=12345%3Bto-tag%3D7743>";
    let rows: &[(&[&str], u16)] = &[
        (&[], 400),
        (&[CAROL, CAROL], 400),
        (&["Refer-To: <sip:carol@example.com>, <sip:dave@example.com>"], 400),
        (&[bad], 400),
        (&["Refer-To: <https://example.com/>"], 416),
        (&["Refer-To: <sip:carol@example.com;method=BYE>"], 603),
        (&[CAROL, "Require: nonesuch"], 420),
    ];
    for (cseq, (lines, status)) in (11..).zip(rows) {
        send(&mut solo, &ok, "REFER", cseq, lines, "");
        solo.response(*status);
        assert!(solo.events.is_empty(), "{lines:?}");
    }
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    assert_eq!(solo.ua.load().watchers, 0);
    // In one that rings.
    let mut solo = self::solo();
    let (call, _) = offered(&mut solo);
    solo.ua.ring(solo.now, call).unwrap();
    solo.drain();
    let ringing = solo.response(180);
    send(&mut solo, &ringing, "REFER", 11, &[CAROL], "");
    solo.response(480);
}

/// §2.4.2: a UA capable of it accepts what is no SIP URI; a `tel` URI is called as it would be by our user (RFC 3261 §19.1.6).
#[test]
fn rfc3515_2_4_2_a_telephone_number_may_be_referred_to() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    solo.events.clear();
    send(&mut solo, &ok, "REFER", 11, &["Refer-To: <tel:+49-30-1234>"], "");
    let Event::Referred { target, replaces: None, referral, .. } = solo.event() else { panic!() };
    assert_eq!(target, "sip:+49301234@example.com;user=phone");
    solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    assert_eq!(solo.request(&Method::Invite).uri(), "sip:+49301234@example.com;user=phone");
    solo.response(200);
}

#[test]
fn rfc3515_2_2_who_does_not_want_any_says_405() {
    let mut solo = Solo::new();
    let (_, ok) = established(&mut solo);
    assert!(!ok.headers().lists(HeaderName::Allow, "REFER"));
    send(&mut solo, &ok, "REFER", 11, &[CAROL], "");
    assert!(!solo.response(405).headers().lists(HeaderName::Allow, "REFER"));
}

#[test]
fn rfc4488_4_without_subscription_nothing_is_told() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    let lines = [CAROL, "Refer-Sub: false", "Require: norefersub"];
    let referral = asked(&mut solo, &ok, 11, &lines);
    solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(solo.response(200).headers().first(HeaderName::ReferSub), Some("false"));
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    assert_eq!(solo.ua.load().watchers, 0);
    // A person who thinks it over is told of all the same.
    asked(&mut solo, &ok, 12, &lines);
    solo.advance(secs(2));
    assert!(!solo.response(200).headers().has(HeaderName::ReferSub));
    told(&mut solo, "active;expires=238", "SIP/2.0 100 Trying");
}

#[test]
fn rfc3515_2_4_4_the_referrer_may_leave_and_the_call_goes_on() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    let (call, invite) = placed(&mut solo, &ok);
    send(&mut solo, &ok, "SUBSCRIBE", 12, &["Event: refer;id=11", "Expires: 0"], "");
    solo.response(200);
    told(&mut solo, "terminated;reason=timeout", "SIP/2.0 100 Trying");
    assert_eq!(solo.ua.load().watchers, 0);
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    // There is nothing to subscribe to any more.
    send(&mut solo, &ok, "SUBSCRIBE", 13, &["Event: refer;id=11", "Expires: 60"], "");
    solo.response(403);
}

/// "If a SUBSCRIBE request for event refer is received for a subscription that does not already exist, it MUST be rejected with a 403."
#[test]
fn rfc3515_2_4_4_only_a_refer_makes_a_subscription_to_one() {
    let subscribe = |solo: &mut Solo, event: &str| {
        let event = format!("Event: {event}");
        let lines = [
            "From: <sip:bob@example.com>;tag=sub",
            "To: <sip:alice@example.com>",
            "Call-ID: sub-1",
            "CSeq: 1 SUBSCRIBE",
            "Contact: <sip:bob@y.invalid;transport=ws>",
            &event,
        ];
        solo.send("SUBSCRIBE", &lines, "");
    };
    for packages in [&[][..], &["presence".into()]] {
        let mut config = config("sip:alice@example.com");
        config.referrals = true;
        config.event_packages = packages.into();
        let mut solo = Solo::with(config, Transport::Wss);
        subscribe(&mut solo, "refer");
        solo.response(403);
        subscribe(&mut solo, "reg");
        solo.response(if packages.is_empty() { 405 } else { 489 });
        let (_, ok) = established(&mut solo);
        send(&mut solo, &ok, "SUBSCRIBE", 12, &["Event: refer;id=11", "Expires: 60"], "");
        solo.response(403);
        // Another REFER's is not this one's.
        asked(&mut solo, &ok, 13, &[CAROL]);
        send(&mut solo, &ok, "SUBSCRIBE", 14, &["Event: refer;id=11", "Expires: 60"], "");
        solo.response(403);
    }
    // Who takes no REFER knows no such event.
    let mut solo = Solo::new();
    subscribe(&mut solo, "refer");
    solo.response(405);
}

/// RFC 5057 §4.1: bob hangs up as soon as the REFER is answered.
#[test]
fn rfc5057_4_1_the_progress_is_told_after_the_bye() {
    let mut solo = solo();
    let (old, ok) = established(&mut solo);
    let (_, invite) = placed(&mut solo, &ok);
    send(&mut solo, &ok, "BYE", 12, &[], "");
    solo.response(200);
    assert_eq!(solo.ua.call_state(old), None);
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    let last = told(&mut solo, OVER, "SIP/2.0 200 OK");
    assert_eq!((last.to_tag(), last.uri()), (Some("bobtag"), "sip:bob@z.invalid;transport=ws"));
    assert_eq!(solo.ua.load().watchers, 0);
}

#[test]
fn rfc5057_4_1_our_own_bye_goes_first_and_the_cseq_rises() {
    let mut solo = solo();
    let (old, ok) = established(&mut solo);
    let (_, invite) = placed(&mut solo, &ok);
    solo.ua.hangup(solo.now, old).unwrap();
    solo.drain();
    let bye = solo.request(&Method::Bye);
    solo.answer(&invite, "carol");
    solo.request(&Method::Ack);
    solo.nothing_sent();
    solo.reply(&bye, 200, "", "");
    assert_eq!(told(&mut solo, OVER, "SIP/2.0 200 OK").cseq().number, bye.cseq().number + 1);
}

#[test]
fn a_call_that_cannot_be_made_leaves_the_request_open() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    let referral = asked(&mut solo, &ok, 11, &[CAROL]);
    let huge = "x".repeat(limits::MESSAGE_BYTES);
    let refused = solo.ua.accept_refer(solo.now, referral, &huge);
    assert_eq!(refused, Err(ReferralError::Call(CallError::TooLarge)));
    solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    assert_eq!(solo.ua.accept_refer(solo.now, referral, OFFER), Err(ReferralError::Unknown));
}

#[test]
fn referrals_are_capped_and_end_with_the_user_agent() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    let most = u32::try_from(limits::WATCHERS).unwrap();
    for cseq in 0..most {
        asked(&mut solo, &ok, 11 + cseq, &[CAROL]);
    }
    send(&mut solo, &ok, "REFER", 11 + most, &[CAROL], "");
    solo.response(480);
    solo.ua.shutdown(solo.now);
    solo.drain();
    let refused = |message: &Message| matches!(message, Message::Response(r) if r.status() == 480);
    assert_eq!(solo.sent.iter().filter(|(_, _, message)| refused(message)).count(), limits::WATCHERS);
    assert_eq!(solo.ua.load().watchers, 0);
}

/// A NOTIFY that the other side does not want ends what is told, not the call.
#[test]
fn rfc3515_2_4_4_a_refused_notify_ends_the_telling() {
    let mut solo = solo();
    let (_, ok) = established(&mut solo);
    let referral = asked(&mut solo, &ok, 11, &[CAROL]);
    let call = solo.ua.accept_refer(solo.now, referral, OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.response(200);
    let notify = solo.request(&Method::Notify);
    solo.reply(&notify, 481, "", "");
    assert_eq!(solo.ua.load().watchers, 0);
    solo.reply(&invite, 200, "Contact: <sip:carol@192.0.2.7>\r\n", ANSWER);
    solo.request(&Method::Ack);
    solo.nothing_sent();
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    assert_eq!(solo.ua.calls().count(), 2);
}

/// Who asked may keep the subscription up as long as it likes.
#[test]
fn rfc3515_2_4_7_what_nobody_decides_is_refused_in_the_end() {
    let mut solo = solo();
    let (call, ok) = established(&mut solo);
    let referral = asked(&mut solo, &ok, 11, &[CAROL]);
    solo.advance(secs(2));
    solo.response(200);
    told(&mut solo, "active;expires=238", "SIP/2.0 100 Trying");
    solo.advance(secs(150));
    send(&mut solo, &ok, "SUBSCRIBE", 12, &["Event: refer;id=11", "Expires: 240"], "");
    solo.response(200);
    told(&mut solo, "active;expires=240", "SIP/2.0 100 Trying");
    solo.advance(secs(87));
    solo.nothing_sent();
    solo.advance(secs(2));
    told(&mut solo, OVER, "SIP/2.0 480 Temporarily Unavailable");
    assert_eq!(solo.ua.accept_refer(solo.now, referral, OFFER), Err(ReferralError::Unknown));
    assert_eq!((solo.ua.load().watchers, solo.ua.call_state(call)), (0, Some(CallState::Established)));
}
