//! Message waiting (RFC 3842 §5.2), `application/simple-message-summary`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::fields::{BodyError, BodyFault, Fields};
use super::{number, one_line};
use crate::limits;

/// What waits in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSummary<'a> {
    /// `Messages-Waiting`.
    pub waiting: bool,
    /// `Message-Account`: the URI of the mailbox.
    pub account: Option<Cow<'a, str>>,
    /// The counts, each with its message-context-class: `Voice-Message`, `Fax-Message`, … (RFC 3458 §6.2).
    pub counts: Vec<(Cow<'a, str>, Counts)>,
    /// Header fields of single messages, after an empty line (§3.5 leaves them open).
    pub messages: Vec<Fields<'a>>,
}

/// Messages of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub new: u32,
    /// Old ones.
    pub old: u32,
    /// Urgent ones among both, new and old.
    pub urgent: Option<(u32, u32)>,
}

impl<'a> MessageSummary<'a> {
    /// Parses a summary.
    pub fn parse(body: &'a [u8]) -> Result<Self, BodyError> {
        if body.len() > limits::MESSAGE_BYTES {
            return Err(BodyError::new(BodyFault::TooLarge, limits::MESSAGE_BYTES));
        }
        let (fields, mut at) = Fields::read(body, 0)?;
        if fields.is_empty() {
            return Err(BodyError::new(BodyFault::Incomplete, 0));
        }
        let mut summary = Self::default();
        let malformed = BodyError::new(BodyFault::Value, 0);
        for (index, (name, value)) in fields.into_pairs().enumerate() {
            // The status stands first.
            if index == 0 {
                if !name.eq_ignore_ascii_case("Messages-Waiting") {
                    return Err(BodyError::new(BodyFault::Incomplete, 0));
                }
                summary.waiting = match &*value {
                    yes if yes.eq_ignore_ascii_case("yes") => true,
                    no if no.eq_ignore_ascii_case("no") => false,
                    _ => return Err(malformed),
                };
            } else if name.eq_ignore_ascii_case("Message-Account") {
                // A folded value is written in one line.
                summary.account = Some(match value.contains(['\r', '\n']) {
                    true => Cow::Owned(one_line(value.into_owned())),
                    false => value,
                });
            } else {
                summary.counts.push((name, Counts::parse(&value).ok_or(malformed)?));
            }
        }
        while at < body.len() {
            let (fields, len) = Fields::read(&body[at..], at)?;
            at += len;
            if !fields.is_empty() {
                summary.messages.push(fields);
            }
        }
        Ok(summary)
    }

    /// The counts of one class, `Voice-Message` for one.
    pub fn of_class(&self, class: &str) -> Option<Counts> {
        self.counts.iter().find(|(found, _)| found.eq_ignore_ascii_case(class)).map(|(_, counts)| *counts)
    }
}

impl Display for MessageSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages-Waiting: {}\r\n", if self.waiting { "yes" } else { "no" })?;
        if let Some(account) = &self.account {
            write!(f, "Message-Account: {}\r\n", one_line(account.clone().into_owned()))?;
        }
        for (class, counts) in &self.counts {
            write!(f, "{class}: {counts}\r\n")?;
        }
        self.messages.iter().try_for_each(|fields| write!(f, "\r\n{fields}"))
    }
}

impl Counts {
    /// `newmsgs SLASH oldmsgs [ LPAREN new-urgentmsgs SLASH old-urgentmsgs RPAREN ]`; white space where SIP's
    /// separators have it.
    fn parse(value: &str) -> Option<Self> {
        let pair = |text: &str| {
            let (new, old) = text.split_once('/')?;
            Some((number(new.trim())?, number(old.trim())?))
        };
        let (all, urgent) = match value.split_once('(') {
            None => (value, None),
            Some((all, urgent)) => (all, Some(pair(urgent.trim_end().strip_suffix(')')?)?)),
        };
        let (new, old) = pair(all)?;
        Some(Self { new, old, urgent })
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.new, self.old)?;
        self.urgent.map_or(Ok(()), |(new, old)| write!(f, " ({new}/{old})"))
    }
}
