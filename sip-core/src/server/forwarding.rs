//! Whose calls are forwarded, and how the address they go to is found.
//!
//! Where a call goes on is the operator's word, so that whoever calls reaches it; but it is reached as if the callee had called
//! it: in our domain, over a static route, or where [`Outward`] lets our users call.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::Server;
use super::config::{ForwardRule, Outward};
use super::questions::{Arrival, Errand, Goal, Sought};
use crate::message::typed::QValue;
use crate::message::{Uri, escape_user, unescape};
use crate::proxy::{Diverter, Domain, Forwards, Targets};
use crate::registrar::Binding;
use crate::time::Instant;
use crate::transaction::ServerId;

/// The rules, by address-of-record.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    users: BTreeMap<SmolStr, Arc<Forwards>>,
    /// Of all others.
    rest: Option<Arc<Forwards>>,
}

impl Forwarding {
    pub(super) fn new(rules: &[ForwardRule], domain: &Domain) -> Self {
        let mut all = Forwards::default();
        let mut users: BTreeMap<SmolStr, Forwards> = BTreeMap::new();
        for ForwardRule { user, when, forward } in rules {
            let forwards = match user {
                Some(user) => users.entry(domain.address(user)).or_default(),
                None => &mut all,
            };
            forwards.add(*when, forward.clone());
        }
        let users = users.into_iter().map(|(aor, forwards)| (aor, Arc::new(forwards.or(&all)))).collect();
        Self { users, rest: (all != Forwards::default()).then(|| Arc::new(all)) }
    }

    /// The callee of a call, if its calls may be forwarded.
    pub(super) fn of(&self, aor: &SmolStr, arrival: &Arrival) -> Option<Box<Diverter>> {
        if (self.users.is_empty() && self.rest.is_none())
            || arrival.server.is_none()
            || !Diverter::concerns(&arrival.request)
        {
            return None;
        }
        self.at(aor)
    }

    pub(super) fn at(&self, aor: &SmolStr) -> Option<Box<Diverter>> {
        let forwards = self.users.get(aor).or(self.rest.as_ref())?;
        Some(Diverter { aor: aor.clone(), forwards: forwards.clone() }.into())
    }
}

impl Server {
    /// A call for somebody who is not there.
    pub(super) fn forward_absent(&mut self, now: Instant, sought: Sought) {
        let Sought { arrival, sender, routes, diverter, .. } = sought;
        self.forward(now, &arrival, sender, routes, Targets { diverter, ..Targets::default() });
    }

    /// A call was forwarded to an address of our domain, and these are its contacts; `None`: nobody has it, but perhaps a
    /// peer knows the number.
    pub(super) fn diverted_to(
        &mut self,
        now: Instant,
        server: ServerId,
        q: QValue,
        uri: SmolStr,
        bindings: Option<Vec<Binding>>,
    ) {
        let local = self.layer.server_hop(server).map(|hop| hop.local.ip());
        let (Some(Uri::Sip(parsed)), Some(local)) = (Uri::parse(&uri), local) else { return };
        let Some(bindings) = bindings else {
            let user = parsed.user.map(|user| escape_user(&unescape(user)).into());
            let Some((route, user)) = self.config.route_for(&parsed, true).zip(user) else {
                return self.extend_by(now, server, q, Targets::default());
            };
            let uris = self.config.uris(route, &mut *self.entropy);
            let goal = Goal { uri, user: Some(user), configured: true };
            return self.seek(now, Errand::Extend { server, q, goal }, uris);
        };
        let diverter = self.domain.aor(&parsed, local).and_then(|aor| self.forwarding.at(&aor));
        self.extend(now, server, q, bindings, diverter);
    }

    /// A call was forwarded to another domain: no open relay, whoever calls.
    pub(super) fn divert_elsewhere(&mut self, now: Instant, server: ServerId, uri: SmolStr, q: QValue) {
        let route = match Uri::parse(&uri) {
            Some(Uri::Sip(parsed)) => self.config.route_for(&parsed, false),
            _ => None,
        };
        if let Some(route) = route {
            let uris = self.config.uris(route, &mut *self.entropy);
            let goal = Goal { uri, user: None, configured: true };
            return self.seek(now, Errand::Extend { server, q, goal }, uris);
        }
        if self.config.outward == Outward::Nowhere {
            self.counters.relay_refused += 1;
            return self.extend_by(now, server, q, Targets::default());
        }
        self.want_elsewhere(now, server, uri, q);
    }
}
