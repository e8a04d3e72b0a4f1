//! What was asked outside and what waits for the answer.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::Bytes;
use slab::Slab;
use smol_str::SmolStr;

use super::edge::Edge;
use super::notifier::Application;
use super::peers::Standing;
use super::stream::Long;
use super::{Guests, Identity, QuestionId, WatchId};
use crate::auth::Credentials;
use crate::message::Request;
use crate::message::typed::QValue;
use crate::proxy::{Absence, Diverter, Retry};
use crate::registrar::{Contacts, Instance};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::target::{Nowhere, Search, Way};
use crate::transport::{FlowToken, Hop, RegistrationKey, RouteTarget};

/// A request that is being worked on.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Its transaction; `None` for an ACK, and for all but REGISTER in a server without transactions.
    pub(super) server: Option<ServerId>,
    pub(super) request: Request,
    /// The hop it came over.
    pub(super) from: Hop,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) guests: Option<Arc<Guests>>,
    /// What leads back to its sender, where it is known of this request and not of its connection.
    pub(super) back: Option<Box<RouteTarget>>,
    /// The domains that its connection's peer was verified to be.
    pub(super) certified: Option<Arc<[SmolStr]>>,
    /// Who sent it; a stranger until it is known better.
    pub(super) standing: Standing,
}

/// A request whose callee's contacts are looked for.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) arrival: Arrival,
    pub(super) sender: RouteTarget,
    /// Which of them: all, or what the Request-URI names.
    pub(super) contacts: Contacts,
    /// How many Routes were ours.
    pub(super) routes: usize,
    /// Until when it waits for its callee, once that was found to be away.
    pub(super) until: Option<Instant>,
    /// What it is for of what they have.
    pub(super) aim: Aim,
    /// The callee, if its calls may be forwarded.
    pub(super) diverter: Option<Box<Diverter>>,
}

/// For which of an address-of-record's contacts a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// For all, or those of an instance.
    Address,
    /// For the one that is its Request-URI, within a dialog.
    Stray,
    /// The same outside dialogs, where the Request-URI may be another's after all.
    Contact,
}

/// What waits for an answer.
#[derive(Debug)]
pub(super) enum Pending {
    /// Whether a request's credentials are right.
    Credentials {
        arrival: Arrival,
        credentials: Credentials,
        routes: usize,
    },
    /// Whether right credentials, of this account, serve once more.
    Admission {
        arrival: Arrival,
        username: SmolStr,
        routes: usize,
    },
    /// Whether a CANCEL comes from where the account is registered that it says it is of.
    Whence {
        arrival: Arrival,
        routes: usize,
        /// The INVITE, if it is remembered and came over another connection.
        invite: Option<ServerId>,
    },
    /// The contacts of a request's target.
    Lookup(Sought),
    /// Somebody who is away, for a request outside dialogs.
    Away {
        sought: Sought,
        aor: SmolStr,
    },
    /// The outcome of a REGISTER.
    Update {
        arrival: Arrival,
        identity: IdentityChange,
    },
    /// Whether a subscription to registrations may stand.
    Subscribe {
        arrival: Arrival,
        application: Box<Application>,
    },
    /// The way of a NOTIFY.
    Notify {
        id: WatchId,
    },
    /// What it tells.
    Tell {
        id: WatchId,
        hop: Hop,
    },
    /// Whether an in-dialog request's sender is the one its token names.
    Sender {
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
    },
    /// The way of an in-dialog request.
    Held {
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
        since: Instant,
    },
    /// The flow of a request that came along a Path of ours.
    AlongPath {
        arrival: Arrival,
        token: Box<FlowToken>,
        routes: usize,
    },
    /// The contact that its GRUU is replaced by.
    Named {
        arrival: Arrival,
        sender: RouteTarget,
        receiver: RouteTarget,
        hop: Hop,
        instance: Instance,
    },
    /// The new flow of a pending request's sender, whose flow was lost.
    Caller {
        server: ServerId,
    },
    /// The new flow of a receiver, whose flow was lost with a request.
    Again(Box<Absence>),
    /// The way of a response to a request that was forwarded without a transaction.
    Back {
        message: Bytes,
    },
    /// More targets for a request on its way. `diverted`: a call that is forwarded to this URI.
    Extend {
        server: ServerId,
        q: QValue,
        diverted: Option<SmolStr>,
    },
    /// A registration that is away, to which a request on its way is to go as well; and where it is then.
    Join {
        server: ServerId,
        q: QValue,
        key: RegistrationKey,
    },
    Joined {
        server: ServerId,
        q: QValue,
        key: RegistrationKey,
    },
    /// Where something leads.
    Locate(Box<Quest>, Search),
    /// A hop over one of these ways.
    Connect(Errand, Vec<Way>),
}

