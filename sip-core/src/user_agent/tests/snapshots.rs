//! Calls that outlive the program: what is kept, and how another run takes them up (RFC 3261 §12, RFC 3264 §8).

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::config;
use super::solo::Solo;
use crate::body::sdp::SessionDescription;
use crate::limits;
use crate::message::{Fields, HeaderName, Method, Request};
use crate::offer_answer::Outline;
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{
    CallId, CallSnapshot, CallState, Config, Continuation, End, Event, Presentation, RestoreError,
    SnapshotError,
};

/// Audio and video as a browser offers them, in short.
const BROWSER: &str = "v=0\r\no=- 4711 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:secretufrag\r\na=ice-pwd:secretpassword0123456789\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\n";
const TAKEN: &str = "v=0\r\no=- 99 1 IN IP4 192.0.2.7\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 192.0.2.7\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 192.0.2.7\r\n";
/// Another run's: another session, video first, its own mids.
const FRESH: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn noting() -> Config {
    let mut config = config("sip:alice@example.com");
    config.snapshots = true;
    config
}

/// A registered user agent with a call it made, and the call's ACK.
fn established() -> (Solo, CallId, Request) {
    let mut solo = Solo::with(noting(), Transport::Wss);
    solo.register();
    let call = solo.ua.call(solo.now, "bob", BROWSER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    let lines =
        "Contact: <sip:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE\r\nRecord-Route: <sip:token@p.example;lr>\r\n";
    solo.reply(&invite, 200, lines, TAKEN);
    let ack = solo.request(&Method::Ack);
    (solo, call, ack)
}

fn another_run(now: crate::time::Instant) -> Solo {
    let mut solo = Solo::with(noting(), Transport::Wss);
    solo.now = now;
    solo.close();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo
}

fn connect(solo: &mut Solo) {
    solo.reopen(7);
    solo.accept_register(600);
}

fn session(sdp: &[u8]) -> (String, u64, Vec<String>, Vec<String>) {
    let sdp = SessionDescription::parse(sdp).unwrap();
    let media = sdp.media.iter().map(|m| format!("{} {}", m.media(), u8::from(!m.is_refused()))).collect();
    let mids = sdp.media.iter().filter_map(|m| m.mid().map(String::from)).collect();
    (sdp.origin().session_id.to_string(), sdp.origin().session_version, media, mids)
}

#[test]
fn a_snapshot_is_told_for_every_cseq_and_description_and_has_no_secrets() {
    let (mut solo, call, _) = established();
    let snapshots = |solo: &mut Solo| {
        let all = solo.events.iter().filter(|event| **event == Event::Snapshot { call }).count();
        solo.events.clear();
        all
    };
    assert_eq!(snapshots(&mut solo), 1);
    solo.ua.info(solo.now, call, "application/dtmf", "1").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    assert_eq!(snapshots(&mut solo), 1, "our CSeq");
    solo.reply(&info, 200, "", "");
    assert_eq!(snapshots(&mut solo), 0);
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let reinvite = solo.request(&Method::Invite);
    assert_eq!(snapshots(&mut solo), 1);
    let held = TAKEN.replace("99 1 ", "99 2 ");
    solo.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &held);
    assert_eq!(snapshots(&mut solo), 0, "it was said before");
    let text = solo.ua.snapshot(solo.now, call).unwrap().to_string();
    for secret in ["secret", "fingerprint", "password", "0123456789"] {
        assert!(!text.contains(secret), "{text}");
    }
    let read = CallSnapshot::parse(&text).unwrap();
    assert_eq!(Some(read), solo.ua.snapshot(solo.now, call));
    assert_eq!(text.lines().next(), Some("trapezoid-call 1"));
    // One that rings, or has ended, is none.
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.ua.snapshot(solo.now, call), None);
}

