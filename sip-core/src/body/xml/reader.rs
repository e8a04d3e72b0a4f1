//! The pull reader: text → events.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::{Name, XmlError, XmlFault};
use crate::limits;

/// What comes next in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An element begins. One that is empty ends with the next event.
    Start {
        /// Its name.
        name: Name,
        /// Its attributes in order; namespace declarations are none.
        attributes: Vec<(Name, String)>,
    },
    /// Text, entities resolved, line ends as LF. Neighbours are not joined.
    Text(Cow<'a, str>),
    /// The element that began last and has not ended ends.
    End,
}

/// Reads one document, event by event.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The elements that have begun: their names as written, and how many namespaces were in scope outside.
    open: Vec<(&'a str, usize)>,
    /// Prefix and namespace, innermost last.
    scope: Vec<(&'a str, SmolStr)>,
    /// The element just begun was empty.
    empty: bool,
    /// How many elements have begun.
    begun: usize,
}

impl<'a> Reader<'a> {
    /// Begins a document.
    pub fn new(document: &'a [u8]) -> Result<Self, XmlError> {
        if document.len() > limits::XML_BYTES {
            return Err(XmlError::new(XmlFault::TooLarge, limits::XML_BYTES));
        }
        let text = core::str::from_utf8(document)
            .map_err(|error| XmlError::new(XmlFault::NotUtf8, error.valid_up_to()))?;
        // §2.2: no control characters but three, no U+FFFE, no U+FFFF.
        if let Some(at) = text.find(|c| !is_char(c)) {
            return Err(XmlError::new(XmlFault::Character, at));
        }
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let mut reader = Self { text, at, open: Vec::new(), scope: Vec::new(), empty: false, begun: 0 };
        reader.declaration()?;
        Ok(reader)
    }

    /// Where the reader stands.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The next event; `None` after a whole document.
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>, XmlError> {
        if self.empty {
            self.empty = false;
            self.close();
            return Ok(Some(Event::End));
        }
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                let whole = self.begun > 0 && self.open.is_empty();
                return if whole { Ok(None) } else { Err(self.fault(XmlFault::Incomplete)) };
            }
            if let Some(after) = rest.strip_prefix("<!--") {
                self.comment(after)?;
            } else if let Some(after) = rest.strip_prefix("<![CDATA[") {
                let len = after.find("]]>").ok_or(self.fault(XmlFault::Incomplete))?;
                self.inside()?;
                self.at += "<![CDATA[".len() + len + "]]>".len();
                return Ok(Some(Event::Text(line_ends(&after[..len]))));
            } else if rest.starts_with("<!") {
                return Err(self.fault(XmlFault::DocumentType));
            } else if rest.starts_with("<?") {
                return Err(self.fault(XmlFault::ProcessingInstruction));
            } else if let Some(after) = rest.strip_prefix("</") {
                return self.end_tag(after).map(Some);
            } else if rest.starts_with('<') {
                return self.start_tag().map(Some);
            } else {
                let len = rest.find('<').unwrap_or(rest.len());
                let text = &rest[..len];
                if self.open.is_empty() {
                    // White space may stand around the document's element, nothing else.
                    if !text.bytes().all(is_space) {
                        return Err(self.fault(XmlFault::Outside));
                    }
                    self.at += len;
                    continue;
                }
                let text = self.unescape(text, self.at, false)?;
                self.at += len;
                return Ok(Some(Event::Text(text)));
            }
        }
    }

    /// `<?xml version="1.0" encoding="UTF-8"?>`, at the very beginning.
    fn declaration(&mut self) -> Result<(), XmlError> {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix("<?xml").filter(|after| after.starts_with(is_space_char)) else {
            return Ok(());
        };
        let len = after.find("?>").ok_or(self.fault(XmlFault::Incomplete))?;
        let declared = &after[..len];
        if let Some((_, encoding)) = declared.split_once("encoding") {
            let encoding = encoding.trim_start().strip_prefix('=').unwrap_or_default();
            let encoding = encoding.trim_matches(|c| matches!(c, '"' | '\'') || is_space_char(c));
            let encoding = encoding.split(['"', '\'']).next().unwrap_or_default();
            // ASCII is UTF-8 too.
            if !["utf-8", "utf8", "us-ascii"].iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
                return Err(self.fault(XmlFault::NotUtf8));
            }
        }
        self.at += "<?xml".len() + len + "?>".len();
        Ok(())
    }

    fn comment(&mut self, after: &str) -> Result<(), XmlError> {
        let len = after.find("--").ok_or(self.fault(XmlFault::Incomplete))?;
        // §2.5: no "--" inside.
        if !after[len..].starts_with("-->") {
            return Err(self.fault(XmlFault::Markup));
        }
        self.at += "<!--".len() + len + "-->".len();
        Ok(())
    }

    fn end_tag(&mut self, after: &'a str) -> Result<Event<'a>, XmlError> {
        let len = after.find('>').ok_or(self.fault(XmlFault::Incomplete))?;
        let name = after[..len].trim_end_matches(is_space_char);
        if self.open.last().is_none_or(|(open, _)| *open != name) {
            return Err(self.fault(XmlFault::Mismatched));
        }
        self.at += "</".len() + len + ">".len();
        self.close();
        Ok(Event::End)
    }

    fn start_tag(&mut self) -> Result<Event<'a>, XmlError> {
        if self.begun > 0 && self.open.is_empty() {
            return Err(self.fault(XmlFault::Outside));
        }
        if self.begun == limits::XML_ELEMENTS {
            return Err(self.fault(XmlFault::TooManyElements));
        }
        if self.open.len() == limits::XML_DEPTH {
            return Err(self.fault(XmlFault::TooDeep));
        }
        let tag = self.at;
        let outside = self.scope.len();
        self.at += 1;
        let name = self.name()?;
        let mut written: Vec<(&'a str, usize, Cow<'a, str>)> = Vec::new();
        loop {
            let spaced = self.skip_space();
            let rest = self.rest();
            if rest.starts_with('>') {
                self.at += 1;
                break;
            }
            if rest.starts_with("/>") {
                self.at += 2;
                self.empty = true;
                break;
            }
            if rest.is_empty() {
                return Err(self.fault(XmlFault::Incomplete));
            }
            if !spaced {
                return Err(self.fault(XmlFault::Markup));
            }
            if written.len() == limits::XML_ATTRIBUTES {
                return Err(self.fault(XmlFault::TooManyAttributes));
            }
            let place = self.at;
            let (attribute, value) = self.attribute()?;
            // The cap bounds this search.
            if written.iter().any(|(name, _, _)| *name == attribute) {
                return Err(XmlError::new(XmlFault::RepeatedAttribute, place));
            }
            match declared_prefix(attribute) {
                Some(prefix) => self.declare(prefix, &value, outside, place)?,
                None => written.push((attribute, place, value)),
            }
        }
        self.open.push((name, outside));
        self.begun += 1;
        let name = self.resolve(name, true, tag)?;
        let mut attributes: Vec<(Name, String)> = Vec::with_capacity(written.len());
        for (attribute, place, value) in written {
            let name = self.resolve(attribute, false, place)?;
            // Namespaces §6.3: not by way of two prefixes either.
            if attributes.iter().any(|(found, _)| *found == name) {
                return Err(XmlError::new(XmlFault::RepeatedAttribute, place));
            }
            attributes.push((name, value.into_owned()));
        }
        Ok(Event::Start { name, attributes })
    }

    fn attribute(&mut self) -> Result<(&'a str, Cow<'a, str>), XmlError> {
        let name = self.name()?;
        self.skip_space();
        if !self.rest().starts_with('=') {
            return Err(self.fault(XmlFault::Markup));
        }
        self.at += 1;
        self.skip_space();
        let rest = self.rest();
        let quote =
            rest.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(self.fault(XmlFault::Markup))?;
        let len = rest[1..].find(quote).ok_or(self.fault(XmlFault::Incomplete))?;
        let text = &rest[1..=len];
        if let Some(at) = text.find('<') {
            return Err(XmlError::new(XmlFault::Markup, self.at + 1 + at));
        }
        let value = self.unescape(text, self.at + 1, true)?;
        self.at += len + 2;
        Ok((name, value))
    }

    fn declare(
        &mut self,
        prefix: &'a str,
        namespace: &str,
        outside: usize,
        place: usize,
    ) -> Result<(), XmlError> {
        // Namespaces §3: these two prefixes mean what they mean, and only the default may be undone.
        if matches!(prefix, "xml" | "xmlns") || (namespace.is_empty() && !prefix.is_empty()) {
            return Err(XmlError::new(XmlFault::Prefix, place));
        }
        if self.scope[outside..].iter().any(|(declared, _)| *declared == prefix) {
            return Err(XmlError::new(XmlFault::RepeatedAttribute, place));
        }
        // The default namespace is declared once in an element at most, so the depth caps it.
        let prefixed = self.scope.iter().filter(|(declared, _)| !declared.is_empty()).count();
        if prefixed == limits::XML_NAMESPACES && !prefix.is_empty() {
            return Err(XmlError::new(XmlFault::TooManyNamespaces, place));
        }
        if namespace.len() > limits::XML_NAMESPACE_BYTES {
            return Err(XmlError::new(XmlFault::NamespaceTooLong, place));
        }
        self.scope.push((prefix, namespace.into()));
        Ok(())
    }

    /// A name as written → namespace and local part. An attribute without prefix is in no namespace.
    fn resolve(&self, written: &str, element: bool, place: usize) -> Result<Name, XmlError> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) if prefix.is_empty() || local.contains(':') || !begins_name(local) => {
                return Err(XmlError::new(XmlFault::Markup, place));
            }
            Some((prefix, local)) => (prefix, local),
            None if !element => return Ok(Name::local(written)),
            None => ("", written),
        };
        if prefix == "xml" {
            return Ok(Name::new(Name::XML, local));
        }
        match self.scope.iter().rev().find(|(declared, _)| *declared == prefix) {
            Some((_, namespace)) => Ok(Name { namespace: namespace.clone(), local: local.into() }),
            None if prefix.is_empty() => Ok(Name::local(local)),
            None => Err(XmlError::new(XmlFault::Prefix, place)),
        }
    }

    fn name(&mut self) -> Result<&'a str, XmlError> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let name = &rest[..len];
        if !begins_name(name) {
            return Err(self.fault(XmlFault::Markup));
        }
        self.at += len;
        Ok(name)
    }

    /// Entities and line ends resolved; in attributes every white space becomes a space (§3.3.3).
    fn unescape(&self, text: &'a str, base: usize, attribute: bool) -> Result<Cow<'a, str>, XmlError> {
        if !attribute && let Some(at) = text.find("]]>") {
            return Err(XmlError::new(XmlFault::Markup, base + at));
        }
        let special = |c| c == '&' || c == '\r' || (attribute && matches!(c, '\t' | '\n'));
        if !text.contains(special) {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(len) = text[at..].find(special) {
            out.push_str(&text[at..at + len]);
            at += len;
            if text[at..].starts_with('&') {
                let (c, len) = entity(&text[at..]).ok_or(XmlError::new(XmlFault::Entity, base + at))?;
                out.push(c);
                at += len;
            } else {
                at += if text[at..].starts_with("\r\n") { 2 } else { 1 };
                out.push(if attribute { ' ' } else { '\n' });
            }
        }
        out.push_str(&text[at..]);
        Ok(Cow::Owned(out))
    }

    fn close(&mut self) {
        if let Some((_, outside)) = self.open.pop() {
            self.scope.truncate(outside);
        }
    }

    fn inside(&self) -> Result<(), XmlError> {
        if self.open.is_empty() { Err(self.fault(XmlFault::Outside)) } else { Ok(()) }
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let len = rest.bytes().take_while(|b| is_space(*b)).count();
        self.at += len;
        len > 0
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    const fn fault(&self, fault: XmlFault) -> XmlError {
        XmlError::new(fault, self.at)
    }
}

/// The prefix an attribute declares; empty for `xmlns` itself.
fn declared_prefix(attribute: &str) -> Option<&str> {
    if attribute == "xmlns" { Some("") } else { attribute.strip_prefix("xmlns:") }
}

/// The character an entity stands for, and the entity's length.
fn entity(text: &str) -> Option<(char, usize)> {
    // The longest is "&#x10FFFF;"; leading zeros make some longer, and none needs sixteen.
    let end = text.bytes().take(16).position(|b| b == b';')?;
    let c = match &text[1..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        other => {
            let digits = other.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|c| is_char(*c))?
        }
    };
    Some((c, end + 1))
}

/// §2.11.
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `Char` (§2.2).
const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_space_char(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Whether a name begins as one may, and so each part of a qualified one (§2.3 `NameStartChar`).
fn begins_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| matches!(c, '-' | '.') || c.is_ascii_digit())
}

/// `NameChar` (§2.3), with everything beyond ASCII.
pub(super) const fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '.') || !c.is_ascii()
}
