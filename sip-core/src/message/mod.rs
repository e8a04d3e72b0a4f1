//! Syntax and encoding (RFC 3261 §7, §25): bytes ⇄ messages.
//!
//! A message is one immutable buffer and an index of its header fields ([`Headers`]). Views such as [`NameAddr`] and
//! [`Via`] parse on demand and borrow from it. [`Rewrite`] edits by splice, [`Writer`] builds anew.
//!
//! Everything here takes time linear in the message's size, whatever the message: the index is one walk over the head,
//! a view is one walk over its value for each parameter it knows, a rewrite is one copy (and sorts its few edits). What
//! would compare each with each — parameters of URIs, of `tel` numbers, of credentials — has a cap. Parsing allocates
//! once, and again for the index of a message of more than 24 fields; views allocate nothing, but for a
//! method's name of more than 23 bytes, and while an IPv6 address with three colons is read (RFC 5118 §4.10).
//!
//! What it does not do: look into bodies, or decide what a message means.

pub(crate) mod chars;
pub(crate) mod digits;
mod error;
mod fields;
mod headers;
mod index;
mod indexed;
mod method;
mod name;
mod params;
mod parse;
mod places;
mod request;
mod rewrite;
mod scan;
mod session;
mod tel;
#[cfg(test)]
mod tests;
pub mod typed;
mod uri;
mod uri_comparison;
pub mod validate;
mod value;
mod writer;

pub(crate) use chars::is_token;
pub use error::{Fault, ParseError};
pub use fields::{FieldError, Fields};
pub(crate) use fields::{check as check_field, is_the_cores};
pub use headers::Headers;
pub use indexed::Field;
pub use method::Method;
pub use name::HeaderName;
pub(crate) use params::push_param;
pub use params::{Params, quote, unquote};
pub use parse::{Message, Refused};
pub use request::{Request, Response};
pub use rewrite::Rewrite;
pub use scan::scan_call_id;
pub use session::{SessionIdentifier, Uuid};
pub use tel::{TelUri, number_in};
pub use uri::{
    Host, SipUri, Uri, as_sip, as_sips, escape_header, escape_param, escape_user, is_sips, unescape,
};
pub use value::{CSeq, NameAddr, Via, split_list};
pub use writer::{Writer, reason_phrase};
