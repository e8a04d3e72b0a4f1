//! Three user agents and whoever delivers between them: transfer as each of its sides sees it (RFC 5589).

use std::collections::VecDeque;
use std::format;
use std::vec::Vec;

use super::{ANSWER, OFFER, config, entropy, hop};
use crate::message::Message;
use crate::time::Instant;
use crate::transport::Transport;
use crate::user_agent::{
    CallId, CallState, End, Event, Input, Output, TransferEnd, TransferUpdate, UserAgent,
};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

struct Three {
    agents: Vec<UserAgent>,
    events: Vec<(usize, Event)>,
    now: Instant,
}

impl Three {
    fn new() -> Self {
        let agents = (1..).zip(NAMES).map(|(seed, name)| {
            let mut config = config(&format!("sip:{name}@example.com"));
            config.referrals = true;
            UserAgent::new(config, entropy(seed))
        });
        let now = Instant::from_micros(1_000_000);
        let mut three = Self { agents: agents.collect(), events: Vec::new(), now };
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

    /// Hands on everything there is; calls are answered at once.
    fn deliver(&mut self) {
        let mut queue = VecDeque::new();
        loop {
            for at in 0..3 {
                while let Some(output) = self.agents[at].poll_output() {
                    match output {
                        Output::Transmit { message, .. } => queue.push_back(message),
                        Output::Event(event) => {
                            if let Event::Incoming { call, .. } = &event {
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
        let asked = self.events.iter().find_map(|(at, event)| match event {
            Event::Referred { referral, .. } if *at == BOB => Some(*referral),
            _ => None,
        });
        let call = self.agents[BOB].accept_refer(self.now, asked.unwrap(), OFFER).unwrap();
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
