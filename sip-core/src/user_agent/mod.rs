//! The user agent: registration, and calls to and from one address-of-record over one flow (RFC 3261 §8, §10,
//! §13–§15, RFC 5626 §4, RFC 7118).
//!
//! A call outlives its flow: while there is none, or it is not registered yet, requests within dialogs wait.
//!
//! What it does not do: media and its description (SDP passes through), following redirections, renegotiation, and
//! reliable provisional responses.

mod call;
mod checks;
mod config;
mod endpoint;
mod error;
mod event;
mod failure;
mod farewell;
mod few;
mod incoming;
mod info;
mod local;
mod outgoing;
mod received;
mod registration;
mod target;
#[cfg(test)]
mod tests;

pub use config::{Aor, AorError, Config};
pub use endpoint::{Counters, UserAgent};
pub use error::{CallError, CommandError, RegisterError};
pub use event::{
    CallId, CallState, Cause, End, Event, Failure, Identity, Input, Output, RegistrationState, Side,
};

use endpoint::{Purpose, body_text};
