//! Plays seeds of the simulation's scenarios and shows the first that breaks a rule.
//!
//! ```text
//! cargo run --release -p tests --bin simulate -- --seeds 1000 --scenario loss
//! cargo run --release -p tests --bin simulate -- --seed 17 --scenario loss --ladder
//! cargo run --release -p tests --bin simulate -- --list
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

use clap::Parser;
use tests::simulation::sabotage::Rule;
use tests::simulation::scenario::{SCENARIOS, Scenario};
use tests::simulation::{LADDER, flows, play};

/// Plays seeds of the simulation's scenarios and shows the first that breaks a rule.
#[derive(Parser)]
struct Options {
    /// How many seeds of each scenario, from 0 or from --seed on.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// One seed, or the first.
    #[arg(long)]
    seed: Option<u64>,
    /// One scenario instead of all.
    #[arg(long)]
    scenario: Option<String>,
    /// Everything goes wrong in each scenario: loss, reordering, partitions, broken connections, restarts.
    #[arg(long)]
    storm: bool,
    /// Plays the call flows of RFC 3665, RFC 5359 and RFC 5407 and compares them with the tables.
    #[arg(long)]
    flows: bool,
    /// Names the scenarios, and the rules that can be broken.
    #[arg(long)]
    list: bool,
    /// Draws the ladder of every seed that is played, and not only of one that fails.
    #[arg(long)]
    ladder: bool,
    /// The most lines of a ladder; the last ones are drawn.
    #[arg(long, default_value_t = LADDER)]
    lines: usize,
    /// Says how calls ended.
    #[arg(long)]
    ends: bool,
    /// Stops at, and draws, the first run in which a call ended in a way that has this in its name (see --ends).
    #[arg(long)]
    find: Option<String>,
    /// Breaks a rule on purpose: the first seed that notices ends the run.
    #[arg(long = "break")]
    broken: Option<String>,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.list {
        SCENARIOS.iter().for_each(|s| println!("{:<16}{}", s.name, s.about));
        println!("\nRules to --break: {}", Rule::ALL.map(Rule::name).join(", "));
        return ExitCode::SUCCESS;
    }
    if options.flows {
        return play_flows();
    }
    let chosen: Vec<&Scenario> = match &options.scenario {
        None => SCENARIOS.iter().collect(),
        Some(name) => match Scenario::named(name) {
            Some(scenario) => vec![scenario],
            None => {
                eprintln!("there is no scenario \"{name}\"; see --list");
                return ExitCode::from(2);
            }
        },
    };
    let scenarios: Vec<Scenario> =
        chosen.into_iter().map(|s| if options.storm { s.in_a_storm() } else { *s }).collect();
    let broken = match options.broken.as_deref().map(|name| Rule::ALL.into_iter().find(|r| r.name() == name))
    {
        Some(None) => {
            eprintln!("there is no such rule to break; see --list");
            return ExitCode::from(2);
        }
        rule => rule.flatten(),
    };
    if options.seed.is_some() && !std::env::args().any(|argument| argument.starts_with("--seeds")) {
        options.seeds = 1;
    }
    let first = options.seed.unwrap_or(0);
    let started = cpu_seconds();
    let (mut messages, mut calls) = (0, 0);
    for scenario in &scenarios {
        let (started, before) = (cpu_seconds(), (messages, calls));
        let mut ends = BTreeMap::<String, u64>::new();
        for seed in first..first + options.seeds {
            let ladder = options.ladder.then_some(options.lines);
            let outcome = play(scenario, seed, broken, ladder);
            if let Some(text) = &options.find
                && outcome.ends.keys().any(|end| end.contains(text.as_str()))
            {
                print!("{}", play(scenario, seed, broken, Some(options.lines)).ladder);
                println!("\nscenario {}, seed {seed}: {text}", scenario.name);
                return ExitCode::SUCCESS;
            }
            messages += outcome.messages;
            calls += outcome.calls;
            outcome.ends.into_iter().for_each(|(end, times)| *ends.entry(end).or_default() += times);
            print!("{}", outcome.ladder);
            if let Some(violation) = outcome.violation {
                if !options.ladder {
                    // The same run once more, with everything written down.
                    print!("{}", play(scenario, seed, broken, Some(options.lines)).ladder);
                }
                println!("\nscenario {}, seed {seed}: {violation}", scenario.name);
                let broken = broken.map(|rule| format!(" --break {rule}")).unwrap_or_default();
                let storm = if options.storm { " --storm" } else { "" };
                println!("again: simulate{storm} --scenario {} --seed {seed}{broken}", scenario.name);
                return ExitCode::FAILURE;
            }
            if options.seeds == 1 {
                println!("trace {:016x}", outcome.hash);
            }
        }
        report(scenario.name, options.seeds, messages - before.0, calls - before.1, started);
        if options.ends {
            ends.iter().for_each(|(end, times)| println!("{times:>10} {end}"));
        }
    }
    report("all", options.seeds, messages, calls, started);
    ExitCode::SUCCESS
}

fn play_flows() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for flow in flows::all() {
        match flow.check() {
            Ok(()) => println!("{:<18}{}", flow.section, flow.about),
            Err(difference) => {
                code = ExitCode::FAILURE;
                println!("{difference}");
            }
        }
    }
    code
}

fn report(name: &str, seeds: u64, messages: u64, calls: u64, started: f64) {
    let seconds = cpu_seconds() - started;
    let rate = messages as f64 / seconds;
    println!(
        "{name:<16}{seeds:>6} seeds {calls:>9} calls {messages:>10} messages {seconds:>7.2} s {rate:>9.0} messages/s"
    );
}

/// Seconds this thread has been running, so that neighbours on the machine do not count.
fn cpu_seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds as f64 / 1e9)
}
