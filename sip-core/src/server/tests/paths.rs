//! Registrations behind proxies whose connection is gone, and that are found by their Path (RFC 3327).

use super::dialogs::works;
use super::*;
use crate::message::typed::Route;

/// Where the proxy before Bob's phone listens; its connections come from other ports.
const EDGE: &str = "203.0.113.9:5070";
const PATH: &str = "<sip:token@203.0.113.9:5070;transport=tcp;lr;ob>";

fn edge_peer() -> Peer {
    elsewhere(Transport::Tcp, EDGE)
}

/// A server that knows an edge proxy, and a trunk.
fn with_edge(configure: impl FnOnce(&mut Config)) -> Net {
    let peer = |name: &str, uri: &str, source: &str| super::super::Peer {
        name: name.into(),
        uri: uri.into(),
        sources: [source.parse().unwrap()].into(),
        trusted: false,
    };
    Net::with(|config| {
        config.peers = [
            peer("edge", "sip:203.0.113.9:5070;transport=tcp", "203.0.113.9"),
            peer("trunk", "sip:203.0.113.77:5060;transport=tcp", "203.0.113.77"),
        ]
        .into();
        configure(config);
    })
}

/// Bob's phone registers through a connection.
fn register_through(net: &mut Net, through: &Peer, path: &str, cseq: u32) {
    net.send_with_digest(through, "bob", &|more, extra| {
        let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000aa>\";reg-id=1";
        let contact = format!("Contact: <sip:bob@10.0.0.7>;{instance}\r\n");
        let fields = format!("Path: {path}\r\n{contact}Supported: path, outbound\r\n{extra}");
        through.register(cseq + more, &fields)
    });
    net.expect(through, 200);
}

/// Alice's page, and Bob's phone behind a proxy whose connection has closed.
fn gone(configure: impl FnOnce(&mut Config)) -> (Net, Peer) {
    let mut net = with_edge(configure);
    let alice = ws("alice", 1);
    net.register(&alice);
    register_through(&mut net, &tcp("bob", 40_000), PATH, 1);
    net.close(&tcp("bob", 40_000));
    (net, alice)
}

fn routes(request: &Request) -> Vec<&str> {
    request.headers().list(HeaderName::Route).collect()
}

