//! NOTIFYs without a subscription that the configuration lets in.

use std::vec::Vec;

use super::config;
use super::incoming::{established, send};
use super::solo::{INVITE, Solo};
use crate::body::message_summary::Counts;
use crate::events::{Document, Package};
use crate::message::HeaderName;
use crate::transport::Transport;
use crate::user_agent::Event;

const SUMMARY: &str = "Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n";
const TYPE: &str = "Content-Type: application/simple-message-summary";

fn taking(packages: &[&str]) -> Solo {
    taking_over(Transport::Wss, packages)
}

fn taking_over(transport: Transport, packages: &[&str]) -> Solo {
    let mut config = config("sip:alice@example.com");
    config.unsolicited = packages.iter().map(|package| (*package).into()).collect();
    Solo::with(config, transport)
}

fn notify(solo: &mut Solo, more: &[&str], body: &str) {
    let call_id = std::format!("Call-ID: n-{}", solo.serial);
    let mut lines: Vec<&str> = INVITE[..2].to_vec();
    lines.extend([&*call_id, "CSeq: 102 NOTIFY"]);
    lines.extend(more);
    solo.send("NOTIFY", &lines, body);
}

#[test]
fn rfc3842_3_5_a_mailbox_tells_unasked_where_that_is_wanted() {
    let mut solo = taking(&["message-summary"]);
    notify(&mut solo, &["Event: message-summary", TYPE], SUMMARY);
    assert!(!solo.response(200).headers().has(HeaderName::Contact));
    let Event::Unsolicited { package, from, content: Some(content), .. } = solo.event() else { panic!() };
    assert_eq!((&package, &*from.user), (&Package::MessageSummary, "bob"));
    let Ok(Document::MessageSummary(summary)) = Document::parse(&package, &content) else { panic!() };
    assert!(summary.waiting);
    assert_eq!(summary.counts, [("Voice-Message".into(), Counts { new: 2, old: 8, urgent: Some((0, 2)) })]);
    // Nothing is kept of it.
    let load = solo.ua.load();
    assert_eq!((load.subscriptions, solo.events.len()), (0, 0));
}

#[test]
fn a_package_that_is_not_known_here_is_told_as_it_came() {
    let mut solo = taking(&["message-summary", "check-sync"]);
    notify(&mut solo, &["Event: check-sync;reboot=false"], "");
    solo.response(200);
    let Event::Unsolicited { package, content: None, request, .. } = solo.event() else { panic!() };
    assert_eq!(package, Package::Other("check-sync".into()));
    assert_eq!(request.headers().first(HeaderName::Event), Some("check-sync;reboot=false"));
}

/// Every other NOTIFY gets what it gets without the setting, and nothing is told.
#[test]
fn rfc6665_4_1_3_what_is_not_named_gets_481_as_before() {
    for event in ["Event: presence", "Event: Message-Summary", "Event: ", "X-Event: message-summary"] {
        let mut solo = taking(&["message-summary"]);
        notify(&mut solo, &[event], "");
        solo.response(481);
        assert!(solo.events.is_empty(), "{event}");
    }
    let mut solo = taking(&[]);
    notify(&mut solo, &["Event: message-summary", TYPE], SUMMARY);
    solo.response(481);
    // Within a dialog there is a subscription or there is none.
    let mut solo = taking(&["message-summary"]);
    let (_, ok) = established(&mut solo);
    send(&mut solo, &ok, "NOTIFY", 11, &["Event: message-summary", TYPE], SUMMARY);
    solo.response(481);
    assert!(solo.events.is_empty());
}

#[test]
fn rfc3261_8_2_what_is_taken_unasked_is_inspected_as_all_requests_are() {
    let event = "Event: message-summary";
    for (more, body, status) in [
        (&[event, "Content-Type: text/plain"][..], SUMMARY, 415),
        (&[event, TYPE, "Require: teleport"], SUMMARY, 420),
    ] {
        let mut solo = taking(&["message-summary"]);
        notify(&mut solo, more, body);
        solo.response(status);
        assert!(solo.events.is_empty());
    }
    let mut solo = taking(&["message-summary"]);
    let mut lines: Vec<&str> = INVITE[..3].to_vec();
    lines.extend(["CSeq: 102 NOTIFY", event, TYPE]);
    solo.send("NOTIFY sip:carol@example.com", &lines, SUMMARY);
    solo.response(404);
    // §8.2.2.2: it was forked on its way.
    let mut solo = taking_over(Transport::Udp, &["message-summary"]);
    solo.send("NOTIFY", &lines, SUMMARY);
    solo.response(200);
    solo.send("NOTIFY", &lines, SUMMARY);
    solo.response(482);
    assert_eq!(solo.events.len(), 1);
}
