//! What nodes send and are sent: out of a node, over the network, into another.

use std::collections::btree_map::Entry;

use bytes::Bytes;
use sip_core::message::{Message, Method};
use sip_core::server::{self, Answer, Question};
use sip_core::time::Duration;
use sip_core::transport::{Hop, RouteTarget, Transport};
use sip_core::user_agent::{self, Event};

use super::super::NodeId;
use super::super::directory::SOCKET;
use super::super::ladder;
use super::super::mesh::{self, MESH};
use super::super::network::ConnectionId;
use super::super::node::{Kept, Node, ServerNode};
use super::super::sabotage::Saboteur;
use super::super::trace::Fate;
use super::{Happening, World};

impl World {
    pub(super) fn arrive(
        &mut self,
        from: NodeId,
        to: NodeId,
        connection: Option<ConnectionId>,
        message: Bytes,
    ) {
        let over = connection.and_then(|connection| self.network.hop(connection, to));
        match &mut self.nodes[to.0] {
            Node::Phone(phone) => {
                let hop = over.unwrap_or_else(|| phone.socket(to, from));
                self.input(to, user_agent::Input::Received { from: hop, message });
            }
            Node::Server(server) => {
                let hop = over.unwrap_or_else(|| ServerNode::socket(to, from));
                let identity = server.identities.get(&hop.flow).cloned();
                let input =
                    server::Input::Received { from: hop, identity, guests: None, certified: None, message };
                server.server.0.handle_input(self.now, input);
                self.settle(to);
            }
        }
    }

    pub(super) fn drain_phone(&mut self, id: NodeId) {
        while let Some(output) = self.phone(id).agent.poll_output() {
            match output {
                user_agent::Output::Transmit { to, message } => self.transmit(id, to, message),
                // Connections are opened anew by themselves here, and none breaks for want of traffic.
                user_agent::Output::OpenFlow { .. } | user_agent::Output::KeepAlive { .. } => {}
                user_agent::Output::Event(event) => {
                    if self.saboteur.as_ref().is_some_and(|saboteur| saboteur.hides(&event)) {
                        continue;
                    }
                    self.keep(id, &event);
                    self.trace.note(self.now, id, || describe(&event));
                    if let Err(rule) = self.phone(id).watch.see(&event) {
                        self.violate(id, rule, format!("{event:?}"));
                    }
                    if self.scripted {
                        self.phone(id).events.push_back(event);
                        continue;
                    }
                    if let Err(rule) = self.phone(id).presence.see(&event) {
                        self.violate(id, rule, format!("{event:?}"));
                    }
                    self.told.push_back((id, event));
                }
            }
        }
    }

    pub(super) fn drain_server(&mut self, id: NodeId) {
        let mut gone = Vec::new();
        loop {
            let Node::Server(node) = &mut self.nodes[id.0] else { return };
            let Some(output) = node.server.0.poll_output() else { return };
            match output {
                server::Output::Transmit { to, message } => {
                    // A target in reserve may have gone meanwhile: that is told when it is tried.
                    let stands =
                        ConnectionId::of(to.flow).is_none_or(|of| self.network.hop(of, id).is_some());
                    if stands {
                        self.transmit(id, to, message);
                    } else if !gone.contains(&to.flow) {
                        gone.push(to.flow);
                        node.server.0.handle_input(self.now, server::Input::FlowClosed(to.flow));
                    }
                }
                // Nobody remembers which server failed.
                server::Output::Target { .. } | server::Output::Probed { .. } => {}
                server::Output::Keep(keep) => node.keep(self.now, keep),
                // There are no edge proxies.
                server::Output::Refused { .. }
                | server::Output::Reached { .. }
                | server::Output::Unwatch { .. }
                | server::Output::Guessed { .. }
                | server::Output::Known { .. }
                | server::Output::Granted(_)
                | server::Output::Alias { .. } => {}
                server::Output::Authenticated { flow, identity } => {
                    // Datagrams have no flow of their own to authenticate.
                    if flow != SOCKET {
                        node.identities.insert(flow, identity);
                    }
                }
                server::Output::Ask(question, asked) => {
                    let now = self.now;
                    let answer = match asked {
                        Question::Connect { ways, .. } => Some(Answer::Connected(self.dial(id, &ways))),
                        Question::Reach(RouteTarget::Address { transport, remote, .. }, _)
                            if transport != Transport::Udp =>
                        {
                            Some(Answer::Reachable(self.hop_to(id, transport, remote)))
                        }
                        asked => {
                            let network = &self.network;
                            let hop_of = |flow| network.hop(ConnectionId::of(flow)?, id);
                            node.directory.answer(now, question, asked, &self.dns, hop_of)
                        }
                    };
                    let Node::Server(node) = &mut self.nodes[id.0] else { return };
                    if let Some(answer) = answer {
                        node.server.0.handle_input(now, server::Input::Answer(question, answer));
                    }
                    for (question, hop) in node.directory.woken() {
                        let answer = Answer::Reachable(Some(hop));
                        node.server.0.handle_input(now, server::Input::Answer(question, answer));
                    }
                }
            }
        }
    }

