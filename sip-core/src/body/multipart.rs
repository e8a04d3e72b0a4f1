//! Bodies of several parts (RFC 2046 §5.1, RFC 5621).
//!
//! A delimiter is `--boundary` at the beginning of a line with nothing but white space after it, so a boundary that
//! begins another's does not cut it (CVE-2022-21723 and its kin read past what a delimiter told them). The body is
//! searched once, with a search that is linear in the worst case. Parts that are multiparts themselves stay bytes;
//! [`Selection`] looks into them.
//!
//! What it does not do: transfer encodings; SIP bodies are binary (RFC 5621 §4).

mod selection;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use memchr::memmem;
use thiserror::Error;

use super::fields::{BodyError, Fields};
use crate::limits;
use crate::message::{HeaderName, Params};

pub use selection::Selection;

/// Why bytes are not a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// No boundary, or one that RFC 2046 §5.1.1 does not allow.
    #[error("malformed boundary")]
    Boundary,
    /// Larger than [`limits::MESSAGE_BYTES`].
    #[error("body too large")]
    TooLarge,
    /// No delimiter at all.
    #[error("no part")]
    NoPart,
    /// No closing delimiter after the part that begins at this byte.
    #[error("part at byte {0} does not end")]
    Unterminated(usize),
    /// More parts than [`limits::BODY_PARTS`].
    #[error("too many parts")]
    TooManyParts,
    /// Multiparts inside multiparts, deeper than [`limits::MULTIPART_DEPTH`].
    #[error("parts too deep")]
    TooDeep,
    /// A part's header fields are malformed.
    #[error("part: {0}")]
    Part(BodyError),
    /// Writing: the boundary stands inside a part.
    #[error("boundary stands inside a part")]
    BoundaryInside,
}

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its header fields; `Content-Type` is `text/plain` if absent (RFC 2046 §5.1).
    pub fields: Fields<'a>,
    /// Its body.
    pub body: Cow<'a, [u8]>,
}

impl<'a> Part<'a> {
    /// A part of this type.
    pub fn new(content_type: &str, body: impl Into<Cow<'a, [u8]>>) -> Self {
        let mut fields = Fields::default();
        fields.add("Content-Type", content_type);
        Self { fields, body: body.into() }
    }

    /// `Content-Type`.
    pub fn content_type(&self) -> Option<&str> {
        self.fields.first(HeaderName::ContentType)
    }

    /// Whether its media type is this one, whatever the parameters.
    pub fn is(&self, media_type: &str) -> bool {
        self.media_type().eq_ignore_ascii_case(media_type)
    }

    /// The type of `Content-Type`, without its parameters; without one it is `text/plain` (RFC 2046 §5.1).
    pub fn media_type(&self) -> &str {
        super::media_type(self.content_type().unwrap_or("text/plain"))
    }

    /// `Content-Disposition`, as it stands (RFC 5621 §8: `session` and `render` mean most).
    pub fn content_disposition(&self) -> Option<&str> {
        self.fields.first(HeaderName::ContentDisposition)
    }

    /// The type of `Content-Disposition`, without its parameters.
    pub fn disposition(&self) -> Option<&str> {
        self.content_disposition()?.split(';').next().map(str::trim)
    }

    /// Whether the body is what it stands for: no coding that would have to be undone (RFC 5621 §3.2).
    pub fn is_plain(&self) -> bool {
        let is_one_of = |value: Option<&str>, plain: &[&str]| {
            value.is_none_or(|value| plain.iter().any(|known| known.eq_ignore_ascii_case(value)))
        };
        is_one_of(self.fields.first(HeaderName::ContentEncoding), &["identity"])
            && is_one_of(self.fields.named("Content-Transfer-Encoding"), &["7bit", "8bit", "binary"])
    }

    /// `Content-ID` without its brackets, as a `cid:` URI names it (RFC 2392).
    pub fn content_id(&self) -> Option<&str> {
        let value = self.fields.named("Content-ID")?;
        value.strip_prefix('<')?.strip_suffix('>')
    }

    /// Whether the receiver must understand this part: `handling=required`, which is also meant where nothing is
    /// said (RFC 3261 §20.11).
    pub fn is_required(&self) -> bool {
        let params = self.content_disposition().and_then(parameters);
        let handling = params.and_then(|params| params.text("handling"));
        handling.is_none_or(|handling| !handling.eq_ignore_ascii_case("optional"))
    }
}

/// The parts in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multipart<'a> {
    /// The parts.
    pub parts: Vec<Part<'a>>,
}

