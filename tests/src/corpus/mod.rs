//! What the core makes of any message: parsed, printed, parsed again, typed, forwarded. `src/bin/corpus.rs` does it to
//! folders of files.

mod fields;
mod forward;
mod typed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::message::{Headers, Message, ParseError, Rewrite, Writer};

pub use forward::{Fate, OURS, Way};

/// How often a message that took too long is given another chance: on a busy machine any run may be interrupted.
const RUNS: usize = 5;

/// What became of one message.
#[derive(Debug)]
pub struct Report {
    /// The outcome.
    pub verdict: Verdict,
    /// Header fields and bodies that stand in an accepted message and do not follow their own grammar: forwarded as
    /// they came, refused when somebody looks.
    pub refused_inside: Vec<String>,
    /// The time the core took for all of it; the comparisons are not counted.
    pub time: Duration,
}

/// The outcome for one message.
#[derive(Debug)]
pub enum Verdict {
    /// It is sound, and nothing of it changed that was not ours to change.
    Accepted(Fate),
    /// The parser refuses it.
    Refused(ParseError),
    /// What should be equal is not; the text says what.
    Unequal(String),
    /// The core panicked: never the message's fault.
    Panicked(String),
}

impl Verdict {
    /// Whether the fault is the core's, whatever the message is.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Unequal(_) | Self::Panicked(_))
    }
}

/// Takes a message through everything, again if it took longer than `limit`, and reports the fastest run.
pub fn examine(message: &[u8], limit: Duration) -> Report {
    let message = Bytes::copy_from_slice(message);
    let mut best = once(&message);
    for _ in 1..RUNS {
        if best.time <= limit {
            break;
        }
        let again = once(&message);
        if again.time < best.time {
            best = again;
        }
    }
    best
}

fn once(message: &Bytes) -> Report {
    let mut clock = Stopwatch::default();
    let mut refused_inside = Vec::new();
    let examined = catch_unwind(AssertUnwindSafe(|| walk(message.clone(), &mut clock, &mut refused_inside)));
    let verdict = match examined {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(what)) => Verdict::Unequal(what),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Verdict::Panicked(text.unwrap_or("without a word").into())
        }
    };
    Report { verdict, refused_inside, time: clock.total }
}

/// The error says what is not equal.
fn walk(message: Bytes, clock: &mut Stopwatch, refused_inside: &mut Vec<String>) -> Result<Verdict, String> {
    let parsed = match clock.run(|| Message::parse(message.clone())) {
        Ok(parsed) => parsed,
        Err(refused) => {
            // The answer echoes what it refuses, so it may be no sound message itself.
            if let Some(headers) = refused.request {
                clock.run(|| Writer::refusal(&headers, &refused.error.into(), "tag"));
            }
            return Ok(Verdict::Refused(refused.error));
        }
    };
    let headers = headers_of(&parsed);
    // Bytes after a body whose length is told are another's (§18.3).
    if !message.starts_with(headers.bytes()) {
        return Err("the parsed message is not the beginning of what came".into());
    }
    if clock.run(|| Rewrite::new(headers).finish()) != headers.bytes() {
        return Err("edited by nobody, it prints differently".into());
    }
    reprinted(headers, clock)?;
    clock.run(|| typed::fields(headers, refused_inside))?;
    clock.run(|| typed::bodies(headers, refused_inside))?;
    forward::forward(&parsed, clock).map(Verdict::Accepted)
}

/// Field by field through the writer, which joins what was folded.
fn reprinted(headers: &Headers, clock: &mut Stopwatch) -> Result<(), String> {
    let printed = clock.run(|| fields::print(headers));
    let again =
        clock.run(|| Message::parse(printed)).map_err(|r| format!("printed, it is refused: {}", r.error))?;
    let again = headers_of(&again);
    if again.start_line() != headers.start_line() {
        return Err("printed, its start line is another".into());
    }
    if !fields::of(again).eq(fields::of(headers)) {
        return Err("printed, its header fields are others".into());
    }
    if again.body() != headers.body() {
        return Err("printed, its body is another".into());
    }
    Ok(())
}

fn headers_of(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => request.headers(),
        Message::Response(response) => response.headers(),
    }
}

/// Adds up what the core's part takes.
#[derive(Debug, Default)]
struct Stopwatch {
    total: Duration,
}

impl Stopwatch {
    fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.total += start.elapsed();
        result
    }
}
