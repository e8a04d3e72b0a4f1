//! Fields that hold text for people: `[TEXT-UTF8-TRIM]` (RFC 3261 §25.1).

use super::HeaderError;
use super::cursor::Cursor;
use super::piece::pieces;
use crate::message::chars;

pieces! {
    /// `Subject` (RFC 3261 §20.36).
    Subject Subject One, "The text, folds included; may be empty.", text;
    /// `Organization` (RFC 3261 §20.25).
    Organization Organization One, "The text, folds included; may be empty.", text;
    /// `Server` (RFC 3261 §20.35). Products and comments by the grammar; deployed ones are any text.
    Server Server One, "The text, folds included; may be empty.", text;
    /// `User-Agent` (RFC 3261 §20.41). Products and comments by the grammar; deployed ones are any text.
    UserAgent UserAgent One, "The text, folds included; may be empty.", text;
}

/// All that is left.
fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    let rest = cursor.rest();
    let value = chars::trim(rest);
    // Control characters have no place in text but as part of a fold.
    let mut at = chars::find_control(value.as_bytes(), 0);
    while let Some(control) = value.as_bytes().get(at) {
        if !chars::is_lws(*control) {
            cursor.advance(at);
            return Err(cursor.expected("text"));
        }
        at = chars::find_control(value.as_bytes(), at + 1);
    }
    cursor.advance(rest.len());
    Ok(value)
}
