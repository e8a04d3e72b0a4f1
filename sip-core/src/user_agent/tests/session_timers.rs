//! Session timers (RFC 4028).

use std::format;

use super::incoming::send;
use super::pair::{Pair, Who};
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER};
use crate::message::{HeaderName, Method, Request, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Cause, End, Event};

use Who::{Alice, Bob};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call of ours; the 2xx has these fields.
fn established(fields: &str) -> (Solo, CallId, Request) {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let fields = format!("Contact: <sip:bob@192.0.2.7>\r\n{fields}");
    solo.reply(&invite, 200, &fields, ANSWER);
    solo.request(&Method::Ack);
    solo.events.clear();
    (solo, call, invite)
}

fn expires(headers: &crate::message::Headers) -> Option<&str> {
    headers.first(HeaderName::SessionExpires)
}

#[track_caller]
fn expired(solo: &mut Solo) {
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Expired);
    let bye = solo.request(&Method::Bye);
    let reason = bye.headers().first(HeaderName::Reason);
    assert_eq!(reason, Some("SIP;cause=408;text=\"Session expired\""), "RFC 3326");
}

/// §7.1, §7.2, §10: half the interval, by UPDATE if the other side takes it, else by the same re-INVITE.
#[test]
fn rfc4028_10_the_refresher_refreshes() {
    for method in [Method::Update, Method::Invite] {
        let fields = format!("Session-Expires: 600;refresher=uac\r\nAllow: INVITE, {method}\r\n");
        let (mut solo, _, invite) = established(&fields);
        assert_eq!(expires(invite.headers()), Some("1800"));
        assert!(invite.headers().lists(HeaderName::Supported, "timer"));
        for _ in 0..3 {
            solo.advance(Duration::from_millis(299_999));
            solo.nothing_sent();
            solo.advance(Duration::from_millis(1));
            let refresh = solo.request(&method);
            assert_eq!(expires(refresh.headers()), Some("600;refresher=uac"));
            let body = if method == Method::Invite { OFFER } else { "" };
            assert_eq!(refresh.body(), body.as_bytes(), "§7.4: nothing changes");
            let answer = if method == Method::Invite { ANSWER } else { "" };
            solo.reply(&refresh, 200, "Session-Expires: 600;refresher=uac\r\n", answer);
            if method == Method::Invite {
                solo.request(&Method::Ack);
            }
        }
        assert!(solo.events.is_empty(), "nobody is disturbed");
    }
}

/// §10: "a BYE if the session expires"; a third of the interval, 32 s at most, before.
#[test]
fn rfc4028_10_a_session_nobody_refreshes_ends() {
    for (interval, ends) in [(600, 568), (90, 60)] {
        let (mut solo, ..) = established(&format!("Session-Expires: {interval};refresher=uas\r\n"));
        solo.advance(secs(ends - 1));
        solo.nothing_sent();
        solo.advance(secs(1));
        expired(&mut solo);
    }
    // Nor one whose refreshes are all refused.
    let (mut solo, call, _) = established("Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n");
    let mut refreshes = 0;
    while solo.ua.call_state(call) == Some(CallState::Established) {
        solo.advance(secs(1));
        while solo.sent.front().is_some_and(|(.., message)| {
            matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Update)
        }) {
            let update = solo.request(&Method::Update);
            solo.reply(&update, 503, "", "");
            refreshes += 1;
        }
    }
    assert_eq!(refreshes, 4, "at 300, 375, 450, 525 s");
    expired(&mut solo);
}

/// §7.2: without Session-Expires in the 2xx of who knows session timers there is none.
#[test]
fn rfc4028_7_2_a_2xx_without_a_timer() {
    let (mut solo, ..) = established("Supported: timer\r\n");
    solo.advance(secs(10_000));
    solo.nothing_sent();
    // Nor where we want none.
    let mut config = super::config("sip:alice@example.com");
    config.session_expires = None;
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "callee");
    solo.request(&Method::Ack);
    solo.advance(secs(10_000));
    solo.nothing_sent();
}

