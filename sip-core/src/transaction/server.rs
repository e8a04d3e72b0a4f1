//! Server transactions in the layer: their machine's actions carried out.

use core::net::IpAddr;

use bytes::Bytes;

use super::event::{Event, Handle, Received, ServerId};
use super::kept::Kept;
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
    pub(super) kept: Kept,
    pub(super) hop: Hop,
    /// Whose room it takes.
    source: IpAddr,
    flow: Flow,
    pub(super) running: Running,
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

    /// It was answered for good: nothing more is sent but what was sent before.
    const fn is_answered(self) -> bool {
        use invite_server::State as Invite;
        matches!(
            self,
            Self::Invite(Invite::Completed | Invite::Accepted | Invite::Confirmed)
                | Self::NonInvite(non_invite_server::State::Completed)
        )
    }

    /// Whether what is sent in this state is ever sent again. A 2xx to INVITE is repeated by the user (RFC 6026 §7.1).
    const fn may_send_again(self) -> bool {
        !self.is_terminated() && !matches!(self, Self::Invite(invite_server::State::Accepted))
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
        ) && self.kept.is_unanswered()
    }

    /// Keeps `answer` instead of what was kept, if it may have to be sent again and there is room for it; a final one instead of
    /// its request, too.
    fn keep(&mut self, answer: Option<&Bytes>, room: &mut Room) {
        let Self { machine, kept, source, .. } = self;
        if kept.request().is_none() {
            return;
        }
        let answer = answer.filter(|_| machine.may_send_again());
        let done = machine.is_answered() && kept.is_found_by_hash();
        let before = kept.len();
        let alone =
            if done { kept.origin_len() } else { kept.request().map_or(0, |request| request.bytes().len()) };
        room.change(*source, before, alone);
        let answer = answer.filter(|answer| room.has_bytes_for(*source, answer.len()));
        if done {
            kept.finish(answer.map_or(&[], |answer| answer));
        } else {
            kept.keep(answer);
        }
        room.change(*source, alone, kept.len());
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
            kept: Kept::Read { request: request.clone(), latest: None },
            hop,
            source,
            flow: Flow::Up,
            running: Running::default(),
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
            let latest = self.server(*server).and_then(|server| server.kept.latest());
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
                        Action::Send => response.take(),
                        Action::SendTrying => server.kept.request().map(trying),
                        _ => server.kept.latest(),
                    };
                    if *action != Action::Resend {
                        server.keep(answer.as_ref(), room);
                    }
                    if let Some(response) = answer {
                        if server.flow == Flow::Up {
                            outputs.transmit(server.hop, response);
                        } else {
                            sent = false;
                        }
                    }
                }
                Action::Forget => server.keep(None, room),
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

    /// It was said 100 before. Of one whose flow is gone the user knows.
    pub(super) fn was_tried(&mut self, now: Instant, id: ServerId) {
        let Some(server) = self.server_mut(id) else { return };
        let hop = server.hop;
        server.flow = Flow::Told;
        self.act_server(now, id, &[Action::SendTrying], None);
        if hop.flow == FlowId::GONE {
            self.flows.remove(&hop, Handle::Server(id));
        } else if let Some(server) = self.server_mut(id) {
            server.flow = Flow::Up;
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
            let server = self.servers.remove(id.index as usize);
            self.room.end(server.source, server.kept.len());
        }
        exists
    }
}

/// The 100 of RFC 4320 §4.1, without a To tag (§8.2.6.2).
fn trying(request: &Request) -> Bytes {
    Writer::response(request, 100, reason_phrase(100), None).finish()
}
