//! Every target on its seeds, on some mutations of them, and on every input that ever failed.

use std::fs;
use std::path::Path;

use fuzz::{TARGETS, Target, mutate};

#[test]
fn seeds() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            hold(target, seed, &format!("seed {number}"));
        }
        hold(target, b"", "nothing");
    }
}

/// Files in `regressions/TARGET`, each named after what it found.
#[test]
fn regressions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let folder = entry.expect("a folder that can be read").path();
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let target = TARGETS.iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("{} is no target's", folder.display()));
        for file in fs::read_dir(&folder).expect("a folder that can be read") {
            let file = file.expect("a file that can be read").path();
            hold(target, &fs::read(&file).expect("a file that can be read"), &file.display().to_string());
        }
    }
}

/// A small part of what `cargo xtask fuzz` does, the same in every run.
#[test]
fn mutations() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        // Those of whole endpoints are slow.
        for number in 0..if target.text { 300 } else { 60 } {
            let mut input = seeds[number % seeds.len()].clone();
            mutate(&mut input, &seeds, number as u64);
            hold(target, &input, &format!("mutation {number}"));
        }
    }
}

/// Says which input it was: a property's own words are about what it found.
fn hold(target: &Target, input: &[u8], which: &str) {
    if let Err(panic) = std::panic::catch_unwind(|| (target.run)(input)) {
        eprintln!("{}, {which}: {:?}", target.name, String::from_utf8_lossy(input));
        std::panic::resume_unwind(panic);
    }
}
