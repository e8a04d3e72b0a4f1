//! What a message costs: `cargo bench -p sip-core`.
//!
//! Compare ratios within one run; absolute times depend on the machine.

#![expect(clippy::disallowed_types, reason = "a clock is what measures; the core itself has none")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip_core::entropy::SeededEntropy;
use sip_core::message::{
    CSeq, HeaderName, Message, Method, Request, Response, Rewrite, Uri, Via, Writer, typed,
};
use sip_core::registrar::Binding;
use sip_core::server::{self, Answer, Question, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{FlowId, Hop, RegistrationKey, RouteTarget, Transport};

/// The gateway's, so that a call costs what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An INVITE as a browser sends it through two proxies: 20 header fields, 1.6 kB with its session description.
fn invite() -> Bytes {
    let sdp = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
               m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
               a=ice-ufrag:Oyef\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n\
               a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA\r\n\
               a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
               a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";
    Bytes::from(format!(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1;received=192.0.2.111\r\n\
         Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK776asdhds;received=192.0.2.7;rport=53122\r\n\
         Max-Forwards: 69\r\n\
         Route: <sip:q2w3e4r5t6y7u8i9o0@ss2.biloxi.example.com;lr>, <sip:a1s2d3f4g5@ss3.biloxi.example.com;lr>\r\n\
         Record-Route: <sip:ss1.atlanta.example.com;transport=tcp;lr>\r\n\
         From: \"Alice Liddell\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         Call-ID: 3848276298220188511@atlanta.example.com\r\n\
         CSeq: 2 INVITE\r\n\
         Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, MESSAGE, UPDATE\r\n\
         Supported: outbound, replaces, timer, path, gruu\r\n\
         Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n\
         User-Agent: Trapezoid/0.1.0\r\nAccept: application/sdp\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\
         P-Preferred-Identity: <sip:alice@atlanta.example.com>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ))
}

/// Every field of the INVITE in its typed view, with the URIs in their parts.
fn read_everything(request: &Request) {
    let headers = request.headers();
    black_box(Uri::parse(request.uri()));
    macro_rules! read {
        ($($view:ty),*) => {$(
            for value in headers.typed_all::<$view>() {
                black_box(&value);
            }
        )*};
    }
    read!(
        Via<'_>,
        typed::Route<'_>,
        typed::RecordRoute<'_>,
        typed::From<'_>,
        typed::To<'_>,
        typed::Contact<'_>
    );
    read!(typed::CallIdValue<'_>, CSeq, typed::MaxForwards, typed::Allow, typed::Supported<'_>, typed::Date);
    read!(typed::SessionExpires<'_>, typed::MinSe<'_>, typed::UserAgent<'_>, typed::Accept<'_>);
    read!(typed::PPreferredIdentity<'_>, typed::ContentType<'_>, typed::ContentLength);
}

fn messages(c: &mut Criterion) {
    let bytes = invite();
    let mut group = c.benchmark_group("message");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("parse an INVITE and read what routes it", |b| {
        b.iter(|| {
            let Ok(Message::Request(request)) = Message::parse(black_box(bytes.clone())) else {
                unreachable!()
            };
            let route = request.headers().list(HeaderName::Route).next().map(str::len);
            black_box((request.uri().len(), request.branch().map(str::len), request.cseq().number, route));
        });
    });
    group.bench_function("parse an INVITE and read everything", |b| {
        b.iter(|| {
            let Ok(request) = Request::parse(black_box(bytes.clone())) else { unreachable!() };
            read_everything(&request);
        });
    });
    let Ok(request) = Request::parse(bytes.clone()) else { unreachable!() };
    group.bench_function("print it as a proxy forwards it", |b| {
        b.iter(|| {
            let mut edit = Rewrite::new(black_box(request.headers()));
            edit.request_uri(&request, "sip:bob@192.0.2.4:5060;transport=tcp");
            edit.prepend(HeaderName::Via, "SIP/2.0/TCP ss2.biloxi.example.com;branch=z9hG4bK721e4.1");
            edit.set(HeaderName::MaxForwards, "68");
            edit.remove_first_values(HeaderName::Route, 1);
            edit.prepend(HeaderName::RecordRoute, "<sip:q2w3e4r5t6y7u8i9o0@ss2.biloxi.example.com;lr>");
            black_box(edit.finish())
        });
    });
    group.bench_function("answer it with 200", |b| {
        b.iter(|| {
            black_box(
                Writer::response(&request, 200, "OK", Some("314159"))
                    .copy(request.headers(), HeaderName::RecordRoute)
                    .header(HeaderName::Contact, "<sip:bob@192.0.2.4>")
                    .finish(),
            )
        });
    });
    group.finish();
}

/// A server between a caller of another domain and a registered callee, both on UDP.
struct Proxied {
    server: Server,
    now: Instant,
    calls: u64,
    /// What the server took, without what the phones and the databases around it take.
    took: Duration,
    /// How often that was measured, and what reading the clock takes of it each time.
    feeds: u32,
    clock: Duration,
    /// What it wants done.
    outputs: VecDeque<server::Output>,
}

const CALLER: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);
const CALLEE: ([u8; 4], u16) = ([192, 0, 2, 2], 5060);

impl Proxied {
    fn new() -> Self {
        let config = server::Config::new("example.com", [1; 32], [2; 32]);
        let now = Instant::from_micros(1_700_000_000_000_000);
        let server = Server::new(config, Box::new(SeededEntropy(1)));
        Self {
            server,
            now,
            calls: 0,
            took: Duration::ZERO,
            feeds: 0,
            clock: clock(),
            outputs: VecDeque::new(),
        }
    }

    fn hop(remote: impl Into<SocketAddr>) -> Hop {
        let local = ([192, 0, 2, 9], 5060).into();
        Hop { flow: FlowId(1), transport: Transport::Udp, local, remote: remote.into() }
    }

    /// Gives the server a message and returns what it sends to `to`.
    fn exchange(&mut self, from: ([u8; 4], u16), message: Bytes, to: ([u8; 4], u16)) -> Option<Bytes> {
        let mut sent = None;
        self.feed(server::Input::Received {
            from: Self::hop(from),
            identity: None,
            guests: None,
            certified: None,
            // In no more room than it takes, as from a socket.
            message: Bytes::copy_from_slice(&message),
        });
        while let Some(output) = self.outputs.pop_front() {
            match output {
                server::Output::Transmit { to: hop, message } if hop.remote == to.into() => {
                    sent = Some(message);
                }
                server::Output::Ask(id, question) => {
                    let answer = self.answer(&question);
                    self.feed(server::Input::Answer(id, answer));
                }
                _ => {}
            }
        }
        sent
    }

    /// What the server makes of an input.
    fn feed(&mut self, input: server::Input) {
        let start = std::time::Instant::now();
        self.server.handle_input(self.now, input);
        while let Some(output) = self.server.poll_output() {
            self.outputs.push_back(output);
        }
        self.took += start.elapsed();
        self.feeds += 1;
    }

    fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Lookup { aor } => Answer::Bindings(Some(vec![Binding {
                key: RegistrationKey { aor: aor.clone(), instance: "sip:bob@192.0.2.2".into(), reg_id: 0 },
                contact: "sip:bob@192.0.2.2".into(),
                params: "".into(),
                expires_at: self.now + Duration::from_secs(600),
                call_id: "registration".into(),
                cseq: 1,
                first_cseq: 1,
                path: "".into(),
                through: "".into(),
                listens: false,
                hop: Some(Self::hop(CALLEE)),
            }])),
            Question::Reach(RouteTarget::Address { remote, .. }, _) => {
                Answer::Reachable(Some(Self::hop(*remote)))
            }
            Question::Reach(..) => Answer::Reachable(Some(Self::hop(CALLEE))),
            other => unreachable!("{other:?}"),
        }
    }

    /// INVITE, 100, 180, 200, ACK, BYE, 200: thirteen messages in and out.
    fn call(&mut self) {
        self.calls += 1;
        // A hundred calls a second: their transactions live up to 32 s, so some 13,000 are there at any time.
        self.now += Duration::from_millis(10);
        if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
            self.feed(server::Input::Timeout);
        }
        let id = self.calls;
        let request = |method: &Method, uri: &str, cseq: u32, to_tag: &str, routes: &[&str]| {
            let mut writer = Writer::request(method, uri)
                .header(
                    HeaderName::Via,
                    format_args!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{id}{cseq}{method}"),
                )
                .header(HeaderName::MaxForwards, 70);
            for route in routes {
                writer = writer.header(HeaderName::Route, route);
            }
            writer
                .header(HeaderName::From, format_args!("<sip:a@elsewhere.example>;tag=a{id}"))
                .header(HeaderName::To, format_args!("<sip:bob@example.com>{to_tag}"))
                .header(HeaderName::CallId, format_args!("call-{id}@elsewhere.example"))
                .header(HeaderName::CSeq, format_args!("{cseq} {method}"))
                .header(HeaderName::Contact, "<sip:a@192.0.2.1>")
        };
        let sdp = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let invite = request(&Method::Invite, "sip:bob@example.com", 1, "", &[]).body("application/sdp", sdp);
        let forwarded = self.exchange(CALLER, invite, CALLEE).expect("the INVITE is forwarded");
        let invite = Request::parse(forwarded).expect("well-formed");
        let answer = |status, reason, request: &Request| {
            Writer::response(request, status, reason, Some("bob"))
                .copy(request.headers(), HeaderName::RecordRoute)
                .header(HeaderName::Contact, "<sip:bob@192.0.2.2>")
        };
        self.exchange(CALLEE, answer(180, "Ringing", &invite).finish(), CALLER).expect("180 is forwarded");
        let ok = answer(200, "OK", &invite).body("application/sdp", sdp);
        let ok = Response::parse(self.exchange(CALLEE, ok, CALLER).expect("200 is forwarded"))
            .expect("well-formed");
        let mut routes: Vec<&str> = ok.headers().list(HeaderName::RecordRoute).collect();
        routes.reverse();
        let ack = request(&Method::Ack, "sip:bob@192.0.2.2", 1, ";tag=bob", &routes).finish();
        self.exchange(CALLER, ack, CALLEE).expect("the ACK is forwarded");
        let bye = request(&Method::Bye, "sip:bob@192.0.2.2", 2, ";tag=bob", &routes).finish();
        let bye = self.exchange(CALLER, bye, CALLEE).expect("the BYE is forwarded");
        let bye = Request::parse(bye).expect("well-formed");
        self.exchange(CALLEE, answer(200, "OK", &bye).finish(), CALLER).expect("its answer is forwarded");
    }
}

/// What it takes to read the clock twice, the least of many times: a thirtieth of a call, which is measured in a dozen pieces.
fn clock() -> Duration {
    let batch = |_| {
        let mut took = Duration::ZERO;
        for _ in 0..1_000 {
            let start = std::time::Instant::now();
            took += black_box(start).elapsed();
        }
        took / 1_000
    };
    (0..20).map(batch).min().unwrap_or_default()
}

fn proxied(c: &mut Criterion) {
    let mut proxied = Proxied::new();
    c.bench_function("a proxied call, 13 messages", |b| {
        b.iter_custom(|calls| {
            (proxied.took, proxied.feeds) = (Duration::ZERO, 0);
            (0..calls).for_each(|_| proxied.call());
            proxied.took.saturating_sub(proxied.clock * proxied.feeds)
        });
    });
}

criterion_group!(benches, messages, proxied);
criterion_main!(benches);
