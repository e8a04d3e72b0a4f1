//! Phones on TCP that close their connections, and listen where their Contact says (§18.1.1).

use super::dialogs::works;
use super::forgotten::{cancel_of, restart};
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

/// Alice calls Bob's phone, which is connected to at its Contact and answers.
fn talking() -> (Net, Peer, Side, Side) {
    let (mut net, alice, phone) = closed();
    let (caller, callee) = dialogs::connect(&mut net, &alice, &phone);
    (net, phone, caller, callee)
}

/// A connection that Bob's phone opens.
fn opened(flow: u64) -> Peer {
    tcp("bob", flow)
}

/// RFC 5923 §1: it sends over a connection of its own, to where the top Route says, and not over the one that was opened to it.
#[test]
fn rfc3261_12_2_1_1_such_a_phone_goes_on_with_a_call_over_another_connection() {
    for hangs_up in [true, false] {
        let (mut net, phone, mut caller, mut callee) = talking();
        let alice = caller.peer.clone();
        callee.peer = opened(40_001);
        works(&mut net, &mut callee, &alice, "UPDATE");
        works(&mut net, &mut caller, &phone, "INFO");
        // Both are gone, and it opens one more.
        net.close(&phone);
        net.close(&callee.peer);
        callee.peer = opened(40_002);
        works(&mut net, &mut callee, &alice, "REFER");
        // It has registered over another connection, and what was opened to it is not where it is known to be.
        let again = opened(40_003);
        register_as(&mut net, &again, CONTACT, 3);
        net.close(&callee.peer);
        callee.peer = opened(40_004);
        works(&mut net, &mut callee, &alice, "INFO");
        works(&mut net, &mut caller, &again, "INFO");
        if hangs_up {
            works(&mut net, &mut callee, &alice, "BYE");
        } else {
            net.close(&again);
            works(&mut net, &mut caller, &phone, "BYE");
        }
        assert_eq!(net.server.counters().sender_mismatched, 0);
    }
}

#[track_caller]
fn is_refused(net: &mut Net, side: &mut Side) {
    net.send(&side.peer.clone(), side.next("INFO"));
    // Who is away may be about to come back.
    net.advance(Duration::from_secs(6));
    if net.sent.len() > 1 {
        net.expect(&side.peer, 100);
    }
    assert_eq!(net.expect(&side.peer, 403).reason(), "Sender Is Not In This Dialog");
    net.quiet();
}

/// Who knows the tokens, as the other side does, is not the phone.
#[test]
fn rfc3261_12_2_1_1_nobody_at_another_address_goes_on_with_its_call() {
    let others = [
        elsewhere(Transport::Tcp, "203.0.113.10:5071"),
        // At its address, but not over TCP.
        elsewhere(Transport::Tls, "203.0.113.9:5071"),
        udp("bob", 9),
        Peer {
            hop: Hop { remote: "203.0.113.9:40000".parse().unwrap(), ..ws("bob", 9).hop },
            ..ws("bob", 9)
        },
    ];
    for (other, gone) in others.iter().flat_map(|other| [(other, false), (other, true)]) {
        let (mut net, phone, _, mut callee) = talking();
        if gone {
            net.close(&phone);
        }
        callee.peer = other.clone();
        is_refused(&mut net, &mut callee);
    }
}

