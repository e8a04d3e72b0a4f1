//! Client transactions in the layer: their machine's actions carried out, ACK and CANCEL built.

use alloc::boxed::Box;

use bytes::Bytes;

use super::event::{ClientId, Event, Handle};
use super::layer::Layer;
use super::machine::{Action, ClientInput};
use super::schedule::Running;
use super::timers::Timer;
use super::{invite_client, non_invite_client};
use crate::message::{Fields, HeaderName, Method, Request, Response, SessionIdentifier, Writer};
use crate::time::Instant;
use crate::transport::{FlowId, Hop};

/// A client transaction.
#[derive(Debug)]
pub(super) struct Client {
    generation: u32,
    /// Of its key.
    hash: u64,
    machine: Machine,
    pub(super) sent: Sent,
    hop: Hop,
    /// Whether a closed flow concerns it.
    depends: bool,
    pub(super) running: Running,
    cancel: Cancel,
}

/// What was sent. Of most of what a proxy sends no more is needed than the bytes: it is read when an ACK or a CANCEL is made
/// of it, and given back when it has its final answer.
#[derive(Debug)]
pub(super) enum Sent {
    Read(Request),
    Written(Bytes),
    /// An INVITE that was refused: what was read of it, and the ACK for retransmitted answers.
    Acknowledged(Option<Request>, Bytes),
    /// Nothing more is sent.
    Answered,
}

impl Sent {
    /// How many bytes of the request are kept.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Read(request) | Self::Acknowledged(Some(request), _) => request.bytes().len(),
            Self::Written(bytes) => bytes.len(),
            Self::Acknowledged(None, _) | Self::Answered => 0,
        }
    }

    pub(super) fn read(&self) -> Option<Request> {
        match self {
            Self::Read(request) => Some(request.clone()),
            Self::Written(bytes) => Request::parse(bytes.clone()).ok(),
            Self::Acknowledged(request, _) => request.clone(),
            Self::Answered => None,
        }
    }

    pub(super) fn request_bytes(&self) -> Option<Bytes> {
        match self {
            Self::Read(request) => Some(request.bytes().clone()),
            Self::Written(bytes) => Some(bytes.clone()),
            Self::Acknowledged(..) | Self::Answered => None,
        }
    }

    /// The ACK for `response`, or the one that was sent before (§17.1.1.2).
    fn ack(&mut self, response: Option<&Response>) -> Option<Bytes> {
        if let Self::Acknowledged(_, ack) = self {
            return Some(ack.clone());
        }
        let ack = ack(&self.read()?, response?);
        let request = match core::mem::replace(self, Self::Answered) {
            Self::Read(request) => Some(request),
            _ => None,
        };
        *self = Self::Acknowledged(request, ack.clone());
        Some(ack)
    }

    /// It has its final answer. What was read of the request may be asked for until the transaction is over.
    fn answered(&mut self) {
        if let Self::Written(_) = self {
            *self = Self::Answered;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(invite_client::State),
    NonInvite(non_invite_client::State),
}

/// How far cancelling has come.
#[derive(Debug)]
enum Cancel {
    No,
    /// Waits for a provisional response (§9.1). The CANCEL says this beside, a Reason (RFC 3326) for one.
    Wanted(Box<Fields>),
    Sent,
}

impl Cancel {
    /// What the CANCEL says that waits; it does no more.
    fn wanted(&mut self) -> Option<Box<Fields>> {
        if !matches!(self, Self::Wanted(_)) {
            return None;
        }
        match core::mem::replace(self, Self::Sent) {
            Self::Wanted(fields) => Some(fields),
            _ => None,
        }
    }
}

impl Client {
    pub(super) const fn hop(&self) -> Hop {
        self.hop
    }
}

impl Machine {
    const fn step(self, input: ClientInput, reliable: bool) -> (Self, &'static [Action]) {
        match self {
            Self::Invite(state) => {
                let (state, actions) = invite_client::step(state, input, reliable);
                (Self::Invite(state), actions)
            }
            Self::NonInvite(state) => {
                let (state, actions) = non_invite_client::step(state, input, reliable);
                (Self::NonInvite(state), actions)
            }
        }
    }

    const fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_client::State::Terminated)
                | Self::NonInvite(non_invite_client::State::Terminated)
        )
    }

    /// It has its final answer, and the request is not sent again.
    const fn is_answered(self) -> bool {
        use invite_client::State as Invite;
        matches!(
            self,
            Self::Invite(Invite::Completed | Invite::Accepted)
                | Self::NonInvite(non_invite_client::State::Completed)
        )
    }
}