    /// A datagram that a script lets a phone send, which its user agent would not.
    pub fn forge(&mut self, from: NodeId, to: NodeId, message: Bytes) {
        let hop = self.phone(from).socket(from, to);
        self.transmit(from, hop, message);
    }

    fn transmit(&mut self, from: NodeId, hop: Hop, message: Bytes) {
        if let Some(answer) = self.saboteur.as_ref().and_then(|s| s.answers(&message)) {
            self.trace.fault(self.now, || "the saboteur answered the message that stood here".to_owned());
            let (to, from) = (from, NodeId::of(hop.remote).unwrap_or(from));
            return self.plan(Duration::ZERO, Happening::Datagram { from, to, message: answer });
        }
        if self.saboteur.as_mut().is_some_and(|s| s.swallows(from, &message)) {
            self.trace.fault(self.now, || "the saboteur swallowed the message that stood here".to_owned());
            return;
        }
        self.note_asked(from, &message);
        let now = self.now;
        if let Some(connection) = ConnectionId::of(hop.flow) {
            let Some(found) = self.network.connection(connection).filter(|c| c.is_open(from)) else {
                return self.violate(
                    from,
                    "sent over a connection whose end it was told",
                    format!("{}: {hop:?}", ladder::label(&message)),
                );
            };
            let (to, is_stream) = (found.peer(from), found.is_stream());
            let fate = self.network.segment(now, &mut self.dice, connection, from);
            self.note_sent(from, to, &message, fate);
            let Fate::Arrives(at) = fate else { return };
            // A byte stream keeps no message together.
            let cut =
                if is_stream && self.roll(3) == 0 { self.roll(message.len() as u64) as usize } else { 0 };
            let rest = message.slice(cut..);
            if cut > 0 {
                self.plan_at(at, Happening::Segment { connection, to, message: message.slice(..cut) });
            }
            let fate =
                if cut > 0 { self.network.segment(now, &mut self.dice, connection, from) } else { fate };
            if let Fate::Arrives(at) = fate {
                self.plan_at(at, Happening::Segment { connection, to, message: rest });
            }
            return;
        }
        let addressed = match NodeId::of(hop.remote) {
            Some(MESH) => mesh::recipient(&self.nodes, &message),
            other => other,
        };
        let Some(to) = addressed.filter(|to| to.0 < self.nodes.len()) else {
            return self.violate(from, "sent to nobody", format!("{hop:?}"));
        };
        let fate = self.network.datagram(now, &mut self.dice, from, to, &message);
        self.note_sent(from, to, &message, fate);
        match fate {
            Fate::Arrives(at) => self.plan_at(at, Happening::Datagram { from, to, message }),
            Fate::Twice(first, second) => {
                self.plan_at(first, Happening::Datagram { from, to, message: message.clone() });
                self.plan_at(second, Happening::Datagram { from, to, message });
            }
            Fate::Lost(_) => {}
        }
    }

