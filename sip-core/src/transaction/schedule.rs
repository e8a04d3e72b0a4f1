//! Running timers: all of them in the order they fire, and each transaction's own.

use alloc::collections::BTreeSet;
use core::num::NonZeroU32;

use slab::Slab;

use super::event::Handle;
use super::machine::Action;
use super::timers::{Timer, Timers};
use crate::time::{Duration, Instant};

/// All running timers.
///
/// Those of one name that are started alike run equally long, so that they fire in the order they were started: each
/// name has a list, to whose end they are put and out of which they are taken wherever they stand. A retransmission timer
/// that is started again is among the others.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    nodes: Slab<Node>,
    lists: [List; Timer::NAMES],
    others: BTreeSet<(Instant, Timer, Handle)>,
}

/// A timer in the list of its name.
#[derive(Debug)]
struct Node {
    at: Instant,
    handle: Handle,
    before: Option<NodeId>,
    behind: Option<NodeId>,
}

/// One more than a node's index, so that none takes no room. The cap on transactions keeps indices far below 2³².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(NonZeroU32);

impl NodeId {
    fn of(index: usize) -> Option<Self> {
        NonZeroU32::new(index as u32 + 1).map(Self)
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct List {
    first: Option<NodeId>,
    last: Option<NodeId>,
    /// When the first one fires.
    at: Option<Instant>,
}

/// The timers of one transaction.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// No state of any machine runs more than two.
    timers: [Option<Run>; 2],
    /// How long the retransmission timer ran last, microseconds; no machine has more than one.
    interval: u64,
}

/// A running timer.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: Instant,
    timer: Timer,
    /// Its node, if it is in a list.
    node: Option<NodeId>,
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
        let (timer, duration, first) = match action {
            Action::Stop => return self.stop(handle, running),
            Action::Start(timer) => (timer, timers.first(timer), true),
            Action::Again(timer) => {
                (timer, timers.again(timer, Duration::from_micros(running.interval)), false)
            }
            Action::AtT2(timer) => (timer, timers.t2(), false),
            _ => return,
        };
        if matches!(timer, Timer::A | Timer::E | Timer::G) {
            running.interval = (Instant::default() + duration).as_micros();
        }
        if let Some(slot) = running.timers.iter_mut().find(|slot| slot.is_none()) {
            let at = now + duration;
            let node = if first { self.append(at, timer, handle) } else { None };
            if node.is_none() {
                self.others.insert((at, timer, handle));
            }
            *slot = Some(Run { at, timer, node });
        }
    }

    /// Puts a timer to the end of its list; `None`: it does not belong there, for time went back.
    fn append(&mut self, at: Instant, timer: Timer, handle: Handle) -> Option<NodeId> {
        let Self { nodes, lists, .. } = self;
        let list = &mut lists[timer as usize];
        let before = list.last;
        let last = before.and_then(|id| nodes.get(id.index()));
        if last.as_ref().is_some_and(|last| last.at > at) {
            return None;
        }
        let id = NodeId::of(nodes.vacant_key())?;
        match nodes.get_mut(before.unwrap_or(id).index()) {
            Some(last) => last.behind = Some(id),
            None => (list.first, list.at) = (Some(id), Some(at)),
        }
        list.last = Some(id);
        nodes.insert(Node { at, handle, before, behind: None });
        Some(id)
    }

    /// Takes a timer out of its list.
    fn unlink(&mut self, timer: Timer, id: NodeId) {
        let Self { nodes, lists, .. } = self;
        let Some(Node { before, behind, .. }) = nodes.try_remove(id.index()) else { return };
        let list = &mut lists[timer as usize];
        match before.and_then(|id| nodes.get_mut(id.index())) {
            Some(node) => node.behind = behind,
            None => list.first = behind,
        }
        match behind.and_then(|id| nodes.get_mut(id.index())) {
            Some(node) => node.before = before,
            None => list.last = before,
        }
        if before.is_none() {
            list.at = behind.and_then(|id| nodes.get(id.index())).map(|node| node.at);
        }
    }

    /// Stops every timer of one transaction.
    pub(super) fn stop(&mut self, handle: Handle, running: &mut Running) {
        for Run { at, timer, node } in running.timers.iter_mut().filter_map(Option::take) {
            match node {
                Some(node) => self.unlink(timer, node),
                None => {
                    self.others.remove(&(at, timer, handle));
                }
            }
        }
    }

    /// The first timer that is due; [`Running::fired`] is to be called on its transaction's.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Timer, Handle)> {
        let other = self.others.first().copied();
        let other = other.map(|(at, timer, _)| (at, timer));
        let (at, timer) = self.first_listed().into_iter().chain(other).min()?;
        if at > now {
            return None;
        }
        // Of two that fire at once the one in the list was started first.
        match self.lists[timer as usize] {
            List { first: Some(id), at: Some(first), .. } if first == at => {
                let handle = self.nodes.get(id.index())?.handle;
                self.unlink(timer, id);
                Some((timer, handle))
            }
            _ => self.others.pop_first().map(|(_, timer, handle)| (timer, handle)),
        }
    }

    fn first_listed(&self) -> Option<(Instant, Timer)> {
        Timer::ALL.into_iter().filter_map(|timer| Some((self.lists[timer as usize].at?, timer))).min()
    }

    /// None runs: nothing is kept for the next.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    /// How many timers run.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() + self.others.len()
    }

    /// When the first timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let other = self.others.first().map(|(at, ..)| *at);
        self.lists.iter().filter_map(|list| list.at).chain(other).min()
    }
}

