//! Floods of every kind at once, from other addresses than the users', against the program itself: a pair of users calls each
//! other all the while, and what the program takes of memory stays under what `limits.memory` says.

mod support;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::peers::{Peer, TcpPeer, WsPeer, upgrade};
use support::{PATIENCE, Sip};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

/// Lines a second about refused requests, and about connections; and how many come before them in all.
const LINES: u64 = 2 * 50;
const FIRST_LINES: u64 = 100;

/// `limits.memory`, and what the program takes beside it, MiB.
const MEMORY: u64 = 64;
const OWN: u64 = 40;

/// Where each flood comes from: each meets its own caps.
const CONNECTING: &str = "127.0.0.66";
const ASKING: &str = "127.0.0.67";
const UPGRADING: &str = "127.0.0.68";
const HALVING: &str = "127.0.0.69";
const DEAF: &str = "127.0.0.70";

struct Program {
    child: Child,
    http: SocketAddr,
    udp: SocketAddr,
    tcp: SocketAddr,
    data: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = format!(
            "development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n\
             [[tcp]]\nlisten = \"127.0.0.1:0\"\n[limits]\nmemory = {MEMORY}\nconnections = 400\n\
             connections_per_ip = 100\nhandshakes = 100\nhandshakes_per_ip = 50\nregistrations = 1000\n\
             [timeouts]\nhandshake = 3\nidle = 3\nwrite = 1\nping = 300\n"
        );
        std::fs::write(data.path().join("gateway.toml"), config).unwrap();
        let addresses = data.path().join("addresses.json");
        let child = Command::new(env!("CARGO_BIN_EXE_ws-gateway"))
            .args(["run", "--config"])
            .arg(data.path().join("gateway.toml"))
            .arg("--data")
            .arg(data.path())
            .arg("--addresses-to")
            .arg(&addresses)
            .env("TRAPEZOID_LOG", "info")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(data.path().join("out.log")).unwrap())
            .stderr(std::fs::File::create(data.path().join("err.log")).unwrap())
            .spawn()
            .unwrap();
        let value = Self::addresses(&addresses);
        let address = |key: &str| value[key].as_str().unwrap().parse().unwrap();
        let (http, udp, tcp) = (address("http"), address("udp"), address("tcp"));
        Self { child, http, udp, tcp, data }
    }

    fn addresses(file: &Path) -> serde_json::Value {
        let deadline = Instant::now() + 2 * PATIENCE;
        while Instant::now() < deadline {
            if let Some(value) =
                std::fs::read_to_string(file).ok().and_then(|text| serde_json::from_str(&text).ok())
            {
                return value;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the gateway did not start");
    }

    fn password(&self, user: &str) -> String {
        let text = std::fs::read_to_string(self.data.path().join("demo-accounts.json")).unwrap();
        let accounts: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let account = accounts.iter().find(|account| account["username"] == user).unwrap();
        account["password"].as_str().unwrap().to_owned()
    }

    /// Lines it has written.
    fn lines(&self) -> u64 {
        let count = |name| std::fs::read_to_string(self.data.path().join(name)).unwrap().lines().count();
        (count("out.log") + count("err.log")) as u64
    }

    /// The most memory it ever had, MiB.
    fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
    }

    async fn metric(&self, name: &str) -> u64 {
        support::metric(self.http, name).await
    }

    /// The counters of caps that nothing has met.
    async fn unmet(&self) -> Vec<&'static str> {
        const COUNTERS: [&str; 7] = [
            "trapezoid_refusals_total{reason=\"connections_per_ip\"}",
            "trapezoid_refusals_total{reason=\"handshakes_per_ip\"}",
            "trapezoid_closings_total{reason=\"idle\"}",
            "trapezoid_closings_total{reason=\"no_room\"}",
            "trapezoid_closings_total{reason=\"slow_consumer\"}",
            "trapezoid_sip_malformed_dropped_total",
            "trapezoid_sip_transactions_full_total",
        ];
        let mut unmet = Vec::new();
        for counter in COUNTERS {
            if self.metric(counter).await == 0 {
                unmet.push(counter);
            }
        }
        unmet
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(from: &str, to: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    // Whoever does not read is noticed soon.
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind(SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0)).unwrap();
    timeout(PATIENCE, socket.connect(to)).await.ok()?.ok()
}