#[test]
fn rfc3261_12_2_1_1_nor_does_another_phone() {
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000aa>\"";
    // Behind a NAT there may be others at its address; and what has a flow of its own says so (RFC 5626).
    for contact in
        ["<sip:bob@192.168.1.5:5070;transport=tcp>".into(), format!("{CONTACT};{instance};reg-id=1")]
    {
        let mut net = Net::new();
        let (alice, phone) = (ws("alice", 1), opened(40_000));
        net.register(&alice);
        register_as(&mut net, &phone, &contact, 1);
        let (_, mut callee) = dialogs::connect(&mut net, &alice, &phone);
        callee.peer = opened(40_001);
        is_refused(&mut net, &mut callee);
    }
    // One of the same account that listens elsewhere.
    let (mut net, phone, _, mut callee) = talking();
    let other = elsewhere(Transport::Tcp, "203.0.113.10:5071");
    register_as(&mut net, &other, "<sip:bob@203.0.113.10:5071;transport=tcp>", 3);
    callee.peer = elsewhere(Transport::Tcp, "203.0.113.10:5072");
    is_refused(&mut net, &mut callee);
    net.close(&phone);
    is_refused(&mut net, &mut callee);
    // Nor is it another account that listens there.
    let (mut net, _, _, mut callee) = talking();
    register_as(&mut net, &tcp("carol", 40_005), &CONTACT.replace("bob", "carol"), 1);
    net.bindings.remove("sip:bob@example.com");
    callee.peer = opened(40_006);
    is_refused(&mut net, &mut callee);
}

fn call_from(net: &mut Net, phone: &Peer, contact: &str, callee: &Peer) -> (Side, Side) {
    net.send_with_digest(phone, phone.name, &|cseq, extra| {
        let own = format!("<{}>", phone.contact());
        phone.invite(callee.name, cseq, extra).replace(&own, contact)
    });
    net.expect(phone, 100);
    let invite = net.request(callee, &Method::Invite);
    net.send(callee, callee.answer(&invite, 200));
    let ok = net.expect(phone, 200);
    let (mut caller, called) = (Side::caller(phone, &ok), Side::callee(callee, &invite));
    net.send(phone, caller.next("ACK"));
    net.request(callee, &Method::Ack);
    (caller, called)
}

#[test]
fn rfc3261_18_1_1_such_a_phone_calls_over_a_connection_that_it_closes() {
    for (first, then) in [(40_000, false), (40_000, true), (40_001, false)] {
        let (mut net, alice, phone) = closed();
        if then {
            // It is connected to when it calls.
            net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, "").replace("call", "other"));
            let message = net.request(&phone, &Method::Message);
            net.send(&phone, phone.answer(&message, 200));
            net.expect(&alice, 200);
        }
        let (mut caller, mut callee) = call_from(&mut net, &opened(first), CONTACT, &alice);
        net.close(&caller.peer);
        works(&mut net, &mut callee, &phone, "UPDATE");
        caller.peer = opened(40_002);
        works(&mut net, &mut caller, &alice, "UPDATE");
        net.close(&phone);
        net.close(&caller.peer);
        caller.peer = opened(40_003);
        works(&mut net, &mut caller, &alice, "INFO");
        if first == 40_000 {
            works(&mut net, &mut callee, &phone, "BYE");
        } else {
            works(&mut net, &mut caller, &alice, "BYE");
        }
        caller.peer = elsewhere(Transport::Tcp, "203.0.113.10:5071");
        is_refused(&mut net, &mut caller);
    }
}

/// It is found as any whose connection broke while it calls.
#[test]
fn rfc3261_18_2_2_what_is_said_to_such_a_caller_goes_to_its_contact() {
    let (mut net, alice, phone) = closed();
    let calling = opened(40_001);
    net.send_with_digest(&calling, "bob", &|cseq, extra| {
        calling.invite("alice", cseq, extra).replace(&format!("<{}>", calling.contact()), CONTACT)
    });
    net.expect(&calling, 100);
    let invite = net.request(&alice, &Method::Invite);
    net.close(&calling);
    // What it was told last.
    net.answer_waiting(false);
    net.expect(&phone, 100);
    net.send(&alice, alice.answer(&invite, 200));
    let mut caller = Side::caller(&opened(40_002), &net.expect(&phone, 200));
    net.send(&caller.peer.clone(), caller.next("ACK"));
    net.request(&alice, &Method::Ack);
    works(&mut net, &mut caller, &alice, "BYE");
}

