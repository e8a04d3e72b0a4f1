//! What the server side of the transport layer does with the top Via (RFC 3261 §18.2, RFC 3581).
//!
//! What it does not do: add or remove our own Via; that is the transaction user's.

use alloc::string::String;
use core::net::SocketAddr;

use super::Hop;
use crate::message::digits::{self, Decimal};
use crate::message::{Refused, Request, Via, push_param};

/// The request with its top Via as [`stamped`] has it: the form in which everything above the transport layer sees
/// it, so that responses carry the stamp back (§18.2.1).
///
/// The error is a message that its stamp makes larger than [`crate::limits::MESSAGE_BYTES`].
pub fn stamp(request: Request, from: &Hop) -> Result<Request, Refused> {
    match stamped_as(request.via_text(), &request.via(), from) {
        None => Ok(request),
        Some(via) => request.with_top_via(&via),
    }
}

/// The value that takes the place of the top Via's: with `received` when `sent-by` is not the address the request
/// came from (§18.2.1), and with both `received` and `rport` when `rport` is there (RFC 3581 §4).
///
/// A `received` or a valued `rport` that the sender wrote itself is replaced: it must not say where responses go.
/// `None`: the Via stays as it is.
pub fn stamped(via: &str, from: &Hop) -> Option<String> {
    stamped_as(via, &Via::parse(via)?, from)
}

fn stamped_as(text: &str, via: &Via<'_>, from: &Hop) -> Option<String> {
    // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    let source = from.remote.ip().to_canonical();
    let marked = via.marks.rport || via.marks.received;
    if !marked && via.host.ip().map(|ip| ip.to_canonical()) == Some(source) {
        return None;
    }
    let sent_by = text.split(';').next().unwrap_or(text);
    let mut out = String::with_capacity(text.len() + 64);
    out.push_str(sent_by.trim_end_matches([' ', '\t', '\r', '\n']));
    for (name, value) in via.params_of_sender() {
        push_param(&mut out, name, value);
    }
    // An IPv6 address has no brackets here (§25.1 via-received).
    out.push_str(";received=");
    digits::push_ip(&mut out, source);
    if via.marks.rport {
        out.push_str(";rport=");
        out.push_str(Decimal::new(from.remote.port().into()).as_str());
    }
    Some(out)
}

