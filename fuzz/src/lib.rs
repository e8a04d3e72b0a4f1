//! What must hold for every input of `sip-core`, one [`Target`] for each part of it.
//!
//! A target's body takes bytes and panics where a property does not hold. `cargo test` runs every target on its seeds,
//! on some mutations of them and on every input that ever failed; `cargo xtask fuzz` runs the same bodies in libFuzzer,
//! which searches for inputs that reach new code.

mod choices;
mod mutate;
mod repeat;
mod samples;
mod seeds;
mod targets;

pub use mutate::mutate;

/// One part of `sip-core` and what must hold for it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name by which it is run, and of the folder its regressions are in.
    pub name: &'static str,
    /// Panics if something does not hold for this input.
    pub run: fn(&[u8]),
    /// Valid inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether inputs are text, which [`mutate`] knows to perturb; others are lists of choices.
    pub text: bool,
}

/// All targets.
pub const TARGETS: &[Target] = targets::ALL;
