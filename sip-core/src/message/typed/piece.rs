//! Fields whose whole value is one piece of text that is given as it stands.

/// Views of such fields: the name of each, whose field it is, how many values the field has, what the value is, and what reads it.
macro_rules! pieces {
    ($($(#[$doc:meta])* $name:ident $header:ident $cardinality:ident, $what:literal, $read:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            #[doc = $what]
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl core::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.0)
            }
        }

        impl<'a> $crate::message::typed::TypedHeader<'a> for $name<'a> {
            const NAME: $crate::message::HeaderName = $crate::message::HeaderName::$header;
            const CARDINALITY: $crate::message::typed::Cardinality =
                $crate::message::typed::Cardinality::$cardinality;

            fn parse(text: &'a str) -> Result<Self, $crate::message::typed::HeaderError> {
                let mut cursor = $crate::message::typed::cursor::Cursor::new(text);
                let value = $read(&mut cursor)?;
                cursor.end()?;
                Ok(Self(value))
            }
        }
    )*};
}

pub(super) use pieces;
