//! Changes of a session that we ask for: re-INVITE (RFC 3261 §14.1) and UPDATE (RFC 3311 §5.1).

mod answers;

use alloc::boxed::Box;

use bytes::Bytes;
use smol_str::SmolStr;

use super::asked::Asked;
use super::usage::Usage;
use super::{Call, Direction};
use crate::auth::Attempt;
use crate::dialog::{DialogId, Stage as DialogStage};
use crate::message::{Fields, HeaderName, Method, Request};
use crate::offer_answer::{self, Fault, Turn};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::Hop;
use crate::user_agent::local::SDP;
use crate::user_agent::{CallId, CallState, Cause, CommandError, Failure, Purpose, UserAgent};

/// How often one change is tried while the other side asks us to wait (491, 500).
const TRIES: u8 = 8;

/// How long a re-INVITE may stay without its final answer once it was heard. Their user may think for a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// What our user, or the session timer, wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// This description.
    Offer(Bytes),
    /// The same by UPDATE, where the other side takes it: no person is to be asked there.
    OfferPromptly(Bytes),
    Hold,
    Resume,
    /// That the other side offers (§14.1: "a re-INVITE with no session description").
    Solicit,
    /// That the session goes on as it is (RFC 4028 §10).
    Refresh,
}

/// An INVITE or UPDATE of ours in a dialog.
#[derive(Debug)]
pub(crate) struct Change {
    wish: Wish,
    method: Method,
    offer: Option<Bytes>,
    /// What the application adds, in every try.
    fields: Fields,
    attempt: Attempt,
    /// As it was last sent.
    request: Option<Request>,
    stage: Stage,
    tries: u8,
    /// When an INVITE that got a provisional answer is canceled: who gave it, or a proxy on the way, may have restarted,
    /// and nothing else could be changed any more.
    until: Option<Instant>,
    /// It was canceled.
    given_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sent(ClientId),
    /// Until it is tried again; nothing is pending meanwhile, so the other side may offer.
    Waiting(Instant),
    /// The flow was lost. Until it is given up.
    Lost(Instant),
    /// The call has ended; its answer still wants an ACK.
    Ended(ClientId),
}

impl Change {
    /// Its transaction.
    pub(crate) const fn client(&self) -> Option<ClientId> {
        match self.stage {
            Stage::Sent(client) | Stage::Ended(client) => Some(client),
            Stage::Waiting(_) | Stage::Lost(_) => None,
        }
    }

    /// An INVITE that may still be answered 2xx (§14.1: one at a time).
    pub(crate) fn is_invite_under_way(&self) -> bool {
        self.method == Method::Invite && !matches!(self.stage, Stage::Waiting(_))
    }

    pub(crate) const fn timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting(at) | Stage::Lost(at) => Some(at),
            Stage::Sent(_) => self.until,
            Stage::Ended(_) => None,
        }
    }
}

impl Usage {
    /// What a wish offers, in the negotiation too.
    pub(super) fn propose(&mut self, wish: &Wish, method: &Method) -> Result<Option<Bytes>, Fault> {
        let negotiation = &mut self.negotiation;
        match wish {
            Wish::Offer(sdp) | Wish::OfferPromptly(sdp) => {
                negotiation.offer(sdp.clone()).map(|()| Some(sdp.clone()))
            }
            Wish::Hold => negotiation.hold().map(Some),
            Wish::Resume => negotiation.resume().map(Some),
            Wish::Refresh if *method == Method::Invite => match negotiation.local().cloned() {
                // RFC 4028 §7.4: what is in force, in the same version.
                Some(local) => negotiation.offer(local.clone()).map(|()| Some(local)),
                None => Ok(None),
            },
            Wish::Refresh => Ok(None),
            Wish::Solicit if negotiation.turn() == Turn::Stable => Ok(None),
            Wish::Solicit => Err(Fault::Turn(negotiation.turn())),
        }
    }
}

