//! Builds the fuzzer with the everyday toolchain and runs its targets, two at a time.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::compiler::{host, on_path};
use crate::{root, succeed};

/// Targets that run at once: as many as the smallest machine has processors.
const AT_ONCE: usize = 2;
/// Bytes of one input; larger ones are made of repetitions.
const INPUT_BYTES: u32 = 6000;
/// Seconds after which one input counts as hanging, on a machine that does other things too.
const HANG: u32 = 60;
/// Seconds from which on a run is a search, and not a check.
const LONG: u32 = 60;
/// MiB of memory past which a target counts as leaking.
const MEMORY: u32 = 1024;
/// How often a long run says where it is.
const PULSE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Run one target once, on this file.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// The targets; all of them if none is named.
    targets: Vec<String>,
}

/// What one target's run came to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    target: String,
    executions: u64,
    per_second: u64,
    features: u64,
    corpus: u64,
    failure: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let root = root();
    let fuzzer = build(&root)?;
    let known = Command::new(&fuzzer).env("FUZZ_LIST", "1").output().context("cannot start the fuzzer")?;
    let known: Vec<String> = String::from_utf8(known.stdout)?.lines().map(String::from).collect();
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no target {unknown}; there are: {}", known.join(", "));
    }
    let targets = if options.targets.is_empty() { &known } else { &options.targets };
    if let Some(file) = &options.replay {
        ensure!(targets.len() == 1, "--replay runs one target: name it");
        return succeed(Command::new(&fuzzer).env("FUZZ_TARGET", &targets[0]).arg(file));
    }

    let waiting = Mutex::new(targets.iter().cloned().collect::<VecDeque<String>>());
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next(&waiting) {
                    let outcome =
                        fuzz(&fuzzer, &root.join("target/fuzz/run").join(&target), &target, options.seconds)
                            .unwrap_or_else(|error| Outcome {
                                target,
                                failure: Some(format!("{error:#}")),
                                ..Outcome::default()
                            });
                    outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| targets.iter().position(|target| *target == outcome.target));
    report(&outcomes)
}

fn next(waiting: &Mutex<VecDeque<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
}

/// Compiles with LLVM's coverage counters, which need neither a nightly compiler nor a sanitizer.
fn build(root: &Path) -> Result<PathBuf> {
    let compilers = ["c++", "g++", "clang++"];
    ensure!(
        std::env::var_os("CXX").is_some() || compilers.into_iter().any(on_path),
        "libFuzzer needs a C++ compiler: install one, on Debian with `apt-get install g++`"
    );
    let target = host("rustc").context("cannot ask rustc for its target")?;
    let folder = root.join("target/fuzz/build");
    const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares";
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // With a target named, the flags are not those of build scripts.
    command
        .current_dir(root.join("fuzz/libfuzzer"))
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.args(["build", "--release", "--locked", "--target", &target, "--target-dir"]).arg(&folder);
    succeed(&mut command)?;
    Ok(folder.join(target).join("release/fuzzer"))
}