/// And for each CSeq of theirs, and for our answer to their offer.
#[test]
fn a_snapshot_is_told_for_what_the_other_side_asks() {
    let (mut solo, call, ack) = established();
    solo.events.clear();
    let side = |name| ack.headers().first(name).unwrap();
    let from = format!("From: {}", side(HeaderName::To));
    let to = format!("To: {}", side(HeaderName::From));
    let call_id = format!("Call-ID: {}", ack.call_id());
    let send = |solo: &mut Solo, number: u32, method: &str, more: &[&str], body: &str| {
        let cseq = format!("CSeq: {number} {method}");
        let mut lines = vec![&*from, &*to, &*call_id, &*cseq, "Contact: <sip:bob@192.0.2.7>"];
        lines.extend(more);
        solo.send(method, &lines, body);
        let told = solo.events.iter().filter(|event| **event == Event::Snapshot { call }).count();
        solo.events.clear();
        told
    };
    let kept = |solo: &Solo| solo.ua.snapshot(solo.now, call).unwrap();
    assert_eq!(kept(&solo).dialog.remote_cseq, None);
    assert_eq!(send(&mut solo, 7, "INFO", &["Content-Type: application/dtmf"], "1"), 1);
    solo.response(200);
    assert_eq!(kept(&solo).dialog.remote_cseq, Some(7));
    assert_eq!(send(&mut solo, 8, "UPDATE", &[], ""), 1);
    solo.response(200);
    assert_eq!(kept(&solo).dialog.remote_cseq, Some(8));
    assert_eq!(send(&mut solo, 8, "UPDATE", &[], ""), 0, "the same again");
    solo.response(200);
    let before = kept(&solo).outline;
    let offer = TAKEN.replace("99 1 ", "99 2 ");
    assert_eq!(send(&mut solo, 9, "UPDATE", &["Content-Type: application/sdp"], &offer), 1);
    assert_eq!((kept(&solo).dialog.remote_cseq, &kept(&solo).outline), (Some(9), &before));
    solo.ua.answer(solo.now, call, &BROWSER.replace("4711 2 ", "4711 3 ")).unwrap();
    solo.drain();
    solo.response(200);
    assert_eq!(solo.events.pop_front(), Some(Event::Snapshot { call }), "our answer");
    let origin = kept(&solo).outline.unwrap().origin;
    assert!(origin.starts_with("- 4711 3 "), "{origin}");
    assert!(solo.events.is_empty(), "{:?}", solo.events);
}

/// What the other side takes is not kept: it is asked, and this run may take something else.
#[test]
fn rfc6086_5_2_2_the_info_packages_of_a_restored_call_are_asked_for() {
    let (solo, call, _) = established();
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut config = noting();
    config.info_packages = vec!["foo".into()];
    let mut next = Solo::with(config, Transport::Wss);
    next.now = solo.now + secs(20);
    next.register();
    let call = next.ua.restore(next.now, &snapshot, Continuation::Offer(FRESH)).unwrap();
    next.drain();
    let reinvite = next.request(&Method::Invite);
    assert_eq!(reinvite.headers().first(HeaderName::RecvInfo), Some("foo"));
    let answer = TAKEN.replace("99 1 ", "99 2 ") + "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    next.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.7>\r\nRecv-Info: bar\r\n", &answer);
    next.request(&Method::Ack);
    next.ua.info_package(next.now, call, "bar", None).unwrap();
    next.drain();
    next.request(&Method::Info);
    // Once it is known, nobody asks again.
    next.ua.solicit(next.now, call).unwrap();
    next.drain();
    assert!(!next.request(&Method::Invite).headers().has(HeaderName::RecvInfo));
}

#[test]
fn rfc3261_14_1_a_restored_call_goes_on_with_an_offerless_reinvite() {
    let (solo, call, ack) = established();
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now + secs(20));
    let call = next.ua.restore(next.now, &snapshot, Continuation::Solicit).unwrap();
    next.drain();
    assert_eq!(next.ua.call_state(call), Some(CallState::Established));
    assert_eq!(next.ua.remote(call).unwrap().uri, "sip:bob@example.com");
    next.nothing_sent();
    next.events.clear();
    connect(&mut next);
    let reinvite = next.request(&Method::Invite);
    assert!(reinvite.body().is_empty());
    assert_eq!(
        (reinvite.call_id(), reinvite.from_tag(), reinvite.to_tag(), reinvite.uri()),
        (ack.call_id(), ack.from_tag(), ack.to_tag(), ack.uri())
    );
    assert!(reinvite.cseq().number > ack.cseq().number);
    assert_eq!(reinvite.headers().first(HeaderName::Route), Some("<sip:token@p.example;lr>"));
    next.events.clear();
    let offer = TAKEN.replace("99 1 ", "99 2 ");
    next.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.8>\r\n", &offer);
    assert!(next.events.iter().any(|event| matches!(event, Event::Offered { .. })));
    // The answer of media that know nothing of the session: its o= line is the session's.
    let answer = TAKEN.replace("o=- 99 1 ", "o=- 1234 1 ");
    next.ua.answer(next.now, call, &answer).unwrap();
    next.drain();
    let ack = next.request(&Method::Ack);
    let (id, version, ..) = session(ack.body());
    assert_eq!((id.as_str(), version), ("4711", 3));
    // And so is what comes later.
    next.ua.offer(next.now, call, &TAKEN.replace("o=- 99 1 ", "o=- 1234 2 ")).unwrap();
    next.drain();
    let (id, version, ..) = session(next.request(&Method::Invite).body());
    assert_eq!((id.as_str(), version), ("4711", 4));
}

