//! What can be wrong with a session description, with the place.

use thiserror::Error;

/// Why bytes are not a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SdpFault {
    /// Longer than [`crate::limits::SDP_BYTES`].
    #[error("session description too large")]
    TooLarge,
    /// More lines than [`crate::limits::SDP_LINES`].
    #[error("too many lines")]
    TooManyLines,
    /// More media descriptions than [`crate::limits::SDP_MEDIA`].
    #[error("too many media descriptions")]
    TooManyMedia,
    /// More formats on one line than [`crate::limits::SDP_FORMATS`].
    #[error("too many formats")]
    TooManyFormats,
    /// Not UTF-8 (§5; other charsets of `a=charset` are not read).
    #[error("not UTF-8")]
    NotUtf8,
    /// A NUL, or a CR that ends no line (§9, `byte-string`).
    #[error("NUL or bare CR")]
    ControlCharacter,
    /// A line is not `<type>=<value>`.
    #[error("line is not <type>=<value>")]
    Line,
    /// A type letter RFC 8866 does not know: the description must be ignored (§5).
    #[error("unknown type letter")]
    UnknownType,
    /// A line that belongs to the session part stands in a media description, or twice.
    #[error("misplaced or repeated line")]
    Misplaced,
    /// The first line is not `v=0` (§5.1).
    #[error("not version 0")]
    Version,
    /// No `o=` line, or one that does not follow §5.2.
    #[error("malformed or missing origin")]
    Origin,
    /// A `c=` line that does not follow §5.7.
    #[error("malformed connection")]
    Connection,
    /// A `t=` line that does not follow §5.9.
    #[error("malformed timing")]
    Timing,
    /// An `a=` line without a name (§5.13).
    #[error("malformed attribute")]
    Attribute,
    /// An `m=` line that does not follow §5.14.
    #[error("malformed media line")]
    Media,
}

/// A fault and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} in line {line} at byte {offset}")]
pub struct SdpError {
    /// What is wrong.
    pub fault: SdpFault,
    /// The line, from 1.
    pub line: usize,
    /// Byte offset from the body's start.
    pub offset: usize,
}
