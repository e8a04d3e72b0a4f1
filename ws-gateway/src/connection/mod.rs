//! One task per connection: it reads, hands what it read to the shards itself, and writes what they queued for it.
//!
//! A task that waits for its peer to read reads nothing from it meanwhile; one whose peer reads too slowly for what
//! is queued is closed. Nobody ever waits for a connection: queueing never blocks.

mod metered;
mod outbox;
mod stream;
mod websocket;

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock;
use crate::config::Timeouts;
use crate::exchange::Exchange;
use crate::flows::Flow;
use crate::metrics::Closing;

pub use outbox::{Full, Inbox, Outbox, Overflow, outbox};
pub use stream::{Line, serve as serve_stream};
pub use websocket::{accept as accept_websocket, serve as serve_websocket};

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The peer closed it, or it broke.
    Peer,
    /// We did.
    Closed(Closing),
}

/// Removes a flow from the table when its task ends, however it ends.
struct OpenFlow {
    flow: Arc<Flow>,
    exchange: Arc<Exchange>,
}

impl OpenFlow {
    fn log(&self, end: End) {
        let remote = self.flow.hop().map(|hop| hop.remote);
        let transport = self.flow.transport().via_token();
        match end {
            End::Peer => tracing::debug!(transport, ?remote, "connection closed by its peer"),
            End::Closed(reason) => {
                self.exchange.metrics.closed(reason);
                self.exchange.connection_lines.write(|| {
                    tracing::info!(transport, ?remote, "connection closed: {}", reason.sentence());
                });
            }
        }
    }
}

impl Drop for OpenFlow {
    fn drop(&mut self) {
        self.exchange.flow_closed(&self.flow);
    }
}

/// What a silent connection is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Nobody registered over it, and no message has passed for too long, or ever.
    Idle,
    /// A ping: nothing has come for a while.
    Ping,
    /// Its end: the ping was not answered.
    Unanswered,
}

/// Wakes when a connection has been silent for too long. One timer, for most connections are silent.
struct Silence {
    timer: Pin<Box<Sleep>>,
    pings: Option<Pings>,
}

/// For who answers pings.
struct Pings {
    /// When anything last came.
    heard: Instant,
    /// Whether it was asked since.
    asked: bool,
}

impl Silence {
    fn new(timeouts: &Timeouts, pings: bool) -> Self {
        let now = Instant::now();
        let first = timeouts.idle.min(timeouts.first_message);
        let first = if pings { first.min(timeouts.ping) } else { first };
        Self {
            timer: Box::pin(sleep_until(now + first)),
            pings: pings.then_some(Pings { heard: now, asked: false }),
        }
    }

    /// Something came.
    fn broken(&mut self) {
        if let Some(pings) = &mut self.pings {
            *pings = Pings { heard: Instant::now(), asked: false };
        }
    }

    /// Waits until something is due.
    async fn due(&mut self, flow: &Flow, timeouts: &Timeouts) -> Due {
        loop {
            self.timer.as_mut().await;
            let now = clock::now();
            let patience =
                if flow.has_spoken() { timeouts.idle } else { timeouts.idle.min(timeouts.first_message) };
            let deadline = flow.last_message() + patience;
            let next = match flow.registered_until() {
                // Looked at again: the registration may end before the connection does.
                Some(until) if until > now => now + timeouts.idle,
                _ if now < deadline => deadline,
                _ => return Due::Idle,
            };
            let mut next = clock::monotonic(next);
            let mut due = None;
            if let Some(pings) = &mut self.pings {
                let patience = if pings.asked { timeouts.ping + timeouts.pong } else { timeouts.ping };
                let mut at = pings.heard + patience;
                if Instant::now() >= at {
                    due = Some(if pings.asked { Due::Unanswered } else { Due::Ping });
                    pings.asked = true;
                    at += timeouts.pong;
                }
                next = next.min(at);
            }
            self.timer.as_mut().reset(next);
            if let Some(due) = due {
                return due;
            }
        }
    }
}
