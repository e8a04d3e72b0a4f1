//! `limits.memory`: what others can make the gateway keep, and how it is divided.

use sip_core::transaction::Caps;

use super::{Limits, defaults};
use crate::exchange::SHARDS;

/// What one transaction costs beside its messages, bytes: its place in the tables, its timers, and what the proxy knows of it.
const TRANSACTION: usize = 1_024;

/// What one connection costs: a WebSocket over TLS, or an HTTP request whose head has half come, or TLS that says nothing yet
/// ([`crate::tls::Secured`]).
const CONNECTION: usize = 40 * 1_024;

/// What one registration costs, on disk and in memory.
const REGISTRATION: usize = 2 * 1_024;

/// What one subscription to registrations costs: its dialog, and what its watcher was told.
const SUBSCRIPTION: usize = 8 * 1_024;

/// Bytes that others can make the gateway keep. The program itself takes some 40 MiB beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(usize);

impl Memory {
    /// So many MiB.
    pub const fn mebibytes(mebibytes: usize) -> Self {
        Self(mebibytes * 1_024 * 1_024)
    }

    /// Half is for transactions: half of that for messages and half for all else about them, and a part of both for each
    /// shard. One address may take half of it.
    pub const fn transactions(self) -> Caps {
        let part = self.0 / 4 / SHARDS;
        Caps { transactions: part / TRANSACTION, bytes: part - self.waiting(), parts: 2 }
    }

    /// An eighth of what is for messages is for those that wait and have no transaction, in each shard: for the longest one at
    /// least.
    pub const fn waiting(self) -> usize {
        self.0 / 4 / SHARDS / 8
    }

    /// A 32nd is for what waits to be written to connections, and as much for what is being written.
    pub const fn queued(self) -> usize {
        self.0 / 32
    }

    /// A 32nd is for messages of which a part has come.
    pub const fn partial(self) -> usize {
        self.0 / 32
    }

    /// A quarter is for connections: so many.
    pub const fn connections(self) -> usize {
        self.0 / 4 / CONNECTION
    }

    /// An eighth is for registrations: so many.
    pub const fn registrations(self) -> usize {
        self.0 / 8 / REGISTRATION
    }

    /// A 64th is for subscriptions to registrations, and a part of it for each shard: so many.
    pub const fn subscriptions(self) -> usize {
        self.0 / 64 / SHARDS / SUBSCRIPTION
    }

    /// The least that is enough for these caps, MiB.
    pub(super) fn least(limits: &Limits) -> usize {
        let connections = (limits.connections * CONNECTION * 4).div_ceil(1_024 * 1_024);
        let registrations = (limits.registrations * REGISTRATION * 8).div_ceil(1_024 * 1_024);
        connections.max(registrations).max(defaults::LEAST_MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_no_more_than_the_whole() {
        for mebibytes in [64, 1_000, 4_096, 1_048_576] {
            let memory = Memory::mebibytes(mebibytes);
            let Caps { transactions, bytes, .. } = memory.transactions();
            assert!(memory.waiting() >= sip_core::limits::MESSAGE_BYTES);
            let sum = (transactions * TRANSACTION + bytes + memory.waiting()) * SHARDS
                + 2 * memory.queued()
                + memory.partial()
                + memory.connections() * CONNECTION
                + memory.registrations() * REGISTRATION
                + memory.subscriptions() * SUBSCRIPTION * SHARDS;
            assert!(sum <= memory.0, "{sum} of {}", memory.0);
            // What is left is for passwords that were tried, nonces and the answers of DNS.
            assert!(sum >= memory.0 / 32 * 30, "{sum} of {}", memory.0);
        }
        assert!(Memory::least(&Limits::default()) <= defaults::MEMORY);
        assert!(Memory::mebibytes(defaults::MEMORY).connections() >= defaults::CONNECTIONS);
        assert!(Memory::mebibytes(defaults::MEMORY).registrations() >= defaults::REGISTRATIONS);
    }
}
