//! Who wants to be somebody else, or to be sent on: through real sockets. The table is in docs/security.md.

mod support;

use std::time::Duration;

use sip_core::server::{Callers, NumberPattern, Outward, Peer as PeerAddress, Preloaded, Share, StaticRoute};
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{Running, credentials, start, start_with};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use ws_gateway::config::PeerServer;

const ALICE: &str = "sip:alice@localhost";
const BOB: &str = "sip:bob@localhost";
const STRANGER: &str = "sip:x@example.com";

/// Nothing has come, nor comes in the time in which everything else does.
async fn hears_nothing(socket: &UdpSocket) {
    let mut buffer = [0; 2_048];
    if let Ok(received) = timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await {
        let (length, _) = received.unwrap();
        panic!("{}", String::from_utf8_lossy(&buffer[..length]));
    }
}

async fn bob(running: &Running) -> UdpPeer {
    let mut bob = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    bob
}

/// CVE-2021-37624, CVE-2021-41157: MESSAGE and SUBSCRIBE without a password. So is every other method.
#[tokio::test]
async fn every_method_is_challenged_and_nobody_hears_of_it_before() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut bob = bob(&running).await;
    async fn tries(peer: &mut impl Peer) {
        const METHODS: [&str; 11] = [
            "INVITE",
            "MESSAGE",
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
            "REFER",
            "INFO",
            "UPDATE",
            "OPTIONS",
            "BYE",
            "WHATEVER",
        ];
        for method in METHODS {
            let headers = format!("Contact: {}\r\nEvent: presence\r\n", peer.contact("alice"));
            let call_id = format!("{method}{}", peer.via());
            let request = peer.request(method, BOB, ALICE, "<sip:bob@localhost>", &call_id, 1, &headers);
            peer.send(&request).await;
            let answer = peer.receive_final().await;
            assert_eq!(answer.status(), 407, "{method} over {}: {}", peer.via(), answer.0);
            if method == "INVITE" {
                let ack = peer.request("ACK", BOB, ALICE, answer.header("To"), &call_id, 1, "");
                let branch = answer.header("Via").split("branch=").nth(1).unwrap();
                let branch = branch.split(';').next().unwrap();
                let own = ack.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
                peer.send(&ack.replace(&own, branch)).await;
            }
        }
    }
    tries(&mut UdpPeer::new(addresses.udp.unwrap()).await).await;
    tries(&mut TcpPeer::new(addresses.tcp.unwrap()).await).await;
    tries(&mut WsPeer::new(addresses.http).await).await;
    // Over a WebSocket whatever From says.
    let mut page = WsPeer::new(addresses.http).await;
    let message = page.request("MESSAGE", BOB, STRANGER, "<sip:bob@localhost>", "stranger", 1, "");
    page.send(&message).await;
    assert_eq!(page.receive_final().await.status(), 407);
    // The next that Bob hears of is what a registered page sends.
    assert_eq!(page.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    page.send(&page.request("MESSAGE", BOB, ALICE, "<sip:bob@localhost>", "proven", 1, "")).await;
    assert_eq!(bob.receive().await.header("Call-ID"), "proven");
}

