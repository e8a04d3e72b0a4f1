//! A complete SIP core without I/O.
//!
//! Everything a SIP element decides is here and nothing it does: no socket, no clock, no randomness, no
//! logging. Inputs and a `now` go in, outputs come out, so the same code runs in a browser tab, in the gateway
//! and in a simulation on a virtual clock.
//!
//! Modules stand in the order of RFC 3261's layers; a module uses only those before it:
//!
//! `time entropy limits` → [`message`] → [`body`] → [`auth`] → [`transport`] → [`transaction`] → [`dialog`] →
//! { [`offer_answer`], [`events`] } → { [`user_agent`] | [`registrar`], [`proxy`] } → [`server`]
//!
//! # Driving an endpoint
//!
//! [`user_agent::UserAgent`] and [`server::Server`] are driven alike: after any input or command, drain
//! `poll_output` until it is `None`, then sleep until `poll_timeout`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod auth;
pub mod body;
pub mod dialog;
pub mod entropy;
pub mod events;
pub mod limits;
pub mod message;
pub mod offer_answer;
pub mod proxy;
pub mod registrar;
pub mod server;
pub mod time;
pub mod transaction;
pub mod transport;
pub mod user_agent;
