//! Two user agents and the network between them. The knobs are plain fields.

use std::collections::BTreeMap;
use std::vec::Vec;

use bytes::Bytes;

use super::{config, entropy};
use crate::entropy::{SeededEntropy, number};
use crate::message::{Message, Method};
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop, Transport};
use crate::user_agent::{CallId, CallState, Event, Input, Output, UserAgent};

/// Alice calls, bob is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Alice,
    Bob,
}

use Who::{Alice, Bob};

pub(super) struct Pair {
    pub(super) alice: UserAgent,
    pub(super) bob: UserAgent,
    pub(super) time: Instant,
    /// One way.
    pub(super) latency: Duration,
    /// Messages lost and doubled of 100. A stream loses none.
    pub(super) loss: u64,
    pub(super) duplication: u64,
    /// Added to the latency, at random: messages overtake each other.
    pub(super) jitter: Duration,
    /// Bob's phone does this when it is called.
    pub(super) bob_answers: Option<Duration>,
    /// Offers within the call are answered at once.
    pub(super) answers_offers: bool,
    pub(super) events: Vec<(Who, Event)>,
    /// Requests and responses that were sent, lost ones included.
    pub(super) wire: Vec<(Instant, Who, Message)>,
    transport: Transport,
    dice: SeededEntropy,
    serial: u64,
    network: BTreeMap<(Instant, u64), (Who, Bytes)>,
    /// Bob's answers that are due.
    decisions: BTreeMap<(Instant, CallId), ()>,
}

impl Pair {
    pub(super) fn new(transport: Transport, seed: u64) -> Self {
        let mut pair = Self {
            alice: UserAgent::new(config("sip:alice@example.com"), entropy(seed * 2 + 1)),
            bob: UserAgent::new(config("sip:bob@example.com"), entropy(seed * 2 + 2)),
            time: Instant::from_micros(1_000_000),
            latency: Duration::from_millis(20),
            loss: 0,
            duplication: 0,
            jitter: Duration::ZERO,
            bob_answers: Some(Duration::from_secs(2)),
            answers_offers: true,
            events: Vec::new(),
            wire: Vec::new(),
            transport,
            dice: SeededEntropy(seed ^ 0x5eed),
            serial: 0,
            network: BTreeMap::new(),
            decisions: BTreeMap::new(),
        };
        for who in [Alice, Bob] {
            let hop = pair.hop(who);
            pair.input(who, Input::FlowOpened(hop));
        }
        pair
    }

    pub(super) fn hop(&self, who: Who) -> Hop {
        let alice = "192.0.2.1:5060".parse().unwrap();
        let bob = "192.0.2.2:5060".parse().unwrap();
        let (flow, local, remote) = match who {
            Alice => (FlowId(1), alice, bob),
            Bob => (FlowId(2), bob, alice),
        };
        Hop { flow, transport: self.transport, local, remote }
    }

    pub(super) fn ua(&mut self, who: Who) -> &mut UserAgent {
        match who {
            Alice => &mut self.alice,
            Bob => &mut self.bob,
        }
    }

    pub(super) fn input(&mut self, who: Who, input: Input) {
        let now = self.time;
        self.ua(who).handle_input(now, input);
        self.drain();
    }

    /// After commands.
    pub(super) fn drain(&mut self) {
        for who in [Alice, Bob] {
            while let Some(output) = self.ua(who).poll_output() {
                match output {
                    Output::Transmit { message, .. } => self.transmit(who, message),
                    Output::OpenFlow { .. } | Output::KeepAlive { .. } => {}
                    Output::Event(event) => self.event(who, event),
                }
            }
        }
    }

