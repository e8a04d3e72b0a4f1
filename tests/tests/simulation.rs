//! Seeds of every scenario, and proof that a broken rule is noticed.

use sip_core::time::Duration;
use tests::simulation::flows;
use tests::simulation::play;
use tests::simulation::sabotage::Rule;
use tests::simulation::scenario::{Cast, SCENARIOS, Scenario};

/// All scenarios together.
fn seeds() -> u64 {
    if std::env::var_os("TRAPEZOID_LONG").is_some() { 10_000 } else { 200 }
}

#[test]
fn no_seed_of_any_scenario_breaks_a_rule() {
    for seed in 0..seeds() {
        let scenario = &SCENARIOS[seed as usize % SCENARIOS.len()];
        let outcome = play(scenario, seed, None, None);
        if let Some(violation) = outcome.violation {
            let again = play(scenario, seed, None, Some(200));
            panic!("{}\nscenario {}, seed {seed}: {violation}", again.ladder, scenario.name);
        }
        assert!(outcome.calls > 0, "{} {seed}: nobody called", scenario.name);
    }
}

/// The same people with everything that can go wrong: a tenth lost, doubled and late, partitions, broken connections, restarts.
#[test]
fn no_seed_of_any_scenario_breaks_a_rule_in_a_storm() {
    for seed in 0..seeds() / 2 {
        let scenario = SCENARIOS[seed as usize % SCENARIOS.len()].in_a_storm();
        let outcome = play(&scenario, seed, None, None);
        if let Some(violation) = outcome.violation {
            let again = play(&scenario, seed, None, Some(200));
            panic!("{}\nscenario {} in a storm, seed {seed}: {violation}", again.ladder, scenario.name);
        }
    }
}

/// Seeds that broke a rule once.
#[test]
fn what_was_found_stays_found() {
    let found = [
        // A re-INVITE got its 100, and the proxy that sent it restarted.
        ("server-restart", false, 34),
        // A refresh without an offer is refused while the other side's offer waits for its answer.
        ("reconnect", false, 1_433),
        // A PRACK with an offer comes again under another branch.
        ("overture", true, 1_010_207),
        // A copy of an INVITE that was refused comes when the callee has registered.
        ("write", false, 2_630),
        // One of two flows is down when its phone leaves the registrar.
        ("chaos", true, 6_000_236),
        // A CANCEL after a restart is answered, and one who may have been called is not back yet.
        ("chaos", true, 8_000_047),
    ];
    for (name, storm, seed) in found {
        let scenario = Scenario::named(name).expect("a scenario");
        let scenario = if storm { scenario.in_a_storm() } else { *scenario };
        assert_eq!(play(&scenario, seed, None, None).violation, None, "{name} {seed}");
    }
}

/// More people and domains than have names of their own.
#[test]
fn there_may_be_any_number_of_people_and_servers() {
    let loss = Scenario::named("loss").expect("a scenario");
    let domains = Cast::Domains { servers: 30, udp: 1, websocket: 0, streams: 1, devices: 1 };
    for cast in [Cast::Peers(40), domains] {
        let outcome = play(&Scenario { cast, activity: Duration::from_secs(30), ..*loss }, 1, None, None);
        assert_eq!(outcome.violation, None, "{cast:?}");
        assert!(outcome.calls > 40, "{cast:?}: {}", outcome.calls);
    }
}

#[test]
fn a_seed_is_a_run() {
    for scenario in SCENARIOS {
        let [first, second] = [(); 2].map(|()| play(scenario, 7, None, None));
        assert_eq!((first.hash, first.messages), (second.hash, second.messages), "{}", scenario.name);
        assert_ne!(first.hash, play(scenario, 8, None, None).hash, "{}", scenario.name);
        // Writing everything down changes nothing.
        assert_eq!(first.hash, play(scenario, 7, None, Some(10)).hash, "{}", scenario.name);
    }
}

/// The first violation within some seeds of these scenarios.
fn noticed(rule: Rule, scenarios: &[&str]) -> String {
    let scenarios = scenarios.iter().map(|name| Scenario::named(name).expect("a scenario"));
    let runs = scenarios.flat_map(|scenario| (0..60).map(move |seed| (scenario, seed)));
    let found =
        runs.map(|(scenario, seed)| play(scenario, seed, Some(rule), None).violation).find_map(|found| found);
    found.unwrap_or_else(|| panic!("nobody noticed that a rule is broken: {rule}")).rule.to_owned()
}

#[test]
fn every_broken_rule_is_noticed() {
    let repeated = "repeats a message that arrived and was in time";
    let lost = "a call failed for want of a message that was lost at most twice";
    assert_eq!(noticed(Rule::AckOfSuccess, &["smooth"]), repeated);
    assert_eq!(noticed(Rule::AckOfRefusal, &["smooth"]), repeated);
    assert_eq!(noticed(Rule::AckAgain, &["loss"]), lost);
    assert_eq!(noticed(Rule::TimerA, &["peers"]), lost);
    assert_eq!(noticed(Rule::SuccessAgain, &["peers"]), lost);
    assert_eq!(noticed(Rule::TimerG, &["peers"]), "a refusal was not heard");
    assert_eq!(noticed(Rule::Refresh, &["timers"]), lost);
    assert_eq!(noticed(Rule::Bye, &["smooth"]), "the ends of a call disagree whether it stands");
    assert_eq!(noticed(Rule::Terminated, &["smooth"]), "a request had no final answer, and nothing was lost");
    let unasked = "nobody asked whether a call stands whose flow was lost";
    assert_eq!(noticed(Rule::Probe, &["away"]), unasked);
    assert_eq!(noticed(Rule::Snapshot, &["snapshots"]), "a call that was taken up is refused its session");
    assert_eq!(noticed(Rule::Keys, &["server-restart"]), "the ends of a call disagree whether it stands");
    noticed(Rule::Timeout, &["server-amnesia"]);
    assert_eq!(noticed(Rule::Due, &["smooth"]), "a timer that fired is still due: a busy loop");
    assert_eq!(noticed(Rule::Haste, &["smooth"]), "timers fire all the time: a busy loop");
    assert_eq!(noticed(Rule::Leftover, &["smooth"]), "a timer of a transaction that is gone");
    // By a call, a registration or a message that failed, whichever comes first.
    noticed(Rule::TimerE, &["loss"]);
    noticed(Rule::Notify, &["presence"]);
    for rule in [Rule::Clock, Rule::Cancel] {
        noticed(rule, &["smooth"]);
    }
}

#[test]
fn a_failing_seed_replays_identically() {
    let scenario = Scenario::named("peers").expect("a scenario");
    let failing = |ladder| {
        let mut runs = (0..60).map(|seed| play(scenario, seed, Some(Rule::TimerA), ladder));
        runs.find(|outcome| outcome.violation.is_some()).expect("a seed that fails")
    };
    let (first, drawn) = (failing(None), failing(Some(1_000)));
    assert_eq!((first.hash, &first.violation), (drawn.hash, &drawn.violation));
    assert!(drawn.ladder.contains("INVITE") && drawn.ladder.contains('✗'), "{}", drawn.ladder);
}

/// RFC 3665 §3, RFC 5359 §2, RFC 5407 §3.
#[test]
fn the_flows_of_the_rfcs() {
    let different: Vec<String> = flows::all().filter_map(|flow| flow.check().err()).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}
