//! Callees who send their callers elsewhere, and callers who go there (RFC 3261 §8.1.3.4).

use sip_core::message::typed::QValue;
use sip_core::user_agent::CallId;
use smol_str::SmolStr;

use super::NodeId;
use super::person::{must, somebody};
use super::world::World;

/// How many other addresses a call may try.
pub const MOST: u8 = 3;

/// Tells a caller of one or two others.
pub fn send_away(world: &mut World, phone: NodeId, call: CallId) {
    let others = 1 + world.roll(2);
    let others: Vec<String> = (0..others).filter_map(|_| somebody(world, phone)).collect();
    let targets: Vec<(&str, Option<QValue>)> = others.iter().map(|other| (&**other, None)).collect();
    let text = format!("redirect to {others:?}");
    let done = world.command(phone, &text, |agent, now| agent.redirect(now, call, 302, &targets));
    must(world, phone, "redirect", done);
}

/// Goes to all that were told, to the last of them alone, or nowhere.
pub fn follow(world: &mut World, phone: NodeId, call: CallId, told: &[SmolStr]) {
    let chosen = match world.roll(4) {
        0 => &[],
        1 => &told[told.len().saturating_sub(1)..],
        _ => told,
    };
    let chosen: Vec<&str> = chosen.iter().map(SmolStr::as_str).collect();
    let text = format!("follow {chosen:?}");
    let done = world.command(phone, &text, |agent, now| agent.follow(now, call, &chosen));
    must(world, phone, "follow", done);
}
