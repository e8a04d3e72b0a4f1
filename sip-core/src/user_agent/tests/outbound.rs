//! Several flows at once (RFC 5626 §4), and what a registrar gives along: GRUU, Service-Route, Flow-Timer.

mod given;
mod push;
mod registrar;
mod third_party;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::solo::Solo;
use super::{OFFER, config, hop};
use crate::message::{HeaderName, Message, Method, NameAddr, Request, Uri};
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop, Transport};
use crate::user_agent::{
    Binding, Cause, Config, ContactAs, Event, Input, OutboundFlow, RegisterError, RegistrationState,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn two_flows() -> Config {
    let mut config = config("sip:alice@example.com");
    let flow = |reg_id| OutboundFlow {
        reg_id,
        proxy: Some(format!("sip:edge{reg_id}.example.com;transport=ws;lr").into()),
    };
    config.flows = [flow(1), flow(2)].into();
    config
}

/// A user agent with two flows, none of them open.
fn pair_of_flows() -> Solo {
    let mut solo = Solo::with(two_flows(), Transport::Wss);
    solo.close();
    solo.events.clear();
    solo
}

fn open(solo: &mut Solo, reg_id: u32, flow: u64) -> Hop {
    solo.hop = hop(flow, Transport::Wss);
    solo.input(Input::FlowOpenedFor { reg_id, hop: solo.hop });
    solo.hop
}

/// The next REGISTER, and the hop it went over.
#[track_caller]
fn register(solo: &mut Solo) -> (Hop, Request) {
    match solo.sent.pop_front() {
        Some((_, hop, Message::Request(request))) if *request.method() == Method::Register => (hop, request),
        other => panic!("REGISTER expected, found {other:?}"),
    }
}

fn contact(request: &Request) -> String {
    request.headers().first(HeaderName::Contact).unwrap().to_string()
}

fn accept(solo: &mut Solo, register: &Request, extra: &str) {
    let contact = contact(register);
    solo.reply(register, 200, &format!("Contact: {contact};expires=600\r\nRequire: outbound\r\n{extra}"), "");
}

/// Both flows registered, over flows 1 and 2.
fn both_registered() -> (Solo, Hop, Hop) {
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let hops = [1, 2].map(|reg_id| {
        let hop = open(&mut solo, reg_id, reg_id.into());
        let (_, request) = register(&mut solo);
        accept(&mut solo, &request, "");
        hop
    });
    solo.events.clear();
    solo.opens.clear();
    (solo, hops[0], hops[1])
}

fn failed(solo: &mut Solo) -> (u32, Duration) {
    match solo.event() {
        Event::RegistrationFailed { reg_id, retry_in: Some(wait), .. } => (reg_id, wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc5626_4_2_1_each_flow_registers_with_its_reg_id_and_a_call_id_of_its_own() {
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.opens, [(solo.now, 1), (solo.now, 2)]);
    let (first, second) = (open(&mut solo, 1, 1), hop(2, Transport::Wss));
    open(&mut solo, 2, 2);
    let (over, one) = register(&mut solo);
    assert_eq!(over, first);
    let (over, two) = register(&mut solo);
    assert_eq!(over, second);
    assert_ne!(one.call_id(), two.call_id());
    assert!(contact(&one).ends_with(";reg-id=1") && contact(&two).ends_with(";reg-id=2"));
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"";
    assert!(contact(&one).contains(instance) && contact(&two).contains(instance));
    let route = |request: &Request| request.headers().first(HeaderName::Route).unwrap().to_string();
    assert_eq!(route(&one), "<sip:edge1.example.com;transport=ws;lr>");
    assert_eq!(route(&two), "<sip:edge2.example.com;transport=ws;lr>");
    assert_eq!(solo.ua.registration(), RegistrationState::Registering);
    accept(&mut solo, &two, "");
    assert_eq!(solo.event(), Event::Registered { reg_id: 2, expires: secs(600) });
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
    // Requests go out over what is registered, whatever the order of preference.
    assert_eq!(solo.ua.flow(), Some(second));
    accept(&mut solo, &one, "");
    assert_eq!(solo.ua.flow(), Some(first));
}

#[test]
fn rfc5626_4_2_1_the_set_is_capped_and_each_reg_id_stands_once() {
    let mut config = config("sip:alice@example.com");
    config.flows = [7, 7, 1, 2, 3, 4, 5].map(|reg_id| OutboundFlow { reg_id, proxy: None }).into();
    let mut solo = Solo::with(config, Transport::Wss);
    solo.close();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.opens.iter().map(|(_, reg_id)| *reg_id).collect::<Vec<_>>(), [7, 1, 2, 3]);
    // A flow nobody configured is nobody's.
    open(&mut solo, 5, 9);
    solo.nothing_sent();
}

#[test]
fn rfc5626_4_2_2_requests_move_to_the_other_flow_and_the_lost_one_is_opened_anew() {
    let (mut solo, first, second) = both_registered();
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let (_, over, _) = solo.sent.front().unwrap();
    assert_eq!(*over, first);
    let invite = solo.request(&Method::Invite);
    solo.hop = first;
    solo.reply(&invite, 180, "", "");
    solo.events.clear();
    solo.input(Input::FlowClosed(first.flow));
    // Repeated at once, under its branch, over the flow that is left; no wait after a flow that worked (§4.5).
    let (_, over, _) = solo.sent.front().unwrap();
    assert_eq!(*over, second);
    assert_eq!(solo.request(&Method::Invite).bytes(), invite.bytes());
    assert_eq!(solo.opens, [(solo.now, 1)]);
    assert!(solo.events.is_empty());
    assert_eq!(solo.ua.registration(), RegistrationState::Registered);
    solo.hop = second;
    solo.answer(&invite, "b");
    solo.request(&Method::Ack);
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    assert_eq!(solo.sent.front().unwrap().1, second);
    solo.request(&Method::Bye);
    open(&mut solo, 1, 3);
    let (over, again) = register(&mut solo);
    assert_eq!(over.flow, FlowId(3));
    assert!(contact(&again).ends_with(";reg-id=1"));
}

#[test]
fn rfc5626_4_5_back_off_is_30_s_doubled_when_all_flows_failed_and_90_s_otherwise() {
    // All failed.
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.opens.clear();
    for failures in 1..10 {
        solo.input(Input::FlowFailed { reg_id: 1 });
        let (reg_id, wait) = failed(&mut solo);
        let most = (30 << failures).min(1800);
        assert_eq!(reg_id, 1);
        assert!(wait >= secs(most) / 2 && wait <= secs(most), "{failures}: {wait:?}");
        let at = solo.now + wait;
        solo.advance(wait);
        assert_eq!(solo.opens.pop_front(), Some((at, 1)), "not earlier, not later");
        assert!(solo.opens.is_empty());
    }
    // One works.
    let (mut solo, first, _) = both_registered();
    solo.input(Input::FlowClosed(first.flow));
    solo.opens.clear();
    for failures in 1..7 {
        solo.input(Input::FlowFailed { reg_id: 1 });
        let (_, wait) = failed(&mut solo);
        let most = (90 << failures).min(1800);
        assert!(wait >= secs(most) / 2 && wait <= secs(most), "{failures}: {wait:?}");
        let at = solo.now + wait;
        // The other flow's refreshes and keep-alives go on meanwhile.
        solo.hop = hop(2, Transport::Wss);
        while solo.now < at {
            solo.advance(Duration::from_secs(1).min(at.since(solo.now)));
            while let Some((_, _, Message::Request(refresh))) = solo.sent.pop_front() {
                accept(&mut solo, &refresh, "");
            }
        }
        solo.events.clear();
        assert_eq!(solo.opens.pop_front(), Some((at, 1)));
    }
}

#[test]
fn rfc5626_4_5_a_flow_that_closes_before_it_was_registered_is_a_failure() {
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    solo.opens.clear();
    let lost = open(&mut solo, 1, 1);
    register(&mut solo);
    solo.input(Input::FlowClosed(lost.flow));
    assert!(solo.opens.is_empty());
    solo.advance(secs(30));
    assert!(solo.opens.is_empty(), "at least half of 60 s");
    solo.advance(secs(30));
    assert_eq!(solo.opens.len(), 1);
}

#[test]
fn rfc5626_4_2_1_retry_after_holds_over_new_flows_too_and_zero_is_at_once() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.reply(&request, 503, "Retry-After: 300\r\n", "");
    assert_eq!(failed(&mut solo), (1, secs(300)));
    let due = solo.now + secs(300);
    solo.advance(secs(10));
    solo.close();
    solo.reopen(2);
    solo.nothing_sent();
    solo.advance(secs(289));
    solo.nothing_sent();
    solo.advance(secs(1));
    assert_eq!(solo.now, due);
    let (_, request) = register(&mut solo);
    accept(&mut solo, &request, "");
    // Zero is at once, but not in a loop.
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.events.clear();
    solo.reply(&request, 503, "Retry-After: 0\r\n", "");
    assert_eq!(failed(&mut solo), (1, Duration::ZERO));
    solo.advance(Duration::ZERO);
    let (_, request) = register(&mut solo);
    solo.reply(&request, 503, "Retry-After: 0\r\n", "");
    let (_, wait) = failed(&mut solo);
    assert!(wait >= secs(60), "{wait:?}");
    solo.nothing_sent();
}

#[test]
fn retry_after_beyond_reason_is_an_hour() {
    for value in ["4294967295", "99999999999999999999", "86400 (gone fishing)"] {
        let mut solo = Solo::new();
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        solo.reply(&request, 503, &format!("Retry-After: {value}\r\n"), "");
        let (_, wait) = failed(&mut solo);
        assert!(wait <= secs(3600), "{value}: {wait:?}");
    }
}

#[test]
fn rfc5626_4_2_1_a_first_hop_without_outbound_is_registered_without() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    solo.reply(&request, 439, "", "");
    let (_, plain) = register(&mut solo);
    assert!(!contact(&plain).contains("reg-id") && contact(&plain).contains("+sip.instance"));
    solo.reply(&plain, 439, "", "");
    solo.nothing_sent();
    assert!(matches!(solo.event(), Event::RegistrationFailed { retry_in: None, .. }));
}

