//! History-Info: what calls that are forwarded, and others by policy, tell of their way (RFC 7044).

use super::forwarding::{CAROL, diversion, forwarded, history, net, registered, rule};
use super::*;
use crate::proxy::Occasion;

fn trunk(config: &mut Config, trusted: bool) {
    config.peers = [peers::Peer {
        name: "trunk".into(),
        uri: "sip:198.18.0.20:5060".into(),
        sources: ["198.18.0.20".parse().unwrap()].into(),
        trusted,
    }]
    .into();
    let peers = [Share { peer: "trunk".into(), priority: 1, weight: 1 }].into();
    config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("+49*"), peers }].into();
}

#[test]
fn rfc7044_9_2_a_call_to_contacts_tells_its_way_by_policy() {
    let outside = elsewhere(Transport::Udp, "198.18.0.20:5060");
    for (told, rules) in [
        (false, Vec::new()),
        (true, Vec::new()),
        (true, Vec::from([rule(Some("bob"), Occasion::Busy, "sip:+4930123@example.com")])),
    ] {
        let mut net = Net::with(|config| {
            trunk(config, false);
            config.routing.history = told;
            config.forwarding.clone_from(&rules);
        });
        let (alice, first, second) = (ws("alice", 1), ws("bob", 2), udp("bob", 3));
        registered(&mut net, &[&alice, &first, &second]);
        net.send(&alice, alice.invite("bob", 2, "Privacy: history\r\n"));
        net.expect(&alice, 100);
        let mut invited = Vec::new();
        for _ in 0..2 {
            let (to, bytes) = net.sent.pop_front().unwrap();
            let peer = if to.transport == Transport::Udp { &second } else { &first };
            let Message::Request(invite) = Message::parse(bytes).unwrap() else { panic!("a call") };
            // Each is told of its own contact; within the domain all may know whom it was for. Nothing was diverted.
            let n = invited.len() + 1;
            let entries =
                ["<sip:bob@example.com>;index=1".into(), format!("<{}>;index=1.{n};rc=1", peer.contact())];
            assert_eq!(history(&invite), if told { &entries[..] } else { &[] });
            assert!(diversion(&invite).is_empty());
            assert_eq!(invite.headers().first(HeaderName::Privacy), Some("history"));
            invited.push((peer, invite));
        }
        if rules.is_empty() {
            continue;
        }
        // Both were told, so that the next is the third; outside, nobody is told for whom it was.
        for (peer, invite) in &invited {
            net.send(peer, peer.answer(invite, 486));
            net.request(peer, &Method::Ack);
        }
        let call = forwarded(&mut net, &alice, &outside);
        assert_eq!(
            history(&call)[..2],
            ["<sip:anonymous@anonymous.invalid>;index=1", "<sip:anonymous@anonymous.invalid>;index=1.3;mp=1"]
        );
        assert_eq!(diversion(&call).len(), 1);
        assert!(!call.headers().has(HeaderName::Privacy));
    }
    // Within a dialog nothing is told, nor of what is no call.
    let mut net = Net::with(|config| config.routing.history = true);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    registered(&mut net, &[&alice, &bob]);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 2, ""));
    assert!(history(&net.request(&bob, &Method::Message)).is_empty());
    net.send(&alice, alice.invite("bob", 3, ""));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    assert_eq!(history(&invite).len(), 2);
    net.send(&bob, bob.answer(&invite, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    for (method, wanted) in [("ACK", Method::Ack), ("INVITE", Method::Invite)] {
        net.send(&alice, caller.next(method));
        if wanted == Method::Invite {
            net.expect(&alice, 100);
        }
        assert!(history(&net.request(&bob, &wanted)).is_empty());
    }
}

#[test]
fn rfc7044_10_3_entries_that_came_are_kept_and_a_gap_is_a_zero() {
    let mut net = net(&[rule(None, Occasion::Offline, CAROL)]);
    let (alice, carol) = (ws("alice", 1), ws("carol", 3));
    registered(&mut net, &[&alice, &carol]);
    let before =
        "History-Info: \"B\" <sip:b@b.example>;index=1;x=y, <sip:bob@example.com>;index=1.1;mp=1\r\n";
    net.send(&alice, alice.invite("bob", 2, before));
    net.expect(&alice, 100);
    let call = forwarded(&mut net, &alice, &carol);
    assert_eq!(
        history(&call)[..3],
        [
            "\"B\" <sip:b@b.example>;index=1;x=y",
            "<sip:bob@example.com?Reason=SIP%3Bcause%3D480>;index=1.1;mp=1",
            "<sip:carol@example.com;cause=503>;index=1.1.1;mp=1.1"
        ]
    );
    net.send(&alice, alice.invite("bob", 7, "History-Info: <sip:b@b.example>;index=1.3\r\n"));
    net.expect(&alice, 100);
    let call = forwarded(&mut net, &alice, &carol);
    assert_eq!(
        history(&call)[1..3],
        [
            "<sip:bob@example.com?Reason=SIP%3Bcause%3D480>;index=1.3.0",
            "<sip:carol@example.com;cause=503>;index=1.3.0.1;mp=1.3.0"
        ]
    );
}

#[test]
fn rfc7044_10_1_a_number_behind_a_trunk_and_who_is_not_told_there() {
    for (trusted, private, fields) in [
        (false, false, ""),
        (false, true, ""),
        (false, false, "Privacy: id;history;session\r\n"),
        (true, true, "Privacy: history\r\n"),
    ] {
        let mut net = Net::with(|config| {
            trunk(config, trusted);
            let mut rule = rule(Some("bob"), Occasion::Offline, "sip:+4930123@example.com");
            rule.forward.private = private;
            config.forwarding = [rule].into();
        });
        let alice = ws("alice", 1);
        net.register(&alice);
        net.send(&alice, alice.invite("bob", 2, fields));
        net.expect(&alice, 100);
        let call = forwarded(&mut net, &alice, &elsewhere(Transport::Udp, "198.18.0.20:5060"));
        assert_eq!(call.uri(), "sip:+4930123@198.18.0.20");
        let told = text(call.bytes());
        let hidden = !trusted && (private || !fields.is_empty());
        assert_eq!(
            !history(&call)[0].contains("bob") && !diversion(&call)[0].contains("bob"),
            hidden,
            "{told}"
        );
        assert_eq!(history(&call)[0].contains("Privacy=history"), trusted && private, "{told}");
        assert_eq!(diversion(&call)[0].ends_with("privacy=full"), private || hidden, "{told}");
        if hidden && !private {
            // §10.1.2: what was done is asked for no more.
            assert_eq!(call.headers().first(HeaderName::Privacy), Some("session"));
        }
        assert!(history(&call)[2].starts_with("<sip:+4930123@198.18.0.20>;index=1.1.1;rc=1.1"), "{told}");
    }
}
