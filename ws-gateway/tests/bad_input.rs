//! What other SIP servers fell over, sent through real sockets: the table is in docs/security.md. Whatever comes, the next peer
//! is served.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer, handshake};
use support::{PATIENCE, Running, Sip, start, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const STRANGER: &str = "sip:x@example.com";

/// An OPTIONS to the gateway itself.
fn options(peer: &impl Peer, call_id: &str) -> String {
    peer.request("OPTIONS", "sip:localhost", STRANGER, "<sip:localhost>", call_id, 1, "")
}

/// A Call-ID of its own, lest requests of the same From count as merged (RFC 3261 §8.2.2.2).
fn fresh() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("id{}", LAST.fetch_add(1, Ordering::Relaxed))
}

/// Somebody new is answered over each transport.
async fn is_well(running: &Running) {
    let addresses = running.gateway.addresses();
    let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
    asks(&mut udp).await;
    asks(&mut TcpPeer::new(addresses.tcp.unwrap()).await).await;
    asks(&mut WsPeer::new(addresses.http).await).await;
}

async fn asks(peer: &mut impl Peer) {
    let question = options(peer, &fresh());
    peer.send(&question).await;
    // A page is asked who it is.
    let expected = if peer.via() == "WS" { 407 } else { 200 };
    assert_eq!(peer.receive().await.status(), expected);
}

/// The answer to an OPTIONS with something replaced.
async fn answer(peer: &mut impl Peer, from: &str, to: &str) -> Sip {
    let request = options(peer, &fresh());
    assert!(request.contains(from), "{from:?} is not in {request}");
    peer.send(&request.replace(from, to)).await;
    peer.receive().await
}

/// CVE-2018-8828 (branch), CVE-2017-9372 (CSeq), and the other names that are kept or compared.
#[tokio::test]
async fn overlong_branch_tag_call_id_and_method() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    for length in [513, 4_096, 60_000] {
        let long = "x".repeat(length);
        let rows = [
            (";branch=z9hG4bK", format!(";branch=z9hG4bK{long}")),
            (";tag=", format!(";tag={long}")),
            ("Call-ID: ", format!("Call-ID: {long}")),
            ("CSeq: 1 OPTIONS", format!("CSeq: 1 {long}")),
            ("CSeq: 1 OPTIONS", format!("CSeq: {} OPTIONS", "9".repeat(length))),
            ("Max-Forwards: 70", format!("Max-Forwards: {}", "7".repeat(length))),
        ];
        for (from, to) in rows {
            let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
            assert_eq!(answer(&mut udp, from, &to).await.status(), 400, "{from} of {length}");
            let mut tcp = TcpPeer::new(addresses.tcp.unwrap()).await;
            assert_eq!(answer(&mut tcp, from, &to).await.status(), 400, "{from} of {length}");
            // What ends in 400 ends no connection.
            asks(&mut tcp).await;
            let mut page = WsPeer::new(addresses.http).await;
            assert_eq!(answer(&mut page, from, &to).await.status(), 400, "{from} of {length}");
            asks(&mut page).await;
        }
    }
    is_well(&running).await;
}

