//! A simulation: any number of user agents and servers on one virtual clock, over links that lose, double, reorder and
//! break as a seed has it. Every run is a function of its scenario and its seed; a run that breaks a rule is played again
//! and drawn as a ladder of messages.
//!
//! [`scenario`] says who is there and what goes wrong, [`world`] lets it happen, [`rules`] and [`watch`] say what must
//! hold, [`sabotage`] breaks rules on purpose to see that it is noticed. What it does not do: media, real sockets, time
//! that passes by itself.

pub mod chats;
pub mod directory;
pub mod fault;
pub mod flows;
pub mod ladder;
pub mod mesh;
pub mod network;
pub mod node;
pub mod person;
pub mod presence;
pub mod redirections;
pub mod rules;
pub mod sabotage;
pub mod scenario;
pub mod sessions;
pub mod trace;
pub mod transfers;
pub mod watch;
pub mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sip_core::time::Instant;
use sip_core::user_agent::End;

use sabotage::{Rule, Saboteur};
use scenario::Scenario;
use world::{START, Setting, World};

/// Names a node for a whole run, its restarts included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// Where it was noticed.
    pub node: String,
    /// What holds of a correct one.
    pub rule: &'static str,
    /// What was found instead.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.since(START).as_secs_f64();
        write!(f, "{:.3} s, {}: {}: {}", seconds, self.node, self.rule, self.detail)
    }
}

/// How one run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Equal for equal runs.
    pub hash: u64,
    /// Messages sent.
    pub messages: u64,
    /// Calls made and taken.
    pub calls: u64,
    /// How calls ended, and how often.
    pub ends: BTreeMap<String, u64>,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// The last messages, if a ladder was wanted.
    pub ladder: String,
}

/// Lines of a ladder.
pub const LADDER: usize = 400;

/// Plays one seed of a scenario. `ladder`: draw it, as long as it may be.
pub fn play(scenario: &Scenario, seed: u64, broken: Option<Rule>, ladder: Option<usize>) -> Outcome {
    let setting = Setting {
        whole_trace: ladder.is_some(),
        no_repeats: scenario.no_repeats,
        saboteur: broken.map(Saboteur::new),
    };
    let mut world = scenario.world(seed, setting);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| scenario.play(&mut world))) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let (at, node) = (world.now, "somebody".to_owned());
        world.violation = Some(Violation { at, node, rule: "a panic", detail: text.unwrap_or_default() });
    }
    outcome(world, ladder)
}

fn outcome(mut world: World, ladder: Option<usize>) -> Outcome {
    let calls = world.phones().into_iter().map(|id| world.phone(id).watch.total).sum();
    let mut ends = BTreeMap::new();
    for (_, outgoing, end) in world.ends.values().flatten() {
        let how = match end {
            End::Failed(failure) => format!("{:?} {:?}", failure.cause, failure.status.unwrap_or_default()),
            End::Rejected { .. } => "Rejected".to_owned(),
            other => format!("{other:?}"),
        };
        *ends.entry(format!("{}: {how}", if *outgoing { "caller" } else { "callee" })).or_default() += 1;
    }
    let names: Vec<&str> = world.nodes.iter().map(node::Node::name).collect();
    let ladder = ladder.map(|most| ladder::draw(&names, &world.trace, most)).unwrap_or_default();
    Outcome {
        hash: world.trace.hash(),
        messages: world.trace.messages(),
        calls,
        ends,
        violation: world.violation,
        ladder,
    }
}
