//! What a server asks for: accounts, bindings, ways to peers. It stands outside the server and may outlive it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::auth::{Replays, Secrets};
use sip_core::registrar::{self, Awaited, Binding, Caps};
use sip_core::server::{Answer, Question, QuestionId, Wait, WatchError, Watched};
use sip_core::time::{Duration, Instant};
use sip_core::transport::target::{Query, Records, Srv};
use sip_core::transport::{FlowId, Hop, Phone, RegistrationKey, RouteTarget, Transport};
use smol_str::{SmolStr, format_smolstr};

/// The UDP socket of a server.
pub const SOCKET: FlowId = FlowId(1);

/// What DNS says, and where everybody's datagrams arrive: hosts by name.
#[derive(Debug, Default)]
pub struct Dns {
    servers: BTreeMap<String, Vec<SocketAddr>>,
}

impl Dns {
    /// One more server of a domain, which is asked when those before it fail (RFC 2782).
    pub fn add(&mut self, domain: &str, server: SocketAddr) {
        self.servers.entry(domain.to_owned()).or_default().push(server);
    }

    /// Servers have names of their own, `0.b.example` and so on; UDP is all there is.
    fn answer(&self, query: &Query) -> Records {
        let (name, number) = match query {
            Query::Naptr(_) => return Records::Nothing,
            Query::Srv(name) => (name.strip_prefix("_sip._udp."), None),
            Query::Addresses(name) => {
                let (number, domain) = name.split_once('.').unwrap_or_default();
                (Some(domain), number.parse::<usize>().ok())
            }
        };
        let Some((name, servers)) = name.and_then(|name| Some((name, self.servers.get(name)?))) else {
            return Records::Nothing;
        };
        match number {
            Some(number) => Records::Addresses(servers.get(number).map(SocketAddr::ip).into_iter().collect()),
            None => Records::Srv(
                (0..).zip(servers).map(|(number, server)| service(name, number, *server)).collect(),
            ),
        }
    }
}

fn service(domain: &str, number: u16, server: SocketAddr) -> Srv {
    Srv { priority: number, weight: 0, port: server.port(), target: format!("{number}.{domain}").into() }
}

/// Accounts and bindings of one domain.
#[derive(Debug, Default)]
pub struct Directory {
    accounts: BTreeMap<SmolStr, Arc<Secrets>>,
    bindings: BTreeMap<SmolStr, Vec<Binding>>,
    replays: Replays,
    waiters: Vec<(Awaited, Instant, QuestionId)>,
    /// Answers to those who waited.
    woken: Vec<(QuestionId, Hop)>,
}

impl Directory {
    /// Adds an account, its name and its password.
    pub fn add(&mut self, domain: &str, user: &str, password: &str) {
        let secrets = Secrets::from_password(user, domain, password);
        self.accounts.insert(user.into(), Arc::new(secrets));
        self.bindings.entry(format_smolstr!("sip:{user}@{domain}")).or_default();
    }

