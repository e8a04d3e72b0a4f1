//! What is asked of the servers.

pub mod phone;
pub mod sipp;
pub mod websocket;

/// What came of a load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Operations done.
    pub done: u64,
    /// And those that failed.
    pub failed: u64,
    /// Requests and responses that had to be repeated.
    pub repeated: u64,
}
