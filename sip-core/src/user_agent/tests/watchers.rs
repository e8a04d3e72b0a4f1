//! Subscriptions of others (RFC 6665 §4.2), against a subscriber played by hand.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::config;
use super::solo::Solo;
use crate::body::Content;
use crate::events::{EventName, NotifierState, Package, Reason};
use crate::limits;
use crate::message::{Fields, HeaderName, Message, Method, Request, Response};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Event, EventsError, WatcherEnd, WatcherId, WatcherUpdate};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn watched() -> Solo {
    let mut config = config("sip:alice@example.com");
    config.event_packages = ["presence".into(), "color".into()].into();
    Solo::with(config, Transport::Wss)
}

fn pidf(words: &str) -> Content {
    Content::new("application/pidf+xml", String::from(words))
}

const FROM: &str = "From: \"Bob\" <sip:bob@example.com>;tag=bobtag";
const ALICE: &str = "To: <sip:alice@example.com>";

/// SUBSCRIBE outside dialogs.
fn ask(solo: &mut Solo, event: &str, more: &[&str]) {
    let event = format!("Event: {event}");
    let mut lines = std::vec![
        FROM,
        ALICE,
        "Call-ID: watch-1",
        "CSeq: 1 SUBSCRIBE",
        "Contact: <sip:bob@y.invalid;transport=ws>",
        "Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>",
        &*event,
    ];
    lines.extend(more);
    solo.send("SUBSCRIBE", &lines, "");
}

/// A request in the dialog that `ok` made.
fn within(solo: &mut Solo, ok: &Response, cseq: u32, more: &[&str]) {
    let to = format!("{ALICE};tag={}", ok.to_tag().unwrap());
    let cseq = format!("CSeq: {cseq} SUBSCRIBE");
    let mut lines =
        std::vec![FROM, &*to, "Call-ID: watch-1", &*cseq, "Contact: <sip:bob@z.invalid;transport=ws>"];
    lines.extend(more);
    solo.send("SUBSCRIBE", &lines, "");
}

