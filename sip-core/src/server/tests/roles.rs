//! What a server is by its configuration: without transactions (§16.11), or a redirect server (§8.3).

use super::*;
use std::net::IpAddr;

use crate::transport::target::Srv;

fn stateless() -> (Net, Peer, Peer) {
    let mut net = Net::with(|config| config.routing.mode = Mode::Stateless);
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    // The transactions of the registrations.
    net.advance(Duration::from_secs(33));
    (net, alice, bob)
}

#[test]
fn rfc3261_16_11_a_call_without_any_transaction() {
    let (mut net, alice, bob) = stateless();
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    let forwarded = net.request(&bob, &Method::Invite);
    // No 100 of its own, and a retransmission goes on, under the same branch.
    net.quiet();
    net.send(&alice, invite);
    assert_eq!(net.request(&bob, &Method::Invite).branch(), forwarded.branch());
    for status in [100, 180, 200] {
        net.send(&bob, bob.answer(&forwarded, status));
        net.expect(&alice, status);
    }
    // The retransmission of a 2xx as well.
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    assert_eq!(ok.headers().list(HeaderName::Via).count(), 1);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&bob, &forwarded));
    net.send(&alice, caller.next("ACK"));
    net.request(&bob, &Method::Ack);
    net.send(&alice, caller.next("INFO"));
    let info = net.request(&bob, &Method::Info);
    net.send(&bob, bob.answer(&info, 200));
    net.expect(&alice, 200);
    net.send(&bob, callee.next("BYE"));
    let bye = net.request(&alice, &Method::Bye);
    net.send(&alice, alice.answer(&bye, 200));
    net.expect(&bob, 200);
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_16_11_cancel_and_ack_follow_their_invite() {
    let (mut net, alice, bob) = stateless();
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&alice, invite.replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL"));
    let cancel = net.request(&bob, &Method::Cancel);
    assert_eq!((cancel.branch(), cancel.uri()), (forwarded.branch(), forwarded.uri()));
    net.send(&bob, bob.answer(&cancel, 200));
    net.expect(&alice, 200);
    net.send(&bob, bob.answer(&forwarded, 487));
    let gone = net.expect(&alice, 487);
    net.send(&alice, ack_to_failure(&invite, &gone));
    let ack = net.request(&bob, &Method::Ack);
    assert_eq!((ack.branch(), ack.uri()), (forwarded.branch(), forwarded.uri()));
    // Who has read the sender's branch cannot make that CANCEL.
    let mallory = udp("carol", 9);
    net.send(&mallory, invite.replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL"));
    assert_ne!(net.request(&bob, &Method::Cancel).branch(), forwarded.branch());
    net.quiet();
}

/// Calls to numbers: two peers of one weight, each of four servers of one weight.
#[test]
fn rfc3263_4_4_all_of_a_transaction_goes_to_the_same_server() {
    let mut net = Net::with(|config| {
        config.routing.mode = Mode::Stateless;
        let peer = |name: &str| super::super::Peer {
            name: name.into(),
            uri: format!("sip:{name}.example;transport=udp").into(),
            sources: [].into(),
            trusted: false,
        };
        config.peers = [peer("b"), peer("c")].into();
        let share = |name: &str| Share { peer: name.into(), priority: 1, weight: 1 };
        let peers = [share("b"), share("c")].into();
        config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers }].into();
    });
    let mut records: Vec<Srv> = (1..=4)
        .map(|n| Srv { priority: 1, weight: 5, port: 5080 + n, target: format!("s{n}.example").into() })
        .collect();
    for n in 1..=4 {
        let addresses = [n, n + 10].map(|last| IpAddr::from([198, 18, 0, last]));
        net.zone
            .insert(Query::Addresses(format!("s{n}.example").into()), Records::Addresses(addresses.into()));
    }
    let (alice, phone) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&phone);
    let mut used = BTreeSet::new();
    for cseq in 100..130 {
        let invite = alice.invite("+4930", cseq, "");
        let cancel = invite.replace("INVITE sip", "CANCEL sip").replace(" INVITE", " CANCEL");
        let ack = invite.replace("INVITE sip", "ACK sip").replace(" INVITE", " ACK");
        let mut sent = BTreeSet::new();
        for message in [&invite, &invite, &cancel, &invite, &ack] {
            // DNS says the same in another order.
            records.rotate_left(1);
            for name in ["b", "c"] {
                let name = format!("_sip._udp.{name}.example").into();
                net.zone.insert(Query::Srv(name), Records::Srv(records.clone()));
            }
            net.send(&alice, message.clone());
            let (to, forwarded) = net.sent.pop_front().unwrap_or_else(|| panic!("{message}"));
            let Message::Request(request) = Message::parse(forwarded).unwrap() else { panic!("{message}") };
            sent.insert((to.remote, String::from(request.uri()), String::from(request.branch().unwrap())));
        }
        assert_eq!(sent.len(), 1, "{sent:?}");
        used.extend(sent.into_iter().map(|(remote, uri, _)| (remote.port(), uri)));
    }
    // One call's choice says nothing of another's.
    assert!(used.len() > 6, "{used:?}");
    // A phone's CANCEL and ACK, which nobody can challenge, follow its INVITE.
    net.send_with_digest(&phone, "bob", &|cseq, extra| phone.invite("+4930", cseq + 200, extra));
    let (to, _) = net.sent.pop_front().unwrap();
    for method in ["CANCEL", "ACK"] {
        let other = phone.invite("+4930", 202, "").replace("INVITE sip", &format!("{method} sip"));
        net.send(&phone, other.replace(" INVITE", &format!(" {method}")));
        assert_eq!(net.sent.pop_front().map(|(to, _)| to.remote), Some(to.remote));
    }
    net.quiet();
}

