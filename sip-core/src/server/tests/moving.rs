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
    if !calls {
        let (caller, callee) = connect(&mut net, &alice, phone);
        return (net, caller, callee);
    }
    net.send_with_digest(phone, "bob", &|cseq, extra| phone.invite("alice", cseq, extra));
    net.expect(phone, 100);
    let forwarded = net.request(&alice, &Method::Invite);
    net.send(&alice, alice.answer(&forwarded, 200));
    let ok = net.expect(phone, 200);
    let (mut caller, callee) = (Side::caller(phone, &ok), Side::callee(&alice, &forwarded));
    net.send(phone, caller.next("ACK"));
    net.request(&alice, &Method::Ack);
    net.quiet();
    (net, callee, caller)
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
