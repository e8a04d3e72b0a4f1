//! IPv6 beside IPv4, and pages that write their transport in another way.

mod support;

use std::net::SocketAddr;

use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{Running, Sip, credentials, start, start_with};
use ws_gateway::config::SipListener;

const ALICE: &str = "sip:alice@localhost";
const BOB: &str = "sip:bob@localhost";

/// The URI in a Contact.
fn uri(contact: &str) -> &str {
    &contact[contact.find('<').unwrap() + 1..contact.find('>').unwrap()]
}

/// Alice calls Bob, who hangs up: both directions of a dialog. Gives the INVITE as Bob had it.
async fn call(alice: &mut impl Peer, bob: &mut impl Peer, alice_contact: &str, call_id: &str) -> Sip {
    let contact = format!("Contact: {alice_contact}\r\n");
    alice.send(&alice.request("INVITE", BOB, ALICE, "<sip:bob@localhost>", call_id, 1, &contact)).await;
    let invite = bob.receive().await;
    assert_eq!(invite.method(), "INVITE", "{}", invite.0);
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let routes =
        |routes: Vec<&str>| routes.iter().map(|route| format!("Route: {route}\r\n")).collect::<String>();
    let to_bob = routes(ok.all("Record-Route").into_iter().rev().collect());
    let target = uri(ok.header("Contact"));
    alice.send(&alice.request("ACK", target, ALICE, "<sip:bob@localhost>;tag=b", call_id, 1, &to_bob)).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    let to_alice = routes(invite.all("Record-Route"));
    let bye = bob.request("BYE", uri(alice_contact), BOB, invite.header("From"), call_id, 9, &to_alice);
    bob.send(&bye.replace(&format!("<{BOB}>;tag=f{call_id}"), &format!("<{BOB}>;tag=b"))).await;
    let bye = alice.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    assert_eq!(bye.start_line().split(' ').nth(1).unwrap(), uri(alice_contact));
    alice.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
    invite
}

/// A machine without `::1` is no machine for these tests: they fail there, and say why.
fn both_families() -> Running {
    let any: SocketAddr = "[::1]:0".parse().unwrap();
    std::net::UdpSocket::bind(any).expect("this machine has an IPv6 loopback address");
    start_with(|config| {
        config.http.listen.address = any;
        config.udp.push(SipListener::at(any.into()));
        config.tcp.push(SipListener::at(any.into()));
    })
}

/// A machine with several addresses: each is a place of its own. The peers take nothing from elsewhere.
#[tokio::test]
async fn rfc3581_4_answers_and_calls_come_from_the_address_that_a_phone_registered_at() {
    let running = start_with(|config| {
        for last in [2, 3] {
            config.udp.push(SipListener::at(SocketAddr::from(([127, 0, 0, last], 0)).into()));
        }
    });
    let addresses = running.gateway.addresses().clone();
    let password = running.password("bob");
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    let contact = alice.contact("alice");
    for (n, gateway) in addresses.all_udp.iter().copied().enumerate() {
        assert_eq!(gateway.ip().to_string(), format!("127.0.0.{}", n + 1));
        let mut bob = UdpPeer::new(gateway).await;
        assert_eq!(bob.register("bob", &password, &format!("b{n}"), "").await.status(), 200);
        bob.send_bytes(b"\r\n\r\n").await;
        assert_eq!(bob.receive_bytes().await, b"\r\n");
        let invite = call(&mut alice, &mut bob, &contact, &format!("udp{n}")).await;
        assert!(invite.header("Via").starts_with(&format!("SIP/2.0/UDP {gateway};")), "{}", invite.0);
        assert!(invite.header("Record-Route").contains(&format!("@{gateway};transport=udp")), "{}", invite.0);
        let away = format!("Contact: {}\r\nExpires: 0\r\n", bob.contact("bob"));
        register_with(&mut bob, "bob", &password, &format!("u{n}"), &away).await;
    }
}

