//! Within dialogs: what was promised when they began.

use super::*;

#[test]
fn rfc3261_26_2_2_a_sips_call_from_invite_to_bye() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    assert_eq!(invite.uri(), secured(&bob.contact()));
    // §16.6 step 4: on both sides, and RFC 5630 §5.3: without `transport=tls`.
    let routes: Vec<_> = invite.headers().list(HeaderName::RecordRoute).collect();
    assert_eq!(routes.len(), 2);
    for route in routes {
        assert!(route.starts_with("<sips:") && route.ends_with("@192.0.2.1:5061;lr>"), "{route}");
    }
    net.send(&bob, secured(&bob.answer(&invite, 200)));
    let ok = net.expect(&alice, 200);
    let (mut caller, mut callee) = (Side::caller(&alice, &ok), Side::callee(&bob, &invite));
    net.send(&alice, caller.next("ACK"));
    assert_eq!(net.request(&bob, &Method::Ack).uri(), secured(&bob.contact()));
    net.send(&bob, callee.next("INVITE"));
    net.expect(&bob, 100);
    let again = net.request(&alice, &Method::Invite);
    assert_eq!(again.uri(), secured(&alice.contact()));
    net.send(&alice, secured(&alice.answer(&again, 200)));
    net.expect(&bob, 200);
    net.send(&alice, caller.next("BYE"));
    let bye = net.request(&bob, &Method::Bye);
    net.send(&bob, bob.answer(&bye, 200));
    net.expect(&alice, 200);
    net.quiet();
}

/// "That SIPS Contact header field would then force the other UA to use a SIPS" Request-URI "in any mid-dialog request, including the ACK".
#[test]
fn rfc5630_4_1_who_answers_a_sip_call_with_a_sips_contact_can_be_talked_to() {
    for alice in [udp("alice", 4), tcp("alice", 7), ws("alice", 1)] {
        let mut net = Net::new();
        let bob = tls("bob", 42);
        net.register(&alice);
        net.register_secured(&bob);
        if alice.hop.transport == Transport::Ws {
            net.send(&alice, alice.invite("bob", 1, ""));
        } else {
            net.send_proven(&alice, &alice.invite("bob", 1, ""));
        }
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        let contact = secured(&bob.contact());
        let answer = |request: &Request| bob.answer(request, 200).replace(&bob.contact(), &contact);
        net.send(&bob, answer(&invite));
        let ok = net.expect(&alice, 200);
        assert!(ok.headers().list(HeaderName::RecordRoute).all(|route| route.starts_with("<sip:")));
        let mut caller = Side::caller(&alice, &ok);
        net.send(&alice, caller.next("ACK"));
        assert_eq!(net.request(&bob, &Method::Ack).uri(), contact);
        let again = caller.next("INVITE");
        net.send(&alice, again);
        net.expect(&alice, 100);
        let again = net.request(&bob, &Method::Invite);
        assert_eq!(again.uri(), contact);
        net.send(&bob, answer(&again));
        net.expect(&alice, 200);
        let bye = caller.next("BYE");
        net.send(&alice, bye.clone());
        let forwarded = net.request(&bob, &Method::Bye);
        assert_eq!(forwarded.uri(), contact);
        net.send(&bob, answer(&forwarded));
        net.expect(&alice, 200);
        if alice.hop.transport == Transport::Udp {
            net.send(&alice, bye);
            net.expect(&alice, 200);
        }
        net.quiet();
        // Where no TLS leads on it goes nowhere, and outside dialogs it is refused as it comes.
        net.close(&bob);
        let back = Peer { hop: tcp("bob", 77).hop, ..bob };
        net.register(&back);
        net.send(&alice, caller.next("INFO"));
        assert!(warning(&net.expect(&alice, 480)).starts_with("380 "));
        let stray = "MESSAGE sips:bob@example.com";
        net.send(
            &alice,
            alice.out("MESSAGE", "sip:bob@example.com", 9, "").replacen(
                &stray.replace("sips", "sip"),
                stray,
                1,
            ),
        );
        net.expect(&alice, 400);
        net.quiet();
    }
}

/// The same of who is subscribed: what its notifier records on its own side is no `sips` URI.
#[test]
fn rfc5630_4_1_a_notify_for_a_sips_contact_records_what_its_sender_is() {
    let mut net = Net::new();
    let (alice, bob) = (tls("alice", 41), udp("bob", 5));
    net.register_secured(&alice);
    net.register(&bob);
    net.send_proven(
        &alice,
        &alice
            .out("SUBSCRIBE", "sip:bob@example.com", 1, "Event: presence\r\n")
            .replace(&format!("m: <{}>", alice.contact()), &format!("m: <{}>", secured(&alice.contact()))),
    );
    let subscribe = net.request(&bob, &Method::Subscribe);
    let mut notifier = Side::callee(&bob, &subscribe);
    net.send(&bob, notifier.next("NOTIFY"));
    let notify = net.request(&alice, &Method::Notify);
    assert_eq!(notify.uri(), secured(&alice.contact()));
    let routes: Vec<_> = notify.headers().list(HeaderName::RecordRoute).collect();
    // Hers first: her hop has TLS, his has not.
    assert!(routes[0].starts_with("<sips:") && routes[1].starts_with("<sip:"), "{routes:?}");
}

#[test]
fn rfc5630_5_3_a_dialog_of_sips_goes_on_over_tls_or_not_at_all() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    // Its Contact is none, as it should be by §12.1.1: the Routes remember.
    net.send(&bob, bob.answer(&invite, 200));
    let ok = net.expect(&alice, 200);
    let mut caller = Side::caller(&alice, &ok);
    assert!(caller.target.starts_with("<sip:"));
    // Bob is back over TCP, the same instance.
    net.close(&bob);
    let back = Peer { hop: tcp("bob", 77).hop, ..bob };
    net.register(&back);
    net.send(&alice, caller.next("BYE"));
    let refused = net.expect(&alice, 480);
    assert!(warning(&refused).starts_with("380 "));
    net.quiet();
    // And who is in such a dialog sends over TLS.
    let mut callee = Side::callee(&back, &invite);
    net.send(&back, callee.next("BYE"));
    assert_eq!(net.expect(&back, 400).reason(), "Bad Request (sips Without TLS)");
    net.quiet();
}

#[test]
fn rfc5630_5_3_a_request_that_waits_for_its_receiver_waits_for_tls() {
    let (mut net, alice, bob) = two();
    net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    net.send(&bob, secured(&bob.answer(&invite, 180)));
    net.expect(&alice, 180);
    // It rings, and its connection breaks; it is back without TLS, and hears nothing.
    net.close(&bob);
    let back = Peer { hop: tcp("bob", 77).hop, ..bob };
    net.register(&back);
    net.answer_waiting(false);
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn rfc3261_18_2_2_the_answer_to_a_sips_call_finds_its_caller_over_tls_alone() {
    for answered in [false, true] {
        let (mut net, alice, bob) = two();
        net.send_proven(&alice, &secured(&alice.invite("bob", 1, "")));
        net.expect(&alice, 100);
        let invite = net.request(&bob, &Method::Invite);
        if answered {
            net.send(&bob, secured(&bob.answer(&invite, 200)));
            net.expect(&alice, 200);
        }
        net.close(&alice);
        // She is back without TLS.
        let plain = Peer { hop: tcp("alice", 77).hop, ..alice.clone() };
        net.register(&plain);
        net.answer_waiting(false);
        net.send(&bob, secured(&bob.answer(&invite, 200)));
        net.quiet();
    }
}
