//! Phones on UDP whose address changes while they are in a dialog.

use super::dialogs::{connect, works};
use super::*;

/// Registers a phone on UDP that says who it is.
fn register_by_instance(net: &mut Net, peer: &Peer, cseq: u32, expires: u32) {
    net.send_with_digest(peer, peer.name, &|more, extra| {
        let instance = format!(">;+sip.instance=\"<urn:uuid:{}>\";reg-id=1;expires={expires}", peer.instance);
        peer.register(cseq + more, &format!("{}{extra}", peer.contact_field().replacen('>', &instance, 1)))
    });
    net.expect(peer, 200);
}

/// Alice's page talks to Bob's phone, or his phone to her page.
fn talking_to_a_phone(phone: &Peer, calls: bool) -> (Net, Side, Side) {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    register_by_instance(&mut net, phone, 10, 3600);
    let (page, phone) = talking(&mut net, &alice, phone, &phone.contact(), calls);
    (net, page, phone)
}

/// The same once it is registered, under this Contact.
fn talking(net: &mut Net, alice: &Peer, phone: &Peer, contact: &str, calls: bool) -> (Side, Side) {
    if !calls {
        return connect(net, alice, phone);
    }
    net.send_with_digest(phone, "bob", &|cseq, extra| {
        phone.invite("alice", cseq, extra).replace(&phone.contact(), contact)
    });
    net.expect(phone, 100);
    let forwarded = net.request(alice, &Method::Invite);
    net.send(alice, alice.answer(&forwarded, 200));
    let ok = net.expect(phone, 200);
    let (mut caller, callee) = (Side::caller(phone, &ok), Side::callee(alice, &forwarded));
    net.send(phone, caller.next("ACK"));
    net.request(alice, &Method::Ack);
    net.quiet();
    (callee, caller)
}

/// Registers a phone that knows no more of itself than its address behind a NAT.
fn register_behind_nat(net: &mut Net, peer: &Peer, call_id: &str, cseq: u32) {
    net.send_with_digest(peer, peer.name, &|more, extra| {
        let request = peer.register(cseq + more, &format!("Contact: <{PRIVATE}>\r\n{extra}"));
        request.replace("Call-ID: reg", &format!("Call-ID: {call_id}"))
    });
    net.expect(peer, 200);
}

const PRIVATE: &str = "sip:bob@192.168.1.5:5060";

/// Its Contact stays as it is, and so does the Call-ID of its REGISTERs (§10.2).
#[test]
fn rfc3261_10_2_a_phone_behind_a_nat_takes_its_dialogs_to_where_it_registers_next() {
    for calls in [false, true] {
        let (old, new) = (udp("bob", 5), Peer { instance: 5, ..udp("bob", 6) });
        let mut net = Net::new();
        let alice = ws("alice", 1);
        net.register(&alice);
        register_behind_nat(&mut net, &old, "a", 10);
        let (mut page, mut phone) = talking(&mut net, &alice, &old, PRIVATE, calls);
        works(&mut net, &mut page, &old, "INFO");
        works(&mut net, &mut phone, &alice, "INFO");
        // From there it has to say so first.
        phone.peer = new.clone();
        net.send(&new, phone.next("INFO"));
        net.expect(&new, 403);
        register_behind_nat(&mut net, &new, "a", 20);
        works(&mut net, &mut page, &new, "INFO");
        works(&mut net, &mut phone, &alice, "BYE");
    }
}

/// Registers a phone that says which it is, and knows no flows.
pub(super) fn register_named(net: &mut Net, peer: &Peer, instance: u8, cseq: u32) {
    net.send_with_digest(peer, peer.name, &|more, extra| {
        let instance =
            format!(";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000{instance:02}>\"");
        peer.register(cseq + more, &format!("Contact: <{}>{instance}\r\n{extra}", peer.contact()))
    });
    net.expect(peer, 200);
}

