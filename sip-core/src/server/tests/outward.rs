//! Requests for other domains: where they go, and what happens when that fails.

use super::*;
use crate::transport::target::Srv;

pub(super) const BOB: &str = "sip:bob@b.example";

/// A server whose users may call anywhere, and DNS that knows b.example on these ports of two hosts.
pub(super) fn net(transport: &str, ports: &[u16]) -> Net {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    let record = |(priority, port): (usize, &u16)| Srv {
        priority: priority as u16,
        weight: 0,
        port: *port,
        target: format!("s{port}.b.example").into(),
    };
    let name = format!("_sip._{transport}.b.example").into();
    net.zone.insert(Query::Srv(name), Records::Srv(ports.iter().enumerate().map(record).collect()));
    for port in ports {
        let host = Query::Addresses(format!("s{port}.b.example").into());
        net.zone.insert(host, Records::Addresses(["198.18.0.7".parse().unwrap()].into()));
    }
    net
}

pub(super) fn server(transport: Transport, port: u16) -> Peer {
    elsewhere(transport, &format!("198.18.0.7:{port}"))
}

/// Alice on a WebSocket calls Bob; what was sent to Bob's domain.
pub(super) fn call(net: &mut Net, alice: &Peer, bob: &Peer) -> Request {
    net.register(alice);
    net.send(alice, alice.out("INVITE", BOB, 2, ""));
    net.expect(alice, 100);
    net.request(bob, &Method::Invite)
}

#[test]
fn rfc3261_16_6_a_call_to_another_domain_and_both_ways_in_it() {
    let mut net = net("udp", &[5081]);
    let (alice, bob) = (ws("alice", 1), server(Transport::Udp, 5081));
    let invite = call(&mut net, &alice, &bob);
    assert_eq!(invite.uri(), BOB);
    assert!(invite.headers().first(HeaderName::Via).unwrap().starts_with("SIP/2.0/UDP 192.0.2.1:5060;"));
    let records: Vec<&str> = invite.headers().list(HeaderName::RecordRoute).collect();
    assert!(records[0].contains("@192.0.2.1:5060;transport=udp;lr"), "{records:?}");
    assert!(records[1].contains("@192.0.2.1:8080;transport=ws;lr"), "{records:?}");
    net.send(&bob, bob.answer(&invite, 180));
    net.expect(&alice, 180);
    net.send(&bob, bob.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&bob, &invite));
    net.send(&alice, caller.next("ACK"));
    net.request(&bob, &Method::Ack);
    for _ in 0..2 {
        net.send(&alice, caller.next("INFO"));
        let info = net.request(&bob, &Method::Info);
        assert_eq!(info.uri(), bob.contact());
        assert!(!info.headers().has(HeaderName::Route));
        net.send(&bob, bob.answer(&info, 200));
        net.expect(&alice, 200);
    }
    net.send(&bob, callee.next("BYE"));
    let bye = net.request(&alice, &Method::Bye);
    net.send(&alice, alice.answer(&bye, 200));
    net.expect(&bob, 200);
    net.quiet();
    assert_eq!(net.server.counters().departed, 4);
}

#[test]
fn rfc3261_16_6_step_6_in_a_dialog_the_next_route_says_where() {
    let mut net = net("tcp", &[5081]);
    let (alice, bob) = (ws("alice", 1), server(Transport::Tcp, 5081));
    let invite = call(&mut net, &alice, &bob);
    // Bob's domain records another of its servers.
    let recorded = "Record-Route: <sip:198.18.0.8:5090;transport=tcp;lr>\r\n";
    let answer = bob.answer(&invite, 200).replacen("Record-Route:", &format!("{recorded}Record-Route:"), 1);
    net.send(&bob, answer);
    let ok = net.expect(&alice, 200);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    let inner = elsewhere(Transport::Tcp, "198.18.0.8:5090");
    let ack = net.request(&inner, &Method::Ack);
    assert_eq!(
        ack.headers().list(HeaderName::Route).collect::<Vec<_>>(),
        ["<sip:198.18.0.8:5090;transport=tcp;lr>"]
    );
    assert_eq!(ack.uri(), bob.contact());
    // Where it leads nowhere, the server that the dialog was begun through is the next hop.
    let lost = answer_with_route(&bob, &invite, "<sip:x.invalid;lr>");
    net.send(&bob, lost);
    let ok = net.expect(&alice, 200);
    net.send(&alice, Side::caller(&alice, &ok).next("BYE"));
    net.request(&bob, &Method::Bye);
}

