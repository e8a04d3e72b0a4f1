//! Caps on what the gateway does for its users outside: connections being opened, questions to DNS.

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sip_core::server::Outward;
use support::authority::Authority;
use support::peers::{Peer, TcpPeer, WsPeer};
use support::{PATIENCE, Running, start_with};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// A page of a user's, from an address of its own.
async fn page(running: &Running, user: &str, from: &str) -> WsPeer {
    let http = running.gateway.addresses().http;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let mut page = WsPeer::over(socket.connect(http).await.unwrap(), http, "WS").await;
    assert_eq!(
        page.register(user, &running.password(user), &format!("{user}{from}"), "").await.status(),
        200
    );
    page
}

/// Sends a MESSAGE of a user's to each of these and tells how many were refused at once, with 504, while the others waited: so
/// many then, with those before.
async fn refused_at_once(
    running: &Running,
    page: &mut WsPeer,
    user: &str,
    uris: &[String],
    waiting: u64,
) -> usize {
    static MESSAGES: AtomicUsize = AtomicUsize::new(0);
    let from = format!("sip:{user}@localhost");
    for uri in uris {
        let call_id = format!("cap{}", MESSAGES.fetch_add(1, Ordering::Relaxed));
        page.send(&page.request("MESSAGE", uri, &from, &format!("<{uri}>"), &call_id, 1, "")).await;
    }
    running.wait_for_metric("trapezoid_sip_questions_open", waiting).await;
    let mut refused = 0;
    while let Ok(answer) = timeout(Duration::from_millis(500), page.receive_final()).await {
        assert_eq!(answer.status(), 504, "{}", answer.0);
        refused += 1;
    }
    refused
}

/// All that waited ends, and its places come back.
async fn ends(running: &Running, waiting: &mut [(&mut WsPeer, usize)]) {
    for (page, count) in waiting {
        for _ in 0..*count {
            let answer = timeout(Duration::from_secs(10), page.receive_final()).await.unwrap();
            assert_eq!(answer.status(), 504);
        }
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
}

/// 64 connections are being opened at a time, 32 for one address and for one account; the places come back.
#[tokio::test]
async fn connections_being_opened() {
    // It accepts, and never says anything in TLS. All of 127.0.0.0/8 leads to it.
    let silent = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.outbound.ca = Some(authority.file.clone());
        config.timeouts.dial = Duration::from_secs(5);
    });
    let mut alice = page(&running, "alice", "127.0.0.21").await;
    let mut bob = page(&running, "bob", "127.0.0.22").await;
    let mut third = page(&running, "bob", "127.0.0.23").await;
    let uris = |net: u8, count: u8| -> Vec<String> {
        (1..=count).map(|n| format!("sip:c@127.0.{net}.{n}:{port};transport=tls")).collect()
    };
    let mut elsewhere = page(&running, "alice", "127.0.0.25").await;
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &uris(1, 38), 32).await, 6);
    assert_eq!(refused_at_once(&running, &mut elsewhere, "alice", &uris(5, 1), 32).await, 1);
    // Others go on: somebody there answers Bob.
    let mut friend = TcpPeer::over(friend(&mut bob).await);
    let received = friend.receive().await;
    friend.send(&received.response("200 OK", "f", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
    // There is an end to it for all together, too.
    assert_eq!(refused_at_once(&running, &mut bob, "bob", &uris(2, 32), 64).await, 0);
    assert_eq!(refused_at_once(&running, &mut third, "bob", &uris(3, 1), 64).await, 1);
    ends(&running, &mut [(&mut alice, 32), (&mut bob, 32)]).await;
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &uris(1, 1), 1).await, 0);
}

/// 4,096 requests wait for connections, 2,048 from one address, whatever they wait for; the places come back.
#[tokio::test]
async fn requests_that_wait_for_connections() {
    let silent = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.outbound.ca = Some(authority.file.clone());
        config.timeouts.dial = Duration::from_secs(60);
        // They are all refused in the end, and together.
        config.limits.queued_bytes = 16 * 1_024 * 1_024;
        config.limits.queued_messages = 5_000;
    });
    let mut alice = page(&running, "alice", "127.0.0.21").await;
    let mut bob = page(&running, "bob", "127.0.0.22").await;
    let mut third = page(&running, "bob", "127.0.0.23").await;
    let to = |n: usize| format!("sip:c@127.0.4.{n}:{port};transport=tls");
    let many: Vec<String> = (0..2_051).map(|n| to(1 + n % 2)).collect();
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &many, 2_048).await, 3);
    assert_eq!(refused_at_once(&running, &mut bob, "bob", &many, 4_096).await, 3);
    assert_eq!(refused_at_once(&running, &mut third, "bob", &[to(1)], 4_096).await, 1);
    // Whom they wait for is gone.
    drop(silent);
    ends(&running, &mut [(&mut alice, 2_048), (&mut bob, 2_048)]).await;
    let _silent = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.unwrap();
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &many, 2_048).await, 3);
}

/// Bob writes to somebody over TCP.
async fn friend(bob: &mut WsPeer) -> TcpStream {
    // Not where the gateway itself is.
    let friend = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 24), 0)).await.unwrap();
    let uri = format!("sip:f@{};transport=tcp", friend.local_addr().unwrap());
    bob.send(&bob.request("MESSAGE", &uri, "sip:bob@localhost", &format!("<{uri}>"), "friend", 1, "")).await;
    timeout(PATIENCE, friend.accept()).await.expect("a connection").unwrap().0
}

/// 256 questions are with DNS at a time, 128 for one address and for one account; the places come back.
#[tokio::test]
async fn questions_to_dns() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = silent.local_addr().unwrap();
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.dns = vec![address];
    });
    let mut alice = page(&running, "alice", "127.0.0.21").await;
    let mut bob = page(&running, "bob", "127.0.0.22").await;
    let mut third = page(&running, "bob", "127.0.0.23").await;
    // With a port there is one question.
    let uris = |who: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("sip:c@{who}{n}.example:5060;transport=udp")).collect()
    };
    let mut elsewhere = page(&running, "alice", "127.0.0.25").await;
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &uris("a", 132), 128).await, 4);
    assert_eq!(refused_at_once(&running, &mut elsewhere, "alice", &uris("d", 1), 128).await, 1);
    assert_eq!(refused_at_once(&running, &mut bob, "bob", &uris("b", 128), 256).await, 0);
    assert_eq!(refused_at_once(&running, &mut third, "bob", &uris("c", 1), 256).await, 1);
    ends(&running, &mut [(&mut alice, 128), (&mut bob, 128)]).await;
    assert_eq!(refused_at_once(&running, &mut alice, "alice", &uris("a", 1), 1).await, 0);
}
