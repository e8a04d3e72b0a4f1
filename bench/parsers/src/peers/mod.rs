//! Every parser behind the same three functions.

mod ezk;
mod index_only;
mod ours;
mod rsip_family;
mod rvoip;
mod sipmsg;
mod sipx;
mod xylosip;

use bytes::Bytes;

/// What of a message one run made usable. Counting costs every parser the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Header fields or values whose parts are told apart by a type of the parser.
    pub(crate) typed: u32,
    /// Those the parser has no type for: text.
    pub(crate) text: u32,
    /// Those its own type refuses.
    pub(crate) refused: u32,
}

impl Seen {
    fn typed<T>(&mut self, value: T) {
        std::hint::black_box(value);
        self.typed += 1;
    }

    fn text<T>(&mut self, value: T) {
        std::hint::black_box(value);
        self.text += 1;
    }

    fn maybe<T, E>(&mut self, value: Result<T, E>) {
        match value {
            Ok(value) => self.typed(value),
            Err(_) => self.refused += 1,
        }
    }
}

/// `None`: the message is refused.
pub(crate) type Run = fn(&Bytes) -> Option<Seen>;

/// One parser.
pub(crate) struct Parser {
    /// Its crate, under which the lock file has its version.
    pub(crate) package: &'static str,
    /// The index: start line and header fields told apart.
    pub(crate) index: Option<Run>,
    /// The index, and top Via, From, To, Call-ID, CSeq and every Route typed, URIs included.
    pub(crate) route: Option<Run>,
    /// Every value of every header field typed for which the parser has a type.
    pub(crate) typed: Option<Run>,
    /// What is to be known of it.
    pub(crate) note: &'static str,
}

pub(crate) fn all() -> Vec<Parser> {
    vec![
        ours::PARSER,
        rsip_family::RSIPSTACK,
        rsip_family::RSIP,
        rsip_family::FTTH_RSIP,
        ezk::PARSER,
        rvoip::PARSER,
        sipx::PARSER,
        sipmsg::PARSER,
        xylosip::PARSER,
        index_only::PARSIP,
        index_only::SIP_CODEC,
        index_only::SIPR,
    ]
}
