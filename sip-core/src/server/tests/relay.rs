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
        config.peers =
            [super::super::Peer { name: "b".into(), uri: "sip:b.example".into(), sources, trusted: false }]
                .into();
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

/// Every way we know of having a request sent on, tried by everybody who may not: whatever is sent goes back to its sender or
/// to Bob, who is registered here.
#[test]
fn rfc3261_26_3_2_nothing_a_stranger_says_leaves_for_elsewhere() {
    let mut net = Net::with(|config| {
        config.outward = Outward::Anywhere;
        config.preloaded = Preloaded::Accounts;
        config.routing.recurse = true;
        let sources = ["203.0.113.77".parse().unwrap()].into();
        let uri = "sip:198.18.0.50".into();
        config.peers = [super::super::Peer { name: "trunk".into(), uri, sources, trusted: false }].into();
        let peers = [Share { peer: "trunk".into(), priority: 1, weight: 1 }];
        let route = |domain: Option<&str>, numbers| StaticRoute {
            domain: domain.map(SmolStr::from),
            numbers,
            peers: peers.clone().into(),
        };
        config.routes = [route(None, NumberPattern::new("+*")), route(Some("partner.example"), None)].into();
    });
    let bob = ws("bob", 2);
    net.register(&bob);
    let strangers =
        [udp("mallory", 9), tcp("mallory", 6), ws("mallory", 7), udp("mallory", 77), tcp("bob", 8)];
    let uris = [
        "sip:x@b.example",
        "sip:198.18.0.99",
        "sip:+4930@example.com",
        "sip:x@partner.example",
        "sip:bob@example.com;maddr=198.18.0.99",
        "sip:bob@example.com:5099;transport=tcp",
        "sip:x@198.18.0.50",
        "sip:b.example%2f@example.com",
        "sip:example.com;gr=urn:uuid:1",
        "sip:bob@example.com;gr",
        "sip:gruu.AAAA@example.com;gr",
        "sip:192.0.2.1@b.example",
    ];
    let us = "<sip:example.com;lr>";
    let there = "<sip:198.18.0.99;lr>";
    let routes = [
        String::new(),
        format!("Route: {us}\r\n"),
        format!("Route: {us}, {there}\r\n"),
        format!("Route: {there}\r\n"),
        "Route: <sip:example.com>\r\nRoute: <sip:198.18.0.99>\r\n".into(),
        "Route: <sip:token@192.0.2.1:5060;transport=udp;lr>, <sip:token@192.0.2.1:8080;transport=ws;lr>\r\n"
            .into(),
        format!("Route: <sip:192.0.2.1;lr;maddr=198.18.0.99>, {there}\r\n"),
    ];
    let froms = ["mallory@evil.example", "bob@example.com", "nobody@example.com", "bob@192.0.2.1"];
    let mut cseq = 100;
    for stranger in &strangers {
        for uri in uris {
            for route in &routes {
                for from in froms {
                    for (method, to_tag) in [
                        ("INVITE", ""),
                        ("MESSAGE", ";tag=x"),
                        ("REGISTER", ""),
                        ("ACK", ";tag=x"),
                        ("BYE", ""),
                    ] {
                        cseq += 1;
                        let request = stranger.out(method, uri, cseq, route);
                        let request = request
                            .replace(
                                &format!("<sip:{}@example.com>", stranger.name),
                                &format!("<sip:{from}>"),
                            )
                            .replace(&format!("t: <{uri}>"), &format!("t: <{uri}>{to_tag}"))
                            .replace("Call-ID: call", &format!("Call-ID: c{cseq}"))
                            .replace("i: call", &format!("i: c{cseq}"));
                        net.send(stranger, request.clone());
                        for (to, message) in core::mem::take(&mut net.sent) {
                            let mine = [&bob, stranger]
                                .iter()
                                .any(|peer| to.flow == peer.hop.flow && to.remote == peer.hop.remote);
                            assert!(mine, "{request}\nsent to {to:?}\n{}", text(&message));
                        }
                    }
                }
            }
        }
    }
    assert_eq!(net.queries, []);
    assert!(net.identities.keys().eq([&bob.hop.flow]), "{:?}", net.identities);
    assert_eq!(net.server.counters().departed, 0);
}

