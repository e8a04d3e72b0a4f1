//! Reads TOML tables key by key, so that every error can name file, line, key and what is accepted.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// A configuration file's text, for turning positions into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

/// One table of the file. Keys are taken out of it; what is left at [`Section::finish`] is unknown.
pub(super) struct Section<'a> {
    source: Source<'a>,
    /// `http.` for the keys of `[http]`; empty at the top.
    prefix: String,
    span: Range<usize>,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

/// A value with where it stands.
pub(super) struct Value<'a> {
    source: Source<'a>,
    key: String,
    span: Range<usize>,
    value: DeValue<'a>,
}

impl<'a> Source<'a> {
    /// Parses the whole file.
    pub(super) fn parse(self) -> Result<Section<'a>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            path: self.path.to_owned(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            message: syntax(error.message(), error.span().and_then(|span| self.text.get(span))),
        })?;
        Ok(Section {
            source: self,
            prefix: String::new(),
            span: 0..0,
            table: table.into_inner(),
            known: Vec::new(),
        })
    }

    fn line(self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// What the parser says, with what to do where it does not say that itself. `at` is what it stumbled over.
fn syntax(message: &str, at: Option<&str>) -> String {
    let message = message.replace('\n', "; ");
    let at = at.unwrap_or_default();
    if message.contains("duplicate key") {
        return format!(
            "{message} `{at}`: a key stands once in its section, and a [section] once in the file; one of several is a [[section]]"
        );
    }
    if message.contains("must be quoted") {
        return format!("{message}, as in key = \"value\"");
    }
    message
}

/// The line, counted from 1, of `key` in `[section]`, the top if that is empty, or in that one of `[[section]]`, the first without an
/// index; of the file's begin if it is not there.
pub fn line_of(text: &str, section: &str, index: Option<usize>, key: &str) -> usize {
    let start = || -> Option<usize> {
        let table = DeTable::parse(text).ok()?;
        if section.is_empty() {
            return Some(table.get_ref().get(key)?.span().start);
        }
        let mut value = inside(table.get_ref(), section)?;
        // One of several may stand alone.
        if let Some(all) = value.as_array() {
            value = all.get(index.unwrap_or(0))?.get_ref();
        }
        Some(value.as_table()?.get(key)?.span().start)
    };
    Source { path: Path::new(""), text }.line(start().unwrap_or(0))
}

/// Which one of `[[section]]` has this text as its `key`.
pub fn index_of(text: &str, section: &str, key: &str, value: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut all = inside(table.get_ref(), section)?.as_array()?.iter();
    all.position(|one| {
        let found = one.get_ref().as_table().and_then(|one| one.get(key));
        found.and_then(|found| found.get_ref().as_str()) == Some(value)
    })
}

/// What a section, as in `registrar.watcher`, is in the file.
fn inside<'t, 'a>(table: &'t DeTable<'a>, section: &str) -> Option<&'t DeValue<'a>> {
    match section.split_once('.') {
        Some((outer, rest)) => inside(table.get(outer)?.get_ref().as_table()?, rest),
        None => Some(table.get(section)?.get_ref()),
    }
}

impl<'a> Section<'a> {
    /// Takes a key's value, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        let span = value.span();
        Some(Value {
            source: self.source,
            key: format!("{}{key}", self.prefix),
            span,
            value: value.into_inner(),
        })
    }

    /// Where a key stands.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.table.get(key).map(|value| value.span().start)
    }

    /// Takes a key that must be there.
    pub(super) fn require(&mut self, key: &'static str, accepted: &str) -> Result<Value<'a>, ConfigError> {
        self.take(key).ok_or_else(|| self.missing(key, accepted))
    }

    /// The error that a key is not there.
    pub(super) fn missing(&self, key: &'static str, accepted: &str) -> ConfigError {
        self.missing_for(None, key, accepted)
    }

    /// The same of a key that something else, at this place, asks for.
    pub(super) fn missing_for(&self, place: Option<usize>, key: &'static str, accepted: &str) -> ConfigError {
        ConfigError::Missing {
            path: self.source.path.to_owned(),
            line: self.source.line(place.unwrap_or(self.span.start)),
            key: format!("{}{key}", self.prefix),
            accepted: accepted.into(),
        }
    }

    /// Takes a sub-table; an absent one is empty.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        match self.take(key) {
            Some(value) => value.section(),
            None => Ok(self.absent(key)),
        }
    }

    /// A sub-table that is not there.
    pub(super) fn absent(&self, key: &'static str) -> Self {
        Self {
            source: self.source,
            prefix: format!("{}{key}.", self.prefix),
            span: 0..0,
            table: DeTable::new(),
            known: Vec::new(),
        }
    }

    /// Ends the section: whatever was not taken is unknown.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some(key) = self.table.keys().min_by_key(|key| key.span().start) else { return Ok(()) };
        Err(ConfigError::UnknownKey {
            path: self.source.path.to_owned(),
            line: self.source.line(key.span().start),
            key: format!("{}{}", self.prefix, key.get_ref()),
            accepted: self.known,
        })
    }
}

impl<'a> Value<'a> {
    /// The error that this value is not acceptable.
    pub(super) fn refuse(&self, accepted: impl Into<String>) -> ConfigError {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        let found = match text.lines().next() {
            Some(first) if first.len() < text.len() => format!("{first} …"),
            _ => text.to_owned(),
        };
        ConfigError::Value {
            path: self.source.path.to_owned(),
            line: self.source.line(self.span.start),
            key: self.key.clone(),
            found,
            accepted: accepted.into(),
        }
    }

    /// A table.
    pub(super) fn section(self) -> Result<Section<'a>, ConfigError> {
        if !self.value.is_table() {
            return Err(self.refuse(format!("a section, [{}]", self.key)));
        }
        let DeValue::Table(table) = self.value else { unreachable!("was just seen to be a table") };
        Ok(Section {
            source: self.source,
            prefix: format!("{}.", self.key),
            span: self.span,
            table,
            known: Vec::new(),
        })
    }

    /// A table, or several: `[key]` or `[[key]]`. There is one at least.
    pub(super) fn sections(self) -> Result<Vec<Section<'a>>, ConfigError> {
        if self.value.as_array().is_none_or(|all| all.is_empty()) {
            return Ok(vec![self.section()?]);
        }
        self.elements("")?.into_iter().map(Self::section).collect()
    }

    /// The elements of an array.
    pub(super) fn elements(self, accepted: &str) -> Result<Vec<Self>, ConfigError> {
        if !self.value.is_array() {
            return Err(self.refuse(accepted));
        }
        let DeValue::Array(array) = self.value else { unreachable!("was just seen to be an array") };
        let element = |item: Spanned<DeValue<'a>>| Self {
            source: self.source,
            key: self.key.clone(),
            span: item.span(),
            value: item.into_inner(),
        };
        Ok(array.into_iter().map(element).collect())
    }

    /// Text that `read` understands.
    pub(super) fn text<T>(
        &self,
        accepted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.value.as_str().and_then(read).ok_or_else(|| self.refuse(accepted))
    }

    /// Whether it is text.
    pub(super) fn is_text(&self) -> bool {
        self.value.as_str().is_some()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.refuse("true, false"))
    }

    /// A whole number in `range`.
    pub(super) fn number(&self, range: RangeInclusive<usize>) -> Result<usize, ConfigError> {
        self.value
            .as_integer()
            .and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.refuse(format!("a whole number from {} to {}", range.start(), range.end())))
    }
}
