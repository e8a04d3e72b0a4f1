//! Answers to the core's questions: at once where they are known, later where the network must be asked.

use std::sync::Arc;

use sip_core::registrar::{self, Awaited, UpdateError};
use sip_core::server::{
    Answer, Input, Question, QuestionId, Source, Wait, Watch, WatchError, Watched, Watcher,
};
use sip_core::time::Instant;
use sip_core::transport::target::{Records, Way};
use sip_core::transport::{Hop, Phone, RouteTarget, Transport};

use super::{Exchange, Work};
use crate::location::{Reach, Waiter, Woken};

impl Exchange {
    pub(super) fn ask(
        self: &Arc<Self>,
        shard: usize,
        id: QuestionId,
        question: Question,
        now: Instant,
        work: &mut Work,
    ) {
        let (mut woken, mut told) = (Vec::new(), Vec::new());
        let answer = match question {
            Question::Credentials { username, aor, from } => {
                let there = || registrar::is_there(&self.location.bindings(&aor), &from.hop, now);
                Some(match self.guard.wait(&username, from.hop.remote.ip(), now) {
                    Some(wait) if !there() => Answer::Held(wait),
                    _ => {
                        let contact = self.location.registered_at(&aor, &from, now).map(Box::new);
                        Answer::Credentials(self.accounts.secrets(&username), contact)
                    }
                })
            }
            Question::Admit { username, source, usage } => {
                Some(Answer::Admitted(self.guard.admit(&username, source, usage, now)))
            }
            Question::Lookup { aor } => Some(Answer::Bindings(
                self.accounts.owns(&aor).then(|| self.location.lookup(&aor, now, &self.flows)),
            )),
            Question::Contact { uri } => {
                let owner = self.location.owner(&uri).filter(|aor| self.accounts.owns(aor));
                Some(Answer::Bindings(owner.map(|aor| self.location.lookup(&aor, now, &self.flows))))
            }
            Question::Update(update) if !self.accounts.owns(&update.aor) => {
                Some(Answer::Updated(Err(UpdateError::UnknownAor)))
            }
            Question::Update(update) => {
                let updated = self.location.update(&update, now, &self.flows);
                (woken, told) = (updated.woken, updated.told);
                Some(Answer::Updated(updated.result))
            }
            Question::Watch(watch) => Some(Answer::Watched(self.watch(&watch, shard, now))),
            Question::Reach(target, wait) => self.reach(shard, id, target, wait, now),
            Question::Return { aor, contacts, wait } => {
                self.wait(shard, id, Awaited::Contacts { aor, contacts }, wait, now)
            }
            Question::Resolve { queries, source } => {
                let failed = queries.iter().map(|_| Records::Failed).collect();
                let asked = self.resolver.resolve(self, queries, source.as_ref(), shard, id);
                (!asked).then_some(Answer::Resolved(failed))
            }
            Question::Connect { ways, source } => self.connect(shard, id, ways, source, now),
        };
        let Some(answer) = answer else { return };
        work.push_back((shard, Input::Answer(id, answer)));
        // After the answer, so that the 200 to the REGISTER goes out before what was held for it.
        self.wake(woken, work);
        work.extend(told.into_iter().map(|told| (told.shard, Input::Changed(told.id))));
    }

    /// Who waited for a registration that is back is told.
    pub(super) fn wake(&self, woken: Vec<Woken>, work: &mut Work) {
        for woken in woken {
            self.metrics.woken.inc();
            let answer = Answer::Reachable(Some(woken.hop));
            work.push_back((woken.waiter.shard, Input::Answer(woken.waiter.question, answer)));
        }
    }

    fn watch(&self, watch: &Watch, shard: usize, now: Instant) -> Result<Watched, WatchError> {
        if !self.accounts.owns(&watch.aor) {
            return Err(WatchError::UnknownAor);
        }
        if let Watcher::Account(username) = &watch.watcher
            && !self.accounts.owns(&self.accounts.aor(username))
        {
            return Err(WatchError::WatcherGone);
        }
        self.location.watch(watch, shard, now, &self.flows)
    }

