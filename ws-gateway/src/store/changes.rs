//! What is to be written: addresses-of-record whose bindings changed, and calls that are being set up.

use std::collections::HashSet;
use std::mem;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sip_core::server::Keep;
use smol_str::SmolStr;

use super::calls::{CallRows, Calls};

/// The addresses-of-record whose bindings changed, and the calls that did. Each address stands here once however often it changes, so
/// there are never more than accounts.
#[derive(Debug, Default)]
pub struct Changes {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    changed: HashSet<SmolStr>,
    calls: Calls,
    /// When the first of them was noted.
    since: Option<Instant>,
    closed: bool,
}

impl Changes {
    /// Remembers that the bindings of `aor` changed.
    pub fn note(&self, aor: &SmolStr) {
        let mut state = self.state.lock();
        let first = state.is_empty();
        state.changed.insert(aor.clone());
        self.noted(&mut state, first);
    }

    /// Remembers a call that is being set up, or that it is over. `false`: it is not kept, for there are too many.
    pub fn keep(&self, keep: Keep) -> bool {
        let mut state = self.state.lock();
        let first = state.is_empty();
        let kept = keep.record.is_none();
        let kept = state.calls.keep(keep) || kept;
        self.noted(&mut state, first);
        kept
    }

    /// There is a row of this call from before.
    pub fn found(&self, call: u128) {
        self.state.lock().calls.found(call);
    }

    fn noted(&self, state: &mut State, first: bool) {
        if first && !state.is_empty() {
            state.since = Some(Instant::now());
            self.wake.notify_one();
        }
    }

    /// No more is waited for: what has changed is taken at once, then there is an end.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }

    /// How many addresses-of-record wait to be written.
    pub fn len(&self) -> usize {
        self.state.lock().changed.len()
    }

    /// Whether everything is written, or being written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for a change, and until `group` after it for others to come along: one that was noted while others were being
    /// written has waited for that long already. Nothing after `stamp`, if there is none but calls have rows. `None` after [`Self::close`], once nothing is left.
    pub(crate) fn take(&self, group: Duration, stamp: Duration) -> Option<(Vec<SmolStr>, CallRows)> {
        let mut state = self.state.lock();
        while state.is_empty() {
            if state.closed {
                return None;
            }
            if !state.calls.has_rows() {
                self.wake.wait(&mut state);
            } else if self.wake.wait_for(&mut state, stamp).timed_out() && state.is_empty() {
                return Some(Default::default());
            }
        }
        let first = state.since.take().unwrap_or_else(Instant::now);
        self.pause(&mut state, first + group);
        state.since = None;
        Some((mem::take(&mut state.changed).into_iter().collect(), state.calls.take()))
    }

    /// Gives back what could not be written, to be taken again after `pause`. `false` after [`Self::close`]: there is no
    /// later.
    pub(super) fn give_back(&self, aors: Vec<SmolStr>, calls: CallRows, pause: Duration) -> bool {
        let mut state = self.state.lock();
        state.changed.extend(aors);
        state.calls.give_back(calls);
        self.pause(&mut state, Instant::now() + pause);
        !state.closed
    }

    fn pause(&self, state: &mut parking_lot::MutexGuard<'_, State>, until: Instant) {
        while !state.closed && !self.wake.wait_until(state, until).timed_out() {}
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.calls.is_empty()
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
        assert_eq!(changes.take(GROUP, GROUP).unwrap().0, ["a"]);
        assert!(began.elapsed() >= GROUP.mul_f32(0.9), "{:?}", began.elapsed());
        // Noted while "a" is written, which takes longer than a group.
        changes.note(&"b".into());
        std::thread::sleep(GROUP);
        let began = Instant::now();
        assert_eq!(changes.take(GROUP, GROUP).unwrap().0, ["b"]);
        assert!(began.elapsed() < GROUP / 2, "{:?}", began.elapsed());
        // And from the beginning again.
        changes.note(&"c".into());
        let began = Instant::now();
        assert_eq!(changes.take(GROUP, GROUP).unwrap().0, ["c"]);
        assert!(began.elapsed() >= GROUP.mul_f32(0.9), "{:?}", began.elapsed());
    }
}
