//! Message bodies: text ⇄ values.
//!
//! Every type here parses what came, keeps what it does not understand, and prints again. Nothing here decides what
//! a body means for a call or a subscription, and nothing here reads the message around it.

pub mod dialog_info;
pub mod dtmf_relay;
mod fields;
pub mod is_composing;
pub mod message_summary;
pub mod multipart;
pub mod pidf;
pub mod reginfo;
pub mod sdp;
pub mod sdpfrag;
pub mod sipfrag;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod xml;

pub use fields::{BodyError, BodyFault, Fields};

/// A body and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The media type with its parameters, as Content-Type has it.
    pub content_type: smol_str::SmolStr,
    /// The bytes.
    pub body: bytes::Bytes,
}

impl Content {
    /// A body of a media type.
    pub fn new(content_type: impl Into<smol_str::SmolStr>, body: impl Into<bytes::Bytes>) -> Self {
        Self { content_type: content_type.into(), body: body.into() }
    }

    /// Whether it is of this media type, whatever its parameters.
    pub fn is(&self, media_type: &str) -> bool {
        self::media_type(&self.content_type).eq_ignore_ascii_case(media_type)
    }
}

/// What a Content-Type says, without its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Values a vocabulary enumerates.
macro_rules! keywords {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $type {
            /// As written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads what [`Self::as_str`] writes.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use keywords;

/// `text` with the three characters that would end a line or a string early turned into spaces: nothing a caller
/// passes can smuggle a line.
pub(crate) fn one_line(text: alloc::string::String) -> alloc::string::String {
    if text.contains(['\r', '\n', '\0']) { text.replace(['\r', '\n', '\0'], " ") } else { text }
}

/// `1*DIGIT` that fits.
pub(crate) fn number<N: core::str::FromStr>(text: &str) -> Option<N> {
    // `from_str` of the integers takes a sign, the grammars do not.
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