/// A search for the ways of one or several URIs, one after the other.
#[derive(Debug)]
pub(super) struct Quest {
    pub(super) errand: Errand,
    /// Those still to be looked at.
    pub(super) uris: VecDeque<SmolStr>,
    pub(super) ways: Vec<Way>,
    /// Why the last one led nowhere.
    pub(super) nowhere: Nowhere,
}

/// What a way is needed for.
#[derive(Debug)]
pub(super) enum Errand {
    /// A request for another domain.
    Forward(Box<Departure>),
    /// A request whose target failed.
    Retry(Box<Retry>),
    /// One more target for a request on its way.
    Extend { server: ServerId, q: QValue, goal: Goal },
    /// The responses to a request whose connection is gone (RFC 3261 §18.2.2). `sent_by`: where else they may go, as a URI.
    Caller { server: ServerId, sent_by: Option<SmolStr> },
    /// A NOTIFY to a watcher of another domain, who was `known` to be there when it subscribed.
    Notify { id: WatchId, known: Way },
    /// A copy of a call, to the server of another domain that had it before a restart.
    Again(Box<Absence>),
    /// An OPTIONS of our own.
    Probe { peer: SmolStr, call_id: SmolStr },
    /// A registration that is away, along its Path.
    Edge(Box<Edge>),
    /// A request within a dialog that is too long for the datagram that it would be.
    Stream(Box<Long>),
}

/// Where a request on its way goes to as well.
#[derive(Debug)]
pub(super) struct Goal {
    /// Its Request-URI there, but for `user`.
    pub(super) uri: SmolStr,
    /// See [`crate::proxy::Detours::user`].
    pub(super) user: Option<SmolStr>,
    /// The configuration names where it goes: any address will do.
    pub(super) configured: bool,
}

/// A request for another domain.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) arrival: Arrival,
    pub(super) sender: RouteTarget,
    /// How many Routes were ours.
    pub(super) routes: usize,
    /// See [`crate::proxy::Detours::user`].
    pub(super) user: Option<SmolStr>,
    /// The configuration names where it goes: any address will do.
    pub(super) configured: bool,
    /// The server that the dialog was begun through.
    pub(super) known: Option<Way>,
}

/// What a REGISTER does to who its flow is, if it succeeds.
#[derive(Debug)]
pub(super) enum IdentityChange {
    None,
    Becomes {
        username: SmolStr,
        registration: RegistrationKey,
    },
    /// No longer any of these.
    Loses {
        registrations: Vec<RegistrationKey>,
    },
    /// No longer any of this address-of-record.
    LosesAll {
        aor: SmolStr,
    },
}

impl Pending {
    /// The request that waits; `None` if it is none that still wants an answer.
    pub(super) fn arrival(&self) -> Option<&Arrival> {
        match self {
            Self::Credentials { arrival, .. }
            | Self::Admission { arrival, .. }
            | Self::Whence { arrival, .. }
            | Self::Lookup(Sought { arrival, .. })
            | Self::Away { sought: Sought { arrival, .. }, .. }
            | Self::Update { arrival, .. }
            | Self::Subscribe { arrival, .. }
            | Self::Sender { arrival, .. }
            | Self::Held { arrival, .. }
            | Self::AlongPath { arrival, .. }
            | Self::Named { arrival, .. } => Some(arrival),
            Self::Caller { .. } | Self::Again(_) | Self::Extend { .. } | Self::Back { .. } => None,
            Self::Notify { .. } | Self::Tell { .. } | Self::Join { .. } | Self::Joined { .. } => None,
            Self::Locate(quest, _) => quest.errand.arrival(),
            Self::Connect(errand, _) => errand.arrival(),
        }
    }

    fn server(&self) -> Option<ServerId> {
        self.arrival()?.server
    }

    /// What of it no transaction counts.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Back { message } => message.len(),
            other => match other.arrival() {
                Some(arrival) if arrival.server.is_none() => arrival.request.bytes().len(),
                _ => 0,
            },
        }
    }
}

impl Errand {
    /// The request that has not been forwarded yet.
    pub(super) const fn arrival(&self) -> Option<&Arrival> {
        match self {
            Self::Forward(departure) => Some(&departure.arrival),
            Self::Stream(long) => Some(&long.arrival),
            _ => None,
        }
    }

    /// Whether the configuration names where it goes: any address will do.
    pub(super) const fn is_configured(&self) -> bool {
        match self {
            Self::Forward(departure) => departure.configured,
            Self::Extend { goal, .. } => goal.configured,
            // Whoever sent the request has written its Via; a Path, and a watcher's Contact, are others' words as well.
            Self::Caller { .. } | Self::Notify { .. } | Self::Edge(_) | Self::Stream(_) => false,
            Self::Retry(_) | Self::Again(_) | Self::Probe { .. } => true,
        }
    }
}

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    /// Each where its id says.
    pending: Slab<Waiting>,
    deadlines: BTreeSet<(Instant, QuestionId)>,
    /// What is held for each receiver. (Large keys and values are in boxes: a node of a map is often all there is of it, and
    /// allocators are slow to give and take one of several kilobytes.)
    held: BTreeMap<Box<RouteTarget>, Queue>,
    held_total: usize,
    /// Of all that waits, what no transaction counts.
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    id: QuestionId,
    deadline: Instant,
    pending: Box<Pending>,
}