#[test]
fn rfc3261_8_2_7_answers_without_transaction_are_alike() {
    let (mut net, alice, _) = stateless();
    let message = alice.out("MESSAGE", "sip:carol@example.com", 7, "");
    net.send(&alice, message.clone());
    let first = net.expect(&alice, 480);
    net.send(&alice, message);
    assert_eq!(net.expect(&alice, 480).to_tag(), first.to_tag());
    // A stranger's is challenged, and its proof is one.
    let carol = udp("carol", 9);
    net.send_with_digest(&carol, "carol", &|cseq, extra| {
        carol.out("MESSAGE", "sip:bob@example.com", cseq, extra)
    });
    net.request(&udp("bob", 5), &Method::Message);
    // The ACK of its own answer ends here.
    let invite = alice.invite("carol", 8, "");
    net.send(&alice, invite.clone());
    let refused = net.expect(&alice, 480);
    net.send(&alice, ack_to_failure(&invite, &refused));
    net.send_with_digest(&carol, "carol", &|cseq, extra| carol.invite("bob", cseq + 8, extra));
    net.request(&udp("bob", 5), &Method::Invite);
    net.quiet();
}

/// Bob's phone has no GRUU: it is called by its contact, and a dialog whose Record-Route it forgot goes on by that.
#[test]
fn rfc3261_16_11_requests_for_a_registered_contact_find_it() {
    for outward in [Outward::Nowhere, Outward::Anywhere] {
        let mut net = Net::with(|config| {
            config.routing.mode = Mode::Stateless;
            config.outward = outward;
        });
        let (alice, bob, phone) = (ws("alice", 1), udp("bob", 5), udp("carol", 6));
        for peer in [&alice, &bob, &phone] {
            net.register(peer);
        }
        let with = |invite: &str, method: &str| {
            invite.replace("INVITE sip", &format!("{method} sip")).replace(" INVITE", &format!(" {method}"))
        };
        let invite = alice.out("INVITE", &bob.contact(), 2, "");
        net.send(&alice, invite.clone());
        let forwarded = net.request(&bob, &Method::Invite);
        for (method, known) in [("CANCEL", Method::Cancel), ("ACK", Method::Ack)] {
            net.send(&alice, with(&invite, method));
            let followed = net.request(&bob, &known);
            assert_eq!((followed.branch(), followed.uri()), (forwarded.branch(), &*bob.contact()));
        }
        // A phone's CANCEL and ACK, which nobody can challenge.
        net.send_with_digest(&phone, "carol", &|cseq, extra| {
            phone.out("INVITE", &bob.contact(), cseq + 20, extra)
        });
        net.request(&bob, &Method::Invite);
        for (method, known) in [("CANCEL", Method::Cancel), ("ACK", Method::Ack)] {
            net.send(&phone, with(&phone.out("INVITE", &bob.contact(), 22, ""), method));
            net.request(&bob, &known);
        }
        // Within a dialog, without our Routes.
        let within = |method: &str, cseq: u32| {
            let to = format!("t: <{}>", bob.contact());
            alice.out(method, &bob.contact(), cseq, "").replace(&to, "t: <sip:bob@example.com>;tag=b")
        };
        for (method, known) in [("ACK", Method::Ack), ("BYE", Method::Bye)] {
            net.send(&alice, within(method, 30));
            net.request(&bob, &known);
        }
        // Not for strangers, whatever they send, nor where nobody registered.
        let foreign = |text: String| text.replace("carol@example.com", "carol@b.example");
        let stranger = udp("carol", 9);
        for (method, status) in
            [("ACK", None), ("CANCEL", Some(403)), ("INVITE", Some(403)), ("MESSAGE", Some(403))]
        {
            for uri in [&*bob.contact(), "sip:bob@203.0.113.77:5060", "sip:bob@b.invalid"] {
                net.send(&stranger, foreign(stranger.out(method, uri, 40, "")));
                let tagged = foreign(stranger.out(method, uri, 41, ""));
                net.send(
                    &stranger,
                    tagged.replacen(&format!("t: <{uri}>"), "t: <sip:bob@example.com>;tag=b", 1),
                );
                for _ in 0..2 {
                    status.map(|status| net.expect(&stranger, status));
                }
                net.quiet();
            }
        }
        for method in ["ACK", "CANCEL", "MESSAGE"] {
            net.send(&alice, alice.out(method, "sip:bob@203.0.113.77:5060", 50, ""));
            if method != "ACK" {
                net.expect(&alice, 403);
            }
            net.quiet();
        }
        assert!(net.queries.is_empty());
    }
}

