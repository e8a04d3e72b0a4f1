//! Building new messages.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use bytes::Bytes;

use super::digits::Decimal;
use super::validate::Rejection;
use super::{Fields, HeaderName, Headers, Method, NameAddr, Request};

/// Room for most messages. Allocators keep so much at hand; a kilobyte is more than some do.
const ROOM: usize = 1000;

/// Writes a message field by field. Values are written as given, save that CR, LF and NUL become spaces: nothing a
/// caller passes can smuggle a field.
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins a request.
    pub fn request(method: &Method, uri: &str) -> Self {
        let mut writer = Self { out: Vec::with_capacity(ROOM) };
        // Writing to a Writer cannot fail.
        let _ = write!(writer, "{method} {uri} SIP/2.0");
        writer.end_line()
    }

    /// Begins a response from nothing; [`Writer::response`] is what most want.
    pub fn status(status: u16, reason: &str) -> Self {
        let mut writer = Self { out: Vec::with_capacity(ROOM) };
        writer.out.extend_from_slice(b"SIP/2.0 ");
        writer.out.extend_from_slice(Decimal::new(status.into()).as_str().as_bytes());
        writer.out.push(b' ');
        writer.push(reason);
        writer.end_line()
    }

    /// Begins a response (§8.2.6.2): Vias, From, To, Call-ID and CSeq of the request. `to_tag` goes to a To that
    /// has none; pass `None` for 100.
    pub fn response(request: &Request, status: u16, reason: &str, to_tag: Option<&str>) -> Self {
        let to_tag = to_tag.filter(|_| request.to_tag().is_none());
        let writer = Self::status(status, reason).echo(request.headers(), to_tag, None);
        if status == 100 {
            // §8.2.6.1: a Timestamp goes back in the 100.
            if let Some(timestamp) = request.headers().named("Timestamp") {
                return writer.field("Timestamp", timestamp);
            }
        }
        writer
    }

    /// The answer to a request that was refused while parsing, from whatever of it can be told.
    pub fn refusal(headers: &Headers, rejection: &Rejection, to_tag: &str) -> Bytes {
        Self::refusal_because(headers, rejection, to_tag, "", None)
    }

    /// The same with a Warning, if there is one, and with its top Via as `via` has it.
    pub fn refusal_because(
        headers: &Headers,
        rejection: &Rejection,
        to_tag: &str,
        warning: &str,
        via: Option<&str>,
    ) -> Bytes {
        let to = headers.first(HeaderName::To).and_then(NameAddr::parse);
        let to_tag = Some(to_tag).filter(|_| to.is_none_or(|to| to.tag().is_none()));
        let mut writer = Self::status(rejection.status, &rejection.to_string()).echo(headers, to_tag, via);
        if !warning.is_empty() {
            writer = writer.header(HeaderName::Warning, warning);
        }
        match &rejection.field {
            Some((name, value)) => writer.header(*name, value).finish(),
            None => writer.finish(),
        }
    }

    /// What an answer repeats of a request. `to_tag` is added to its To, and `top` takes the place of its top Via.
    fn echo(mut self, headers: &Headers, to_tag: Option<&str>, top: Option<&str>) -> Self {
        match top {
            None => {
                for via in headers.all(HeaderName::Via) {
                    self = self.repeat(HeaderName::Via, via).end_line();
                }
            }
            Some(top) => {
                for via in core::iter::once(top).chain(headers.list(HeaderName::Via).skip(1)) {
                    self = self.repeat(HeaderName::Via, via).end_line();
                }
            }
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            let Some(value) = headers.first(name) else { continue };
            self = self.repeat(name, value);
            if let Some(tag) = to_tag.filter(|_| name == HeaderName::To) {
                self.out.extend_from_slice(b";tag=");
                self.push(tag);
            }
            self = self.end_line();
        }
        self
    }

    /// Copies every field of `name` from another message (Record-Route into a 2xx, for one).
    #[must_use]
    pub fn copy(mut self, headers: &Headers, name: HeaderName) -> Self {
        for value in headers.all(name) {
            self = self.repeat(name, value).end_line();
        }
        self
    }

    /// Begins a field with a value out of another message, where NUL is part of a quoted-pair: it "MUST equal" that
    /// value (§8.2.6.2), so that only folds become spaces.
    fn repeat(mut self, name: HeaderName, value: &str) -> Self {
        self.out.reserve(name.as_str().len() + value.len() + 4);
        self.out.extend_from_slice(name.as_str().as_bytes());
        self.out.extend_from_slice(b": ");
        let start = self.out.len();
        self.out.extend_from_slice(value.as_bytes());
        // Folds are rare.
        if memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_some() {
            let folds = self.out[start..].iter_mut().filter(|b| matches!(b, b'\r' | b'\n'));
            folds.for_each(|b| *b = b' ');
        }
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Self {
        self.begin(name);
        let _ = write!(self, "{value}");
        self.end_line()
    }

    /// Adds a field by any name.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Display) -> Self {
        self.push(name);
        self.out.extend_from_slice(b": ");
        let _ = write!(self, "{value}");
        self.end_line()
    }

    /// Adds a field whose value is these parts, one behind the other.
    #[must_use]
    pub fn joined(mut self, name: HeaderName, parts: &[&str]) -> Self {
        self.begin(name);
        let start = self.out.len();
        parts.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
        self.blank(start);
        self.end_line()
    }

    /// The name of a field is one we know, or was read as a token.
    fn begin(&mut self, name: HeaderName) {
        self.out.extend_from_slice(name.as_str().as_bytes());
        self.out.extend_from_slice(b": ");
    }

    /// From `start` on there is nothing that would end the line.
    fn blank(&mut self, start: usize) {
        let text = &mut self.out[start..];
        if memchr::memchr3(b'\r', b'\n', 0, text).is_some() {
            text.iter_mut().filter(|b| matches!(b, b'\r' | b'\n' | 0)).for_each(|b| *b = b' ');
        }
    }

    fn push(&mut self, text: &str) {
        // Writing to a Writer cannot fail.
        let _ = self.write_str(text);
    }

    /// Adds an application's fields.
    #[must_use]
    pub fn fields(self, fields: &Fields) -> Self {
        fields.iter().fold(self, |writer, (name, value)| writer.field(name, value))
    }

    /// Ends with a body.
    pub fn body(self, content_type: &str, body: &[u8]) -> Bytes {
        let mut writer = self.header(HeaderName::ContentType, content_type);
        writer = writer.header(HeaderName::ContentLength, body.len());
        writer.out.extend_from_slice(b"\r\n");
        writer.out.extend_from_slice(body);
        Bytes::from(writer.out)
    }

    /// Ends without a body.
    pub fn finish(self) -> Bytes {
        let mut writer = self;
        writer.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::from(writer.out)
    }

    fn end_line(mut self) -> Self {
        self.out.extend_from_slice(b"\r\n");
        self
    }
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = self.out.len();
        self.out.extend_from_slice(text.as_bytes());
        self.blank(start);
        Ok(())
    }
}

/// The usual reason phrase of a status (§21 and later RFCs).
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => match status / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}
