//! Changing the bindings of one address-of-record, all or nothing.

use alloc::vec::Vec;

use smol_str::SmolStr;
use thiserror::Error;

use super::Binding;
use super::binding::{instance, is_host};
use crate::limits;
use crate::message::Uri;
use crate::time::{Duration, Instant};
use crate::transport::{Hop, RegistrationKey, Transport, is_same_instance};

/// What one REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingUpdate {
    /// The address-of-record, in canonical form: `sip:user@domain`.
    pub aor: SmolStr,
    /// Its Call-ID.
    pub call_id: SmolStr,
    /// Its CSeq.
    pub cseq: u32,
    /// The hop it came over.
    pub hop: Hop,
    /// See [`Binding::path`].
    pub path: SmolStr,
    /// See [`Binding::through`].
    pub through: SmolStr,
    /// What to do.
    pub change: Change,
}

/// What to do with the bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the REGISTER has no Contact and wants to know them (§10.2.3).
    Fetch,
    /// Remove all (`Contact: *`, §10.2.2).
    RemoveAll,
    /// Add, refresh or remove these.
    Contacts(Vec<ContactUpdate>),
}

/// One Contact of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactUpdate {
    /// See [`Binding::key`].
    pub key: RegistrationKey,
    /// See [`Binding::contact`].
    pub contact: SmolStr,
    /// See [`Binding::params`].
    pub params: SmolStr,
    /// Within the registrar's bounds already; zero removes.
    pub expires: Duration,
}

/// Caps of [`apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Most bindings of one address-of-record. Past it the one that is away and ends first makes room.
    pub contacts_per_aor: usize,
    /// Bindings that may be added before all addresses-of-record together have as many as they may.
    pub room: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { contacts_per_aor: limits::CONTACTS_PER_AOR, room: usize::MAX }
    }
}

/// Why an update was not made. None of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// No such account: 404.
    #[error("Not Found")]
    UnknownAor,
    /// The bindings are of a later REGISTER of this Call-ID (§10.3 step 7): 500.
    #[error("CSeq Out Of Order")]
    OutOfOrder,
    /// More contacts than one address-of-record may have, and none of them is away: 403.
    #[error("Too Many Contacts")]
    TooManyContacts,
    /// All addresses-of-record together have as many bindings as they may: 503.
    #[error("Registrations Full")]
    Full,
    /// The bindings cannot be read or written now: 503.
    #[error("Registrations Unavailable")]
    Unavailable,
}

impl UpdateError {
    /// What to change.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::UnknownAor => "there is no such account: `ws-gateway user add`",
            Self::OutOfOrder => "of one Call-ID each REGISTER has a higher CSeq than the one before",
            Self::TooManyContacts => "unregister another device, or raise [limits] contacts_per_aor",
            Self::Full => "raise [limits] registrations",
            Self::Unavailable => "see the log for what the registrations cannot be read or written for",
        }
    }

    /// The status the REGISTER is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownAor => 404,
            Self::OutOfOrder => 500,
            Self::TooManyContacts => 403,
            Self::Full | Self::Unavailable => 503,
        }
    }
}