impl Running {
    /// Notes that `timer` ran out.
    pub(super) fn fired(&mut self, timer: Timer) {
        for slot in &mut self.timers {
            slot.take_if(|run| run.timer == timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::transaction::event::ClientId;

    proptest! {
        /// Whatever is started, started again and stopped, and wherever time goes: what fires is what runs, in order.
        #[test]
        fn fires_what_runs_in_order(
            steps in proptest::collection::vec((0..8u32, 0..5u8, 0..14usize, 0..40_000u64), 1..200),
        ) {
            let (timers, mut schedule) = (Timers::default(), Schedule::default());
            let mut running: Vec<Running> = (0..8).map(|_| Running::default()).collect();
            let mut model: Vec<(Instant, Timer, Handle)> = Vec::new();
            for (index, step, timer, millis) in steps {
                let handle = Handle::Client(ClientId { index, generation: index });
                let now = Instant::from_micros(1000 * millis);
                let (timer, own) = (Timer::ALL[timer], &mut running[index as usize]);
                let free = own.timers.iter().any(Option::is_none);
                let twice = own.timers.iter().flatten().any(|run| run.timer == timer);
                match step {
                    0 => {
                        schedule.stop(handle, own);
                        model.retain(|(.., of)| *of != handle);
                    }
                    1 => {
                        let due = model.iter().filter(|(at, ..)| *at <= now).min().copied();
                        let fired = schedule.pop_due(now);
                        prop_assert_eq!(fired.is_some(), due.is_some());
                        if let (Some((timer, of)), Some((at, name, _))) = (fired, due) {
                            prop_assert_eq!(timer, name);
                            let place = model.iter().position(|other| *other == (at, timer, of));
                            prop_assert!(place.is_some());
                            model.swap_remove(place.unwrap());
                            let Handle::Client(id) = of else { unreachable!() };
                            running[id.index as usize].fired(timer);
                        }
                    }
                    _ if !free || twice => {}
                    _ => {
                        let again = step == 2 && matches!(timer, Timer::A | Timer::E | Timer::G);
                        let action = if again { Action::AtT2(timer) } else { Action::Start(timer) };
                        schedule.act(action, &timers, now, handle, own);
                        let run = own.timers.iter().flatten().find(|run| run.timer == timer).unwrap();
                        model.push((run.at, timer, handle));
                    }
                }
                prop_assert_eq!(schedule.len(), model.len());
                prop_assert_eq!(schedule.next(), model.iter().map(|(at, ..)| *at).min());
            }
        }
    }
}