fn answer_with_route(bob: &Peer, invite: &Request, route: &str) -> String {
    bob.answer(invite, 200).replacen("Record-Route:", &format!("Record-Route: {route}\r\nRecord-Route:"), 1)
}

#[test]
fn rfc3263_4_3_the_next_server_is_tried_with_a_new_branch() {
    let mut net = net("udp", &[5081, 5082, 5083]);
    let (alice, first, second, third) = (
        ws("alice", 1),
        server(Transport::Udp, 5081),
        server(Transport::Udp, 5082),
        server(Transport::Udp, 5083),
    );
    let one = call(&mut net, &alice, &first);
    // The first says 503, and for how long.
    net.send(&first, first.answer(&one, 503).replace("X-Odd:", "Retry-After: 77\r\nX-Odd:"));
    net.request(&first, &Method::Ack);
    let two = net.request(&second, &Method::Invite);
    assert_ne!(one.branch(), two.branch());
    assert_eq!(one.uri(), two.uri());
    // The second is silent: never two at once, and the third only after the second was given up.
    net.advance(Duration::from_millis(4_900));
    while let Some((to, _)) = net.sent.front() {
        assert_eq!(to.remote, second.hop.remote);
        net.sent.pop_front();
    }
    net.advance(Duration::from_millis(200));
    let three = net.request(&third, &Method::Invite);
    net.advance(Duration::from_millis(300));
    net.quiet();
    net.send(&third, third.answer(&three, 200));
    net.expect(&alice, 200);
    let failed: Vec<(u16, Option<u64>)> = net
        .told
        .iter()
        .filter_map(|told| match told {
            Output::Target { remote, health: Health::Failed(after), .. } => {
                Some((remote.port(), after.map(|after| after.as_secs())))
            }
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(5081, Some(77)), (5082, None)]);
    assert_eq!(net.server.counters().failovers, 2);
    // What the second says now is nobody's.
    net.send(&second, second.answer(&two, 200));
    net.quiet();
}

#[test]
fn rfc3263_4_3_a_lost_connection_is_a_failure_unless_it_rang() {
    for rang in [false, true] {
        let mut net = net("tcp", &[5081, 5082]);
        let (alice, first, second) =
            (ws("alice", 1), server(Transport::Tcp, 5081), server(Transport::Tcp, 5082));
        let one = call(&mut net, &alice, &first);
        if rang {
            net.send(&first, first.answer(&one, 180));
            net.expect(&alice, 180);
        }
        net.close(&first);
        if rang {
            net.expect(&alice, 500);
        } else {
            net.request(&second, &Method::Invite);
        }
        net.quiet();
    }
}