#[track_caller]
fn asked(solo: &mut Solo) -> WatcherId {
    match solo.event() {
        Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } => watcher,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ended(solo: &mut Solo, watcher: WatcherId) -> WatcherEnd {
    match solo.event() {
        Event::Watcher { watcher: of, update: WatcherUpdate::Ended(end) } if of == watcher => {
            assert!(solo.ua.watchers.get(&watcher).is_none());
            end
        }
        other => panic!("{other:?}"),
    }
}

/// The next NOTIFY, which must say this of the subscription.
#[track_caller]
fn notify(solo: &mut Solo, state: &str) -> Request {
    let notify = solo.request(&Method::Notify);
    assert_eq!(notify.headers().first(HeaderName::SubscriptionState), Some(state));
    notify
}

/// A watcher that was accepted for an hour, and knows it.
fn watching(solo: &mut Solo) -> (WatcherId, Response) {
    ask(solo, "presence", &["Expires: 3600"]);
    let watcher = asked(solo);
    solo.ua.accept_watcher(solo.now, watcher, Some(pidf("one"))).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let first = notify(solo, "active;expires=3600");
    solo.reply(&first, 200, "", "");
    (watcher, ok)
}

#[test]
fn rfc6665_4_2_1_2_accepted_and_told_at_once() {
    let mut solo = watched();
    ask(&mut solo, "presence", &["Expires: 3600"]);
    let Event::Watcher { watcher, update: WatcherUpdate::Asked { event, from, expires, .. } } = solo.event()
    else {
        panic!()
    };
    assert_eq!((event.package, &*from.uri, expires), (Package::Presence, "sip:bob@example.com", secs(3600)));
    solo.nothing_sent();
    solo.ua.accept_watcher(solo.now, watcher, Some(pidf("one"))).unwrap();
    solo.drain();
    let ok = solo.response(200);
    assert_eq!(ok.headers().first(HeaderName::Expires), Some("3600"));
    assert!(ok.headers().has(HeaderName::Contact) && ok.headers().has(HeaderName::RecordRoute));
    let first = notify(&mut solo, "active;expires=3600");
    assert_eq!(first.headers().first(HeaderName::Event), Some("presence"));
    assert_eq!(first.body(), b"one");
    assert_eq!((first.from_tag(), first.to_tag()), (ok.to_tag(), Some("bobtag")));
    assert_eq!(first.uri(), "sip:bob@y.invalid;transport=ws");
    let routes: Vec<&str> = first.headers().list(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
    assert!(first.headers().has(HeaderName::Contact));
}

#[test]
fn rfc6665_4_2_1_1_nobody_waits_for_a_person() {
    let mut solo = watched();
    ask(&mut solo, "presence", &["Expires: 3600"]);
    let watcher = asked(&mut solo);
    solo.advance(secs(2));
    solo.response(200);
    let pending = notify(&mut solo, "pending;expires=3600");
    assert!(pending.body().is_empty(), "no state without leave");
    solo.reply(&pending, 200, "", "");
    // The state of what is watched is not for a pending watcher.
    solo.ua.notify(solo.now, watcher, Some(pidf("secret"))).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.advance(secs(60));
    solo.ua.accept_watcher(solo.now, watcher, Some(pidf("one"))).unwrap();
    solo.drain();
    assert_eq!(notify(&mut solo, "active;expires=3540").body(), b"one");
}

/// Whoever tells all watchers tells those who wait as well: they hear nothing of it, however they leave (RFC 3856 §6.7).
#[test]
fn rfc6665_4_2_2_who_leaves_without_leave_is_told_no_state() {
    for ends in ["left", "expired", "terminated", "shut down"] {
        let mut solo = watched();
        ask(&mut solo, "presence", &["Expires: 3600"]);
        let watcher = asked(&mut solo);
        solo.ua.defer_watcher(solo.now, watcher).unwrap();
        solo.drain();
        let ok = solo.response(200);
        let pending = notify(&mut solo, "pending;expires=3600");
        solo.reply(&pending, 200, "", "");
        let fields = Fields::new().with("Subject", "secret").unwrap();
        solo.ua.with(&fields).notify(solo.now, watcher, Some(pidf("secret"))).unwrap();
        match ends {
            "left" => within(&mut solo, &ok, 2, &["Event: presence", "Expires: 0"]),
            "expired" => solo.advance(secs(3600)),
            "terminated" => {
                solo.ua.terminate_watcher(solo.now, watcher, Reason::NoResource, None).unwrap();
            }
            _ => solo.ua.shutdown(solo.now),
        }
        solo.drain();
        let notify = solo.sent.iter().find_map(|(.., message)| match message {
            Message::Request(request) if *request.method() == Method::Notify => Some(request),
            _ => None,
        });
        let notify = notify.unwrap_or_else(|| panic!("{ends}: no NOTIFY"));
        let state = notify.headers().first(HeaderName::SubscriptionState).unwrap();
        assert!(state.starts_with("terminated"), "{ends}: {state}");
        assert!(notify.body().is_empty(), "{ends}: {:?}", notify.body());
        assert!(!notify.headers().has(HeaderName::Subject), "{ends}");
    }
}

#[test]
fn rfc6665_4_2_1_3_refused_at_once_or_later() {
    let mut solo = watched();
    ask(&mut solo, "presence", &[]);
    let watcher = asked(&mut solo);
    assert_eq!(solo.ua.reject_watcher(solo.now, watcher, 200), Err(EventsError::InvalidStatus(200)));
    solo.ua.reject_watcher(solo.now, watcher, 403).unwrap();
    solo.drain();
    solo.response(403);
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Rejected(403));
    solo.nothing_sent();
    ask(&mut solo, "presence", &[]);
    let watcher = asked(&mut solo);
    solo.ua.defer_watcher(solo.now, watcher).unwrap();
    solo.drain();
    solo.response(200);
    let pending = notify(&mut solo, "pending;expires=3600");
    solo.reply(&pending, 200, "", "");
    solo.ua.reject_watcher(solo.now, watcher, 403).unwrap();
    solo.drain();
    let last = notify(&mut solo, "terminated;reason=rejected");
    assert!(matches!(
        solo.ua.notify(solo.now, watcher, None),
        Err(EventsError::WrongState(NotifierState::Terminated { .. }))
    ));
    solo.reply(&last, 200, "", "");
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Terminated(Reason::Rejected));
    assert_eq!(solo.ua.notify(solo.now, watcher, None), Err(EventsError::Unknown));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc6665_4_2_2_changes_are_told_one_at_a_time_and_the_newest_wins() {
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    for words in ["two", "three", "four"] {
        solo.ua.notify(solo.now, watcher, Some(pidf(words))).unwrap();
        solo.drain();
    }
    let two = notify(&mut solo, "active;expires=3600");
    assert_eq!(two.body(), b"two");
    solo.nothing_sent();
    solo.reply(&two, 200, "", "");
    let four = notify(&mut solo, "active;expires=3600");
    assert_eq!((four.body(), four.cseq().number), (&b"four"[..], two.cseq().number + 1));
    // A refusal that is of the request alone changes nothing.
    solo.reply(&four, 500, "", "");
    assert!(solo.events.is_empty());
    solo.ua.notify(solo.now, watcher, Some(pidf("five"))).unwrap();
    solo.drain();
    assert_eq!(notify(&mut solo, "active;expires=3600").body(), b"five");
}

#[test]
fn rfc6665_4_2_1_4_refreshed_left_and_expired() {
    let mut solo = watched();
    let (watcher, ok) = watching(&mut solo);
    solo.advance(secs(1000));
    within(&mut solo, &ok, 2, &["Event: presence", "Expires: 600"]);
    assert_eq!(solo.response(200).headers().first(HeaderName::Expires), Some("600"));
    let refreshed = WatcherUpdate::Refreshed { expires: secs(600) };
    assert_eq!(solo.event(), Event::Watcher { watcher, update: refreshed });
    let again = notify(&mut solo, "active;expires=600");
    assert_eq!(again.body(), b"one", "the state again");
    assert_eq!(again.uri(), "sip:bob@z.invalid;transport=ws", "target refresh");
    solo.reply(&again, 200, "", "");
    within(&mut solo, &ok, 3, &["Event: presence", "Expires: 0"]);
    assert_eq!(solo.response(200).headers().first(HeaderName::Expires), Some("0"));
    let last = notify(&mut solo, "terminated;reason=timeout");
    // The subscription is over as soon as that is said.
    within(&mut solo, &ok, 4, &["Event: presence", "Expires: 600"]);
    solo.response(481);
    solo.reply(&last, 200, "", "");
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Terminated(Reason::Timeout));
    // One that nobody refreshes.
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    solo.advance(secs(3600));
    let last = notify(&mut solo, "terminated;reason=timeout");
    solo.reply(&last, 200, "", "");
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Terminated(Reason::Timeout));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc6665_4_4_3_a_fetch_gets_the_state_and_its_end() {
    let mut solo = watched();
    ask(&mut solo, "presence", &["Expires: 0"]);
    let watcher = asked(&mut solo);
    solo.ua.accept_watcher(solo.now, watcher, Some(pidf("one"))).unwrap();
    solo.drain();
    assert_eq!(solo.response(200).headers().first(HeaderName::Expires), Some("0"));
    let only = notify(&mut solo, "terminated;reason=timeout");
    assert_eq!(only.body(), b"one");
    solo.reply(&only, 200, "", "");
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Terminated(Reason::Timeout));
    // Nobody decides: no state.
    ask(&mut solo, "presence", &["Expires: 0"]);
    asked(&mut solo);
    solo.advance(secs(2));
    solo.response(200);
    assert!(notify(&mut solo, "terminated;reason=timeout").body().is_empty());
}

