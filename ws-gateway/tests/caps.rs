//! Caps on what the gateway does for its users outside: connections being opened, questions to DNS.

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sip_core::server::Outward;
use support::authority::Authority;
use support::peers::{Peer, WsPeer};
use support::{Running, start_with};
use tokio::net::TcpListener;
use tokio::time::timeout;

const ALICE: &str = "sip:alice@localhost";

async fn alice(running: &Running) -> WsPeer {
    let mut alice = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    alice
}

/// Sends a MESSAGE to each of these and tells how many were refused at once, with 504, while the others waited: so many then,
/// with those before.
async fn refused_at_once(running: &Running, alice: &mut WsPeer, uris: &[String], waiting: u64) -> usize {
    static MESSAGES: AtomicUsize = AtomicUsize::new(0);
    for uri in uris {
        let call_id = format!("cap{}", MESSAGES.fetch_add(1, Ordering::Relaxed));
        alice.send(&alice.request("MESSAGE", uri, ALICE, &format!("<{uri}>"), &call_id, 1, "")).await;
    }
    running.wait_for_metric("trapezoid_sip_questions_open", waiting).await;
    let mut refused = 0;
    while let Ok(answer) = timeout(Duration::from_millis(500), alice.receive_final()).await {
        assert_eq!(answer.status(), 504, "{}", answer.0);
        refused += 1;
    }
    refused
}

/// 64 connections are being opened at a time; the places come back.
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
        config.timeouts.dial = Duration::from_secs(4);
    });
    let mut alice = alice(&running).await;
    let uris: Vec<String> = (1..=70).map(|n| format!("sip:c@127.0.1.{n}:{port};transport=tls")).collect();
    assert_eq!(refused_at_once(&running, &mut alice, &uris, 64).await, 6);
    for _ in 0..64 {
        assert_eq!(alice.receive_final().await.status(), 504);
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
    assert_eq!(refused_at_once(&running, &mut alice, &uris[..1], 1).await, 0);
}

/// 1,000 requests wait for one connection and 4,096 for all together; the places come back.
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
    let mut alice = alice(&running).await;
    let to = |n: usize| format!("sip:c@127.0.2.{n}:{port};transport=tls");
    assert_eq!(refused_at_once(&running, &mut alice, &vec![to(1); 1_003], 1_000).await, 3);
    let others: Vec<String> = (0..3_100).map(|n| to(2 + n % 4)).collect();
    let (most, rest) = others.split_at(2_000);
    assert_eq!(refused_at_once(&running, &mut alice, most, 3_000).await, 0);
    assert_eq!(refused_at_once(&running, &mut alice, rest, 4_096).await, 4);
    // Whom they wait for is gone.
    drop(silent);
    for _ in 0..4_096 {
        assert_eq!(alice.receive_final().await.status(), 504);
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
    let _silent = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.unwrap();
    assert_eq!(refused_at_once(&running, &mut alice, &vec![to(1); 1_003], 1_000).await, 3);
}

/// 256 questions are with DNS at a time; the places come back.
#[tokio::test]
async fn questions_to_dns() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = silent.local_addr().unwrap();
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.dns = vec![address];
    });
    let mut alice = alice(&running).await;
    // With a port there is one question.
    let uris: Vec<String> = (0..260).map(|n| format!("sip:c@n{n}.example:5060;transport=udp")).collect();
    assert_eq!(refused_at_once(&running, &mut alice, &uris, 256).await, 4);
    for _ in 0..256 {
        let answer = timeout(Duration::from_secs(10), alice.receive_final()).await.unwrap();
        assert_eq!(answer.status(), 504);
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
    assert_eq!(refused_at_once(&running, &mut alice, &uris[..1], 1).await, 0);
}
