//! Several contacts: all ring, one answers, the best failure wins (§16.7).

use super::moving::register_named;
use super::*;

fn three() -> (Net, Peer, Peer, Peer, Peer) {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    let page = ws("bob", 2);
    let phone = udp("bob", 5);
    let desk = Peer { instance: 9, ..tcp("bob", 7) };
    for peer in [&alice, &page, &phone, &desk] {
        net.register(peer);
    }
    (net, alice, page, phone, desk)
}

fn call(net: &mut Net, alice: &Peer, callees: [&Peer; 3]) -> [Request; 3] {
    net.send(alice, alice.invite("bob", 2, ""));
    net.expect(alice, 100);
    let forwarded = callees.map(|callee| net.request(callee, &Method::Invite));
    net.quiet();
    forwarded
}

#[test]
fn one_answers_and_the_others_stop() {
    let (mut net, alice, page, phone, desk) = three();
    let [to_page, to_phone, to_desk] = call(&mut net, &alice, [&page, &phone, &desk]);
    assert!(to_page.branch() != to_phone.branch() && to_phone.branch() != to_desk.branch());
    for (peer, request) in [(&page, &to_page), (&phone, &to_phone), (&desk, &to_desk)] {
        net.send(peer, peer.answer(request, 180));
        net.expect(&alice, 180);
    }
    net.send(&desk, desk.answer(&to_desk, 200));
    let ok = net.expect(&alice, 200);
    for (peer, request) in [(&page, &to_page), (&phone, &to_phone)] {
        let cancel = net.request(peer, &Method::Cancel);
        assert_eq!(cancel.branch(), request.branch());
    }
    // The phone had answered before its CANCEL came: its 200 goes to the caller as well (RFC 6026, §16.7 step 5).
    net.send(&phone, phone.answer(&to_phone, 200));
    let other = net.expect(&alice, 200);
    assert_ne!(ok.to_tag(), other.to_tag());
    net.send(&page, page.answer(&to_page, 487));
    net.request(&page, &Method::Ack);
    net.quiet();
    // Each dialog has its own way.
    net.send(&alice, Side::caller(&alice, &other).next("ACK"));
    net.request(&phone, &Method::Ack);
    net.send(&alice, Side::caller(&alice, &other).next("BYE"));
    net.request(&phone, &Method::Bye);
    net.send(&alice, Side::caller(&alice, &ok).next("ACK"));
    net.request(&desk, &Method::Ack);
}

#[test]
fn the_best_failure_wins() {
    // What the three answer, and what the caller gets. 0: its flow closes.
    let rows: [([u16; 3], u16); 7] = [
        ([486, 404, 480], 486),
        ([500, 404, 503], 404),
        ([503, 503, 503], 500),
        ([486, 302, 404], 302),
        ([0, 486, 0], 486),
        ([0, 500, 0], 480),
        ([486, 486, 408], 486),
    ];
    for (answers, expected) in rows {
        let (mut net, alice, page, phone, desk) = three();
        let requests = call(&mut net, &alice, [&page, &phone, &desk]);
        for ((peer, request), status) in [&page, &phone, &desk].into_iter().zip(&requests).zip(answers) {
            if status == 0 {
                net.close(peer);
            } else {
                net.send(peer, peer.answer(request, status));
                net.request(peer, &Method::Ack);
            }
        }
        net.expect(&alice, expected);
        net.quiet();
    }
}

#[test]
fn a_global_failure_stops_the_others_and_waits_for_them() {
    let (mut net, alice, page, phone, desk) = three();
    let [to_page, to_phone, to_desk] = call(&mut net, &alice, [&page, &phone, &desk]);
    net.send(&desk, desk.answer(&to_desk, 180));
    net.expect(&alice, 180);
    net.send(&phone, phone.answer(&to_phone, 486));
    net.request(&phone, &Method::Ack);
    net.send(&page, page.answer(&to_page, 603));
    net.request(&page, &Method::Ack);
    net.request(&desk, &Method::Cancel);
    net.quiet();
    net.send(&desk, desk.answer(&to_desk, 487));
    net.request(&desk, &Method::Ack);
    net.expect(&alice, 603);
    net.quiet();
}

