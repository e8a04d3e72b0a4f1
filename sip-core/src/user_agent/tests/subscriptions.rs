//! Subscriptions of ours (RFC 6665 §4.1), against a notifier played by hand.

mod endings;

use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::solo::Solo;
use crate::events::{Document, EventName, Notified, Package, Reason, Source, SubscriptionState};
use crate::limits;
use crate::message::{HeaderName, Message, Method, Request};
use crate::time::Duration;
use crate::user_agent::{
    Cause, Event, EventsError, RequestError, SubscriptionEnd, SubscriptionId, SubscriptionUpdate,
};

const PIDF: &str = "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:bob@example.com\">\
                    <tuple id=\"a\"><status><basic>open</basic></status></tuple></presence>";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn subscribe_to(solo: &mut Solo, package: Package) -> (SubscriptionId, Request) {
    let id = solo.ua.subscribe(solo.now, "bob", EventName::new(package), None).unwrap();
    solo.drain();
    (id, solo.request(&Method::Subscribe))
}

fn subscribe(solo: &mut Solo) -> (SubscriptionId, Request) {
    subscribe_to(solo, Package::Presence)
}

/// The next NOTIFY of the notifier with this tag, in the dialog of `subscribe`.
struct Notifier<'a> {
    subscribe: &'a Request,
    tag: &'a str,
    cseq: u32,
}

impl Notifier<'_> {
    fn notify(&mut self, solo: &mut Solo, state: &str, body: &str) {
        let state = format!("Subscription-State: {state}");
        let event = self.subscribe.headers().first(HeaderName::Event).unwrap();
        let event = format!("Event: {event}");
        self.notify_with(solo, &[&state, &event], body);
    }

    fn notify_with(&mut self, solo: &mut Solo, more: &[&str], body: &str) {
        self.cseq += 1;
        let from = format!("From: <sip:bob@example.com>;tag={}", self.tag);
        let to = format!("To: <sip:alice@example.com>;tag={}", self.subscribe.from_tag().unwrap());
        let call_id = format!("Call-ID: {}", self.subscribe.call_id());
        let cseq = format!("CSeq: {} NOTIFY", self.cseq);
        let contact = format!("Contact: <sip:{}@192.0.2.7>", self.tag);
        let route = "Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>";
        let mut lines = std::vec![&*from, &to, &call_id, &cseq, &contact, route];
        if !body.is_empty() && !more.iter().any(|line| line.starts_with("Content-Type")) {
            lines.push("Content-Type: application/pidf+xml");
        }
        lines.extend(more);
        solo.send("NOTIFY", &lines, body);
    }
}

fn notifier<'a>(subscribe: &'a Request, tag: &'a str) -> Notifier<'a> {
    Notifier { subscribe, tag, cseq: 0 }
}