/// In another network it has another Contact, or over another connection: it is the same by its instance (RFC 5626 §4.1).
#[test]
fn rfc5626_4_1_a_phone_without_reg_id_takes_its_dialogs_along_by_its_instance() {
    for (old, new, other) in
        [(udp("bob", 5), udp("bob", 6), udp("bob", 7)), (tcp("bob", 5), tcp("bob", 6), tcp("bob", 7))]
    {
        for calls in [false, true] {
            let mut net = Net::new();
            let alice = ws("alice", 1);
            net.register(&alice);
            register_named(&mut net, &old, 1, 10);
            let (mut page, mut phone) = talking(&mut net, &alice, &old, &old.contact(), calls);
            works(&mut net, &mut page, &old, "INFO");
            works(&mut net, &mut phone, &alice, "INFO");
            if old.hop.transport.is_reliable() {
                net.close(&old);
            }
            register_named(&mut net, &new, 1, 20);
            phone.peer = new.clone();
            works(&mut net, &mut page, &new, "INFO");
            works(&mut net, &mut phone, &alice, "INFO");
            // Another phone of the account is another.
            register_named(&mut net, &other, 2, 30);
            let mut stolen = Side { peer: other.clone(), cseq: 40, ..phone.clone() };
            net.send(&other, stolen.next("INFO"));
            net.expect(&other, 403);
            works(&mut net, &mut page, &new, "INFO");
            works(&mut net, &mut phone, &alice, "BYE");
        }
    }
}

/// Behind another NAT there may be a phone with the same address.
#[test]
fn rfc3261_10_2_another_phone_behind_another_nat_takes_no_dialogs() {
    for calls in [false, true] {
        let (bob, other) = (udp("bob", 5), udp("bob", 6));
        let mut net = Net::new();
        let alice = ws("alice", 1);
        net.register(&alice);
        register_behind_nat(&mut net, &bob, "a", 10);
        let (mut page, mut phone) = talking(&mut net, &alice, &bob, PRIVATE, calls);
        register_behind_nat(&mut net, &other, "b", 20);
        works(&mut net, &mut page, &bob, "INFO");
        works(&mut net, &mut phone, &alice, "BYE");
    }
}

/// Without `rport` (RFC 3581 §3) a phone says that it listens at the port in its Via, whichever it sends from.
#[test]
fn rfc3261_18_2_2_a_phone_is_called_at_the_port_that_it_listens_at() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    let mut sends = bob.clone();
    sends.hop.remote.set_port(49_152);
    net.send(&sends, bob.register(1, &bob.contact_field()));
    let challenge = net.expect(&bob, 401);
    let extra = digest("bob", "bob", &challenge, &Method::Register, "sip:example.com");
    net.send(&sends, bob.register(2, &format!("{}{extra}", bob.contact_field())));
    net.expect(&bob, 200);
    let goes_on = |net: &mut Net, mut page: Side, mut phone: Side| {
        works(net, &mut page, &bob, "INFO");
        net.send(&sends, phone.next("INFO"));
        let info = net.request(&alice, &Method::Info);
        net.send(&alice, alice.answer(&info, 200));
        net.expect(&bob, 200);
        works(net, &mut page, &bob, "BYE");
    };
    let (page, phone) = connect(&mut net, &alice, &bob);
    goes_on(&mut net, page, phone);
    // And when it calls.
    net.send(&sends, bob.invite("alice", 30, ""));
    let challenge = net.expect(&bob, 407);
    net.send(&sends, ack_to_failure(&bob.invite("alice", 30, ""), &challenge));
    let extra = digest("bob", "bob", &challenge, &Method::Invite, "sip:alice@example.com");
    net.send(&sends, bob.invite("alice", 31, &extra));
    net.expect(&bob, 100);
    let invite = net.request(&alice, &Method::Invite);
    net.send(&alice, alice.answer(&invite, 200));
    let ok = net.expect(&bob, 200);
    let (page, mut phone) = (Side::callee(&alice, &invite), Side::caller(&bob, &ok));
    net.send(&sends, phone.next("ACK").replace("CSeq: 2", "CSeq: 31"));
    net.request(&alice, &Method::Ack);
    goes_on(&mut net, page, phone);
}

/// "MUST be sent using an RFC 2914 congestion controlled transport protocol": what is too long for a datagram.
#[test]
fn rfc3261_18_1_1_a_phone_on_udp_sends_long_requests_of_its_dialogs_over_tcp() {
    for named in [false, true] {
        let mut net = Net::new();
        let (alice, phone) = (ws("alice", 1), udp("bob", 9));
        net.register(&alice);
        match named {
            true => register_by_instance(&mut net, &phone, 10, 3600),
            false => net.register_quietly(&phone),
        }
        let (mut page, mut callee) = connect(&mut net, &alice, &phone);
        callee.peer = tcp("bob", 7);
        works(&mut net, &mut callee, &alice, "INFO");
        works(&mut net, &mut page, &phone, "INFO");
        // From elsewhere, and from a page, it is another's.
        for thief in [elsewhere(Transport::Tcp, "203.0.113.8:7"), ws("bob", 3)] {
            let mut stolen = Side { peer: thief.clone(), cseq: 40, ..callee.clone() };
            net.send(&thief, stolen.next("INFO"));
            net.expect(&thief, 403);
        }
        callee.peer = phone;
        works(&mut net, &mut callee, &alice, "BYE");
    }
}

