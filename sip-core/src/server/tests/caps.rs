//! Behaviour at the caps.

use super::*;

#[test]
fn forks() {
    let mut net = Net::with(|config| config.limits.forks = 2);
    let alice = ws("alice", 1);
    net.register(&alice);
    for last in 1..=3 {
        net.register(&udp("bob", last));
    }
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.request(&udp("bob", 1), &Method::Invite);
    net.request(&udp("bob", 2), &Method::Invite);
    net.quiet();
    assert_eq!(net.server.counters().forks_over_cap, 1);
}

#[test]
fn held_requests() {
    for (all, each) in [(3, 10), (10, 3)] {
        let mut net = Net::with(|config| {
            (config.limits.held_requests, config.limits.held_per_registration) = (all, each);
        });
        let (alice, bob) = (ws("alice", 1), ws("bob", 2));
        net.register(&alice);
        net.register(&bob);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        let forwarded = net.request(&bob, &Method::Invite);
        net.send(&bob, bob.answer(&forwarded, 200));
        let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
        net.close(&bob);
        for _ in 0..3 {
            net.send(&alice, caller.next("INFO"));
        }
        net.quiet();
        net.send(&alice, caller.next("INFO"));
        assert!(net.expect(&alice, 480).headers().has(HeaderName::RetryAfter));
        assert_eq!(net.server.counters().hold_full, 1);
        // There is room again when they have gone.
        let back = ws("bob", 3);
        net.register(&back);
        net.answer_waiting(false);
        for _ in 0..3 {
            net.request(&back, &Method::Info);
        }
        net.send(&alice, caller.next("INFO"));
        net.request(&back, &Method::Info);
    }
}

/// What waits and is in no transaction is counted in bytes: of an ACK there is one for each dialog, as long as messages may be.
#[test]
fn bytes_of_what_waits_without_a_transaction() {
    let mut net = Net::with(|config| config.limits.waiting_bytes = 100_000);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&forwarded, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    let padding = format!("X: {}\r\nCSeq:", "x".repeat(60_000));
    let ack = caller.next("ACK").replace("CSeq:", &padding);
    let of = |dialog: &str| ack.replace(";tag=to-bob", &format!(";tag={dialog}"));
    assert_ne!(of("one"), ack);
    let tags = |net: &mut Net, peer: &Peer| {
        let ack = net.request(peer, &Method::Ack);
        String::from(ack.to_tag().unwrap())
    };
    for flow in [3, 5] {
        net.close(&if flow == 3 { bob.clone() } else { ws("bob", 3) });
        net.send(&alice, of(&format!("first{flow}-")));
        // Another dialog's, as long: there is no room. A request in a transaction needs none here.
        net.send(&alice, of("other"));
        net.send(&alice, caller.next("INFO"));
        // Its own comes again.
        net.send(&alice, of(&format!("first{flow}-")));
        net.quiet();
        let counters = net.server.counters();
        assert_eq!((counters.waiting_full, counters.acks_dropped), (flow / 2, flow / 2));
        let back = ws("bob", flow);
        net.register(&back);
        net.answer_waiting(false);
        assert!(tags(&mut net, &back).starts_with(&format!("first{flow}-")));
        let info = net.request(&back, &Method::Info);
        net.send(&back, back.answer(&info, 200));
        net.expect(&alice, 200);
        net.quiet();
    }
}

#[test]
fn questions() {
    let mut net = Net::with(|config| config.limits.questions = 2);
    let alice = ws("alice", 1);
    net.register(&alice);
    net.silent = true;
    for cseq in 2..4 {
        net.send(&alice, alice.invite("bob", cseq, ""));
    }
    net.quiet();
    net.send(&alice, alice.invite("bob", 4, ""));
    assert!(net.expect(&alice, 503).headers().has(HeaderName::RetryAfter));
    assert_eq!(net.server.counters().questions_full, 1);
}

#[test]
fn outputs_that_nobody_fetches() {
    let mut net = Net::with(|config| config.limits.outputs = 2);
    let phone = udp("bob", 5);
    for cseq in 0..5 {
        let message = phone.out("OPTIONS", "sip:example.com", cseq, "").into();
        net.server.handle_input(
            net.now,
            Input::Received { from: phone.hop, identity: None, guests: None, certified: None, message },
        );
    }
    assert_eq!(net.server.counters().outputs_dropped, 3);
}

