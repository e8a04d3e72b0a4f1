//! The transactions of one endpoint.

use alloc::vec::Vec;

use bytes::Bytes;
use slab::Slab;

use super::client::{Client, Sent};
use super::event::{ClientId, Counters, Event, Handle, Output, Received, ServerId};
use super::flows::Flows;
use super::kept::Origin;
use super::key::{ClientKey, ServerKey};
use super::machine::{ClientInput, ServerInput};
use super::merged::Ongoing;
use super::outputs::Outputs;
use super::room::{Caps, Room};
use super::schedule::Schedule;
use super::server::Server;
use super::tables::{ClientTable, Hashing, ServerTable};
use super::timers::Timers;
use crate::entropy::Entropy;
use crate::message::{Fields, HeaderName, Method, Request, Response};
use crate::time::Instant;
use crate::transport::{FlowId, Hop};

/// All client and server transactions of one endpoint.
///
/// Inputs are messages, commands of the transaction user, closed flows and time. After any of them, drain
/// [`Layer::poll_output`] until it is `None`, then sleep until [`Layer::poll_timeout`].
#[derive(Debug)]
pub struct Layer {
    pub(super) timers: Timers,
    pub(super) clients: Slab<Client>,
    pub(super) servers: Slab<Server>,
    /// Living transactions only; a terminated one leaves at once (§17.1.1.2, §17.2.1: "MUST be destroyed").
    pub(super) client_keys: ClientTable,
    pub(super) server_keys: ServerTable,
    hashing: Hashing,
    pub(super) flows: Flows,
    pub(super) schedule: Schedule,
    pub(super) outputs: Outputs,
    pub(super) room: Room,
    generation: u32,
    counters: Counters,
}

/// What is known of a request that came: its key, the transaction it repeats, and the one it would cancel.
struct Known<'m> {
    key: ServerKey<'m>,
    hash: u64,
    same: Option<ServerId>,
    cancelled: Option<ServerId>,
}

impl Layer {
    /// A layer without transactions. The entropy keys its tables.
    pub fn new(timers: Timers, entropy: &mut dyn Entropy) -> Self {
        Self {
            timers,
            clients: Slab::new(),
            servers: Slab::new(),
            client_keys: ClientTable::default(),
            server_keys: ServerTable::default(),
            hashing: Hashing::new(entropy),
            flows: Flows::default(),
            schedule: Schedule::default(),
            outputs: Outputs::default(),
            room: Room::default(),
            generation: 0,
            counters: Counters::default(),
        }
    }

    /// For the requests its user takes for itself; none yet.
    pub(crate) fn ongoing(&self) -> Ongoing {
        Ongoing::new(self.hashing)
    }

    /// The same with other caps.
    #[must_use]
    pub const fn capped(mut self, caps: Caps) -> Self {
        self.room.caps = caps;
        self
    }

    /// Takes a request from the network. `from` is where its responses go: the caller has applied §18.2.2.
    ///
    /// A retransmission that comes over another hop moves the transaction there.
    pub fn receive_request(&mut self, now: Instant, request: &Request, from: Hop) -> Received {
        self.receive_known(now, self.look_up(request), request, from)
    }

    /// The same, unless the request repeats another, or would cancel it, and `may` says it may not: then `None`, and
    /// nothing has happened.
    pub fn receive_request_if(
        &mut self,
        now: Instant,
        request: &Request,
        from: Hop,
        may: impl FnOnce(&Self, ServerId) -> bool,
    ) -> Option<Received> {
        let known = self.look_up(request);
        if *request.method() != Method::Ack
            && let Some(server) = known.same.or(known.cancelled)
            && !may(self, server)
        {
            return None;
        }
        Some(self.receive_known(now, known, request, from))
    }

    /// The INVITE that a CANCEL is for, whoever sent it.
    pub fn cancelled_by(&self, cancel: &Request) -> Option<ServerId> {
        self.look_up(cancel).cancelled
    }

