//! Subscriptions to registrations: which shard is told when the bindings of an address-of-record change.
//!
//! They stand beside the bindings, under the same lock, so that none misses a change. Who watches nobody costs a REGISTER
//! nothing but a look.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use sip_core::body::reginfo::ContactEvent;
use sip_core::limits::{ENDED_PER_AOR, WATCHES_PER_AOR, WATCHES_PER_WATCHER};
use sip_core::registrar::{Binding, Ended};
use sip_core::server::{Hold, Watch, WatchError, WatchId, Watched, Watcher};
use sip_core::time::Instant;
use smol_str::SmolStr;

use super::{Entry, Location};
use crate::flows::Flows;

/// A subscription and the shard it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The shard.
    pub shard: usize,
    /// Its subscription.
    pub id: WatchId,
}

/// How many subscriptions each watcher has that is told of changes.
pub(super) type Watchers = Mutex<HashMap<Watcher, usize>>;

/// The subscriptions to one address-of-record.
#[derive(Debug, Default)]
pub(super) struct Watches {
    held: Vec<Held>,
    /// How bindings ended lately, the newest last.
    ended: VecDeque<Ended>,
    /// Bindings ran out since somebody was told, some of them before their time.
    pub(super) lapsed: bool,
}

#[derive(Debug)]
struct Held {
    told: Told,
    watcher: Watcher,
    until: Instant,
}

impl Watches {
    /// Bindings ended like that; `after` is what there is now. Gives who is to be told.
    pub(super) fn note(
        &mut self,
        ended: impl Iterator<Item = Ended>,
        after: &[Binding],
        now: Instant,
    ) -> Vec<Told> {
        self.ended.extend(ended);
        self.ended.retain(|ended| !after.iter().any(|binding| binding.key.is_same(&ended.key)));
        while self.ended.len() > ENDED_PER_AOR {
            self.ended.pop_front();
        }
        self.held.iter().filter(|held| held.until > now).map(|held| held.told).collect()
    }

    /// Who is to be told of what ran out.
    pub(super) fn untold(&mut self, now: Instant) -> Vec<Told> {
        if !std::mem::take(&mut self.lapsed) {
            return Vec::new();
        }
        self.note(std::iter::empty(), &[], now)
    }

    /// Lets go those that are not kept.
    fn retain(&mut self, watchers: &Watchers, keep: impl Fn(&Held) -> bool) {
        self.held.retain(|held| {
            let keep = keep(held);
            if !keep {
                release(watchers, &held.watcher);
            }
            keep
        });
    }

    /// Forgets what has lapsed. Whether anything is left.
    pub(super) fn lasts(&mut self, watchers: &Watchers, now: Instant) -> bool {
        self.retain(watchers, |held| held.until > now);
        !self.held.is_empty()
    }
}

fn release(watchers: &Watchers, watcher: &Watcher) {
    let mut watchers = watchers.lock();
    if let Some(count) = watchers.get_mut(watcher) {
        *count -= 1;
        if *count == 0 {
            watchers.remove(watcher);
        }
    }
}

impl Location {
    /// The bindings of an address-of-record for one who watches them, and from now on, as it wants, their changes.
    pub fn watch(
        &self,
        watch: &Watch,
        shard: usize,
        now: Instant,
        flows: &Flows,
    ) -> Result<Watched, WatchError> {
        let mut part = self.part(&watch.aor).lock();
        let entry = part.entry(watch.aor.clone()).or_default();
        self.refresh(entry, now, flows);
        let told = Told { shard, id: watch.id };
        let done = match watch.hold {
            Hold::Not => Ok(()),
            Hold::Keep => {
                let mut held = entry.watches().into_iter().flat_map(|watches| &mut watches.held);
                let held = held.find(|held| held.told == told);
                held.map(|held| held.until = watch.until).ok_or(WatchError::Revoked)
            }
            Hold::Begin => {
                let rest = entry.rest.get_or_insert_default();
                self.begin(rest.watches.get_or_insert_default(), watch, told, now)
            }
        };
        let ended = entry.watches().into_iter().flat_map(|watches| watches.ended.iter().cloned()).collect();
        let watched = Watched { bindings: entry.bindings.clone(), ended };
        entry.end_watches(|watches| watches.held.is_empty());
        if entry.is_empty() {
            part.remove(&watch.aor);
        }
        done.map(|()| watched)
    }

    fn begin(
        &self,
        watches: &mut Watches,
        watch: &Watch,
        told: Told,
        now: Instant,
    ) -> Result<(), WatchError> {
        watches.lasts(&self.watchers, now);
        let mut watchers = self.watchers.lock();
        let many = watchers.get(&watch.watcher).copied().unwrap_or_default();
        if watches.held.len() >= WATCHES_PER_AOR || many >= WATCHES_PER_WATCHER {
            return Err(WatchError::Full);
        }
        watchers.insert(watch.watcher.clone(), many + 1);
        watches.held.push(Held { told, watcher: watch.watcher.clone(), until: watch.until });
        Ok(())
    }

    /// A subscription is over.
    pub fn unwatch(&self, aor: &SmolStr, told: Told) {
        let mut part = self.part(aor).lock();
        let Some(entry) = part.get_mut(aor) else { return };
        let Some(watches) = entry.watches() else { return };
        watches.retain(&self.watchers, |held| held.told != told);
        entry.end_watches(|watches| watches.held.is_empty());
        if entry.is_empty() {
            part.remove(aor);
        }
    }

    /// Ends all subscriptions of a watcher. Gives who is to be told, each by its [`WatchError::Revoked`].
    pub fn revoke(&self, watcher: &Watcher) -> Vec<Told> {
        if !self.watchers.lock().contains_key(watcher) {
            return Vec::new();
        }
        let mut told = Vec::new();
        for part in &self.parts {
            for watches in part.lock().values_mut().filter_map(Entry::watches) {
                told.extend(
                    watches.held.iter().filter(|held| held.watcher == *watcher).map(|held| held.told),
                );
                watches.retain(&self.watchers, |held| held.watcher != *watcher);
            }
        }
        told
    }
}

/// What ends the bindings of an account that is gone, or whose password is another.
pub(super) fn by_administrator(before: &[Binding], gone: bool) -> impl Iterator<Item = Ended> {
    let event = if gone { ContactEvent::Rejected } else { ContactEvent::Deactivated };
    before.iter().map(move |binding| Ended { key: binding.key.clone(), event })
}
