//! The gateway's clock, in the core's terms.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sip_core::time::Instant;

struct Start {
    /// Unix time, microseconds.
    epoch: u64,
    monotonic: std::time::Instant,
}

fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| Start {
        // A clock before 1970 is as good as one at 1970: only sealed nonces and tokens outlive the process.
        epoch: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros),
        monotonic: std::time::Instant::now(),
    })
}

/// Now: Unix time when the process first asked, advanced by the monotonic clock, so that it never goes back and
/// what was sealed before a restart is still understood after it.
pub fn now() -> Instant {
    let start = start();
    Instant::from_micros(start.epoch + micros(start.monotonic.elapsed()))
}

/// The monotonic instant that is `instant` on the core's clock.
pub fn monotonic(instant: Instant) -> tokio::time::Instant {
    let start = start();
    // Far-off deadlines are cut: a sleeper that wakes too early looks again.
    let ahead = Duration::from_micros(instant.as_micros().saturating_sub(start.epoch));
    (start.monotonic + ahead.min(start.monotonic.elapsed() + Duration::from_secs(86_400))).into()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
