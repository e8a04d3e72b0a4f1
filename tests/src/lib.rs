//! What the tests across the crates share: the gateway as it is shipped, the foreign programs it talks to, and the
//! simulation. The tests themselves are the files in `tests/tests`.
//!
//! Nothing is skipped: a program that is not installed fails the test with the package to install.

pub mod baresip;
pub mod corpus;
pub mod dns;
pub mod gateway;
pub mod kamailio;
pub mod process;
pub mod simulation;
pub mod sipp;

/// The account every foreign caller uses, and its callee. Their passwords are [`gateway::PASSWORD`].
pub const ACCOUNTS: [&str; 4] = ["carol", "dave", "erin", "frank"];
