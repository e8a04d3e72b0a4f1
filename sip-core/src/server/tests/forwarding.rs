//! Calls that their callee does not take and that go on to another address (RFC 5806, RFC 7044).

use super::*;
use crate::proxy::{Forward, Occasion};

pub(super) fn rule(user: Option<&str>, when: Occasion, to: &str) -> ForwardRule {
    ForwardRule { user: user.map(SmolStr::from), when, forward: Forward { to: to.into(), private: false } }
}

pub(super) const CAROL: &str = "sip:carol@example.com";
const PATIENCE: Occasion = Occasion::NoAnswer(Duration::from_secs(20));

pub(super) fn net(rules: &[ForwardRule]) -> Net {
    Net::with(|config| config.forwarding = rules.to_vec())
}

pub(super) fn registered(net: &mut Net, peers: &[&Peer]) {
    peers.iter().for_each(|peer| net.register(peer));
}

/// The forwarded call at `callee`, whose caller has heard of it.
#[track_caller]
pub(super) fn forwarded(net: &mut Net, caller: &Peer, callee: &Peer) -> Request {
    let told = net.expect(caller, 181);
    assert!(told.to_tag().is_some());
    let request = net.request(callee, &Method::Invite);
    net.quiet();
    request
}

pub(super) fn diversion(request: &Request) -> Vec<&str> {
    request.headers().list(HeaderName::Diversion).collect()
}

pub(super) fn history(request: &Request) -> Vec<&str> {
    request.headers().list(HeaderName::HistoryInfo).collect()
}

/// The forwarded call is taken, and ends.
fn take(net: &mut Net, caller: &Peer, callee: &Peer, request: &Request) {
    net.send(callee, callee.answer(request, 200));
    let ok = net.expect(caller, 200);
    let mut dialog = Side::caller(caller, &ok);
    for (method, wanted) in [("ACK", Method::Ack), ("BYE", Method::Bye)] {
        net.send(caller, dialog.next(method));
        net.request(callee, &wanted);
    }
}

#[test]
fn rfc5806_and_rfc7044_a_busy_callees_calls_go_on() {
    for busy in [486, 600] {
        let mut net = net(&[rule(Some("bob"), Occasion::Busy, CAROL)]);
        let (alice, bob, carol) = (ws("alice", 1), udp("bob", 5), ws("carol", 3));
        registered(&mut net, &[&alice, &bob, &carol]);
        net.send(&alice, alice.invite("bob", 2, "Supported: histinfo\r\n"));
        net.expect(&alice, 100);
        let first = net.request(&bob, &Method::Invite);
        assert!(history(&first).is_empty() && diversion(&first).is_empty());
        net.send(&bob, bob.answer(&first, busy));
        net.request(&bob, &Method::Ack);
        let told = net.expect(&alice, 181);
        // RFC 7044 §9.4: who supports it is told of the entries that are over.
        assert_eq!(
            told.headers().first(HeaderName::HistoryInfo),
            Some("<sip:bob@example.com?Reason=SIP%3Bcause%3D486>;index=1")
        );
        let second = net.request(&carol, &Method::Invite);
        net.quiet();
        assert_eq!(second.uri(), carol.contact());
        assert_eq!(diversion(&second), ["<sip:bob@example.com>;reason=user-busy;counter=1;privacy=off"]);
        // §10.3: the copy for bob's phone would have been 1.1.
        assert_eq!(
            history(&second),
            [
                "<sip:bob@example.com?Reason=SIP%3Bcause%3D486>;index=1".to_string(),
                "<sip:carol@example.com;cause=486>;index=1.2;mp=1".to_string(),
                format!("<{}>;index=1.2.1;rc=1.2", carol.contact()),
            ]
        );
        take(&mut net, &alice, &carol, &second);
        assert_eq!(net.server.counters().diverted, 1);
    }
}

