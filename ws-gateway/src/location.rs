//! The location service: who is registered where, in memory. [`crate::store`] keeps it on disk.
//!
//! A binding outlives the connection it was made over: its user agent is away then, and may come back. How long a request
//! waits for that, the core decides; who waits stands here.

mod contacts;
mod entry;
#[cfg(test)]
mod tests;
mod watches;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use sip_core::limits::{HELD_PER_REGISTRATION, HELD_REQUESTS};
use sip_core::registrar::{self, Awaited, Binding, BindingUpdate, Caps, Change, Origin, UpdateError};
use sip_core::server::{QuestionId, Wait};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Hop, Phone, RegistrationKey};
use smol_str::SmolStr;

use crate::exchange::SHARDS;
use crate::flows::Flows;
use crate::store::Changes;
use contacts::Contacts;
use entry::Entry;
pub use watches::Told;
use watches::{Watchers, by_administrator};

/// Locks, each over its share of the addresses-of-record.
const LOCKS: usize = 64;

/// Requests outside dialogs that wait for somebody to come back. Past it they are told at once that nobody is there.
const CALLS: Room = Room { in_all: 1_000, per_aor: 100 };

/// Requests within dialogs, which those that begin one leave their room: all that the shards may hold.
const DIALOGS: Room = Room { in_all: SHARDS * HELD_REQUESTS, per_aor: SHARDS * HELD_PER_REGISTRATION };

/// Who asked for a registration that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The shard that asked.
    pub shard: usize,
    /// Its question.
    pub question: QuestionId,
}

/// How many may wait.
#[derive(Clone, Copy, Debug)]
struct Room {
    in_all: usize,
    /// One account does not take the room of all.
    per_aor: usize,
}

/// Those that wait and have a room of their own.
#[derive(Debug)]
struct Waiting {
    now: AtomicUsize,
    room: Room,
}

/// How to reach a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over this hop.
    Now(Hop),
    /// The waiter is told when it is back.
    Later,
    /// Not at all: too many wait already.
    Never,
}

/// A waiter that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Who waited.
    pub waiter: Waiter,
    /// The hop of the registration that is back.
    pub hop: Hop,
}

/// All bindings.
#[derive(Debug)]
pub struct Location {
    hasher: RandomState,
    parts: Vec<Mutex<HashMap<SmolStr, Entry>>>,
    /// Locked within a share's lock, never the other way round.
    contacts: Contacts,
    contacts_per_aor: usize,
    /// How long whoever lost its connection may be away.
    away: Duration,
    /// Bindings now.
    total: AtomicUsize,
    most: usize,
    calls: Waiting,
    dialogs: Waiting,
    watchers: Watchers,
    /// Told of every change, if somebody writes them down.
    changes: Option<Arc<Changes>>,
}

/// What a REGISTER came to.
#[derive(Debug)]
pub struct Updated {
    /// All bindings after it.
    pub result: Result<Vec<Binding>, UpdateError>,
    /// Who waited for what is now back.
    pub woken: Vec<Woken>,
    /// Who watches the bindings.
    pub told: Vec<Told>,
}

impl Location {
    /// Nobody is registered, and `most` bindings may be at once; who loses its connection is forgotten after having been `away` so long.
    /// `changes` is told whose bindings change.
    pub fn new(contacts_per_aor: usize, most: usize, away: Duration, changes: Option<Arc<Changes>>) -> Self {
        Self {
            hasher: RandomState::new(),
            parts: (0..LOCKS).map(|_| Mutex::default()).collect(),
            contacts: Contacts::new(LOCKS),
            contacts_per_aor,
            away,
            total: AtomicUsize::new(0),
            most,
            calls: Waiting::new(CALLS),
            dialogs: Waiting::new(DIALOGS),
            watchers: Watchers::default(),
            changes,
        }
    }

    /// What is written down, if anything is.
    pub fn changes(&self) -> Option<&Changes> {
        self.changes.as_deref()
    }

    /// Takes in what an earlier process knew. Whoever has neither a hop nor a Path must come back in time or is forgotten.
    pub fn restore(&self, aor: SmolStr, mut bindings: Vec<Binding>, now: Instant) {
        let before = bindings.len();
        for binding in bindings.iter_mut().filter(|binding| binding.hop.is_none()) {
            entry::part(binding, now, self.away);
        }
        bindings.retain(|binding| binding.expires_at > now);
        if bindings.len() < before || bindings.is_empty() {
            self.changed(&aor);
        }
        if !bindings.is_empty() {
            self.total.fetch_add(bindings.len(), Ordering::Relaxed);
            self.contacts.changed(&aor, &[], &bindings);
            self.part(&aor).lock().entry(aor).or_default().bindings = bindings;
        }
    }

