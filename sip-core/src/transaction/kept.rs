//! What a server transaction keeps: its request and the latest answer to it; and for the half minute after the final answer,
//! in which most transactions are, one piece of memory with what may still be asked for.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::key::BranchKey;
use crate::message::{HeaderName, NameAddr, Request, Via, is_sips};

/// The request and the latest answer.
#[derive(Debug)]
pub(super) enum Kept {
    /// It waits for its final answer, or is one of RFC 2543, which is found by what stands in it.
    Read {
        request: Request,
        /// For repeated requests and Timer G.
        latest: Option<Bytes>,
    },
    Answered(Answered),
}

/// A request that was answered for good.
#[derive(Debug)]
pub(super) struct Answered {
    /// The answer, if it is ever sent again, then what [`Origin`] has of the request.
    text: Box<[u8]>,
    /// Where in it answer, Via and From end. What is behind them is the Record-Route.
    ends: [u32; 3],
    within: bool,
    secure: bool,
}

/// Whose request it was. This much of a server transaction's request is known until the transaction is over.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'l> {
    via: &'l str,
    from: &'l str,
    recorded: &'l str,
    within: bool,
    secure: bool,
}

impl<'l> Origin<'l> {
    fn of(request: &'l Request) -> Self {
        let headers = request.headers();
        Self {
            via: headers.list(HeaderName::Via).next().unwrap_or_default(),
            from: headers.first(HeaderName::From).unwrap_or_default(),
            recorded: headers.list(HeaderName::RecordRoute).next().unwrap_or_default(),
            within: request.to_tag().is_some(),
            secure: is_sips(request.uri()),
        }
    }

    const fn len(&self) -> usize {
        self.via.len() + self.from.len() + self.recorded.len()
    }

    /// The topmost Via.
    pub fn via(&self) -> Option<Via<'l>> {
        Via::parse(self.via)
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr<'l>> {
        NameAddr::parse(self.from)
    }

    /// The topmost Record-Route, if a proxy recorded itself.
    pub fn recorded(&self) -> Option<NameAddr<'l>> {
        NameAddr::parse(self.recorded)
    }

    /// Whether the request was sent within a dialog: its To had a tag.
    pub const fn is_within(&self) -> bool {
        self.within
    }

    /// Whether its Request-URI was a `sips` URI: TLS is promised on all its hops.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl Kept {
    /// The request as it came, unless it was answered for good.
    pub(super) const fn request(&self) -> Option<&Request> {
        match self {
            Self::Read { request, .. } => Some(request),
            Self::Answered(_) => None,
        }
    }

    pub(super) fn origin(&self) -> Origin<'_> {
        match self {
            Self::Read { request, .. } => Origin::of(request),
            Self::Answered(answered) => answered.origin(),
        }
    }

    /// What a repeated request gets.
    pub(super) fn latest(&self) -> Option<Bytes> {
        match self {
            Self::Read { latest, .. } => latest.clone(),
            Self::Answered(answered) => {
                let answer = answered.answer();
                (!answer.is_empty()).then(|| Bytes::copy_from_slice(answer))
            }
        }
    }

    /// Nothing was said to the client yet.
    pub(super) const fn is_unanswered(&self) -> bool {
        matches!(self, Self::Read { latest: None, .. })
    }

    /// Keeps an answer instead of what was kept of one, if it fits. A copy is kept, for it was written into more room than it takes.
    pub(super) fn keep(&mut self, answer: Option<&Bytes>) {
        if let Self::Read { latest, .. } = self {
            *latest = answer.map(|answer| Bytes::copy_from_slice(answer));
        }
    }

    /// Whether the request can be given back once it is answered for good.
    pub(super) fn is_found_by_hash(&self) -> bool {
        self.request().is_none_or(|request| BranchKey::of(request).is_some())
    }

    /// Keeps the final answer, if there is one that is ever sent again, and of the request no more than its origin.
    pub(super) fn finish(&mut self, answer: &[u8]) {
        *self = Self::Answered(Answered::new(self.origin(), answer));
    }

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Read { request, latest } => request.bytes().len() + latest.as_ref().map_or(0, Bytes::len),
            Self::Answered(answered) => answered.text.len(),
        }
    }

    /// How many are kept of the request alone, once it is answered for good.
    pub(super) fn origin_len(&self) -> usize {
        self.origin().len()
    }
}

impl Answered {
    fn new(origin: Origin<'_>, answer: &[u8]) -> Self {
        let Origin { via, from, recorded, within, secure } = origin;
        let mut text = Vec::with_capacity(answer.len() + origin.len());
        // Messages are far shorter than 2³² bytes.
        let mut ends = [0; 3];
        for (part, end) in [answer, via.as_bytes(), from.as_bytes()].into_iter().zip(&mut ends) {
            text.extend_from_slice(part);
            *end = text.len() as u32;
        }
        text.extend_from_slice(recorded.as_bytes());
        Self { text: text.into_boxed_slice(), ends, within, secure }
    }

    fn part(&self, start: u32, end: usize) -> &[u8] {
        self.text.get(start as usize..end).unwrap_or_default()
    }

    fn answer(&self) -> &[u8] {
        self.part(0, self.ends[0] as usize)
    }

    fn origin(&self) -> Origin<'_> {
        let [answer, via, from] = self.ends;
        let text = |start, end| core::str::from_utf8(self.part(start, end)).unwrap_or_default();
        Origin {
            via: text(answer, via as usize),
            from: text(via, from as usize),
            recorded: text(from, self.text.len()),
            within: self.within,
            secure: self.secure,
        }
    }
}