    fn note_sent(&mut self, from: NodeId, to: NodeId, message: &Bytes, fate: Fate) {
        self.trace.sent(self.now, from, to, message, fate);
        if self.no_repeats {
            self.note_answer(from, to, message);
        }
        if self.no_repeats && self.network.is_repeated(from, to, message) {
            let line = ladder::label(message);
            // A ringing phone reminds its caller every minute (§13.3.1.1), and somebody takes his time to say whether a
            // REFER or SUBSCRIBE may be.
            let asked = ["REFER", "SUBSCRIBE"].iter().any(|method| line.contains(method));
            if !line.starts_with('1') && !asked {
                self.violate(from, "repeats a message that arrived and was in time", line);
            }
        }
    }

    /// What is sent in a dialog, requests and answers to requests, tells whether the call stands.
    fn note_asked(&mut self, id: NodeId, message: &Bytes) {
        let Node::Phone(phone) = &mut self.nodes[id.0] else { return };
        if phone.doubted.is_empty() {
            return;
        }
        match Message::parse(message.clone()) {
            Ok(Message::Request(request)) => drop(phone.doubted.remove(request.call_id())),
            Ok(Message::Response(response)) => drop(phone.doubted.remove(response.call_id())),
            Err(_) => {}
        }
    }

    /// Where nothing is lost every request has its final answer.
    fn note_answer(&mut self, from: NodeId, to: NodeId, message: &Bytes) {
        match Message::parse(message.clone()) {
            Ok(Message::Request(request)) if *request.method() != Method::Ack => {
                let branch = request.branch().unwrap_or_default();
                self.unanswered.insert((from, to, format!("{} {branch}", request.method())));
            }
            Ok(Message::Response(response)) if !response.is_provisional() => {
                let branch = response.via().branch().unwrap_or_default();
                self.unanswered.remove(&(to, from, format!("{} {branch}", response.cseq().method)));
            }
            _ => {}
        }
    }

    /// Keeps what a phone needs to take up its calls in another life.
    fn keep(&mut self, id: NodeId, event: &Event) {
        let (now, rule) = (self.now, self.saboteur.as_ref().is_some_and(Saboteur::keeps_first_snapshot));
        let phone = self.phone(id);
        match event {
            Event::Snapshot { call } => {
                // Its end may be told in the same turn.
                let Some(snapshot) = phone.agent.snapshot(now, *call) else { return };
                let Some(watched) = phone.watch.calls.get(call) else { return };
                let kept = Kept { text: snapshot.to_string(), call: watched.clone() };
                match phone.kept.entry(*call) {
                    Entry::Occupied(_) if rule => {}
                    Entry::Occupied(mut old) => drop(old.insert(kept)),
                    Entry::Vacant(place) => drop(place.insert(kept)),
                }
            }
            Event::Accepted { call, .. } | Event::Confirmed { call, .. } => {
                if let Some(kept) = phone.kept.get_mut(call) {
                    kept.call.stood = true;
                }
            }
            Event::Ended { call, .. } => drop(phone.kept.remove(call)),
            _ => {}
        }
    }
}

/// An event without the bodies it carries.
fn describe(event: &Event) -> String {
    match event {
        Event::Incoming { call, from, .. } => format!("Incoming {} from {}", call.as_u64(), from.user),
        Event::Progress { call, status, .. } => format!("Progress {} {status}", call.as_u64()),
        Event::Accepted { call, .. } => format!("Accepted {}", call.as_u64()),
        Event::Confirmed { call, .. } => format!("Confirmed {}", call.as_u64()),
        Event::Ended { call, end } => format!("Ended {} {end:?}", call.as_u64()),
        Event::Released { call } => format!("Released {}", call.as_u64()),
        other => {
            let mut text = format!("{other:?}");
            text.truncate(text.char_indices().nth(60).map_or(text.len(), |(at, _)| at));
            text
        }
    }
}