#[test]
fn rfc5806_who_declines_is_not_busy() {
    let mut net = net(&[rule(None, Occasion::Busy, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    for status in [603, 404] {
        net.send(&alice, alice.invite("bob", u32::from(status), ""));
        net.expect(&alice, 100);
        let first = net.request(&bob, &Method::Invite);
        net.send(&bob, bob.answer(&first, status));
        net.request(&bob, &Method::Ack);
        net.expect(&alice, status);
        net.quiet();
    }
}

#[test]
fn rfc5806_a_call_that_nobody_answers_goes_on() {
    let mut net = net(&[rule(Some("bob"), PATIENCE, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_millis(19_900));
    net.quiet();
    net.advance(Duration::from_millis(200));
    // It stops ringing, and that it was cancelled is no answer.
    net.expect(&alice, 181);
    net.request(&bob, &Method::Cancel);
    let second = net.request(&carol, &Method::Invite);
    net.quiet();
    assert_eq!(diversion(&second), ["<sip:bob@example.com>;reason=no-answer;counter=1;privacy=off"]);
    assert!(history(&second)[1].contains(";cause=408>;index=1.2;mp=1"), "{:?}", history(&second));
    net.send(&bob, bob.answer(&first, 487));
    net.request(&bob, &Method::Ack);
    net.quiet();
    take(&mut net, &alice, &carol, &second);
}

#[test]
fn rfc3261_16_7_a_late_answer_of_the_first_callee_still_counts() {
    let mut net = net(&[rule(Some("bob"), PATIENCE, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(21));
    net.expect(&alice, 181);
    net.request(&bob, &Method::Cancel);
    let second = net.request(&carol, &Method::Invite);
    net.send(&bob, bob.answer(&first, 200));
    net.expect(&alice, 200);
    net.send(&carol, carol.answer(&second, 180));
    net.request(&carol, &Method::Cancel);
}

#[test]
fn rfc5806_who_is_not_there_or_says_480_has_its_calls_elsewhere() {
    let mut net = net(&[rule(Some("bob"), Occasion::Offline, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &carol]);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let call = forwarded(&mut net, &alice, &carol);
    assert_eq!(diversion(&call), ["<sip:bob@example.com>;reason=unavailable;counter=1;privacy=off"]);
    assert_eq!(history(&call)[1], "<sip:carol@example.com;cause=503>;index=1.1;mp=1");
    take(&mut net, &alice, &carol, &call);
    // A message is no call.
    net.send(&alice, alice.out("MESSAGE", "sip:bob@example.com", 5, ""));
    net.expect(&alice, 480);
    net.register(&bob);
    net.send(&alice, alice.invite("bob", 7, ""));
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 480));
    net.request(&bob, &Method::Ack);
    forwarded(&mut net, &alice, &carol);
}

#[test]
fn rfc5806_who_is_away_is_waited_for_first() {
    let mut net = net(&[rule(None, Occasion::Offline, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    net.close(&bob);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    net.advance(Duration::from_secs(4));
    net.quiet();
    net.advance(Duration::from_secs(2));
    forwarded(&mut net, &alice, &carol);
}

#[test]
fn rfc5806_all_calls_go_elsewhere_and_from_there_as_its_user_has_it() {
    let rules = [
        rule(Some("bob"), Occasion::Always, "sip:alice@alias.example.com"),
        rule(Some("alice"), Occasion::Busy, CAROL),
    ];
    let mut net = net(&rules);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    net.send(&carol, carol.invite("bob", 2, "Supported: histinfo\r\n"));
    net.expect(&carol, 100);
    let first = forwarded(&mut net, &carol, &alice);
    assert_eq!(diversion(&first), ["<sip:bob@example.com>;reason=unconditional;counter=1;privacy=off"]);
    net.send(&alice, alice.answer(&first, 486));
    net.request(&alice, &Method::Ack);
    // Here carol's own phone is the last.
    let told = net.expect(&carol, 181);
    assert_eq!(
        told.headers().list(HeaderName::HistoryInfo).collect::<Vec<_>>(),
        [
            "<sip:bob@example.com>;index=1",
            "<sip:alice@alias.example.com;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1"
        ]
    );
    let second = net.request(&carol, &Method::Invite);
    assert_eq!(
        diversion(&second),
        [
            "<sip:alice@example.com>;reason=user-busy;counter=1;privacy=off",
            "<sip:bob@example.com>;reason=unconditional;counter=1;privacy=off"
        ]
    );
    assert_eq!(
        history(&second)[1..],
        [
            "<sip:alice@alias.example.com;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1".to_string(),
            "<sip:carol@example.com;cause=486>;index=1.1.2;mp=1.1".to_string(),
            format!("<{}>;index=1.1.2.1;rc=1.1.2", carol.contact()),
        ]
    );
}

#[test]
fn rfc5806_circles_and_too_many_diversions_end() {
    let rules = [
        rule(Some("bob"), Occasion::Always, CAROL),
        rule(Some("carol"), Occasion::Always, "sip:bob@example.com"),
    ];
    let mut net = net(&rules);
    let (alice, carol) = (ws("alice", 1), ws("carol", 3));
    registered(&mut net, &[&alice, &carol]);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    // Back to bob, who was called already: carol takes her calls herself.
    let call = forwarded(&mut net, &alice, &carol);
    take(&mut net, &alice, &carol, &call);
    assert_eq!(net.server.counters().diversions_over_cap, 1);
    // Five times elsewhere before.
    let before = "Diversion: <sip:x@b.example>;counter=4, sip:y@c.example\r\n";
    net.send(&alice, alice.invite("bob", 7, before));
    net.expect(&alice, 100);
    net.expect(&alice, 480);
    net.quiet();
    assert_eq!(net.server.counters().diversions_over_cap, 2);
}

#[test]
fn rfc3261_16_10_a_cancelled_call_goes_nowhere() {
    let mut net = net(&[rule(Some("bob"), PATIENCE, CAROL), rule(None, Occasion::Busy, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    let invite = alice.invite("bob", 2, "");
    let cancel = |invite: &str| {
        let request = Request::parse(Bytes::from(invite.to_string())).unwrap();
        let text = alice.out("CANCEL", request.uri(), 2, "");
        let via = text.lines().nth(1).unwrap().to_string();
        text.replace(&via, invite.lines().nth(1).unwrap())
    };
    // Before: what bob says then is the end.
    net.send(&alice, invite.clone());
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 180));
    net.expect(&alice, 180);
    net.send(&alice, cancel(&invite));
    net.expect(&alice, 200);
    net.request(&bob, &Method::Cancel);
    net.send(&bob, bob.answer(&first, 486));
    net.request(&bob, &Method::Ack);
    net.expect(&alice, 486);
    net.quiet();
    // After: carol stops ringing.
    let invite = invite.replace("INVITE2", "INVITE9").replace("Call-ID: call", "Call-ID: other");
    let cancel = cancel(&invite).replace("Call-ID: call", "Call-ID: other");
    net.send(&alice, invite);
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 486));
    net.request(&bob, &Method::Ack);
    let second = forwarded(&mut net, &alice, &carol);
    net.send(&carol, carol.answer(&second, 180));
    net.expect(&alice, 180);
    net.send(&alice, cancel);
    net.expect(&alice, 200);
    net.request(&carol, &Method::Cancel);
    net.send(&carol, carol.answer(&second, 487));
    net.request(&carol, &Method::Ack);
    net.expect(&alice, 487);
    net.quiet();
}

#[test]
fn rfc5806_where_it_leads_nowhere_the_callees_answer_counts() {
    let mut net = net(&[rule(Some("bob"), Occasion::Busy, "sip:nobody@example.com")]);
    let (alice, bob) = (ws("alice", 1), ws("bob", 2));
    registered(&mut net, &[&alice, &bob]);
    net.send(&alice, alice.invite("bob", 2, ""));
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 486));
    net.request(&bob, &Method::Ack);
    net.expect(&alice, 181);
    net.expect(&alice, 486);
    net.quiet();
}

/// A stranger calls bob, who is not there.
fn stranger_calls(net: &mut Net) -> Peer {
    let stranger = elsewhere(Transport::Udp, "198.18.0.99:5060");
    let invite = stranger
        .out("INVITE", "sip:bob@example.com", 2, "")
        .replace("From: \"bob\" <sip:bob@example.com>", "From: <sip:x@c.example>");
    net.send(&stranger, invite);
    net.expect(&stranger, 100);
    stranger
}

#[test]
fn rfc5806_a_call_goes_to_other_domains_only_where_our_users_may_call() {
    // Nowhere: nothing is asked, nothing is sent.
    let mut nowhere = net(&[rule(Some("bob"), Occasion::Offline, "sip:box@198.18.0.7")]);
    let stranger = stranger_calls(&mut nowhere);
    nowhere.expect(&stranger, 181);
    nowhere.expect(&stranger, 480);
    nowhere.quiet();
    assert!(nowhere.queries.is_empty());
    assert_eq!(nowhere.server.counters().relay_refused, 1);
    // Public addresses: this is none.
    let mut public = Net::with(|config| {
        config.outward = Outward::Public;
        config.forwarding = [rule(Some("bob"), Occasion::Offline, "sip:box@10.0.0.7")].into();
    });
    let stranger = stranger_calls(&mut public);
    public.expect(&stranger, 181);
    public.expect(&stranger, 480);
    assert_eq!(public.server.counters().hops_forbidden, 1);
    // Anywhere.
    let mut anywhere = Net::with(|config| {
        config.outward = Outward::Anywhere;
        config.forwarding = [rule(Some("bob"), Occasion::Offline, "sip:box@198.18.0.7")].into();
    });
    let stranger = stranger_calls(&mut anywhere);
    let call = forwarded(&mut anywhere, &stranger, &elsewhere(Transport::Udp, "198.18.0.7:5060"));
    assert_eq!(call.uri(), "sip:box@198.18.0.7;cause=503");
    assert_eq!(history(&call).len(), 2);
    // What the stranger itself wants outside is still not relayed.
    let relay = stranger
        .out("INVITE", "sip:box@198.18.0.7", 9, "")
        .replace("bob@example.com>;tag", "x@c.example>;tag");
    anywhere.send(&stranger, relay);
    anywhere.expect(&stranger, 403);
}

#[test]
fn rfc5393_5_3_who_has_one_breadth_left_forwards_once_it_is_free() {
    let mut net = net(&[rule(Some("bob"), PATIENCE, CAROL)]);
    let (alice, bob, carol) = (ws("alice", 1), ws("bob", 2), ws("carol", 3));
    registered(&mut net, &[&alice, &bob, &carol]);
    net.send(&alice, alice.invite("bob", 2, "Max-Breadth: 1\r\n"));
    net.expect(&alice, 100);
    let first = net.request(&bob, &Method::Invite);
    net.send(&bob, bob.answer(&first, 180));
    net.expect(&alice, 180);
    net.advance(Duration::from_secs(20));
    net.expect(&alice, 181);
    net.request(&bob, &Method::Cancel);
    net.quiet();
    net.send(&bob, bob.answer(&first, 487));
    net.request(&bob, &Method::Ack);
    let second = net.request(&carol, &Method::Invite);
    take(&mut net, &alice, &carol, &second);
}
