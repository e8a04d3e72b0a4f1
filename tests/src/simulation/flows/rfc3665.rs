//! RFC 3665 §3. Blank are §3.3 (a second proxy that challenges), §3.4 (another proxy after the first fails) and §3.6
//! (redirection).

use super::Between::{HisProxy, Nobody, TwoProxies};
use super::Flow;

const PLAIN: Flow = Flow {
    section: "",
    about: "",
    between: HisProxy,
    others: &[],
    crossing: false,
    trying: true,
    table: "",
    script: |_| {},
};

/// The flows.
pub const FLOWS: &[Flow] = &[
    Flow {
        section: "RFC 3665 §3.1",
        about: "a call without a proxy",
        between: Nobody,
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A BYE, A>B 200 BYE",
        script: |stage| {
            stage.talk();
            stage.hang_up(stage.bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.2",
        about: "a call through two proxies, the first of which challenges",
        between: TwoProxies,
        table: "A>P1 INVITE, P1>A 407 INVITE, A>P1 ACK, A>P1 INVITE, P1>P2 INVITE, P1>A 100 INVITE, P2>B INVITE, \
                P2>P1 100 INVITE, B>P2 180 INVITE, P2>P1 180 INVITE, P1>A 180 INVITE, B>P2 200 INVITE, \
                P2>P1 200 INVITE, P1>A 200 INVITE, A>P1 ACK, P1>P2 ACK, P2>B ACK, B>P2 BYE, P2>P1 BYE, P1>A BYE, \
                A>P1 200 BYE, P1>P2 200 BYE, P2>B 200 BYE",
        script: |stage| {
            stage.call();
            stage.run(500);
            stage.ring();
            stage.run(300);
            stage.accept();
            stage.run(400);
            stage.hang_up(stage.bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.5",
        about: "a call that enters by the border of bob's network",
        table: "A>P INVITE, P>A 100 INVITE, P>B INVITE, B>P 180 INVITE, P>A 180 INVITE, B>P 200 INVITE, \
                P>A 200 INVITE, A>P ACK, P>B ACK, A>P BYE, P>B BYE, B>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.talk();
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.7",
        about: "a re-INVITE with another address; the example's proxy takes no part in it and stands as bob here",
        between: Nobody,
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A INVITE, A>B 200 INVITE, B>A ACK, A>B BYE, \
                B>A 200 BYE",
        script: |stage| {
            stage.talk();
            stage.offer(stage.bob);
            stage.run(500);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.8",
        about: "nobody answers and the caller gives up",
        table: "A>P INVITE, P>A 100 INVITE, P>B INVITE, B>P 180 INVITE, P>A 180 INVITE, A>P CANCEL, P>A 200 CANCEL, \
                P>B CANCEL, B>P 200 CANCEL, B>P 487 INVITE, P>B ACK, P>A 487 INVITE, A>P ACK",
        script: |stage| {
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(5_000);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.9",
        about: "bob is busy",
        table: "A>P INVITE, P>A 100 INVITE, P>B INVITE, B>P 486 INVITE, P>B ACK, P>A 486 INVITE, A>P ACK",
        script: |stage| {
            stage.call();
            stage.run(200);
            stage.reject(486);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.10",
        about: "bob's phone is silent; the example's proxy says 480, ours 408 as RFC 3261 §16.8 has it",
        table: "A>P INVITE, P>A 100 INVITE, P>B INVITE, P>B INVITE, P>B INVITE, P>B INVITE, P>B INVITE, P>B INVITE, \
                P>B INVITE, P>A 408 INVITE, A>P ACK",
        script: |stage| {
            let bob = stage.bob;
            stage.world.phone(bob).up = false;
            stage.call();
            stage.run(40_000);
            // Nobody was there whose call could be missed.
            stage.world.phone(bob).up = true;
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.11",
        about: "bob does not want to be disturbed",
        table: "A>P INVITE, P>A 100 INVITE, P>B INVITE, B>P 180 INVITE, P>A 180 INVITE, B>P 480 INVITE, P>B ACK, \
                P>A 480 INVITE, A>P ACK",
        script: |stage| {
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(500);
            stage.reject(480);
            stage.run(1_000);
        },
        ..PLAIN
    },
];
