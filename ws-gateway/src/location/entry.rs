//! What is known of one address-of-record: its bindings, those that were, and who waits.

use sip_core::registrar::{Awaited, Binding};
use sip_core::server::Wait;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Hop, RegistrationKey};

use super::Waiter;
use super::watches::Watches;
use crate::flows::Flows;

/// Registrations of one address-of-record that ended before their connection did and are still known.
const LEFT_PER_AOR: usize = 10;

/// How long it is still known where a phone on UDP was when its registration ended: its calls may have begun elsewhere.
pub(super) const DATAGRAM_LEFT: Duration = Duration::from_secs(24 * 3600);

/// Who is registered, and what stands beside it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) bindings: Vec<Binding>,
    /// What most have nothing of.
    pub(super) rest: Option<Box<Rest>>,
}

/// What stands beside the bindings of an address-of-record.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Registrations that ended while their connection stands: dialogs that began with them are still reached over it.
    pub(super) left: Vec<Left>,
    pub(super) waiters: Vec<(Awaited, Wait, Waiter)>,
    /// Who is told of changes.
    pub(super) watches: Option<Box<Watches>>,
}

/// A registration that ended.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) key: RegistrationKey,
    pub(super) hop: Hop,
    /// A datagram's sender has no connection that would close.
    until: Option<Instant>,
}

impl Entry {
    pub(super) fn refresh(&mut self, now: Instant, away: Duration, flows: &Flows, ended: impl Fn(&Binding)) {
        let Self { bindings, rest } = self;
        if let Some(Rest { left, .. }) = rest.as_deref_mut() {
            left.retain(|left| flows.is_open(left.hop.flow) && left.until.is_none_or(|until| until > now));
        }
        bindings.retain_mut(|binding| {
            if binding.hop.is_some_and(|hop| !flows.is_open(hop.flow)) {
                binding.hop = None;
                part(binding, now, away);
            }
            let lasts = binding.expires_at > now;
            if !lasts {
                ended(binding);
                note(rest, binding, now);
                if let Some(watches) = rest.as_mut().and_then(|rest| rest.watches.as_mut()) {
                    watches.lapsed = true;
                }
            }
            lasts
        });
    }

    /// Takes note of the bindings that are no more.
    pub(super) fn leave(&mut self, before: &[Binding], now: Instant) {
        let Self { bindings, rest } = self;
        if let Some(Rest { left, .. }) = rest.as_deref_mut() {
            left.retain(|left| !bindings.iter().any(|b| b.key == left.key || b.agent() == left.key));
        }
        for gone in before.iter().filter(|old| !bindings.iter().any(|binding| binding.key == old.key)) {
            note(rest, gone, now);
        }
    }

    pub(super) fn way_to_left(&self, awaited: &Awaited) -> Option<Hop> {
        let Awaited::Registration(key) = awaited else { return None };
        self.left().find(|left| left.key == *key).map(|left| left.hop)
    }

    pub(super) fn left(&self) -> impl Iterator<Item = &Left> {
        self.rest.iter().flat_map(|rest| &rest.left)
    }

    pub(super) fn watches(&mut self) -> Option<&mut Watches> {
        self.rest.as_mut()?.watches.as_deref_mut()
    }

    /// Takes those away of which `over` is true, and gives back the room of what there is nothing of any more.
    pub(super) fn end_watches(&mut self, over: impl FnOnce(&mut Watches) -> bool) {
        if let Some(rest) = &mut self.rest {
            rest.watches.take_if(|watches| over(watches));
        }
        self.rest.take_if(|rest| rest.is_empty());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.rest.as_ref().is_none_or(|rest| rest.is_empty())
    }
}

impl Rest {
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty() && self.left.is_empty() && self.watches.is_none()
    }
}

/// Whoever lost its connection comes back soon or not at all: a page that was closed is called in vain no longer, and with
/// everything else that waits for it, until its registration would have ended (RFC 5626 §9.3 removes it, too). A Path is a way.
pub(super) fn part(binding: &mut Binding, now: Instant, away: Duration) {
    if !binding.has_way(now) {
        binding.expires_at = binding.expires_at.min(now + away);
    }
}

/// Of a datagram's sender that does not say who it is there is nothing to keep: its dialogs know its address.
fn note(rest: &mut Option<Box<Rest>>, binding: &Binding, now: Instant) {
    let Binding { hop: Some(hop), .. } = binding else { return };
    let reliable = hop.transport.is_reliable();
    let key = if hop.transport.is_websocket() { binding.key.clone() } else { binding.agent() };
    if !reliable && !key.names_agent() {
        return;
    }
    let until = (!reliable).then(|| now + DATAGRAM_LEFT);
    let Rest { left, .. } = &mut **rest.get_or_insert_default();
    left.retain(|left| left.key != key);
    if left.len() >= LEFT_PER_AOR {
        left.remove(0);
    }
    left.push(Left { key, hop: *hop, until });
}
