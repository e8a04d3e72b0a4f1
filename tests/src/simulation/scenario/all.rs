//! All of them.

use sip_core::time::Duration;

use super::super::fault::Faults;
use super::super::network::Profile;
use super::super::person::Habits;
use super::{Cast, Scenario};

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

pub(super) const THREE_HOPS: Profile = Profile { lost_in_a_row: 1, ..Profile::ROUGH };

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
