//! The location service: who is registered where, in memory. [`crate::store`] keeps it on disk.
//!
//! A binding outlives the connection it was made over: its user agent is away then, and may come back. How long a request
//! waits for that, the core decides; who waits stands here.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use sip_core::limits::{GRACE, HELD_REQUESTS};
use sip_core::registrar::{self, Binding, BindingUpdate, Caps, Change, UpdateError};
use sip_core::server::QuestionId;
use sip_core::time::Instant;
use sip_core::transport::{Hop, RegistrationKey};
use smol_str::SmolStr;

use crate::flows::Flows;
use crate::store::Changes;

/// Locks, each over its share of the addresses-of-record.
const LOCKS: usize = 64;

/// Requests and callers that wait for the registrations of one address-of-record. Past it they are told at once that it
/// cannot be reached: one account does not take the room of all.
const WAITING_PER_AOR: usize = 100;

/// Registrations of one address-of-record that ended before their connection did and are still known.
const LEFT_PER_AOR: usize = 10;

/// Who asked for a registration that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The shard that asked.
    pub shard: usize,
    /// Its question.
    pub question: QuestionId,
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
    contacts_per_aor: usize,
    /// Bindings now.
    total: AtomicUsize,
    most: usize,
    waiting: AtomicUsize,
    most_waiting: usize,
    /// Told of every change, if somebody writes them down.
    changes: Option<Arc<Changes>>,
}

#[derive(Debug, Default)]
struct Entry {
    bindings: Vec<Binding>,
    /// Registrations that ended while their connection stands: dialogs that began with them are still reached over it.
    left: Vec<(RegistrationKey, Hop)>,
    waiters: Vec<(RegistrationKey, Instant, Waiter)>,
}

impl Location {
    /// Nobody is registered, and `most` bindings may be at once. `changes` is told whose bindings change.
    pub fn new(contacts_per_aor: usize, most: usize, changes: Option<Arc<Changes>>) -> Self {
        Self {
            hasher: RandomState::new(),
            parts: (0..LOCKS).map(|_| Mutex::default()).collect(),
            contacts_per_aor,
            total: AtomicUsize::new(0),
            most,
            waiting: AtomicUsize::new(0),
            most_waiting: HELD_REQUESTS,
            changes,
        }
    }

