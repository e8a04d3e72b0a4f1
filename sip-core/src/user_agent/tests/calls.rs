//! Two of us call each other, over good and bad networks.

use std::vec::Vec;

use super::pair::{Pair, Who};
use super::{ANSWER, OFFER};
use crate::entropy::{SeededEntropy, number};
use crate::message::{Message, Method};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::call::Direction;
use crate::user_agent::{CallState, Cause, End, Event, Failure, Side};

use Who::{Alice, Bob};

const BOTH: [Transport; 2] = [Transport::Ws, Transport::Udp];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// RFC 3665 §3.1.
#[test]
fn success_and_hangup_from_either_side() {
    for transport in BOTH {
        for leaves in [Alice, Bob] {
            let mut pair = Pair::new(transport, 1);
            let call = pair.call();
            pair.run(secs(1));
            assert_eq!(
                (pair.state(Alice), pair.state(Bob)),
                (Some(CallState::Ringing), Some(CallState::Ringing))
            );
            pair.run(secs(5));
            assert_eq!(pair.state(Alice), Some(CallState::Established));
            assert_eq!(pair.state(Bob), Some(CallState::Established));
            let bobs = pair.bobs().unwrap();
            let now = pair.time;
            match leaves {
                Alice => pair.alice.hangup(now, call).unwrap(),
                Bob => pair.bob.hangup(now, bobs).unwrap(),
            }
            pair.drain();
            pair.drive();
            let side = |who| if who == leaves { Side::Local } else { Side::Remote };
            let ended = |call, who| Event::Ended { call, end: End::Hangup { by: side(who), reason: None } };
            assert_eq!(
                pair.of(Alice),
                [
                    Event::Progress { call, status: 180, reason: "Ringing".into(), sdp: None },
                    Event::Accepted { call, sdp: Some(ANSWER.into()) },
                    ended(call, Alice),
                    Event::Released { call },
                ]
            );
            let [Event::Incoming { sdp, .. }, rest @ ..] = &pair.of(Bob)[..] else { panic!() };
            assert_eq!(sdp.as_deref(), Some(OFFER));
            assert_eq!(
                rest,
                [
                    Event::Confirmed { call: bobs, sdp: None },
                    ended(bobs, Bob),
                    Event::Released { call: bobs },
                ]
            );
            let requests: Vec<Method> = pair
                .wire
                .iter()
                .filter_map(|(_, _, message)| match message {
                    Message::Request(request) => Some(request.method().clone()),
                    Message::Response(_) => None,
                })
                .collect();
            assert_eq!(requests, [Method::Invite, Method::Ack, Method::Bye], "and nothing twice");
        }
    }
}

/// RFC 3665 §3.8.
#[test]
fn cancel() {
    for transport in BOTH {
        let mut pair = Pair::new(transport, 2);
        let call = pair.call();
        pair.run(secs(1));
        let now = pair.time;
        pair.alice.cancel(now, call).unwrap();
        pair.drain();
        pair.drive();
        let ended = |by| End::Canceled { by, reason: None };
        assert!(pair.of(Alice).contains(&Event::Ended { call, end: ended(Side::Local) }));
        assert!(matches!(&pair.of(Bob)[1], Event::Ended { end, .. } if *end == ended(Side::Remote)));
        assert_eq!(pair.of(Alice).last(), Some(&Event::Released { call }));
    }
}

/// RFC 3665 §3.9 and 3.10.
#[test]
fn busy_and_no_answer() {
    for transport in BOTH {
        let mut pair = Pair::new(transport, 3);
        pair.bob_answers = None;
        let call = pair.call();
        pair.run(secs(1));
        let (now, bobs) = (pair.time, pair.bobs().unwrap());
        pair.bob.reject(now, bobs, 486, None).unwrap();
        pair.drain();
        pair.drive();
        let busy =
            Failure { status: Some(486), reason: Some("Busy Here".into()), ..Failure::of(Cause::Busy) };
        assert!(pair.of(Alice).contains(&Event::Ended { call, end: End::Failed(busy) }));

        let call = pair.call();
        pair.drive();
        let silent = Failure::of(Cause::NoAnswer);
        assert!(pair.of(Alice).contains(&Event::Ended { call, end: End::Failed(silent) }));
        assert!(matches!(
            pair.of(Bob).iter().rev().nth(1),
            Some(Event::Ended { end: End::Canceled { by: Side::Remote, .. }, .. })
        ));
    }
}

#[test]
fn both_hang_up_at_once() {
    for transport in BOTH {
        let mut pair = Pair::new(transport, 4);
        let call = pair.call();
        pair.run(secs(5));
        let (now, bobs) = (pair.time, pair.bobs().unwrap());
        pair.alice.hangup(now, call).unwrap();
        pair.bob.hangup(now, bobs).unwrap();
        pair.drain();
        pair.drive();
        for who in [Alice, Bob] {
            let released = pair.of(who).iter().filter(|e| matches!(e, Event::Released { .. })).count();
            assert_eq!(released, 1);
        }
        assert_eq!((pair.count(Alice, &Method::Bye), pair.count(Bob, &Method::Bye)), (1, 1));
    }
}

