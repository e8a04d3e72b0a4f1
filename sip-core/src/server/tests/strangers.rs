//! Who may send what to whom.

use super::*;

#[test]
fn a_page_that_has_not_registered_is_challenged() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&bob);
    // Credentials do instead.
    net.send_with_digest(&alice, "alice", &|cseq, extra| alice.invite("bob", cseq, extra));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    assert!(!forwarded.headers().has(HeaderName::ProxyAuthorization));
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    // Its way back is the flow, as long as there is one.
    net.send(&bob, Side::callee(&bob, &forwarded).next("BYE"));
    net.expect(&bob, 480);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    net.request(&bob, &Method::Ack);
    // Every method, and a From of nobody's.
    for method in ["OPTIONS", "MESSAGE", "SUBSCRIBE", "BYE", "DANCE"] {
        net.send(&alice, alice.out(method, "sip:bob@example.com", 7, ""));
        net.expect(&alice, 407);
    }
    net.send(&alice, alice.invite("bob", 8, "").replace("<sip:alice@example.com>", "<sip:a@b.example>"));
    net.expect(&alice, 407);
}

#[test]
fn from_must_be_the_accounts() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&bob);
    for (peer, from) in [(&alice, "sip:bob@example.com"), (&alice, "sip:alice@example.net")] {
        net.send_with_digest(peer, "alice", &|cseq, extra| {
            peer.invite("bob", cseq, extra).replace("<sip:alice@example.com>", &format!("<{from}>"))
        });
        assert_eq!(net.expect(peer, 403).reason(), "From Is Not Your Address");
    }
    // The same on UDP.
    let phone = udp("alice", 5);
    net.send_with_digest(&phone, "alice", &|cseq, extra| {
        phone.invite("bob", cseq, extra).replace("<sip:alice@example.com>", "<sip:carol@example.com>")
    });
    net.expect(&phone, 403);
    net.quiet();
}

#[test]
fn a_phone_of_another_domain_may_call_in_and_nowhere_else() {
    let mut net = Net::new();
    let bob = ws("bob", 2);
    net.register(&bob);
    let stranger = udp("alice", 5);
    let from_elsewhere =
        |request: String| request.replace("<sip:alice@example.com>", "<sip:alice@elsewhere.example>");
    net.send(&stranger, from_elsewhere(stranger.invite("bob", 1, "")));
    net.expect(&stranger, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&stranger, 200);
    // And talk both ways, even when a NAT has given it another port.
    let mut port = Side::caller(&stranger, &ok);
    port.peer.hop.remote.set_port(6666);
    net.send(&port.peer.clone(), port.next("ACK"));
    net.request(&bob, &Method::Ack);
    net.send(&bob, Side::callee(&bob, &forwarded).next("BYE"));
    net.request(&stranger, &Method::Bye);
    net.sent.clear();
    for uri in ["sip:x@third.example", "sip:third.example", "sip:bob@198.51.100.77"] {
        net.send(
            &stranger,
            from_elsewhere(stranger.out("MESSAGE", uri, 2, ""))
                .replace("MESSAGE2", uri.split('@').next_back().unwrap()),
        );
        net.expect(&stranger, 403);
    }
    // An alias of ours in From is ours.
    for host in ["alias.example.com", "192.0.2.1:5060"] {
        net.send(
            &stranger,
            stranger
                .invite("bob", 3, "")
                .replace("alice@example.com", &format!("alice@{host}"))
                .replace("INVITE3", host),
        );
        net.expect(&stranger, 407);
    }
}