/// CVE-2020-28361, CVE-2016-9938: a name that one server knows and the next does not, for what stands between it and its colon.
#[tokio::test]
async fn a_header_name_with_something_before_its_colon_is_that_name_or_refused() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut alice = WsPeer::new(addresses.http).await;
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    let message = |alice: &WsPeer, call_id: &str, header: &str| {
        alice.request(
            "MESSAGE",
            "sip:bob@localhost",
            "sip:alice@localhost",
            "<sip:bob@localhost>",
            call_id,
            1,
            header,
        )
    };
    // RFC 3261 §25.1: white space there means nothing.
    for (n, between) in [" ", "\t", " \t  "].into_iter().enumerate() {
        let smuggled = format!("P-Asserted-Identity{between}: <sip:boss@localhost>\r\n");
        alice.send(&message(&alice, &format!("white{n}"), &smuggled)).await;
        let received = bob.receive().await;
        assert!(!received.0.contains("boss"), "{between:?}: {}", received.0);
        assert_eq!(received.all("P-Asserted-Identity"), ["<sip:alice@localhost>"]);
        bob.send(&received.response("200 OK", "b", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
    }
    // Anything else is no name.
    for (n, between) in
        ["\r\n ", "\0", "\u{1}", "\u{b}", "\u{c}", "\u{7f}", "\u{a0}", "\"", "@", "é"].into_iter().enumerate()
    {
        let smuggled = format!("P-Asserted-Identity{between}: <sip:boss@localhost>\r\n");
        alice.send(&message(&alice, &format!("other{n}"), &smuggled)).await;
        assert_eq!(alice.receive().await.status(), 400, "{between:?}");
    }
    // Nor is there one before the colon, or without any.
    for (n, line) in [": x\r\n", "no colon\r\n"].into_iter().enumerate() {
        alice.send(&message(&alice, &format!("none{n}"), &format!("Subject: x\r\n{line}"))).await;
        assert_eq!(alice.receive().await.status(), 400, "{line:?}");
    }
    is_well(&running).await;
}

/// CVE-2022-21723: a multipart body ends before its boundary does. Bodies are their readers' business: they pass as they came.
#[tokio::test]
async fn multipart_bodies_pass_byte_for_byte_whatever_their_boundary_says() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut alice = WsPeer::new(addresses.http).await;
    let mut bob = TcpPeer::new(addresses.tcp.unwrap()).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    let long = "b".repeat(8_000);
    let rows: &[(&str, &str)] = &[
        ("multipart/mixed;boundary=x", "--x"),
        ("multipart/mixed;boundary=x", "--x--"),
        ("multipart/mixed;boundary=x", "--x\r\n--x\r\n--x"),
        ("multipart/mixed;boundary=\"\"", "--\r\n\r\n----"),
        ("multipart/mixed", "--x\r\n\r\nno boundary\r\n--x--"),
        ("multipart/mixed;boundary=\"unfinished", "--unfinished\r\n"),
        (&format!("multipart/mixed;boundary={long}"), "--b"),
        ("application/sdp", "v=0\r\no=\r\nm=\r\n\0"),
    ];
    for (n, (content, body)) in rows.iter().enumerate() {
        let headers = format!("Content-Type: {content}\r\n");
        let request = alice.request(
            "MESSAGE",
            "sip:bob@localhost",
            "sip:alice@localhost",
            "<sip:bob@localhost>",
            &format!("multipart{n}"),
            1,
            &headers,
        );
        let request =
            request.replace("Content-Length: 0\r\n", &format!("Content-Length: {}\r\n", body.len()));
        alice.send(&(request + body)).await;
        let received = bob.receive().await;
        assert_eq!((received.header("Content-Type"), received.body()), (*content, *body));
        bob.send(&received.response("200 OK", "b", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
    }
}

/// CVE-2018-7284: more Accept header fields than a table of 32 holds.
#[tokio::test]
async fn fifty_accept_header_fields_pass_and_three_hundred_are_refused() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut alice = WsPeer::new(addresses.http).await;
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    for (count, passes) in [(50, true), (300, false)] {
        let accept: String = (0..count).map(|n| format!("Accept: application/x-{n}\r\n")).collect();
        let subscribe = alice.request(
            "SUBSCRIBE",
            "sip:bob@localhost",
            "sip:alice@localhost",
            "<sip:bob@localhost>",
            &format!("accept{count}"),
            1,
            &format!("{accept}Event: presence\r\nContact: {}\r\n", alice.contact("alice")),
        );
        alice.send(&subscribe).await;
        if passes {
            let received = bob.receive().await;
            assert_eq!(received.all("Accept").len(), count);
            bob.send(&received.response("489 Bad Event", "b", "")).await;
        }
        assert_eq!(alice.receive_final().await.status(), if passes { 489 } else { 400 });
    }
    // And as one field of many values.
    let mut tcp = TcpPeer::new(addresses.tcp.unwrap()).await;
    let values = vec!["a/b"; 10_000].join(",");
    assert_eq!(
        answer(&mut tcp, "Max-Forwards", &format!("Accept: {values}\r\nMax-Forwards")).await.status(),
        200
    );
    is_well(&running).await;
}

/// CVE-2020-28327: an INVITE whose sender is gone before it is answered.
#[tokio::test]
async fn an_invite_whose_connection_closes_at_once_harms_nobody() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    let mut invited = Vec::new();
    for n in 0..20 {
        let mut caller = TcpPeer::new(addresses.tcp.unwrap()).await;
        let contact = format!("Contact: {}\r\n", caller.contact("x"));
        let (call_id, to) = (format!("gone{n}"), "<sip:bob@localhost>");
        caller
            .send(&caller.request("INVITE", "sip:bob@localhost", STRANGER, to, &call_id, 1, &contact))
            .await;
        // Every other one leaves before it has seen the 100.
        if n % 2 == 0 {
            assert_eq!(caller.receive().await.status(), 100);
        }
        drop(caller);
        invited.push(bob.receive().await);
    }
    for invite in &invited {
        assert_eq!(invite.method(), "INVITE", "{}", invite.0);
        bob.send(&invite.response("486 Busy Here", "b", "")).await;
    }
    for _ in &invited {
        // Perhaps an INVITE once more, for a retransmission may have crossed the answer.
        let acknowledged = async { while bob.receive().await.method() != "ACK" {} };
        timeout(PATIENCE, acknowledged).await.expect("each refusal has its ACK");
    }
    running.wait_for_metric("trapezoid_flows{transport=\"tcp\"}", 0).await;
    running.wait_for_metric("trapezoid_sip_forwarding", 0).await;
    is_well(&running).await;
}

