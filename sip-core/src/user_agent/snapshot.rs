//! Calls that outlive the program (RFC 3261 §12, RFC 3264 §8): what is kept of one, and how another run takes it up.
//!
//! A snapshot has no credentials, no keys and no addresses of media: who takes a call up again negotiates them anew.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use smol_str::SmolStr;

use super::call::{Call, Direction, Terms, Usage, Wish};
use super::presentation::contact_of;
use super::{CallId, CallState, Event, Identity, Presentation, RestoreError, UserAgent};
use crate::dialog::{Dialog, DialogId, Parts};
use crate::limits;
use crate::message::{Fields, HeaderName, NameAddr, SessionIdentifier};
use crate::offer_answer::{Fault, Negotiation, Outline, OutlineMedia, Turn};
use crate::time::Instant;

/// The first line of a snapshot's text; the number is its version.
const HEAD: &str = "trapezoid-call 1";

/// How far our CSeq jumps when a call is restored: a request may have gone out that nobody could note any more.
const LEAP: u32 = 16;

/// What is kept of an established call. Its text ([`fmt::Display`]) is read by [`CallSnapshot::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSnapshot {
    /// After this it is not restored. In the time of the user agent that made it: a driver whose clock starts anew with
    /// every run has to shift it.
    pub expires_at: Instant,
    /// We made the call.
    pub caller: bool,
    /// The other side takes UPDATE.
    pub updates: bool,
    /// The dialog.
    pub dialog: Parts,
    /// Parameters of ours in the URIs of its Contacts, each with its semicolon
    /// ([`Presentation::contact_param`]).
    pub contact_params: SmolStr,
    /// The shape of our descriptions, if there was one.
    pub outline: Option<Outline>,
}

/// Why a text is no snapshot of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It is of another version, or no snapshot at all.
    #[error("not a snapshot of a call, or one of another version")]
    Version,
    /// It is longer than [`limits::SNAPSHOT_BYTES`].
    #[error("the snapshot is too large")]
    TooLarge,
    /// A line cannot be read, or one is missing.
    #[error("line {0} of the snapshot is wrong")]
    Line(usize),
}

/// How a restored call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation<'a> {
    /// By a re-INVITE without an offer: the other side offers, told as [`Event::Offered`].
    Solicit,
    /// By a re-INVITE with this offer, given the shape of the one before: `o=` line, order of media, mids.
    Offer(&'a str),
}

