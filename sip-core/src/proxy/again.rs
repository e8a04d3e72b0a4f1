//! Requests within dialogs whose receiver's flow is lost before it has answered: they wait for the receiver to be back, as
//! those do that come while it is away, and are sent again as they were. Who has had one already answers it over the new flow
//! by its branch (RFC 3261 §17.2.3).

use super::best::Final;
use super::context::{Branch, Context, State, TIMER_C};
use super::table::{Proxy, Turn};
use crate::message::{Method, Request};
use crate::transaction::{ClientId, ServerId};
use crate::transport::{Hop, RouteTarget};

/// What was sent to a registered receiver within a dialog.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) receiver: RouteTarget,
    pub(super) request: Request,
}

/// Such a request, whose receiver is away: whoever drives the proxy waits for it and calls [`Proxy::again`].
#[derive(Debug)]
pub struct Absence {
    /// Its server transaction.
    pub server: ServerId,
    sent: Sent,
    trusted: bool,
}

impl Absence {
    /// Who is to be waited for.
    pub const fn receiver(&self) -> &RouteTarget {
        &self.sent.receiver
    }

    /// The method of the request.
    pub fn method(&self) -> &Method {
        self.sent.request.method()
    }
}

impl Proxy {
    /// A receiver that is to be waited for.
    pub fn poll_absence(&mut self) -> Option<Absence> {
        self.absences.pop_front()
    }

    /// The flow of a branch is lost. `false`: it is not one that may wait.
    pub(super) fn part(&mut self, server: ServerId, context: &mut Context, client: ClientId) -> bool {
        let settled = context.is_settled();
        let Some(branch) = context.branch_of(client).filter(|branch| branch.is_pending()) else {
            return false;
        };
        let Some(sent) = branch.again.take_if(|_| !settled) else { return false };
        branch.state = State::Replaced;
        let trusted = branch.trusted;
        context.awaited += 1;
        self.absences.push_back(Absence { server, sent, trusted });
        true
    }

    /// The receiver is back over this hop; `None`: it is not, and its branch ends.
    pub fn again(&mut self, turn: &mut Turn<'_>, absence: Absence, hop: Option<Hop>) {
        let Absence { server, sent, trusted } = absence;
        // Nobody waits for its answer any more.
        let Some(mut context) = self.contexts.remove(&server) else { return };
        context.awaited = context.awaited.saturating_sub(1);
        let hop = hop.filter(|_| !context.is_settled());
        let client = hop.and_then(|hop| turn.layer.send_request(turn.now, &sent.request, hop));
        let Some(client) = client else {
            context.branches.push(Branch::failed(480));
            return self.settle(turn, server, context);
        };
        self.counters.repeated += 1;
        self.clients.insert(client, server);
        let timer_c = context.is_invite().then(|| turn.now + TIMER_C);
        let breadth = context.breadth_left();
        context.branches.push(Branch {
            client: Some(client),
            state: State::Pending { timer_c },
            breadth,
            again: Some(sent),
            trusted,
            ..Branch::ended(Final::Local(480))
        });
        self.settle(turn, server, context);
    }
}
