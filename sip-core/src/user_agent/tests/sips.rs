//! What is for a `sips` URI goes over TLS or not at all (RFC 3261 §26.2.2, RFC 5630 §5.1.1).

use super::OFFER;
use super::solo::Solo;
use crate::message::Method;
use crate::transport::Transport;
use crate::user_agent::{CallError, RequestError};

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
