//! Message bodies: text ⇄ values.
//!
//! Every type here parses what came, keeps what it does not understand, and prints again. Nothing here decides what
//! a body means for a call or a subscription, and nothing here reads the message around it.

pub mod sdp;
#[cfg(test)]
pub(crate) mod testing;

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