#[tokio::test]
async fn calls_over_ipv6_and_between_the_families() {
    let running = both_families();
    let addresses = running.gateway.addresses().clone();
    let (udp4, udp6, tcp6) = (addresses.all_udp[0], addresses.all_udp[1], addresses.all_tcp[1]);
    assert!(addresses.http.is_ipv6() && udp4.is_ipv4() && udp6.is_ipv6() && tcp6.is_ipv6());
    let (alice_password, bob_password) = (running.password("alice"), running.password("bob"));
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &alice_password, "a", "").await.status(), 200);
    let contact = alice.contact("alice");
    for (n, gateway) in [udp6, udp4].into_iter().enumerate() {
        let mut bob = UdpPeer::new(gateway).await;
        let registered = bob.register("bob", &bob_password, &format!("b{n}"), "").await;
        assert_eq!(registered.status(), 200);
        // RFC 3581 §4: an IPv6 address has no brackets there.
        let received = format!("received={};rport={}", gateway.ip(), bob.port());
        assert!(registered.header("Via").contains(&received), "{}", registered.0);
        let invite = call(&mut alice, &mut bob, &contact, &format!("udp{n}")).await;
        // RFC 3261 §25.1: in a sent-by it has them.
        assert!(invite.header("Via").starts_with(&format!("SIP/2.0/UDP {gateway};")), "{}", invite.0);
        let away = format!("Contact: {}\r\nExpires: 0\r\n", bob.contact("bob"));
        register_with(&mut bob, "bob", &bob_password, &format!("u{n}"), &away).await;
    }
    let mut bob = TcpPeer::new(tcp6).await;
    assert_eq!(bob.register("bob", &bob_password, "b6", "").await.status(), 200);
    let invite = call(&mut alice, &mut bob, &contact, "tcp6").await;
    assert!(invite.header("Via").starts_with(&format!("SIP/2.0/TCP {tcp6};")), "{}", invite.0);
    // Keep-alives: CRLF, and STUN, which says the address under its mask (RFC 8489 §14.2).
    let mut phone = UdpPeer::new(udp6).await;
    phone.send("\r\n\r\n").await;
    assert_eq!(phone.receive_bytes().await, b"\r\n");
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    phone.send_bytes(&request).await;
    let answer = phone.receive_bytes().await;
    assert_eq!(answer[20..26], [0, 0x20, 0, 20, 0, 2]);
    let mask = [0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    let seen: Vec<u8> = answer[28..44].iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    assert_eq!(seen, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

/// RFC 3261 §25.1: the domain is an IPv6 address, in brackets in every URI.
#[tokio::test]
async fn rfc3261_25_1_a_domain_that_is_an_ipv6_address() {
    let listen = "[[udp]]\nlisten = \"[::1]:0\"\n";
    for written in ["2001:DB8::7", "[2001:db8::7]"] {
        let file =
            format!("development = true\ndomain = \"{written}\"\n[http]\nlisten = \"[::1]:0\"\n{listen}");
        let read = ws_gateway::Config::parse(std::path::Path::new("gateway.toml"), &file).unwrap();
        let running = start_with(|config| *config = ws_gateway::Config { data: config.data.clone(), ..read });
        let domain = "[2001:db8::7]";
        let (aor, uri) = (format!("sip:alice@{domain}"), format!("sip:{domain}"));
        let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
        let contact = format!("Contact: {}\r\n", phone.contact("alice"));
        let to = format!("<{aor}>");
        phone.send(&phone.request("REGISTER", &uri, &aor, &to, "six", 1, &contact)).await;
        let challenged = phone.receive().await;
        assert_eq!(challenged.status(), 401, "{}", challenged.0);
        let password = running.password("alice");
        let proof = credentials(challenged.header("WWW-Authenticate"), "alice", &password, "REGISTER", &uri);
        let headers = format!("{contact}Authorization: {proof}\r\n");
        phone.send(&phone.request("REGISTER", &uri, &aor, &to, "six", 2, &headers)).await;
        let registered = phone.receive().await;
        assert_eq!(registered.status(), 200, "{}", registered.0);
        // She writes to herself.
        let message = phone.request("MESSAGE", &aor, "sip:x@example.com", &to, "m", 1, "");
        phone.send(&message).await;
        assert!(phone.receive().await.start_line().starts_with("MESSAGE sip:alice@"));
    }
}

/// REGISTER with these headers, challenged, again.
async fn register_with(
    peer: &mut impl Peer,
    user: &str,
    password: &str,
    call_id: &str,
    headers: &str,
) -> Sip {
    let aor = format!("sip:{user}@localhost");
    let to = format!("<{aor}>");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, 1, headers)).await;
    let challenged = peer.receive().await;
    let proof =
        credentials(challenged.header("WWW-Authenticate"), user, password, "REGISTER", "sip:localhost");
    let headers = format!("{headers}Authorization: {proof}\r\n");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, 2, &headers)).await;
    let answer = peer.receive().await;
    assert_eq!(answer.status(), 200, "{}", answer.0);
    answer
}

/// RFC 7118 §5.2.1 knows `transport=ws` alone. Who writes `wss`, or the transport in capitals, is reached all the same: over the
/// connection that it registered over.
#[tokio::test]
async fn rfc7118_5_2_a_contact_that_says_wss_is_reached() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut bob = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    for (n, transport) in ["wss", "WSS", "WS"].into_iter().enumerate() {
        let mut alice = WsPeer::new(addresses.http).await;
        let contact = format!("<sip:alice@{};transport={transport}>", alice.host());
        let headers = format!("Contact: {contact};expires=300\r\n");
        let registered =
            register_with(&mut alice, "alice", &running.password("alice"), &format!("a{n}"), &headers).await;
        assert!(registered.all("Contact").iter().any(|told| told.contains(&contact)), "{}", registered.0);
        // She calls, and is called back within the dialog by that Contact.
        call(&mut alice, &mut bob, &contact, &format!("wss{n}")).await;
        // And she is called.
        let message = bob.request(
            "MESSAGE",
            ALICE,
            "sip:x@example.com",
            "<sip:alice@localhost>",
            &format!("m{n}"),
            1,
            "",
        );
        bob.send(&message).await;
        let received = alice.receive().await;
        assert_eq!(received.start_line(), format!("MESSAGE {} SIP/2.0", uri(&contact)));
        alice.send(&received.response("200 OK", "a", "")).await;
        assert_eq!(bob.receive_final().await.status(), 200);
        let away = format!("Contact: {contact};expires=0\r\n");
        register_with(&mut alice, "alice", &running.password("alice"), &format!("u{n}"), &away).await;
    }
}
