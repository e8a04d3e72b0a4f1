//! What one user was told, and whether it could be: the order of events, and one end for every command.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sip_core::message::HeaderName;
use sip_core::user_agent::{CallId, Event, RequestId, TransferId, TransferUpdate};
use smol_str::SmolStr;

/// Where a call is, as its user knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Called, or being called.
    Pending,
    /// An incoming call we have taken; the caller has not acknowledged yet.
    Answered,
    /// It stands.
    Established,
    /// It is over, and the other side may still have to be told.
    Ended,
}

/// A call as its user knows it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// We are the caller.
    pub outgoing: bool,
    /// Where it is.
    pub stage: Stage,
    /// Both ends knew that it stands.
    pub stood: bool,
    /// The number in its offer, by which both ends know it; in its Subject if it has none.
    pub serial: Option<u64>,
    /// We were called without an offer, and ours is not answered.
    pub offerless: bool,
    /// Changes of the session that we asked for and that have no outcome yet.
    pub changes: u32,
    /// We asked the other side to offer: it does, or a refusal is told.
    pub solicits: u32,
    /// The other side asks for one: its offer, if it has one.
    pub offered: Option<Option<String>>,
    /// It was sent elsewhere, and we are asked where it is to go.
    pub redirected: Option<Vec<SmolStr>>,
}

impl Watched {
    const fn new(outgoing: bool, serial: Option<u64>) -> Self {
        let stage = Stage::Pending;
        Self {
            outgoing,
            stage,
            stood: false,
            serial,
            offerless: false,
            changes: 0,
            solicits: 0,
            offered: None,
            redirected: None,
        }
    }
}

/// Follows the events of one user agent.
#[derive(Debug, Default)]
pub struct Watch {
    /// Calls whose end has not been released.
    pub calls: BTreeMap<CallId, Watched>,
    /// Calls that have ended, as they were before, until somebody has looked.
    pub ended: BTreeMap<CallId, Watched>,
    /// Transfers under way: the end of each is told once, and may be told after the call's.
    pub transfers: BTreeSet<TransferId>,
    /// Requests that await their one answer.
    pub requests: BTreeSet<RequestId>,
    /// Texts that arrived.
    pub texts: BTreeSet<String>,
    /// Calls there were.
    pub total: u64,
    /// `unregister`s that await their event.
    pub unregistering: bool,
    /// Questions for what is registered that await their answer.
    pub fetching: u32,
    /// Removals that failed, until somebody has looked.
    pub not_removed: u32,
}

impl Watch {
    /// We call.
    pub fn called(&mut self, call: CallId, serial: u64) {
        self.total += 1;
        let watched = Watched::new(true, Some(serial));
        self.calls.insert(call, watched);
    }

    /// A call of an earlier life goes on: by an offer of ours, or the other side is asked for one.
    pub fn restored(&mut self, call: CallId, known: &Watched, offers: bool) {
        let watched = Watched::new(known.outgoing, known.serial);
        let (changes, solicits) = if offers { (1, 0) } else { (0, 1) };
        let (stage, stood) = (Stage::Established, known.stood);
        self.calls.insert(call, Watched { stage, stood, changes, solicits, ..watched });
    }

    /// We take a call.
    pub fn answered(&mut self, call: CallId) {
        if let Some(call) = self.calls.get_mut(&call).filter(|call| call.stage == Stage::Pending) {
            call.stage = Stage::Answered;
        }
    }

    /// Calls that have not ended.
    pub fn living(&self) -> impl Iterator<Item = (CallId, &Watched)> {
        self.calls.iter().filter(|(_, c)| c.stage != Stage::Ended).map(|(id, c)| (*id, c))
    }

    /// A call that has not ended.
    pub fn stage(&self, call: CallId) -> Option<Stage> {
        self.calls.get(&call).map(|call| call.stage).filter(|stage| *stage != Stage::Ended)
    }

