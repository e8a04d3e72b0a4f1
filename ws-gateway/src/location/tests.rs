//! Bindings, who waits for them, and their caps.

mod watches;

use std::net::SocketAddr;

use sip_core::limits::{AWAY, GRACE};
use sip_core::registrar::{ContactUpdate, Contacts};
use sip_core::transport::{Phone, Transport};

use super::entry::DATAGRAM_LEFT;
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
        let location = Location::new(10, 100, Duration::from_secs(30), None);
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
            through: "".into(),
            hop: flow.hop().unwrap(),
            change: Change::Contacts(vec![contact]),
        };
        let updated = self.location.update(&update, self.now, &self.flows);
        assert_eq!(updated.result.unwrap().len(), 1);
        updated.woken
    }

    /// For a re-INVITE.
    fn reach(&self, question: u64) -> Reach {
        self.ask(Awaited::Registration(key()), true, GRACE, question)
    }

    /// For a request outside dialogs.
    fn call(&self, aor: &str, question: u64) -> Reach {
        let awaited = Awaited::Contacts { aor: aor.into(), contacts: Contacts::All };
        self.ask(awaited, false, AWAY, question)
    }

    fn ask(&self, awaited: Awaited, within: bool, time: Duration, question: u64) -> Reach {
        let wait = Wait { until: self.now + time, within };
        self.location.reach(
            awaited,
            wait,
            Waiter { shard: 3, question: QuestionId(question) },
            self.now,
            &self.flows,
        )
    }

    fn waiting(&self) -> usize {
        let Location { calls, dialogs, .. } = &self.location;
        [calls, dialogs].map(|waiting| waiting.now.load(Ordering::Relaxed)).into_iter().sum()
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

/// A page that was closed is not called in vain for as long as it had registered; what has a Path has a way.
#[test]
fn rfc5626_9_3_who_lost_its_connection_is_forgotten_after_a_while() {
    let mut world = World::new();
    let flow = world.connect(1);
    world.register(&flow, 1);
    world.flows.close(&flow).for_each(drop);
    let known = |world: &World| world.location.lookup(AOR, world.now, &world.flows).len();
    assert_eq!(known(&world), 1);
    world.now += Duration::from_secs(29);
    assert_eq!((known(&world), world.location.len()), (1, 1));
    world.now += Duration::from_secs(2);
    assert_eq!((known(&world), world.location.len()), (0, 0));
    // Its dialogs wait for it all the same.
    assert_eq!(world.reach(1), Reach::Later);
    let next = world.connect(2);
    assert_eq!(world.register(&next, 2).len(), 1);
    // It is back in time.
    world.flows.close(&next).for_each(drop);
    assert_eq!(known(&world), 1);
    let third = world.connect(3);
    world.register(&third, 3);
    world.now += Duration::from_secs(59);
    assert_eq!(known(&world), 1);
    // Behind a proxy.
    let entry = |world: &World, path: &str| {
        world.location.part(AOR).lock().get_mut(AOR).unwrap().bindings[0].path = path.into();
    };
    world.register(&third, 4);
    entry(&world, "<sip:edge.example;lr>");
    world.flows.close(&third).for_each(drop);
    world.now += Duration::from_secs(59);
    assert_eq!(known(&world), 1);
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
        through: "".into(),
        hop: flow.hop().unwrap(),
        change: Change::Contacts(vec![contact]),
    };
    let register = |world: &World| world.location.update(&update, world.now, &world.flows).result;
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
    assert_eq!(world.waiting(), 0);
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
        through: "".into(),
        hop: flow.hop().unwrap(),
        change: Change::RemoveAll,
    };
    assert_eq!(world.location.update(&update, world.now, &world.flows).result, Ok(vec![]));
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
    world.location.dialogs.room.in_all = 2;
    assert_eq!(world.reach(1), Reach::Later);
    assert_eq!(world.reach(2), Reach::Later);
    assert_eq!(world.reach(3), Reach::Never);
    world.now += GRACE;
    assert_eq!(world.reach(4), Reach::Later, "those before have given up");
    assert_eq!(world.waiting(), 1);
}

#[test]
fn one_account_does_not_take_the_room_of_all() {
    let world = World::new();
    for question in 0..DIALOGS.per_aor as u64 {
        assert_eq!(world.reach(question), Reach::Later);
    }
    assert_eq!(world.reach(1_000), Reach::Never);
    let other = RegistrationKey { aor: "sip:alice@localhost".into(), ..key() };
    assert_eq!(world.ask(Awaited::Registration(other), true, GRACE, 1_001), Reach::Later);
}