#[test]
fn rfc3264_8_a_restored_call_offers_in_the_shape_of_its_session() {
    let (solo, call, _) = established();
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now + secs(20));
    connect(&mut next);
    next.ua.restore(next.now, &snapshot, Continuation::Offer(FRESH)).unwrap();
    next.drain();
    let reinvite = next.request(&Method::Invite);
    let (id, version, media, mids) = session(reinvite.body());
    assert_eq!((id.as_str(), version), ("4711", 3));
    assert_eq!(media, ["audio 1", "video 1", "application 1"]);
    assert_eq!(mids, ["a", "v", "2"]);
    let text = String::from_utf8_lossy(reinvite.body()).into_owned();
    assert!(text.contains("a=group:BUNDLE v a 2\r\n"), "{text}");
    next.reply(&reinvite, 481, "", "");
    let ended = next.events.iter().find_map(|event| match event {
        Event::Ended { end: End::Failed(failure), .. } => failure.status,
        _ => None,
    });
    assert_eq!(ended, Some(481), "the call has ended");
}

#[test]
fn media_that_are_not_offered_again_are_refused_and_mids_stay_unique() {
    let mut outline = Outline::of(&BROWSER.as_bytes().to_vec().into()).unwrap();
    let audio = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:x\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\n";
    let offer = outline.offer(&audio.as_bytes().to_vec().into()).unwrap();
    let (_, version, media, mids) = session(&offer);
    assert_eq!(version, 3);
    assert_eq!(media, ["audio 1", "video 0", "audio 1"]);
    assert_eq!(mids, ["a", "v", "n0"]);
    assert_eq!(Outline::of(&offer).unwrap(), outline);
}

#[test]
fn an_incoming_call_is_kept_and_the_other_side_reaches_it_again() {
    let mut solo = Solo::with(noting(), Transport::Wss);
    solo.register();
    solo.invite();
    solo.response(100);
    let Event::Incoming { call, .. } = solo.event() else { panic!() };
    solo.ua.accept(solo.now, call, super::ANSWER).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let to = format!("To: <sip:alice@example.com>;tag={}", ok.to_tag().unwrap());
    let from = "From: <sip:bob@example.com>;tag=bobtag";
    solo.send("ACK", &[from, &to, "Call-ID: call-1", "CSeq: 10 ACK"], "");
    let text = solo.ua.snapshot(solo.now, call).unwrap().to_string();
    assert!(text.contains("\ncaller 0\n") && text.contains("\nremote-cseq 10\n"), "{text}");
    let snapshot = CallSnapshot::parse(&text).unwrap();
    let mut next = another_run(solo.now);
    let call = next.ua.restore(next.now, &snapshot, Continuation::Solicit).unwrap();
    next.drain();
    assert_eq!(next.ua.restore(next.now, &snapshot, Continuation::Solicit), Err(RestoreError::AlreadyHere));
    connect(&mut next);
    let reinvite = next.request(&Method::Invite);
    assert_eq!(reinvite.uri(), "sip:bob@y.invalid;transport=ws");
    // The other side hangs up meanwhile; what it said before does not count again.
    next.events.clear();
    next.send("BYE", &[from, &to, "Call-ID: call-1", "CSeq: 9 BYE"], "");
    next.response(500);
    next.send("BYE", &[from, &to, "Call-ID: call-1", "CSeq: 11 BYE"], "");
    next.response(200);
    assert!(
        next.events.iter().any(|event| matches!(event, Event::Ended { call: ended, .. } if *ended == call))
    );
}