    fn transmit(&mut self, from: Who, message: Bytes) {
        self.wire.push((self.time, from, Message::parse(message.clone()).unwrap()));
        let lossy = !self.transport.is_reliable();
        if lossy && self.roll() < self.loss {
            return;
        }
        let copies = if lossy && self.roll() < self.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = match self.jitter.as_micros() {
                0 => 0,
                most => number(&mut self.dice) % u64::try_from(most).unwrap(),
            };
            let at = self.time + self.latency + Duration::from_micros(jitter);
            self.serial += 1;
            let to = if from == Alice { Bob } else { Alice };
            self.network.insert((at, self.serial), (to, message.clone()));
        }
    }

    fn roll(&mut self) -> u64 {
        number(&mut self.dice) % 100
    }

    fn event(&mut self, who: Who, event: Event) {
        if let (Bob, Event::Incoming { call, .. }) = (who, &event) {
            let call = *call;
            let now = self.time;
            self.bob.ring(now, call).unwrap();
            if let Some(after) = self.bob_answers {
                self.decisions.insert((now + after, call), ());
            }
        }
        if let Event::Offered { call, sdp } = &event
            && self.answers_offers
        {
            let (call, now) = (*call, self.time);
            let reply = super::reply(self.ua(who).session(call).unwrap(), sdp.as_deref());
            self.ua(who).answer(now, call, &reply).unwrap();
        }
        self.events.push((who, event));
    }

    /// The next thing that happens; `false` when nothing will any more.
    pub(super) fn step(&mut self) -> bool {
        let message = self.network.keys().next().map(|(at, _)| *at);
        let decision = self.decisions.keys().next().map(|(at, _)| *at);
        let timeouts = [self.alice.poll_timeout(), self.bob.poll_timeout()];
        let Some(at) = timeouts.into_iter().chain([message, decision]).flatten().min() else { return false };
        self.time = self.time.max(at);
        let now = self.time;
        if message == Some(at) {
            if let Some((_, (to, message))) = self.network.pop_first() {
                let from = self.hop(to);
                self.input(to, Input::Received { from, message });
            }
        } else if decision == Some(at) {
            if let Some(((_, call), ())) = self.decisions.pop_first() {
                // The caller may have given up meanwhile.
                let _ = self.bob.accept(now, call, super::ANSWER);
                self.drain();
            }
        } else {
            for (who, at) in [Alice, Bob].into_iter().zip(timeouts) {
                if at.is_some_and(|at| at <= now) {
                    self.input(who, Input::Timeout);
                }
            }
        }
        true
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.time + duration;
        loop {
            let message = self.network.keys().next().map(|(at, _)| *at);
            let decision = self.decisions.keys().next().map(|(at, _)| *at);
            let next = [self.alice.poll_timeout(), self.bob.poll_timeout(), message, decision];
            match next.into_iter().flatten().min() {
                Some(at) if at <= end => self.step(),
                _ => break,
            };
        }
        self.time = end;
    }

    /// Lets everything settle. A thousand steps are more than any call takes.
    pub(super) fn drive(&mut self) {
        for _ in 0..1000 {
            if !self.step() {
                return;
            }
        }
        panic!("something goes on for ever: {:?}", self.wire.last());
    }

    pub(super) fn call(&mut self) -> CallId {
        let now = self.time;
        let call = self.alice.call(now, "bob", super::OFFER).unwrap();
        self.drain();
        call
    }

    /// Bob's call, when there is one.
    pub(super) fn bobs(&self) -> Option<CallId> {
        self.bob.calls().next()
    }

    /// What one side was told, save of session identifiers.
    pub(super) fn of(&self, who: Who) -> Vec<Event> {
        let told = |event: &Event| !matches!(event, Event::Session { .. });
        let all = self.events.iter().filter(|(of, event)| *of == who && told(event));
        all.map(|(_, event)| event.clone()).collect()
    }

    pub(super) fn state(&self, who: Who) -> Option<CallState> {
        let ua = if who == Alice { &self.alice } else { &self.bob };
        ua.calls().next().and_then(|call| ua.call_state(call))
    }

    /// What both sides believe the session to be.
    #[track_caller]
    pub(super) fn agree(&self) {
        let session = |ua: &UserAgent| {
            let session = ua.session(ua.calls().next().unwrap()).unwrap();
            assert_eq!(session.turn(), crate::offer_answer::Turn::Stable);
            (session.local().cloned(), session.remote().cloned())
        };
        let ((alices, heard), (bobs, told)) = (session(&self.alice), session(&self.bob));
        assert_eq!((alices, heard), (told, bobs));
    }

    /// How often requests of this method went out.
    pub(super) fn count(&self, who: Who, method: &Method) -> usize {
        let is = |m: &Message| matches!(m, Message::Request(r) if r.method() == method);
        self.wire.iter().filter(|(_, from, message)| *from == who && is(message)).count()
    }
}
