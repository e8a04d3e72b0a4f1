//! Fragments of SIP messages (RFC 3420), `message/sipfrag`: what a NOTIFY tells of a REFER (RFC 3515 §2.4.5).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::fields::{BodyError, BodyFault, Fields, line_length};
use super::{number, one_line};
use crate::limits;

/// A fragment: any of start line, header fields and body, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipFrag<'a> {
    /// The Request-Line or Status-Line.
    pub start_line: Option<Cow<'a, str>>,
    /// The header fields.
    pub fields: Fields<'a>,
    /// The body, where an empty line begins one.
    pub body: Option<Cow<'a, [u8]>>,
}

impl<'a> SipFrag<'a> {
    /// `SIP/2.0 status reason`.
    pub fn of_status(status: u16, reason: &str) -> Self {
        let line = one_line(alloc::format!("SIP/2.0 {status} {reason}"));
        Self { start_line: Some(Cow::Owned(line)), ..Self::default() }
    }

    /// Parses a fragment. Lines that end in LF alone are taken, and a last one that does not end.
    pub fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        if body.len() > limits::MESSAGE_BYTES {
            return Err(BodyError::new(BodyFault::TooLarge, limits::MESSAGE_BYTES));
        }
        let end = memchr::memchr(b'\n', body).map_or(body.len(), |at| at + 1);
        let first = &body[..line_length(&body[..end])];
        let mut fragment = Self::default();
        let mut at = 0;
        if is_start_line(first) {
            let line = core::str::from_utf8(first)
                .map_err(|error| BodyError::new(BodyFault::NotUtf8, error.valid_up_to()))?;
            if let Some(place) = line.find(['\r', '\0']) {
                return Err(BodyError::new(BodyFault::ControlCharacter, place));
            }
            fragment.start_line = Some(Cow::Borrowed(line));
            at = end;
        }
        let (fields, len) = Fields::read(&body[at..], at)?;
        fragment.fields = fields;
        let head = &body[..at + len];
        at += len;
        let blank = head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n") || head == b"\n" || head == b"\r\n";
        fragment.body = blank.then(|| Cow::Borrowed(&body[at..]));
        if fragment == Self::default() {
            return Err(BodyError::new(BodyFault::Incomplete, 0));
        }
        Ok(fragment)
    }

    /// Writes the fragment.
    pub fn print(&self) -> Vec<u8> {
        let mut out = String::new();
        if let Some(line) = &self.start_line {
            out.push_str(line);
            out.push_str("\r\n");
        }
        out.push_str(&alloc::format!("{}", self.fields));
        let mut out = out.into_bytes();
        if let Some(body) = &self.body {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(body);
        }
        out
    }

    /// Status and reason phrase, if it is of a response.
    pub fn status(&self) -> Option<(u16, &str)> {
        let rest = self.start_line.as_deref()?.strip_prefix("SIP/2.0 ")?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = number(code).filter(|status| (100..700).contains(status))?;
        Some((status, reason))
    }

    /// Method and Request-URI, if it is of a request.
    pub fn request_line(&self) -> Option<(&str, &str)> {
        let line = self.start_line.as_deref()?;
        // A reason phrase may end like a Request-Line.
        let rest = line.strip_suffix(" SIP/2.0").filter(|line| !line.starts_with("SIP/2.0 "))?;
        rest.split_once(' ')
    }
}

/// A start line names the version at its beginning or end. A header field may end like one, but before its colon it has
/// one word, and that has no "/".
fn is_start_line(line: &[u8]) -> bool {
    let before_colon = line.split(|b| *b == b':').next().unwrap_or(line).trim_ascii_end();
    line.starts_with(b"SIP/2.0 ") || (line.ends_with(b" SIP/2.0") && before_colon.contains(&b' '))
}
