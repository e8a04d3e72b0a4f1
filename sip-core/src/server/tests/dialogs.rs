//! In-dialog requests: their way after a reconnect and a restart, and whose they are.

use super::*;

/// Alice's page talks to Bob's page.
fn talking() -> (Net, Side, Side) {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    let (caller, callee) = connect(&mut net, &alice, &bob);
    (net, caller, callee)
}

pub(super) fn connect(net: &mut Net, alice: &Peer, bob: &Peer) -> (Side, Side) {
    net.send(alice, alice.invite("bob", 2, ""));
    net.expect(alice, 100);
    let forwarded = net.request(bob, &Method::Invite);
    net.send(bob, bob.answer(&forwarded, 200));
    let ok = net.expect(alice, 200);
    let (mut caller, callee) = (Side::caller(alice, &ok), Side::callee(bob, &forwarded));
    net.send(alice, caller.next("ACK"));
    net.request(bob, &Method::Ack);
    net.quiet();
    (caller, callee)
}

/// Asks for something in the dialog and gets it.
#[track_caller]
pub(super) fn works(net: &mut Net, from: &mut Side, to: &Peer, method: &str) {
    net.send(&from.peer.clone(), from.next(method));
    let forwarded = net.request(to, &Method::from_token(method));
    net.send(to, to.answer(&forwarded, 200));
    net.expect(&from.peer, 200);
    net.quiet();
}

#[test]
fn both_directions_survive_new_sockets() {
    let (mut net, mut caller, mut callee) = talking();
    let (old_alice, old_bob) = (caller.peer.clone(), callee.peer.clone());
    works(&mut net, &mut caller, &old_bob, "INFO");
    works(&mut net, &mut callee, &old_alice, "INFO");
    // Both lose their sockets and register the same instances over new ones.
    net.close(&old_alice);
    net.close(&old_bob);
    (caller.peer, callee.peer) = (ws("alice", 3), ws("bob", 4));
    net.register(&caller.peer);
    net.register(&callee.peer);
    let (alice, bob) = (caller.peer.clone(), callee.peer.clone());
    works(&mut net, &mut caller, &bob, "INFO");
    works(&mut net, &mut callee, &alice, "BYE");
}

#[test]
fn a_dialog_survives_a_restart() {
    let (mut net, mut caller, mut callee) = talking();
    net.restart();
    (caller.peer, callee.peer) = (ws("alice", 3), ws("bob", 4));
    net.register(&caller.peer);
    // Bob is not back yet: the hang-up waits for him.
    net.send(&caller.peer.clone(), caller.next("BYE"));
    net.quiet();
    net.advance(Duration::from_secs(3));
    net.register(&callee.peer);
    net.answer_waiting(false);
    let bye = net.request(&callee.peer, &Method::Bye);
    let bob = callee.peer.clone();
    net.send(&bob, bob.answer(&bye, 200));
    net.expect(&caller.peer, 200);
    works(&mut net, &mut callee, &caller.peer, "INFO");
    assert_eq!(net.server.counters().held, 1);
}

#[test]
fn a_phone_on_tcp_comes_back_too() {
    let mut net = Net::new();
    let (alice, phone) = (ws("alice", 1), tcp("bob", 7));
    net.register(&alice);
    net.register(&phone);
    let (mut caller, mut callee) = connect(&mut net, &alice, &phone);
    works(&mut net, &mut callee, &alice, "INFO");
    net.close(&phone);
    callee.peer = tcp("bob", 8);
    net.register(&callee.peer);
    let again = callee.peer.clone();
    works(&mut net, &mut caller, &again, "INFO");
    works(&mut net, &mut callee, &alice, "INFO");
    // Somebody else registers over the same connection: the first is still known by its binding.
    net.register(&Peer { name: "carol", ..again });
    works(&mut net, &mut callee, &alice, "BYE");
}

