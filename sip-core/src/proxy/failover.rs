//! When a server of another domain fails, the next one is tried (RFC 3263 §4.3): a new copy with a new branch in the place
//! of the old, never two at once.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Detours;
use super::best::Final;
use super::context::{Branch, Context, State};
use super::shapes::{Target, Turn};
use super::table::{Proxy, end};
use crate::message::typed::RetryAfter;
use crate::time::Duration;
use crate::transaction::{ClientId, ServerId};
use crate::transport::Hop;

/// A request whose target failed: whoever drives the proxy finds a hop over one of the ways and calls
/// [`Proxy::resume`].
#[derive(Clone, Debug)]
pub struct Retry {
    /// Its server transaction.
    pub server: ServerId,
    /// What there is to try.
    pub detours: Box<Detours>,
    /// How the branch ends if there is none.
    how: Final,
}

/// A target that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub hop: Hop,
    /// How long it wants to be left alone (§21.5.4).
    pub retry_after: Option<Duration>,
}

impl Proxy {
    /// What a proxy cannot go on without.
    pub fn poll_retry(&mut self) -> Option<Retry> {
        self.retries.pop_front()
    }

    /// A target that failed since this was last asked.
    pub fn poll_failure(&mut self) -> Option<Failure> {
        self.failures.pop_front()
    }

    /// The way that a [`Retry`] asked for; `None`: there is none, and the branch ends as it had failed.
    pub fn resume(&mut self, turn: &mut Turn<'_>, retry: Retry, target: Option<Target>) {
        let Retry { server, how, .. } = retry;
        let Some(mut context) = self.contexts.remove(&server) else { return };
        context.awaited = context.awaited.saturating_sub(1);
        match target {
            // Before all that wait: it takes the place of one that was being tried.
            Some(target) if !context.is_settled() => {
                self.counters.failovers += 1;
                let q = context.level;
                context.waiting.push_front(Target { q, ..target });
            }
            _ => context.branches.push(Branch::ended(how)),
        }
        self.settle(turn, server, context);
    }

    /// A branch failed in a way that says more of its target than of the request. Unless it went to a registered contact,
    /// had been heard of, or nobody waits for it any more, the next way is sought.
    pub(super) fn fail(&mut self, server: ServerId, context: &mut Context, client: ClientId, how: Final) {
        let settled = context.is_settled();
        let Some(branch) = context.branch_of(client).filter(|branch| branch.is_pending()) else { return };
        let Some(detours) = &branch.detours else { return end(context, client, how) };
        let how = match how {
            // The flow of a contact that is gone is an absence, a domain's server that is gone a fault.
            Final::Local(480) => Final::Local(500),
            how => how,
        };
        // The request may have arrived where there was a response already: the next would be a second call.
        if branch.heard && matches!(how, Final::Local(_)) {
            return end(context, client, how);
        }
        self.failures.push_back(Failure { hop: detours.hop, retry_after: retry_after(&how) });
        let more = !detours.ways.is_empty() && !settled && !branch.given_up;
        let Some(detours) = branch.detours.take_if(|_| more) else { return end(context, client, how) };
        branch.state = State::Replaced;
        context.awaited += 1;
        self.retries.push_back(Retry { server, detours, how });
    }

    /// Gives up on targets that have been silent for too long.
    pub(super) fn lose_patience(&mut self, turn: &mut Turn<'_>, server: ServerId, context: &mut Context) {
        let mut silent = Vec::new();
        for branch in &mut context.branches {
            if branch.is_pending() && branch.patience.take_if(|at| *at <= turn.now).is_some() {
                silent.extend(branch.client);
            }
        }
        for client in silent {
            turn.layer.abandon(client);
            self.clients.remove(&client);
            self.fail(server, context, client, Final::Local(408));
        }
    }
}

fn retry_after(how: &Final) -> Option<Duration> {
    let Final::Far(response) = how else { return None };
    let field = response.headers().typed::<RetryAfter<'_>>().ok()??;
    Some(Duration::from_secs(u64::from(field.seconds)))
}
