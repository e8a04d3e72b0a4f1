//! Why a command was refused. Commands change nothing when they fail.

use smol_str::SmolStr;

use super::CallState;
use crate::events::NotifierState;
use crate::message::{FieldError, HeaderName};
use crate::offer_answer::Fault;

/// Why a command about the registration was refused: `register`, `unregister`, `unregister_all`, `fetch_bindings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// `shutdown` was called.
    #[error("the user agent is shut down")]
    ShutDown,
    /// No flow is open.
    #[error("there is no connection")]
    Offline,
    /// A header field that the user agent writes itself.
    #[error("the field {0} cannot be set")]
    ReservedField(HeaderName),
}

/// Why [`UserAgent::provide_token`](super::UserAgent::provide_token) was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing of this name waits, or no longer.
    #[error("no token was asked for, or it comes too late")]
    NotAsked,
    /// It is no token by RFC 6750 §2.1. What waits goes on waiting.
    #[error("a token has letters, digits and -._~+/ only")]
    Malformed,
}

/// Why [`UserAgent::restore`](super::UserAgent::restore) was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// `shutdown` was called.
    #[error("the user agent is shut down")]
    ShutDown,
    /// The snapshot is too old.
    #[error("the snapshot has expired")]
    Expired,
    /// [`limits::CALLS`](crate::limits::CALLS) are held already.
    #[error("too many calls")]
    TooManyCalls,
    /// It is no dialog that could be gone on with.
    #[error("the snapshot has no dialog that could be gone on with")]
    Invalid,
    /// The call is here.
    #[error("the call is here already")]
    AlreadyHere,
    /// The offer that was given is at fault.
    #[error("{0}")]
    Description(Fault),
}

/// Why [`UserAgent::call`](super::UserAgent::call) was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The target is no user, `user@host` or SIP URI.
    #[error("the target is no user name, address or SIP URI")]
    InvalidTarget,
    /// A `sips` URI, and the flow has no TLS (RFC 5630 §5.1.1).
    #[error("a sips URI is reached over TLS alone, and the connection has none")]
    Insecure,
    /// No flow is open.
    #[error("there is no connection")]
    Offline,
    /// [`limits::CALLS`](crate::limits::CALLS) are held already.
    #[error("too many calls")]
    TooManyCalls,
    /// `shutdown` was called.
    #[error("the user agent is shut down")]
    ShutDown,
    /// There is no such call, or its other side has not said that it knows Target-Dialog (RFC 4538).
    #[error("there is no call that could be named")]
    NoTargetDialog,
    /// The INVITE would not fit into one message.
    #[error("the session description is too large")]
    TooLarge,
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The target is no user, `user@host` or SIP URI.
    #[error("the target is no user name, address or SIP URI")]
    InvalidTarget,
    /// A `sips` URI, and the flow has no TLS (RFC 5630 §5.1.1).
    #[error("a sips URI is reached over TLS alone, and the connection has none")]
    Insecure,
    /// No flow is open, or it is not registered yet.
    #[error("there is no connection")]
    Offline,
    /// There is no such call, or nothing of it is left.
    #[error("there is no such call")]
    NoDialog,
    /// The call is not established.
    #[error("not possible while the call is {0:?}")]
    WrongState(CallState),
    /// [`limits::REQUESTS`](crate::limits::REQUESTS) are on their way already.
    #[error("too many requests at once")]
    TooMany,
    /// The request would be too large.
    #[error("the request would have {bytes} bytes, {most} are allowed")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// The method is no token, or has a command of its own.
    #[error("the method cannot be sent so")]
    InvalidMethod,
    /// The other side has not said that it takes this Info Package (RFC 6086 §5.2.2).
    #[error("the other side does not take this package")]
    PackageNotTaken,
    /// A header field that is not the caller's to write.
    #[error("the field {0} cannot be set")]
    ReservedField(SmolStr),
    /// A header field that has no legal name or value.
    #[error("{0}")]
    Field(FieldError),
    /// `shutdown` was called.
    #[error("the user agent is shut down")]
    ShutDown,
}

/// Why a command on a subscription or publication was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// There is no such thing, or it is over.
    #[error("there is no such subscription or publication")]
    Unknown,
    /// A refusal's status is 300–699.
    #[error("{0} is no status to refuse with")]
    InvalidStatus(u16),
    /// Nobody has accepted the subscription yet, or it is over and only its last NOTIFY is left to deliver.
    #[error("not possible while the subscription is {0:?}")]
    WrongState(NotifierState),
}

/// Why a call that the other side asks for was not made or refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferralError {
    /// There is no such request, it is decided, or nobody waits for it any more.
    #[error("there is no such request for a call")]
    Unknown,
    /// A refusal's status is 300–699.
    #[error("{0} is no status to refuse with")]
    InvalidStatus(u16),
    /// The call cannot be made.
    #[error("{0}")]
    Call(CallError),
}

/// Why a MESSAGE was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It has its answer.
    #[error("the message is answered already")]
    Answered,
    /// A refusal's status is 300–699.
    #[error("{0} is no status to refuse with")]
    InvalidStatus(u16),
}

/// Why a command on a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such call, or nothing of it is left.
    #[error("there is no such call")]
    NoSuchCall,
    /// The call is not in a state for this.
    #[error("not possible while the call is {0:?}")]
    WrongState(CallState),
    /// The description is no legal offer or answer now.
    #[error("the description is refused: {0}")]
    Description(Fault),
    /// This can only be done to an incoming call, or only to an outgoing one.
    #[error("not possible in this direction")]
    WrongDirection,
    /// A refusal's status is 300–699, a redirection's 300–399.
    #[error("{0} is no status to refuse with")]
    InvalidStatus(u16),
    /// There is nowhere to send the caller, or what is given is no user, `user@host` or SIP URI, or they are more than
    /// [`limits::REDIRECTIONS`](crate::limits::REDIRECTIONS).
    #[error("the target is no user name, address or SIP URI")]
    InvalidTarget,
    /// The message would be too large.
    #[error("the body is too large")]
    TooLarge,
    /// The other side does not take UPDATE.
    #[error("the other side does not take UPDATE")]
    NoUpdate,
    /// No flow is open, or it is not registered yet.
    #[error("there is no connection")]
    Offline,
}
