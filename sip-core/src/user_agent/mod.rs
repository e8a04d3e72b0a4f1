//! The user agent: registration, and calls to and from one address-of-record over one flow (RFC 3261 §8, §10,
//! §13–§15, RFC 5626 §4, RFC 7118).
//!
//! What it does not do: media and its description (SDP passes through), forking of its own, and reliable
//! provisional responses.

mod config;
mod error;
mod event;

pub use config::{Aor, AorError, Config};
pub use error::{CallError, CommandError, RegisterError};
pub use event::{
    CallId, CallState, Cause, End, Event, Failure, Identity, Input, Output, RegistrationState, Side,
};
