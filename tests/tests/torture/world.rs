//! The gateway, a phone that everybody is registered on, and callers that send what they like.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use sip_core::auth::{Attempt, Authority, Client};
use sip_core::entropy::SeededEntropy;
use sip_core::transport::framing::{Frame, StreamFramer};
use tests::corpus::OURS;
use tests::gateway::{Gateway, PASSWORD};

use crate::raw::Raw;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who the vectors' senders and receivers are, as far as they can have accounts. "null-" is what is left of the one who
/// registers in "escnull" for those who take NUL for a text's end.
const ACCOUNTS: &[&str] = &[
    "user",
    "j.user",
    "caller",
    "vivekg",
    "jdrosen",
    "watson",
    "fluffy",
    "kumiko",
    "UserB",
    "resource",
    "mundane",
    "remote-target",
    "t.watson",
    "null-",
];

/// What the core counts when a message is neither answered nor passed on.
const DROPS: &[&str] = &[
    "malformed_dropped",
    "stray_responses",
    "responses_misrouted",
    "responses_to_no_host",
    "acks_dropped",
    "sender_mismatched",
];

const VIA: &[&str] = &["via", "v"];
const CALL_ID: &[&str] = &["call-id", "i"];
const FROM: &[&str] = &["from", "f"];
const TO: &[&str] = &["to", "t"];

/// Methods that may begin a dialog (RFC 3261 §12.1, RFC 6665 §4.1, RFC 3515 §2.4.4).
const DIALOGS: &[&str] = &["INVITE", "SUBSCRIBE", "REFER"];

/// How a caller is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Udp,
    Tcp,
}

/// All that the tests need.
#[derive(Debug)]
pub(crate) struct World {
    gateway: Gateway,
    phone: UdpSocket,
    serial: u32,
}

impl World {
    /// A gateway that serves `aliases` beside its own domain, with everybody registered at one phone.
    pub(crate) fn start(at: IpAddr, aliases: &[&str]) -> Result<Self> {
        let gateway = Gateway::start_for(at, ACCOUNTS, aliases)?;
        let phone = UdpSocket::bind((at, 0))?;
        let mut world = Self { gateway, phone, serial: 0 };
        ACCOUNTS.iter().try_for_each(|account| world.register(account))?;
        Ok(world)
    }

    /// Makes the phone the only place where `account` is registered.
    fn register(&mut self, account: &str) -> Result<()> {
        let contact = format!("Contact: <sip:{account}@{}>\r\n", self.phone.local_addr()?);
        for fields in ["Contact: *\r\nExpires: 0\r\n", &contact] {
            let mut line = Line::Datagrams { socket: self.phone.try_clone()?, gateway: self.gateway.udp };
            let register = self.request("REGISTER", account, fields);
            let challenged = self.hear(&mut line, &register)?;
            let again = authorized(&register, &challenged, account)?;
            let again =
                Raw::new(&String::from_utf8(again.bytes())?.replace("z9hG4bK", "z9hG4bKa").into_bytes());
            let heard = self.hear(&mut line, &again)?;
            ensure!(
                heard.iter().any(|answer| answer.start_line() == "SIP/2.0 200 OK"),
                "{account}: {heard:?}"
            );
        }
        Ok(())
    }