#[test]
fn rfc6665_4_2_2_notifies_that_end_the_subscription() {
    for status in [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604] {
        let mut solo = watched();
        let (watcher, ok) = watching(&mut solo);
        solo.ua.notify(solo.now, watcher, Some(pidf("two"))).unwrap();
        solo.drain();
        let request = solo.request(&Method::Notify);
        solo.reply(&request, status, "", "");
        let WatcherEnd::Lost(Some(failure)) = ended(&mut solo, watcher) else { panic!("{status}") };
        assert_eq!(failure.status, Some(status));
        within(&mut solo, &ok, 2, &["Event: presence"]);
        solo.response(481);
        assert_eq!(solo.ua.poll_timeout(), None);
    }
    // Timer F.
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    solo.ua.notify(solo.now, watcher, Some(pidf("two"))).unwrap();
    solo.drain();
    solo.advance(secs(32));
    assert!(matches!(ended(&mut solo, watcher), WatcherEnd::Lost(Some(_))));
}

#[test]
fn rfc6665_4_2_1_1_what_is_refused() {
    type Row<'a> = (&'a str, &'a [&'a str], u16, Option<(HeaderName, &'a str)>);
    let rows: [Row<'_>; 6] = [
        ("dialog", &[], 489, Some((HeaderName::AllowEvents, "presence, color"))),
        ("Presence", &[], 489, None),
        ("presence.winfo", &[], 489, None),
        ("presence", &["Expires: 59"], 423, Some((HeaderName::MinExpires, "60"))),
        ("presence", &["Accept: text/plain"], 406, None),
        ("presence", &["Require: telepathy"], 420, None),
    ];
    for (event, more, status, field) in rows {
        let mut solo = watched();
        ask(&mut solo, event, more);
        let refused = solo.response(status);
        if let Some((name, value)) = field {
            assert_eq!(refused.headers().first(name), Some(value));
        }
        assert!(solo.events.is_empty(), "{event} {more:?}");
        assert_eq!(solo.ua.poll_timeout(), None);
    }
    // §4.2.3: no Event at all.
    let mut solo = watched();
    solo.send(
        "SUBSCRIBE",
        &[FROM, ALICE, "Call-ID: x", "CSeq: 1 SUBSCRIBE", "Contact: <sip:b@y.invalid>"],
        "",
    );
    solo.response(489);
    // Nobody to notify.
    solo.send("SUBSCRIBE", &[FROM, ALICE, "Call-ID: x", "CSeq: 2 SUBSCRIBE", "Event: presence"], "");
    solo.response(400);
    // Who watches nothing.
    let mut solo = Solo::new();
    ask(&mut solo, "presence", &[]);
    solo.response(405);
}

