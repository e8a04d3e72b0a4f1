//! The INVITE usage of one dialog (RFC 5057): what both sides agreed upon in it, and what is being changed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::answered::Answered;
use super::asked::Asked;
use super::change::Change;
use super::prack::HeldPrack;
use super::session_timer::{SessionTimer, Terms};
use crate::dialog::{Dialog, DialogId};
use crate::limits;
use crate::message::typed::RecvInfo;
use crate::message::{Fields, HeaderName, Headers, Request, Response};
use crate::offer_answer::{Fault, Negotiation, Outline, Turn};
use crate::time::Instant;
use crate::transaction::{ClientId, ServerId};
use crate::user_agent::snapshot::Noted;
use crate::user_agent::target_dialog;

/// One dialog of a call.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) dialog: Dialog,
    pub(crate) negotiation: Negotiation,
    /// The other side's Allow names UPDATE (RFC 3311 §4).
    pub(crate) updates: bool,
    /// Its Supported names Target-Dialog (RFC 4538 §3).
    pub(crate) tdialog: bool,
    /// The Info Packages the other side takes (RFC 6086 §5.2); `None`: it does not know them.
    pub(crate) info_packages: Option<Vec<SmolStr>>,
    /// Our INVITE or UPDATE in it, on its way or waiting.
    pub(crate) change: Option<Box<Change>>,
    /// What comes after `change`.
    pub(crate) next: Option<super::Wish>,
    /// What the application adds to the next change.
    pub(crate) next_fields: Fields,
    /// What the other side asks and our user has to answer.
    pub(crate) asked: Option<Asked>,
    /// Our 2xx to its re-INVITE, without ACK so far.
    pub(crate) unacknowledged: Option<Answered>,
    /// CSeq of its last INVITE with a 2xx of ours: what an ACK acknowledges, also when it comes again.
    pub(crate) accepted: Option<u32>,
    /// An answer is known to have arrived before the 2xx: it was in a reliable response, or its PRACK came.
    pub(crate) settled: bool,
    /// RSeq of the last reliable provisional response of theirs.
    pub(crate) rseq: Option<u32>,
    /// A PRACK that waits for an offer of ours.
    pub(crate) held_prack: Option<HeldPrack>,
    pub(crate) timer: Option<SessionTimer>,
    /// What we ask for in requests.
    pub(crate) terms: Terms,
    /// Of a call that was restored: what our descriptions keep to.
    pub(crate) outline: Option<Outline>,
    /// What [`Event::Snapshot`](crate::user_agent::Event::Snapshot) was told for.
    pub(crate) noted: Option<Box<Noted>>,
    /// CSeq and ACK of our last INVITE that was accepted.
    ack: Option<(u32, Bytes)>,
}

impl Usage {
    pub(crate) const fn new(dialog: Dialog, negotiation: Negotiation, terms: Terms) -> Self {
        Self {
            dialog,
            negotiation,
            updates: false,
            tdialog: false,
            info_packages: None,
            change: None,
            next: None,
            next_fields: Fields::new(),
            asked: None,
            unacknowledged: None,
            accepted: None,
            outline: None,
            noted: None,
            settled: false,
            rseq: None,
            held_prack: None,
            timer: None,
            terms,
            ack: None,
        }
    }

    /// The caller's, made by a response to its INVITE.
    pub(crate) fn of_response(
        invite: &Request,
        response: &Response,
        offer: Option<&Bytes>,
        terms: Terms,
    ) -> Self {
        let mut negotiation = Negotiation::new();
        if let Some(offer) = offer {
            // The first offer of a negotiation is never at fault.
            let _ = negotiation.offer(offer.clone());
        }
        Self::new(Dialog::uac(invite, response), negotiation, terms.in_dialog())
    }

    /// Notes what the other side says it can do.
    pub(crate) fn learn(&mut self, headers: &Headers) {
        if headers.has(HeaderName::Allow) {
            self.updates = headers.lists(HeaderName::Allow, "UPDATE");
        }
        if headers.has(HeaderName::Supported) {
            self.tdialog = headers.lists(HeaderName::Supported, target_dialog::TAG);
        }
        // RFC 6086 §5.2.2: the set is valid until there is a new one.
        if headers.has(HeaderName::RecvInfo) {
            let packages = headers.typed_all::<RecvInfo<'_>>().flatten().take(limits::INFO_PACKAGES);
            self.info_packages = Some(packages.map(|info| info.package.into()).collect());
        }
    }

    /// Whether the other side's name for this dialog is `id`.
    pub(crate) fn is(&self, id: &DialogId) -> bool {
        self.dialog.id() == id
    }

    /// Whether this transaction is its change.
    pub(crate) fn changes_by(&self, client: ClientId) -> bool {
        self.change.as_ref().is_some_and(|change| change.client() == Some(client))
    }

    /// Whether our user still has to answer this request.
    pub(crate) fn was_asked_by(&self, server: ServerId) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.server() == Some(server))
    }

    pub(crate) fn set_ack(&mut self, cseq: u32, ack: &Bytes) {
        // Without what its buffer has to spare: it is kept until the next change.
        self.ack = Some((cseq, Bytes::copy_from_slice(ack)));
    }

    /// The same for the INVITE that made the call, unless there was one since.
    pub(crate) fn keep_initial_ack(&mut self, cseq: u32, ack: &Bytes) {
        if self.ack.is_none() {
            self.set_ack(cseq, ack);
        }
    }

    /// The ACK of our INVITE with this CSeq.
    pub(crate) fn ack(&self, cseq: u32) -> Option<&Bytes> {
        self.ack.as_ref().filter(|(number, _)| *number == cseq).map(|(_, ack)| ack)
    }

    /// What a 2xx to the INVITE says, given what our user says: the answer, our offer, what an unreliable response said
    /// before, or nothing where that arrived (RFC 6337 §3.1). With the negotiation as it then is.
    pub(crate) fn describe_success(&self, sdp: Bytes) -> Result<(Negotiation, Option<Bytes>), Fault> {
        let mut negotiation = self.negotiation.clone();
        let said = match (negotiation.local(), negotiation.turn()) {
            (None, Turn::RemoteOffer) => negotiation.answer(sdp.clone()).map(|()| Some(sdp)),
            (None, _) => negotiation.offer(sdp.clone()).map(|()| Some(sdp)),
            // What is pending now is an UPDATE's, not the INVITE's.
            (Some(_), _) if self.settled => Ok(None),
            (Some(early), _) => Ok(Some(early.clone())),
        };
        said.map(|said| (negotiation, said))
    }

    /// Whether an offer of ours may start now: nothing is pending in either direction (RFC 3261 §14.1).
    pub(crate) fn is_free(&self) -> bool {
        self.negotiation.turn() == Turn::Stable && self.change.is_none() && self.asked.is_none()
    }

    /// Whether a PRACK has waited long enough.
    pub(crate) fn prack_is_due(&self, now: Instant) -> bool {
        self.held_prack.as_ref().is_some_and(|held| held.until <= now)
    }

    pub(crate) fn timeout(&self) -> Option<Instant> {
        let change = self.change.as_ref().and_then(|change| change.timeout());
        let asked = self.asked.as_ref().map(Asked::until);
        let answered = self.unacknowledged.as_ref().map(Answered::timeout);
        let timer = self.timer.as_ref().map(SessionTimer::timeout);
        let prack = self.held_prack.as_ref().map(|held| held.until);
        change.into_iter().chain(asked).chain(answered).chain(timer).chain(prack).min()
    }
}
