//! SIP over a TCP connection, plain or with TLS (RFC 3261 §18.3).

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip_core::transport::Transport;
use sip_core::transport::framing::{Frame, PONG, StreamFramer};
use smol_str::SmolStr;
use tokio::io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{End, Inbox, OpenFlow, Silence, outbox};
use crate::budget::Held;
use crate::clock;
use crate::exchange::Exchange;
use crate::flows::Flow;
use crate::metrics::Closing;

/// Bytes asked for in one read.
const READ: usize = 8192;

/// How long a peer may take to close after we did.
const GOODBYE: Duration = Duration::from_secs(1);

/// Both ends of a connection.
#[derive(Clone, Debug)]
pub struct Line {
    /// TCP or TLS.
    pub transport: Transport,
    /// Our address, as the peer knows it.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// The domain that the peer's certificate was verified for, if we opened it; empty for nobody's.
    pub domain: SmolStr,
    /// The domains that the peer's certificate names, if it was verified.
    pub certified: Option<Arc<[SmolStr]>>,
}

/// Serves a connection until it ends. `opened` is called with its flow, once that can be sent to.
pub async fn serve(
    exchange: Arc<Exchange>,
    stream: impl AsyncRead + AsyncWrite,
    line: Line,
    stop: CancellationToken,
    opened: impl FnOnce(&Flow),
) {
    let (outbox, inbox) = outbox(&exchange.limits, &exchange.budgets);
    let flow = exchange.flows.open_connection(line, outbox, clock::now());
    let open = OpenFlow { flow: Arc::clone(&flow), exchange: Arc::clone(&exchange) };
    opened(&flow);
    let (reader, writer) = io::split(stream);
    let mut connection = Connection {
        exchange: &exchange,
        flow: &flow,
        reader,
        writer,
        inbox,
        framer: StreamFramer::new(),
        partial: Held::new(Arc::clone(&exchange.budgets.partial)),
        batch: Vec::new(),
    };
    let end = connection.run(&stop).await;
    open.log(end);
    // Whoever sends from now on learns that there is nobody.
    drop(open);
    if let End::Closed(reason) = end {
        // A peer that does not take part in the farewell is left without one.
        let _ = timeout(GOODBYE, connection.say_goodbye(reason)).await;
    }
}

struct Connection<'a, S> {
    exchange: &'a Arc<Exchange>,
    flow: &'a Arc<Flow>,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    inbox: Inbox,
    framer: StreamFramer,
    partial: Held,
    batch: Vec<Bytes>,
}

impl<S: AsyncRead + AsyncWrite> Connection<'_, S> {
    async fn run(&mut self, stop: &CancellationToken) -> End {
        let timeouts = &self.exchange.timeouts;
        // The system's keep-alive finds out when a phone is gone.
        let mut silence = Silence::new(timeouts, false);
        // Part of a message must become a whole one in the time a handshake may take.
        let mut partial: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        let mut buffer = vec![0; READ];
        loop {
            tokio::select! {
                read = self.reader.read(&mut buffer) => {
                    let was_partial = self.framer.is_partial();
                    let length = match read {
                        Ok(0) | Err(_) => return End::Peer,
                        Ok(length) => length,
                    };
                    match self.receive(&buffer[..length]).await {
                        Ok(complete) => {
                            if complete || !was_partial {
                                partial.as_mut().reset(Instant::now() + timeouts.handshake);
                            }
                        }
                        Err(end) => return end,
                    }
                }
                queued = self.inbox.batch(&mut self.batch) => {
                    if queued.is_err() {
                        return End::Closed(Closing::SlowConsumer);
                    }
                    match timeout(timeouts.write, self.write()).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return End::Peer,
                        Err(_) => return End::Closed(Closing::SlowConsumer),
                    }
                }
                () = partial.as_mut(), if self.framer.is_partial() => return End::Closed(Closing::Framing),
                _ = silence.due(self.flow, timeouts) => return End::Closed(Closing::Idle),
                () = stop.cancelled() => return End::Closed(Closing::Stopping),
            }
        }
    }

    /// Tells whether a frame became complete.
    async fn receive(&mut self, bytes: &[u8]) -> Result<bool, End> {
        self.framer.push(bytes);
        let mut complete = false;
        loop {
            match self.framer.next_frame() {
                Ok(None) => {
                    let room = self.partial.set(self.framer.held());
                    return if room { Ok(complete) } else { Err(End::Closed(Closing::NoRoom)) };
                }
                Ok(Some(Frame::Message(message))) => {
                    if let Some(from) = self.flow.hop() {
                        self.exchange.receive(self.flow, from, message);
                    }
                }
                Ok(Some(Frame::Ping)) => {
                    self.flow.kept_alive(clock::now());
                    self.exchange.metrics.keep_alives.inc();
                    let pong = async {
                        self.writer.write_all(PONG).await?;
                        self.writer.flush().await
                    };
                    match timeout(self.exchange.timeouts.write, pong).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return Err(End::Peer),
                        Err(_) => return Err(End::Closed(Closing::SlowConsumer)),
                    }
                }
                Ok(Some(Frame::Pong)) => self.flow.kept_alive(clock::now()),
                // There is no telling where the next message begins. What answers it is the last to be written.
                Err(error) => {
                    if let Some(from) = self.flow.hop() {
                        self.exchange.broken(self.flow, from, error);
                    }
                    return Err(End::Closed(Closing::Framing));
                }
            }
            complete = true;
        }
    }

    /// Writes the batch in as few system calls as it takes.
    async fn write(&mut self) -> io::Result<()> {
        let mut result = if let [message] = self.batch.as_slice() {
            self.writer.write_all(message).await
        } else {
            self.writer.write_all(&self.batch.concat()).await
        };
        // TLS keeps what the system does not take at once, and sends it when it is asked.
        if result.is_ok() {
            result = self.writer.flush().await;
        }
        for message in self.batch.drain(..) {
            self.inbox.written(message.len());
        }
        result
    }

    async fn say_goodbye(&mut self, reason: Closing) {
        if reason == Closing::SlowConsumer {
            return;
        }
        while self.inbox.remaining(&mut self.batch) {
            if self.write().await.is_err() {
                return;
            }
        }
        if self.writer.shutdown().await.is_err() {
            return;
        }
        // Until the peer has closed too: with bytes unread, the system would answer them with a reset, and the reset
        // would overtake our last words.
        let mut sink = [0; 1024];
        while !matches!(self.reader.read(&mut sink).await, Ok(0) | Err(_)) {}
    }
}
