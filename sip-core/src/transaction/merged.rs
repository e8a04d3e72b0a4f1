//! Merged requests (§8.2.2.2): one request that was forked on its way to us and came twice, over two ways.

use hashbrown::HashTable;

use super::tables::Hashing;
use super::{ById, ServerId};
use crate::message::Request;

/// The requests an element takes for itself and has not done with. As many as there are such transactions, so it needs
/// no cap of its own.
#[derive(Debug)]
pub(crate) struct Ongoing {
    hashing: Hashing,
    /// By the hash of tags, Call-ID and CSeq alone: its key is random, and that two of all there can be have the same
    /// is less likely than that the machine errs.
    names: HashTable<(u64, ServerId)>,
    of: ById<ServerId, u64>,
}

impl Ongoing {
    pub(super) fn new(hashing: Hashing) -> Self {
        Self { hashing, names: HashTable::new(), of: ById::new() }
    }

    /// Notes a request; whether another transaction has the same already.
    pub(crate) fn is_merged(&mut self, server: ServerId, request: &Request) -> bool {
        // "If the request has no tag in the To header field".
        if request.to_tag().is_some() {
            return false;
        }
        let name = self.name_of(request);
        if let Some((_, other)) = self.names.find(name, |(other, _)| *other == name) {
            return *other != server;
        }
        self.names.insert_unique(name, (name, server), |(other, _)| *other);
        self.of.insert(server, name);
        false
    }

    /// What a request has in common with those that are the same, whatever their branches.
    pub(crate) fn name_of(&self, request: &Request) -> u64 {
        self.hashing.merged(request)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// A transaction is over.
    pub(crate) fn forget(&mut self, server: ServerId) {
        if let Some(name) = self.of.remove(&server) {
            forget_name(&mut self.names, name);
        }
    }

    /// Forgets those for which nothing can be said any more.
    pub(crate) fn forget_all(&mut self, mut lost: impl FnMut(ServerId) -> bool) {
        let Self { names, of, .. } = self;
        of.retain(|server, name| {
            let lost = lost(server);
            if lost {
                forget_name(names, *name);
            }
            !lost
        });
    }
}

fn forget_name(names: &mut HashTable<(u64, ServerId)>, name: u64) {
    if let Ok(entry) = names.find_entry(name, |(other, _)| *other == name) {
        entry.remove();
    }
}
