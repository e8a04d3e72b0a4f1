//! Our parser beside every other SIP parser in Rust, on the same bytes.
//!
//! `cargo run --release --manifest-path bench/parsers/Cargo.toml [ROUNDS]` prints Markdown tables.

mod allocations;
mod measure;
mod messages;
mod peers;

use std::fs;
use std::process::Command;

use measure::{Case, Cost, measure};
use messages::{Sample, samples};
use peers::{Parser, Run, Seen};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Chooses one of a parser's functions.
type Form = fn(&Parser) -> Option<Run>;

/// Odd, so that there is a middle one.
const ROUNDS: usize = 31;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(ROUNDS).max(1);
    let samples = samples();
    let parsers = peers::all();
    println!("{}, {rounds} rounds.\n", machine());
    let sizes: Vec<String> =
        samples.iter().map(|sample| format!("{} {}", sample.name, sample.bytes.len())).collect();
    println!("Bytes: {}.", sizes.join(", "));
    floor(&samples[0], rounds);
    let forms: [(&str, Form); 3] = [
        (
            "Route: the index, and top Via, From, To, Call-ID, CSeq and every Route typed, with their URIs",
            |p| p.route,
        ),
        ("Everything typed: every value of every header field the parser has a type for", |p| p.typed),
        ("Index: start line and header fields told apart", |p| p.index),
    ];
    for (title, form) in forms {
        table(title, form, &parsers, &samples, rounds);
    }
    println!("\nOf each:\n");
    for parser in &parsers {
        println!("- {} {}: {}.", parser.package, version(parser.package), parser.note);
    }
    println!("- libsip 0.2.6 does not compile with the nom its requirement resolves to.");
}

/// One pass of memchr over the lines: nobody reads a message in less.
fn floor(sample: &Sample, rounds: usize) {
    let lines: Run =
        |bytes| Some(Seen { text: memchr::memchr_iter(b'\n', bytes).count() as u32, ..Seen::default() });
    let costs = measure(&mut [Case::new(lines, &sample.bytes)], rounds);
    if let Some(Some(cost)) = costs.first() {
        println!("One memchr pass over the lines of the {}: {:.0} ns.", sample.name, cost.median);
    }
}

fn table(title: &str, form: Form, parsers: &[Parser], samples: &[Sample], rounds: usize) {
    println!("\n{title}.\n");
    println!(
        "| parser | INVITE, ns (least–most) | MB/s | allocations | bytes | values typed | × ours | REGISTER, ns | 200, ns \
         | ACK, ns |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    // Message by message, so that those who are compared ran within the same seconds.
    let costs: Vec<Vec<Option<Cost>>> = samples
        .iter()
        .map(|sample| {
            let mut cases: Vec<Option<Case>> =
                parsers.iter().map(|parser| Case::new(form(parser)?, &sample.bytes)).collect();
            measure(&mut cases, rounds)
        })
        .collect();
    let ours = |message: usize| costs[message][0].map(|cost| cost.median);
    let mut rows: Vec<usize> =
        (0..parsers.len()).filter(|parser| form(&parsers[*parser]).is_some()).collect();
    rows.sort_by(|a, b| {
        let median = |row: &usize| costs[0][*row].map_or(f64::INFINITY, |cost| cost.median);
        median(a).total_cmp(&median(b))
    });
    for row in rows {
        let parser = &parsers[row];
        let first = costs[0][row];
        let ratio = |message: usize| Some(costs[message][row]?.median / ours(message)?);
        let detail = first.map_or_else(
            || "refused | | | | |".into(),
            |cost| {
                format!(
                    "{:.0} ({:.0}–{:.0}) | {:.0} | {} | {} | {} | {:.1}",
                    cost.median,
                    cost.least,
                    cost.most,
                    samples[0].bytes.len() as f64 / cost.median * 1_000.0,
                    cost.allocations,
                    cost.allocated,
                    coverage(cost.seen),
                    ratio(0).unwrap_or_default(),
                )
            },
        );
        let others: Vec<String> = (1..samples.len())
            .map(|message| match (costs[message][row], ratio(message)) {
                (Some(cost), Some(ratio)) => format!("{:.0} (×{ratio:.1})", cost.median),
                _ => "refused".into(),
            })
            .collect();
        println!("| {} {} | {detail} | {} |", parser.package, version(parser.package), others.join(" | "));
    }
}

fn coverage(seen: Seen) -> String {
    let mut text = seen.typed.to_string();
    if seen.text > 0 {
        text.push_str(&format!(", {} as text", seen.text));
    }
    if seen.refused > 0 {
        text.push_str(&format!(", {} refused", seen.refused));
    }
    text
}

/// Of a package in this workspace's lock file.
fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../Cargo.lock");
    let (name, theirs) = match package {
        "sip-core (ours)" => ("sip-core", false),
        "sip-core (sipr)" => ("sip-core", true),
        other => (other, true),
    };
    let entries = LOCK.split("[[package]]").filter(|entry| entry.contains(&format!("\nname = \"{name}\"\n")));
    let mut entries = entries.filter(|entry| entry.contains("\nsource = ") == theirs);
    let version = entries.next().and_then(|entry| entry.split("\nversion = \"").nth(1));
    version.and_then(|text| text.split('"').next()).unwrap_or("?")
}

/// What it runs on, in one line.
fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc =
        Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let rustc = String::from_utf8_lossy(&rustc).split(" (").next().unwrap_or("rustc").trim().to_owned();
    format!("{}, {cores} cores, {rustc}, {}", model.unwrap_or("unknown processor"), std::env::consts::OS)
}