/// A Contact that it has not registered, and its Contact from elsewhere: the call ends with its connection.
#[test]
fn rfc3261_18_1_1_what_another_phone_calls_over_leads_to_that_alone() {
    let rows = [
        (opened(40_001), "<sip:bob@203.0.113.9:5071;transport=tcp>"),
        (elsewhere(Transport::Tcp, "203.0.113.10:5071"), CONTACT),
        (elsewhere(Transport::Tls, "203.0.113.9:5071"), CONTACT),
    ];
    for (phone, contact) in rows {
        let (mut net, alice, _) = closed();
        let (_, mut callee) = call_from(&mut net, &phone, contact, &alice);
        works(&mut net, &mut callee, &phone, "INFO");
        net.close(&phone);
        net.send(&alice, callee.next("BYE"));
        assert_eq!(net.expect(&alice, 480).reason(), "Temporarily Unavailable");
        net.quiet();
    }
}

/// All its connections are gone, and the one that brings the CANCEL is new.
#[test]
fn rfc3261_16_10_such_a_phone_gives_up_a_call_that_rings_over_a_restart() {
    let stranger = elsewhere(Transport::Tcp, "203.0.113.10:5071");
    for (contact, from, heard) in [
        (CONTACT, opened(40_002), 200),
        (CONTACT, stranger, 481),
        // Behind a NAT others are at its address, until it has registered anew.
        ("<sip:bob@192.168.1.5:5070;transport=tcp>", opened(40_002), 481),
    ] {
        let mut net = Net::new();
        let (alice, phone) = (udp("alice", 4), opened(40_001));
        net.register(&alice);
        register_as(&mut net, &phone, contact, 1);
        let invite = |cseq, extra: &str| phone.invite("alice", cseq, extra);
        net.send_with_digest(&phone, "bob", &invite);
        net.expect(&phone, 100);
        let ringing = net.request(&alice, &Method::Invite);
        restart(&mut net);
        net.send(&from, cancel_of(&invite(2, "")));
        if heard == 200 {
            let cancel = net.request(&alice, &Method::Cancel);
            assert_eq!((cancel.branch(), cancel.uri()), (ringing.branch(), ringing.uri()));
            net.send(&alice, alice.answer(&cancel, 200));
        }
        net.expect(&from, heard);
        net.quiet();
        if contact != CONTACT {
            register_as(&mut net, &from, contact, 3);
            net.advance(Duration::from_secs(40));
            net.send(&from, cancel_of(&invite(2, "")));
            net.request(&alice, &Method::Cancel);
        }
    }
}

/// Its INVITE's connection stands, is gone, or did not outlive a restart that the call did.
#[test]
fn rfc3261_9_2_such_a_phone_gives_up_a_call_over_another_connection() {
    let others = "<sip:bob@192.168.1.5:5070;transport=tcp>";
    let stranger = elsewhere(Transport::Tcp, "203.0.113.10:5071");
    let by_tls = Peer { hop: Hop { transport: Transport::Tls, ..opened(40_003).hop }, ..opened(40_003) };
    for (contact, from, heard) in [
        (CONTACT, opened(40_002), 200),
        (CONTACT, stranger, 481),
        (CONTACT, by_tls, 481),
        (others, opened(40_002), 481),
    ] {
        for happens in 0..3 {
            let mut net = Net::with(kept::keeps);
            let (alice, phone) = (udp("alice", 4), opened(40_001));
            net.register(&alice);
            register_as(&mut net, &phone, contact, 1);
            let invite = |cseq, extra: &str| phone.invite("alice", cseq, extra);
            net.send_with_digest(&phone, "bob", &invite);
            net.expect(&phone, 100);
            let ringing = net.request(&alice, &Method::Invite);
            net.send(&alice, alice.answer(&ringing, 180));
            net.expect(&phone, 180);
            match happens {
                0 => {}
                1 => net.close(&phone),
                _ => kept::restart(&mut net),
            }
            net.sent.clear();
            net.send(&from, cancel_of(&invite(2, "")));
            let sent: Vec<_> = net.sent.drain(..).collect();
            let answers = sent.iter().filter(|(to, _)| to.flow == from.hop.flow);
            let statuses: Vec<_> =
                answers.filter_map(|(_, text)| Response::parse(text.clone()).ok()).collect();
            assert_eq!(statuses.last().unwrap().status(), heard, "{contact} {happens}");
            let cancelled = sent.iter().filter_map(|(_, text)| Request::parse(text.clone()).ok());
            let cancelled: Vec<_> = cancelled.filter(|request| *request.method() == Method::Cancel).collect();
            assert_eq!(cancelled.len(), usize::from(heard == 200), "{contact} {happens}");
            assert!(cancelled.iter().all(|cancel| cancel.branch() == ringing.branch()));
        }
    }
}

