//! `corpus`: every file of some folders through the core.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, panic};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use tests::corpus::{Fate, Report, Verdict, Way, examine};

/// Takes every file below DIR, one SIP message each, through the core: parses it, prints it, parses that, reads every
/// header field and body through its type, and forwards it as the proxy does (requests to a binding, responses back
/// through a transaction). Header fields that are not a proxy's to change must leave byte for byte, in order.
///
/// A line for each file: what became of it, the time the core took, the file. Lines below it that begin with `inside`
/// tell of header fields and bodies that do not follow their own grammar: such are forwarded as they came.
///
/// Fails if the core panics, if anything is not equal that should be, or if one file takes longer than the limit.
#[derive(Parser)]
#[command(name = "corpus")]
struct Options {
    /// Folders, searched with all folders in them, or single files.
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Read the paths of the files from this list, one a line, relative to the one DIR: not every file below it.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Fail if a message is refused.
    #[arg(long)]
    expect_accepted: bool,
    /// Fail if a header field or body of an accepted message is refused by its own type.
    #[arg(long)]
    expect_typed: bool,
    /// Longest time for one file, microseconds.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 2_000)]
    limit: u64,
    /// Print only what fails, and the summary.
    #[arg(long, short)]
    quiet: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    let files = match &options.list {
        None => files(&options.paths)?,
        Some(list) => listed(list, &options.paths)?,
    };
    ensure!(!files.is_empty(), "there is no file to read");
    // A panic is reported on its file's line.
    panic::set_hook(Box::new(|_| {}));
    let limit = Duration::from_micros(options.limit);
    let mut summary = Summary::default();
    for path in &files {
        let message = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let report = examine(&message, limit);
        let failed = summary.count(&report, options, limit);
        if failed || !options.quiet {
            print_line(path, message.len(), &report, failed);
        }
        summary.slowest = summary.slowest.take().max(Some((report.time, path.clone())));
    }
    summary.print(files.len());
    Ok(summary.failed == 0)
}

fn print_line(path: &Path, length: usize, report: &Report, failed: bool) {
    let verdict = match &report.verdict {
        Verdict::Accepted(Fate::Forwarded(Way::Transaction)) => "accepted, forwarded".into(),
        Verdict::Accepted(Fate::Forwarded(Way::Stateless)) => "accepted, forwarded statelessly".into(),
        Verdict::Accepted(Fate::Ends(why)) => format!("accepted, ends here: {why}"),
        Verdict::Refused(error) => format!("refused: {error}"),
        Verdict::Unequal(what) => format!("NOT EQUAL: {what}"),
        Verdict::Panicked(text) => format!("PANIC: {text}"),
    };
    let mark = if failed { "FAIL " } else { "" };
    let micros = report.time.as_nanos() as f64 / 1_000.0;
    println!("{mark}{}: {verdict} ({length} bytes, {micros:.1} µs)", path.display());
    for what in &report.refused_inside {
        println!("    inside: {what}");
    }
}

#[derive(Default)]
struct Summary {
    accepted: usize,
    forwarded: usize,
    refused: usize,
    refused_inside: usize,
    unequal: usize,
    panicked: usize,
    slow: usize,
    failed: usize,
    slowest: Option<(Duration, PathBuf)>,
}

impl Summary {
    /// Whether the file fails the run.
    fn count(&mut self, report: &Report, options: &Options, limit: Duration) -> bool {
        let mut failed = report.verdict.is_failure();
        match &report.verdict {
            Verdict::Accepted(fate) => {
                self.accepted += 1;
                self.forwarded += usize::from(matches!(fate, Fate::Forwarded(_)));
            }
            Verdict::Refused(_) => {
                self.refused += 1;
                failed |= options.expect_accepted;
            }
            Verdict::Unequal(_) => self.unequal += 1,
            Verdict::Panicked(_) => self.panicked += 1,
        }
        if !report.refused_inside.is_empty() {
            self.refused_inside += 1;
            failed |= options.expect_typed;
        }
        if report.time > limit {
            self.slow += 1;
            failed = true;
        }
        self.failed += usize::from(failed);
        failed
    }

    fn print(&self, files: usize) {
        println!(
            "\n{files} files: {} accepted ({} of them forwarded, {} with something refused inside), {} refused, {} not \
             equal, {} panics, {} too slow",
            self.accepted,
            self.forwarded,
            self.refused_inside,
            self.refused,
            self.unequal,
            self.panicked,
            self.slow
        );
        if let Some((time, path)) = &self.slowest {
            println!("slowest: {:.1} µs, {}", time.as_nanos() as f64 / 1_000.0, path.display());
        }
        match self.failed {
            0 => println!("ok"),
            failed => println!("{failed} FAILED"),
        }
    }
}

/// All files below the paths, in a fixed order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            inside.push(entry?.path());
        }
        inside.sort();
        found.extend(files(&inside)?);
    }
    // Tables and descriptions beside the messages are none.
    found.retain(|path| {
        !path.extension().is_some_and(|e| ["tsv", "csv", "md", "json"].iter().any(|x| e == *x))
    });
    Ok(found)
}

fn listed(list: &Path, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let [base] = paths else { anyhow::bail!("--list goes with one DIR") };
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| base.join(line)).collect())
}
