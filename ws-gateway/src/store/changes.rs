//! Which addresses-of-record changed since they were last written.

use std::collections::HashSet;
use std::mem;
use std::time::Duration;

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
    closed: bool,
}

impl Changes {
    /// Remembers that the bindings of `aor` changed.
    pub fn note(&self, aor: &SmolStr) {
        let mut state = self.state.lock();
        if state.changed.insert(aor.clone()) && state.changed.len() == 1 {
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

    /// Waits for a change, and `group` longer for others to come along. `None` after [`Self::close`], once nothing is
    /// left.
    pub(super) fn take(&self, group: Duration) -> Option<Vec<SmolStr>> {
        let mut state = self.state.lock();
        while state.changed.is_empty() {
            if state.closed {
                return None;
            }
            self.wake.wait(&mut state);
        }
        self.pause(&mut state, group);
        Some(mem::take(&mut state.changed).into_iter().collect())
    }

    /// Gives back what could not be written, to be taken again after `pause`. `false` after [`Self::close`]: there is no
    /// later.
    pub(super) fn give_back(&self, aors: Vec<SmolStr>, pause: Duration) -> bool {
        let mut state = self.state.lock();
        state.changed.extend(aors);
        self.pause(&mut state, pause);
        !state.closed
    }

    fn pause(&self, state: &mut parking_lot::MutexGuard<'_, State>, time: Duration) {
        let until = std::time::Instant::now() + time;
        while !state.closed && !self.wake.wait_until(state, until).timed_out() {}
    }
}