impl UserAgent {
    /// Offers a new description in an established call, by re-INVITE; or before, by UPDATE, in the newest early dialog
    /// in which a description is known to have arrived (RFC 3311 §5.1), or in the PRACK that waits for it
    /// ([`Config::prack_hold`](crate::user_agent::Config::prack_hold)).
    /// [`Event::OfferAnswered`](crate::user_agent::Event::OfferAnswered) or
    /// [`Event::OfferRefused`](crate::user_agent::Event::OfferRefused) tells what becomes of it. A refusal leaves the call
    /// as it was.
    pub fn offer(&mut self, now: Instant, call: CallId, sdp: &str) -> Result<(), CommandError> {
        let mut sdp = Bytes::copy_from_slice(sdp.as_bytes());
        if let Some(usage) = self.living(call)?.usage.as_mut() {
            sdp = usage.shaped_offer(sdp).map_err(CommandError::Description)?;
        }
        self.wish(now, call, Wish::Offer(sdp))
    }

    /// Offers a new description in an established call by UPDATE (RFC 3311 §5.1): for a change that no person over there
    /// has to be asked about. Who would have to ask refuses it with 504, and then [`Self::offer`] may succeed.
    pub fn offer_promptly(&mut self, now: Instant, call: CallId, sdp: &str) -> Result<(), CommandError> {
        let found = self.living(call)?;
        let state = found.state();
        let usage = found.usage.as_mut().filter(|_| state == CallState::Established);
        let usage = usage.ok_or(CommandError::WrongState(state))?;
        if !usage.updates {
            return Err(CommandError::NoUpdate);
        }
        let sdp = usage.shaped_offer(Bytes::copy_from_slice(sdp.as_bytes()));
        self.wish(now, call, Wish::OfferPromptly(sdp.map_err(CommandError::Description)?))
    }

    /// Offers to send only (RFC 3264 §8.4): the description in force with other directions.
    pub fn hold(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.wish(now, call, Wish::Hold)
    }

    /// Takes back what [`Self::hold`] did.
    pub fn resume(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.wish(now, call, Wish::Resume)
    }

    /// Asks the other side for an offer, by a re-INVITE without one: it comes as
    /// [`Event::Offered`](crate::user_agent::Event::Offered).
    pub fn solicit(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.wish(now, call, Wish::Solicit)
    }

    fn wish(&mut self, now: Instant, call: CallId, wish: Wish) -> Result<(), CommandError> {
        let fields = core::mem::take(&mut self.adding);
        let found = self.living(call)?;
        let state = found.state();
        let unacknowledged = found.awaits_ack();
        if state != CallState::Established
            && wish != Wish::Solicit
            && let Some(dialog) = found.holding_prack()
        {
            self.adding = fields;
            return self.offer_in_prack(now, call, &dialog, &wish);
        }
        let usage = match state {
            CallState::Established => found.usage.as_mut(),
            // What has no offer would have to be an INVITE.
            _ if wish == Wish::Solicit => None,
            _ => found.changeable_early(),
        };
        let usage = usage.ok_or(CommandError::WrongState(state))?;
        let dialog = usage.dialog.id().clone();
        let turn = usage.negotiation.turn();
        let refreshing = usage.change.as_ref().is_some_and(|change| change.wish == Wish::Refresh);
        if refreshing && usage.next.is_none() {
            usage.next = Some(wish);
            usage.next_fields = fields;
            return Ok(());
        }
        if usage.asked.is_some() || usage.next.as_ref().is_some_and(|next| *next != Wish::Refresh) {
            return Err(CommandError::Description(Fault::Turn(Turn::RemoteOffer)));
        }
        if usage.change.is_some() || turn != Turn::Stable {
            return Err(CommandError::Description(Fault::Turn(Turn::LocalOffer)));
        }
        usage.next_fields = fields;
        // §14.1: an INVITE of theirs must be confirmed first.
        if unacknowledged && usage.is_confirmed() {
            usage.next = Some(wish);
            return Ok(());
        }
        // An UPDATE that overtakes a PRACK has the higher CSeq, and the PRACK would be refused (§12.2.2). After the 2xx nobody
        // waits for that any more.
        let early = self.usage_mut(call, &dialog).is_some_and(|usage| !usage.is_confirmed());
        if early && self.is_pracking(call, &dialog) {
            if let Some(usage) = self.usage_mut(call, &dialog) {
                usage.next = Some(wish);
            }
            return Ok(());
        }
        if let Err(error) = self.begin_change(now, call, &dialog, wish) {
            if let Some(usage) = self.usage_mut(call, &dialog) {
                usage.next_fields = Fields::new();
            }
            return Err(error);
        }
        self.settle(now);
        Ok(())
    }