/// Runs one target below `folder`: its seeds, the corpus that grew in earlier runs, inputs that failed, and the log.
fn fuzz(fuzzer: &Path, folder: &Path, target: &str, seconds: u32) -> Result<Outcome> {
    let [seeds, corpus, failed] = ["seeds", "corpus", "failed"].map(|name| folder.join(name));
    if seeds.exists() {
        fs::remove_dir_all(&seeds)?;
    }
    for folder in [&seeds, &corpus, &failed] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    succeed(Command::new(fuzzer).env("FUZZ_TARGET", target).env("FUZZ_SEEDS", &seeds).stderr(Stdio::null()))?;
    println!("{target}: {seconds} s …");
    let log = folder.join("log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = Command::new(fuzzer)
        .env("FUZZ_TARGET", target)
        .arg(format!("-max_total_time={seconds}"))
        // A short run is a check, the same for everybody; a long one looks for what is new.
        .arg(format!("-seed={}", u8::from(seconds < LONG)))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg(format!("-timeout={HANG}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .args([&corpus, &seeds])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .context("cannot start the fuzzer")?;
    let mut pulse = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(100));
        if pulse.elapsed() >= PULSE {
            pulse = Instant::now();
            let log = fs::read(&log)?;
            println!("{target}: {}", String::from_utf8_lossy(&log).lines().last().unwrap_or_default());
        }
    };
    let log = fs::read(&log)?;
    let outcome = read(target, &String::from_utf8_lossy(&log), status);
    println!(
        "{target}: {} executions{}",
        outcome.executions,
        if outcome.failure.is_some() { ", FAILED" } else { "" }
    );
    Ok(outcome)
}

/// What libFuzzer says at its end, and in its last line of status.
fn read(target: &str, log: &str, status: ExitStatus) -> Outcome {
    let statistic = |name: &str| {
        let found = log
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
        found.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    let word = |name: &str| {
        let status =
            log.lines().rev().find_map(|line| line.strip_prefix('#').filter(|line| line.contains(" ft: ")));
        let mut words = status.unwrap_or_default().split_whitespace().skip_while(|word| *word != name);
        // `corp: 12/3456b` counts inputs and bytes.
        let value = words.nth(1).and_then(|word| word.split('/').next());
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let failure = (!status.success()).then(|| {
        // What it says first says what is wrong; what it wrote last is the input.
        let cause =
            log.lines().position(|line| line.contains("panicked at") || line.starts_with("==")).unwrap_or(0);
        let cause: Vec<&str> = log.lines().skip(cause).take(4).collect();
        let input =
            log.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
        match input {
            Some(input) => format!("{}\n{input}", cause.join("\n")),
            None => format!("{status}\n{}", cause.join("\n")),
        }
    });
    Outcome {
        target: target.into(),
        executions: statistic("number_of_executed_units"),
        per_second: statistic("average_exec_per_sec"),
        features: word("ft:"),
        corpus: word("corp:"),
        failure,
    }
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    println!(
        "\n{:<14}{:>12}{:>10}{:>10}{:>8}{:>9}",
        "target", "executions", "per s", "features", "corpus", "failures"
    );
    for outcome in outcomes {
        println!(
            "{:<14}{:>12}{:>10}{:>10}{:>8}{:>9}",
            outcome.target,
            outcome.executions,
            outcome.per_second,
            outcome.features,
            outcome.corpus,
            usize::from(outcome.failure.is_some())
        );
    }
    let mut failed = 0;
    for Outcome { target, failure, .. } in outcomes {
        let Some(failure) = failure else { continue };
        failed += 1;
        println!("\n{target} failed: {failure}");
        if let Some(input) = failure.lines().last().filter(|line| line.starts_with('/')) {
            println!("Again: cargo xtask fuzz {target} --replay {input}");
        }
    }
    println!("\nfuzz result: {} passed; {failed} failed", outcomes.len() - failed);
    ensure!(failed == 0, "{failed} of {} targets failed", outcomes.len());
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn libfuzzers_log_is_read() {
        let log = "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #144688\tDONE   cov: 1450 ft: 6127 corp: 588/71Kb lim: 1200 exec/s: 16076 rss: 65Mb\n\
                   Done 144688 runs in 9 second(s)\nstat::number_of_executed_units: 144688\n\
                   stat::average_exec_per_sec:     16076\n";
        let expected = Outcome {
            target: "uri".into(),
            executions: 144_688,
            per_second: 16_076,
            features: 6127,
            corpus: 588,
            failure: None,
        };
        assert_eq!(read("uri", log, ExitStatus::from_raw(0)), expected);
        let log = "#2\tINITED cov: 10 ft: 11 corp: 1/1b\nthread '<unnamed>' panicked at a.rs:1:2:\noh\n\
                   artifact_prefix='/x/'; Test unit written to /x/crash-1\n";
        let failure = read("uri", log, ExitStatus::from_raw(77 << 8)).failure.expect("a failure");
        assert!(failure.starts_with("thread '<unnamed>' panicked at a.rs:1:2:\noh\n"), "{failure}");
        assert!(failure.ends_with("\n/x/crash-1"), "{failure}");
    }
}
