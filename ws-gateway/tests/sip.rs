//! SIP through the real sockets: registration and calls between peers of every transport.

mod support;

use std::time::Duration;

use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{Running, Sip, credentials, start};
use ws_gateway::Gateway;

/// Alice calls Bob: INVITE, ringing, answer, ACK, a message, BYE from either side.
async fn call<A: Peer, B: Peer>(running: &Running, alice: &mut A, bob: &mut B) {
    let name = format!("{}to{}", alice.via(), bob.via());
    let (alice_password, bob_password) = (running.password("alice"), running.password("bob"));
    let registered = alice.register("alice", &alice_password, &format!("ra{name}"), "").await;
    assert_eq!(registered.status(), 200, "{}", registered.0);
    let registered = bob.register("bob", &bob_password, &format!("rb{name}"), "").await;
    assert_eq!(registered.status(), 200, "{}", registered.0);
    assert!(registered.header("Contact").contains(&bob.host()), "{}", registered.0);

    // INVITE; on UDP and TCP it is challenged, on a WebSocket the flow has proven itself.
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    let call_id = format!("call{name}");
    let invite = alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, 1, &contact);
    alice.send(&invite).await;
    let mut cseq = 1;
    if alice.via() != "WS" {
        let challenged = alice.receive_final().await;
        assert_eq!(challenged.status(), 407, "{}", challenged.0);
        let ack = ack_of_refusal(&invite, &challenged);
        alice.send(&ack).await;
        cseq = 2;
        let challenge = challenged.header("Proxy-Authenticate");
        let proof = credentials(challenge, "alice", &alice_password, "INVITE", "sip:bob@localhost");
        let headers = format!("{contact}Proxy-Authorization: {proof}\r\n");
        let invite = alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, cseq, &headers);
        alice.send(&invite).await;
    }
    let invited = bob.receive().await;
    assert_eq!(invited.method(), "INVITE", "{}", invited.0);
    assert_eq!(invited.all("Via").len(), 2);
    assert_eq!(invited.all("Record-Route").len(), 2, "doubled");
    assert_eq!(invited.header("Max-Forwards"), "69");
    bob.send(&invited.response("180 Ringing", "b", "")).await;
    let bob_contact = format!("Contact: {}\r\n", bob.contact("bob"));
    bob.send(&invited.response("200 OK", "b", &bob_contact)).await;

    let mut response = alice.receive().await;
    let mut seen = vec![response.status()];
    while response.status() < 200 {
        response = alice.receive().await;
        seen.push(response.status());
    }
    assert_eq!(seen, [100, 180, 200]);
    let ok = response;
    assert_eq!(ok.all("Via").len(), 1);

    // The route set of a UAC is the Record-Routes reversed, of a UAS as they stand (§12.1).
    let routes = |message: &Sip, reverse: bool| {
        let mut all: Vec<String> = message.all("Record-Route").iter().map(|r| (*r).to_owned()).collect();
        if reverse {
            all.reverse();
        }
        all.iter().map(|route| format!("Route: {route}\r\n")).collect::<String>()
    };
    let alice_routes = routes(&ok, true);
    let bob_routes = routes(&invited, false);
    let to_bob = "<sip:bob@localhost>;tag=b";
    let target = target(&ok);
    alice.send(&alice.request("ACK", &target, from, to_bob, &call_id, cseq, &alice_routes)).await;
    let ack = bob.receive().await;
    assert_eq!(ack.method(), "ACK", "{}", ack.0);
    assert!(ack.all("Route").is_empty(), "{}", ack.0);

    // Within the dialog, from Alice.
    alice.send(&alice.request("INFO", &target, from, to_bob, &call_id, cseq + 1, &alice_routes)).await;
    let info = bob.receive().await;
    assert_eq!(info.method(), "INFO", "{}", info.0);
    bob.send(&info.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive().await.status(), 200);

    // Bob hangs up.
    let bye = bob
        .request(
            "BYE",
            &contact_uri(&alice.contact("alice")),
            "sip:bob@localhost",
            "X",
            &call_id,
            1,
            &bob_routes,
        )
        .replace(&format!("From: <sip:bob@localhost>;tag=f{call_id}"), &format!("From: {to_bob}"))
        .replace("To: X", &format!("To: <{from}>;tag=f{call_id}"));
    bob.send(&bye).await;
    let hung_up = alice.receive().await;
    assert_eq!(hung_up.method(), "BYE", "{}", hung_up.0);
    alice.send(&hung_up.response("200 OK", "a", "")).await;
    assert_eq!(bob.receive().await.status(), 200);
}