    /// Answers a question of its server; `None`: when the one it is about is back. `hop_of` tells which
    /// connections stand.
    pub fn answer(
        &mut self,
        now: Instant,
        id: QuestionId,
        question: Question,
        dns: &Dns,
        hop_of: impl Fn(FlowId) -> Option<Hop>,
    ) -> Option<Answer> {
        Some(match question {
            Question::Credentials { username, aor, from } => {
                let bindings = self.bindings.get(aor.as_str()).map_or(&[][..], Vec::as_slice);
                let there = registrar::registered_at(bindings, &from, now).cloned().map(Box::new);
                Answer::Credentials(self.accounts.get(username.as_str()).cloned(), there)
            }
            Question::Admit { usage, .. } => Answer::Admitted(self.replays.admit(usage, now)),
            Question::Lookup { aor } => {
                Answer::Bindings(self.bindings.get_mut(aor.as_str()).map(|bindings| {
                    bindings.retain(|b| b.expires_at > now);
                    bindings.clone()
                }))
            }
            // Nobody here watches for longer than it takes to look.
            Question::Watch(watch) => {
                let known = self.bindings.get(watch.aor.as_str()).cloned();
                let watched = known.map(|bindings| Watched { bindings, ended: Vec::new() });
                Answer::Watched(watched.ok_or(WatchError::UnknownAor))
            }
            Question::Contact { uri } => {
                Answer::Bindings(registrar::holder(&uri, self.bindings.values()).cloned())
            }
            Question::Update(update) => {
                let Some(aor) = self.bindings.get_key_value(update.aor.as_str()).map(|(aor, _)| aor.clone())
                else {
                    return Some(Answer::Updated(Err(registrar::UpdateError::UnknownAor)));
                };
                let bindings = self.bindings.entry(aor.clone()).or_default();
                let done = registrar::apply(bindings, &update, now, Caps::default());
                // One name for the account and what is bound to it: a row is small.
                bindings.iter_mut().for_each(|binding| binding.key.aor.clone_from(&aor));
                let woken = &mut self.woken;
                self.waiters.retain(|(awaited, until, id)| match awaited.reach(bindings, now) {
                    Some(hop) => {
                        woken.push((*id, hop));
                        false
                    }
                    None => *until > now,
                });
                Answer::Updated(done.map(|_| bindings.clone()))
            }
            Question::Reach(RouteTarget::Registration(key), wait) => {
                return self.wait(now, id, Awaited::Registration(key), wait);
            }
            Question::Return { aor, contacts, wait } => {
                return self.wait(now, id, Awaited::Contacts { aor, contacts }, wait);
            }
            Question::Reach(RouteTarget::Flow(flow), _) => Answer::Reachable(hop_of(flow)),
            Question::Reach(RouteTarget::Phone(phone), wait) => {
                let aor = phone.registration.aor.as_str();
                let bindings = self.bindings.get(aor).map_or(&[][..], Vec::as_slice);
                let known = registrar::is_known(bindings, &phone, now);
                let Phone { registration, local, remote, .. } = *phone;
                if known {
                    return self.wait(now, id, Awaited::Registration(registration), wait);
                }
                Answer::Reachable(Some(Hop { flow: SOCKET, transport: Transport::Udp, local, remote }))
            }
            Question::Reach(RouteTarget::Address { transport: Transport::Udp, local, remote }, _) => {
                Answer::Reachable(Some(Hop { flow: SOCKET, transport: Transport::Udp, local, remote }))
            }
            // Who has connections knows.
            Question::Reach(RouteTarget::Address { .. } | RouteTarget::Peer { .. }, _) => {
                Answer::Reachable(None)
            }
            Question::Connect { .. } => Answer::Connected(None),
            Question::Resolve { queries, .. } => {
                Answer::Resolved(queries.iter().map(|query| dns.answer(query)).collect())
            }
        })
    }

    /// Puts the devices of a user in an order: each is tried when those before it have failed (RFC 3261 §16.6 step 1).
    pub fn rank(&mut self, aor: &str, contacts: &[String]) {
        for binding in self.bindings.get_mut(aor).into_iter().flatten() {
            let at = contacts.iter().position(|contact| binding.contact.contains(contact.as_str()));
            binding.params = format!("{};q=0.{}", binding.params, 9 - at.unwrap_or(9).min(9)).into();
        }
    }

    /// Now or later.
    fn wait(&mut self, now: Instant, id: QuestionId, awaited: Awaited, wait: Wait) -> Option<Answer> {
        let bindings = self.bindings.get(awaited.aor().as_str()).map_or(&[][..], Vec::as_slice);
        if let Some(hop) = awaited.reach(bindings, now) {
            return Some(Answer::Reachable(Some(hop)));
        }
        self.waiters.retain(|(_, until, _)| *until > now);
        self.waiters.push((awaited, wait.until, id));
        None
    }

    /// Forgets which credentials have served.
    pub fn forget_replays(&mut self) {
        self.replays = Replays::default();
    }

    /// Whoever asks for a user here is to ask at that URI instead.
    pub fn moved(&mut self, aor: &str, now: Instant, contact: &str) {
        let key = RegistrationKey { aor: aor.into(), instance: contact.into(), reg_id: 0 };
        let (expires_at, call_id) = (now + Duration::from_secs(3_600), "moved".into());
        let hop = SocketAddr::from(([192, 0, 2, 1], 5060));
        let hop = Some(Hop { flow: SOCKET, transport: Transport::Udp, local: hop, remote: hop });
        let binding = Binding {
            key,
            contact: contact.into(),
            params: Default::default(),
            expires_at,
            call_id,
            cseq: 1,
            first_cseq: 1,
            path: Default::default(),
            through: Default::default(),
            listens: false,
            hop,
        };
        self.bindings.insert(aor.into(), vec![binding]);
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
