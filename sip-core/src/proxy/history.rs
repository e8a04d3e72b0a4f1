//! What a forwarded call says of its way: Diversion (RFC 5806) and History-Info (RFC 7044).
//!
//! The contacts of who had its calls forwarded are not told to whom they go: of its entries there is one, its
//! address-of-record. Their numbers are left out of the index, as those of forks without an answer are.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use smol_str::SmolStr;

use super::divert::{Forward, Occasion, same, with_cause};
use super::forward::request_uri;
use super::privacy;
use crate::limits;
use crate::message::typed::{Diversion, HistoryInfo, HistoryTarget};
use crate::message::{HeaderName, Request, Rewrite, Uri};

/// RFC 3323 §4.1.1.3, as a URI.
const NOBODY: &str = "<sip:anonymous@anonymous.invalid>";

/// Where a call was, and where it goes now.
#[derive(Debug)]
pub(super) struct Diverted {
    /// The entries of History-Info but that of a contact, in their order.
    entries: Vec<Entry>,
    /// Ours, the latest first.
    diversions: Vec<Step>,
    /// How often it was diverted, here and before.
    pub(super) count: u32,
    /// How many entries stand under the last.
    children: usize,
    /// The request came with entries, or its sender takes them in answers (§9.4).
    understood: bool,
    /// Its Privacy has `header` or `history`.
    hidden: bool,
}

#[derive(Debug)]
struct Entry {
    /// The value as it goes within our domain.
    text: String,
    /// Without its headers.
    uri: String,
    index: String,
    /// What stands behind the URI, `;index=` first.
    params: String,
    /// It is of our domain.
    ours: bool,
    private: bool,
}

#[derive(Debug)]
struct Step {
    aor: SmolStr,
    occasion: Occasion,
    private: bool,
}

/// The fields of one copy.
#[derive(Debug)]
pub(super) struct Story {
    history: String,
    diversions: String,
    /// What Privacy asks was done (RFC 7044 §10.1.2).
    served: bool,
}

impl Diverted {
    /// The request of a call for `aor`, whose host is our domain, and of which there were so many copies: §9.1.
    pub(super) fn of(request: &Request, aor: &str, copies: usize) -> Self {
        let headers = request.headers();
        let host = |uri: &str| match Uri::parse(uri) {
            Some(Uri::Sip(uri)) => Some(uri.host.to_string()),
            _ => None,
        };
        let domain = host(aor);
        let mut entries: Vec<Entry> = Vec::new();
        let mut mapped = 0;
        for text in headers.list(HeaderName::HistoryInfo) {
            let Ok(entry) = <HistoryInfo<'_> as crate::message::typed::TypedHeader<'_>>::parse(text) else {
                continue;
            };
            mapped += u32::from(matches!(entry.target, Some(HistoryTarget::MappedPrevious(_))));
            let uri = request_uri(entry.uri);
            let said = entry.uri.get(uri.len()..).unwrap_or_default().to_ascii_lowercase();
            entries.push(Entry {
                text: text.into(),
                index: entry.index.into(),
                params: entry.params.as_str().into(),
                ours: host(uri)
                    .is_some_and(|host| domain.as_ref().is_some_and(|d| d.eq_ignore_ascii_case(&host))),
                private: said.contains("privacy=history"),
                uri: uri.into(),
            });
        }
        let hidden = privacy::asks(headers, "header") || privacy::asks(headers, "history");
        let counters = headers.typed_all::<Diversion<'_>>();
        let before = counters.fold(0_u32, |sum, one| {
            sum.saturating_add(one.ok().and_then(|one| one.counter).unwrap_or(1).max(1))
        });
        let understood = !entries.is_empty() || headers.lists(HeaderName::Supported, "histinfo");
        let target = request.uri();
        if entries.last().is_none_or(|last| !same(&last.uri, target)) {
            // §10.3: the first is 1, and a gap has a zero (rule 6).
            let index = entries.last().map_or_else(|| "1".into(), |last| format!("{}.0", last.index));
            entries.push(Entry::new(request_uri(target), index, ""));
        }
        Self {
            entries,
            diversions: Vec::new(),
            count: before.max(mapped),
            children: copies,
            understood,
            hidden,
        }
    }

    /// Whether it was diverted here.
    pub(super) fn is_begun(&self) -> bool {
        !self.diversions.is_empty()
    }

