//! Proxy (RFC 3261 §16): validate, route, fork, forward, choose the response.
//!
//! [`validate`] and [`Path::read`] say what a request is, whoever drives the proxy finds the targets and calls
//! [`Proxy::fork`], and everything the transaction layer then tells about the branches goes to the proxy.
//!
//! What it does not do: look up bindings, authenticate, look into bodies, find next hops, or know dialogs. A
//! contact is reached over the flow it registered over and nothing else; of another domain's servers the next is tried
//! when one fails.

mod again;
mod answered;
mod best;
mod branch;
mod context;
mod divert;
mod domain;
mod edge;
mod failover;
mod forward;
mod history;
mod identity;
mod kept;
mod privacy;
mod record_route;
mod refusal;
mod route;
mod session_timer;
mod shapes;
mod sips;
mod stateless;
mod table;
mod targets;
mod telephone;
mod validate;

pub use again::Absence;
pub use context::Detours;
pub use divert::{Diverter, Forward, Forwards, Occasion};
pub use domain::Domain;
pub use edge::{EdgeRole, Granted, mark};
pub use failover::{Failure, Retry};
pub use identity::Asserted;
pub(crate) use kept::COMEBACK;
pub use kept::{Keep, KeptCall};
pub use privacy::unprovided;
pub use refusal::{Ended, Refusal, ending, trace, warning};
pub use route::{Path, Sender, loosen, without_maddr};
pub use session_timer::{LEAST as LEAST_SESSION_INTERVAL, SessionTimer};
pub use shapes::{Counters, Inbound, Lost, Settings, Target, Targets, Turn, Wanted};
pub use sips::Secure;
pub use stateless::{Stateless, back, settled, stateless_tag};
pub use table::Proxy;
pub use telephone::number_as_user;
pub use validate::{RULES, validate};
