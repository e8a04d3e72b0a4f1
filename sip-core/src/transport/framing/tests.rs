use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::message::{Message, Writer};

const OPTIONS: &str = "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n";

fn options(fields: &str, body: &str) -> String {
    format!("{OPTIONS}{fields}\r\n{body}")
}

fn message(text: &str) -> Frame {
    Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
}

/// All frames of `pushes`, and the error they end with.
fn frames<'a>(pushes: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<StreamError>) {
    let mut framer = StreamFramer::new();
    let mut out = Vec::new();
    for push in pushes {
        framer.push(push);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(error) => {
                    framer.push(b"\r\n\r\n");
                    assert_eq!(framer.next_frame(), Ok(None), "nothing after an error");
                    assert!(!framer.is_partial());
                    return (out, Some(error));
                }
            }
        }
    }
    (out, None)
}

#[test]
fn a_stream_divided_anywhere_gives_the_same_messages() {
    let bodied = options("l : 4\r\n", "\r\n\r\n");
    let folded = options("CONTENT-LENGTH\t:\r\n  \r\n\t3\r\nX: y\r\n z\r\n", "abc");
    let plain = options("Content-Length: 0\r\n", "");
    let stream = format!("\r\n{bodied}\r\n\r\n{folded}{plain}\r\n\r\n\r\n{plain}");
    let expected = [&bodied, &folded, &plain, &plain].map(|text| message(text));
    for size in 1..stream.len() + 1 {
        let (frames, error) = frames(stream.as_bytes().chunks(size));
        assert_eq!(error, None);
        let messages: Vec<_> = frames.into_iter().filter(|f| matches!(f, Frame::Message(_))).collect();
        assert_eq!(messages, expected, "in pieces of {size}");
    }
}

#[test]
fn keep_alives() {
    use Frame::{Ping, Pong};
    let rows: [(&[&str], &[Frame]); 9] = [
        (&["\r\n\r\n"], &[Ping]),
        (&["\r\n"], &[Pong]),
        (&["\r\n\r\n\r\n\r\n"], &[Ping, Ping]),
        (&["\r\n\r\n\r\n"], &[Ping, Pong]),
        (&["\r", "\n\r\n"], &[Ping]),
        (&["\r", "\n"], &[Pong]),
        // Told as a pong when it came, and made a ping by what followed.
        (&["\r\n", "\r\n"], &[Pong, Ping]),
        (&["\r\n\r", "\n"], &[Pong, Ping]),
        (&["\r", "", "\n", "\r", "\n"], &[Pong, Ping]),
    ];
    for (pushes, expected) in rows {
        let (frames, error) = frames(pushes.iter().map(|p| p.as_bytes()));
        assert_eq!((frames.as_slice(), error), (expected, None), "{pushes:?}");
    }
}

#[test]
fn a_message_between_two_pongs_parts_them() {
    let text = options("Content-Length: 0\r\n", "");
    let (frames, _) = frames([b"\r\n", text.as_bytes(), b"\r\n"]);
    assert_eq!(frames, [Frame::Pong, message(&text), Frame::Pong]);
}

