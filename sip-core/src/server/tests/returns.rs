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
