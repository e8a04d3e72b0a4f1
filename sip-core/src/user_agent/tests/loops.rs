//! Servers that ask for more each time they are asked: it is tried a few times, and then it has failed.

use std::format;

use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::body::Content;
use crate::events::{EventName, Package};
use crate::message::{Method, Request};
use crate::user_agent::{End, Event, PublicationUpdate, SubscriptionEnd, SubscriptionUpdate};

/// Answers each request with one second more than the last. How many came.
fn ask_for_more(solo: &mut Solo, method: &Method, status: u16, field: &str, first: u32) -> u32 {
    let mut seconds = first;
    while let Some((_, _, message)) = solo.sent.front() {
        let is_it = |request: &Request| request.method() == method;
        if !matches!(message, crate::message::Message::Request(request) if is_it(request)) {
            solo.sent.pop_front();
            continue;
        }
        let request = solo.request(method);
        seconds += 1;
        assert!(seconds - first < 20, "without end");
        solo.reply(&request, status, &format!("{field}: {seconds}\r\n"), "");
    }
    seconds - first
}

#[test]
fn rfc4028_7_3_an_interval_that_is_never_long_enough() {
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    ask_for_more(&mut solo, &Method::Invite, 422, "Min-SE", 1800);
    let Event::Ended { call: ended, end: End::Failed(failure) } = solo.event() else { panic!() };
    assert_eq!((ended, failure.status), (call, Some(422)));

    // In a call it costs the change, not the call.
    let mut solo = Solo::new();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.answer(&invite, "one");
    solo.request(&Method::Ack);
    solo.events.clear();
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    ask_for_more(&mut solo, &Method::Invite, 422, "Min-SE", 1800);
    let Event::OfferRefused { failure, .. } = solo.event() else { panic!() };
    assert_eq!(failure.status, Some(422));
    // The next change begins anew.
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 422, "Min-SE: 4000\r\n", "");
    solo.request(&Method::Ack);
    let invite = solo.request(&Method::Invite);
    solo.reply(&invite, 200, "Contact: <sip:bob@192.0.2.7>\r\n", &ANSWER.replace("o=- 2 1", "o=- 2 2"));
    assert!(matches!(solo.event(), Event::OfferAnswered { .. }));
}

#[test]
fn rfc6665_4_1_2_1_a_subscription_that_is_never_long_enough() {
    let mut solo = Solo::registered();
    let id = solo.ua.subscribe(solo.now, "bob", EventName::new(Package::Presence), Some(60)).unwrap();
    solo.drain();
    ask_for_more(&mut solo, &Method::Subscribe, 423, "Min-Expires", 60);
    let Event::Subscription { subscription, update: SubscriptionUpdate::Ended(end) } = solo.event() else {
        panic!()
    };
    let SubscriptionEnd::Failed(failure) = end else { panic!() };
    assert_eq!((subscription, failure.status), (id, Some(423)));
}

#[test]
fn rfc3903_4_a_publication_that_is_never_long_enough() {
    let mut solo = Solo::registered();
    let content = Content::new("application/pidf+xml", "open");
    let id = solo.ua.publish(solo.now, Package::Presence, content, 60).unwrap();
    solo.drain();
    ask_for_more(&mut solo, &Method::Publish, 423, "Min-Expires", 60);
    let Event::Publication { publication, update: PublicationUpdate::Ended(Err(failure)) } = solo.event()
    else {
        panic!()
    };
    assert_eq!((publication, failure.status), (id, Some(423)));
}
