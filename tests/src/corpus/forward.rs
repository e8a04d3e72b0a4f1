//! A message on its way through the proxy, and what it may not lose there.
//!
//! The proxy and the transaction layer are the server's own, on a clock that stands still; what the server decides
//! before — whose the request is, who may send it — is left out, so that messages of any domain pass.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::entropy::SeededEntropy;
use sip_core::limits;
use sip_core::message::{HeaderName, Headers, Message, Method, Request, Response, Writer};
use sip_core::proxy::{Asserted, EdgeRole, Inbound, Proxy, Settings, Stateless, Target, Turn};
use sip_core::time::Instant;
use sip_core::transaction::{Layer, Output, Received, ServerId, Timers};
use sip_core::transport::{FlowId, Hop, RouteTarget, RouteTokens, Transport, via};

use super::{Stopwatch, fields};

/// What the proxy did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It went on, changed only where a proxy changes it.
    Forwarded(Way),
    /// The proxy ends it, for the reason given.
    Ends(&'static str),
}

/// How a message goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a transaction, to a binding.
    Transaction,
    /// Statelessly (§16.11), to the next hop.
    Stateless,
}

/// The Request-URI a forwarded request gets.
const BINDING: &str = "sip:corpus@192.0.2.2:5070;transport=tcp";
/// Nobody in a corpus has credentials for it, so none are ours to remove.
const REALM: &str = "corpus.invalid";

/// The header fields that a proxy changes. Of requests: Request-URI, Via, Max-Forwards, Max-Breadth, Route and Record-Route are the
/// proxy's to change, and it removes what strangers assert (RFC 3325 §5). A Content-Length comes where there is none. Everything else
/// leaves as it came.
pub const OURS: &[&str] = &[
    "via",
    "v",
    "max-forwards",
    "max-breadth",
    "route",
    "record-route",
    "p-asserted-identity",
    "p-preferred-identity",
    "proxy-authorization",
];

const PAST_A_CAP: Fate = Fate::Ends("with what we add it is past a cap");
/// Most that is added: Via, two Record-Routes, Max-Forwards, Max-Breadth, Content-Length.
const ADDED_FIELDS: usize = 6;
/// The same in bytes, generously.
const ADDED_BYTES: usize = 2_048;

pub(super) fn forward(message: &Message, clock: &mut Stopwatch) -> Result<Fate, String> {
    match message {
        Message::Request(request) => forward_request(request, clock),
        Message::Response(response) => forward_response(response, clock),
    }
}

fn forward_request(request: &Request, clock: &mut Stopwatch) -> Result<Fate, String> {
    // All that is promised of `sips` URIs holds.
    let caller = hop(1, Transport::Tls);
    let stamped = match clock.run(|| via::stamp(request.clone(), &caller)) {
        Ok(stamped) => stamped,
        Err(_) if is_at_a_cap(request.headers()) => return Ok(PAST_A_CAP),
        Err(refused) => return Err(format!("stamped, it is refused: {}", refused.error)),
    };
    if stamped.max_forwards() == Some(0) {
        return Ok(Fate::Ends("Max-Forwards is 0"));
    }
    // The first Route names whoever receives the message.
    let routes = stamped.headers().list(HeaderName::Route).count().min(1);
    let mut element = Element::new();
    // An ACK to a 2xx has no transaction, and a CANCEL without its INVITE goes on as a stateless proxy sends it.
    let stateless = matches!(request.method(), Method::Ack | Method::Cancel);
    let (out, way) = if stateless {
        let out = clock.run(|| {
            let target = Target::new(None, hop(2, Transport::Tls), RouteTarget::Flow(FlowId(2)));
            Stateless {
                request: &stamped,
                from: &caller,
                routes,
                realm: REALM,
                target: &target,
                asserted: &Asserted::Nobody,
                alias: false,
            }
            .ack(&element.tokens)
        });
        (out.ok_or("no request goes out")?, Way::Stateless)
    } else {
        match clock.run(|| element.request(&stamped, caller, routes)) {
            Some(out) => (out, Way::Transaction),
            None if is_at_a_cap(request.headers()) => return Ok(PAST_A_CAP),
            None => return Err("no request goes out".into()),
        }
    };
    let forwarded = match Request::parse(out) {
        Ok(forwarded) => forwarded,
        Err(_) if is_at_a_cap(request.headers()) => return Ok(PAST_A_CAP),
        Err(refused) => return Err(format!("forwarded, it is refused: {}", refused.error)),
    };
    compare(request, &stamped, &forwarded, routes)?;
    Ok(Fate::Forwarded(way))
}

/// Whether what a proxy adds to a message may make it longer than messages may be. Such a request is answered 513.
fn is_at_a_cap(headers: &Headers) -> bool {
    headers.fields().len() + ADDED_FIELDS > limits::HEADER_FIELDS
        || headers.bytes().len() + ADDED_BYTES > limits::MESSAGE_BYTES
}

