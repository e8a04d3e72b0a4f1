//! Subscriptions to registrations, and their caps.

use sip_core::body::reginfo::ContactEvent;
use sip_core::limits::{ENDED_PER_AOR, WATCHES_PER_AOR, WATCHES_PER_WATCHER};
use sip_core::server::{Hold, Watch, WatchError, WatchId, Watched, Watcher};

use super::*;

impl World {
    fn watch(&self, aor: &str, id: u64, watcher: &str, hold: Hold) -> Result<Watched, WatchError> {
        let watch = Watch {
            id: WatchId(id),
            aor: aor.into(),
            watcher: Watcher::Account(watcher.into()),
            hold,
            until: self.now + Duration::from_secs(100),
        };
        self.location.watch(&watch, 5, self.now, &self.flows)
    }

    fn update(&self, flow: &Flow, cseq: u32, change: Change) -> Updated {
        let update = BindingUpdate {
            aor: AOR.into(),
            call_id: "c".into(),
            cseq,
            path: "".into(),
            through: "".into(),
            hop: flow.hop().unwrap(),
            change,
        };
        self.location.update(&update, self.now, &self.flows)
    }

    fn is_empty(&self) -> bool {
        self.location.parts.iter().all(|part| part.lock().is_empty())
            && self.location.watchers.lock().is_empty()
    }
}

const fn told(id: u64) -> Told {
    Told { shard: 5, id: WatchId(id) }
}

#[test]
fn who_watches_is_told_of_changes_and_how_bindings_ended() {
    let mut world = World::new();
    let flow = world.connect(1);
    assert_eq!(world.watch(AOR, 1, "bob", Hold::Begin), Ok(Watched::default()));
    assert_eq!(world.watch(AOR, 2, "alice", Hold::Not), Ok(Watched::default()), "once");
    world.register(&flow, 1);
    let key = key();
    let contact = |expires| {
        let (contact, params) = ("sip:bob@x.invalid".into(), "".into());
        Change::Contacts(vec![ContactUpdate { key: key.clone(), contact, params, expires }])
    };
    assert_eq!(world.update(&flow, 2, contact(Duration::from_secs(60))).told, [told(1)]);
    assert_eq!(world.update(&flow, 3, Change::Fetch).told, [], "nothing changes");
    assert_eq!(world.update(&flow, 2, Change::RemoveAll).told, [], "out of order");
    assert_eq!(world.update(&flow, 4, contact(Duration::default())).told, [told(1)]);
    let ended = |world: &World| {
        let watched = world.watch(AOR, 1, "bob", Hold::Keep).unwrap();
        assert!(watched.bindings.is_empty());
        watched.ended.iter().map(|ended| ended.event).collect::<Vec<_>>()
    };
    assert_eq!(ended(&world), [ContactEvent::Unregistered]);
    // What is registered again has not ended.
    world.register(&flow, 5);
    assert_eq!(world.location.end(&AOR.into(), false, world.now, &world.flows), (1, vec![told(1)]));
    assert_eq!(ended(&world), [ContactEvent::Deactivated]);
    world.register(&flow, 6);
    assert_eq!(world.location.end(&AOR.into(), true, world.now, &world.flows), (1, vec![told(1)]));
    assert_eq!(ended(&world), [ContactEvent::Rejected]);
    for cseq in 7..7 + 2 * ENDED_PER_AOR as u32 {
        let instance = format!("<urn:uuid:{cseq}>");
        let key = RegistrationKey { instance: instance.into(), ..key.clone() };
        let (contact, params) = ("sip:bob@x.invalid".into(), "".into());
        let expires = Duration::from_secs(60);
        world.update(&flow, cseq, Change::Contacts(vec![ContactUpdate { key, contact, params, expires }]));
        world.location.end(&AOR.into(), false, world.now, &world.flows);
    }
    assert_eq!(ended(&world).len(), ENDED_PER_AOR, "the latest");
    // Over, it takes no room.
    world.location.unwatch(&AOR.into(), told(1));
    assert_eq!(world.watch(AOR, 1, "bob", Hold::Keep), Err(WatchError::Revoked));
    world.flows.close(&flow).for_each(drop);
    world.now += GRACE;
    world.location.sweep(world.now, &world.flows);
    assert!(world.is_empty());
}

/// RFC 3680 §4.7: also of what ends before the time that was told.
#[test]
fn who_watches_is_told_of_who_lost_its_connection_and_stayed_away() {
    let mut world = World::new();
    assert!(world.watch(AOR, 1, "bob", Hold::Begin).is_ok());
    let sweep = |world: &World| world.location.sweep(world.now, &world.flows);
    for (cseq, look) in [(1, false), (2, true)] {
        let flow = world.connect(1);
        world.register(&flow, cseq);
        world.flows.close(&flow).for_each(drop);
        assert_eq!(sweep(&world), []);
        world.now += Duration::from_secs(31);
        if look {
            // Whoever notices it first.
            assert!(world.location.lookup(AOR, world.now, &world.flows).is_empty());
        }
        assert_eq!(sweep(&world), [told(1)]);
        assert_eq!(sweep(&world), []);
    }
}

#[test]
fn watches_are_capped_and_lapse() {
    let mut world = World::new();
    for id in 0..WATCHES_PER_AOR as u64 {
        assert!(world.watch(AOR, id, &format!("user{id}"), Hold::Begin).is_ok());
    }
    assert_eq!(world.watch(AOR, 1_000, "bob", Hold::Begin), Err(WatchError::Full));
    for id in 0..WATCHES_PER_WATCHER as u64 {
        assert!(world.watch(&format!("sip:{id}@localhost"), 2_000 + id, "reception", Hold::Begin).is_ok());
    }
    let more = |world: &World| world.watch("sip:more@localhost", 3_000, "reception", Hold::Begin);
    assert_eq!(more(&world), Err(WatchError::Full));
    world.location.unwatch(&"sip:7@localhost".into(), told(2_007));
    assert!(more(&world).is_ok());
    // Nobody lets them go: they have an end of their own.
    world.now += Duration::from_secs(50);
    assert!(world.watch(AOR, 3, "user3", Hold::Keep).is_ok());
    world.now += Duration::from_secs(50);
    assert!(world.watch(AOR, 1_000, "bob", Hold::Begin).is_ok());
    world.location.sweep(world.now, &world.flows);
    let watchers = world.location.watchers.lock().keys().cloned().collect::<Vec<_>>();
    assert_eq!(watchers.len(), 2, "{watchers:?}");
    world.now += Duration::from_secs(100);
    world.location.sweep(world.now, &world.flows);
    assert!(world.is_empty());
}

#[test]
fn a_watcher_whose_password_changes_begins_anew() {
    let world = World::new();
    for (aor, id, watcher) in [(AOR, 1, "bob"), ("sip:alice@localhost", 2, "bob"), (AOR, 3, "alice")] {
        assert!(world.watch(aor, id, watcher, Hold::Begin).is_ok());
    }
    let mut ended = world.location.revoke(&Watcher::Account("bob".into()));
    ended.sort_by_key(|told| told.id);
    assert_eq!(ended, [told(1), told(2)]);
    for (id, expected) in [(1, Err(WatchError::Revoked)), (3, Ok(Watched::default()))] {
        assert_eq!(world.watch(AOR, id, "whoever", Hold::Keep), expected);
    }
    assert_eq!(world.location.revoke(&Watcher::Account("carol".into())), []);
}