#[test]
fn requests_in_the_dialog_that_are_refused() {
    let mut solo = watched();
    let (_, ok) = watching(&mut solo);
    let presence = "Event: presence";
    let rows: [(u32, &[&str], u16); 5] = [
        (9, &[presence, "Require: telepathy"], 420),
        (10, &["Event: color"], 489),
        (11, &["X: no event"], 489),
        (12, &[presence, "Expires: 1"], 423),
        (3, &[presence], 500),
    ];
    for (cseq, more, status) in rows {
        within(&mut solo, &ok, cseq, more);
        solo.response(status);
        assert!(solo.events.is_empty(), "{more:?}");
    }
    solo.nothing_sent();
    // Another dialog's tag.
    let to = format!("{ALICE};tag=none");
    solo.send("SUBSCRIBE", &[FROM, &to, "Call-ID: watch-1", "CSeq: 20 SUBSCRIBE", presence], "");
    solo.response(481);
}

/// What goes again with credentials is what was there when it went first.
#[test]
fn rfc6665_4_2_2_a_change_while_a_notify_is_challenged_follows() {
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    for words in ["two", "three"] {
        solo.ua.notify(solo.now, watcher, Some(pidf(words))).unwrap();
        solo.drain();
    }
    let two = solo.request(&Method::Notify);
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n";
    solo.reply(&two, 401, challenge, "");
    let again = solo.request(&Method::Notify);
    assert_eq!(again.body(), b"two");
    solo.reply(&again, 200, "", "");
    assert_eq!(solo.request(&Method::Notify).body(), b"three");
}