    /// The bindings of an address-of-record as they stand.
    pub fn bindings(&self, aor: &str) -> Vec<Binding> {
        self.part(aor).lock().get(aor).map_or_else(Vec::new, |entry| entry.bindings.clone())
    }

    /// The bindings of an address-of-record; those whose flow is gone have no hop.
    pub fn lookup(&self, aor: &str, now: Instant, flows: &Flows) -> Vec<Binding> {
        let mut part = self.part(aor).lock();
        let Some(entry) = part.get_mut(aor) else { return Vec::new() };
        self.refresh(entry, now, flows);
        entry.bindings.clone()
    }

    /// Which contact of an address-of-record a request from there is of.
    pub fn registered_at(&self, aor: &str, from: &Origin, now: Instant) -> Option<Binding> {
        if from.contact.is_empty() {
            return None;
        }
        let part = self.part(aor).lock();
        registrar::registered_at(&part.get(aor)?.bindings, from, now).cloned()
    }

    /// Whether the registration of a phone is there, or away, or has ended and is still known.
    pub fn knows(&self, phone: &Phone, now: Instant, flows: &Flows) -> bool {
        let key = &phone.registration;
        let mut part = self.part(&key.aor).lock();
        let Some(entry) = part.get_mut(&key.aor) else { return false };
        self.refresh(entry, now, flows);
        registrar::is_known(&entry.bindings, phone, now)
            || (key.names_agent() && entry.left().any(|left| left.key == *key))
    }

    /// The only address-of-record that registered such a contact.
    pub fn owner(&self, contact: &str) -> Option<SmolStr> {
        self.contacts.owner(contact)
    }

    /// Applies what a REGISTER asks for.
    pub fn update(&self, update: &BindingUpdate, now: Instant, flows: &Flows) -> Updated {
        let mut part = self.part(&update.aor).lock();
        let entry = part.entry(update.aor.clone()).or_default();
        self.refresh(entry, now, flows);
        let had = entry.bindings.len();
        // Many who register at once may together be a few too many: memory has no need of the last one.
        let room = self.most.saturating_sub(self.total.load(Ordering::Relaxed));
        let applied = registrar::apply(
            &mut entry.bindings,
            update,
            now,
            Caps { contacts_per_aor: self.contacts_per_aor, room },
        );
        self.count(had, entry.bindings.len());
        let mut told = Vec::new();
        if let Ok(before) = &applied {
            self.contacts.changed(&update.aor, before, &entry.bindings);
            entry.leave(before, now);
            let Entry { bindings: after, rest } = &mut *entry;
            let watches = rest.as_mut().and_then(|rest| rest.watches.as_mut());
            if let Some(watches) = watches.filter(|_| update.change != Change::Fetch) {
                told = watches.note(registrar::ended(before, after, update), after, now);
            }
        }
        let woken = self.wake(entry, now);
        let result = applied.map(|_| entry.bindings.clone());
        if entry.is_empty() {
            part.remove(&update.aor);
        }
        if result.is_ok() && update.change != Change::Fetch {
            self.changed(&update.aor);
        }
        Updated { result, woken, told }
    }

    /// Ends all bindings of an address-of-record, whose account is `gone` or has another password. Dialogs that began with them go
    /// on. How many there were, and who watches them.
    pub fn end(&self, aor: &SmolStr, gone: bool, now: Instant, flows: &Flows) -> (usize, Vec<Told>) {
        let mut part = self.part(aor).lock();
        let Some(entry) = part.get_mut(aor) else { return (0, Vec::new()) };
        self.refresh(entry, now, flows);
        let before = std::mem::take(&mut entry.bindings);
        self.count(before.len(), 0);
        self.contacts.changed(aor, &before, &[]);
        entry.leave(&before, now);
        let told = match entry.watches() {
            Some(watches) => watches.note(by_administrator(&before, gone), &[], now),
            None => Vec::new(),
        };
        if entry.is_empty() {
            part.remove(aor);
        }
        if !before.is_empty() {
            self.changed(aor);
        }
        (before.len(), told)
    }