#[test]
fn challenges_are_collected() {
    let (mut net, alice, page, phone, desk) = three();
    let [to_page, to_phone, to_desk] = call(&mut net, &alice, [&page, &phone, &desk]);
    for (peer, request, status, field) in [
        (&page, &to_page, 401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n"),
        (&phone, &to_phone, 407, "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n"),
        (&desk, &to_desk, 486, ""),
    ] {
        let answer = peer.answer(request, status).replacen("X-Odd", &format!("{field}X-Odd"), 1);
        net.send(peer, answer);
        net.request(peer, &Method::Ack);
    }
    let response = net.expect(&alice, 401);
    let headers = response.headers();
    assert_eq!(headers.first(HeaderName::WwwAuthenticate), Some("Digest realm=\"a\", nonce=\"1\""));
    assert_eq!(headers.first(HeaderName::ProxyAuthenticate), Some("Digest realm=\"b\", nonce=\"2\""));
}

#[test]
fn timer_c_ends_a_call_that_only_rings() {
    let (mut net, alice, page, phone, desk) = three();
    net.close(&page);
    net.close(&desk);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let forwarded = net.request(&phone, &Method::Invite);
    net.send(&phone, phone.answer(&forwarded, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(150));
    // A 100 keeps nothing alive, a 180 does.
    net.send(&phone, phone.answer(&forwarded, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(184));
    net.quiet();
    net.advance(Duration::from_millis(1100));
    let cancel = net.request(&phone, &Method::Cancel);
    net.send(&phone, phone.answer(&cancel, 200));
    // It stays silent: the call ends all the same (§9.1).
    net.advance(Duration::from_secs(33));
    net.expect(&alice, 408);
    net.advance(Duration::from_secs(33));
    assert_eq!(net.server.load(), (0, 0, 0));
}

#[test]
fn a_dead_flow_fails_at_once_and_the_others_ring() {
    let (mut net, alice, page, phone, desk) = three();
    net.close(&page);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.request(&phone, &Method::Invite);
    let to_desk = net.request(&desk, &Method::Invite);
    net.quiet();
    // And one that dies while it rings.
    net.send(&desk, desk.answer(&to_desk, 180));
    net.expect(&alice, 180);
    net.close(&desk);
    net.quiet();
    // It may be back soon.
    assert_eq!(net.server.counters().branches_unreachable, 0);
    net.advance(Duration::from_secs(5));
    assert_eq!(net.server.counters().branches_unreachable, 1);
    // The phone never answers.
    net.advance(Duration::from_secs(28));
    while net.sent.len() > 1 {
        net.request(&phone, &Method::Invite);
    }
    net.expect(&alice, 480);
}

#[test]
fn one_instance_over_two_flows_is_one_branch() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let (first, second) = (ws("bob", 2), ws("bob", 3));
    net.register(&first);
    net.advance(Duration::from_secs(1));
    net.send_with_digest(&second, "bob", &|cseq, extra| {
        second.register(
            cseq + 50,
            &format!("{}{extra}", second.contact_field().replace("reg-id=1", "reg-id=2")),
        )
    });
    net.expect(&second, 200);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.request(&second, &Method::Invite);
    net.quiet();
    // RFC 5626 §5.3: the other when that one is gone.
    net.close(&second);
    net.sent.clear();
    net.send(&alice, alice.invite("bob", 3, ""));
    net.expect(&alice, 100);
    net.request(&first, &Method::Invite);
}

/// Who was started anew, or is in another network, leaves a contact behind at which nobody answers.
#[test]
fn rfc5626_4_1_one_instance_without_reg_id_is_one_branch() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let (old, new, other) = (udp("bob", 5), udp("bob", 6), udp("bob", 7));
    register_named(&mut net, &old, 1, 10);
    register_named(&mut net, &new, 1, 20);
    register_named(&mut net, &other, 2, 30);
    // The other phone rings too. When both have refused, that is the answer.
    let call = |net: &mut Net, cseq: u32, first: u16| {
        net.send(&alice, alice.invite("bob", cseq, ""));
        net.expect(&alice, 100);
        let to_new = net.request(&new, &Method::Invite);
        let to_other = net.request(&other, &Method::Invite);
        net.quiet();
        for (peer, request, status) in [(&other, &to_other, 486), (&new, &to_new, first)] {
            net.send(peer, peer.answer(request, status));
            net.request(peer, &Method::Ack);
        }
    };
    call(&mut net, 2, 486);
    net.expect(&alice, 486);
    net.quiet();
    // Where it was before, if it is not there.
    call(&mut net, 3, 430);
    let to_old = net.request(&old, &Method::Invite);
    net.send(&old, old.answer(&to_old, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn rfc5626_7_of_three_flows_the_newest_is_tried_then_the_next() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    net.register(&alice);
    let flows = [2, 3, 4].map(|flow| ws("bob", flow));
    for (at, reg_id) in [(0, 1), (2, 3), (1, 2), (2, 3)] {
        let peer = &flows[at];
        net.advance(Duration::from_secs(1));
        let cseq = u32::try_from(net.now.as_secs() % 100_000).unwrap() * 10;
        net.send_with_digest(peer, "bob", &|more, extra| {
            let field = peer.contact_field().replace("reg-id=1", &format!("reg-id={reg_id}"));
            peer.register(cseq + more, &format!("{field}{extra}"))
        });
        net.expect(peer, 200);
    }
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    for peer in [&flows[2], &flows[1], &flows[0]] {
        let request = net.request(peer, &Method::Invite);
        net.quiet();
        net.send(peer, peer.answer(&request, 430));
        net.request(peer, &Method::Ack);
    }
    net.expect(&alice, 480);
}
