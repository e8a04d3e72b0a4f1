//! What the targets of whole endpoints share: peers' messages, sound ones and perturbed ones.

use bytes::Bytes;
use sip_core::message::{HeaderName, Message, Request};
use sip_core::transport::framing::{Frame, StreamFramer};
use sip_core::transport::{FlowId, Hop, Transport};

use crate::choices::Choices;
use crate::mutate::mutate;
use crate::seeds;

/// Session descriptions of one session as it changes: as it begins, held, with other formats, with video.
pub(crate) const SDPS: [&str; 4] = [
    SDP,
    "v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=sendonly\r\n",
    "v=0\r\no=- 1 3 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8 0\r\na=recvonly\r\n",
    "v=0\r\no=- 1 4 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
];

/// The first of them.
pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n";

pub(crate) fn hop(flow: u64, transport: Transport, last: u8) -> Hop {
    let local = ([192, 0, 2, 1], if transport.is_websocket() { 8080 } else { 5060 }).into();
    Hop { flow: FlowId(flow), transport, local, remote: ([198, 51, 100, last], 5060).into() }
}

/// The text as it is, or perturbed in one of 65,536 ways.
pub(crate) fn perhaps_perturbed(text: String, choices: &mut Choices<'_>) -> Bytes {
    let mut bytes = text.into_bytes();
    if choices.below(3) == 0 {
        let seed = choices.word();
        let seeds: Vec<Vec<u8>> = seeds::MESSAGES.iter().map(|text| text.as_bytes().to_vec()).collect();
        mutate(&mut bytes, &seeds, seed.into());
        bytes = crate::repeat::expand(&bytes).into_owned();
    }
    bytes.into()
}

/// What was sent before: retransmissions share their bytes, and most of what is sent are retransmissions.
#[derive(Debug, Default)]
pub(crate) struct Sent(Vec<Bytes>);

impl Sent {
    /// Whether this is no retransmission. Then it must be one sound message.
    #[track_caller]
    pub(crate) fn is_new(&mut self, bytes: &Bytes) -> bool {
        let new = !self.0.iter().any(|old| old.as_ptr() == bytes.as_ptr() && old.len() == bytes.len());
        if new {
            assert_one_message(bytes);
            self.0.push(bytes.clone());
        }
        new
    }
}

/// Whoever reads it from a stream finds one message and nothing behind it.
#[track_caller]
fn assert_one_message(bytes: &Bytes) {
    let mut framer = StreamFramer::new();
    framer.push(bytes);
    let shown = || String::from_utf8_lossy(bytes);
    assert_eq!(framer.next_frame(), Ok(Some(Frame::Message(bytes.clone()))), "{}", shown());
    assert!(!framer.is_partial(), "{}", shown());
    // A response is passed on with the version as it came (§7.1: in any case).
    if !bytes.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        assert!(Request::parse(bytes.clone()).is_ok(), "a request of ours is sound: {}", shown());
    }
}

/// A response to `request` with what its kind needs. `fields` are whole lines.
pub(crate) fn answer(
    request: &Request,
    status: u16,
    tag: &str,
    contact: &str,
    fields: &str,
    sdp: Option<&str>,
) -> String {
    let headers = request.headers();
    let mut out = format!("SIP/2.0 {status} Whatever\r\n");
    for name in [HeaderName::Via, HeaderName::RecordRoute] {
        for value in headers.all(name) {
            out += &format!("{name}: {value}\r\n");
        }
    }
    let first = |name| headers.first(name).unwrap_or_default();
    let tag = if request.to_tag().is_some() || status == 100 { String::new() } else { format!(";tag={tag}") };
    out += &format!(
        "From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <{contact}>\r\n",
        first(HeaderName::From),
        first(HeaderName::To),
        request.call_id(),
        first(HeaderName::CSeq),
    );
    out += match status {
        401 => "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"1\", qop=\"auth\"\r\n",
        407 => {
            "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"\r\n"
        }
        423 => "Min-Expires: 1800\r\n",
        503 | 480 => "Retry-After: 5\r\n",
        200 if *request.method() == sip_core::message::Method::Register => "Expires: 600\r\n",
        _ => "",
    };
    body(out + fields, sdp)
}

pub(crate) fn body(head: String, sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => {
            format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
        }
        None => head + "Content-Length: 0\r\n\r\n",
    }
}

/// A request within the dialog that `message` belongs to, as the side that sent its From (`caller`) or the other one
/// would send it. `fields` are whole lines.
pub(crate) fn within(
    message: &Message,
    caller: bool,
    method: &str,
    via: &str,
    cseq: u32,
    fields: &str,
    sdp: Option<&str>,
) -> String {
    let (headers, is_request) = match message {
        Message::Request(request) => (request.headers(), true),
        Message::Response(response) => (response.headers(), false),
    };
    let first = |name| headers.first(name).unwrap_or_default();
    let (from, to) = (first(HeaderName::From), first(HeaderName::To));
    let (from, to) = if caller { (from, to) } else { (to, from) };
    let mut routes: Vec<&str> = headers.list(HeaderName::RecordRoute).collect();
    // §12.1.1, §12.1.2: the caller's route set is the reverse of what it got.
    if caller && !is_request {
        routes.reverse();
    }
    let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
    let contact = headers.typed_all::<sip_core::message::typed::Contact<'_>>().find_map(Result::ok);
    let target = match contact {
        Some(sip_core::message::typed::Contact::Address(contact)) => contact.address.uri.to_owned(),
        _ => "sip:nobody@example.com".to_owned(),
    };
    let call_id = first(HeaderName::CallId);
    // RFC 3262 §7.2.
    let acknowledged = match headers.first(HeaderName::RSeq) {
        Some(number) => format!("RAck: {number} {}\r\n", first(HeaderName::CSeq)),
        None => String::new(),
    };
    let head = format!(
        "{method} {target} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{routes}From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:peer@198.51.100.9>\r\n{acknowledged}{fields}"
    );
    body(head, sdp)
}
