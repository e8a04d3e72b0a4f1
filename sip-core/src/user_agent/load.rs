//! What a user agent has dropped, and what it holds.

use super::UserAgent;

/// What was dropped since the user agent was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that are no SIP.
    pub malformed: u64,
    /// Responses that matched nothing.
    pub stray_responses: u64,
    /// Responses with more than one Via, which are for somebody else.
    pub responses_misrouted: u64,
    /// 2xx to one INVITE beyond [`limits::FORKS`](crate::limits::FORKS): acknowledged and hung up like those before.
    pub forks_beyond: u64,
    /// Messages dropped because [`limits::OUTPUTS`](crate::limits::OUTPUTS) was reached.
    pub dropped_outputs: u64,
    /// BYEs given up because [`limits::FAREWELLS`](crate::limits::FAREWELLS) was reached.
    pub dropped_farewells: u64,
}

/// What a user agent holds at this moment. All of it is zero when nothing is going on; a registration that only has to be
/// refreshed in time is nothing that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Transactions.
    pub transactions: usize,
    /// Their timers, two each at most.
    pub timers: usize,
    /// Calls of which something is left; they may have ended for the user.
    pub calls: usize,
    /// Client transactions whose answer somebody waits for.
    pub purposes: usize,
    /// Requests that belong to no call's making or end, a held-up one included.
    pub requests: usize,
    /// MESSAGEs that were not answered yet.
    pub messages: usize,
    /// Subscriptions of ours.
    pub subscriptions: usize,
    /// Subscriptions of others to us.
    pub watchers: usize,
    /// States we publish.
    pub publications: usize,
    /// BYEs and CANCELs that have not been sent or answered.
    pub farewells: usize,
    /// Reliable provisional responses to INVITEs that were refused, whose PRACK may still come.
    pub unpracked: usize,
    /// Requests outside dialogs that may come another way as well.
    pub ongoing: usize,
    /// Requests within dialogs that may come again under another branch.
    pub repeats: usize,
    /// Tokens that were asked for.
    pub tokens: usize,
}

impl Load {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl UserAgent {
    /// What was dropped.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// What is held, for who wants to know whether anything is left behind.
    pub fn load(&self) -> Load {
        Load {
            transactions: self.layer.len(),
            timers: self.layer.timers(),
            calls: self.calls.len(),
            purposes: self.purposes.len(),
            requests: self.requests.len(),
            messages: self.messages.len(),
            subscriptions: self.subscriptions.len(),
            watchers: self.watchers.len(),
            publications: self.publications.len(),
            farewells: self.farewells.len(),
            unpracked: self.unpracked.len(),
            ongoing: self.ongoing.len(),
            repeats: self.repeats.len(),
            tokens: self.tokens.len(),
        }
    }
}
