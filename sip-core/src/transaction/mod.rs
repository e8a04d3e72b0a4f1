//! Transactions (RFC 3261 §17 as amended by RFC 6026 and RFC 4320): a request and all its responses.
//!
//! Four state machines, one file each, are tables without side effects: state and input in, state and actions
//! out. [`Layer`] holds the transactions, finds the one a message belongs to, keeps the timers and carries the
//! actions out.
//!
//! What it does not do: acknowledge or retransmit 2xx to INVITE (that is its user's, §13), send the ACK for them,
//! answer with 100 to INVITE, time out ringing (Timer C, §16.6), or choose a hop.

mod by_id;
mod client;
mod event;
mod flows;
mod invite_client;
mod invite_server;
mod kept;
mod key;
mod layer;
mod machine;
mod merged;
mod non_invite_client;
mod non_invite_server;
mod outputs;
mod room;
mod schedule;
mod server;
mod tables;
#[cfg(test)]
mod tests;
mod timers;

pub(crate) use by_id::ById;
pub use event::{ClientId, Counters, Event, Output, Received, ServerId};
pub use kept::Origin;
pub use layer::Layer;
pub(crate) use merged::Ongoing;
pub use room::Caps;
pub use timers::Timers;
