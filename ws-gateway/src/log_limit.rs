//! Lines about what others do: one each, unless a flood of them would fill the disk.

use std::time::Duration;

use parking_lot::Mutex;
use sip_core::time::Instant;

use crate::clock;

/// Lines written a second. An operator reads some; whoever sends thousands of bad requests, or opens and closes thousands of
/// connections, writes no more. What is left out is counted in the next line.
const LINES: u32 = 50;

const SECOND: Duration = Duration::from_secs(1);

/// How many lines this second has had.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Write it, and how many were left out before it.
    Write { left_out: u64 },
    /// Leave it out.
    LeaveOut,
}

impl LogLimit {
    /// Has `write` write another line, unless there are too many.
    pub fn write(&self, write: impl FnOnce()) {
        if let Line::Write { left_out } = self.line(clock::now()) {
            if left_out > 0 {
                tracing::warn!(left_out, "more of this kind happened than is written line by line");
            }
            write();
        }
    }

    fn line(&self, now: Instant) -> Line {
        let mut second = self.0.lock();
        if second.began.is_none_or(|began| now >= began + SECOND) {
            second.began = Some(now);
            second.lines = 0;
        }
        if second.lines == LINES {
            second.left_out += 1;
            return Line::LeaveOut;
        }
        second.lines += 1;
        Line::Write { left_out: std::mem::take(&mut second.left_out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_counted_and_not_written() {
        let log = LogLimit::default();
        let start = Instant::from_micros(1);
        for _ in 0..LINES {
            assert_eq!(log.line(start), Line::Write { left_out: 0 });
        }
        for _ in 0..1000 {
            assert_eq!(log.line(start + Duration::from_millis(999)), Line::LeaveOut);
        }
        assert_eq!(log.line(start + SECOND), Line::Write { left_out: 1000 });
        assert_eq!(log.line(start + SECOND), Line::Write { left_out: 0 });
    }
}