fn target(message: &Sip) -> String {
    contact_uri(message.header("Contact"))
}

fn contact_uri(contact: &str) -> String {
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

/// The ACK of a final response other than 2xx: the INVITE's Via, the response's To (§17.1.1.3).
fn ack_of_refusal(invite: &str, response: &Sip) -> String {
    let invite = Sip(invite.to_owned());
    let line = invite.start_line().replacen("INVITE", "ACK", 1);
    let (via, from, call_id) = (invite.header("Via"), invite.header("From"), invite.header("Call-ID"));
    let (to, cseq) = (response.header("To"), invite.header("CSeq").replace("INVITE", "ACK"));
    format!(
        "{line}\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn a_call_from_a_page_to_a_page() {
    let running = start();
    let http = running.gateway.addresses().http;
    call(&running, &mut WsPeer::new(http).await, &mut WsPeer::new(http).await).await;
}

#[tokio::test]
async fn calls_between_a_page_and_a_phone() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    call(&running, &mut WsPeer::new(addresses.http).await, &mut UdpPeer::new(addresses.udp.unwrap()).await)
        .await;
    let running = start();
    let addresses = running.gateway.addresses().clone();
    call(&running, &mut TcpPeer::new(addresses.tcp.unwrap()).await, &mut WsPeer::new(addresses.http).await)
        .await;
}

/// [`UdpPeer`] takes nothing that comes from another port than its own gateway's, just as a NAT would.
#[tokio::test]
async fn a_phone_hears_from_the_port_it_speaks_to() {
    let two = || {
        support::start_with(|config| {
            let another = config.udp[0].clone();
            config.udp.push(another);
        })
    };
    let running = two();
    let addresses = running.gateway.addresses().clone();
    let [first, second] = addresses.all_udp[..] else { panic!("two ports") };
    call(&running, &mut UdpPeer::new(second).await, &mut UdpPeer::new(first).await).await;
    let running = two();
    let addresses = running.gateway.addresses().clone();
    let second = addresses.all_udp[1];
    call(&running, &mut WsPeer::new(addresses.http).await, &mut UdpPeer::new(second).await).await;
}

#[tokio::test]
async fn calls_between_phones() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let (udp, tcp) = (addresses.udp.unwrap(), addresses.tcp.unwrap());
    call(&running, &mut UdpPeer::new(udp).await, &mut UdpPeer::new(udp).await).await;
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let (udp2, tcp2) = (addresses.udp.unwrap(), addresses.tcp.unwrap());
    assert_ne!((udp, tcp), (udp2, tcp2));
    call(&running, &mut UdpPeer::new(udp2).await, &mut TcpPeer::new(tcp2).await).await;
}

#[tokio::test]
async fn digest_algorithms_are_those_of_the_listener() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let algorithms = |response: &Sip| -> Vec<String> {
        let challenges = response.all("WWW-Authenticate");
        challenges
            .iter()
            .map(|c| c.split("algorithm=").nth(1).unwrap().split(',').next().unwrap().to_owned())
            .collect()
    };
    async fn challenge<P: Peer>(peer: &mut P) -> Sip {
        let aor = "sip:alice@localhost";
        peer.send(&peer.request("REGISTER", "sip:localhost", aor, &format!("<{aor}>"), "c", 1, "")).await;
        peer.receive().await
    }
    assert_eq!(algorithms(&challenge(&mut WsPeer::new(addresses.http).await).await), ["SHA-256", "MD5"]);
    assert_eq!(algorithms(&challenge(&mut UdpPeer::new(addresses.udp.unwrap()).await).await), ["MD5"]);
    assert_eq!(algorithms(&challenge(&mut TcpPeer::new(addresses.tcp.unwrap()).await).await), ["MD5"]);
}