    /// Takes an event; the error says which rule it breaks.
    pub fn see(&mut self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::Incoming { call, sdp, request, .. } => {
                self.total += 1;
                let said = || request.headers().first(HeaderName::Subject)?.parse().ok();
                let serial = sdp.as_deref().and_then(serial).or_else(said);
                let watched = Watched { offerless: sdp.is_none(), ..Watched::new(false, serial) };
                match self.calls.insert(*call, watched) {
                    None => Ok(()),
                    Some(_) => Err("a call's name is used again"),
                }
            }
            Event::Progress { call, .. } => {
                let call = self.known(*call)?;
                rule(call.outgoing && call.stage == Stage::Pending, "progress of a call that is not pending")
            }
            Event::Redirected { call, targets, .. } => {
                let call = self.known(*call)?;
                let waits = call.outgoing && call.stage == Stage::Pending && call.redirected.is_none();
                call.redirected = Some(targets.iter().map(|target| target.uri.clone()).collect());
                rule(waits, "sent elsewhere twice at once, or not pending")
            }
            Event::Accepted { call, .. } => {
                let call = self.known(*call)?;
                rule(call.outgoing && call.stage == Stage::Pending, "accepted, but not pending")?;
                (call.stage, call.stood) = (Stage::Established, true);
                Ok(())
            }
            Event::Confirmed { call, .. } => {
                let call = self.known(*call)?;
                call.offerless = false;
                rule(!call.outgoing && call.stage == Stage::Answered, "confirmed, but not answered")?;
                (call.stage, call.stood) = (Stage::Established, true);
                Ok(())
            }
            Event::Offered { call, sdp } => {
                let call = self.known(*call)?;
                rule(
                    call.stage != Stage::Ended && call.offered.is_none(),
                    "offered twice, or outside a call",
                )?;
                call.offered = Some(sdp.clone());
                Ok(())
            }
            Event::OfferWithdrawn { call, .. } => {
                let call = self.known(*call)?;
                rule(call.offered.take().is_some(), "an offer is withdrawn that nobody knows of")
            }
            Event::OfferRefused { call, .. } if self.known(*call)?.changes == 0 => {
                let call = self.known(*call)?;
                rule(call.solicits > 0, "an offer that nobody asked for is refused")?;
                call.solicits -= 1;
                Ok(())
            }
            Event::OfferAnswered { call, .. } | Event::OfferRefused { call, .. } => {
                let call = self.known(*call)?;
                // Our offer in a 183 to an INVITE without one is no change.
                if core::mem::take(&mut call.offerless) {
                    return Ok(());
                }
                rule(call.changes > 0, "an offer that was never made has an outcome")?;
                call.changes -= 1;
                Ok(())
            }
            Event::Message { call: Some(call), .. } => {
                let call = self.known(*call)?;
                rule(call.stage != Stage::Ended, "a message in a call outside of it")
            }
            Event::Info { call, .. } | Event::InfoPackage { call, .. } => {
                let call = self.known(*call)?;
                // RFC 6086 §4.2.1: an early dialog will do.
                rule(call.stage != Stage::Ended, "INFO outside a call")
            }
            Event::Ended { call: ended, .. } => {
                let call = self.known(*ended)?;
                rule(call.stage != Stage::Ended, "ended twice")?;
                let before = call.clone();
                call.stage = Stage::Ended;
                // The end is the outcome of whatever was going on.
                (call.changes, call.solicits, call.offered) = (0, 0, None);
                call.redirected = None;
                self.ended.insert(*ended, before);
                Ok(())
            }
            Event::Released { call } => match self.calls.remove(call) {
                None => Err("released twice, or never begun"),
                Some(call) => rule(call.stage == Stage::Ended, "released before its end"),
            },
            Event::Answered { request, .. } => {
                rule(self.requests.remove(request), "a request was answered twice, or never sent")
            }
            Event::Transfer { transfer, update, .. } => match update {
                TransferUpdate::Accepted | TransferUpdate::Progress { .. } => rule(
                    self.transfers.contains(transfer),
                    "progress of a transfer that nobody asked for or that is over",
                ),
                TransferUpdate::Ended(_) => {
                    rule(self.transfers.remove(transfer), "a transfer ended twice, or was never asked for")
                }
            },
            Event::Referred { call: Some(call), .. } => {
                let call = self.known(*call)?;
                let stands = matches!(call.stage, Stage::Answered | Stage::Established);
                rule(stands, "asked for a call outside of a call")
            }
            Event::RegistrationFailed { retry_in: None, .. } if self.unregistering => {
                self.not_removed += 1;
                Ok(())
            }
            Event::Bindings { .. } => {
                let left =
                    self.fetching.checked_sub(1).ok_or("what is registered is told unasked, or twice")?;
                self.fetching = left;
                Ok(())
            }
            Event::Unregistered => {
                rule(core::mem::take(&mut self.unregistering), "unregistered without being asked to")
            }
            _ => Ok(()),
        }
    }

    fn known(&mut self, call: CallId) -> Result<&mut Watched, &'static str> {
        self.calls.get_mut(&call).ok_or("an event of a call that was released or never begun")
    }
}

const fn rule(holds: bool, text: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(text) }
}

/// The number of a call, from its offer's origin.
pub fn serial(sdp: &str) -> Option<u64> {
    sdp.lines().find_map(|line| line.strip_prefix("o=sim "))?.split(' ').next()?.parse().ok()
}

/// The version of a description, from its origin.
pub fn version(sdp: &str) -> Option<u64> {
    sdp.lines().find_map(|line| line.strip_prefix("o=sim "))?.split(' ').nth(1)?.parse().ok()
}

/// An offer, or its answer, of call number `serial`, `extra` bytes longer than it need be.
pub fn description(serial: u64, extra: usize) -> String {
    versioned(serial, 1, "sendrecv", extra)
}

/// The same in a later version and for one direction.
pub fn versioned(serial: u64, version: u64, direction: &str, extra: usize) -> String {
    let mut sdp = format!(
        "v=0\r\no=sim {serial} {version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
    );
    if extra > 0 {
        sdp.push_str("a=x-padding:");
        sdp.extend(core::iter::repeat_n('x', extra));
        sdp.push_str("\r\n");
    }
    sdp
}
