//! Caps of `[limits]` that hold for all together, met through the sockets: registrations, and connections that are not for SIP yet.

mod support;

use std::net::SocketAddr;

use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{PATIENCE, Running, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use ws_gateway::config::SipListener;

/// `limits.registrations`: whoever is registered stays so and may refresh, and the next has the place of who leaves.
#[tokio::test]
async fn registrations_of_all_together() {
    let running = start_with(|config| config.limits.registrations = 1);
    let addresses = running.gateway.addresses().clone();
    let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
    let mut alice = WsPeer::new(addresses.http).await;
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(alice.register("alice", &alice_has, "a1", "").await.status(), 200);
    for (turn, refused) in ["b1", "b2"].into_iter().enumerate() {
        let answer = bob.register("bob", &bob_has, refused, "").await;
        assert_eq!(answer.start_line(), "SIP/2.0 503 Registrations Full");
        assert_eq!(running.metric("trapezoid_bindings").await, 1);
        let again = alice.register("alice", &alice_has, &format!("again{turn}"), "").await;
        assert_eq!(again.status(), 200, "{}", again.0);
    }
    // Neither has a second of her phones a place.
    let mut second = WsPeer::new(addresses.http).await;
    assert_eq!(second.register("alice", &alice_has, "a2", "").await.status(), 503);
    let gone = alice.register("alice", &alice_has, "a3", ";expires=0").await;
    assert_eq!(gone.status(), 200, "{}", gone.0);
    assert_eq!(bob.register("bob", &bob_has, "b3", "").await.status(), 200);
    assert_eq!(running.metric("trapezoid_bindings").await, 1);
}

async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).unwrap();
    timeout(PATIENCE, socket.connect(to)).await.expect("connects").unwrap()
}

/// What is said until it is closed.
async fn rest(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A reset says nothing.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("is closed");
    String::from_utf8(said).unwrap()
}

async fn half_an_upgrade(from: u8, http: SocketAddr) -> TcpStream {
    let mut stream = connect(from, http).await;
    stream.write_all(b"GET /sip HTTP/1.1\r\nHost: loc").await.unwrap();
    stream
}

fn two_handshakes() -> Running {
    start_with(|config| {
        config.limits.handshakes = 2;
        config.tls = vec![SipListener::at(SocketAddr::from(([127, 0, 0, 1], 0)).into())];
    })
}

/// `limits.handshakes`: half an upgrade from each of several addresses. What is for SIP already goes on, and what is SIP from its
/// first byte is taken.
#[tokio::test]
async fn handshakes_of_all_together() {
    let running = two_handshakes();
    let addresses = running.gateway.addresses().clone();
    let http = addresses.http;
    let mut page = WsPeer::new(http).await;
    let open = [half_an_upgrade(31, http).await, half_an_upgrade(32, http).await];
    // Before anything is asked.
    let refused = rest(half_an_upgrade(33, http).await).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nRetry-After: 5\r\n"), "{refused}");
    assert!(refused.ends_with("This gateway has too many handshakes; try again later.\n"), "{refused}");
    // Those of TLS are among them; there is nobody to talk to yet.
    assert_eq!(rest(connect(34, addresses.tls.unwrap()).await).await, "");
    page.send("\r\n\r\n").await;
    assert_eq!(page.receive_message().await, Some(Message::text("\r\n")));
    assert_eq!(page.register("alice", &running.password("alice"), "p", "").await.status(), 200);
    let mut phone = TcpPeer::new(addresses.tcp.unwrap()).await;
    assert_eq!(phone.register("bob", &running.password("bob"), "t", "").await.status(), 200);
    // A place comes back, and then there are the counters to be read.
    let [first, second] = open;
    drop(first);
    let counter = "trapezoid_refusals_total{reason=\"handshakes\"}";
    let counted = async {
        loop {
            let stream = connect(35, http).await;
            let said = ask(stream, "/metrics").await;
            if said.starts_with("HTTP/1.1 200 ") {
                return said;
            }
            assert!(said.starts_with("HTTP/1.1 503 ") || said.is_empty(), "{said}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let metrics = timeout(PATIENCE, counted).await.expect("the place comes back");
    let count = metrics.lines().find_map(|line| line.strip_prefix(counter)).unwrap();
    // Some of these attempts may have come before the place was back.
    assert!(count.trim().parse::<u64>().unwrap() >= 2, "{count}");
    drop(second);
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 1).await;
}

/// GET, from wherever this stream comes.
async fn ask(mut stream: TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // One that is refused may be closed already.
    let _ = stream.write_all(request.as_bytes()).await;
    rest(stream).await
}

/// An upgrade that is done, and a handshake of TLS that is, are no handshakes any more.
#[tokio::test]
async fn what_has_become_sip_takes_no_place_of_a_handshake() {
    let running = two_handshakes();
    let http = running.gateway.addresses().http;
    let tls = running.gateway.addresses().tls.unwrap();
    let own = support::tls::own_certificate(&running);
    let mut pages = Vec::new();
    for n in 0..4 {
        let stream = connect(41 + n, http).await;
        pages.push(WsPeer::over(stream, http, "WS").await);
        let stream = connect(51 + n, tls).await;
        let stream = support::tls::secure(stream, "localhost", &own, None).await.unwrap();
        let mut phone = TcpPeer::over_tls(stream);
        let call_id = format!("tls{n}");
        assert_eq!(phone.register("bob", &running.password("bob"), &call_id, "").await.status(), 200);
    }
    for page in &mut pages {
        page.send("\r\n\r\n").await;
        assert_eq!(page.receive_message().await, Some(Message::text("\r\n")));
    }
    assert_eq!(running.metric("trapezoid_refusals_total{reason=\"handshakes\"}").await, 0);
}
