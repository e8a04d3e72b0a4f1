//! The output queue.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::event::{Event, Output};
use crate::limits;
use crate::message::Response;
use crate::transport::Hop;

use super::event::ClientId;

/// Messages and responses stop at [`limits::OUTPUTS`]. Events about a transaction's end are never dropped; there
/// are a few a transaction at most, so [`limits::TRANSACTIONS`] bounds them.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    queue: VecDeque<Output>,
    pub(super) dropped: u64,
}

impl Outputs {
    pub(super) fn transmit(&mut self, to: Hop, message: Bytes) {
        self.push_droppable(Output::Transmit { to, message });
    }

    pub(super) fn response(&mut self, client: ClientId, response: Response) {
        self.push_droppable(Output::Event(Event::Response { client, response }));
    }

    pub(super) fn event(&mut self, event: Event) {
        self.queue.push_back(Output::Event(event));
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// Keeps nothing for the next.
    pub(super) fn rest(&mut self) {
        self.queue = VecDeque::new();
    }

    /// Whether it is time to let the caller drain.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= limits::OUTPUTS
    }

    fn push_droppable(&mut self, output: Output) {
        if self.is_full() {
            self.dropped += 1;
        } else {
            self.queue.push_back(output);
        }
    }
}