/// Applies an update to all bindings of its address-of-record and gives them as they were before, or leaves them alone
/// and says why. They stand in the order in which they were refreshed, the latest last. Bindings that have ended are dropped
/// either way. For [`Change::Fetch`], which changes none, it gives none.
///
/// Whoever keeps the bindings calls this under the address-of-record's lock.
pub fn apply(
    bindings: &mut Vec<Binding>,
    update: &BindingUpdate,
    now: Instant,
    caps: Caps,
) -> Result<Vec<Binding>, UpdateError> {
    bindings.retain(|b| b.expires_at > now);
    // §10.3 steps 6 and 7: of one Call-ID only a later CSeq may change a binding.
    let in_order = |b: &Binding| b.call_id != update.call_id || b.cseq < update.cseq;
    match &update.change {
        Change::Fetch => Ok(Vec::new()),
        Change::RemoveAll => {
            if !bindings.iter().all(in_order) {
                return Err(UpdateError::OutOfOrder);
            }
            Ok(core::mem::take(bindings))
        }
        Change::Contacts(contacts) => {
            // As many as there mostly are afterwards, so that none are moved.
            let mut changed = Vec::with_capacity(bindings.len().max(contacts.len()));
            changed.extend_from_slice(bindings);
            for contact in contacts {
                let known = changed.iter().position(|b| b.key.is_same(&contact.key));
                // A contact that stands twice in one REGISTER is compared with what was before.
                if bindings.iter().any(|b| b.key.is_same(&contact.key) && !in_order(b)) {
                    return Err(UpdateError::OutOfOrder);
                }
                match (known, contact.expires.is_zero()) {
                    (Some(at), true) => {
                        changed.remove(at);
                    }
                    (None, true) => {}
                    (Some(at), false) => {
                        let first_cseq = first_cseq(&mut changed, update, contact);
                        // The first key stays: route tokens were made of it.
                        let Binding { key, .. } = changed.remove(at);
                        changed.push(Binding { key, first_cseq, ..bind(update, contact, now) });
                    }
                    (None, false) => {
                        let first_cseq = first_cseq(&mut changed, update, contact);
                        if changed.len() >= caps.contacts_per_aor {
                            make_room(&mut changed)?;
                        }
                        changed.push(Binding { first_cseq, ..bind(update, contact, now) });
                    }
                }
            }
            if changed.len().saturating_sub(bindings.len()) > caps.room {
                return Err(UpdateError::Full);
            }
            // Most have one: a vector's spare room would be three times as much.
            changed.shrink_to_fit();
            Ok(core::mem::replace(bindings, changed))
        }
    }
}

/// From which REGISTER on the temporary GRUUs of a contact's instance are valid. RFC 5627 §5.1: if the contact of its flow that was
/// "most recently registered" has another Call-ID, all that were given to the instance before, over whichever flow, are so no longer.
fn first_cseq(bindings: &mut [Binding], update: &BindingUpdate, contact: &ContactUpdate) -> u32 {
    let of_flow = |b: &&Binding| b.key.reg_id > 0 && b.key.is_same(&contact.key);
    if let Some(known) = bindings.iter().find(of_flow).filter(|known| known.call_id == update.call_id) {
        return known.first_cseq;
    }
    let Some(urn) = instance(&contact.params) else { return update.cseq };
    let is_its = |b: &Binding| b.instance().is_some_and(|other| is_same_instance(&other, &urn));
    match bindings.iter().rev().find(|b| b.key.reg_id == contact.key.reg_id && is_its(b)) {
        Some(last) if last.call_id == update.call_id => return last.first_cseq,
        Some(_) => {
            for binding in bindings.iter_mut().filter(|binding| is_its(binding)) {
                binding.first_cseq = binding.cseq.saturating_add(1);
            }
        }
        None => {}
    }
    update.cseq
}

/// Gives up the user agent that is away and would be longest gone: every closed tab leaves a binding behind, and nobody
/// can be reached over it.
fn make_room(bindings: &mut Vec<Binding>) -> Result<(), UpdateError> {
    let away = bindings.iter().enumerate().filter(|(_, b)| b.hop.is_none());
    let (at, _) = away.min_by_key(|(_, b)| b.expires_at).ok_or(UpdateError::TooManyContacts)?;
    bindings.remove(at);
    Ok(())
}

fn bind(update: &BindingUpdate, contact: &ContactUpdate, now: Instant) -> Binding {
    Binding {
        key: contact.key.clone(),
        contact: contact.contact.clone(),
        params: contact.params.clone(),
        expires_at: now + contact.expires,
        call_id: update.call_id.clone(),
        cseq: update.cseq,
        first_cseq: update.cseq,
        path: update.path.clone(),
        through: update.through.clone(),
        listens: listens(update, contact),
        hop: Some(update.hop),
    }
}

/// Whether a contact can be connected to where its URI says (§18.1.1). Its REGISTER came from there: nobody has us connect to another. With
/// `reg-id` its flow is the way (RFC 5626 §5.3), and over TLS nobody would know whom to expect.
fn listens(update: &BindingUpdate, contact: &ContactUpdate) -> bool {
    let Hop { transport: Transport::Tcp, remote, .. } = update.hop else { return false };
    let Some(Uri::Sip(uri)) = Uri::parse(&contact.contact) else { return false };
    update.path.is_empty()
        && contact.key.reg_id == 0
        && !uri.secure
        && is_host(&contact.contact, remote.ip())
        && uri.param("transport").is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"))
        && uri.param("maddr").is_none()
}
