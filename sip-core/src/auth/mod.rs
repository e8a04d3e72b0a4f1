//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), client and server side.
//!
//! Text in, text out: a header field's value is a `&str` here, and whether a request must be authenticated at all
//! is decided elsewhere.
//!
//! The client's side also carries bearer tokens (RFC 8898); where they come from is not its business.
//!
//! What the server's side does not do: the `-sess` algorithms, `auth-int`, `userhash` and `nextnonce`.

mod algorithm;
mod bearer;
mod challenge;
mod client;
mod credentials;
mod guesses;
mod nonce;
mod params;
mod replay;
mod secrets;
mod verify;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, HexDigest, Qop};
pub use bearer::BearerChallenge;
pub use challenge::Challenge;
pub use client::{Attempt, Authority, Authorization, Client, ClientError};
pub use credentials::{Credentials, Protection};
pub use guesses::{Guesses, Patience};
pub use nonce::DEFAULT_NONCE_LIFETIME;
pub(crate) use nonce::is_like_ours;
pub use params::ParseError;
pub use replay::{NonceUse, Replays};
pub use secrets::{InvalidHa1, Secrets};
pub use verify::{Challenger, Outcome};