#[test]
fn rfc5626_4_4_keep_alives_follow_flow_timer() {
    let mut solo = Solo::new();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let (_, request) = register(&mut solo);
    let contact = contact(&request);
    solo.reply(&request, 200, &format!("Contact: {contact};expires=600\r\nFlow-Timer: 100\r\n"), "");
    let mut last = solo.now;
    solo.advance(secs(420));
    assert!(solo.keep_alives.len() >= 4);
    let mut gaps = Vec::new();
    for (at, to) in core::mem::take(&mut solo.keep_alives) {
        let gap = at.since(last);
        assert!(gap >= secs(80) && gap <= secs(100), "{gap:?}");
        assert_eq!(to, solo.hop);
        gaps.push(gap);
        last = at;
    }
    gaps.dedup();
    assert!(gaps.len() > 1, "each after another time");
    // With the flow they end.
    solo.close();
    solo.advance(secs(400));
    assert!(solo.keep_alives.is_empty());
}

#[test]
fn rfc5626_4_4_keep_alives_by_default_and_none_without_outbound() {
    for (transport, extra, bounds) in [
        (Transport::Wss, "Require: outbound\r\n", Some((95, 120))),
        (Transport::Tcp, "Require: outbound\r\nFlow-Timer: 0\r\n", Some((95, 120))),
        (Transport::Udp, "Require: outbound\r\n", Some((24, 29))),
        (Transport::Wss, "", None),
        (Transport::Udp, "Flow-Timer: soon\r\n", None),
    ] {
        let mut solo = Solo::with(config("sip:alice@example.com"), transport);
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let (_, request) = register(&mut solo);
        let contact = contact(&request);
        let start = solo.now;
        solo.reply(&request, 200, &format!("Contact: {contact};expires=600\r\n{extra}"), "");
        solo.advance(secs(200));
        let first = solo.keep_alives.front().map(|(at, _)| at.since(start));
        match bounds {
            Some((least, most)) => {
                let first = first.expect("a keep-alive");
                assert!(first >= secs(least) && first <= secs(most), "{transport:?} {extra}: {first:?}");
            }
            None => assert_eq!(first, None, "{transport:?} {extra}"),
        }
    }
}

