//! A run as a reader sees it: one column for each node, one line for each thing that happened.

use std::fmt::Write as _;

use bytes::Bytes;
use sip_core::message::Message;
use sip_core::time::Instant;

use super::trace::{Entry, Fate, Trace};
use super::world::START;

/// Characters from one node's line to the next: fewer when there are many.
const fn width(nodes: usize) -> usize {
    match nodes {
        ..=5 => 20,
        6..=8 => 15,
        _ => 11,
    }
}

/// The last `most` lines of a record.
pub fn draw(names: &[&str], trace: &Trace, most: usize) -> String {
    let mut out = String::new();
    let width = width(names.len());
    let entries = trace.entries();
    let skipped = entries.len().saturating_sub(most);
    if skipped > 0 {
        let _ = writeln!(out, "({skipped} lines before these)");
    }
    let _ = write!(out, "{:>11}  ", "seconds");
    for name in names {
        let mut name = (*name).to_owned();
        name.truncate(width - 1);
        let _ = write!(out, "{name:<width$}");
    }
    out.push('\n');
    for (number, (at, entry)) in entries.iter().enumerate().skip(skipped) {
        // A timer of which nothing came that can be seen.
        if let Entry::Timer(node) = entry
            && !entries.get(number + 1).is_some_and(|(then, next)| then == at && next.is_of(*node))
        {
            continue;
        }
        let _ = writeln!(out, "{:>11.3}  {}", seconds(*at), line(names.len(), *at, entry).trim_end());
    }
    out
}

fn line(columns: usize, at: Instant, entry: &Entry) -> String {
    let width = width(columns);
    let mut row: Vec<char> = vec![' '; columns * width];
    for column in 0..columns {
        row[column * width] = '|';
    }
    let mut remark = String::new();
    match entry {
        Entry::Sent { from, to, message, .. } if from == to => {
            row[from.0 * width] = '@';
            remark = format!("{} to itself", label(message));
        }
        Entry::Sent { from, to, message, fate } => {
            let (left, right) = (from.0.min(to.0) * width, from.0.max(to.0) * width);
            row[left + 1..right].fill('-');
            let head = if from.0 < to.0 { right - 1 } else { left + 1 };
            row[head] = match (fate, from.0 < to.0) {
                (Fate::Lost(_), _) => '✗',
                (_, true) => '>',
                (_, false) => '<',
            };
            let text: Vec<char> = label(message).chars().take((right - left).saturating_sub(3)).collect();
            let start = left + (right - left).saturating_sub(text.len()) / 2;
            row[start..start + text.len()].copy_from_slice(&text);
            let _ = match fate {
                Fate::Arrives(then) => write!(remark, "+{} ms", then.since(at).as_millis()),
                Fate::Twice(one, two) => {
                    write!(remark, "twice: +{}, +{} ms", one.since(at).as_millis(), two.since(at).as_millis())
                }
                Fate::Lost(why) => write!(remark, "lost: {why}"),
            };
        }
        Entry::Timer(node) => row[node.0 * width] = '*',
        Entry::Note(node, text) => {
            row[node.0 * width] = '#';
            remark.clone_from(text);
        }
        Entry::Fault(text) => remark = format!("!! {text}"),
    }
    let mut line: String = row.into_iter().collect();
    line.push_str("  ");
    line.push_str(&remark);
    line
}

/// What a message is: `INVITE 1`, `200 INVITE 1`.
pub fn label(message: &Bytes) -> String {
    match Message::parse(message.clone()) {
        Ok(Message::Request(request)) => format!("{} {}", request.method(), request.cseq().number),
        Ok(Message::Response(response)) => {
            let cseq = response.cseq();
            format!("{} {} {}", response.status(), cseq.method, cseq.number)
        }
        Err(_) => "no SIP".to_owned(),
    }
}

fn seconds(at: Instant) -> f64 {
    at.since(START).as_secs_f64()
}
