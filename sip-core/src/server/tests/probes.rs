//! Peers and static routes of the configuration, and whether the peers are there.

use super::super::{NumberPattern, Peer as Known, Share, StaticRoute};
use super::*;

fn share(peer: &str, priority: u16, weight: u16) -> Share {
    Share { peer: peer.into(), priority, weight }
}

/// Trunks on 198.18.0.7, each on its port.
fn net() -> Net {
    Net::with(|config| {
        let peer = |port: u16| Known {
            name: format!("t{port}").into(),
            uri: format!("sip:198.18.0.7:{port};transport=udp").into(),
            trusted: false,
            sources: ["198.18.0.7".parse().unwrap()].into(),
        };
        config.peers = [peer(5081), peer(5082), peer(5083)].into();
        config.routes = [
            StaticRoute {
                domain: None,
                numbers: NumberPattern::new("+49*"),
                peers: [share("t5081", 1, 10), share("t5082", 2, 0)].into(),
            },
            StaticRoute {
                domain: Some("b.example".into()),
                numbers: None,
                peers: [share("t5083", 1, 1)].into(),
            },
        ]
        .into();
    })
}

fn trunk(port: u16) -> Peer {
    elsewhere(Transport::Udp, &format!("198.18.0.7:{port}"))
}

#[test]
fn a_number_nobody_here_has_goes_to_the_peers_of_its_route() {
    let mut net = net();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, alice.out("INVITE", "sip:+4930123@example.com", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&trunk(5081), &Method::Invite);
    assert_eq!(invite.uri(), "sip:+4930123@198.18.0.7");
    net.send(&trunk(5081), trunk(5081).answer(&invite, 503));
    net.request(&trunk(5081), &Method::Ack);
    let invite = net.request(&trunk(5082), &Method::Invite);
    assert_eq!(invite.uri(), "sip:+4930123@198.18.0.7");
    // Without a route, there is no such user.
    net.send(&alice, alice.out("MESSAGE", "sip:+1555@example.com", 3, ""));
    net.expect(&alice, 404);
    assert!(net.queries.is_empty());
}

#[test]
fn a_domain_with_a_route_is_not_asked_of_dns_and_others_stay_forbidden() {
    let mut net = net();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@b.example", 2, ""));
    let message = net.request(&trunk(5083), &Method::Message);
    assert_eq!(message.uri(), "sip:bob@b.example");
    net.send(&alice, alice.out("MESSAGE", "sip:bob@c.example", 3, ""));
    net.expect(&alice, 403);
    assert!(net.queries.is_empty());
}

#[test]
fn toll_fraud_a_peer_or_a_stranger_is_not_passed_on_to_a_peer() {
    let mut net = net();
    for (cseq, caller) in [trunk(5081), udp("bob", 5)].iter().enumerate() {
        for (more, uri) in ["sip:+4930123@example.com", "sip:bob@b.example"].iter().enumerate() {
            let request = caller.out("MESSAGE", uri, 10 + (2 * cseq + more) as u32, "");
            net.send(caller, request.replace("bob@example.com", "bob@elsewhere.example"));
            let refused = net.response(caller);
            assert!(matches!(refused.status(), 403 | 404), "{}", text(refused.bytes()));
        }
    }
    net.quiet();
}

#[test]
fn shares_are_kept_by_weight() {
    let mut net = Net::with(|config| {
        let peer = |port: u16| Known {
            name: format!("t{port}").into(),
            uri: format!("sip:198.18.0.7:{port};transport=udp").into(),
            trusted: false,
            sources: Vec::new(),
        };
        config.peers = [peer(5081), peer(5082)].into();
        config.routes = [StaticRoute {
            domain: Some("b.example".into()),
            numbers: None,
            peers: [share("t5081", 1, 30), share("t5082", 1, 10)].into(),
        }]
        .into();
    });
    let alice = ws("alice", 1);
    net.register(&alice);
    let mut first = 0;
    for cseq in 0..400 {
        net.send(&alice, alice.out("MESSAGE", "sip:bob@b.example", 100 + cseq, ""));
        let (to, message) = net.sent.pop_front().unwrap();
        first += u32::from(to.remote.port() == 5081);
        let Ok(Message::Request(request)) = Message::parse(message) else { panic!() };
        let trunk = trunk(to.remote.port());
        net.send(&trunk, trunk.answer(&request, 200));
        net.expect(&alice, 200);
    }
    assert!((260..335).contains(&first), "{first} of 400");
}

#[test]
fn rfc3261_11_peers_are_asked_whether_they_are_there() {
    let mut net = net();
    let probe = |net: &mut Net| {
        net.told.clear();
        net.input(Input::Probe { peer: "t5081".into(), call_id: "probe".into() });
        net.request(&trunk(5081), &Method::Options)
    };
    let options = probe(&mut net);
    assert_eq!(options.uri(), "sip:198.18.0.7:5081;transport=udp");
    assert!(options.headers().has(HeaderName::MaxForwards));
    // Asked while it is still asked: nothing.
    net.input(Input::Probe { peer: "t5081".into(), call_id: "probe".into() });
    net.quiet();
    // Any answer is a sign of life, even that it knows no OPTIONS.
    for (status, expected) in [(405, true), (200, true), (503, false), (408, false)] {
        let options = if net.told.is_empty() && status == 405 { options.clone() } else { probe(&mut net) };
        net.send(&trunk(5081), trunk(5081).answer(&options, status));
        let alive = net.told.iter().any(|told| matches!(told, Output::Probed { alive: true, .. }));
        let target = net.told.iter().any(|told| matches!(told, Output::Target { health: Health::Alive, .. }));
        assert_eq!((net.told.len(), alive, target), (2, expected, expected), "{status}");
    }
    // And silence is none.
    probe(&mut net);
    net.advance(Duration::from_secs(33));
    assert!(net.told.iter().any(|told| matches!(told, Output::Probed { alive: false, .. })));
    net.sent.clear();
    net.advance(Duration::from_secs(60));
    assert_eq!(net.server.load(), (0, 0, 0));
    // Nobody has such a name.
    net.told.clear();
    net.input(Input::Probe { peer: "t1".into(), call_id: "probe".into() });
    net.quiet();
    assert!(matches!(&net.told[..], [Output::Probed { peer, alive: false }] if peer == "t1"));
}
