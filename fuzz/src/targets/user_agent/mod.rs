//! A user agent whose peers say anything and whose user does anything: every call ends, once, and nothing is left.

use std::collections::BTreeMap;

use bytes::Bytes;
use sip_core::body::Content;
use sip_core::entropy::SeededEntropy;
use sip_core::limits;
use sip_core::message::{HeaderName, Message};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{
    Addressee, Aor, CallId, Config, Event, Input, MessageId, OutboundFlow, Output, RequestError, RequestId,
    UserAgent,
};

mod events;

use self::events::Events;
use super::wire::{self, SDP, SDPS, Sent};
use crate::choices::Choices;

const STATUSES: [u16; 20] =
    [100, 180, 183, 199, 200, 200, 200, 202, 299, 302, 401, 407, 408, 423, 480, 481, 486, 491, 503, 603];
const METHODS: [&str; 10] =
    ["ACK", "BYE", "INVITE", "CANCEL", "INFO", "UPDATE", "PRACK", "OPTIONS", "REFER", "NOTIFY"];

/// How far the events of a call have come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Living,
    Ended,
    Released,
}

struct Bench {
    agent: UserAgent,
    now: Instant,
    hop: Option<Hop>,
    flows: u64,
    /// The latest messages either way.
    seen: Vec<Message>,
    calls: BTreeMap<CallId, Told>,
    ids: Vec<CallId>,
    events: Events,
    /// Whether this run is more about events than about calls.
    watching: bool,
    /// Whether their end was told.
    requests: BTreeMap<RequestId, bool>,
    held: Vec<MessageId>,
    sent: Sent,
    branches: u32,
    shut_down: bool,
}

/// Operations until the input ends, 120 at most.
pub(crate) fn holds(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut config = Config::new(Aor::parse("sip:alice@example.com").expect("an AoR"), "urn:uuid:1");
    config.password = Some("secret".into());
    config.dtls_required = choices.below(4) == 0;
    config.event_packages = vec!["presence".into(), "dialog".into()];
    config.message_types = vec!["text/plain".into()];
    config.message_hold = Duration::from_secs(choices.below(2) as u64);
    if choices.below(2) == 0 {
        config.flows.push(OutboundFlow { reg_id: 2, proxy: Some("sip:edge2.example.com;lr".into()) });
    }
    let mut bench = Bench {
        agent: UserAgent::new(config, Box::new(SeededEntropy(7))),
        now: Instant::from_micros(1_700_000_000_000_000),
        hop: None,
        flows: 0,
        seen: Vec::new(),
        calls: BTreeMap::new(),
        ids: Vec::new(),
        events: Events::default(),
        watching: choices.below(2) == 0,
        requests: BTreeMap::new(),
        held: Vec::new(),
        sent: Sent::default(),
        branches: 0,
        shut_down: false,
    };
    bench.open(&mut choices);
    for _ in 0..120 {
        if choices.is_over() {
            break;
        }
        bench.step(&mut choices);
        assert!(bench.agent.calls().count() <= limits::CALLS);
    }
    bench.end();
}

