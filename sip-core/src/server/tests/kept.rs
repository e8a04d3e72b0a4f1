//! Calls that are being set up while the server is restarted, with what was written down of them.

use super::forgotten::{back, cancel_of, restart_as, ring};
use super::outward::{self, BOB};
use super::*;
use crate::entropy::Entropy as _;

pub(super) fn keeps(config: &mut Config) {
    config.keeps_calls = true;
    config.outward = Outward::Anywhere;
}

/// Ends the server, and starts it again after `down` with its bindings and what it kept.
fn restart_after(net: &mut Net, down: Duration, configure: fn(&mut Config)) {
    let kept = net.kept.clone();
    restart_as(net, configure);
    net.now += down;
    for record in kept.into_values() {
        net.input(Input::TakeUp(read(&record).unwrap().into()));
    }
}

fn read(record: &Bytes) -> Option<KeptCall> {
    KeptCall::read(record, |local, remote| Some(Hop { local, remote, ..udp("bob", 5).hop }))
}

pub(super) fn restart(net: &mut Net) {
    restart_after(net, Duration::from_secs(1), keeps);
}

/// Alice calls, and Bob's page, phone and desk phone ring.
fn three_ring(alice: &Peer) -> (Net, String, [(Peer, Request); 3]) {
    let mut net = Net::with(keeps);
    let callees = [ws("bob", 2), udp("bob", 5), Peer { instance: 9, ..tcp("bob", 7) }];
    net.register(alice);
    callees.iter().for_each(|callee| net.register(callee));
    let (invite, rings) = ring(&mut net, alice, callees);
    assert_eq!(net.kept.len(), 1);
    (net, invite, rings)
}

/// What a phone that is back has once more is what it had; its caller hears that it still rings.
fn rings_on(net: &mut Net, phone: &Peer, had: &Request) {
    let again = net.request(phone, &Method::Invite);
    assert_eq!(again.bytes(), had.bytes());
    net.send(phone, phone.answer(&again, 180));
}

fn nothing_is_left(net: &mut Net) {
    net.advance(Duration::from_secs(100));
    net.sent.clear();
    assert_eq!(net.server.load(), (0, 0, 0));
    assert!(net.kept.is_empty());
}

#[test]
fn rfc3261_16_7_a_call_that_rings_over_a_restart_is_answered() {
    for caller in [udp("alice", 4), ws("alice", 1)] {
        let (mut net, _, [(page, to_page), (phone, to_phone), (desk, to_desk)]) = three_ring(&caller);
        restart(&mut net);
        // Who is on UDP has lost nothing, and hears nothing.
        net.quiet();
        net.send(&phone, phone.answer(&to_phone, 183));
        let alice = if caller.hop.transport == Transport::Udp {
            caller
        } else {
            net.quiet();
            let alice = back(&caller, 11);
            net.register(&alice);
            net.answer_waiting(false);
            alice
        };
        net.expect(&alice, 183);
        let page = back(&page, 12);
        net.register(&page);
        net.answer_waiting(false);
        rings_on(&mut net, &page, &to_page);
        net.expect(&alice, 180);
        net.send(&page, page.answer(&to_page, 200));
        let ok = net.expect(&alice, 200);
        assert!(net.kept.is_empty());
        // §16.7 step 10: the phone hears that another has it, and the desk phone where it is back.
        let cancel = net.request(&phone, &Method::Cancel);
        assert_eq!(cancel.branch(), to_phone.branch());
        assert!(cancel.headers().first(HeaderName::Reason).unwrap().contains("cause=200"));
        let mut caller = Side::caller(&alice, &ok);
        for method in [Method::Ack, Method::Bye] {
            net.send(&alice, caller.next(method.as_str()));
            net.request(&page, &method);
        }
        let desk = back(&desk, 17);
        net.register(&desk);
        net.answer_waiting(false);
        let again = net.request(&desk, &Method::Invite);
        assert_eq!(again.branch(), to_desk.branch());
        net.send(&desk, desk.answer(&again, 180));
        net.request(&desk, &Method::Cancel);
        assert_eq!(net.server.counters().calls_taken_up, 1);
        nothing_is_left(&mut net);
    }
}

