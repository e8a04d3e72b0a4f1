//! The scenarios: who is there, what the network does, what goes wrong, and how people behave.

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

const PEOPLE_AT_HOME: Habits = Habits {
    calls: 3,
    pause: (1_000, 20_000),
    reflexes: (0, 6_000),
    answer: 70,
    refuse: 70,
    cancel: 25,
    hang_up: 50,
    talk: (0, 15_000),
    write: 30,
    change: 40,
    early: 25,
    overture: 0,
    chat: 50,
    leave: 0,
    abroad: 50,
    watch: 20,
    transfer: 15,
    redirect: 0,
    ask: 0,
    large: 0,
    strict: true,
};

const THREE_HOPS: Profile = Profile { lost_in_a_row: 1, ..Profile::ROUGH };

const UDP_HOME: Cast = Cast::Domains { servers: 1, udp: 3, websocket: 0, streams: 0, devices: 1 };
const TWO_HOMES: Cast = Cast::Domains { servers: 2, udp: 2, websocket: 1, streams: 0, devices: 1 };
const MIXED_HOME: Cast = Cast::Domains { servers: 1, udp: 2, websocket: 2, streams: 0, devices: 1 };
const NO_UDP: Cast = Cast::Domains { servers: 1, udp: 0, websocket: 2, streams: 2, devices: 1 };
const TRAPEZOID_NO_UDP: Cast = Cast::Domains { servers: 2, udp: 0, websocket: 1, streams: 2, devices: 1 };

