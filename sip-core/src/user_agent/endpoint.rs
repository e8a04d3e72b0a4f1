//! The endpoint: its boundary, and who gets what the transaction layer tells.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::call::{Call, Direction, Unpracked};
use super::checks;
use super::credentials::Wanted;
use super::farewell::Farewell;
use super::few::Few;
use super::flows::Flow;
use super::local::Local;
use super::messages::Held;
use super::presentation::Presenting;
use super::publications::Published;
use super::repeats::Repeats;
use super::requests::Errand;
use super::subscriptions::Subscription;
use super::watchers::Watcher;
use super::{
    CallId, Config, Counters, End, Event, Input, MessageId, Output, PublicationId, RequestId, Side,
    SubscriptionId, WatcherId,
};
use crate::auth::Client as Authenticator;
use crate::dialog::DialogId;
use crate::entropy::{self, BoxedEntropy};
use crate::limits;
use crate::message::validate::Dropped;
use crate::message::{Fields, Message, Method, Response, Writer};
use crate::time::Instant;
use crate::transaction::{self, ClientId, Layer, Ongoing, Timers};
use crate::transport::{Hop, via};

/// A user agent for one address-of-record.
///
/// Inputs go to [`UserAgent::handle_input`]; commands are `register`, `unregister`, `unregister_all`, `fetch_bindings`, `call`, `ring`,
/// `accept`,
/// `reject`, `cancel`, `hangup`, `info`, `provide_token` and `shutdown`. After any of them, drain [`UserAgent::poll_output`] until it
/// is `None`, then sleep until [`UserAgent::poll_timeout`] and give [`Input::Timeout`].
pub struct UserAgent {
    pub(super) config: Config,
    pub(super) entropy: BoxedEntropy,
    pub(super) layer: Layer,
    /// Requests outside dialogs that we took.
    pub(super) ongoing: Ongoing,
    /// Requests within dialogs that we took.
    pub(super) repeats: Repeats,
    pub(super) timers: Timers,
    pub(super) local: Local,
    pub(super) authenticator: Authenticator,
    pub(super) tokens: Vec<Wanted>,
    pub(super) next_token: u64,
    /// Never empty.
    pub(super) flows: Vec<Flow>,
    /// The user wants to be registered.
    pub(super) wanted: bool,
    /// [`Event::Unregistered`] is owed.
    pub(super) unregistering: bool,
    /// What a lost flow held up is to go out over another.
    pub(super) resume_wanted: bool,
    pub(super) calls: Few<CallId, Call>,
    pub(super) next_call: u64,
    /// Whose a client transaction is.
    pub(super) purposes: Few<ClientId, Purpose>,
    /// Requests on their way that belong to no call's making or end.
    pub(super) requests: Few<RequestId, Errand>,
    pub(super) next_request: u64,
    pub(super) subscriptions: Few<SubscriptionId, Subscription>,
    pub(super) watchers: Few<WatcherId, Watcher>,
    pub(super) publications: Few<PublicationId, Published>,
    /// Names the next of any of the three.
    pub(super) next_event: u64,
    pub(super) messages: Few<MessageId, Held>,
    pub(super) next_message: u64,
    pub(super) farewells: Vec<Farewell>,
    pub(super) next_farewell: u64,
    /// Reliable provisional responses to INVITEs that were refused since.
    pub(super) unpracked: Vec<Unpracked>,
    /// Header fields that the running command adds to what it sends; none between commands.
    pub(super) adding: Fields,
    /// How the running command presents us.
    pub(super) presenting: Presenting,
    /// Those of every REGISTER.
    pub(super) register_fields: Fields,
    shutdown: Shutdown,
    pub(super) outputs: VecDeque<Output>,
    pub(super) counters: Counters,
}

/// What a client transaction is for. Those that are not listed tell nothing: CANCELs.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Over which flow.
    Register(usize),
    Invite(CallId),
    Farewell(u64),
    Request(RequestId),
    /// A re-INVITE or UPDATE.
    Change(CallId),
}

