//! One instance of the core behind a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sip_core::server::{Counters, Input, Keep, Output, Server};
use sip_core::time::Instant;

/// A deadline that never comes.
const NEVER: u64 = u64::MAX;

/// One instance of the core. Nothing under its lock waits: no disk, no socket.
pub struct Shard {
    server: Mutex<Server>,
    /// The instant of the server's earliest timer, microseconds.
    deadline: AtomicU64,
}

impl Shard {
    /// A shard of its own server.
    pub fn new(server: Server) -> Self {
        Self { server: Mutex::new(server), deadline: AtomicU64::new(NEVER) }
    }

    /// Feeds the core and takes out what it wants done. What it wants kept is kept under its lock: two of one call stay in their order,
    /// whoever feeds.
    pub fn feed(&self, now: Instant, input: Input, outputs: &mut Vec<Output>, mut keep: impl FnMut(Keep)) {
        let mut server = self.server.lock();
        server.handle_input(now, input);
        while let Some(output) = server.poll_output() {
            match output {
                Output::Keep(call) => keep(call),
                output => outputs.push(output),
            }
        }
        let deadline = server.poll_timeout().map_or(NEVER, Instant::as_micros);
        // In one order with the alarm that is looked at next: either the timer task sees this deadline or whoever set
        // it sees its alarm.
        self.deadline.store(deadline, Ordering::SeqCst);
    }

    /// When the core's earliest timer fires.
    pub fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Ordering::SeqCst) {
            NEVER => None,
            micros => Some(Instant::from_micros(micros)),
        }
    }

    /// What the core has counted, and what it holds now: transactions, requests on their way, questions.
    pub fn counters(&self) -> (Counters, (usize, usize, usize)) {
        let server = self.server.lock();
        (server.counters(), server.load())
    }

    /// Its subscriptions to registrations now.
    pub fn subscriptions(&self) -> usize {
        self.server.lock().subscriptions()
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
