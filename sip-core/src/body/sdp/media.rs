//! One media description: an `m=` line and what follows it.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt::{self, Display};
use core::ops::{Deref, DerefMut};

use super::{Fmtp, MediaLine, Mid, RtcpFb, RtpMap, Section};
use crate::body::one_line;

/// A media description. What it shares with the session part is a [`Section`], which it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription<'a> {
    /// The value of the `m=` line, checked.
    pub(super) line: Cow<'a, str>,
    pub(super) section: Section<'a>,
}

impl<'a> MediaDescription<'a> {
    /// Begins one.
    pub fn new(line: &MediaLine<'_>) -> Self {
        Self { line: Cow::Owned(one_line(line.to_string())), section: Section::default() }
    }

    /// Replaces the `m=` line.
    pub fn set_line(&mut self, line: &MediaLine<'_>) {
        self.line = Cow::Owned(one_line(line.to_string()));
    }

    /// Sets the port; 0 refuses the stream (RFC 3264 §6).
    pub fn set_port(&mut self, port: u16) {
        let line = MediaLine { port, ..self.line() }.to_string();
        self.line = Cow::Owned(line);
    }

    /// Keeps the formats `keep` says yes to, with the attributes that belong to them: rtpmap, fmtp and rtcp-fb of
    /// the others go.
    pub fn retain_formats(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let line = self.line();
        let mut formats = String::new();
        let mut gone = alloc::collections::BTreeSet::new();
        for format in line.formats() {
            if keep(format) {
                if !formats.is_empty() {
                    formats.push(' ');
                }
                formats.push_str(format);
            } else {
                gone.insert(format.to_string());
            }
        }
        let line = MediaLine { formats: &formats, ..line }.to_string();
        self.line = Cow::Owned(line);
        self.section.retain_attributes(|name, value| {
            let of_format = matches!(name, "rtpmap" | "fmtp" | "rtcp-fb");
            let format = value.and_then(|value| value.split(' ').next());
            !(of_format && format.is_some_and(|format| gone.contains(format)))
        });
    }

    /// The `m=` line.
    pub fn line(&self) -> MediaLine<'_> {
        // Parsing and every setter have checked it.
        MediaLine::parse(&self.line).unwrap_or_default()
    }

    /// `audio`, `video`, `application`, …
    pub fn media(&self) -> &str {
        self.line().media
    }

    /// The transport port.
    pub fn port(&self) -> u16 {
        self.line().port
    }

    /// Port 0, and not for the sake of a bundle (RFC 3264 §6, RFC 9143 §6).
    pub fn is_refused(&self) -> bool {
        self.port() == 0 && !self.has("bundle-only")
    }

    /// The identification tag (RFC 5888 §4).
    pub fn mid(&self) -> Option<&str> {
        self.one::<Mid<'_>>().map(|mid| mid.0)
    }

    /// What a payload type is: by its rtpmap, or by RFC 3551 §6 where that is fixed.
    pub fn codec(&self, payload: u8) -> Option<RtpMap<'_>> {
        self.all::<RtpMap<'_>>().find(|map| map.payload == payload).or_else(|| RtpMap::of_static(payload))
    }

    /// The format parameters of a format (§6.15).
    pub fn fmtp(&self, format: &str) -> Option<Fmtp<'_>> {
        self.all::<Fmtp<'_>>().find(|fmtp| fmtp.format == format)
    }

    /// The feedback a payload type may use, that for all payload types included (RFC 4585 §4.2).
    pub fn feedback(&self, payload: u8) -> impl Iterator<Item = RtcpFb<'_>> {
        self.all::<RtcpFb<'_>>().filter(move |fb| fb.payload.is_none_or(|found| found == payload))
    }

    pub(super) fn lines_with_own(&self) -> impl Iterator<Item = String> {
        let own = alloc::format!("m={}", self.line);
        core::iter::once(own).chain(self.section.lines().map(ToString::to_string))
    }

    pub(super) fn into_owned(self) -> MediaDescription<'static> {
        MediaDescription { line: Cow::Owned(self.line.into_owned()), section: self.section.into_owned() }
    }
}

impl<'a> Deref for MediaDescription<'a> {
    type Target = Section<'a>;

    fn deref(&self) -> &Self::Target {
        &self.section
    }
}

impl DerefMut for MediaDescription<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.section
    }
}

impl Display for MediaDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={}\r\n{}", self.line, self.section)
    }
}
