//! How a request came to be where it is: `History-Info` (RFC 7044 §5), `Diversion` (RFC 5806 §4).

use alloc::borrow::Cow;
use core::fmt;
use core::ops::Deref;

use super::access::name_addr;
use super::address::bracketed;
use super::cursor::{number_param, once, place};
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, NameAddr};

/// One entry of `History-Info`. Reason and Privacy stand in the URI's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryInfo<'a> {
    address: NameAddr<'a>,
    /// Numbers with dots between: the tree of forks and redirections.
    pub index: &'a str,
    /// Why this target was chosen, and from which entry.
    pub target: Option<HistoryTarget<'a>>,
}

/// The mechanism that changed the target (RFC 7044 §5), with the index of the entry it began at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryTarget<'a> {
    /// `rc`: a registered contact of the same user.
    RegisteredContact(&'a str),
    /// `mp`: another user.
    MappedPrevious(&'a str),
    /// `np`: no change.
    NoPrevious(&'a str),
}

impl<'a> Deref for HistoryInfo<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.address
    }
}

impl<'a> TypedHeader<'a> for HistoryInfo<'a> {
    const NAME: HeaderName = HeaderName::HistoryInfo;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let address = name_addr(text)?;
        bracketed(text, &address)?;
        let index = |name| match once(text, address.params, name)? {
            Some(value) if !is_index(value) => {
                Err(HeaderError::Expected { what: name, offset: place(text, value) })
            }
            other => Ok(other),
        };
        let targets = [
            index("rc")?.map(HistoryTarget::RegisteredContact),
            index("mp")?.map(HistoryTarget::MappedPrevious),
            index("np")?.map(HistoryTarget::NoPrevious),
        ];
        Ok(Self {
            address,
            index: index("index")?.ok_or(HeaderError::Missing { what: "index" })?,
            target: targets.into_iter().flatten().next(),
        })
    }
}

/// `index-val`: numbers without leading zeros.
fn is_index(text: &str) -> bool {
    text.split('.').all(|number| {
        !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
            && (number.len() == 1 || !number.starts_with('0'))
    })
}

impl fmt::Display for HistoryInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// One entry of `Diversion`, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diversion<'a> {
    address: NameAddr<'a>,
    /// How many diversions this entry stands for.
    pub counter: Option<u32>,
    /// Most diversions that are allowed.
    pub limit: Option<u32>,
}

impl<'a> Diversion<'a> {
    /// `unconditional`, `user-busy`, `no-answer`, …
    pub fn reason(&self) -> Option<Cow<'a, str>> {
        self.params.text("reason")
    }

    /// `full`, `name`, `uri`, `off`.
    pub fn privacy(&self) -> Option<Cow<'a, str>> {
        self.params.text("privacy")
    }

    /// Whether the address was verified: `yes` or `no`.
    pub fn screen(&self) -> Option<Cow<'a, str>> {
        self.params.text("screen")
    }
}

impl<'a> Deref for Diversion<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.address
    }
}

impl<'a> TypedHeader<'a> for Diversion<'a> {
    const NAME: HeaderName = HeaderName::Diversion;
    const CARDINALITY: Cardinality = Cardinality::List;

    /// By the grammar an address stands in brackets; deployed ones do without.
    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let address = name_addr(text)?;
        Ok(Self {
            address,
            counter: number_param(text, address.params, "counter", u32::MAX)?,
            limit: number_param(text, address.params, "limit", u32::MAX)?,
        })
    }
}

impl fmt::Display for Diversion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
