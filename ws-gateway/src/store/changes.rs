//! Which addresses-of-record changed since they were last written.

use std::collections::HashSet;
use std::mem;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use smol_str::SmolStr;

/// The addresses-of-record whose bindings changed. Each stands here once however often it changes, so there are never
/// more than accounts.
#[derive(Debug, Default)]
pub struct Changes {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    changed: HashSet<SmolStr>,
    /// When the first of them was noted.
    since: Option<Instant>,
    closed: bool,
}

impl Changes {
    /// Remembers that the bindings of `aor` changed.
    pub fn note(&self, aor: &SmolStr) {
        let mut state = self.state.lock();
        if state.changed.insert(aor.clone()) && state.changed.len() == 1 {
            state.since = Some(Instant::now());
            self.wake.notify_one();
        }
    }

    /// No more is waited for: what has changed is taken at once, then there is an end.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }

    /// How many wait to be written.
    pub fn len(&self) -> usize {
        self.state.lock().changed.len()
    }

    /// Whether everything is written, or being written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for a change, and until `group` after it for others to come along: one that was noted while others were being
    /// written has waited for that long already. `None` after [`Self::close`], once nothing is left.
    pub(crate) fn take(&self, group: Duration) -> Option<Vec<SmolStr>> {
        let mut state = self.state.lock();
        while state.changed.is_empty() {
            if state.closed {
                return None;
            }
            self.wake.wait(&mut state);
        }
        let first = state.since.take().unwrap_or_else(Instant::now);
        self.pause(&mut state, first + group);
        state.since = None;
        Some(mem::take(&mut state.changed).into_iter().collect())
    }

    /// Gives back what could not be written, to be taken again after `pause`. `false` after [`Self::close`]: there is no
    /// later.
    pub(super) fn give_back(&self, aors: Vec<SmolStr>, pause: Duration) -> bool {
        let mut state = self.state.lock();
        state.changed.extend(aors);
        self.pause(&mut state, Instant::now() + pause);
        !state.closed
    }

    fn pause(&self, state: &mut parking_lot::MutexGuard<'_, State>, until: Instant) {
        while !state.closed && !self.wake.wait_until(state, until).timed_out() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Duration = Duration::from_millis(200);

    #[test]
    fn a_group_is_counted_from_its_first_change_whatever_the_writer_does_meanwhile() {
        let changes = Changes::default();
        changes.note(&"a".into());
        let began = Instant::now();
        assert_eq!(changes.take(GROUP).unwrap(), ["a"]);
        assert!(began.elapsed() >= GROUP.mul_f32(0.9), "{:?}", began.elapsed());
        // Noted while "a" is written, which takes longer than a group.
        changes.note(&"b".into());
        std::thread::sleep(GROUP);
        let began = Instant::now();
        assert_eq!(changes.take(GROUP).unwrap(), ["b"]);
        assert!(began.elapsed() < GROUP / 2, "{:?}", began.elapsed());
        // And from the beginning again.
        changes.note(&"c".into());
        let began = Instant::now();
        assert_eq!(changes.take(GROUP).unwrap(), ["c"]);
        assert!(began.elapsed() >= GROUP.mul_f32(0.9), "{:?}", began.elapsed());
    }
}
