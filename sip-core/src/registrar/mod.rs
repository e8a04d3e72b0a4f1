//! Registrar (RFC 3261 §10, RFC 3327, RFC 5626 §6, RFC 5627 §5): what a REGISTER asks for, and what that does to the bindings of an
//! address-of-record.
//!
//! The bindings live outside the core. [`read`] turns a REGISTER into a [`BindingUpdate`], whoever keeps the
//! bindings calls [`apply`] under the address-of-record's lock, and [`accept`] writes the 200 from the result.
//!
//! What those are told who watch an address-of-record is a [`Report`].
//!
//! What it does not do: authenticate, keep bindings, or keep subscriptions.

mod awaited;
mod binding;
mod gruu;
mod read;
mod reginfo;
mod response;
#[cfg(test)]
mod tests;
mod update;

pub use awaited::{Awaited, Contacts};
pub use binding::{Binding, ContactKey, Origin, holder, is_known, is_there, reach, registered_at};
pub use gruu::{Gruus, Instance};
pub use read::{Bounds, RULES, Refusal, read};
pub use reginfo::{Ended, Report, ended};
pub use response::{Answer, Clock, accept};
pub use update::{BindingUpdate, Caps, Change, ContactUpdate, UpdateError, apply};