#[test]
fn large_datagrams_are_counted_and_too_large_ones_refused() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let padded = |cseq, length: usize| alice.invite("bob", cseq, &format!("X: {}\r\n", "x".repeat(length)));
    net.send(&alice, padded(2, 60_000));
    net.expect(&alice, 100);
    net.request(&bob, &Method::Invite);
    assert_eq!(net.server.counters().datagrams_over_comfort, 1);
    // It came whole and would leave with more than a datagram holds.
    let room = limits::DATAGRAM_BYTES - padded(3, 0).len();
    net.send(&alice, padded(3, room - 20));
    net.expect(&alice, 100);
    net.expect(&alice, 513);
    net.quiet();
}

#[test]
fn every_counter_is_told() {
    let mut net = Net::new();
    net.register(&ws("alice", 1));
    let counters = net.server.counters();
    let told: BTreeMap<&str, u64> = counters.iter().map(|(name, _, value)| (name, value)).collect();
    assert_eq!((told["received"], told["registered"]), (2, 1));
    assert!(counters.iter().all(|(_, help, _)| help.ends_with('.') && !help.starts_with(' ')));
    let mut sum = counters;
    sum.add(&counters);
    assert_eq!(sum.received, 4);
}

#[test]
fn transactions() {
    let mut net = Net::new();
    let phone = udp("bob", 5);
    for n in 0..limits::TRANSACTIONS {
        let via = format!("Via: SIP/2.0/UDP h;branch=z9hG4bK{n}\r\n");
        let request =
            format!("A sip:a SIP/2.0\r\n{via}f: sip:a;tag=1\r\nt: sip:b\r\ni: c\r\nCSeq: 1 A\r\n\r\n");
        let request = Request::parse(Bytes::from(request)).unwrap();
        net.server.layer.receive_request(net.now, &request, phone.hop);
    }
    net.send(&phone, phone.out("OPTIONS", "sip:example.com", 1, ""));
    assert!(net.expect(&phone, 503).headers().has(HeaderName::RetryAfter));
    // An ACK is never answered.
    net.send(&phone, phone.out("ACK", "sip:example.com", 1, ""));
    net.quiet();
    assert_eq!(net.server.counters().transactions_full, 1);
    assert_eq!(net.server.load().0, limits::TRANSACTIONS);
}

/// One address does not take the room of the others.
#[test]
fn transactions_of_one_address() {
    let mut net = Net::with(|config| {
        config.limits.transactions = transaction::Caps { transactions: 10, parts: 2, ..Default::default() }
    });
    let (flooding, other) = (udp("bob", 5), udp("bob", 6));
    let options = |from: &Peer, cseq| {
        from.out("OPTIONS", "sip:example.com", cseq, "").replace("bob@example.com", "b@elsewhere.example")
    };
    for (cseq, status) in (1..=7).zip([200, 200, 200, 200, 200, 503, 503]) {
        net.send(&flooding, options(&flooding, cseq));
        assert_eq!(net.response(&flooding).status(), status, "{cseq}");
    }
    for cseq in 11..=15 {
        net.send(&other, options(&other, cseq));
        assert_eq!(net.response(&other).status(), 200);
    }
    assert_eq!((net.server.counters().transactions_full, net.server.load().0), (2, 10));
    net.advance(Duration::from_secs(32));
    assert_eq!(net.server.load().0, 0);
    net.send(&flooding, options(&flooding, 20));
    assert_eq!(net.response(&flooding).status(), 200);
}

#[test]
fn padded_transactions() {
    let mut net = Net::new();
    let phone = udp("bob", 5);
    // Those of RFC 2543 are kept whole until their transactions are over.
    let padded = |n| {
        let padding = format!("X: {}\r\n", "x".repeat(60_000));
        let text = phone.out("OPTIONS", "sip:example.com", n, &padding);
        text.replace("bob@example.com", "b@elsewhere.example").replace("branch=z9hG4bK", "branch=old")
    };
    let each = padded(1_000);
    let send = |net: &mut Net, n| {
        net.send(&phone, padded(n));
        net.response(&phone).status()
    };
    let most = u32::try_from(limits::TRANSACTION_BYTES / each.len()).unwrap();
    // The answers take some of the room.
    let taken = (1_000..1_000 + most).take_while(|n| send(&mut net, *n) == 200).count();
    assert!((most - 4..most).contains(&u32::try_from(taken).unwrap()), "{taken} of {most}");
    assert_eq!(net.server.counters().transactions_full, 1);
    net.advance(Duration::from_secs(32));
    assert_eq!(net.server.load().0, 0);
    assert_eq!(send(&mut net, 3_000), 200);
    // Of others not much more than the answer is kept.
    net.advance(Duration::from_secs(32));
    for n in 4_000..4_000 + most {
        net.send(&phone, padded(n).replace("branch=old", "branch=z9hG4bK"));
        assert_eq!(net.response(&phone).status(), 200);
    }
    assert_eq!(net.server.counters().transactions_full, 1);
}