#[test]
fn requests_are_held_in_order_and_not_for_ever() {
    let (mut net, mut caller, callee) = talking();
    let (alice, bob) = (caller.peer.clone(), callee.peer.clone());
    net.close(&bob);
    // A re-INVITE is told to be patient, others wait in silence.
    net.send(&alice, caller.next("INVITE"));
    net.expect(&alice, 100);
    for method in ["INFO", "MESSAGE", "BYE"] {
        net.send(&alice, caller.next(method));
    }
    net.quiet();
    assert_eq!(net.waiting.len(), 4);
    net.advance(Duration::from_secs(2));
    let back = ws("bob", 4);
    net.register(&back);
    // Whatever the order of the answers.
    net.answer_waiting(true);
    for method in ["INVITE", "INFO", "MESSAGE", "BYE"] {
        let request = net.request(&back, &Method::from_token(method));
        net.send(&back, back.answer(&request, 200));
    }
    for _ in 0..4 {
        net.expect(&alice, 200);
    }
    net.quiet();
    assert_eq!(net.server.counters().held, 4);

    net.close(&back);
    net.waiting.clear();
    net.send(&alice, caller.next("INVITE"));
    net.expect(&alice, 100);
    net.send(&alice, caller.next("BYE"));
    net.send(&alice, caller.next("ACK"));
    net.advance(Duration::from_millis(19_990));
    // RFC 4320 §4.1.
    net.expect(&alice, 100);
    net.quiet();
    // The BYE after 20 s, whose sender gives up after 32; the INVITE, and the ACK in silence, after 30.
    for wait in [20, 10_000] {
        net.advance(Duration::from_millis(wait));
        let gone = net.expect(&alice, 480);
        assert!(gone.headers().has(HeaderName::RetryAfter));
        net.quiet();
    }
    let counters = net.server.counters();
    assert_eq!((counters.held_timed_out, counters.acks_dropped), (3, 1));
    // Its way is known now, and nobody waits for it any more.
    net.register(&ws("bob", 5));
    net.answer_waiting(false);
    net.quiet();
    // Three before were let go by the last one's answer.
    assert_eq!(net.server.counters().answers_late, 6);
}

#[test]
fn a_held_invite_can_be_cancelled() {
    let (mut net, mut caller, callee) = talking();
    let alice = caller.peer.clone();
    net.close(&callee.peer);
    let invite = caller.next("INVITE");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let number = caller.cseq;
    net.send(
        &alice,
        invite
            .replace("INVITE sip", "CANCEL sip")
            .replace(&format!("{number} INVITE"), &format!("{number} CANCEL")),
    );
    net.expect(&alice, 200);
    net.expect(&alice, 487);
    assert_eq!(net.server.load().2, 0);
}

#[test]
fn an_ack_waits_as_well_but_once() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let ok = net.expect(&alice, 200);
    net.close(&bob);
    let ack = Side::caller(&alice, &ok).next("ACK");
    net.send(&alice, ack.clone());
    net.send(&alice, ack);
    net.quiet();
    let back = ws("bob", 4);
    net.register(&back);
    net.answer_waiting(false);
    net.request(&back, &Method::Ack);
    net.quiet();
}

#[test]
fn only_the_two_of_a_dialog_may_speak_in_it() {
    let (mut net, caller, callee) = talking();
    let mallory = ws("carol", 3);
    net.register(&mallory);
    let unknown = ws("alice", 9);
    let phone = udp("alice", 9);
    for (row, side) in [&caller, &callee].into_iter().enumerate() {
        // With the very Routes, over another's flow, one that proved nothing, and a datagram.
        for thief in [&mallory, &unknown, &phone] {
            let mut stolen = Side { peer: thief.clone(), cseq: 30 + row as u32, ..side.clone() };
            net.send(thief, stolen.next("BYE"));
            let refused = net.expect(thief, 403);
            assert_eq!(refused.reason(), "Sender Is Not In This Dialog");
        }
    }
    // The sides exchanged.
    let mut turned = caller.clone();
    turned.routes.reverse();
    net.send(&caller.peer, turned.next("BYE"));
    net.expect(&caller.peer, 403);
    // In another call.
    let bye = caller.clone().next("BYE").replace("Call-ID: call", "Call-ID: other");
    net.send(&caller.peer, bye);
    assert_eq!(net.expect(&caller.peer, 403).reason(), "Route Set Not Valid");
    // One of the two is missing.
    let mut half = Side { cseq: 40, ..caller.clone() };
    half.routes.pop();
    net.send(&caller.peer, half.next("BYE"));
    net.expect(&caller.peer, 403);
    // An ACK says nothing.
    net.send(&mallory, Side { peer: mallory.clone(), ..caller }.next("ACK"));
    net.quiet();
    assert!(net.server.counters().acks_dropped > 0);
}

/// Bob rings for alice; what he got of her INVITE.
pub(super) fn ringing() -> (Net, Peer, Peer, Request) {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 180));
    net.expect(&alice, 180);
    (net, alice, bob, forwarded)
}