#[test]
fn a_snapshot_expires() {
    let (mut solo, call, _) = established();
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now + limits::SNAPSHOT_LIFETIME);
    assert_eq!(next.ua.restore(next.now, &snapshot, Continuation::Solicit), Err(RestoreError::Expired));
    assert_eq!(solo.ua.restore(solo.now, &snapshot, Continuation::Solicit), Err(RestoreError::AlreadyHere));
    solo.ua.shutdown(solo.now);
    assert_eq!(solo.ua.restore(solo.now, &snapshot, Continuation::Solicit), Err(RestoreError::ShutDown));
}

#[test]
fn what_was_tampered_with_is_refused_and_ends_no_header_field() {
    let (solo, call, _) = established();
    let text = solo.ua.snapshot(solo.now, call).unwrap().to_string();
    assert_eq!(CallSnapshot::parse(&text.replace("call 1", "call 2")), Err(SnapshotError::Version));
    assert_eq!(CallSnapshot::parse(""), Err(SnapshotError::Version));
    let long = format!("{text}route <sip:{}>\n", "x".repeat(limits::SNAPSHOT_BYTES));
    assert_eq!(CallSnapshot::parse(&long), Err(SnapshotError::TooLarge));
    for line in ["nonsense", "expires soon", "caller 2", "media audio", "origin x", "local-cseq -1"] {
        let text = text.replace("caller 1", line);
        assert_eq!(CallSnapshot::parse(&text), Err(SnapshotError::Line(3)), "{line}");
    }
    // No line, each in turn: nothing panics, and what is restored prints a message that can be read.
    let lines: Vec<&str> = text.lines().collect();
    for left_out in 1..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(left_out);
        let Ok(snapshot) = CallSnapshot::parse(&fewer.join("\n")) else { continue };
        let mut next = another_run(solo.now);
        connect(&mut next);
        let _ = next.ua.restore(next.now, &snapshot, Continuation::Solicit);
        next.drain();
    }
    let good = solo.ua.snapshot(solo.now, call).unwrap();
    let refused: [fn(&mut CallSnapshot); 11] = [
        |s| s.dialog.id.call_id = "a\r\nVia: x".into(),
        |s| s.dialog.id.local_tag = "".into(),
        |s| s.dialog.id.remote_tag = "t;x=y".into(),
        |s| s.dialog.local = "<sip:a@b>\r\nVia: x".into(),
        |s| s.dialog.remote = "<sip:a@b>;tag=other".into(),
        |s| s.dialog.target = "sip:a@b\r\nVia:x".into(),
        |s| s.dialog.target = "tel:+49".into(),
        |s| s.dialog.routes = vec!["<sip:a@b>\r\nVia: x".into()],
        |s| s.dialog.routes = vec!["<sip:p;lr>".into(); limits::HEADER_FIELDS + 1],
        // RFC 3261 §8.1.1.5.
        |s| s.dialog.local_cseq = Some((1 << 31) - 1),
        |s| s.dialog.remote_cseq = Some(1 << 31),
    ];
    for (at, spoil) in refused.iter().enumerate() {
        let mut spoiled = good.clone();
        spoil(&mut spoiled);
        let mut next = another_run(solo.now);
        assert_eq!(
            next.ua.restore(next.now, &spoiled, Continuation::Solicit),
            Err(RestoreError::Invalid),
            "{at}"
        );
    }
    let mut next = another_run(solo.now);
    let bad = next.ua.restore(next.now, &good, Continuation::Offer("no description"));
    assert!(matches!(bad, Err(RestoreError::Description(_))));
}

#[test]
fn rfc3261_13_2_2_4_a_2xx_to_an_invite_of_the_run_before_is_acknowledged() {
    let (mut solo, call, _) = established();
    solo.ua.solicit(solo.now, call).unwrap();
    solo.drain();
    let reinvite = solo.request(&Method::Invite);
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now);
    let call = next.ua.restore(next.now, &snapshot, Continuation::Solicit).unwrap();
    connect(&mut next);
    let own = next.request(&Method::Invite);
    next.events.clear();
    // Its offer goes unanswered: the session is as it was.
    next.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.8>\r\n", &TAKEN.replace("99 1 ", "99 2 "));
    let ack = next.request(&Method::Ack);
    assert_eq!((ack.cseq().number, ack.body().len()), (reinvite.cseq().number, 0));
    assert_eq!(ack.to_tag(), own.to_tag());
    assert!(next.events.is_empty(), "{:?}", next.events);
    // And again as often as it comes; our own goes on.
    next.reply(&reinvite, 200, "Contact: <sip:bob@192.0.2.8>\r\n", "");
    next.request(&Method::Ack);
    next.reply(&own, 200, "Contact: <sip:bob@192.0.2.8>\r\n", &TAKEN.replace("99 1 ", "99 2 "));
    assert!(
        next.events.iter().any(|e| matches!(e, Event::Offered { call: offered, .. } if *offered == call))
    );
}