    /// A request about an account of the gateway's domain.
    fn request(&mut self, method: &str, account: &str, fields: &str) -> Raw {
        self.serial += 1;
        let serial = self.serial;
        Raw::new(
            format!(
                "{method} sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK{serial}\r\n\
                 From: <sip:{account}@localhost>;tag=1\r\nTo: <sip:{account}@localhost>\r\nCall-ID: c{serial}\r\n\
                 CSeq: 1 {method}\r\nMax-Forwards: 70\r\n{fields}Content-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        )
    }

    /// What becomes of a message: the final answer's status and reason phrase (after its sender has proven itself, if
    /// it is asked to and can), `forwarded`, or the counter of what vanished.
    pub(crate) fn outcome(&mut self, message: &Raw, wire: Wire) -> Result<String> {
        let before = self.drops()?;
        self.serial += 1;
        let message = &mut message.clone();
        message.in_own_call(self.serial);
        let mut sent = message.clone();
        let mut line = self.line(wire)?;
        let mut heard = self.send(&mut line, &mut sent)?;
        let challenged =
            finals(&heard).any(|answer| matches!(answer.start_line().get(8..11), Some("401" | "407")));
        if challenged {
            let account = account_of(message);
            sent = authorized(message, &heard, account)?;
            line = self.line(wire)?;
            heard = self.send(&mut line, &mut sent)?;
            if message.start.starts_with(b"REGISTER ") {
                // Calls shall not ring at a line that is closed by then.
                self.register(account)?;
            }
        }
        ensure!(finals(&heard).count() <= 1, "{heard:?}");
        let dropped = self.dropped_since(&before)?;
        if let Some(answer) = finals(&heard).next() {
            ensure!(dropped.is_empty() && !message.start.starts_with(b"SIP/"), "{answer:?} {dropped:?}");
            return Ok(answer.start_line()["SIP/2.0 ".len()..].to_owned());
        }
        if let [name] = dropped[..] {
            ensure!(heard.is_empty(), "{name}: {heard:?}");
            return Ok(name.to_owned());
        }
        ensure!(dropped.is_empty(), "{dropped:?}");
        self.pick_up(&sent, &mut line)?;
        Ok("forwarded".to_owned())
    }

    /// What is counted when a message arrives with the Via it was written with; nothing is heard of it.
    pub(crate) fn dropped(&mut self, message: &Raw) -> Result<Vec<&'static str>> {
        let before = self.drops()?;
        let mut line = self.line(Wire::Udp)?;
        let heard = self.hear(&mut line, message)?;
        ensure!(heard.is_empty(), "{heard:?}");
        self.dropped_since(&before)
    }

    /// The phone has got `sent`, unchanged but for what a proxy changes; its answer goes back to the sender.
    fn pick_up(&mut self, sent: &Raw, line: &mut Line) -> Result<()> {
        let (received, gateway) = self.at_the_phone(&line.local()?.to_string())?;
        let vias: Vec<&[u8]> = received.named(VIA).collect();
        let sent_vias: Vec<&[u8]> = sent.named(VIA).collect();
        ensure!(vias.len() == sent_vias.len() + 1, "{received:?}");
        ensure!(vias[2..] == sent_vias[1..], "Vias below the sender's changed: {received:?}");
        self.changes(sent, &received, line)?;
        let length: Option<usize> = sent.value(&["content-length", "l"]).and_then(|text| text.parse().ok());
        // §16.6 step 9: where a datagram's end told the length, a field tells it.
        let measured = format!("Content-Length: {}\r\n", sent.rest.len().saturating_sub(2));
        let mut whole = sent.others(OURS);
        whole.extend(length.is_none().then_some(measured.as_bytes()));
        ensure!(received.others(OURS) == whole, "fields changed:\n{received:?}\n{sent:?}");
        let end = length.map_or(sent.rest.len(), |length| 2 + length);
        ensure!(received.rest == sent.rest[..end], "the body changed: {received:?}");
        // A call is refused, anything else done.
        let method = received.start_line().split(' ').next().unwrap_or_default().to_owned();
        let status = if method == "INVITE" { "486 Busy Here" } else { "200 OK" };
        let mut answer = format!("SIP/2.0 {status}\r\n").into_bytes();
        for names in [VIA, FROM, TO, CALL_ID, &["cseq"]] {
            received.named(names).for_each(|field| answer.extend(field));
        }
        answer.extend(b"Content-Length: 0\r\n\r\n");
        self.phone.send_to(&answer, gateway)?;
        let deadline = Instant::now() + PATIENCE;
        while let Some(back) = line.receive(deadline)? {
            let back = Raw::new(&back);
            if back.start_line() == format!("SIP/2.0 {status}") {
                let back: Vec<&[u8]> = back.named(VIA).collect();
                ensure!(back == vias[1..], "{back:?}");
                return Ok(());
            }
        }
        bail!("the phone's answer did not come back")
    }

    /// What a proxy does to a request on its way, and no more.
    fn changes(&self, sent: &Raw, received: &Raw, line: &Line) -> Result<()> {
        // §16.6 step 3
        let left = match sent.value(&["max-forwards"]) {
            Some(hops) => hops.parse::<u8>()? - 1,
            None => 70,
        };
        let hops: Vec<&[u8]> = received.named(&["max-forwards"]).collect();
        ensure!(hops.len() == 1, "{received:?}");
        ensure!(
            received.value(&["max-forwards"]) == Some(left.to_string()),
            "{left} hops left: {received:?}"
        );
        // RFC 5393 §5.3.3: a single one.
        let breadth: Vec<&[u8]> = received.named(&["max-breadth"]).collect();
        ensure!(breadth.len() == 1, "{received:?}");
        // §16.4: a Route whose topmost value were not the gateway's would lead elsewhere.
        ensure!(received.named(&["route"]).eq(sent.named(&["route"]).skip(1)), "Route: {received:?}");
        // Step 4, one a side (RFC 5658 §3.3); a route set is settled by what begins the dialog (§12.2).
        let method = sent.start_line().split(' ').next().unwrap_or_default().to_owned();
        let ours = match DIALOGS.contains(&method.as_str()) && !is_tagged(sent) {
            true => vec![format!("@{};transport=udp;lr>", self.gateway.udp), line.record_route()?],
            false => Vec::new(),
        };
        let recorded: Vec<&[u8]> = received.named(&["record-route"]).collect();
        ensure!(recorded.len() >= ours.len(), "{received:?}");
        let (added, below) = recorded.split_at(ours.len());
        for (field, end) in added.iter().zip(ours) {
            let field = String::from_utf8_lossy(field);
            ensure!(field.trim_end().ends_with(&end), "{field:?}, not {end}");
        }
        ensure!(below.iter().copied().eq(sent.named(&["record-route"])), "Record-Route: {received:?}");
        // §22.3: the credentials for the gateway stay there.
        let for_others = sent
            .named(&["proxy-authorization"])
            .filter(|field| !String::from_utf8_lossy(field).contains("realm=\"localhost\""));
        ensure!(received.named(&["proxy-authorization"]).eq(for_others), "{received:?}");
        // RFC 3325 §5: whose credentials they were is asserted, and of nobody else anything.
        let mut credentials = sent.named(&["proxy-authorization"]).map(String::from_utf8_lossy);
        let username = credentials.find(|field| field.contains("realm=\"localhost\"")).and_then(|field| {
            let (_, rest) = field.split_once("username=\"")?;
            Some(rest.split_once('"')?.0.to_owned())
        });
        let asserted = username.map(|username| format!("<sip:{username}@localhost>"));
        ensure!(received.value(&["p-asserted-identity"]) == asserted, "{asserted:?}: {received:?}");
        ensure!(received.named(&["p-asserted-identity"]).count() <= 1, "{received:?}");
        Ok(())
    }

    /// The request from `sender` as the phone gets it, and from where.
    fn at_the_phone(&self, sender: &str) -> Result<(Raw, SocketAddr)> {
        let mut buffer = vec![0; 65_536];
        self.phone.set_read_timeout(Some(PATIENCE))?;
        loop {
            let (length, from) = self.phone.recv_from(&mut buffer).context("nothing came to the phone")?;
            let received = Raw::new(&buffer[..length]);
            let below_ours = received.named(VIA).nth(1).map(String::from_utf8_lossy).unwrap_or_default();
            if below_ours.contains(sender) {
                return Ok((received, from));
            }
        }
    }

    /// Sends it so that an answer would come back over this line. The topmost Via of a response is the gateway's.
    fn send(&mut self, line: &mut Line, message: &mut Raw) -> Result<Vec<Raw>> {
        let ours = match (message.start.starts_with(b"SIP/"), &*line) {
            (true, Line::Datagrams { .. }) => self.gateway.udp,
            (true, Line::Stream { .. }) => self.gateway.tcp,
            (false, line) => line.local()?,
        };
        message.set_sent_by(&ours.to_string());
        self.hear(line, message)
    }

    /// Everything that comes before the answer to a probe sent right behind the message, or before the end.
    fn hear(&mut self, line: &mut Line, message: &Raw) -> Result<Vec<Raw>> {
        let mut probe = self.request("OPTIONS", "nobody", "");
        for field in &mut probe.fields {
            *field = String::from_utf8_lossy(field)
                .replace("<sip:nobody@localhost>", "<sip:probe@far.example>")
                .into();
        }
        line.send(&message.bytes())?;
        line.send(&probe.bytes())?;
        let deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while let Some(received) = line.receive(deadline)? {
            let received = Raw::new(&received);
            if received.value(CALL_ID) == probe.value(CALL_ID) {
                ensure!(received.start_line() == "SIP/2.0 200 OK", "the probe: {received:?}");
                return Ok(heard);
            }
            // Calls from before may still be ringing at the phone.
            if received.start.starts_with(b"SIP/") {
                heard.push(received);
            }
        }
        ensure!(matches!(line, Line::Stream { .. }), "the gateway does not answer any more: {heard:?}");
        Ok(heard)
    }

    fn line(&self, wire: Wire) -> Result<Line> {
        Ok(match wire {
            Wire::Udp => Line::Datagrams {
                socket: UdpSocket::bind((self.gateway.udp.ip(), 0))?,
                gateway: self.gateway.udp,
            },
            Wire::Tcp => {
                Line::Stream { stream: TcpStream::connect(self.gateway.tcp)?, framer: StreamFramer::new() }
            }
        })
    }

    /// The counters of what vanished.
    fn drops(&self) -> Result<BTreeMap<&'static str, f64>> {
        let text = self.gateway.get("/metrics")?;
        let value = |name: &str| -> Option<f64> {
            let line =
                text.lines().find_map(|line| line.strip_prefix(&format!("trapezoid_sip_{name}_total ")))?;
            line.parse().ok()
        };
        let counter =
            |name: &&'static str| Ok((*name, value(name).with_context(|| format!("no sip_{name}"))?));
        DROPS.iter().map(counter).collect()
    }

