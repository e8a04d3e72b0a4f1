//! The transport layer (RFC 3261 §18): framing, flows, Via's `received` and `rport`, route tokens, and where a URI
//! leads (RFC 3263).
//!
//! What it does not do: open sockets, or ask DNS.

mod flow;
pub mod framing;
mod household;
mod path;
mod registration;
mod seal;
pub mod stun;
pub mod target;
mod token;
pub mod via;

pub use flow::{FlowId, Hop, Transport};
pub use household::household;
pub use path::FlowToken;
pub use registration::{RegistrationKey, is_same_instance};
pub use seal::Seals;
pub use token::{DEFAULT_TOKEN_LIFETIME, Phone, RouteTarget, RouteTokens, Unopened};