/// §7.2: "If the UAC still wishes to use the session timer (which is purely for its benefit alone), it has to perform them": a
/// side that knows no timers may vanish as well. A refusal says that it is there, unless it is a server's on the way.
#[test]
fn rfc4028_7_2_a_side_that_knows_no_timers_is_asked_whether_it_is_there() {
    let (mut solo, call, _) = established("");
    for status in [200, 200, 488, 501] {
        solo.advance(Duration::from_millis(899_999));
        solo.nothing_sent();
        solo.advance(Duration::from_millis(1));
        let refresh = solo.request(&Method::Invite);
        assert_eq!(expires(refresh.headers()), Some("1800;refresher=uac"));
        assert_eq!(refresh.body(), OFFER.as_bytes(), "§7.4: nothing changes");
        solo.reply(&refresh, status, "", if status == 200 { ANSWER } else { "" });
        solo.request(&Method::Ack);
    }
    assert!(solo.events.is_empty(), "nobody is disturbed");
    // A change of ours asks as well.
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let hold = solo.request(&Method::Invite);
    solo.reply(&hold, 488, "", "");
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferRefused { .. }));
    solo.advance(secs(899));
    solo.nothing_sent();
    solo.advance(secs(1));
    solo.request(&Method::Invite);
    // Nobody there.
    solo.advance(secs(32));
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.cause, Cause::Timeout);
    solo.request(&Method::Bye);
    for status in [480, 503] {
        let (mut solo, ..) = established("");
        for wait in [900, 225, 225, 225] {
            solo.advance(secs(wait));
            let refresh = solo.request(&Method::Invite);
            solo.reply(&refresh, status, "", "");
            solo.request(&Method::Ack);
        }
        assert!(solo.events.is_empty());
        solo.advance(secs(193));
        expired(&mut solo);
    }
}

/// The same on the callee's side, by §9's third row.
#[test]
fn rfc4028_9_a_caller_that_knows_no_timers_is_asked_whether_it_is_there() {
    let (mut solo, call, _) = answered(&["Subject: nothing"]);
    for _ in 0..6 {
        solo.advance(secs(900));
        let refresh = solo.request(&Method::Invite);
        solo.reply(&refresh, 488, "", "");
        solo.request(&Method::Ack);
        assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
    }
    // What a proxy asks for has to be refreshed.
    let (mut solo, ..) = answered(&["Session-Expires: 600"]);
    while solo.events.is_empty() {
        solo.advance(secs(1));
        while solo.sent.front().is_some_and(|(.., message)| {
            matches!(message, crate::message::Message::Request(r) if *r.method() == Method::Invite)
        }) {
            let refresh = solo.request(&Method::Invite);
            solo.reply(&refresh, 488, "", "");
            solo.request(&Method::Ack);
        }
    }
    expired(&mut solo);
}

