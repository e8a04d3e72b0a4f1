//! The transport layer (RFC 3261 §18): framing, flows, Via's `received` and `rport`, route tokens.
//!
//! What it does not do: open sockets, or look names up.

mod flow;
pub mod framing;
mod registration;
mod token;
pub mod via;

pub use flow::{FlowId, Hop, Transport};
pub use registration::RegistrationKey;
pub use token::{DEFAULT_TOKEN_LIFETIME, RouteTarget, RouteTokens};
