//! A SIP WebSocket (RFC 7118).

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use sip_core::limits::MESSAGE_BYTES;
use sip_core::transport::Transport;
use sip_core::transport::framing::{self, Frame, PONG};
use smol_str::SmolStr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use super::metered::{Meter, Metered};
use super::{Due, End, Inbox, Line, OpenFlow, Silence, outbox};
use crate::budget::{Budgets, Held};
use crate::clock;
use crate::exchange::Exchange;
use crate::flows::Flow;
use crate::metrics::Closing;

/// Small buffers: a connection that is silent, as most are, costs kilobytes and not the library's 128 KiB.
const READ_BUFFER: usize = 4096;

/// How long a peer may take to answer our closing handshake.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a WebSocket runs over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Makes a WebSocket of a stream on which the HTTP handshake is done; `read` is what was read too far. In a box, for it is
/// handed from one future to the next, and each would have room for it.
pub async fn accept<S: Stream>(
    stream: S,
    read: Vec<u8>,
    budgets: &Budgets,
) -> Box<WebSocketStream<Metered<S>>> {
    let stream = Metered { stream, watch: Meter::new(Held::new(Arc::clone(&budgets.partial))) };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    Box::new(if read.is_empty() {
        WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
    } else {
        WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await
    })
}

/// Serves a WebSocket until it ends.
pub async fn serve<S: Stream>(
    exchange: Arc<Exchange>,
    mut socket: Box<WebSocketStream<Metered<S>>>,
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
    stop: CancellationToken,
) {
    let (outbox, mut inbox) = outbox(&exchange.limits, &exchange.budgets);
    let line = Line { transport, local, remote, domain: SmolStr::default(), certified: None };
    let flow = exchange.flows.open_connection(line, outbox, clock::now());
    let open = OpenFlow { flow: Arc::clone(&flow), exchange };
    let end = run(&open.exchange, &flow, &mut *socket, &mut inbox, &stop).await;
    open.log(end);
    // Whoever sends from now on learns that there is nobody.
    drop(open);
    if let End::Closed(reason) = end {
        // A peer that does not take part in the farewell is left without one.
        let _ = timeout(GOODBYE, say_goodbye(&mut *socket, &mut inbox, reason)).await;
    }
}

async fn run<S: Stream>(
    exchange: &Arc<Exchange>,
    flow: &Arc<Flow>,
    socket: &mut WebSocketStream<Metered<S>>,
    inbox: &mut Inbox,
    stop: &CancellationToken,
) -> End {
    let timeouts = &exchange.timeouts;
    let mut silence = Silence::new(timeouts, true);
    let mut batch = Vec::new();
    // Made once: all connections wait in one list.
    let mut stopping = pin!(stop.cancelled());
    loop {
        let written = tokio::select! {
            received = socket.next() => match heard(flow, &mut silence, &mut socket.get_mut().watch, received) {
                Some(Ok(Message::Text(text))) => receive(exchange, flow, socket, text.into()).await,
                Some(Ok(Message::Binary(bytes))) => receive(exchange, flow, socket, bytes).await,
                // Pings are answered by the library, at the next read.
                Some(Ok(Message::Ping(payload))) if !socket.get_mut().watch.answers(payload.len()) => {
                    return End::Closed(Closing::SlowConsumer);
                }
                // After a close it reads no more.
                Some(Ok(_)) => Ok(()),
                Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                    return End::Closed(Closing::TooLong);
                }
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => return End::Closed(Closing::Framing),
                Some(Err(_)) if socket.get_ref().watch.is_refused() => return End::Closed(Closing::NoRoom),
                Some(Err(_)) | None => return End::Peer,
            },
            queued = inbox.batch(&mut batch) => {
                if queued.is_err() {
                    return End::Closed(Closing::SlowConsumer);
                }
                match timeout(timeouts.write, write(socket, inbox, &mut batch)).await {
                    Ok(written) => written,
                    Err(_) => return End::Closed(Closing::SlowConsumer),
                }
            }
            due = silence.due(flow, timeouts) => match due {
                Due::Idle => return End::Closed(Closing::Idle),
                Due::Unanswered => return End::Closed(Closing::Unanswered),
                Due::Ping => {
                    let ping = socket.send(Message::Ping(Bytes::new()));
                    timeout(timeouts.write, ping).await.unwrap_or(Err(Error::ConnectionClosed))
                }
            },
            () = stopping.as_mut() => return End::Closed(Closing::Stopping),
        };
        if written.is_err() {
            return End::Peer;
        }
    }
}

