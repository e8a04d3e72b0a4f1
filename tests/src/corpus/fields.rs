//! A message's header fields as text, without help from the parser's index where it is the parser that is checked.

use bytes::Bytes;
use sip_core::message::{HeaderName, Headers};

/// Name and unfolded value of every field.
pub(super) fn of(headers: &Headers) -> impl Iterator<Item = (String, String)> {
    headers.fields().iter().map(|field| {
        let name = match field.name {
            HeaderName::Other => headers.name_of(field),
            known => known.as_str(),
        };
        (name.to_owned(), unfolded(headers.value_of(field)))
    })
}

/// A fold is one space (§7.3.1).
fn unfolded(value: &str) -> String {
    let mut lines = value.split("\r\n");
    let first = lines.next().unwrap_or_default().trim_end_matches([' ', '\t']);
    lines.fold(String::from(first), |mut text, line| {
        text.push(' ');
        text.push_str(line.trim_matches([' ', '\t']));
        text
    })
}

/// The message written anew, every field on one line under its long name.
pub(super) fn print(headers: &Headers) -> Bytes {
    let mut text = Vec::with_capacity(headers.bytes().len() + 64);
    text.extend_from_slice(headers.start_line().as_bytes());
    for (name, value) in of(headers) {
        text.extend_from_slice(format!("\r\n{name}: {value}").as_bytes());
    }
    text.extend_from_slice(b"\r\n\r\n");
    text.extend_from_slice(headers.body());
    text.into()
}

/// The raw fields, folds and line ends included, and the body. The message was parsed, so its lines end in CRLF.
pub(super) fn raw(message: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut fields = Vec::new();
    let mut at = line_length(message);
    loop {
        let mut end = at + line_length(&message[at..]);
        if end - at <= 2 {
            return (fields, &message[end..]);
        }
        while matches!(message.get(end), Some(b' ' | b'\t')) {
            end += line_length(&message[end..]);
        }
        fields.push(&message[at..end]);
        at = end;
    }
}

fn line_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// Whether a raw field is one of `names`, each in its long and, where there is one, its compact form.
pub(super) fn is_one_of(field: &[u8], names: &[&str]) -> bool {
    let name = field.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}
