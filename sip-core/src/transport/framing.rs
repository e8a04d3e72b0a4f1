//! From what a socket gives to whole messages and keep-alives (RFC 3261 §18.3, RFC 5626 §3.5.1, RFC 7118 §5).
//!
//! What it does not do: look at anything of a message but its Content-Length.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use memchr::memmem;

use crate::limits;
use crate::message::{Fault, HeaderName, Headers, ParseError, Refused};

/// One unit of what a peer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message; whether they are a message is for [`crate::message::Message::parse`] to say.
    Message(Bytes),
    /// A keep-alive's question, CRLF CRLF: answer [`PONG`].
    Ping,
    /// A keep-alive's answer, CRLF.
    Pong,
}

/// A keep-alive's question.
pub const PING: &[u8] = b"\r\n\r\n";

/// A keep-alive's answer.
pub const PONG: &[u8] = b"\r\n";

/// Reads one datagram. `None`: nothing that concerns SIP, to be dropped without a word.
///
/// The keep-alives of RFC 5626 are for streams, yet phones send them over UDP too, as they send zeros or blanks to
/// keep a NAT's binding.
pub fn datagram(bytes: Bytes) -> Option<Frame> {
    // STUN's first two bits are zero (RFC 5389 §6), a SIP message begins with a letter.
    if bytes.first().is_some_and(|first| *first < 4) {
        return None;
    }
    whole(bytes)
}

/// Reads the payload of one WebSocket message, text or binary: exactly one SIP message or keep-alive
/// (RFC 7118 §5, §6).
pub fn websocket(bytes: Bytes) -> Option<Frame> {
    whole(bytes)
}

fn whole(mut bytes: Bytes) -> Option<Frame> {
    // §7.5: CRLFs before the start line are ignored.
    let blank = bytes.chunks_exact(2).take_while(|pair| *pair == PONG).count() * 2;
    if blank < bytes.len() {
        let message = bytes.split_off(blank);
        let noise = message.iter().all(|b| matches!(b, 0 | b' ' | b'\t' | b'\r' | b'\n'));
        return (!noise).then_some(Frame::Message(message));
    }
    match blank {
        0 => None,
        2 => Some(Frame::Pong),
        _ => Some(Frame::Ping),
    }
}

/// Cuts a byte stream into messages by their Content-Length.
///
/// Push what was read, then take frames until there are none; then the framer holds less than
/// [`limits::MESSAGE_BYTES`]. It works in time linear in the bytes pushed, however they are divided.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are done with.
    start: usize,
    /// Bytes after `start` that were searched for the end of the head.
    searched: usize,
    /// Length of the message at `start`, once its head is there.
    length: Option<usize>,
    /// A lone CRLF was told as a pong; if another follows at once, the two were a ping.
    half_ping: bool,
    failed: bool,
}

/// Past this capacity an empty buffer is given back: thousands of idle connections hold nothing.
const IDLE_CAPACITY: usize = 4096;

impl StreamFramer {
    /// An empty framer.
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, length: None, half_ping: false, failed: false }
    }

    /// Adds bytes that were read. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is there.
    ///
    /// After an error there is no telling where the next message begins: answer [`StreamError::refused`], if there
    /// is one, and close. The error is told once, then there are no more frames.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, StreamError> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = result.is_err();
        if self.failed || self.start == self.buffer.len() {
            self.start = 0;
            self.buffer.clear();
            if self.buffer.capacity() > IDLE_CAPACITY {
                self.buffer = Vec::new();
            }
        }
        result
    }

    /// Bytes it has for a part of a frame that waits for the rest; a few thousand are not counted.
    pub fn held(&self) -> usize {
        if self.buffer.capacity() > IDLE_CAPACITY { self.buffer.capacity() } else { 0 }
    }

    /// Whether part of a frame is waiting for the rest: a peer may stay silent for ever, but not here.
    pub const fn is_partial(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn advance(&mut self) -> Result<Option<Frame>, StreamError> {
        if self.length.is_none()
            && self.searched == 0
            && let Some(frame) = self.keep_alive()
        {
            return Ok(Some(frame));
        }
        let rest = &self.buffer[self.start..];
        // Half a CRLF is not the begin of a message.
        if rest == b"\r" {
            return Ok(None);
        }
        let length = match self.length {
            Some(length) => length,
            None => {
                // The blank line may have been cut by the end of an earlier push.
                let from = self.searched.saturating_sub(3);
                let searchable = &rest[..rest.len().min(limits::MESSAGE_BYTES)];
                let Some(at) = memmem::find(&searchable[from..], PING) else {
                    if rest.len() >= limits::MESSAGE_BYTES {
                        return Err(StreamError { fault: Fault::TooLarge, head: None });
                    }
                    self.searched = rest.len();
                    return Ok(None);
                };
                let head = &rest[..from + at + PING.len()];
                let length = content_length(head)
                    .and_then(|length| {
                        let length = usize::try_from(length).ok().and_then(|l| l.checked_add(head.len()));
                        length.filter(|l| *l <= limits::MESSAGE_BYTES).ok_or(Fault::TooLarge)
                    })
                    .map_err(|fault| StreamError { fault, head: Some(Bytes::copy_from_slice(head)) })?;
                self.length = Some(length);
                length
            }
        };
        // Copied, so that a message kept by a transaction does not keep a read buffer of many times its size.
        let Some(message) = rest.get(..length).map(Bytes::copy_from_slice) else {
            return Ok(None);
        };
        self.start += length;
        self.searched = 0;
        self.length = None;
        Ok(Some(Frame::Message(message)))
    }

    /// CRLFs before a message.
    fn keep_alive(&mut self) -> Option<Frame> {
        let rest = &self.buffer[self.start..];
        if !rest.starts_with(PONG) {
            // A lone CR may become one.
            if !rest.is_empty() && rest != b"\r" {
                self.half_ping = false;
            }
            return None;
        }
        if self.half_ping {
            self.half_ping = false;
            self.start += PONG.len();
            return Some(Frame::Ping);
        }
        if rest.starts_with(PING) {
            self.start += PING.len();
            return Some(Frame::Ping);
        }
        // Told at once: behind a pong nothing may come for minutes. Should this be half a ping, whose other half is
        // still under way, then that half is the ping.
        self.half_ping = rest.len() < PING.len();
        self.start += PONG.len();
        Some(Frame::Pong)
    }
}