    fn look_up<'m>(&self, request: &'m Request) -> Known<'m> {
        let find = |key: &ServerKey<'_>| {
            let hash = match key {
                ServerKey::Branch(key) => self.hashing.server(key),
                ServerKey::Rfc2543(_) => 0,
            };
            (hash, self.server_keys.find(hash, key))
        };
        let key = ServerKey::of(request);
        let (hash, same) = find(&key);
        let cancels = *request.method() == Method::Cancel;
        let cancelled = if cancels { find(&key.of_cancelled()).1 } else { None };
        Known { key, hash, same, cancelled }
    }

    fn receive_known(&mut self, now: Instant, known: Known<'_>, request: &Request, from: Hop) -> Received {
        let Known { key, hash, same, cancelled } = known;
        if *request.method() == Method::Ack {
            return self.receive_ack(now, &key, same, request);
        }
        if let Some(server) = same {
            self.receive_repeated(now, server, from);
            return Received::Absorbed;
        }
        let room = self.room.has_for(from.remote.ip(), self.len(), request.bytes().len());
        if !self.counted(room) {
            return Received::Full;
        }
        let server = self.insert_server(now, key, hash, request, from);
        match request.method() {
            Method::Cancel => Received::Cancel { cancel: server, invite: cancelled },
            _ => Received::New(server),
        }
    }

    /// Takes up an INVITE that an earlier life of this endpoint received, and to which 100 was said. One whose flow is gone waits for
    /// [`Self::set_server_hop`], or for the INVITE itself, to give it another. `None`: there is no room, or it is there.
    pub fn take_up(&mut self, now: Instant, request: &Request, hop: Hop) -> Option<ServerId> {
        let Known { key, hash, same, .. } = self.look_up(request);
        let room = self.room.has_for(hop.remote.ip(), self.len(), request.bytes().len());
        if *request.method() != Method::Invite || same.is_some() || !self.counted(room) {
            return None;
        }
        let server = self.insert_server(now, key, hash, request, hop);
        self.was_tried(now, server);
        Some(server)
    }

    /// Takes a response from the network. `false`: it matched no transaction and is dropped (RFC 6026 §7.2).
    pub fn receive_response(&mut self, now: Instant, response: Response) -> bool {
        let key = ClientKey::of_response(&response);
        let Some(client) = key.and_then(|key| self.client_keys.find(self.hashing.client(&key))) else {
            self.counters.stray_responses += 1;
            return false;
        };
        self.receive_matched(now, client, response);
        true
    }

    /// Sends a request in a transaction of its own, named by its top Via's branch.
    ///
    /// `None`, and nothing is sent, when [`Caps`] are reached, the branch is missing or in use, or the request is an ACK, which has no
    /// transaction.
    pub fn send_request(&mut self, now: Instant, request: &Request, to: Hop) -> Option<ClientId> {
        if *request.method() == Method::Ack {
            return None;
        }
        self.send(now, ClientKey::of_request(request)?, Sent::Read(request.clone()), to, false)
    }

    /// The same of a request that was just written, with `branch` in its top Via, and that is known to be sound: nobody
    /// reads it but where an ACK or a CANCEL is made of it.
    pub fn send_written(
        &mut self,
        now: Instant,
        request: Bytes,
        branch: &str,
        method: &Method,
        to: Hop,
    ) -> Option<ClientId> {
        debug_assert!(
            Request::parse(request.clone()).is_ok_and(|r| r.branch() == Some(branch)),
            "{request:?}"
        );
        self.send(now, ClientKey { branch, method }, Sent::Written(request), to, false)
    }

    /// Takes up an INVITE that an earlier life of this endpoint sent, and to which its receiver has said something, or may have: nothing
    /// is sent, but what it answers belongs here, and it can be cancelled. `None` as for [`Self::send_request`].
    pub fn adopt(&mut self, now: Instant, invite: Bytes, branch: &str, to: Hop) -> Option<ClientId> {
        self.send(now, ClientKey { branch, method: &Method::Invite }, Sent::Written(invite), to, true)
    }

    fn send(
        &mut self,
        now: Instant,
        key: ClientKey<'_>,
        request: Sent,
        to: Hop,
        adopted: bool,
    ) -> Option<ClientId> {
        let hash = self.hashing.client(&key);
        let in_use = self.client_keys.find(hash).is_some();
        let room = self.room.has(self.len(), request.len());
        if in_use || !self.counted(room) {
            return None;
        }
        Some(self.insert_client(now, hash, key.method, request, to, adopted))
    }

    /// Whether there is a client transaction with this branch and method.
    pub fn is_named(&self, branch: &str, method: &Method) -> bool {
        self.client_keys.find(self.hashing.client(&ClientKey { branch, method })).is_some()
    }

    /// Answers a request. `status` is that of `response`.
    ///
    /// Ignored if the transaction is over or its state has no room for this answer. To INVITE, a 2xx may be passed
    /// again and again until Timer L ends the transaction: its retransmission is the user's. To others, 408 is
    /// never sent, and provisional answers are only 100, not earlier than RFC 4320 §4.1 allows.
    pub fn respond(&mut self, now: Instant, server: ServerId, status: u16, response: Bytes) {
        let input = match status {
            0..=100 => ServerInput::Trying,
            101..=199 => ServerInput::Provisional,
            200..=299 => ServerInput::Success,
            408 => ServerInput::Timeout,
            _ => ServerInput::Failure,
        };
        self.step_server(now, server, input, Some(response));
    }

    /// Refuses an INVITE, with 300 or more, whose sender may be forged (§26.3.2.4): over an unreliable transport the answer is not
    /// repeated by itself, and goes out again only when the INVITE comes again within T4. Ignored of other requests.
    pub fn refuse_once(&mut self, now: Instant, server: ServerId, response: Bytes) {
        self.step_server(now, server, ServerInput::FailureOnce, Some(response));
    }

    /// Cancels an INVITE (§9.1), returning the CANCEL's own transaction.
    ///
    /// `None` when it has no provisional answer yet, and the CANCEL will be sent when one comes, in a transaction
    /// whose events the user has no name for and ignores; or when it has its final answer, was cancelled before,
    /// or is no INVITE. Without a final answer 64·T1 after the CANCEL was sent the INVITE ends with
    /// [`Event::TimedOut`].
    pub fn cancel(&mut self, now: Instant, client: ClientId) -> Option<ClientId> {
        self.cancel_with(now, client, Fields::new())
    }

    /// The same, telling why: `reason` is the value of the CANCEL's Reason (RFC 3326).
    pub fn cancel_because(&mut self, now: Instant, client: ClientId, reason: &str) -> Option<ClientId> {
        let mut fields = Fields::new();
        fields.push(HeaderName::Reason, reason.into());
        self.cancel_with(now, client, fields)
    }

    /// Forgets a client transaction: nothing more is sent or told.
    pub fn abandon(&mut self, client: ClientId) {
        self.unlink_client(client);
        self.free_client(client);
    }

    /// Forgets a server transaction that has not been answered: its request is answered without it, or not at all, and is a new one
    /// when it comes again. `false`: it was answered, with 100 perhaps, and stays.
    pub fn forget(&mut self, server: ServerId) -> bool {
        let unanswered = self.server(server).is_some_and(Server::is_unanswered);
        if unanswered {
            self.unlink_server(server);
            self.free_server(server);
        }
        unanswered
    }

    /// Moves a server transaction to another hop: its client repeated the request over a new flow under a branch
    /// the layer cannot match. If the old flow was lost, the latest response goes out again.
    pub fn set_server_hop(&mut self, server: ServerId, hop: Hop) {
        if self.move_server(server, hop) {
            // Resending starts no timer, so the time is not looked at.
            self.step_server(Instant::default(), server, ServerInput::Repeated, None);
        }
    }

    /// A flow closed, or could not be sent on: a transport error for the transactions that depend on it.
    ///
    /// Client transactions fail, save INVITEs with a 2xx. Server transactions stay (RFC 6026 §7.1): a pending
    /// INVITE tells [`Event::ServerTransportFailed`] now, others when they have something to send.
    pub fn flow_closed(&mut self, now: Instant, flow: FlowId) {
        let mut concerned: Vec<Handle> = self.flows.on(flow).collect();
        if self.flows.is_datagrams(flow) {
            concerned.extend(self.clients_on(flow).map(Handle::Client));
            concerned.extend(self.servers_on(flow).map(Handle::Server));
        }
        for handle in concerned {
            match handle {
                Handle::Client(client) => self.step_client(now, client, ClientInput::TransportError, None),
                Handle::Server(server) => self.lose_server_flow(now, server),
            }
        }
    }

    /// Lets the timers fire that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        // What is left when the queue is full stays due, so `poll_timeout` asks again.
        while !self.outputs.is_full() {
            let Some((timer, handle)) = self.schedule.pop_due(now) else { return };
            match handle {
                Handle::Client(id) => {
                    if let Some(client) = self.client_mut(id) {
                        client.running.fired(timer);
                        self.step_client(now, id, ClientInput::Timer(timer), None);
                    }
                }
                Handle::Server(id) => {
                    if let Some(server) = self.server_mut(id) {
                        server.running.fired(timer);
                        self.step_server(now, id, ServerInput::Timer(timer), None);
                    }
                }
            }
        }
    }

    /// Gives back what a busy hour took, once nothing is going on: an idle endpoint has an allocation for nothing.
    fn rest(&mut self) {
        if self.clients.capacity() + self.servers.capacity() == 0 || !self.is_empty() {
            return;
        }
        self.clients = Slab::new();
        self.servers = Slab::new();
        self.client_keys = ClientTable::default();
        self.server_keys = ServerTable::default();
        self.schedule.rest();
        self.outputs.rest();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let Some(output) = self.outputs.pop() else {
                self.rest();
                return None;
            };
            let Output::Event(event) = &output else { return Some(output) };
            // An abandoned transaction's events are no longer told; a terminated one is freed with its last.
            let told = match event {
                Event::Response { client, .. }
                | Event::TimedOut { client }
                | Event::TransportFailed { client } => self.client(*client).is_some(),
                Event::ClientTerminated { client } => self.free_client(*client),
                Event::AckTimedOut { server } | Event::ServerTransportFailed { server } => {
                    self.server(*server).is_some()
                }
                Event::ServerTerminated { server } => self.free_server(*server),
            };
            if told {
                return Some(output);
            }
        }
    }

    /// When [`Layer::handle_timeout`] is to be called next; `None`: not until there is other input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.next()
    }

    /// A client transaction's request as it was sent; of one that was [sent as it was written](Self::send_written) until it has its
    /// final answer.
    pub fn request(&self, client: ClientId) -> Option<Request> {
        self.client(client)?.sent.read()
    }

    /// What was sent of a client transaction that waits for its final answer, and where.
    pub fn sent(&self, client: ClientId) -> Option<(Bytes, Hop)> {
        let client = self.client(client)?;
        Some((client.sent.request_bytes()?, client.hop()))
    }

    /// A server transaction's request as it was first received; `None` once it has its final answer.
    pub fn server_request(&self, server: ServerId) -> Option<Request> {
        self.server(server)?.kept.request().cloned()
    }

    /// Whose request a server transaction is, answered or not.
    pub fn server_origin(&self, server: ServerId) -> Option<Origin<'_>> {
        self.server(server).map(|server| server.kept.origin())
    }

    /// Where a server transaction's responses go.
    pub fn server_hop(&self, server: ServerId) -> Option<Hop> {
        self.server(server).map(|server| server.hop)
    }

    /// INVITEs whose flow was lost, and whose latest response nobody may have seen: they wait for
    /// [`Self::set_server_hop`], or for their INVITE to come again.
    pub fn stranded(&self) -> Vec<ServerId> {
        let stranded = |id: &ServerId| self.server(*id).is_some_and(Server::is_stranded);
        let mut ids: Vec<ServerId> = self.server_keys.ids().filter(stranded).collect();
        // In the order they came.
        ids.sort_unstable_by_key(|id| id.generation);
        ids
    }

    /// How many transactions there are, those included whose end has not been polled.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many timers run. A transaction has two at most, and one that is over has none.
    pub fn timers(&self) -> usize {
        self.schedule.len()
    }

    /// What was refused or dropped.
    pub const fn counters(&self) -> Counters {
        Counters { dropped_outputs: self.outputs.dropped, ..self.counters }
    }

    /// Whether there is room for a transaction; counts if not.
    const fn counted(&mut self, room: bool) -> bool {
        if !room {
            self.counters.refused += 1;
        }
        room
    }

    /// Tells ids apart that share a slot. It wraps after 2³² transactions, when none so old can be left.
    pub(super) const fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }
}
