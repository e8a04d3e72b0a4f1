//! Where responses go, and who may send what belongs to a request, once its connection is lost (§18.2.2, RFC 3263 §5).

use super::outward::server;
use super::*;
use crate::transport::target::Srv;

#[test]
fn rfc3261_18_2_2_responses_to_a_peer_whose_connection_is_gone_find_it_again() {
    let mut net = Net::with(|config| {
        config.callers = Callers::Peers;
        let sources = ["198.18.0.7".parse().unwrap()].into();
        config.peers =
            [super::super::Peer { name: "b".into(), uri: "sip:198.18.0.7".into(), sources, trusted: false }]
                .into();
    });
    let alice = ws("alice", 1);
    net.register(&alice);
    let bob = elsewhere(Transport::Tcp, "198.18.0.7:40404");
    let invite =
        bob.out("INVITE", "sip:alice@example.com", 2, "").replace("bob@example.com", "bob@b.example");
    // Its Via says where it listens.
    net.send(&bob, invite.replace("198.18.0.7:40404;branch", "198.18.0.7:5081;branch"));
    net.expect(&bob, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    net.close(&bob);
    net.expect(&server(Transport::Tcp, 5081), 100);
    net.send(&alice, alice.answer(&forwarded, 486));
    net.request(&alice, &Method::Ack);
    net.expect(&server(Transport::Tcp, 5081), 486);
}

/// A peer of the configuration calls alice over TCP, says this in its Via and loses its connection; where it came from nothing
/// listens.
fn lost(sent_by: &str, configure: impl FnOnce(&mut Config)) -> (Net, Peer, Request) {
    let mut net = Net::with(|config| {
        config.callers = Callers::Peers;
        let sources = ["198.18.0.7".parse().unwrap()].into();
        config.peers =
            [super::super::Peer { name: "b".into(), uri: "sip:198.18.0.7".into(), sources, trusted: false }]
                .into();
        configure(config);
    });
    let record = |port| Srv { priority: 1, weight: 0, port, target: "s.b.example".into() };
    let at = |address: &str| Records::Addresses([address.parse().unwrap()].into());
    net.zone.insert(Query::Srv("_sip._tcp.b.example".into()), Records::Srv([record(5083)].into()));
    net.zone.insert(Query::Addresses("s.b.example".into()), at("198.18.0.9"));
    net.zone.insert(Query::Addresses("one.b.example".into()), at("198.18.0.8"));
    let alice = ws("alice", 1);
    net.register(&alice);
    let bob = elsewhere(Transport::Tcp, "198.18.0.7:40404");
    net.dead.extend([5060, 5081].map(|port| SocketAddr::new(bob.hop.remote.ip(), port)));
    let invite =
        bob.out("INVITE", "sip:alice@example.com", 2, "").replace("bob@example.com", "bob@b.example");
    net.send(&bob, invite.replace("198.18.0.7:40404;branch", &format!("{sent_by};branch")));
    net.expect(&bob, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    net.close(&bob);
    (net, alice, forwarded)
}

#[test]
fn rfc3263_5_a_response_goes_where_the_name_in_its_via_leads() {
    for (sent_by, expected, queries) in [
        ("b.example", "198.18.0.9:5083", &["_sip._tcp.b.example", "s.b.example"][..]),
        ("one.b.example:5081", "198.18.0.8:5081", &["one.b.example"]),
        ("198.18.0.8:5081", "198.18.0.8:5081", &[]),
    ] {
        let (mut net, alice, forwarded) = lost(sent_by, |config| config.outward = Outward::Anywhere);
        let found = elsewhere(Transport::Tcp, expected);
        net.expect(&found, 100);
        let asked: Vec<&str> = net.queries.iter().map(|query| query.name().as_str()).collect();
        assert_eq!(asked, queries);
        // What follows goes there too.
        net.send(&alice, alice.answer(&forwarded, 200));
        let ok = net.expect(&found, 200);
        assert!(ok.headers().first(HeaderName::Via).unwrap().contains(sent_by));
        net.quiet();
    }
}

#[test]
fn rfc3263_5_nothing_leads_back_to_a_name_that_is_not_there_or_not_allowed() {
    // Nobody there; and a name, of anybody's choice, of what is not public.
    for (sent_by, outward, forbidden) in [
        ("nowhere.example:5081", Outward::Anywhere, 0),
        ("x.invalid", Outward::Anywhere, 0),
        ("one.b.example:5081", Outward::Public, 1),
        ("10.0.0.1", Outward::Public, 1),
    ] {
        let (mut net, alice, forwarded) = lost(sent_by, |config| config.outward = outward);
        net.send(&alice, alice.answer(&forwarded, 486));
        net.request(&alice, &Method::Ack);
        net.quiet();
        assert_eq!(net.server.counters().hops_forbidden, forbidden, "{sent_by}");
        net.advance(Duration::from_secs(120));
        assert_eq!(net.server.load(), (0, 0, 0), "{sent_by}");
    }
}

/// The CANCEL of the INVITE in [`lost`], over this connection.
fn cancel(peer: &Peer, sent_by: &str) -> String {
    let cancel = peer.out("CANCEL", "sip:alice@example.com", 2, "").replace("CANCEL2", "INVITE2");
    cancel
        .replace(&format!("<sip:{}@example.com>", peer.name), "<sip:bob@b.example>")
        .replace(&format!("{};branch", peer.hop.remote), &format!("{sent_by};branch"))
}

#[test]
fn rfc3261_9_2_a_peer_cancels_over_another_connection() {
    let sent_by = "198.18.0.7:5082";
    let (mut net, alice, forwarded) = lost(sent_by, |_| {});
    net.expect(&server(Transport::Tcp, 5082), 100);
    net.send(&alice, alice.answer(&forwarded, 180));
    net.expect(&server(Transport::Tcp, 5082), 180);
    // Others who have read the branch; and who is at the peer's address by other means.
    let thieves = [
        elsewhere(Transport::Tcp, "198.18.0.9:40405"),
        elsewhere(Transport::Tls, "198.18.0.7:40406"),
        elsewhere(Transport::Udp, "198.18.0.7:40406"),
        ws("carol", 7),
    ];
    for thief in thieves {
        net.send(&thief, cancel(&thief, sent_by));
        net.expect(&thief, 481);
        net.quiet();
    }
    let again = elsewhere(Transport::Tcp, "198.18.0.7:40405");
    net.send(&again, cancel(&again, sent_by));
    net.expect(&again, 200);
    net.request(&alice, &Method::Cancel);
    // It has come back: no call is given up for who was lost.
    net.send(&alice, alice.answer(&forwarded, 487));
    net.request(&alice, &Method::Ack);
    net.expect(&server(Transport::Tcp, 5082), 487);
}

#[test]
fn rfc5922_7_4_who_shows_the_same_certificate_cancels_over_another_connection() {
    let domain: Arc<[SmolStr]> = ["b.example".into()].into();
    let mut net = Net::with(|config| {
        config.callers = Callers::Peers;
        let uri = "sip:b.example;transport=tls".into();
        config.peers =
            [super::super::Peer { name: "b".into(), uri, sources: [].into(), trusted: false }].into();
    });
    let alice = ws("alice", 1);
    net.register(&alice);
    let tls = |port| elsewhere(Transport::Tls, &format!("198.18.0.7:{port}"));
    let bob = tls(40_404);
    net.certified.insert(bob.hop.flow, domain.clone());
    let invite =
        bob.out("INVITE", "sip:alice@example.com", 2, "").replace("bob@example.com", "bob@b.example");
    net.send(&bob, invite);
    net.expect(&bob, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    net.send(&alice, alice.answer(&forwarded, 180));
    net.expect(&bob, 180);
    let sent_by = "198.18.0.7:40404";
    // Nobody, somebody else, and the same from elsewhere.
    let other = tls(40_406);
    net.certified.insert(other.hop.flow, ["c.example".into()].into());
    let away = elsewhere(Transport::Tls, "198.18.0.9:40407");
    net.certified.insert(away.hop.flow, domain.clone());
    for thief in [tls(40_405), other, away] {
        net.send(&thief, cancel(&thief, sent_by));
        net.expect(&thief, 481);
        net.quiet();
    }
    let again = tls(40_408);
    net.certified.insert(again.hop.flow, domain);
    net.send(&again, cancel(&again, sent_by));
    net.expect(&again, 200);
    net.request(&alice, &Method::Cancel);
}

/// A domain that no configuration names, known by its certificate alone; with a proxy that stays in the way, and without one.
#[test]
fn rfc5922_7_who_shows_the_certificate_of_its_domain_cancels_over_another_connection() {
    let tls = |port| elsewhere(Transport::Tls, &format!("198.18.0.7:{port}"));
    let domain = |name: &str| -> Arc<[SmolStr]> { [name.into()].into() };
    let bob = tls(40_404);
    let invite = bob.invite("alice", 2, "").replace("bob@example.com", "bob@b.example");
    for (fields, sent_by, names) in [
        ("", "198.18.0.7:40404", &["b.example"][..]),
        ("", "proxy.b.example", &["b.example", "proxy.b.example"]),
        ("Record-Route: <sip:edge.b.example;lr>\r\n", "198.18.0.7:40404", &["b.example", "edge.b.example"]),
    ] {
        for (name, looked_for) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
            let mut net = Net::new();
            let alice = ws("alice", 1);
            net.register(&alice);
            net.certified.insert(bob.hop.flow, domain(name));
            let via = |text: &str| text.replace("198.18.0.7:40404;branch", &format!("{sent_by};branch"));
            net.silent = looked_for;
            net.send(&bob, via(&invite).replace("c: app", &format!("{fields}c: app")));
            if !looked_for {
                net.expect(&bob, 100);
                let forwarded = net.request(&alice, &Method::Invite);
                net.send(&alice, alice.answer(&forwarded, 180));
                net.expect(&bob, 180);
            }
            net.sent.clear();
            let cancel = |peer: &Peer| {
                let text = invite.replace("INVITE sip", "CANCEL sip").replace(" INVITE", " CANCEL");
                via(&text.replace(&bob.hop.remote.to_string(), &peer.hop.remote.to_string()))
                    .replace(&peer.hop.remote.to_string(), sent_by)
            };
            // Nobody, somebody else, and the same from elsewhere or over another transport.
            let (other, away, plain) = (
                tls(40_406),
                elsewhere(Transport::Tls, "198.18.0.9:40407"),
                elsewhere(Transport::Tcp, "198.18.0.7:40409"),
            );
            net.certified.insert(other.hop.flow, domain("c.example"));
            for peer in [&away, &plain] {
                net.certified.insert(peer.hop.flow, domain(name));
            }
            for thief in [tls(40_405), other, away, plain] {
                net.send(&thief, cancel(&thief));
                net.expect(&thief, 481);
                net.quiet();
            }
            let again = tls(40_408);
            net.certified.insert(again.hop.flow, domain(name));
            net.send(&again, cancel(&again));
            net.expect(&again, 200);
            if looked_for {
                net.expect(&bob, 487);
            } else {
                net.request(&alice, &Method::Cancel);
            }
            net.quiet();
        }
    }
}

#[test]
fn rfc3261_18_2_2_the_answer_to_other_requests_than_invite_finds_a_peer_again_too() {
    for late in [false, true] {
        let (mut net, alice, _) = lost("198.18.0.7:5082", |_| {});
        net.sent.clear();
        let bob = elsewhere(Transport::Tcp, "198.18.0.7:40408");
        let message =
            bob.out("MESSAGE", "sip:alice@example.com", 3, "").replace("bob@example.com", "bob@b.example");
        net.send(&bob, message.replace("198.18.0.7:40408;branch", "198.18.0.7:5083;branch"));
        let forwarded = net.request(&alice, &Method::Message);
        net.close(&bob);
        if late {
            // RFC 4320 §4.1: a 100 is lost before.
            net.advance(Duration::from_secs(4));
            net.sent.clear();
        }
        net.send(&alice, alice.answer(&forwarded, 200));
        let back = net.expect(&server(Transport::Tcp, 5083), 200);
        assert!(back.headers().first(HeaderName::Via).unwrap().contains("198.18.0.7:5083"));
        net.quiet();
    }
}

/// Alice, who is away, and the words that somebody wants to say to her over TCP before its connection is lost.
fn to_nobody(net: &mut Net, sender: &Peer, method: &str, from: &str, fields: &str) {
    let alice = ws("alice", 1);
    net.register(&alice);
    net.close(&alice);
    let send = |net: &mut Net, cseq: u32, extra: &str| {
        let message = sender
            .out(method, "sip:alice@example.com", cseq, &format!("{fields}{extra}"))
            .replace("bob@example.com", from);
        let told = format!("{};branch", SocketAddr::new(sender.hop.remote.ip(), 5081));
        let message = message.replace(&format!("{};branch", sender.hop.remote), &told);
        net.send(sender, message.clone());
        message
    };
    let known = sender.hop.transport.is_websocket() && net.identities.contains_key(&sender.hop.flow);
    if from.ends_with("@example.com") && !known {
        let first = send(net, 2, "");
        let challenge = net.expect(sender, 407);
        if method == "INVITE" {
            net.send(sender, ack_to_failure(&first, &challenge));
        }
        let request = Request::parse(first.into()).unwrap();
        let extra = digest(sender.name, sender.name, &challenge, request.method(), request.uri());
        send(net, 3, &extra);
    } else {
        send(net, 2, "");
    }
    if method == "INVITE" {
        net.expect(sender, 100);
    }
    net.quiet();
    net.close(sender);
    net.sent.clear();
}

#[test]
fn rfc3261_18_2_2_answers_of_our_own_find_a_peer_whose_connection_is_gone() {
    for method in ["MESSAGE", "INVITE"] {
        let mut net = Net::with(|config| {
            config.callers = Callers::Peers;
            let sources = ["198.18.0.7".parse().unwrap()].into();
            let uri = "sip:198.18.0.7".into();
            config.peers = [super::super::Peer { name: "b".into(), uri, sources, trusted: false }].into();
        });
        let bob = elsewhere(Transport::Tcp, "198.18.0.7:40404");
        to_nobody(&mut net, &bob, method, "bob@b.example", "");
        net.advance(Duration::from_secs(6));
        net.expect(&server(Transport::Tcp, 5081), 480);
        net.quiet();
    }
}

#[test]
fn rfc3261_18_2_2_answers_of_our_own_find_a_phone_of_ours_whose_connection_is_gone() {
    for outward in [Outward::Nowhere, Outward::Public] {
        let mut net = Net::with(|config| config.outward = outward);
        let phone = Peer { hop: elsewhere(Transport::Tcp, "10.0.0.9:40404").hop, ..tcp("carol", 40_404) };
        to_nobody(&mut net, &phone, "MESSAGE", "carol@example.com", "");
        net.advance(Duration::from_secs(6));
        net.expect(&elsewhere(Transport::Tcp, "10.0.0.9:5081"), 480);
        net.quiet();
    }
}

#[test]
fn answers_of_our_own_wait_for_who_registered() {
    for (phone, back) in [(ws("bob", 2), ws("bob", 3)), (tcp("bob", 2), tcp("bob", 3))] {
        let mut net = Net::with(|config| config.limits.away = Duration::from_secs(2));
        net.register(&phone);
        to_nobody(&mut net, &phone, "MESSAGE", "bob@example.com", "");
        net.advance(Duration::from_secs(3));
        net.quiet();
        net.register(&back);
        net.answer_waiting(false);
        net.expect(&back, 480);
        net.quiet();
    }
}

#[test]
fn rfc7118_nobody_is_called_back_over_a_websocket() {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    to_nobody(&mut net, &ws("carol", 2), "MESSAGE", "carol@example.com", "");
    net.advance(Duration::from_secs(120));
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn a_stranger_has_no_connection_opened_where_its_requests_could_not_go() {
    for (address, outward, told) in [
        ("203.0.113.9", Outward::Public, true),
        ("203.0.113.9", Outward::Nowhere, false),
        ("10.0.0.9", Outward::Public, false),
        ("127.0.0.1", Outward::Public, false),
    ] {
        // The second is a proxy's that wants to stay in the way.
        for (method, fields) in [("MESSAGE", ""), ("INVITE", "Record-Route: <sip:b.example;lr>\r\n")] {
            let mut net = Net::with(|config| config.outward = outward);
            let dave = elsewhere(Transport::Tcp, &format!("{address}:40404"));
            to_nobody(&mut net, &dave, method, "dave@b.example", fields);
            net.advance(Duration::from_secs(6));
            if told {
                net.expect(&elsewhere(Transport::Tcp, &format!("{address}:5081")), 480);
            }
            net.quiet();
        }
    }
}

/// It closed while its callee was being looked for.
#[test]
fn rfc3261_18_2_2_a_call_whose_caller_is_lost_early_finds_it_again_or_ends() {
    for there in [true, false] {
        let mut net = Net::with(|config| config.outward = Outward::Anywhere);
        let alice = ws("alice", 1);
        net.register(&alice);
        let bob = elsewhere(Transport::Tcp, "198.18.0.7:40404");
        let invite = bob.invite("alice", 2, "").replace("bob@example.com", "bob@b.example");
        net.silent = true;
        net.send(&bob, invite.replace("198.18.0.7:40404;branch", "198.18.0.7:5081;branch"));
        net.close(&bob);
        net.silent = false;
        let back = server(Transport::Tcp, 5081);
        if !there {
            net.dead.insert(back.hop.remote);
        }
        net.answer_waiting(false);
        let mut forwarded = None;
        while let Some((to, message)) = net.sent.pop_front() {
            match Message::parse(message).unwrap() {
                Message::Request(request) => forwarded = Some(request),
                Message::Response(response) => assert_eq!((to, response.status()), (back.hop, 100)),
            }
        }
        let forwarded = forwarded.unwrap();
        net.send(&alice, alice.answer(&forwarded, 180));
        if there {
            net.expect(&back, 180);
            net.advance(Duration::from_secs(60));
            net.quiet();
        } else {
            net.advance(Duration::from_secs(11));
            net.request(&alice, &Method::Cancel);
        }
    }
}

#[test]
fn a_registration_whose_connection_is_gone_is_not_confirmed_over_another() {
    let mut net = Net::with(|config| config.outward = Outward::Anywhere);
    let phone = tcp("bob", 6000);
    net.silent = true;
    net.send(&phone, phone.register(1, &phone.contact_field()));
    net.silent = false;
    net.answer_waiting(false);
    let challenge = net.expect(&phone, 401);
    let extra = digest("bob", "bob", &challenge, &Method::Register, "sip:example.com");
    net.silent = true;
    net.send(&phone, phone.register(2, &format!("{}{extra}", phone.contact_field())));
    net.close(&phone);
    net.silent = false;
    net.answer_waiting(false);
    net.answer_waiting(false);
    net.quiet();
    assert_eq!(net.server.counters().registered, 1);
}
