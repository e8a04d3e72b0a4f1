//! Timing in interleaved rounds: whatever disturbs the machine disturbs every parser alike. The clock is the thread's
//! own, which stands while others run.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use crate::allocations;
use crate::peers::{Run, Seen};

/// How long one parser runs before it is the next one's turn.
const TURN: Duration = Duration::from_millis(2);

/// One parser on one message.
pub(crate) struct Case {
    run: Run,
    bytes: Bytes,
    repeats: u32,
    /// Nanoseconds a message, one a round.
    samples: Vec<f64>,
}

/// What a case came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) allocations: u64,
    pub(crate) allocated: u64,
    pub(crate) seen: Seen,
}

impl Case {
    /// `None`: the parser refuses the message.
    pub(crate) fn new(run: Run, bytes: &Bytes) -> Option<Self> {
        run(bytes)?;
        let mut case = Self { run, bytes: bytes.clone(), repeats: 1, samples: Vec::new() };
        // As many repeats as fill a turn.
        while case.time() < TURN && case.repeats < 1 << 20 {
            case.repeats *= 2;
        }
        Some(case)
    }

    fn time(&self) -> Duration {
        let start = now();
        for _ in 0..self.repeats {
            black_box((self.run)(black_box(&self.bytes)));
        }
        now() - start
    }

    fn cost(&mut self) -> Cost {
        self.samples.sort_by(f64::total_cmp);
        let mut seen = None;
        let (allocations, allocated) = allocations::count(|| seen = (self.run)(&self.bytes));
        Cost {
            median: self.samples[self.samples.len() / 2],
            least: self.samples[0],
            most: self.samples[self.samples.len() - 1],
            allocations,
            allocated,
            seen: seen.unwrap_or_default(),
        }
    }
}

/// The time this thread has run.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Measures all cases side by side, forwards and backwards in turn; `None` stays `None`.
pub(crate) fn measure(cases: &mut [Option<Case>], rounds: usize) -> Vec<Option<Cost>> {
    for round in 0..rounds {
        let count = cases.len();
        for place in 0..count {
            let place = if round % 2 == 0 { place } else { count - 1 - place };
            if let Some(case) = &mut cases[place] {
                let nanos = case.time().as_nanos() as f64 / f64::from(case.repeats);
                case.samples.push(nanos);
            }
        }
    }
    cases.iter_mut().map(|case| case.as_mut().map(Case::cost)).collect()
}