/// How far `shutdown` has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Calls are being ended.
    Calls,
    /// The registration is being removed.
    Registration,
    Done,
}

impl UserAgent {
    /// A user agent that is not registered and has no flow.
    pub fn new(config: Config, mut entropy: BoxedEntropy) -> Self {
        let timers = Timers::default();
        let layer = Layer::new(timers, &mut *entropy);
        Self {
            local: Local::new(&config, &mut *entropy),
            flows: Flow::all(&config, &mut *entropy),
            wanted: false,
            unregistering: false,
            resume_wanted: false,
            authenticator: config.authenticator(),
            tokens: Vec::new(),
            next_token: 0,
            config,
            entropy,
            ongoing: layer.ongoing(),
            repeats: Repeats::default(),
            layer,
            timers,
            calls: Few::new(),
            next_call: 0,
            purposes: Few::new(),
            requests: Few::new(),
            next_request: 0,
            subscriptions: Few::new(),
            watchers: Few::new(),
            publications: Few::new(),
            next_event: 0,
            messages: Few::new(),
            next_message: 0,
            farewells: Vec::new(),
            next_farewell: 0,
            unpracked: Vec::new(),
            adding: Fields::new(),
            presenting: None,
            register_fields: Fields::new(),
            shutdown: Shutdown::No,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes what happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::FlowOpened(hop) => self.first_flow_opened(now, hop),
            Input::FlowOpenedFor { reg_id, hop } => self.named_flow_opened(now, reg_id, hop),
            Input::FlowFailed { reg_id } => self.flow_failed(now, reg_id),
            Input::FlowClosed(flow) => self.flow_closed(now, flow),
            Input::Received { from, message } => self.receive(now, from, message),
            Input::Timeout => self.time_passed(now),
        }
        self.settle(now);
    }

    /// Ends all calls, then removes the registration; [`Event::ShutDown`] tells that both are done. Without a
    /// flow that is at once.
    pub fn shutdown(&mut self, now: Instant) {
        if self.shutdown != Shutdown::No {
            return;
        }
        let calls: Vec<CallId> = self.calls().collect();
        for call in calls {
            // 480, not 603: the person did not decline, and another device of theirs may ring on (§16.7 step 5).
            if self.calls.get(&call).is_some_and(Call::is_unanswered) {
                self.refuse_offer(now, call, 480, None, End::rejected(480, None));
            } else {
                let _ = self.hangup(now, call);
            }
        }
        self.leave_events(now);
        self.shutdown = Shutdown::Calls;
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // An idle user agent keeps no room for a busy one's outputs.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When [`Input::Timeout`] is to be given next; `None`: not until there is other input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(Call::timeout);
        calls
            .chain(self.layer.poll_timeout())
            .chain(self.flows_timeout())
            .chain(self.tokens_timeout())
            .chain(self.farewell_timeout())
            .chain(self.requests_timeout())
            .chain(self.messages_timeout())
            .chain(self.events_timeout())
            .chain(self.repeats.timeout())
            .min()
    }

    /// Who it is and how it behaves.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The flow may be used for everything.
    pub(super) fn catch_up(&mut self, now: Instant) {
        if let Some(hop) = self.ready() {
            self.resume_outgoing(now, hop);
            self.resume_incoming();
            self.resume_requests(now, hop);
            self.resume_changes(now, hop);
            self.probe_calls(now);
        }
    }

