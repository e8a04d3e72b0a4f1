//! Offers and answers (RFC 3264, RFC 6337): which description is in force in a dialog, whose turn it is, and what
//! becomes of a change that is refused (RFC 6141).
//!
//! One [`Negotiation`] stands for one dialog, early or confirmed. It knows no message: its user says that an offer
//! or an answer was sent or came, wherever that was (INVITE, 2xx, ACK, reliable 1xx, PRACK, UPDATE). Descriptions are
//! shared buffers; they are read only to be judged or edited.
//!
//! What it does not do: choose codecs, or make descriptions from nothing. Media does.

mod description;
mod fault;
mod outline;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use description::{directions, refusal};
pub use fault::Fault;
use fault::Whose;
pub use outline::{Outline, OutlineMedia};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody's: either side may offer.
    Stable,
    /// We have offered; the answer is to come.
    LocalOffer,
    /// The other side has offered; the answer is to be given.
    RemoteOffer,
}

/// What a remote offer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Something new.
    Changed,
    /// What is in force already (RFC 3264 §8: same description, same version). [`Negotiation::local`] answers it.
    Unchanged,
}

/// The offers and answers of one dialog.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    pending: Pending,
    /// What was agreed upon, or nothing yet.
    local: Option<Bytes>,
    remote: Option<Bytes>,
    /// The media we stopped receiving by [`Self::hold`], one bit each.
    held: u128,
    /// The same of a hold that has no answer yet.
    holding: u128,
}

#[derive(Clone, Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    Local(Bytes),
    Remote(Bytes),
}

impl Negotiation {
    /// Before any offer.
    pub const fn new() -> Self {
        Self { pending: Pending::Nothing, local: None, remote: None, held: 0, holding: 0 }
    }

    /// We offer (RFC 3264 §5, §8). On error nothing has changed.
    pub fn offer(&mut self, sdp: Bytes) -> Result<(), Fault> {
        self.must_be(Turn::Stable)?;
        fault::check_offer(self.local.as_ref(), &sdp, Whose::Ours)?;
        self.pending = Pending::Local(sdp);
        Ok(())
    }

    /// The other side offers. On error nothing has changed, and the offer is to be refused: with 491 on
    /// [`Fault::Turn`] of a local offer, 500 of a remote one (RFC 3311 §5.2), else 488.
    pub fn offered(&mut self, sdp: Bytes) -> Result<Offered, Fault> {
        self.must_be(Turn::Stable)?;
        if self.local.is_some() && self.remote.as_ref() == Some(&sdp) {
            self.pending = Pending::Remote(sdp);
            return Ok(Offered::Unchanged);
        }
        fault::check_offer(self.remote.as_ref(), &sdp, Whose::Theirs)?;
        self.pending = Pending::Remote(sdp);
        Ok(Offered::Changed)
    }

    /// We answer (RFC 3264 §6): what was offered and what is answered are in force. On error nothing has changed.
    pub fn answer(&mut self, sdp: Bytes) -> Result<(), Fault> {
        let Pending::Remote(offer) = &self.pending else { return Err(Fault::Turn(self.turn())) };
        fault::check_answer(offer, &sdp, Whose::Ours)?;
        self.remote = Some(offer.clone());
        self.local = Some(sdp);
        self.pending = Pending::Nothing;
        Ok(())
    }

    /// The other side answers. On error nothing has changed; who can still refuse will [`Self::roll_back`].
    pub fn answered(&mut self, sdp: Bytes) -> Result<(), Fault> {
        let Pending::Local(offer) = &self.pending else { return Err(Fault::Turn(self.turn())) };
        fault::check_answer(offer, &sdp, Whose::Theirs)?;
        fault::check_mapping(self.remote.as_ref(), offer, &sdp)?;
        self.local = Some(offer.clone());
        self.remote = Some(sdp);
        self.pending = Pending::Nothing;
        self.held |= core::mem::take(&mut self.holding);
        if !self.holds() {
            self.held = 0;
        }
        Ok(())
    }

    /// The offer was refused or withdrawn: "the session description MUST remain unchanged" (RFC 6141 §3.3, RFC 3261
    /// §14.1).
    pub fn roll_back(&mut self) {
        self.pending = Pending::Nothing;
        self.holding = 0;
    }

    /// An offer that asks the other side to send nothing (RFC 3264 §8.4): `sendrecv` becomes `sendonly`, `recvonly`
    /// becomes `inactive`. The other direction of [`Self::resume`].
    pub fn hold(&mut self) -> Result<Bytes, Fault> {
        self.must_be(Turn::Stable)?;
        let (offer, held) = description::hold(self.local.as_ref().ok_or(Fault::NoSession)?)?;
        self.pending = Pending::Local(offer.clone());
        self.holding = held;
        Ok(offer)
    }

    /// An offer that takes back what [`Self::hold`] did, and leaves alone what was never received.
    pub fn resume(&mut self) -> Result<Bytes, Fault> {
        self.must_be(Turn::Stable)?;
        let offer = description::resume(self.local.as_ref().ok_or(Fault::NoSession)?, self.held)?;
        self.pending = Pending::Local(offer.clone());
        Ok(offer)
    }

    /// What is in force on our side: an offer or an answer, whichever was ours.
    pub const fn local(&self) -> Option<&Bytes> {
        self.local.as_ref()
    }

    /// What is in force on the other side.
    pub const fn remote(&self) -> Option<&Bytes> {
        self.remote.as_ref()
    }

    /// The offer that waits for its answer.
    pub const fn pending(&self) -> Option<&Bytes> {
        match &self.pending {
            Pending::Nothing => None,
            Pending::Local(offer) | Pending::Remote(offer) => Some(offer),
        }
    }

    /// Whose turn it is.
    pub const fn turn(&self) -> Turn {
        match self.pending {
            Pending::Nothing => Turn::Stable,
            Pending::Local(_) => Turn::LocalOffer,
            Pending::Remote(_) => Turn::RemoteOffer,
        }
    }

    /// Whether we hold the other side: we receive nothing, in no medium that is not refused.
    pub fn holds(&self) -> bool {
        self.local.as_ref().is_some_and(description::is_held)
    }

    /// Whether the other side holds us.
    pub fn is_held(&self) -> bool {
        self.remote.as_ref().is_some_and(description::is_held)
    }

    fn must_be(&self, turn: Turn) -> Result<(), Fault> {
        if self.turn() == turn { Ok(()) } else { Err(Fault::Turn(self.turn())) }
    }
}
