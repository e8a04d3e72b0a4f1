//! Transactions by what their messages say.
//!
//! A table holds hashes and ids; the keys stand in the transactions' messages, where they are compared whole. The hash
//! is keyed with the endpoint's randomness, so that nobody makes messages that meet in it.

use alloc::collections::BTreeMap;
use core::hash::{Hash as _, Hasher as _};
use core::net::IpAddr;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use slab::Slab;

use super::client::Client;
use super::event::{ClientId, ServerId};
use super::key::{BranchKey, ClientKey, Rfc2543Key, ServerKey};
use super::server::Server;
use crate::entropy::{self, Entropy};
use crate::message::{Host, Method, Request};

/// Hashes keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashing {
    keys: [u64; 2],
}

impl Hashing {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { keys: [entropy::number(entropy), entropy::number(entropy)] }
    }

    pub(super) fn client(self, key: &ClientKey<'_>) -> u64 {
        let mut hash = self.begin(key.method);
        hash.write(key.branch.as_bytes());
        hash.finish()
    }

    pub(super) fn server(self, key: &BranchKey<'_>) -> u64 {
        let mut hash = self.begin(key.method);
        let port = u64::from(key.port.unwrap_or_default());
        // By words as far as it goes, which is faster than by parts of them.
        match key.host {
            Host::Name(name) => {
                hash.write_u64(port);
                write_small(&mut hash, name);
            }
            Host::Ip(IpAddr::V4(ip)) => hash.write_u64(u64::from(ip.to_bits()) << 16 | port),
            Host::Ip(IpAddr::V6(ip)) => {
                hash.write_u64(port);
                hash.write_u128(ip.to_bits());
            }
        }
        hash.write(key.branch.as_bytes());
        hash.finish()
    }

    /// What requests have in common that are one (§8.2.2.2): tags, Call-ID and CSeq.
    pub(super) fn merged(self, request: &Request) -> u64 {
        let [first, second] = self.keys;
        let mut hash = SipHasher13::new_with_keys(first, second);
        let cseq = request.cseq();
        hash.write(request.call_id().as_bytes());
        // No Call-ID and no method has a space.
        hash.write_u8(b' ');
        hash.write_u32(cseq.number);
        hash.write(cseq.method.as_str().as_bytes());
        hash.write_u8(b' ');
        hash.write(request.from_tag().unwrap_or_default().as_bytes());
        hash.write_u8(b' ');
        hash.write(request.to_tag().unwrap_or_default().as_bytes());
        hash.finish()
    }

    fn begin(self, method: &Method) -> SipHasher13 {
        let [first, second] = self.keys;
        let mut hash = SipHasher13::new_with_keys(first, second);
        method.hash(&mut hash);
        hash
    }
}

/// A name in small letters.
fn write_small(hash: &mut SipHasher13, name: &str) {
    for part in name.as_bytes().chunks(32) {
        let mut small = [0; 32];
        let small = &mut small[..part.len()];
        small.copy_from_slice(part);
        small.make_ascii_lowercase();
        hash.write(small);
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<I> {
    hash: u64,
    id: I,
}

/// Client transactions.
#[derive(Debug, Default)]
pub(super) struct ClientTable(HashTable<Entry<ClientId>>);

impl ClientTable {
    pub(super) fn find(&self, hash: u64, key: &ClientKey<'_>, clients: &Slab<Client>) -> Option<ClientId> {
        let same = |id: ClientId| clients.get(id.index as usize).is_some_and(|client| client.key() == *key);
        self.0.find(hash, |entry| entry.hash == hash && same(entry.id)).map(|entry| entry.id)
    }

    pub(super) fn insert(&mut self, hash: u64, id: ClientId) {
        self.0.insert_unique(hash, Entry { hash, id }, |entry| entry.hash);
    }

    pub(super) fn remove(&mut self, hash: u64, id: ClientId) {
        if let Ok(entry) = self.0.find_entry(hash, |entry| entry.id == id) {
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = ClientId> {
        self.0.iter().map(|entry| entry.id)
    }
}

/// Server transactions.
#[derive(Debug, Default)]
pub(super) struct ServerTable {
    branches: HashTable<Entry<ServerId>>,
    /// Those of peers that speak RFC 2543, which are few.
    old: BTreeMap<Rfc2543Key, ServerId>,
}

impl ServerTable {
    /// The transaction of a key that has this hash, if it has one.
    pub(super) fn find(&self, hash: u64, key: &ServerKey<'_>, servers: &Slab<Server>) -> Option<ServerId> {
        let key = match key {
            ServerKey::Branch(key) => key,
            ServerKey::Rfc2543(key) => return self.old.get(key).copied(),
        };
        let same = |id: ServerId| {
            let request = servers.get(id.index as usize).and_then(|server| server.request.read());
            request.is_some_and(|request| BranchKey::of(&request).is_some_and(|other| other == *key))
        };
        self.branches.find(hash, |entry| entry.hash == hash && same(entry.id)).map(|entry| entry.id)
    }

    pub(super) fn insert(&mut self, hash: u64, key: ServerKey<'_>, id: ServerId) {
        match key {
            ServerKey::Branch(_) => {
                self.branches.insert_unique(hash, Entry { hash, id }, |entry| entry.hash);
            }
            ServerKey::Rfc2543(key) => {
                self.old.insert(key, id);
            }
        }
    }

    /// Takes out `server`, whose id is `id`.
    pub(super) fn remove(&mut self, server: &Server, id: ServerId) {
        if let Ok(entry) = self.branches.find_entry(server.hash, |entry| entry.id == id) {
            entry.remove();
        } else if let Some(request) = server.request.read()
            && let ServerKey::Rfc2543(key) = ServerKey::of(&request)
        {
            self.old.remove(&key);
        }
    }

    /// Those of RFC 2543 that differ from `key` in the To tag at most.
    pub(super) fn alike(&self, key: &Rfc2543Key) -> impl Iterator<Item = ServerId> {
        let untagged = key.untagged();
        self.old
            .range(&untagged..)
            .take_while(move |(candidate, _)| candidate.untagged() == untagged)
            .map(|(_, server)| *server)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ServerId> {
        self.branches.iter().map(|entry| entry.id).chain(self.old.values().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn hashes_are_keyed_and_names_have_no_case() {
        let (one, other) = (Hashing::new(&mut SeededEntropy(1)), Hashing::new(&mut SeededEntropy(2)));
        fn key(name: &str) -> BranchKey<'_> {
            let (branch, method) = ("z9hG4bK1", &Method::Invite);
            BranchKey { branch, host: Host::Name(name), port: Some(5060), method }
        }
        let long = "a-Name-Of-More-Than-Thirty-Two-Characters.example";
        let capitals = long.to_ascii_uppercase();
        assert_eq!(one.server(&key(long)), one.server(&key(&capitals)));
        assert_ne!(one.server(&key(long)), one.server(&key("b.example")));
        assert_ne!(one.server(&key(long)), other.server(&key(long)));
        let method = BranchKey { method: &Method::Cancel, ..key(long) };
        assert_ne!(one.server(&key(long)), one.server(&method));
    }
}
