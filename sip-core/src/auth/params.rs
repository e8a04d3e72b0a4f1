//! The parameter list of a challenge or of credentials (RFC 3261 §25.1 `challenge`, `credentials`).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smol_str::SmolStr;

use crate::limits;

/// Why a header field's value is not a digest challenge or credentials that can be worked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The scheme is another one than `Digest`.
    #[error("the authentication scheme is not Digest")]
    NotDigest,
    /// Not a parameter list; the number is the byte where reading stopped.
    #[error("bad authentication parameter at byte {0}")]
    Syntax(usize),
    /// More parameters than [`limits::AUTH_PARAMETERS`].
    #[error("too many authentication parameters")]
    TooMany,
    /// A parameter that may occur once occurred again.
    #[error("authentication parameter {0} occurs twice")]
    Duplicate(SmolStr),
    /// A parameter that must be there is not.
    #[error("authentication parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter has a value that it cannot have.
    #[error("bad value of authentication parameter {0}")]
    Invalid(&'static str),
    /// A parameter has a legal value that is not supported.
    #[error("unsupported value of authentication parameter {0}")]
    Unsupported(&'static str),
}

/// Longest parameter name, bytes. The longest registered one has nine.
const NAME_BYTES: usize = 64;

/// The parameters in their order. Names are unique, compared without case.
#[derive(Debug)]
pub(super) struct Params<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Params<'a> {
    /// Reads `Digest name=value, …`.
    pub(super) fn parse(value: &'a str) -> Result<Self, ParseError> {
        let mut scanner = Scanner { text: value, at: 0 };
        scanner.skip_lws()?;
        let scheme = scanner.token();
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(ParseError::NotDigest);
        }
        // §25.1: LWS, not optional, after the scheme.
        if scanner.rest().bytes().next().is_some_and(|b| !is_lws(b)) {
            return Err(scanner.error());
        }
        let mut params = Self(Vec::new());
        loop {
            scanner.skip_lws()?;
            // RFC 7235's lists may have empty elements; they are harmless.
            if scanner.eat(b',') {
                continue;
            }
            if scanner.rest().is_empty() {
                return Ok(params);
            }
            params.push(scanner.param()?)?;
            scanner.skip_lws()?;
            if !scanner.rest().is_empty() && !scanner.eat(b',') {
                return Err(scanner.error());
            }
        }
    }

    fn push(&mut self, (name, value): (&'a str, Cow<'a, str>)) -> Result<(), ParseError> {
        // Two values for one name are the root of disagreements between elements: refused, known name or not.
        if self.get(name).is_some() {
            return Err(ParseError::Duplicate(name.into()));
        }
        if self.0.len() == limits::AUTH_PARAMETERS {
            return Err(ParseError::TooMany);
        }
        self.0.push((name, value));
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, ParseError> {
        self.get(name).ok_or(ParseError::Missing(name))
    }
}

struct Scanner<'a> {
    text: &'a str,
    /// Always on a character boundary: only ASCII is stepped over one byte at a time.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self) -> ParseError {
        ParseError::Syntax(self.at)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest().as_bytes().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        // `accept` takes only ASCII, so the end is a character boundary.
        let len = rest.bytes().position(|b| !accept(b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn token(&mut self) -> &'a str {
        self.take_while(is_token)
    }

    /// §25.1 LWS. A line break is white space only when the next line begins with a blank.
    fn skip_lws(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(|b| matches!(b, b' ' | b'\t'));
            let rest = self.rest().as_bytes();
            match rest {
                [b'\r', b'\n', b' ' | b'\t', ..] => self.at += 2,
                [b'\r' | b'\n', ..] => return Err(self.error()),
                _ => return Ok(()),
            }
        }
    }

    /// `auth-param = auth-param-name EQUAL ( token / quoted-string )`.
    fn param(&mut self) -> Result<(&'a str, Cow<'a, str>), ParseError> {
        let name = self.token();
        if name.is_empty() || name.len() > NAME_BYTES {
            return Err(self.error());
        }
        self.skip_lws()?;
        if !self.eat(b'=') {
            return Err(self.error());
        }
        self.skip_lws()?;
        if self.eat(b'"') {
            return Ok((name, self.quoted()?));
        }
        // Wider than a token: some phones leave out the quotes around a nonce or a URI.
        let value = self.take_while(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"'));
        if value.is_empty() { Err(self.error()) } else { Ok((name, Cow::Borrowed(value))) }
    }

    /// The rest of a quoted-string whose opening quote has been read, with escapes and folds removed.
    fn quoted(&mut self) -> Result<Cow<'a, str>, ParseError> {
        let mut unescaped: Option<String> = None;
        loop {
            let rest = self.rest();
            let plain = rest
                .bytes()
                .position(|b| matches!(b, b'"' | b'\\') || (b.is_ascii_control() && b != b'\t'))
                .ok_or_else(|| self.error())?;
            self.at += plain;
            let piece = &rest[..plain];
            match rest.as_bytes()[plain..] {
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(piece),
                        Some(text) => Cow::Owned(text + piece),
                    });
                }
                // quoted-pair; control characters are refused although the grammar has some of them.
                [b'\\', escaped @ 0x20..=0x7e, ..] => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(piece);
                    text.push(char::from(escaped));
                    self.at += 2;
                }
                // A fold counts as one blank (§7.3.1).
                [b'\r', b'\n', b' ' | b'\t', ..] => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(piece.trim_end_matches([' ', '\t']));
                    text.push(' ');
                    self.skip_lws()?;
                }
                _ => return Err(self.error()),
            }
        }
    }
}

fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// §25.1 `token`.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Prints a quoted-string. Control characters but HTAB are left out: no value can end the header field it stands in.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars().filter(|c| *c == '\t' || !c.is_ascii_control()) {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}
