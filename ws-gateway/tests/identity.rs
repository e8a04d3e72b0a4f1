//! Asserted identities (RFC 3325) through the real sockets: a page, a trunk that is trusted or not.

mod support;

use std::time::Duration;

use sip_core::server::{NumberPattern, Peer as PeerAddress, Share, StaticRoute};
use support::peers::{Peer, UdpPeer, WsPeer};
use support::start_with;
use tokio::net::UdpSocket;
use ws_gateway::config::PeerServer;

/// RFC 3325 §5, §7: a call as nobody, with `Privacy: id`, to a number; the trunk may know who calls if it is trusted.
#[tokio::test]
async fn rfc3325_7_a_trusted_trunk_knows_who_calls_and_another_does_not() {
    for trusted in [true, false] {
        let trunk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("sip:{};transport=udp", trunk.local_addr().unwrap());
        let running = start_with(|config| {
            let sources = vec!["127.0.0.1".parse().unwrap()];
            let peer = PeerAddress { name: "trunk".into(), uri: uri.as_str().into(), sources, trusted };
            config.peers = vec![PeerServer { peer, probe: None }];
            let peers = vec![Share { peer: "trunk".into(), priority: 1, weight: 1 }];
            config.routes = vec![StaticRoute { domain: None, numbers: NumberPattern::new("+*"), peers }];
        });
        let addresses = running.gateway.addresses().clone();
        let mut alice = WsPeer::new(addresses.http).await;
        assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
        let number = "sip:+4930@localhost";
        let message = alice.request(
            "MESSAGE",
            number,
            "sip:anonymous@anonymous.invalid",
            &format!("<{number}>"),
            "nobody",
            1,
            "Privacy: id\r\nP-Asserted-Identity: <sip:bob@localhost>\r\n",
        );
        alice.send(&message).await;
        let mut buffer = [0; 4096];
        let receiving = trunk.recv_from(&mut buffer);
        let (length, _) = tokio::time::timeout(Duration::from_secs(5), receiving).await.unwrap().unwrap();
        let received = support::Sip(String::from_utf8(buffer[..length].to_vec()).unwrap());
        let expected: &[&str] = if trusted { &["<sip:alice@localhost>"] } else { &[] };
        assert_eq!(received.all("P-Asserted-Identity"), expected, "{}", received.0);
        trunk.send_to(received.response("200 OK", "t", "").as_bytes(), addresses.udp.unwrap()).await.unwrap();
        assert_eq!(alice.receive_final().await.status(), 200);
        // The other way: what the trunk says of its caller.
        let mut caller = UdpPeer::new(addresses.udp.unwrap()).await;
        let identity = "P-Asserted-Identity: <sip:carol@trunk.example>\r\n";
        let from = "sip:carol@trunk.example";
        let message = caller.request(
            "MESSAGE",
            "sip:alice@localhost",
            from,
            "<sip:alice@localhost>",
            "in",
            1,
            identity,
        );
        caller.send(&message).await;
        let received = alice.receive().await;
        let expected: &[&str] = if trusted { &["<sip:carol@trunk.example>"] } else { &[] };
        assert_eq!(received.all("P-Asserted-Identity"), expected, "{}", received.0);
    }
}
