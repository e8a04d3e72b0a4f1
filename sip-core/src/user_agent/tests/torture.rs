//! RFC 4475 and RFC 5118 at a user agent, each with the address the message asks for.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;

use super::config;
use super::solo::Solo;
use crate::message::{Message, Uri};
use crate::transport::Transport;
use crate::user_agent::{Event, Input, Output};

macro_rules! v {
    ($rfc:literal $name:literal $expected:literal) => {
        ($name, include_bytes!(concat!("../../../vectors/", $rfc, "/", $name, ".dat")), $expected)
    };
}

/// Status and reason phrase, `rings`, or the counter of what vanished.
#[rustfmt::skip]
const VECTORS: &[(&str, &[u8], &str)] = &[
    // In a dialog that is unknown here.
    v!("rfc4475" "wsinv" "481 Call/Transaction Does Not Exist"),
    v!("rfc4475" "intmeth" "501 Not Implemented"),
    v!("rfc4475" "esc01" "rings"),
    v!("rfc4475" "escnull" "405 Method Not Allowed"),
    v!("rfc4475" "esc02" "501 Not Implemented"),
    v!("rfc4475" "lwsdisp" "200 OK"),
    v!("rfc4475" "longreq" "rings"),
    v!("rfc4475" "dblreq" "405 Method Not Allowed"),
    v!("rfc4475" "semiuri" "200 OK"),
    v!("rfc4475" "transports" "200 OK"),
    v!("rfc4475" "mpart01" "405 Method Not Allowed"),
    v!("rfc4475" "unreason" "stray_responses"),
    v!("rfc4475" "noreason" "stray_responses"),
    // Its Via is what is malformed: no answer finds its way.
    v!("rfc4475" "badinv01" "malformed"),
    v!("rfc4475" "clerr" "400 Bad Request (Content-Length Exceeds Message)"),
    v!("rfc4475" "ncl" "400 Bad Request (Malformed Content-Length)"),
    v!("rfc4475" "scalar02" "400 Bad Request (Malformed CSeq)"),
    v!("rfc4475" "scalarlg" "malformed"),
    v!("rfc4475" "quotbal" "400 Bad Request (Malformed To)"),
    v!("rfc4475" "ltgtruri" "400 Bad Request (Malformed Request-URI)"),
    v!("rfc4475" "lwsruri" "400 Bad Request (Malformed Request-URI)"),
    v!("rfc4475" "lwsstart" "400 Bad Request (Malformed Request-URI)"),
    v!("rfc4475" "trws" "400 Bad Request (Malformed Start-Line)"),
    v!("rfc4475" "escruri" "400 Bad Request (Malformed Request-URI)"),
    v!("rfc4475" "baddate" "rings"),
    v!("rfc4475" "regbadct" "405 Method Not Allowed"),
    v!("rfc4475" "badaspec" "400 Bad Request (Malformed To)"),
    v!("rfc4475" "baddn" "400 Bad Request (Header Fields Not Terminated)"),
    v!("rfc4475" "badvers" "505 Version Not Supported"),
    v!("rfc4475" "mismatch01" "400 Bad Request (CSeq Method Mismatch)"),
    v!("rfc4475" "mismatch02" "501 Not Implemented"),
    v!("rfc4475" "bigcode" "malformed"),
    v!("rfc4475" "badbranch" "200 OK"),
    v!("rfc4475" "insuf" "400 Bad Request (Missing From)"),
    v!("rfc4475" "unkscm" "416 Unsupported URI Scheme"),
    v!("rfc4475" "novelsc" "416 Unsupported URI Scheme"),
    v!("rfc4475" "unksm2" "405 Method Not Allowed"),
    v!("rfc4475" "bext01" "420 Bad Extension"),
    v!("rfc4475" "invut" "415 Unsupported Media Type"),
    v!("rfc4475" "regaut01" "405 Method Not Allowed"),
    v!("rfc4475" "multi01" "400 Bad Request (Duplicate From)"),
    v!("rfc4475" "mcl01" "400 Bad Request (Duplicate Content-Length)"),
    v!("rfc4475" "bcast" "responses_misrouted"),
    v!("rfc4475" "zeromf" "200 OK"),
    v!("rfc4475" "cparam01" "405 Method Not Allowed"),
    v!("rfc4475" "cparam02" "405 Method Not Allowed"),
    v!("rfc4475" "regescrt" "405 Method Not Allowed"),
    v!("rfc4475" "sdp01" "406 Not Acceptable (No Type In Accept)"),
    v!("rfc4475" "inv2543" "rings"),
    v!("rfc4475" "test" "malformed"),
    v!("rfc5118" "ipv6-good" "405 Method Not Allowed"),
    v!("rfc5118" "ipv6-bad" "400 Bad Request (Malformed Request-URI)"),
    v!("rfc5118" "port-ambiguous" "405 Method Not Allowed"),
    v!("rfc5118" "port-unambiguous" "405 Method Not Allowed"),
    v!("rfc5118" "via-received-param-with-delim" "481 Call/Transaction Does Not Exist"),
    v!("rfc5118" "via-received-param-no-delim" "200 OK"),
    v!("rfc5118" "ipv6-in-sdp" "400 Bad Request (Content-Length Exceeds Message)"),
    v!("rfc5118" "ipv6-in-sdp.fixed" "rings"),
    v!("rfc5118" "mult-ip-in-header" "481 Call/Transaction Does Not Exist"),
    v!("rfc5118" "mult-ip-in-sdp" "rings"),
    v!("rfc5118" "mult-ip-in-sdp.fixed" "rings"),
    v!("rfc5118" "ipv4-mapped-ipv6" "rings"),
    v!("rfc5118" "ipv4-mapped-ipv6.fixed" "rings"),
    v!("rfc5118" "ipv6-bug-abnf-3-colons" "200 OK"),
    v!("rfc5118" "ipv6-correct-abnf-2-colons" "200 OK"),
];

