//! Connections: how they come about, what comes over them, how their ends learn that they are gone.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::server;
use sip_core::transport::framing::{Frame, StreamFramer};
use sip_core::transport::target::Way;
use sip_core::transport::{Hop, Transport};
use sip_core::user_agent;

use super::super::NodeId;
use super::super::directory::SOCKET;
use super::super::network::ConnectionId;
use super::super::node::Node;
use super::{Happening, World};

impl World {
    pub(super) fn connect(&mut self, phone: NodeId, line: usize, life: u64) {
        let now = self.now;
        let node = self.phone(phone);
        let (home, transport) = (node.lines[line].home, node.config.transport);
        if node.life != life || !node.up || node.lines[line].online {
            return;
        }
        if !self.nodes[home.0].is_up() || self.network.cut_until(now, phone, home).is_some() {
            let wait = self.between((500, 3_000));
            return self.plan(wait, Happening::Connect { phone, line, life });
        }
        let connection = self.network.connect(phone, home, transport);
        self.trace.fault(now, || format!("a connection opens between {phone:?} and {home:?}"));
        let line = &mut self.phone(phone).lines[line];
        line.connection = Some(connection);
        line.online = true;
        let reg_id = line.reg_id;
        let Some(hop) = self.network.hop(connection, phone) else { return };
        self.input(phone, user_agent::Input::FlowOpenedFor { reg_id, hop });
    }

    /// The first of these ways that can be had, for a server: a datagram, a connection that stands, or a new one.
    pub(super) fn dial(&mut self, from: NodeId, ways: &[Way]) -> Option<(usize, Hop)> {
        let mut ways = ways.iter().enumerate();
        ways.find_map(|(at, way)| Some((at, self.hop_to(from, way.transport, way.addresses[0])?)))
    }

    /// A hop of a server's to this address.
    pub(super) fn hop_to(&mut self, from: NodeId, transport: Transport, remote: SocketAddr) -> Option<Hop> {
        let local = from.address();
        if transport == Transport::Udp {
            return Some(Hop { flow: SOCKET, transport, local, remote });
        }
        let to = NodeId::of(remote).filter(|to| to.0 < self.nodes.len())?;
        if let Some(standing) = self.network.opened(from, to, transport) {
            return self.network.hop(standing, from);
        }
        let listens = matches!(&self.nodes[to.0], Node::Server(server) if server.up);
        let wanted = self.trunks && matches!(transport, Transport::Tcp | Transport::Tls);
        if !listens || !wanted || self.network.cut_until(self.now, from, to).is_some() {
            return None;
        }
        let connection = self.network.connect(from, to, transport);
        self.trace.fault(self.now, || format!("a connection opens between {from:?} and {to:?}"));
        self.network.hop(connection, from)
    }

    /// What comes over a connection: a message, or over a byte stream some bytes of one or more.
    pub(super) fn segment_arrives(&mut self, connection: ConnectionId, to: NodeId, bytes: Bytes) {
        let Some(found) = self.network.connection(connection) else { return };
        if found.broken || !found.is_open(to) || !self.nodes[to.0].is_up() {
            return;
        }
        let from = found.peer(to);
        if !found.is_stream() {
            return self.arrive(from, to, Some(connection), bytes);
        }
        self.framers.entry((connection, to)).or_default().push(&bytes);
        loop {
            let frame = self.framers.get_mut(&(connection, to)).map(StreamFramer::next_frame);
            match frame {
                Some(Ok(Some(Frame::Message(message)))) => self.arrive(from, to, Some(connection), message),
                Some(Ok(Some(_))) => {}
                // It may have been closed by what came before.
                Some(Ok(None)) | None => return,
                Some(Err(error)) => {
                    return self.violate(from, "sent what is no stream of messages", error.to_string());
                }
            }
        }
    }

    /// A phone on UDP finds that nobody answers at the other end of a line.
    pub fn lose_line(&mut self, phone: NodeId, line: usize) {
        let node = self.phone(phone);
        node.lines[line].online = false;
        let flow = node.socket(phone, node.lines[line].home).flow;
        self.input(phone, user_agent::Input::FlowClosed(flow));
    }

    /// A connection breaks; its ends notice in their own time.
    pub fn break_connection(&mut self, connection: ConnectionId, notice: (u64, u64)) {
        let Some((client, server)) = self.network.connection(connection).map(|c| (c.client, c.server)) else {
            return;
        };
        if self.network.break_connection(connection) {
            for node in [client, server] {
                let after = self.between(notice);
                self.plan(after, Happening::Closed { connection, node });
            }
        }
    }

    pub(super) fn closed(&mut self, connection: ConnectionId, node: NodeId) {
        if !self.network.close(connection, node) {
            return;
        }
        self.framers.remove(&(connection, node));
        let now = self.now;
        let away = self.away;
        match &mut self.nodes[node.0] {
            Node::Phone(phone) if phone.up => {
                let Some(line) = phone.lines.iter().position(|line| line.connection == Some(connection))
                else {
                    return;
                };
                // With more than one flow it depends on which a call goes over.
                for (call, _) in phone.watch.living().filter(|_| phone.lines.len() == 1) {
                    let snapshot = phone.agent.snapshot(now, call);
                    phone.doubted.extend(snapshot.map(|it| (it.dialog.id.call_id.to_string(), call)));
                }
                phone.lines[line].connection = None;
                phone.lines[line].online = false;
                let life = phone.life;
                let wait = self.between(away);
                self.plan(wait, Happening::Connect { phone: node, line, life });
                self.input(node, user_agent::Input::FlowClosed(connection.flow()));
            }
            Node::Server(server) if server.up => {
                server.identities.remove(&connection.flow());
                server.directory.flow_closed(connection.flow());
                server.server.0.handle_input(now, server::Input::FlowClosed(connection.flow()));
                self.settle(node);
            }
            Node::Phone(_) | Node::Server(_) => {}
        }
    }
}
