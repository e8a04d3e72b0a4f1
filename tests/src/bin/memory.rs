//! What registrations and calls cost in bytes: `cargo run --release -p tests --bin memory`.
//!
//! User agents and a server live in the simulation until nothing is going on between them; then each is dropped, and what
//! the allocator gets back is what it held. Allocations are counted by the bytes asked for, not by what the allocator
//! rounds them to. It fails where a registration or a call holds more than is wanted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use clap::Parser;
use sip_core::server::{Config, Server};
use sip_core::time::Duration;
use sip_core::transport::Transport;
use sip_core::user_agent::UserAgent;
use tests::simulation::NodeId;
use tests::simulation::network::Profile;
use tests::simulation::node::{Node, Phone, ServerNode, password};
use tests::simulation::person::{self, Habits};
use tests::simulation::watch::description;
use tests::simulation::world::{Setting, World};

/// Says what registrations and calls cost in bytes.
#[derive(Parser)]
struct Options {
    /// Idle registrations.
    #[arg(long, default_value_t = 100_000)]
    registrations: usize,
    /// Calls at once, each with a phone of its own at both ends.
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
}

/// The most that an idle registration may hold, in bytes.
const REGISTRATION: f64 = 1_024.0;
/// The most that a standing call may hold in a user agent, over what an idle one holds.
const CALL: f64 = 6_144.0;

/// Sizes above this are counted as one.
const LARGEST: usize = 4_096;

/// Counts what is held, and by size what is freed while somebody looks.
struct Counting;