impl Layer {
    pub(super) fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(id.index as usize).filter(|client| client.generation == id.generation)
    }

    pub(super) fn client_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(id.index as usize).filter(|client| client.generation == id.generation)
    }

    pub(super) fn insert_client(
        &mut self,
        now: Instant,
        hash: u64,
        method: &Method,
        sent: Sent,
        hop: Hop,
        adopted: bool,
    ) -> ClientId {
        let reliable = hop.transport.is_reliable();
        let (machine, actions) = if adopted {
            (Machine::Invite(invite_client::State::Proceeding), &[][..])
        } else if *method == Method::Invite {
            (Machine::Invite(invite_client::State::Calling), invite_client::start(reliable))
        } else {
            (Machine::NonInvite(non_invite_client::State::Trying), non_invite_client::start(reliable))
        };
        let generation = self.next_generation();
        self.room.take(sent.len());
        let index = self.clients.insert(Client {
            generation,
            hash,
            machine,
            sent,
            hop,
            depends: true,
            running: Running::default(),
            cancel: Cancel::No,
        });
        // The cap keeps indices far below 2³².
        let id = ClientId { index: index as u32, generation };
        self.client_keys.insert(hash, id);
        self.flows.insert(&hop, Handle::Client(id));
        self.act_client(now, id, actions, None);
        id
    }

    pub(super) fn receive_matched(&mut self, now: Instant, id: ClientId, response: Response) {
        let provisional = response.is_provisional();
        let input = match response.status() {
            ..200 => ClientInput::Provisional,
            200..300 => ClientInput::Success,
            300.. => ClientInput::Failure,
        };
        self.step_client(now, id, input, Some(response));
        if provisional && let Some(fields) = self.client_mut(id).and_then(|client| client.cancel.wanted()) {
            self.send_cancel(now, id, &fields);
        }
    }

    pub(super) fn step_client(
        &mut self,
        now: Instant,
        id: ClientId,
        input: ClientInput,
        response: Option<Response>,
    ) {
        let Some(client) = self.client_mut(id) else { return };
        let was_terminated = client.machine.is_terminated();
        let (machine, actions) = client.machine.step(input, client.hop.transport.is_reliable());
        client.machine = machine;
        self.act_client(now, id, actions, response);
        if machine.is_terminated() && !was_terminated {
            self.unlink_client(id);
            self.outputs.event(Event::ClientTerminated { client: id });
        }
    }

    fn act_client(&mut self, now: Instant, id: ClientId, actions: &[Action], mut response: Option<Response>) {
        let Self { clients, outputs, schedule, timers, room, .. } = self;
        let Some(client) = clients.get_mut(id.index as usize) else { return };
        let before = client.sent.len();
        for action in actions {
            match action {
                Action::Send => {
                    if let Some(request) = client.sent.request_bytes() {
                        outputs.transmit(client.hop, request);
                    }
                }
                Action::SendAck => {
                    if let Some(ack) = client.sent.ack(response.as_ref()) {
                        outputs.transmit(client.hop, ack);
                    }
                }
                Action::Pass => {
                    if let Some(response) = response.take() {
                        outputs.response(id, response);
                    }
                }
                Action::TimedOut => outputs.event(Event::TimedOut { client: id }),
                Action::TransportFailed => outputs.event(Event::TransportFailed { client: id }),
                timer => schedule.act(*timer, timers, now, Handle::Client(id), &mut client.running),
            }
        }
        if client.machine.is_answered() {
            client.sent.answered();
        }
        room.give_back(before - client.sent.len());
    }

    /// [`Layer::cancel`], with these header fields in the CANCEL.
    pub fn cancel_with(&mut self, now: Instant, id: ClientId, fields: Fields) -> Option<ClientId> {
        let client = self.client_mut(id)?;
        let Machine::Invite(state) = client.machine else { return None };
        match (state, &client.cancel) {
            (invite_client::State::Calling, Cancel::No) => {
                client.cancel = Cancel::Wanted(Box::new(fields));
                None
            }
            (invite_client::State::Proceeding, Cancel::No) => {
                client.cancel = Cancel::Sent;
                self.send_cancel(now, id, &fields)
            }
            _ => None,
        }
    }

    fn send_cancel(&mut self, now: Instant, id: ClientId, fields: &Fields) -> Option<ClientId> {
        let client = self.client_mut(id)?;
        let (hop, message) = (client.hop, cancel(&client.sent.read()?, fields));
        self.act_client(now, id, &[Action::Start(Timer::Cancelled)], None);
        let sent =
            Request::parse(message.clone()).ok().and_then(|request| self.send_request(now, &request, hop));
        if sent.is_none() {
            // At the cap a CANCEL without retransmissions is better than a phone that goes on ringing.
            self.outputs.transmit(hop, message);
        }
        sent
    }

    /// Takes a client transaction out of everything that finds it.
    pub(super) fn unlink_client(&mut self, id: ClientId) {
        let Self { clients, client_keys, flows, schedule, .. } = self;
        let Some(client) = clients.get_mut(id.index as usize) else { return };
        if client.generation != id.generation {
            return;
        }
        client_keys.remove(client.hash, id);
        if core::mem::take(&mut client.depends) {
            flows.remove(&client.hop, Handle::Client(id));
        }
        schedule.stop(Handle::Client(id), &mut client.running);
    }

    /// The client transactions that depend on a flow.
    pub(super) fn clients_on(&self, flow: FlowId) -> impl Iterator<Item = ClientId> {
        let on = self.clients.iter().filter(move |(_, client)| client.depends && client.hop.flow == flow);
        on.map(|(index, client)| ClientId { index: index as u32, generation: client.generation })
    }

    /// Frees an unlinked transaction's slot; `false` if there is no such transaction.
    pub(super) fn free_client(&mut self, id: ClientId) -> bool {
        let exists = self.client(id).is_some();
        if exists {
            let client = self.clients.remove(id.index as usize);
            self.room.give_back(client.sent.len());
        }
        exists
    }
}