#[test]
fn ringing_survives_the_callers_reconnect() {
    let (mut net, alice, bob, forwarded) = ringing();
    net.close(&alice);
    net.quiet();
    net.advance(Duration::from_secs(5));
    let back = ws("alice", 3);
    net.register(&back);
    net.answer_waiting(false);
    net.expect(&back, 180);
    net.advance(Duration::from_secs(20));
    net.send(&bob, bob.answer(&forwarded, 200));
    net.expect(&back, 200);
    net.quiet();
}

#[test]
fn a_caller_that_does_not_come_back_is_given_up() {
    let (mut net, alice, bob, forwarded) = ringing();
    net.close(&alice);
    net.advance(Duration::from_secs(9));
    net.quiet();
    net.advance(Duration::from_secs(2));
    let cancel = net.request(&bob, &Method::Cancel);
    net.send(&bob, bob.answer(&cancel, 200));
    net.send(&bob, bob.answer(&forwarded, 487));
    net.request(&bob, &Method::Ack);
    net.quiet();
}

#[test]
fn who_unregisters_during_a_call_speaks_in_it_and_nowhere_else() {
    for star in [false, true] {
        let (mut net, mut caller, callee) = talking();
        let (alice, bob) = (caller.peer.clone(), callee.peer.clone());
        net.send_with_digest(&alice, "alice", &|cseq, extra| {
            let contact = match star {
                true => String::from("Contact: *\r\nExpires: 0\r\n"),
                false => format!("Expires: 0\r\n{}", alice.contact_field()),
            };
            alice.register(cseq + 100, &format!("{contact}{extra}"))
        });
        net.expect(&alice, 200);
        net.quiet();
        // A new call has to be proven.
        let invite = alice.invite("bob", 77, "").replace("Call-ID: call", "Call-ID: another");
        net.send(&alice, invite.clone());
        let challenge = net.expect(&alice, 407);
        net.send(&alice, ack_to_failure(&invite, &challenge));
        works(&mut net, &mut caller, &bob, "BYE");
        // Over another flow it is a thief's.
        let thief = ws("alice", 9);
        let mut stolen = Side { peer: thief.clone(), cseq: 40, ..caller.clone() };
        net.send(&thief, stolen.next("INFO"));
        net.expect(&thief, 403);
    }
}

/// Whoever subscribed takes the route set from the NOTIFY.
#[test]
fn rfc6665_4_3_a_notify_within_a_recorded_dialog_is_recorded_too() {
    let (mut net, caller, mut callee) = talking();
    let (alice, bob) = (caller.peer.clone(), callee.peer.clone());
    for (method, recorded) in [("NOTIFY", 2), ("INFO", 0)] {
        net.send(&bob, callee.next(method));
        let forwarded = net.request(&alice, &Method::from_token(method));
        assert_eq!(forwarded.headers().list(HeaderName::RecordRoute).count(), recorded, "{method}");
        net.send(&alice, alice.answer(&forwarded, 200));
        net.expect(&bob, 200);
    }
    net.quiet();
}

#[test]
fn rfc5626_5_3_a_dialog_goes_on_over_another_flow_of_its_user_agent() {
    // A page and a phone, each with two flows.
    for callee in [ws("bob", 2), tcp("bob", 7)] {
        let mut net = Net::new();
        let alice = ws("alice", 1);
        net.register(&alice);
        net.register(&callee);
        let (mut caller, mut bob) = connect(&mut net, &alice, &callee);
        let (second, third) = match callee.hop.transport {
            Transport::Ws => (ws("bob", 8), ws("alice", 9)),
            _ => (tcp("bob", 8), ws("alice", 9)),
        };
        for peer in [&second, &third] {
            net.send_with_digest(peer, peer.name, &|cseq, extra| {
                let field = peer.contact_field().replace("reg-id=1", "reg-id=2");
                peer.register(cseq + self_cseq(peer), &format!("{field}{extra}"))
            });
            net.expect(peer, 200);
        }
        // The first is there, and is used; over the second as much may be said.
        works(&mut net, &mut caller, &callee, "INFO");
        bob.peer = second.clone();
        works(&mut net, &mut bob, &alice, "INFO");
        // The first flows are lost.
        net.close(&callee);
        net.close(&alice);
        caller.peer = third.clone();
        works(&mut net, &mut caller, &second, "INFO");
        works(&mut net, &mut bob, &third, "BYE");
        // Others of the account are others.
        let other = Peer { instance: 99, ..ws("alice", 10) };
        net.register(&other);
        caller.peer = other.clone();
        net.send(&other, caller.next("INFO"));
        net.expect(&other, 403);
    }
}

