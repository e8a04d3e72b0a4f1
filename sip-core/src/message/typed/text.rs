//! Fields that hold text for people: `[TEXT-UTF8-TRIM]` (RFC 3261 §25.1).

use core::fmt;

use super::cursor::Cursor;
use super::{HeaderError, TypedHeader};
use crate::message::{HeaderName, chars};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// The text, folds included; may be empty.
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                let value = chars::trim(cursor.rest());
                // Control characters have no place in text but as part of a fold.
                let mut at = chars::find_control(value.as_bytes(), 0);
                while let Some(control) = value.as_bytes().get(at) {
                    if !chars::is_lws(*control) {
                        cursor.advance(at);
                        return Err(cursor.expected("text"));
                    }
                    at = chars::find_control(value.as_bytes(), at + 1);
                }
                Ok(Self(value))
            }
        }
    )*};
}

texts! {
    /// `Subject` (RFC 3261 §20.36).
    Subject;
    /// `Organization` (RFC 3261 §20.25).
    Organization;
    /// `Server` (RFC 3261 §20.35). Products and comments by the grammar; deployed ones are any text.
    Server;
    /// `User-Agent` (RFC 3261 §20.41). Products and comments by the grammar; deployed ones are any text.
    UserAgent;
}
