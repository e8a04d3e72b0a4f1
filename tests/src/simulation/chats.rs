//! What people write to each other, in calls and outside: messages (RFC 3428), that they are writing (RFC 3994), and keys by
//! INFO, with a package and without (RFC 6086).

use sip_core::body::Content;
use sip_core::body::is_composing::{Composing, IsComposing};
use sip_core::time::Instant;
use sip_core::user_agent::{Addressee, CallId, Event, RequestError, RequestId, UserAgent};

use super::NodeId;
use super::person;
use super::world::World;

/// The Info Package everybody takes.
pub const PACKAGE: &str = "keys";

/// What everybody reads in messages.
pub const TYPES: [&str; 2] = ["text/plain", COMPOSING];

const COMPOSING: &str = "application/im-iscomposing+xml";

/// Sends somebody a message.
pub fn text(world: &mut World, phone: NodeId) {
    let Some(target) = person::somebody(world, phone) else { return };
    let content = next_text(world);
    let text = format!("message to {target}");
    request(world, phone, &text, |agent, now| agent.message(now, Addressee::Target(&target), content));
}

/// Asks what somebody can do.
pub fn probe(world: &mut World, phone: NodeId) {
    let Some(target) = person::somebody(world, phone) else { return };
    let text = format!("options of {target}");
    request(world, phone, &text, |agent, now| agent.options(now, Addressee::Target(&target)));
}

/// Presses a key, or writes something to the other side of a call.
pub fn in_call(world: &mut World, phone: NodeId, call: CallId) {
    match world.roll(5) {
        0 | 1 => {
            let keys = ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
            request(world, phone, "info", |agent, now| agent.info(now, call, keys.0, keys.1));
        }
        2 => {
            let keys = Content::new("application/x-keys", b"5".to_vec());
            request(world, phone, "info package", |agent, now| {
                agent.info_package(now, call, PACKAGE, Some(keys))
            });
        }
        3 => {
            let state = if world.roll(2) == 0 { Composing::Active } else { Composing::Idle };
            let content = Content::new(COMPOSING, IsComposing::new(state).to_string().into_bytes());
            request(world, phone, "is composing", |agent, now| {
                agent.message(now, Addressee::Call(call), content)
            });
        }
        _ => {
            let content = next_text(world);
            request(world, phone, "message in the call", |agent, now| {
                agent.message(now, Addressee::Call(call), content)
            });
        }
    }
}

/// Reads what came.
pub fn read(world: &mut World, phone: NodeId, event: &Event) {
    match event {
        Event::Message { content, .. } if content.content_type.as_str() == COMPOSING => {
            if let Err(error) = IsComposing::parse(&content.body) {
                world.violate(phone, "what is sent arrives as something else", error.to_string());
            }
        }
        Event::Message { content, .. } => {
            let text = String::from_utf8_lossy(&content.body).into_owned();
            // Who sends it again to a server that has forgotten it makes a new one of it.
            if !world.phone(phone).watch.texts.insert(text.clone()) && world.habits.strict {
                world.violate(phone, "a message is told twice", text);
            }
        }
        Event::InfoPackage { package, content, .. } => {
            let keys = content.as_ref().map(|content| &content.body[..]);
            if package != PACKAGE || keys != Some(b"5") {
                world.violate(
                    phone,
                    "what is sent arrives as something else",
                    format!("{package}, {keys:?}"),
                );
            }
        }
        _ => {}
    }
}

fn next_text(world: &mut World) -> Content {
    world.serial += 1;
    Content::new("text/plain", format!("message {}", world.serial).into_bytes())
}

/// Sends a request that has one answer.
fn request(
    world: &mut World,
    phone: NodeId,
    text: &str,
    command: impl FnOnce(&mut UserAgent, Instant) -> Result<RequestId, RequestError>,
) {
    match world.command(phone, text, command) {
        // Its answer cannot come before the network has had its turn.
        Ok(request) => drop(world.phone(phone).watch.requests.insert(request)),
        // Without a flow it cannot be sent, and is told so. What the other side takes is not kept over a restart.
        Err(RequestError::Offline | RequestError::PackageNotTaken) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("{text}: {error}")),
    }
}