/// Who leaves has left when every flow has, whichever of them is down.
#[test]
fn rfc3261_10_2_2_who_leaves_hears_of_it_once_the_last_flow_has_left() {
    for lost in [0, 1] {
        let (mut solo, first, second) = both_registered();
        solo.input(Input::FlowClosed([first, second][lost].flow));
        solo.ua.unregister(solo.now).unwrap();
        solo.drain();
        let (over, remove) = register(&mut solo);
        assert_eq!(over, [second, first][lost]);
        assert_eq!(solo.ua.registration(), RegistrationState::Unregistering);
        assert!(solo.events.is_empty(), "{:?}", solo.events);
        solo.hop = over;
        solo.reply(&remove, 200, "", "");
        assert_eq!(solo.event(), Event::Unregistered);
        assert!(solo.events.is_empty());
    }
}

/// What a call sends goes over the flow it uses, whichever is preferred now: the way back leads over its server.
#[test]
fn rfc5626_4_3_acks_and_pracks_go_over_the_flow_of_their_call() {
    let mut solo = pair_of_flows();
    solo.ua.register(solo.now).unwrap();
    solo.drain();
    let second = open(&mut solo, 2, 2);
    let (_, request) = register(&mut solo);
    accept(&mut solo, &request, "");
    let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
    solo.drain();
    let invite = solo.request(&Method::Invite);
    open(&mut solo, 1, 1);
    let (first, request) = register(&mut solo);
    accept(&mut solo, &request, "");
    assert_eq!(solo.ua.flow(), Some(first));
    solo.hop = second;
    let rseq = "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:bob@192.0.2.7>\r\n";
    solo.reply_tagged(&invite, 183, Some("one"), rseq, "");
    solo.answer(&invite, "one");
    solo.answer(&invite, "one");
    solo.answer(&invite, "two");
    solo.answer(&invite, "two");
    solo.ua.hold(solo.now, call).unwrap();
    solo.drain();
    let change = solo.sent.back().unwrap().2.clone();
    let Message::Request(change) = change else { panic!() };
    for _ in 0..2 {
        let answer = super::ANSWER.replace("o=- 2 1", "o=- 2 2");
        solo.reply_tagged(&change, 200, Some("one"), "Contact: <sip:bob@192.0.2.7>\r\n", &answer);
    }
    let all: Vec<(String, Hop)> = core::mem::take(&mut solo.sent)
        .into_iter()
        .map(|(_, over, message)| match message {
            Message::Request(request) => (request.method().to_string(), over),
            Message::Response(response) => panic!("{response:?}"),
        })
        .collect();
    let methods = all.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>();
    assert_eq!(methods, ["PRACK", "ACK", "ACK", "ACK", "BYE", "ACK", "INVITE", "ACK", "ACK"]);
    for (method, over) in all {
        assert_eq!(over, second, "{method}");
    }
}