#[test]
fn rfc3327_5_3_the_first_uri_of_the_path_is_the_next_hop_where_the_connection_is_gone() {
    let (mut net, alice) = gone(|_| {});
    let edge = edge_peer();
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&edge, &Method::Invite);
    assert_eq!(invite.uri(), "sip:bob@10.0.0.7");
    // RFC 5626 §5.3: the token of the flow is the proxy's own.
    assert_eq!(routes(&invite), [PATH]);
    net.send(&edge, edge.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&edge, &invite));
    net.send(&alice, caller.next("ACK"));
    net.request(&edge, &Method::Ack);
    assert_eq!(net.server.counters().paths_followed, 1);

    // Over the same connection, as long as it lasts; then over another.
    for paths in [1, 2] {
        net.send(&alice, caller.next("INFO"));
        let info = net.request(&edge, &Method::Info);
        net.send(&edge, edge.answer(&info, 200));
        net.expect(&alice, 200);
        assert_eq!(net.server.counters().paths_followed, paths);
        net.close(&edge);
    }
    // The other way it comes over connections of its own, whether we have one or not.
    for (flow, method) in [(40_001, "INFO"), (40_002, "BYE")] {
        callee.peer = tcp("bob", flow);
        net.send(&callee.peer.clone(), callee.next(method));
        let request = net.request(&alice, &Method::from_token(method));
        net.send(&alice, alice.answer(&request, 200));
        net.expect(&callee.peer, 200);
        net.send(&alice, caller.next("INFO"));
        let info = net.request(&edge, &Method::Info);
        net.send(&edge, edge.answer(&info, 200));
        net.expect(&alice, 200);
        assert_eq!(net.server.counters().paths_followed, 3);
    }
    // From elsewhere it is another's.
    for thief in
        [Peer { hop: Hop { transport: Transport::Tcp, ..udp("bob", 8).hop }, ..tcp("bob", 7) }, udp("bob", 9)]
    {
        callee.peer = thief.clone();
        net.send(&thief, callee.next("INFO"));
        net.expect(&thief, 403);
    }
    net.quiet();
    net.advance(Duration::from_secs(60));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3327_5_3_a_path_that_names_a_domain_is_looked_for() {
    let mut net = with_edge(|_| {});
    let alice = ws("alice", 1);
    net.register(&alice);
    let path = "<sip:token@edge.example.net;transport=tcp;lr;ob>";
    register_through(&mut net, &tcp("bob", 40_000), path, 1);
    net.close(&tcp("bob", 40_000));
    net.zone.insert(
        Query::Srv("_sip._tcp.edge.example.net".into()),
        Records::Srv(
            [crate::transport::target::Srv {
                priority: 1,
                weight: 1,
                port: 5070,
                target: "a.example.net".into(),
            }]
            .into(),
        ),
    );
    net.zone.insert(
        Query::Addresses("a.example.net".into()),
        Records::Addresses(["203.0.113.9".parse().unwrap()].into()),
    );
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 2, ""));
    let message = net.request(&edge_peer(), &Method::Message);
    assert_eq!(routes(&message), [path]);
    net.send(&edge_peer(), edge_peer().answer(&message, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc3261_16_6_7_a_proxy_that_is_slow_or_dead_delays_no_other_phone() {
    let slow: SocketAddr = EDGE.parse().unwrap();
    for (answers, status) in [(true, 200), (false, 200), (false, 486)] {
        let (mut net, alice) = gone(|_| {});
        let (page, edge) = (ws("bob", 2), edge_peer());
        net.register(&page);
        net.slow.insert(slow);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        let invite = net.request(&page, &Method::Invite);
        net.quiet();
        net.send(&page, page.answer(&invite, 180));
        net.expect(&alice, 180);
        net.advance(Duration::from_secs(2));
        if answers {
            // It rings as well, and the other is told.
            net.slow.clear();
            net.answer_waiting(false);
            let second = net.request(&edge, &Method::Invite);
            assert_eq!((second.uri(), routes(&second)), ("sip:bob@10.0.0.7", [PATH].into()));
            net.send(&edge, edge.answer(&second, status));
            net.expect(&alice, status);
            net.request(&page, &Method::Cancel);
        } else {
            net.send(&page, page.answer(&invite, status));
            if status == 486 {
                // It may ring yet, but not for long.
                net.request(&page, &Method::Ack);
                net.quiet();
                net.advance(Duration::from_secs(3));
            }
            net.expect(&alice, status);
            // Nobody is called any more.
            net.slow.clear();
            net.answer_waiting(false);
        }
        net.quiet();
    }
}

/// Without anybody else it is away, and for no longer than others.
#[test]
fn rfc3327_5_3_who_is_behind_a_dead_proxy_is_away() {
    for dead in [true, false] {
        let (mut net, alice) = gone(|_| {});
        let there: SocketAddr = EDGE.parse().unwrap();
        if dead {
            net.dead.insert(there);
        } else {
            net.slow.insert(there);
        }
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        net.advance(Duration::from_secs(4));
        net.quiet();
        net.advance(Duration::from_secs(1));
        net.expect(&alice, 480);
        // Through another proxy the phone is back in time.
        net.send(&alice, alice.invite("bob", 5, "").replace("Call-ID: call", "Call-ID: other"));
        net.expect(&alice, 100);
        let other = tcp("bob", 40_003);
        register_through(&mut net, &other, "<sip:other@203.0.113.9:5071;transport=tcp;lr;ob>", 20);
        net.answer_waiting(false);
        assert_eq!(net.request(&other, &Method::Invite).uri(), "sip:bob@10.0.0.7");
        net.quiet();
        // What leads to the proxy after all comes too late.
        net.slow.clear();
        net.answer_waiting(false);
        net.quiet();
    }
}

/// A Path is what its user wrote, unless a proxy of the configuration brought it: no way into our network, nor to a trunk.
#[test]
fn rfc3327_6_a_path_leads_to_the_peer_that_brought_it_or_where_users_may_send() {
    let here = |port| format!("sip:x@{port};transport=tcp;lr");
    let (private, public, trunk, edge) =
        (here("10.0.0.5:25"), here("198.51.100.9:5070"), here("203.0.113.77:5060"), here("203.0.113.9:5070"));
    let user: SocketAddr = "198.51.100.77:40000".parse().unwrap();
    for (outward, from_edge, path, follows) in [
        (Outward::Nowhere, true, &edge, true),
        (Outward::Nowhere, true, &trunk, false),
        (Outward::Nowhere, true, &private, false),
        (Outward::Nowhere, true, &public, false),
        (Outward::Nowhere, false, &edge, false),
        (Outward::Nowhere, false, &trunk, false),
        (Outward::Nowhere, false, &public, false),
        (Outward::Public, false, &public, true),
        (Outward::Public, false, &private, false),
        (Outward::Public, false, &trunk, false),
        (Outward::Public, true, &trunk, false),
        (Outward::Anywhere, false, &private, true),
        (Outward::Anywhere, false, &trunk, false),
        (Outward::Anywhere, false, &here("0.0.0.0:5060"), false),
        (Outward::Public, false, &"tel:+49".into(), false),
    ] {
        let mut net = with_edge(|config| config.outward = outward);
        let alice = ws("alice", 1);
        net.register(&alice);
        let mut phone = tcp("bob", 40_000);
        if !from_edge {
            phone.hop.remote = user;
        }
        register_through(&mut net, &phone, &format!("<{path}>"), 1);
        net.close(&phone);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        let counters = net.server.counters();
        assert_eq!(counters.paths_followed, u64::from(follows), "{outward:?} {from_edge} {path}");
        if follows {
            let address = path.split('@').nth(1).unwrap().split(';').next().unwrap();
            let invite = net.request(&elsewhere(Transport::Tcp, address), &Method::Invite);
            assert!(invite.headers().typed_all::<Route<'_>>().next().is_some());
        } else {
            assert!(net.waiting.iter().all(|(_, question)| !matches!(question, Question::Connect { .. })));
            net.advance(Duration::from_secs(5));
            net.expect(&alice, 480);
        }
        net.quiet();
    }
}

/// A proxy that is known by its certificate, wherever it is, is found by the name that the configuration has for it.
#[test]
fn rfc3327_6_a_path_leads_to_the_name_of_the_peer_that_brought_it() {
    for (shows, host, follows) in [
        ("edge.example.net", "edge.example.net", true),
        ("edge.example.net", "other.example.net", false),
        ("c.example", "edge.example.net", false),
    ] {
        let mut net = Net::with(|config| {
            let uri = "sip:edge.example.net;transport=tls".into();
            let (name, sources) = ("edge".into(), Vec::new());
            config.peers = [super::super::Peer { name, uri, sources, trusted: false }].into();
        });
        let alice = ws("alice", 1);
        net.register(&alice);
        let edge = elsewhere(Transport::Tls, "10.0.0.9:40000");
        net.certified.insert(edge.hop.flow, [SmolStr::from(shows)].into());
        register_through(&mut net, &edge, &format!("<sip:token@{host}:5061;transport=tls;lr;ob>"), 1);
        net.close(&edge);
        let there = Records::Addresses(["10.0.0.9".parse().unwrap()].into());
        net.zone.insert(Query::Addresses(host.into()), there);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        assert_eq!(net.server.counters().paths_followed, u64::from(follows), "{shows} {host}");
        if follows {
            net.request(&elsewhere(Transport::Tls, "10.0.0.9:5061"), &Method::Invite);
        }
        net.quiet();
    }
}

/// A call that went on to another address comes back to nobody; and one that goes on to Bob finds him.
#[test]
fn rfc3327_5_3_calls_that_are_forwarded() {
    let rule = |when, to: &str| ForwardRule {
        user: Some("bob".into()),
        when,
        forward: Forward { to: to.into(), private: false },
    };
    let no_answer = Occasion::NoAnswer(Duration::from_secs(2));
    let (mut net, alice) =
        gone(|config| config.forwarding = [rule(no_answer, "sip:carol@example.com")].into());
    let (page, carol) = (ws("bob", 2), ws("carol", 3));
    net.register(&page);
    net.register(&carol);
    net.slow.insert(EDGE.parse().unwrap());
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&page, &Method::Invite);
    net.send(&page, page.answer(&invite, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(2));
    net.expect(&alice, 181);
    net.sent.retain(|(to, _)| to.flow != page.hop.flow);
    net.request(&carol, &Method::Invite);
    net.slow.clear();
    net.answer_waiting(false);
    net.quiet();

    let to_bob = ForwardRule { user: Some("carol".into()), ..rule(Occasion::Always, "sip:bob@example.com") };
    let (mut net, alice) = gone(|config| config.forwarding = [to_bob].into());
    net.send(&alice, alice.invite("carol", 2, ""));
    net.expect(&alice, 100);
    net.expect(&alice, 181);
    net.request(&edge_peer(), &Method::Invite);
    net.quiet();
}

/// A connection for each of those that wait would be too many.
#[test]
fn rfc3327_5_3_one_connection_is_sought_for_all_who_wait() {
    let (mut net, alice) = gone(|_| {});
    net.slow.insert(EDGE.parse().unwrap());
    for number in 0..5 {
        let invite = alice.invite("bob", 2, "").replace("Call-ID: call", &format!("Call-ID: {number}"));
        net.send(&alice, invite.replace("branch=z9hG4bK", &format!("branch=z9hG4bK{number}")));
        net.expect(&alice, 100);
    }
    let dials = |net: &Net| {
        net.waiting.iter().filter(|(_, question)| matches!(question, Question::Connect { .. })).count()
    };
    assert_eq!(dials(&net), 1);
    net.slow.clear();
    net.answer_waiting(false);
    for _ in 0..5 {
        net.request(&edge_peer(), &Method::Invite);
    }
    net.quiet();
    assert!(net.server.edges.is_empty());
}

/// All phones behind a proxy share its connections, and whoever registered last over one is not who calls over it.
#[test]
fn rfc3327_5_3_who_calls_through_a_proxy_is_found_along_its_path_as_well() {
    for phones in [1, 2] {
        let mut net = with_edge(|_| {});
        let alice = ws("alice", 1);
        net.register(&alice);
        let [first, next] = [40_000, 40_001].map(|flow| tcp("bob", flow));
        for (name, at) in
            [("bob", 7), ("bob", 8), ("carol", 9)].into_iter().filter(|(_, at)| *at != 8 || phones == 2)
        {
            let through = tcp(name, 40_000);
            net.send_with_digest(&through, name, &|more, extra| {
                let instance =
                    format!("+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000{at:02}>\"");
                let contact = format!("Contact: <sip:{name}@10.0.0.{at}>;{instance};reg-id=1\r\n");
                let fields = format!("Path: {PATH}\r\n{contact}Supported: path, outbound\r\n{extra}");
                through.register(at * 10 + more, &fields).replace("Call-ID: reg", &format!("Call-ID: {at}"))
            });
            net.expect(&through, 200);
        }
        net.send_with_digest(&first, "bob", &|cseq, extra| {
            let fields = format!("Record-Route: <sip:203.0.113.9:5070;transport=tcp;lr>\r\n{extra}");
            first.invite("alice", cseq, &fields).replace(&first.contact(), "sip:bob@10.0.0.7;ob")
        });
        net.expect(&first, 100);
        let invite = net.request(&alice, &Method::Invite);
        net.send(&alice, alice.answer(&invite, 200));
        let ok = net.expect(&first, 200);
        let (mut caller, mut callee) = (Side::caller(&first, &ok), Side::callee(&alice, &invite));
        // The proxy has taken its own away.
        caller.routes.remove(0);
        net.send(&first, caller.next("ACK"));
        net.request(&alice, &Method::Ack);
        works(&mut net, &mut callee, &first, "INFO");
        // Over another connection of the proxy's, and over one to it.
        net.close(&first);
        caller.peer = next;
        works(&mut net, &mut caller, &alice, "INFO");
        works(&mut net, &mut callee, &edge_peer(), "INFO");
        works(&mut net, &mut caller, &alice, "BYE");
    }
}
