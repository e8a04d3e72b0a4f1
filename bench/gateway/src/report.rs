//! The tables, in Markdown.

use std::fmt::Write as _;

use crate::measure::{Figure, Figures, HELD_WS, Plan};
use crate::server::{KINDS, Kind};

/// All figures as a text.
pub fn tables(figures: &Figures, plan: &Plan) -> String {
    let mut out = format!("{}, {} rounds of {} s.\n\n", machine(), plan.rounds, plan.seconds);
    out += "CPU time of the server, user and system over all its processes, an operation.\n\n\
            | operation | floor, µs | Kamailio, µs | ours, µs | (ours − floor) ÷ (Kamailio − floor) |\n|---|--:|--:|--:|--:|\n";
    for (scenario, by_kind) in figures.iter().filter(|(scenario, _)| **scenario < HELD_WS) {
        let cost = |kind| median(by_kind.get(&kind).into_iter().flatten().map(|figure| figure.cost));
        let [floor, kamailio, ours] = [Kind::Floor, Kind::Kamailio, Kind::Ours].map(cost);
        let ratio = (ours - floor) / (kamailio - floor);
        let _ = writeln!(out, "| {} | {floor:.1} | {kamailio:.1} | {ours:.1} | {ratio:.2} |", scenario.1);
    }
    let _ = write!(
        out,
        "\nMemory for each of {} connections, KiB.\n\n| | floor | Kamailio | ours |\n|---|--:|--:|--:|\n",
        plan.held
    );
    for (scenario, by_kind) in figures.iter().filter(|(scenario, _)| **scenario >= HELD_WS) {
        let cells = [Kind::Floor, Kind::Kamailio, Kind::Ours].map(|kind| match by_kind.get(&kind) {
            Some(figures) => format!("{:.1}", median(figures.iter().map(|figure| figure.cost / 1024.0))),
            None => String::new(),
        });
        let _ = writeln!(out, "| {} | {} |", scenario.1, cells.join(" | "));
    }
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
    let (busy, cost) = if scenario < HELD_WS {
        (format!("{:.0} %", figure.busy * 100.0), format!("{:.1} µs", figure.cost))
    } else {
        (String::new(), format!("{:.1} KiB", figure.cost / 1024.0))
    };
    format!(
        "| {} | {kind:?} | {} | {:.0} | {} | {} | {} | {busy} | {cost} |",
        scenario.1, figure.rate, figure.achieved, outcome.done, outcome.failed, outcome.repeated
    )
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
