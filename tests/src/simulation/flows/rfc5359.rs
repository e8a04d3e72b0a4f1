//! RFC 5359 §2. Only hold is here so far. Blank are §2.2–§2.6, §2.10, §2.11 and §2.15–§2.18, which take REFER, Replaces,
//! Join or subscriptions to the dialog package, and §2.7–§2.9 and §2.12–§2.14, which take a proxy with rules of its own
//! about whom to try.

use sip_core::user_agent::UserAgent;

use super::Between::HisProxy;
use super::Flow;

/// The flows.
pub const FLOWS: &[Flow] = &[Flow {
    section: "RFC 5359 §2.1",
    about: "hold, and back",
    between: HisProxy,
    crossing: false,
    trying: false,
    table: "A>P INVITE, P>B INVITE, B>P 180 INVITE, P>A 180 INVITE, B>P 200 INVITE, P>A 200 INVITE, A>P ACK, P>B ACK, \
            B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
            B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
            A>P BYE, P>B BYE, B>P 200 BYE, P>A 200 BYE",
    script: |stage| {
        stage.talk();
        let bob = stage.bob;
        stage.change(bob, "hold", UserAgent::hold);
        stage.run(1_000);
        stage.change(bob, "resume", UserAgent::resume);
        stage.run(1_000);
        stage.hang_up(stage.alice);
        stage.run(1_000);
    },
}];