/// Who is called decides where the call goes on to, and no server that it was sent to through us.
#[test]
fn toll_fraud_another_domains_redirection_is_told_and_not_followed() {
    let mut net = net("udp", &[5081]);
    net.server = {
        let mut config = Config::new(DOMAIN, [1; 32], [2; 32]);
        config.outward = Outward::Anywhere;
        config.routing.recurse = true;
        Server::new(config, Box::new(SeededEntropy(7)))
    };
    let (alice, bob) = (ws("alice", 1), server(Transport::Udp, 5081));
    let invite = call(&mut net, &alice, &bob);
    let contact = format!("Contact: <{}>", bob.contact());
    net.send(&bob, bob.answer(&invite, 302).replace(&contact, "Contact: <sip:+1900@198.18.0.50>"));
    net.request(&bob, &Method::Ack);
    assert!(text(net.expect(&alice, 302).bytes()).contains("sip:+1900@198.18.0.50"));
    net.quiet();
}

#[test]
fn rfc3261_16_4_a_maddr_that_is_ours_is_taken_away() {
    let mut net = Net::new();
    let (bob, phone, other) = (ws("bob", 2), udp("alice", 5), tcp("alice", 6));
    net.register(&bob);
    let message = |peer: &Peer, uri: &str, cseq: u32| {
        peer.out("MESSAGE", uri, cseq, "").replace("<sip:alice@example.com>", "<sip:a@b.example>")
    };
    // By address, by name, with the port and the transport spelled out, and of another kind of socket.
    let rows = [
        (&phone, "sip:bob@example.com;maddr=192.0.2.1"),
        (&phone, "sip:bob@alias.example.com:5060;transport=udp;Maddr=example.com"),
        (&other, "sip:bob@example.com:5070;x=y;maddr=192.0.2.1;transport=TCP"),
    ];
    for (row, (peer, uri)) in rows.into_iter().enumerate() {
        net.send(peer, message(peer, uri, 100 + row as u32));
        assert_eq!(net.request(&bob, &Method::Message).uri(), bob.contact(), "{uri}");
    }
    // Of another port or transport, or another's: it is for whoever is there, and that is not for strangers.
    for (row, uri) in [
        "sip:bob@example.com;maddr=198.18.0.99",
        "sip:bob@example.com:5099;maddr=192.0.2.1",
        "sip:bob@example.com;maddr=192.0.2.1;transport=tcp",
        "sip:bob@example.com;maddr=not%20a%20host",
    ]
    .into_iter()
    .enumerate()
    {
        net.send(&phone, message(&phone, uri, 200 + row as u32));
        net.expect(&phone, 403);
        net.quiet();
    }
}

#[test]
fn rfc3261_16_5_a_maddr_of_anothers_is_the_only_target() {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com;maddr=198.18.0.99", 3, ""));
    let there = elsewhere(Transport::Udp, "198.18.0.99:5060");
    assert_eq!(net.request(&there, &Method::Message).uri(), "sip:bob@example.com;maddr=198.18.0.99");
    net.quiet();
}

#[test]
fn rfc3261_16_4_a_route_with_a_maddr_is_ours_only_if_that_is() {
    let mut net = Net::new();
    let (bob, phone) = (ws("bob", 2), udp("alice", 5));
    net.register(&bob);
    for (row, (maddr, passes)) in
        [("192.0.2.1", true), ("alias.example.com", true), ("198.18.0.99", false)].into_iter().enumerate()
    {
        let route = format!("Route: <sip:example.com;lr;maddr={maddr}>\r\n");
        let message = phone.out("MESSAGE", "sip:bob@example.com", 100 + row as u32, &route);
        net.send(&phone, message.replace("<sip:alice@example.com>", "<sip:a@b.example>"));
        if passes {
            assert!(!net.request(&bob, &Method::Message).headers().has(HeaderName::Route));
        } else {
            net.expect(&phone, 403);
        }
    }
}

/// A Route of the sender's own behind one that names us.
fn preloaded(next: &str) -> String {
    format!("Route: <sip:example.com;lr>\r\nRoute: <sip:{next}>\r\n")
}

