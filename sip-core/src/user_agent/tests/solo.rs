//! One user agent, with the test as the whole world around it.

use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;

use super::{config, entropy, hop};
use crate::message::{HeaderName, Message, Method, Request, Response, Writer, reason_phrase};
use crate::time::{Duration, Instant};
use crate::transport::{FlowId, Hop, Transport};
use crate::user_agent::{Config, Event, Input, Output, UserAgent};

pub(super) struct Solo {
    pub(super) ua: UserAgent,
    pub(super) now: Instant,
    pub(super) hop: Hop,
    pub(super) sent: VecDeque<(Instant, Hop, Message)>,
    pub(super) events: VecDeque<Event>,
    /// Connections asked for, keep-alives that were due.
    pub(super) opens: VecDeque<(Instant, u32)>,
    pub(super) keep_alives: VecDeque<(Instant, Hop)>,
    /// How many requests were sent to the user agent.
    pub(super) serial: u32,
}

impl Solo {
    /// A user agent for alice with a WebSocket open, not registered.
    pub(super) fn new() -> Self {
        Self::with(config("sip:alice@example.com"), Transport::Wss)
    }

    pub(super) fn with(config: Config, transport: Transport) -> Self {
        let ua = UserAgent::new(config, entropy(7));
        let now = Instant::from_micros(1_000_000);
        let hop = hop(1, transport);
        let mut solo = Self {
            ua,
            now,
            hop,
            sent: VecDeque::new(),
            events: VecDeque::new(),
            opens: VecDeque::new(),
            keep_alives: VecDeque::new(),
            serial: 0,
        };
        solo.input(Input::FlowOpened(hop));
        solo
    }

    /// Like [`Self::new`], registered for 600 s.
    pub(super) fn registered() -> Self {
        let mut solo = Self::new();
        solo.register();
        solo
    }

    pub(super) fn register(&mut self) {
        self.ua.register(self.now).unwrap();
        self.drain();
        self.accept_register(600);
        self.events.clear();
    }

    pub(super) fn accept_register(&mut self, expires: u32) {
        let register = self.request(&Method::Register);
        let contact = register.headers().first(HeaderName::Contact).unwrap().to_string();
        self.reply(&register, 200, &format!("Contact: {contact};expires={expires}\r\n"), "");
    }

    pub(super) fn input(&mut self, input: Input) {
        self.ua.handle_input(self.now, input);
        self.drain();
    }

    /// After a command.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Transmit { to, message } => {
                    let message = Message::parse(message).expect("what we send can be read");
                    self.sent.push_back((self.now, to, message));
                }
                Output::OpenFlow { reg_id } => self.opens.push_back((self.now, reg_id)),
                Output::KeepAlive { to } => self.keep_alives.push_back((self.now, to)),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// Lets time pass, timer by timer.
    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.ua.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    pub(super) fn reopen(&mut self, flow: u64) {
        self.hop = Hop { flow: FlowId(flow), ..self.hop };
        self.input(Input::FlowOpened(self.hop));
    }

    pub(super) fn close(&mut self) {
        self.input(Input::FlowClosed(self.hop.flow));
    }

    pub(super) fn deliver(&mut self, message: Bytes) {
        self.input(Input::Received { from: self.hop, message });
    }

    /// The next message sent, which must be a request of this method.
    #[track_caller]
    pub(super) fn request(&mut self, method: &Method) -> Request {
        match self.sent.pop_front() {
            Some((_, _, Message::Request(request))) => {
                assert_eq!(request.method(), method);
                request
            }
            other => panic!("{method} expected, found {other:?}"),
        }
    }

    /// The next message sent, which must be a response with this status.
    #[track_caller]
    pub(super) fn response(&mut self, status: u16) -> Response {
        match self.sent.pop_front() {
            Some((_, _, Message::Response(response))) => {
                assert_eq!(response.status(), status, "{:?}", response.bytes());
                response
            }
            other => panic!("{status} expected, found {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn nothing_sent(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    #[track_caller]
    pub(super) fn event(&mut self) -> Event {
        self.events.pop_front().expect("an event")
    }

    /// Answers a request the user agent sent. `extra` are whole header lines.
    pub(super) fn reply(&mut self, request: &Request, status: u16, extra: &str, sdp: &str) {
        self.reply_tagged(request, status, Some("callee"), extra, sdp);
    }

    pub(super) fn reply_tagged(
        &mut self,
        request: &Request,
        status: u16,
        tag: Option<&str>,
        extra: &str,
        sdp: &str,
    ) {
        let mut writer = Writer::response(request, status, reason_phrase(status), tag);
        for line in extra.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            writer = writer.field(name, value);
        }
        let bytes =
            if sdp.is_empty() { writer.finish() } else { writer.body("application/sdp", sdp.as_bytes()) };
        self.deliver(bytes);
    }

    /// 200 to an INVITE, as bob's phone sends it.
    pub(super) fn answer(&mut self, invite: &Request, tag: &str) {
        let contact = format!("Contact: <sip:bob-{tag}@192.0.2.7>\r\nRecord-Route: <sip:p.example;lr>\r\n");
        self.reply_tagged(invite, 200, Some(tag), &contact, super::ANSWER);
    }

    /// A request to the user agent: header lines and body are free, Via and Max-Forwards are written here.
    pub(super) fn send(&mut self, method: &str, lines: &[&str], body: &str) -> String {
        self.serial += 1;
        let branch = format!("z9hG4bKsolo{}", self.serial);
        self.send_branch(method, &branch, lines, body);
        branch
    }

    pub(super) fn send_branch(&mut self, method: &str, branch: &str, lines: &[&str], body: &str) {
        let user = self.contact_user();
        let mut text = format!("{method} sip:{user}@x.invalid SIP/2.0\r\n");
        if let Some((method, uri)) = method.split_once(' ') {
            text = format!("{method} {uri} SIP/2.0\r\n");
        }
        text += &format!("Via: SIP/2.0/WSS proxy.example;branch={branch}\r\nMax-Forwards: 70\r\n");
        for line in lines {
            text += line;
            text += "\r\n";
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.deliver(Bytes::from(text));
    }

    /// INVITE from bob's phone.
    pub(super) fn invite(&mut self) -> String {
        let lines: Vec<&str> = INVITE.to_vec();
        self.send("INVITE", &lines, super::OFFER)
    }

    /// The user part of our Contact.
    pub(super) fn contact_user(&self) -> String {
        self.ua.local.user.to_string()
    }
}

/// Header fields of bob's INVITE.
pub(super) const INVITE: [&str; 6] = [
    "From: \"Bob\" <sip:bob@example.com>;tag=bobtag",
    "To: <sip:alice@example.com>",
    "Call-ID: call-1",
    "CSeq: 10 INVITE",
    "Contact: <sip:bob@y.invalid;transport=ws>",
    "Content-Type: application/sdp",
];