/// Whatever comes is a sign of life, a pong too.
fn heard(
    flow: &Flow,
    silence: &mut Silence,
    meter: &mut Meter,
    received: Option<Result<Message, Error>>,
) -> Option<Result<Message, Error>> {
    match &received {
        Some(Ok(Message::Text(_) | Message::Binary(_))) => meter.complete(),
        Some(Ok(Message::Ping(payload) | Message::Pong(payload))) => meter.control(payload.len()),
        _ => {}
    }
    flow.kept_alive(clock::now());
    silence.broken();
    received
}

/// RFC 7118 §5: one SIP message, text or binary alike. §6 leaves keep-alives to RFC 5626's CRLFs.
async fn receive<S: Stream>(
    exchange: &Arc<Exchange>,
    flow: &Arc<Flow>,
    socket: &mut WebSocketStream<S>,
    payload: Bytes,
) -> Result<(), Error> {
    match framing::websocket(payload) {
        Some(Frame::Message(message)) => {
            if let Some(from) = flow.hop() {
                exchange.receive(flow, from, message);
            }
            Ok(())
        }
        Some(Frame::Ping) => {
            exchange.metrics.keep_alives.inc();
            let pong = socket.send(frame(Bytes::from_static(PONG)));
            timeout(exchange.timeouts.write, pong).await.unwrap_or(Err(Error::ConnectionClosed))
        }
        Some(Frame::Pong) => Ok(()),
        None => {
            exchange.metrics.noise.inc();
            Ok(())
        }
    }
}

async fn write<S: Stream>(
    socket: &mut WebSocketStream<S>,
    inbox: &Inbox,
    batch: &mut Vec<Bytes>,
) -> Result<(), Error> {
    for message in batch.drain(..) {
        let length = message.len();
        socket.feed(frame(message)).await?;
        inbox.written(length);
    }
    socket.flush().await
}

/// Text where it can be, which is what pages expect; a body may be anything and then it is binary.
fn frame(message: Bytes) -> Message {
    match Utf8Bytes::try_from(message.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(message),
    }
}

async fn say_goodbye<S: Stream>(socket: &mut WebSocketStream<S>, inbox: &mut Inbox, reason: Closing) {
    if matches!(reason, Closing::SlowConsumer | Closing::Unanswered) {
        // It would not read the goodbye either.
        return;
    }
    let mut batch = Vec::new();
    while inbox.remaining(&mut batch) {
        if write(socket, inbox, &mut batch).await.is_err() {
            return;
        }
    }
    let code = match reason {
        Closing::TooLong => CloseCode::Size,
        Closing::Framing => CloseCode::Protocol,
        Closing::Idle | Closing::SlowConsumer | Closing::Unanswered => CloseCode::Policy,
        Closing::NoRoom => CloseCode::Again,
        Closing::Stopping => CloseCode::Away,
    };
    let farewell = CloseFrame { code, reason: Utf8Bytes::from_static(reason.sentence()) };
    if socket.close(Some(farewell)).await.is_err() {
        return;
    }
    // Until the peer has closed: with bytes unread, the system would answer them with a reset, and the reset would
    // overtake our farewell.
    let stream = socket.get_mut();
    let mut sink = [0; 1024];
    while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {}
}
