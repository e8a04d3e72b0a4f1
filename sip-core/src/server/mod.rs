//! Registrar, proxy and the server's own user agent behind one handle.

mod boundary;
mod config;
mod counters;

pub use crate::transport::RouteTarget;
pub use boundary::{Answer, Identity, Input, Output, Question, QuestionId};
pub use config::{Config, Limits};
pub use counters::Counters;