/// A NAT gave it another address: it is where it registers, if it says who it is.
#[test]
fn rfc5626_5_3_a_phone_on_udp_takes_its_dialogs_to_its_next_address() {
    for calls in [false, true] {
        let old = udp("bob", 5);
        let new = Peer { instance: 5, ..udp("bob", 6) };
        let (mut net, mut page, mut phone) = talking_to_a_phone(&old, calls);
        let alice = page.peer.clone();
        works(&mut net, &mut page, &old, "INFO");
        works(&mut net, &mut phone, &alice, "INFO");
        // From there it has to say so first.
        phone.peer = new.clone();
        net.send(&new, phone.next("INFO"));
        net.expect(&new, 403);
        register_by_instance(&mut net, &new, 20, 3600);
        works(&mut net, &mut page, &new, "INFO");
        works(&mut net, &mut phone, &alice, "INFO");
        // Another phone of the account is another, wherever it is.
        let other = Peer { instance: 7, ..udp("bob", 7) };
        register_by_instance(&mut net, &other, 30, 3600);
        phone.peer = other.clone();
        net.send(&other, phone.next("INFO"));
        net.expect(&other, 403);
        phone.peer = new.clone();
        works(&mut net, &mut page, &new, "BYE");
        works(&mut net, &mut phone, &alice, "BYE");
    }
}

/// A Record-Route has no room for any name that a phone gives itself.
#[test]
fn a_phone_on_udp_with_a_long_name_is_where_its_dialog_began() {
    for (name, follows) in [(130, true), (200, false)] {
        let mut net = Net::new();
        let alice = ws("alice", 1);
        net.register(&alice);
        let (old, new) = (udp("bob", 5), Peer { instance: 5, ..udp("bob", 6) });
        let register = |net: &mut Net, peer: &Peer, cseq: u32| {
            net.send_with_digest(peer, "bob", &|more, extra| {
                let instance = format!(">;+sip.instance=\"<urn:x:{}>\";reg-id=1", "y".repeat(name));
                let contact = peer.contact_field().replacen('>', &instance, 1);
                peer.register(cseq + more, &format!("{contact}{extra}"))
            });
            net.expect(peer, 200);
        };
        register(&mut net, &old, 10);
        let (mut page, _) = connect(&mut net, &alice, &old);
        assert!(page.routes.iter().all(|route| route.len() < 320), "{:?}", page.routes);
        register(&mut net, &new, 20);
        works(&mut net, &mut page, if follows { &new } else { &old }, "BYE");
    }
}

/// What the location service does not know stands in the Routes.
#[test]
fn rfc5626_5_3_a_phone_on_udp_that_is_registered_no_more_is_where_it_was() {
    for (calls, leaves, restarts) in [
        (false, true, false),
        (true, true, false),
        (false, true, true),
        (true, true, true),
        (false, false, true),
    ] {
        let bob = udp("bob", 5);
        let (mut net, mut page, mut phone) = talking_to_a_phone(&bob, calls);
        if leaves {
            register_by_instance(&mut net, &bob, 20, 0);
        }
        if restarts {
            // It kept no registration at all.
            net.restart();
            let back = ws("alice", 3);
            net.register(&back);
            page.peer = back;
        }
        let alice = page.peer.clone();
        works(&mut net, &mut page, &bob, "INFO");
        works(&mut net, &mut phone, &alice, "INFO");
        // Others are not.
        let thief = udp("carol", 9);
        let mut stolen = Side { peer: thief.clone(), cseq: 40, ..phone.clone() };
        net.send(&thief, stolen.next("BYE"));
        net.advance(Duration::from_secs(10));
        // RFC 4320 §4.1: its registration might come.
        net.expect(&thief, 100);
        net.expect(&thief, 403);
        works(&mut net, &mut page, &bob, "BYE");
        works(&mut net, &mut phone, &alice, "BYE");
    }
}