    /// Which counters have grown, by one each.
    fn dropped_since(&self, before: &BTreeMap<&'static str, f64>) -> Result<Vec<&'static str>> {
        let after = self.drops()?;
        let grown: Vec<_> = after.iter().filter(|(name, count)| before[*name] != **count).collect();
        ensure!(grown.iter().all(|(name, count)| **count == before[*name] + 1.0), "{before:?}, {after:?}");
        Ok(grown.into_iter().map(|(name, _)| *name).collect())
    }

    /// The gateway lives and is well.
    pub(crate) fn is_well(&mut self) -> Result<()> {
        ensure!(self.gateway.is_running(), "{}", self.gateway.log());
        let probe = self.request("OPTIONS", "nobody", "");
        let mut line = self.line(Wire::Udp)?;
        // Its sender claims to be one of ours and is asked to prove it.
        let heard = self.hear(&mut line, &probe)?;
        ensure!(heard.len() == 1 && heard[0].start_line().contains(" 407 "), "{heard:?}");
        Ok(())
    }
}

fn finals(heard: &[Raw]) -> impl Iterator<Item = &Raw> {
    heard.iter().filter(|answer| !answer.start.starts_with(b"SIP/2.0 1"))
}

/// Whether To has a tag: a parameter behind the address.
fn is_tagged(message: &Raw) -> bool {
    let to: String = message.value(TO).unwrap_or_default().split_whitespace().collect();
    to.rsplit('>').next().is_some_and(|params| params.to_ascii_lowercase().contains(";tag="))
}

/// Whose credentials the sender has: whom From names, or somebody's.
fn account_of(message: &Raw) -> &'static str {
    let from = message.value(FROM).unwrap_or_default();
    let user =
        from.split_once("sip:").and_then(|(_, rest)| rest.split(['@', '%']).next()).unwrap_or_default();
    ACCOUNTS.iter().copied().find(|account| *account == user).unwrap_or("user")
}

