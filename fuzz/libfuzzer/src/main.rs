//! One program for all targets: libFuzzer's `main`, with the target named by `FUZZ_TARGET`.
//!
//! With `FUZZ_LIST` set it prints the targets' names, with `FUZZ_SEEDS` it writes the target's seeds into that
//! directory; either way it ends then.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs, process};

use cpu_time::ThreadTime;
use fuzz::{TARGETS, Target};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// What one input may take of the processor. Those of 64 KiB that are read in linear time take some ten milliseconds
/// with all the counting, and a quadratic walk over them takes seconds.
const SLOW: Duration = Duration::from_millis(400);

static TARGET: OnceLock<(&Target, Vec<Vec<u8>>)> = OnceLock::new();

fuzz_target!(init: begin(), |data: &[u8]| run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let (target, seeds) = target();
    // Half of the time libFuzzer's own, which knows what the code compares its input with.
    if !target.text || seed % 2 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut bytes = data[..size].to_vec();
    fuzz::mutate(&mut bytes, seeds, seed.into());
    let size = bytes.len().min(max_size);
    data[..size].copy_from_slice(&bytes[..size]);
    size
});

fn begin() {
    if env::var_os("FUZZ_LIST").is_some() {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        process::exit(0);
    }
    let (_, seeds) = target();
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(std::path::Path::new(&folder).join(format!("seed-{number:03}")), seed)
                .expect("a folder to write to");
        }
        process::exit(0);
    }
}

fn target() -> (&'static Target, &'static [Vec<u8>]) {
    let (target, seeds) = TARGET.get_or_init(|| {
        let name = env::var("FUZZ_TARGET").unwrap_or_default();
        let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
            eprintln!("FUZZ_TARGET names no target: {name:?}");
            process::exit(2);
        };
        (target, (target.seeds)())
    });
    (target, seeds)
}

/// Runs one input. One that took long is run again: only what is slow every time is slow.
fn run(data: &[u8]) {
    let (target, _) = target();
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let start = ThreadTime::now();
        (target.run)(data);
        quickest = quickest.min(start.elapsed());
        if quickest < SLOW {
            return;
        }
    }
    panic!("an input of {} bytes takes {quickest:?}", data.len());
}
