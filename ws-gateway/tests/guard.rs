//! Passwords that are guessed and credentials that are sent again, through the real sockets.

mod support;

use sip_core::auth::Algorithm;
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{credentials, start_with};

const ALICE: &str = "sip:alice@localhost";

/// A REGISTER of Alice's with these credentials.
fn register(peer: &impl Peer, call_id: &str, cseq: u32, proof: &str) -> String {
    let headers = format!("Contact: {}\r\nExpires: 300\r\nAuthorization: {proof}\r\n", peer.contact("alice"));
    peer.request("REGISTER", "sip:localhost", ALICE, &format!("<{ALICE}>"), call_id, cseq, &headers)
}

/// RFC 7616 §3.4, §5.5: a recorded REGISTER binds nothing, on whatever shard it comes.
#[tokio::test]
async fn rfc7616_5_5_recorded_credentials_are_stale() {
    let running = start_with(|_| {});
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let first = register(&phone, "one", 1, "Digest");
    phone.send(&first.replace("Authorization: Digest\r\n", "")).await;
    let challenged = phone.receive().await;
    let challenge = challenged.header("WWW-Authenticate");
    let proof = credentials(challenge, "alice", &running.password("alice"), "REGISTER", "sip:localhost");
    let right = register(&phone, "one", 2, &proof);
    phone.send(&right).await;
    assert_eq!(phone.receive().await.status(), 200);
    // The same datagram once more is a retransmission.
    phone.send(&right).await;
    assert_eq!(phone.receive().await.status(), 200);
    // The same credentials in requests of their own are not: each Call-ID may have a shard of its own.
    for call_id in ["two", "three", "four", "five"] {
        let mut thief = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
        thief.send(&register(&thief, call_id, 9, &proof)).await;
        let refused = thief.receive().await;
        assert_eq!(refused.status(), 401);
        assert!(refused.header("WWW-Authenticate").contains("stale=true"), "{}", refused.0);
    }
    assert_eq!(running.metric("trapezoid_sip_credentials_replayed_total").await, 4);
    assert_eq!(running.metric("trapezoid_nonces_used").await, 1);
    // Who registers properly goes on.
    assert_eq!(phone.register("alice", &running.password("alice"), "six", "").await.status(), 200);
}

/// Who overheard the right credentials and sends them between its guesses waits as if it had not.
#[tokio::test]
async fn rfc7616_5_5_recorded_credentials_end_no_wait() {
    let running = start_with(|config| config.authentication.attempts = 2);
    let addresses = running.gateway.addresses().clone();
    let mut phone = UdpPeer::new(addresses.udp.unwrap()).await;
    phone.send(&register(&phone, "one", 1, "Digest").replace("Authorization: Digest\r\n", "")).await;
    let challenged = phone.receive().await;
    let challenge = challenged.header("WWW-Authenticate");
    let proof = credentials(challenge, "alice", &running.password("alice"), "REGISTER", "sip:localhost");
    phone.send(&register(&phone, "one", 2, &proof)).await;
    assert_eq!(phone.receive().await.status(), 200);
    let mut thief = TcpPeer::new(addresses.tcp.unwrap()).await;
    for (n, status) in [401, 401, 401, 403].into_iter().enumerate() {
        let answer = thief.register("alice", "guess", &format!("guess{n}"), "").await;
        assert_eq!(answer.status(), status, "{}", answer.0);
        if status == 401 {
            let mut recorder = UdpPeer::new(addresses.udp.unwrap()).await;
            recorder.send(&register(&recorder, &format!("again{n}"), 9, &proof)).await;
            // After the third guess it is held back itself.
            let expected = if n < 2 { 401 } else { 403 };
            assert_eq!(recorder.receive().await.status(), expected);
        }
    }
}

#[tokio::test]
async fn rfc8760_2_3_a_phone_registers_with_sha_512_256() {
    let running = start_with(|config| config.udp[0].digest = vec![Algorithm::Sha512_256]);
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let registered = phone.register("alice", &running.password("alice"), "sha", "").await;
    assert_eq!(registered.status(), 200, "{}", registered.0);
    let refused = phone.register("alice", "guess", "wrong", "").await;
    assert_eq!(refused.status(), 401);
    assert!(refused.header("WWW-Authenticate").contains("algorithm=SHA-512-256"), "{}", refused.0);
}

#[tokio::test]
async fn who_guesses_passwords_waits_and_nobody_is_cut_off() {
    let running = start_with(|config| config.authentication.attempts = 2);
    let addresses = running.gateway.addresses().clone();
    let (alice, bob) = (running.password("alice"), running.password("bob"));
    let mut page = WsPeer::new(addresses.http).await;
    assert_eq!(page.register("alice", &alice, "page", "").await.status(), 200);
    let mut thief = TcpPeer::new(addresses.tcp.unwrap()).await;
    for (n, status) in [401, 401, 401, 403].into_iter().enumerate() {
        let answer = thief.register("alice", "guess", &format!("guess{n}"), "").await;
        assert_eq!(answer.status(), status, "{}", answer.0);
        if status == 403 {
            assert_eq!(answer.start_line(), "SIP/2.0 403 Too Many Wrong Passwords");
            let warning = answer.header("Warning");
            assert!(warning.contains("wait 1 s") && warning.contains("(trace "), "{warning}");
        }
    }
    assert_eq!(running.metric("trapezoid_guessers").await, 1);
    // Bob at the same address registers, and Alice's page, which is registered, refreshes and speaks.
    let mut phone = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(phone.register("bob", &bob, "phone", "").await.status(), 200);
    let message = page.request("MESSAGE", "sip:bob@localhost", ALICE, "<sip:bob@localhost>", "m", 1, "");
    page.send(&message).await;
    let received = phone.receive().await;
    assert_eq!(received.method(), "MESSAGE");
    phone.send(&received.response("200 OK", "b", "")).await;
    assert_eq!(page.receive_final().await.status(), 200);
    assert_eq!(page.register("alice", &alice, "page2", "").await.status(), 200);
    // That was the right password: the pair is forgotten.
    assert_eq!(running.metric("trapezoid_guessers").await, 0);
    assert_eq!(running.metric("trapezoid_sip_credentials_held_back_total").await, 1);
}
