//! Scripts on a virtual clock: [`solo`] plays the other side by hand, [`pair`] connects two user agents.

mod added_fields;
mod anonymous;
mod bodies;
mod calls;
mod changes;
mod changes_asked;
mod checks;
mod continuity;
mod dialog_info;
mod digest;
mod early_ends;
mod events;
mod flows;
mod forks;
mod incoming;
mod info_packages;
mod joins;
mod liars;
mod loops;
mod messages;
mod outbound;
mod outgoing;
mod outside;
mod pair;
mod prack;
mod presentations;
mod publications;
mod races;
mod random_calls;
mod redirection;
mod referrals;
mod refusals;
mod registration;
mod reliable;
mod reliable_ours;
mod repeats;
mod replaces;
mod ringing;
mod session_timers;
mod sessions;
mod sips;
mod snapshots;
mod solicited;
mod solo;
mod states;
mod subscriptions;
mod three;
mod tokens;
mod told;
mod torture;
mod transfer;
mod unsolicited;
mod watchers;

use std::string::{String, ToString};

use super::{Aor, Config, ReasonValue, Reasons};
use crate::body::sdp::SessionDescription;
use crate::entropy::SeededEntropy;
use crate::offer_answer::Negotiation;
use crate::transport::{FlowId, Hop, Transport};

/// A WebRTC offer in short.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                     c=IN IP4 192.0.2.1\r\na=fingerprint:sha-256 AA:BB\r\n";
const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                      c=IN IP4 192.0.2.2\r\na=fingerprint:sha-256 CC:DD\r\n";

fn config(aor: &str) -> Config {
    let mut config = Config::new(Aor::parse(aor).unwrap(), "urn:uuid:00000000-0000-4000-8000-000000000001");
    config.password = Some(String::from("secret"));
    config
}

fn entropy(seed: u64) -> crate::entropy::BoxedEntropy {
    std::boxed::Box::new(SeededEntropy(seed))
}

/// What Reasons with these protocols, causes and texts are told as.
fn said(values: &[(&str, u32, &str)]) -> Reasons {
    let values = values.iter().map(|(protocol, cause, text)| ReasonValue {
        protocol: (*protocol).into(),
        cause: Some(*cause),
        text: Some(*text).filter(|text| !text.is_empty()).map(Into::into),
    });
    Reasons(values.collect())
}

fn hop(flow: u64, transport: Transport) -> Hop {
    Hop {
        flow: FlowId(flow),
        transport,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
    }
}

/// What media would say to an offer within a call, or offer itself where none came: the next version of what it said
/// before, the other way round.
fn reply(session: &Negotiation, offer: Option<&str>) -> String {
    let local = session.local().cloned().unwrap_or_else(|| ANSWER.into());
    let mut sdp = SessionDescription::parse(&local).unwrap();
    let asked = offer.map(|offer| {
        let offer = SessionDescription::parse(offer.as_bytes()).unwrap();
        offer.direction_of(&offer.media[0])
    });
    let version = sdp.origin().session_version;
    sdp.set_session_version(version + 1);
    sdp.media[0].set_direction(asked.unwrap_or_default().reversed());
    sdp.to_string()
}
