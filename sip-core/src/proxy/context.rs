//! The response context (§16.7): one request, its targets and branches, and what went back for it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::again::Sent;
use super::best::{Final, best};
use super::branch::LoopMark;
use super::divert::Diverter;
use super::history::Diverted;
use super::kept::Written;
use super::session_timer::Asked;
use super::shapes::{Inbound, Target};
use crate::message::Method;
use crate::message::typed::QValue;
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::target::Way;
use crate::transport::{FlowId, Hop, RouteTarget};

/// Timer C (§16.6 step 11): "MUST be larger than 3 minutes".
pub(super) const TIMER_C: Duration = Duration::from_secs(185);

/// How long a call that rings waits for a caller whose flow was lost, before it is cancelled.
pub(super) const LOST_CALLER: Duration = Duration::from_secs(10);

/// How long a target may stay silent while there are others to try. RFC 3263 §4.3 waits for Timer B or F, 32 s, when
/// no caller waits any more. INVITE is answered with 100 within 200 ms by all but the dead; of others not even the living
/// may say a word before 3.5 s (RFC 4320 §4.1).
pub(super) const fn patience(method: &Method) -> Duration {
    Duration::from_secs(if matches!(method, Method::Invite) { 5 } else { 10 })
}

/// One request on its way, in one copy or several.
#[derive(Debug)]
pub(super) struct Context {
    /// As it was received, and from whom.
    pub(super) inbound: Inbound,
    /// What a copy that comes back here is known by.
    pub(super) mark: LoopMark,
    /// The Record-Route that leads back to the sender, if the request begins a dialog.
    pub(super) back: Option<String>,
    /// Incoming Max-Breadth (RFC 5393 §5.3.2).
    pub(super) breadth: u32,
    /// The session timer that is asked for (RFC 4028 §8.1).
    pub(super) session: Option<Asked>,
    pub(super) branches: Vec<Branch>,
    /// Targets still to be tried, in order of preference (§16.6: "ordered ... by qvalue").
    pub(super) waiting: VecDeque<Target>,
    /// The weight of what is being tried now.
    pub(super) level: QValue,
    /// When those that ring make way for the next, if there are any.
    pub(super) ring: Option<Instant>,
    /// URIs whose targets are being looked for (§16.5: a 3xx that is followed), and servers to take the place of one that
    /// failed.
    pub(super) awaited: usize,
    /// Targets of those who are called now that are being sought.
    pub(super) sought: usize,
    /// URIs that a 3xx named and were followed.
    pub(super) followed: Vec<SmolStr>,
    /// Whose calls may be forwarded, of those who are called now.
    pub(super) diverter: Option<Box<Diverter>>,
    /// Where it was forwarded from.
    pub(super) diverted: Option<Box<Diverted>>,
    /// When it is forwarded because nobody answers.
    pub(super) no_answer: Option<Instant>,
    /// How often it went on to another address: who was called before that is called no more.
    pub(super) aim: u32,
    /// A final response went back.
    pub(super) answered: bool,
    /// The caller sent CANCEL.
    pub(super) cancelled: bool,
    /// When a caller that was lost is given up, and which flow it was lost with.
    pub(super) lost: Option<(Instant, FlowId)>,
    /// What the table of deadlines has for this context.
    pub(super) deadline: Option<Instant>,
    /// What was written down of it, for a restart.
    pub(super) written: Option<Box<Written>>,
}

/// One copy.
#[derive(Debug)]
pub(super) struct Branch {
    /// Its client transaction, while there is one.
    pub(super) client: Option<ClientId>,
    /// Of what else went to the same receiver; see [`Name::short`](super::branch::Name::short).
    pub(super) name: u32,
    pub(super) state: State,
    /// Its share of Max-Breadth, until it has its final response.
    pub(super) breadth: u32,
    /// It rang too long: the next target does not wait for its end.
    pub(super) given_up: bool,
    /// Other flows of the same instance (RFC 5626 §7).
    pub(super) spares: Vec<Target>,
    /// What went to a registered receiver within a dialog, or made it ring: it waits for it when its flow is lost.
    pub(super) again: Option<Sent>,
    /// Whom it went to, where that is to be written down.
    pub(super) receiver: Option<Box<RouteTarget>>,
    /// TLS is promised on its hop.
    pub(super) secure: bool,
    /// See [`Target::detours`].
    pub(super) detours: Option<Box<Detours>>,
    /// When silence has lasted too long, as long as there is something else to try.
    pub(super) patience: Option<Instant>,
    /// There was a response.
    pub(super) heard: bool,
    /// One above 100.
    pub(super) rang: bool,
}

/// Where a copy for another domain went, and where it may go if that fails (RFC 3263 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detours {
    /// Whom it went to.
    pub hop: Hop,
    /// The other ways, in the order they are to be tried.
    pub ways: Vec<Way>,
    /// The user part that the Request-URI gets, with the way's domain as its host; `None`: it stays as it is.
    pub user: Option<SmolStr>,
    /// The Request-URI, where it is another than that of the request.
    pub contact: Option<SmolStr>,
    /// See [`RouteTarget::Peer`](crate::transport::RouteTarget::Peer).
    pub onward: bool,
}

