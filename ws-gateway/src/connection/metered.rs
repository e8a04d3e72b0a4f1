//! A stream that knows how much of a message has come, and how much its peer leaves unread of what the WebSocket library answers by
//! itself: that does not say either.

use std::io;

use crate::budget::Held;
use crate::watched::{Watch, Watched};

/// A stream whose bytes of unfinished messages have a budget, and whose peer reads the answers to its pings.
pub(super) type Metered<S> = Watched<S, Meter>;

/// What is known of such a stream.
pub struct Meter {
    /// Bytes read since the last whole message, control frames not counted.
    read: usize,
    held: Held,
    refused: bool,
    /// Bytes of pongs that may not have been written. Each message of ours that is written takes those before it along.
    unread: usize,
}

/// Up to this nothing is counted: every connection has a buffer of its own.
const FREE: usize = 4_096;

/// Past so many bytes of pongs that cannot be written their peer does not read them: the library would keep them all.
const UNREAD: usize = 4_096;

/// What our pong has beside its payload.
const PONG: usize = 2;

/// What a client's control frame has beside its payload, which is 125 bytes at most: two bytes, and the mask (RFC 6455
/// §5.2, §5.5).
const CONTROL: usize = 6;

impl Meter {
    /// Nothing was read yet.
    pub const fn new(held: Held) -> Self {
        Self { read: 0, held, refused: false, unread: 0 }
    }

    /// A whole message was read.
    pub fn complete(&mut self) {
        self.read = 0;
        self.charge();
    }

    /// A ping or pong with `length` bytes in it was read. They come between the parts of a message, too (RFC 6455 §5.4),
    /// and then that is still not complete.
    pub fn control(&mut self, length: usize) {
        self.read = self.read.saturating_sub(CONTROL + length);
        self.charge();
    }

    /// The library answers a ping with `length` bytes in it. `false`: too many answers wait to be read.
    pub const fn answers(&mut self, length: usize) -> bool {
        self.unread += PONG + length;
        self.unread <= UNREAD
    }

    /// `false`: there is no room. Less always fits.
    fn charge(&mut self) -> bool {
        // Buffers grow by doubling.
        self.held.set(if self.read > FREE { 2 * self.read } else { 0 })
    }

    /// Whether there was no room for more.
    pub const fn is_refused(&self) -> bool {
        self.refused
    }
}

impl<S> Watch<S> for Meter {
    fn read(&mut self, _: &mut S, bytes: usize) -> io::Result<()> {
        self.read += bytes;
        if !self.charge() {
            self.refused = true;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    fn written(&mut self, bytes: usize) {
        self.unread = self.unread.saturating_sub(bytes);
    }
}