/// CVE-2021-41158: a challenge of another realm. The gateway has credentials of nobody: it passes challenges on and answers
/// none, and takes none for another realm.
#[tokio::test]
async fn a_challenge_of_another_realm_is_passed_on_and_its_answer_proves_nothing() {
    let running = start();
    let mut bob = bob(&running).await;
    let mut alice = WsPeer::new(running.gateway.addresses().http).await;
    let password = running.password("alice");
    assert_eq!(alice.register("alice", &password, "a", "").await.status(), 200);
    for (n, realm) in ["elsewhere.example", "localhost"].into_iter().enumerate() {
        let call_id = format!("realm{n}");
        alice.send(&alice.request("MESSAGE", BOB, ALICE, "<sip:bob@localhost>", &call_id, 1, "")).await;
        let received = bob.receive().await;
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", algorithm=MD5, qop=\"auth\"");
        let header = format!("WWW-Authenticate: {challenge}\r\n");
        bob.send(&received.response("401 Unauthorized", "b", &header)).await;
        let answer = alice.receive_final().await;
        assert_eq!((answer.status(), answer.header("WWW-Authenticate")), (401, challenge.as_str()));
        // Nobody answered it meanwhile: the next that Bob hears of is the next request.
        alice
            .send(&alice.request("MESSAGE", BOB, ALICE, "<sip:bob@localhost>", "next", 2 + n as u32, ""))
            .await;
        let next = bob.receive().await;
        assert_eq!(next.header("Call-ID"), "next");
        assert!(
            next.all("Authorization").is_empty() && next.all("Proxy-Authorization").is_empty(),
            "{}",
            next.0
        );
        bob.send(&next.response("200 OK", "b", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
    }
    // The right password, in another realm.
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let contact = format!("Contact: {}\r\n", phone.contact("alice"));
    let register = |cseq, more: &str| {
        let headers = format!("{contact}{more}");
        phone.request("REGISTER", "sip:localhost", ALICE, "<sip:alice@localhost>", "other", cseq, &headers)
    };
    let (first, mut challenged) = (register(1, ""), String::new());
    let mut sent = first;
    for cseq in 2..4 {
        phone.send(&sent).await;
        let answer = phone.receive().await;
        assert_eq!(answer.status(), 401);
        challenged = answer.header("WWW-Authenticate").replace("realm=\"localhost\"", "realm=\"elsewhere\"");
        let proof = credentials(&challenged, "alice", &password, "REGISTER", "sip:localhost");
        let headers = format!("{contact}Authorization: {proof}\r\n");
        sent = phone.request(
            "REGISTER",
            "sip:localhost",
            ALICE,
            "<sip:alice@localhost>",
            "other",
            cseq,
            &headers,
        );
    }
    assert!(challenged.contains("elsewhere"));
    phone.send(&sent).await;
    assert_eq!(phone.receive().await.status(), 401);
    assert_eq!(running.metric("trapezoid_bindings").await, 2);
}

/// RFC 3261 §10.3 step 4.
#[tokio::test]
async fn nobody_registers_for_somebody_else() {
    let running = start();
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let password = running.password("alice");
    // Credentials of Alice, in To Bob; From either.
    for (n, from) in [ALICE, BOB].into_iter().enumerate() {
        let contact = format!("Contact: {}\r\n", phone.contact("bob"));
        let call_id = format!("theft{n}");
        let register =
            phone.request("REGISTER", "sip:localhost", from, "<sip:bob@localhost>", &call_id, 1, &contact);
        phone.send(&register).await;
        let challenged = phone.receive().await;
        let challenge = challenged.header("WWW-Authenticate");
        let proof = credentials(challenge, "alice", &password, "REGISTER", "sip:localhost");
        let headers = format!("{contact}Authorization: {proof}\r\n");
        let register =
            phone.request("REGISTER", "sip:localhost", from, "<sip:bob@localhost>", &call_id, 2, &headers);
        phone.send(&register).await;
        assert_eq!(phone.receive().await.status(), 403);
    }
    // Nor as one of our users on her own registered connection.
    let mut page = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(page.register("alice", &password, "a", "").await.status(), 200);
    page.send(&page.request("MESSAGE", ALICE, BOB, "<sip:alice@localhost>", "as-bob", 1, "")).await;
    assert_eq!(page.receive_final().await.status(), 407);
    assert_eq!(running.metric("trapezoid_bindings").await, 1);
}

/// RFC 3261 §16.4, §26.3.2: a Route that the gateway did not write, or a Request-URI of anybody's, sends nothing on.
#[tokio::test]
async fn a_preloaded_route_opens_no_relay() {
    let victim = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = victim.local_addr().unwrap();
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.outbound.callers = Callers::Anyone;
        config.outbound.preloaded = Preloaded::Accounts;
    });
    let addresses = running.gateway.addresses().clone();
    let udp = addresses.udp.unwrap();
    let mut bob = bob(&running).await;
    let route = format!("Route: <sip:{target};transport=udp;lr>\r\n");
    let doubled = format!("Route: <sip:{udp};lr>\r\n{route}");
    let forged = format!("Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@{udp};lr>\r\n{route}");
    let strict = format!("Route: <sip:{udp}>, <sip:{target}>\r\n");
    let elsewhere = format!("sip:v@{target}");
    let rows = [
        (BOB, &route),
        (BOB, &doubled),
        (BOB, &forged),
        (BOB, &strict),
        (elsewhere.as_str(), &String::new()),
        (elsewhere.as_str(), &route),
        (elsewhere.as_str(), &doubled),
        (elsewhere.as_str(), &forged),
    ];
    for method in ["MESSAGE", "INVITE", "ACK", "BYE"] {
        for (n, (uri, headers)) in rows.iter().enumerate() {
            let mut stranger = UdpPeer::new(udp).await;
            let to = if method == "BYE" { format!("<{uri}>;tag=t") } else { format!("<{uri}>") };
            let call_id = format!("relay{method}{n}");
            stranger.send(&stranger.request(method, uri, STRANGER, &to, &call_id, 1, headers)).await;
            if method != "ACK" {
                // It reaches our user, or is refused.
                let status = async {
                    tokio::select! {
                        received = bob.receive() => bob_answers(&mut bob, &received).await,
                        answer = stranger.receive_final() => assert!(answer.status() >= 400, "{}", answer.0),
                    }
                };
                status.await;
            }
        }
    }
    hears_nothing(&victim).await;
}