#[tokio::test]
async fn wrong_password_unknown_callee_absent_callee() {
    let running = start();
    let http = running.gateway.addresses().http;
    let mut alice = WsPeer::new(http).await;
    assert_eq!(alice.register("alice", "wrong", "w", "").await.status(), 401);
    assert_eq!(alice.register("alice", &running.password("alice"), "r", "").await.status(), 200);
    for (callee, status) in [("nobody", 404), ("bob", 480)] {
        let uri = format!("sip:{callee}@localhost");
        let to = format!("<{uri}>");
        let message = alice.request("MESSAGE", &uri, "sip:alice@localhost", &to, callee, 1, "");
        alice.send(&message).await;
        assert_eq!(alice.receive_final().await.status(), status);
    }
    // A stranger's address, and another domain.
    let message = alice.request(
        "MESSAGE",
        "sip:bob@localhost",
        "sip:bob@localhost",
        "<sip:bob@localhost>",
        "from",
        1,
        "",
    );
    alice.send(&message).await;
    assert_eq!(alice.receive_final().await.status(), 407);
    let message = alice.request(
        "MESSAGE",
        "sip:x@example.com",
        "sip:alice@localhost",
        "<sip:x@example.com>",
        "far",
        1,
        "",
    );
    alice.send(&message).await;
    assert_eq!(alice.receive_final().await.status(), 403);
}

#[tokio::test]
async fn contacts_at_the_cap() {
    let running = support::start_with(|config| config.limits.contacts_per_aor = 2);
    let udp = running.gateway.addresses().udp.unwrap();
    let password = running.password("alice");
    let mut peers = Vec::new();
    for (index, status) in [(0, 200), (1, 200), (2, 403)] {
        let mut peer = UdpPeer::new(udp).await;
        assert_eq!(peer.register("alice", &password, &format!("cap{index}"), "").await.status(), status);
        peers.push(peer);
    }
}

