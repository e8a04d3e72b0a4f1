//! RFC 5359 §2. A REFER is answered with 200 where the examples have 202 (RFC 6665 §8.3.1).

use sip_core::body::Content;
use sip_core::body::dialog_info::Dialog;
use sip_core::events::{Document, EventName, Package};
use sip_core::message::{escape_header, unescape};
use sip_core::server::Occasion;
use sip_core::time::{Duration, Instant};
use sip_core::user_agent::{
    Addressee, CallId, Event, Replacement, RequestError, SubscriptionId, SubscriptionUpdate, TransferId,
    UserAgent, WatcherId, WatcherUpdate,
};

use super::super::NodeId;
use super::super::node::password;
use super::super::sessions;
use super::super::watch::description;
use super::Between::{Beside, HisProxy, Nobody, TheirProxy};
use super::Flow;
use super::stage::Stage;

const PLAIN: Flow =
    Flow { section: "", about: "", between: Nobody, others: &[], crossing: false, table: "", script: |_| {} };

/// The flows.
pub const FLOWS: &[Flow] = &[
    Flow {
        section: "RFC 5359 §2.1",
        about: "hold, and back",
        between: HisProxy,
        table: "A>P INVITE, P>B INVITE, P>A 100 INVITE, B>P 180 INVITE, P>A 180 INVITE, B>P 200 INVITE, P>A 200 INVITE, \
                A>P ACK, P>B ACK, B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
                B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
                A>P BYE, P>B BYE, B>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.talk();
            stage.change(stage.bob, "hold", UserAgent::hold);
            stage.run(1_000);
            stage.change(stage.bob, "resume", UserAgent::resume);
            stage.run(1_000);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.2",
        about: "hold, and a call to somebody else meanwhile",
        between: HisProxy,
        others: &["carol"],
        table: "A>P INVITE, P>B INVITE, P>A 100 INVITE, B>P 180 INVITE, P>A 180 INVITE, B>P 200 INVITE, P>A 200 INVITE, \
                A>P ACK, P>B ACK, B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
                B>P INVITE, P>C INVITE, P>B 100 INVITE, C>P 180 INVITE, P>B 180 INVITE, C>P 200 INVITE, P>B 200 INVITE, B>P ACK, \
                P>C ACK, B>P BYE, P>C BYE, C>P 200 BYE, P>B 200 BYE, \
                B>P INVITE, P>A INVITE, A>P 200 INVITE, P>B 200 INVITE, B>P ACK, P>A ACK, \
                A>P BYE, P>B BYE, B>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.is_known(stage.bob);
            stage.talk();
            stage.change(stage.bob, "hold", UserAgent::hold);
            stage.run(1_000);
            stage.talks(stage.bob, stage.third);
            stage.hang_up_with(stage.bob, stage.third);
            stage.run(1_000);
            stage.change(stage.bob, "resume", UserAgent::resume);
            stage.run(1_000);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.3",
        about: "music on hold; the example's music server names its dialog in the body of its last NOTIFY, ours does not",
        others: &["music"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A INVITE, A>B 200 INVITE, B>A ACK, \
                B>M REFER, M>B 200 REFER, M>B NOTIFY, B>M 200 NOTIFY, M>A INVITE, A>M 200 INVITE, M>A ACK, A>B BYE, \
                B>A 200 BYE, M>B NOTIFY, B>M 200 NOTIFY, B>A INVITE, A>B 200 INVITE, B>A ACK, A>M BYE, M>A 200 BYE",
        script: |stage| {
            let (alice, bob, music) = (stage.alice, stage.bob, stage.third);
            stage.talk();
            stage.change(bob, "hold", UserAgent::hold);
            stage.run(500);
            stage.hands_over(bob, music);
            stage.accepts(alice);
            stage.run(1_000);
            let Some(told) = own_dialog(stage, music) else { return };
            stage.takes_over(bob, &told, false);
            stage.run(200);
            stage.accepts(alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.4",
        about: "unattended transfer; bob tells of the 180 too, one NOTIFY more than the example has",
        others: &["carol"],
        table: "B>A INVITE, A>B 180 INVITE, A>B 200 INVITE, B>A ACK, A>B REFER, B>A 200 REFER, B>A NOTIFY, \
                A>B 200 NOTIFY, A>B BYE, B>A 200 BYE, B>C INVITE, C>B 180 INVITE, B>A NOTIFY, A>B 200 NOTIFY, \
                C>B 200 INVITE, B>C ACK, B>A NOTIFY, A>B 200 NOTIFY",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            stage.talks(bob, alice);
            let target = stage.address(carol);
            stage.refers(alice, bob, |ua, now, call| ua.transfer(now, call, &target));
            stage.run(200);
            stage.obeys(bob);
            stage.run(200);
            stage.hang_up_with(alice, bob);
            stage.run(200);
            stage.rings(carol);
            stage.run(400);
            stage.accepts(carol);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.5",
        about: "attended transfer",
        others: &["carol"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A INVITE, A>B 200 INVITE, B>A ACK, \
                B>C INVITE, C>B 180 INVITE, C>B 200 INVITE, B>C ACK, B>C INVITE, C>B 200 INVITE, B>C ACK, \
                B>A REFER, A>B 200 REFER, A>B NOTIFY, B>A 200 NOTIFY, A>C INVITE, C>A 200 INVITE, A>C ACK, \
                C>B BYE, B>C 200 BYE, A>B NOTIFY, B>A 200 NOTIFY, B>A BYE, A>B 200 BYE",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            stage.talk();
            stage.change(bob, "hold", UserAgent::hold);
            stage.run(500);
            stage.talks(bob, carol);
            stage.change(bob, "hold", UserAgent::hold);
            stage.run(500);
            let Some(other) = stage.call_with(bob, carol) else { return };
            stage.refers(bob, alice, |ua, now, call| ua.transfer_to(now, call, other));
            stage.run(200);
            stage.obeys(alice);
            stage.run(200);
            stage.accepts(carol);
            stage.run(500);
            stage.hang_up_with(bob, alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.6",
        about: "transfer by a message that says whose place to take",
        others: &["carol"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>C MESSAGE, C>B 200 MESSAGE, C>A INVITE, \
                A>C 200 INVITE, C>A ACK, A>B BYE, B>A 200 BYE",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            stage.talk();
            let Some(uri) = own_dialog(stage, bob).as_ref().and_then(replaceable) else { return };
            stage.sends(bob, carol, &uri);
            stage.run(200);
            let text = stage.take(carol, |event| match event {
                Event::Message { content, .. } => Some(String::from_utf8_lossy(&content.body).into_owned()),
                _ => None,
            });
            let Some(text) = text else { return };
            stage.clicks(carol, &text);
            stage.run(200);
            stage.accepts(alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.7",
        about: "forwarding in any case, to a gateway",
        between: HisProxy,
        others: &["gateway"],
        table: "A>P INVITE, P>A 100 INVITE, P>A 181 INVITE, P>G INVITE, G>P 180 INVITE, P>A 180 INVITE, G>P 200 INVITE, \
                P>A 200 INVITE, A>P ACK, P>G ACK, A>P BYE, P>G BYE, G>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.forwards(Occasion::Always, "gateway");
            stage.call();
            stage.run(200);
            stage.rings(stage.third);
            stage.run(200);
            stage.accepts(stage.third);
            stage.run(200);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.8",
        about: "forwarding when busy, to bob's other address",
        between: HisProxy,
        others: &["b2"],
        table: "A>P INVITE, P>B1 INVITE, P>A 100 INVITE, B1>P 486 INVITE, P>B1 ACK, P>A 181 INVITE, P>B2 INVITE, \
                B2>P 180 INVITE, P>A 180 INVITE, B2>P 200 INVITE, P>A 200 INVITE, A>P ACK, P>B2 ACK, A>P BYE, P>B2 BYE, \
                B2>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.forwards(Occasion::Busy, "b2");
            stage.call();
            stage.run(200);
            stage.rejects(stage.bob, 486);
            stage.run(200);
            stage.rings(stage.third);
            stage.run(200);
            stage.accepts(stage.third);
            stage.run(200);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.9",
        about: "forwarding when nobody answers, after twenty seconds",
        between: HisProxy,
        others: &["b2"],
        table: "A>P INVITE, P>B1 INVITE, P>A 100 INVITE, B1>P 180 INVITE, P>A 180 INVITE, P>B1 CANCEL, B1>P 200 CANCEL, \
                B1>P 487 INVITE, P>B1 ACK, P>A 181 INVITE, P>B2 INVITE, B2>P 180 INVITE, P>A 180 INVITE, \
                B2>P 200 INVITE, P>A 200 INVITE, A>P ACK, P>B2 ACK, A>P BYE, P>B2 BYE, B2>P 200 BYE, P>A 200 BYE",
        script: |stage| {
            stage.forwards(Occasion::NoAnswer(Duration::from_secs(20)), "b2");
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(21_000);
            stage.rings(stage.third);
            stage.run(200);
            stage.accepts(stage.third);
            stage.run(200);
            stage.hang_up(stage.alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.10",
        about: "a third one is added to a call by bob, whose Contact says that he mixes",
        others: &["carol"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A INVITE, A>B 200 INVITE, B>A ACK, \
                B>C INVITE, C>B 180 INVITE, C>B 200 INVITE, B>C ACK",
        script: |stage| {
            stage.starts_anew(stage.bob, |config| config.features = vec!["isfocus".into()]);
            stage.talk();
            stage.offer(stage.bob);
            stage.run(500);
            stage.talks(stage.bob, stage.third);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.11",
        about: "a third one joins a call (RFC 3911)",
        others: &["carol"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, C>B INVITE, B>C 180 INVITE, B>A INVITE, \
                A>B 200 INVITE, B>A ACK, B>C 200 INVITE, C>B ACK",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            stage.starts_anew(bob, |config| config.joins = true);
            stage.talk();
            let Some(dialog) = own_dialog(stage, bob) else { return };
            stage.joins(carol, bob, &dialog);
            stage.run(200);
            stage.rings(bob);
            stage.run(200);
            let Some(call) = stage.call_with(bob, alice) else { return };
            let sdp = sessions::next_description(&mut stage.world, bob, call, None);
            stage.change_call(bob, call, "offer", |ua, now, call| ua.offer(now, call, &sdp));
            stage.run(200);
            stage.accepts(bob);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.12",
        about: "find me: four phones, one after another",
        between: HisProxy,
        others: &["bob", "bob", "bob"],
        table: "A>P INVITE, P>B1 INVITE, P>A 100 INVITE, B1>P 180 INVITE, P>A 180 INVITE, P>B1 CANCEL, B1>P 200 CANCEL, \
                B1>P 487 INVITE, P>B1 ACK, P>B2 INVITE, B2>P 480 INVITE, P>B2 ACK, P>B3 INVITE, B3>P 486 INVITE, \
                P>B3 ACK, P>B4 INVITE, B4>P 180 INVITE, P>A 180 INVITE, B4>P 200 INVITE, P>A 200 INVITE, A>P ACK, \
                P>B4 ACK, B4>P BYE, P>A BYE, A>P 200 BYE, P>B4 200 BYE",
        script: |stage| {
            let [second, third, fourth] = [0, 1, 2].map(|at| NodeId(stage.third.0 + at));
            stage.ranks();
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(21_000);
            stage.rejects(second, 480);
            stage.run(200);
            stage.rejects(third, 486);
            stage.run(200);
            stage.rings(fourth);
            stage.run(200);
            stage.accepts(fourth);
            stage.run(200);
            stage.hang_up(fourth);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.13",
        about: "screening of callers: bob takes calls from his proxy alone, which refuses alice as in §2.14; she then calls news for why",
        between: Beside,
        others: &["news"],
        table: "A>B INVITE, B>A 305 INVITE, A>B ACK, A>P INVITE, P>A 407 INVITE, A>P ACK, A>P INVITE, P>A 403 INVITE, \
                A>P ACK, A>N INVITE, N>A 200 INVITE, A>N ACK, N>A BYE, A>N 200 BYE",
        script: |stage| {
            let (alice, bob, news) = (stage.alice, stage.bob, stage.third);
            stage.pretends(alice);
            stage.call();
            stage.run(200);
            let proxy = format!("sip:{}", stage.world.servers()[0].address().ip());
            let Some(call) = stage.call_with(bob, alice) else { return };
            let sent = |ua: &mut UserAgent, now| ua.redirect(now, call, 305, &[(&proxy, None)]);
            stage.world.command(bob, "redirect", sent).expect("a call can be sent elsewhere");
            stage.run(1_000);
            stage.calls(alice, news);
            stage.run(200);
            stage.accepts(news);
            stage.run(500);
            stage.hang_up(news);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.14",
        about: "screening of callers: alice proves to be somebody else than her From says, which is what ours screens",
        between: TheirProxy,
        table: "A>P INVITE, P>A 407 INVITE, A>P ACK, A>P INVITE, P>A 403 INVITE, A>P ACK",
        script: |stage| {
            stage.pretends(stage.alice);
            stage.call();
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.15",
        about: "park, and carol takes the call",
        others: &["park", "carol"],
        table: "A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>P REFER, P>B 200 REFER, P>B NOTIFY, \
                B>P 200 NOTIFY, P>A INVITE, A>P 200 INVITE, P>A ACK, A>B BYE, B>A 200 BYE, P>B NOTIFY, \
                B>P 200 NOTIFY, C>P SUBSCRIBE, P>C 200 SUBSCRIBE, P>C NOTIFY, C>P 200 NOTIFY, C>A INVITE, \
                A>C 200 INVITE, C>A ACK, A>P BYE, P>A 200 BYE",
        script: |stage| {
            let (alice, bob, park) = (stage.alice, stage.bob, stage.third);
            let carol = NodeId(park.0 + 1);
            stage.talk();
            stage.hands_over(bob, park);
            stage.accepts(alice);
            stage.run(1_000);
            let Some(told) = stage.asks_for_calls(carol, park) else { return };
            stage.takes_over(carol, &told, false);
            stage.run(200);
            stage.accepts(alice);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.16",
        about: "pickup; carol is the example's bill",
        others: &["carol"],
        table: "A>B INVITE, B>A 180 INVITE, C>B SUBSCRIBE, B>C 200 SUBSCRIBE, B>C NOTIFY, C>B 200 NOTIFY, \
                C>A INVITE, A>C 200 INVITE, A>B CANCEL, B>A 200 CANCEL, B>A 487 INVITE, A>B ACK, C>A ACK, A>C BYE, \
                C>A 200 BYE",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            stage.call();
            stage.run(200);
            stage.ring();
            stage.run(200);
            let Some(told) = stage.asks_for_calls(carol, bob) else { return };
            stage.takes_over(carol, &told, true);
            stage.run(200);
            stage.accepts(alice);
            stage.run(500);
            stage.hang_up_with(alice, carol);
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.17",
        about: "automatic redial",
        table: "A>B INVITE, B>A 486 INVITE, A>B ACK, A>B SUBSCRIBE, B>A 200 SUBSCRIBE, B>A NOTIFY, A>B 200 NOTIFY, \
                B>A NOTIFY, A>B 200 NOTIFY, A>B INVITE, B>A 180 INVITE, B>A 200 INVITE, A>B ACK, B>A NOTIFY, \
                A>B 200 NOTIFY, A>B SUBSCRIBE, B>A 200 SUBSCRIBE, B>A NOTIFY, A>B 200 NOTIFY",
        script: |stage| {
            let (alice, bob) = (stage.alice, stage.bob);
            stage.call();
            stage.run(200);
            stage.reject(486);
            stage.run(500);
            let watched = EventName { package: Package::Dialog, id: None };
            let target = stage.address(bob);
            let done =
                stage.world.command(alice, "subscribe", |ua, now| ua.subscribe(now, &target, watched, None));
            let subscription: SubscriptionId = done.expect("a state can be subscribed to");
            stage.run(100);
            let Some(watcher) = stage.tells(bob, 0) else { return };
            stage.run(5_000);
            // Bob is available.
            stage.tells_again(bob, watcher, 1);
            stage.run(500);
            stage.talk();
            stage.tells_again(bob, watcher, 2);
            stage.run(500);
            let done = stage.world.command(alice, "unsubscribe", |ua, now| ua.unsubscribe(now, subscription));
            done.expect("a subscription can be left");
            stage.run(1_000);
        },
        ..PLAIN
    },
    Flow {
        section: "RFC 5359 §2.18",
        about: "click to dial; alice is bob's PC",
        others: &["carol"],
        table: "A>B REFER, B>A 200 REFER, B>C INVITE, C>B 180 INVITE, C>B 200 INVITE, B>C ACK",
        script: |stage| {
            let (alice, bob, carol) = (stage.alice, stage.bob, stage.third);
            let (who, whom) = (stage.address(bob), stage.address(carol));
            let asked = stage.world.command(alice, "refer", |ua, now| ua.refer(now, &who, &whom, false));
            stage.world.phone(alice).watch.transfers.insert(asked.expect("a phone can be asked"));
            stage.run(200);
            stage.obeys(bob);
            stage.run(200);
            stage.rings(carol);
            stage.run(200);
            stage.accepts(carol);
            stage.run(1_000);
        },
        ..PLAIN
    },
];

/// What the services of this RFC take beside calls.
impl Stage {
    /// Somebody starts anew under the old address, with bob's account.
    fn pretends(&mut self, who: NodeId) {
        let phone = self.world.phone(who);
        (phone.up, phone.registers) = (false, false);
        phone.configure(|config| {
            config.username = "bob".into();
            config.password = Some(password("bob"));
        });
        self.world.switch_on(who);
        self.begins();
    }

    /// Somebody asks another, with whom there is a call, to call a third instead.
    pub(super) fn refers(
        &mut self,
        who: NodeId,
        whom: NodeId,
        command: impl FnOnce(&mut UserAgent, Instant, CallId) -> Result<TransferId, RequestError>,
    ) {
        let Some(call) = self.call_with(who, whom) else { return };
        let asked = self.world.command(who, "refer", |ua, now| command(ua, now, call));
        self.world.phone(who).watch.transfers.insert(asked.expect("a call can be transferred"));
    }

    /// Somebody calls another to be added to his call.
    fn joins(&mut self, who: NodeId, whom: NodeId, told: &Dialog) {
        // The document names it as the other side of the dialog knows it.
        let named = Replacement::of_dialog(told).expect("a dialog has a name");
        let named = Replacement { to_tag: named.from_tag, from_tag: named.to_tag, ..named };
        let target = self.address(whom);
        self.world.serial += 1;
        let (serial, now) = (self.world.serial, self.world.now);
        let call = self.world.phone(who).agent.call_joining(now, &target, &description(serial, 0), named);
        self.world.phone(who).watch.called(call.expect("a call can be made"), serial);
        self.world.after_command(who);
    }

    /// Somebody has a server take his place in his call, by a REFER outside of it; the call that the server makes rings.
    fn hands_over(&mut self, who: NodeId, server: NodeId) {
        let Some(dialog) = own_dialog(self, who) else { return };
        let named = Replacement::of_dialog(&dialog);
        let target = dialog.remote.and_then(|remote| remote.target);
        let (named, target) = named.zip(target).expect("a dialog says where it is");
        let address = self.address(server);
        let asked = self
            .world
            .command(who, "refer", |ua, now| ua.refer_replacing(now, &address, &target.uri, &named, true));
        self.world.phone(who).watch.transfers.insert(asked.expect("a server can be asked"));
        self.run(200);
        self.obeys(server);
        self.run(200);
    }

    /// Somebody asks once what calls another has: the one there is.
    fn asks_for_calls(&mut self, who: NodeId, whom: NodeId) -> Option<Dialog> {
        let watched = EventName { package: Package::Dialog, id: None };
        let target = self.address(whom);
        let done = self.world.command(who, "fetch", |ua, now| ua.fetch(now, &target, watched));
        done.expect("a state can be asked for");
        self.run(100);
        self.tells(whom, 0);
        self.run(200);
        told_dialog(self, who)
    }

    /// Somebody sends another a message.
    fn sends(&mut self, who: NodeId, whom: NodeId, text: &str) {
        let target = self.address(whom);
        let content = Content::new("text/plain", text.as_bytes().to_vec());
        let sent = self
            .world
            .command(who, "message", |ua, now| ua.message(now, Addressee::Target(&target), content));
        let request = sent.expect("a message can be sent");
        self.world.phone(who).watch.requests.insert(request);
    }

    /// Somebody calls a URI that says whose place to take, Replaces in its headers (RFC 3891 §4).
    fn clicks(&mut self, who: NodeId, uri: &str) {
        let replaces = uri.split_once("?Replaces=").map(|(_, value)| unescape(value).into_owned());
        let named = replaces.and_then(|value| Replacement::parse(&value).ok());
        let named = named.expect("a URI with Replaces");
        self.world.serial += 1;
        let (serial, now) = (self.world.serial, self.world.now);
        let call = self.world.phone(who).agent.call_replacing(now, uri, &description(serial, 0), named);
        self.world.phone(who).watch.called(call.expect("a call can be made"), serial);
        self.world.after_command(who);
    }

    /// Somebody tells who has just subscribed to his calls what they are.
    fn tells(&mut self, who: NodeId, version: u32) -> Option<WatcherId> {
        let watcher = self.take(who, |event| match event {
            Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } => Some(*watcher),
            _ => None,
        })?;
        let content = Document::Dialog(self.world.phone(who).agent.dialog_info(version)).content();
        let done = self.world.command(who, "grant", |ua, now| ua.accept_watcher(now, watcher, Some(content)));
        done.expect("a subscription can be granted");
        Some(watcher)
    }

    /// Somebody tells who is subscribed to his calls what they are now.
    fn tells_again(&mut self, who: NodeId, watcher: WatcherId, version: u32) {
        let content = Document::Dialog(self.world.phone(who).agent.dialog_info(version)).content();
        let done = self.world.command(who, "notify", |ua, now| ua.notify(now, watcher, Some(content)));
        done.expect("a watcher can be told");
    }
}

/// The one dialog somebody has.
fn own_dialog(stage: &mut Stage, who: NodeId) -> Option<Dialog> {
    stage.world.phone(who).agent.dialog_info(0).dialogs.pop()
}

/// The one dialog of a document somebody was sent.
fn told_dialog(stage: &mut Stage, who: NodeId) -> Option<Dialog> {
    let content = stage.take(who, |event| match event {
        Event::Subscription { update: SubscriptionUpdate::Notified { content, .. }, .. } => content.clone(),
        _ => None,
    })?;
    match Document::parse(&Package::Dialog, &content) {
        Ok(Document::Dialog(mut info)) => info.dialogs.pop(),
        _ => None,
    }
}

/// Where a dialog's other side is, and that its place may be taken.
fn replaceable(dialog: &Dialog) -> Option<String> {
    let target = dialog.remote.as_ref()?.target.as_ref()?;
    let replaces = Replacement::of_dialog(dialog)?.to_string();
    Some(format!("{}?Replaces={}", target.uri, escape_header(&replaces)))
}
