//! The operating system's seams around [`sip_core`]: sockets, HTTP, files, configuration, metrics.
//!
//! What to do with a message is decided in the core; nothing here looks at a header or a body. Read in the order a
//! message passes: [`listener`] and [`http`] → [`connection`] → [`exchange`] → [`shard`] → the core → [`flows`] →
//! the writer of the other [`connection`]. [`location`], kept on disk by [`store`], [`accounts`], `resolver` and [`dialer`]
//! answer the core's questions; [`targets`] remembers which servers failed.

pub mod accounts;
pub mod budget;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod data;
pub mod datagrams;
pub mod dialer;
pub mod entropy;
pub mod exchange;
pub mod flows;
mod gateway;
pub mod http;
pub mod keys;
pub mod listener;
pub mod location;
pub mod log_limit;
pub mod metrics;
pub mod places;
mod resolver;
mod restore;
pub mod shard;
pub mod store;
pub mod targets;
pub mod tls;
mod watched;

pub use config::Config;
pub use gateway::{Addresses, Gateway};