#[derive(Debug)]
pub(super) enum State {
    /// No final response yet. INVITE has Timer C, until it fires.
    Pending { timer_c: Option<Instant> },
    /// A 2xx to INVITE: more of them may come while the client transaction lives (RFC 6026).
    Accepted,
    /// Over.
    Ended(Final),
    /// Over, and other branches stand for it: another flow of the instance, another server of the domain, or what its 3xx
    /// named.
    Replaced,
}

impl Branch {
    /// One that never was sent.
    pub(super) const fn failed(status: u16) -> Self {
        Self::ended(Final::Local(status))
    }

    /// One that is over.
    pub(super) const fn ended(how: Final) -> Self {
        Self {
            client: None,
            name: 0,
            state: State::Ended(how),
            breadth: 0,
            given_up: false,
            spares: Vec::new(),
            again: None,
            receiver: None,
            secure: false,
            detours: None,
            patience: None,
            heard: false,
            rang: false,
        }
    }

    pub(super) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }
}

impl Context {
    pub(super) const fn new(inbound: Inbound, mark: LoopMark, back: Option<String>, breadth: u32) -> Self {
        Self {
            inbound,
            mark,
            back,
            breadth,
            session: None,
            branches: Vec::new(),
            waiting: VecDeque::new(),
            level: QValue::ONE,
            ring: None,
            awaited: 0,
            sought: 0,
            followed: Vec::new(),
            diverter: None,
            diverted: None,
            no_answer: None,
            aim: 0,
            answered: false,
            cancelled: false,
            lost: None,
            deadline: None,
            written: None,
        }
    }

    pub(super) fn is_invite(&self) -> bool {
        *self.inbound.request.method() == Method::Invite
    }

    /// A CANCEL for what nobody here remembers is for all who may have it (§16.10).
    fn is_cancel(&self) -> bool {
        *self.inbound.request.method() == Method::Cancel
    }

    pub(super) fn branch_of(&mut self, client: ClientId) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.client == Some(client))
    }

    /// The client transactions of branches without a final response.
    pub(super) fn pending(&self) -> Vec<ClientId> {
        self.branches.iter().filter(|b| b.is_pending()).filter_map(|b| b.client).collect()
    }

    /// Whether one of these copies has its final response.
    pub(super) fn has_ended(&self, copies: &[(ClientId, bool)]) -> bool {
        self.branches.iter().any(|branch| {
            let is_it = |client| copies.iter().any(|(copy, _)| *copy == client);
            matches!(branch.state, State::Ended(_)) && branch.client.is_some_and(is_it)
        })
    }

    /// How the branches that are over ended.
    pub(super) fn finals(&self) -> impl Iterator<Item = &Final> {
        self.branches.iter().filter_map(|branch| match &branch.state {
            State::Ended(end) => Some(end),
            _ => None,
        })
    }

    /// What of Max-Breadth no branch uses (RFC 5393 §5.3.3.1).
    pub(super) fn breadth_left(&self) -> u32 {
        let outgoing: u32 = self.branches.iter().filter(|b| b.is_pending()).map(|b| b.breadth).sum();
        self.breadth.saturating_sub(outgoing)
    }

    /// Whether no further target is tried: an answer went back, nobody waits for one, or a 6xx speaks for all (§16.7
    /// step 5).
    pub(super) fn is_settled(&self) -> bool {
        (self.answered && !self.is_cancel()) || self.cancelled || self.finals().any(|end| end.status() >= 600)
    }

    /// The best response, once every branch is over, no target is left and none went back yet (§16.7 step 6).
    pub(super) fn conclusion(&self) -> Option<&Final> {
        const CANCELLED: &Final = &Final::Local(487);
        let searching = !self.is_settled() && (self.awaited + self.sought > 0 || !self.waiting.is_empty());
        if self.answered || searching || self.branches.iter().any(Branch::is_pending) {
            return None;
        }
        // Who cancelled a call that went on from somebody else hears of that.
        if self.cancelled
            && let Some(end) = self.finals().find(|end| end.status() == 487)
        {
            return Some(end);
        }
        // Without any, the caller cancelled what had not been sent yet.
        Some(best(self.finals()).unwrap_or(CANCELLED))
    }

    /// An answer went back, and nothing more can come of it but further 2xx to INVITE.
    pub(super) fn is_over(&self) -> bool {
        let waits = self.is_cancel() && self.sought > 0;
        self.answered && !waits && !self.branches.iter().any(Branch::is_pending)
    }

    /// The next time this context asks for attention.
    pub(super) fn next(&self) -> Option<Instant> {
        let timers = self.branches.iter().filter_map(|branch| match branch.state {
            State::Pending { timer_c } => timer_c.into_iter().chain(branch.patience).min(),
            _ => None,
        });
        timers.chain(self.lost.map(|(at, _)| at)).chain(self.ring).chain(self.no_answer).min()
    }
}
