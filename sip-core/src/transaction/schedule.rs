//! Running timers: all of them in the order they fire, and each transaction's own.

use alloc::collections::BTreeSet;

use super::event::Handle;
use super::machine::Action;
use super::timers::{Timer, Timers};
use crate::time::{Duration, Instant};

/// All running timers.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    due: BTreeSet<(Instant, Timer, Handle)>,
}

/// The timers of one transaction.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// No state of any machine runs more than two.
    timers: [Option<(Instant, Timer)>; 2],
    /// How long the retransmission timer ran last; no machine has more than one.
    interval: Duration,
}

impl Schedule {
    /// Carries out the actions that concern timers; the rest are not for it.
    pub(super) fn act(
        &mut self,
        action: Action,
        timers: &Timers,
        now: Instant,
        handle: Handle,
        running: &mut Running,
    ) {
        let (timer, duration) = match action {
            Action::Stop => return self.stop(handle, running),
            Action::Start(timer) => (timer, timers.first(timer)),
            Action::Again(timer) => (timer, timers.again(timer, running.interval)),
            Action::AtT2(timer) => (timer, timers.t2()),
            _ => return,
        };
        if matches!(timer, Timer::A | Timer::E | Timer::G) {
            running.interval = duration;
        }
        self.start(now + duration, timer, handle, running);
    }

    fn start(&mut self, at: Instant, timer: Timer, handle: Handle, running: &mut Running) {
        if let Some(slot) = running.timers.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some((at, timer));
            self.due.insert((at, timer, handle));
        }
    }

    /// Stops every timer of one transaction.
    pub(super) fn stop(&mut self, handle: Handle, running: &mut Running) {
        for (at, timer) in running.timers.iter_mut().filter_map(Option::take) {
            self.due.remove(&(at, timer, handle));
        }
    }

    /// The first timer that is due; [`Running::fired`] is to be called on its transaction's.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Timer, Handle)> {
        let (at, timer, handle) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some((timer, handle))
    }

    /// None runs: nothing is kept for the next.
    pub(super) fn rest(&mut self) {
        self.due.clear();
    }

    /// How many timers run.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// When the first timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, ..)| *at)
    }
}

impl Running {
    /// Notes that `timer` ran out.
    pub(super) fn fired(&mut self, timer: Timer) {
        for slot in &mut self.timers {
            slot.take_if(|(_, name)| *name == timer);
        }
    }
}