/// A network of its kind: a fifth is lost, a fifth doubled, and messages overtake each other.
fn bad(seed: u64) -> Pair {
    let mut pair = Pair::new(Transport::Udp, seed);
    pair.loss = 20;
    pair.duplication = 20;
    pair.jitter = Duration::from_millis(150);
    pair
}

/// What must hold whatever the network does: each call is told its end once, then its release once, and both user
/// agents are left with nothing.
#[track_caller]
fn all_is_over(pair: &Pair, seed: u64) {
    for who in [Alice, Bob] {
        let events = pair.of(who);
        let ended: Vec<_> = events
            .iter()
            .filter_map(|e| if let Event::Ended { call, .. } = e { Some(call) } else { None })
            .collect();
        let released: Vec<_> = events
            .iter()
            .filter_map(|e| if let Event::Released { call } = e { Some(call) } else { None })
            .collect();
        assert_eq!(ended, released, "seed {seed}");
    }
    for ua in [&pair.alice, &pair.bob] {
        assert_eq!(ua.calls().count(), 0, "seed {seed}");
        assert_eq!(ua.poll_timeout(), None, "seed {seed}");
        assert!(ua.calls.len() + ua.purposes.len() == 0 && ua.farewells.is_empty(), "seed {seed}");
        assert_eq!(ua.layer.len(), 0, "seed {seed}");
    }
}

#[test]
fn calls_over_a_bad_network() {
    let mut established = 0;
    for seed in 0..300 {
        let mut pair = bad(seed);
        let call = pair.call();
        // Ten seconds are enough for most, not for all.
        pair.run(secs(20));
        let both = [pair.state(Alice), pair.state(Bob)];
        established += usize::from(both == [Some(CallState::Established); 2]);
        let now = pair.time;
        let first = if seed % 2 == 0 { Alice } else { Bob };
        match (first, pair.bobs()) {
            (Bob, Some(bobs)) => pair.bob.hangup(now, bobs).unwrap(),
            _ => drop(pair.alice.hangup(now, call)),
        }
        pair.drain();
        pair.drive();
        all_is_over(&pair, seed);
    }
    assert!(established > 290, "{established} of 300");
}

/// Somebody gives up at any moment of the call's set-up.
#[test]
fn giving_up_at_any_moment_over_a_bad_network() {
    for seed in 0..300 {
        let mut pair = bad(seed);
        pair.bob_answers = Some(Duration::from_millis(seed * 13 % 3000));
        let call = pair.call();
        let moment = number(&mut SeededEntropy(seed)) % 4000;
        pair.run(Duration::from_millis(moment));
        let now = pair.time;
        // It may have failed already.
        match (seed % 3, pair.bobs()) {
            (0, Some(bobs)) => drop(pair.bob.hangup(now, bobs)),
            (1, Some(bobs)) => {
                let _ = pair.bob.hangup(now, bobs);
                let _ = pair.alice.hangup(now, call);
            }
            _ => drop(pair.alice.hangup(now, call)),
        }
        pair.drain();
        pair.run(secs(120));
        let now = pair.time;
        let _ = pair.alice.hangup(now, call);
        pair.drain();
        pair.drive();
        all_is_over(&pair, seed);
    }
}

/// The network dies in the middle.
#[test]
fn the_other_side_vanishes() {
    for seed in 0..100 {
        let mut pair = bad(seed);
        let call = pair.call();
        pair.run(Duration::from_millis(seed * 50));
        pair.loss = 100;
        pair.run(secs(300));
        let now = pair.time;
        let _ = pair.alice.hangup(now, call);
        if let Some(bobs) = pair.bobs() {
            let _ = pair.bob.hangup(now, bobs);
        }
        pair.drain();
        pair.drive();
        all_is_over(&pair, seed);
    }
}

/// A call may stand for hours: how it was made is forgotten as soon as no retransmission of that can come (Timers L and
/// M, RFC 6026 §7), and nothing else of it.
#[test]
fn rfc6026_7_a_standing_call_keeps_nothing_of_its_making() {
    for transport in [Transport::Udp, Transport::Wss] {
        let mut pair = Pair::new(transport, 3);
        let call = pair.call();
        pair.run(Duration::from_secs(60));
        let bobs = pair.bobs().unwrap();
        for (ua, call, made) in [(&pair.alice, call, true), (&pair.bob, bobs, false)] {
            let direction = &ua.calls.get(&call).unwrap().direction;
            assert!(matches!(direction, Direction::Standing { caller } if *caller == made), "{direction:?}");
            assert_eq!(ua.load().transactions, 0);
            assert_eq!(ua.call_state(call), Some(CallState::Established));
        }
        pair.alice.hold(pair.time, call).unwrap();
        pair.drain();
        pair.run(Duration::from_secs(5));
        pair.agree();
        pair.bob.hangup(pair.time, bobs).unwrap();
        pair.drain();
        pair.drive();
        assert!(pair.alice.load().is_empty() && pair.bob.load().is_empty());
    }
}
