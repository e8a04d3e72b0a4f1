//! What the location service knows, kept on disk: a restarted gateway, also a killed one, still finds its phones.
//!
//! The bindings are read from memory alone ([`crate::location`]) and no 200 waits for the disk. Memory notes which
//! addresses-of-record changed ([`Changes`]); one thread ([`Writer`]) writes what they then have, all that changed within
//! [`GROUP`] in one transaction. A crash loses at most what changed since the last one, and never the file.

mod changes;
mod database;
mod row;
mod writer;

pub use changes::Changes;
pub use database::{Database, FILE, StoreError};
pub use row::Registrations;
pub use writer::{GROUP, Writer};
