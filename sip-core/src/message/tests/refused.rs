//! What is refused, and whether it is answered.

use super::*;

#[test]
fn refused_requests_can_be_answered_when_their_via_is_sound() {
    for (name, bytes, expected) in VECTORS.iter().filter(|v| v.2.is_some()) {
        let Err(refused) = Message::parse(Bytes::copy_from_slice(bytes)) else { panic!("{name} parsed") };
        let Some(request) = refused.request else {
            let response = bytes.starts_with(b"SIP/");
            // The start line of "test" is no Request-Line either.
            let no_via = matches!(expected, Some(Fault::Malformed(HeaderName::Via) | Fault::Missing(_)));
            assert!(response || no_via || *name == "test", "{name}");
            continue;
        };
        let answer = Writer::refusal(&request, &refused.error.into(), "tag");
        let text = String::from_utf8(answer.to_vec()).expect("UTF-8");
        let fault = expected.expect("filtered");
        assert!(text.starts_with(&format!("SIP/2.0 {} ", fault.status())), "{name}: {text}");
        assert!(text.lines().next().expect("a line").contains(&fault.to_string()), "{name}: {text}");
    }
}

#[test]
fn a_line_that_is_no_field_is_answered_when_the_rest_says_where_to() {
    let base = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo:\r\n <sip:a@b>\r\n";
    let rest = "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    for (line, words) in [
        ("no field\r\n", "Malformed Header Field Name"),
        ("X: a\0b\r\n", "NUL"),
        ("X: a\rb\r\n", "Bare CR or LF"),
        ("X: a\n", "Bare CR or LF"),
    ] {
        let message = Bytes::from(format!("{base}{line}{rest}"));
        let refused = Message::parse(message).expect_err(line);
        let headers = refused.request.expect("it can be answered");
        let answer = Writer::refusal(&headers, &refused.error.into(), "t");
        let answer = Response::parse(answer).expect("an answer");
        assert_eq!((answer.status(), answer.call_id(), answer.to_tag()), (400, "1", Some("t")), "{line:?}");
        assert!(answer.reason().contains(words), "{}", answer.reason());
    }
}

/// What no message may repeat goes into no answer.
#[test]
fn fields_that_are_no_text_are_not_echoed() {
    let base = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: \"{\" <sip:a@b>;tag=1\r\n\
                 To: \"}\" <sip:a@b>\r\nVia: SIP/2.0/UDP i;x=$\r\nCall-ID: ?\r\nCSeq: 1 OPTIONS\r\nX: !\r\n\r\n";
    for (place, answered) in [(b'{', false), (b'}', false), (b'$', false), (b'?', false), (b'!', true)] {
        for bad in [0xff, 0] {
            let bytes: Vec<u8> = base.iter().map(|b| if *b == place { bad } else { *b }).collect();
            let refused = Message::parse(Bytes::from(bytes)).expect_err("no text");
            assert_eq!(refused.request.is_some(), answered, "{} {bad}", char::from(place));
        }
    }
    // Quoted pairs stand in the answer as in the request (§8.2.6.2).
    let odd = "OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: \"a\\\0\\\u{7}\" <sip:a@b>;tag=1\n\
               To: \"b\\\0\n c\" <sip:a@b>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n";
    let answer = Response::parse(Writer::response(&request(odd), 200, "OK", Some("t")).finish());
    let answer = answer.expect("an answer");
    assert_eq!(answer.headers().first(HeaderName::From), Some("\"a\\\0\\\u{7}\" <sip:a@b>;tag=1"));
    assert_eq!(answer.headers().first(HeaderName::To), Some("\"b\\\0   c\" <sip:a@b>;tag=t"));
}

#[test]
fn an_ack_is_never_answered() {
    let refused = Message::parse(Bytes::from_static(
        b"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 1 ACK\r\n\r\n",
    ))
    .expect_err("From is missing");
    assert_eq!(refused.error.fault, Fault::Missing(HeaderName::From));
    assert!(refused.request.is_none());
}
