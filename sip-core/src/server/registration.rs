//! REGISTER (§10.3).

use alloc::sync::Arc;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::questions::{Arrival, IdentityChange, Pending};
use super::rule::Rule;
use super::{Identity, Output, Question, Server};
use crate::message::Uri;
use crate::registrar::{self, Binding, BindingUpdate, Change, UpdateError};
use crate::time::Instant;

impl Server {
    /// A REGISTER whose sender is the account `username`.
    pub(super) fn register(&mut self, now: Instant, arrival: Arrival, username: &SmolStr) {
        if self.is_merged(now, &arrival) {
            return;
        }
        let to = arrival.request.to();
        let aor = match to.parsed_uri() {
            Some(Uri::Sip(uri)) => self.domain.aor(&uri, arrival.from.local.ip()),
            _ => None,
        };
        // §10.3 step 5.
        let Some(aor) = aor else {
            let reply = match registrar::RULES.request(&arrival.request) {
                Ok(()) => Rule::AddressNotOurs.into(),
                Err(rejection) => rejection.into(),
            };
            return self.refuse(now, &arrival, reply);
        };
        // Steps 3 and 4: nobody registers for another, unless the configuration has it so.
        let own = self.domain.is_address_of(&aor, username);
        let third_party =
            || self.config.registrants.get(username).is_some_and(|others| others.contains(&aor));
        if !own && !third_party() {
            return self.refuse(now, &arrival, Rule::NotYourAddress.into());
        }
        match registrar::read(&arrival.request, aor, arrival.answered_at(), &self.config.expiry) {
            Err(refusal) => self.refuse(now, &arrival, refusal.into()),
            Ok(mut update) => {
                if !update.path.is_empty()
                    && let Some(peer) = self.config.peer_of(&arrival)
                {
                    update.through = peer.name.clone();
                }
                let identity = if own { IdentityChange::of(&update, username) } else { IdentityChange::None };
                let pending = Pending::Update { arrival, identity };
                self.ask_or_refuse(now, self.soon(now), Question::Update(update), pending);
            }
        }
    }

    pub(super) fn updated(
        &mut self,
        now: Instant,
        arrival: Arrival,
        identity: IdentityChange,
        result: Result<Vec<Binding>, UpdateError>,
    ) {
        let bindings = match result {
            Ok(bindings) => bindings,
            Err(error) => return self.refuse(now, &arrival, error.into()),
        };
        self.counters.registered += 1;
        // A datagram socket is everybody's.
        if arrival.from.transport.is_reliable() {
            self.identify(now, &arrival, identity, &bindings);
        }
        let Some(server) = arrival.server else { return };
        let answer = registrar::Answer {
            server: self.config.server.as_deref(),
            service_route: &self.config.service_route,
            flow_timer: self.config.flow_timer,
            gruus: &self.gruus,
            date: self.clock.date(now),
        };
        let message = registrar::accept(&arrival.request, &bindings, now, &answer, &mut *self.entropy);
        self.count(200);
        // If its flow is gone, so is the contact's, and no other has this answer: who waits for it in vain registers anew.
        self.layer.respond(now, server, 200, message);
    }

    fn identify(&mut self, now: Instant, arrival: &Arrival, change: IdentityChange, bindings: &[Binding]) {
        let current = arrival.identity.as_deref();
        let lost = match &change {
            IdentityChange::Loses { registrations } => {
                current.filter(|current| registrations.iter().any(|lost| lost.is_same(&current.registration)))
            }
            IdentityChange::LosesAll { aor } => current.filter(|current| current.registration.aor == *aor),
            IdentityChange::Becomes { .. } | IdentityChange::None => None,
        };
        let identity = match change {
            IdentityChange::Becomes { username, registration } => {
                let Some(binding) = bindings.iter().find(|b| b.key.is_same(&registration)) else { return };
                let (registration, expires_at) = (binding.key.clone(), binding.expires_at);
                Identity { username, registration, expires_at }
            }
            // Calls go on without a registration, and their requests come from who it was.
            _ => match lost {
                Some(lost) => Identity { expires_at: now, ..lost.clone() },
                None => return,
            },
        };
        self.emit(Output::Authenticated { flow: arrival.from.flow, identity: Arc::new(identity) });
    }
}

impl IdentityChange {
    fn of(update: &BindingUpdate, username: &SmolStr) -> Self {
        let Change::Contacts(contacts) = &update.change else {
            return match update.change {
                Change::RemoveAll => Self::LosesAll { aor: update.aor.clone() },
                _ => Self::None,
            };
        };
        match contacts.iter().find(|contact| !contact.expires.is_zero()) {
            Some(contact) => Self::Becomes { username: username.clone(), registration: contact.key.clone() },
            None => Self::Loses { registrations: contacts.iter().map(|c| c.key.clone()).collect() },
        }
    }
}
