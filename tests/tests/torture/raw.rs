//! Surgery on messages no parser may have a say in: lines and values as the bytes have them.

use std::fmt;

/// A message's start line, header fields (folds and line ends included) and body.
#[derive(Clone)]
pub(crate) struct Raw {
    /// With its CRLF.
    pub(crate) start: Vec<u8>,
    /// One field each, with all its lines.
    pub(crate) fields: Vec<Vec<u8>>,
    /// The blank line and what follows it, if there is a blank line.
    pub(crate) rest: Vec<u8>,
}

impl Raw {
    /// Cuts a message at its CRLFs.
    pub(crate) fn new(message: &[u8]) -> Self {
        let mut rest = message;
        let start = take_line(&mut rest);
        let mut fields: Vec<Vec<u8>> = Vec::new();
        while !rest.is_empty() && !rest.starts_with(b"\r\n") {
            let line = take_line(&mut rest);
            match fields.last_mut() {
                Some(field) if matches!(line[0], b' ' | b'\t') => field.extend(line),
                _ => fields.push(line),
            }
        }
        Self { start, fields, rest: rest.to_vec() }
    }

    /// The whole message.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.start[..], &self.fields.concat(), &self.rest].concat()
    }

    /// The start line without its CRLF.
    pub(crate) fn start_line(&self) -> String {
        String::from_utf8_lossy(&self.start).trim_end().to_owned()
    }

    /// Replaces the Request-URI.
    pub(crate) fn aim(&mut self, uri: &str) {
        let mut parts: Vec<&[u8]> = self.start.split(|byte| *byte == b' ').collect();
        parts[1] = uri.as_bytes();
        self.start = parts.join(&b' ');
    }

    /// Replaces host and port of the topmost Via. A message without Via stays as it is.
    pub(crate) fn set_sent_by(&mut self, address: &str) {
        let Some(via) = self.fields.iter_mut().find(|field| is(field, &["via", "v"])) else { return };
        // After `SIP / 2.0 / UDP` and white space.
        let slashes: Vec<usize> = (0..via.len()).filter(|at| via[*at] == b'/').collect();
        let is_lws = |byte: &u8| b" \t\r\n".contains(byte);
        let after = |from: usize, what: &dyn Fn(&u8) -> bool| {
            via[from..].iter().position(what).map_or(via.len(), |at| from + at)
        };
        let transport = after(slashes[1] + 1, &|byte| !is_lws(byte));
        let start = after(after(transport, &is_lws), &|byte| !is_lws(byte));
        let end = after(start, &|byte| is_lws(byte) || b";,".contains(byte));
        via.splice(start..end, address.bytes());
    }

    /// Makes the request one of a call of its own, where it has one Call-ID: some vectors share theirs, and would be one
    /// request that came over two ways (RFC 3261 §8.2.2.2).
    pub(crate) fn in_own_call(&mut self, serial: u32) {
        let mut call_ids = self.fields.iter_mut().filter(|field| is(field, &["call-id", "i"]));
        let (Some(call_id), None) = (call_ids.next(), call_ids.next()) else { return };
        let end = call_id.trim_ascii_end().len();
        call_id.splice(end..end, format!(".{serial}").bytes());
    }

    /// The fields of any of these names, as they stand.
    pub(crate) fn named<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(|field| is(field, names)).map(Vec::as_slice)
    }

    /// The first value of a field, without the white space around it.
    pub(crate) fn value(&self, names: &[&str]) -> Option<String> {
        let field = self.named(names).next()?;
        let (_, value) = field.split_at(field.iter().position(|byte| *byte == b':')? + 1);
        Some(String::from_utf8_lossy(value).trim().to_owned())
    }

    /// The fields of all other names, as they stand and in order.
    pub(crate) fn others<'a>(&'a self, names: &'a [&str]) -> Vec<&'a [u8]> {
        self.fields.iter().filter(|field| !is(field, names)).map(Vec::as_slice).collect()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes()))
    }
}

fn take_line(rest: &mut &[u8]) -> Vec<u8> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").map_or(rest.len(), |at| at + 2);
    let (line, tail) = rest.split_at(end);
    *rest = tail;
    line.to_vec()
}

fn is(field: &[u8], names: &[&str]) -> bool {
    let name = field.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
    names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}
