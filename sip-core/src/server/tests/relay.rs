//! Who may send requests to other domains, and to which addresses.

use super::outward::{BOB, call, net, server};
use super::*;

#[test]
fn rfc3261_26_3_2_no_open_relay() {
    let mut net = net("udp", &[5081]);
    let stranger = udp("mallory", 9);
    // Neither a foreign From …
    let foreign = |request: String| request.replace("mallory@example.com", "mallory@evil.example");
    net.send(&stranger, foreign(stranger.out("INVITE", BOB, 2, "")));
    net.expect(&stranger, 403);
    // … nor ours without a password …
    net.send(&stranger, stranger.out("INVITE", BOB, 3, ""));
    net.expect(&stranger, 407);
    // … nor a page that has proven nothing.
    let page = ws("mallory", 4);
    net.send(&page, foreign(page.out("INVITE", BOB, 5, "")));
    net.expect(&page, 407);
    // A REGISTER goes nowhere else.
    net.send(
        &stranger,
        stranger.register(1, "").replace("REGISTER sip:example.com", "REGISTER sip:b.example"),
    );
    net.expect(&stranger, 403);
    assert!(net.queries.is_empty(), "{:?}", net.queries);
    assert_eq!(net.server.counters().relay_refused, 2);
    // With the password the same phone may.
    let phone = udp("alice", 5);
    net.send_with_digest(&phone, "alice", &|cseq, extra| phone.out("INVITE", BOB, cseq, extra));
    net.expect(&phone, 100);
    let invite = net.request(&server(Transport::Udp, 5081), &Method::Invite);
    assert!(!invite.headers().has(HeaderName::ProxyAuthorization));
}

#[test]
fn by_default_nobody_calls_out() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    net.send(&alice, alice.out("INVITE", BOB, 2, ""));
    assert_eq!(net.expect(&alice, 403).reason(), "Domain Not Served Here");
    assert!(net.queries.is_empty());
}

#[test]
fn what_dns_names_in_our_own_network_is_not_reached() {
    let private = [
        "10.0.0.1",
        "127.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.7",
        "0.0.0.0",
        "224.0.1.75",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
    ];
    let mut net = Net::with(|config| config.outward = Outward::Public);
    let alice = ws("alice", 1);
    net.register(&alice);
    for (at, address) in private.iter().enumerate() {
        let host = if address.contains(':') { format!("[{address}]") } else { (*address).into() };
        let uri = format!("sip:x@{host}:5060;transport=tcp");
        net.send(&alice, alice.out("OPTIONS", &uri, 100 + at as u32, ""));
        let refusal = net.expect(&alice, 403);
        assert_eq!(refusal.reason(), "Next Hop Not Allowed", "{address}");
        net.zone.insert(
            Query::Addresses("trap.example".into()),
            Records::Addresses([address.parse().unwrap()].into()),
        );
        net.send(&alice, alice.out("MESSAGE", "sip:x@trap.example:5060", 200 + at as u32, ""));
        net.expect(&alice, 403);
    }
    net.quiet();
    net.send(&alice, alice.out("MESSAGE", "sip:x@203.0.113.77;transport=tcp", 300, ""));
    net.request(&elsewhere(Transport::Tcp, "203.0.113.77:5060"), &Method::Message);
    assert_eq!(net.server.counters().hops_forbidden, 2 * private.len() as u64);
    // Multicast and nobody are no next hop for anybody.
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    net.register(&alice);
    for (cseq, host) in ["224.0.1.75", "0.0.0.0", "[::]", "255.255.255.255"].iter().enumerate() {
        net.send(&alice, alice.out("MESSAGE", &format!("sip:x@{host}"), 400 + cseq as u32, ""));
        net.expect(&alice, 403);
    }
}

#[test]
fn only_peers_call_in_where_the_configuration_says_so() {
    let mut net = Net::with(|config| {
        config.callers = Callers::Peers;
        let sources = ["203.0.113.9".parse().unwrap()].into();
        config.peers = [super::super::Peer { name: "b".into(), uri: "sip:b.example".into(), sources }].into();
    });
    let alice = ws("alice", 1);
    net.register(&alice);
    let foreign = |peer: &Peer, request: String| {
        request.replace(&format!("{}@example.com", peer.name), "bob@b.example")
    };
    let (known, unknown) = (udp("peer", 9), udp("other", 8));
    let call = |peer: &Peer| foreign(peer, peer.out("MESSAGE", "sip:alice@example.com", 2, ""));
    net.send(&unknown, call(&unknown));
    assert_eq!(net.expect(&unknown, 403).reason(), "Caller Not Known Here");
    net.send(&known, call(&known));
    net.request(&alice, &Method::Message);
    // Whoever asks whether we are there is told.
    net.send(&unknown, foreign(&unknown, unknown.out("OPTIONS", "sip:example.com", 3, "")));
    net.expect(&unknown, 200);
    // A peer reaches our users and nobody else.
    net.send(&known, foreign(&known, known.out("MESSAGE", "sip:x@c.example", 4, "")));
    net.expect(&known, 403);
}

#[test]
fn rfc3261_26_3_2_a_token_opens_no_relay_for_the_other_side() {
    let mut net = net("udp", &[5081]);
    let (alice, bob) = (ws("alice", 1), server(Transport::Udp, 5081));
    let invite = call(&mut net, &alice, &bob);
    net.send(&bob, bob.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    net.request(&bob, &Method::Ack);
    // Bob names his own side twice, and somebody else behind it.
    let mut side = Side::callee(&bob, &invite);
    let own = side.routes[0].clone();
    side.routes = [own.clone(), own, "<sip:198.18.0.99:5060;lr>".into()].into();
    side.target = "<sip:victim@198.18.0.99>".into();
    net.send(&bob, side.next("INFO"));
    // It comes back to him and to nobody else.
    net.request(&bob, &Method::Info);
    net.quiet();
}