async fn bob_answers(bob: &mut UdpPeer, received: &support::Sip) {
    bob.send(&received.response("486 Busy Here", "b", "")).await;
}

/// Nobody pays for a stranger's calls.
#[tokio::test]
async fn toll_fraud_a_stranger_reaches_no_trunk() {
    let trunk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("sip:{};transport=udp", trunk.local_addr().unwrap());
    let running = start_with(|config| {
        let peer = PeerAddress {
            name: "trunk".into(),
            uri: uri.as_str().into(),
            sources: Vec::new(),
            trusted: true,
        };
        config.peers = vec![PeerServer { peer, probe: None }];
        let peers = vec![Share { peer: "trunk".into(), priority: 1, weight: 1 }];
        config.routes = vec![StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers }];
        config.outbound.callers = Callers::Anyone;
    });
    let addresses = running.gateway.addresses().clone();
    let number = "sip:+4930@localhost";
    async fn tries(peer: &mut impl Peer, number: &str, expected: &[u16]) {
        for (n, from) in [STRANGER, ALICE, "sip:anonymous@anonymous.invalid", number].into_iter().enumerate()
        {
            let headers = format!(
                "Contact: {}\r\nP-Asserted-Identity: <{ALICE}>\r\nP-Preferred-Identity: <{ALICE}>\r\n\
                 Diversion: <{ALICE}>\r\nReferred-By: <{ALICE}>\r\n",
                peer.contact("x")
            );
            let call_id = format!("toll{n}{}", peer.via());
            let to = format!("<{number}>");
            peer.send(&peer.request("INVITE", number, from, &to, &call_id, 1, &headers)).await;
            let answer = peer.receive_final().await;
            assert!(expected.contains(&answer.status()), "{from} over {}: {}", peer.via(), answer.0);
        }
    }
    tries(&mut UdpPeer::new(addresses.udp.unwrap()).await, number, &[403, 404, 407]).await;
    tries(&mut TcpPeer::new(addresses.tcp.unwrap()).await, number, &[403, 404, 407]).await;
    tries(&mut WsPeer::new(addresses.http).await, number, &[407]).await;
    hears_nothing(&trunk).await;
    // Alice may.
    let mut page = WsPeer::new(addresses.http).await;
    assert_eq!(page.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    let contact = format!("Contact: {}\r\n", page.contact("alice"));
    page.send(&page.request("INVITE", number, ALICE, "<sip:+4930@localhost>", "may", 1, &contact)).await;
    let mut buffer = [0; 4_096];
    let (length, _) = timeout(support::PATIENCE, trunk.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert!(buffer[..length].starts_with(b"INVITE sip:+4930@"));
}
