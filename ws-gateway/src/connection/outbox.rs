use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::budget::{Budget, Budgets};
use crate::config::Limits;

/// Most messages written in one go.
const BATCH: usize = 32;

/// Makes the two ends of a queue.
pub fn outbox(limits: &Limits, budgets: &Budgets) -> (Outbox, Inbox) {
    let shared = Arc::new(Shared {
        most_messages: limits.queued_messages,
        most_bytes: limits.queued_bytes,
        budget: Arc::clone(&budgets.queued),
        queue: Mutex::default(),
    });
    (Outbox { shared: Arc::clone(&shared) }, Inbox { shared })
}

/// The end that is put into.
#[derive(Clone, Debug)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// The end that the connection's task takes from.
#[derive(Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most_messages: usize,
    most_bytes: usize,
    /// What all connections share.
    budget: Arc<Budget>,
    /// Nothing waits under its lock.
    queue: Mutex<Queue>,
}

/// Without messages it has no room for any: most connections are silent.
#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    /// Of messages that are not written yet, whether they were taken or not.
    bytes: usize,
    /// Something did not fit.
    overflowed: bool,
    /// The connection is gone.
    closed: bool,
    /// The task, while it waits for messages and does nothing else: an answer to what it works on just now needs not wake
    /// it, and would have another thread take it over.
    waiting: Option<Waker>,
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
        let mut queue = self.shared.queue.lock();
        if queue.closed {
            return Err(Full);
        }
        // The first message always fits, whatever its length, unless there is no room at all.
        let (before, length) = (queue.bytes, message.len());
        let fits = (before == 0 || before + length <= self.shared.most_bytes)
            && queue.messages.len() < self.shared.most_messages
            && self.shared.budget.take(before, length);
        if fits {
            queue.bytes += length;
            queue.messages.push_back(message);
        } else {
            queue.overflowed = true;
        }
        let waiting = queue.waiting.take();
        drop(queue);
        if let Some(task) = waiting {
            task.wake();
        }
        if fits { Ok(()) } else { Err(Full) }
    }
}

impl Inbox {
    /// Waits for messages and takes up to a batch of them into `batch`, or learns that something did not fit. Nothing
    /// is lost if it is not waited for to the end.
    pub async fn batch(&mut self, batch: &mut Vec<Bytes>) -> Result<(), Overflow> {
        Waiting { shared: &self.shared, batch }.await
    }

    /// Takes up to a batch of what is there now. Tells whether there was anything.
    pub fn remaining(&mut self, batch: &mut Vec<Bytes>) -> bool {
        self.shared.queue.lock().take(batch);
        !batch.is_empty()
    }

    /// Says that `bytes` were written.
    pub fn written(&self, bytes: usize) {
        self.shared.queue.lock().bytes -= bytes;
        self.shared.budget.give_back(bytes);
    }
}

/// Whoever sends from now on learns that there is nobody.
impl Drop for Inbox {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        self.shared.budget.give_back(queue.bytes);
        *queue = Queue { closed: true, ..Queue::default() };
    }
}

impl Queue {
    fn take(&mut self, batch: &mut Vec<Bytes>) {
        let count = self.messages.len().min(BATCH.saturating_sub(batch.len()));
        batch.extend(self.messages.drain(..count));
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
    }
}

/// Waits for messages. The task is woken only while this is there.
struct Waiting<'a> {
    shared: &'a Shared,
    batch: &'a mut Vec<Bytes>,
}

impl Future for Waiting<'_> {
    type Output = Result<(), Overflow>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, batch } = &mut *self;
        let mut queue = shared.queue.lock();
        if mem::take(&mut queue.overflowed) {
            return Poll::Ready(Err(Overflow));
        }
        if queue.messages.is_empty() {
            if !queue.waiting.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                queue.waiting = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        queue.take(batch);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waiting = self.shared.queue.lock().waiting.take();
        drop(waiting);
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
        assert_eq!(slow_inbox.batch(&mut Vec::new()).await, Err(Overflow));
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
        let (outbox, mut inbox) = outbox(&limits(2, 1_000_000), &budgets());
        assert_eq!(outbox.push(Bytes::from_static(b"1")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"2")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"3")), Err(Full));
        assert_eq!(inbox.batch(&mut Vec::new()).await, Err(Overflow));
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
        assert_eq!(inbox.batch(&mut Vec::new()).await, Err(Overflow));
    }

    #[tokio::test]
    async fn one_message_longer_than_the_cap_still_passes() {
        let (outbox, _inbox) = outbox(&limits(100, 10), &budgets());
        assert_eq!(outbox.push(Bytes::from_static(b"12345678901234")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"1")), Err(Full));
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_gets_messages_in_their_order() {
        let (outbox, mut inbox) = outbox(&limits(100, 1_000), &budgets());
        let task = tokio::spawn(async move {
            let mut batch = Vec::new();
            while batch.len() < 3 {
                let before = batch.len();
                inbox.batch(&mut batch).await.unwrap();
                inbox.written(batch.len() - before);
            }
            batch
        });
        for message in [b"1", b"2", b"3"] {
            tokio::task::yield_now().await;
            outbox.push(Bytes::from_static(message)).unwrap();
        }
        assert_eq!(task.await.unwrap(), ["1", "2", "3"]);
        // Its task is over.
        assert_eq!(outbox.push(Bytes::from_static(b"4")), Err(Full));
    }

    #[tokio::test]
    async fn who_gave_up_waiting_is_not_woken_and_loses_nothing() {
        let (outbox, mut inbox) = outbox(&limits(100, 1_000), &budgets());
        let mut batch = Vec::new();
        let given_up = tokio::select! {
            biased;
            _ = inbox.batch(&mut batch) => false,
            () = std::future::ready(()) => true,
        };
        assert!(given_up && outbox.shared.queue.lock().waiting.is_none());
        outbox.push(Bytes::from_static(b"1")).unwrap();
        inbox.batch(&mut batch).await.unwrap();
        assert_eq!(batch, ["1"]);
        assert_eq!(outbox.shared.queue.lock().messages.capacity(), 0);
    }
}
