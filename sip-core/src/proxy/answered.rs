//! What is left of a call that has its 2xx and rings nowhere any more: who called, and of which branches more 2xx may come, which
//! are for the caller as well (§16.7 step 5, RFC 6026 §7.2). It stays for half a minute, as nearly all that a busy proxy keeps.

use alloc::boxed::Box;

use super::context::{Context, State};
use super::forward::{self, Trust};
use super::identity::Asserted;
use super::session_timer::Asked;
use super::shapes::{Inbound, Lost, Turn};
use super::table::{Leg, Proxy};
use crate::transaction::{ClientId, Event, ServerId};
use crate::transport::RouteTarget;

/// Such a call.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) sender: RouteTarget,
    pub(super) asserted: Asserted,
    session: Option<Asked>,
    /// How many client transactions with a 2xx live.
    accepted: usize,
}

impl Answered {
    /// See [`Inbound::lost`].
    pub(super) fn lost(&self, server: ServerId) -> Lost {
        Lost { server, sender: self.sender.clone(), ours: self.asserted.is_ours() }
    }
}

impl Proxy {
    /// Of a request that is answered on all branches there stays no more than this, and the transactions of those of which something
    /// may come.
    pub(super) fn leave(&mut self, server: ServerId, context: Box<Context>) {
        let mut accepted = 0;
        for branch in &context.branches {
            match (&branch.state, branch.client) {
                (State::Accepted, Some(_)) => accepted += 1,
                (_, Some(client)) => drop(self.clients.remove(&client)),
                (_, None) => {}
            }
        }
        if accepted > 0 {
            let Context { inbound: Inbound { sender, asserted, .. }, session, .. } = *context;
            self.answered.insert(server, Answered { sender, asserted, session, accepted }.into());
        }
    }

    /// What the layer tells of a branch of such a call.
    pub(super) fn handle_accepted(&mut self, turn: &mut Turn<'_>, client: ClientId, leg: Leg, event: &Event) {
        let Leg { server, trusted } = leg;
        match event {
            Event::Response { response, .. } if response.is_success() => {
                let Some(answered) = self.answered.get(&server) else { return };
                let trust = Trust { from: trusted, to: answered.asserted == Asserted::Theirs };
                // One that lost the caller's Via on its way is for nobody.
                if let Some(bytes) = forward::response(response, trust, answered.session) {
                    self.respond(turn, server, response.status(), bytes);
                }
            }
            Event::ClientTerminated { .. } => {
                self.clients.remove(&client);
                let Some(mut answered) = self.answered.remove(&server) else { return };
                answered.accepted -= 1;
                if answered.accepted > 0 {
                    self.answered.insert(server, answered);
                }
            }
            _ => {}
        }
    }
}
