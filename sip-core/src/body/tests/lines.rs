use alloc::string::ToString;
use alloc::vec::Vec;
use std::format;

use super::samples;
use crate::body::dtmf_relay::Dtmf;
use crate::body::message_summary::{Counts, MessageSummary};
use crate::body::multipart::{Multipart, MultipartError, Part, Selection, boundary};
use crate::body::sdp::{SdpFault, SessionDescription};
use crate::body::sdpfrag::SdpFrag;
use crate::body::sipfrag::SipFrag;
use crate::body::{BodyError, BodyFault};
use crate::limits;
use crate::message::HeaderName;

const MIXED: &str = "multipart/mixed;boundary=unique-boundary-1";

fn select<'a>(content_type: &str, body: &'a [u8]) -> Result<Selection<'a>, MultipartError> {
    Selection::of(content_type, body, &|part| part.is("application/sdp"))
}

#[test]
fn multipart() {
    let parsed = Multipart::parse(MIXED, samples::MULTIPART.as_bytes()).unwrap();
    let [inner, pidf, plain] = &parsed.parts[..] else { panic!() };
    assert!(inner.is("Multipart/Alternative") && inner.is_required());
    assert_eq!(pidf.content_type(), Some("application/pidf+xml"));
    assert_eq!(pidf.content_id(), Some("alice@atlanta.example.com"));
    assert_eq!(&*pidf.body, b"<a/>\r\n--unique-boundary-10");
    assert!(plain.fields.is_empty() && plain.is("text/plain"));
    assert_eq!(&*plain.body, b"plain --unique-boundary-1 text");
    // The text part is required as well, and there is nothing to do with it.
    let selected = select(MIXED, samples::MULTIPART.as_bytes()).unwrap();
    let sdp = selected.part.unwrap();
    assert_eq!((&*sdp.body, sdp.is_required(), selected.missing), (&b"v=0"[..], false, true));
    assert_eq!((sdp.disposition(), sdp.is_plain()), (Some("session"), true));
    let printed = parsed.print("other").unwrap();
    assert_eq!(Multipart::split("other", &printed).unwrap(), parsed);
}

#[test]
fn multipart_boundaries() {
    assert_eq!(boundary("multipart/mixed; boundary=\"a b\"").as_deref(), Some("a b"));
    assert_eq!(boundary("MULTIPART/related;x=y;BOUNDARY=b").as_deref(), Some("b"));
    let long = format!("multipart/mixed;boundary={}", "b".repeat(71));
    for none in ["", "text/plain;boundary=b", "multipart/mixed", "multipart/mixed;boundary=\"a \"", &long] {
        assert_eq!(boundary(none), None);
        assert_eq!(Multipart::parse(none, b"--b\r\n\r\n--b--"), Err(MultipartError::Boundary));
    }
    let split = |body: &'static str| Multipart::split("b", body.as_bytes()).map(|found| found.parts.len());
    assert_eq!(split("--b\n\nx\n--b\n\n\n--b--"), Ok(2));
    assert_eq!(split("--b\r\n--b--"), Ok(1));
    assert_eq!(split(""), Err(MultipartError::NoPart));
    assert_eq!(split("--b--"), Err(MultipartError::NoPart));
    assert_eq!(split("--b"), Err(MultipartError::NoPart));
    assert_eq!(split("--b\r\n\r\nx"), Err(MultipartError::Unterminated(5)));
    assert_eq!(split("--b\r\n\r\nx--b--"), Err(MultipartError::Unterminated(5)));
    assert_eq!(split("--b\r\n\r\nx\r\n--b-"), Err(MultipartError::Unterminated(5)));
    assert_eq!(split("--b\r\n\r\nx\r\n--b--y"), Err(MultipartError::Unterminated(5)));
    let field = MultipartError::Part(BodyError { fault: BodyFault::Field, offset: 5 });
    assert_eq!(split("--b\r\nno field\r\n--b--"), Err(field));
    let many = "--b\r\n\r\n\r\n".repeat(limits::BODY_PARTS + 1) + "--b--";
    assert_eq!(Multipart::split("b", many.as_bytes()), Err(MultipartError::TooManyParts));
}

