//! What crosses the boundary of a [`Server`](super::Server): inputs, outputs, questions, answers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use smol_str::SmolStr;

use super::Guests;
use crate::auth::{NonceUse, Secrets};
use crate::message::Method;
use crate::proxy::{Granted, Keep, KeptCall};
use crate::registrar::{Binding, BindingUpdate, Contacts, Ended, Origin, UpdateError};
use crate::time::Duration;
use crate::time::Instant;
use crate::transport::framing::StreamError;
use crate::transport::target::{Query, Records, Way};
use crate::transport::{FlowId, Hop, RegistrationKey, RouteTarget, Transport};

/// Who a flow proved to be by a REGISTER that succeeded over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's user name.
    pub username: SmolStr,
    /// The registration; its `aor` is what From must name.
    pub registration: RegistrationKey,
    /// When the registration ends, unless it is refreshed, or when it was removed. From then on the flow speaks for the account only in the
    /// dialogs it is in.
    pub expires_at: Instant,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// One framed message (see [`crate::transport::framing`]) arrived.
    Received {
        /// Where from; a response goes back there.
        from: Hop,
        /// What the flow proved to be, if it did. The caller keeps it from [`Output::Authenticated`].
        identity: Option<Arc<Identity>>,
        /// What has registered over the flow elsewhere. The caller keeps it from [`Output::Granted`].
        guests: Option<Arc<Guests>>,
        /// The domains that the certificate of its connection's peer names, if it was verified (RFC 5922 §7).
        certified: Option<Arc<[SmolStr]>>,
        /// The message.
        message: Bytes,
    },
    /// The bytes of a stream ceased to be messages. The caller closes it once what answers this has gone out.
    Broken {
        /// Where from.
        from: Hop,
        /// Why.
        error: StreamError,
    },
    /// A connection ended. Transactions waiting on it learn of a transport error.
    FlowClosed(FlowId),
    /// The answer to a question, perhaps long after it was asked.
    Answer(QuestionId, Answer),
    /// Ask a peer of the configuration whether it is there. The outcome is told with [`Output::Probed`].
    Probe {
        /// Its name.
        peer: SmolStr,
        /// The Call-ID of the OPTIONS, by which its answer finds this server.
        call_id: SmolStr,
    },
    /// The bindings of an address-of-record have changed by other than time, and a subscription holds them
    /// ([`Question::Watch`]).
    Changed(WatchId),
    /// A call that was being set up when an earlier process ended ([`Output::Keep`]). To be told before messages are.
    TakeUp(Box<KeptCall>),
    /// `poll_timeout`'s instant has passed.
    Timeout,
}

