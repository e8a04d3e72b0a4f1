//! Three user agents and whoever delivers between them: transfer as each of its sides sees it (RFC 5589).

use std::collections::VecDeque;
use std::format;
use std::vec::Vec;

use super::{ANSWER, OFFER, config, entropy, hop};
use crate::body::dialog_info::{DialogInfo, DialogState, Initiation};
use crate::events::{Document, EventName, Package};
use crate::message::Message;
use crate::time::Instant;
use crate::transport::Transport;
use crate::user_agent::{
    CallId, CallState, End, Event, Input, Output, Replacement, SubscriptionUpdate, TransferEnd,
    TransferUpdate, UserAgent, WatcherUpdate,
};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

struct Three {
    agents: Vec<UserAgent>,
    events: Vec<(usize, Event)>,
    now: Instant,
    /// Whoever is called answers at once.
    answers: bool,
}

impl Three {
    fn new() -> Self {
        let agents = (1..).zip(NAMES).map(|(seed, name)| {
            let mut config = config(&format!("sip:{name}@example.com"));
            config.referrals = true;
            config.event_packages = ["dialog".into()].into();
            UserAgent::new(config, entropy(seed))
        });
        let now = Instant::from_micros(1_000_000);
        let mut three = Self { agents: agents.collect(), events: Vec::new(), now, answers: true };
        for agent in &mut three.agents {
            agent.handle_input(now, Input::FlowOpened(hop(1, Transport::Wss)));
        }
        three.deliver();
        three
    }

    /// Whose a message is: by the Contact or address in the Request-URI, or by the host in Via.
    fn recipient(&self, message: &Message) -> usize {
        let is = |(agent, name): &(&UserAgent, &str)| match message {
            Message::Request(request) => {
                let uri = request.uri();
                uri.contains(&*agent.local.user) || uri.starts_with(&format!("sip:{name}@"))
            }
            Message::Response(response) => format!("{}", response.via()).contains(&*agent.local.host),
        };
        self.agents.iter().zip(NAMES).position(|both| is(&both)).expect("a recipient")
    }

    /// Hands on everything there is.
    fn deliver(&mut self) {
        let mut queue = VecDeque::new();
        loop {
            for at in 0..3 {
                while let Some(output) = self.agents[at].poll_output() {
                    match output {
                        Output::Transmit { message, .. } => queue.push_back(message),
                        Output::Event(event) => {
                            if let Event::Incoming { call, .. } = &event
                                && self.answers
                            {
                                self.agents[at].accept(self.now, *call, ANSWER).unwrap();
                            }
                            self.events.push((at, event));
                        }
                        Output::OpenFlow { .. } | Output::KeepAlive { .. } => {}
                    }
                }
            }
            let Some(message) = queue.pop_front() else { break };
            let to = self.recipient(&Message::parse(message.clone()).unwrap());
            let from = hop(1, Transport::Wss);
            self.agents[to].handle_input(self.now, Input::Received { from, message });
        }
    }

    fn call(&mut self, from: usize, to: usize) -> CallId {
        let call = self.agents[from].call(self.now, NAMES[to], OFFER).unwrap();
        self.deliver();
        assert_eq!(self.agents[from].call_state(call), Some(CallState::Established));
        call
    }

    /// Bob does what he is asked.
    fn bob_obeys(&mut self) -> CallId {
        self.obeys(BOB)
    }

    fn obeys(&mut self, who: usize) -> CallId {
        let asked = self.events.iter().find_map(|(at, event)| match event {
            Event::Referred { referral, .. } if *at == who => Some(*referral),
            _ => None,
        });
        let call = self.agents[who].accept_refer(self.now, asked.unwrap(), OFFER).unwrap();
        self.deliver();
        call
    }

    fn transfers(&self) -> Vec<TransferUpdate> {
        let of_alice = self.events.iter().filter(|(at, _)| *at == ALICE);
        of_alice
            .filter_map(|(_, event)| match event {
                Event::Transfer { update, .. } => Some(update.clone()),
                _ => None,
            })
            .collect()
    }

    fn count(&self) -> [usize; 3] {
        [ALICE, BOB, CAROL].map(|at| self.agents[at].calls().count())
    }
}

#[test]
fn rfc5589_6_1_a_blind_transfer_of_three() {
    let mut three = Three::new();
    let call = three.call(ALICE, BOB);
    three.agents[ALICE].transfer(three.now, call, "carol").unwrap();
    three.deliver();
    let new = three.bob_obeys();
    assert_eq!(three.agents[BOB].call_state(new), Some(CallState::Established));
    assert_eq!(three.transfers().last(), Some(&TransferUpdate::Ended(TransferEnd::Done)));
    assert_eq!(three.transfers()[0], TransferUpdate::Accepted);
    assert_eq!(three.count(), [1, 2, 1]);
    three.agents[ALICE].hangup(three.now, call).unwrap();
    three.deliver();
    assert_eq!(three.count(), [0, 1, 1]);
    assert!(three.agents.iter().all(|agent| agent.load().subscriptions + agent.load().watchers == 0));
}

