//! Publication (RFC 3903), against a compositor played by hand.

use std::string::String;

use super::solo::Solo;
use crate::body::Content;
use crate::events::Package;
use crate::limits;
use crate::message::{HeaderName, Method, Request};
use crate::time::Duration;
use crate::user_agent::{Cause, Event, EventsError, PublicationId, PublicationUpdate, RequestError};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn pidf(words: &str) -> Content {
    Content::new("application/pidf+xml", String::from(words))
}

pub(super) fn publish(solo: &mut Solo) -> (PublicationId, Request) {
    let id = solo.ua.publish(solo.now, Package::Presence, pidf("open"), 3600).unwrap();
    solo.drain();
    (id, solo.request(&Method::Publish))
}

#[track_caller]
fn update(solo: &mut Solo, id: PublicationId) -> PublicationUpdate {
    match solo.event() {
        Event::Publication { publication, update } if publication == id => update,
        other => panic!("{other:?}"),
    }
}

/// A state that is published under the entity-tag `one`.
fn published(solo: &mut Solo) -> (PublicationId, Request) {
    let (id, first) = publish(solo);
    solo.reply(&first, 200, "SIP-ETag: one\r\nExpires: 1800\r\n", "");
    assert_eq!(update(solo, id), PublicationUpdate::Published);
    (id, first)
}

/// Lets time pass until a PUBLISH goes out.
fn next_publish(solo: &mut Solo) -> Request {
    let before = solo.now;
    while solo.sent.is_empty() {
        solo.advance(secs(1));
        assert!(solo.now.since(before) < secs(3600));
    }
    solo.request(&Method::Publish)
}

/// What table 1 of RFC 3903 §4.1 tells operations apart by.
fn row(request: &Request) -> (&[u8], Option<&str>, Option<&str>) {
    let headers = request.headers();
    (request.body(), headers.first(HeaderName::SipIfMatch), headers.first(HeaderName::Expires))
}

#[test]
fn rfc3903_4_initial_refresh_modify_remove() {
    let mut solo = Solo::new();
    let (id, first) = publish(&mut solo);
    assert_eq!(first.uri(), "sip:alice@example.com");
    assert_eq!(first.headers().first(HeaderName::Event), Some("presence"));
    assert_eq!(row(&first), (&b"open"[..], None, Some("3600")), "initial");
    assert!(!first.headers().has(HeaderName::Contact));
    solo.reply(&first, 200, "SIP-ETag: one\r\nExpires: 1800\r\n", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Published);
    let start = solo.now;
    solo.advance(secs(1439));
    solo.nothing_sent();
    let refresh = next_publish(&mut solo);
    assert!(solo.now.since(start) < secs(1621));
    assert_eq!(row(&refresh), (&b""[..], Some("one"), Some("3600")), "refresh");
    solo.reply(&refresh, 200, "SIP-ETag: two\r\nExpires: 1800\r\n", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Published);
    solo.ua.modify_publication(solo.now, id, pidf("closed")).unwrap();
    solo.drain();
    let modify = solo.request(&Method::Publish);
    assert_eq!(row(&modify), (&b"closed"[..], Some("two"), Some("3600")), "modify");
    // §4: one at a time; of what changes meanwhile the newest follows.
    solo.ua.modify_publication(solo.now, id, pidf("lunch")).unwrap();
    solo.ua.modify_publication(solo.now, id, pidf("back")).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply(&modify, 200, "SIP-ETag: three\r\nExpires: 1800\r\n", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Published);
    let next = solo.request(&Method::Publish);
    assert_eq!(row(&next), (&b"back"[..], Some("three"), Some("3600")));
    solo.reply(&next, 200, "SIP-ETag: four\r\nExpires: 1800\r\n", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Published);
    solo.ua.remove_publication(solo.now, id).unwrap();
    solo.drain();
    let remove = solo.request(&Method::Publish);
    assert_eq!(row(&remove), (&b""[..], Some("four"), Some("0")), "remove");
    solo.reply(&remove, 200, "SIP-ETag: five\r\nExpires: 0\r\n", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Ended(Ok(())));
    assert_eq!(solo.ua.modify_publication(solo.now, id, pidf("x")), Err(EventsError::Unknown));
    assert_eq!(solo.ua.poll_timeout(), None);
}

