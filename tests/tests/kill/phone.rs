//! A phone on a WebSocket that comes back whenever the gateway is killed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tests::gateway::PASSWORD;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::support::peers::WsPeer;
use crate::support::{Sip, credentials};

/// The longest that the gateway may be gone.
const BACK: Duration = Duration::from_secs(30);

/// The connection broke, for the gateway was killed.
#[derive(Debug)]
pub(crate) struct Lost;

/// Where the gateway is, and how often it was killed so far.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) http: SocketAddr,
    pub(crate) kills: AtomicU32,
    /// How many calls have waited for a kill so far.
    pub(crate) waiting: AtomicU32,
}

/// One account with one instance.
pub(crate) struct Phone {
    pub(crate) user: String,
    /// Stays the same for all its connections.
    contact: String,
    site: Arc<Site>,
    peer: Option<WsPeer>,
    /// The call that it is in, and what came of it while something else was waited for.
    call: String,
    early: VecDeque<Sip>,
    /// Kills before the connection was made.
    kills: u32,
    registrations: u32,
    requests: u32,
}

impl Phone {
    pub(crate) fn new(user: String, site: Arc<Site>) -> Self {
        let contact = format!("<sip:{user}@{user}.invalid;transport=ws>");
        let (call, early) = (String::new(), VecDeque::new());
        Self { user, contact, site, peer: None, call, early, kills: 0, registrations: 0, requests: 0 }
    }

    /// What comes of this call from now on is not refused while something else is waited for.
    pub(crate) fn attend(&mut self, call_id: &str) {
        self.call = call_id.to_owned();
        self.early.clear();
    }

    pub(crate) fn aor(&self) -> String {
        format!("sip:{}@localhost", self.user)
    }

    /// What makes a request or answer one of a dialog.
    pub(crate) fn contact_line(&self) -> String {
        format!("Contact: {}\r\n", self.contact)
    }

    /// Connects and registers, as often as it takes.
    pub(crate) async fn come_back(&mut self) {
        let deadline = Instant::now() + BACK;
        loop {
            assert!(Instant::now() < deadline, "{} cannot come back", self.user);
            self.kills = self.site.kills.load(Ordering::SeqCst);
            self.peer = self.connect().await;
            if self.peer.is_some() && self.register().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn connect(&self) -> Option<WsPeer> {
        let mut request = format!("ws://{}/sip", self.site.http).into_client_request().ok()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
        let stream = TcpStream::connect(self.site.http).await.ok()?;
        let (socket, _) = client_async(request, stream).await.ok()?;
        // Nobody has said anything over it yet.
        Some(WsPeer::upgraded(socket.into_inner(), "WS").await)
    }

    async fn register(&mut self) -> Result<(), Lost> {
        self.registrations += 1;
        let call_id = format!("r{}{}", self.user, self.registrations);
        let aor = self.aor();
        let contact = format!(
            "Contact: {};+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{:0>12}>\";reg-id=1\r\n\
             Supported: outbound, path\r\nExpires: 600\r\n",
            self.contact,
            self.user.trim_start_matches(|c: char| !c.is_ascii_digit())
        );
        let common = format!(
            "From: <{aor}>;tag=r\r\nTo: <{aor}>\r\nCall-ID: {call_id}\r\nMax-Forwards: 70\r\n{contact}"
        );
        self.request("REGISTER", "sip:localhost", 1, &common).await?;
        let challenged = self.next(&call_id).await?;
        assert_eq!(challenged.status(), 401, "{}", challenged.0);
        let challenge = challenged.header("WWW-Authenticate");
        let proof = credentials(challenge, &self.user, PASSWORD, "REGISTER", "sip:localhost");
        self.request("REGISTER", "sip:localhost", 2, &format!("{common}Authorization: {proof}\r\n")).await?;
        let registered = self.next(&call_id).await?;
        assert_eq!(registered.status(), 200, "{}", registered.0);
        Ok(())
    }

    /// A new branch.
    pub(crate) fn branch(&mut self) -> String {
        self.requests += 1;
        format!("z9hG4bK{}{}", self.user, self.requests)
    }

    /// A request of its own; `headers` are whole lines.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        uri: &str,
        cseq: u32,
        headers: &str,
    ) -> Result<(), Lost> {
        let branch = self.branch();
        self.request_of(method, uri, cseq, &branch, headers).await
    }

    /// With this branch: an INVITE that may come again, its CANCEL.
    pub(crate) async fn request_of(
        &mut self,
        method: &str,
        uri: &str,
        cseq: u32,
        branch: &str,
        headers: &str,
    ) -> Result<(), Lost> {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS {}.invalid;branch={branch}\r\nCSeq: {cseq} {method}\r\n\
             {headers}Content-Length: 0\r\n\r\n",
            self.user
        );
        self.send(&text).await
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), Lost> {
        let Some(peer) = &mut self.peer else { return self.lost() };
        if peer.try_send(Message::text(text)).await { Ok(()) } else { self.lost() }
    }

    /// The next message of this call. Requests of calls that it knows nothing of (any more) are refused.
    pub(crate) async fn next(&mut self, call_id: &str) -> Result<Sip, Lost> {
        if call_id == self.call
            && let Some(message) = self.early.pop_front()
        {
            return Ok(message);
        }
        loop {
            let Some(peer) = &mut self.peer else { return self.lost() };
            let message = match peer.receive_message().await {
                Some(Message::Text(text)) => Sip(text.to_string()),
                Some(Message::Ping(_) | Message::Pong(_)) => continue,
                _ => return self.lost(),
            };
            if message.header("Call-ID") == call_id {
                return Ok(message);
            }
            if message.header("Call-ID") == self.call {
                self.early.push_back(message);
                continue;
            }
            if !message.0.starts_with("SIP/2.0 ") && message.method() != "ACK" {
                let refusal = message.response("481 Call/Transaction Does Not Exist", "none", "");
                self.send(&refusal).await?;
            }
        }
    }

    /// Waits until the connection breaks. What comes meanwhile is not looked at.
    pub(crate) async fn outlive(&mut self) -> Lost {
        if let Some(peer) = &mut self.peer {
            while peer.next_message().await.is_some() {}
        }
        match self.lost::<()>() {
            Err(lost) => lost,
            Ok(()) => Lost,
        }
    }

    /// That the connection is gone is the kill's doing, or a fault.
    fn lost<T>(&mut self) -> Result<T, Lost> {
        self.peer = None;
        self.early.clear();
        let kills = self.site.kills.load(Ordering::SeqCst);
        assert!(kills > self.kills, "{} lost its connection, and nobody killed the gateway", self.user);
        Err(Lost)
    }
}