/// §7.3: 422 is answered with a longer interval, and with patience for one at a time.
#[test]
fn rfc4028_7_3_an_interval_that_is_too_small() {
    let mut config = super::config("sip:alice@example.com");
    config.session_expires = Some(secs(100));
    let mut solo = Solo::with(config, Transport::Wss);
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    assert_eq!(expires(invite.headers()), Some("100"));
    solo.reply(&invite, 422, "Min-SE: 300\r\n", "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    assert_eq!(expires(again.headers()), Some("300"));
    assert_eq!(again.headers().first(HeaderName::MinSe), Some("300"));
    assert_eq!((again.call_id(), again.from_tag()), (invite.call_id(), invite.from_tag()));
    assert_eq!(again.cseq().number, 2);
    assert!(solo.events.is_empty());
    solo.reply(&again, 422, "Min-SE: 300\r\n", "");
    solo.request(&Method::Ack);
    let Event::Ended { end: End::Failed(failure), .. } = solo.event() else { panic!() };
    assert_eq!(failure.status, Some(422), "it says nothing new");
    assert_eq!(solo.event(), Event::Released { call });
    // Within a call.
    let (mut solo, ..) = established("Session-Expires: 200;refresher=uac\r\nAllow: UPDATE\r\n");
    solo.advance(secs(100));
    let refresh = solo.request(&Method::Update);
    solo.reply(&refresh, 422, "Min-SE: 400\r\n", "");
    let again = solo.request(&Method::Update);
    assert_eq!(expires(again.headers()), Some("400;refresher=uac"));
}

/// §7.4: the Min-SE of 422s to the INVITE "is effectively 'cleared' once the dialog is established": forks have ways of their own.
#[test]
fn rfc4028_7_4_what_the_invite_heard_of_min_se_is_not_the_dialogs() {
    let mut config = super::config("sip:alice@example.com");
    config.session_expires = Some(secs(100));
    let mut solo = Solo::with(config, Transport::Wss);
    solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 422, "Min-SE: 300\r\n", "");
    solo.request(&Method::Ack);
    let again = solo.request(&Method::Invite);
    let fields = "Contact: <sip:bob@192.0.2.7>\r\nSession-Expires: 200;refresher=uac\r\nAllow: UPDATE\r\n";
    solo.reply(&again, 200, fields, ANSWER);
    solo.request(&Method::Ack);
    solo.advance(secs(100));
    let refresh = solo.request(&Method::Update);
    assert_eq!(expires(refresh.headers()), Some("200;refresher=uac"));
    assert_eq!(refresh.headers().first(HeaderName::MinSe), None);
    solo.reply(&refresh, 422, "Min-SE: 250\r\n", "");
    let again = solo.request(&Method::Update);
    assert_eq!(again.headers().first(HeaderName::MinSe), Some("250"));
}

/// RFC 3311 §5.2: one that names UPDATE in Allow and does not take it is refreshed by re-INVITE.
#[test]
fn rfc4028_7_4_a_refresh_that_has_to_be_a_reinvite() {
    for status in [405, 501, 504] {
        let (mut solo, ..) = established("Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n");
        solo.advance(secs(300));
        let update = solo.request(&Method::Update);
        solo.reply(&update, status, "", "");
        assert_eq!(solo.request(&Method::Invite).body(), OFFER.as_bytes());
    }
}

/// The same while an offer of theirs is with our user: the re-INVITE cannot go yet, and is not forgotten.
#[test]
fn rfc4028_10_a_refresh_that_cannot_be_a_reinvite_yet_is_tried_again() {
    let (mut solo, call, invite) = established("Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n");
    solo.advance(secs(300));
    let update = solo.request(&Method::Update);
    let from = "From: <sip:bob@example.com>;tag=callee";
    let to = format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap());
    let id = format!("Call-ID: {}", invite.call_id());
    let sdp = "Content-Type: application/sdp";
    let contact = "Contact: <sip:bob@192.0.2.7>";
    let next = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.send("INVITE", &[from, &to, &id, "CSeq: 1 INVITE", contact, sdp], &next);
    solo.response(100);
    assert!(matches!(solo.event(), Event::Offered { .. }));
    solo.reply(&update, 405, "", "");
    solo.nothing_sent();
    solo.ua.refuse(solo.now, call).unwrap();
    solo.drain();
    solo.response(488);
    solo.advance(secs(74));
    solo.nothing_sent();
    solo.advance(secs(1));
    assert_eq!(solo.request(&Method::Invite).body(), OFFER.as_bytes());
}

