//! What is for a `sips` URI goes over TLS or not at all (RFC 3261 §26.2.2, RFC 5630 §5.1.1).

use std::format;
use std::vec::Vec;

use super::solo::Solo;
use super::{ANSWER, OFFER};
use crate::body::Content;
use crate::message::{HeaderName, Method};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{Addressee, CallError, Cause, CommandError, End, Event, RequestError};

const BOB: &str = "sips:bob@example.com";

fn over(transport: Transport) -> Solo {
    let mut config = super::config("sip:alice@example.com");
    config.redirections = 1;
    let mut solo = Solo::with(config, transport);
    solo.register();
    solo
}

#[test]
fn rfc5630_5_1_1_a_sips_uri_is_called_over_tls_alone() {
    for transport in [Transport::Ws, Transport::Tcp, Transport::Udp] {
        let mut solo = over(transport);
        assert_eq!(solo.ua.call(solo.now, BOB, OFFER), Err(CallError::Insecure));
        assert_eq!(solo.ua.refer(solo.now, BOB, "sip:carol@example.com", true), Err(RequestError::Insecure));
        solo.drain();
        assert!(solo.sent.is_empty());
        // And by its sip URI as ever.
        solo.ua.call(solo.now, "sip:bob@example.com", OFFER).unwrap();
        solo.drain();
        solo.request(&Method::Invite);
    }
    for transport in [Transport::Wss, Transport::Tls] {
        let mut solo = over(transport);
        solo.ua.call(solo.now, BOB, OFFER).unwrap();
        solo.drain();
        assert_eq!(solo.request(&Method::Invite).uri(), BOB);
    }
}

#[test]
fn rfc5630_5_1_1_a_redirection_to_a_sips_uri_is_followed_over_tls_alone() {
    for (transport, goes) in [(Transport::Ws, false), (Transport::Wss, true)] {
        let mut solo = over(transport);
        solo.ua.call(solo.now, "bob", OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 302, "Contact: <sips:bob@elsewhere.example>\r\n", "");
        solo.request(&Method::Ack);
        match goes {
            true => assert_eq!(solo.request(&Method::Invite).uri(), "sips:bob@elsewhere.example"),
            false => assert!(solo.sent.is_empty()),
        }
    }
}

/// A user agent over WSS whose next connection is over `next`, with the first closed.
fn moved(solo: &mut Solo, next: Transport) {
    let flow = solo.hop.flow.0 + 1;
    solo.close();
    solo.hop.transport = next;
    solo.reopen(flow);
    solo.accept_register(600);
    solo.events.clear();
}

/// What waits goes out where TLS is back, under its branch, and ends without as where no connection comes.
#[test]
fn rfc3261_26_2_2_what_is_repeated_to_a_sips_uri_is_repeated_over_tls_alone() {
    for back in [true, false] {
        let mut config = super::config("sip:alice@example.com");
        config.congestion_safe = true;
        let mut solo = Solo::with(config, Transport::Wss);
        solo.register();
        let call = solo.ua.call(solo.now, BOB, OFFER).unwrap();
        solo.ua.message(solo.now, Addressee::Target(BOB), Content::new("text/plain", "secret")).unwrap();
        solo.drain();
        let first = [solo.request(&Method::Invite), solo.request(&Method::Message)];
        moved(&mut solo, Transport::Ws);
        solo.nothing_sent();
        if back {
            moved(&mut solo, Transport::Wss);
            assert_eq!(solo.request(&Method::Invite).bytes(), first[0].bytes());
            assert_eq!(solo.request(&Method::Message).bytes(), first[1].bytes());
            continue;
        }
        solo.advance(Duration::from_secs(32));
        solo.nothing_sent();
        let lost = |event: &Event| match event {
            Event::Ended { call: ended, end: End::Failed(failure) } => {
                *ended == call && failure.cause == Cause::FlowLost
            }
            Event::Answered { result: Err(failure), .. } => failure.cause == Cause::FlowLost,
            _ => false,
        };
        assert_eq!(solo.events.iter().filter(|event| lost(event)).count(), 2, "{:?}", solo.events);
        // Nor is it canceled in the clear.
        solo.advance(Duration::from_secs(60));
        solo.nothing_sent();
        moved(&mut solo, Transport::Wss);
        let cancel = solo.request(&Method::Cancel);
        assert_eq!((cancel.uri(), cancel.branch()), (BOB, first[0].branch()));
        solo.nothing_sent();
    }
}

/// Within a call whose other side is at a `sips` URI, too: requests wait for TLS, and a shutdown does not wait for them.
#[test]
fn rfc3261_26_2_2_a_call_with_a_sips_uri_goes_on_over_tls_alone() {
    for shuts_down in [false, true] {
        let mut solo = over(Transport::Wss);
        let call = solo.ua.call(solo.now, BOB, OFFER).unwrap();
        solo.drain();
        let invite = solo.request(&Method::Invite);
        solo.reply(&invite, 200, "Contact: <sips:bob@192.0.2.7>\r\nAllow: INVITE, UPDATE\r\n", ANSWER);
        solo.request(&Method::Ack);
        solo.advance(Duration::from_secs(60));
        moved(&mut solo, Transport::Ws);
        solo.nothing_sent();
        assert_eq!(solo.ua.hold(solo.now, call), Err(CommandError::Offline));
        let info = solo.ua.info(solo.now, call, "application/dtmf", "1");
        assert_eq!(info, Err(RequestError::Insecure));
        moved(&mut solo, Transport::Wss);
        assert_eq!(solo.request(&Method::Update).uri(), "sips:bob@192.0.2.7", "whether it is still there");
        moved(&mut solo, Transport::Ws);
        solo.ua.hangup(solo.now, call).unwrap();
        solo.drain();
        solo.nothing_sent();
        if shuts_down {
            solo.ua.shutdown(solo.now);
            solo.drain();
            solo.accept_register(0);
            assert_eq!(solo.events.back(), Some(&Event::ShutDown));
            continue;
        }
        solo.advance(Duration::from_secs(32));
        assert_eq!(solo.events.back(), Some(&Event::Released { call }));
        moved(&mut solo, Transport::Wss);
        assert_eq!(solo.request(&Method::Bye).uri(), "sips:bob@192.0.2.7");
    }
}

/// "the UAC MUST change the SIP URIs to SIPS URIs", so that no server on the way is reached without TLS.
#[test]
fn rfc5630_5_1_1_the_routes_to_a_sips_uri_are_sips_uris() {
    for (target, routes) in [
        (BOB, ["<sips:hsp.example.com;lr>;x=y", "<sips:h2.example.com;lr>"]),
        ("sip:bob@example.com", ["<sip:hsp.example.com;lr>;x=y", "<sips:h2.example.com;lr>"]),
    ] {
        let mut solo = Solo::with(super::config("sip:alice@example.com"), Transport::Wss);
        solo.ua.register(solo.now).unwrap();
        solo.drain();
        let register = solo.request(&Method::Register);
        let contact = register.headers().first(HeaderName::Contact).unwrap();
        let route = "Service-Route: <sip:hsp.example.com;lr>;x=y, <sips:h2.example.com;lr>";
        solo.reply(&register, 200, &format!("Contact: {contact};expires=600\r\n{route}\r\n"), "");
        solo.ua.call(solo.now, target, OFFER).unwrap();
        solo.ua.refer(solo.now, target, "sip:carol@example.com", true).unwrap();
        solo.drain();
        for method in [Method::Invite, Method::Refer] {
            let request = solo.request(&method);
            assert_eq!(request.headers().all(HeaderName::Route).collect::<Vec<_>>(), routes, "{method}");
        }
    }
}
