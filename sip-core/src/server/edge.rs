//! Registrations that are away and have a Path (RFC 3327): the flow of their REGISTER is gone, and the Path's first URI says where the
//! proxy before them is found (RFC 3327 §5.3, RFC 3261 §16.6 steps 6 and 7). So does the Contact of a phone that listens there (§18.1.1).
//!
//! Whoever needs one of them waits for it as for any that is away, and meanwhile a connection is opened that leads there
//! ([`super::Answer::Away`]). Over that it is there again, for all ([`super::Output::Reached`]). So a proxy that is dead delays nobody for
//! longer than a user agent that is away.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::questions::{Arrival, Errand, Pending};
use super::{Output, Question, QuestionId, Server, Source, Wait, lookup};
use crate::message::typed::QValue;
use crate::proxy::{Asserted, Target};
use crate::registrar::{Binding, Contacts};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::{Hop, RegistrationKey, RouteTarget};

/// A registration that is to be reached along its Path, or at its Contact.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) registration: RegistrationKey,
    /// Empty: at its Contact.
    pub(super) path: SmolStr,
    /// See [`Binding::through`].
    pub(super) through: SmolStr,
    /// Whose request waits for it.
    pub(super) source: Option<Source>,
}

impl Server {
    /// What a question waits for is away, and these of it have a Path.
    pub(super) fn away(&mut self, now: Instant, id: QuestionId, bindings: Vec<Binding>) {
        let source = match self.questions.of(id) {
            None => return self.counters.answers_late += 1,
            // It has sent something, and need not be reached.
            Some(Pending::Sender { arrival, .. }) => {
                let is_sender = |b: &Binding| b.opens(&arrival.from) || self.is_through(arrival, &b.through);
                let sent = bindings.iter().any(is_sender);
                let pending = if sent { self.questions.remove(id) } else { None };
                if let Some(Pending::Sender { arrival, sender, receiver }) = pending.map(|pending| *pending) {
                    self.hold(now, arrival, sender, receiver);
                }
                return;
            }
            Some(pending) => self.asker(pending),
        };
        for binding in bindings {
            self.follow_path(now, binding, source.clone());
        }
    }

    /// Whose request waits.
    fn asker(&self, pending: &Pending) -> Option<Source> {
        if let Some(arrival) = pending.arrival() {
            let (address, account) = (arrival.from.remote.ip(), self.asserted(arrival).account());
            return Some(Source { address, account });
        }
        let server = match pending {
            Pending::Join { server, .. } | Pending::Caller { server } => *server,
            Pending::Again(absence) => absence.server,
            _ => return None,
        };
        let address = self.layer.server_hop(server)?.remote.ip();
        Some(Source { address, account: self.proxy.asserted(server).and_then(Asserted::account) })
    }

    fn follow_path(&mut self, now: Instant, binding: Binding, source: Option<Source>) {
        let Some(uri) = binding.way().map(SmolStr::new) else { return };
        let Binding { key: registration, path, through, .. } = binding;
        // Once for all who wait.
        if self.edges.insert(registration.clone()) {
            let edge = Edge { registration, path, through, source };
            self.seek(now, Errand::Edge(edge.into()), [uri].into());
        }
    }

    /// The proxy is reached.
    pub(super) fn arrived(&mut self, edge: Edge, hop: Hop) {
        let Edge { registration, path, .. } = edge;
        self.edges.remove(&registration);
        self.counters.paths_followed += 1;
        self.emit(Output::Reached { registration, path, hop });
    }

    /// It is not, or must not be: who waits, waits for the user agent.
    pub(super) fn not_arrived(&mut self, edge: &Edge) {
        self.edges.remove(&edge.registration);
    }

    /// Whether a request comes from where a registration is reached: over its flow, or from the same peer, who has many connections.
    pub(super) fn is_from(&self, arrival: &Arrival, hop: &Hop) -> bool {
        let from = &arrival.from;
        let peer = || hop.transport == from.transport && self.config.peer_of(arrival).is_some();
        hop.remote.ip() == from.remote.ip() && (hop.flow == from.flow || peer())
    }

    /// Whether it comes over a connection of the peer of this name.
    fn is_through(&self, arrival: &Arrival, name: &SmolStr) -> bool {
        arrival.from.transport.is_reliable()
            && self.config.peer_of(arrival).is_some_and(|peer| peer.name == *name)
    }

    /// Calls these as well once they are reached, beside those that ring by then.
    pub(super) fn join_later(
        &mut self,
        now: Instant,
        server: ServerId,
        q: QValue,
        keys: Vec<RegistrationKey>,
    ) {
        for key in keys {
            let wait = Wait { until: now + self.config.limits.away, within: false };
            let question = Question::Reach(RouteTarget::Registration(key.clone()), wait);
            if self.ask(wait.until, question, Pending::Join { server, q, key }).is_err() {
                self.join(now, server, Vec::new());
            }
        }
    }

    /// One is there: along its Path, or because it has registered anew.
    pub(super) fn look_for(&mut self, now: Instant, server: ServerId, q: QValue, key: RegistrationKey) {
        let question = Question::Lookup { aor: key.aor.clone() };
        if self.ask(self.soon(now), question, Pending::Joined { server, q, key }).is_err() {
            self.join(now, server, Vec::new());
        }
    }

    pub(super) fn joined(
        &mut self,
        now: Instant,
        server: ServerId,
        q: QValue,
        key: &RegistrationKey,
        mut bindings: Vec<Binding>,
    ) {
        let contacts = Contacts::All.only(self.is_secure(server));
        bindings.retain(|binding| binding.key.is_of_same_agent(key) && contacts.has(binding));
        let mut found = lookup::targets(&bindings, &contacts, now);
        found.iter_mut().for_each(|target| target.q = target.q.min(q));
        self.join(now, server, found);
    }

    pub(super) fn join(&mut self, now: Instant, server: ServerId, found: Vec<Target>) {
        let (proxy, mut turn) = self.turn(now);
        proxy.join(&mut turn, server, found);
    }
}