/// Who is called may be in a call: one more that begins takes no place of those that stand.
#[test]
fn rfc3261_12_2_requests_outside_dialogs_leave_the_room_of_those_within() {
    let mut world = World::new();
    for question in 0..CALLS.per_aor as u64 {
        assert_eq!(world.call(AOR, question), Reach::Later);
    }
    assert_eq!(world.call(AOR, 1_000), Reach::Never);
    assert_eq!(world.reach(1_001), Reach::Later);
    // Others are called, until all who may wait do.
    let callee = |number: usize| format!("sip:{number}@localhost");
    for question in CALLS.per_aor..CALLS.in_all {
        assert_eq!(world.call(&callee(question % 50), question as u64), Reach::Later);
    }
    assert_eq!(world.call("sip:carol@localhost", 1_002), Reach::Never);
    assert_eq!(world.reach(1_003), Reach::Later);
    // They wait no longer than the core lets them.
    world.now += AWAY;
    assert_eq!(world.call(AOR, 1_004), Reach::Later);
    world.location.sweep(world.now, &world.flows);
    assert_eq!(world.waiting(), 3);
}

#[test]
fn rfc3261_16_5_whoever_is_back_first_wakes_those_who_call() {
    let world = World::new();
    assert_eq!(world.call(AOR, 1), Reach::Later);
    let other = RegistrationKey { instance: "<urn:uuid:2>".into(), ..key() };
    assert_eq!(world.ask(Awaited::Registration(other), true, GRACE, 2), Reach::Later);
    let flow = world.connect(1);
    let waiter = Waiter { shard: 3, question: QuestionId(1) };
    assert_eq!(world.register(&flow, 1), [Woken { waiter, hop: flow.hop().unwrap() }]);
    assert_eq!(world.waiting(), 1);
    assert_eq!(world.call(AOR, 3), Reach::Now(flow.hop().unwrap()));
}

/// The index of contacts follows the bindings, whatever ends them.
#[test]
fn whose_a_contact_is() {
    const CONTACT: &str = "sip:bob@x.invalid";
    let mut world = World::new();
    let flow = world.connect(1);
    world.register(&flow, 1);
    world.register(&flow, 2);
    assert_eq!(world.location.owner(CONTACT), Some(AOR.into()));
    assert_eq!(world.location.owner("sip:bob@X.Invalid;transport=ws"), Some(AOR.into()));
    assert_eq!(world.location.owner("sip:bob@y.invalid"), None);
    assert_eq!(world.location.contacts.len(), 1);
    // Another has it too.
    let other = Binding {
        key: RegistrationKey { aor: "sip:eve@localhost".into(), ..key() },
        ..world.location.bindings(AOR).remove(0)
    };
    world.location.restore("sip:eve@localhost".into(), vec![other.clone()], world.now);
    assert_eq!((world.location.owner(CONTACT), world.location.contacts.len()), (None, 2));
    assert_eq!(world.location.end(&"sip:eve@localhost".into(), true, world.now, &world.flows).0, 1);
    assert_eq!(world.location.owner(CONTACT), Some(AOR.into()));
    // A domain's name is nobody's to look for.
    let named = Binding { contact: "sip:eve@b.example".into(), ..other };
    world.location.restore("sip:eve@localhost".into(), vec![named], world.now);
    assert_eq!((world.location.owner("sip:eve@b.example"), world.location.contacts.len()), (None, 1));
    world.now += Duration::from_secs(61);
    world.location.sweep(world.now, &world.flows);
    assert_eq!((world.location.len(), world.location.contacts.len()), (0, 0));
}

/// Whoever notices it first: the row goes.
#[test]
fn rfc3261_10_3_what_ends_is_noted_for_the_disk() {
    let mut world = World::new();
    let changes = Arc::<Changes>::default();
    world.location = Location::new(10, 100, Duration::from_secs(30), Some(Arc::clone(&changes)));
    let flow = world.connect(1);
    for (row, look) in [true, false].into_iter().enumerate() {
        world.register(&flow, row as u32 + 1);
        assert_eq!(changes.take(Duration::ZERO, Duration::ZERO), Some((vec![AOR.into()], Vec::new())));
        world.now += Duration::from_secs(61);
        match look {
            true => assert_eq!(world.location.lookup(AOR, world.now, &world.flows), []),
            false => assert_eq!(world.reach(1), Reach::Now(flow.hop().unwrap())),
        }
        assert_eq!(
            changes.take(Duration::ZERO, Duration::ZERO),
            Some((vec![AOR.into()], Vec::new())),
            "{look}"
        );
        world.location.sweep(world.now, &world.flows);
        assert!(changes.is_empty());
    }
}