    /// Starts a change in a dialog where nothing is pending.
    pub(crate) fn begin_change(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        wish: Wish,
    ) -> Result<(), CommandError> {
        let hop = self.hop_of(id).ok_or(CommandError::Offline)?;
        let unacknowledged = self.calls.get(&id).is_some_and(Call::awaits_ack);
        let usage = self.usage_mut(id, dialog).ok_or(CommandError::NoSuchCall)?;
        if !hop.may_carry(usage.dialog.request_uri()) {
            return Err(CommandError::Offline);
        }
        let early = usage.dialog.stage() == DialogStage::Early;
        // RFC 3311 §5.1: in a confirmed dialog an offer goes by re-INVITE, for a person may have to be asked.
        let method = match wish {
            _ if early => Method::Update,
            Wish::Refresh | Wish::OfferPromptly(_) if usage.updates => Method::Update,
            _ => Method::Invite,
        };
        // §14.1: not "while another INVITE transaction is in progress in either direction".
        if unacknowledged && method == Method::Invite {
            return Err(CommandError::Description(Fault::Turn(Turn::RemoteOffer)));
        }
        let offer = usage.propose(&wish, &method).map_err(CommandError::Description)?;
        usage.terms.settle();
        let fields = core::mem::take(&mut usage.next_fields);
        usage.change = Some(Box::new(Change {
            wish,
            method,
            offer,
            fields,
            attempt: Attempt::default(),
            request: None,
            stage: Stage::Waiting(now),
            tries: 0,
            until: None,
            given_up: false,
        }));
        if self.send_change(now, id, dialog, hop) {
            return Ok(());
        }
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.change = None;
            usage.negotiation.roll_back();
        }
        Err(CommandError::TooLarge)
    }

    /// Writes the request anew and sends it.
    fn send_change(&mut self, now: Instant, id: CallId, dialog: &DialogId, hop: Hop) -> bool {
        let via = self.local.via(hop, &mut *self.entropy);
        let anonymous = self.usage_mut(id, dialog).is_some_and(|usage| usage.dialog.is_anonymous());
        let contact = self.local.contact(hop, anonymous, &self.contact_params(id));
        let Some(usage) = self.usage_mut(id, dialog) else { return false };
        let Some(mut change) = usage.change.take() else { return false };
        let (terms, timer) = (usage.terms, usage.timer);
        let asks_packages = usage.info_packages.is_none();
        let writer = usage.dialog.request(&change.method, via);
        let uri = SmolStr::new(usage.dialog.request_uri());
        if !hop.may_carry(&uri) {
            usage.change = Some(change);
            return false;
        }
        let writer = writer
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Supported, &self.local.within)
            .header(HeaderName::UserAgent, &self.config.user_agent);
        // RFC 6086 §5.2.3: who is asked answers. A restored call knows nothing of it, and another run may take others.
        let writer = match asks_packages {
            true => writer.header(HeaderName::RecvInfo, self.config.recv_info()),
            false => writer,
        };
        let writer = terms.write(writer, timer.as_ref()).fields(&change.fields);
        let body = change.offer.as_deref().unwrap_or_default();
        let writer = self.authorize(writer, &mut change.attempt, &change.method, &uri, body);
        let message = match &change.offer {
            Some(offer) => writer.body(SDP, offer),
            None => writer.finish(),
        };
        let request = Request::parse(message).ok();
        let client = request.as_ref().and_then(|request| self.layer.send_request(now, request, hop));
        if let Some(client) = client {
            change.stage = Stage::Sent(client);
            change.until = (change.method == Method::Invite).then(|| now + PATIENCE);
            change.given_up = false;
            self.purposes.insert(client, Purpose::Change(id));
        }
        change.request = request;
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.change = Some(change);
        }
        client.is_some()
    }

    /// Starts what waited for another change.
    pub(crate) fn next_change(&mut self, now: Instant, id: CallId, dialog: &DialogId) {
        let waits = self.calls.get(&id).is_some_and(|call| call.ended || call.awaits_ack());
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        if waits {
            // An ACK that is awaited refreshes as well.
            usage.next.take_if(|next| *next == Wish::Refresh);
        }
        if waits || !usage.is_free() {
            return;
        }
        let Some(wish) = usage.next.take() else { return };
        match self.begin_change(now, id, dialog, wish.clone()) {
            Ok(()) => {}
            Err(CommandError::Offline) => {
                if let Some(usage) = self.usage_mut(id, dialog) {
                    usage.next = Some(wish);
                }
            }
            Err(_) => self.tell_refusal(id, &wish, Failure::of(Cause::NotAcceptable)),
        }
    }

    pub(crate) fn change_timed_out(&mut self, now: Instant, id: CallId, client: ClientId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        let Some(usage) = call.usages_mut().find(|usage| usage.changes_by(client)) else { return };
        if ended {
            // Its outcome was the end of the call.
            usage.change = None;
            return;
        }
        let dialog = usage.dialog.id().clone();
        let given_up = usage.change.as_ref().is_some_and(|change| change.given_up);
        if given_up || usage.dialog.stage() == DialogStage::Early {
            return self.change_refused(now, id, &dialog, Failure::of(Cause::Timeout));
        }
        usage.change = None;
        // §14.1: "no response at all": the dialog is over.
        self.dialog_lost(now, id, Failure::of(Cause::Timeout));
    }

    /// The flow is gone: it is repeated over the next one, under its old branch.
    pub(crate) fn change_flow_lost(&mut self, now: Instant, id: CallId, client: ClientId) {
        let until = now + self.timers.t1 * 64;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        let Some(usage) = call.usages_mut().find(|usage| usage.changes_by(client)) else { return };
        if ended {
            usage.change = None;
        } else if let Some(change) = &mut usage.change {
            change.stage = Stage::Lost(until);
        }
    }

    /// The transaction is over; whatever could come of it has come.
    pub(crate) fn change_terminated(&mut self, id: CallId, client: ClientId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(usage) = call.usages_mut().find(|usage| usage.changes_by(client)) {
            usage.change = None;
        }
    }

    /// The new flow is registered.
    pub(crate) fn resume_changes(&mut self, now: Instant, hop: Hop) {
        let mut waiting = alloc::vec::Vec::new();
        for (id, call) in self.calls.iter_mut().filter(|(_, call)| !call.ended) {
            for usage in call.usages_mut() {
                if let Some(Change { stage, request: Some(request), .. }) = usage.change.as_deref_mut()
                    && matches!(stage, Stage::Lost(_))
                    && hop.may_carry(request.uri())
                    && let Some(client) = self.layer.send_request(now, request, hop)
                {
                    *stage = Stage::Sent(client);
                    self.purposes.insert(client, Purpose::Change(id));
                }
                if usage.next.is_some() {
                    waiting.push((id, usage.dialog.id().clone()));
                }
            }
        }
        for (id, dialog) in waiting {
            self.next_change(now, id, &dialog);
        }
    }

    /// A change's time has come: to be tried again, or given up.
    pub(crate) fn change_timeout(&mut self, now: Instant, id: CallId, dialog: &DialogId) {
        let hop = self.hop_of(id);
        let patience = self.timers.t1 * 64;
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(change) = usage.change.as_mut().filter(|c| c.timeout().is_some_and(|at| at <= now)) else {
            return;
        };
        if let Stage::Sent(client) = change.stage {
            // §9.1: its 487 is the end, or 64·T1 of silence.
            change.until = None;
            change.given_up = true;
            self.layer.cancel(now, client);
            return;
        }
        if matches!(change.stage, Stage::Lost(_)) {
            return self.change_refused(now, id, dialog, Failure::of(Cause::FlowLost));
        }
        // What the other side asked for comes first.
        let busy = usage.asked.is_some() || usage.unacknowledged.is_some();
        if busy || usage.negotiation.turn() != Turn::Stable || hop.is_none() {
            change.stage = Stage::Waiting(now + patience / 16);
            return;
        }
        let (wish, method) = (change.wish.clone(), change.method.clone());
        match (usage.propose(&wish, &method), hop) {
            (Ok(offer), Some(hop)) => {
                if let Some(change) = &mut usage.change {
                    change.offer = offer;
                }
                if !self.send_change(now, id, dialog, hop) {
                    if let Some(usage) = self.usage_mut(id, dialog) {
                        usage.negotiation.roll_back();
                    }
                    self.change_refused(now, id, dialog, Failure::of(Cause::FlowLost));
                }
            }
            // The session has changed meanwhile, and the offer no longer fits.
            _ => self.change_refused(now, id, dialog, Failure::of(Cause::NotAcceptable)),
        }
    }

    /// A call has ended: its changes end, save that the 2xx to an INVITE under way wants an ACK.
    pub(crate) fn end_changes(&mut self, now: Instant) {
        let mut unanswered = alloc::vec::Vec::new();
        let reachable = self.flow().is_some();
        for (id, call) in self.calls.iter_mut().filter(|(_, call)| call.ended) {
            for usage in call.usages_mut() {
                if let Some(asked) = usage.asked.take_if(|asked| reachable || !asked.wants_ack()) {
                    let offer = usage.negotiation.pending().cloned();
                    unanswered.push((id, usage.dialog.id().clone(), asked, offer));
                }
                usage.next = None;
                usage.timer = None;
                usage.held_prack = None;
                usage.unacknowledged = None;
                let Some(change) = &mut usage.change else { continue };
                match change.stage {
                    Stage::Sent(client) if change.method == Method::Invite => {
                        change.stage = Stage::Ended(client);
                        self.layer.cancel(now, client);
                    }
                    Stage::Ended(_) => {}
                    _ => usage.change = None,
                }
            }
        }
        for (id, dialog, asked, offer) in unanswered {
            match asked {
                // §13.2.2.4: each 2xx gets its ACK, and the answer to its offer is in there.
                Asked::Success { invite, .. } => {
                    let answer = offer.and_then(|offer| offer_answer::refusal(&offer).ok());
                    self.acknowledge(id, &dialog, &invite, answer.as_ref());
                }
                // §15.1.2: "any pending requests": 487.
                asked => self.refuse_asked(now, asked, 487),
            }
        }
    }
}

impl Call {
    /// Whether an INVITE of theirs has our 2xx and lacks its ACK.
    pub(crate) fn awaits_ack(&self) -> bool {
        let initial = match &self.direction {
            Direction::Incoming(incoming) => incoming.awaits_ack(),
            Direction::Outgoing(_) | Direction::Standing { .. } => false,
        };
        initial || self.usage.as_ref().is_some_and(|usage| usage.unacknowledged.is_some())
    }
}