impl<'a> Multipart<'a> {
    /// Parses a body by the boundary its `Content-Type` names.
    pub fn parse(content_type: &str, body: &'a [u8]) -> Result<Self, MultipartError> {
        let boundary = boundary(content_type).ok_or(MultipartError::Boundary)?;
        Self::split(&boundary, body)
    }

    /// Parses a body cut by `boundary`. Linear in its size; what stands before the first and after the last
    /// delimiter is nobody's.
    pub fn split(boundary: &str, body: &'a [u8]) -> Result<Self, MultipartError> {
        if !is_boundary(boundary) {
            return Err(MultipartError::Boundary);
        }
        if body.len() > limits::MESSAGE_BYTES {
            return Err(MultipartError::TooLarge);
        }
        let needle = [b"--", boundary.as_bytes()].concat();
        let mut parts = Vec::new();
        // Where the part begins that the next delimiter ends.
        let mut open: Option<usize> = None;
        for at in memmem::find_iter(body, &needle) {
            let Some((end, closes)) = delimiter(body, at, needle.len()) else { continue };
            // A delimiter that begins inside the one before it is none.
            if open.is_some_and(|start| at < start) {
                continue;
            }
            if let Some(start) = open {
                if parts.len() == limits::BODY_PARTS {
                    return Err(MultipartError::TooManyParts);
                }
                parts.push(part(body, start, at)?);
            }
            if closes {
                return if parts.is_empty() { Err(MultipartError::NoPart) } else { Ok(Self { parts }) };
            }
            open = Some(end);
        }
        Err(open.map_or(MultipartError::NoPart, MultipartError::Unterminated))
    }

    /// Writes the body. Refused if `boundary` is none, or would cut a part in two.
    pub fn print(&self, boundary: &str) -> Result<Vec<u8>, MultipartError> {
        if !is_boundary(boundary) {
            return Err(MultipartError::Boundary);
        }
        if self.parts.is_empty() {
            return Err(MultipartError::NoPart);
        }
        let needle = [b"--", boundary.as_bytes()].concat();
        let mut out = Vec::new();
        for part in &self.parts {
            let fields = alloc::format!("{}", part.fields);
            let cuts = |text: &[u8]| memmem::find(text, &needle).is_some();
            if cuts(&part.body) || cuts(fields.as_bytes()) {
                return Err(MultipartError::BoundaryInside);
            }
            for piece in [&needle[..], b"\r\n", fields.as_bytes(), b"\r\n", &part.body, b"\r\n"] {
                out.extend_from_slice(piece);
            }
        }
        out.extend_from_slice(&needle);
        out.extend_from_slice(b"--\r\n");
        Ok(out)
    }
}

/// The `boundary` of a `Content-Type`, if it is a multipart's.
pub fn boundary(content_type: &str) -> Option<String> {
    let main = content_type.trim_start().get(..10)?;
    if !main.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    parameters(content_type)?.text("boundary").map(Cow::into_owned).filter(|boundary| is_boundary(boundary))
}

fn parameters(value: &str) -> Option<Params<'_>> {
    Params::parse(&value[value.find(';')?..])
}

/// `boundary` of RFC 2046 §5.1.1: 1 to 70 characters, the last no space.
fn is_boundary(text: &str) -> bool {
    (1..=70).contains(&text.len())
        && !text.ends_with(' ')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b))
}

/// Whether the delimiter found at `at` is one: where it ends, line end included, and whether it closes.
fn delimiter(body: &[u8], at: usize, len: usize) -> Option<(usize, bool)> {
    if at > 0 && body[at - 1] != b'\n' {
        return None;
    }
    let rest = &body[at + len..];
    let (rest, closes) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    // §5.1.1: transport-padding. Nothing walks it twice: delimiters do not overlap.
    let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let start = body.len() - rest.len() + padding;
    match &body[start..] {
        [b'\r', b'\n', ..] => Some((start + 2, closes)),
        [b'\n', ..] => Some((start + 1, closes)),
        [] if closes => Some((start, true)),
        // §5.1.1: the closing delimiter needs no line end, and what follows it is epilogue only after one.
        _ => None,
    }
}

/// The part between two delimiters; the line end before the second belongs to it.
fn part(body: &[u8], start: usize, end: usize) -> Result<Part<'_>, MultipartError> {
    let text = &body[start..end];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let (fields, len) = Fields::read(text, start).map_err(MultipartError::Part)?;
    Ok(Part { fields, body: Cow::Borrowed(&text[len..]) })
}
