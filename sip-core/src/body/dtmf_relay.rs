//! Keys pressed, in the body of an INFO: `application/dtmf-relay` and `application/dtmf`. No RFC has them; the forms
//! are those gateways and desk phones send.

use core::fmt::{self, Display};

use super::number;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtmf {
    /// `0`–`9`, `*`, `#`, `A`–`D`, or `!` for flash.
    pub key: char,
    /// Milliseconds, where it is told.
    pub duration: Option<u32>,
}

impl Dtmf {
    /// Content type of what this prints.
    pub const CONTENT_TYPE: &'static str = "application/dtmf-relay";

    /// A key; `None` if it is none.
    pub fn new(key: char, duration: Option<u32>) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        matches!(key, '0'..='9' | 'A'..='D' | '*' | '#' | '!').then_some(Self { key, duration })
    }

    /// Parses either form: `Signal=5` and `Duration=160` on lines of their own, or the key alone. White space around
    /// the equals sign is taken, and 10, 11 and 16 for `*`, `#` and flash (the events of RFC 4733 §3.2).
    pub fn parse(body: &[u8]) -> Option<Self> {
        // Bodies of a few lines; longer ones are something else.
        let text = core::str::from_utf8(body).ok().filter(|text| text.len() <= 512)?;
        let (mut key, mut duration) = (None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once('=') {
                None if key.is_none() => key = Some(line),
                None => return None,
                Some((name, value)) if name.trim_end().eq_ignore_ascii_case("signal") => {
                    if key.replace(value.trim_start()).is_some() {
                        return None;
                    }
                }
                Some((name, value)) if name.trim_end().eq_ignore_ascii_case("duration") => {
                    duration = Some(number(value.trim_start())?);
                }
                // Others (`Volume`) say nothing about which key it was.
                Some(_) => {}
            }
        }
        let key = match key? {
            "10" => '*',
            "11" => '#',
            "16" => '!',
            key => {
                let mut characters = key.chars();
                characters.next().filter(|_| characters.next().is_none())?
            }
        };
        Self::new(key, duration)
    }
}

impl Display for Dtmf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal={}\r\n", self.key)?;
        self.duration.map_or(Ok(()), |duration| write!(f, "Duration={duration}\r\n"))
    }
}