/// RFC 3261 §14.1: nor while the 2xx to an INVITE of theirs waits for its ACK.
#[test]
fn rfc3261_14_1_a_refresh_by_reinvite_waits_for_the_ack() {
    let (mut solo, _, invite) = established("Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n");
    solo.advance(secs(300));
    let update = solo.request(&Method::Update);
    let from = "From: <sip:bob@example.com>;tag=callee";
    let to = format!("To: <sip:alice@example.com>;tag={}", invite.from_tag().unwrap());
    let id = format!("Call-ID: {}", invite.call_id());
    let fields = ["Contact: <sip:bob@192.0.2.7>", "Supported: timer", "Session-Expires: 600;refresher=uas"];
    let lines =
        [from, &to, &id, "CSeq: 1 INVITE", fields[0], fields[1], fields[2], "Content-Type: application/sdp"];
    solo.send("INVITE", &lines, ANSWER);
    solo.response(100);
    solo.response(200);
    solo.reply(&update, 405, "", "");
    solo.nothing_sent();
    solo.send("ACK", &[from, &to, &id, "CSeq: 1 ACK"], "");
    solo.advance(secs(74));
    solo.nothing_sent();
    solo.advance(secs(1));
    assert_eq!(solo.request(&Method::Invite).body(), OFFER.as_bytes());
    assert!(solo.events.is_empty());
}

/// Our user's change waits for a refresh that is on its way, and refreshes itself.
#[test]
fn rfc4028_7_4_a_change_during_a_refresh() {
    let (mut solo, call, _) = established("Session-Expires: 600;refresher=uac\r\nAllow: UPDATE\r\n");
    solo.advance(secs(300));
    let update = solo.request(&Method::Update);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply(&update, 200, "Session-Expires: 600;refresher=uac\r\n", "");
    let hold = solo.request(&Method::Invite);
    assert_eq!(expires(hold.headers()), Some("600;refresher=uac"));
    solo.advance(secs(10));
    let answer = ANSWER.replace("o=- 2 1", "o=- 2 2");
    solo.reply(&hold, 200, "Session-Expires: 600;refresher=uac\r\n", &answer);
    solo.request(&Method::Ack);
    assert!(matches!(solo.event(), Event::OfferAnswered { .. }));
    solo.advance(secs(299));
    solo.nothing_sent();
    solo.advance(secs(1));
    solo.request(&Method::Update);
}

fn answered(fields: &[&str]) -> (Solo, CallId, Response) {
    let mut solo = Solo::new();
    let mut lines = INVITE.to_vec();
    lines.extend(fields);
    solo.send("INVITE", &lines, OFFER);
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    send(&mut solo, &ok, "ACK", 10, &[], "");
    solo.events.clear();
    (solo, call, ok)
}

/// §9: who refreshes, and how often.
#[test]
fn rfc4028_9_what_a_callee_grants() {
    let timer = "Supported: timer";
    for (fields, granted, required) in [
        (&["Session-Expires: 600", timer][..], "600;refresher=uac", true),
        (&["Session-Expires: 600;refresher=uas", timer], "600;refresher=uas", true),
        (&["Session-Expires: 600;refresher=uac", timer], "600;refresher=uac", true),
        (&["Session-Expires: 4000", timer], "1800;refresher=uac", true),
        (&["Session-Expires: 4000", "Min-SE: 2000", timer], "2000;refresher=uac", true),
        // A proxy asked, or nobody did: then it is for us to do.
        (&["Session-Expires: 600"], "600;refresher=uas", false),
        (&["Subject: nothing"], "1800;refresher=uas", false),
        (&[timer], "1800;refresher=uac", true),
    ] {
        let (_, _, ok) = answered(fields);
        assert_eq!(expires(ok.headers()), Some(granted), "{fields:?}");
        assert_eq!(ok.headers().lists(HeaderName::Require, "timer"), required, "{fields:?}");
    }
}