/// Why a stream can be read no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct StreamError {
    /// What was wrong: [`Fault::TooLarge`], [`Fault::BareLineEnd`], or with Content-Length [`Fault::Missing`],
    /// [`Fault::Duplicate`] or [`Fault::Malformed`].
    pub fault: Fault,
    /// The message's start line and header fields with the blank line, if all of them had come.
    pub head: Option<Bytes>,
}

impl StreamError {
    /// The request that cannot be read to its end, as far as it can be answered; `None` if it has no head. The answer goes back
    /// over the stream it came on.
    pub fn refused(&self) -> Option<Refused> {
        let head = without_content_length(self.head.as_deref()?);
        let headers = Headers::index(head.into()).ok()?;
        Some(Refused::of(headers, ParseError { fault: self.fault, offset: 0 }))
    }
}

/// Without the fields that make the head unreadable by itself.
fn without_content_length(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len());
    let mut skipping = false;
    for (index, line) in lines(head).enumerate() {
        if index > 0 && !is_fold(line) {
            skipping = field_value(line).is_some();
        }
        if !skipping {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// The value of a head's one Content-Length, which a stream cannot do without (RFC 3261 §18.3, §20.14).
fn content_length(head: &[u8]) -> Result<u64, Fault> {
    const NAME: HeaderName = HeaderName::ContentLength;
    let mut value: Option<String> = None;
    let mut continues = false;
    for (index, line) in lines(head).enumerate() {
        // Elements that take a bare CR or LF for a line end see other header fields than we do.
        if memchr::memchr2(b'\r', b'\n', line).is_some() {
            return Err(Fault::BareLineEnd);
        }
        if index == 0 {
            continue;
        }
        let part = if is_fold(line) {
            continues.then_some(line)
        } else {
            let part = field_value(line);
            continues = part.is_some();
            if continues && value.is_some() {
                return Err(Fault::Duplicate(NAME));
            }
            part
        };
        if let Some(part) = part {
            let part = core::str::from_utf8(part).map_err(|_| Fault::Malformed(NAME))?;
            value.get_or_insert_default().push_str(part);
        }
    }
    let value = value.ok_or(Fault::Missing(NAME))?;
    let value = value.trim_matches([' ', '\t']);
    // `parse` alone would take a sign.
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Malformed(NAME));
    }
    // Only an overflow is left.
    value.parse().map_err(|_| Fault::TooLarge)
}

/// A head's lines without their ends, the blank one included.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    core::iter::from_fn(move || {
        let end = memmem::find(rest, b"\r\n")?;
        let (line, tail) = rest.split_at(end);
        rest = &tail[2..];
        Some(line)
    })
}

/// §7.3.1: a line that begins with a blank continues the one before.
fn is_fold(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// What follows the colon of a Content-Length field, long or compact.
fn field_value(line: &[u8]) -> Option<&[u8]> {
    // Most lines end here.
    if !matches!(line.first(), Some(b'c' | b'C' | b'l' | b'L')) {
        return None;
    }
    let colon = memchr::memchr(b':', line)?;
    let mut name = &line[..colon];
    // HCOLON: blanks before the colon, and nothing else.
    while let [shorter @ .., b' ' | b'\t'] = name {
        name = shorter;
    }
    (HeaderName::from_bytes(name) == HeaderName::ContentLength).then(|| &line[colon + 1..])
}

#[cfg(test)]
mod tests;
