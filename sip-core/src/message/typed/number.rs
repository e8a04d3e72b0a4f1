//! Fields that hold numbers: RFC 3261, 3262 (RSeq, RAck), 4028 (session timers), 5393 (Max-Breadth), 5626
//! (Flow-Timer).

use core::fmt;

use super::cursor::{Cursor, limited, number_param, once, place};
use super::{HeaderError, TypedHeader};
use crate::message::{HeaderName, Method, Params, chars};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident $least:literal..=$most:expr, $large:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'a> TypedHeader<'a> for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                let offset = cursor.offset();
                let value = match cursor.number(Self::NAME.as_str(), $most) {
                    Err(HeaderError::Range { .. }) if $large == Large::Clamp => $most,
                    other => other?,
                };
                if !($least..=$most).contains(&value) {
                    return Err(HeaderError::Range { what: Self::NAME.as_str(), offset });
                }
                cursor.end()?;
                Ok(Self(value))
            }
        }
    )*};
}

/// What becomes of a number that is too large.
#[derive(PartialEq)]
enum Large {
    /// It is a fault.
    Refuse,
    /// Seconds without end are as many as fit: RFC 4475 §3.1.2.4 speaks of 2**32-1.
    Clamp,
}

numbers! {
    /// `Max-Forwards` (RFC 3261 §20.22): hops left.
    MaxForwards 0..=255, Large::Refuse;
    /// `Content-Length` (RFC 3261 §20.14): bytes.
    ContentLength 0..=u32::MAX, Large::Refuse;
    /// `Expires` (RFC 3261 §20.19): seconds.
    Expires 0..=u32::MAX, Large::Clamp;
    /// `Min-Expires` (RFC 3261 §20.23): seconds.
    MinExpires 0..=u32::MAX, Large::Clamp;
    /// `RSeq` (RFC 3262 §7.1): 1 to 2^32 - 1.
    RSeq 1..=u32::MAX, Large::Refuse;
    /// `Max-Breadth` (RFC 5393 §5.3.3): branches left.
    MaxBreadth 0..=u32::MAX, Large::Refuse;
    /// `Flow-Timer` (RFC 5626 §10): seconds between keep-alives.
    FlowTimer 0..=u32::MAX, Large::Refuse;
}

/// `RAck` (RFC 3262 §7.2): which provisional response is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The response's RSeq.
    pub rseq: u32,
    /// The response's CSeq number.
    pub cseq: u32,
    /// The response's CSeq method.
    pub method: Method,
}

impl<'a> TypedHeader<'a> for RAck {
    const NAME: HeaderName = HeaderName::RAck;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let offset = cursor.offset();
        let rseq = cursor.number("RSeq", u32::MAX)?;
        if rseq == 0 {
            return Err(HeaderError::Range { what: "RSeq", offset });
        }
        cursor.space("white space")?;
        let cseq = cursor.number("CSeq", (1 << 31) - 1)?;
        cursor.space("white space")?;
        let offset = cursor.offset();
        let method = limited(cursor.token("method")?, "method", offset)?;
        cursor.end()?;
        Ok(Self { rseq, cseq, method: Method::from_token(method) })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Who refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

/// `Session-Expires` (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// Seconds.
    pub interval: u32,
    /// Who refreshes, if that is settled.
    pub refresher: Option<Refresher>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for SessionExpires<'a> {
    const NAME: HeaderName = HeaderName::SessionExpires;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let (interval, params) = seconds(text)?;
        let refresher = match once(text, params, "refresher")? {
            None => None,
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(other) => {
                return Err(HeaderError::Expected { what: "refresher", offset: place(text, other) });
            }
        };
        Ok(Self { interval, refresher, params })
    }
}

impl fmt::Display for SessionExpires<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.interval, self.params.as_str())
    }
}

/// `Min-SE` (RFC 4028 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSe<'a> {
    /// Seconds.
    pub interval: u32,
    /// Parameters; none is defined.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for MinSe<'a> {
    const NAME: HeaderName = HeaderName::MinSe;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let (interval, params) = seconds(text)?;
        Ok(Self { interval, params })
    }
}

impl fmt::Display for MinSe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.interval, self.params.as_str())
    }
}

fn seconds(text: &str) -> Result<(u32, Params<'_>), HeaderError> {
    let mut cursor = Cursor::new(text);
    let interval = cursor.number("interval", u32::MAX)?;
    Ok((interval, cursor.params()?))
}

/// `Retry-After` (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// Seconds.
    pub seconds: u32,
    /// The comment in its parentheses, or empty.
    pub comment: &'a str,
    /// How many seconds the callee will then be there.
    pub duration: Option<u32>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for RetryAfter<'a> {
    const NAME: HeaderName = HeaderName::RetryAfter;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let seconds = match cursor.number("seconds", u32::MAX) {
            Err(HeaderError::Range { .. }) => u32::MAX,
            other => other?,
        };
        cursor.lws();
        let comment = match cursor.peek() {
            Some(b'(') => {
                let rest = cursor.rest();
                let len = comment_len(rest).ok_or(cursor.expected("comment"))?;
                cursor.advance(len);
                &rest[..len]
            }
            _ => "",
        };
        let params = cursor.params()?;
        let duration = number_param(text, params, "duration", u32::MAX)?;
        Ok(Self { seconds, comment, duration, params })
    }
}

impl fmt::Display for RetryAfter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seconds.fmt(f)?;
        if !self.comment.is_empty() {
            write!(f, " {}", self.comment)?;
        }
        f.write_str(self.params.as_str())
    }
}

/// Length of the comment `text` begins with; comments nest, and control characters stand in them only as folds and in
/// quoted pairs (RFC 3261 §25.1 `ctext`).
fn comment_len(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte.is_ascii_control() && !chars::is_lws(byte) => return None,
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// `Timestamp` (RFC 3261 §20.38): decimal fractions as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp<'a> {
    /// When the request was sent, by its sender's clock, seconds.
    pub sent: &'a str,
    /// How long the answer took, seconds, or empty.
    pub delay: &'a str,
}

impl<'a> TypedHeader<'a> for Timestamp<'a> {
    const NAME: HeaderName = HeaderName::Timestamp;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let sent = decimal(&mut cursor, "timestamp")?;
        if sent.starts_with('.') {
            return Err(HeaderError::Expected { what: "timestamp", offset: 0 });
        }
        let delay = if cursor.lws() && cursor.peek().is_some() { decimal(&mut cursor, "delay")? } else { "" };
        cursor.end()?;
        Ok(Self { sent, delay })
    }
}

fn decimal<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a str, HeaderError> {
    let error = cursor.expected(what);
    let text = cursor.take(what, |b| b.is_ascii_digit() || b == b'.')?;
    if text.bytes().filter(|b| *b == b'.').count() > 1 { Err(error) } else { Ok(text) }
}

impl fmt::Display for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sent)?;
        if !self.delay.is_empty() {
            write!(f, " {}", self.delay)?;
        }
        Ok(())
    }
}

/// `MIME-Version` (RFC 3261 §20.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MimeVersion {
    /// Before the dot.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

impl<'a> TypedHeader<'a> for MimeVersion {
    const NAME: HeaderName = HeaderName::MimeVersion;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let major = cursor.number("version", u32::MAX)?;
        if cursor.peek() != Some(b'.') {
            return Err(cursor.expected("."));
        }
        cursor.advance(1);
        let minor = cursor.number("version", u32::MAX)?;
        cursor.end()?;
        Ok(Self { major, minor })
    }
}

impl fmt::Display for MimeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
