//! What the system itself costs: datagrams passed on by one blocking thread, and a bare tungstenite server. Neither reads
//! more of a message than it needs to know where it goes.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Passes datagrams on between `callee` and whoever else sent last; a REGISTER is answered.
pub fn udp(listen: SocketAddr, callee: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(listen)?;
    let mut caller = callee;
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let datagram = &buffer[..length];
        // A port that nobody listens on any more is nobody's fault here.
        let _ = if datagram.starts_with(b"REGISTER") {
            socket.send_to(&accepted(datagram), from)
        } else if from == callee {
            socket.send_to(datagram, caller)
        } else {
            caller = from;
            socket.send_to(datagram, callee)
        };
    }
}

/// The senders of all connections, by the number in their user's name.
type Table = Arc<Mutex<HashMap<usize, mpsc::Sender<Utf8Bytes>>>>;

/// A WebSocket server that answers REGISTER and passes everything else on: from an even user to the next odd one and back,
/// or, where there is none, to `callee` over UDP and back by the number in the Call-ID.
pub fn websocket(listen: SocketAddr, callee: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(listen).await?;
        let table = Table::default();
        let datagrams = Arc::new(tokio::net::UdpSocket::bind("127.0.0.1:0").await?);
        tokio::spawn(back(Arc::clone(&datagrams), Arc::clone(&table)));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (table, datagrams) = (Arc::clone(&table), Arc::clone(&datagrams));
            tokio::spawn(async move {
                // It ends with its connection.
                let _ = connection(stream, &table, &datagrams, callee).await;
            });
        }
    })
}

async fn back(datagrams: Arc<tokio::net::UdpSocket>, table: Table) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = datagrams.recv_from(&mut buffer).await {
        let datagram = Bytes::copy_from_slice(&buffer[..length]);
        let Ok(text) = Utf8Bytes::try_from(datagram) else { continue };
        let sender = number(&text, "\r\nCall-ID: u").and_then(|n| table.lock().ok()?.get(&n).cloned());
        if let Some(sender) = sender {
            let _ = sender.try_send(text);
        }
    }
}

async fn connection(
    stream: TcpStream,
    table: &Table,
    datagrams: &tokio::net::UdpSocket,
    callee: SocketAddr,
) -> Result<()> {
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let subprotocol = |_: &Request, mut response: Response| {
        response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
        Ok(response)
    };
    let mut socket =
        tokio_tungstenite::accept_hdr_async_with_config(stream, subprotocol, Some(config)).await?;
    let (sender, mut receiver) = mpsc::channel(64);
    let mut own = None;
    loop {
        tokio::select! {
            received = socket.next() => {
                let Some(Message::Text(text)) = received.transpose()? else { continue };
                if text.starts_with("REGISTER") {
                    own = number(&text, "From: <sip:u");
                    let table = &mut table.lock().ok().context("a connection panicked")?;
                    table.insert(own.context("no user")?, sender.clone());
                    let answer = Bytes::from(accepted(text.as_bytes()));
                    sender.try_send(Utf8Bytes::try_from(answer)?)?;
                    continue;
                }
                let own = own.context("not registered")?;
                let to_callee = text.contains("sip:callee@");
                let peer = if to_callee { None } else { table.lock().ok().and_then(|t| t.get(&(own ^ 1)).cloned()) };
                match peer {
                    Some(peer) => peer.try_send(text)?,
                    None => { datagrams.send_to(text.as_bytes(), callee).await?; }
                }
            }
            queued = receiver.recv() => {
                socket.send(Message::Text(queued.context("closed")?)).await?;
            }
        }
    }
}

/// The request turned into its own answer.
fn accepted(request: &[u8]) -> Vec<u8> {
    let line = request.windows(2).position(|two| two == b"\r\n").unwrap_or(request.len());
    [b"SIP/2.0 200 OK".as_slice(), &request[line..]].concat()
}

fn number(text: &str, after: &str) -> Option<usize> {
    let (_, rest) = text.split_once(after)?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