#[test]
fn multipart_is_built() {
    let mut body = Multipart::default();
    assert_eq!(body.print("b"), Err(MultipartError::NoPart));
    body.parts.push(Part::new("application/sdp\r\nX: y", &b"v=0\r\n"[..]));
    let text = "--b\r\nContent-Type: application/sdp  X: y\r\n\r\nv=0\r\n\r\n--b--\r\n";
    assert_eq!(body.print("b").unwrap(), text.as_bytes());
    body.parts.push(Part::new("text/plain", &b"\r\n--b"[..]));
    assert_eq!(body.print("b"), Err(MultipartError::BoundaryInside));
    assert_eq!(body.print("b\r\n"), Err(MultipartError::Boundary));
    // Multiparts inside multiparts are looked into so deep and no deeper.
    let mut deep = Part::new("application/sdp", &b"v=0"[..]);
    for depth in 1..=limits::MULTIPART_DEPTH + 1 {
        let name = format!("b{depth}");
        let content_type = format!("multipart/mixed;boundary={name}");
        let printed = Multipart { parts: [deep].into() }.print(&name).unwrap();
        let found = select(&content_type, &printed).map(|found| found.part.is_some());
        let expected = if depth <= limits::MULTIPART_DEPTH { Ok(true) } else { Err(MultipartError::TooDeep) };
        assert_eq!(found, expected);
        deep = Part::new(&content_type, printed);
    }
}

/// RFC 5621 §8.2, §8.3: which part counts, and what is missing then.
#[test]
fn rfc5621_8_parts_that_are_required_and_parts_that_are_not() {
    // Each part: its type, its handling and its text; `[` and `]` stand for a multipart within.
    let part = |content_type: &str, handling: &str, text: &str| {
        format!("Content-Type: {content_type}\r\nContent-Disposition: x;handling={handling}\r\n\r\n{text}")
    };
    let body = |boundary: &str, parts: &[&str]| {
        let parts: Vec<_> = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
        parts.concat() + &format!("--{boundary}--\r\n")
    };
    let sdp = part("application/sdp", "required", "v=0");
    let second = part("application/sdp", "required", "v=1");
    let other = part("application/isup", "required", "x");
    let ignored = part("application/isup", "optional", "x");
    let spare = part("application/sdp", "optional", "v=2");
    let (mixed, alternative) = ("multipart/mixed;boundary=m", "Multipart/Alternative; boundary=m");
    let inner = |subtype: &str, handling: &str, parts: &[&str]| {
        part(&format!("multipart/{subtype};boundary=i"), handling, &body("i", parts))
    };
    let broken = |handling: &str| part("multipart/mixed;boundary=i", handling, "no parts");
    let rows: [(&str, &[&str], Option<&str>, bool); 17] = [
        (mixed, &[&sdp], Some("v=0"), false),
        (mixed, &[&ignored, &sdp], Some("v=0"), false),
        (mixed, &[&sdp, &other], Some("v=0"), true),
        (mixed, &[&ignored], None, false),
        (mixed, &[&other], None, true),
        // A second one has no context.
        (mixed, &[&sdp, &second], Some("v=0"), true),
        (mixed, &[&sdp, &spare], Some("v=0"), false),
        // What no one knows is mixed.
        ("multipart/waltz;boundary=m", &[&ignored, &sdp], Some("v=0"), false),
        // The last that is understood, whatever their handling.
        (alternative, &[&sdp, &other], Some("v=0"), false),
        (alternative, &[&other, &sdp, &second], Some("v=1"), false),
        (alternative, &[&ignored], None, true),
        (mixed, &[&ignored, &inner("alternative", "required", &[&sdp, &other])], Some("v=0"), false),
        (mixed, &[&sdp, &inner("alternative", "optional", &[&other])], Some("v=0"), false),
        (mixed, &[&inner("mixed", "optional", &[&second, &other]), &sdp], Some("v=0"), false),
        (mixed, &[&inner("mixed", "required", &[&second, &other]), &ignored], Some("v=1"), true),
        (alternative, &[&sdp, &inner("mixed", "required", &[&second, &other])], Some("v=0"), false),
        (mixed, &[&broken("optional"), &sdp], Some("v=0"), false),
    ];
    for (content_type, parts, text, missing) in rows {
        let body = body("m", parts);
        let found = select(content_type, body.as_bytes()).unwrap();
        let taken = found.part.map(|part| part.body.into_owned());
        assert_eq!((taken.as_deref(), found.missing), (text.map(str::as_bytes), missing), "{body}");
    }
    let body = body("m", &[&sdp, &broken("required")]);
    assert_eq!(select(mixed, body.as_bytes()), Err(MultipartError::NoPart));
}

