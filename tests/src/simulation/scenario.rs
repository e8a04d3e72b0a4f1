//! The scenarios: who is there, what the network does, what goes wrong, and how people behave.

mod all;

use sip_core::time::Duration;
use sip_core::transport::Transport;

use super::NodeId;
use super::fault::{self, Faults};
use super::mesh::MESH;
use super::network::Profile;
use super::node::{Node, Phone, ServerNode, password};
use super::person::{self, Habits};
use super::presence;
use super::redirections;
use super::rules;
use super::trace::stir;
use super::world::{Setting, World};
pub use all::SCENARIOS;
use all::THREE_HOPS;

/// Longer than anything that is going on by itself: a phone rings three minutes at most, and its transactions linger
/// another 64·T1.
const QUIESCENCE: Duration = Duration::from_secs(300);

/// Names of the first twenty-six people; those after them have the same with a number.
const PEOPLE: [&str; 26] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo",
    "mallory", "nina", "olivia", "peggy", "quinn", "rupert", "sybil", "trent", "ursula", "victor", "wendy",
    "xavier", "yves", "zoe",
];

/// Who is there.
#[derive(Clone, Copy, Debug)]
pub enum Cast {
    /// So many phones on UDP with nobody between them.
    Peers(usize),
    /// Servers, each with so many people on UDP and on WebSocket, who have so many phones each.
    Domains {
        /// Servers, one a domain.
        servers: usize,
        /// People with phones on UDP, each domain.
        udp: usize,
        /// People with phones on WebSocket, each domain.
        websocket: usize,
        /// People with phones on TCP or TLS, each domain.
        streams: usize,
        /// Phones each has.
        devices: usize,
    },
}

