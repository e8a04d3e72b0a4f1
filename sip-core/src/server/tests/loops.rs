//! What is a loop (§16.3 step 4, RFC 5393 §4.2) and what only looks like one.

use super::outward::{call, server};
use super::*;

/// With the sender that it came from elsewhere.
fn from_elsewhere(forwarded: &Request) -> String {
    text(forwarded.bytes()).replacen("<sip:alice@example.com>", "<sip:alice@elsewhere.example>", 1)
}

/// Two gateways with a proxy between them that changes nothing of the request's way.
#[test]
fn rfc5393_4_2_2_another_gateways_mark_is_no_loop() {
    let mut near = outward::net("udp", &[5081]);
    let (alice, between) = (ws("alice", 1), server(Transport::Udp, 5081));
    let forwarded = call(&mut near, &alice, &between);
    let handed_on =
        from_elsewhere(&forwarded).replacen("Via:", &format!("{}Via:", between.via("between")), 1);
    // A gateway with a key of its own, and one of another domain whose data directory was copied: both look for Bob.
    for (key, domain) in [(3, DOMAIN), (1, "other.example.com")] {
        let mut far = Net::with(|config| {
            config.aliases = ["b.example".into()].into();
            config.domain = domain.into();
            config.nonce_key = [key; 32];
        });
        far.silent = true;
        far.send(&between, handed_on.clone());
        assert!(matches!(&far.waiting[..], [(_, Question::Lookup { .. })]), "{:?}", far.waiting);
        far.quiet();
    }
    // The same once more, and a restarted one.
    for restarted in [false, true] {
        if restarted {
            near = outward::net("udp", &[5081]);
        }
        near.send(&between, handed_on.clone());
        near.expect(&between, 482);
        near.quiet();
    }
}

#[test]
fn rfc3261_16_3_step_4_a_loop_is_seen_the_first_time_round() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    // Our Via is the topmost.
    let back = from_elsewhere(&forwarded).replacen(bob.contact().as_str(), "sip:bob@example.com", 1);
    net.send(&bob, back);
    assert_eq!(net.expect(&bob, 482).reason(), "Loop Detected");
    net.quiet();
}

/// A mark says where a request goes, and Proxy-Require sends none elsewhere: `privacy` is gone once it was served.
#[test]
fn rfc5393_4_2_1_a_loop_is_seen_though_its_privacy_was_served() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let wishes = "Privacy: id\r\nProxy-Require: privacy\r\n";
    net.send(&alice, alice.invite("bob", 2, wishes));
    net.expect(&alice, 100);
    let forwarded = net.request(&bob, &Method::Invite);
    let back = from_elsewhere(&forwarded)
        .replacen(bob.contact().as_str(), "sip:bob@example.com", 1)
        .replacen("Proxy-Require: privacy\r\n", "", 1);
    net.send(&bob, back);
    assert_eq!(net.expect(&bob, 482).reason(), "Loop Detected");
    net.quiet();
}
