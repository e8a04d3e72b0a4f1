//! The transaction layer under any sequence of operations: nothing panics, every transaction ends, nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_core::entropy::SeededEntropy;
use sip_core::message::{Message, Request, Response, Writer};
use sip_core::time::{Duration, Instant};
use sip_core::transaction::{ClientId, Event, Layer, Output, Received, ServerId, Timers};
use sip_core::transport::{FlowId, Hop, Transport};

use super::wire;
use crate::choices::Choices;

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "A"];
const BRANCHES: [&str; 4] = ["z9hG4bKa", "z9hG4bKb", "z9hG4bK", "old"];
const STATUSES: [u16; 9] = [100, 180, 183, 200, 202, 302, 408, 487, 600];

struct Bench {
    layer: Layer,
    now: Instant,
    clients: Vec<ClientId>,
    servers: Vec<ServerId>,
    requests: BTreeMap<ServerId, Request>,
    over: BTreeSet<ClientId>,
    done: BTreeSet<ServerId>,
}

/// Operations until the input ends, 200 at most.
pub(crate) fn holds(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut bench = Bench {
        layer: Layer::new(Timers::default(), &mut SeededEntropy(1)),
        now: Instant::from_micros(1_000_000_000),
        clients: Vec::new(),
        servers: Vec::new(),
        requests: BTreeMap::new(),
        over: BTreeSet::new(),
        done: BTreeSet::new(),
    };
    let mut operations = 0;
    while !choices.is_over() && operations < 200 {
        bench.step(&mut choices);
        operations += 1;
        // One each, and a CANCEL's own.
        assert!(bench.layer.len() <= 2 * operations);
    }
    bench.end();
}

/// Even flows are datagram sockets.
fn hop(choices: &mut Choices<'_>) -> Hop {
    let flow = choices.below(4) as u64;
    wire::hop(flow, if flow.is_multiple_of(2) { Transport::Udp } else { Transport::Wss }, 7)
}

fn request(choices: &mut Choices<'_>) -> Option<Request> {
    let (method, branch) = (choices.pick(&METHODS), choices.pick(&BRANCHES));
    let text = format!(
        "{method} sip:bob@biloxi.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch={branch};x=1, SIP/2.0/UDP below.example;branch=z9hG4bKlow\r\n\
         Route: <sip:one.example;lr>, <sip:two.example;lr>\r\nMax-Forwards: 9\r\n\
         From: \"Alice\" <sip:alice@atlanta.example>;tag=88sja8x\r\nTo: Bob <sip:bob@biloxi.example>\r\n\
         Call-ID: 987asjd97y7atg\r\nCSeq: 986759 {method}\r\nContact: <sip:alice@pc33.atlanta.example>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    match Message::parse(wire::perhaps_perturbed(text, choices)) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

fn response_to(request: &Request, status: u16) -> Bytes {
    Writer::response(request, status, "Any", (status > 100).then_some("t")).finish()
}

impl Bench {
    fn step(&mut self, choices: &mut Choices<'_>) {
        let now = self.now;
        match choices.below(16) {
            0..=2 => {
                let Some(request) = request(choices) else { return };
                let new = match self.layer.receive_request(now, &request, hop(choices)) {
                    Received::New(id) => id,
                    Received::Cancel { cancel, invite } => {
                        assert!(invite.is_none_or(|id| self.servers.contains(&id)));
                        cancel
                    }
                    Received::Full => panic!("there is room"),
                    Received::AckToSuccess | Received::Absorbed => return,
                };
                self.servers.push(new);
                self.requests.insert(new, request);
            }
            3 | 4 => {
                let known = choices.recent(&self.clients).and_then(|id| self.layer.request(*id));
                let Some(request) = known.or_else(|| request(choices)) else { return };
                let text = response_to(&request, choices.pick(&STATUSES));
                let text = String::from_utf8_lossy(&text).into_owned();
                if let Ok(response) = Response::parse(wire::perhaps_perturbed(text, choices)) {
                    self.layer.receive_response(now, response);
                }
            }
            5 | 6 => {
                let Some(request) = request(choices) else { return };
                let sent = self.layer.send_request(now, &request, hop(choices));
                assert!(sent.is_none_or(|id| !self.clients.contains(&id)));
                self.clients.extend(sent);
            }
            7 | 8 => {
                let Some(id) = choices.recent(&self.servers).copied() else { return };
                let status = choices.pick(&STATUSES);
                self.layer.respond(now, id, status, response_to(&self.requests[&id], status));
                let origin = self.layer.server_origin(id);
                assert!(origin.is_none_or(|origin| origin.via().is_some() && origin.from().is_some()));
            }
            9 => {
                if let Some(id) = choices.recent(&self.clients).copied() {
                    self.clients.extend(self.layer.cancel_because(now, id, "SIP;cause=200"));
                }
            }
            10 => {
                if let Some(id) = choices.recent(&self.clients).copied() {
                    self.layer.abandon(id);
                    self.over.insert(id);
                }
            }
            11 => {
                if let Some(id) = choices.recent(&self.servers).copied() {
                    self.layer.set_server_hop(id, hop(choices));
                }
            }
            12 => self.layer.flow_closed(now, FlowId(choices.below(4) as u64)),
            13 => self.pass(Duration::from_millis(u64::from(choices.word()))),
            14 => self.layer.handle_timeout(now),
            _ => self.drain(),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            let event = match output {
                Output::Transmit { message, .. } => {
                    assert!(Message::parse(message).is_ok());
                    continue;
                }
                Output::Event(event) => event,
            };
            match &event {
                Event::Response { client, .. }
                | Event::TimedOut { client }
                | Event::TransportFailed { client } => {
                    assert!(!self.over.contains(client), "{event:?} after its end");
                }
                Event::ClientTerminated { client } => assert!(self.over.insert(*client), "{event:?} twice"),
                Event::AckTimedOut { server } | Event::ServerTransportFailed { server } => {
                    assert!(!self.done.contains(server), "{event:?} after its end");
                }
                Event::ServerTerminated { server } => assert!(self.done.insert(*server), "{event:?} twice"),
            }
        }
    }

    /// Lets time pass, each timer firing at its instant.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        let mut fired = 0;
        while let Some(due) = self.layer.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.layer.handle_timeout(self.now);
            self.drain();
            fired += 1;
            assert!(fired < 100_000, "a timer fires without end");
        }
        self.now = end;
    }

    /// Its user answers everything and cancels what only rings: then all ends.
    fn end(mut self) {
        self.drain();
        for (id, request) in &self.requests {
            self.layer.respond(self.now, *id, 500, response_to(request, 500));
        }
        for id in self.clients.clone() {
            self.layer.cancel(self.now, id);
        }
        self.pass(Duration::from_secs(200));
        assert!(self.layer.is_empty(), "{} transactions are left", self.layer.len());
        assert_eq!(self.layer.poll_timeout(), None);
        assert!(self.servers.iter().all(|id| self.done.contains(id)), "an end was not told");
        assert!(self.clients.iter().all(|id| self.over.contains(id)), "an end was not told");
    }
}
