//! Subscriptions of others to the registrations kept here: what is known of each, and when something of it is due.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::WatchId;
use super::boundary::Watcher;
use crate::dialog::DialogId;
use crate::events::Notifier;
use crate::message::{Method, Request};
use crate::registrar::Binding;
use crate::time::Instant;
use crate::transaction::{ClientId, Event};
use crate::transport::RouteTarget;

/// Somebody's subscription to the registrations of one address-of-record.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) machine: Notifier,
    /// What is watched.
    pub(super) aor: SmolStr,
    /// Who watches.
    pub(super) watcher: Watcher,
    /// What leads to the watcher, as a Record-Route would.
    pub(super) way: RouteTarget,
    /// What the watcher was told last.
    pub(super) told: Option<Vec<Binding>>,
    /// The number of the next document (RFC 3680 §5.1).
    pub(super) version: u32,
    /// The next document is a full one.
    pub(super) full: bool,
    /// What is watched may have changed since it was looked at.
    pub(super) changed: bool,
    /// Until then nothing is told of changes (RFC 3680 §4.10).
    pub(super) quiet_until: Instant,
    /// Something is being found out for the next NOTIFY.
    pub(super) busy: bool,
    /// The flow was lost with the last NOTIFY.
    pub(super) lost: bool,
    deadline: Option<Instant>,
}

impl Subscription {
    pub(super) const fn new(
        machine: Notifier,
        aor: SmolStr,
        watcher: Watcher,
        way: RouteTarget,
        now: Instant,
    ) -> Self {
        Self {
            machine,
            aor,
            watcher,
            way,
            told: None,
            version: 0,
            full: true,
            changed: false,
            quiet_until: now,
            busy: false,
            lost: false,
            deadline: None,
        }
    }

    /// When it is to be looked at again.
    fn next(&self) -> Option<Instant> {
        let ends = self.machine.timeout();
        // The answer to what is on its way is awaited elsewhere.
        let waits = self.busy || self.machine.is_in_flight();
        let told = self.told.iter().flatten().map(|binding| binding.expires_at).min();
        let news = if self.changed || self.machine.has_news() { Some(self.quiet_until) } else { told };
        ends.into_iter().chain(news.filter(|_| !waits)).min()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    last: u64,
    all: BTreeMap<WatchId, Box<Subscription>>,
    /// By the tag of our side, which is random.
    tags: BTreeMap<SmolStr, WatchId>,
    deadlines: BTreeSet<(Instant, WatchId)>,
    /// NOTIFYs on their way.
    notifies: BTreeMap<ClientId, WatchId>,
    /// Those that are about to be made.
    asked: usize,
}

impl Subscriptions {
    /// Those that stand, and those that are about to.
    pub(super) fn len(&self) -> usize {
        self.all.len() + self.asked
    }

    /// A name for one that is about to be made.
    pub(super) const fn ask(&mut self) -> WatchId {
        self.last += 1;
        self.asked += 1;
        WatchId(self.last)
    }

    /// It is made, or not.
    pub(super) const fn asked(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    pub(super) fn insert(&mut self, id: WatchId, subscription: Subscription) {
        self.tags.insert(subscription.machine.id().local_tag.clone(), id);
        self.all.insert(id, Box::new(subscription));
        self.schedule(id);
    }

    pub(super) fn get_mut(&mut self, id: WatchId) -> Option<&mut Subscription> {
        self.all.get_mut(&id).map(|subscription| &mut **subscription)
    }

    pub(super) fn remove(&mut self, id: WatchId) -> Option<Box<Subscription>> {
        let subscription = self.all.remove(&id)?;
        self.tags.remove(&subscription.machine.id().local_tag);
        if let Some(deadline) = subscription.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(subscription)
    }

    /// The one that a SUBSCRIBE is within (RFC 6665 §4.4.1).
    pub(super) fn of_request(&self, request: &Request) -> Option<WatchId> {
        if *request.method() != Method::Subscribe {
            return None;
        }
        let id = *self.tags.get(request.to_tag()?)?;
        let dialog = DialogId::of_request(request);
        (self.all.get(&id).map(|subscription| subscription.machine.id()) == dialog.as_ref()).then_some(id)
    }

    /// Computes anew when something of it is due.
    pub(super) fn schedule(&mut self, id: WatchId) {
        let Some(subscription) = self.all.get_mut(&id) else { return };
        let next = subscription.next();
        let before = core::mem::replace(&mut subscription.deadline, next);
        if before == next {
            return;
        }
        if let Some(before) = before {
            self.deadlines.remove(&(before, id));
        }
        if let Some(next) = next {
            self.deadlines.insert((next, id));
        }
    }

    /// Those of which something is due.
    pub(super) fn due(&self, now: Instant) -> Vec<WatchId> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A NOTIFY of it is on its way.
    pub(super) fn sent(&mut self, client: ClientId, id: WatchId) {
        self.notifies.insert(client, id);
    }

    /// Whether an event is about a NOTIFY of ours.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        event.client().is_some_and(|client| self.notifies.contains_key(&client))
    }

    /// The NOTIFY came to its end: whose it was.
    pub(super) fn concluded(&mut self, client: ClientId) -> Option<WatchId> {
        self.notifies.remove(&client)
    }
}