/// A kind of run; a seed makes it one run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// As the command line has it.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Who is there.
    pub cast: Cast,
    /// What the network does.
    pub profile: Profile,
    /// What goes wrong.
    pub faults: Faults,
    /// How people behave.
    pub habits: Habits,
    /// How long they are active.
    pub activity: Duration,
    /// Most phones have their sessions timed, and shortly (RFC 4028).
    pub timers: bool,
    /// Nothing is lost and nothing is late, so nothing need be repeated.
    pub no_repeats: bool,
    /// Servers take TCP connections from each other, for what is too long for a datagram.
    pub trunks: bool,
    /// Flows a phone has over connections (RFC 5626).
    pub flows: usize,
    /// How long a phone whose connection is gone takes to try again, milliseconds.
    pub away: (u64, u64),
    /// Phones keep snapshots of their calls.
    pub snapshots: bool,
    /// A call that stood lasts until one of its ends leaves it, whatever goes wrong.
    pub lasting: bool,
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// The same people in a storm: whatever the scenario has go wrong, and beside that a tenth of all datagrams lost, doubled and late,
    /// phones cut off, connections that break, a server that restarts and a phone that does, with what they kept or without it.
    #[must_use]
    pub fn in_a_storm(&self) -> Self {
        let own = self.faults;
        let with_servers = matches!(self.cast, Cast::Domains { .. });
        let rough = if self.profile.loss > 0 { self.profile } else { THREE_HOPS };
        Self {
            profile: Profile { mtu: self.profile.mtu, ..rough },
            faults: Faults {
                partitions: own.partitions.max(3),
                partition: (500, 8_000),
                breaks: own.breaks.max(3),
                notice: (0, 6_000),
                server_restarts: if with_servers { own.server_restarts.max(1) } else { 0 },
                keep_bindings: None,
                phone_restarts: own.phone_restarts.max(1),
                keep_calls: if self.snapshots { None } else { Some(false) },
                down: (100, 5_000),
            },
            habits: Habits { strict: false, ..self.habits },
            timers: true,
            no_repeats: false,
            lasting: false,
            ..*self
        }
    }

    /// The world before anything happens.
    pub fn world(&self, seed: u64, setting: Setting) -> World {
        let mut world = World::new(seed, self.profile, self.habits, setting);
        (world.trunks, world.away, world.lasting) = (self.trunks, self.away, self.lasting);
        self.populate(&mut world, seed);
        world
    }

    /// Plays it out; the world is left as it is at the end, or where a rule was broken.
    pub fn play(&self, world: &mut World) {
        for phone in world.phones() {
            world.switch_on(phone);
        }
        person::wake(world);
        fault::plan(world, &self.faults, self.activity);
        world.run(self.activity);

        // Everything is well again, and everybody lets things take their course.
        world.end_activity();
        world.run(QUIESCENCE);
        if world.violation.is_none() {
            rules::check_agreement(world, self.faults.phone_restarts > 0);
            rules::check_sessions(world);
            rules::check_refusals(world);
            rules::check_registered(world);
            presence::check(world);
        }
        // What broke a rule is the last thing that is drawn.
        if world.violation.is_some() {
            return;
        }
        person::unwatch_all(world);
        person::hang_up_all(world);
        world.run(QUIESCENCE);
        person::leave_all(world);
        world.run(QUIESCENCE);
        if world.violation.is_none() {
            rules::check_empty(world);
        }
    }

    /// How a phone is set: it obeys its peers, and times its sessions or leaves that to others.
    fn equip(&self, phone: &mut Phone, id: usize, seed: u64) {
        let seconds = match stir(stir(seed, 4), id as u64) % 4 {
            _ if !self.timers => Some(1_800),
            0 => None,
            // A refresh has time to get through before the session ends, and all end while nothing else happens.
            number => Some(150 + 30 * number),
        };
        phone.configure(|config| {
            config.referrals = true;
            config.event_packages = vec!["presence".into()];
            config.session_expires = seconds.map(Duration::from_secs);
            config.snapshots = self.snapshots;
            if self.habits.redirect > 0 {
                config.redirections = redirections::MOST;
                config.redirections_asked = id.is_multiple_of(2);
            }
            if self.habits.overture > 0 && id.is_multiple_of(2) {
                config.prack_hold = Duration::from_secs(1);
            }
        });
        if phone.config.transport != Transport::Udp {
            (1..self.flows).for_each(|_| phone.add_line(phone.home));
        }
    }

    fn populate(&self, world: &mut World, seed: u64) {
        match self.cast {
            Cast::Peers(phones) => {
                for at in 0..phones {
                    let user = person_named(at);
                    let mut phone =
                        Phone::new(NodeId(at), &user, 0, "example.com", MESH, Transport::Udp, seed);
                    phone.registers = false;
                    self.equip(&mut phone, at, seed);
                    world.add(Node::Phone(phone));
                }
            }
            Cast::Domains { servers, udp, websocket, streams, devices } => {
                for at in 0..servers {
                    let domain = domain_named(at);
                    let domain = domain.as_str();
                    let server = NodeId(world.nodes.len());
                    let mut node = ServerNode::new(server, domain, seed);
                    let number = udp + websocket + streams;
                    let people: Vec<String> = (at * number..(at + 1) * number).map(person_named).collect();
                    people.iter().for_each(|user| node.directory.add(domain, user, &password(user)));
                    world.add(Node::Server(node));
                    for (number, user) in people.iter().enumerate() {
                        let transport = match number {
                            _ if number < udp => Transport::Udp,
                            _ if number < udp + websocket => Transport::Ws,
                            _ if number % 2 == 0 => Transport::Tcp,
                            _ => Transport::Tls,
                        };
                        for device in 0..devices {
                            let id = NodeId(world.nodes.len());
                            let mut phone = Phone::new(id, user, device, domain, server, transport, seed);
                            self.equip(&mut phone, id.0, seed);
                            world.add(Node::Phone(phone));
                        }
                    }
                }
            }
        }
    }
}

/// alice, bob, …, zoe, alice2, bob2, …
fn person_named(at: usize) -> String {
    let (round, name) = (at / PEOPLE.len(), PEOPLE[at % PEOPLE.len()]);
    if round == 0 { name.to_owned() } else { format!("{name}{}", round + 1) }
}

/// a.example, …, z.example, a2.example, …
fn domain_named(at: usize) -> String {
    let (round, letter) = (at / 26, char::from(b'a' + (at % 26) as u8));
    if round == 0 { format!("{letter}.example") } else { format!("{letter}{}.example", round + 1) }
}