#[test]
fn a_watcher_outlives_the_flow() {
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    solo.close();
    solo.ua.notify(solo.now, watcher, Some(pidf("two"))).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.advance(secs(600));
    solo.reopen(2);
    let two = notify(&mut solo, "active;expires=3000");
    assert_eq!(two.body(), b"two");
    // That one is lost with its flow.
    solo.close();
    solo.reopen(3);
    assert_eq!(notify(&mut solo, "active;expires=3000").bytes(), two.bytes(), "under its branch");
    // And once more, until nobody knows its branch any more.
    solo.close();
    solo.ua.notify(solo.now, watcher, Some(pidf("three"))).unwrap();
    solo.advance(secs(32));
    assert!(solo.events.is_empty());
    solo.reopen(4);
    let three = notify(&mut solo, "active;expires=2968");
    assert_eq!((three.body(), three.cseq().number), (&b"three"[..], two.cseq().number + 1));
    solo.nothing_sent();
    // What has changed meanwhile follows.
    solo.close();
    solo.ua.notify(solo.now, watcher, Some(pidf("four"))).unwrap();
    solo.reopen(5);
    assert_eq!(notify(&mut solo, "active;expires=2968").bytes(), three.bytes());
    solo.nothing_sent();
    solo.reply(&three, 200, "", "");
    let four = notify(&mut solo, "active;expires=2968");
    assert_eq!(four.body(), b"four");
    solo.reply(&four, 200, "", "");
    // It ends while we are away, and cannot be told.
    solo.close();
    solo.advance(secs(2968));
    assert!(solo.events.is_empty());
    solo.advance(secs(64));
    assert_eq!(ended(&mut solo, watcher), WatcherEnd::Lost(None));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn watchers_are_capped() {
    let mut solo = watched();
    for at in 0..=limits::WATCHERS {
        let call_id = format!("Call-ID: {at}");
        let lines =
            [FROM, ALICE, &*call_id, "CSeq: 1 SUBSCRIBE", "Contact: <sip:b@y.invalid>", "Event: presence"];
        solo.send("SUBSCRIBE", &lines, "");
    }
    solo.response(480);
    assert_eq!(solo.ua.load().watchers, limits::WATCHERS);
}

#[test]
fn shutting_down_sends_watchers_elsewhere() {
    let mut solo = watched();
    let (watcher, _) = watching(&mut solo);
    ask(&mut solo, "color", &[]);
    let undecided = asked(&mut solo);
    solo.ua.shutdown(solo.now);
    solo.drain();
    let first = notify(&mut solo, "terminated;reason=deactivated");
    solo.response(200);
    let second = notify(&mut solo, "terminated;reason=deactivated");
    assert!(solo.events.is_empty());
    solo.reply(&first, 200, "", "");
    solo.reply(&second, 200, "", "");
    ended(&mut solo, watcher);
    ended(&mut solo, undecided);
    assert_eq!(solo.event(), Event::ShutDown);
}

#[test]
fn rfc6665_4_4_4_allow_events_in_what_makes_dialogs() {
    let mut solo = watched();
    let says =
        |headers: &crate::message::Headers| headers.first(HeaderName::AllowEvents) == Some("presence, color");
    solo.ua.call(solo.now, "bob", super::OFFER).unwrap();
    solo.drain();
    assert!(says(solo.request(&Method::Invite).headers()));
    let event = EventName::new(Package::Presence);
    solo.ua.subscribe(solo.now, "bob", event, None).unwrap();
    solo.drain();
    assert!(says(solo.request(&Method::Subscribe).headers()));
    let (_, ok) = super::incoming::accepted(&mut solo);
    assert!(says(ok.headers()));
    // Who has nothing to tell says nothing.
    let mut quiet = Solo::new();
    let (_, ok) = super::incoming::accepted(&mut quiet);
    assert!(!ok.headers().has(HeaderName::AllowEvents));
}

#[test]
fn rfc4538_4_a_subscription_may_name_a_call() {
    let mut solo = watched();
    let (call, ok) = super::incoming::established(&mut solo);
    for (theirs, named) in [("bobtag", Some(call)), ("liar", None)] {
        let field = format!("Target-Dialog: call-1;local-tag={};remote-tag={theirs}", ok.to_tag().unwrap());
        ask(&mut solo, "presence", &[&field, "Require: tdialog"]);
        let Event::Watcher { watcher, update: WatcherUpdate::Asked { about, .. } } = solo.event() else {
            panic!()
        };
        assert_eq!(about, named);
        solo.ua.reject_watcher(solo.now, watcher, 403).unwrap();
        solo.drain();
        solo.response(403);
        solo.events.clear();
    }
}
