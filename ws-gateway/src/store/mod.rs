//! What the location service knows, kept on disk: a restarted gateway, also a killed one, still finds its phones.
//!
//! The bindings are read from memory alone ([`crate::location`]) and no 200 waits for the disk. Memory notes which
//! addresses-of-record changed ([`Changes`]); one thread ([`Writer`]) writes what they then have, all that changed within
//! [`GROUP`] in one transaction. A crash loses at most what changed since the last one, and never the file.
//!
//! So are the calls that are being set up, as the core tells them: their callees ring on over a restart. Of one that is answered before it
//! was written nothing is.

mod calls;
mod changes;
mod database;
mod row;
mod writer;

pub use calls::CallRows;
pub use changes::Changes;
pub use database::{Database, FILE, StoreError};
pub use row::Registrations;
pub use writer::{GROUP, Writer};