#[test]
fn lengths_that_cannot_be_trusted_end_the_stream() {
    use Fault::{BareLineEnd, Duplicate, Malformed, Missing, TooLarge};
    const NAME: HeaderName = HeaderName::ContentLength;
    let rows = [
        ("", Missing(NAME)),
        ("Content-Length\r\n", Missing(NAME)),
        ("Content-Length\x0c: 0\r\n", Missing(NAME)),
        ("X: y\r\n Content-Length: 0\r\n", Missing(NAME)),
        ("Content-Lengthy: 0\r\n", Missing(NAME)),
        ("Content-Length: 0\r\nl: 0\r\n", Duplicate(NAME)),
        ("l:\r\nL: 0\r\n", Duplicate(NAME)),
        ("Content-Length:\r\n", Malformed(NAME)),
        ("Content-Length: -1\r\n", Malformed(NAME)),
        ("Content-Length: +1\r\n", Malformed(NAME)),
        ("Content-Length: 1, 1\r\n", Malformed(NAME)),
        ("Content-Length: 0x1\r\n", Malformed(NAME)),
        ("Content-Length: 1\r\n 2\r\n", Malformed(NAME)),
        ("Content-Length: 1 2\r\n", Malformed(NAME)),
        ("Content-Length: \u{664}\r\n", Malformed(NAME)),
        ("Content-Length: 65536\r\n", TooLarge),
        ("Content-Length: 18446744073709551616\r\n", TooLarge),
        ("Content-Length: 18446744073709551615\r\n", TooLarge),
        ("X: y\nContent-Length: 0\r\n", BareLineEnd),
        ("X: y\rContent-Length: 0\r\n", BareLineEnd),
        ("Content-Length: 0\r\nX: \n\n\r\n", BareLineEnd),
    ];
    for (fields, fault) in rows {
        let text = options(fields, "");
        let (frames, error) = frames([text.as_bytes()]);
        let error = error.unwrap();
        assert_eq!((frames.len(), error.fault), (0, fault), "{fields:?}");
        assert_eq!(error.head.as_deref(), Some(text.as_bytes()));
    }
}

fn answer_to(error: &StreamError) -> Option<Bytes> {
    Some(Writer::refusal(error.refused()?.request.as_deref()?, &error.fault.into(), "t"))
}

#[test]
fn what_cannot_be_framed_is_still_answered() {
    let refusal = |text: &str| {
        let (_, error) = frames([text.as_bytes()]);
        let bytes = answer_to(&error.unwrap())?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    };
    let answer = refusal(&options("l: 1\r\n\t1\r\nContent-Length: 2\r\n", "")).unwrap();
    let expected = "SIP/2.0 400 Bad Request (Duplicate Content-Length)\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n";
    assert!(answer.starts_with(expected), "{answer}");
    assert!(answer.contains("\r\nTo: <sip:example.com>;tag=t\r\n"));
    assert!(Message::parse(answer.into()).is_ok());
    let answer = refusal(&options("Content-Length: 99999\r\n", "")).unwrap();
    assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
    let unanswerable = [
        options("", "").replace("OPTIONS", "ACK"),
        options("", "").replace("OPTIONS sip:example.com SIP/2.0", "SIP/2.0 200 OK"),
        options("", "").replace("Via", "Vja"),
        options("X: \n\r\n", ""),
        "\0\0\0\r\n\r\n".into(),
        " \r\n\r\n".into(),
    ];
    for text in unanswerable {
        assert_eq!(refusal(&text), None, "{text:?}");
    }
}

#[test]
fn caps() {
    // As large as can be, in one piece and in pieces.
    let fields = "Content-Length: 65000\r\n";
    let filler = limits::MESSAGE_BYTES - 65_000 - options(fields, "").len() - "X: \r\n".len();
    let fields = format!("{fields}X: {}\r\n", "x".repeat(filler));
    let largest = options(&fields, &"b".repeat(65_000));
    assert_eq!(largest.len(), limits::MESSAGE_BYTES);
    assert_eq!(frames([largest.as_bytes()]), (Vec::from([message(&largest)]), None));
    assert_eq!(frames(largest.as_bytes().chunks(1000)), (Vec::from([message(&largest)]), None));
    // A byte more.
    let larger = largest.replacen("X: ", "X: x", 1);
    let (_, error) = frames([larger.as_bytes()]);
    assert!(matches!(error, Some(StreamError { fault: Fault::TooLarge, head: Some(_) })));
    // A head that never ends.
    let endless = "x".repeat(limits::MESSAGE_BYTES - 1);
    assert_eq!(frames([endless.as_bytes()]), (Vec::new(), None));
    for pieces in [1, 1000, limits::MESSAGE_BYTES] {
        let endless = "x".repeat(limits::MESSAGE_BYTES);
        let (_, error) = frames(endless.as_bytes().chunks(pieces));
        assert_eq!(error, Some(StreamError { fault: Fault::TooLarge, head: None }));
    }
}