/// Where many come from, whose REGISTER may be anybody's, there are also those whom nobody but this machine reaches.
#[test]
fn rfc3261_26_nobody_has_us_write_to_what_is_reached_from_here_alone() {
    let rows = [
        ("127.0.0.1", false),
        ("[::1]", false),
        ("[::ffff:127.0.0.1]", false),
        // Ours; a load balancer's; a phone's beside it.
        ("192.0.2.1", false),
        ("10.7.0.130", false),
        ("[2001:db8:7::9]", false),
        ("10.7.1.130", true),
        ("[2001:db8:8::9]", true),
        ("192.168.1.5", true),
    ];
    for (outward, (host, may)) in [Outward::Nowhere, Outward::Public, Outward::Anywhere]
        .into_iter()
        .flat_map(|outward| rows.map(|row| (outward, row)))
    {
        let may = may || outward == Outward::Anywhere;
        let mut net = Net::with(|config| {
            config.outward = outward;
            let shared = [("192.0.2.1", 32), ("10.7.0.0", 24), ("2001:db8:7::", 48)];
            config.shared = shared.map(|(network, prefix)| (network.parse().unwrap(), prefix)).into();
        });
        let alice = ws("alice", 1);
        net.register(&alice);
        let phone = elsewhere(Transport::Tcp, &format!("{host}:40000"));
        register_as(&mut net, &phone, &format!("<sip:bob@{host}:6379;transport=tcp>"), 1);
        net.close(&phone);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        if may {
            net.request(&elsewhere(Transport::Tcp, &format!("{host}:6379")), &Method::Invite);
        } else {
            assert_eq!(net.server.counters().hops_forbidden, 1, "{host} {outward:?}");
        }
        net.quiet();
        assert_eq!(net.server.counters().paths_followed, u64::from(may), "{host} {outward:?}");
    }
}

/// Nor by the Via of a call whose connection it closes.
#[test]
fn rfc3261_18_2_2_nor_does_a_response_go_there() {
    for (host, outward, may) in [
        ("127.0.0.1", Outward::Nowhere, false),
        ("127.0.0.1", Outward::Public, false),
        ("127.0.0.1", Outward::Anywhere, true),
        ("192.168.1.5", Outward::Nowhere, true),
    ] {
        let mut net = Net::with(|config| config.outward = outward);
        let alice = ws("alice", 1);
        net.register(&alice);
        let calling = elsewhere(Transport::Tcp, &format!("{host}:40000"));
        net.send_with_digest(&calling, "bob", &|cseq, extra| {
            let invite = calling.invite("alice", cseq, extra);
            invite.replace(&format!("{host}:40000;branch"), &format!("{host}:6379;branch"))
        });
        net.expect(&calling, 100);
        net.request(&alice, &Method::Invite);
        net.close(&calling);
        if may {
            net.expect(&elsewhere(Transport::Tcp, &format!("{host}:6379")), 100);
        }
        net.quiet();
    }
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
