//! The response context (§16.7): one request, its branches, and what went back for it.

use alloc::vec::Vec;

use super::best::{Final, best};
use crate::message::{Method, Request};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::{FlowId, RouteTarget};

/// Timer C (§16.6 step 11): "MUST be larger than 3 minutes".
pub(super) const TIMER_C: Duration = Duration::from_secs(185);

/// How long a call that rings waits for a caller whose flow was lost, before it is cancelled.
pub(super) const LOST_CALLER: Duration = Duration::from_secs(10);

/// One request on its way, in one copy or several.
#[derive(Debug)]
pub(super) struct Context {
    /// As it was received.
    pub(super) request: Request,
    /// Who sent it.
    pub(super) sender: RouteTarget,
    pub(super) branches: Vec<Branch>,
    /// A final response went back.
    pub(super) answered: bool,
    /// The caller sent CANCEL.
    pub(super) cancelled: bool,
    /// When a caller that was lost is given up, and which flow it was lost with.
    pub(super) lost: Option<(Instant, FlowId)>,
    /// What the table of deadlines has for this context.
    pub(super) deadline: Option<Instant>,
}

/// One copy.
#[derive(Debug)]
pub(super) struct Branch {
    /// Its client transaction, while there is one.
    pub(super) client: Option<ClientId>,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    /// No final response yet. INVITE has Timer C, until it fires.
    Pending { timer_c: Option<Instant> },
    /// A 2xx to INVITE: more of them may come while the client transaction lives (RFC 6026).
    Accepted,
    /// Over.
    Ended(Final),
}

impl Branch {
    pub(super) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }
}

impl Context {
    pub(super) const fn new(request: Request, sender: RouteTarget) -> Self {
        Self {
            request,
            sender,
            branches: Vec::new(),
            answered: false,
            cancelled: false,
            lost: None,
            deadline: None,
        }
    }

    pub(super) fn is_invite(&self) -> bool {
        *self.request.method() == Method::Invite
    }

    pub(super) fn branch_of(&mut self, client: ClientId) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.client == Some(client))
    }

    /// The client transactions of branches without a final response.
    pub(super) fn pending(&self) -> Vec<ClientId> {
        self.branches.iter().filter(|b| b.is_pending()).filter_map(|b| b.client).collect()
    }

    /// How the branches that are over ended.
    pub(super) fn finals(&self) -> impl Iterator<Item = &Final> {
        self.branches.iter().filter_map(|branch| match &branch.state {
            State::Ended(end) => Some(end),
            _ => None,
        })
    }

    /// The best response, once every branch is over and none went back yet (§16.7 step 6).
    pub(super) fn conclusion(&self) -> Option<&Final> {
        if self.answered || self.branches.iter().any(Branch::is_pending) {
            return None;
        }
        best(self.finals())
    }

    /// Nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        self.answered
            && self.branches.iter().all(|branch| match branch.state {
                State::Pending { .. } => false,
                State::Accepted => branch.client.is_none(),
                State::Ended(_) => true,
            })
    }

    /// The next time this context asks for attention.
    pub(super) fn next(&self) -> Option<Instant> {
        let timers = self.branches.iter().filter_map(|branch| match branch.state {
            State::Pending { timer_c } => timer_c,
            _ => None,
        });
        timers.chain(self.lost.map(|(at, _)| at)).min()
    }
}
