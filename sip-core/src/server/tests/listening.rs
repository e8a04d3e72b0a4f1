//! Phones on TCP that close their connections, and listen where their Contact says (§18.1.1).

use super::dialogs::works;
use super::*;

/// Where Bob's phone listens; it connects from other ports.
const LISTENS: &str = "203.0.113.9:5070";
const CONTACT: &str = "<sip:bob@203.0.113.9:5070;transport=tcp>";

fn register_as(net: &mut Net, through: &Peer, contact: &str, cseq: u32) {
    net.send_with_digest(through, through.name, &|more, extra| {
        through.register(cseq + more, &format!("Contact: {contact}\r\nSupported: outbound\r\n{extra}"))
    });
    net.expect(through, 200);
}

/// Alice's page, and Bob's phone, which has closed its connection.
fn closed() -> (Net, Peer, Peer) {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    register_as(&mut net, &tcp("bob", 40_000), CONTACT, 1);
    net.close(&tcp("bob", 40_000));
    (net, alice, elsewhere(Transport::Tcp, LISTENS))
}

#[test]
fn rfc3261_18_1_1_a_phone_whose_connection_is_gone_is_connected_to() {
    let (mut net, alice, phone) = closed();
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let invite = net.request(&phone, &Method::Invite);
    assert_eq!(invite.uri(), CONTACT.trim_matches(['<', '>']));
    assert!(!invite.headers().has(HeaderName::Route));
    net.send(&phone, phone.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&phone, &invite));
    net.send(&alice, caller.next("ACK"));
    net.request(&phone, &Method::Ack);
    works(&mut net, &mut callee, &alice, "INFO");
    works(&mut net, &mut caller, &phone, "INFO");
    assert_eq!(net.server.counters().paths_followed, 1);
    // Within the call, too.
    net.close(&phone);
    works(&mut net, &mut caller, &phone, "BYE");
    assert_eq!(net.server.counters().paths_followed, 2);
}

/// What rings meanwhile, rings.
#[test]
fn rfc3261_16_6_such_a_phone_rings_beside_the_others() {
    let (mut net, alice, phone) = closed();
    let page = ws("bob", 2);
    net.register(&page);
    net.slow.insert(LISTENS.parse().unwrap());
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.request(&page, &Method::Invite);
    net.quiet();
    net.slow.clear();
    net.answer_waiting(false);
    net.request(&phone, &Method::Invite);
    net.quiet();
}

#[test]
fn rfc3261_18_1_1_a_phone_that_takes_no_connection_is_away() {
    let (mut net, alice, _) = closed();
    net.dead.insert(LISTENS.parse().unwrap());
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.advance(Duration::from_secs(2));
    net.quiet();
    // It may come by itself.
    let back = tcp("bob", 40_001);
    register_as(&mut net, &back, CONTACT, 3);
    net.answer_waiting(false);
    net.request(&back, &Method::Invite);
    net.quiet();
}

/// Nobody has us connect to where another is, nor where nobody listens.
#[test]
fn rfc3261_18_1_1_nobody_else_is_connected_to() {
    let tls = Peer { hop: Hop { transport: Transport::Tls, ..tcp("bob", 40_000).hop }, ..tcp("bob", 40_000) };
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000aa>\"";
    let rows = [
        // A page, whatever it writes.
        (ws("bob", 2), "<sip:bob@198.51.100.2:40000;transport=tcp>".into()),
        (ws("bob", 2), "<sip:bob@198.51.100.2:40000;transport=ws>".into()),
        // Behind a NAT; another's address; a name.
        (tcp("bob", 40_000), "<sip:bob@192.168.1.5:5070;transport=tcp>".into()),
        (tcp("bob", 40_000), "<sip:bob@203.0.113.10:5070;transport=tcp>".into()),
        (tcp("bob", 40_000), "<sip:bob@b.example:5070;transport=tcp>".into()),
        (tcp("bob", 40_000), "<sip:bob@203.0.113.9;transport=tcp;maddr=203.0.113.10>".into()),
        // It listens for datagrams there.
        (tcp("bob", 40_000), "<sip:bob@203.0.113.9:5070>".into()),
        // RFC 5626 §5.3: its flow is the way.
        (tcp("bob", 40_000), format!("{CONTACT};{instance};reg-id=1")),
        // Nobody knows what its certificate would have to say.
        (tls.clone(), "<sip:bob@203.0.113.9:5070;transport=tls>".into()),
        (tls, "<sip:bob@203.0.113.9:5070;transport=tcp>".into()),
    ];
    for (peer, contact) in rows {
        let mut net = Net::with(|config| config.outward = Outward::Anywhere);
        let alice = ws("alice", 1);
        net.register(&alice);
        register_as(&mut net, &peer, &contact, 1);
        net.close(&peer);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        assert!(matches!(&net.waiting[..], [(_, Question::Return { .. })]), "{contact}");
        net.advance(Duration::from_secs(6));
        assert_eq!(net.expect(&alice, 480).reason(), "Callee Is Away", "{contact}");
        net.quiet();
        assert_eq!(net.queries, []);
    }
    // With `+sip.instance` alone it has no outbound.
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    register_as(&mut net, &tcp("bob", 40_000), &format!("{CONTACT};{instance}"), 1);
    net.close(&tcp("bob", 40_000));
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, ""));
    net.request(&elsewhere(Transport::Tcp, LISTENS), &Method::Message);
}