/// "EPAs MUST NOT send a new PUBLISH request for the same Request-URI, until they have received a final response", of whatever
/// package.
#[test]
fn rfc3903_4_one_publish_at_a_time_to_one_uri() {
    let mut solo = Solo::new();
    let (presence, first) = publish(&mut solo);
    let dialog = Content::new("application/dialog-info+xml", String::from("<dialog-info/>"));
    let dialog = solo.ua.publish(solo.now, Package::Dialog, dialog, 3600).unwrap();
    solo.drain();
    solo.nothing_sent();
    assert!(solo.ua.poll_timeout().unwrap() > solo.now, "it waits for the answer and for nothing else");
    solo.reply(&first, 200, "SIP-ETag: one\r\nExpires: 1800\r\n", "");
    assert_eq!(update(&mut solo, presence), PublicationUpdate::Published);
    let second = solo.request(&Method::Publish);
    assert_eq!(second.headers().first(HeaderName::Event), Some("dialog"));
    assert_eq!(second.uri(), first.uri());
    // Challenged it goes on by itself; what else there is waits.
    solo.ua.modify_publication(solo.now, presence, pidf("closed")).unwrap();
    solo.drain();
    solo.nothing_sent();
    solo.reply(&second, 401, "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\"\r\n", "");
    let again = solo.request(&Method::Publish);
    assert_eq!(again.headers().first(HeaderName::Event), Some("dialog"));
    solo.nothing_sent();
    // Silence is an end as well.
    solo.advance(secs(32));
    assert!(matches!(update(&mut solo, dialog), PublicationUpdate::Retrying { .. }));
    assert_eq!(row(&solo.request(&Method::Publish)), (&b"closed"[..], Some("one"), Some("3600")));
}

#[test]
fn rfc3903_5_412_starts_anew() {
    let mut solo = Solo::new();
    let (id, _) = published(&mut solo);
    let refresh = next_publish(&mut solo);
    solo.reply(&refresh, 412, "", "");
    let anew = solo.request(&Method::Publish);
    assert_eq!(row(&anew), (&b"open"[..], None, Some("3600")));
    // To an initial publication a 412 is nonsense.
    solo.reply(&anew, 412, "", "");
    assert!(
        matches!(update(&mut solo, id), PublicationUpdate::Ended(Err(failure)) if failure.status == Some(412))
    );
}

#[test]
fn rfc3903_5_423_asks_for_more() {
    let mut solo = Solo::new();
    let (id, first) = publish(&mut solo);
    solo.reply(&first, 423, "Min-Expires: 7200\r\n", "");
    let again = solo.request(&Method::Publish);
    assert_eq!(row(&again), (&b"open"[..], None, Some("7200")));
    solo.reply(&again, 423, "Min-Expires: 60\r\n", "");
    assert!(matches!(update(&mut solo, id), PublicationUpdate::Ended(Err(_))));
    solo.nothing_sent();
}

#[test]
fn failures_that_pass_and_others() {
    let mut solo = Solo::new();
    let (id, first) = publish(&mut solo);
    solo.reply(&first, 503, "Retry-After: 100\r\n", "");
    let PublicationUpdate::Retrying { retry_in, .. } = update(&mut solo, id) else { panic!() };
    assert_eq!(retry_in, secs(100));
    solo.advance(secs(100));
    let again = solo.request(&Method::Publish);
    assert_eq!(row(&again), (&b"open"[..], None, Some("3600")));
    solo.advance(secs(32));
    assert!(matches!(update(&mut solo, id), PublicationUpdate::Retrying { .. }));
    solo.ua.remove_publication(solo.now, id).unwrap();
    solo.drain();
    assert_eq!(update(&mut solo, id), PublicationUpdate::Ended(Ok(())), "nothing was ever there");
    for status in [403, 404, 405, 415, 489, 501] {
        let (id, first) = publish(&mut solo);
        solo.reply(&first, status, "", "");
        let PublicationUpdate::Ended(Err(failure)) = update(&mut solo, id) else { panic!("{status}") };
        assert_eq!(failure.status, Some(status));
    }
    solo.nothing_sent();
    assert_eq!(solo.ua.poll_timeout(), None);
}