const PLAIN: Scenario = Scenario {
    name: "",
    about: "",
    cast: UDP_HOME,
    profile: Profile::ROUGH,
    faults: Faults::NONE,
    habits: PEOPLE_AT_HOME,
    activity: Duration::from_secs(90),
    timers: false,
    no_repeats: false,
    trunks: false,
    flows: 1,
    away: (100, 3_000),
    snapshots: false,
    lasting: false,
};

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "smooth",
        about: "phones on UDP and WebSocket around one server; nothing is lost, so nothing may be repeated",
        cast: MIXED_HOME,
        profile: Profile::SMOOTH,
        no_repeats: true,
        ..PLAIN
    },
    Scenario {
        name: "peers",
        about: "two phones without a server; a tenth of all datagrams lost, doubled, late",
        cast: Cast::Peers(2),
        ..PLAIN
    },
    Scenario {
        name: "transfer",
        about: "four phones without a server send each other to others",
        cast: Cast::Peers(4),
        habits: Habits { transfer: 60, hang_up: 30, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "trapezoid",
        about: "phones of two domains, whose calls take two servers; nothing is lost, so nothing may be repeated",
        cast: TWO_HOMES,
        profile: Profile::SMOOTH,
        no_repeats: true,
        ..PLAIN
    },
    Scenario {
        name: "trapezoid-loss",
        about: "the same; a tenth lost, doubled, late",
        cast: TWO_HOMES,
        profile: THREE_HOPS,
        ..PLAIN
    },
    Scenario {
        name: "presence",
        about: "people of two domains who watch each other; a tenth lost, doubled, late",
        cast: TWO_HOMES,
        profile: THREE_HOPS,
        habits: Habits { calls: 1, watch: 90, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "timers",
        about: "phones around one server that have their sessions timed; a tenth lost, doubled, late",
        cast: MIXED_HOME,
        timers: true,
        ..PLAIN
    },
    Scenario { name: "loss", about: "phones on UDP around one server; a tenth lost, doubled, late", ..PLAIN },
    Scenario {
        name: "fork",
        about: "three people with three phones each, which ring together",
        cast: Cast::Domains { servers: 1, udp: 2, websocket: 1, streams: 0, devices: 3 },
        ..PLAIN
    },
    Scenario {
        name: "early",
        about: "three phones each that let the caller hear something before they are answered, reliably (RFC 3262)",
        cast: Cast::Domains { servers: 1, udp: 2, websocket: 1, streams: 0, devices: 3 },
        habits: Habits { early: 80, reflexes: (1_000, 12_000), ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "overture",
        about: "the same, and both sides change what they hear before the call is answered; a third calls without an offer",
        cast: Cast::Domains { servers: 1, udp: 2, websocket: 1, streams: 0, devices: 3 },
        habits: Habits { early: 80, overture: 70, reflexes: (1_000, 12_000), ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "write",
        about: "people in calls who write to each other and press keys; a tenth lost, doubled, late",
        cast: TWO_HOMES,
        profile: THREE_HOPS,
        habits: Habits { write: 75, talk: (5_000, 30_000), ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "leave",
        about: "people leave the registrar and come back while they are called",
        cast: MIXED_HOME,
        habits: Habits { leave: 70, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "elsewhere",
        about: "callers are sent to others, half of them as they decide; people ask what is registered, and remove all of it",
        cast: TWO_HOMES,
        profile: THREE_HOPS,
        habits: Habits { answer: 40, redirect: 70, ask: 60, leave: 50, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "mtu",
        about: "datagrams over 2,000 bytes are dropped, and half of all offers are larger",
        profile: Profile { mtu: 2_000, ..Profile::SMOOTH },
        habits: Habits { large: 50, strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "partition",
        about: "phones are cut off for up to eight seconds",
        cast: MIXED_HOME,
        faults: Faults { partitions: 6, partition: (500, 8_000), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "reconnect",
        about: "WebSocket connections break and come back",
        cast: Cast::Domains { servers: 1, udp: 1, websocket: 3, streams: 0, devices: 1 },
        faults: Faults { breaks: 8, notice: (0, 6_000), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "server-restart",
        about: "the server restarts and keeps its bindings",
        cast: MIXED_HOME,
        faults: Faults { server_restarts: 2, down: (100, 4_000), keep_bindings: Some(true), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "server-amnesia",
        about: "the server restarts and has forgotten its bindings",
        cast: MIXED_HOME,
        faults: Faults { server_restarts: 2, down: (100, 4_000), keep_bindings: Some(false), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "phone-restart",
        about: "phones restart and have forgotten their calls; most have their sessions timed",
        cast: MIXED_HOME,
        timers: true,
        faults: Faults { phone_restarts: 3, down: (100, 10_000), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "streams",
        about: "phones on TCP, TLS and WebSocket around one server; segments are late and cut anywhere",
        cast: NO_UDP,
        habits: Habits { large: 20, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "trunks",
        about: "two domains whose servers take TCP for what is too long for a datagram; half of all offers are",
        cast: TRAPEZOID_NO_UDP,
        profile: Profile { mtu: 1_300, ..THREE_HOPS },
        // Servers record themselves with `transport=udp`, so that long NOTIFYs go as datagrams and come to nothing.
        habits: Habits { large: 50, watch: 0, ..PEOPLE_AT_HOME },
        trunks: true,
        ..PLAIN
    },
    Scenario {
        name: "flows",
        about: "phones with two flows each, which break and come back one by one; calls last",
        cast: NO_UDP,
        faults: Faults { breaks: 12, notice: (0, 2_000), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        flows: 2,
        lasting: true,
        ..PLAIN
    },
    Scenario {
        name: "away",
        about: "connections break and phones come back after half a minute and more",
        cast: NO_UDP,
        faults: Faults { breaks: 5, notice: (0, 3_000), ..Faults::NONE },
        habits: Habits { strict: false, talk: (0, 30_000), ..PEOPLE_AT_HOME },
        away: (40_000, 80_000),
        ..PLAIN
    },
    Scenario {
        name: "snapshots",
        about: "phones restart and take up their calls by snapshots; calls last",
        cast: MIXED_HOME,
        timers: true,
        faults: Faults { phone_restarts: 4, keep_calls: Some(true), down: (100, 8_000), ..Faults::NONE },
        habits: Habits { strict: false, ..PEOPLE_AT_HOME },
        snapshots: true,
        lasting: true,
        ..PLAIN
    },
    Scenario {
        name: "restarts",
        about: "servers and phones restart, with what they kept or without it",
        cast: Cast::Domains { servers: 2, udp: 1, websocket: 1, streams: 1, devices: 1 },
        timers: true,
        faults: Faults {
            phone_restarts: 4,
            keep_calls: None,
            server_restarts: 3,
            keep_bindings: None,
            down: (100, 6_000),
            ..Faults::NONE
        },
        habits: Habits { strict: false, watch: 50, transfer: 40, ..PEOPLE_AT_HOME },
        trunks: true,
        snapshots: true,
        ..PLAIN
    },
    Scenario {
        name: "load",
        about: "twenty people on UDP, TCP and WebSocket call each other all the time",
        cast: Cast::Domains { servers: 1, udp: 8, websocket: 8, streams: 4, devices: 1 },
        habits: Habits { calls: 5, pause: (500, 8_000), ..PEOPLE_AT_HOME },
        ..PLAIN
    },
    Scenario {
        name: "chaos",
        about: "two domains, several phones each, and everything goes wrong",
        cast: Cast::Domains { servers: 2, udp: 1, websocket: 2, streams: 1, devices: 2 },
        timers: true,
        faults: Faults {
            partitions: 5,
            partition: (500, 8_000),
            breaks: 5,
            notice: (0, 6_000),
            server_restarts: 1,
            keep_bindings: None,
            phone_restarts: 1,
            keep_calls: None,
            down: (100, 5_000),
        },
        trunks: true,
        flows: 2,
        snapshots: true,
        habits: Habits { leave: 20, strict: false, ..PEOPLE_AT_HOME },
        ..PLAIN
    },
];

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