/// The same request with the answer to a challenge.
fn authorized(message: &Raw, heard: &[Raw], account: &str) -> Result<Raw> {
    let challenged = finals(heard).next().with_context(|| format!("no challenge in {heard:?}"))?;
    let line = message.start_line();
    let (method, rest) = line.split_once(' ').context("no request")?;
    let uri = rest.split(' ').next().unwrap_or_default();
    let (name, authority) = match challenged.value(&["www-authenticate"]) {
        Some(_) => ("WWW-Authenticate", Authority::Server),
        None => ("Proxy-Authenticate", Authority::Proxy),
    };
    let values: Vec<String> = challenged
        .named(&[&name.to_ascii_lowercase()])
        .map(|field| String::from_utf8_lossy(&field[name.len() + 1..]).trim().to_owned())
        .collect();
    let (mut client, mut attempt) = (Client::new(account, PASSWORD), Attempt::default());
    client.challenged(&mut attempt, uri, values.iter().map(|value| (authority, value.as_str())))?;
    let mut out = message.clone();
    for field in client.authorize(&mut attempt, method, uri, &[], &mut SeededEntropy(1)) {
        let name = name.replace("WWW-Authenticate", "Authorization").replace("Authenticate", "Authorization");
        out.fields.insert(0, format!("{name}: {}\r\n", field.value).into_bytes());
    }
    Ok(out)
}