#[test]
fn rfc3261_16_4_a_preloaded_route_leads_accounts_on_where_the_configuration_says_so() {
    let mut net = Net::with(|config| {
        config.outward = Outward::Anywhere;
        config.preloaded = Preloaded::Accounts;
    });
    let (alice, phone, there) = (ws("alice", 1), udp("carol", 5), server(Transport::Udp, 5081));
    net.register(&alice);
    let routes = |request: &Request| -> Vec<String> {
        request.headers().list(HeaderName::Route).map(String::from).collect()
    };
    // Whatever the Request-URI is, and within the dialog that it begins.
    net.send(&alice, alice.invite("bob", 2, &preloaded("198.18.0.7:5081;lr")));
    net.expect(&alice, 100);
    let invite = net.request(&there, &Method::Invite);
    assert_eq!(invite.uri(), "sip:bob@example.com");
    assert_eq!(routes(&invite), ["<sip:198.18.0.7:5081;lr>"]);
    net.send(&there, there.answer(&invite, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    for method in [Method::Ack, Method::Bye] {
        net.send(&alice, caller.next(method.as_str()));
        net.request(&there, &method);
    }
    // A strict router; and a phone that proves itself with the request.
    net.send_with_digest(&phone, "carol", &|cseq, extra| {
        phone.out("MESSAGE", "sip:x@b.example", cseq, &format!("{}{extra}", preloaded("198.18.0.7:5081")))
    });
    let message = net.request(&there, &Method::Message);
    assert_eq!(message.uri(), "sip:198.18.0.7:5081");
    assert_eq!(routes(&message), ["<sip:x@b.example>"]);
    assert!(!message.headers().has(HeaderName::ProxyAuthorization));
    // What a number means is for whoever is there to say.
    let number = "tel:+49-30-123456";
    net.send(&alice, alice.out("MESSAGE", number, 40, &preloaded("198.18.0.7:5081;lr")));
    assert_eq!(net.request(&there, &Method::Message).uri(), number);
    net.send_with_digest(&phone, "carol", &|cseq, extra| {
        phone.out("INFO", number, 50 + cseq, &format!("{}{extra}", preloaded("198.18.0.7:5081;lr")))
    });
    assert_eq!(net.request(&there, &Method::Info).uri(), number);
    net.quiet();
}

#[test]
fn rfc3261_26_3_2_a_preloaded_route_leads_nobody_else_on() {
    let private = preloaded("10.0.0.1;lr");
    let route = preloaded("198.51.100.77:5081;lr");
    for allowed in [Preloaded::Nobody, Preloaded::Accounts] {
        let mut net = Net::with(|config| {
            config.outward = Outward::Public;
            config.preloaded = allowed;
            let sources = ["203.0.113.9".parse().unwrap()].into();
            let uri = "sip:peer.example".into();
            config.peers = [super::super::Peer { name: "p".into(), uri, sources, trusted: true }].into();
        });
        let (alice, peer, stranger) = (ws("alice", 1), udp("peer", 9), udp("mallory", 8));
        net.register(&alice);
        let foreign = |request: String| request.replace("@example.com>;tag=from", "@b.example>;tag=from");
        for sender in [&peer, &stranger] {
            net.send(sender, foreign(sender.out("MESSAGE", "sip:alice@example.com", 2, &route)));
            assert_eq!(net.expect(sender, 403).reason(), "Route Leads Elsewhere");
        }
        // Of ours without a proof, within a dialog that is none of ours, a REGISTER, to a private network.
        let unproven = if allowed == Preloaded::Nobody { 403 } else { 407 };
        net.send(&stranger, stranger.out("MESSAGE", "sip:alice@example.com", 3, &route));
        net.expect(&stranger, unproven);
        let within = alice.out("MESSAGE", "sip:bob@example.com", 4, &route);
        net.send(&alice, within.replace("t: <sip:bob@example.com>", "t: <sip:bob@example.com>;tag=x"));
        net.expect(&alice, 403);
        net.send(&alice, alice.register(50, &route));
        net.expect(&alice, 403);
        net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 5, &private));
        net.expect(&alice, 403);
        net.quiet();
        assert_eq!(net.queries, []);
    }
}