#[test]
fn an_idle_framer_holds_nothing() {
    let text = options("Content-Length: 60000\r\n", &"b".repeat(60_000));
    let mut framer = StreamFramer::new();
    framer.push(text.as_bytes());
    assert!(framer.is_partial());
    assert!(framer.next_frame().unwrap().is_some());
    assert!(!framer.is_partial());
    assert!(framer.buffer.capacity() <= IDLE_CAPACITY);
}

#[test]
fn datagrams_and_websocket_frames() {
    let read = |text: &'static str| datagram(Bytes::from_static(text.as_bytes()));
    assert_eq!(read("\r\n\r\n\r\nINVITE"), Some(message("INVITE")));
    assert_eq!(read("\r\n\r\n"), Some(Frame::Ping));
    assert_eq!(read("\r\n"), Some(Frame::Pong));
    for nothing in ["", "\0", "\0\0\0\0", "\x01\x02stun", " ", "\r\n ", "\n", "\r"] {
        assert_eq!(read(nothing), None, "{nothing:?}");
    }
    let read = |text: &'static str| websocket(Bytes::from_static(text.as_bytes()));
    assert_eq!(read("OPTIONS"), Some(message("OPTIONS")));
    assert_eq!(read("\r\n\r\n"), Some(Frame::Ping));
    assert_eq!(read("\r\n"), Some(Frame::Pong));
    assert_eq!(read(""), None);
}

#[test]
fn bytes_after_the_body_go_nowhere() {
    // A datagram's surplus (RFC 3261 §18.3) would be a request of its own in a stream it is forwarded to.
    let text = options("Content-Length: 1\r\n", "bINVITE sip:smuggled SIP/2.0\r\n\r\n");
    let Ok(Message::Request(request)) = Message::parse(text.into()) else { panic!("parses") };
    assert_eq!(request.body(), b"b");
    assert!(request.bytes().ends_with(b"\r\n\r\nb"));
}

proptest! {
    /// What the framer cuts out ends where the parser says it does, and what it refuses the parser refuses too or
    /// reads without Content-Length.
    #[test]
    fn framer_and_parser_agree(
        fields in "((Content-Length|l|L|c|X)[ \t]{0,2}:[ ]?[0-9]{0,2}[ ]?\r\n([ \t][0-9]{0,1}\r\n)?){0,3}",
        body in "[a-z]{0,20}",
    ) {
        let text = options(&fields, &body);
        let (frames, error) = frames([text.as_bytes()]);
        let parsed = Message::parse(text.into());
        match (frames.first(), error, parsed) {
            (Some(Frame::Message(bytes)), _, Ok(Message::Request(request))) => {
                prop_assert_eq!(bytes, request.bytes());
            }
            (None, Some(StreamError { fault: Fault::Missing(_), .. }), Ok(Message::Request(request))) => {
                prop_assert!(!request.headers().has(HeaderName::ContentLength));
            }
            (None, Some(error), Err(refused)) => prop_assert_eq!(error.fault, refused.error.fault),
            // Waiting for the rest of the body.
            (None, None, Err(refused)) => prop_assert_eq!(refused.error.fault, Fault::BodyTooShort),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_stream_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..300) {
        let (_, error) = frames(bytes.chunks(size));
        if let Some(error) = error {
            let _ = answer_to(&error);
        }
        let _ = datagram(bytes.clone().into());
        let _ = websocket(bytes.into());
    }

    /// Whatever the division, the same messages and the same fault.
    #[test]
    fn division_does_not_matter(text in "(\r\n|\r|\n|l:|3|X: y|\r\n\r\n|abc){0,40}", size in 1usize..20) {
        let only_messages = |(frames, error): (Vec<Frame>, Option<StreamError>)| {
            (frames.into_iter().filter(|f| matches!(f, Frame::Message(_))).collect::<Vec<_>>(), error)
        };
        let whole = only_messages(frames([text.as_bytes()]));
        prop_assert_eq!(only_messages(frames(text.as_bytes().chunks(size))), whole);
    }
}
