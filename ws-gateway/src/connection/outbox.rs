//! The bounded queue of what is to be written to one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::budget::{Budget, Budgets};
use crate::config::Limits;

/// Most messages written in one go.
const BATCH: usize = 32;

/// Makes the two ends of a queue.
pub fn outbox(limits: &Limits, budgets: &Budgets) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(limits.queued_messages);
    let shared = Arc::new(Shared {
        queued: AtomicUsize::new(0),
        most: limits.queued_bytes,
        budget: Arc::clone(&budgets.queued),
        overflow: Notify::new(),
    });
    (Outbox { sender, shared: Arc::clone(&shared) }, Inbox { receiver, shared })
}

/// The end that is put into.
#[derive(Clone, Debug)]
pub struct Outbox {
    sender: mpsc::Sender<Bytes>,
    shared: Arc<Shared>,
}

/// The end that the connection's task takes from.
#[derive(Debug)]
pub struct Inbox {
    receiver: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queued: AtomicUsize,
    most: usize,
    /// What all connections share.
    budget: Arc<Budget>,
    overflow: Notify,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.budget.give_back(*self.queued.get_mut());
    }
}

/// The queue is full, or its connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Something did not fit: the peer has lost the thread and must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Outbox {
    /// Queues a message without waiting. When there is no room the connection is told to close: a peer that lost one
    /// message of a reliable transport has lost the thread.
    pub fn push(&self, message: Bytes) -> Result<(), Full> {
        let length = message.len();
        let before = self.shared.queued.fetch_add(length, Ordering::AcqRel);
        // The first message always fits, whatever its length, unless there is no room at all.
        let fits = before == 0 || before + length <= self.shared.most;
        if fits && self.shared.budget.take(before, length) {
            if self.sender.try_send(message).is_ok() {
                return Ok(());
            }
            self.shared.budget.give_back(length);
        }
        self.shared.queued.fetch_sub(length, Ordering::AcqRel);
        self.shared.overflow.notify_one();
        Err(Full)
    }
}

impl Inbox {
    /// Waits for messages and takes up to a batch of them into `batch`, or learns that something did not fit. Nothing
    /// is lost if it is not waited for to the end.
    pub async fn batch(&mut self, batch: &mut Vec<Bytes>) -> Result<(), Overflow> {
        tokio::select! {
            _ = self.receiver.recv_many(batch, BATCH) => Ok(()),
            () = self.shared.overflow.notified() => Err(Overflow),
        }
    }

    /// Takes up to a batch of what is there now. Tells whether there was anything.
    pub fn remaining(&mut self, batch: &mut Vec<Bytes>) -> bool {
        while batch.len() < BATCH
            && let Ok(message) = self.receiver.try_recv()
        {
            batch.push(message);
        }
        !batch.is_empty()
    }

    /// Says that `bytes` were written.
    pub fn written(&self, bytes: usize) {
        self.shared.queued.fetch_sub(bytes, Ordering::AcqRel);
        self.shared.budget.give_back(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(queued_messages: usize, queued_bytes: usize) -> Limits {
        Limits { queued_messages, queued_bytes, ..Limits::default() }
    }

    fn budgets() -> Budgets {
        Budgets::new(Limits::default().memory)
    }

    #[tokio::test]
    async fn what_all_connections_have_queued_is_bounded_and_given_back() {
        let budgets = Budgets { queued: Arc::new(Budget::new(100)), ..budgets() };
        let (slow, mut slow_inbox) = outbox(&limits(100, 1_000), &budgets);
        let (other, other_inbox) = outbox(&limits(100, 1_000), &budgets);
        for _ in 0..5 {
            slow.push(Bytes::from_static(b"0123456789")).unwrap();
        }
        // Half is the most that one has, and the other has room all the same.
        assert_eq!(slow.push(Bytes::from_static(b"0")), Err(Full));
        slow_inbox.shared.overflow.notified().await;
        other.push(Bytes::from_static(b"0123456789")).unwrap();
        let mut batch = Vec::new();
        slow_inbox.batch(&mut batch).await.unwrap();
        slow_inbox.written(30);
        assert_eq!(budgets.queued.taken(), 30);
        // Whoever is closed gives back what was never written.
        drop((slow, slow_inbox));
        assert_eq!(budgets.queued.taken(), 10);
        drop((other, other_inbox));
        assert_eq!(budgets.queued.taken(), 0);
    }

    #[tokio::test]
    async fn full_by_number_closes_the_connection() {
        let (outbox, inbox) = outbox(&limits(2, 1_000_000), &budgets());
        assert_eq!(outbox.push(Bytes::from_static(b"1")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"2")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"3")), Err(Full));
        inbox.shared.overflow.notified().await;
    }

    #[tokio::test]
    async fn full_by_bytes_closes_the_connection_and_written_bytes_make_room() {
        let (outbox, mut inbox) = outbox(&limits(100, 10), &budgets());
        outbox.push(Bytes::from_static(b"123456")).unwrap();
        let mut batch = Vec::new();
        inbox.batch(&mut batch).await.unwrap();
        assert_eq!(outbox.push(Bytes::from_static(b"12345")), Err(Full));
        inbox.written(6);
        assert_eq!(outbox.push(Bytes::from_static(b"12345")), Ok(()));
        inbox.shared.overflow.notified().await;
    }

    #[tokio::test]
    async fn one_message_longer_than_the_cap_still_passes() {
        let (outbox, _inbox) = outbox(&limits(100, 10), &budgets());
        assert_eq!(outbox.push(Bytes::from_static(b"12345678901234")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"1")), Err(Full));
    }
}
