//! Transactions by what their messages say.
//!
//! A table holds hashes and ids, and no keys: the hash is keyed with the endpoint's randomness, so that nobody makes messages that
//! meet in it, and that two of all there can be have the same is less likely than that the machine errs. It is therefore of
//! everything that tells two keys apart, and no two keys are the same bytes to it.

use alloc::collections::BTreeMap;
use core::hash::{Hash as _, Hasher as _};
use core::net::IpAddr;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

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
        // None is not port 0. Above it, what kind of host follows.
        let port = key.port.map_or(0, |port| u64::from(port) + 1);
        // By words as far as it goes, which is faster than by parts of them.
        match key.host {
            Host::Ip(IpAddr::V4(ip)) => hash.write_u64(u64::from(ip.to_bits()) << 17 | port),
            Host::Ip(IpAddr::V6(ip)) => {
                hash.write_u64(1 << 62 | port);
                hash.write_u128(ip.to_bits());
            }
            Host::Name(name) => {
                hash.write_u64(1 << 63 | port);
                write_small(&mut hash, name);
                // No name and no branch has a space.
                hash.write_u8(b' ');
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
    pub(super) fn find(&self, hash: u64) -> Option<ClientId> {
        self.0.find(hash, |entry| entry.hash == hash).map(|entry| entry.id)
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
    pub(super) fn find(&self, hash: u64, key: &ServerKey<'_>) -> Option<ServerId> {
        match key {
            ServerKey::Branch(_) => {
                self.branches.find(hash, |entry| entry.hash == hash).map(|entry| entry.id)
            }
            ServerKey::Rfc2543(key) => self.old.get(key).copied(),
        }
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
        } else if let Some(request) = server.kept.request()
            && let ServerKey::Rfc2543(key) = ServerKey::of(request)
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

    /// What is not compared must not be the same to the hash.
    #[test]
    fn rfc3261_17_2_3_no_two_keys_are_the_same_bytes_to_the_hash() {
        let hashing = Hashing::new(&mut SeededEntropy(1));
        let method = &Method::Invite;
        let hash = |host, port, branch| hashing.server(&BranchKey { branch, host, port, method });
        // Where a name ends, and a branch begins.
        assert_ne!(
            hash(Host::Name("a"), None, "z9hg4bkz9hG4bK1"),
            hash(Host::Name("az9hg4bk"), None, "z9hG4bK1")
        );
        // Which kind of host it is: addresses whose bytes are a name and the beginning of a branch.
        let bytes = *b"host z9hG4bK1234";
        let v6 = Host::Ip(IpAddr::from(u128::from_ne_bytes(bytes).to_be_bytes()));
        let v6_other = Host::Ip(IpAddr::from(bytes));
        for v6 in [v6, v6_other] {
            assert_ne!(hash(v6, None, "z9hG4bK"), hash(Host::Name("host"), None, "z9hG4bK1234z9hG4bK"));
        }
        // Which port, or none.
        let v4 = |last| Host::Ip(IpAddr::from([0, 0, 0, last]));
        let mut seen = alloc::collections::BTreeSet::new();
        for host in [v4(0), v4(1), Host::Ip(IpAddr::from([0u8; 16])), Host::Name("a")] {
            for port in [None, Some(0), Some(1), Some(u16::MAX)] {
                assert!(seen.insert(hash(host, port, "z9hG4bK1")), "{host:?} {port:?}");
            }
        }
    }
}
