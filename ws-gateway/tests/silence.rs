//! Silence on connections: who is closed for it, and what keeps a phone's open.

mod support;

use std::time::Duration;

use sip_core::server::{Callers, Peer as Known};
use support::peers::{Peer, TcpPeer, WsPeer};
use support::{PATIENCE, Running, Sip, credentials, start_with};
use tokio::time::{sleep, timeout};
use ws_gateway::config::PeerServer;

const ALICE: &str = "sip:alice@localhost";
const BOB: &str = "sip:bob@localhost";
const IDLE_CLOSED: &str = "trapezoid_closings_total{reason=\"idle\"}";

async fn bob(running: &Running) -> WsPeer {
    let mut bob = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    bob
}

/// A phone that is not registered calls Bob, who takes the call. Gives what Bob has of it.
async fn call(phone: &mut TcpPeer, from: &str, password: Option<&str>, bob: &mut WsPeer) -> Sip {
    let contact = format!("Contact: {}\r\n", phone.contact("x"));
    let to = format!("<{BOB}>");
    let mut invite = phone.request("INVITE", BOB, from, &to, "call", 1, &contact);
    if let Some(password) = password {
        phone.send(&invite).await;
        let challenged = phone.receive_final().await;
        assert_eq!(challenged.status(), 407, "{}", challenged.0);
        phone.send(&ack(phone, BOB, from, challenged.header("To"), "")).await;
        let challenge = challenged.header("Proxy-Authenticate");
        let proof = credentials(challenge, "alice", password, "INVITE", BOB);
        let headers = format!("{contact}Proxy-Authorization: {proof}\r\n");
        invite = phone.request("INVITE", BOB, from, &to, "call", 2, &headers);
    }
    phone.send(&invite).await;
    let invited = bob.receive().await;
    bob.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = phone.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let target = ok.header("Contact").trim_matches(['<', '>']).to_owned();
    phone.send(&ack(phone, &target, from, ok.header("To"), &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    invited
}

fn ack(phone: &TcpPeer, target: &str, from: &str, to: &str, routes: &str) -> String {
    phone.request("ACK", target, from, to, "call", 1, routes)
}

/// Bob hangs up, and the phone hears of it.
async fn hangs_up(bob: &mut WsPeer, invited: &Sip, phone: &mut TcpPeer) {
    let routes: String =
        invited.all("Record-Route").iter().map(|route| format!("Route: {route}\r\n")).collect();
    let target = invited.header("Contact").trim_matches(['<', '>']).to_owned();
    let bye = bob.request("BYE", &target, BOB, invited.header("From"), "call", 9, &routes);
    bob.send(&bye.replace(";tag=fcall\r\nTo:", ";tag=b\r\nTo:")).await;
    let bye = phone.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    phone.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
}

/// Nothing but CRLFs for three times as long as silence may last.
async fn keeps_alive(phone: &mut TcpPeer) {
    for _ in 0..6 {
        sleep(Duration::from_millis(500)).await;
        phone.send_raw(b"\r\n\r\n").await;
        assert_eq!(phone.receive_bytes(2).await, b"\r\n");
    }
}

#[tokio::test]
async fn rfc5626_3_5_1_keep_alives_of_an_account_keep_its_call_without_a_registration() {
    let running = start_with(|config| config.timeouts.idle = Duration::from_secs(1));
    let mut bob = bob(&running).await;
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let invited = call(&mut phone, ALICE, Some(&running.password("alice")), &mut bob).await;
    keeps_alive(&mut phone).await;
    hangs_up(&mut bob, &invited, &mut phone).await;
    // Silence is silence all the same.
    timeout(PATIENCE, phone.closed()).await.expect("closed");
    assert_eq!(running.metric(IDLE_CLOSED).await, 1);
}

#[tokio::test]
async fn rfc5626_3_5_1_keep_alives_of_a_peer_keep_its_call() {
    let running = start_with(|config| {
        config.timeouts.idle = Duration::from_secs(1);
        config.outbound.callers = Callers::Peers;
        let (name, uri) = ("phones".into(), "sip:127.0.0.1;transport=tcp".into());
        let peer = Known { name, uri, sources: vec![[127, 0, 0, 1].into()], trusted: false };
        config.peers = vec![PeerServer { peer, probe: None }];
    });
    let mut bob = bob(&running).await;
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let invited = call(&mut phone, "sip:x@example.com", None, &mut bob).await;
    keeps_alive(&mut phone).await;
    hangs_up(&mut bob, &invited, &mut phone).await;
}

/// Those of strangers do not, nor do those of an account that is gone.
#[tokio::test]
async fn keep_alives_of_strangers_keep_nothing() {
    let running = start_with(|config| config.timeouts.idle = Duration::from_secs(1));
    let mut bob = bob(&running).await;
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    call(&mut phone, "sip:x@example.com", None, &mut bob).await;
    let closed = async {
        while phone.try_send_raw(b"\r\n\r\n").await {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(3), closed).await.expect("closed");
    assert_eq!(running.metric(IDLE_CLOSED).await, 1);
}

/// Who has never said anything has less time than who has.
#[tokio::test]
async fn a_connection_without_a_message_is_closed_early() {
    let running = start_with(|config| {
        config.timeouts.idle = Duration::from_secs(60);
        config.timeouts.first_message = Duration::from_millis(600);
    });
    let addresses = running.gateway.addresses().clone();
    let mut phone = TcpPeer::new(addresses.tcp.unwrap()).await;
    let options = phone.request("OPTIONS", "sip:localhost", ALICE, "<sip:localhost>", "o", 1, "");
    phone.send(&options).await;
    phone.receive_final().await;
    let (mut silent, mut page) =
        (TcpPeer::new(addresses.tcp.unwrap()).await, WsPeer::new(addresses.http).await);
    // Keep-alives are no messages.
    silent.send_raw(b"\r\n\r\n").await;
    page.send("\r\n\r\n").await;
    let closed = async {
        silent.closed().await;
        while page.receive_message().await.is_some() {}
    };
    timeout(Duration::from_secs(3), closed).await.expect("closed");
    assert_eq!(running.metric(IDLE_CLOSED).await, 2);
    phone.send_raw(b"\r\n\r\n").await;
    assert_eq!(phone.receive_bytes(2).await, b"\r\n");
}
