//! Peers over UDP, TCP and WebSocket, and a little HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{PATIENCE, Sip, credentials};

/// What every peer can do.
pub(crate) trait Peer {
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS`.
    fn via(&self) -> &'static str;

    async fn send(&mut self, text: &str);

    async fn receive(&mut self) -> Sip;

    /// What stands in Via and Contact: our address, or a name that leads nowhere.
    fn host(&self) -> String;

    /// The domain it registers in.
    fn domain(&self) -> String {
        "localhost".into()
    }

    /// The scheme of the URIs that it writes.
    fn scheme(&self) -> &'static str {
        "sip"
    }

    /// A request's text; `headers` are whole lines.
    #[expect(clippy::too_many_arguments, reason = "in the order in which they stand in the request")]
    fn request(
        &self,
        method: &str,
        uri: &str,
        from: &str,
        to: &str,
        call_id: &str,
        cseq: u32,
        headers: &str,
    ) -> String {
        static BRANCH: AtomicU32 = AtomicU32::new(0);
        let (via, host) = (self.via(), self.host());
        let branch = BRANCH.fetch_add(1, Ordering::Relaxed);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {host};branch=z9hG4bKtest{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <{from}>;tag=f{call_id}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n{headers}Content-Length: 0\r\n\r\n"
        )
    }

    fn contact(&self, user: &str) -> String {
        let (scheme, host) = (self.scheme(), self.host());
        // RFC 5630 §5.1.1: no `transport=tls` beside `sips`.
        if (scheme, self.via()) == ("sips", "TLS") {
            return format!("<sips:{user}@{host}>");
        }
        let transport = match self.via() {
            // RFC 7118 §5.2.1: one token for both.
            "WSS" => "ws".into(),
            via => via.to_ascii_lowercase(),
        };
        format!("<{scheme}:{user}@{host};transport={transport}>")
    }

    /// Receives until a final response.
    async fn receive_final(&mut self) -> Sip {
        loop {
            let response = self.receive().await;
            if response.status() >= 200 {
                return response;
            }
        }
    }

    /// REGISTER, challenged, REGISTER again. Gives the final response.
    async fn register(&mut self, user: &str, password: &str, call_id: &str, headers: &str) -> Sip {
        let (scheme, domain) = (self.scheme(), self.domain());
        let (aor, registrar) = (format!("{scheme}:{user}@{domain}"), format!("{scheme}:{domain}"));
        let contact = format!("Contact: {}{headers}\r\nExpires: 300\r\n", self.contact(user));
        let first = self.request("REGISTER", &registrar, &aor, &format!("<{aor}>"), call_id, 1, &contact);
        self.send(&first).await;
        let challenged = self.receive().await;
        assert_eq!(challenged.status(), 401, "{}", challenged.0);
        let challenge = challenged.header("WWW-Authenticate").to_owned();
        let proof = credentials(&challenge, user, password, "REGISTER", &registrar);
        let headers = format!("{contact}Authorization: {proof}\r\n");
        let second = self.request("REGISTER", &registrar, &aor, &format!("<{aor}>"), call_id, 2, &headers);
        self.send(&second).await;
        self.receive().await
    }
}

pub(crate) struct UdpPeer {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl UdpPeer {
    pub(crate) async fn new(gateway: SocketAddr) -> Self {
        Self {
            socket: UdpSocket::bind(if gateway.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }).await.unwrap(),
            gateway,
        }
    }

    /// The same with an address of its own.
    pub(crate) async fn from(ip: IpAddr, gateway: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind((ip, 0)).await.unwrap(), gateway }
    }

    /// Where it is reached.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.gateway).await.unwrap();
    }

    /// Whatever comes, as it comes.
    pub(crate) async fn receive_bytes(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let (length, from) = timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(from, self.gateway);
        buffer.truncate(length);
        buffer
    }
}

impl Peer for UdpPeer {
    fn via(&self) -> &'static str {
        "UDP"
    }

    async fn send(&mut self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.gateway).await.unwrap();
    }

    async fn receive(&mut self) -> Sip {
        Sip(String::from_utf8(self.receive_bytes().await).unwrap())
    }

    fn host(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }
}

/// A phone on a stream: TCP, or TLS over it.
pub(crate) struct TcpPeer<S = TcpStream> {
    stream: S,
    via: &'static str,
    scheme: &'static str,
    host: String,
    buffer: Vec<u8>,
}

impl TcpPeer {
    pub(crate) async fn new(gateway: SocketAddr) -> Self {
        Self::over(TcpStream::connect(gateway).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        let host = stream.local_addr().unwrap().to_string();
        Self { stream, via: "TCP", scheme: "sip", host, buffer: Vec::new() }
    }

    /// The same, where it takes connections at an address that its Via and Contact name.
    pub(crate) fn listening_at(mut self, address: SocketAddr) -> Self {
        self.host = address.to_string();
        self
    }
}

impl TcpPeer<TlsStream<TcpStream>> {
    pub(crate) fn over_tls(stream: TlsStream<TcpStream>) -> Self {
        let host = stream.get_ref().0.local_addr().unwrap().to_string();
        Self { stream, via: "TLS", scheme: "sip", host, buffer: Vec::new() }
    }
}

impl TcpPeer<tokio_rustls::server::TlsStream<TcpStream>> {
    /// One that the gateway has connected to.
    pub(crate) fn accepted_over_tls(stream: tokio_rustls::server::TlsStream<TcpStream>) -> Self {
        let host = stream.get_ref().0.local_addr().unwrap().to_string();
        Self { stream, via: "TLS", scheme: "sip", host, buffer: Vec::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TcpPeer<S> {
    /// The same, writing `sips` URIs everywhere.
    pub(crate) fn with_sips(mut self) -> Self {
        self.scheme = "sips";
        self
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Tells whether it could be sent.
    pub(crate) async fn try_send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Reads until at least `length` bytes are there, and takes them.
    pub(crate) async fn receive_bytes(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.unwrap().unwrap();
            assert!(read > 0, "closed with {:?}", String::from_utf8_lossy(&self.buffer));
        }
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Waits until the gateway closes.
    pub(crate) async fn closed(&mut self) {
        loop {
            match timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("is closed in time")
            {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer for TcpPeer<S> {
    fn scheme(&self) -> &'static str {
        self.scheme
    }

    fn via(&self) -> &'static str {
        self.via
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> Sip {
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.unwrap().unwrap();
            assert!(read > 0, "closed with {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let text = String::from_utf8(self.buffer[..head].to_vec()).unwrap();
        let length: usize = Sip(text).header("Content-Length").parse().unwrap();
        Sip(String::from_utf8(self.receive_bytes(head + length).await).unwrap())
    }

    fn host(&self) -> String {
        self.host.clone()
    }
}

/// A page on a WebSocket, plain or secure.
pub(crate) struct WsPeer<S = TcpStream> {
    socket: WebSocketStream<S>,
    via: &'static str,
    scheme: &'static str,
    host: String,
    domain: String,
}

impl WsPeer {
    pub(crate) async fn new(gateway: SocketAddr) -> Self {
        Self::over(TcpStream::connect(gateway).await.unwrap(), gateway, "WS").await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsPeer<S> {
    pub(crate) async fn over(mut stream: S, gateway: SocketAddr, via: &'static str) -> Self {
        let answer = upgrade(&mut stream, gateway, &[]).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Self::upgraded(stream, via).await
    }

    /// Over a stream whose handshake is done.
    pub(crate) async fn upgraded(stream: S, via: &'static str) -> Self {
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        static HOST: AtomicU32 = AtomicU32::new(0);
        let host = format!("p{}.invalid", HOST.fetch_add(1, Ordering::Relaxed));
        Self { socket, via, scheme: "sip", host, domain: "localhost".into() }
    }

    /// The same, writing `sips` URIs everywhere.
    pub(crate) fn with_sips(mut self) -> Self {
        self.scheme = "sips";
        self
    }

    /// The same, registering in another domain.
    pub(crate) fn of(mut self, domain: &str) -> Self {
        self.domain = domain.into();
        self
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Tells whether it could be sent.
    pub(crate) async fn try_send(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// The next WebSocket message; `None` when the socket ended.
    pub(crate) async fn receive_message(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.next_message()).await.expect("comes in time")
    }

    /// The same, whenever it comes.
    pub(crate) async fn next_message(&mut self) -> Option<Message> {
        self.socket.next().await?.ok()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer for WsPeer<S> {
    fn domain(&self) -> String {
        self.domain.clone()
    }

    fn scheme(&self) -> &'static str {
        self.scheme
    }

    fn via(&self) -> &'static str {
        self.via
    }

    async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    async fn receive(&mut self) -> Sip {
        match self.receive_message().await {
            Some(Message::Text(text)) => Sip(text.to_string()),
            other => panic!("{other:?} instead of text"),
        }
    }

    fn host(&self) -> String {
        self.host.clone()
    }
}

/// The address that load balancers have in these tests.
pub(crate) const BALANCER: &str = "127.0.0.9";

/// A connection from the address of a load balancer.
pub(crate) async fn through_balancer(gateway: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(BALANCER.parse().unwrap(), 0)).unwrap();
    socket.connect(gateway).await.unwrap()
}

/// A header of the PROXY protocol, version 2: a connection over TCP from `client`, and what else is told.
pub(crate) fn announcement(client: SocketAddr, told: &[u8]) -> Vec<u8> {
    let mut addresses = Vec::new();
    let family = match client.ip() {
        IpAddr::V4(ip) => {
            addresses.extend_from_slice(&ip.octets());
            addresses.extend_from_slice(&[192, 0, 2, 80]);
            0x11
        }
        IpAddr::V6(ip) => {
            addresses.extend_from_slice(&ip.octets());
            addresses.extend_from_slice(&[1; 16]);
            0x21
        }
    };
    addresses.extend_from_slice(&client.port().to_be_bytes());
    addresses.extend_from_slice(&443_u16.to_be_bytes());
    addresses.extend_from_slice(told);
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(family);
    header.extend_from_slice(&u16::try_from(addresses.len()).unwrap().to_be_bytes());
    header.extend_from_slice(&addresses);
    header
}

/// A WebSocket handshake with some headers instead of the usual; one with an empty value is left out. Gives the
/// stream and the head of the response.
pub(crate) async fn handshake(gateway: SocketAddr, changed: &[(&str, &str)]) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let head = upgrade(&mut stream, gateway, changed).await;
    (stream, head)
}

pub(crate) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    gateway: SocketAddr,
    changed: &[(&str, &str)],
) -> String {
    let host = gateway.to_string();
    let mut headers = vec![
        ("Host", host.as_str()),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "sip"),
    ];
    for (name, value) in changed {
        headers.retain(|(usual, _)| usual != name);
        if !value.is_empty() {
            headers.push((name, value));
        }
    }
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("GET /sip HTTP/1.1\r\n{lines}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    // Byte by byte: what follows the head is WebSocket.
    while !head.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, stream.read_u8()).await.unwrap() {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// GET. Gives status, head and body.
pub(crate) async fn http(gateway: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let host = format!("{gateway}");
    let mut lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    if !lines.contains("Host: ") {
        lines.push_str(&format!("Host: {host}\r\n"));
    }
    let request = format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
    // One that is refused at once may be closed before it has written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut text = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut text)).await.unwrap().unwrap();
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}