#[track_caller]
fn update(solo: &mut Solo, id: SubscriptionId) -> SubscriptionUpdate {
    match solo.event() {
        Event::Subscription { subscription, update } if subscription == id => update,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn notified(solo: &mut Solo, id: SubscriptionId) -> Notified {
    match update(solo, id) {
        SubscriptionUpdate::Notified { notified, .. } => notified,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn retrying(solo: &mut Solo, id: SubscriptionId) -> Duration {
    match update(solo, id) {
        SubscriptionUpdate::Retrying { retry_in, .. } => retry_in,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ended(solo: &mut Solo, id: SubscriptionId) -> SubscriptionEnd {
    let end = match update(solo, id) {
        SubscriptionUpdate::Ended(end) => end,
        other => panic!("{other:?}"),
    };
    assert!(solo.events.is_empty());
    assert!(solo.ua.subscriptions.get(&id).is_none());
    end
}

/// A subscription that stands for 3600 s.
pub(super) fn standing(solo: &mut Solo) -> (SubscriptionId, Request) {
    let (id, request) = subscribe(solo);
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    notifier(&request, "n1").notify(solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(solo, id);
    (id, request)
}

#[test]
fn rfc6665_4_1_2_1_what_a_subscribe_says() {
    let mut solo = Solo::registered();
    let (_, request) = subscribe(&mut solo);
    let field = |name| request.headers().first(name);
    assert_eq!(request.uri(), "sip:bob@example.com");
    assert_eq!(field(HeaderName::Event), Some("presence"));
    assert_eq!(field(HeaderName::Expires), Some("3600"));
    assert_eq!(field(HeaderName::Accept), Some("application/pidf+xml"));
    assert!(request.headers().has(HeaderName::Contact));
    assert!(request.to_tag().is_none());
}

#[test]
fn rfc6665_4_1_2_4_the_notify_makes_the_subscription_not_the_2xx() {
    let mut solo = Solo::registered();
    let (id, request) = subscribe(&mut solo);
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    assert!(solo.events.is_empty());
    let mut bob = notifier(&request, "n1");
    bob.notify(&mut solo, "pending;expires=600", "");
    solo.response(200);
    let pending = notified(&mut solo, id);
    assert_eq!((pending.state, pending.expires), (SubscriptionState::Pending, secs(600)));
    bob.notify(&mut solo, "active;expires=599", PIDF);
    solo.response(200);
    let SubscriptionUpdate::Notified { notified, content: Some(content), .. } = update(&mut solo, id) else {
        panic!()
    };
    assert_eq!((notified.source, notified.state), (Source(0), SubscriptionState::Active));
    let Ok(Document::Presence(presence)) = Document::parse(&Package::Presence, &content) else { panic!() };
    assert!(presence.is_open());
    assert_eq!(
        Document::parse(&Package::Presence, &Document::Presence(presence.clone()).content()),
        Ok(Document::Presence(presence))
    );
    // The refresh goes in the NOTIFY's dialog, with the NOTIFY's routes in the NOTIFY's order.
    solo.advance(secs(600));
    // That of the registration falls before or behind it.
    solo.sent.retain(|(_, _, sent)| !matches!(sent, Message::Request(r) if *r.method() == Method::Register));
    let refresh = solo.request(&Method::Subscribe);
    assert_eq!(refresh.to_tag(), Some("n1"));
    assert_eq!(refresh.from_tag(), request.from_tag());
    assert_eq!(refresh.call_id(), request.call_id());
    assert_eq!(refresh.cseq().number, request.cseq().number + 1);
    assert_eq!(refresh.uri(), "sip:n1@192.0.2.7");
    let routes: Vec<&str> = refresh.headers().list(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
}

#[test]
fn rfc6665_4_1_2_4_a_notify_may_overtake_the_2xx() {
    let mut solo = Solo::registered();
    let (id, request) = subscribe(&mut solo);
    notifier(&request, "n1").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    solo.advance(secs(33));
    assert!(solo.events.is_empty());
}

#[test]
fn rfc6665_4_1_2_4_timer_n() {
    let mut solo = Solo::registered();
    let (id, request) = subscribe(&mut solo);
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    solo.advance(secs(31));
    assert!(solo.events.is_empty());
    solo.advance(secs(1));
    let wait = retrying(&mut solo, id);
    assert!(wait >= secs(15) && wait <= secs(30), "{wait:?}");
    // Whoever notifies now is too late.
    notifier(&request, "n1").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(481);
    solo.advance(wait);
    let again = solo.request(&Method::Subscribe);
    assert_ne!(again.call_id(), request.call_id(), "a freshly generated Call-ID");
    assert_ne!(again.from_tag(), request.from_tag());
    // Silence altogether: Timer F. The wait grows.
    solo.advance(secs(32));
    assert!(retrying(&mut solo, id) >= secs(30));
}

#[test]
fn rfc6665_4_1_2_2_refreshed_in_time() {
    let mut solo = Solo::registered();
    let (id, request) = standing(&mut solo);
    for _ in 0..2800 {
        solo.advance(secs(1));
        keep_registered(&mut solo);
    }
    let early: Vec<_> = solo.sent.iter().filter(|(_, _, message)| message.is_subscribe()).collect();
    assert!(early.is_empty(), "{early:?}");
    let mut cseq = request.cseq().number;
    for _ in 0..3 {
        solo.sent.clear();
        let before = solo.now;
        while !solo.sent.iter().any(|(_, _, message)| message.is_subscribe()) {
            solo.advance(secs(1));
            assert!(solo.now.since(before) < secs(3600));
            keep_registered(&mut solo);
        }
        let refresh = solo.request(&Method::Subscribe);
        cseq += 1;
        assert_eq!((refresh.cseq().number, refresh.to_tag()), (cseq, Some("n1")));
        solo.reply(&refresh, 200, "Expires: 1800\r\n", "");
        let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: cseq * 10 };
        bob.notify(&mut solo, "active;expires=1800", "");
        solo.response(200);
        assert_eq!(notified(&mut solo, id).expires, secs(1800));
    }
}

/// Answers REGISTERs, that an hour may pass.
fn keep_registered(solo: &mut Solo) {
    if solo.sent.front().is_some_and(|(_, _, message)| message.is_register()) {
        solo.accept_register(600);
        solo.events.clear();
    }
}

trait Kind {
    fn is_subscribe(&self) -> bool;
    fn is_register(&self) -> bool;
}

impl Kind for Message {
    fn is_subscribe(&self) -> bool {
        matches!(self, Self::Request(request) if *request.method() == Method::Subscribe)
    }

    fn is_register(&self) -> bool {
        matches!(self, Self::Request(request) if *request.method() == Method::Register)
    }
}

/// Lets time pass until a SUBSCRIBE goes out.
fn next_subscribe(solo: &mut Solo) -> Request {
    let before = solo.now;
    while solo.sent.is_empty() {
        solo.advance(secs(1));
        assert!(solo.now.since(before) < secs(3600));
    }
    solo.request(&Method::Subscribe)
}

/// A subscription about to be refreshed: without registration, so that nothing else is on the wire.
fn refreshing(solo: &mut Solo) -> (SubscriptionId, Request, Request) {
    let (id, request) = standing(solo);
    let refresh = next_subscribe(solo);
    solo.nothing_sent();
    (id, request, refresh)
}

#[test]
fn rfc6665_4_1_2_2_a_refresh_without_notify_ends_it() {
    let mut solo = Solo::new();
    let (id, _, refresh) = refreshing(&mut solo);
    solo.reply(&refresh, 200, "Expires: 3600\r\n", "");
    solo.advance(secs(33));
    assert_eq!(retrying(&mut solo, id), Duration::ZERO);
    assert!(solo.request(&Method::Subscribe).to_tag().is_none());
    // RFC 5839: a 204 says that no NOTIFY will come.
    let mut solo = Solo::new();
    let (_, _, refresh) = refreshing(&mut solo);
    solo.reply(&refresh, 204, "Expires: 3600\r\n", "");
    solo.advance(secs(60));
    assert!(solo.events.is_empty());
}

#[test]
fn rfc6665_4_1_2_2_answers_that_end_a_subscription_and_others() {
    for status in [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604] {
        let mut solo = Solo::new();
        let (id, request, refresh) = refreshing(&mut solo);
        solo.reply(&refresh, status, "", "");
        assert_eq!(retrying(&mut solo, id), Duration::ZERO, "{status}");
        let anew = solo.request(&Method::Subscribe);
        assert!(anew.to_tag().is_none() && anew.call_id() != request.call_id());
        // The notifier of old is not known any more.
        notifier(&request, "n1").notify(&mut solo, "active;expires=100", "");
        solo.response(481);
    }
    for status in [400, 403, 408, 500, 503] {
        let mut solo = Solo::new();
        let (id, request, refresh) = refreshing(&mut solo);
        solo.reply(&refresh, status, "", "");
        assert!(solo.events.is_empty(), "{status}: valid as long as was granted");
        Notifier { subscribe: &request, tag: "n1", cseq: 50 }.notify(&mut solo, "active", PIDF);
        solo.response(200);
        notified(&mut solo, id);
        // Another try before it expires.
        let wait = solo.now;
        assert_eq!(next_subscribe(&mut solo).to_tag(), Some("n1"));
        assert!(solo.now.since(wait) < secs(361), "{status}");
    }
}

#[test]
fn rfc3261_10_2_8_interval_too_brief_is_raised() {
    let mut solo = Solo::new();
    let (id, request) = subscribe(&mut solo);
    solo.reply(&request, 423, "Min-Expires: 7200\r\n", "");
    let again = solo.request(&Method::Subscribe);
    assert_eq!(again.headers().first(HeaderName::Expires), Some("7200"));
    solo.reply(&again, 423, "Min-Expires: 60\r\n", "");
    assert!(matches!(ended(&mut solo, id), SubscriptionEnd::Failed(failure) if failure.status == Some(423)));
    // In the dialog, too.
    let mut solo = Solo::new();
    let (_, _, refresh) = refreshing(&mut solo);
    solo.reply(&refresh, 423, "Min-Expires: 7200\r\n", "");
    let again = solo.request(&Method::Subscribe);
    assert_eq!((again.to_tag(), again.headers().first(HeaderName::Expires)), (Some("n1"), Some("7200")));
}

#[test]
fn rfc6665_4_1_2_3_unsubscribing() {
    let mut solo = Solo::new();
    let (id, request) = standing(&mut solo);
    solo.ua.unsubscribe(solo.now, id).unwrap();
    solo.drain();
    let leave = solo.request(&Method::Subscribe);
    assert_eq!((leave.to_tag(), leave.headers().first(HeaderName::Expires)), (Some("n1"), Some("0")));
    solo.reply(&leave, 200, "Expires: 0\r\n", "");
    assert!(solo.events.is_empty(), "the last NOTIFY is awaited");
    // One that crossed ours changes nothing.
    let mut bob = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
    bob.notify(&mut solo, "active;expires=3000", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    solo.nothing_sent();
    bob.notify(&mut solo, "terminated;reason=timeout", PIDF);
    solo.response(200);
    notified(&mut solo, id);
    assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    assert_eq!(solo.ua.unsubscribe(solo.now, id), Err(EventsError::Unknown));
    // The answers to the NOTIFYs are remembered (§12.2.2 of RFC 3261).
    solo.advance(secs(32));
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn unsubscribing_always_ends() {
    // The notifier knows nothing any more, or refuses, or is silent at once or after its 200.
    for status in [Some(481), Some(500), None, Some(200)] {
        let mut solo = Solo::new();
        let (id, _) = standing(&mut solo);
        solo.ua.unsubscribe(solo.now, id).unwrap();
        solo.drain();
        let leave = solo.request(&Method::Subscribe);
        if let Some(status) = status {
            solo.reply(&leave, status, "", "");
        }
        solo.advance(secs(32));
        assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done, "{status:?}");
        assert_eq!(solo.ua.poll_timeout(), None);
    }
    // Before anything was sent.
    let mut solo = Solo::new();
    solo.close();
    let id = solo.ua.subscribe(solo.now, "bob", EventName::new(Package::Presence), None).unwrap();
    solo.ua.unsubscribe(solo.now, id).unwrap();
    solo.drain();
    assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    // Before the first NOTIFY: who tells first is told first.
    let mut solo = Solo::new();
    let (id, request) = subscribe(&mut solo);
    solo.ua.unsubscribe(solo.now, id).unwrap();
    solo.drain();
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    solo.nothing_sent();
    notifier(&request, "n1").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(200);
    let leave = solo.request(&Method::Subscribe);
    assert_eq!((leave.to_tag(), leave.headers().first(HeaderName::Expires)), (Some("n1"), Some("0")));
}

#[test]
fn rfc6665_4_4_3_fetch() {
    let mut solo = Solo::new();
    let id = solo.ua.fetch(solo.now, "bob", EventName::new(Package::Presence)).unwrap();
    solo.drain();
    let request = solo.request(&Method::Subscribe);
    assert_eq!(request.headers().first(HeaderName::Expires), Some("0"));
    solo.reply(&request, 200, "Expires: 0\r\n", "");
    notifier(&request, "n1").notify(&mut solo, "terminated;reason=timeout", PIDF);
    solo.response(200);
    let SubscriptionUpdate::Notified { content: Some(_), .. } = update(&mut solo, id) else { panic!() };
    assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    // Where forks may answer each does, until Timer N.
    let id = solo.ua.fetch(solo.now, "bob", EventName::new(Package::Other("color".into()))).unwrap();
    solo.drain();
    let request = solo.request(&Method::Subscribe);
    solo.reply(&request, 200, "Expires: 0\r\n", "");
    for (tag, source) in [("n1", 0), ("n2", 1)] {
        notifier(&request, tag).notify_with(
            &mut solo,
            &["Event: color", "Subscription-State: terminated;reason=timeout", "Content-Type: text/color"],
            "red",
        );
        solo.response(200);
        assert_eq!(notified(&mut solo, id).source, Source(source));
    }
    solo.advance(secs(32));
    assert_eq!(ended(&mut solo, id), SubscriptionEnd::Done);
    // Nobody tells anything.
    let id = solo.ua.fetch(solo.now, "bob", EventName::new(Package::Presence)).unwrap();
    solo.drain();
    let request = solo.request(&Method::Subscribe);
    solo.reply(&request, 200, "Expires: 0\r\n", "");
    solo.advance(secs(32));
    assert!(
        matches!(ended(&mut solo, id), SubscriptionEnd::Failed(failure) if failure.cause == Cause::Timeout)
    );
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc6665_4_4_1_forks_each_have_a_dialog() {
    let mut solo = Solo::new();
    let (id, request) = subscribe_to(&mut solo, Package::Dialog);
    solo.reply(&request, 200, "Expires: 3600\r\n", "");
    for tag in ["n1", "n2"] {
        notifier(&request, tag).notify(&mut solo, "active;expires=3600", "");
        solo.response(200);
    }
    assert_eq!((notified(&mut solo, id).source, notified(&mut solo, id).source), (Source(0), Source(1)));
    let mut tags = Vec::new();
    for _ in 0..2 {
        let refresh = next_subscribe(&mut solo);
        tags.push(refresh.to_tag().unwrap().to_string());
        solo.reply(&refresh, 204, "Expires: 3600\r\n", "");
    }
    tags.sort_unstable();
    assert_eq!(tags, ["n1", "n2"]);
    // One leaves for good, the other stays.
    let mut second = Notifier { subscribe: &request, tag: "n2", cseq: 5 };
    second.notify(&mut solo, "terminated;reason=rejected", "");
    solo.response(200);
    notified(&mut solo, id);
    assert!(solo.events.is_empty());
    second.notify(&mut solo, "active", "");
    solo.response(481);
    let mut first = Notifier { subscribe: &request, tag: "n1", cseq: 5 };
    first.notify(&mut solo, "active;expires=3600", "");
    solo.response(200);
    notified(&mut solo, id);
    // After Timer N nobody joins.
    notifier(&request, "n3").notify(&mut solo, "active;expires=3600", "");
    solo.response(481);
}

#[test]
fn forks_are_capped_and_presence_has_none() {
    let mut solo = Solo::new();
    let (id, request) = subscribe_to(&mut solo, Package::Dialog);
    for tag in 0..=limits::FORKS {
        notifier(&request, &tag.to_string()).notify(&mut solo, "active;expires=3600", "");
        solo.response(if tag < limits::FORKS { 200 } else { 481 });
    }
    assert_eq!(solo.ua.subscriptions.get(&id).map(|found| found.machine.len()), Some(limits::FORKS));
    // RFC 3856 §6.9.
    let mut solo = Solo::new();
    let (_, request) = standing(&mut solo);
    notifier(&request, "n2").notify(&mut solo, "active;expires=3600", PIDF);
    solo.response(481);
}
