//! The targets, from the syntax to whole endpoints.

mod auth;
mod bodies;
mod call_id;
mod framing;
mod message;
mod multipart;
mod sdp;
mod server;
mod transactions;
mod typed;
mod uri;
mod user_agent;
mod wire;
mod xml;

use crate::repeat::expand;
use crate::{Target, seeds};

macro_rules! text {
    ($name:ident, $seeds:expr) => {
        Target {
            name: stringify!($name),
            run: |input| $name::holds(&expand(input)),
            seeds: $seeds,
            text: true,
        }
    };
}

macro_rules! operations {
    ($name:ident) => {
        Target { name: stringify!($name), run: $name::holds, seeds: seeds::operations, text: false }
    };
}

pub(crate) const ALL: &[Target] = &[
    text!(message, messages),
    text!(framing, framing::seeds),
    text!(call_id, messages),
    text!(uri, uri::seeds),
    text!(typed, typed::seeds),
    text!(sdp, seeds::descriptions),
    text!(multipart, seeds::multiparts),
    text!(xml, seeds::documents),
    text!(bodies, seeds::bodies),
    text!(auth, auth::seeds),
    operations!(transactions),
    operations!(user_agent),
    operations!(server),
];

fn messages() -> Vec<Vec<u8>> {
    let mut all = seeds::messages();
    all.push(typed::busy_message());
    all
}