    /// Takes in what an earlier process knew. Whoever has no hop must come back by `away_until` or is forgotten.
    pub fn restore(&self, aor: SmolStr, mut bindings: Vec<Binding>, now: Instant, away_until: Instant) {
        let before = bindings.len();
        for binding in bindings.iter_mut().filter(|binding| binding.hop.is_none()) {
            binding.expires_at = binding.expires_at.min(away_until);
        }
        bindings.retain(|binding| binding.expires_at > now);
        if bindings.len() < before || bindings.is_empty() {
            self.changed(&aor);
        }
        if !bindings.is_empty() {
            self.total.fetch_add(bindings.len(), Ordering::Relaxed);
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

    /// Applies what a REGISTER asks for. Gives all bindings after it, and who waited for what is now back.
    pub fn update(
        &self,
        update: &BindingUpdate,
        now: Instant,
        flows: &Flows,
    ) -> (Result<Vec<Binding>, UpdateError>, Vec<Woken>) {
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
        if let Ok(before) = &applied {
            entry.leave(before);
        }
        let woken = self.wake(entry, now);
        let result = applied.map(|_| entry.bindings.clone());
        if entry.is_empty() {
            part.remove(&update.aor);
        }
        if result.is_ok() && update.change != Change::Fetch {
            self.changed(&update.aor);
        }
        (result, woken)
    }

    /// Ends all bindings of an address-of-record. Dialogs that began with them go on. How many there were.
    pub fn end(&self, aor: &SmolStr, now: Instant, flows: &Flows) -> usize {
        let mut part = self.part(aor).lock();
        let Some(entry) = part.get_mut(aor) else { return 0 };
        self.refresh(entry, now, flows);
        let before = std::mem::take(&mut entry.bindings);
        self.count(before.len(), 0);
        entry.leave(&before);
        if entry.is_empty() {
            part.remove(aor);
        }
        if !before.is_empty() {
            self.changed(aor);
        }
        before.len()
    }

    /// The way to a registration, which may be away, or not be known yet since we have just started.
    pub fn reach(&self, key: &RegistrationKey, waiter: Waiter, now: Instant, flows: &Flows) -> Reach {
        let mut part = self.part(&key.aor).lock();
        let entry = part.entry(key.aor.clone()).or_default();
        self.refresh(entry, now, flows);
        if let Some(hop) = registrar::reach(&entry.bindings, key, now).or_else(|| entry.way_to_left(key)) {
            return Reach::Now(hop);
        }
        self.forget(entry, now);
        if self.waiting.load(Ordering::Relaxed) >= self.most_waiting || entry.waiters.len() >= WAITING_PER_AOR
        {
            if entry.is_empty() {
                part.remove(&key.aor);
            }
            return Reach::Never;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        entry.waiters.push((key.clone(), now + GRACE, waiter));
        Reach::Later
    }

    /// Drops what has ended everywhere. To be called now and then.
    pub fn sweep(&self, now: Instant, flows: &Flows) {
        for part in &self.parts {
            part.lock().retain(|aor, entry| {
                let before = entry.bindings.len();
                self.refresh(entry, now, flows);
                if entry.bindings.len() < before {
                    self.changed(aor);
                }
                self.forget(entry, now);
                !entry.is_empty()
            });
        }
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
        entry.refresh(now, flows);
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
        let Entry { bindings, waiters, .. } = entry;
        let mut woken = Vec::new();
        waiters.retain(|(key, _, waiter)| match registrar::reach(bindings, key, now) {
            Some(hop) => {
                woken.push(Woken { waiter: *waiter, hop });
                false
            }
            None => true,
        });
        self.waiting.fetch_sub(woken.len(), Ordering::Relaxed);
        woken
    }

    /// The core has given those up itself.
    fn forget(&self, entry: &mut Entry, now: Instant) {
        let before = entry.waiters.len();
        entry.waiters.retain(|(_, until, _)| *until > now);
        self.waiting.fetch_sub(before - entry.waiters.len(), Ordering::Relaxed);
    }
}

impl Entry {
    fn refresh(&mut self, now: Instant, flows: &Flows) {
        let Self { bindings, left, .. } = self;
        left.retain(|(_, hop)| flows.is_open(hop.flow));
        bindings.retain_mut(|binding| {
            if binding.hop.is_some_and(|hop| !flows.is_open(hop.flow)) {
                binding.hop = None;
            }
            let lasts = binding.expires_at > now;
            if !lasts {
                note(left, binding);
            }
            lasts
        });
    }

    /// Takes note of the bindings that are no more.
    fn leave(&mut self, before: &[Binding]) {
        let Self { bindings, left, .. } = self;
        left.retain(|(key, _)| !bindings.iter().any(|binding| binding.key == *key));
        for gone in before.iter().filter(|old| !bindings.iter().any(|binding| binding.key == old.key)) {
            note(left, gone);
        }
    }

    fn way_to_left(&self, key: &RegistrationKey) -> Option<Hop> {
        self.left.iter().find(|(left, _)| left == key).map(|(_, hop)| *hop)
    }

    fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.waiters.is_empty() && self.left.is_empty()
    }
}

/// Of a datagram's sender there is nothing to keep: its dialogs know its address.
fn note(left: &mut Vec<(RegistrationKey, Hop)>, binding: &Binding) {
    let Some(hop) = binding.hop.filter(|hop| hop.transport.is_reliable()) else { return };
    left.retain(|(key, _)| *key != binding.key);
    if left.len() >= LEFT_PER_AOR {
        left.remove(0);
    }
    left.push((binding.key.clone(), hop));
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sip_core::registrar::ContactUpdate;
    use sip_core::time::Duration;
    use sip_core::transport::Transport;

    use super::*;
    use crate::budget::Budgets;
    use crate::config::Limits;
    use crate::connection::{Line, outbox};
    use crate::flows::Flow;
    use crate::metrics::Metrics;

    const AOR: &str = "sip:bob@localhost";

    struct World {
        location: Location,
        flows: Flows,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            let now = Instant::from_micros(1_000_000);
            let location = Location::new(10, 100, None);
            Self { location, flows: Flows::new(now, Metrics::default()), now }
        }

        fn connect(&self, port: u16) -> Arc<Flow> {
            let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let (outbox, _inbox) = outbox(&Limits::default(), &Budgets::new(Limits::default().memory));
            let domain = Default::default();
            let line = Line {
                transport: Transport::Ws,
                local: address(80),
                remote: address(port),
                domain,
                certified: None,
            };
            self.flows.open_connection(line, outbox, self.now)
        }

        fn register(&self, flow: &Flow, cseq: u32) -> Vec<Woken> {
            let contact = ContactUpdate {
                key: key(),
                contact: "sip:bob@x.invalid".into(),
                params: "".into(),
                expires: Duration::from_secs(60),
            };
            let update = BindingUpdate {
                aor: AOR.into(),
                call_id: "c".into(),
                cseq,
                path: "".into(),
                hop: flow.hop().unwrap(),
                change: Change::Contacts(vec![contact]),
            };
            let (result, woken) = self.location.update(&update, self.now, &self.flows);
            assert_eq!(result.unwrap().len(), 1);
            woken
        }

        fn reach(&self, question: u64) -> Reach {
            let waiter = Waiter { shard: 3, question: QuestionId(question) };
            self.location.reach(&key(), waiter, self.now, &self.flows)
        }
    }

    fn key() -> RegistrationKey {
        RegistrationKey { aor: AOR.into(), instance: "<urn:uuid:1>".into(), reg_id: 1 }
    }

    #[test]
    fn a_binding_outlives_its_flow_and_is_found_again_over_the_next() {
        let world = World::new();
        let flow = world.connect(1);
        assert!(world.register(&flow, 1).is_empty());
        assert_eq!(world.reach(1), Reach::Now(flow.hop().unwrap()));
        world.flows.close(&flow).for_each(drop);
        let away = world.location.lookup(AOR, world.now, &world.flows);
        assert_eq!((away.len(), away[0].hop), (1, None));
        assert_eq!(world.reach(2), Reach::Later);
        let next = world.connect(2);
        let waiter = Waiter { shard: 3, question: QuestionId(2) };
        assert_eq!(world.register(&next, 2), [Woken { waiter, hop: next.hop().unwrap() }]);
        assert!(world.register(&next, 3).is_empty(), "told once");
    }

    #[test]
    fn bindings_are_capped_and_their_count_goes_back_down() {
        let mut world = World::new();
        world.location.most = 1;
        let flow = world.connect(1);
        world.register(&flow, 1);
        let other: SmolStr = "sip:alice@localhost".into();
        let contact = ContactUpdate {
            key: RegistrationKey { aor: other.clone(), ..key() },
            contact: "sip:alice@x.invalid".into(),
            params: "".into(),
            expires: Duration::from_secs(60),
        };
        let update = BindingUpdate {
            aor: other.clone(),
            call_id: "d".into(),
            cseq: 1,
            path: "".into(),
            hop: flow.hop().unwrap(),
            change: Change::Contacts(vec![contact]),
        };
        let register = |world: &World| world.location.update(&update, world.now, &world.flows).0;
        assert_eq!(register(&world), Err(UpdateError::Full));
        assert_eq!(world.location.lookup(&other, world.now, &world.flows), []);
        // Who is there may refresh.
        world.register(&flow, 2);
        world.now += Duration::from_secs(61);
        world.location.sweep(world.now, &world.flows);
        assert_eq!(world.location.len(), 0);
        assert!(register(&world).is_ok());
        assert_eq!(world.location.len(), 1);
    }

    #[test]
    fn after_a_restart_nobody_is_known_and_all_are_waited_for() {
        let world = World::new();
        assert_eq!(world.reach(1), Reach::Later);
        assert_eq!(world.register(&world.connect(1), 1).len(), 1);
    }

    #[test]
    fn what_ends_is_forgotten() {
        let mut world = World::new();
        let flow = world.connect(1);
        world.register(&flow, 1);
        world.flows.close(&flow).for_each(drop);
        world.now += Duration::from_secs(61);
        assert_eq!(world.location.lookup(AOR, world.now, &world.flows), []);
        assert_eq!(world.reach(1), Reach::Later);
        world.now += GRACE;
        world.location.sweep(world.now, &world.flows);
        assert!(world.location.parts.iter().all(|part| part.lock().is_empty()));
        assert_eq!(world.location.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_registration_that_ended_is_reached_in_its_dialogs_while_its_connection_stands() {
        let mut world = World::new();
        let flow = world.connect(1);
        world.register(&flow, 1);
        let update = BindingUpdate {
            aor: AOR.into(),
            call_id: "c".into(),
            cseq: 2,
            path: "".into(),
            hop: flow.hop().unwrap(),
            change: Change::RemoveAll,
        };
        assert_eq!(world.location.update(&update, world.now, &world.flows).0, Ok(vec![]));
        assert_eq!(world.location.lookup(AOR, world.now, &world.flows), [], "nobody is called there");
        assert_eq!(world.reach(1), Reach::Now(flow.hop().unwrap()));
        world.register(&flow, 3);
        world.now += Duration::from_secs(61);
        assert_eq!(world.reach(1), Reach::Now(flow.hop().unwrap()), "it ran out");
        world.flows.close(&flow).for_each(drop);
        assert_eq!(world.reach(2), Reach::Later);
        world.now += GRACE;
        world.location.sweep(world.now, &world.flows);
        assert!(world.location.parts.iter().all(|part| part.lock().is_empty()));
    }

    #[test]
    fn waiting_is_capped() {
        let mut world = World::new();
        world.location.most_waiting = 2;
        assert_eq!(world.reach(1), Reach::Later);
        assert_eq!(world.reach(2), Reach::Later);
        assert_eq!(world.reach(3), Reach::Never);
        world.now += GRACE;
        assert_eq!(world.reach(4), Reach::Later, "those before have given up");
    }

    #[test]
    fn one_account_does_not_take_the_room_of_all() {
        let world = World::new();
        for question in 0..WAITING_PER_AOR as u64 {
            assert_eq!(world.reach(question), Reach::Later);
        }
        assert_eq!(world.reach(1_000), Reach::Never);
        let other = RegistrationKey { aor: "sip:alice@localhost".into(), ..key() };
        let waiter = Waiter { shard: 3, question: QuestionId(1_001) };
        assert_eq!(world.location.reach(&other, waiter, world.now, &world.flows), Reach::Later);
    }
}