impl fmt::Display for CallSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, caller, updates, dialog, contact_params, outline } = self;
        writeln!(f, "{HEAD}")?;
        writeln!(f, "expires {}", expires_at.as_micros())?;
        writeln!(f, "caller {}", u8::from(*caller))?;
        writeln!(f, "updates {}", u8::from(*updates))?;
        writeln!(f, "call-id {}", dialog.id.call_id)?;
        writeln!(f, "local-tag {}", dialog.id.local_tag)?;
        writeln!(f, "remote-tag {}", dialog.id.remote_tag)?;
        writeln!(f, "local {}", OneLine(&dialog.local))?;
        writeln!(f, "remote {}", OneLine(&dialog.remote))?;
        writeln!(f, "target {}", dialog.target)?;
        for (name, number) in [("local-cseq", dialog.local_cseq), ("remote-cseq", dialog.remote_cseq)] {
            if let Some(number) = number {
                writeln!(f, "{name} {number}")?;
            }
        }
        if !dialog.session.local.is_nil() {
            writeln!(f, "session {}", dialog.session)?;
        }
        for route in &dialog.routes {
            writeln!(f, "route {}", OneLine(route))?;
        }
        if !contact_params.is_empty() {
            writeln!(f, "contact-params {}", OneLine(contact_params))?;
        }
        let Some(Outline { origin, media }) = outline else { return Ok(()) };
        writeln!(f, "origin {origin}")?;
        for OutlineMedia { kind, protocol, mid } in media {
            write!(f, "media {kind} {protocol}")?;
            match mid {
                Some(mid) => writeln!(f, " {mid}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// A value of a header field that may be folded.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

impl CallSnapshot {
    /// Reads a snapshot's text. Whether it makes a call, [`UserAgent::restore`] finds out.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        if text.len() > limits::SNAPSHOT_BYTES {
            return Err(SnapshotError::TooLarge);
        }
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEAD) {
            return Err(SnapshotError::Version);
        }
        let mut found = Self {
            expires_at: Instant::default(),
            caller: false,
            updates: false,
            dialog: Parts {
                id: DialogId::new("", "", ""),
                local: SmolStr::default(),
                remote: SmolStr::default(),
                target: SmolStr::default(),
                routes: Vec::new(),
                local_cseq: None,
                remote_cseq: None,
                session: SessionIdentifier::default(),
            },
            contact_params: SmolStr::default(),
            outline: None,
        };
        for (at, line) in lines {
            found.read(line).ok_or(SnapshotError::Line(at + 1))?;
        }
        Ok(found)
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(' ')?;
        let flag = || match value {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        match name {
            "expires" => self.expires_at = Instant::from_micros(value.parse().ok()?),
            "caller" => self.caller = flag()?,
            "updates" => self.updates = flag()?,
            "call-id" => self.dialog.id.call_id = value.into(),
            "local-tag" => self.dialog.id.local_tag = value.into(),
            "remote-tag" => self.dialog.id.remote_tag = value.into(),
            "local" => self.dialog.local = value.into(),
            "remote" => self.dialog.remote = value.into(),
            "target" => self.dialog.target = value.into(),
            "local-cseq" => self.dialog.local_cseq = Some(value.parse().ok()?),
            "remote-cseq" => self.dialog.remote_cseq = Some(value.parse().ok()?),
            "session" => self.dialog.session = SessionIdentifier::parse(value)?,
            "route" if self.dialog.routes.len() < limits::HEADER_FIELDS => {
                self.dialog.routes.push(value.into());
            }
            "contact-params" => self.contact_params = value.into(),
            "origin" => {
                crate::body::sdp::Origin::parse(value)?;
                self.outline = Some(Outline { origin: value.into(), media: Vec::new() });
            }
            "media" => {
                let media = &mut self.outline.as_mut()?.media;
                let mut words = value.split(' ');
                let (kind, protocol) = (words.next()?.into(), words.next()?.into());
                let mid = words.next().map(SmolStr::from);
                if words.next().is_some() || media.len() == limits::SDP_MEDIA {
                    return None;
                }
                media.push(OutlineMedia { kind, protocol, mid });
            }
            _ => return None,
        }
        Some(())
    }
}

/// What was noted of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// CSeqs, ours first.
    sequence: (Option<u32>, Option<u32>),
    /// Where the other side is: the 2xx to a request of ours may say so (RFC 3261 §12.2.1.2).
    target: SmolStr,
    session: SessionIdentifier,
    /// Which description of ours was the last.
    said: Option<(usize, usize)>,
}

impl UserAgent {
    /// What is to be kept of an established call, so that [`Self::restore`] takes it up after the program was ended;
    /// `None` if there is no such call. With [`Config::snapshots`](super::Config::snapshots), [`Event::Snapshot`] tells
    /// when it is to be written anew.
    pub fn snapshot(&self, now: Instant, call: CallId) -> Option<CallSnapshot> {
        let call = self.calls.get(&call).filter(|call| call.state() == CallState::Established)?;
        let usage = call.usage.as_ref()?;
        let outline = usage.said().and_then(Outline::of);
        Some(CallSnapshot {
            expires_at: now + limits::SNAPSHOT_LIFETIME,
            caller: call.is_ours(),
            updates: usage.updates,
            dialog: usage.dialog.parts(),
            contact_params: contact_of(call.presentation.as_deref()).into(),
            outline: outline.or_else(|| usage.outline.clone()),
        })
    }