#[test]
fn rfc3261_16_10_a_call_whose_caller_stays_away_ends_within_32_s() {
    let (mut net, _, [_, (phone, to_phone), _]) = three_ring(&ws("alice", 1));
    restart(&mut net);
    net.advance(Duration::from_secs(19));
    net.quiet();
    net.advance(Duration::from_secs(1));
    let cancel = net.request(&phone, &Method::Cancel);
    assert_eq!((cancel.branch(), cancel.uri()), (to_phone.branch(), to_phone.uri()));
    net.send(&phone, phone.answer(&cancel, 200));
    net.send(&phone, phone.answer(&to_phone, 487));
    net.request(&phone, &Method::Ack);
    net.quiet();
    nothing_is_left(&mut net);
}

#[test]
fn rfc3261_16_7_a_call_whose_callees_stay_away_ends_within_32_s() {
    let mut net = Net::with(keeps);
    let (alice, callees) = (udp("alice", 4), [ws("bob", 2), Peer { instance: 9, ..tcp("bob", 7) }]);
    net.register(&alice);
    callees.iter().for_each(|callee| net.register(callee));
    ring(&mut net, &alice, callees);
    restart(&mut net);
    net.advance(Duration::from_secs(19));
    net.quiet();
    net.advance(Duration::from_secs(2));
    net.expect(&alice, 480);
    nothing_is_left(&mut net);
}

/// To another domain over a datagram and over a connection, and where a call was forwarded to: its CANCEL finds its INVITE.
#[test]
fn rfc3261_16_10_a_cancel_after_a_restart_follows_a_call_to_another_domain() {
    let forwards: fn(&mut Config) = |config| {
        keeps(config);
        let (user, when) = (Some("bob".into()), Occasion::Busy);
        config.forwarding =
            [ForwardRule { user, when, forward: Forward { to: BOB.into(), private: false } }].into();
    };
    for (transport, configure, callee) in [
        (Transport::Udp, keeps as fn(&mut Config), BOB),
        (Transport::Tcp, keeps, BOB),
        (Transport::Udp, forwards, "sip:bob@example.com"),
    ] {
        let mut net = outward::net(transport.uri_token(), &[5081]);
        net.server = Net::with(configure).server;
        let (alice, phone, far) = (udp("alice", 4), udp("bob", 5), outward::server(transport, 5081));
        net.register(&alice);
        net.register(&phone);
        let invite = |cseq: u32, extra: &str| alice.out("INVITE", callee, cseq + 10, extra);
        net.send_with_digest(&alice, "alice", &invite);
        net.expect(&alice, 100);
        if callee != BOB {
            let busy = net.request(&phone, &Method::Invite);
            net.send(&phone, phone.answer(&busy, 486));
            net.request(&phone, &Method::Ack);
            net.expect(&alice, 181);
        }
        let forwarded = net.request(&far, &Method::Invite);
        net.send(&far, far.answer(&forwarded, 180));
        net.expect(&alice, 180);
        restart_after(&mut net, Duration::from_secs(1), configure);
        net.quiet();
        net.send(&alice, cancel_of(&invite(2, "")));
        net.expect(&alice, 200);
        let cancel = net.request(&far, &Method::Cancel);
        assert_eq!((cancel.branch(), cancel.uri()), (forwarded.branch(), forwarded.uri()));
        net.send(&far, far.answer(&cancel, 200));
        net.send(&far, far.answer(&forwarded, 487));
        net.request(&far, &Method::Ack);
        net.expect(&alice, 487);
        nothing_is_left(&mut net);
    }
}