#[test]
fn rfc3261_22_2_a_challenged_publish() {
    let mut solo = Solo::new();
    let (id, first) = publish(&mut solo);
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n";
    solo.reply(&first, 401, challenge, "");
    let second = solo.request(&Method::Publish);
    assert!(second.headers().has(HeaderName::Authorization));
    assert_eq!(second.body(), b"open");
    solo.reply(&second, 401, &challenge.replace("\"n\"", "\"m\""), "");
    let PublicationUpdate::Ended(Err(failure)) = update(&mut solo, id) else { panic!() };
    assert_eq!(failure.cause, Cause::WrongPassword);
}

#[test]
fn a_publication_outlives_its_flow() {
    let mut solo = Solo::new();
    let (id, _) = published(&mut solo);
    solo.ua.modify_publication(solo.now, id, pidf("closed")).unwrap();
    solo.drain();
    let lost = solo.request(&Method::Publish);
    solo.close();
    solo.advance(secs(31));
    solo.nothing_sent();
    solo.reopen(2);
    let again = solo.request(&Method::Publish);
    assert_eq!(again.bytes(), lost.bytes(), "its compositor knows its branch");
    // By then nobody does.
    solo.close();
    solo.advance(secs(60));
    solo.nothing_sent();
    solo.reopen(3);
    let anew = solo.request(&Method::Publish);
    assert_eq!(row(&anew), row(&lost));
    assert_ne!(anew.branch(), lost.branch());
    // The first had arrived: its entity-tag is another by now.
    solo.reply(&anew, 412, "", "");
    let last = solo.request(&Method::Publish);
    assert_eq!(row(&last), (&b"closed"[..], None, Some("3600")));
    // Changed while away.
    solo.close();
    solo.ua.modify_publication(solo.now, id, pidf("lunch")).unwrap();
    solo.reopen(4);
    assert_eq!(solo.request(&Method::Publish).bytes(), last.bytes());
    solo.nothing_sent();
    solo.reply(&last, 200, "SIP-ETag: three\r\nExpires: 1800\r\n", "");
    assert_eq!(row(&solo.request(&Method::Publish)), (&b"lunch"[..], Some("three"), Some("3600")));
}

/// What goes again with credentials is what was there when it went first.
#[test]
fn rfc3903_4_4_a_change_while_a_publish_is_challenged_follows() {
    let mut solo = Solo::new();
    let (id, first) = publish(&mut solo);
    solo.ua.modify_publication(solo.now, id, pidf("lunch")).unwrap();
    solo.drain();
    solo.nothing_sent();
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n";
    solo.reply(&first, 401, challenge, "");
    let second = solo.request(&Method::Publish);
    assert_eq!(second.body(), b"open");
    solo.reply(&second, 200, "SIP-ETag: one\r\nExpires: 1800\r\n", "");
    assert_eq!(row(&solo.request(&Method::Publish)), (&b"lunch"[..], Some("one"), Some("3600")));
}

#[test]
fn publications_are_capped_and_removed_at_shutdown() {
    let mut solo = Solo::new();
    let (id, _) = published(&mut solo);
    for _ in 1..limits::PUBLICATIONS {
        let (_, first) = publish(&mut solo);
        solo.reply(&first, 403, "", "");
        solo.events.clear();
    }
    solo.ua.shutdown(solo.now);
    solo.drain();
    let remove = solo.request(&Method::Publish);
    assert_eq!(row(&remove), (&b""[..], Some("one"), Some("0")));
    solo.reply(&remove, 200, "", "");
    assert_eq!(update(&mut solo, id), PublicationUpdate::Ended(Ok(())));
    assert_eq!(solo.event(), Event::ShutDown);
    let refused = solo.ua.publish(solo.now, Package::Presence, pidf("x"), 1);
    assert_eq!(refused, Err(RequestError::ShutDown));
    let mut solo = Solo::new();
    solo.close();
    for _ in 0..limits::PUBLICATIONS {
        solo.ua.publish(solo.now, Package::Presence, pidf("x"), 1).unwrap();
    }
    let refused = solo.ua.publish(solo.now, Package::Presence, pidf("x"), 1);
    assert_eq!(refused, Err(RequestError::TooMany));
}