    /// Takes up a call of an earlier run, as soon as there is a registered flow. It is established at once; what
    /// becomes of its media is told as of any change of a session. [`Event::Ended`] with 481 tells that the other side
    /// has ended it meanwhile.
    pub fn restore(
        &mut self,
        now: Instant,
        snapshot: &CallSnapshot,
        how: Continuation<'_>,
    ) -> Result<CallId, RestoreError> {
        if self.is_shutting_down() {
            return Err(RestoreError::ShutDown);
        }
        if snapshot.expires_at <= now {
            return Err(RestoreError::Expired);
        }
        if self.is_full() {
            return Err(RestoreError::TooManyCalls);
        }
        let mut parts = snapshot.dialog.clone();
        parts.local_cseq = Some(parts.local_cseq.unwrap_or_default().saturating_add(LEAP));
        let remote = NameAddr::parse(&parts.remote).map(|address| Identity::of(&address));
        let remote = remote.ok_or(RestoreError::Invalid)?;
        let dialog = Dialog::restore(parts.clone()).ok_or(RestoreError::Invalid)?;
        let presentation = Presentation::kept(&snapshot.contact_params).map_err(|_| RestoreError::Invalid)?;
        if self.call_of(dialog.id()).is_some() {
            return Err(RestoreError::AlreadyHere);
        }
        let mut usage = Usage::new(dialog, Negotiation::new(), Terms::of(&self.config));
        usage.updates = snapshot.updates;
        usage.outline = snapshot.outline.clone();
        usage.next = Some(match how {
            Continuation::Solicit => Wish::Solicit,
            Continuation::Offer(sdp) => {
                let fresh = Bytes::copy_from_slice(sdp.as_bytes());
                Wish::Offer(usage.shaped_offer(fresh).map_err(RestoreError::Description)?)
            }
        });
        let name = usage.dialog.id().clone();
        let call = self.insert_call(Call {
            remote,
            direction: Direction::Standing { caller: snapshot.caller },
            usage: Some(usage),
            way: self.way_over(self.ready()),
            ended: false,
            released: false,
            parting: Fields::new(),
            presentation,
            told_session: SessionIdentifier::default(),
        });
        if self.ready().is_some() {
            self.next_change(now, call, &name);
        }
        self.settle(now);
        Ok(call)
    }

    /// The ACK of an INVITE of an earlier run (RFC 3261 §13.2.2.4: each 2xx gets one). Its description, if it had to have
    /// one, went with that run: an offer in the 2xx is as good as refused, and the session stays as it was (§14.2).
    pub(super) fn ack_anew(&mut self, dialog: &DialogId, cseq: u32) -> Option<Bytes> {
        let call = self.call_of(dialog)?;
        let hop = self.hop_of(call).or_else(|| self.flow())?;
        let via = self.local.via(hop, &mut *self.entropy);
        let call = self.calls.get(&call)?;
        let usage = call.usage.as_ref().filter(|_| matches!(call.direction, Direction::Standing { .. }))?;
        // What this run has sent has an ACK of its own.
        if usage.dialog.sequence().0.is_none_or(|own| cseq > own) || usage.ack(cseq).is_some() {
            return None;
        }
        let ack = usage.dialog.ack(cseq, &via).header(HeaderName::UserAgent, &self.config.user_agent);
        Some(ack.finish())
    }

    /// Tells which calls have changed since they were noted.
    pub(super) fn note_calls(&mut self) {
        if !self.config.snapshots {
            return;
        }
        let mut changed = Vec::new();
        for (id, call) in self.calls.iter_mut().filter(|(_, call)| call.state() == CallState::Established) {
            let Some(usage) = &mut call.usage else { continue };
            let present = usage.to_note();
            if usage.noted.as_deref() != Some(&present) {
                usage.noted = Some(present.into());
                changed.push(id);
            }
        }
        for call in changed {
            self.event(Event::Snapshot { call });
        }
    }
}

impl Usage {
    fn to_note(&self) -> Noted {
        Noted {
            sequence: self.dialog.sequence(),
            target: self.dialog.target().into(),
            session: self.dialog.session(),
            said: self.said().map(|sdp| (sdp.as_ptr() as usize, sdp.len())),
        }
    }

    /// The last description of ours: an offer that is on its way may be in force at the other side already (RFC 3264 §8).
    fn said(&self) -> Option<&Bytes> {
        let negotiation = &self.negotiation;
        let offered = negotiation.pending().filter(|_| negotiation.turn() == Turn::LocalOffer);
        offered.or_else(|| negotiation.local())
    }

    /// An offer of ours, in the shape of the session that was restored.
    pub(crate) fn shaped_offer(&mut self, fresh: Bytes) -> Result<Bytes, Fault> {
        self.shape(fresh, Outline::offer)
    }

    /// The same for an answer.
    pub(crate) fn shaped_answer(&mut self, fresh: Bytes) -> Result<Bytes, Fault> {
        self.shape(fresh, Outline::answer)
    }

    fn shape(
        &mut self,
        fresh: Bytes,
        by: impl FnOnce(&mut Outline, &Bytes) -> Result<Bytes, Fault>,
    ) -> Result<Bytes, Fault> {
        let Some(outline) = &mut self.outline else { return Ok(fresh) };
        if let Some(local) = self.negotiation.local() {
            outline.went_on(local);
        }
        by(outline, &fresh)
    }
}