/// The ACK for a non-2xx answer (§17.1.1.3).
fn ack(invite: &Request, response: &Response) -> Bytes {
    let to = response.headers().first(HeaderName::To).unwrap_or_default();
    let writer = hop_by_hop(&Method::Ack, invite, to);
    let mut session = SessionIdentifier::of(invite.headers());
    session.heard(response.headers());
    session.write(writer).finish()
}

/// The CANCEL of an INVITE (§9.1).
fn cancel(invite: &Request, fields: &Fields) -> Bytes {
    let to = invite.headers().first(HeaderName::To).unwrap_or_default();
    // RFC 7989 §6: "identical to the Session-ID header field value sent in the original request".
    let writer = hop_by_hop(&Method::Cancel, invite, to).copy(invite.headers(), HeaderName::SessionId);
    writer.fields(fields).finish()
}

/// Request-URI, top Via, Route, From, Call-ID and CSeq number of the INVITE, and nothing else of it: no Require, no
/// Proxy-Require, no body.
fn hop_by_hop(method: &Method, invite: &Request, to: &str) -> Writer {
    let headers = invite.headers();
    let via = headers.list(HeaderName::Via).next().unwrap_or_default();
    Writer::request(method, invite.uri())
        .header(HeaderName::Via, via)
        .copy(headers, HeaderName::Route)
        .header(HeaderName::MaxForwards, 70)
        .copy(headers, HeaderName::From)
        .header(HeaderName::To, to)
        .header(HeaderName::CallId, invite.call_id())
        .header(HeaderName::CSeq, format_args!("{} {method}", invite.cseq().number))
}