#[tokio::test]
async fn a_page_that_comes_back_gets_what_was_held_for_it() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut alice = UdpPeer::new(addresses.udp.unwrap()).await;
    let mut bob = WsPeer::new(addresses.http).await;
    let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1";
    let password = running.password("bob");
    assert_eq!(bob.register("bob", &password, "rb", instance).await.status(), 200);
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);

    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    let invite = alice.request("INVITE", "sip:bob@localhost", from, to, "hold", 1, &contact);
    alice.send(&invite).await;
    let challenged = alice.receive_final().await;
    alice.send(&ack_of_refusal(&invite, &challenged)).await;
    let challenge = challenged.header("Proxy-Authenticate");
    let proof = credentials(challenge, "alice", &running.password("alice"), "INVITE", "sip:bob@localhost");
    let headers = format!("{contact}Proxy-Authorization: {proof}\r\n");
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, "hold", 2, &headers)).await;
    let invited = bob.receive().await;
    bob.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let to_bob = "<sip:bob@localhost>;tag=b";
    alice.send(&alice.request("ACK", &target(&ok), from, to_bob, "hold", 2, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");

    // Bob's socket is lost; Alice hangs up; Bob comes back on another.
    drop(bob);
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 0).await;
    // A message outside the dialog waits a little, too.
    let message = alice.request("OPTIONS", "sip:bob@localhost", "sip:x@example.com", to, "away", 1, "");
    alice.send(&message).await;
    alice.send(&alice.request("BYE", &target(&ok), from, to_bob, "hold", 3, &routes)).await;
    running.wait_for_metric("trapezoid_sip_questions_open", 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bob = WsPeer::new(addresses.http).await;
    assert_eq!(bob.register("bob", &password, "rb2", instance).await.status(), 200);
    // Each call has its own shard: whichever comes first.
    let (first, second) = (bob.receive().await, bob.receive().await);
    let (options, bye) = if first.method() == "OPTIONS" { (first, second) } else { (second, first) };
    assert_eq!(options.method(), "OPTIONS", "{}", options.0);
    bob.send(&options.response("200 OK", "b", "")).await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    bob.send(&bye.response("200 OK", "b", "")).await;
    let mut response = alice.receive_final().await;
    while !response.header("CSeq").contains("BYE") {
        response = alice.receive_final().await;
    }
    assert_eq!(response.status(), 200);
    assert_eq!(running.metric("trapezoid_woken_requests_total").await, 2);
    assert_eq!(running.metric("trapezoid_sip_held_total").await, 1);
}

#[tokio::test]
async fn datagrams_up_to_the_largest() {
    let running = start();
    let udp = running.gateway.addresses().udp.unwrap();
    let mut peer = UdpPeer::new(udp).await;
    let filler = |length: usize| format!("X-Filler: {}\r\n", "x".repeat(length));
    let empty = peer
        .request("OPTIONS", "sip:localhost", "sip:x@example.com", "<sip:localhost>", "large", 1, &filler(0))
        .len();
    for length in [1_200, 9_000, 65_507] {
        let call_id = format!("{length:05}");
        let request = peer.request(
            "OPTIONS",
            "sip:localhost",
            "sip:x@example.com",
            "<sip:localhost>",
            &call_id,
            1,
            &filler(length - empty - 20),
        );
        peer.send(&request).await;
        let response = peer.receive().await;
        assert_eq!(response.status(), 200, "{length}");
        assert_eq!(response.header("Call-ID"), call_id);
    }
}

#[tokio::test]
async fn keep_alives_on_datagrams_and_streams() {
    let running = start();
    let mut udp = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    udp.send("\r\n\r\n").await;
    assert_eq!(udp.receive_bytes().await, b"\r\n");
    // A STUN Binding request (RFC 5626 §8) is told where it came from, under the mask of the cookie.
    udp.send("\0\u{1}\0\0\u{21}\u{12}").await;
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    udp.send_bytes(&request).await;
    let answer = udp.receive_bytes().await;
    assert_eq!(answer[..8], [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42]);
    assert_eq!(
        answer[8..28],
        [[7; 12].as_slice(), &[0, 0x20, 0, 8, 0, 1], &port_under(0x2112, udp.port())].concat()
    );
    assert_eq!(answer[28..], [127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42]);
    let mut tcp = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    tcp.send("\r\n\r\n").await;
    assert_eq!(tcp.receive_bytes(2).await, b"\r\n");
    running.wait_for_metric("trapezoid_keep_alives_total", 3).await;
}

fn port_under(mask: u16, port: u16) -> [u8; 2] {
    (port ^ mask).to_be_bytes()
}

#[tokio::test]
async fn bad_input_is_answered_or_dropped_and_never_closes_a_listener() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut udp = UdpPeer::new(addresses.udp.unwrap()).await;
    udp.send("nonsense").await;
    udp.send("INVITE\r\n\r\n").await;
    udp.send("\0\u{1}\u{2}").await;
    udp.send(" \r\n").await;
    let request =
        udp.request("OPTIONS", "sip:localhost", "sip:x@example.com", "<sip:localhost>", "bad", 1, "");
    udp.send(&request.replace("CSeq: 1 OPTIONS", "CSeq: x OPTIONS")).await;
    let refused = udp.receive().await;
    assert_eq!(refused.status(), 400, "{}", refused.0);
    assert!(refused.start_line().contains("CSeq"), "names the fault: {}", refused.start_line());
    running.wait_for_metric("trapezoid_noise_total", 2).await;
    running.wait_for_metric("trapezoid_sip_malformed_dropped_total", 2).await;
    running.wait_for_metric("trapezoid_sip_malformed_refused_total", 1).await;

    // A stream without Content-Length has no end: 400, then it is closed.
    let mut tcp = TcpPeer::new(addresses.tcp.unwrap()).await;
    let request =
        tcp.request("OPTIONS", "sip:localhost", "sip:x@example.com", "<sip:localhost>", "bad2", 1, "");
    tcp.send(&request.replace("Content-Length: 0\r\n", "")).await;
    assert_eq!(tcp.receive().await.status(), 400);
    tcp.closed().await;
    running.wait_for_metric("trapezoid_closings_total{reason=\"framing\"}", 1).await;

    // A message that never becomes whole.
    let running = support::start_with(|config| config.timeouts.handshake = Duration::from_millis(300));
    let mut tcp = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    tcp.send("OPTIONS sip:localhost SIP/2.0\r\n").await;
    tcp.closed().await;
    let mut again = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let request =
        again.request("OPTIONS", "sip:localhost", "sip:x@example.com", "<sip:localhost>", "ok", 1, "");
    again.send(&request).await;
    assert_eq!(again.receive().await.status(), 200);
}

