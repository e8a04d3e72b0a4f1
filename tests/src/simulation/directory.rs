//! What a server asks for: accounts, bindings, ways to peers. It stands outside the server and may outlive it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sip_core::auth::Secrets;
use sip_core::registrar::{self, Binding, Caps};
use sip_core::server::{Answer, Question, QuestionId};
use sip_core::time::{Duration, Instant};
use sip_core::transport::target::Records;
use sip_core::transport::{FlowId, Hop, RegistrationKey, RouteTarget, Transport};

/// How long somebody waits for a registration that is away; the server gives up as soon.
const WAIT: Duration = Duration::from_secs(10);

/// The UDP socket of a server.
pub const SOCKET: FlowId = FlowId(1);

/// Accounts and bindings of one domain.
#[derive(Debug, Default)]
pub struct Directory {
    accounts: BTreeMap<String, Arc<Secrets>>,
    bindings: BTreeMap<String, Vec<Binding>>,
    waiters: Vec<(RegistrationKey, Instant, QuestionId)>,
    /// Answers to those who waited.
    woken: Vec<(QuestionId, Hop)>,
}

impl Directory {
    /// Adds an account, its name and its password.
    pub fn add(&mut self, domain: &str, user: &str, password: &str) {
        let secrets = Secrets::from_password(user, domain, password);
        self.accounts.insert(user.to_owned(), Arc::new(secrets));
        self.bindings.entry(format!("sip:{user}@{domain}")).or_default();
    }

    /// Answers a question; `None`: when the one it is about is back. `is_open` tells which connections stand.
    pub fn answer(
        &mut self,
        now: Instant,
        id: QuestionId,
        question: Question,
        hop_of: impl Fn(FlowId) -> Option<Hop>,
    ) -> Option<Answer> {
        Some(match question {
            Question::Credentials { username } => {
                Answer::Credentials(self.accounts.get(username.as_str()).cloned())
            }
            Question::Lookup { aor } => {
                Answer::Bindings(self.bindings.get_mut(aor.as_str()).map(|bindings| {
                    bindings.retain(|b| b.expires_at > now);
                    bindings.clone()
                }))
            }
            Question::Update(update) => {
                let Some(bindings) = self.bindings.get_mut(update.aor.as_str()) else {
                    return Some(Answer::Updated(Err(registrar::UpdateError::UnknownAor)));
                };
                let done = registrar::apply(bindings, &update, now, Caps::default());
                let woken = &mut self.woken;
                self.waiters.retain(|(key, until, id)| match registrar::reach(bindings, key, now) {
                    Some(hop) => {
                        woken.push((*id, hop));
                        false
                    }
                    None => *until > now,
                });
                Answer::Updated(done.map(|()| bindings.clone()))
            }
            Question::Reach(RouteTarget::Registration(key)) => {
                let bindings = self.bindings.get(key.aor.as_str()).map_or(&[][..], Vec::as_slice);
                match registrar::reach(bindings, &key, now) {
                    Some(hop) => Answer::Reachable(Some(hop)),
                    None => {
                        self.waiters.retain(|(_, until, _)| *until > now);
                        self.waiters.push((key, now + WAIT, id));
                        return None;
                    }
                }
            }
            Question::Reach(RouteTarget::Flow(flow)) => Answer::Reachable(hop_of(flow)),
            Question::Reach(RouteTarget::Address { transport: Transport::Udp, local, remote }) => {
                Answer::Reachable(Some(Hop { flow: SOCKET, transport: Transport::Udp, local, remote }))
            }
            Question::Reach(RouteTarget::Address { .. } | RouteTarget::Peer { .. }) => {
                Answer::Reachable(None)
            }
            // There is one domain.
            Question::Resolve(queries) => {
                Answer::Resolved(queries.iter().map(|_| Records::Nothing).collect())
            }
            Question::Connect(_) => Answer::Connected(None),
        })
    }

    /// Those who waited and can be told.
    pub fn woken(&mut self) -> Vec<(QuestionId, Hop)> {
        core::mem::take(&mut self.woken)
    }

    /// The user agents behind a flow are away.
    pub fn flow_closed(&mut self, flow: FlowId) {
        for binding in self.bindings.values_mut().flatten() {
            if binding.hop.is_some_and(|hop| hop.flow == flow) {
                binding.hop = None;
            }
        }
    }

    /// The server starts anew: nobody waits any more. It keeps its bindings or forgets them.
    pub fn restart(&mut self, keep_bindings: bool) {
        self.waiters.clear();
        self.woken.clear();
        if !keep_bindings {
            self.bindings.values_mut().for_each(Vec::clear);
        }
    }

    /// Bindings that have not ended.
    pub fn bound(&self, now: Instant) -> usize {
        self.bindings.values().flatten().filter(|b| b.expires_at > now).count()
    }
}
