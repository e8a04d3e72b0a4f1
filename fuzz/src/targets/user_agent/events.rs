//! Subscriptions, watchers and publications of the user agent.

use std::collections::BTreeMap;

use sip_core::body::Content;
use sip_core::events::{EventName, Package, Reason};
use sip_core::time::{Duration, Instant};
use sip_core::user_agent::{
    Event, PublicationId, PublicationUpdate, SubscriptionId, SubscriptionUpdate, UserAgent, WatcherId,
    WatcherUpdate,
};

use crate::choices::Choices;

/// What was begun, and whether its end was told.
#[derive(Debug, Default)]
pub(super) struct Events {
    subscriptions: BTreeMap<SubscriptionId, bool>,
    watchers: BTreeMap<WatcherId, bool>,
    publications: BTreeMap<PublicationId, bool>,
}

/// Fields a peer writes about events.
const FIELDS: [&str; 6] = [
    "Event: presence\r\nSubscription-State: active;expires=60\r\n",
    "Event: presence\r\nSubscription-State: pending\r\n",
    "Event: presence\r\nSubscription-State: terminated;reason=deactivated;retry-after=1\r\n",
    "Event: dialog;id=1\r\nSubscription-State: terminated;reason=noresource\r\n",
    "Event: presence\r\nExpires: 600\r\n",
    "Event: dialog;id=1\r\nExpires: 0\r\nSIP-If-Match: e1\r\n",
];

/// Whole lines of fields for a request of a peer's.
pub(super) fn fields(choices: &mut Choices<'_>) -> &'static str {
    choices.pick(&FIELDS)
}

/// Whole lines of fields for an answer.
pub(super) fn answer_fields(choices: &mut Choices<'_>) -> &'static str {
    choices.pick(&["Expires: 60\r\n", "Expires: 0\r\n", "SIP-ETag: e1\r\nExpires: 60\r\n", ""])
}

fn content() -> Content {
    Content::new("application/pidf+xml", crate::samples::PIDF.as_bytes())
}

impl Events {
    /// One command of the user's.
    pub(super) fn command(&mut self, agent: &mut UserAgent, now: Instant, choices: &mut Choices<'_>) {
        let package = choices.pick(&[0, 0, 1, 2]);
        let mut event = EventName::new(match package {
            0 => Package::Presence,
            1 => Package::Dialog,
            _ => Package::Other("x".into()),
        });
        event.id = (package == 1).then(|| "1".into());
        let subscriptions: Vec<SubscriptionId> = self.subscriptions.keys().copied().collect();
        let watchers: Vec<WatcherId> = self.watchers.keys().copied().collect();
        let publications: Vec<PublicationId> = self.publications.keys().copied().collect();
        let watcher = choices.recent(&watchers).copied();
        match (choices.below(12), watcher) {
            (0 | 1, _) => {
                let expires = choices.pick(&[None, Some(1), Some(600)]);
                if let Ok(id) = agent.subscribe(now, "bob", event, expires) {
                    assert!(self.subscriptions.insert(id, false).is_none(), "an id is never used twice");
                }
            }
            (2, _) => {
                if let Ok(id) = agent.fetch(now, "bob", event) {
                    assert!(self.subscriptions.insert(id, false).is_none(), "an id is never used twice");
                }
            }
            (3, _) => {
                if let Some(id) = choices.recent(&subscriptions) {
                    let _ = agent.unsubscribe(now, *id);
                }
            }
            (4, _) => {
                if let Ok(id) = agent.publish(now, event.package, content(), choices.pick(&[1, 60, 3600])) {
                    assert!(self.publications.insert(id, false).is_none(), "an id is never used twice");
                }
            }
            (5, _) => {
                if let Some(id) = choices.recent(&publications) {
                    let _ = match choices.below(2) {
                        0 => agent.modify_publication(now, *id, content()),
                        _ => agent.remove_publication(now, *id),
                    };
                }
            }
            (6 | 7, Some(watcher)) => drop(agent.accept_watcher(now, watcher, Some(content()))),
            (8, Some(watcher)) => drop(agent.defer_watcher(now, watcher)),
            (9, Some(watcher)) => drop(agent.reject_watcher(now, watcher, choices.pick(&[403, 603]))),
            (10, Some(watcher)) => drop(agent.notify(now, watcher, Some(content()))),
            (_, Some(watcher)) => {
                let reason = choices.pick(&[0, 1]);
                let reason = if reason == 0 { Reason::NoResource } else { Reason::Probation };
                drop(agent.terminate_watcher(now, watcher, reason, Some(Duration::from_secs(5))));
            }
            (_, None) => {}
        }
    }

    /// Whether this event is about one of these; then it came in order.
    pub(super) fn told(&mut self, event: &Event) -> bool {
        let (before, after) = match event {
            Event::Subscription { subscription, update } => {
                let ended = matches!(update, SubscriptionUpdate::Ended(_));
                (self.subscriptions.insert(*subscription, ended), ended)
            }
            Event::Publication { publication, update } => {
                let ended = matches!(update, PublicationUpdate::Ended(_));
                (self.publications.insert(*publication, ended), ended)
            }
            Event::Watcher { watcher, update } => {
                let ended = matches!(update, WatcherUpdate::Ended(_));
                let before = self.watchers.insert(*watcher, ended);
                let begins = matches!(update, WatcherUpdate::Asked { .. });
                assert_eq!(before.is_none(), begins, "{event:?}");
                (before.or(Some(false)), ended)
            }
            _ => return false,
        };
        assert_eq!(before, Some(false), "{event:?} after its end, or never begun ({after})");
        true
    }

    /// Nothing goes on without its end.
    pub(super) fn assert_over(&self) {
        let open = |ended: &bool| !*ended;
        assert!(!self.subscriptions.values().any(open), "{:?}", self.subscriptions);
        assert!(!self.watchers.values().any(open), "{:?}", self.watchers);
        assert!(!self.publications.values().any(open), "{:?}", self.publications);
    }
}