/// Where the response to a request goes that came from `from` with this top Via (§18.2.2).
///
/// Over a connection: back over that very connection; when it is gone, nowhere. As a datagram: from the socket the
/// request came to, to the address it came from; to the source port if `rport` asks for that, else to the port of
/// `sent-by`. `maddr` is ignored: it would let a sender aim our responses at others.
pub fn response_hop(from: &Hop, via: &Via<'_>) -> Hop {
    if from.transport.is_reliable() || via.marks.rport {
        return *from;
    }
    let port = via.port.filter(|port| *port != 0).unwrap_or(5060);
    let mut remote: SocketAddr = from.remote;
    remote.set_port(port);
    Hop { remote, ..*from }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::limits;
    use crate::message::{HeaderName, Method, split_list};
    use crate::transport::{FlowId, Transport};

    fn hop(transport: Transport, remote: &str) -> Hop {
        let local = "192.0.2.99:5060".parse().unwrap();
        Hop { flow: FlowId(1), transport, local, remote: remote.parse().unwrap() }
    }

    #[test]
    fn stamps() {
        let udp = |remote| hop(Transport::Udp, remote);
        let wss = |remote| hop(Transport::Wss, remote);
        let rows = [
            // RFC 3261 §18.2.1
            (
                udp("192.0.2.4:5060"),
                "SIP/2.0/UDP bobspc.biloxi.com:5060",
                Some("SIP/2.0/UDP bobspc.biloxi.com:5060;received=192.0.2.4"),
            ),
            // RFC 3581 §6
            (
                udp("192.0.2.1:9988"),
                "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff",
                Some("SIP/2.0/UDP 10.1.1.1:4540;branch=z9hG4bKkjshdyff;received=192.0.2.1;rport=9988"),
            ),
            // The sender is where it says: nothing to add …
            (udp("192.0.2.4:5060"), "SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1", None),
            (udp("192.0.2.4:9999"), "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1", None),
            (udp("[2001:db8::1]:5060"), "SIP/2.0/UDP [2001:DB8:0::1]:5060;branch=z9hG4bK1", None),
            (udp("[::ffff:192.0.2.4]:5060"), "SIP/2.0/UDP 192.0.2.4", None),
            // … unless it asks (RFC 3581 §4: received too, even if identical, on any transport).
            (
                udp("192.0.2.4:5060"),
                "SIP/2.0/UDP 192.0.2.4;RPORT",
                Some("SIP/2.0/UDP 192.0.2.4;received=192.0.2.4;rport=5060"),
            ),
            (
                hop(Transport::Tcp, "192.0.2.4:40000"),
                "SIP/2.0/TCP 192.0.2.4;rport",
                Some("SIP/2.0/TCP 192.0.2.4;received=192.0.2.4;rport=40000"),
            ),
            // RFC 7118 §8
            (
                wss("198.51.100.5:50000"),
                "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
                Some("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks;received=198.51.100.5"),
            ),
            // RFC 5118 §4.5: no brackets.
            (
                udp("[2001:db8::9:255]:5060"),
                "SIP/2.0/UDP [2001:db8:9:1::a]",
                Some("SIP/2.0/UDP [2001:db8:9:1::a];received=2001:db8::9:255"),
            ),
            (
                udp("[::ffff:192.0.2.4]:5060"),
                "SIP/2.0/UDP h;rport",
                Some("SIP/2.0/UDP h;received=192.0.2.4;rport=5060"),
            ),
            // What the sender claims of itself does not count.
            (
                udp("192.0.2.4:5060"),
                "SIP/2.0/UDP 192.0.2.4;received=203.0.113.1;rport=53;Received=203.0.113.2;branch=b;rport",
                Some("SIP/2.0/UDP 192.0.2.4;branch=b;received=192.0.2.4;rport=5060"),
            ),
            (
                udp("192.0.2.4:5060"),
                "SIP/2.0/UDP 192.0.2.4;received",
                Some("SIP/2.0/UDP 192.0.2.4;received=192.0.2.4"),
            ),
            // The rest stays, quotes and folds included.
            (
                udp("192.0.2.4:5060"),
                "SIP / 2.0 / UDP\r\n  h : 5061 ; x=\"a;rport\" ;hidden; maddr=h2",
                Some("SIP / 2.0 / UDP\r\n  h : 5061;x=\"a;rport\";hidden;maddr=h2;received=192.0.2.4"),
            ),
            (udp("192.0.2.4:5060"), "nonsense", None),
        ];
        for (from, via, expected) in rows {
            assert_eq!(stamped(via, &from).as_deref(), expected, "{via}");
        }
    }

    #[test]
    fn responses_go_where_their_requests_came_from() {
        use Transport::{Tcp, Udp, Ws};
        let rows = [
            (Udp, "SIP/2.0/UDP 10.1.1.1:4540;rport", 9988),
            (Udp, "SIP/2.0/UDP 10.1.1.1:4540;received=192.0.2.1;rport=9988", 9988),
            (Udp, "SIP/2.0/UDP 10.1.1.1:4540;received=192.0.2.1", 4540),
            (Udp, "SIP/2.0/UDP 10.1.1.1", 5060),
            (Udp, "SIP/2.0/UDP 10.1.1.1:0", 5060),
            (Udp, "SIP/2.0/UDP 10.1.1.1:4540;maddr=203.0.113.1;received=203.0.113.2", 4540),
            (Tcp, "SIP/2.0/TCP 10.1.1.1:4540", 9988),
            (Ws, "SIP/2.0/WS x.invalid", 9988),
            // The Via lies about the transport.
            (Tcp, "SIP/2.0/UDP 10.1.1.1:4540", 9988),
        ];
        for (transport, via, port) in rows {
            let from = hop(transport, "192.0.2.1:9988");
            let to = response_hop(&from, &Via::parse(via).unwrap());
            assert_eq!(to, hop(transport, &format!("192.0.2.1:{port}")), "{via}");
        }
    }

    fn request(via: &str, body: usize) -> Request {
        let text = format!(
            "OPTIONS sip:b@example.com SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP other;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: {body}\r\n\r\n{}",
            "b".repeat(body)
        );
        Request::parse(Bytes::from(text)).unwrap()
    }

    #[test]
    fn only_the_top_via_is_stamped() {
        let from = hop(Transport::Udp, "192.0.2.1:9988");
        let before = request("SIP/2.0/UDP h;branch=z9hG4bK1;rport , SIP/2.0/UDP i;rport", 3);
        let after = stamp(before, &from).unwrap();
        let vias: alloc::vec::Vec<_> = after.headers().list(HeaderName::Via).collect();
        assert_eq!(
            vias,
            [
                "SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.1;rport=9988",
                "SIP/2.0/UDP i;rport",
                "SIP/2.0/UDP other;rport"
            ]
        );
        assert_eq!((after.branch(), after.body()), (Some("z9hG4bK1"), &b"bbb"[..]));
        // A second stamp says the same.
        let again = stamp(after.clone(), &from).unwrap();
        assert_eq!(again.bytes(), after.bytes());
    }

    /// What is not read again of a stamped request is as if it were.
    #[test]
    fn a_stamped_request_is_as_its_bytes_are_read() {
        let from = hop(Transport::Ws, "192.0.2.1:9988");
        let many: String = (0..30).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let vias = [
            "SIP/2.0/WS x.invalid;branch=z9hG4bK1;rport",
            "SIP/2.0/WS x.invalid ; branch = z9hG4bK1",
            "SIP/2.0/WS x.invalid;branch=z9hG4bK1;rport , SIP/2.0/UDP i;rport",
            "SIP/2.0/WS 192.0.2.1;received=203.0.113.255.invalid.example;branch=z9hG4bK1;rport=1",
            ", SIP/2.0/WS x.invalid;rport",
            "SIP/2.0/WS\r\n x.invalid;rport",
            "SIP/2.0/WS x.invalid",
        ];
        for (via, more) in vias.iter().flat_map(|via| [(via, ""), (via, "Supported: path\r\n"), (via, &many)])
        {
            for (before, after) in [(more, ""), ("", more)] {
                let text = format!(
                    "INVITE sip:b@example.com SIP/2.0\r\n{before}Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nv: {via}\r\n{after}Via: \
                     SIP/2.0/UDP other;rport\r\nTo: \"B\" <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\nbody"
                );
                let request = Request::parse(Bytes::from(text)).unwrap();
                let shared = request.clone();
                let stamped = stamp(request, &from).unwrap();
                let read = Request::parse(stamped.bytes().clone()).unwrap();
                assert_eq!(format!("{stamped:?}"), format!("{read:?}"), "{via}");
                assert_eq!(stamped.body(), b"body");
                assert!(stamped.via().marks.received && *stamped.method() == Method::Invite);
                // Whoever shares the request sees it as it came.
                assert!(shared.bytes().len() < stamped.bytes().len() || via.contains("203"));
            }
        }
    }

    #[test]
    fn a_stamp_that_makes_a_message_too_large_is_told() {
        let via = "SIP/2.0/UDP h;branch=z9hG4bK1";
        let room = limits::MESSAGE_BYTES - request(via, 65_000).bytes().len();
        let largest = request(via, 65_000 + room);
        assert_eq!(largest.bytes().len(), limits::MESSAGE_BYTES);
        let refused = stamp(largest, &hop(Transport::Udp, "192.0.2.1:9988")).unwrap_err();
        assert_eq!(refused.error.fault.status(), 513);
    }

    proptest! {
        /// A stamped Via is a Via, has each parameter once, and stamping it again changes nothing.
        #[test]
        fn stamps_are_vias(params in "(;(rport|received|branch|x)(=(1|h|\"[^\"\\\\]*\"))?){0,5}", v6: u128, port: u16) {
            let from = Hop {
                remote: SocketAddr::new(core::net::Ipv6Addr::from(v6).into(), port),
                ..hop(Transport::Udp, "192.0.2.1:9988")
            };
            let via = format!("SIP/2.0/UDP h:5060{params}");
            if let Some(out) = stamped(&via, &from) {
                let parsed = Via::parse(&out).unwrap();
                let count = |n: &str| parsed.params.iter().filter(|(name, _)| *name == n).count();
                prop_assert_eq!(count("received"), 1);
                prop_assert!(count("rport") <= 1);
                prop_assert_eq!(split_list(&out).count(), 1);
                prop_assert_eq!(stamped(&out, &from), Some(out));
            }
        }
    }
}