#[test]
fn rfc3264_8_an_offer_that_was_on_its_way_counts_as_said() {
    let (mut solo, call, _) = established();
    solo.events.clear();
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let (_, pending, ..) = session(solo.request(&Method::Invite).body());
    // The other side may have taken it, and nobody is left to hear that.
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now);
    connect(&mut next);
    next.ua.restore(next.now, &snapshot, Continuation::Offer(FRESH)).unwrap();
    next.drain();
    let (_, version, ..) = session(next.request(&Method::Invite).body());
    assert_eq!(version, pending + 1);
}

/// The 2xx to a request of ours may say that the other side has moved: whoever takes the call up asks there.
#[test]
fn rfc3261_12_2_1_2_a_snapshot_is_told_when_the_other_side_has_moved() {
    let (mut solo, call, _) = established();
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let reinvite = solo.request(&Method::Invite);
    solo.events.clear();
    let held = TAKEN.replace("99 1 ", "99 2 ");
    solo.reply(&reinvite, 200, "Contact: <sip:bob@198.51.100.9>\r\n", &held);
    assert!(solo.events.contains(&Event::Snapshot { call }), "{:?}", solo.events);
    let snapshot = solo.ua.snapshot(solo.now, call).unwrap();
    let mut next = another_run(solo.now);
    connect(&mut next);
    next.ua.restore(next.now, &snapshot, Continuation::Solicit).unwrap();
    next.drain();
    assert_eq!(next.request(&Method::Invite).uri(), "sip:bob@198.51.100.9");
}

/// RFC 7989 §8: and that it is somebody else.
#[test]
fn rfc7989_8_a_snapshot_is_told_when_the_other_sides_uuid_changes() {
    let (mut solo, call, _) = established();
    solo.ua.info(solo.now, call, "application/dtmf", "1").unwrap();
    solo.drain();
    let info = solo.request(&Method::Info);
    solo.events.clear();
    let uuid = "ab30317f1a784dc48ff824d0d3715d86";
    let ours = solo.ua.session_id(call).unwrap().local;
    solo.reply(&info, 200, &format!("Session-ID: {uuid};remote={ours}\r\n"), "");
    assert!(solo.events.contains(&Event::Snapshot { call }), "{:?}", solo.events);
    assert!(solo.ua.snapshot(solo.now, call).unwrap().to_string().contains(uuid));
}

/// §12.2.1.1: what a call's Contacts say of us they say in the next run, too.
#[test]
fn rfc3261_12_2_1_1_parameters_of_our_contacts_are_kept() {
    let mut solo = Solo::with(noting(), Transport::Wss);
    solo.register();
    let presentation = Presentation::new().contact_param("line", Some("2 b")).unwrap();
    let fields = Fields::new();
    let call = solo.ua.with(&fields).presenting(&presentation).call(solo.now, "bob", BROWSER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", TAKEN);
    let text = solo.ua.snapshot(solo.now, call).unwrap().to_string();
    let mut next = another_run(solo.now);
    connect(&mut next);
    let snapshot = CallSnapshot::parse(&text).unwrap();
    assert_eq!(Some(&snapshot), solo.ua.snapshot(solo.now, call).as_ref());
    next.ua.restore(next.now, &snapshot, Continuation::Solicit).unwrap();
    next.drain();
    let reinvite = next.request(&Method::Invite);
    let contact = reinvite.headers().first(HeaderName::Contact).unwrap();
    assert!(contact.contains(";line=2%20b>"), "{contact}");
    for wrong in [";lr", ";transport=tcp", ";a;a", "a", ";"] {
        let snapshot = CallSnapshot { contact_params: wrong.into(), ..snapshot.clone() };
        let mut next = another_run(solo.now);
        let refused = next.ua.restore(next.now, &snapshot, Continuation::Solicit);
        assert_eq!(refused, Err(RestoreError::Invalid), "{wrong}");
    }
}
