//! RFC 3665 §2 and §3. In §3.3 alice's second proxy serves her domain as well: ours asks nobody for a password who has no
//! account with it.

use sip_core::user_agent::{Event, UserAgent};

use super::Between::{DeadProxy, HisProxy, Nobody, Redirect, TheirProxy, TwoGuards, TwoProxies};
use super::Flow;

const PLAIN: Flow = Flow {
    section: "",
    about: "",
    between: HisProxy,
    others: &[],
    crossing: false,
    table: "",
    script: |_| {},
};

/// The flows.
pub const FLOWS: &[Flow] = &[
    Flow {
        section: "RFC 3665 §2.1",
        about: "a registration",
        between: TheirProxy,
        table: "B>P REGISTER, P>B 401 REGISTER, B>P REGISTER, P>B 200 REGISTER",
        script: |stage| {
            stage.starts_anew(stage.bob, |_| {});
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §2.2",
        about: "a registration is told again, with credentials for a nonce that is known; ours has one contact",
        between: TheirProxy,
        table: "B>P REGISTER, P>B 200 REGISTER",
        script: |stage| {
            stage.world.command(stage.bob, "register", UserAgent::register).expect("a phone can register");
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §2.3",
        about: "what is registered is asked for",
        between: TheirProxy,
        table: "B>P REGISTER, P>B 200 REGISTER",
        script: |stage| {
            stage.world.phone(stage.bob).watch.fetching = 1;
            stage.world.command(stage.bob, "fetch", UserAgent::fetch_bindings).expect("a phone can ask");
            stage.run(1_000);
            stage.take(stage.bob, |event| match event {
                Event::Bindings { outcome: Ok(bindings), .. } if bindings.len() == 1 => Some(()),
                _ => None,
            });
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §2.4",
        about: "everything is unregistered",
        between: TheirProxy,
        table: "B>P REGISTER, P>B 200 REGISTER",
        script: |stage| {
            let bob = stage.bob;
            stage.world.phone(bob).watch.unregistering = true;
            stage.world.command(bob, "unregister all", UserAgent::unregister_all).expect("a phone can leave");
            stage.run(1_000);
            stage.take(bob, |event| matches!(event, Event::Unregistered).then_some(()));
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §2.5",
        about: "a wrong password",
        between: TheirProxy,
        table: "B>P REGISTER, P>B 401 REGISTER, B>P REGISTER, P>B 401 REGISTER",
        script: |stage| {
            stage.starts_anew(stage.bob, |config| config.password = Some("a guess".into()));
            stage.run(10_000);
        },
        ..PLAIN
    },
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
        section: "RFC 3665 §3.3",
        about: "a call through two proxies, both of which challenge",
        between: TwoGuards,
        table: "A>P1 INVITE, P1>A 407 INVITE, A>P1 ACK, A>P1 INVITE, P1>A 100 INVITE, P1>P2 INVITE, P2>P1 407 INVITE, \
                P1>P2 ACK, P1>A 407 INVITE, A>P1 ACK, A>P1 INVITE, P1>A 100 INVITE, P1>P2 INVITE, P2>P1 100 INVITE, \
                P2>B INVITE, B>P2 200 INVITE, P2>P1 200 INVITE, P1>A 200 INVITE, A>P1 ACK, P1>P2 ACK, P2>B ACK",
        script: |stage| {
            stage.call();
            stage.run(800);
            stage.accept();
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.4",
        about: "alice's proxy is dead: she repeats her INVITE over her flow to another before its transaction ends",
        between: DeadProxy,
        table: "A>P1 INVITE, A>P1 INVITE, A>P1 INVITE, A>P1 INVITE, A>P1 INVITE, A>P1 INVITE, A>P1 INVITE, \
                A>P2 INVITE, P2>A 407 INVITE, A>P2 ACK, A>P2 INVITE, P2>B INVITE, P2>A 100 INVITE, B>P2 180 INVITE, \
                P2>A 180 INVITE, B>P2 200 INVITE, P2>A 200 INVITE, A>P2 ACK, P2>B ACK, B>P2 BYE, P2>A BYE, \
                A>P2 200 BYE, P2>B 200 BYE",
        script: |stage| {
            let alice = stage.alice;
            stage.call();
            // INVITE was sent for the seventh time; what keeps the flow alive has had no answer.
            stage.run(31_700);
            stage.world.lose_line(alice, 0);
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
        section: "RFC 3665 §3.6",
        about: "a server redirects alice to another; bob's offer comes in his 200 and her answer in the ACK",
        between: Redirect,
        table: "A>P1 INVITE, P1>A 302 INVITE, A>P1 ACK, A>P2 INVITE, P2>B INVITE, P2>A 100 INVITE, B>P2 180 INVITE, \
                P2>A 180 INVITE, B>P2 200 INVITE, P2>A 200 INVITE, A>P2 ACK, P2>B ACK, B>P2 BYE, P2>A BYE, \
                A>P2 200 BYE, P2>B 200 BYE",
        script: |stage| {
            stage.calls_offerless("bob@10.0.0.2");
            stage.run(500);
            stage.ring();
            stage.run(300);
            stage.accept();
            stage.run(600);
            stage.hang_up(stage.bob);
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
        between: TwoProxies,
        table: "A>P1 INVITE, P1>P2 INVITE, P1>A 100 INVITE, P2>B INVITE, P2>P1 100 INVITE, B>P2 180 INVITE, \
                P2>P1 180 INVITE, P1>A 180 INVITE, A>P1 CANCEL, P1>A 200 CANCEL, P1>P2 CANCEL, P2>P1 200 CANCEL, \
                P2>B CANCEL, B>P2 200 CANCEL, B>P2 487 INVITE, P2>B ACK, P2>P1 487 INVITE, P1>P2 ACK, P1>A 487 INVITE, \
                A>P1 ACK",
        script: |stage| {
            stage.is_known(stage.alice);
            stage.call();
            stage.run(300);
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
        between: TwoProxies,
        table: "A>P1 INVITE, P1>P2 INVITE, P1>A 100 INVITE, P2>B INVITE, P2>P1 100 INVITE, B>P2 486 INVITE, P2>B ACK, \
                P2>P1 486 INVITE, P1>P2 ACK, P1>A 486 INVITE, A>P1 ACK",
        script: |stage| {
            stage.is_known(stage.alice);
            stage.call();
            stage.run(300);
            stage.reject(486);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 3665 §3.10",
        about: "bob's phone is silent; the example's proxy says 480, ours 408 as RFC 3261 §16.8 has it",
        between: TwoProxies,
        table: "A>P1 INVITE, P1>P2 INVITE, P1>A 100 INVITE, P2>B INVITE, P2>P1 100 INVITE, P2>B INVITE, P2>B INVITE, \
                P2>B INVITE, P2>B INVITE, P2>B INVITE, P2>B INVITE, P2>P1 408 INVITE, P1>P2 ACK, P1>A 408 INVITE, \
                A>P1 ACK",
        script: |stage| {
            let bob = stage.bob;
            stage.is_known(stage.alice);
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
        between: TwoProxies,
        table: "A>P1 INVITE, P1>P2 INVITE, P1>A 100 INVITE, P2>B INVITE, P2>P1 100 INVITE, B>P2 180 INVITE, \
                P2>P1 180 INVITE, P1>A 180 INVITE, B>P2 480 INVITE, P2>B ACK, P2>P1 480 INVITE, P1>P2 ACK, \
                P1>A 480 INVITE, A>P1 ACK",
        script: |stage| {
            stage.is_known(stage.alice);
            stage.call();
            stage.run(300);
            stage.ring();
            stage.run(500);
            stage.reject(480);
            stage.run(1_000);
        },
        ..PLAIN
    },
];
