//! The layer on a virtual clock.

mod client;
mod matching;
mod random;
mod server;
mod tables;
mod times;
mod transport;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;

use super::event::{ClientId, Event, Output, Received, ServerId};
use super::layer::Layer;
use super::timers::Timers;
use crate::entropy::SeededEntropy;
use crate::message::{Request, Response, Writer};
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop, Transport};

const START: Instant = Instant::from_micros(1_000_000_000);

fn hop(transport: Transport, flow: u64) -> Hop {
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
    Hop { flow: FlowId(flow), transport, local, remote }
}

fn udp() -> Hop {
    hop(Transport::Udp, 1)
}

fn ws(flow: u64) -> Hop {
    hop(Transport::Ws, flow)
}

fn request(method: &str, branch: &str) -> Request {
    let text = format!(
        "{method} sip:bob@biloxi.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch={branch};x=1, SIP/2.0/UDP below.example;branch=z9hG4bKlow\r\n\
         Route: <sip:one.example;lr>, <sip:two.example;lr>\r\n\
         Max-Forwards: 9\r\n\
         Route: <sip:three.example;lr>\r\n\
         From: \"Alice\" <sip:alice@atlanta.example>;tag=88sja8x\r\n\
         To: Bob <sip:bob@biloxi.example>\r\n\
         Call-ID: 987asjd97y7atg\r\n\
         CSeq: 986759 {method}\r\n\
         Require: 100rel\r\n\
         Proxy-Require: foo\r\n\
         Contact: <sip:alice@pc33.atlanta.example>\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 4\r\n\r\nv=0\n"
    );
    parse(&text)
}

fn parse(text: &str) -> Request {
    Request::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn answer_bytes(request: &Request, status: u16, tag: &str) -> Bytes {
    Writer::response(request, status, "Any", Some(tag)).finish()
}

fn answer(request: &Request, status: u16) -> Response {
    Response::parse(answer_bytes(request, status, "99sa0xk")).unwrap()
}

/// A layer, its clock, and what it did.
struct Bench {
    layer: Layer,
    now: Instant,
    /// When, over which flow, first line.
    sent: Vec<(Duration, u64, String)>,
    messages: Vec<Bytes>,
    /// When, and what as text.
    told: Vec<(Duration, String)>,
}

impl Bench {
    fn new() -> Self {
        let layer = Layer::new(Timers::default(), &mut SeededEntropy(1));
        Self { layer, now: START, sent: Vec::new(), messages: Vec::new(), told: Vec::new() }
    }

    fn drain(&mut self) {
        let at = self.now.since(START);
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit { to, message } => {
                    let text = String::from_utf8_lossy(&message).to_string();
                    let line = text.split("\r\n").next().unwrap();
                    let line = line.strip_prefix("SIP/2.0 ").unwrap_or(line);
                    let word = line.split(' ').next().unwrap();
                    self.sent.push((at, to.flow.0, word.to_string()));
                    self.messages.push(message);
                }
                Output::Event(event) => self.told.push((at, name(&event))),
            }
        }
    }

    /// Lets `ms` pass, firing each timer at its instant.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        self.drain();
        while let Some(due) = self.layer.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.layer.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn send(&mut self, request: &Request, to: Hop) -> ClientId {
        let id = self.layer.send_request(self.now, request, to).unwrap();
        self.drain();
        id
    }

    fn receive(&mut self, request: &Request, from: Hop) -> Received {
        let received = self.layer.receive_request(self.now, request, from);
        self.drain();
        received
    }

    fn receive_new(&mut self, request: &Request, from: Hop) -> ServerId {
        match self.receive(request, from) {
            Received::New(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self, request: &Request, status: u16) {
        assert!(self.layer.receive_response(self.now, answer(request, status)));
        self.drain();
    }

    fn respond(&mut self, server: ServerId, request: &Request, status: u16) {
        self.layer.respond(self.now, server, status, answer_bytes(request, status, "99sa0xk"));
        self.drain();
    }

    /// What was sent since the last call: first words.
    fn take_sent(&mut self) -> Vec<String> {
        self.messages.clear();
        self.sent.drain(..).map(|(_, _, word)| word).collect()
    }

    /// When something was sent since the last call, milliseconds from the start.
    fn take_times(&mut self) -> Vec<u128> {
        self.messages.clear();
        self.sent.drain(..).map(|(at, ..)| at.as_millis()).collect()
    }

    /// What was told since the last call.
    fn take_told(&mut self) -> Vec<String> {
        self.told.drain(..).map(|(_, what)| what).collect()
    }

    /// What was told since the last call, and when.
    fn take_told_at(&mut self) -> Vec<(u128, String)> {
        self.told.drain(..).map(|(at, what)| (at.as_millis(), what)).collect()
    }

    fn assert_empty(&self) {
        assert!(self.layer.is_empty());
        assert_eq!(self.layer.poll_timeout(), None);
        assert_eq!(self.layer.client_keys.ids().count(), 0);
        assert_eq!(self.layer.server_keys.ids().count(), 0);
        assert_eq!(self.layer.flows.len(), 0);
        assert_eq!(self.layer.room.bytes(), 0);
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Response { response, .. } => response.status().to_string(),
        Event::TimedOut { .. } => "timed out".to_string(),
        Event::TransportFailed { .. } => "transport failed".to_string(),
        Event::ClientTerminated { .. } => "client terminated".to_string(),
        Event::AckTimedOut { .. } => "ack timed out".to_string(),
        Event::ServerTransportFailed { .. } => "server transport failed".to_string(),
        Event::ServerTerminated { .. } => "server terminated".to_string(),
    }
}
