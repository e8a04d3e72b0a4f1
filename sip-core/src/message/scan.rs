//! The Call-ID of raw bytes, for choosing a shard before anything is parsed.

use super::{HeaderName, chars};

/// The value of the message's one Call-ID field, or `None` if there is none or more than one: then shard 0 parses
/// the message and says what is wrong with it. Agrees with [`super::Message::parse`] on every message that parses.
pub fn scan_call_id(message: &[u8]) -> Option<&[u8]> {
    let mut found: Option<(usize, usize)> = None;
    let mut continues = false;
    let mut at = memchr::memchr(b'\n', message)? + 1;
    while let Some(len) = memchr::memchr(b'\n', message.get(at..)?) {
        let line = &message[at..at + len];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if matches!(line[0], b' ' | b'\t') {
            // A fold: the value goes on.
            if continues && let Some((start, end)) = &mut found {
                let text = trim(line);
                if !text.is_empty() {
                    let offset = chars::offset_in(message, text);
                    if *start == *end {
                        *start = offset;
                    }
                    *end = offset + text.len();
                }
            }
        } else {
            continues = false;
            // Only "Call-ID" and "i", in any case, are of interest: anything else ends here.
            if matches!(line, [b'c' | b'C', b'a' | b'A', ..] | [b'i' | b'I', b':' | b' ' | b'\t', ..])
                && let Some(colon) = memchr::memchr(b':', line)
                && HeaderName::from_bytes(trim(&line[..colon])) == HeaderName::CallId
            {
                if found.is_some() {
                    return None;
                }
                let value = trim(&line[colon + 1..]);
                let offset = if value.is_empty() { at + colon + 1 } else { chars::offset_in(message, value) };
                found = Some((offset, offset + value.len()));
                continues = true;
            }
        }
        at += len + 1;
    }
    let (start, end) = found?;
    (start < end).then(|| &message[start..end])
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !chars::is_lws(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !chars::is_lws(*b)).map_or(start, |at| at + 1);
    &bytes[start..end]
}