/// §7.4: "the largest value among all Min-SE header field values returned in all 422 responses or received in session
/// refresh requests, on the same dialog".
#[test]
fn rfc4028_7_4_refreshes_say_the_largest_min_se_that_was_heard() {
    let refresher = "Session-Expires: 600;refresher=uas";
    let fields = [refresher, "Min-SE: 200", "Supported: timer", "Allow: INVITE, UPDATE"];
    let (mut solo, _, ok) = answered(&fields);
    let said = |update: &Request| {
        let headers = update.headers();
        (
            expires(headers).map(std::string::String::from),
            headers.first(HeaderName::MinSe).map(|v| v.parse().unwrap()),
        )
    };
    solo.advance(secs(300));
    let update = solo.request(&Method::Update);
    assert_eq!(said(&update), (Some("600;refresher=uac".into()), Some(200_u32)));
    solo.reply(&update, 200, "Session-Expires: 600;refresher=uac\r\n", "");
    // In requests within the call, be they refused; less than before, or nonsense, changes nothing.
    for (cseq, more) in [(11, "Min-SE: 700"), (12, "Min-SE: 90"), (13, "Min-SE: 4000000000")] {
        send(
            &mut solo,
            &ok,
            "UPDATE",
            cseq,
            &["Session-Expires: 800;refresher=uas", more, "Supported: timer"],
            "",
        );
        solo.response(200);
    }
    solo.advance(secs(400));
    assert_eq!(said(&solo.request(&Method::Update)), (Some("800;refresher=uac".into()), Some(700)));
}

/// §6, §9: 422 in and outside a call changes nothing.
#[test]
fn rfc4028_9_an_interval_that_is_too_small_gets_422() {
    let mut solo = Solo::new();
    let mut lines = INVITE.to_vec();
    lines.extend(["Session-Expires: 89", "Supported: timer"]);
    solo.send("INVITE", &lines, OFFER);
    assert_eq!(solo.response(422).headers().first(HeaderName::MinSe), Some("90"));
    assert!(solo.events.is_empty());
    let (mut solo, call, ok) = answered(&["Subject: nothing"]);
    for (cseq, method) in [(11, "UPDATE"), (12, "INVITE")] {
        send(&mut solo, &ok, method, cseq, &["Session-Expires: 30", "Supported: timer"], "");
        solo.response(422);
    }
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.call_state(call), Some(CallState::Established));
}

/// §9: each refresh of theirs starts the time anew, and who stops refreshing is hung up.
#[test]
fn rfc4028_9_refreshes_of_the_caller() {
    let (mut solo, _, ok) = answered(&["Session-Expires: 600;refresher=uac", "Supported: timer"]);
    for cseq in 11..15 {
        solo.advance(secs(500));
        solo.nothing_sent();
        let fields = ["Session-Expires: 600;refresher=uac", "Supported: timer"];
        send(&mut solo, &ok, "UPDATE", cseq, &fields, "");
        assert_eq!(expires(solo.response(200).headers()), Some("600;refresher=uac"));
    }
    solo.advance(secs(567));
    solo.nothing_sent();
    solo.advance(secs(1));
    expired(&mut solo);
}

/// Two of us talk for half a day on a bad network; then it breaks, and both know within the interval.
#[test]
fn a_long_call_lives_and_a_broken_one_ends() {
    let mut long = 0;
    for seed in 0..10 {
        let mut pair = Pair::new(Transport::Udp, seed);
        pair.loss = 10;
        pair.duplication = 10;
        pair.jitter = Duration::from_millis(150);
        pair.call();
        pair.run(secs(60));
        if pair.state(Alice) != Some(CallState::Established) {
            continue;
        }
        pair.run(secs(12 * 3600));
        assert_eq!(pair.state(Alice), Some(CallState::Established), "{seed}");
        assert_eq!(pair.state(Bob), Some(CallState::Established), "{seed}");
        pair.agree();
        long += 1;
        pair.loss = 100;
        pair.run(secs(1900));
        assert_eq!((pair.state(Alice), pair.state(Bob)), (None, None), "{seed}");
    }
    assert!(long > 5);
}