    /// Whether the call was at this address before, or is there now: `aor` diverts it.
    pub(super) fn has_been(&self, to: &str, aor: &str) -> bool {
        same(to, aor) || self.diversions.iter().any(|step| same(to, &step.aor))
    }

    /// The History-Info of an answer that goes back now; `None`: its sender does not know what that is (§9.4).
    pub(super) fn announced(&self) -> Option<String> {
        // The new target has not answered yet, so that it is none of them (§9.3).
        let (_, entries) = self.entries.split_last().filter(|_| self.understood)?;
        Some(join(entries.iter().map(|entry| entry.said(!self.hidden && !entry.private))))
    }

    /// One more diversion, by `aor`. Returns where to, with the cause.
    pub(super) fn add(&mut self, aor: &SmolStr, forward: &Forward, occasion: Occasion) -> SmolStr {
        self.count = self.count.saturating_add(1);
        let from = self.entries.last_mut().map_or_else(
            || "1".into(),
            |last| {
                last.left(occasion.status(), forward.private);
                last.index.clone()
            },
        );
        // Rules 2 and 3 of §10.3; §10.4: "mp".
        let index = format!("{from}.{}", self.children + 1);
        let to = with_cause(&forward.to, occasion.cause());
        self.entries.push(Entry::new(&to, index, &format!(";mp={from}")));
        self.children = 0;
        self.diversions.insert(0, Step { aor: aor.clone(), occasion, private: forward.private });
        to
    }

    /// What a copy says that goes to this Request-URI. `outside`: to somebody who is neither of our domain nor trusted.
    pub(super) fn tell(&mut self, request_uri: Option<&str>, outside: bool) -> Story {
        let hide = outside && self.hidden;
        let mut values: Vec<String> =
            self.entries.iter().map(|entry| entry.said(!(hide || (outside && entry.private)))).collect();
        if let (Some(uri), Some(last)) = (request_uri, self.entries.last())
            && !same(uri, &last.uri)
        {
            self.children += 1;
            let index = format!("{}.{}", last.index, self.children);
            let contact = Entry::new(uri, index, &format!(";rc={}", last.index));
            values.push(contact.said(true));
        }
        let diversions = join(self.diversions.iter().map(|step| step.said(outside, hide)));
        Story { history: join(values.into_iter()), diversions, served: hide }
    }
}

impl Entry {
    fn new(uri: &str, index: String, target: &str) -> Self {
        let params = format!(";index={index}{target}");
        let text = format!("<{uri}>{params}");
        Self { text, uri: uri.into(), index, params, ours: true, private: false }
    }

    /// The call left this target (§10.2), which may want that kept (§10.1.1).
    fn left(&mut self, status: Option<u16>, private: bool) {
        self.private |= private;
        let mut headers = String::new();
        if self.private {
            headers.push_str("?Privacy=history");
        }
        if let Some(status) = status {
            let _ = write!(headers, "{}Reason=SIP%3Bcause%3D{status}", if self.private { '&' } else { '?' });
        }
        self.text = format!("<{}{headers}>{}", self.uri, self.params);
    }

    /// `open`: as it is. Others are told of a target of ours that there was one (§10.1.2).
    fn said(&self, open: bool) -> String {
        if open || !self.ours { self.text.clone() } else { format!("{NOBODY}{}", self.params) }
    }
}

impl Step {
    fn said(&self, outside: bool, hide: bool) -> String {
        let Self { aor, occasion, private } = self;
        let privacy = if *private || hide { "full" } else { "off" };
        let who = if outside && (*private || hide) { NOBODY.into() } else { format!("<{aor}>") };
        format!("{who};reason={};counter=1;privacy={privacy}", occasion.reason())
    }
}

impl Story {
    /// How many bytes it adds, about.
    pub(super) fn len(&self) -> usize {
        self.history.len() + self.diversions.len() + 32
    }

    /// Returns whether it kept what Privacy asks to be kept.
    pub(super) fn write(&self, rewrite: &mut Rewrite<'_>) -> bool {
        if !self.diversions.is_empty() {
            rewrite.prepend(HeaderName::Diversion, &self.diversions);
        }
        rewrite.remove(HeaderName::HistoryInfo);
        rewrite.append(HeaderName::HistoryInfo, &self.history);
        self.served
    }
}

fn join(values: impl Iterator<Item = String>) -> String {
    let mut out = String::with_capacity(limits::DIVERSIONS as usize * 64);
    for value in values {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&value);
    }
    out
}
