//! To other domains, and to peers.

use super::*;
use crate::transport::target::{Naptr, Srv, Transports};

/// DNS of b.example, which offers everything.
fn zone() -> [(Query, Records); 4] {
    let naptr = |service: &str, replacement: &str, order| Naptr {
        order,
        preference: 1,
        flags: "s".into(),
        service: service.into(),
        regexp: "".into(),
        replacement: replacement.into(),
    };
    let srv =
        |port| Records::Srv([Srv { priority: 1, weight: 1, port, target: "sip.b.example".into() }].into());
    [
        (
            Query::Naptr("b.example".into()),
            Records::Naptr(
                [naptr("SIP+D2U", "_sip._udp.b.example", 1), naptr("SIPS+D2T", "_sips._tcp.b.example", 2)]
                    .into(),
            ),
        ),
        (Query::Srv("_sips._tcp.b.example".into()), srv(5061)),
        (Query::Srv("_sip._udp.b.example".into()), srv(5060)),
        (
            Query::Addresses("sip.b.example".into()),
            Records::Addresses(["203.0.113.80".parse().unwrap()].into()),
        ),
    ]
}

#[test]
fn rfc3263_4_1_a_sips_call_to_another_domain_goes_over_tls() {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    net.zone = zone().into();
    let alice = tls("alice", 41);
    net.register_secured(&alice);
    let invite = secured(&alice.out("INVITE", "sip:bob@b.example", 1, ""));
    net.send_proven(&alice, &invite);
    net.expect(&alice, 100);
    let there = elsewhere(Transport::Tls, "203.0.113.80:5061");
    let sent = net.request(&there, &Method::Invite);
    assert_eq!(sent.uri(), "sips:bob@b.example");
    assert!(sent.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sips:")));
    assert!(!net.queries.contains(&Query::Srv("_sip._udp.b.example".into())));
    // It fails, and nothing is tried but TLS.
    net.send(&there, there.answer(&sent, 503));
    net.request(&there, &Method::Ack);
    net.expect(&alice, 500);
    net.quiet();
}

#[test]
fn rfc5630_5_3_without_tls_of_our_own_no_sips_call_goes_out() {
    for uri in ["sip:bob@b.example", "sip:bob@203.0.113.80", "sip:bob@203.0.113.80;transport=udp"] {
        let mut net = Net::with(|config| {
            config.outward = Outward::Anywhere;
            config.transports = Transports { tls: uri.contains("udp"), ..Transports::ALL };
        });
        net.zone = zone().into();
        let alice = tls("alice", 41);
        net.register_secured(&alice);
        net.send_proven(&alice, &secured(&alice.out("INVITE", uri, 1, "")));
        net.expect(&alice, 100);
        assert!(warning(&net.expect(&alice, 480)).starts_with("380 "), "{uri}");
        net.quiet();
    }
}

#[test]
fn rfc5630_5_3_a_peer_without_tls_has_no_sips_calls() {
    for (uri, transport) in [
        ("sip:203.0.113.80;transport=tcp", None),
        ("sip:203.0.113.80", None),
        ("sips:203.0.113.80", Some(Transport::Tls)),
        ("sip:203.0.113.80:5061;transport=tls", Some(Transport::Tls)),
    ] {
        let mut net = Net::with(|config| {
            config.peers = [crate::server::Peer {
                name: "trunk".into(),
                uri: uri.into(),
                sources: Vec::new(),
                trusted: false,
            }]
            .into();
            let share = Share { peer: "trunk".into(), priority: 1, weight: 1 };
            config.routes =
                [StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers: [share].into() }]
                    .into();
        });
        let alice = tls("alice", 41);
        net.register_secured(&alice);
        net.send_proven(&alice, &secured(&alice.invite("+4930", 1, "")));
        net.expect(&alice, 100);
        match transport {
            None => {
                let refused = net.expect(&alice, 480);
                assert!(warning(&refused).contains("a [[peer]] to have a sips URI"), "{uri}");
            }
            Some(transport) => {
                let there = elsewhere(transport, "203.0.113.80:5061");
                assert_eq!(net.request(&there, &Method::Invite).uri(), "sips:+4930@203.0.113.80");
            }
        }
        net.quiet();
    }
}
