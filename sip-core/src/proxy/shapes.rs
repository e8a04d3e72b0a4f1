//! What a proxy is told, and what it asks for and counts.

use alloc::boxed::Box;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::context::Detours;
use super::divert::Diverter;
use super::edge::EdgeRole;
use super::identity::Asserted;
use super::session_timer::SessionTimer;
use crate::entropy::Entropy;
use crate::limits;
use crate::message::typed::QValue;
use crate::message::{HeaderName, Request};
use crate::time::{Duration, Instant};
use crate::transaction::{Layer, ServerId};
use crate::transport::{Hop, RouteTarget, RouteTokens, Transport};

/// What a proxy is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it calls itself in a Warning: its domain.
    pub agent: SmolStr,
    /// The realm whose credentials end here.
    pub realm: SmolStr,
    /// Most branches of one request; see [`limits::FORKS`].
    pub forks: usize,
    /// Most Max-Breadth of one request (RFC 5393 §5.3.3); see [`limits::BREADTH`](crate::limits::BREADTH).
    pub breadth: u32,
    /// How long targets ring before those of the next lower weight are tried.
    pub ring: Duration,
    /// Whether the contacts of a 3xx are tried here and not told to the caller (§16.7 step 4).
    pub recurse: bool,
    /// Whether calls to contacts tell their way too (RFC 7044), and not only those that are forwarded.
    pub history: bool,
    /// The session timer that it asks for, if it does.
    pub session_timer: Option<SessionTimer>,
    /// Whether servers of other domains may use our TLS connections in the other direction (RFC 5923).
    pub alias: bool,
    /// Whether calls that are being set up are told, to be kept over a restart ([`Proxy::poll_keep`](super::Proxy::poll_keep)).
    pub keeps_calls: bool,
    /// The Server field of responses it makes itself, if there shall be one.
    pub server: Option<SmolStr>,
}

impl Settings {
    /// What is usual.
    pub fn new(realm: SmolStr) -> Self {
        let (forks, breadth, ring) = (limits::FORKS, limits::BREADTH, Duration::from_secs(20));
        Self {
            agent: realm.clone(),
            realm,
            forks,
            breadth,
            ring,
            recurse: false,
            history: false,
            session_timer: None,
            alias: false,
            keeps_calls: false,
            server: None,
        }
    }
}

/// What a proxy needs for every step.
#[expect(missing_debug_implementations, reason = "borrows for one call")]
pub struct Turn<'a> {
    /// Now.
    pub now: Instant,
    /// The transactions.
    pub layer: &'a mut Layer,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
    /// Seals Record-Routes.
    pub tokens: &'a RouteTokens,
}

/// A request that is to be forwarded.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Its server transaction.
    pub server: ServerId,
    /// As it was received.
    pub request: Request,
    /// Where from.
    pub from: Hop,
    /// Who sent it: what the sender's Record-Route will lead to.
    pub sender: RouteTarget,
    /// How many of its Routes are consumed here.
    pub routes: usize,
    /// Whose identity it asserts.
    pub asserted: Asserted,
    /// What we are to it as an edge proxy.
    pub edge: EdgeRole,
}

/// Where a request goes.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Those that can be reached.
    pub found: Vec<Target>,
    /// How many more are being sought, for each of which [`Proxy::join`](super::Proxy::join) will be called.
    pub sought: usize,
    /// Whose they are, if calls for them may be forwarded.
    pub diverter: Option<Box<Diverter>>,
}

impl From<Target> for Targets {
    fn from(target: Target) -> Self {
        Self { found: [target].into(), ..Self::default() }
    }
}

impl Inbound {
    /// Its sender, whose flow is gone.
    pub(super) fn lost(&self) -> Lost {
        Lost { server: self.server, sender: self.sender.clone(), ours: self.asserted.is_ours() }
    }

    /// Whether a proxy sent it: a server of another domain, and somebody before it; or a registrar behind us, along a Path.
    pub(super) fn is_from_proxy(&self) -> bool {
        let behind = || self.request.headers().list(HeaderName::Via).nth(1).is_some();
        self.edge == EdgeRole::AlongPath || (matches!(self.sender, RouteTarget::Peer { .. }) && behind())
    }
}

/// Where a copy of a request goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The contact's URI; `None` leaves the Request-URI as it is.
    pub contact: Option<SmolStr>,
    /// How it is reached.
    pub hop: Hop,
    /// What the receiver's Record-Route will lead to.
    pub receiver: RouteTarget,
    /// The Routes it gets, topmost first: a contact's Path (RFC 3327 §5.3); empty: none.
    pub path: SmolStr,
    /// Its weight among the others.
    pub q: QValue,
    /// Other flows of the same instance, newest first: one is tried when this one has failed (RFC 5626 §7).
    pub spares: Vec<Self>,
    /// Where else it may go, if that is to another domain; `None` for a registered contact, which is reached over its flow or not at
    /// all.
    pub detours: Option<Box<Detours>>,
    /// Whether whoever is there is of our trust domain (RFC 3325 §3).
    pub trusted: bool,
}

impl Target {
    /// The only one of its weight and instance.
    pub fn new(contact: Option<SmolStr>, hop: Hop, receiver: RouteTarget) -> Self {
        let (path, q, spares) = (SmolStr::new_static(""), QValue::ONE, Vec::new());
        Self { contact, hop, receiver, path, q, spares, detours: None, trusted: false }
    }

    /// Whether the connection to it may be used in the other direction (RFC 5923 §5): it is TLS, and to another server.
    pub(super) const fn may_alias(&self) -> bool {
        matches!(self.hop.transport, Transport::Tls) && matches!(self.receiver, RouteTarget::Peer { .. })
    }
}

/// A request whose sender's flow is gone, and who is to have its answers over another (§18.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its server transaction.
    pub server: ServerId,
    /// Who sent it.
    pub sender: RouteTarget,
    /// Whether that is one of our accounts, which proved itself.
    pub ours: bool,
}

/// A URI that a request on its way is to go to as well. Whoever drives the proxy finds its targets and calls
/// [`Proxy::extend`](super::Proxy::extend).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The request's transaction.
    pub server: ServerId,
    /// Where to.
    pub uri: SmolStr,
    /// Its weight among the others.
    pub q: QValue,
    /// It is a call that is forwarded: so may it be by whom it goes to now.
    pub diverted: bool,
}

/// What a proxy counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests forwarded, one a branch.
    pub forwarded: u64,
    /// Responses forwarded.
    pub responses_forwarded: u64,
    /// Targets not tried because of [`Settings::forks`].
    pub forks_over_cap: u64,
    /// Branches that ended because the flow was gone.
    pub unreachable: u64,
    /// Copies sent in the place of one whose target failed.
    pub failovers: u64,
    /// Requests sent again, as they were, to receivers that came back over another flow.
    pub repeated: u64,
    /// Calls that are too large to be kept over a restart.
    pub not_kept: u64,
    /// Calls forwarded to another address.
    pub diverted: u64,
    /// Calls not forwarded because they go in circles, or were forwarded too often.
    pub diversions_over_cap: u64,
}