static HELD: AtomicU64 = AtomicU64::new(0);
static LOOKING: AtomicBool = AtomicBool::new(false);
static FREED: [AtomicU64; LARGEST + 1] = [const { AtomicU64::new(0) }; LARGEST + 1];

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        if LOOKING.load(Relaxed) {
            FREED[layout.size().min(LARGEST)].fetch_add(1, Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let options = Options::parse();
    println!(
        "UserAgent {} bytes, Server {} bytes, both without what they point to\n",
        size_of::<UserAgent>(),
        size_of::<Server>()
    );
    let idle = registrations(options.registrations, REGISTRATION);
    calls(options.calls, idle);
}

/// Everybody is registered and nothing else is going on. What an idle user agent holds.
fn registrations(count: usize, most: f64) -> f64 {
    let mut world = populated(count, 1, 10_000);
    let directory = {
        let server = server(&mut world);
        let bound = server.directory.bound(sip_core::time::Instant::default());
        held_by(count, "registration, for its credentials to serve once, five minutes", || {
            server.directory.forget_replays();
        });
        let bytes = held_by(count, "registration, in the server's directory (its store of bindings)", || {
            drop(core::mem::take(&mut server.directory));
        });
        assert!(bytes <= most, "an idle registration holds {bytes:.0} bytes");
        bound
    };
    assert_eq!(directory, count, "all are registered");
    drop_server(&mut world, count, "registration, in the server");
    let agents = agents(&mut world, 1..=count);
    held_by(count, "registration, in a user agent that is idle", || drop(agents))
}

/// Everybody is in a call with a neighbour.
fn calls(count: usize, idle: f64) {
    let mut world = populated(2 * count, 1, 10_000);
    let pairs: Vec<(NodeId, NodeId)> = (0..count).map(|n| (NodeId(1 + 2 * n), NodeId(2 + 2 * n))).collect();
    for batch in pairs.chunks(2_000) {
        for (caller, callee) in batch {
            let target = world.phone(*callee).user.clone();
            person::call(&mut world, *caller, &target, 0).expect("a call");
        }
        world.run(Duration::from_secs(1));
        for (_, callee) in batch {
            let call = incoming(&mut world, *callee);
            world.command(*callee, "ring", |ua, now| ua.ring(now, call)).expect("rings");
        }
        world.run(Duration::from_secs(1));
        if batch.as_ptr() == pairs.as_ptr() {
            let ringing = server(&mut world).server.0.load();
            println!(
                "{} calls ring: the server holds {ringing:?} (transactions, requests, questions)",
                batch.len()
            );
        }
        for (_, callee) in batch {
            let call = incoming(&mut world, *callee);
            world.phone(*callee).watch.answered(call);
            let sdp = description(1, 0);
            world.command(*callee, "accept", |ua, now| ua.accept(now, call, &sdp)).expect("accepts");
        }
        world.run(Duration::from_secs(40));
    }
    assert!(world.violation.is_none(), "{:?}", world.violation);
    assert_eq!(
        world.phones().into_iter().map(|id| world.phone(id).agent.calls().count()).sum::<usize>(),
        2 * count
    );
    let bodies = 2 * description(1, 0).len();
    println!("a call's two session descriptions have {bodies} bytes together");
    drop_server(&mut world, count, "standing call, in the server");
    let callers = agents(&mut world, (0..count).map(|n| 1 + 2 * n));
    let made = held_by(count, "user agent with one standing call it made", || drop(callers));
    let callees = agents(&mut world, (0..count).map(|n| 2 + 2 * n));
    let took = held_by(count, "user agent with one standing call it took", || drop(callees));
    for (bytes, what) in [(made - idle, "made"), (took - idle, "took")] {
        println!("{bytes:>8.0} bytes a standing call it {what}, over what an idle one holds");
        assert!(bytes <= CALL, "a standing call holds {bytes:.0} bytes");
    }
}

/// A server and phones that are registered with it, so many at a time.
fn populated(phones: usize, seed: u64, batch: usize) -> World {
    let mut world = World::new(seed, Profile::SMOOTH, Habits::NONE, Setting::default());
    world.scripted = true;
    let home = NodeId(0);
    let mut server = ServerNode::new(home, "a.example", seed);
    let users: Vec<String> = (0..phones).map(|number| format!("user{number:06}")).collect();
    users.iter().for_each(|user| server.directory.add("a.example", user, &password(user)));
    world.add(Node::Server(server));
    for user in &users {
        let id = NodeId(world.nodes.len());
        let mut phone = Phone::new(id, user, 0, "a.example", home, Transport::Udp, seed);
        // None is refreshed while we look.
        phone.configure(|config| config.expires = 3_600);
        world.add(Node::Phone(phone));
    }
    for first in (1..=phones).step_by(batch) {
        (first..=phones.min(first + batch - 1)).for_each(|id| world.switch_on(NodeId(id)));
        world.run(Duration::from_secs(40));
    }
    assert!(world.violation.is_none(), "{:?}", world.violation);
    world
}

fn server(world: &mut World) -> &mut ServerNode {
    match &mut world.nodes[0] {
        Node::Server(server) => server,
        Node::Phone(_) => unreachable!("the first node is the server"),
    }
}

fn drop_server(world: &mut World, count: usize, what: &str) {
    let config = Config::new("a.example", [7; 32], [9; 32]);
    let fresh = Server::new(config, Box::new(sip_core::entropy::SeededEntropy(1)));
    let old = core::mem::replace(&mut *server(world).server.0, fresh);
    held_by(count, what, || drop(old));
}

/// Takes these phones' user agents out of the world.
fn agents(world: &mut World, which: impl IntoIterator<Item = usize>) -> Vec<UserAgent> {
    which.into_iter().map(|id| world.phone(NodeId(id)).take_agent()).collect()
}

fn incoming(world: &mut World, phone: NodeId) -> sip_core::user_agent::CallId {
    world.phone(phone).watch.living().map(|(call, _)| call).next().expect("it is called")
}

/// Says what is held, and in allocations of which sizes.
fn held_by(count: usize, what: &str, let_go: impl FnOnce()) -> f64 {
    FREED.iter().for_each(|freed| freed.store(0, Relaxed));
    let before = HELD.load(Relaxed);
    LOOKING.store(true, Relaxed);
    let_go();
    LOOKING.store(false, Relaxed);
    let bytes = before.saturating_sub(HELD.load(Relaxed));
    let each = bytes as f64 / count as f64;
    println!("{each:>8.0} bytes a {what}; {count} of them");
    let mut sizes: Vec<(u64, usize, u64)> = FREED
        .iter()
        .enumerate()
        .map(|(size, times)| (size as u64 * times.load(Relaxed), size, times.load(Relaxed)))
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    for (bytes, size, times) in sizes.into_iter().take(6).filter(|(bytes, ..)| *bytes > count as u64) {
        let share = bytes as f64 / count as f64;
        let mark = if size == LARGEST { "or more " } else { "" };
        println!("{share:>18.0} in {:.2} allocations of {size} {mark}bytes", times as f64 / count as f64);
    }
    println!();
    each
}

/// As few as fill tables whose sizes are powers of two as 100,000 do, of which each holds 7 bytes more.
#[test]
fn what_registrations_and_calls_hold_stays_within_bounds() {
    let idle = registrations(1_562, REGISTRATION - 7.0);
    calls(100, idle);
}