/// Connections that say nothing, more than there are places.
async fn connections(tcp: SocketAddr, stop: Arc<AtomicBool>) {
    let mut open = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        open.extend(connect(CONNECTING, tcp).await);
        if open.len() == 400 {
            // Longer than `idle`.
            sleep(Duration::from_millis(3_500)).await;
            open.clear();
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Upgrades of which 15 KiB have come.
async fn upgrades(http: SocketAddr, stop: Arc<AtomicBool>) {
    let mut open = Vec::new();
    let head = format!("GET /sip HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(15_000));
    while !stop.load(Ordering::Relaxed) {
        if let Some(mut stream) = connect(UPGRADING, http).await {
            let _ = stream.write_all(head.as_bytes()).await;
            open.push(stream);
        }
        if open.len() == 200 {
            open.clear();
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Messages of which 60,000 bytes have come, on streams and in WebSocket frames.
async fn parts(tcp: SocketAddr, http: SocketAddr, stop: Arc<AtomicBool>) {
    let mut open = Vec::new();
    let message = format!("OPTIONS sip:localhost SIP/2.0\r\nX: {}", "x".repeat(60_000));
    // A text message of 65,000 bytes, its mask zero (RFC 6455 §5.2).
    let frame = [&[0x81, 0xfe, 0xfd, 0xe8, 0, 0, 0, 0], message.as_bytes()].concat();
    // The first part of one of more, whole, and a ping.
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let part =
        [[0x01, 0xfe].as_slice(), &length, &[0; 4], message.as_bytes(), &[0x89, 0x80, 0, 0, 0, 0]].concat();
    while !stop.load(Ordering::Relaxed) {
        for (to, bytes) in [(tcp, message.as_bytes()), (http, frame.as_slice()), (http, part.as_slice())] {
            let Some(mut stream) = connect(HALVING, to).await else { continue };
            if to == http {
                // Refused where there is no place for it.
                let handshake = "GET /sip HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                                 Sec-WebSocket-Protocol: sip\r\n\r\n";
                let _ = stream.write_all(handshake.as_bytes()).await;
                sleep(Duration::from_millis(20)).await;
            }
            let _ = stream.write_all(bytes).await;
            open.push(stream);
        }
        if open.len() > 200 {
            open.clear();
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Pages that ask and do not read what is answered.
async fn deaf(http: SocketAddr, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(DEAF, http).await else { continue };
        if !upgrade(&mut stream, http, &[]).await.starts_with("HTTP/1.1 101 ") {
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        let mut page = WsPeer::upgraded(stream, "WS").await;
        let via = format!(";rport;filler={}", "y".repeat(3_000));
        for n in 0.. {
            let options = page.request(
                "OPTIONS",
                "sip:localhost",
                "sip:d@localhost",
                "<sip:localhost>",
                &format!("deaf{n}"),
                1,
                "",
            );
            let message = tokio_tungstenite::tungstenite::Message::text(options.replace(";rport", &via));
            let sent = timeout(Duration::from_secs(3), page.try_send(message)).await;
            if stop.load(Ordering::Relaxed) || !sent.is_ok_and(|sent| sent) {
                break;
            }
        }
    }
}

/// Datagrams of no kind, and requests that begin transactions: INVITEs that are challenged and never acknowledged, REGISTERs of
/// as many contacts as a datagram holds.
async fn datagrams(udp: SocketAddr, stop: Arc<AtomicBool>) -> u64 {
    let socket = UdpSocket::bind((ASKING, 0)).await.unwrap();
    let junk = vec![0xa5; 60_000];
    let padding = "x".repeat(4_000);
    let contacts: String =
        (0..400).map(|n| format!("Contact: <sip:c{n}@192.0.2.1:5060;transport=udp;x={n}>\r\n")).collect();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let head = |method: &str, uri: &str| {
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKflood{sent}\r\nMax-Forwards: 70\r\n\
                 From: <sip:alice@localhost>;tag=f{sent}\r\nTo: <sip:bob@localhost>\r\nCall-ID: flood{sent}\r\n\
                 CSeq: 1 {method}\r\n",
                socket.local_addr().unwrap()
            )
        };
        let invite =
            head("INVITE", "sip:bob@localhost") + &format!("X: {padding}\r\nContent-Length: 0\r\n\r\n");
        let register = head("REGISTER", "sip:localhost") + &contacts + "Content-Length: 0\r\n\r\n";
        // What is challenged takes no room: this is answered by the gateway itself, and kept whole until its transaction is over, for it is
        // a request of RFC 2543.
        let options = head("OPTIONS", "sip:localhost")
            .replace("alice@localhost", "a@elsewhere.example")
            .replace("z9hG4bK", "")
            + &format!("X: {padding}\r\nContent-Length: 0\r\n\r\n");
        let all = [junk.as_slice(), invite.as_bytes(), register.as_bytes(), options.as_bytes(), &junk[..4]];
        for datagram in all {
            let _ = socket.send_to(datagram, udp).await;
        }
        sent += 1;
        // As fast as this machine lets a debug build take them, and a little faster.
        if sent % 8 == 0 {
            sleep(Duration::from_millis(4)).await;
        }
    }
    sent
}

/// The request that comes next with this method; what is repeated meanwhile is not looked at.
async fn next(peer: &mut impl Peer, method: &str) -> Sip {
    loop {
        let received = peer.receive().await;
        if received.method() == method {
            return received;
        }
    }
}

/// The final answer to the request of this CSeq.
async fn answer(peer: &mut impl Peer, cseq: &str) -> Sip {
    loop {
        let response = peer.receive_final().await;
        if response.header("CSeq") == cseq {
            return response;
        }
    }
}

/// A whole call from Alice's page to Bob's phone.
async fn call(alice: &mut WsPeer, bob: &mut TcpPeer, n: u32) {
    let (from, to, call_id) = ("sip:alice@localhost", "<sip:bob@localhost>", format!("call{n}"));
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, 1, &contact)).await;
    let invited = loop {
        let invited = next(bob, "INVITE").await;
        if invited.header("Call-ID") == call_id {
            break invited;
        }
    };
    bob.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = answer(alice, "1 INVITE").await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let routes: String =
        ok.all("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    let contact = ok.header("Contact");
    let target = &contact[contact.find('<').unwrap() + 1..contact.find('>').unwrap()];
    let to = "<sip:bob@localhost>;tag=b";
    alice.send(&alice.request("ACK", target, from, to, &call_id, 1, &routes)).await;
    next(bob, "ACK").await;
    alice.send(&alice.request("BYE", target, from, to, &call_id, 2, &routes)).await;
    let bye = next(bob, "BYE").await;
    bob.send(&bye.response("200 OK", "b", "")).await;
    assert_eq!(answer(alice, "2 BYE").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_call_each_other_in_a_flood_of_everything_and_memory_stays_under_its_bound() {
    let program = Program::start();
    let mut alice = WsPeer::new(program.http).await;
    // Over UDP what the flood drowns would have to be repeated, as phones do and these peers do not.
    let mut bob = TcpPeer::new(program.tcp).await;
    assert_eq!(alice.register("alice", &program.password("alice"), "a", "").await.status(), 200);
    assert_eq!(bob.register("bob", &program.password("bob"), "b", "").await.status(), 200);
    let stop = Arc::new(AtomicBool::new(false));
    let (http, tcp, udp) = (program.http, program.tcp, program.udp);
    let flooding = [
        tokio::spawn(connections(tcp, Arc::clone(&stop))),
        tokio::spawn(upgrades(http, Arc::clone(&stop))),
        tokio::spawn(parts(tcp, http, Arc::clone(&stop))),
        tokio::spawn(deaf(http, Arc::clone(&stop))),
        tokio::spawn(deaf(http, Arc::clone(&stop))),
    ];
    let asking = tokio::spawn(datagrams(udp, Arc::clone(&stop)));
    let (began, mut calls) = (Instant::now(), 0);
    // Until each flood has met its cap.
    loop {
        timeout(2 * PATIENCE, call(&mut alice, &mut bob, calls)).await.expect("calls go on");
        calls += 1;
        if began.elapsed() < Duration::from_secs(8) || calls % 4 > 0 {
            continue;
        }
        let unmet = program.unmet().await;
        if unmet.is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "not met: {unmet:?}");
    }
    stop.store(true, Ordering::Relaxed);
    for flood in flooding {
        flood.await.unwrap();
    }
    let asked = asking.await.unwrap();
    // A second may have begun more than has passed; what was left out is said in a line of its own.
    let (lines, seconds) = (program.lines(), began.elapsed().as_secs() + 2);
    assert!(lines > LINES && lines <= FIRST_LINES + seconds * (LINES + 2), "{lines} lines in {seconds} s");
    let most = program.most_memory();
    println!("{calls} calls during {asked} rounds of datagrams; {most} MiB at most");
    assert!(most < MEMORY + OWN, "{most} MiB");
    assert!(calls >= 5, "{calls} calls");
    // What was counted is given back.
    let expected = [
        ("trapezoid_flows{transport=\"tcp\"}", 1),
        ("trapezoid_flows{transport=\"ws\"}", 1),
        ("trapezoid_queued_bytes", 0),
        ("trapezoid_partial_bytes", 0),
        ("trapezoid_sip_forwarding", 0),
        ("trapezoid_sip_questions_open", 0),
        ("trapezoid_bindings", 2),
        // 64·T1 after the last of them (RFC 3261 §17.2).
        ("trapezoid_sip_transactions", 0),
    ];
    for (name, value) in expected {
        let down = async {
            while program.metric(name).await != value {
                sleep(Duration::from_millis(200)).await;
            }
        };
        assert!(timeout(Duration::from_secs(45), down).await.is_ok(), "{name} never was {value}");
    }
    // Whoever flooded is served again.
    assert!(connect(CONNECTING, http).await.is_some());
    call(&mut alice, &mut bob, calls).await;
}
