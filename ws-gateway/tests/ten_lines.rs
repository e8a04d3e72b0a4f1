//! The ten lines of docs/gateway.md are a whole gateway, and a secure one.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::pki_types::CertificateDer;
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer, handshake, http};
use support::tls::connect;
use support::{Running, Sip};
use tokio::net::UdpSocket;
use ws_gateway::config::{CertificateFiles, Kept, Listen};
use ws_gateway::data::DataDirectory;
use ws_gateway::{Config, Gateway, accounts};

const ALICE: &str = "sip:alice@localhost";
const BOB: &str = "sip:bob@localhost";
const PASSWORD: &str = "long enough";

/// The gateway of the ten lines on this machine: its addresses, files and domain are ours, and nothing else is said. And its
/// certificate.
fn ten_lines() -> (Running, CertificateDer<'static>) {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/gateway.md")).unwrap();
    let (_, rest) = text.split_once("## Ten lines\n\n```toml\n").unwrap();
    let (sample, _) = rest.split_once("```").unwrap();
    assert!(sample.lines().count() <= 10, "{sample}");
    let mut config = Config::parse(Path::new("gateway.toml"), sample).unwrap();
    assert!(!config.development && config.passwords && config.location == Kept::Disk);
    let data = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (chain, key) = (data.path().join("chain.pem"), data.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    config.certificates = vec![CertificateFiles { chain, key }];
    config.data = data.path().join("data");
    config.domain = "localhost".into();
    let here = |listen: &mut Listen| listen.address = ([127, 0, 0, 1], 0).into();
    here(&mut config.http.listen);
    config.https.iter_mut().for_each(here);
    for listener in config.udp.iter_mut().chain(&mut config.tcp).chain(&mut config.tls) {
        here(&mut listener.listen);
    }
    let directory = DataDirectory::open(&config.data).unwrap();
    for user in ["alice", "bob"] {
        accounts::add(&directory, "localhost", user, PASSWORD).unwrap();
    }
    (Running { gateway: Gateway::start(config).unwrap(), data }, made.cert.der().clone())
}

fn fresh() -> String {
    static CALL: AtomicU32 = AtomicU32::new(0);
    format!("ten{}", CALL.fetch_add(1, Ordering::Relaxed))
}

/// A MESSAGE that arrives and is answered.
async fn writes(from: &mut impl Peer, own: &str, to: &mut impl Peer, uri: &str, proof: &str) {
    let call_id = fresh();
    from.send(&from.request("MESSAGE", uri, own, &format!("<{uri}>"), &call_id, 2, proof)).await;
    let received = to.receive().await;
    assert_eq!((received.method(), received.header("Call-ID")), ("MESSAGE", call_id.as_str()));
    to.send(&received.response("200 OK", "t", "")).await;
    assert_eq!(from.receive_final().await.status(), 200);
}

/// What a MESSAGE is refused with.
async fn refused(peer: &mut impl Peer, uri: &str, from: &str, headers: &str) -> Sip {
    peer.send(&peer.request("MESSAGE", uri, from, &format!("<{uri}>"), &fresh(), 1, headers)).await;
    peer.receive_final().await
}

#[tokio::test]
async fn they_serve_pages_and_phones() {
    let (running, own) = ten_lines();
    let addresses = running.gateway.addresses().clone();
    let https = addresses.https.unwrap();
    let mut alice = WsPeer::over(connect(https, &own, None).await.unwrap(), https, "WSS").await;
    assert_eq!(alice.register("alice", PASSWORD, "a", "").await.status(), 200);
    for transport in ["udp", "tcp", "tls"] {
        match transport {
            "udp" => with(&mut alice, &mut UdpPeer::new(addresses.udp.unwrap()).await).await,
            "tcp" => with(&mut alice, &mut TcpPeer::new(addresses.tcp.unwrap()).await).await,
            _ => {
                let stream = connect(addresses.tls.unwrap(), &own, None).await.unwrap();
                with(&mut alice, &mut TcpPeer::over_tls(stream)).await;
            }
        }
    }
    // Both directions, where both prove who they are: the phone by its password.
    async fn with(alice: &mut impl Peer, bob: &mut impl Peer) {
        assert_eq!(bob.register("bob", PASSWORD, &format!("b{}", bob.via()), "").await.status(), 200);
        writes(alice, ALICE, bob, BOB, "").await;
        let challenged = refused(bob, ALICE, BOB, "").await;
        assert_eq!(challenged.status(), 407);
        let challenge = challenged.header("Proxy-Authenticate");
        let proof = support::credentials(challenge, "bob", PASSWORD, "MESSAGE", ALICE);
        writes(bob, BOB, alice, ALICE, &format!("Proxy-Authorization: {proof}\r\n")).await;
        let away = format!("b{}", bob.via());
        assert_eq!(bob.register("bob", PASSWORD, &format!("{away}-off"), ";expires=0").await.status(), 200);
    }
}

#[tokio::test]
async fn they_let_nobody_in_and_nothing_out() {
    let (running, own) = ten_lines();
    let addresses = running.gateway.addresses().clone();
    // Another address than ours: of a host no port counts.
    let victim = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let target = victim.local_addr().unwrap();
    let elsewhere = format!("sip:v@{target};transport=udp");
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(bob.register("bob", PASSWORD, "b", "").await.status(), 200);
    // Strangers, whatever they say and wherever they want to.
    let mut stranger = TcpPeer::new(addresses.tcp.unwrap()).await;
    let x = "sip:x@example.org";
    assert_eq!(refused(&mut stranger, BOB, x, "").await.start_line(), "SIP/2.0 403 Caller Not Known Here");
    assert_eq!(refused(&mut stranger, BOB, ALICE, "").await.status(), 407);
    assert_eq!(
        refused(&mut stranger, &elsewhere, x, "").await.start_line(),
        "SIP/2.0 403 Domain Not Served Here"
    );
    let route = format!("Route: <{elsewhere};lr>\r\n");
    assert_eq!(
        refused(&mut stranger, "sip:y@localhost", x, &route).await.start_line(),
        "SIP/2.0 403 Route Leads Elsewhere"
    );
    // Our own users, into this machine's own network.
    let https = addresses.https.unwrap();
    let mut alice = WsPeer::over(connect(https, &own, None).await.unwrap(), https, "WSS").await;
    assert_eq!(refused(&mut alice, BOB, ALICE, "").await.status(), 407);
    assert_eq!(alice.register("alice", PASSWORD, "a", "").await.status(), 200);
    assert_eq!(
        refused(&mut alice, &elsewhere, ALICE, "").await.start_line(),
        "SIP/2.0 403 Next Hop Not Allowed"
    );
    assert_eq!(
        refused(&mut alice, "sip:z@localhost", ALICE, &route).await.start_line(),
        "SIP/2.0 403 Route Leads Elsewhere"
    );
    // Pages of others, and who asks through a proxy on this machine.
    let (_, answer) = handshake(addresses.http, &[("Origin", "https://evil.example")]).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(http(addresses.http, "/api/demo", &[]).await.0, 404);
    assert_eq!(http(addresses.http, "/metrics", &[("X-Forwarded-For", "192.0.2.1")]).await.0, 403);
    // Nobody has heard of any of it.
    writes(&mut alice, ALICE, &mut bob, BOB, "").await;
    assert_eq!(victim.try_recv(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
