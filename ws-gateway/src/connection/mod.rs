//! One task per connection: it reads, hands what it read to the shards itself, and writes what they queued for it.
//!
//! A task that waits for its peer to read reads nothing from it meanwhile; one whose peer reads too slowly for what
//! is queued is closed. Nobody ever waits for a connection: queueing never blocks.

mod outbox;
mod stream;
mod websocket;

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Sleep, sleep_until};

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
                tracing::info!(transport, ?remote, "connection closed: {}", reason.sentence());
            }
        }
    }
}

impl Drop for OpenFlow {
    fn drop(&mut self) {
        self.exchange.flow_closed(&self.flow);
    }
}

/// Wakes when a connection nobody registered over has been silent for too long.
struct IdleTimer(Pin<Box<Sleep>>);

impl IdleTimer {
    fn new(timeouts: &Timeouts) -> Self {
        Self(Box::pin(sleep_until(tokio::time::Instant::now() + timeouts.idle)))
    }

    /// Waits until `flow` has been idle for too long.
    async fn expired(&mut self, flow: &Flow, timeouts: &Timeouts) {
        loop {
            self.0.as_mut().await;
            let now = clock::now();
            let deadline = flow.last_message() + timeouts.idle;
            let next = match flow.identity() {
                // Looked at again: the registration may end before the connection does.
                Some(identity) if identity.expires_at > now => now + timeouts.idle,
                _ if now < deadline => deadline,
                _ => return,
            };
            self.0.as_mut().reset(clock::monotonic(next));
        }
    }
}