#[test]
fn rfc3263_4_3_when_all_have_failed_the_request_has() {
    let mut net = net("udp", &[5081, 5082]);
    let alice = ws("alice", 1);
    for port in [5081, 5082] {
        let server = server(Transport::Udp, port);
        let invite = if port == 5081 {
            call(&mut net, &alice, &server)
        } else {
            net.request(&server, &Method::Invite)
        };
        net.send(&server, server.answer(&invite, 503));
        net.request(&server, &Method::Ack);
    }
    // §16.7 step 6.
    net.expect(&alice, 500);
    net.advance(Duration::from_secs(40));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_16_10_a_cancelled_request_is_not_tried_elsewhere() {
    let mut net = net("udp", &[5081, 5082]);
    let (alice, first) = (ws("alice", 1), server(Transport::Udp, 5081));
    let invite = call(&mut net, &alice, &first);
    net.send(&first, first.answer(&invite, 100));
    let cancel = alice.out("CANCEL", BOB, 2, "").replace("CANCEL2", "INVITE2");
    net.send(&alice, cancel);
    net.expect(&alice, 200);
    net.request(&first, &Method::Cancel);
    net.send(&first, first.answer(&invite, 503));
    net.request(&first, &Method::Ack);
    net.expect(&alice, 500);
    net.quiet();
}

#[test]
fn rfc3261_16_10_a_cancel_while_dns_is_asked_ends_the_request() {
    let mut net = net("udp", &[5081]);
    let alice = ws("alice", 1);
    net.register(&alice);
    net.silent = true;
    net.send(&alice, alice.out("INVITE", BOB, 2, ""));
    net.expect(&alice, 100);
    net.send(&alice, alice.out("CANCEL", BOB, 2, "").replace("CANCEL2", "INVITE2"));
    net.expect(&alice, 200);
    net.expect(&alice, 487);
    net.silent = false;
    net.answer_waiting(false);
    net.quiet();
}

#[test]
fn where_a_domain_leads_nowhere_the_answer_says_why() {
    let mut net = net("udp", &[5081]);
    let alice = ws("alice", 1);
    net.register(&alice);
    let silent = Query::Addresses("silent.example".into());
    net.zone.insert(silent, Records::Failed);
    net.dead.insert("198.18.0.7:5081".parse().unwrap());
    let rows = [
        ("sip:x@p1.invalid", 404, "Domain Cannot Be Reached"),
        ("sip:x@unknown.example", 404, "Domain Not Found"),
        ("sip:x@silent.example:5060", 504, "DNS Does Not Answer"),
        ("sip:x@b.example;transport=sctp", 502, "No Transport To That Domain"),
        (BOB, 504, "Next Hop Cannot Be Reached"),
    ];
    for (cseq, (uri, status, reason)) in rows.iter().enumerate() {
        net.send(&alice, alice.out("MESSAGE", uri, 10 + cseq as u32, ""));
        assert_eq!(net.expect(&alice, *status).reason(), *reason, "{uri}");
    }
    // A DNS that never answers is given up.
    net.silent = true;
    net.send(&alice, alice.out("MESSAGE", BOB, 50, ""));
    net.advance(Duration::from_secs(60));
    // RFC 4320 §4.1.
    net.expect(&alice, 100);
    assert_eq!(net.expect(&alice, 504).reason(), "DNS Does Not Answer");
    net.quiet();
    net.advance(Duration::from_secs(60));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_18_1_1_a_long_request_is_sent_over_tcp_and_as_a_datagram_where_nobody_listens() {
    let uri = "sip:bob@198.18.0.7:5081";
    for listens in [true, false] {
        let mut net = net("udp", &[]);
        let alice = ws("alice", 1);
        net.register(&alice);
        if !listens {
            // The test's dead are addresses; as a datagram's they would be as dead.
            net.server.config.transports.tcp = false;
        }
        let padding = format!("X-Padding: {}\r\n", "x".repeat(1_000));
        net.send(&alice, alice.out("MESSAGE", uri, 2, &padding));
        let transport = if listens { Transport::Tcp } else { Transport::Udp };
        let message = net.request(&server(transport, 5081), &Method::Message);
        let via = message.headers().first(HeaderName::Via).unwrap();
        assert!(via.starts_with(&format!("SIP/2.0/{}", transport.via_token())), "{via}");
        // A short one does not care.
        net.send(&alice, alice.out("MESSAGE", uri, 3, ""));
        net.request(&server(Transport::Udp, 5081), &Method::Message);
    }
}

/// Within dialogs no less, wherever they began: to the server that its Record-Route names, unless that says `transport=udp`.
#[test]
fn rfc3261_18_1_1_what_is_long_within_a_dialog_is_sent_over_tcp() {
    let long =
        |request: String| request.replace("X-Odd:", &format!("X-Padding: {}\r\nX-Odd:", "x".repeat(1_000)));
    let datagrams = |config: &mut Config, uri: &str| {
        let (name, uri, sources) = ("b".into(), uri.into(), ["198.18.0.7".parse().unwrap()].into());
        config.peers = [super::super::Peer { name, uri, sources, trusted: false }].into();
    };
    for (route, operator, transport) in [
        ("sip:b@198.18.0.7:5081;lr", "", Transport::Tcp),
        ("sip:b@198.18.0.7:5081;transport=udp;lr", "", Transport::Udp),
        // It leads nowhere: the server that the dialog was begun through.
        ("sip:x.invalid;lr", "", Transport::Tcp),
        // Whoever runs the server has said over what that peer is reached.
        ("sip:b@198.18.0.7:5081;lr", "sip:198.18.0.7:5081;transport=udp", Transport::Udp),
        ("sip:b@198.18.0.7:5081;lr", "sip:198.18.0.7:5081", Transport::Tcp),
    ] {
        for listens in [true, false] {
            let mut net = net("udp", &[5081]);
            if !operator.is_empty() {
                datagrams(&mut net.server.config, operator);
            }
            net.server.config.transports.tcp = listens;
            let (alice, bob) = (ws("alice", 1), server(Transport::Udp, 5081));
            let invite = call(&mut net, &alice, &bob);
            net.send(&bob, answer_with_route(&bob, &invite, &format!("<{route}>")));
            let ok = net.expect(&alice, 200);
            let mut caller = Side::caller(&alice, &ok);
            net.send(&alice, caller.next("ACK"));
            net.request(&bob, &Method::Ack);
            net.send(&alice, long(caller.next("INFO")));
            let transport = if listens { transport } else { Transport::Udp };
            net.request(&server(transport, 5081), &Method::Info);
            net.send(&alice, caller.next("BYE"));
            net.request(&bob, &Method::Bye);
            net.quiet();
        }
    }
}

/// A stranger's call came as a datagram: what is long goes over TCP to where its Record-Route says, if that is where it came from; all
/// else to where it came from.
#[test]
fn rfc3261_18_1_1_what_is_long_for_a_stranger_on_udp_is_sent_over_tcp() {
    let long =
        |request: String| request.replace("X-Odd:", &format!("X-Padding: {}\r\nX-Odd:", "x".repeat(1_000)));
    let public = "192.31.195.7";
    for (route, outward, refuses, streams) in [
        ("sip:b@198.18.0.7:5081;transport=udp;lr", Outward::Anywhere, false, false),
        ("sip:b@198.18.0.7:5081;lr", Outward::Anywhere, false, true),
        ("sip:b@s5081.b.example:5081;lr", Outward::Anywhere, false, true),
        ("sip:b@b.example;lr", Outward::Anywhere, false, true),
        ("sip:b@198.18.0.7:5081;transport=tcp;lr", Outward::Anywhere, false, true),
        // It takes no connection.
        ("sip:b@198.18.0.7:5081;lr", Outward::Anywhere, true, false),
        // Another host than it came from, an address that nobody is sent to, a name that DNS does not know.
        ("sip:b@198.18.0.8:5081;lr", Outward::Anywhere, false, false),
        ("sip:b@198.18.0.7:5081;lr", Outward::Public, false, false),
        ("sip:b@198.18.0.7:5081;lr", Outward::Nowhere, false, false),
        ("sip:b@x.example;lr", Outward::Anywhere, false, false),
        ("sip:b@192.31.195.7:5081;lr", Outward::Public, false, true),
    ] {
        let mut net = net("udp", &[5081]);
        net.server.config.outward = outward;
        let host = if route.contains(public) { public } else { "198.18.0.7" };
        let alice = ws("alice", 1);
        net.register(&alice);
        // From behind a NAT.
        let bob = elsewhere(Transport::Udp, &format!("{host}:40404"));
        let listening = elsewhere(Transport::Tcp, &format!("{host}:5081"));
        if refuses {
            net.dead.insert(listening.hop.remote);
        }
        let recorded = format!("Record-Route: <{route}>\r\n");
        let invite = bob.out("INVITE", "sip:alice@example.com", 2, &recorded);
        net.send(&bob, invite.replace("bob@example.com", "bob@b.example"));
        net.expect(&bob, 100);
        let forwarded = net.request(&alice, &Method::Invite);
        net.send(&alice, alice.answer(&forwarded, 200));
        net.expect(&bob, 200);
        let mut callee = Side::callee(&alice, &forwarded);
        net.send(&alice, callee.next("INFO"));
        net.request(&bob, &Method::Info);
        net.send(&alice, long(callee.next("INFO")));
        let receiver = if streams { &listening } else { &bob };
        let info = net.request(receiver, &Method::Info);
        let via = info.headers().first(HeaderName::Via).unwrap();
        assert!(via.contains(receiver.hop.transport.via_token()), "{route} {via}");
        net.send(receiver, receiver.answer(&info, 200));
        net.expect(&alice, 200);
        net.quiet();
        net.send(&alice, callee.next("BYE"));
        net.request(&bob, &Method::Bye);
    }
}

/// RFC 5923 §8.2, §9.2.
#[test]
fn rfc5923_8_2_an_alias_is_of_who_was_verified() {
    let mut net = Net::new();
    let phone = elsewhere(Transport::Tls, "198.18.0.7:40404");
    let options = |cseq, sent_by: &str| {
        let options =
            phone.out("OPTIONS", "sip:example.com", cseq, "").replace("bob@example.com", "b@b.example");
        options.replace("198.18.0.7:40404;branch", &format!("{sent_by};branch"))
    };
    let domains: Arc<[SmolStr]> = ["b.example".into()].into();
    // Nobody knows who it is.
    net.send(&phone, options(2, "b.example:5071;alias"));
    net.expect(&phone, 200);
    net.certified.insert(phone.hop.flow, domains);
    net.send(&phone, options(3, "b.example:5071"));
    net.expect(&phone, 200);
    assert_eq!(net.aliases, []);
    // The address is where it comes from, the port what it says, else 5061.
    net.send(&phone, options(4, "b.example:5071;alias"));
    net.expect(&phone, 200);
    net.send(&phone, options(5, "elsewhere.example;alias"));
    net.expect(&phone, 200);
    let at = |port| (phone.hop.flow, SocketAddr::new(phone.hop.remote.ip(), port));
    assert_eq!(net.aliases, [at(5071), at(5061)]);
}

#[test]
fn rfc5923_8_1_the_ack_of_a_2xx_says_alias_too() {
    let mut net = Net::with(|config| {
        config.outward = Outward::Anywhere;
        config.alias = true;
    });
    let alice = ws("alice", 1);
    net.register(&alice);
    for (cseq, transport, says) in [(2, Transport::Tls, true), (4, Transport::Tcp, false)] {
        let bob = server(transport, 5081);
        let uri = format!("sip:bob@198.18.0.7:5081;transport={}", transport.via_token());
        net.send(&alice, alice.out("INVITE", &uri, cseq, ""));
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        let contact = format!("Contact: <{uri}>");
        let answer = bob.answer(&invite, 200).replace(&format!("Contact: <{}>", bob.contact()), &contact);
        net.send(&bob, answer);
        let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
        net.send(&alice, caller.next("ACK"));
        let ack = net.request(&bob, &Method::Ack);
        for message in [&invite, &ack] {
            assert_eq!(message.via().marks.alias, says, "{}", text(message.bytes()));
        }
    }
}

#[test]
fn rfc3261_16_7_step_4_a_redirection_to_another_domain_is_followed_by_policy() {
    let mut net = net("udp", &[5081, 5082]);
    net.server = {
        let mut config = Config::new(DOMAIN, [1; 32], [2; 32]);
        config.outward = Outward::Anywhere;
        config.routing.recurse = true;
        Server::new(config, Box::new(SeededEntropy(7)))
    };
    let (alice, carol) = (ws("alice", 1), ws("carol", 2));
    net.register(&alice);
    net.register(&carol);
    net.send(&alice, alice.invite("carol", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&carol, &Method::Invite);
    let contact = format!("Contact: <{}>", carol.contact());
    let moved = carol.answer(&invite, 302).replace(&contact, "Contact: <sip:bob@b.example;x=1>");
    net.send(&carol, moved);
    net.request(&carol, &Method::Ack);
    let (first, second) = (server(Transport::Udp, 5081), server(Transport::Udp, 5082));
    let one = net.request(&first, &Method::Invite);
    assert_eq!(one.uri(), "sip:bob@b.example;x=1");
    // Where that fails, the next server of that domain gets the same.
    net.send(&first, first.answer(&one, 503));
    net.request(&first, &Method::Ack);
    let two = net.request(&second, &Method::Invite);
    assert_eq!(two.uri(), "sip:bob@b.example;x=1");
    net.send(&second, second.answer(&two, 200));
    let ok = net.expect(&alice, 200);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    net.request(&second, &Method::Ack);
    // One that leads nowhere is as good as none.
    net.send(&alice, alice.invite("carol", 3, "").replace("Call-ID: call", "Call-ID: other"));
    net.expect(&alice, 100);
    let invite = net.request(&carol, &Method::Invite);
    let moved = carol.answer(&invite, 302).replace(&contact, "Contact: <sip:bob@unknown.example>");
    net.send(&carol, moved);
    net.request(&carol, &Method::Ack);
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn a_redirection_to_what_is_too_long_for_a_request_uri_ends_and_sends_nothing() {
    let mut net = net("udp", &[5081]);
    net.server = {
        let mut config = Config::new(DOMAIN, [1; 32], [2; 32]);
        config.outward = Outward::Anywhere;
        config.routing.recurse = true;
        Server::new(config, Box::new(SeededEntropy(7)))
    };
    let (alice, carol) = (ws("alice", 1), ws("carol", 2));
    net.register(&alice);
    net.register(&carol);
    net.send(&alice, alice.invite("carol", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&carol, &Method::Invite);
    let contact = format!("Contact: <{}>", carol.contact());
    let long = "x".repeat(limits::REQUEST_URI_BYTES);
    let moved = carol.answer(&invite, 302).replace(&contact, &format!("Contact: <sip:{long}@b.example>"));
    net.send(&carol, moved);
    net.request(&carol, &Method::Ack);
    net.expect(&alice, 513);
    net.quiet();
}

#[test]
fn too_many_searches_at_once_are_refused_and_none_is_forgotten() {
    let mut net = net("udp", &[5081]);
    let alice = ws("alice", 1);
    net.register(&alice);
    net.server.config.limits.questions = 3;
    net.silent = true;
    for cseq in 10..15 {
        net.send(&alice, alice.out("MESSAGE", BOB, cseq, ""));
    }
    for _ in 0..2 {
        let refused = net.expect(&alice, 503);
        assert!(refused.headers().has(HeaderName::RetryAfter));
    }
    net.quiet();
    assert_eq!(net.server.counters().questions_full, 2);
    net.silent = false;
    while !net.waiting.is_empty() {
        net.answer_waiting(true);
    }
    for _ in 0..3 {
        net.request(&server(Transport::Udp, 5081), &Method::Message);
    }
    net.quiet();
}

/// A connection between two domains is one of many: the dialogs that began over it outlive it.
#[test]
fn rfc3261_16_6_step_6_a_dialog_with_another_domain_outlives_its_connection() {
    let mut net = net("tcp", &[5081]);
    let alice = ws("alice", 1);
    net.register(&alice);
    let bob = elsewhere(Transport::Tcp, "198.18.0.7:40404");
    let route = "Record-Route: <sip:token@b.example;transport=tcp;lr>\r\n";
    let invite =
        bob.out("INVITE", "sip:alice@example.com", 2, route).replace("bob@example.com", "bob@b.example");
    net.send(&bob, invite);
    net.expect(&bob, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    net.send(&alice, alice.answer(&forwarded, 200));
    let ok = net.expect(&bob, 200);
    let (mut caller, mut callee) = (Side::caller(&bob, &ok), Side::callee(&alice, &forwarded));
    // Their proxy has taken its own.
    caller.routes.remove(0);
    net.send(&bob, caller.next("ACK"));
    net.request(&alice, &Method::Ack);
    // What comes over another connection is still theirs.
    net.close(&bob);
    caller.peer = elsewhere(Transport::Tcp, "198.18.0.7:40405");
    net.send(&caller.peer.clone(), caller.next("INFO"));
    let info = net.request(&alice, &Method::Info);
    net.send(&alice, alice.answer(&info, 200));
    net.expect(&caller.peer, 200);
    // And what goes there takes the Route that they gave.
    net.send(&alice, callee.next("BYE"));
    let bye = net.request(&server(Transport::Tcp, 5081), &Method::Bye);
    assert_eq!(bye.headers().first(HeaderName::Route), Some("<sip:token@b.example;transport=tcp;lr>"));
    net.quiet();
}
