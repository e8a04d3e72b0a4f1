//! How nodes start, stop and start again, with what they kept or without it.

use sip_core::server::{self, KeptCall};
use sip_core::time::Duration;
use sip_core::transport::{Hop, Transport};
use sip_core::user_agent::{self, CallSnapshot, Continuation, UserAgent};

use super::super::NodeId;
use super::super::directory::SOCKET;
use super::super::node::{Kept, Node, WRITTEN_WITHIN};
use super::super::person;
use super::super::sabotage::Saboteur;
use super::super::trace::stir;
use super::super::watch::description;
use super::{Happening, World};

impl World {
    /// Switches a phone on: it opens its flows and registers.
    pub fn switch_on(&mut self, phone: NodeId) {
        let Node::Phone(node) = &mut self.nodes[phone.0] else { return };
        node.up = true;
        let (registers, life) = (node.registers, node.life);
        for line in 0..self.phone(phone).lines.len() {
            if self.phone(phone).config.transport == Transport::Udp {
                let node = self.phone(phone);
                node.lines[line].online = true;
                let (reg_id, hop) = (node.lines[line].reg_id, node.socket(phone, node.lines[line].home));
                self.input(phone, user_agent::Input::FlowOpenedFor { reg_id, hop });
            } else {
                self.plan(Duration::ZERO, Happening::Connect { phone, line, life });
            }
        }
        if registers && self.command(phone, "register", UserAgent::register).is_err() {
            self.violate(phone, "a command that is legal is refused", "register");
        }
    }

    /// Stops a node at once; it starts anew after `down`: with what it kept if so wanted, a server its bindings, a phone
    /// the snapshots of its calls.
    pub fn stop(&mut self, node: NodeId, down: Duration, keep: bool) {
        if !self.nodes[node.0].is_up() {
            return;
        }
        for connection in self.network.connections_of(node) {
            self.break_connection(connection, (0, 3_000));
            self.network.close(connection, node);
            self.framers.remove(&(connection, node));
            if let Node::Server(server) = &mut self.nodes[node.0] {
                server.directory.flow_closed(connection.flow());
            }
        }
        // Not rolled, so that what seeds have shown they go on showing.
        let (now, random) = (self.now, stir(self.now.as_micros(), node.0 as u64));
        let unwritten = Duration::from_millis(random % WRITTEN_WITHIN);
        match &mut self.nodes[node.0] {
            Node::Phone(phone) => phone.up = false,
            Node::Server(server) => server.dies(now, unwritten),
        }
        if let Some(at) = self.timer_of[node.0].take() {
            self.timers.remove(&(at, node));
        }
        self.plan(down, Happening::Start { node, keep });
    }

    pub(super) fn start(&mut self, node: NodeId, keep: bool) {
        self.trace.fault(self.now, || format!("{node:?} starts anew"));
        let new_keys = self.saboteur.as_ref().is_some_and(Saboteur::loses_keys);
        match &mut self.nodes[node.0] {
            Node::Server(server) => {
                server.restart(keep, new_keys);
                let socket =
                    |local, remote| Some(Hop { flow: SOCKET, transport: Transport::Udp, local, remote });
                for record in core::mem::take(&mut server.kept).into_values().filter(|_| keep) {
                    match KeptCall::read(&record, socket) {
                        Some(call) => {
                            server.server.0.handle_input(self.now, server::Input::TakeUp(call.into()));
                        }
                        None => return self.violate(node, "a record of a call cannot be read", ""),
                    }
                }
                self.settle(node);
            }
            Node::Phone(phone) => {
                let kept = core::mem::take(&mut phone.kept);
                phone.restart();
                if keep {
                    kept.into_values().for_each(|kept| self.take_up(node, kept));
                }
                self.switch_on(node);
            }
        }
    }

    /// Takes up a call of an earlier life: the other side offers, or we do.
    fn take_up(&mut self, phone: NodeId, kept: Kept) {
        let now = self.now;
        let snapshot = match CallSnapshot::parse(&kept.text) {
            Ok(snapshot) => snapshot,
            Err(error) => return self.violate(phone, "a snapshot cannot be read", error.to_string()),
        };
        let offers = self.roll(2) == 0;
        let fresh = description(kept.call.serial.unwrap_or_default(), 0);
        self.trace.note(now, phone, || format!("restore call {:?}, offers: {offers}", kept.call.serial));
        let how = if offers { Continuation::Offer(&fresh) } else { Continuation::Solicit };
        match self.phone(phone).agent.restore(now, &snapshot, how) {
            Ok(call) => {
                self.phone(phone).watch.restored(call, &kept.call, offers);
                self.after_command(phone);
                person::talk_on(self, phone, call);
            }
            Err(error) => self.violate(phone, "a snapshot cannot be taken up", error.to_string()),
        }
    }
}