    fn receive(&mut self, now: Instant, from: Hop, message: Bytes) {
        // RFC 5626 §3.5.1: keep-alives are the driver's.
        if message.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return;
        }
        match Message::parse(message) {
            Ok(Message::Request(request)) => {
                // A page knows no addresses, and its WebSocket leads back without them.
                let stamped = match from.transport.is_websocket() {
                    true => Ok(request),
                    false => via::stamp(request, &from),
                };
                match stamped {
                    Ok(request) => {
                        let back = via::response_hop(&from, &request.via());
                        self.receive_request(now, &request, back);
                    }
                    Err(_) => self.counters.malformed += 1,
                }
            }
            Ok(Message::Response(response)) => self.receive_response(now, response),
            Err(refused) => {
                self.counters.malformed += 1;
                // What is wrong may be the method, and then the answer says which would do.
                if let Ok((headers, rejection)) =
                    checks::rules(&Method::Invite, &self.local).refused(&refused)
                {
                    let tag = entropy::token(&mut *self.entropy, 80);
                    self.transmit_to(from, Writer::refusal(headers, &rejection, &tag));
                }
            }
        }
    }

    fn receive_response(&mut self, now: Instant, response: Response) {
        // §8.1.3.3: one with another Via beside ours was another's.
        match checks::rules(&response.cseq().method, &self.local).response(&response) {
            Ok(()) => {}
            Err(Dropped::Misrouted) => return self.counters.responses_misrouted += 1,
            Err(Dropped::Malformed | Dropped::ViaAddress) => return self.counters.malformed += 1,
        }
        let success = response.is_success() && response.cseq().method == Method::Invite;
        let late = success.then(|| response.clone());
        if self.layer.receive_response(now, response) {
            return;
        }
        let Some(response) = late else {
            self.counters.stray_responses += 1;
            return;
        };
        // A 2xx that is retransmitted after its transaction's end still lacks its ACK.
        let (dialog, cseq) = (DialogId::of_response(&response), response.cseq().number);
        match self.ack_of(&dialog, cseq).or_else(|| self.ack_anew(&dialog, cseq)) {
            Some(ack) => {
                let call = self.call_of(&dialog);
                self.transmit_in(call, ack);
            }
            None if self.succeeded_late(now, &response) => {}
            None => self.counters.stray_responses += 1,
        }
    }

    fn time_passed(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        self.flows_time_passed(now);
        self.tokens_time_passed(now);
        self.release_overdue(now);
        self.give_up_requests(now);
        self.accept_held(now);
        self.events_time_passed(now);
        self.repeats.time_passed(now);
        let due: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.timeout().is_some_and(|at| at <= now))
            .map(|(id, _)| id)
            .collect();
        for id in due {
            self.usage_timeout(now, id);
            match self.calls.get(&id).map(|call| &call.direction) {
                Some(Direction::Outgoing(_)) => self.outgoing_timeout(now, id),
                Some(Direction::Incoming(_)) => self.incoming_timeout(now, id),
                Some(Direction::Standing { .. }) | None => {}
            }
        }
    }

    /// Ends every input and command: carries out what the transaction layer and the queues have ready.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            self.end_changes(now);
            self.send_farewells(now);
            self.send_events(now);
            self.shut_down_further(now);
            let mut idle = true;
            while let Some(output) = self.layer.poll_output() {
                idle = false;
                match output {
                    transaction::Output::Transmit { to, message } => self.transmit_to(to, message),
                    transaction::Output::Event(event) => self.transaction_event(now, event),
                }
            }
            if idle && !core::mem::take(&mut self.resume_wanted) {
                break;
            }
            if idle {
                self.catch_up(now);
            }
        }
        self.note_calls();
        self.tell_sessions();
        self.sweep();
    }

    fn transaction_event(&mut self, now: Instant, event: transaction::Event) {
        use transaction::Event as E;
        match event {
            E::Response { client, response } => {
                self.learn_nonce(client, &response);
                if !self.wait_for_token(now, client, &response) {
                    self.answered(now, client, response);
                }
            }
            E::TimedOut { client } => match self.purposes.remove(&client) {
                Some(Purpose::Register(slot)) => self.register_timed_out(now, slot, client),
                Some(Purpose::Invite(call)) => self.invite_timed_out(call),
                Some(Purpose::Farewell(id)) => self.farewell_timed_out(id),
                Some(Purpose::Request(id)) => self.request_timed_out(now, id),
                Some(Purpose::Change(call)) => self.change_timed_out(now, call, client),
                None => {}
            },
            E::TransportFailed { client } => match self.purposes.remove(&client) {
                Some(Purpose::Invite(call)) => self.invite_flow_lost(now, call, client),
                Some(Purpose::Farewell(id)) => self.farewell_flow_lost(id),
                Some(Purpose::Request(id)) => self.request_flow_lost(now, id),
                Some(Purpose::Change(call)) => self.change_flow_lost(now, call, client),
                // A REGISTER is forgotten as soon as its flow is.
                Some(Purpose::Register(_)) | None => {}
            },
            E::ClientTerminated { client } => {
                if !self.outlives(client) {
                    self.client_terminated(client);
                }
            }
            E::ServerTransportFailed { server } => self.offer_flow_lost(now, server),
            E::ServerTerminated { server } => {
                self.ongoing.forget(server);
                self.server_terminated(server);
                self.unpracked_terminated(server);
            }
            E::AckTimedOut { .. } => {}
        }
    }

    pub(super) fn client_terminated(&mut self, client: ClientId) {
        match self.purposes.remove(&client) {
            Some(Purpose::Invite(call)) => self.invite_terminated(call, client),
            Some(Purpose::Change(call)) => self.change_terminated(call, client),
            _ => {}
        }
    }

    pub(super) fn answered(&mut self, now: Instant, client: ClientId, response: Response) {
        self.hear_session(&response);
        match self.purposes.get(&client) {
            Some(&Purpose::Register(slot)) => self.register_answered(now, slot, client, &response),
            Some(&Purpose::Invite(call)) => self.invite_answered(now, call, client, response),
            Some(&Purpose::Change(call)) => self.change_answered(now, call, client, &response),
            Some(&Purpose::Farewell(id)) => self.farewell_answered(now, id, &response),
            Some(&Purpose::Request(id)) => self.request_answered(now, id, response),
            None => {}
        }
    }

    fn shut_down_further(&mut self, now: Instant) {
        let offline = self.flow().is_none();
        if offline && self.is_shutting_down() {
            // Also what was to be said after the shutdown: nobody opens a flow for it.
            self.drop_farewells();
        }
        if self.shutdown == Shutdown::Calls {
            if offline {
                self.drop_calls();
                self.drop_events();
            }
            if self.has_no_events()
                && self.farewells.is_empty()
                && self.calls.values().all(|call| call.released)
            {
                self.shutdown = Shutdown::Registration;
                if self.wanted {
                    self.leave_registrar(now);
                }
            }
        }
        if self.shutdown == Shutdown::Registration && (offline || self.is_off_registrar()) {
            self.shutdown = Shutdown::Done;
            self.event(Event::ShutDown);
        }
    }

    /// There is no flow and nothing will be said any more.
    fn drop_calls(&mut self) {
        let all: Vec<CallId> = self.calls.keys().collect();
        for call in all {
            self.end(call, End::Canceled { by: Side::Local, reason: None });
            self.release(call);
        }
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutdown != Shutdown::No
    }

    /// Whether there is no room for another call. Ended ones count up to a point: they still hold a dialog.
    pub(super) fn is_full(&self) -> bool {
        self.calls().count() >= limits::CALLS || self.calls.len() >= 4 * limits::CALLS
    }

    pub(super) fn event(&mut self, event: Event) {
        self.note_for_referrer(&event);
        // A few for each call and registration, so they need no cap of their own.
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends over the flow of a call, or the present one; without one the message is as lost as a datagram can be.
    pub(super) fn transmit_in(&mut self, call: impl Into<Option<CallId>>, message: Bytes) {
        if let Some(to) = call.into().and_then(|call| self.hop_of(call)).or_else(|| self.flow()) {
            self.transmit_to(to, message);
        }
    }

    pub(super) fn transmit_to(&mut self, to: Hop, message: Bytes) {
        if self.outputs.len() < limits::OUTPUTS {
            self.outputs.push_back(Output::Transmit { to, message });
        } else {
            self.counters.dropped_outputs += 1;
        }
    }
}

/// A body as text. SDP may be in another character set (RFC 8866 §5.11); what matters in it is ASCII.
pub(super) fn body_text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

impl core::fmt::Debug for UserAgent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("UserAgent")
            .field("config", &self.config)
            .field("flows", &self.flows)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}
