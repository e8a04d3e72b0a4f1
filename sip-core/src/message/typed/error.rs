//! Why a value is not what its header field's grammar asks for.

use thiserror::Error;

/// What is wrong with one value. Offsets are bytes from the value's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Something else stands where the grammar has this.
    #[error("no {what} at byte {offset}")]
    Expected {
        /// The grammar rule, in words.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// A number is larger than its field allows.
    #[error("{what} out of range at byte {offset}")]
    Range {
        /// Which number.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// A parameter the field cannot do without is absent.
    #[error("{what} missing")]
    Missing {
        /// Which parameter.
        what: &'static str,
    },
    /// A parameter that may stand once stands twice.
    #[error("{what} stands twice, again at byte {offset}")]
    Duplicate {
        /// Which parameter.
        what: &'static str,
        /// Where the second begins.
        offset: usize,
    },
    /// The value is over and something follows: a comma where the field holds no list, for one.
    #[error("surplus text at byte {offset}")]
    Surplus {
        /// Where.
        offset: usize,
    },
    /// An identifier is longer than [`crate::limits::IDENTIFIER_BYTES`].
    #[error("overlong {what} at byte {offset}")]
    Overlong {
        /// Which.
        what: &'static str,
        /// Where it begins.
        offset: usize,
    },
}

impl HeaderError {
    /// Where the fault is; for what is missing, the value's start.
    pub const fn offset(self) -> usize {
        match self {
            Self::Expected { offset, .. }
            | Self::Range { offset, .. }
            | Self::Duplicate { offset, .. }
            | Self::Surplus { offset }
            | Self::Overlong { offset, .. } => offset,
            Self::Missing { .. } => 0,
        }
    }
}
