//! Server transactions in the layer: their machine's actions carried out.

use core::net::IpAddr;

use bytes::Bytes;

use super::event::{Event, Handle, Received, ServerId};
use super::key::{Rfc2543Key, ServerKey};
use super::layer::Layer;
use super::machine::{Action, ServerInput};
use super::room::Room;
use super::schedule::Running;
use super::{invite_server, non_invite_server};
use crate::message::{Method, Request, Response, Writer, reason_phrase};
use crate::time::Instant;
use crate::transport::{FlowId, Hop};

/// A server transaction.
#[derive(Debug)]
pub(super) struct Server {
    generation: u32,
    /// Of its key.
    pub(super) hash: u64,
    machine: Machine,
    pub(super) request: Kept,
    pub(super) hop: Hop,
    /// Whose room it takes.
    source: IpAddr,
    flow: Flow,
    pub(super) running: Running,
    /// The latest response, for repeated requests and Timer G.
    latest: Option<Bytes>,
}

/// The request. Once it is answered for good, only who repeats it is compared with it: what was read of it is given back,
/// for most transactions wait in that state, half a minute each.
#[derive(Debug)]
pub(super) enum Kept {
    Read(Request),
    Answered(Bytes),
}

impl Kept {
    pub(super) fn bytes(&self) -> &Bytes {
        match self {
            Self::Read(request) => request.bytes(),
            Self::Answered(bytes) => bytes,
        }
    }

    pub(super) fn read(&self) -> Option<Request> {
        match self {
            Self::Read(request) => Some(request.clone()),
            Self::Answered(bytes) => Request::parse(bytes.clone()).ok(),
        }
    }

    fn answered(&mut self) {
        if let Self::Read(request) = self {
            *self = Self::Answered(request.bytes().clone());
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(invite_server::State),
    NonInvite(non_invite_server::State),
}

/// The state of the hop's flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Up,
    Lost,
    /// Lost, and the user knows.
    Told,
}

impl Machine {
    const fn step(self, input: ServerInput, reliable: bool) -> (Self, &'static [Action]) {
        match self {
            Self::Invite(state) => {
                let (state, actions) = invite_server::step(state, input, reliable);
                (Self::Invite(state), actions)
            }
            Self::NonInvite(state) => {
                let (state, actions) = non_invite_server::step(state, input, reliable);
                (Self::NonInvite(state), actions)
            }
        }
    }

    const fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_server::State::Terminated)
                | Self::NonInvite(non_invite_server::State::Terminated)
        )
    }

    /// Nothing more is sent but what was sent before. (An INVITE that was refused waits for its ACK, which is matched to it.)
    const fn is_answered(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_server::State::Accepted)
                | Self::NonInvite(non_invite_server::State::Completed)
        )
    }
}

impl Server {
    /// An INVITE that has lost its flow.
    pub(super) fn is_stranded(&self) -> bool {
        matches!(self.machine, Machine::Invite(_)) && !self.machine.is_terminated() && self.flow != Flow::Up
    }

    /// Nothing was said to its client yet.
    pub(super) const fn is_unanswered(&self) -> bool {
        matches!(
            self.machine,
            Machine::Invite(invite_server::State::Proceeding)
                | Machine::NonInvite(non_invite_server::State::Trying)
        ) && self.latest.is_none()
    }

    /// Keeps `answer` instead of what was kept, if there is room for it, and gives it back. A copy is kept, for it was written
    /// into more room than it takes.
    fn keep(&mut self, answer: Option<Bytes>, room: &mut Room) -> Option<Bytes> {
        room.change(self.source, self.latest.take().map_or(0, |latest| latest.len()), 0);
        let fits = answer.as_ref().filter(|answer| room.has_bytes_for(self.source, answer.len()));
        self.latest = fits.map(|answer| Bytes::copy_from_slice(answer));
        room.change(self.source, 0, self.latest.as_ref().map_or(0, Bytes::len));
        answer
    }