fn compare(original: &Request, stamped: &Request, forwarded: &Request, routes: usize) -> Result<(), String> {
    let (before, body_before) = fields::raw(original.bytes());
    let (after, body_after) = fields::raw(forwarded.bytes());
    if body_before != body_after {
        return Err("forwarded, its body is another".into());
    }
    let kept = |fields: Vec<&[u8]>| -> Vec<Vec<u8>> {
        fields.into_iter().filter(|field| !fields::is_one_of(field, OURS)).map(Vec::from).collect()
    };
    let (mut before, after) = (kept(before), kept(after));
    before.extend(delimiter(original.headers()));
    if before.len() != after.len() {
        return Err("forwarded, the count of its header fields is another".into());
    }
    for (before, after) in before.iter().zip(&after) {
        if before != after {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            return Err(format!("forwarded, {:?} became {:?}", text(before), text(after)));
        }
    }
    let list =
        |request: &Request, name| -> Vec<String> { request.headers().list(name).map(String::from).collect() };
    let ends_with = |name, skipped: usize, added| {
        let (before, after) = (list(stamped, name), list(forwarded, name));
        after.len() + skipped == before.len() + added && after.ends_with(&before[skipped..])
    };
    let recorded =
        list(forwarded, HeaderName::RecordRoute).len() - list(original, HeaderName::RecordRoute).len();
    let hops = original.max_forwards().map_or(70, |hops| hops - 1);
    let all = |name| -> Vec<String> { original.headers().all(name).map(String::from).collect() };
    let credentials = |request: &Request| -> Vec<String> {
        request.headers().all(HeaderName::ProxyAuthorization).map(String::from).collect()
    };
    for (holds, what) in [
        (forwarded.method() == original.method(), "its method is another"),
        (ends_with(HeaderName::Via, 0, 1), "its Vias are not ours and what came"),
        (ends_with(HeaderName::Route, routes, 0), "its Routes are not the rest of what came"),
        (
            ends_with(HeaderName::RecordRoute, 0, recorded) && matches!(recorded, 0 | 2),
            "its Record-Routes are others",
        ),
        (forwarded.max_forwards() == Some(hops), "its Max-Forwards was not lowered by one"),
        (!forwarded.headers().has(HeaderName::PAssertedIdentity), "it asserts an identity"),
        (
            credentials(forwarded) == all(HeaderName::ProxyAuthorization),
            "its credentials for others are gone",
        ),
    ] {
        if !holds {
            return Err(format!("forwarded, {what}"));
        }
    }
    Ok(())
}

/// What a message without Content-Length gets after all its fields (§16.6 step 9).
fn delimiter(headers: &Headers) -> Option<Vec<u8>> {
    let line = || format!("Content-Length: {}\r\n", headers.body().len()).into_bytes();
    (!headers.has(HeaderName::ContentLength)).then(line)
}

/// The request it answers is made up, goes through the proxy, and the response comes back to it.
fn forward_response(response: &Response, clock: &mut Stopwatch) -> Result<Fate, String> {
    let method = &response.cseq().method;
    if *method == Method::Ack {
        return Ok(Fate::Ends("nothing answers an ACK"));
    }
    let caller = hop(1, Transport::Tcp);
    let request = Request::parse(answered(response))
        .map_err(|refused| format!("the request it answers is refused: {}", refused.error))?;
    let mut element = Element::new();
    let sent = match clock.run(|| element.request(&request, caller, 0)) {
        Some(sent) => sent,
        None if is_at_a_cap(response.headers()) => return Ok(PAST_A_CAP),
        None => return Err("the request it answers does not go out".into()),
    };
    let sent = Request::parse(sent)
        .map_err(|refused| format!("the request it answers went out wrong: {}", refused.error))?;
    let our_via = sent.headers().list(HeaderName::Via).next().ok_or("no Via went out")?;
    // What the next hop echoes: our Via above all others, in a field of its own.
    let original = response.bytes();
    let first_line = response.headers().start_line().len() + 2;
    let arriving =
        [&original[..first_line], b"Via: ", our_via.as_bytes(), b"\r\n", &original[first_line..]].concat();
    let arriving = match clock.run(|| Response::parse(arriving.into())) {
        Ok(arriving) => arriving,
        Err(_) if is_at_a_cap(response.headers()) => return Ok(PAST_A_CAP),
        Err(refused) => return Err(format!("with our Via, it is refused: {}", refused.error)),
    };
    let status = response.status();
    let out = clock.run(|| element.response(arriving));
    match (status, method, out) {
        (100, _, None) => Ok(Fate::Ends("100 ends at each hop")),
        (503, _, Some(out)) if out.starts_with(b"SIP/2.0 500 ") => Ok(Fate::Ends("503 becomes 500")),
        (408, method, None) if *method != Method::Invite => {
            Ok(Fate::Ends("408 is for INVITE alone (RFC 4320)"))
        }
        (101..=199, method, None) if *method != Method::Invite => {
            Ok(Fate::Ends("only INVITE has provisional responses (RFC 4320)"))
        }
        (_, _, None) => Err("no response goes back".into()),
        (_, _, Some(out)) => {
            let (kept, body) = fields::raw(original);
            let first = &original[..first_line];
            let kept = kept.into_iter().filter(|field| !fields::is_one_of(field, &["p-asserted-identity"]));
            let delimiter = delimiter(response.headers()).unwrap_or_default();
            let expected = [first, &kept.collect::<Vec<_>>().concat(), &delimiter, b"\r\n", body].concat();
            if expected != out {
                return Err("forwarded, the response is another".into());
            }
            Ok(Fate::Forwarded(Way::Transaction))
        }
    }
}