/// What an earlier process wrote: what has ended is not taken in, and its row is written anew, or goes.
#[test]
fn rfc3261_10_3_what_ended_while_nobody_ran_is_not_restored() {
    let mut world = World::new();
    world.register(&world.connect(1), 1);
    let lasting = world.location.bindings(AOR).remove(0);
    let hour = Duration::from_secs(3_600);
    let lasting = Binding { expires_at: world.now + hour + hour, ..lasting };
    let key = RegistrationKey { reg_id: 2, ..key() };
    world.now += hour;
    // The last moment of one is none of its time.
    let ended =
        Binding { key, contact: "sip:bob@y.invalid".into(), expires_at: world.now, ..lasting.clone() };
    for (rows, left) in [
        (vec![ended.clone()], vec![]),
        (vec![ended, lasting.clone()], vec![lasting.clone()]),
        (vec![lasting.clone()], vec![lasting]),
    ] {
        let changes = Arc::<Changes>::default();
        let most = Duration::from_secs(30);
        world.location = Location::new(10, 100, most, Some(Arc::clone(&changes)));
        let whole = rows == left;
        world.location.restore(AOR.into(), rows, world.now);
        assert_eq!(world.location.bindings(AOR), left);
        assert_eq!(world.location.len(), left.len());
        assert_eq!(world.location.contacts.len(), left.len());
        if whole {
            assert!(changes.is_empty());
        } else {
            assert_eq!(changes.take(Duration::ZERO, Duration::ZERO), Some((vec![AOR.into()], Vec::new())));
        }
    }
}

#[test]
fn rfc5626_5_3_a_phone_on_udp_is_known_for_a_day_after_its_registration() {
    const CONTACT: &str = "sip:bob@192.0.2.7";
    const NAMED: &str = ";+sip.instance=\"<urn:x:phone>\"";
    // By `reg-id`, by its contact alone, and by its instance (§4.1).
    for (reg_id, instance, params, known) in
        [(1, "urn:x:phone", NAMED, true), (0, CONTACT, "", false), (0, CONTACT, NAMED, true)]
    {
        let mut world = World::new();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let flow = world.flows.open_socket(Arc::new(socket), local, world.now);
        let hop = flow.hop_to(SocketAddr::from(([192, 0, 2, 7], 5060)));
        let key = RegistrationKey { reg_id, instance: instance.into(), ..key() };
        let contact = ContactUpdate {
            key,
            contact: CONTACT.into(),
            params: params.into(),
            expires: Duration::from_secs(60),
        };
        let (path, through, change) = ("".into(), "".into(), Change::Contacts(vec![contact]));
        let update =
            BindingUpdate { aor: AOR.into(), call_id: "c".into(), cseq: 1, path, through, hop, change };
        world.location.update(&update, world.now, &world.flows).result.unwrap();
        let key = world.location.bindings(AOR)[0].agent();
        assert_eq!(key.names_agent(), known);
        let reach = |world: &World| world.ask(Awaited::Registration(key.clone()), true, GRACE, 1);
        assert_eq!(reach(&world), Reach::Now(hop));
        // Without `reg-id` it is told from another phone of the same contact by its Call-ID (RFC 3261 §10.2).
        let knows = |world: &World, call_id: &str| {
            let registered_by =
                Binding { call_id: call_id.into(), ..world.location.bindings(AOR).remove(0) }.registered_by();
            let phone = Phone { registration: key.clone(), registered_by, local, remote: hop.remote };
            world.location.knows(&phone, world.now, &world.flows)
        };
        assert!(knows(&world, "c"));
        assert_eq!(knows(&world, "d"), known);
        world.now += Duration::from_secs(61);
        assert_eq!(reach(&world), if known { Reach::Now(hop) } else { Reach::Later });
        world.now += DATAGRAM_LEFT;
        world.location.sweep(world.now, &world.flows);
        assert!(world.location.parts.iter().all(|part| part.lock().is_empty()));
    }
}