#[tokio::test]
async fn a_call_survives_a_restart_of_the_gateway() {
    let (running, config) = support::restartable(|_| {});
    let addresses = running.gateway.addresses().clone();
    let instance =
        |n: u8| format!(";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf{n}>\";reg-id=1");
    let (alice_password, bob_password) = (running.password("alice"), running.password("bob"));
    let mut alice = WsPeer::new(addresses.http).await;
    let mut bob = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &alice_password, "ra", &instance(1)).await.status(), 200);
    assert_eq!(bob.register("bob", &bob_password, "rb", &instance(2)).await.status(), 200);
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, "kept", 1, &contact)).await;
    let invited = bob.receive().await;
    bob.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let to_bob = "<sip:bob@localhost>;tag=b";
    alice.send(&alice.request("ACK", &target(&ok), from, to_bob, "kept", 1, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");

    let Running { gateway, data } = running;
    let stopping = tokio::spawn(gateway.stop());
    // The library answers the close when it is read on.
    while alice.receive_message().await.is_some() {}
    while bob.receive_message().await.is_some() {}
    drop((alice, bob));
    stopping.await.unwrap();
    let running = Running { gateway: Gateway::start(config).unwrap(), data };
    assert_eq!(*running.gateway.addresses(), addresses);

    // Alice is back first and hangs up; Bob comes back to find that out.
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &alice_password, "ra2", &instance(1)).await.status(), 200);
    alice.send(&alice.request("BYE", &target(&ok), from, to_bob, "kept", 2, &routes)).await;
    running.wait_for_metric("trapezoid_sip_questions_open", 1).await;
    let mut bob = WsPeer::new(addresses.http).await;
    assert_eq!(bob.register("bob", &bob_password, "rb2", &instance(2)).await.status(), 200);
    let bye = bob.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    bob.send(&bye.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}

/// Without `rport` a phone listens where its Via says, whichever port it sends from.
#[tokio::test]
async fn rfc3261_18_2_2_a_phone_on_udp_is_called_where_it_listens() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut listens = UdpPeer::new(addresses.udp.unwrap()).await;
    let mut sends = UdpPeer::new(addresses.udp.unwrap()).await;
    let (aor, registrar) = ("sip:bob@localhost", "sip:localhost");
    let mut fields = format!("Contact: {}\r\n", listens.contact("bob"));
    for (cseq, status) in [(1, 401), (2, 200)] {
        let register = listens.request("REGISTER", registrar, aor, &format!("<{aor}>"), "r", cseq, &fields);
        sends.send(&register.replace(";rport", "")).await;
        let answer = listens.receive().await;
        assert_eq!(answer.status(), status, "{}", answer.0);
        if status == 401 {
            let challenge = answer.header("WWW-Authenticate");
            let proof = credentials(challenge, "bob", &running.password("bob"), "REGISTER", registrar);
            fields += &format!("Authorization: {proof}\r\n");
        }
    }
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    let to = format!("<{aor}>");
    alice.send(&alice.request("MESSAGE", aor, "sip:alice@localhost", &to, "m", 1, "")).await;
    let message = listens.receive().await;
    assert_eq!(message.method(), "MESSAGE", "{}", message.0);
    sends.send(&message.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}