impl Bench {
    fn open(&mut self, choices: &mut Choices<'_>) {
        self.flows += 1;
        let transport = choices.pick(&[Transport::Ws, Transport::Udp, Transport::Tcp]);
        let hop = wire::hop(self.flows, transport, 1);
        self.hop = Some(hop);
        self.input(match choices.below(4) {
            0 => Input::FlowOpenedFor { reg_id: 2, hop },
            _ => Input::FlowOpened(hop),
        });
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let now = self.now;
        match choices.below(20) {
            0 => self.open(choices),
            1 => {
                if let Some(hop) = self.hop.take() {
                    self.input(Input::FlowClosed(hop.flow));
                }
            }
            2 => drop(self.agent.register(now)),
            3 => match choices.below(8) {
                0 => drop(self.agent.unregister(now)),
                2 => drop(self.agent.unregister_all(now)),
                3 => drop(self.agent.fetch_bindings(now)),
                4 => self.messages(choices),
                1 => {
                    self.agent.shutdown(now);
                    self.shut_down = true;
                }
                _ => drop(self.agent.register(now)),
            },
            4..=7 if self.watching => self.events.command(&mut self.agent, now, choices),
            4 | 5 => {
                let target = choices.pick(&[
                    "bob",
                    "sip:bob@example.com;x?y=z",
                    "tel:+1",
                    "b ob",
                    "sips:bob@[::1]:5061",
                ]);
                let called = match choices.below(4) {
                    0 => self.agent.call_offerless(now, target),
                    _ => self.agent.call(now, target, SDP),
                };
                if let Ok(call) = called {
                    assert!(self.calls.insert(call, Told::Living).is_none(), "an id is never used twice");
                    self.ids.push(call);
                }
            }
            6 | 7 => {
                let Some(call) = choices.recent(&self.ids).copied() else { return };
                let status = choices.pick(&[486, 603, 302, 180, 699]);
                let sdp = choices.pick(&SDPS);
                match choices.below(20) {
                    0 => drop(self.agent.ring(now, call)),
                    1 | 2 => drop(self.agent.accept(now, call, sdp)),
                    3 => drop(self.agent.reject(now, call, status, Some("not\r\nnow"))),
                    4 => drop(self.agent.cancel(now, call)),
                    5 | 6 => drop(self.agent.hangup(now, call)),
                    7 => self.asked(|agent| agent.info(now, call, "application/dtmf-relay", "Signal=5\r\n")),
                    8 => self.asked(|agent| agent.message(now, Addressee::Call(call), text("in the call"))),
                    9 => self.asked(|agent| agent.options(now, Addressee::Call(call))),
                    10 => self.asked(|agent| agent.message(now, Addressee::Target("bob"), text("hello"))),
                    11 => self.asked(|agent| agent.options(now, Addressee::Target("carol"))),
                    12 => drop(self.agent.hold(now, call)),
                    13 => drop(self.agent.resume(now, call)),
                    14 => drop(self.agent.offer(now, call, sdp)),
                    15 => drop(self.agent.solicit(now, call)),
                    16 | 17 => drop(self.agent.answer(now, call, sdp)),
                    18 => drop(self.agent.refuse(now, call)),
                    _ => drop(self.agent.progress(now, call, sdp)),
                }
            }
            8..=11 => self.answer(choices),
            12 | 13 => self.invite(choices),
            14..=16 => self.within(choices),
            17 => {
                let Some(message) = choices.recent(&self.seen) else { return };
                let text = String::from_utf8_lossy(bytes_of(message)).into_owned();
                let message = wire::perhaps_perturbed(text, choices);
                self.receive(message);
            }
            18 => self.pass(Duration::from_millis(u64::from(choices.word()) * 2)),
            _ => self.input(Input::Timeout),
        }
        self.drain();
    }

    /// A request outside of calls, whose end must be told.
    fn asked(&mut self, command: impl FnOnce(&mut UserAgent) -> Result<RequestId, RequestError>) {
        if let Ok(request) = command(&mut self.agent) {
            assert!(self.requests.insert(request, false).is_none(), "an id is never used twice");
        }
    }

    /// Answers a MESSAGE that is held.
    fn messages(&mut self, choices: &mut Choices<'_>) {
        let Some(message) = choices.recent(&self.held).copied() else { return };
        match choices.below(2) {
            0 => drop(self.agent.accept_message(self.now, message)),
            _ => drop(self.agent.refuse_message(self.now, message, 603)),
        }
    }

