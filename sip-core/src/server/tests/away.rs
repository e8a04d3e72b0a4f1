//! User agents that are away for a moment, and refusals that explain themselves.

use super::*;

#[test]
fn who_is_away_alone_is_waited_for_and_called_where_it_comes_back() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.close(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.quiet();
    net.advance(Duration::from_secs(4));
    let back = ws("bob", 4);
    net.register(&back);
    net.answer_waiting(false);
    let forwarded = net.request(&back, &Method::Invite);
    assert_eq!(forwarded.uri(), back.contact());
    net.quiet();
}

/// A page that was closed for good beside one that comes back.
#[test]
fn rfc3261_16_5_of_several_that_are_away_whichever_is_back_first_is_called() {
    for first in [true, false] {
        let mut net = Net::new();
        let alice = ws("alice", 1);
        let (page, tab) = (ws("bob", 2), Peer { instance: 9, ..ws("bob", 3) });
        net.register(&alice);
        net.register(&page);
        net.advance(Duration::from_secs(9));
        net.register(&tab);
        net.close(&page);
        net.close(&tab);
        net.send(&alice, alice.invite("bob", 2, ""));
        net.expect(&alice, 100);
        net.advance(Duration::from_secs(1));
        // It is back, and away again before it could be called.
        let gone = Peer { instance: if first { 98 } else { 9 }, ..ws("bob", 4) };
        net.silent = true;
        net.waiting.retain(|(_, question)| matches!(question, Question::Return { .. }));
        let (id, _) = net.waiting.pop().unwrap();
        net.input(Input::Answer(id, Answer::Reachable(Some(gone.hop))));
        net.silent = false;
        net.answer_waiting(false);
        net.advance(Duration::from_secs(1));
        net.quiet();
        let back = Peer { instance: if first { 98 } else { 9 }, ..ws("bob", 5) };
        net.register(&back);
        net.answer_waiting(false);
        assert_eq!(net.request(&back, &Method::Invite).uri(), back.contact());
        net.quiet();
    }
}

/// It waits for what it is for, and as long as all do.
#[test]
fn rfc5627_6_1_a_gruu_waits_for_its_own_instance() {
    let mut net = Net::new();
    let alice = ws("alice", 1);
    let page = ws("bob", 2);
    net.register(&alice);
    net.register(&page);
    net.close(&page);
    let gruu = format!("sip:bob@example.com;gr={}", page.key().instance);
    for (flow, comes) in [(3, true), (5, false)] {
        net.send(&alice, alice.out("INVITE", &gruu, flow, ""));
        net.expect(&alice, 100);
        net.register(&Peer { instance: 9, ..ws("bob", u64::from(flow)) });
        net.answer_waiting(false);
        net.advance(Duration::from_millis(4_990));
        net.quiet();
        if comes {
            let back = ws("bob", 4);
            net.register(&back);
            net.answer_waiting(false);
            assert_eq!(net.request(&back, &Method::Invite).uri(), back.contact());
            net.close(&back);
            net.advance(Duration::from_secs(40));
            net.sent.clear();
        } else {
            net.advance(Duration::from_millis(20));
            net.expect(&alice, 480);
        }
    }
}

/// Whoever keeps the bindings knows how long each waits, and whether it is in a dialog.
#[test]
fn rfc3261_12_2_who_waits_within_a_dialog_is_told_from_who_begins_one() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    let (mut caller, _) = dialogs::connect(&mut net, &alice, &bob);
    net.close(&bob);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, ""));
    net.send(&alice, caller.next("BYE"));
    net.send(&alice, caller.next("INVITE"));
    let asked: Vec<_> = net
        .waiting
        .iter()
        .map(|(_, question)| match question {
            Question::Reach(_, wait) | Question::Return { wait, .. } => {
                (wait.within, wait.until.since(net.now))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [(false, limits::AWAY), (true, limits::HOLD), (true, limits::GRACE)]);
}

#[test]
fn who_is_away_alone_for_5_s_is_480_with_retry_after() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.close(&bob);
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 3, ""));
    net.advance(Duration::from_millis(4_990));
    // RFC 4320 §4.1.
    net.expect(&alice, 100);
    net.quiet();
    net.advance(Duration::from_millis(20));
    let gone = net.expect(&alice, 480);
    assert_eq!(gone.reason(), "Callee Is Away");
    assert!(gone.headers().has(HeaderName::RetryAfter));
    // Nobody is registered: at once.
    net.send(&alice, alice.out("MESSAGE", "sip:carol@example.com", 4, ""));
    assert_eq!(net.expect(&alice, 480).reason(), "Callee Not Registered");
    net.quiet();
}

