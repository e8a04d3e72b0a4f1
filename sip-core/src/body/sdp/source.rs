//! Sources and layers: `ssrc`, `ssrc-group` (RFC 5576), `rid` (RFC 8851), `simulcast` (RFC 8853).

use core::fmt::{self, Display};

use super::Attribute;
use super::attribute::{first_word, words};
use crate::body::number;

/// `a=ssrc`: an attribute of one source (RFC 5576 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc<'a> {
    /// The source.
    pub id: u32,
    /// `cname`, `msid`, …
    pub attribute: &'a str,
    /// What stands after the colon.
    pub value: Option<&'a str>,
}

impl<'v> Attribute<'v> for Ssrc<'v> {
    const NAME: &'static str = "ssrc";

    fn parse(value: &'v str) -> Option<Self> {
        let (id, rest) = value.trim_start_matches(' ').split_once(' ')?;
        let (attribute, value) = match rest.split_once(':') {
            Some((attribute, value)) => (attribute, Some(value)),
            None => (rest, None),
        };
        (!attribute.is_empty()).then_some(Self { id: number(id)?, attribute, value })
    }
}

impl Display for Ssrc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.attribute)?;
        self.value.map_or(Ok(()), |value| write!(f, ":{value}"))
    }
}

/// `a=ssrc-group`: sources that belong together (RFC 5576 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SsrcGroup<'a> {
    /// `FID`, `FEC-FR`, `SIM`, …
    pub semantics: &'a str,
    /// The sources as they stand.
    pub ids: &'a str,
}

impl<'a> SsrcGroup<'a> {
    /// The sources one by one.
    pub fn ids(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.ids.split_ascii_whitespace().filter_map(number)
    }
}

impl<'v> Attribute<'v> for SsrcGroup<'v> {
    const NAME: &'static str = "ssrc-group";

    fn parse(value: &'v str) -> Option<Self> {
        let (semantics, ids) = first_word(value)?;
        let all_numbers = ids.split_ascii_whitespace().all(|id| number::<u32>(id).is_some());
        all_numbers.then_some(Self { semantics, ids })
    }
}

impl Display for SsrcGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.semantics, self.ids)
    }
}

/// Which side's stream a restriction identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RidDirection {
    /// The writer sends it.
    Send,
    /// The writer receives it.
    Recv,
}

/// `a=rid`: a stream with restrictions (RFC 8851 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rid<'a> {
    /// The identifier.
    pub id: &'a str,
    /// Whose it is.
    pub direction: RidDirection,
    /// `pt=…;max-width=…`, as it stands.
    pub restrictions: &'a str,
}

impl<'a> Rid<'a> {
    /// The restrictions, names and values.
    pub fn restrictions(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.restrictions.split(';').filter(|item| !item.is_empty()).map(|item| match item.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (item, None),
        })
    }

    /// The formats of `pt=`; none named means all of the medium's.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let list = self.restrictions().find(|(name, _)| *name == "pt").and_then(|(_, value)| value);
        list.unwrap_or_default().split(',').filter(|format| !format.is_empty())
    }
}

impl<'v> Attribute<'v> for Rid<'v> {
    const NAME: &'static str = "rid";

    fn parse(value: &'v str) -> Option<Self> {
        let (id, rest) = first_word(value)?;
        let (direction, restrictions) = first_word(rest)?;
        let direction = match direction {
            "send" => RidDirection::Send,
            "recv" => RidDirection::Recv,
            _ => return None,
        };
        Some(Self { id, direction, restrictions })
    }
}

impl Display for Rid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            RidDirection::Send => "send",
            RidDirection::Recv => "recv",
        };
        write!(f, "{} ", self.id)?;
        words(f, direction, self.restrictions)
    }
}

/// `a=simulcast`: several encodings of one source (RFC 8853 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulcast<'a> {
    /// What the writer sends, as it stands.
    pub send: Option<&'a str>,
    /// What the writer receives, as it stands.
    pub recv: Option<&'a str>,
}

/// One alternative of one simulcast stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulcastId<'a> {
    /// The restriction identifier.
    pub rid: &'a str,
    /// It starts paused: `~` before it.
    pub paused: bool,
}

impl<'a> Simulcast<'a> {
    /// The streams of `send` or `recv`, each its alternatives in order of preference.
    pub fn streams(list: &'a str) -> impl Iterator<Item = impl Iterator<Item = SimulcastId<'a>>> {
        list.split(';').map(|stream| {
            stream.split(',').map(|id| SimulcastId {
                rid: id.strip_prefix('~').unwrap_or(id),
                paused: id.starts_with('~'),
            })
        })
    }
}

impl<'v> Attribute<'v> for Simulcast<'v> {
    const NAME: &'static str = "simulcast";

    fn parse(value: &'v str) -> Option<Self> {
        let mut simulcast = Self { send: None, recv: None };
        let mut rest = value;
        while let Some((direction, after)) = first_word(rest) {
            let (list, after) = first_word(after)?;
            let place = match direction {
                "send" => &mut simulcast.send,
                "recv" => &mut simulcast.recv,
                _ => return None,
            };
            let whole = |id: SimulcastId<'_>| !id.rid.is_empty();
            if place.replace(list).is_some() || !Self::streams(list).all(|mut ids| ids.all(whole)) {
                return None;
            }
            rest = after;
        }
        (simulcast.send.is_some() || simulcast.recv.is_some()).then_some(simulcast)
    }
}

impl Display for Simulcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.send, self.recv) {
            (Some(send), Some(recv)) => write!(f, "send {send} recv {recv}"),
            (Some(send), None) => write!(f, "send {send}"),
            (None, Some(recv)) => write!(f, "recv {recv}"),
            (None, None) => Ok(()),
        }
    }
}
