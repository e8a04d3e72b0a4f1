//! Which living transactions a closed flow concerns.

use alloc::collections::{BTreeMap, BTreeSet};

use super::event::{ClientId, Handle};
use crate::transport::{FlowId, Hop};

/// Transactions by flow.
#[derive(Debug, Default)]
pub(super) struct Flows {
    connections: BTreeSet<(FlowId, Handle)>,
    /// How many there are on each datagram socket. There are few sockets, and they do not close while an endpoint
    /// lives: should one, all transactions are looked at.
    datagrams: BTreeMap<FlowId, usize>,
}

impl Flows {
    pub(super) fn insert(&mut self, hop: &Hop, handle: Handle) {
        if hop.transport.is_reliable() {
            self.connections.insert((hop.flow, handle));
        } else {
            *self.datagrams.entry(hop.flow).or_default() += 1;
        }
    }

    /// Takes out what was inserted.
    pub(super) fn remove(&mut self, hop: &Hop, handle: Handle) {
        if hop.transport.is_reliable() {
            self.connections.remove(&(hop.flow, handle));
        } else if let Some(count) = self.datagrams.get_mut(&hop.flow) {
            *count -= 1;
            if *count == 0 {
                self.datagrams.remove(&hop.flow);
            }
        }
    }

    /// Those on a connection, in order.
    pub(super) fn on(&self, flow: FlowId) -> impl Iterator<Item = Handle> {
        let least = Handle::Client(ClientId { index: 0, generation: 0 });
        self.connections
            .range((flow, least)..)
            .take_while(move |(of, _)| *of == flow)
            .map(|(_, handle)| *handle)
    }

    /// Whether it is a datagram socket that transactions depend on.
    pub(super) fn is_datagrams(&self, flow: FlowId) -> bool {
        self.datagrams.contains_key(&flow)
    }

    /// How many transactions depend on flows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.connections.len() + self.datagrams.values().sum::<usize>()
    }
}