    /// An answer to a non-INVITE request that cannot be sent waits for the request to be repeated over a new flow,
    /// just as after a lost datagram (Timer J).
    fn is_reliable(&self) -> bool {
        let answer_lost = matches!(self.machine, Machine::NonInvite(_)) && self.flow != Flow::Up;
        self.hop.transport.is_reliable() && !answer_lost
    }
}

impl Layer {
    pub(super) fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(id.index as usize).filter(|server| server.generation == id.generation)
    }

    pub(super) fn server_mut(&mut self, id: ServerId) -> Option<&mut Server> {
        self.servers.get_mut(id.index as usize).filter(|server| server.generation == id.generation)
    }

    pub(super) fn insert_server(
        &mut self,
        now: Instant,
        key: ServerKey<'_>,
        hash: u64,
        request: &Request,
        hop: Hop,
    ) -> ServerId {
        let (machine, actions) = if *request.method() == Method::Invite {
            (Machine::Invite(invite_server::State::Proceeding), &[][..])
        } else {
            (Machine::NonInvite(non_invite_server::State::Trying), non_invite_server::start())
        };
        let generation = self.next_generation();
        let source = hop.remote.ip();
        self.room.begin(source, request.bytes().len());
        let index = self.servers.insert(Server {
            generation,
            hash,
            machine,
            request: Kept::Read(request.clone()),
            hop,
            source,
            flow: Flow::Up,
            running: Running::default(),
            latest: None,
        });
        // The cap keeps indices far below 2³².
        let id = ServerId { index: index as u32, generation };
        self.server_keys.insert(hash, key, id);
        self.flows.insert(&hop, Handle::Server(id));
        self.act_server(now, id, actions, None);
        id
    }

    pub(super) fn receive_repeated(&mut self, now: Instant, id: ServerId, from: Hop) {
        self.move_server(id, from);
        self.step_server(now, id, ServerInput::Repeated, None);
    }

    /// An ACK is matched like the INVITE it follows (§17.2.3).
    pub(super) fn receive_ack(
        &mut self,
        now: Instant,
        key: &ServerKey<'_>,
        same: Option<ServerId>,
        ack: &Request,
    ) -> Received {
        let acknowledged = match key {
            ServerKey::Branch(_) => same,
            ServerKey::Rfc2543(key) => self.acknowledged(key, ack),
        };
        match acknowledged {
            Some(server) if !self.step_server(now, server, ServerInput::Ack, None) => Received::Absorbed,
            _ => Received::AckToSuccess,
        }
    }

    /// RFC 2543: "the To tag of the ACK matches the To tag of the response sent by the server transaction".
    fn acknowledged(&self, key: &Rfc2543Key, ack: &Request) -> Option<ServerId> {
        self.server_keys.alike(key).find(|server| {
            let latest = self.server(*server).and_then(|server| server.latest.clone());
            let response = latest.and_then(|bytes| Response::parse(bytes).ok());
            response.is_some_and(|response| response.to_tag() == ack.to_tag())
        })
    }

    /// Whether the input shall be passed to the user.
    pub(super) fn step_server(
        &mut self,
        now: Instant,
        id: ServerId,
        input: ServerInput,
        response: Option<Bytes>,
    ) -> bool {
        let Some(server) = self.server_mut(id) else { return false };
        let was_terminated = server.machine.is_terminated();
        let (machine, actions) = server.machine.step(input, server.is_reliable());
        server.machine = machine;
        let sent = self.act_server(now, id, actions, response);
        if machine.is_answered()
            && let Some(server) = self.server_mut(id)
        {
            server.request.answered();
        }
        if machine.is_terminated() && !was_terminated {
            self.unlink_server(id);
            self.outputs.event(Event::ServerTerminated { server: id });
        } else if !sent {
            self.fail_server(now, id);
        }
        actions.contains(&Action::Pass)
    }

    /// `false` if something was to be sent and could not.
    fn act_server(
        &mut self,
        now: Instant,
        id: ServerId,
        actions: &[Action],
        mut response: Option<Bytes>,
    ) -> bool {
        let Self { servers, outputs, schedule, timers, room, .. } = self;
        let Some(server) = servers.get_mut(id.index as usize) else { return true };
        let mut sent = true;
        for action in actions {
            match action {
                Action::Send | Action::SendTrying | Action::Resend => {
                    let answer = match action {
                        Action::Send => server.keep(response.take(), room),
                        Action::SendTrying => {
                            let trying = server.request.read().map(|request| trying(&request));
                            server.keep(trying, room)
                        }
                        _ => server.latest.clone(),
                    };
                    if let Some(response) = answer {
                        if server.flow == Flow::Up {
                            outputs.transmit(server.hop, response);
                        } else {
                            sent = false;
                        }
                    }
                }
                Action::Forget => drop(server.keep(None, room)),
                Action::TimedOut => outputs.event(Event::AckTimedOut { server: id }),
                Action::TransportFailed => outputs.event(Event::ServerTransportFailed { server: id }),
                timer => schedule.act(*timer, timers, now, Handle::Server(id), &mut server.running),
            }
        }
        sent
    }

    /// A response was kept from being sent by a lost flow: the machine learns of it once a flow.
    fn fail_server(&mut self, now: Instant, id: ServerId) {
        let Some(server) = self.server_mut(id) else { return };
        if server.flow == Flow::Lost {
            server.flow = Flow::Told;
            self.step_server(now, id, ServerInput::TransportError, None);
        }
    }

    pub(super) fn lose_server_flow(&mut self, now: Instant, id: ServerId) {
        let Some(server) = self.server_mut(id) else { return };
        server.flow = Flow::Lost;
        let (hop, pending) = (
            server.hop,
            matches!(server.machine, Machine::Invite(state) if state == invite_server::State::Proceeding),
        );
        self.flows.remove(&hop, Handle::Server(id));
        // Its answer may be a minute away, and the user may want to decide now.
        if pending {
            self.fail_server(now, id);
        }
    }

    /// Whether the flow of a server transaction was lost and no other has taken its place.
    pub fn has_lost_flow(&self, id: ServerId) -> bool {
        self.server(id).is_some_and(|server| server.flow != Flow::Up)
    }

    /// Sets where responses go; whether this ended the loss of a flow.
    pub(super) fn move_server(&mut self, id: ServerId, hop: Hop) -> bool {
        let Some(server) = self.server_mut(id) else { return false };
        if server.machine.is_terminated() {
            return false;
        }
        let old = core::mem::replace(&mut server.hop, hop);
        if old.flow == hop.flow {
            return false;
        }
        let regained = core::mem::replace(&mut server.flow, Flow::Up) != Flow::Up;
        if !regained {
            self.flows.remove(&old, Handle::Server(id));
        }
        self.flows.insert(&hop, Handle::Server(id));
        regained
    }

    /// Takes a server transaction out of everything that finds it.
    pub(super) fn unlink_server(&mut self, id: ServerId) {
        let Self { servers, server_keys, flows, schedule, .. } = self;
        let Some(server) = servers.get_mut(id.index as usize) else { return };
        server_keys.remove(server, id);
        // One that was lost has been taken out.
        if server.flow == Flow::Up {
            flows.remove(&server.hop, Handle::Server(id));
        }
        schedule.stop(Handle::Server(id), &mut server.running);
    }

    /// The server transactions that depend on a flow.
    pub(super) fn servers_on(&self, flow: FlowId) -> impl Iterator<Item = ServerId> {
        let depends = move |server: &Server| {
            !server.machine.is_terminated() && server.flow == Flow::Up && server.hop.flow == flow
        };
        let on = self.servers.iter().filter(move |(_, server)| depends(server));
        on.map(|(index, server)| ServerId { index: index as u32, generation: server.generation })
    }

    /// Frees an unlinked transaction's slot; `false` if there is no such transaction.
    pub(super) fn free_server(&mut self, id: ServerId) -> bool {
        let exists = self.server(id).is_some();
        if exists {
            let mut server = self.servers.remove(id.index as usize);
            server.keep(None, &mut self.room);
            self.room.end(server.source, server.request.bytes().len());
        }
        exists
    }
}

/// The 100 of RFC 4320 §4.1, without a To tag (§8.2.6.2).
fn trying(request: &Request) -> Bytes {
    Writer::response(request, 100, reason_phrase(100), None).finish()
}
