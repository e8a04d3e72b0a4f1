//! Subscriber and notifier, message sender and receiver, over a line that loses, doubles and reorders.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::pair::{Pair, Who};
use super::{config, entropy};
use crate::body::Content;
use crate::events::{EventName, Package};
use crate::time::Duration;
use crate::transport::Transport;
use crate::user_agent::{
    Addressee, Event, Input, SubscriptionEnd, SubscriptionId, SubscriptionUpdate, UserAgent, WatcherId,
    WatcherUpdate,
};

fn line(seed: u64) -> Pair {
    let mut pair = Pair::new(Transport::Udp, seed);
    let mut config = config("sip:bob@example.com");
    config.event_packages = ["color".into()].into();
    config.message_types = ["text/plain".into()].into();
    pair.bob = UserAgent::new(config, entropy(seed + 77));
    let hop = pair.hop(Who::Bob);
    pair.input(Who::Bob, Input::FlowOpened(hop));
    pair.loss = 20;
    pair.duplication = 10;
    pair.jitter = Duration::from_millis(300);
    pair
}

/// Accepts whoever asks; whom bob tells things.
fn watcher(pair: &mut Pair, before: Option<WatcherId>, count: u32) -> Option<WatcherId> {
    let asked = pair.of(Who::Bob).into_iter().rev().find_map(|event| match event {
        Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } => Some(watcher),
        _ => None,
    });
    if let Some(watcher) = asked.filter(|_| asked != before) {
        let now = pair.time;
        pair.bob.accept_watcher(now, watcher, Some(number(count))).unwrap();
        pair.drain();
    }
    asked
}

fn number(number: u32) -> Content {
    Content::new("text/plain", format!("{number}"))
}

/// What alice was told, in order, and the ends.
fn told(pair: &Pair, id: SubscriptionId) -> (Vec<u32>, Vec<SubscriptionEnd>) {
    let (mut numbers, mut ends) = (Vec::new(), Vec::new());
    for event in pair.of(Who::Alice) {
        match event {
            Event::Subscription { subscription, update } if subscription == id => match update {
                SubscriptionUpdate::Notified { content: Some(content), .. } => {
                    let text = String::from_utf8(content.body.to_vec()).unwrap();
                    numbers.push(text.parse().unwrap());
                }
                SubscriptionUpdate::Ended(end) => ends.push(end),
                _ => {}
            },
            _ => {}
        }
    }
    (numbers, ends)
}

#[test]
fn a_subscription_over_a_bad_line() {
    // 183 loses a refresh so often that the subscription expires and is made anew.
    for seed in 140..200 {
        let mut pair = line(seed);
        let now = pair.time;
        let color = EventName::new(Package::Other("color".into()));
        let id = pair.alice.subscribe(now, "bob", color, Some(120)).unwrap();
        pair.drain();
        let (mut count, mut before) = (0, None);
        for _ in 0..60 {
            pair.run(Duration::from_secs(5));
            before = watcher(&mut pair, before, count);
            if let Some(watcher) = before {
                count += 1;
                let now = pair.time;
                pair.bob.notify(now, watcher, Some(number(count))).unwrap();
                pair.drain();
            }
        }
        // Nothing changes any more, and the line is heard out.
        pair.run(Duration::from_secs(40));
        let (numbers, ends) = told(&pair, id);
        assert!(numbers.is_sorted(), "seed {seed}: what is older never comes later: {numbers:?}");
        assert_eq!((numbers.last(), ends.len()), (Some(&count), 0), "seed {seed}");
        let now = pair.time;
        pair.alice.unsubscribe(now, id).unwrap();
        pair.drain();
        pair.drive();
        assert_eq!(told(&pair, id).1, [SubscriptionEnd::Done], "seed {seed}");
        let of = |wanted: fn(&WatcherUpdate) -> bool| {
            let is = |event: &Event| matches!(event, Event::Watcher { update, .. } if wanted(update));
            pair.of(Who::Bob).iter().filter(|event| is(event)).count()
        };
        let asked = of(|update| matches!(update, WatcherUpdate::Asked { .. }));
        assert_eq!(of(|update| matches!(update, WatcherUpdate::Ended(_))), asked, "seed {seed}");
        assert!(pair.alice.load().is_empty() && pair.bob.load().is_empty(), "seed {seed}");
    }
}

#[test]
fn messages_over_a_bad_line_come_once_and_in_order() {
    for seed in 0..200 {
        let mut pair = line(seed);
        let now = pair.time;
        for count in 0..5 {
            pair.alice.message(now, Addressee::Target("bob"), number(count)).unwrap();
        }
        pair.drain();
        pair.drive();
        let answered = pair.of(Who::Alice).into_iter().map(|event| match event {
            Event::Answered { result, .. } => result.is_ok(),
            other => panic!("seed {seed}: {other:?}"),
        });
        assert_eq!(answered.collect::<Vec<_>>(), [true; 5], "seed {seed}");
        let heard = pair.of(Who::Bob).into_iter().map(|event| match event {
            Event::Message { content, .. } => content.body[0] - b'0',
            other => panic!("seed {seed}: {other:?}"),
        });
        assert_eq!(heard.collect::<Vec<_>>(), [0, 1, 2, 3, 4], "seed {seed}");
        assert!(pair.alice.load().is_empty() && pair.bob.load().is_empty(), "seed {seed}");
    }
}
