//! A browser as far as its server sees one: a WebSocket that registers, calls and answers calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::server::DOMAIN;

/// Between ringing and answering, and between answering and hanging up.
const PAUSE: Duration = Duration::from_millis(20);

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const SDP: &str = "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytes for S {}

/// One connection.
pub struct Phone {
    socket: WebSocketStream<Box<dyn Bytes>>,
    number: usize,
    transport: &'static str,
    serial: usize,
}

impl Phone {
    /// Opens the connection of user `u` and this number.
    pub async fn connect(number: usize, server: SocketAddr, tls: Option<Arc<TlsConnector>>) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (stream, transport): (Box<dyn Bytes>, _) = match tls {
            None => (Box::new(stream), "ws"),
            Some(tls) => {
                let name = ServerName::try_from("localhost")?;
                (Box::new(tls.connect(name, stream).await?), "wss")
            }
        };
        let mut request = format!("{transport}://{server}/sip").into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let handshake = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = timeout(PATIENCE, handshake).await??;
        Ok(Self { socket, number, transport, serial: 0 })
    }

    /// The number in its user's name.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Registers.
    pub async fn register(&mut self) -> Result<()> {
        let to = format!("<sip:u{}@{DOMAIN}>", self.number);
        let contact = self.contact();
        let fields = format!(
            "Contact: {contact};+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{:012x}>\";reg-id=1\r\n\
             Supported: outbound, path\r\nExpires: 3600\r\n",
            self.number
        );
        self.serial += 1;
        let id = format!("u{}-r{}", self.number, self.serial);
        let request = self.request("REGISTER", &format!("sip:{DOMAIN}"), &to, &id, 1, &fields, "");
        self.send(request).await?;
        self.answer().await.map(drop)
    }

    /// Calls `user`, and hangs up.
    pub async fn call(&mut self, user: &str) -> Result<()> {
        self.serial += 1;
        let id = format!("u{}-c{}", self.number, self.serial);
        let to = format!("<sip:{user}@{DOMAIN}>");
        let contact = format!("Contact: {}\r\n", self.contact());
        let with_body = format!("{contact}Content-Type: application/sdp\r\n");
        let invite = self.request("INVITE", &format!("sip:{user}@{DOMAIN}"), &to, &id, 1, &with_body, SDP);
        self.send(invite).await?;
        let answer = self.answer().await?;
        let target = field(&answer, "Contact").context("no Contact")?;
        let target = target.split_once('<').and_then(|(_, rest)| rest.split_once('>')).context("no URI")?.0;
        // Several may stand in one line.
        let recorded = fields(&answer, "Record-Route").flat_map(|line| line.split(">,"));
        let mut routes: Vec<_> =
            recorded.map(|route| format!("Route: {}>\r\n", route.trim().trim_end_matches('>'))).collect();
        routes.reverse();
        let to = field(&answer, "To").context("no To")?;
        let routes = routes.concat();
        let ack = self.request("ACK", target, to, &id, 1, &routes, "");
        self.send(ack).await?;
        sleep(PAUSE).await;
        let bye = self.request("BYE", target, to, &id, 2, &routes, "");
        self.send(bye).await?;
        self.answer().await.map(drop)
    }

    /// Answers calls, one at a time, until the connection ends.
    pub async fn serve(&mut self) -> Result<()> {
        loop {
            let request = self.receive().await?;
            let contact = format!("Contact: {}\r\n", self.contact());
            if request.starts_with("INVITE") {
                self.send(respond(&request, "180 Ringing", &contact, "")).await?;
                sleep(PAUSE).await;
                let with_body = format!("{contact}Content-Type: application/sdp\r\n");
                self.send(respond(&request, "200 OK", &with_body, SDP)).await?;
            } else if request.starts_with("BYE") {
                self.send(respond(&request, "200 OK", "", "")).await?;
            }
        }
    }

    /// The final answer to the request that was sent last.
    async fn answer(&mut self) -> Result<Utf8Bytes> {
        loop {
            let message = timeout(PATIENCE, self.receive()).await.context("no answer")??;
            let status = message.strip_prefix("SIP/2.0 ").with_context(|| message.to_string())?;
            match status.as_bytes().first() {
                Some(b'1') => {}
                Some(b'2') => return Ok(message),
                _ => bail!("{}", status.lines().next().unwrap_or_default()),
            }
        }
    }

    async fn receive(&mut self) -> Result<Utf8Bytes> {
        loop {
            match self.socket.next().await.context("closed")?? {
                Message::Text(text) => return Ok(text),
                Message::Close(_) => bail!("closed"),
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: String) -> Result<()> {
        ensure!(message.ends_with('\n'), "not a message");
        Ok(self.socket.send(Message::text(message)).await?)
    }

    fn contact(&self) -> String {
        format!("<sip:u{}@u{}.invalid;transport=ws>", self.number, self.number)
    }

    #[expect(clippy::too_many_arguments, reason = "a request has as many parts")]
    fn request(
        &self,
        method: &str,
        uri: &str,
        to: &str,
        id: &str,
        cseq: u32,
        fields: &str,
        body: &str,
    ) -> String {
        let (n, via) = (self.number, self.transport.to_ascii_uppercase());
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} u{n}.invalid;branch=z9hG4bK{id}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:u{n}@{DOMAIN}>;tag=t{id}\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

fn respond(request: &str, status: &str, more: &str, body: &str) -> String {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "Record-Route", "From", "Call-ID", "CSeq"] {
        for value in fields(request, name) {
            out += &format!("{name}: {value}\r\n");
        }
    }
    let to = field(request, "To").unwrap_or_default();
    let tag = if to.contains(";tag=") { "" } else { ";tag=callee" };
    out + &format!("To: {to}{tag}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn fields<'a>(message: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = message.lines().skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(move |line| {
        let (field, value) = line.split_once(':')?;
        field.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn field<'a>(message: &'a str, name: &'a str) -> Option<&'a str> {
    fields(message, name).next()
}