/// What the caller shall do.
#[derive(Debug)]
pub enum Output {
    /// Send `message`, whole, over `to`. Failure is told by [`Input::FlowClosed`].
    Transmit {
        /// Where to.
        to: Hop,
        /// The message.
        message: Bytes,
    },
    /// Find something out. Unanswered questions time out inside the core.
    Ask(QuestionId, Question),
    /// A request was refused by the server itself: for the log.
    Refused {
        /// Whose it was.
        peer: Hop,
        /// What the answer's Warning says, too.
        trace: SmolStr,
        /// The status.
        status: u16,
        /// Why, by which rule, and what to change.
        reason: String,
        /// The request's method.
        method: Method,
        /// Its Call-ID.
        call_id: SmolStr,
    },
    /// A wrong password, for [`crate::auth::Guesses`].
    Guessed {
        /// The user that was tried.
        username: SmolStr,
        /// Where from.
        source: IpAddr,
    },
    /// A REGISTER over this flow succeeded: pass `identity` with all that arrives on it from now on.
    Authenticated {
        /// The flow.
        flow: FlowId,
        /// Who it is.
        identity: Arc<Identity>,
    },
    /// A registrar behind us has bound a contact over a connection, or ended its binding: [`Guests::with`] it passes from now on with
    /// all that arrives there, as long as that is open.
    Granted(Granted),
    /// An account, or a peer of the configuration, is behind this connection, and need not have registered over it: its keep-alives keep
    /// it open (RFC 5626 §3.5.1) for what comes back of its calls.
    Known {
        /// The flow.
        flow: FlowId,
        /// The account's user name; empty for a peer.
        username: SmolStr,
    },
    /// What is to be sent to `remote` over TLS for one of the domains that this flow's peer was verified to be may go over it
    /// (RFC 5923 §8.2).
    Alias {
        /// The flow.
        flow: FlowId,
        /// The address its peer advertises.
        remote: core::net::SocketAddr,
    },
    /// Whoever is at the other end of this hop leads to a registration that was away, along its Path: if it still is, and the Path is
    /// the same, it is there over this hop, and those who wait for it are told.
    Reached {
        /// Which one.
        registration: RegistrationKey,
        /// Its Path.
        path: SmolStr,
        /// The hop.
        hop: Hop,
    },
    /// How a server of another domain does. Those that failed lately are to come last among the ways of
    /// [`Question::Connect`].
    Target {
        /// How it was reached.
        transport: Transport,
        /// Where.
        remote: core::net::SocketAddr,
        /// How it does.
        health: Health,
    },
    /// A subscription is over: what it held ([`Hold`]) is to be let go.
    Unwatch {
        /// Which one.
        id: WatchId,
        /// What it watched.
        aor: SmolStr,
    },
    /// A call that is being set up has changed, or is over: for [`Input::TakeUp`] after a restart. Told with
    /// [`Config::keeps_calls`](super::Config::keeps_calls) alone.
    Keep(Keep),
    /// What came of a [`Input::Probe`].
    Probed {
        /// The peer's name.
        peer: SmolStr,
        /// Whether it answered.
        alive: bool,
    },
}

/// How a server of another domain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Alive,
    /// It failed (RFC 3263 §4.3), and may have said how long it wants to be left alone.
    Failed(Option<Duration>),
}

/// Names a question until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// What the core cannot know by itself.
#[derive(Clone, Debug)]
pub enum Question {
    /// The stored secrets of a digest user. Answer: [`Answer::Credentials`], or [`Answer::Held`] if
    /// [`crate::auth::Guesses`] says so and `aor` is not registered over `from`: whoever is there is never cut off.
    Credentials {
        /// The digest user name.
        username: SmolStr,
        /// Its address-of-record.
        aor: SmolStr,
        /// Where the credentials came from.
        from: Origin,
    },
    /// Whether right credentials serve once more ([`crate::auth::Replays`]). Answer: [`Answer::Admitted`].
    Admit {
        /// Whose they are.
        username: SmolStr,
        /// Where they came from.
        source: IpAddr,
        /// What they were made with.
        usage: NonceUse,
    },
    /// The contacts of one of our addresses-of-record. Answer: [`Answer::Bindings`].
    Lookup {
        /// In canonical form, `sip:user@domain`.
        aor: SmolStr,
    },
    /// The contacts of the one address-of-record that registered this URI, whose key ([`crate::registrar::ContactKey`]) is the
    /// same. Answer: [`Answer::Bindings`]; `None` if there is none, or more than one.
    Contact {
        /// As the request has it.
        uri: SmolStr,
    },
    /// Change bindings atomically, by calling [`crate::registrar::apply`] under the AoR's lock.
    /// Answer: [`Answer::Updated`].
    Update(BindingUpdate),
    /// The bindings of an address-of-record, for one who watches them. Answer: [`Answer::Watched`].
    Watch(Watch),
    /// A way to the peer a route token names; for a registration that is away the answer may come when it is
    /// back. Answer: [`Answer::Reachable`].
    Reach(RouteTarget, Wait),
    /// The first of these contacts that is there, now or later ([`crate::registrar::Awaited`]). Answer: [`Answer::Reachable`].
    Return {
        /// The address-of-record.
        aor: SmolStr,
        /// Which of its contacts.
        contacts: Contacts,
        /// How they are waited for.
        wait: Wait,
    },
    /// What DNS says to each of these. Answer: [`Answer::Resolved`].
    Resolve {
        /// What is asked.
        queries: Vec<Query>,
        /// Whose request it is for, so that nobody takes all the room there is for this; `None` for what is the server's own.
        source: Option<Source>,
    },
    /// A hop over the first of these ways that can be had, those that failed lately last: from a datagram socket of the
    /// right family, over a connection that exists and was verified for the way's domain, or a new one. Answer:
    /// [`Answer::Connected`].
    Connect {
        /// In the order they are to be tried.
        ways: Vec<Way>,
        /// As in [`Self::Resolve`].
        source: Option<Source>,
    },
}

