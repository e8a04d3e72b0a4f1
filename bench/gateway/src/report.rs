//! The tables, in Markdown.

use std::fmt::Write as _;

use crate::measure::{Figure, Figures, HELD_WS, MOST_REGISTER, Plan};
use crate::server::{KINDS, Kind};

/// All figures as a text.
pub fn tables(figures: &Figures, plan: &Plan) -> String {
    let mut out = format!("{}, {} rounds of {} s.\n", machine(), plan.rounds, plan.seconds);
    let costs: Vec<_> = figures.iter().filter(|(scenario, _)| **scenario < HELD_WS).collect();
    if !costs.is_empty() {
        out += "\nCPU time of the server, user and system over all its processes, an operation.\n\n\
                | operation | floor, µs | Kamailio, µs | ours, µs | (ours − floor) ÷ (Kamailio − floor) |\n|---|--:|--:|--:|--:|\n";
    }
    for (scenario, by_kind) in costs {
        let cost = |kind| median(by_kind.get(&kind).into_iter().flatten().map(|figure| figure.cost));
        let [floor, kamailio, ours] = [Kind::Floor, Kind::Kamailio, Kind::Ours].map(cost);
        let ratio = (ours - floor) / (kamailio - floor);
        let _ = writeln!(out, "| {} | {floor:.1} | {kamailio:.1} | {ours:.1} | {ratio:.2} |", scenario.1);
    }
    out += &medians(
        figures,
        HELD_WS..MOST_REGISTER,
        &format!("Memory for each of {} connections, KiB.", plan.held),
        |figure| figure.cost / 1024.0,
        1,
    );
    out += &medians(
        figures,
        MOST_REGISTER..(usize::MAX, ""),
        "Operations a second that SIPp gets done over UDP while nothing is repeated, in steps of a quarter.",
        |figure| figure.rate as f64,
        0,
    );
    out += "\nEvery round.\n\n| operation | server | offered/s | done/s | done | failed | repeated | machine busy | cost |\n\
            |---|---|--:|--:|--:|--:|--:|--:|--:|\n";
    for (scenario, by_kind) in figures {
        for kind in KINDS {
            for figure in by_kind.get(&kind).into_iter().flatten() {
                let _ = writeln!(out, "{}", row(*scenario, kind, figure));
            }
        }
    }
    out
}

fn row(scenario: (usize, &str), kind: Kind, figure: &Figure) -> String {
    let outcome = figure.outcome;
    let (busy, cost) = if !(HELD_WS..MOST_REGISTER).contains(&scenario) {
        (format!("{:.0} %", figure.busy * 100.0), format!("{:.1} µs", figure.cost))
    } else {
        (String::new(), format!("{:.1} KiB", figure.cost / 1024.0))
    };
    format!(
        "| {} | {kind:?} | {} | {:.0} | {} | {} | {} | {busy} | {cost} |",
        scenario.1, figure.rate, figure.achieved, outcome.done, outcome.failed, outcome.repeated
    )
}

/// A table of medians of some scenarios, if there are any.
fn medians(
    figures: &Figures,
    of: std::ops::Range<(usize, &'static str)>,
    title: &str,
    value: fn(&Figure) -> f64,
    digits: usize,
) -> String {
    let mut rows = String::new();
    for (scenario, by_kind) in figures.range(of) {
        let cells = [Kind::Floor, Kind::Kamailio, Kind::Ours].map(|kind| match by_kind.get(&kind) {
            Some(figures) => format!("{:.digits$}", median(figures.iter().map(value))),
            None => String::new(),
        });
        let _ = writeln!(rows, "| {} | {} |", scenario.1, cells.join(" | "));
    }
    if rows.is_empty() {
        return rows;
    }
    format!("\n{title}\n\n| | floor | Kamailio | ours |\n|---|--:|--:|--:|\n{rows}")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!("{}, {cores} cores, load {load} at the end", name.map_or("unknown", |(_, name)| name.trim()))
}
