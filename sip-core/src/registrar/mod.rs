//! Registrar (RFC 3261 §10, RFC 5626 §6): what a REGISTER asks for, and what that does to the bindings of an
//! address-of-record.
//!
//! The bindings live outside the core. [`read`] turns a REGISTER into a [`BindingUpdate`], whoever keeps the
//! bindings calls [`apply`] under the address-of-record's lock, and [`accept`] writes the 200 from the result.
//!
//! What it does not do: authenticate, keep bindings, or Path (RFC 3327).

mod binding;
mod read;
mod response;
#[cfg(test)]
mod tests;
mod update;

pub use binding::{Binding, reach};
pub use read::{Bounds, RULES, Refusal, read};
pub use response::accept;
pub use update::{BindingUpdate, Caps, Change, ContactUpdate, UpdateError, apply};
