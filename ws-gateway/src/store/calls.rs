//! Calls that are being set up, on their way to the disk.

use std::collections::{HashMap, HashSet};
use std::mem;

use bytes::Bytes;
use sip_core::server::Keep;

/// The most that are on the disk or on their way there: more are not set up at once by a gateway that is well. Past it calls are not
/// kept, and end in a restart as if nothing had been written.
const MOST: usize = 20_000;

/// The most bytes on their way there, which is what a disk is behind: a second of 10,000 calls.
const MOST_BYTES: usize = 32 << 20;

/// What is to be done to the rows, by their keys. `None`: the row goes.
pub type CallRows = Vec<(u128, Option<Bytes>)>;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Calls {
    waiting: HashMap<u128, Option<Bytes>>,
    /// Keys of rows that are on the disk, or may be.
    written: HashSet<u128>,
    bytes: usize,
}

impl Calls {
    /// `false`: there is no room, and the call is not kept. Most calls are answered before anything was written of them.
    pub(super) fn keep(&mut self, Keep { key, record }: Keep) -> bool {
        let record = record.filter(|record| self.has_room(key, record.len()));
        let kept = record.is_some();
        let before = match record {
            // Of a row that was never written nothing is left.
            None if !self.written.contains(&key) => self.waiting.remove(&key),
            record => {
                self.bytes += record.as_ref().map_or(0, Bytes::len);
                self.waiting.insert(key, record)
            }
        };
        self.bytes -= before.flatten().map_or(0, |before| before.len());
        kept
    }

    fn has_room(&self, key: u128, length: usize) -> bool {
        let known = self.written.contains(&key) || self.waiting.contains_key(&key);
        (known || self.waiting.len() + self.written.len() < MOST) && self.bytes + length <= MOST_BYTES
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// There are rows on the disk.
    pub(super) fn has_rows(&self) -> bool {
        !self.written.is_empty()
    }

    /// A row that is there from before.
    pub(super) fn found(&mut self, key: u128) {
        self.written.insert(key);
    }

    /// Everything that waits.
    pub(super) fn take(&mut self) -> CallRows {
        self.bytes = 0;
        let rows: CallRows = mem::take(&mut self.waiting).into_iter().collect();
        for (key, row) in &rows {
            match row {
                Some(_) => self.written.insert(*key),
                None => self.written.remove(key),
            };
        }
        rows
    }

    /// What could not be written, unless there is something newer.
    pub(super) fn give_back(&mut self, rows: CallRows) {
        for (key, row) in rows {
            self.written.insert(key);
            if !self.waiting.contains_key(&key) {
                self.bytes += row.as_ref().map_or(0, Bytes::len);
                self.waiting.insert(key, row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u128, length: usize) -> Keep {
        Keep { key, record: Some(vec![7; length].into()) }
    }

    fn end(key: u128) -> Keep {
        Keep { key, record: None }
    }

    #[test]
    fn of_a_call_that_ends_before_it_is_written_nothing_is() {
        let mut calls = Calls::default();
        assert!(calls.keep(put(1, 10)));
        calls.keep(end(1));
        assert!(calls.is_empty() && calls.bytes == 0);
        calls.keep(put(1, 10));
        calls.keep(put(1, 20));
        assert_eq!(calls.bytes, 20);
        assert_eq!(calls.take().len(), 1);
        // And of one that ends afterwards its end is.
        calls.keep(end(1));
        assert_eq!(calls.take(), [(1, None)]);
        assert!(calls.written.is_empty() && calls.take().is_empty());
    }

    #[test]
    fn past_the_cap_calls_are_not_kept_and_those_that_are_end() {
        let mut calls = Calls::default();
        for key in 0..MOST as u128 {
            assert!(calls.keep(put(key, 1)));
        }
        assert!(!calls.keep(put(u128::MAX, 1)));
        // What is there may change.
        assert!(calls.keep(put(3, 2)));
        calls.keep(end(4));
        assert!(calls.keep(put(u128::MAX, 1)));
        // A disk that stands still.
        let mut calls = Calls::default();
        let kept = (0..1_000).filter(|key| calls.keep(put(*key, 64 * 1024))).count();
        assert_eq!(kept * 64 * 1024, MOST_BYTES);
    }

    #[test]
    fn what_a_disk_refused_is_tried_again_unless_it_is_old() {
        let mut calls = Calls::default();
        calls.keep(put(1, 10));
        calls.keep(put(2, 10));
        let rows = calls.take();
        calls.keep(end(1));
        calls.give_back(rows);
        let mut rows = calls.take();
        rows.sort_by_key(|(key, _)| *key);
        assert_eq!(rows, [(1, None), (2, Some(vec![7; 10].into()))]);
    }
}