/// The connection breaks with a request on it: it comes again over the next, by its branch, so that who had it answers at once
/// and who had not takes it.
#[test]
fn rfc3261_17_2_3_what_was_on_a_connection_that_broke_comes_again() {
    for method in ["INVITE", "INFO"] {
        let (mut net, mut caller, callee) = talking();
        let alice = caller.peer.clone();
        net.send(&alice, caller.next(method));
        if method == "INVITE" {
            net.expect(&alice, 100);
        }
        let method = Method::from_token(method);
        let first = net.request(&callee.peer, &method);
        net.close(&callee.peer);
        net.quiet();
        let bob = ws("bob", 4);
        net.register(&bob);
        net.answer_waiting(false);
        let second = net.request(&bob, &method);
        assert_eq!(first.bytes(), second.bytes());
        net.send(&bob, bob.answer(&second, 200));
        net.expect(&alice, 200);
        if method == Method::Invite {
            net.send(&alice, caller.next("ACK"));
            net.request(&bob, &Method::Ack);
        }
        net.quiet();
        assert_eq!(net.server.counters().repeated, 1);
        net.advance(Duration::from_secs(60));
        assert_eq!(net.server.load(), (0, 0, 0));
    }
}

#[test]
fn who_does_not_come_back_for_what_was_on_its_connection_is_given_up() {
    let (mut net, mut caller, callee) = talking();
    let alice = caller.peer.clone();
    net.send(&alice, caller.next("INFO"));
    net.request(&callee.peer, &Method::Info);
    net.close(&callee.peer);
    net.quiet();
    net.advance(Duration::from_secs(25));
    // RFC 4320 §4.2.
    net.expect(&alice, 100);
    net.expect(&alice, 480);
    net.advance(Duration::from_secs(60));
    net.quiet();
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_13_2_2_4_the_newest_ack_alone_waits() {
    let (mut net, mut caller, callee) = talking();
    net.close(&callee.peer);
    let ack = caller.next("ACK");
    let newer = ack.replace("CSeq: 2 ACK", "CSeq: 3 ACK").replace("branch=z9hG4bKACK", "branch=z9hG4bKnewer");
    // In whatever order they come.
    for text in [&ack, &newer, &ack, &newer] {
        net.send(&caller.peer, text.clone());
    }
    net.quiet();
    let back = ws("bob", 4);
    net.register(&back);
    net.answer_waiting(false);
    assert_eq!(net.request(&back, &Method::Ack).cseq().number, 3);
    net.quiet();
    assert_eq!(net.server.load().2, 0);
}

/// Neither side renews a route set (§12.2), so that its tokens last as long as a dialog may.
#[test]
fn rfc6665_4_1_2_2_a_dialog_of_days_goes_on_and_one_of_months_is_unknown() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.out("SUBSCRIBE", "sip:bob@example.com", 2, "Event: presence\r\n"));
    let subscribe = net.request(&bob, &Method::Subscribe);
    net.send(&bob, bob.answer(&subscribe, 200));
    let (mut caller, mut callee) =
        (Side::caller(&alice, &net.expect(&alice, 200)), Side::callee(&bob, &subscribe));
    net.advance(Duration::from_secs(25 * 3600));
    net.send(&alice, caller.next("SUBSCRIBE"));
    let refresh = net.request(&bob, &Method::Subscribe);
    net.send(&bob, bob.answer(&refresh, 200));
    net.expect(&alice, 200);
    // After that the subscriber must know that there is none any more: of 403 it would not.
    net.advance(Duration::from_secs(31 * 86_400));
    net.send(&alice, caller.next("SUBSCRIBE"));
    assert_eq!(net.expect(&alice, 481).reason(), "Dialog Too Old");
    net.send(&bob, callee.next("NOTIFY"));
    net.expect(&bob, 481);
    net.quiet();
    // What was made up is still refused for what it is.
    caller.routes[0] = caller.routes[0].replace("sip:", "sip:x");
    net.send(&alice, caller.next("SUBSCRIBE"));
    net.expect(&alice, 403);
}