    /// Answers a request that the user agent sent.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let Some(Message::Request(request)) = choices.recent(&self.seen) else { return };
        let status = choices.pick(&STATUSES);
        let tag = choices.pick(&["t1", "t2"]);
        let contact =
            request.headers().first(HeaderName::Contact).map(|contact| contact.replace(['<', '>'], ""));
        let contact = match request.method().as_str() {
            "REGISTER" => contact.unwrap_or_default(),
            _ => "sip:bob@198.51.100.9".into(),
        };
        let fields = match status {
            180..=199 if choices.below(2) == 0 => {
                format!("Require: 100rel\r\nRSeq: {}\r\n", 1 + choices.below(4))
            }
            _ if self.watching => events::answer_fields(choices).into(),
            _ => String::new(),
        };
        let sdp = match request.method().as_str() {
            "INVITE" | "UPDATE" | "PRACK" => some_sdp(choices),
            _ => None,
        };
        let text = wire::answer(request, status, tag, &contact, &fields, sdp);
        let text = if request.method().as_str() == "REGISTER" {
            text.replace(">\r\n", "\r\n").replace("Contact: <", "Contact: ")
        } else {
            text
        };
        let message = wire::perhaps_perturbed(text, choices);
        self.receive(message);
    }

    fn invite(&mut self, choices: &mut Choices<'_>) {
        self.branches += 1;
        let via = self.via(self.branches);
        let call = choices.below(6);
        let (method, fields) = if self.watching {
            (choices.pick(&["SUBSCRIBE", "SUBSCRIBE", "NOTIFY", "PUBLISH"]), events::fields(choices))
        } else {
            (
                choices.pick(&["INVITE", "INVITE", "INVITE", "OPTIONS", "MESSAGE", "NOTIFY"]),
                "Supported: 100rel\r\n",
            )
        };
        let head = format!(
            "{method} sip:alice@example.com SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: \"B\" <sip:bob@example.com>;tag=f{call}\r\n\
             To: <sip:alice@example.com>\r\nCall-ID: in{call}\r\nCSeq: 1 {method}\r\nContact: <sip:bob@198.51.100.9>\r\n\
             Record-Route: <sip:192.0.2.1;lr>\r\n{fields}"
        );
        let sdp = some_sdp(choices);
        let message = wire::perhaps_perturbed(wire::body(head, sdp), choices);
        self.receive(message);
    }

    /// A request in a dialog, or the CANCEL or ACK of something.
    fn within(&mut self, choices: &mut Choices<'_>) {
        self.branches += 1;
        let (method, fields) = if self.watching {
            (choices.pick(&["NOTIFY", "NOTIFY", "SUBSCRIBE", "BYE"]), events::fields(choices))
        } else {
            (choices.pick(&METHODS), "")
        };
        let caller = choices.below(2) == 0;
        let cseq = u32::from(choices.byte()) % 8;
        let via = match choices.below(2) {
            0 => self.via(self.branches),
            _ => self.via(self.branches.saturating_sub(u32::from(choices.byte()) % 4)),
        };
        let sdp = some_sdp(choices);
        let Some(message) = choices.recent(&self.seen) else { return };
        let text = wire::within(message, caller, method, &via, cseq, fields, sdp);
        let message = wire::perhaps_perturbed(text, choices);
        self.receive(message);
    }

    fn via(&self, branch: u32) -> String {
        format!("Via: SIP/2.0/WS x.invalid;branch=z9hG4bK{branch}\r\n")
    }

    fn receive(&mut self, message: Bytes) {
        if let Ok(message) = Message::parse(message.clone()) {
            self.see(message);
        }
        if let Some(from) = self.hop {
            self.input(Input::Received { from, message });
        }
    }

    fn see(&mut self, message: Message) {
        if self.seen.len() == 24 {
            self.seen.remove(0);
        }
        self.seen.push(message);
    }

    fn input(&mut self, input: Input) {
        self.agent.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.agent.poll_output() {
            outputs += 1;
            assert!(outputs < 500, "one input, and no end of outputs");
            match output {
                Output::Transmit { to, message } => {
                    assert!(to.flow.0 <= self.flows);
                    if self.sent.is_new(&message)
                        && let Ok(message) = Message::parse(message)
                    {
                        self.see(message);
                    }
                }
                Output::Event(event) => self.told(&event),
                // The driver connects by itself, and its connections live.
                Output::OpenFlow { .. } | Output::KeepAlive { .. } => {}
            }
        }
    }

    fn told(&mut self, event: &Event) {
        if self.events.told(event) {
            return;
        }
        let (call, becomes) = match event {
            Event::Incoming { call, .. } => {
                assert!(self.calls.insert(*call, Told::Living).is_none(), "{event:?} twice");
                self.ids.push(*call);
                return;
            }
            Event::Ended { call, .. } => (call, Told::Ended),
            Event::Released { call } => (call, Told::Released),
            Event::Progress { call, .. }
            | Event::Accepted { call, .. }
            | Event::Confirmed { call, .. }
            | Event::Offered { call, .. }
            | Event::OfferWithdrawn { call, .. }
            | Event::OfferAnswered { call, .. }
            | Event::OfferRefused { call, .. }
            | Event::Info { call, .. }
            | Event::Message { call: Some(call), .. } => (call, Told::Living),
            Event::Message { message, .. } => return self.held.push(*message),
            Event::Answered { request, .. } => {
                assert_eq!(self.requests.insert(*request, true), Some(false), "{event:?}");
                return;
            }
            _ => return,
        };
        let before = self.calls.insert(*call, becomes);
        let allowed = match becomes {
            Told::Living | Told::Ended => Told::Living,
            Told::Released => Told::Ended,
        };
        assert_eq!(before, Some(allowed), "{event:?}");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut fired = 0;
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Timeout);
            fired += 1;
            assert!(fired < 20_000, "a timer fires without end");
        }
        self.now = end;
    }

    /// The user leaves and nobody answers: all ends.
    fn end(mut self) {
        if !self.shut_down {
            self.agent.shutdown(self.now);
            self.drain();
        }
        self.pass(Duration::from_secs(600));
        for flow in 1..=self.flows {
            self.input(Input::FlowClosed(FlowId(flow)));
        }
        self.pass(Duration::from_secs(600));
        assert_eq!(self.agent.calls().count(), 0);
        assert!(self.calls.values().all(|told| *told == Told::Released), "{:?}", self.calls);
        self.events.assert_over();
        assert!(self.requests.values().all(|told| *told), "the end of a request was not told");
        assert_eq!(self.agent.poll_timeout(), None, "something is still waited for");
        assert!(self.agent.load().is_empty(), "something is left: {:?}", self.agent.load());
    }
}

fn bytes_of(message: &Message) -> &Bytes {
    match message {
        Message::Request(request) => request.bytes(),
        Message::Response(response) => response.bytes(),
    }
}

fn text(words: &'static str) -> Content {
    Content::new("text/plain", words.as_bytes())
}

fn some_sdp(choices: &mut Choices<'_>) -> Option<&'static str> {
    (choices.below(4) != 0).then(|| choices.pick(&SDPS))
}