/// Nobody answers, who is called is busy, or does not come back: its calls go on elsewhere as its user has it.
#[test]
fn rfc5806_4_a_call_that_rings_over_a_restart_is_forwarded() {
    let configure: fn(&mut Config) = |config| {
        keeps(config);
        let forward = || Forward { to: "sip:carol@example.com".into(), private: false };
        let rule = |when| ForwardRule { user: Some("bob".into()), when, forward: forward() };
        let all = [Occasion::NoAnswer(Duration::from_secs(15)), Occasion::Busy, Occasion::Offline];
        config.forwarding = all.map(rule).into();
    };
    for happens in 0..3 {
        let mut net = Net::with(configure);
        let (alice, bob, carol) =
            (ws("alice", 1), if happens == 2 { ws("bob", 2) } else { udp("bob", 5) }, udp("carol", 6));
        [&alice, &bob, &carol].into_iter().for_each(|peer| net.register(peer));
        let (_, [(bob, request)]) = ring(&mut net, &alice, [bob]);
        net.advance(Duration::from_secs(4));
        restart_after(&mut net, Duration::from_secs(1), configure);
        let alice = back(&alice, 11);
        net.register(&alice);
        net.answer_waiting(false);
        net.expect(&alice, 100);
        match happens {
            // Since it began, and not since the restart.
            0 => {
                net.advance(Duration::from_millis(9_900));
                net.quiet();
                net.advance(Duration::from_millis(200));
            }
            1 => {
                net.send(&bob, bob.answer(&request, 486));
                net.request(&bob, &Method::Ack);
            }
            _ => net.advance(Duration::from_millis(10_001)),
        }

        net.expect(&alice, 181);
        if happens == 0 {
            net.request(&bob, &Method::Cancel);
        }
        let forwarded = net.request(&carol, &Method::Invite);
        assert!(forwarded.headers().has(HeaderName::Diversion));
        net.send(&carol, carol.answer(&forwarded, 200));
        // It has Routes of both sides, as any call.
        let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
        let mut callee = Side::callee(&carol, &forwarded);
        net.send(&alice, caller.next("ACK"));
        net.request(&carol, &Method::Ack);
        net.send(&carol, callee.next("BYE"));
        net.request(&alice, &Method::Bye);
        net.advance(Duration::from_secs(100));
        nothing_is_left(&mut net);
    }
}

/// Another domain's 3xx are for the caller (§16.7 step 4), after a restart too, and its silence is no absence.
#[test]
fn rfc3261_16_7_what_another_domain_says_after_a_restart_is_what_it_would_have_been() {
    let configure: fn(&mut Config) = |config| {
        keeps(config);
        config.routing.recurse = true;
    };
    for (answer, heard) in [(302, 302), (503, 500)] {
        let mut net = outward::net("udp", &[5081]);
        net.server = Net::with(configure).server;
        let (alice, far) = (udp("alice", 4), outward::server(Transport::Udp, 5081));
        net.register(&alice);
        net.send_with_digest(&alice, "alice", &|cseq, extra| alice.out("INVITE", BOB, cseq + 10, extra));
        net.expect(&alice, 100);
        let forwarded = net.request(&far, &Method::Invite);
        restart_after(&mut net, Duration::from_secs(1), configure);
        net.send(&far, far.answer(&forwarded, answer));
        net.request(&far, &Method::Ack);
        net.expect(&alice, heard);
        nothing_is_left(&mut net);
    }
}