    /// `None`: the answer comes later.
    pub(super) fn reach(
        self: &Arc<Self>,
        shard: usize,
        question: QuestionId,
        target: RouteTarget,
        wait: Wait,
        now: Instant,
    ) -> Option<Answer> {
        let hop = match target {
            RouteTarget::Registration(key) => {
                return self.wait(shard, question, Awaited::Registration(key), wait, now);
            }
            RouteTarget::Phone(phone) => {
                let known = self.location.knows(&phone, now, &self.flows);
                let Phone { registration, local, remote, .. } = *phone;
                if known {
                    return self.wait(shard, question, Awaited::Registration(registration), wait, now);
                }
                // It has not registered since we started, or has left: it is where it was.
                self.flows.udp_to(local, remote)
            }
            RouteTarget::Flow(flow) => self.flows.hop(flow),
            RouteTarget::Address { transport: Transport::Udp, local, remote } => {
                self.flows.udp_to(local, remote)
            }
            RouteTarget::Address { transport: Transport::Tcp, remote, .. } => {
                let addresses = vec![remote];
                let way =
                    Way { transport: Transport::Tcp, addresses, domain: Default::default(), free: false };
                let at_once = self.at_once(&way);
                let ways = Ways { ways: vec![way], order: vec![0], source: None };
                if at_once.is_none() && self.connect_later(shard, question, ways, reachable) {
                    return None;
                }
                at_once
            }
            // Browsers do not listen, and a phone on TLS is verified to be nobody, so that only it can connect. Other
            // domains are looked for.
            RouteTarget::Address { transport: Transport::Tls | Transport::Ws | Transport::Wss, .. }
            | RouteTarget::Peer { .. } => None,
        };
        Some(Answer::Reachable(hop))
    }

    /// `None`: the answer comes later, and so it does when it is [`Answer::Away`].
    fn wait(
        &self,
        shard: usize,
        question: QuestionId,
        awaited: Awaited,
        wait: Wait,
        now: Instant,
    ) -> Option<Answer> {
        let waiter = Waiter { shard, question };
        match self.location.reach(awaited.clone(), wait, waiter, now, &self.flows) {
            Reach::Now(hop) => Some(Answer::Reachable(Some(hop))),
            Reach::Later => {
                let away = self.location.away(&awaited, now);
                (!away.is_empty()).then_some(Answer::Away(away))
            }
            Reach::Never => Some(Answer::Reachable(None)),
        }
    }

    /// `None`: the answer comes later.
    fn connect(
        self: &Arc<Self>,
        shard: usize,
        question: QuestionId,
        ways: Vec<Way>,
        source: Option<Source>,
        now: Instant,
    ) -> Option<Answer> {
        let order = self.targets.order(&ways, now);
        if let Some(first) = order.first()
            && let Some(hop) = self.at_once(&ways[*first])
        {
            return Some(Answer::Connected(Some((*first, hop))));
        }
        let later = self.connect_later(shard, question, Ways { ways, order, source }, Answer::Connected);
        (!later).then_some(Answer::Connected(None))
    }

    /// Opens a connection along the first of the ways along which one can be had. `false`: too many wait for connections.
    fn connect_later(
        self: &Arc<Self>,
        shard: usize,
        question: QuestionId,
        Ways { ways, order, source }: Ways,
        answer: fn(Option<(usize, Hop)>) -> Answer,
    ) -> bool {
        let Some(place) = self.connecting.take(source.as_ref()) else { return false };
        let exchange = Arc::clone(self);
        self.dialer.tasks().spawn(async move {
            let mut found = None;
            for at in order {
                let way = &ways[at];
                let hop = match exchange.at_once(way) {
                    Some(hop) => Some(hop),
                    None => exchange.dialer.open(&exchange, way, source.as_ref()).await,
                };
                if let Some(hop) = hop {
                    found = Some((at, hop));
                    break;
                }
            }
            drop(place);
            exchange.answer_later(shard, question, answer(found));
        });
        true
    }

    /// A hop that needs nothing to be opened.
    fn at_once(&self, way: &Way) -> Option<Hop> {
        way.addresses.iter().find_map(|address| match way.transport {
            Transport::Udp => self.flows.udp_toward(*address),
            transport => self.flows.connected(transport, *address, &way.domain),
        })
    }
}

/// What is to be tried for a connection, and for whom.
struct Ways {
    ways: Vec<Way>,
    order: Vec<usize>,
    source: Option<Source>,
}

fn reachable(found: Option<(usize, Hop)>) -> Answer {
    Answer::Reachable(found.map(|(_, hop)| hop))
}
