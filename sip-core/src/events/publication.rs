//! The event publication agent (RFC 3903): one state that is published, kept alive, changed and taken back.

use smol_str::SmolStr;

use super::{Ending, Verdict, back_off, expires, may_pass, raised, refresh_after, retry_after};
use crate::body::Content;
use crate::entropy::Entropy;
use crate::message::Headers;
use crate::message::typed::SipEtag;
use crate::time::{Duration, Instant};

/// A PUBLISH that is to be sent: RFC 3903 §4.1, table 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// SIP-If-Match; `None`: an initial publication.
    pub etag: Option<SmolStr>,
    /// Expires.
    pub expires: u32,
    /// The body; none refreshes or removes.
    pub content: Option<Content>,
}

/// One published state.
#[derive(Clone, Debug)]
pub struct Publication {
    content: Content,
    /// Seconds to ask for.
    expires: u32,
    wanted: bool,
    etag: Option<SmolStr>,
    /// The compositor has not got `content` yet.
    changed: bool,
    /// When the next PUBLISH goes out.
    at: Option<Instant>,
    in_flight: bool,
    /// When the last PUBLISH was sent.
    sent_at: Instant,
    failures: u32,
    /// How often in a row the time was too brief.
    raises: u8,
}

impl Publication {
    /// Publishes `content` for `expires` seconds, and again and again.
    pub const fn new(now: Instant, content: Content, expires: u32) -> Self {
        Self {
            content,
            expires,
            wanted: true,
            etag: None,
            changed: true,
            at: Some(now),
            in_flight: false,
            sent_at: now,
            failures: 0,
            raises: 0,
        }
    }

    /// Publishes another state in its place (§4.4).
    pub fn modify(&mut self, now: Instant, content: Content) {
        self.content = content;
        self.changed = true;
        self.at = Some(now);
    }

    /// Takes the state back (§4.5).
    pub fn remove(&mut self, now: Instant) -> Verdict {
        self.wanted = false;
        self.at = Some(now);
        if self.etag.is_none() && !self.in_flight { Verdict::Over(Ending::Done) } else { Verdict::GoesOn }
    }

    /// What is to be sent now: one at a time (§4).
    pub fn due(&self, now: Instant) -> Option<Operation> {
        if self.in_flight || self.at.is_none_or(|at| now < at) {
            return None;
        }
        let expires = if self.wanted { self.expires } else { 0 };
        let body = self.wanted && (self.changed || self.etag.is_none());
        Some(Operation { etag: self.etag.clone(), expires, content: body.then(|| self.content.clone()) })
    }

    /// What [`Self::due`] had was sent.
    pub const fn sent(&mut self, now: Instant) {
        self.in_flight = true;
        self.sent_at = now;
        self.changed = false;
        self.at = None;
    }

    /// It was sent once more, with credentials. What has changed meanwhile is not in it.
    pub const fn sent_again(&mut self, now: Instant) {
        self.sent_at = now;
    }

    /// The PUBLISH has its final answer. `GoesOn` after a 2xx: it is published.
    pub fn answered(
        &mut self,
        now: Instant,
        status: u16,
        headers: &Headers,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        self.in_flight = false;
        let etag = || headers.typed::<SipEtag<'_>>().ok().flatten().map(|etag| SmolStr::new(etag.as_str()));
        match status {
            200..300 => {
                (self.failures, self.raises) = (0, 0);
                // §8.2: each 2xx has a new one.
                self.etag = etag();
                if !self.wanted {
                    return self.leave(now);
                }
                let lifetime = expires(headers).unwrap_or(self.expires).min(self.expires);
                // The compositor may count from when the PUBLISH was sent, however late its answer comes.
                let refresh = self.sent_at + refresh_after(Duration::from_secs(lifetime.into()), entropy);
                self.at = Some(self.at.unwrap_or_else(|| refresh.max(now + Duration::from_secs(1))));
                Verdict::GoesOn
            }
            _ if !self.wanted => Verdict::Over(Ending::Done),
            // §5: the compositor has forgotten it: "SHOULD perform an initial publication".
            412 if self.etag.is_some() => self.anew(now),
            423 => match raised(headers, self.expires, self.raises) {
                Some(raised) => {
                    self.expires = raised;
                    self.raises += 1;
                    self.changed = true;
                    self.at = Some(now);
                    Verdict::GoesOn
                }
                None => Verdict::Over(Ending::Refused),
            },
            _ if may_pass(status) => self.later(now, retry_after(headers), entropy),
            _ => Verdict::Over(Ending::Refused),
        }
    }

    /// No answer came, or one that cannot be overcome.
    pub fn failed(&mut self, now: Instant, passes: bool, entropy: &mut dyn Entropy) -> Verdict {
        self.in_flight = false;
        match (self.wanted, passes) {
            (false, _) => Verdict::Over(Ending::Done),
            (true, true) => self.later(now, Duration::ZERO, entropy),
            (true, false) => Verdict::Over(Ending::Refused),
        }
    }

    /// After a removal: nothing is left; after another operation the removal follows.
    fn leave(&mut self, now: Instant) -> Verdict {
        match self.at {
            Some(_) if self.etag.is_some() => {
                self.at = Some(now);
                Verdict::GoesOn
            }
            _ => Verdict::Over(Ending::Done),
        }
    }

    fn anew(&mut self, now: Instant) -> Verdict {
        self.etag = None;
        self.changed = true;
        self.at = Some(now);
        Verdict::GoesOn
    }

    fn later(&mut self, now: Instant, wait: Duration, entropy: &mut dyn Entropy) -> Verdict {
        let at = now + wait.max(back_off(self.failures, entropy));
        self.failures += 1;
        self.changed = true;
        self.at = Some(at);
        Verdict::Retry(at)
    }

    /// The PUBLISH on its way is not repeated: another follows. What became of it shows there (412).
    pub const fn publish_anew(&mut self, now: Instant) {
        if self.in_flight {
            self.in_flight = false;
            self.changed = self.wanted;
            self.at = Some(now);
        }
    }

    /// When [`Self::due`] is to be asked next, if something can be sent at all.
    pub fn timeout(&self) -> Option<Instant> {
        self.at.filter(|_| !self.in_flight)
    }
}