/// A phone that nobody had heard of may never have had the INVITE, or may ring: it is given up as an INVITE without answer is.
#[test]
fn rfc3261_17_1_1_2_a_copy_without_answer_is_given_up_after_64_t1() {
    let mut net = Net::with(keeps);
    let (alice, bob) = (udp("alice", 4), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    net.send_with_digest(&alice, "alice", &|cseq, extra| alice.invite("bob", cseq + 10, extra));
    net.expect(&alice, 100);
    let invite = net.request(&bob, &Method::Invite);
    restart(&mut net);
    net.advance(Duration::from_millis(31_900));
    net.quiet();
    net.advance(Duration::from_millis(200));
    let cancel = net.request(&bob, &Method::Cancel);
    assert_eq!(cancel.branch(), invite.branch());
    net.send(&bob, bob.answer(&cancel, 200));
    net.send(&bob, bob.answer(&invite, 487));
    net.request(&bob, &Method::Ack);
    net.expect(&alice, 487);
    nothing_is_left(&mut net);
}

/// What was said in the last moment was not written: who has answered hears nothing, and its caller neither, until the call has long
/// been established.
#[test]
fn rfc3261_17_2_1_who_had_answered_is_not_called_anew() {
    let (mut net, _, [_, (phone, to_phone), _]) = three_ring(&udp("alice", 4));
    let written = net.kept.clone();
    net.send(&phone, phone.answer(&to_phone, 200));
    let mut caller = Side::caller(&udp("alice", 4), &net.expect(&udp("alice", 4), 200));
    net.send(&caller.peer.clone(), caller.next("ACK"));
    net.sent.clear();
    assert!(net.kept.is_empty());
    net.kept = written;
    restart(&mut net);
    net.advance(Duration::from_secs(180));
    net.quiet();
}

#[test]
fn a_call_is_kept_until_it_is_answered_refused_or_given_up() {
    type End = fn(&mut Net, &Peer, &str, &Peer, &Request);
    let ends: [End; 3] = [
        |net, _, _, bob, invite| net.send(bob, bob.answer(invite, 200)),
        |net, _, _, bob, invite| net.send(bob, bob.answer(invite, 486)),
        |net, alice, invite, _, _| net.send(alice, cancel_of(invite)),
    ];
    for (keep, end) in ends.into_iter().flat_map(|end| [(true, end), (false, end)]) {
        let mut net = Net::with(|config| config.keeps_calls = keep);
        let (alice, bob) = (ws("alice", 1), udp("bob", 5));
        net.register(&alice);
        net.register(&bob);
        let (invite, [(bob, request)]) = ring(&mut net, &alice, [bob]);
        assert_eq!(net.kept.len(), usize::from(keep));
        end(&mut net, &alice, &invite, &bob, &request);
        assert!(net.kept.is_empty());
    }
}

/// Within a dialog: who changes a call hears of it.
#[test]
fn rfc3261_14_1_a_change_of_a_call_is_answered_over_a_restart() {
    let mut net = Net::with(keeps);
    let (alice, bob) = (udp("alice", 4), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let (_, [(bob, request)]) = ring(&mut net, &alice, [bob]);
    net.send(&bob, bob.answer(&request, 200));
    let mut caller = Side::caller(&alice, &net.expect(&alice, 200));
    net.send(&alice, caller.next("ACK"));
    net.request(&bob, &Method::Ack);
    caller.cseq = 30;
    net.send(&alice, caller.next("INVITE"));
    net.expect(&alice, 100);
    let change = net.request(&bob, &Method::Invite);
    restart(&mut net);
    net.quiet();
    net.send(&bob, bob.answer(&change, 200));
    net.expect(&alice, 200);
    nothing_is_left(&mut net);
}

/// It may be killed again, at any time.
#[test]
fn a_call_rings_over_two_restarts() {
    let (mut net, invite, [(page, to_page), (phone, to_phone), _]) = three_ring(&udp("alice", 4));
    let alice = udp("alice", 4);
    for flow in [12, 22] {
        restart(&mut net);
        assert_eq!(net.kept.len(), 1);
        net.send(&phone, phone.answer(&to_phone, 180));
        net.expect(&alice, 180);
        let page = back(&page, flow);
        net.register(&page);
        net.answer_waiting(false);
        rings_on(&mut net, &page, &to_page);
        net.expect(&alice, 180);
    }
    net.send(&alice, cancel_of(&invite));
    net.expect(&alice, 200);
    for peer in [&phone, &back(&page, 22)] {
        net.request(peer, &Method::Cancel);
    }
    nothing_is_left(&mut net);
}

/// §16.6 step 11: longer than Timer C nothing rings; and after a longer while nobody may wait any more. It ends on both sides.
#[test]
fn rfc3261_16_6_step_11_a_call_that_nobody_waits_for_is_ended_on_both_sides() {
    for down in [186, 40] {
        let (mut net, _, [(page, _), (phone, to_phone), _]) = three_ring(&udp("alice", 4));
        let mut call = read(net.kept.values().next().unwrap()).unwrap();
        assert_eq!(call.account().as_deref(), Some("sip:alice@example.com"));
        if down == 40 {
            call.give_up();
        }
        restart_as(&mut net, keeps);
        net.now += Duration::from_secs(down);
        net.input(Input::TakeUp(call.into()));
        assert!(net.kept.is_empty());
        let cancel = net.request(&phone, &Method::Cancel);
        assert_eq!(cancel.branch(), to_phone.branch());
        net.send(&phone, phone.answer(&cancel, 200));
        net.send(&phone, phone.answer(&to_phone, 487));
        net.request(&phone, &Method::Ack);
        net.expect(&udp("alice", 4), 487);
        // Who has lost its connection is not called only to hear that.
        let page = back(&page, 12);
        net.register(&page);
        net.answer_waiting(false);
        net.quiet();
        nothing_is_left(&mut net);
    }
    // One that is there is not taken up a second time.
    let (mut net, ..) = three_ring(&udp("alice", 4));
    let record = net.kept.values().next().unwrap().clone();
    net.input(Input::TakeUp(read(&record).unwrap().into()));
    net.quiet();
    assert_eq!(net.server.counters().calls_not_taken_up, 1);
}

/// §16.7 step 2: Timer C begins anew with each 180, and so does the time for which it is kept.
#[test]
fn rfc3261_16_7_step_2_a_call_that_is_heard_of_is_kept_on() {
    let mut net = Net::with(keeps);
    let (alice, bob) = (udp("alice", 4), udp("bob", 5));
    net.register(&alice);
    net.register(&bob);
    let (_, [(phone, to_phone)]) = ring(&mut net, &alice, [bob]);
    for _ in 0..4 {
        net.advance(Duration::from_secs(61));
        net.send(&phone, phone.answer(&to_phone, 182));
        net.expect(&udp("alice", 4), 182);
    }
    restart(&mut net);
    net.send(&phone, phone.answer(&to_phone, 182));
    net.expect(&udp("alice", 4), 182);
    net.quiet();
}

/// Who has said no does not ring anew, whatever became of the others.
#[test]
fn rfc3261_16_7_who_has_refused_is_not_called_again() {
    for (status, away) in [(486, true), (603, false), (486, false)] {
        let mut net = Net::with(keeps);
        let (alice, page, desk) = (udp("alice", 4), ws("bob", 2), Peer { instance: 9, ..tcp("bob", 7) });
        [&alice, &page, &desk].into_iter().for_each(|peer| net.register(peer));
        let (_, [(page, to_page), (desk, _)]) = ring(&mut net, &alice, [page, desk]);
        if away {
            net.close(&desk);
        }
        net.send(&page, page.answer(&to_page, status));
        net.request(&page, &Method::Ack);
        restart(&mut net);
        net.sent.clear();
        let page = back(&page, 12);
        net.register(&page);
        net.answer_waiting(false);
        net.quiet();
        net.advance(Duration::from_secs(32));
        net.sent.clear();
        nothing_is_left(&mut net);
    }
}

/// Who was called before a call went on elsewhere is called no more when it is back.
#[test]
fn rfc5806_4_who_was_away_as_the_call_went_on_does_not_ring() {
    let configure: fn(&mut Config) = |config| {
        keeps(config);
        let forward = Forward { to: "sip:carol@example.com".into(), private: false };
        let when = Occasion::NoAnswer(Duration::from_secs(5));
        config.forwarding = [ForwardRule { user: Some("bob".into()), when, forward }].into();
    };
    let mut net = Net::with(configure);
    let (alice, page, carol) = (udp("alice", 4), ws("bob", 2), udp("carol", 6));
    [&alice, &page, &carol].into_iter().for_each(|peer| net.register(peer));
    let (_, [(page, _)]) = ring(&mut net, &alice, [page]);
    restart_after(&mut net, Duration::from_secs(1), configure);
    net.advance(Duration::from_millis(4_100));
    net.expect(&alice, 181);
    let forwarded = net.request(&carol, &Method::Invite);
    net.send(&carol, carol.answer(&forwarded, 180));
    net.expect(&alice, 180);
    let page = back(&page, 12);
    net.register(&page);
    net.answer_waiting(false);
    // It has the INVITE, for it may ring, and hears at once that it is over.
    let again = net.request(&page, &Method::Invite);
    net.send(&page, page.answer(&again, 180));
    net.request(&page, &Method::Cancel);
    net.quiet();
}

#[test]
fn a_damaged_record_is_told_from_a_sound_one() {
    let (net, ..) = three_ring(&udp("alice", 4));
    let record = net.kept.values().next().unwrap();
    let call = read(record).unwrap();
    assert_eq!(call.call_id(), "call");
    let sound = (0..record.len()).filter(|length| read(&record.slice(..*length)).is_some()).count();
    // Whole copies may be missing at its end.
    assert_eq!(sound, 3);
    let mut random = SeededEntropy(11);
    for _ in 0..2_000 {
        let mut damaged = record.to_vec();
        let mut place = [0; 4];
        random.fill(&mut place);
        let [high, low, byte, length] = place;
        let at = (usize::from(high) << 8 | usize::from(low)) % damaged.len();
        damaged[at] = byte;
        damaged.truncate(damaged.len() - usize::from(length % 3));
        if let Some(call) = read(&damaged.into()) {
            let mut net = Net::with(keeps);
            net.input(Input::TakeUp(call.into()));
            net.advance(Duration::from_secs(200));
            nothing_is_left(&mut net);
        }
    }
}
