//! Capabilities and preferences: feature tags (RFC 3840 §9), `Accept-Contact`, `Reject-Contact` and
//! `Request-Disposition` (RFC 3841 §9), `Feature-Caps` (RFC 6809 §6).

use core::fmt;

use super::cursor::{Cursor, place};
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Params, chars, split_list};

/// One feature parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature<'a> {
    /// The tag as it stands: a base tag such as `audio`, or one that begins with `+`.
    pub tag: &'a str,
    /// What it is said to be.
    pub value: FeatureValue<'a>,
}

/// A feature's value (RFC 3840 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureValue<'a> {
    /// No value: true.
    Flag,
    /// A comma list of tokens, booleans and numbers, each with `!` before it if negated.
    List(&'a str),
    /// A string, which stood between `<` and `>`; quoted pairs as they stand.
    Text(&'a str),
}

impl<'a> FeatureValue<'a> {
    /// The list's elements: whether negated, and the token, `TRUE`, `FALSE` or `#` with a comparison.
    pub fn elements(self) -> impl Iterator<Item = (bool, &'a str)> {
        let list = if let Self::List(list) = self { list } else { "" };
        split_list(list).map(|element| match element.strip_prefix('!') {
            Some(element) => (true, element),
            None => (false, element),
        })
    }
}

const BASE_TAGS: [&str; 20] = [
    "audio",
    "automata",
    "class",
    "duplex",
    "data",
    "control",
    "mobility",
    "description",
    "events",
    "priority",
    "methods",
    "schemes",
    "application",
    "video",
    "language",
    "type",
    "isfocus",
    "actor",
    "text",
    "extensions",
];

/// The feature parameters among `params`, in order; other parameters are passed over. Offsets count from the
/// parameters' start.
pub fn features<'a>(params: Params<'a>) -> impl Iterator<Item = Result<Feature<'a>, HeaderError>> + use<'a> {
    params.iter().filter(|(tag, _)| is_feature_tag(tag)).map(move |(tag, value)| {
        let Some(value) = value else { return Ok(Feature { tag, value: FeatureValue::Flag }) };
        let error = HeaderError::Expected { what: "feature value", offset: place(params.as_str(), value) };
        let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).ok_or(error)?;
        let value = if let Some(text) = inner.strip_prefix('<') {
            FeatureValue::Text(text.strip_suffix('>').ok_or(error)?)
        } else {
            if !inner.split(',').all(|element| is_tag_value(chars::trim(element))) {
                return Err(error);
            }
            FeatureValue::List(inner)
        };
        Ok(Feature { tag, value })
    })
}

fn is_feature_tag(name: &str) -> bool {
    match name.strip_prefix('+') {
        Some(rest) => {
            rest.starts_with(|c: char| c.is_ascii_alphabetic())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"!'.-%".contains(&b))
        }
        None => BASE_TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name)),
    }
}

/// `tag-value`: the numbers' grammar is not looked into beyond its characters.
fn is_tag_value(text: &str) -> bool {
    let text = text.strip_prefix('!').unwrap_or(text);
    match text.strip_prefix('#') {
        Some(number) => {
            number.bytes().any(|b| b.is_ascii_digit())
                && number.bytes().all(|b| b.is_ascii_digit() || b"<>=:+-.".contains(&b))
        }
        None => chars::is_token(text),
    }
}

macro_rules! stars {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// What follows the star.
            pub params: Params<'a>,
        }

        impl<'a> $name<'a> {
            /// The feature parameters.
            pub fn features(&self) -> impl Iterator<Item = Result<Feature<'a>, HeaderError>> + use<'a> {
                features(self.params)
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;
            const CARDINALITY: Cardinality = Cardinality::List;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                cursor.separator(b'*', "*")?;
                Ok(Self { params: cursor.params()? })
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "*{}", self.params.as_str())
            }
        }
    )*};
}

stars! {
    /// One value of `Accept-Contact`: what a device that is tried should be able to do.
    AcceptContact;
    /// One value of `Reject-Contact`: what a device that is tried must not be.
    RejectContact;
    /// One value of `Feature-Caps`: what the elements on the way can do. Its parameters are `+` tags.
    FeatureCaps;
}

impl AcceptContact<'_> {
    /// A contact that does not match is not tried (RFC 3841 §7.2.4).
    pub fn require(&self) -> bool {
        self.params.has("require")
    }

    /// A contact that does not say what it can do does not match (RFC 3841 §7.2.4).
    pub fn explicit(&self) -> bool {
        self.params.has("explicit")
    }
}

macro_rules! directives {
    ($($variant:ident $word:literal)*) => {
        /// What a caller asks of proxies (RFC 3841 §9.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Directive {
            $(#[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl Directive {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $(_ if word.eq_ignore_ascii_case($word) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

directives! {
    Proxy "proxy" Redirect "redirect" Cancel "cancel" NoCancel "no-cancel" Fork "fork" NoFork "no-fork"
    Recurse "recurse" NoRecurse "no-recurse" Parallel "parallel" Sequential "sequential" Queue "queue"
    NoQueue "no-queue"
}

/// One directive of `Request-Disposition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestDisposition(pub Directive);

impl<'a> TypedHeader<'a> for RequestDisposition {
    const NAME: HeaderName = HeaderName::RequestDisposition;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let error = cursor.expected("directive");
        let directive = Directive::from_word(cursor.token("directive")?).ok_or(error)?;
        cursor.end()?;
        Ok(Self(directive))
    }
}

impl fmt::Display for RequestDisposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}