#[test]
fn sipfrag() {
    let notify = SipFrag::parse(b"SIP/2.0 200 OK\r\n").unwrap();
    assert_eq!(notify.status(), Some((200, "OK")));
    assert_eq!(notify, SipFrag::of_status(200, "OK"));
    assert_eq!(notify.print(), b"SIP/2.0 200 OK\r\n");
    assert_eq!(SipFrag::parse(b"SIP/2.0 100").unwrap().status(), Some((100, "")));
    assert_eq!(SipFrag::parse(b"SIP/2.0 700 x").unwrap().status(), None);
    let invite = SipFrag::parse(samples::SIPFRAG.as_bytes()).unwrap();
    assert_eq!(invite.request_line(), Some(("INVITE", "sip:alice@atlanta.example")));
    assert_eq!(invite.fields.first(HeaderName::CallId), Some("abc@h"));
    assert_eq!(invite.fields.named("subject"), Some("one\r\n  folded"));
    assert_eq!(invite.body.as_deref(), Some(&b"a body\r\n"[..]));
    assert_eq!(SipFrag::parse(&invite.print()).unwrap(), invite);
    let fields = SipFrag::parse(b"From: a\nTo: b").unwrap();
    assert_eq!((fields.start_line.is_none(), fields.fields.iter().count(), fields.body), (true, 2, None));
    assert_eq!(SipFrag::parse(b"\r\nbody").unwrap().body.as_deref(), Some(&b"body"[..]));
    let fault = |body: &'static [u8]| SipFrag::parse(body).map_err(|e| (e.fault, e.offset)).unwrap_err();
    assert_eq!(fault(b""), (BodyFault::Incomplete, 0));
    assert_eq!(fault(b"SIP/2.0 200 OK\r\nnothing\r\n"), (BodyFault::Field, 16));
    assert_eq!(fault(b"A: b\rc\r\n"), (BodyFault::ControlCharacter, 4));
    assert_eq!(fault(b"SIP/2.0 200 \0\r\n"), (BodyFault::ControlCharacter, 12));
    assert_eq!(fault(b"A: \xff"), (BodyFault::NotUtf8, 3));
}

#[test]
fn a_field_that_ends_like_a_request_line_is_a_field() {
    for text in ["Server: SIP/2.0", "Server : SIP/2.0", "Server:\tSIP/2.0"] {
        let fragment = SipFrag::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (&fragment.start_line, fragment.fields.named("Server")),
            (&None, Some("SIP/2.0")),
            "{text}"
        );
        assert_eq!(SipFrag::parse(&fragment.print()), Ok(fragment));
    }
    assert_eq!(SipFrag::parse(b"A b SIP/2.0").unwrap().request_line(), Some(("A", "b")));
}

#[test]
fn a_status_line_that_ends_like_a_request_line_is_no_request_line() {
    let fragment = SipFrag::parse(b"SIP/2.0 505 Only SIP/2.0").unwrap();
    assert_eq!((fragment.status(), fragment.request_line()), (Some((505, "Only SIP/2.0")), None));
}

