//! What an attribute is, and those of the session's shape: direction, group, mid, msid, data channels.

use core::fmt::{self, Display};

use crate::body::number;

/// A typed view of one attribute's value. It prints its value, without the name.
pub trait Attribute<'v>: Display + Sized {
    /// The name before the colon.
    const NAME: &'static str;

    /// Parses what stands after the colon.
    fn parse(value: &'v str) -> Option<Self>;
}

/// Which way media flows (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; what nothing means.
    #[default]
    SendRecv,
    /// From the writer only.
    SendOnly,
    /// To the writer only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Reads an attribute's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| name.eq_ignore_ascii_case(direction.name()))
    }

    /// From whether the writer sends and receives.
    pub const fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the writer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same seen from the other side (RFC 3264 §6.1).
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The attribute's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `a=group`: media that belong together (RFC 5888 §5, RFC 9143 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// `BUNDLE`, `LS`, …
    pub semantics: &'a str,
    /// The identification tags as they stand.
    pub mids: &'a str,
}

impl<'a> Group<'a> {
    /// The identification tags one by one.
    pub fn mids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.mids.split_ascii_whitespace()
    }
}

impl<'v> Attribute<'v> for Group<'v> {
    const NAME: &'static str = "group";

    fn parse(value: &'v str) -> Option<Self> {
        let (semantics, mids) = first_word(value)?;
        Some(Self { semantics, mids })
    }
}

impl Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.semantics, self.mids)
    }
}

/// `a=msid`: which MediaStream and which track (RFC 8830 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msid<'a> {
    /// The stream; `-` for none (RFC 8829 §5.2.1).
    pub id: &'a str,
    /// The track.
    pub app_data: Option<&'a str>,
}

impl<'v> Attribute<'v> for Msid<'v> {
    const NAME: &'static str = "msid";

    fn parse(value: &'v str) -> Option<Self> {
        let (id, rest) = first_word(value)?;
        if rest.contains(' ') {
            return None;
        }
        Some(Self { id, app_data: (!rest.is_empty()).then_some(rest) })
    }
}

impl Display for Msid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.id, self.app_data.unwrap_or_default())
    }
}

/// An attribute that is one word, or one number.
macro_rules! single {
    ($(#[$doc:meta])* $type:ident $name:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type<'a>(pub &'a str);

        impl<'v> $crate::body::sdp::Attribute<'v> for $type<'v> {
            const NAME: &'static str = $name;

            fn parse(value: &'v str) -> Option<Self> {
                let word = value.trim_matches(' ');
                (!word.is_empty() && !word.contains(' ')).then_some(Self(word))
            }
        }

        impl core::fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.0)
            }
        }
    };
    ($(#[$doc:meta])* $type:ident $name:literal $number:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type(pub $number);

        impl<'v> $crate::body::sdp::Attribute<'v> for $type {
            const NAME: &'static str = $name;

            fn parse(value: &'v str) -> Option<Self> {
                $crate::body::number(value.trim_matches(' ')).map(Self)
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
pub(super) use single;

single! {
    /// `a=mid`: the identification tag of a medium (RFC 5888 §4).
    Mid "mid"
}
single! {
    /// `a=sctp-port` (RFC 8841 §5).
    SctpPort "sctp-port" u16
}
single! {
    /// `a=max-message-size`, bytes; 0 is any size (RFC 8841 §6).
    MaxMessageSize "max-message-size" u64
}

/// The first word, and the rest without the spaces between. `None` if there is no word.
pub(super) fn first_word(value: &str) -> Option<(&str, &str)> {
    let value = value.trim_matches(' ');
    let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
    (!word.is_empty()).then_some((word, rest.trim_start_matches(' ')))
}

/// The first word, read as a number.
pub(super) fn first_number<N: core::str::FromStr>(value: &str) -> Option<(N, &str)> {
    let (word, rest) = first_word(value)?;
    Some((number(word)?, rest))
}

/// `first SP rest`, or `first` where there is no rest.
pub(super) fn words(f: &mut fmt::Formatter<'_>, first: impl Display, rest: &str) -> fmt::Result {
    if rest.is_empty() { write!(f, "{first}") } else { write!(f, "{first} {rest}") }
}
