//! Requests within dialogs whose receiver's flow is lost before it has answered: they wait for the receiver to be back, as
//! those do that come while it is away, and are sent again as they were. Who has had one already answers it over the new flow
//! by its branch (RFC 3261 §17.2.3). The same for an INVITE that makes a call, while its callee rings: the phone rings on, and
//! goes on being called where it is back.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::best::Final;
use super::context::{Branch, Context, Detours, State, TIMER_C};
use super::kept::{KeptCopy, UNHEARD};
use super::shapes::Turn;
use super::sips::may_go;
use super::table::{ANSWERED_ELSEWHERE, Leg, Proxy};
use crate::message::Method;
use crate::transaction::{ClientId, ServerId};
use crate::transport::{Hop, RouteTarget};

/// What was sent to a registered receiver within a dialog, or to make one.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) receiver: RouteTarget,
    pub(super) request: Bytes,
    /// Of our Via in it.
    pub(super) branch: String,
    pub(super) method: Method,
    /// It is within a dialog.
    pub(super) within: bool,
    /// TLS is promised on its hop.
    pub(super) secure: bool,
}

impl Sent {
    /// To a receiver that is back: who has had it answers by its branch what it answered first.
    fn send(&self, turn: &mut Turn<'_>, hop: Hop) -> Option<ClientId> {
        turn.layer.send_written(turn.now, self.request.clone(), &self.branch, &self.method, hop)
    }

    /// To one that can answer by itself: it is not sent, for who had answered it, in the last moment of an earlier life, might take it
    /// for a new call.
    pub(super) fn adopt(&self, turn: &mut Turn<'_>, hop: Hop) -> Option<ClientId> {
        turn.layer.adopt(turn.now, self.request.clone(), &self.branch, hop)
    }
}

/// Such a request, whose receiver is away: whoever drives the proxy waits for it and calls [`Proxy::again`].
#[derive(Debug)]
pub struct Absence {
    /// Its server transaction.
    pub server: ServerId,
    pub(super) sent: Sent,
    pub(super) trusted: bool,
    /// What is known of it from before a restart.
    pub(super) kept: Option<KeptCopy>,
    /// [`Context::aim`] when it was lost.
    pub(super) aim: u32,
}

impl Absence {
    /// Who is to be waited for.
    pub const fn receiver(&self) -> &RouteTarget {
        &self.sent.receiver
    }

    /// Where it went before a restart; `None`: it was lost with its connection in this life.
    pub fn kept(&self) -> Option<Hop> {
        self.kept.map(|kept| kept.to)
    }

    /// Whether the request is within a dialog.
    pub const fn is_within(&self) -> bool {
        self.sent.within
    }

    /// The method of the request.
    pub const fn method(&self) -> &Method {
        &self.sent.method
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
        // Nobody has heard yet of an INVITE that nothing was said to; and another flow of the instance is tried instead.
        let rings = branch.rang && !branch.given_up && branch.spares.is_empty();
        let Some(sent) = branch.again.take_if(|sent| !settled && (sent.within || rings)) else {
            return false;
        };
        branch.state = State::Replaced;
        let trusted = self.clients.get(&client).is_some_and(|leg| leg.trusted);
        context.awaited += 1;
        self.absences.push_back(Absence { server, sent, trusted, kept: None, aim: context.aim });
        true
    }

    /// The receiver is back over this hop; `None`: it is not, and its branch ends.
    pub fn again(&mut self, turn: &mut Turn<'_>, absence: Absence, hop: Option<Hop>) {
        let Absence { server, sent, trusted, kept, aim } = absence;
        let hop = hop.filter(|hop| may_go(sent.secure, hop));
        let context = self.contexts.remove(&server);
        // A call that has gone on to another address is not for who was called before.
        let waits = context.as_ref().is_some_and(|context| !context.is_settled() && context.aim == aim);
        let adopts = kept.is_some() && sent.receiver.registration().is_none();
        let client = hop.filter(|_| waits || !sent.within).and_then(|hop| match adopts {
            true => sent.adopt(turn, hop),
            false => sent.send(turn, hop),
        });
        if !waits && let Some(client) = client {
            // Nobody waits for its answer any more. Whoever rings is told, once it has answered (§9.1).
            let answered =
                context.as_ref().map_or(self.answered.get(&server).is_some(), |context| context.answered);
            match answered {
                true => turn.layer.cancel_because(turn.now, client, ANSWERED_ELSEWHERE),
                false => turn.layer.cancel(turn.now, client),
            };
        }
        let Some(mut context) = context else { return };
        context.awaited = context.awaited.saturating_sub(1);
        let client = client.filter(|_| waits);
        let Some((client, hop)) = client.zip(hop) else {
            self.counters.unreachable += 1;
            context.branches.push(Branch::failed(480));
            return self.settle(turn, server, context);
        };
        self.counters.repeated += 1;
        self.begin_again(turn, &mut context, sent, (client, hop), Leg { server, trusted }, kept);
        self.settle(turn, server, context);
    }

    /// A copy that its receiver has from before.
    pub(super) fn begin_again(
        &mut self,
        turn: &Turn<'_>,
        context: &mut Context,
        sent: Sent,
        (client, hop): (ClientId, Hop),
        leg: Leg,
        kept: Option<KeptCopy>,
    ) {
        self.clients.insert(client, leg);
        let rang = kept.map_or(!sent.within, |kept| kept.rang);
        let timer_c = context.is_invite().then(|| turn.now + if rang { TIMER_C } else { UNHEARD });
        let left = context.breadth_left();
        let breadth = kept.map_or(left, |kept| kept.breadth.min(left));
        // A domain's server that is gone is a fault, and what it says of others is for the caller.
        let detours = match &sent.receiver {
            RouteTarget::Peer { onward, .. } => {
                let (ways, onward) = (Vec::new(), *onward);
                Some(Box::new(Detours { hop, ways, user: None, contact: None, onward }))
            }
            _ => None,
        };
        let receiver = self.settings.keeps_calls.then(|| Box::new(sent.receiver.clone()));
        let waits = hop.transport.is_reliable() && sent.receiver.registration().is_some();
        context.branches.push(Branch {
            client: Some(client),
            state: State::Pending { timer_c },
            breadth,
            rang,
            secure: sent.secure,
            again: waits.then_some(sent),
            receiver,
            detours,
            ..Branch::ended(Final::Local(480))
        });
    }
}
