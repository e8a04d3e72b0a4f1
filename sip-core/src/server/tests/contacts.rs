//! Requests outside dialogs for a contact that somebody registered.

use super::*;

/// `name` registers this URI as its contact, for the first time or with the next CSeqs.
fn register_as(net: &mut Net, peer: &Peer, contact: &str) {
    let before = u32::try_from(net.server.counters().registered).unwrap() * 2;
    net.send_with_digest(peer, peer.name, &|cseq, extra| {
        peer.register(before + cseq, &format!("Contact: <{contact}>\r\n{extra}"))
    });
    net.expect(peer, 200);
}

fn net(outward: Outward) -> Net {
    Net::with(|config| config.outward = outward)
}

#[test]
fn a_user_calls_the_contact_that_another_registered() {
    for outward in [Outward::Nowhere, Outward::Anywhere] {
        let mut net = net(outward);
        let (alice, bob) = (ws("alice", 1), ws("bob", 2));
        net.register(&alice);
        // Another phone of Bob's rings not.
        net.register(&ws("bob", 3));
        register_as(&mut net, &bob, "sip:k7x2@r4n0om.invalid;transport=ws");
        // As equivalent URIs have it.
        let uri = "sip:k7x2@R4N0OM.invalid;transport=ws";
        net.send(&alice, alice.out("INVITE", uri, 2, ""));
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        assert_eq!(invite.uri(), "sip:k7x2@r4n0om.invalid;transport=ws");
        net.quiet();
        net.send(&bob, bob.answer(&invite, 200));
        let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
        let mut callee = Side::callee(&bob, &invite);
        net.send(&alice, caller.next("ACK"));
        net.request(&bob, &Method::Ack);
        net.send(&bob, callee.next("BYE"));
        net.request(&alice, &Method::Bye);
        // A CANCEL finds it.
        let second = alice.out("INVITE", uri, 20, "");
        net.send(&alice, second.clone());
        net.expect(&alice, 100);
        net.request(&bob, &Method::Invite);
        net.send(&alice, second.replace("INVITE sip", "CANCEL sip").replace(" INVITE", " CANCEL"));
        net.expect(&alice, 200);
        assert!(net.queries.is_empty());
    }
}

#[test]
fn whoever_has_that_contact_is_waited_for_as_for_any_call() {
    let mut net = net(Outward::Anywhere);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.close(&bob);
    net.send(&alice, alice.out("INVITE", &bob.contact(), 2, ""));
    net.expect(&alice, 100);
    net.quiet();
    // Its Contact stays as it was, its connection is another.
    let back = ws("bob", 3);
    let contact = bob.contact_field();
    net.send_with_digest(&back, "bob", &|cseq, extra| back.register(cseq + 50, &format!("{contact}{extra}")));
    net.expect(&back, 200);
    net.answer_waiting(false);
    net.request(&back, &Method::Invite);
}

#[test]
fn strangers_call_addresses_and_no_contacts() {
    let mut net = net(Outward::Anywhere);
    let bob = ws("bob", 2);
    net.register(&bob);
    let stranger = udp("dave", 8);
    let message = stranger.out("MESSAGE", &bob.contact(), 2, "");
    net.send(&stranger, message.replace("dave@example.com", "dave@elsewhere.example"));
    net.expect(&stranger, 403);
    // Who says it is one of ours is asked, and on a WebSocket everybody is.
    let (phone, page) = (udp("alice", 5), ws("carol", 7));
    net.send(&page, page.out("MESSAGE", &bob.contact(), 2, ""));
    net.expect(&page, 407);
    net.send_with_digest(&phone, "alice", &|cseq, extra| phone.out("MESSAGE", &bob.contact(), cseq, extra));
    net.request(&bob, &Method::Message);
    net.quiet();
}

#[test]
fn what_nobody_registered_or_two_did_is_for_nobody() {
    for (outward, status) in [(Outward::Nowhere, 403), (Outward::Anywhere, 404)] {
        let mut net = net(outward);
        let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
        net.register(&alice);
        register_as(&mut net, &bob, "sip:x@same.invalid");
        register_as(&mut net, &carol, "sip:x@same.invalid");
        for (cseq, uri) in
            [(2, "sip:x@same.invalid"), (3, "sip:y@same.invalid"), (4, "sip:x@same.invalid:5070")]
        {
            net.send(&alice, alice.out("MESSAGE", uri, cseq, ""));
            net.expect(&alice, status);
        }
        net.quiet();
    }
}

/// Whoever registers the address of somebody elsewhere gets none of the calls that are for that.
#[test]
fn a_contact_takes_nothing_from_another_domain() {
    let calls = |net: &mut Net, alice: &Peer, uri: &str, cseq: u32| {
        net.send(alice, alice.out("MESSAGE", uri, cseq, ""));
        let (to, message) = net.sent.pop_front().unwrap();
        (to, text(&message))
    };
    let mut net = net(Outward::Anywhere);
    let address = Records::Addresses(["198.18.0.7".parse().unwrap()].into());
    net.zone.insert(Query::Addresses("b.example".into()), address);
    let (alice, mallory) = (ws("alice", 1), udp("carol", 9));
    net.register(&alice);
    for (cseq, contact) in
        [(2, "sip:bob@b.example"), (3, "sip:bob@198.18.0.7"), (4, "sip:bob@198.18.0.7:5060")]
    {
        register_as(&mut net, &mallory, contact);
        let (to, what) = calls(&mut net, &alice, contact, cseq);
        assert_eq!(to.remote, "198.18.0.7:5060".parse().unwrap(), "{contact} {what}");
        net.sent.clear();
        net.bindings.clear();
    }
    // Where nobody else is, it is for who registered it: at its own address, and at one for documentation.
    for (cseq, contact) in [(5, "sip:carol@203.0.113.9:5060"), (6, "sip:a8f@192.0.2.77;transport=ws")] {
        register_as(&mut net, &mallory, contact);
        let (to, what) = calls(&mut net, &alice, contact, cseq);
        assert_eq!(to, mallory.hop, "{contact} {what}");
        net.sent.clear();
        net.bindings.clear();
    }
    assert!(net.queries.iter().all(|query| query.name() != "192.0.2.77"));
}
