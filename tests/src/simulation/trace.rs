//! What happened in one run: always as a hash, and for a ladder also as a list.

use bytes::Bytes;
use sip_core::time::Instant;

use super::NodeId;

/// What became of a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives then.
    Arrives(Instant),
    /// It arrives at both times.
    Twice(Instant, Instant),
    /// It does not arrive: why.
    Lost(&'static str),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A message was sent.
    Sent {
        /// Sender.
        from: NodeId,
        /// Receiver.
        to: NodeId,
        /// As it is on the wire.
        message: Bytes,
        /// What becomes of it.
        fate: Fate,
    },
    /// A timer of a node fired and something came of it.
    Timer(NodeId),
    /// A user gave a command, or was told of an event.
    Note(NodeId, String),
    /// Something happened to the network or to a node.
    Fault(String),
}

impl Entry {
    /// Whether this node did it.
    pub fn is_of(&self, node: NodeId) -> bool {
        match self {
            Self::Sent { from: who, .. } | Self::Timer(who) | Self::Note(who, _) => *who == node,
            Self::Fault(_) => false,
        }
    }
}

/// A run's record.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    messages: u64,
    entries: Option<Vec<(Instant, Entry)>>,
}

impl Trace {
    /// An empty record; `whole`: of every entry and not only of the hash.
    pub fn new(whole: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, messages: 0, entries: whole.then(Vec::new) }
    }

    /// A message left a node.
    pub fn sent(&mut self, now: Instant, from: NodeId, to: NodeId, message: &Bytes, fate: Fate) {
        self.messages += 1;
        self.mix(now.as_micros() ^ ((from.0 as u64) << 48) ^ ((to.0 as u64) << 56));
        self.mix(match fate {
            Fate::Arrives(at) => at.as_micros(),
            Fate::Twice(first, second) => first.as_micros() ^ second.as_micros().rotate_left(32),
            Fate::Lost(_) => 0,
        });
        self.mix(fingerprint(message));
        self.push(now, || Entry::Sent { from, to, message: message.clone(), fate });
    }

    /// A timer fired.
    pub fn timer(&mut self, now: Instant, node: NodeId) {
        self.mix(now.as_micros() ^ ((node.0 as u64) << 32));
        self.push(now, || Entry::Timer(node));
    }

    /// A user did something or was told something.
    pub fn note(&mut self, now: Instant, node: NodeId, text: impl FnOnce() -> String) {
        self.mix(now.as_micros() ^ ((node.0 as u64) << 40));
        self.push(now, || Entry::Note(node, text()));
    }

    /// Something happened to the network or to a node.
    pub fn fault(&mut self, now: Instant, text: impl FnOnce() -> String) {
        self.mix(now.as_micros());
        self.push(now, || Entry::Fault(text()));
    }

    /// Equal for equal runs.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Messages sent so far.
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Everything, if the record is whole.
    pub fn entries(&self) -> &[(Instant, Entry)] {
        self.entries.as_deref().unwrap_or_default()
    }

    fn push(&mut self, now: Instant, entry: impl FnOnce() -> Entry) {
        if let Some(entries) = &mut self.entries {
            entries.push((now, entry()));
        }
    }

    const fn mix(&mut self, value: u64) {
        self.hash = stir(self.hash, value);
    }
}

/// A message's name among others: equal bytes have equal ones.
pub fn fingerprint(message: &[u8]) -> u64 {
    let mut hash = message.len() as u64;
    let (words, rest) = message.as_chunks::<8>();
    for word in words {
        hash = stir(hash, u64::from_le_bytes(*word));
    }
    rest.iter().fold(hash, |hash, byte| stir(hash, u64::from(*byte)))
}

/// Two numbers in one from which neither can be told; never one plus a multiple of the other, as SplitMix64 would have
/// its seeds unrelated.
pub const fn stir(hash: u64, value: u64) -> u64 {
    let product = (hash ^ value) as u128 * 0x9e37_79b9_7f4a_7c15;
    (product as u64) ^ ((product >> 64) as u64)
}