/// A callee rings, and its flow is lost: it rings on, and goes on being called where it is back.
fn away_while_ringing() -> (Net, Peer, Peer, Request) {
    let (mut net, alice, bob, request) = dialogs::ringing();
    net.close(&bob);
    net.quiet();
    net.advance(Duration::from_secs(2));
    net.quiet();
    (net, alice, bob, request)
}

#[test]
fn rfc6026_7_1_a_callee_that_rings_and_is_back_soon_goes_on_being_called() {
    let (mut net, alice, _, request) = away_while_ringing();
    let back = ws("bob", 4);
    net.register(&back);
    net.answer_waiting(false);
    // Under its branch, which it knows: nobody rings twice.
    assert_eq!(net.request(&back, &Method::Invite).bytes(), request.bytes());
    net.send(&back, back.answer(&request, 180));
    net.expect(&alice, 180);
    net.send(&back, back.answer(&request, 200));
    net.expect(&alice, 200);
    net.quiet();
}

#[test]
fn a_callee_that_rings_and_stays_away_is_480_after_5_s() {
    let (mut net, alice, ..) = away_while_ringing();
    net.advance(Duration::from_millis(2_990));
    net.quiet();
    net.advance(Duration::from_millis(20));
    net.expect(&alice, 480);
    net.quiet();
}

#[test]
fn rfc3261_9_1_a_caller_that_gives_up_while_its_callee_is_away() {
    let (mut net, alice, _, request) = away_while_ringing();
    let cancel =
        alice.invite("bob", 2, "").replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL");
    net.send(&alice, cancel);
    net.expect(&alice, 200);
    net.expect(&alice, 487);
    net.quiet();
    // Who is back rings yet, and is told.
    let back = ws("bob", 4);
    net.register(&back);
    net.answer_waiting(false);
    assert_eq!(net.request(&back, &Method::Invite).bytes(), request.bytes());
    net.send(&back, back.answer(&request, 180));
    let cancel = net.request(&back, &Method::Cancel);
    net.send(&back, back.answer(&cancel, 200));
    net.send(&back, back.answer(&request, 487));
    net.request(&back, &Method::Ack);
    net.quiet();
    assert_eq!(net.server.load().2, 0);
}

#[test]
fn an_invite_that_waits_for_who_is_away_can_be_cancelled() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    net.register(&alice);
    net.register(&bob);
    net.close(&bob);
    let invite = alice.invite("bob", 2, "");
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    net.send(&alice, invite.replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL"));
    net.expect(&alice, 200);
    net.expect(&alice, 487);
    net.quiet();
    assert_eq!(net.server.load().2, 0);
}

#[test]
fn rfc5627_a_dialog_without_our_route_is_found_by_the_gruu_it_was_told() {
    let mut net = Net::new();
    let (bob, stranger) = (ws("bob", 2), udp("alice", 5));
    net.register(&bob);
    let within = |uri: &str| {
        let request = stranger.out("SUBSCRIBE", uri, 6, "");
        request
            .replace("<sip:alice@", "<sip:alice@elsewhere.")
            .replace(&format!("t: <{uri}>"), &format!("t: <{uri}>;tag=x"))
    };
    let gruu = format!("sip:bob@example.com;gr={}", bob.key().instance);
    net.send(&stranger, within(&gruu));
    assert_eq!(net.request(&bob, &Method::Subscribe).uri(), bob.contact());
    // The address alone says nothing of a dialog.
    net.send(&stranger, within("sip:bob@example.com").replace("SUBSCRIBE6", "SUBSCRIBE7"));
    net.expect(&stranger, 481);
}