/// One caller's way to the gateway and back.
#[derive(Debug)]
enum Line {
    Datagrams { socket: UdpSocket, gateway: SocketAddr },
    Stream { stream: TcpStream, framer: StreamFramer },
}

impl Line {
    fn local(&self) -> Result<SocketAddr> {
        Ok(match self {
            Self::Datagrams { socket, .. } => socket.local_addr()?,
            Self::Stream { stream, .. } => stream.local_addr()?,
        })
    }

    /// What a Record-Route that leads back over this line ends with.
    fn record_route(&self) -> Result<String> {
        Ok(match self {
            Self::Datagrams { gateway, .. } => format!("@{gateway};transport=udp;lr>"),
            Self::Stream { stream, .. } => format!("@{};transport=tcp;lr>", stream.peer_addr()?),
        })
    }

    fn send(&mut self, message: &[u8]) -> Result<()> {
        match self {
            Self::Datagrams { socket, gateway } => drop(socket.send_to(message, *gateway)?),
            // It may have been closed for what came before.
            Self::Stream { stream, .. } => drop(stream.write_all(message)),
        }
        Ok(())
    }

    /// The next message; `None` after the deadline, or at the end.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            match self {
                Self::Datagrams { socket, .. } => {
                    socket.set_read_timeout(Some(left))?;
                    return Ok(socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()));
                }
                Self::Stream { stream, framer } => {
                    if let Some(Frame::Message(message)) = framer.next_frame()? {
                        return Ok(Some(message.to_vec()));
                    }
                    stream.set_read_timeout(Some(left))?;
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => return Ok(None),
                        Ok(length) => framer.push(&buffer[..length]),
                    }
                }
            }
        }
    }
}
