//! The WebSocket listener: who gets in, and what ends a connection.

mod support;

use std::time::Duration;

use support::peers::{Peer as _, TcpPeer, WsPeer, handshake};
use support::{PATIENCE, start, start_with};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use ws_gateway::config::Memory;

#[tokio::test]
async fn the_handshake_is_answered_as_the_rfc_says() {
    let running = start();
    let (_stream, answer) = handshake(running.gateway.addresses().http, &[]).await;
    let lower = answer.to_ascii_lowercase();
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
    // RFC 6455 §1.3's example.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    assert!(lower.contains("sec-websocket-protocol: sip\r\n"), "{answer}");
    assert!(lower.contains("upgrade: websocket\r\n"), "{answer}");
}

#[tokio::test]
async fn refusals_have_a_status_a_sentence_and_a_counter() {
    let running = start();
    let http = running.gateway.addresses().http;
    /// Changed headers, status, counter.
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let table: &[Row<'_>] = &[
        (&[("Sec-WebSocket-Protocol", "")], "400", "subprotocol"),
        (&[("Sec-WebSocket-Protocol", "chat, superchat")], "400", "subprotocol"),
        (&[("Origin", "https://evil.test")], "403", "origin"),
        (&[("Origin", "null")], "403", "origin"),
        (&[("Origin", "https://evil.test"), ("Sec-WebSocket-Protocol", "")], "403", "origin"),
        (&[("Upgrade", "")], "426", "handshake"),
        (&[("Sec-WebSocket-Version", "8")], "426", "handshake"),
        (&[("Sec-WebSocket-Key", "short")], "426", "handshake"),
        // A strange name that leads here.
        (&[("Host", "rebound.evil.test"), ("Origin", "http://rebound.evil.test")], "403", ""),
    ];
    for (changed, status, reason) in table {
        let counter = format!("trapezoid_refusals_total{{reason=\"{reason}\"}}");
        let before = running.metric(&counter).await;
        let (_, answer) = handshake(http, changed).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{changed:?}: {answer}");
        if !reason.is_empty() {
            assert_eq!(running.metric(&counter).await, before + 1, "{changed:?}");
        }
    }
    for origin in ["http://localhost:5173", "http://127.0.0.1:1", &format!("http://{http}")] {
        let (_, answer) = handshake(http, &[("Origin", origin)]).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{origin}: {answer}");
    }
    let (_, answer) = handshake(http, &[("Sec-WebSocket-Protocol", "chat, SIP")]).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

#[tokio::test]
async fn caps_hold_and_places_come_back() {
    for per_ip in [false, true] {
        let running = start_with(|config| {
            let cap =
                if per_ip { &mut config.limits.connections_per_ip } else { &mut config.limits.connections };
            *cap = 2;
        });
        let http = running.gateway.addresses().http;
        let first = WsPeer::new(http).await;
        let _second = WsPeer::new(http).await;
        let (_, refused) = handshake(http, &[]).await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("Retry-After: 5"), "{refused}");
        // SIP over TCP has nothing to say before a request: it is closed.
        let mut tcp = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
        tcp.closed().await;
        drop(first);
        let came_back = async {
            while !handshake(http, &[]).await.1.starts_with("HTTP/1.1 101 ") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, came_back).await.expect("the place comes back");
        let reason = if per_ip { "connections_per_ip" } else { "connections" };
        let counter = format!("trapezoid_refusals_total{{reason=\"{reason}\"}}");
        assert!(running.metric(&counter).await >= 2);
    }
}

#[tokio::test]
async fn a_crlf_ping_is_answered_by_a_crlf() {
    let running = start();
    let mut peer = WsPeer::new(running.gateway.addresses().http).await;
    peer.send("\r\n\r\n").await;
    assert_eq!(peer.receive_message().await, Some(Message::text("\r\n")));
    peer.send_message(Message::Ping("x".into())).await;
    assert_eq!(peer.receive_message().await, Some(Message::Pong("x".into())));
}

#[tokio::test]
async fn an_oversize_message_is_closed_with_1009() {
    let running = start();
    let mut peer = WsPeer::new(running.gateway.addresses().http).await;
    peer.send(&"x".repeat(65_537)).await;
    let Some(Message::Close(Some(close))) = peer.receive_message().await else { panic!("no close") };
    assert_eq!(close.code, CloseCode::Size);
    running.wait_for_metric("trapezoid_closings_total{reason=\"too_long\"}", 1).await;
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 0).await;
}