/// The request that a response answers, as far as the response tells (§8.2.6.2).
fn answered(response: &Response) -> Bytes {
    let headers = response.headers();
    let writer = Writer::request(&response.cseq().method, "sip:corpus@192.0.2.9");
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        .iter()
        .fold(writer, |writer, name| writer.copy(headers, *name))
        .header(HeaderName::MaxForwards, 70)
        .finish()
}

/// A proxy and its transactions, with nothing else on their way.
struct Element {
    layer: Layer,
    proxy: Proxy,
    tokens: RouteTokens,
    entropy: SeededEntropy,
}

const NOW: Instant = Instant::from_micros(1_700_000_000_000_000);

impl Element {
    fn new() -> Self {
        let settings = Settings { forks: 1, ..Settings::new(REALM.into()) };
        Self {
            layer: Layer::new(Timers::default(), &mut SeededEntropy(1)),
            proxy: Proxy::new(settings),
            tokens: RouteTokens::new([1; 32], &[], [1; 32], "example.com"),
            entropy: SeededEntropy(1),
        }
    }

    /// Forwards a request and returns it as it goes out.
    fn request(&mut self, request: &Request, from: Hop, routes: usize) -> Option<Bytes> {
        let received = self.layer.receive_request(NOW, request, from);
        let (Received::New(server) | Received::Cancel { cancel: server, .. }) = received else { return None };
        let to = hop(2, Transport::Tls);
        let target = Target::new(Some(BINDING.into()), to, RouteTarget::Flow(to.flow));
        let inbound = self.inbound(server, request, from, routes);
        let (proxy, mut turn) = self.turn();
        proxy.fork(&mut turn, inbound, target.into());
        self.sent(to)
    }

    fn inbound(&self, server: ServerId, request: &Request, from: Hop, routes: usize) -> Inbound {
        Inbound {
            server,
            request: request.clone(),
            from,
            sender: RouteTarget::Flow(from.flow),
            routes,
            asserted: Asserted::Nobody,
            edge: EdgeRole::None,
        }
    }

    /// Takes a response from the next hop and returns what goes back to the caller.
    fn response(&mut self, response: Response) -> Option<Bytes> {
        self.layer.receive_response(NOW, response);
        self.sent(hop(1, Transport::Tcp))
    }

    /// The first message to `to`, while everything there is to do is done.
    fn sent(&mut self, to: Hop) -> Option<Bytes> {
        let mut sent = None;
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit { to: hop, message } if hop == to => sent = sent.or(Some(message)),
                Output::Transmit { .. } => {}
                Output::Event(event) => {
                    let (proxy, mut turn) = self.turn();
                    proxy.handle_event(&mut turn, event);
                }
            }
        }
        sent
    }

    fn turn(&mut self) -> (&mut Proxy, Turn<'_>) {
        let Self { layer, proxy, tokens, entropy } = self;
        (proxy, Turn { now: NOW, layer, entropy, tokens })
    }
}

/// Neighbour `n` at its own flow. TCP, so that what we add never makes a datagram too large.
fn hop(n: u8, transport: Transport) -> Hop {
    let address = |host| SocketAddr::from(([192, 0, 2, host], 5060));
    Hop { flow: FlowId(n.into()), transport, local: address(9), remote: address(n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_is_not_ours_is_found() {
        let original = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nRoute: <sip:x;lr>, <sip:y;lr>\r\n\
                        From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nX-Odd :  kept\r\n  so\r\n\
                        Max-Forwards: 9\r\n\r\nbody";
        let request = |text: &str| Request::parse(Bytes::from(text.to_owned())).expect("a request");
        let original = request(original);
        let caller = hop(1, Transport::Tcp);
        let stamped = via::stamp(original.clone(), &caller).expect("stamped");
        let out = Element::new().request(&stamped, caller, 1).expect("it goes out");
        let out = String::from_utf8(out.to_vec()).expect("UTF-8");
        assert_eq!(compare(&original, &stamped, &request(&out), 1), Ok(()));
        for (from, to, what) in [
            ("X-Odd :  kept\r\n  so", "X-Odd: kept so", "became"),
            ("Call-ID", "Call-Id", "became"),
            ("body", "bodY", "body"),
            ("Max-Forwards: 8", "Max-Forwards: 9", "Max-Forwards"),
            ("Route: <sip:y;lr>", "Route: <sip:x;lr>", "Routes"),
            ("X-Odd", "X-New: 1\r\nX-Odd", "count"),
            ("\r\n\r\nbody", "\r\nX-New: 1\r\n\r\nbody", "count"),
        ] {
            assert!(out.contains(from), "{from:?} in {out}");
            let error = compare(&original, &stamped, &request(&out.replace(from, to)), 1).expect_err(from);
            assert!(error.contains(what), "{from:?}: {error}");
        }
    }
}
