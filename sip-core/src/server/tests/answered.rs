//! What a call that was answered is remembered by for half a minute.

use super::*;
use crate::proxy::SessionTimer;

/// An answer with more fields.
fn with(answer: &str, fields: &str) -> String {
    answer.replacen("From:", &format!("{fields}From:"), 1)
}

#[test]
fn rfc6026_7_2_every_2xx_of_an_answered_call_goes_back_as_the_first_did() {
    let asserted = "P-Asserted-Identity: <tel:+4930>\r\n";
    for trusted in [true, false] {
        let mut net = Net::with(|config| {
            let (name, uri) = ("trunk".into(), "sip:198.18.0.50".into());
            let sources = ["198.18.0.50".parse().unwrap()].into();
            config.peers = [super::super::Peer { name, uri, sources, trusted }].into();
            let peers = [Share { peer: "trunk".into(), priority: 1, weight: 1 }].into();
            config.routes = [StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers }].into();
            config.routing.session_timer = Some(SessionTimer { interval: 600, least: 120 });
        });
        let (alice, trunk) = (ws("alice", 1), elsewhere(Transport::Udp, "198.18.0.50:5060"));
        net.register(&alice);
        net.send(&alice, alice.invite("+4930", 2, "Supported: timer\r\n"));
        net.expect(&alice, 100);
        let call = net.request(&trunk, &Method::Invite);
        let ok = with(&trunk.answer(&call, 200), asserted);
        net.send(&trunk, ok.clone());
        let first = net.expect(&alice, 200);
        let expected = trusted.then_some("<tel:+4930>");
        assert_eq!(first.headers().first(HeaderName::PAssertedIdentity), expected);
        assert_eq!(first.headers().first(HeaderName::SessionExpires), Some("600;refresher=uac"));
        assert_eq!(net.server.load(), (2, 1, 0));
        // A retransmission; and the 2xx of another whom it was forked to behind the trunk.
        net.advance(Duration::from_secs(20));
        net.send(&trunk, ok.clone());
        assert_eq!(net.expect(&alice, 200).bytes(), first.bytes());
        net.send(&trunk, ok.replace(&trunk.tag(), "other"));
        let other = net.expect(&alice, 200);
        assert_eq!(text(other.bytes()), text(first.bytes()).replace(&trunk.tag(), "other"));
        // Nothing else is for the caller any more, nor one that is for nobody else.
        net.send(&trunk, trunk.answer(&call, 180));
        let mut lines: Vec<&str> = ok.split("\r\n").collect();
        lines.remove(2);
        net.send(&trunk, lines.join("\r\n"));
        net.quiet();
        // 64·T1 after the first nothing is left.
        net.advance(Duration::from_secs(13));
        assert_eq!(net.server.load(), (0, 0, 0));
    }
}

#[test]
fn rfc6026_7_2_of_two_that_answered_each_is_remembered() {
    let mut net = Net::new();
    let (alice, page, phone) = (ws("alice", 1), ws("bob", 2), udp("bob", 5));
    [&alice, &page, &phone].into_iter().for_each(|peer| net.register(peer));
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let calls = [&page, &phone].map(|peer| (peer, net.request(peer, &Method::Invite)));
    let answer = |net: &mut Net| {
        for (peer, call) in &calls {
            net.send(peer, peer.answer(call, 200));
            assert_eq!(net.expect(&alice, 200).to_tag(), Some(&*peer.tag()));
        }
    };
    answer(&mut net);
    net.advance(Duration::from_secs(31));
    answer(&mut net);
    assert_eq!(net.server.load().1, 1);
    net.advance(Duration::from_secs(2));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn rfc3261_9_2_a_cancel_has_no_effect_on_an_answered_call() {
    let (mut net, alice, bob, call) = dialogs::ringing();
    net.send(&bob, bob.answer(&call, 200));
    net.expect(&alice, 200);
    let cancel = |peer: &Peer| {
        peer.invite("bob", 2, "").replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL")
    };
    net.send(&alice, cancel(&alice));
    net.expect(&alice, 200);
    net.quiet();
    // Of another there is none to cancel.
    let mallory = Peer { name: "alice", ..ws("mallory", 9) };
    net.send(&mallory, cancel(&alice));
    net.expect(&mallory, 481);
    // What was answered goes on being so.
    net.send(&bob, bob.answer(&call, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc3261_18_2_2_a_caller_who_is_lost_once_his_call_is_answered_has_its_2xx_where_he_is_back() {
    let (mut net, alice, bob, call) = dialogs::ringing();
    net.send(&bob, bob.answer(&call, 200));
    net.expect(&alice, 200);
    net.close(&alice);
    net.send(&bob, bob.answer(&call, 200));
    net.quiet();
    let back = ws("alice", 3);
    net.register(&back);
    net.answer_waiting(false);
    // The callee repeats its 2xx until the ACK comes (RFC 6026 §7.1).
    net.quiet();
    net.send(&bob, bob.answer(&call, 200));
    net.expect(&back, 200);
    net.quiet();
}

#[test]
fn rfc3261_9_1_who_rings_and_was_away_while_another_answered_is_told() {
    for answered_meanwhile in [true, false] {
        let mut net = Net::new();
        let (alice, page, phone, desk) = (ws("alice", 1), ws("bob", 2), udp("bob", 5), udp("bob", 6));
        [&alice, &page, &phone, &desk].into_iter().for_each(|peer| net.register(peer));
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        let [to_page, to_phone, to_desk] =
            [&page, &phone, &desk].map(|peer| net.request(peer, &Method::Invite));
        for (peer, call) in [(&page, &to_page), (&phone, &to_phone), (&desk, &to_desk)] {
            net.send(peer, peer.answer(call, 180));
            net.expect(&alice, 180);
        }
        net.close(&page);
        net.send(&phone, phone.answer(&to_phone, 200));
        net.expect(&alice, 200);
        let cancel = net.request(&desk, &Method::Cancel);
        if answered_meanwhile {
            net.send(&desk, desk.answer(&cancel, 200));
            net.send(&desk, desk.answer(&to_desk, 487));
            net.request(&desk, &Method::Ack);
        }
        let back = ws("bob", 4);
        net.register(&back);
        net.answer_waiting(false);
        // It knows the request by its branch, and says that it rings.
        assert_eq!(net.request(&back, &Method::Invite).bytes(), to_page.bytes());
        net.send(&back, back.answer(&to_page, 180));
        let cancel = net.request(&back, &Method::Cancel);
        let reason = cancel.headers().first(HeaderName::Reason);
        assert!(reason.is_some_and(|reason| reason.contains("completed elsewhere")), "{reason:?}");
        net.send(&back, back.answer(&cancel, 200));
        net.send(&back, back.answer(&to_page, 487));
        net.request(&back, &Method::Ack);
        net.quiet();
    }
}
