//! A stream is the same messages however it is divided, and nothing is kept that is not needed.

use bytes::Bytes;
use sip_core::limits;
use sip_core::message::{Fault, Message, Refused, Response, Writer};
use sip_core::transport::framing::{Frame, StreamFramer, datagram, websocket};

#[derive(Debug, Default, PartialEq)]
struct Stream {
    messages: Vec<Bytes>,
    pings: usize,
    error: Option<(Fault, Option<Bytes>)>,
}

pub(crate) fn holds(input: &[u8]) {
    for frame in [datagram(Bytes::copy_from_slice(input)), websocket(Bytes::copy_from_slice(input))] {
        if let Some(Frame::Message(message)) = frame {
            assert!(input.ends_with(&message) && !message.starts_with(b"\r\n"));
        }
    }
    let whole = read(input, input.len());
    // Bytes one by one find every place where a frame could be cut; that of much is slow.
    for (size, most) in [(1, 1024), (7, 8192), (61, usize::MAX), (1000, usize::MAX)] {
        if input.len() <= most {
            assert_eq!(read(input, size), whole, "in pieces of {size}");
        }
    }
}

fn read(input: &[u8], size: usize) -> Stream {
    let mut framer = StreamFramer::new();
    let mut stream = Stream::default();
    let (mut pushed, mut taken) = (0, 0);
    for piece in input.chunks(size.max(1)) {
        framer.push(piece);
        pushed += piece.len();
        loop {
            match framer.next_frame() {
                Ok(None) => break,
                Ok(Some(Frame::Pong)) => taken += 2,
                // At least: its first half may have been taken for a pong.
                Ok(Some(Frame::Ping)) => {
                    taken += 2;
                    stream.pings += 1;
                }
                Ok(Some(Frame::Message(message))) => {
                    assert!(message.len() <= limits::MESSAGE_BYTES);
                    taken += message.len();
                    delimited(&message);
                    stream.messages.push(message);
                }
                Err(error) => {
                    assert!(stream.error.is_none(), "an error is told once");
                    if let Some(request) = error.refused().and_then(|refused| refused.request) {
                        let refusal = Writer::refusal(&request, &error.fault.into(), "tag");
                        refused(&refusal, error.head.as_deref().unwrap_or_default());
                    }
                    stream.error = Some((error.fault, error.head));
                }
            }
        }
        assert!(taken <= pushed);
        if stream.error.is_some() {
            assert!(!framer.is_partial(), "after an error nothing is kept");
        } else {
            let pings = stream.pings * 2;
            assert!(pushed - taken <= limits::MESSAGE_BYTES + pings, "{} bytes are kept", pushed - taken);
            assert!(framer.is_partial() || pushed - taken <= pings);
        }
    }
    stream
}

/// The answer is one message, with the sender's Via; any other fault in it is one of the fields it echoes.
fn refused(refusal: &Bytes, head: &[u8]) {
    let shown = String::from_utf8_lossy(refusal);
    assert!(refusal.starts_with(b"SIP/2.0 ") && refusal.ends_with(b"Content-Length: 0\r\n\r\n"), "{shown}");
    match Response::parse(refusal.clone()) {
        Ok(response) => {
            assert_eq!(response.headers().bytes().len(), refusal.len(), "an answer is one message");
            assert!(response.headers().body().is_empty() && response.to_tag().is_some(), "{shown}");
        }
        Err(Refused { error, .. }) => {
            let full = head.len() > limits::MESSAGE_BYTES - 400;
            assert!(full || super::message::is_of_an_echo(error.fault), "{error}: {shown}");
        }
    }
}

/// The framer and the parser agree on where a message ends.
fn delimited(message: &Bytes) {
    let length = match Message::parse(message.clone()) {
        Ok(Message::Request(request)) => request.headers().bytes().len(),
        Ok(Message::Response(response)) => response.headers().bytes().len(),
        Err(_) => return,
    };
    assert_eq!(length, message.len(), "{:?}", String::from_utf8_lossy(message));
}

/// Several messages behind one another, keep-alives in between.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let one = Writer::status(200, "OK").finish();
    let mut all = crate::seeds::messages();
    let framed: Vec<u8> =
        all.iter().take(8).flat_map(|message| [&b"\r\n\r\n"[..], message].concat()).collect();
    all.push(framed);
    all.push([&one[..], b"\r\n", &one, b"\r\n\r\n\r\n", &one, b"INVITE"].concat());
    all
}
