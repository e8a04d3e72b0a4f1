//! The lines of one part of a description: the session's, or one medium's.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::{Attribute, Bandwidth, Connection, Direction};
use crate::body::one_line;

/// One line, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The type letter.
    pub(super) kind: u8,
    /// What follows the equals sign.
    pub(super) value: Cow<'a, str>,
}

impl Line<'_> {
    pub(super) fn new(kind: u8, value: impl Display) -> Line<'static> {
        Line { kind, value: Cow::Owned(one_line(value.to_string())) }
    }

    /// The type letter.
    pub const fn kind(&self) -> char {
        self.kind as char
    }

    /// What follows the equals sign.
    pub fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn into_owned(self) -> Line<'static> {
        Line { kind: self.kind, value: Cow::Owned(self.value.into_owned()) }
    }

    /// Name and value of an `a=` line.
    fn attribute(&self) -> Option<(&str, Option<&str>)> {
        (self.kind == b'a').then(|| match self.value.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (&*self.value, None),
        })
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind(), self.value)
    }
}

/// The lines of a session or of one medium, without its `m=` line. Lines nobody touches print as they came and
/// where they came. Reading an attribute walks the lines once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section<'a> {
    pub(super) lines: Vec<Line<'a>>,
}

impl<'a> Section<'a> {
    /// Sets the `c=` line, in place or where the grammar wants it; further ones go.
    pub fn set_connection(&mut self, connection: &Connection<'_>) {
        self.set_line(b'c', connection);
    }

    /// Removes every `c=` line.
    pub fn remove_connection(&mut self) {
        self.lines.retain(|line| line.kind != b'c');
    }

    /// Sets the `b=` line of this modifier.
    pub fn set_bandwidth(&mut self, bandwidth: &Bandwidth<'_>) {
        let same =
            |line: &Line<'_>| line.kind == b'b' && line.value.split(':').next() == Some(bandwidth.modifier);
        match self.lines.iter_mut().find(|line| same(line)) {
            Some(line) => *line = Line::new(b'b', bandwidth),
            None => self.insert(Line::new(b'b', bandwidth)),
        }
    }

    /// Sets the direction: in place of the first direction attribute, or at the end; others go.
    pub fn set_direction(&mut self, direction: Direction) {
        let is_direction =
            |line: &Line<'_>| line.attribute().is_some_and(|(name, _)| Direction::from_name(name).is_some());
        self.replace(is_direction, Line::new(b'a', direction));
    }

    /// Adds an attribute at the end.
    pub fn add<'v>(&mut self, attribute: &impl Attribute<'v>) {
        self.lines.push(attribute_line(attribute));
    }

    /// Sets an attribute that stands once: in place of the first of its name, or at the end; others of its name go.
    pub fn set<'v, A: Attribute<'v>>(&mut self, attribute: &A) {
        self.replace(
            |line| line.attribute().is_some_and(|(name, _)| name.eq_ignore_ascii_case(A::NAME)),
            attribute_line(attribute),
        );
    }

    /// Adds an attribute by any name, without a value.
    pub fn add_flag(&mut self, name: &str) {
        self.lines.push(Line::new(b'a', name));
    }

    /// Adds an attribute by any name.
    pub fn add_attribute(&mut self, name: &str, value: impl Display) {
        self.lines.push(Line::new(b'a', format_args!("{name}:{value}")));
    }

    /// Removes every attribute of this name; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.lines.len();
        self.retain_attributes(|found, _| !found.eq_ignore_ascii_case(name));
        before - self.lines.len()
    }

    /// Keeps the attributes `keep` says yes to, by name and value. Other lines stay.
    pub fn retain_attributes(&mut self, mut keep: impl FnMut(&str, Option<&str>) -> bool) {
        self.lines.retain(|line| line.attribute().is_none_or(|(name, value)| keep(name, value)));
    }

    /// All lines in order.
    pub fn lines(&self) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter()
    }

    /// The first value of this line type, `'i'` for one.
    pub fn value(&self, kind: char) -> Option<&str> {
        self.values(kind).next()
    }

    /// Every value of this line type.
    pub fn values(&self, kind: char) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.kind() == kind).map(Line::value)
    }

    /// The `c=` line.
    pub fn connection(&self) -> Option<Connection<'_>> {
        self.value('c').and_then(Connection::parse)
    }

    /// The `b=` lines that are well-formed.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'_>> {
        self.values('b').filter_map(Bandwidth::parse)
    }

    /// The direction written here, if one is: the media description's counts before the session's (§6.7).
    pub fn direction(&self) -> Option<Direction> {
        self.attributes().find_map(|(name, _)| Direction::from_name(name))
    }

    /// All attributes in order: name, and value if there is a colon.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.lines.iter().filter_map(Line::attribute)
    }

    /// Whether an attribute of this name stands here, with or without a value (`rtcp-mux`, `ice-lite`,
    /// `bundle-only`, `end-of-candidates`, …). Names compare in any case, as older grammars want (RFC 8840 §9.2).
    pub fn has(&self, name: &str) -> bool {
        self.attributes().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    /// The values of every attribute of this name.
    pub fn attribute<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.attributes()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| value)
    }

    /// Every attribute of type `A` that is well-formed; a malformed one is as good as unknown, and unknown ones are
    /// ignored (§5.13).
    pub fn all<'s, A: Attribute<'s>>(&'s self) -> impl Iterator<Item = A> {
        self.attribute(A::NAME).filter_map(A::parse)
    }

    /// The first attribute of type `A` that is well-formed.
    pub fn one<'s, A: Attribute<'s>>(&'s self) -> Option<A> {
        self.all().next()
    }

    pub(super) fn set_line(&mut self, kind: u8, value: impl Display) {
        let line = Line::new(kind, value);
        if self.lines.iter().any(|old| old.kind == kind) {
            self.replace(|old| old.kind == kind, line);
        } else {
            self.insert(line);
        }
    }

    /// `line` takes the first place `is_old` is true of, or the end; the other such lines go.
    fn replace(&mut self, is_old: impl Fn(&Line<'_>) -> bool, line: Line<'a>) {
        let Some(first) = self.lines.iter().position(&is_old) else {
            self.lines.push(line);
            return;
        };
        let mut at = 0;
        self.lines.retain(|old| {
            let keep = at <= first || !is_old(old);
            at += 1;
            keep
        });
        self.lines[first] = line;
    }

    /// Inserts before the first line whose type comes later in the grammar (§9).
    fn insert(&mut self, line: Line<'a>) {
        let at =
            self.lines.iter().position(|old| rank(old.kind) > rank(line.kind)).unwrap_or(self.lines.len());
        self.lines.insert(at, line);
    }

    pub(super) fn into_owned(self) -> Section<'static> {
        Section { lines: self.lines.into_iter().map(Line::into_owned).collect() }
    }
}

impl Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| write!(f, "{line}\r\n"))
    }
}

fn attribute_line<'v, A: Attribute<'v>>(attribute: &A) -> Line<'static> {
    let value: String = attribute.to_string();
    if value.is_empty() {
        Line::new(b'a', A::NAME)
    } else {
        Line::new(b'a', format_args!("{}:{value}", A::NAME))
    }
}

/// The place of a line type in the grammar; the letters of a time description share one.
fn rank(kind: u8) -> usize {
    let kind = if matches!(kind, b'r' | b'z') { b't' } else { kind };
    b"vosiuepcbtkam".iter().position(|letter| *letter == kind).unwrap_or(usize::MAX)
}
