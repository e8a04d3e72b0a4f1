//! What can be wrong with a message, with the place.

use thiserror::Error;

use super::HeaderName;

/// Why bytes are not a SIP message. The text is fit for a 400's reason phrase: it names the fault and quotes
/// nothing of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// No CRLF CRLF ends the header fields.
    #[error("Header Fields Not Terminated")]
    Unterminated,
    /// A CR without LF, or an LF without CR.
    #[error("Bare CR or LF")]
    BareLineEnd,
    /// A NUL outside a quoted pair.
    #[error("NUL in Header Fields")]
    Nul,
    /// The header fields are not UTF-8 (§25.1).
    #[error("Header Fields Not UTF-8")]
    NotUtf8,
    /// The first line is neither Request-Line nor Status-Line.
    #[error("Malformed Start-Line")]
    StartLine,
    /// The method is no token, or too long.
    #[error("Malformed Method")]
    Method,
    /// The Request-URI is not a URI.
    #[error("Malformed Request-URI")]
    RequestUri,
    /// The version is not SIP/2.0: 505 (§21.5.6).
    #[error("Version Not Supported")]
    Version,
    /// The status is not 100–699.
    #[error("Malformed Status-Code")]
    Status,
    /// A line is no header field: no colon, or a name that is no token.
    #[error("Malformed Header Field Name")]
    FieldName,
    /// More fields than [`crate::limits::HEADER_FIELDS`].
    #[error("Too Many Header Fields")]
    TooManyFields,
    /// Longer than [`crate::limits::MESSAGE_BYTES`].
    #[error("Message Too Large")]
    TooLarge,
    /// A mandatory field is absent (§8.1.1).
    #[error("Missing {0}")]
    Missing(HeaderName),
    /// A field that may stand once stands twice, or holds a list.
    #[error("Duplicate {0}")]
    Duplicate(HeaderName),
    /// A field's value does not follow its grammar.
    #[error("Malformed {0}")]
    Malformed(HeaderName),
    /// A Request-URI longer than [`crate::limits::REQUEST_URI_BYTES`]: 414 (§21.4.12).
    #[error("Request-URI Too Long")]
    RequestUriTooLong,
    /// A branch, tag, Call-ID or CSeq method longer than [`crate::limits::IDENTIFIER_BYTES`].
    #[error("Overlong {0}")]
    Overlong(HeaderName),
    /// CSeq's method differs from the request's (§8.1.1.5).
    #[error("CSeq Method Mismatch")]
    CSeqMethod,
    /// Content-Length exceeds the bytes that came (§18.3).
    #[error("Content-Length Exceeds Message")]
    BodyTooShort,
}

impl Fault {
    /// The status a request with this fault is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Self::RequestUriTooLong => 414,
            Self::Version => 505,
            Self::TooLarge => 513,
            _ => 400,
        }
    }
}

/// A fault and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub fault: Fault,
    /// Byte offset from the message's start.
    pub offset: usize,
}

impl ParseError {
    pub(crate) const fn new(fault: Fault, offset: usize) -> Self {
        Self { fault, offset }
    }
}