/// In the order they came. Nearly always there is no second.
#[derive(Debug)]
struct Queue {
    first: QuestionId,
    others: VecDeque<QuestionId>,
}

/// Bits of an id that say where it is kept; above them are those that say when it was asked.
const PLACE: u32 = 24;

impl QuestionId {
    const fn place(self) -> usize {
        (self.0 & ((1 << PLACE) - 1)) as usize
    }
}

impl Queue {
    fn iter(&self) -> impl Iterator<Item = QuestionId> {
        core::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether there is no room for one more than `most`.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.len() >= most.min(1 << PLACE)
    }

    /// Whether there is no room for so many bytes more that no transaction counts.
    pub(super) const fn has_no_room(&self, bytes: usize, most: usize) -> bool {
        bytes > 0 && self.bytes + bytes > most
    }

    /// How many requests are held for all receivers together.
    pub(super) const fn held(&self) -> usize {
        self.held_total
    }

    pub(super) fn held_for(&self, receiver: &RouteTarget) -> usize {
        self.held.get(receiver).map_or(0, |queue| 1 + queue.others.len())
    }

    pub(super) fn of(&self, id: QuestionId) -> Option<&Pending> {
        self.pending.get(id.place()).filter(|waiting| waiting.id == id).map(|waiting| &*waiting.pending)
    }

    /// The ACK of the same dialog that is held already, and what it is to this one: the same, whose 2xx was retransmitted
    /// meanwhile, or an older or newer one.
    pub(super) fn held_ack(&self, receiver: &RouteTarget, ack: &Request) -> Option<(QuestionId, Ordering)> {
        self.held.get(receiver)?.iter().find_map(|id| match self.of(id) {
            Some(Pending::Held { arrival, .. }) => {
                let held = &arrival.request;
                let same = arrival.server.is_none()
                    && held.method() == ack.method()
                    && held.call_id() == ack.call_id()
                    && held.from_tag() == ack.from_tag()
                    && held.to_tag() == ack.to_tag();
                same.then(|| (id, held.cseq().number.cmp(&ack.cseq().number)))
            }
            _ => None,
        })
    }

    pub(super) fn insert(&mut self, deadline: Instant, pending: Box<Pending>) -> QuestionId {
        self.last += 1;
        let seat = self.pending.vacant_entry();
        let id = QuestionId(self.last << PLACE | seat.key() as u64);
        if let Pending::Held { receiver, .. } = &*pending {
            match self.held.get_mut(receiver) {
                Some(queue) => queue.others.push_back(id),
                None => {
                    let queue = Queue { first: id, others: VecDeque::new() };
                    self.held.insert(Box::new(receiver.clone()), queue);
                }
            }
            self.held_total += 1;
        }
        self.bytes += pending.bytes();
        self.deadlines.insert((deadline, id));
        seat.insert(Waiting { id, deadline, pending });
        id
    }

    pub(super) fn remove(&mut self, id: QuestionId) -> Option<Box<Pending>> {
        self.of(id)?;
        let Waiting { deadline, pending, .. } = self.pending.remove(id.place());
        self.deadlines.remove(&(deadline, id));
        self.bytes -= pending.bytes();
        if let Pending::Held { receiver, .. } = &*pending {
            self.held_total -= 1;
            if let Some(queue) = self.held.get_mut(receiver) {
                if queue.first != id {
                    queue.others.retain(|held| *held != id);
                } else if let Some(next) = queue.others.pop_front() {
                    queue.first = next;
                } else {
                    self.held.remove(receiver);
                }
            }
        }
        Some(pending)
    }

    /// What this question's answer lets go: all that is held for its receiver up to it, in the order it came. `None`:
    /// it holds nothing.
    pub(super) fn held_through(&self, id: QuestionId) -> Option<Vec<QuestionId>> {
        let Some(Pending::Held { receiver, .. }) = self.of(id) else { return None };
        Some(self.held.get(receiver)?.iter().filter(|other| *other <= id).collect())
    }

    /// What waits on behalf of a transaction.
    pub(super) fn remove_of(&mut self, server: ServerId) -> Option<Box<Pending>> {
        let mut all = self.pending.iter();
        let id = all.find(|(_, waiting)| waiting.pending.server() == Some(server))?.1.id;
        self.remove(id)
    }

    /// One that nobody answered in time.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Box<Pending>> {
        let (_, id) = self.deadlines.first().copied().filter(|(at, _)| *at <= now)?;
        self.remove(id)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
