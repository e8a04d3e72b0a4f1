//! What crosses the boundary of a [`UserAgent`](super::UserAgent): inputs, outputs, events.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::{
    Answer, End, Failure, PublicationId, PublicationUpdate, ReferralId, Replacement, SubscriptionId,
    SubscriptionUpdate, TransferId, TransferUpdate, WatcherId, WatcherUpdate, Withdrawal,
};
use super::{Binding, Redirection};
use crate::auth::BearerChallenge;
use crate::body::Content;
use crate::events::Package;
use crate::message::typed::Date;
use crate::message::{Request, Response, SessionIdentifier};
use crate::time::Duration;
use crate::transport::{FlowId, Hop};

/// Names a call of one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

impl CallId {
    /// The number, for maps and texts of the caller's.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Names a request that has no state of its own: its answer is told with [`Event::Answered`]. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

impl RequestId {
    /// The number, for maps and texts of the caller's.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Names a MESSAGE received by one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) u64);

/// Names a token that was asked for. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialsId(pub(super) u64);

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A connection stands: the first of [`Config::flows`](super::Config::flows). A registration that is wanted is
    /// made anew over it. One that was open before is taken as closed.
    FlowOpened(Hop),
    /// The same for any of them. Ignored if there is none of this reg-id.
    FlowOpenedFor {
        /// Which.
        reg_id: u32,
        /// The connection.
        hop: Hop,
    },
    /// What [`Output::OpenFlow`] asked for could not be done.
    FlowFailed {
        /// Which.
        reg_id: u32,
    },
    /// The connection is gone.
    FlowClosed(FlowId),
    /// One framed message arrived.
    Received {
        /// Where from.
        from: Hop,
        /// The message.
        message: Bytes,
    },
    /// `poll_timeout`'s instant has passed.
    Timeout,
}

/// What the caller shall do.
#[derive(Debug)]
pub enum Output {
    /// Send `message`, whole, over `to`.
    Transmit {
        /// Where to.
        to: Hop,
        /// The message.
        message: Bytes,
    },
    /// Open a connection for this flow now, and tell [`Input::FlowOpenedFor`] or [`Input::FlowFailed`]. Asked only
    /// while a registration is wanted, and after the waits of RFC 5626 §4.5; a driver that connects by itself may
    /// ignore it.
    OpenFlow {
        /// Which.
        reg_id: u32,
    },
    /// A keep-alive is due (RFC 5626 §4.4): CRLF CRLF or a WebSocket ping over a connection, a STUN binding request
    /// over UDP. One that is not answered within 10 s is [`Input::FlowClosed`].
    KeepAlive {
        /// Where to.
        to: Hop,
    },
    /// Tell the user.
    Event(Event),
}

/// What happened. For one call the order is: [`Self::Incoming`] if it is one; any number of [`Self::Progress`];
/// [`Self::Accepted`] or [`Self::Confirmed`]; exactly one [`Self::Ended`]; exactly one [`Self::Released`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A REGISTER succeeded, the first or a refresh.
    Registered {
        /// Over which flow.
        reg_id: u32,
        /// Granted lifetime.
        expires: Duration,
    },
    /// A REGISTER failed.
    RegistrationFailed {
        /// Over which flow.
        reg_id: u32,
        /// Why.
        failure: Failure,
        /// When it is tried again by itself. `None`: never, it takes another `register`.
        retry_in: Option<Duration>,
    },
    /// The registration was removed over every flow, or given up on request: what could not be removed
    /// [`Self::RegistrationFailed`] has told before.
    Unregistered,
    /// What [`fetch_bindings`](super::UserAgent::fetch_bindings) found.
    Bindings {
        /// Every Contact of the address-of-record, [`limits::BINDINGS`](crate::limits::BINDINGS) at most.
        outcome: Result<Vec<Binding>, Failure>,
    },
    /// A server wants a bearer token from an authorization server that is trusted (RFC 8898 §2.1.1). Answer with
    /// [`provide_token`](super::UserAgent::provide_token) within [`limits::TOKEN_WAIT`](crate::limits::TOKEN_WAIT);
    /// after that what waits for it has failed, or a password has served.
    CredentialsNeeded {
        /// Names the answer.
        request: CredentialsId,
        /// Realm, authorization server, scope, and what was wrong with the token before.
        challenge: BearerChallenge,
    },
    /// The snapshot of a call is to be written anew: it has another CSeq or description, or the other side another address
    /// or UUID.
    Snapshot {
        /// The call.
        call: CallId,
    },
    /// Somebody calls. Nothing rings at the caller before [`ring`](super::UserAgent::ring).
    Incoming {
        /// The new call.
        call: CallId,
        /// Who calls.
        from: Identity,
        /// Who was called.
        to: Identity,
        /// The offer. `None`: the caller wants one in the 2xx and answers it in the ACK.
        sdp: Option<String>,
        /// The call whose place it takes (RFC 3891): accepting this one ends that one, refusing leaves it as it is.
        /// Nobody but the application judges whether the caller may (§3): a proxy's word on `from`, or `referred_by`.
        replaces: Option<CallId>,
        /// The call that it is to be added to (RFC 3911): accepting this one promises to mix both, and 488 says that we
        /// cannot. With [`Config::joins`](super::Config::joins) only; who may is for the application to judge, as above.
        joins: Option<CallId>,
        /// The call of ours that its Target-Dialog names (RFC 4538): whoever calls has heard of that, from its other side or
        /// on the way.
        about: Option<CallId>,
        /// Who has sent the caller here, by the caller's word (RFC 3892).
        referred_by: Option<Identity>,
        /// Who calls, by the word of the server behind our flow (RFC 3325 §9.1), if
        /// [`Config::asserted_identity`](super::Config::asserted_identity) trusts it.
        asserted: Option<Box<Identity>>,
        /// The INVITE, for what is not told here: Subject, Alert-Info, Call-Info, Priority, Organization, History-Info, …
        request: Request,
    },
    /// An outgoing call got a provisional answer above 100.
    Progress {
        /// The call.
        call: CallId,
        /// 101–199; 180 rings.
        status: u16,
        /// The reason phrase.
        reason: SmolStr,
        /// Early media's answer, if there is one.
        sdp: Option<String>,
    },
    /// An outgoing call is sent elsewhere (RFC 3261 §21.3): [`follow`](super::UserAgent::follow) says where it goes, with
    /// [`Config::redirections_asked`](super::Config::redirections_asked) only. Until then, or until nobody waits any more
    /// ([`Config::no_answer`](super::Config::no_answer)), it goes nowhere.
    Redirected {
        /// The call.
        call: CallId,
        /// 300–399.
        status: u16,
        /// Where it may go, the most preferred first: what was tried before is left out.
        targets: Vec<Redirection>,
        /// The 3xx, for what is not told here.
        response: Response,
    },
    /// An outgoing call was answered, and the ACK is out.
    Accepted {
        /// The call.
        call: CallId,
        /// The answer.
        sdp: Option<String>,
    },
    /// An incoming call stands: our 2xx was acknowledged.
    Confirmed {
        /// The call.
        call: CallId,
        /// The answer, if the INVITE had no offer.
        sdp: Option<String>,
    },
    /// The other side offers a change of the session, by re-INVITE, UPDATE, PRACK or a 2xx to our INVITE without offer.
    /// To be answered by [`answer`](super::UserAgent::answer) or [`refuse`](super::UserAgent::refuse). An offer of
    /// what is in force already is answered without this event.
    Offered {
        /// The call.
        call: CallId,
        /// The offer. `None`: the other side wants one; its answer comes as [`Self::OfferAnswered`].
        sdp: Option<String>,
    },
    /// [`Self::Offered`] needs no answer any more.
    OfferWithdrawn {
        /// The call.
        call: CallId,
        /// Why.
        why: Withdrawal,
    },
    /// Our change of the session was accepted and is in force.
    OfferAnswered {
        /// The call.
        call: CallId,
        /// The answer.
        sdp: String,
    },
    /// Our change of the session was refused, or cannot be: the session is as it was.
    OfferRefused {
        /// The call.
        call: CallId,
        /// Why.
        failure: Failure,
    },
    /// Who is at the other end of a call is known, or has changed: its session identifier (RFC 7989), for logs and for
    /// who asks where a call went. The other side's UUID may change at any time; it proves nothing.
    Session {
        /// The call.
        call: CallId,
        /// Both UUIDs.
        session: SessionIdentifier,
    },
    /// The other side sent an INFO with a DTMF body.
    Info {
        /// The call.
        call: CallId,
        /// `application/dtmf-relay` or `application/dtmf`.
        content_type: SmolStr,
        /// The body.
        body: String,
    },
    /// The other side sent an INFO of a package we take (RFC 6086).
    InfoPackage {
        /// The call.
        call: CallId,
        /// The package with its parameters, as Info-Package has it.
        package: SmolStr,
        /// The body.
        content: Option<Content>,
        /// The INFO, for what is not told here.
        request: Request,
    },
    /// The call is over for the user. Told at once, also while the other side still has to be told.
    Ended {
        /// The call.
        call: CallId,
        /// How.
        end: End,
    },
    /// The other side knows too, or time has run out: nothing of the call is left.
    Released {
        /// The call.
        call: CallId,
    },
    /// A request that a command sent came to its end: told once for each.
    Answered {
        /// Which one.
        request: RequestId,
        /// The 2xx, or what else became of it.
        result: Result<Answer, Failure>,
    },
    /// Somebody sent a message (RFC 3428). It is answered with 200, at once or after
    /// [`Config::message_hold`](super::Config::message_hold).
    Message {
        /// Its name, to answer it while it is held.
        message: MessageId,
        /// The call in whose dialog it came.
        call: Option<CallId>,
        /// Who sent it.
        from: Identity,
        /// Whom it was sent to.
        to: Identity,
        /// What it says; empty messages have no type.
        content: Content,
        /// When it was sent, by its sender's clock.
        date: Option<Date>,
        /// How long it is worth reading, from `date` on or from its arrival (RFC 3428 §7).
        expires: Option<Duration>,
        /// The MESSAGE, for what is not told here.
        request: Request,
    },
    /// Something about a subscription of ours. The last is [`SubscriptionUpdate::Ended`].
    Subscription {
        /// Which one.
        subscription: SubscriptionId,
        /// What.
        update: SubscriptionUpdate,
    },
    /// A NOTIFY that nobody subscribed to, of one of [`Config::unsolicited`](super::Config::unsolicited). It was answered
    /// with 200.
    Unsolicited {
        /// Whose state it tells.
        package: Package,
        /// Who sent it.
        from: Identity,
        /// The state, which [`Document::parse`](crate::events::Document::parse) reads; `None`: it has no body.
        content: Option<Content>,
        /// The NOTIFY, for what is not told here.
        request: Request,
    },
    /// Somebody asks us to call somebody (REFER, RFC 3515), which [`Config::referrals`](super::Config::referrals) lets
    /// them. Answer with [`accept_refer`](super::UserAgent::accept_refer) or
    /// [`refuse_refer`](super::UserAgent::refuse_refer); after two seconds they are told to wait. The call it is about
    /// goes on until somebody hangs up.
    Referred {
        /// The call in which it was asked, or which a request outside calls named (RFC 4538): the one to be transferred.
        /// `None`: whoever asks has shown no knowledge of any.
        call: Option<CallId>,
        /// Who asks, as From says.
        from: Identity,
        /// Names the answer.
        referral: ReferralId,
        /// A SIP URI, which may be anybody's: to be shown to the person, for a call may cost money.
        target: SmolStr,
        /// The target's call that the new one takes the place of.
        replaces: Option<Replacement>,
        /// Who asks, by its own word (RFC 3892).
        referred_by: Option<Identity>,
        /// The REFER, for what is not told here.
        request: Request,
    },
    /// Something about a transfer, or another REFER, that we asked for. The last is
    /// [`TransferUpdate::Ended`](super::TransferUpdate::Ended).
    Transfer {
        /// Which one.
        transfer: TransferId,
        /// The call that is transferred; it may have ended.
        call: Option<CallId>,
        /// What.
        update: TransferUpdate,
    },
    /// Something about somebody's subscription to us. The first is [`WatcherUpdate::Asked`], the last
    /// [`WatcherUpdate::Ended`].
    Watcher {
        /// Which one.
        watcher: WatcherId,
        /// What.
        update: WatcherUpdate,
    },
    /// Something about what we publish. The last is [`PublicationUpdate::Ended`].
    Publication {
        /// Which one.
        publication: PublicationId,
        /// What.
        update: PublicationUpdate,
    },
    /// After `shutdown`: calls have ended, the registration is removed, or both were given up.
    ShutDown,
}

/// Somebody, as a From or To names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sip:bob@localhost`, without parameters.
    pub uri: SmolStr,
    /// The user part without escapes; the whole URI when there is none.
    pub user: SmolStr,
    /// Without quotes.
    pub display_name: Option<SmolStr>,
}

/// Where a registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// None, and none is wanted.
    Unregistered,
    /// Wanted, and not yet there on the present flow.
    Registering,
    /// There.
    Registered,
    /// Being removed.
    Unregistering,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Nothing but 100 was heard, or said.
    Connecting,
    /// 180 was received or sent.
    Ringing,
    /// 2xx was received or sent.
    Established,
    /// Ended; the other side may still have to be told.
    Ended,
}