#[test]
fn rfc3261_16_11_a_response_that_is_not_ours_goes_nowhere() {
    let (mut net, alice, bob) = stateless();
    net.send(&alice, alice.invite("bob", 2, ""));
    let forwarded = net.request(&bob, &Method::Invite);
    let answer = bob.answer(&forwarded, 200);
    // Another call's, and a way that was made up.
    net.send(&bob, answer.replace("Call-ID: call", "Call-ID: other"));
    net.send(&bob, answer.replacen(";back=", ";back=x", 1));
    net.quiet();
}

#[test]
fn rfc3261_21_3_3_a_redirect_server_tells_contacts_in_order() {
    let mut net = Net::with(|config| config.routing.mode = Mode::Redirect);
    let alice = ws("alice", 1);
    net.register(&alice);
    net.register(&ws("bob", 2));
    let contacts = |net: &mut Net| -> Vec<String> {
        let told = net.expect(&alice, 302);
        told.headers().list(HeaderName::Contact).map(String::from).collect()
    };
    for (last, q) in [(5, ";q=0.3"), (6, ""), (7, ";q=0.7")] {
        let phone = udp("bob", last);
        net.send_with_digest(&phone, "bob", &|cseq, extra| {
            phone.register(cseq, &format!("Contact: <{}>{q}\r\n{extra}", phone.contact()))
        });
        net.expect(&phone, 200);
    }
    net.send(&alice, alice.invite("bob", 2, ""));
    // The page is reached by a proxy alone.
    assert_eq!(
        contacts(&mut net),
        [
            "<sip:bob@203.0.113.6:5060>;q=1",
            "<sip:bob@203.0.113.7:5060>;q=0.7",
            "<sip:bob@203.0.113.5:5060>;q=0.3"
        ]
    );
    net.send(&alice, alice.out("MESSAGE", "sip:alice@example.com", 3, ""));
    net.expect(&alice, 480);
    net.send(&alice, alice.out("MESSAGE", "sip:carol@example.com", 4, ""));
    net.expect(&alice, 480);
    net.quiet();
}

/// An INVITE, its CANCEL, and the ACK of the 487 that follows.
fn cancelled(invite: &str) -> [String; 3] {
    let of = |method: &str| {
        invite.replace("INVITE sip", &format!("{method} sip")).replace(" INVITE", &format!(" {method}"))
    };
    [invite.into(), of("CANCEL"), of("ACK")]
}

#[test]
fn rfc3261_16_11_cancel_and_ack_follow_their_invite_where_strangers_are_refused() {
    let mut net = Net::with(|config| {
        config.routing.mode = Mode::Stateless;
        config.callers = Callers::Peers;
        let sources = ["198.18.0.7".parse().unwrap()].into();
        config.peers =
            [super::super::Peer { name: "b".into(), uri: "sip:b.example".into(), sources, trusted: false }]
                .into();
    });
    let (alice, bob, phone) = (ws("alice", 1), udp("bob", 5), udp("carol", 9));
    net.register(&alice);
    net.register(&bob);
    // Of ours, over a flow that was proven and with credentials; and a peer's.
    let peer = elsewhere(Transport::Udp, "198.18.0.7:5060");
    let foreign = |request: String| request.replace("@example.com>;tag=from", "@b.example>;tag=from");
    let invites = [
        (&alice, alice.invite("bob", 2, "")),
        (&phone, phone.invite("bob", 2, "")),
        (&peer, foreign(peer.invite("bob", 2, ""))),
    ];
    for (caller, invite) in invites {
        let [invite, cancel, ack] = cancelled(&invite);
        if caller.name == phone.name {
            net.send_with_digest(caller, caller.name, &|cseq, extra| caller.invite("bob", cseq, extra));
        } else {
            net.send(caller, invite);
        }
        let forwarded = net.request(&bob, &Method::Invite);
        for (message, method) in [(cancel, Method::Cancel), (ack, Method::Ack)] {
            net.send(caller, message);
            let followed = net.request(&bob, &method);
            assert_eq!((followed.branch(), followed.uri()), (forwarded.branch(), forwarded.uri()));
        }
    }
    // A stranger's go where its INVITE does: nowhere.
    let stranger = udp("mallory", 7);
    let [invite, cancel, ack] = cancelled(&foreign(stranger.invite("bob", 2, "")));
    for message in [invite, cancel] {
        net.send(&stranger, message);
        assert_eq!(net.expect(&stranger, 403).reason(), "Caller Not Known Here");
    }
    net.send(&stranger, ack);
    net.quiet();
}