fn outcome(bytes: &'static [u8]) -> String {
    let parsed = Message::parse(Bytes::from_static(bytes));
    let aor = match &parsed {
        Ok(Message::Request(request)) => match Uri::parse(request.uri()) {
            Some(Uri::Sip(uri)) if uri.user.is_some() => uri.aor(),
            _ => String::from("sip:user@example.com"),
        },
        _ => String::from("sip:user@example.com"),
    };
    let mut solo = Solo::with(config(&aor), Transport::Udp);
    // Not with `deliver`: the answer to what is malformed repeats what is malformed.
    solo.ua.handle_input(solo.now, Input::Received { from: solo.hop, message: Bytes::from_static(bytes) });
    let (mut answer, mut rings) = (None, false);
    while let Some(output) = solo.ua.poll_output() {
        match output {
            Output::Event(event) => rings |= matches!(event, Event::Incoming { .. }),
            Output::Transmit { message, .. } => answer = answer.or(Some(message)),
            Output::OpenFlow { .. } | Output::KeepAlive { .. } => {}
        }
    }
    let counters = solo.ua.counters();
    match answer {
        Some(answer) => {
            let text = String::from_utf8_lossy(&answer).into_owned();
            let line = text.lines().next().unwrap().strip_prefix("SIP/2.0 ").expect("a response");
            String::from(if rings && line == "100 Trying" { "rings" } else { line })
        }
        None if counters.malformed > 0 => String::from("malformed"),
        None if counters.responses_misrouted > 0 => String::from("responses_misrouted"),
        None if counters.stray_responses > 0 => String::from("stray_responses"),
        None => String::from("nothing"),
    }
}

#[test]
fn every_vector_has_its_answer() {
    let got = VECTORS.iter().map(|(name, bytes, expected)| (*name, *expected, outcome(bytes)));
    let wrong: Vec<_> = got.filter(|(_, expected, got)| expected != got).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(VECTORS.len(), 50 + 12 + 3, "50 of RFC 4475, 12 of RFC 5118 and 3 corrected ones");
}

#[test]
fn a_caller_of_rfc_2543_is_answered_and_called_back() {
    let (_, bytes, _) = VECTORS.iter().find(|(name, _, _)| *name == "inv2543").expect("in the table");
    let mut solo = Solo::with(config("sip:UserB@example.com"), Transport::Udp);
    solo.deliver(Bytes::from_static(bytes));
    solo.response(100);
    let Event::Incoming { call, sdp: Some(offer), .. } = solo.event() else { panic!("no call") };
    solo.ua.accept(solo.now, call, &offer).unwrap();
    solo.drain();
    let ok = solo.response(200);
    let ack = format!(
        "ACK sip:UserB@example.com SIP/2.0\r\nVia: SIP/2.0/UDP iftgw.example.com\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: 56 ACK\r\n\r\n",
        ok.headers().first(crate::message::HeaderName::From).unwrap(),
        ok.headers().first(crate::message::HeaderName::To).unwrap(),
        ok.call_id(),
    );
    solo.deliver(Bytes::from(ack));
    solo.ua.hangup(solo.now, call).unwrap();
    solo.drain();
    let bye = solo.request(&crate::message::Method::Bye);
    // Its Record-Route is a strict one.
    assert_eq!(bye.uri(), "sip:UserB@example.com;maddr=ss1.example.com");
    let target = bye.headers().first(crate::message::HeaderName::Route).map(ToString::to_string);
    assert_eq!(target.as_deref(), Some("<sip:+13035551111@ift.client.example.net;user=phone>"));
    assert_eq!(bye.to_tag(), None);
}
