//! The inputs that are hardest on the parsers, at the largest size there is: `cargo bench -p sip-core --bench worst`.
//!
//! Prints the slowest with the time an eighth of the input takes: linear work takes eight times as long, quadratic work
//! sixty-four times. Fails if any takes more than two milliseconds of the processor in every one of many runs: at once
//! where the work is not linear; a slower machine has twice that for what is.

use std::time::Duration;

use cpu_time::ThreadTime;
use sip_core::limits;

#[path = "../tests/worst/shapes.rs"]
mod shapes;

const MOST: Duration = Duration::from_millis(2);

/// Runs of each input, and of one that seems slow: on a machine that does other things too, its caches are shared.
const RUNS: std::ops::Range<usize> = 10..300;

fn main() {
    let mut times: Vec<(Duration, Duration, String)> = shapes::all()
        .into_iter()
        .map(|shape| {
            let eighth = best(&shape, limits::MESSAGE_BYTES / 8);
            (best(&shape, limits::MESSAGE_BYTES), eighth, shape.name)
        })
        .collect();
    times.sort_by(|a, b| b.cmp(a));
    println!("{} inputs of {} bytes; the slowest:", times.len(), limits::MESSAGE_BYTES);
    for (time, eighth, name) in &times[..20] {
        let ratio = time.as_secs_f64() / eighth.as_secs_f64();
        println!("{:>6} µs, {ratio:>4.1} times an eighth: {name:.60}", time.as_micros());
    }
    let too_slow = |(time, eighth, _): &&(Duration, Duration, String)| {
        *time > 2 * MOST || (*time > MOST && *time > 16 * *eighth)
    };
    if let Some((time, _, name)) = times.iter().find(too_slow) {
        println!("too slow: {time:?} is more than {MOST:?}: {name:.60}");
        std::process::exit(1);
    }
}

/// The quickest of several runs is the least disturbed.
fn best(shape: &shapes::Shape, size: usize) -> Duration {
    let input = shape.of_size(size);
    let mut best = Duration::MAX;
    for run in 0..RUNS.end {
        if run >= RUNS.start && best <= MOST {
            break;
        }
        let start = ThreadTime::now();
        (shape.read)(&input);
        best = best.min(start.elapsed());
    }
    best
}
