//! The inputs that are hardest on the parsers, at the largest size there is: `cargo bench -p sip-core --bench worst`.
//!
//! Prints the slowest with the time an eighth of the input takes: linear work takes eight times as long, quadratic work
//! sixty-four times. Fails if any takes more than two milliseconds.

use std::time::Duration;

use sip_core::limits;

#[path = "../tests/worst/shapes.rs"]
mod shapes;

const MOST: Duration = Duration::from_millis(2);

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
    if times[0].0 > MOST {
        println!("too slow: {:?} is more than {MOST:?}", times[0].0);
        std::process::exit(1);
    }
}

/// The quickest of several runs is the least disturbed.
fn best(shape: &shapes::Shape, size: usize) -> Duration {
    let input = shape.of_size(size);
    let run = || {
        #[expect(clippy::disallowed_types, reason = "a benchmark measures")]
        let start = std::time::Instant::now();
        (shape.read)(&input);
        start.elapsed()
    };
    (0..10).map(|_| run()).min().unwrap_or_default()
}