/// Whose request something is done for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it came from.
    pub address: IpAddr,
    /// The address-of-record of the account that proved itself, if one did: it may have many addresses.
    pub account: Option<SmolStr>,
}

/// How somebody who is away is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until when. After that nobody wants the answer.
    pub until: Instant,
    /// Whether it is on behalf of a request within a dialog. Who begins calls may not take the room of those that stand.
    pub within: bool,
}

/// Answers to [`Question`]s, in their order.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The secrets, `None`: no such user; and which of the user's contacts it is ([`crate::registrar::registered_at`]), where no
    /// [`Identity`] of the connection says so.
    Credentials(Option<Arc<Secrets>>, Option<Box<Binding>>),
    /// Too many wrong passwords of this user came from there: for so long none is looked at.
    Held(Duration),
    /// Whether it is their first use.
    Admitted(bool),
    /// `None`: no such account (404); empty: nobody is registered (480).
    Bindings(Option<Vec<Binding>>),
    /// All bindings after the change.
    Updated(Result<Vec<Binding>, UpdateError>),
    /// See [`Question::Watch`].
    Watched(Result<Watched, WatchError>),
    /// `None`: there is no way now and there will be none soon.
    Reachable(Option<Hop>),
    /// It still comes: what is asked for with [`Question::Reach`] or [`Question::Return`] is away, and these of its bindings have a
    /// Path, along which they may be reached. [`Output::Reached`] follows then ([`crate::registrar::Awaited::away`]).
    Away(Vec<Binding>),
    /// One for each question, in their order.
    Resolved(Vec<Records>),
    /// Which of the ways, counted from 0, and the hop over it; `None`: none can be had.
    Connected(Option<(usize, Hop)>),
}

/// Names a subscription to registrations within one server. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// Who watches registrations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watcher {
    /// The account of this user name.
    Account(SmolStr),
    /// The [`super::Peer`] of this name.
    Peer(SmolStr),
}

/// A subscription that wants to know bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Which one.
    pub id: WatchId,
    /// Whose bindings, in canonical form.
    pub aor: SmolStr,
    /// Who asks.
    pub watcher: Watcher,
    /// Whether it is to be told of changes.
    pub hold: Hold,
    /// Until when.
    pub until: Instant,
}

/// Whether a subscription is told when the bindings change ([`Input::Changed`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// From now on, if there is room for one more.
    Begin,
    /// As before, if it still may ([`WatchError::Revoked`]), now until then.
    Keep,
    /// No: it asks this once.
    Not,
}

/// What a subscription wanted to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// All bindings now.
    pub bindings: Vec<Binding>,
    /// How those ended lately that were removed ([`crate::registrar::ended`]), the newest last. One that is not here ran out, or
    /// ended long ago.
    pub ended: Vec<Ended>,
}

/// Why a subscription is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchError {
    /// There is no such account, or no more.
    UnknownAor,
    /// The watcher's account is gone.
    WatcherGone,
    /// It is known no longer, or was ended when the watcher's password changed: it may begin anew.
    Revoked,
    /// The address-of-record has as many watchers as it may, or the watcher watches as many.
    Full,
}
