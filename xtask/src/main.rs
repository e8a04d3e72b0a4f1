//! Build steps that cargo alone cannot do. They need nothing but cargo and, where it says so, Node.

mod bench;
mod compiler;
mod fuzz;
mod nostd;
mod pkg;
mod wasm;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Parser;

/// Build steps of Trapezoid.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Step {
    /// Build the browser library into `wasm-client/pkg`.
    Wasm(wasm::Options),
    /// Build the parser that `bench/parsers-js` measures.
    BenchWasm,
    /// Prove that `sip-core` needs neither `std` nor an operating system.
    Nostd,
    /// Run the fuzz targets.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let done = match Step::parse() {
        Step::Wasm(options) => wasm::run(&options),
        Step::BenchWasm => bench::run(),
        Step::Nostd => nostd::run(),
        Step::Fuzz(options) => fuzz::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's directory.
fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map_or_else(|| xtask.clone(), PathBuf::from)
}

/// Runs `command` with our own output streams and fails unless it succeeded.
fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} failed: {status}");
    }
    Ok(())
}
