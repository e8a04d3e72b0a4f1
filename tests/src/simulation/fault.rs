//! What goes wrong: the plan of a run's faults, and what each does.

use sip_core::time::Duration;

use super::NodeId;
use super::mesh::MESH;
use super::network::ConnectionId;
use super::node::{Node, Phone};
use super::world::World;

/// How many faults of which kind a scenario has, and how long each lasts. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Pairs of neighbours that cannot reach each other for a while.
    pub partitions: u64,
    /// How long that lasts.
    pub partition: (u64, u64),
    /// Connections that break.
    pub breaks: u64,
    /// How long until an end of a broken connection notices.
    pub notice: (u64, u64),
    /// Servers that restart.
    pub server_restarts: u64,
    /// Whether their bindings survive. `None`: as chance has it.
    pub keep_bindings: Option<bool>,
    /// Phones that restart.
    pub phone_restarts: u64,
    /// Whether they take up their calls by snapshots. `None`: as chance has it.
    pub keep_calls: Option<bool>,
    /// How long a node is down.
    pub down: (u64, u64),
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        partitions: 0,
        partition: (0, 0),
        breaks: 0,
        notice: (0, 0),
        server_restarts: 0,
        keep_bindings: None,
        phone_restarts: 0,
        keep_calls: Some(false),
        down: (0, 0),
    };
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A phone and its home or another phone, or two servers, cannot reach each other.
    Cut(NodeId, NodeId, Duration),
    /// A connection of a phone's breaks, or one between this server and another.
    Break(NodeId, (u64, u64)),
    /// A node stops, and starts anew after a while. A server keeps its bindings or not, a phone its calls.
    Restart(NodeId, Duration, bool),
}

/// Spreads a scenario's faults over the time in which its people are active.
pub fn plan(world: &mut World, faults: &Faults, activity: Duration) {
    let millis = activity.as_millis() as u64;
    let (phones, servers) = (world.phones(), world.servers());
    let some = |world: &mut World, of: &[NodeId]| of[world.roll(of.len() as u64) as usize];
    let parted = if servers.len() > 1 { [&phones[..], &servers[..]].concat() } else { phones.clone() };
    for _ in 0..faults.partitions {
        let node = some(world, &parted);
        let (after, long) = (world.between((0, millis)), world.between(faults.partition));
        let neighbour = match &world.nodes[node.0] {
            Node::Phone(Phone { home: MESH, .. }) => some(world, &phones),
            Node::Phone(phone) => phone.home,
            Node::Server(_) => {
                let others: Vec<NodeId> = servers.iter().copied().filter(|other| *other != node).collect();
                some(world, &others)
            }
        };
        world.plan_fault(after, Fault::Cut(node, neighbour, long));
    }
    let connected = if world.trunks { [&phones[..], &servers[..]].concat() } else { phones.clone() };
    for _ in 0..faults.breaks {
        let phone = some(world, &connected);
        let after = world.between((0, millis));
        world.plan_fault(after, Fault::Break(phone, faults.notice));
    }
    for _ in 0..faults.phone_restarts {
        let phone = some(world, &phones);
        let (after, down) = (world.between((0, millis)), world.between(faults.down));
        let keep = faults.keep_calls.unwrap_or_else(|| world.roll(2) == 0);
        world.plan_fault(after, Fault::Restart(phone, down, keep));
    }
    for _ in 0..faults.server_restarts {
        let server = some(world, &servers);
        let (after, down) = (world.between((0, millis)), world.between(faults.down));
        let keep = faults.keep_bindings.unwrap_or(world.roll(2) == 0);
        world.plan_fault(after, Fault::Restart(server, down, keep));
    }
}

/// Lets it happen.
pub fn strike(world: &mut World, fault: Fault) {
    let now = world.now;
    match fault {
        Fault::Cut(one, other, long) => {
            world
                .trace
                .fault(now, || format!("{one:?} and {other:?} are cut off for {} ms", long.as_millis()));
            world.network.cut(one, other, now + long);
        }
        Fault::Break(node, notice) => {
            let connections = connections(world, node);
            if !connections.is_empty() {
                let chosen = if connections.len() == 1 { 0 } else { world.roll(connections.len() as u64) };
                world.trace.fault(now, || format!("a connection of {node:?} breaks"));
                world.break_connection(connections[chosen as usize], notice);
            }
        }
        Fault::Restart(node, down, keep) => {
            let bindings = if keep { "" } else { " and forgets" };
            world.trace.fault(now, || format!("{node:?} stops for {} ms{bindings}", down.as_millis()));
            world.stop(node, down, keep);
        }
    }
}

/// A phone's, or a server's with other servers.
fn connections(world: &World, node: NodeId) -> Vec<ConnectionId> {
    match &world.nodes[node.0] {
        Node::Phone(phone) => phone.lines.iter().filter_map(|line| line.connection).collect(),
        Node::Server(_) => {
            let is_server = |id: NodeId| matches!(world.nodes[id.0], Node::Server(_));
            let trunk =
                |id: &ConnectionId| world.network.connection(*id).is_some_and(|c| is_server(c.peer(node)));
            world.network.connections_of(node).into_iter().filter(trunk).collect()
        }
    }
}