#[tokio::test]
async fn a_frame_length_of_2_to_the_63_is_closed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = start();
    let (mut stream, _) = handshake(running.gateway.addresses().http, &[]).await;
    let frame = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5];
    stream.write_all(&frame).await.unwrap();
    let mut answer = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[0], 0x88, "a close frame");
    assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), 1009);
}

/// RFC 6455 §5.4: control frames may come between the parts of a message, and what has come of it stays counted.
#[tokio::test]
async fn a_ping_amid_a_message_hides_nothing_of_what_has_come_of_it() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const PARTIAL: &str = "trapezoid_partial_bytes";
    const PART: usize = 60_000;
    // A part of a text message, and a ping; their masks are zero (§5.2).
    let begin = [&[0x01, 0xfe, 0xea, 0x60, 0, 0, 0, 0], [b'x'; PART].as_slice()].concat();
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let running = start_with(|config| config.limits.memory = Memory::mebibytes(64));
    let http = running.gateway.addresses().http;
    let mut open = Vec::new();
    for _ in 0..20 {
        let (mut stream, _) = handshake(http, &[]).await;
        stream.write_all(&[begin.as_slice(), &ping].concat()).await.unwrap();
        let mut answer = [0; 2];
        let answered = timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap();
        if answered.is_err() || answer != [0x8a, 0] {
            break;
        }
        open.push(stream);
        assert!(running.metric(PARTIAL).await >= (open.len() * PART) as u64);
    }
    assert!((5..20).contains(&open.len()), "{} have room", open.len());
    running.wait_for_metric("trapezoid_closings_total{reason=\"no_room\"}", 1).await;
    // With its rest it is a message, and nothing is kept of it.
    let mut first = open.swap_remove(0);
    drop(open);
    first.write_all(&[0x80, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    running.wait_for_metric(PARTIAL, 0).await;
    // Control frames alone are no part of anything.
    let longest = [&[0x89, 0xfd, 0, 0, 0, 0], [b'p'; 125].as_slice()].concat();
    for _ in 0..100 {
        first.write_all(&longest).await.unwrap();
        let mut answer = [0; 127];
        timeout(PATIENCE, first.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer[0], 0x8a);
    }
    assert_eq!(running.metric(PARTIAL).await, 0);
}

#[tokio::test]
async fn a_silent_stranger_is_closed() {
    let running = start_with(|config| config.timeouts.idle = Duration::from_millis(300));
    let mut peer = WsPeer::new(running.gateway.addresses().http).await;
    peer.send("\r\n\r\n").await;
    assert_eq!(peer.receive_message().await, Some(Message::text("\r\n")));
    let Some(Message::Close(Some(close))) = peer.receive_message().await else { panic!("no close") };
    assert_eq!(close.code, CloseCode::Policy);
    running.wait_for_metric("trapezoid_closings_total{reason=\"idle\"}", 1).await;
}

#[tokio::test]
async fn a_registered_peer_may_be_silent() {
    let running = start_with(|config| config.timeouts.idle = Duration::from_millis(300));
    let mut peer = WsPeer::new(running.gateway.addresses().http).await;
    let password = running.password("alice");
    assert_eq!(peer.register("alice", &password, "silent", "").await.status(), 200);
    tokio::time::sleep(Duration::from_millis(900)).await;
    peer.send("\r\n\r\n").await;
    assert_eq!(peer.receive_message().await, Some(Message::text("\r\n")));
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_closed_and_who_does_is_not() {
    use tokio::io::AsyncReadExt as _;
    let running = start_with(|config| {
        config.timeouts.ping = Duration::from_millis(200);
        config.timeouts.pong = Duration::from_millis(300);
    });
    let http = running.gateway.addresses().http;
    // Nobody is behind this stream.
    let (mut dead, _) = handshake(http, &[]).await;
    let mut bytes = Vec::new();
    timeout(PATIENCE, dead.read_to_end(&mut bytes)).await.expect("closed").unwrap();
    assert_eq!(bytes, [0x89, 0], "one ping, and no goodbye to nobody");
    running.wait_for_metric("trapezoid_closings_total{reason=\"unanswered\"}", 1).await;

    // The library of this one answers while it is read.
    let mut live = WsPeer::new(http).await;
    let mut pings = 0;
    while pings < 4 {
        match live.receive_message().await {
            Some(Message::Ping(_)) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    live.send("\r\n\r\n").await;
    while let Some(message) = live.receive_message().await {
        match message {
            Message::Ping(_) => {}
            other => return assert_eq!(other, Message::text("\r\n")),
        }
    }
    panic!("it was closed");
}

#[tokio::test]
async fn a_half_sent_handshake_is_closed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = start_with(|config| config.timeouts.handshake = Duration::from_millis(300));
    let mut stream = tokio::net::TcpStream::connect(running.gateway.addresses().http).await.unwrap();
    stream.write_all(b"GET /sip HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed").unwrap();
}

#[tokio::test]
async fn silent_http_connections_keep_no_place() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = start_with(|config| config.timeouts.handshake = Duration::from_millis(300));
    let http = running.gateway.addresses().http;
    // Nothing was ever said; and after one request, nothing more.
    for said in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(http).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed").unwrap();
        assert_eq!(String::from_utf8(answer).unwrap().ends_with("ok\n"), !said.is_empty());
    }
}

#[tokio::test]
async fn stopping_says_goodbye_with_1001() {
    let running = start();
    let mut peer = WsPeer::new(running.gateway.addresses().http).await;
    let stopping = tokio::spawn(running.gateway.stop());
    let Some(Message::Close(Some(close))) = peer.receive_message().await else { panic!("no close") };
    assert_eq!(close.code, CloseCode::Away);
    // The library answers the close when it is read on.
    assert_eq!(peer.receive_message().await, None);
    drop(peer);
    timeout(PATIENCE, stopping).await.expect("stops").unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed_and_the_others_go_on() {
    let running = start_with(|config| config.timeouts.write = Duration::from_millis(300));
    let http = running.gateway.addresses().http;
    let mut deaf = WsPeer::new(http).await;
    // Every request is answered with its long Via, and no answer is read: the system's buffers fill up.
    let via = format!(";rport;filler={}", "y".repeat(60_000));
    let mut sent = 0;
    loop {
        let call_id = format!("deaf{sent}");
        let request = deaf.request(
            "OPTIONS",
            "sip:localhost",
            "sip:alice@localhost",
            "<sip:localhost>",
            &call_id,
            1,
            "",
        );
        let request = Message::text(request.replace(";rport", &via));
        if !timeout(Duration::from_secs(2), deaf.try_send(request)).await.is_ok_and(|sent| sent) {
            break;
        }
        sent += 1;
        assert!(sent < 1_000, "never closed");
    }
    running.wait_for_metric("trapezoid_closings_total{reason=\"slow_consumer\"}", 1).await;
    let mut other = WsPeer::new(http).await;
    let password = running.password("bob");
    assert_eq!(other.register("bob", &password, "other", "").await.status(), 200);
}

/// The library answers pings by itself, and would keep the answers that nobody reads.
#[tokio::test]
async fn who_pings_without_end_and_reads_no_answer_is_closed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const PINGS: usize = 500;
    let running = start();
    let http = running.gateway.addresses().http;
    // A client's ping of 125 bytes, masked with zeros.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    let pings = ping.repeat(PINGS);
    let (mut deaf, _) = handshake(http, &[]).await;
    let mut sent = 0;
    while timeout(PATIENCE, deaf.write_all(&pings)).await.is_ok_and(|sent| sent.is_ok()) {
        sent += pings.len();
        assert!(sent < 128 * 1_024 * 1_024, "never closed");
    }
    running.wait_for_metric("trapezoid_closings_total{reason=\"slow_consumer\"}", 1).await;
    // Whoever reads may ping as much.
    let (mut reader, mut writer) = handshake(http, &[]).await.0.into_split();
    let pinging = tokio::spawn(async move {
        for _ in 0..100 {
            writer.write_all(&pings).await.unwrap();
        }
        writer
    });
    let mut answers = vec![0; 100 * PINGS * (2 + 125)];
    timeout(PATIENCE, reader.read_exact(&mut answers)).await.expect("answers").unwrap();
    assert!(answers.chunks(127).all(|answer| answer[..2] == [0x8a, 125]));
    drop(pinging.await.unwrap());
    assert_eq!(running.metric("trapezoid_closings_total{reason=\"slow_consumer\"}").await, 1);
}