/// Carol's call with alice ends by the Replaces, and alice hangs up the other.
#[test]
fn rfc5589_7_3_an_attended_transfer_of_three() {
    let mut three = Three::new();
    let call = three.call(ALICE, BOB);
    let other = three.call(ALICE, CAROL);
    three.agents[ALICE].transfer_to(three.now, call, other).unwrap();
    three.deliver();
    three.bob_obeys();
    let replaced = |(at, event): &&(usize, Event)| {
        *at == CAROL && matches!(event, Event::Ended { end: End::Replaced { .. }, .. })
    };
    assert_eq!(three.events.iter().filter(replaced).count(), 1);
    assert_eq!(three.transfers().last(), Some(&TransferUpdate::Ended(TransferEnd::Done)));
    assert!(three.agents[ALICE].calls().eq([call]), "{other:?} is over");
    three.agents[ALICE].hangup(three.now, call).unwrap();
    three.deliver();
    assert_eq!(three.count(), [0, 1, 1]);
    assert!(three.agents.iter().all(|agent| agent.load().subscriptions + agent.load().watchers == 0));
}

/// Bob parks alice at carol, and takes her back from another of his phones' knowledge of the call.
#[test]
fn rfc5359_2_15_call_park_of_three() {
    let mut three = Three::new();
    let call = three.call(ALICE, BOB);
    let info = three.agents[BOB].dialog_info(0);
    let target = info.dialogs[0].remote.clone().and_then(|remote| remote.target).unwrap().uri;
    three.agents[BOB].refer_replacing(three.now, "carol", &target, &pickup(&info, false), true).unwrap();
    three.deliver();
    let parked = three.obeys(CAROL);
    assert_eq!(three.agents[CAROL].call_state(parked), Some(CallState::Established));
    assert_eq!(three.count(), [1, 0, 1], "bob is out of it");
    let ended = |(at, event): &&(usize, Event)| {
        *at == ALICE && matches!(event, Event::Ended { call: of, end: End::Replaced { .. } } if *of == call)
    };
    assert_eq!(three.events.iter().filter(ended).count(), 1);
    // Whoever knows the parked call takes it: alice's side of it is the one that is replaced.
    let info = three.agents[CAROL].dialog_info(0);
    let replaces = pickup(&info, false);
    let back = three.agents[BOB].call_replacing(three.now, "alice", OFFER, replaces).unwrap();
    three.deliver();
    assert_eq!(three.agents[BOB].call_state(back), Some(CallState::Established));
    assert_eq!(three.count(), [1, 1, 0]);
    assert!(three.agents.iter().all(|agent| agent.load().watchers == 0));
}

/// What names the one call that is told of to its other side.
fn pickup(info: &DialogInfo, early_only: bool) -> Replacement {
    let [dialog] = &info.dialogs[..] else { panic!("{info:?}") };
    Replacement { early_only, ..Replacement::of_dialog(dialog).unwrap() }
}

/// Alice calls bob, whose phone rings; carol watches it, and takes the call.
#[test]
fn rfc5359_2_16_call_pickup_of_three() {
    let mut three = Three::new();
    three.answers = false;
    let call = three.agents[ALICE].call(three.now, "bob", OFFER).unwrap();
    three.deliver();
    let bobs = three.agents[BOB].calls().next().unwrap();
    three.agents[BOB].ring(three.now, bobs).unwrap();
    three.deliver();
    let event = EventName::new(Package::Dialog);
    three.agents[CAROL].subscribe(three.now, "bob", event, None).unwrap();
    three.deliver();
    let watcher = three.events.iter().find_map(|(at, event)| match event {
        Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } if *at == BOB => Some(*watcher),
        _ => None,
    });
    let document = Document::Dialog(three.agents[BOB].dialog_info(0)).content();
    three.agents[BOB].accept_watcher(three.now, watcher.unwrap(), Some(document)).unwrap();
    three.deliver();
    let told = three.events.iter().find_map(|(at, event)| match event {
        Event::Subscription {
            update: SubscriptionUpdate::Notified { content: Some(content), .. }, ..
        } if *at == CAROL => Some(content.clone()),
        _ => None,
    });
    let told = told.unwrap();
    let Ok(Document::Dialog(info)) = Document::parse(&Package::Dialog, &told) else { panic!() };
    assert_eq!(info.dialogs[0].state, DialogState::Early);
    assert_eq!(info.dialogs[0].direction, Some(Initiation::Recipient));
    let remote = info.dialogs[0].remote.clone().unwrap();
    assert_eq!(remote.identity.unwrap().uri, "sip:alice@example.com");
    three.answers = true;
    let target = remote.target.unwrap().uri;
    let mine = three.agents[CAROL].call_replacing(three.now, &target, OFFER, pickup(&info, true)).unwrap();
    three.deliver();
    assert_eq!(three.agents[CAROL].call_state(mine), Some(CallState::Established));
    // Alice's own call was canceled for it, and bob's phone is quiet.
    assert_eq!(three.agents[ALICE].call_state(call), None);
    assert_eq!(three.count(), [1, 0, 1]);
    assert!(three.agents[BOB].dialog_info(1).dialogs.is_empty());
}
