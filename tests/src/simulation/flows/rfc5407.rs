//! RFC 5407 §3: races. In §3.1.3 and §3.2.4 the BYE is the script's: our callers leave an early dialog by CANCEL, and our
//! callees send no BYE before the ACK (RFC 3261 §15). What others do then is ours.

use sip_core::user_agent::{End, Event, Side, TransferEnd, TransferUpdate};

use super::super::sessions;
use super::Between::Nobody;
use super::Flow;
use super::stage::LATENCY;

const PLAIN: Flow =
    Flow { section: "", about: "", between: Nobody, others: &[], crossing: true, table: "", script: |_| {} };

/// The flows.
pub const FLOWS: &[Flow] = &[
    Flow {
        section: "RFC 5407 §3.1.1",
        about: "INVITE is repeated as it is answered",
        table: "A>B INVITE, B>A 180 INVITE, A>B INVITE, B>A 200 INVITE, A>B ACK",
        script: |stage| {
            stage.lose(stage.bob, "100");
            stage.lose(stage.bob, "180");
            stage.call();
            stage.run(100);
            stage.ring();
            stage.run(400);
            stage.accept();
            stage.run(400);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.1.2",
        about: "CANCEL crosses the 2xx",
        table: "A>B INVITE, B>A 180 INVITE, A>B CANCEL, B>A 200 INVITE, A>B ACK, B>A 200 CANCEL, A>B BYE, B>A 200 BYE",
        script: |stage| {
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.hang_up(stage.alice);
            stage.accept();
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.1.3",
        about: "a BYE of the early dialog crosses the 2xx, which is acknowledged all the same",
        table: "A>B INVITE, B>A 180 INVITE, A>B BYE, B>A 200 INVITE, A>B ACK, B>A 200 BYE",
        script: |stage| {
            let (alice, bob) = (stage.alice, stage.bob);
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.says_bye(alice, bob);
            stage.accept();
            // Longer than a 2xx is repeated: he waits for no ACK any more.
            stage.run(40_000);
            stage.take(bob, |event| match event {
                Event::Ended { end: End::Hangup { by: Side::Remote, .. }, .. } => Some(()),
                _ => None,
            });
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.1.4",
        about: "a re-INVITE before the ACK, which was lost",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B INVITE, B>A 200 INVITE, A>B ACK, \
                B>A 200 INVITE, A>B ACK",
        script: |stage| {
            stage.lose(stage.alice, "ACK");
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.accept();
            // When the 2xx is repeated.
            stage.run(500);
            stage.offer(stage.alice);
            stage.run(400);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.1.5",
        about: "the same while the lost ACK had the answer",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B INVITE, B>A 200 INVITE, A>B ACK, \
                B>A 491 INVITE, A>B ACK",
        script: |stage| {
            stage.lose(stage.alice, "ACK");
            stage.call_offerless();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.accept();
            stage.run(500);
            stage.offer(stage.alice);
            stage.run(400);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.1.6",
        about: "BYE before the ACK, which was lost",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B BYE, B>A 200 INVITE, A>B ACK, B>A 200 BYE",
        script: |stage| {
            stage.lose(stage.alice, "ACK");
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.accept();
            stage.run(500);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.2.1",
        about: "both hang up",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B BYE, B>A BYE, A>B 200 BYE, B>A 200 BYE",
        script: |stage| {
            stage.talk();
            stage.hang_up(stage.alice);
            stage.hang_up(stage.bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.2.2",
        about: "a re-INVITE crosses a BYE",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B BYE, B>A INVITE, A>B 481 INVITE, \
                B>A 200 BYE, B>A ACK",
        script: |stage| {
            stage.talk();
            stage.hang_up(stage.alice);
            stage.offer(stage.bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.2.3",
        about: "the 2xx to a re-INVITE crosses a BYE",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A INVITE, A>B 200 INVITE, B>A BYE, \
                A>B 200 BYE, B>A ACK",
        script: |stage| {
            stage.talk();
            stage.lose(stage.alice, "100");
            stage.offer(stage.bob);
            stage.run(LATENCY);
            stage.hang_up(stage.bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.2.4",
        about: "BYE of the callee crosses the ACK",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A BYE, A>B 200 BYE",
        script: |stage| {
            let (alice, bob) = (stage.alice, stage.bob);
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            stage.accept();
            stage.run(LATENCY);
            stage.says_bye(bob, alice);
            stage.run(1_000);
            stage.take(alice, |event| match event {
                Event::Ended { end: End::Hangup { by: Side::Remote, .. }, .. } => Some(()),
                _ => None,
            });
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.3.1",
        about: "re-INVITEs cross",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B INVITE, B>A INVITE, B>A 491 INVITE, \
                A>B 491 INVITE, A>B ACK, B>A ACK, B>A INVITE, A>B 200 INVITE, B>A ACK, A>B INVITE, B>A 200 INVITE, \
                A>B ACK",
        script: |stage| {
            stage.talk();
            stage.offer(stage.alice);
            stage.offer(stage.bob);
            // Bob's next try comes within 2 s, alice's within 4 s.
            stage.run(6_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.3.2",
        about: "UPDATE and re-INVITE cross; alice's next try comes after the example's end",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B UPDATE, B>A INVITE, B>A 491 UPDATE, \
                A>B 491 INVITE, B>A ACK, B>A INVITE, A>B 200 INVITE, B>A ACK",
        script: |stage| {
            let (alice, bob) = (stage.alice, stage.bob);
            stage.talk();
            let Some(call) = stage.call_with(alice, bob) else { return };
            let sdp = sessions::next_description(&mut stage.world, alice, call, None);
            stage.change(alice, "update", |ua, now, call| ua.offer_promptly(now, call, &sdp));
            stage.offer(bob);
            // Bob's next try comes within 2 s, alice's after 2.1 s at the earliest.
            stage.run(2_190);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5407 §3.3.3",
        about: "REFER crosses BYE",
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, A>B BYE, B>A REFER, B>A 200 BYE, A>B 481 REFER",
        script: |stage| {
            let (alice, bob) = (stage.alice, stage.bob);
            stage.talk();
            stage.hang_up(alice);
            stage.refers(bob, alice, |ua, now, call| ua.transfer(now, call, "carol@a.example"));
            stage.run(1_000);
            // He is told that nothing comes of it.
            stage.take(bob, |event| match event {
                Event::Transfer { update: TransferUpdate::Ended(TransferEnd::Failed(_)), .. } => Some(()),
                _ => None,
            });
        },
        ..PLAIN
    },
];
