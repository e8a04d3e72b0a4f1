//! What people agree upon in a call: changes before it is answered and after, answers to the other side's, and the
//! descriptions that both are made of.

use sip_core::offer_answer::{Fault, Negotiation};
use sip_core::user_agent::{CallId, CommandError};

use super::NodeId;
use super::person::must;
use super::watch;
use super::world::World;

/// Offers something new in a call that is not answered, by UPDATE or in a PRACK, where that can be.
pub(super) fn overture(world: &mut World, phone: NodeId, call: CallId) {
    let sdp = next_description(world, phone, call, None);
    match world.command(phone, "overture", |agent, now| agent.offer(now, call, &sdp)) {
        Ok(()) => {
            if let Some(call) = world.phone(phone).watch.calls.get_mut(&call) {
                call.changes += 1;
            }
        }
        // Nothing is agreed upon that is known to have arrived, or something is under way.
        Err(CommandError::WrongState(_) | CommandError::Description(_) | CommandError::Offline) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("overture: {error}")),
    }
}

/// Holds, resumes, or offers something new.
pub(super) fn change(world: &mut World, phone: NodeId, call: CallId) {
    // Restored, and the other side's offer has not come.
    if world.phone(phone).agent.session(call).is_none_or(|session| session.local().is_none()) {
        return;
    }
    if world.roll(100) < 10 {
        let done = world.command(phone, "solicit", |agent, now| agent.solicit(now, call));
        match done {
            Ok(()) => {
                if let Some(call) = world.phone(phone).watch.calls.get_mut(&call) {
                    call.solicits += 1;
                }
            }
            Err(CommandError::Description(Fault::Turn(_)) | CommandError::Offline) => {}
            Err(error) => world.violate(phone, "a legal command is refused", format!("solicit: {error}")),
        }
        return;
    }
    let holds = world.phone(phone).agent.session(call).is_some_and(Negotiation::holds);
    let done = match (world.roll(100) < 60, holds) {
        (true, false) => world.command(phone, "hold", |agent, now| agent.hold(now, call)),
        (true, true) => world.command(phone, "resume", |agent, now| agent.resume(now, call)),
        (false, _) => {
            let sdp = next_description(world, phone, call, None);
            world.command(phone, "offer", |agent, now| agent.offer(now, call, &sdp))
        }
    };
    match done {
        Ok(()) => {
            // Its outcome takes the network.
            if let Some(call) = world.phone(phone).watch.calls.get_mut(&call) {
                call.changes += 1;
            }
        }
        // One at a time, and not without a flow.
        Err(CommandError::Description(Fault::Turn(_)) | CommandError::Offline) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("change: {error}")),
    }
}

/// Takes the other side's change.
pub fn answer_offer(world: &mut World, phone: NodeId, call: CallId, offer: Option<&str>) {
    let sdp = next_description(world, phone, call, offer);
    let asked = forget_offer(world, phone, call);
    let done = world.command(phone, "answer", |agent, now| agent.answer(now, call, &sdp));
    if done == Err(CommandError::Offline) {
        // It stays to be answered.
        if let Some(call) = world.phone(phone).watch.calls.get_mut(&call) {
            call.offered = asked;
        }
        return;
    }
    must(world, phone, "answer", done);
    // Who had to offer hears of an answer.
    if offer.is_none()
        && let Some(call) = world.phone(phone).watch.calls.get_mut(&call)
    {
        call.changes += 1;
    }
}

pub(super) fn forget_offer(world: &mut World, phone: NodeId, call: CallId) -> Option<Option<String>> {
    world.phone(phone).watch.calls.get_mut(&call).and_then(|call| call.offered.take())
}

/// Our description in its next version: an answer to `offer`, or a new offer.
pub fn next_description(world: &mut World, phone: NodeId, call: CallId, offer: Option<&str>) -> String {
    let phone = world.phone(phone);
    let session = phone.agent.session(call);
    let local =
        session.and_then(|session| session.local()).map(|sdp| String::from_utf8_lossy(sdp).into_owned());
    let holds = session.is_some_and(Negotiation::holds);
    let version = local.as_deref().and_then(watch::version).unwrap_or_default() + 1;
    let known = phone.watch.calls.get(&call).and_then(|call| call.serial);
    let serial = local.as_deref().and_then(watch::serial).or(known).unwrap_or_default();
    let has = |direction: &str| offer.is_some_and(|offer| offer.lines().any(|line| line == direction));
    let direction = match holds {
        _ if has("a=inactive") => "inactive",
        true if has("a=sendonly") => "inactive",
        true => "sendonly",
        false if has("a=sendonly") => "recvonly",
        false if has("a=recvonly") => "sendonly",
        false => "sendrecv",
    };
    watch::versioned(serial, version, direction, 0)
}