/// AST-2016-005: connections that say nothing take all places, for ever.
#[tokio::test]
async fn silent_connections_lose_their_places() {
    let running = start_with(|config| {
        config.limits.connections_per_ip = 9;
        config.timeouts.idle = Duration::from_secs(1);
        config.timeouts.handshake = Duration::from_secs(1);
    });
    let addresses = running.gateway.addresses().clone();
    let mut silent = Vec::new();
    for n in 0..9 {
        // Some say nothing at all, some begin and stop.
        let (port, begun) = match n % 3 {
            0 => (addresses.http, "GET /sip HTTP/1.1\r\n"),
            _ => (addresses.tcp.unwrap(), "INVITE sip:bob@localhost SIP/2.0\r\n"),
        };
        let mut stream = TcpStream::connect(port).await.unwrap();
        let said = [b"".as_slice(), begun.as_bytes(), b"\r\n\r\n"][n / 3 % 3];
        stream.write_all(said).await.unwrap();
        silent.push(stream);
    }
    let mut refused = TcpPeer::new(addresses.tcp.unwrap()).await;
    refused.closed().await;
    for stream in &mut silent {
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time");
    }
    let mut phone = TcpPeer::new(addresses.tcp.unwrap()).await;
    assert_eq!(phone.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    assert!(running.metric("trapezoid_refusals_total{reason=\"connections_per_ip\"}").await >= 1);
    assert!(running.metric("trapezoid_closings_total{reason=\"idle\"}").await >= 1);
}

/// RFC 3261 §18.3, §20.14: what a stream cannot be divided by ends it, and nothing of it is taken for a second message.
#[tokio::test]
async fn content_lengths_that_are_huge_negative_twice_or_lies() {
    let running = start_with(|config| config.timeouts.handshake = Duration::from_millis(400));
    let addresses = running.gateway.addresses().clone();
    let smuggled = "OPTIONS sip:localhost SIP/2.0\r\n";
    let rows = [
        ("99999999999999999999999", 513),
        ("18446744073709551617", 513),
        ("4294967297", 513),
        ("70000", 513),
        ("-1", 400),
        ("+1", 400),
        ("0x10", 400),
        ("1 2", 400),
        ("", 400),
        ("0\r\nContent-Length: 31", 400),
        ("31\r\nl: 0", 400),
        ("0, 31", 400),
    ];
    for (length, status) in rows {
        let changed = format!("Content-Length: {length}\r\n");
        let mut tcp = TcpPeer::new(addresses.tcp.unwrap()).await;
        let request = options(&tcp, &fresh()).replace("Content-Length: 0\r\n", &changed);
        tcp.send(&(request + smuggled)).await;
        assert_eq!(tcp.receive().await.status(), status, "{length:?}");
        tcp.closed().await;
        let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
        let request = options(&udp, &fresh()).replace("Content-Length: 0\r\n", &changed);
        udp.send(&(request + smuggled)).await;
        assert_eq!(udp.receive().await.status(), 400, "{length:?} in a datagram");
    }
    // More was said than came: a datagram is refused, a stream is waited for no longer than `handshake`.
    let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(answer(&mut udp, "Content-Length: 0", "Content-Length: 5").await.status(), 400);
    let mut tcp = TcpPeer::new(addresses.tcp.unwrap()).await;
    tcp.send(&options(&tcp, "lie").replace("Content-Length: 0", "Content-Length: 5")).await;
    tcp.closed().await;
    // Less was said than came (§18.3): the rest of a datagram is nothing.
    udp.send(&(options(&udp, "rest") + &options(&udp, "smuggled"))).await;
    assert_eq!(udp.receive().await.header("Call-ID"), "rest");
    asks(&mut udp).await;
    is_well(&running).await;
}

/// CVE-2023-43669: a handshake without end. So is a request line, or ten thousand fields.
/// Every refusal says why, and what the log has of it.
#[tokio::test]
async fn a_stream_that_is_refused_is_told_why() {
    let running = start();
    let tcp = running.gateway.addresses().tcp.unwrap();
    let rows = [
        ("Content-Length: 0\r\n", "", "400 Bad Request (Missing Content-Length)"),
        (
            "Content-Length: 0",
            "Content-Length: 1\r\nContent-Length: 0",
            "400 Bad Request (Duplicate Content-Length)",
        ),
        ("Content-Length: 0", "Content-Length: 99999999", "513 "),
    ];
    for (n, (old, new, status)) in rows.into_iter().enumerate() {
        let mut peer = TcpPeer::new(tcp).await;
        let whole = options(&peer, &fresh());
        // What was asked before is answered before.
        peer.send(&format!("{whole}{}", options(&peer, &fresh()).replace(old, new))).await;
        assert_eq!(peer.receive().await.status(), 200);
        let refused = peer.receive().await;
        assert!(refused.start_line().starts_with(&format!("SIP/2.0 {status}")), "{}", refused.0);
        let warning = refused.header("Warning");
        let tag = refused.header("To").split_once(";tag=").unwrap().1;
        assert!(warning.starts_with("399 localhost \""), "{warning}");
        assert!(warning.contains(&format!("(trace {})", &tag[..8])), "{warning} {tag}");
        peer.closed().await;
        running.wait_for_metric("trapezoid_sip_malformed_refused_total", n as u64 + 1).await;
    }
}

#[tokio::test]
async fn giant_upgrade_headers_are_refused() {
    let running = start();
    let http = running.gateway.addresses().http;
    let long = "x".repeat(20_000);
    let many = "X: y\r\n".repeat(10_000);
    let rows = [
        format!("GET /sip HTTP/1.1\r\nHost: localhost\r\nX: {long}"),
        format!("GET /sip?{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /sip HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
    ];
    for request in rows {
        let mut stream = TcpStream::connect(http).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time");
        let answer = String::from_utf8(answer).unwrap();
        let refused =
            answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 414 ") || answer.is_empty();
        assert!(refused, "{answer}");
    }
    // A key or a list of subprotocols as long as it may be is no handshake either.
    let (_, answer) = handshake(http, &[("Sec-WebSocket-Key", &long[..12_000])]).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    is_well(&running).await;
}

/// CVE-2023-28098: credentials that are no credentials.
#[tokio::test]
async fn digest_credentials_that_cannot_be_read() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let many: String = (0..200).map(|n| format!("p{n}=\"v\", ")).collect();
    let rows = [
        "Digest",
        "Digest ",
        "Digest ,",
        "Digest ,,,,,,,,",
        "Digest =",
        "Digest username",
        "Digest username=",
        "Digest username=\"",
        "Digest username=\"alice\\",
        "Digest username=\"alice\" realm=\"localhost\"",
        "Digest username=\"alice\", realm=\"localhost\", nonce=\"\", uri=\"\", response=\"\"",
        "Digest username=\"alice\", username=\"bob\", realm=\"localhost\", nonce=\"n\", uri=\"u\", response=\"r\"",
        "Digest username=\"alice\", realm=\"localhost\", nonce=\"n\", uri=\"sip:localhost\", response=\"r\", qop=, nc=x",
        "Digest username=\"a\", realm=\"localhost\", nonce=\"n\", uri=\"u\", response=\"r\", qop=auth, nc=fffffffff, cnonce=\"\"",
        "Basic YWxpY2U6eA==",
        "Bearer",
        "\"",
        "\\",
        &format!("Digest {many}realm=\"localhost\""),
        &format!("Digest username=\"{}\", realm=\"localhost\"", "u".repeat(50_000)),
        &format!("Digest realm=\"localhost\", {}", ",".repeat(50_000)),
    ];
    let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
    let mut page = WsPeer::new(addresses.http).await;
    for (n, row) in rows.iter().enumerate() {
        let contact = format!("Contact: {}\r\nAuthorization: {row}\r\n", udp.contact("alice"));
        let (aor, call_id) = ("sip:alice@localhost", format!("digest{n}"));
        let register =
            udp.request("REGISTER", "sip:localhost", aor, "<sip:alice@localhost>", &call_id, 1, &contact);
        udp.send(&register).await;
        let status = udp.receive().await.status();
        assert!([400, 401].contains(&status), "{status} to {row}");
        let proof = format!("Proxy-Authorization: {row}\r\n");
        let message =
            page.request("MESSAGE", "sip:bob@localhost", aor, "<sip:bob@localhost>", &call_id, 1, &proof);
        page.send(&message).await;
        let status = page.receive().await.status();
        assert!([400, 407].contains(&status), "{status} to {row}");
    }
    assert_eq!(running.metric("trapezoid_bindings").await, 0);
    is_well(&running).await;
}

/// Bytes of no kind, to each port.
#[tokio::test]
async fn noise_at_every_port() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let byte = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        (0..length).map(byte).collect()
    };
    let throw = async |port: SocketAddr, bytes: &[u8]| {
        let mut stream = TcpStream::connect(port).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time");
    };
    let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
    for length in [1, 4, 19, 20, 100, 1_500, 8_192, 40_000] {
        for _ in 0..8 {
            udp.send_bytes(&noise(length)).await;
            throw(addresses.tcp.unwrap(), &noise(length)).await;
            throw(addresses.http, &noise(length)).await;
            // Behind a handshake it is frames.
            let (mut stream, _) = handshake(addresses.http, &[]).await;
            let _ = stream.write_all(&noise(length)).await;
            let _ = stream.shutdown().await;
        }
    }
    running.wait_for_metric("trapezoid_flows{transport=\"tcp\"}", 0).await;
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 0).await;
    is_well(&running).await;
}

/// Whose address a datagram has may have sent nothing: it is not challenged again and again (RFC 3261 §26.3.2.4).
#[tokio::test]
async fn who_may_be_forged_is_challenged_once_and_takes_no_room() {
    let running = start();
    let udp = running.gateway.addresses().udp.unwrap();
    let mut phone = UdpPeer::new(udp).await;
    let invite = phone.request(
        "INVITE",
        "sip:bob@localhost",
        "sip:alice@localhost",
        "<sip:bob@localhost>",
        "f",
        1,
        "",
    );
    phone.send(&invite).await;
    assert_eq!(phone.receive().await.status(), 407);
    assert_eq!(running.metric("trapezoid_sip_transactions").await, 0);
    // It would be there after half a second, and after one and a half.
    assert!(timeout(Duration::from_secs(2), phone.receive()).await.is_err());
    phone.send(&invite).await;
    assert_eq!(phone.receive().await.status(), 407);
}
