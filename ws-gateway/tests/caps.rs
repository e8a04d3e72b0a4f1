//! Caps on what the gateway does for its users outside: connections being opened, questions to DNS.

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
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

/// Sends a MESSAGE to each of these and tells how many were refused at once, with 504, while the others waited.
async fn refused_at_once(alice: &mut WsPeer, uris: &[String]) -> usize {
    for (n, uri) in uris.iter().enumerate() {
        alice
            .send(&alice.request("MESSAGE", uri, ALICE, &format!("<{uri}>"), &format!("cap{n}"), 1, ""))
            .await;
    }
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
    assert_eq!(refused_at_once(&mut alice, &uris).await, 6);
    running.wait_for_metric("trapezoid_sip_questions_open", 64).await;
    for _ in 0..64 {
        assert_eq!(alice.receive_final().await.status(), 504);
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
    assert_eq!(refused_at_once(&mut alice, &uris[..1]).await, 0);
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
    assert_eq!(refused_at_once(&mut alice, &uris).await, 4);
    running.wait_for_metric("trapezoid_sip_questions_open", 256).await;
    for _ in 0..256 {
        let answer = timeout(Duration::from_secs(10), alice.receive_final()).await.unwrap();
        assert_eq!(answer.status(), 504);
    }
    running.wait_for_metric("trapezoid_sip_questions_open", 0).await;
    assert_eq!(refused_at_once(&mut alice, &uris[..1]).await, 0);
}