    /// The way to who may be away, or not be known yet since we have just started.
    pub fn reach(&self, awaited: Awaited, wait: Wait, waiter: Waiter, now: Instant, flows: &Flows) -> Reach {
        let aor = awaited.aor().clone();
        let mut part = self.part(&aor).lock();
        let entry = part.entry(aor.clone()).or_default();
        self.refresh(entry, now, flows);
        let way = awaited.reach(&entry.bindings, now);
        if let Some(hop) = way.or_else(|| entry.way_to_left(&awaited)) {
            return Reach::Now(hop);
        }
        self.forget(entry, now);
        let waiters = entry.rest.iter().flat_map(|rest| &rest.waiters);
        let alike = waiters.filter(|(_, other, _)| other.within == wait.within).count();
        let waiting = self.waiting(wait);
        if alike >= waiting.room.per_aor || waiting.now.load(Ordering::Relaxed) >= waiting.room.in_all {
            if entry.is_empty() {
                part.remove(&aor);
            }
            return Reach::Never;
        }
        waiting.now.fetch_add(1, Ordering::Relaxed);
        entry.rest.get_or_insert_default().waiters.push((awaited, wait, waiter));
        Reach::Later
    }

    /// Of who is awaited, those that are away and have a Path.
    pub fn away(&self, awaited: &Awaited, now: Instant) -> Vec<Binding> {
        let part = self.part(awaited.aor()).lock();
        let bindings = part.get(awaited.aor()).map_or(&[][..], |entry| &entry.bindings);
        awaited.away(bindings, now).cloned().collect()
    }

    /// A registration that was away is reached along its Path, over this hop. Who waited for it.
    pub fn reached(
        &self,
        key: &RegistrationKey,
        path: &str,
        hop: Hop,
        now: Instant,
        flows: &Flows,
    ) -> Vec<Woken> {
        let mut part = self.part(&key.aor).lock();
        let Some(entry) = part.get_mut(&key.aor) else { return Vec::new() };
        self.refresh(entry, now, flows);
        let away = |b: &&mut Binding| b.key == *key && b.hop.is_none() && b.path == path;
        let Some(binding) = entry.bindings.iter_mut().find(away) else { return Vec::new() };
        if !flows.is_open(hop.flow) {
            return Vec::new();
        }
        binding.hop = Some(hop);
        self.changed(&key.aor);
        self.wake(entry, now)
    }

    /// Drops what has ended everywhere. To be called now and then. Gives who is to be told of it.
    pub fn sweep(&self, now: Instant, flows: &Flows) -> Vec<Told> {
        let mut told = Vec::new();
        for part in &self.parts {
            part.lock().retain(|_, entry| {
                self.refresh(entry, now, flows);
                self.forget(entry, now);
                entry.end_watches(|watches| !watches.lasts(&self.watchers, now));
                if let Some(watches) = entry.watches() {
                    told.extend(watches.untold(now));
                }
                !entry.is_empty()
            });
        }
        told
    }

    /// Bindings now, those that are away included.
    pub fn len(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn refresh(&self, entry: &mut Entry, now: Instant, flows: &Flows) {
        let before = entry.bindings.len();
        entry.refresh(now, self.away, flows, |ended| {
            self.contacts.remove(&ended.key.aor, ended);
            self.changed(&ended.key.aor);
        });
        self.count(before, entry.bindings.len());
    }

    fn count(&self, before: usize, after: usize) {
        if after < before {
            self.total.fetch_sub(before - after, Ordering::Relaxed);
        } else {
            self.total.fetch_add(after - before, Ordering::Relaxed);
        }
    }

    fn changed(&self, aor: &SmolStr) {
        if let Some(changes) = &self.changes {
            changes.note(aor);
        }
    }

    fn part(&self, aor: &str) -> &Mutex<HashMap<SmolStr, Entry>> {
        // The remainder is below LOCKS, which is the length.
        &self.parts[(self.hasher.hash_one(aor) % LOCKS as u64) as usize]
    }

    fn wake(&self, entry: &mut Entry, now: Instant) -> Vec<Woken> {
        let Entry { bindings, rest } = entry;
        let mut woken = Vec::new();
        let Some(rest) = rest else { return woken };
        rest.waiters.retain(|(awaited, wait, waiter)| match awaited.reach(bindings, now) {
            Some(hop) => {
                self.waiting(*wait).now.fetch_sub(1, Ordering::Relaxed);
                woken.push(Woken { waiter: *waiter, hop });
                false
            }
            None => true,
        });
        woken
    }

    /// The core has given those up itself.
    fn forget(&self, entry: &mut Entry, now: Instant) {
        let Some(rest) = &mut entry.rest else { return };
        rest.waiters.retain(|(_, wait, _)| {
            let lasts = wait.until > now;
            if !lasts {
                self.waiting(*wait).now.fetch_sub(1, Ordering::Relaxed);
            }
            lasts
        });
    }

    const fn waiting(&self, wait: Wait) -> &Waiting {
        if wait.within { &self.dialogs } else { &self.calls }
    }
}

impl Waiting {
    const fn new(room: Room) -> Self {
        Self { now: AtomicUsize::new(0), room }
    }
}
