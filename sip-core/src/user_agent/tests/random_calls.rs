//! Two user agents whose users do anything at any time, on a network that loses, doubles and reorders.

use std::vec::Vec;

use super::pair::{Pair, Who};
use super::{ANSWER, reply};
use crate::entropy::{SeededEntropy, number};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{CallId, CallState, Event};

use Who::{Alice, Bob};

/// Something a user might do now. What cannot be is refused, and changes nothing.
fn act(pair: &mut Pair, who: Who, call: CallId, dice: u64) {
    let now = pair.time;
    let ua = pair.ua(who);
    let next = ua.session(call).map(|session| reply(session, None));
    let _ = match (dice % 16, next) {
        (0..=2, _) => ua.hold(now, call),
        (3..=5, _) => ua.resume(now, call),
        (6, _) => ua.solicit(now, call),
        (7, Some(next)) => ua.offer(now, call, &next),
        (8, Some(next)) => ua.offer_promptly(now, call, &next).or_else(|_| ua.offer(now, call, &next)),
        (9 | 10, Some(next)) => ua.answer(now, call, &next),
        (11, _) => ua.refuse(now, call),
        (12, _) => ua.progress(now, call, ANSWER),
        (13 | 14, _) => ua.accept(now, call, ANSWER),
        _ => {
            let _ = ua.info(now, call, "application/dtmf", "1");
            Ok(())
        }
    };
    pair.drain();
}

fn only(pair: &mut Pair, who: Who) -> Option<CallId> {
    pair.ua(who).calls().next()
}

#[test]
fn whatever_users_do_both_sides_agree_and_nothing_is_left() {
    let (mut agreed, mut changed) = (0, 0);
    for seed in 0..200 {
        let mut pair = Pair::new(Transport::Udp, seed);
        let mut dice = SeededEntropy(seed ^ 0xca11);
        let mut roll = move || number(&mut dice);
        (pair.loss, pair.duplication) = (roll() % 25, roll() % 25);
        pair.jitter = Duration::from_millis(150);
        pair.answers_offers = roll() % 2 == 0;
        // Offers before the 2xx go in a PRACK or an UPDATE.
        pair.alice.config.prack_hold = Duration::from_secs(roll() % 2 * 2);
        pair.bob_answers = (roll() % 2 == 0).then_some(Duration::from_secs(1));
        let now = pair.time;
        let first = if roll() % 4 == 0 {
            pair.alice.call_offerless(now, "bob")
        } else {
            pair.alice.call(now, "bob", super::OFFER)
        };
        let first = first.unwrap();
        pair.drain();
        for _ in 0..30 {
            pair.run(Duration::from_millis(roll() % 1500));
            let who = if roll() % 2 == 0 { Alice } else { Bob };
            if let Some(call) = only(&mut pair, who) {
                act(&mut pair, who, call, roll());
            }
        }
        // The network heals, and nobody does anything but answer.
        (pair.loss, pair.duplication, pair.jitter) = (0, 0, Duration::ZERO);
        pair.answers_offers = true;
        pair.run(Duration::from_secs(200));
        if let (Some(CallState::Established), Some(CallState::Established)) =
            (pair.state(Alice), pair.state(Bob))
        {
            pair.agree();
            agreed += 1;
            changed +=
                pair.events.iter().filter(|(_, event)| matches!(event, Event::OfferAnswered { .. })).count();
        } else {
            // One that is alone knows when the session was not refreshed.
            pair.run(Duration::from_secs(1800));
            assert_eq!((pair.state(Alice), pair.state(Bob)), (None, None), "{seed}");
        }
        let now = pair.time;
        let _ = pair.alice.hangup(now, first);
        pair.drain();
        pair.drive();
        for who in [Alice, Bob] {
            let events = pair.of(who);
            let ends: Vec<_> = events
                .iter()
                .filter(|event| matches!(event, Event::Ended { .. } | Event::Released { .. }))
                .collect();
            assert!(
                matches!(ends[..], [] | [Event::Ended { .. }, Event::Released { .. }]),
                "{seed} {ends:?}"
            );
            assert_eq!(pair.ua(who).calls.len(), 0, "{seed}");
            assert!(pair.ua(who).layer.is_empty(), "{seed}");
            assert!(pair.ua(who).requests.len() == 0, "{seed}");
        }
    }
    assert!(agreed > 50 && changed > 100, "{agreed} {changed}");
}