#[test]
fn refusals_say_why_by_which_rule_and_have_a_trace_that_the_log_has_too() {
    let mut net = Net::new();
    let (alice, bob) = (ws("alice", 1), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let rows = [
        (
            alice.out("MESSAGE", "sip:x@example.net", 3, ""),
            403,
            "Domain Not Served Here: for other domains From must be of ours, and [outbound] to",
        ),
        (alice.out("MESSAGE", "sip:nobody@example.com", 4, ""), 404, "Not Found"),
        (
            alice.invite("bob", 5, "Route: <sip:evil.example.net;lr>\r\n"),
            403,
            "Route Leads Elsewhere: Route may name this proxy alone",
        ),
    ];
    for (request, status, why) in rows {
        net.send(&alice, request);
        let refused = net.expect(&alice, status);
        let warning = refused.headers().first(HeaderName::Warning).unwrap();
        assert!(warning.starts_with("399 example.com \"") && warning.contains(why), "{warning}");
        let (trace, reason) = net.refused.take().unwrap();
        assert!(
            warning.ends_with(&format!("(trace {trace})\"")) && reason.contains(why),
            "{warning} {reason}"
        );
        assert!(refused.to_tag().unwrap().starts_with(trace.as_str()));
    }
    // A challenge is no refusal.
    let carol = ws("carol", 3);
    net.send(&carol, carol.invite("bob", 1, ""));
    assert!(!net.expect(&carol, 407).headers().has(HeaderName::Warning));
    assert_eq!(net.refused, None);
}

/// Bob's phone answers a SUBSCRIBE of Alice's without Record-Route: both go on without our Routes.
#[test]
fn rfc3261_12_2_a_dialog_without_our_routes_is_found_by_the_contact_that_is_registered() {
    let mut net = Net::new();
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    for peer in [&alice, &bob, &carol] {
        net.register(peer);
    }
    let within = |peer: &Peer, method: &str, to: &Peer, cseq: u32| {
        let text = peer.out(method, &to.contact(), cseq, "");
        text.replace(
            &format!("t: <{}>", to.contact()),
            &format!("t: <sip:{}@example.com>;tag={}", to.name, to.tag()),
        )
    };
    net.send(&bob, within(&bob, "NOTIFY", &alice, 5));
    assert_eq!(net.request(&alice, &Method::Notify).uri(), alice.contact());
    net.send(&alice, within(&alice, "SUBSCRIBE", &bob, 6));
    net.request(&bob, &Method::Subscribe);
    // Its ACK as well, over a flow that is proven.
    net.send(&alice, within(&alice, "ACK", &bob, 7));
    assert_eq!(net.request(&bob, &Method::Ack).uri(), bob.contact());
    let unknown = ws("alice", 9);
    net.send(&unknown, within(&unknown, "ACK", &bob, 8));
    net.quiet();
    // A contact of another than To names is nobody's.
    let other = within(&alice, "INFO", &bob, 9).replace("t: <sip:bob@", "t: <sip:carol@");
    net.send(&alice, other);
    net.expect(&alice, 481);
    // Outside a dialog it would be to relay, but to a contact.
    net.send(&alice, alice.out("MESSAGE", "sip:bob@elsewhere.invalid", 10, ""));
    net.expect(&alice, 403);
    // A stranger proves nothing.
    let stranger = udp("alice", 5);
    net.send(
        &stranger,
        within(&stranger, "INFO", &bob, 11).replace("<sip:alice@example.com>", "<sip:a@b.example>"),
    );
    net.expect(&stranger, 403);
    // A phone that says it is one of ours is asked.
    net.send_with_digest(&stranger, "alice", &|cseq, extra| {
        within(&stranger, "INFO", &bob, 20 + cseq).replace("l: 4", &format!("{extra}l: 4"))
    });
    net.request(&bob, &Method::Info);
    net.quiet();
}
