//! People who send those they talk to elsewhere, and who are sent (RFC 5589).

use sip_core::time::Instant;
use sip_core::user_agent::{CallError, CallId, ReferralError, ReferralId, RequestError};

use super::NodeId;
use super::mesh::MESH;
use super::person;
use super::watch::{Stage, description};
use super::world::World;

/// Sends the other side of a call to another call of ours, if there is one, or to anybody.
pub fn transfer(world: &mut World, phone: NodeId, call: CallId) {
    let at = world.phone(phone);
    // Through a server it takes an address that is good for everybody (RFC 5627).
    let consulted = (at.home == MESH).then(|| other_call(world, phone, call)).flatten();
    let done = match consulted.filter(|_| world.roll(2) == 0) {
        Some(other) => world.command(phone, "transfer", |agent, now| agent.transfer_to(now, call, other)),
        None => {
            let Some(target) = person::somebody(world, phone) else { return };
            let text = format!("transfer to {target}");
            world.command(phone, &text, |agent, now| agent.transfer(now, call, &target))
        }
    };
    match done {
        // What becomes of it takes the network.
        Ok(transfer) => drop(world.phone(phone).watch.transfers.insert(transfer)),
        // One at a time, and not without a flow.
        Err(RequestError::TooMany | RequestError::Offline) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("transfer: {error}")),
    }
}

/// Another call that stands.
fn other_call(world: &mut World, phone: NodeId, call: CallId) -> Option<CallId> {
    let mut living = world.phone(phone).watch.living();
    let (other, _) = living.find(|(id, watched)| *id != call && watched.stage == Stage::Established)?;
    Some(other)
}

/// Makes the call that the other side of a call asks for, or does not want to.
pub fn obey(world: &mut World, phone: NodeId, referral: ReferralId) {
    if world.roll(100) < 20 {
        let done = world.command(phone, "refuse", |agent, now| agent.refuse_refer(now, referral, 603));
        return judge(world, phone, done);
    }
    world.serial += 1;
    let serial = world.serial;
    let sdp = description(serial, 0);
    let now: Instant = world.now;
    world.trace.note(now, phone, || format!("do as asked ({serial})"));
    let placed = world.phone(phone).agent.accept_refer(now, referral, &sdp);
    if let Ok(call) = placed {
        world.phone(phone).watch.called(call, serial);
    }
    world.after_command(phone);
    judge(world, phone, placed.map(drop));
}

fn judge(world: &mut World, phone: NodeId, done: Result<(), ReferralError>) {
    match done {
        // Who asked may have gone, and a call takes a flow.
        Ok(()) | Err(ReferralError::Unknown | ReferralError::Call(CallError::Offline)) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("refer: {error}")),
    }
}