#[test]
fn message_summary() {
    let parsed = MessageSummary::parse(samples::SUMMARY.as_bytes()).unwrap();
    assert!(parsed.waiting);
    assert_eq!(parsed.account.as_deref(), Some("sip:alice@vmail.example.com"));
    assert_eq!(parsed.of_class("voice-message"), Some(Counts { new: 4, old: 8, urgent: Some((1, 2)) }));
    assert_eq!(parsed.of_class("Fax-Message"), Some(Counts { new: 0, old: 2, urgent: None }));
    assert_eq!(parsed.messages.len(), 2);
    assert_eq!(parsed.to_string(), samples::SUMMARY);
    let folded =
        MessageSummary::parse(b"Messages-Waiting: yes\r\nMessage-Account: sip:a@x\r\n ;y\r\n").unwrap();
    assert_eq!(MessageSummary::parse(folded.to_string().as_bytes()).as_ref(), Ok(&folded));
    let short = MessageSummary::parse(b"messages-waiting: NO\nVoice-Message: 0 / 0 ( 0 / 0 )").unwrap();
    assert_eq!((short.waiting, short.counts[0].1.urgent), (false, Some((0, 0))));
    for none in [
        "",
        "\r\n",
        "Voice-Message: 1/2",
        "Messages-Waiting: maybe",
        "Messages-Waiting: yes\r\nVoice-Message: 1",
    ] {
        assert!(MessageSummary::parse(none.as_bytes()).is_err(), "{none}");
    }
}

#[test]
fn dtmf() {
    let key = |body: &str| Dtmf::parse(body.as_bytes()).map(|dtmf| (dtmf.key, dtmf.duration));
    assert_eq!(key("Signal=5\r\nDuration=160\r\n"), Some(('5', Some(160))));
    assert_eq!(key("Signal= *\r\nduration = 250"), Some(('*', Some(250))));
    assert_eq!(key("Signal=11\nVolume=10\n"), Some(('#', None)));
    assert_eq!(key("d\r\n"), Some(('D', None)));
    for none in ["", "55", "Signal=", "Signal=E", "Signal=1\nSignal=2", "Signal=1\nDuration=x", "1\n2"] {
        assert_eq!(key(none), None, "{none}");
    }
    let printed = Dtmf::new('a', Some(100)).unwrap().to_string();
    assert_eq!(printed, "Signal=A\r\nDuration=100\r\n");
    assert_eq!(key(&printed), Some(('A', Some(100))));
    assert_eq!(Dtmf::new('\r', None), None);
}

#[test]
fn sdpfrag() {
    let parsed = SdpFrag::parse(samples::SDPFRAG.as_bytes()).unwrap();
    assert_eq!(parsed.to_string(), samples::SDPFRAG);
    let found: Vec<_> = parsed.candidates().map(|(mid, candidate)| (mid, candidate.port)).collect();
    assert_eq!(found, [("1", 5000), ("1", 5010), ("2", 6000)]);
    assert_eq!(parsed.ufrag_of(&parsed.media[0]).unwrap().0, "8hhY");
    assert_eq!(parsed.ufrag_of(&parsed.media[1]).unwrap().0, "other");
    assert!(parsed.is_end_of(&parsed.media[0]) && !parsed.is_end_of(&parsed.media[1]));
    let fault = |body: &'static [u8]| SdpFrag::parse(body).map_err(|e| (e.fault, e.line)).unwrap_err();
    assert_eq!(fault(b"v=0\r\n"), (SdpFault::UnknownType, 1));
    assert_eq!(fault(b"a=mid:1\r\nm=audio"), (SdpFault::Media, 2));
    let sdp = SessionDescription::parse(
        b"v=0\no=- 1 1 IN IP4 h\na=group:BUNDLE x\na=ice-pwd:p\nm=audio 9 RTP/AVP 0\na=mid:x\na=ice-ufrag:u\n",
    );
    let mut fragment = SdpFrag::for_medium(sdp.as_ref().unwrap(), "x").unwrap();
    fragment.media[0].add_flag("end-of-candidates");
    let text = "a=group:BUNDLE x\r\nm=audio 9 RTP/AVP 0\r\na=mid:x\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
        a=end-of-candidates\r\n";
    assert_eq!(fragment.to_string(), text);
    assert!(SdpFrag::for_medium(&sdp.unwrap(), "y").is_none());
}
