//! Phones over TLS, and a page over a secure WebSocket, that write `sips` URIs everywhere (RFC 5630).

mod support;

use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::tls::{connect, own_certificate};
use support::{Running, Sip, credentials, start_with};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use ws_gateway::config::SipListener;

type Phone = TcpPeer<TlsStream<TcpStream>>;

fn start() -> Running {
    start_with(|config| {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        config.https = vec![any.into()];
        config.tls = vec![SipListener::at(any.into())];
    })
}

async fn phone(running: &Running, own: &CertificateDer<'static>) -> Phone {
    let stream = connect(running.gateway.addresses().tls.unwrap(), own, None).await.unwrap();
    TcpPeer::over_tls(stream)
}

async fn page(running: &Running, own: &CertificateDer<'static>) -> WsPeer<TlsStream<TcpStream>> {
    let https = running.gateway.addresses().https.unwrap();
    WsPeer::over(connect(https, own, None).await.unwrap(), https, "WSS").await
}

/// A call begins, and who calls has to prove itself with it, for it is no page.
async fn call(caller: &mut impl Peer, running: &Running, user: &str, callee: &str, call_id: &str) -> String {
    let uri = format!("{}:{callee}@localhost", caller.scheme());
    let (from, to) = (format!("{}:{user}@localhost", caller.scheme()), format!("<{uri}>"));
    let contact = format!("Contact: {}\r\n", caller.contact(user));
    let invite = caller.request("INVITE", &uri, &from, &to, call_id, 1, &contact);
    caller.send(&invite).await;
    let challenged = caller.receive_final().await;
    assert_eq!(challenged.status(), 407, "{}", challenged.0);
    let ack = caller.request("ACK", &uri, &from, challenged.header("To"), call_id, 1, "");
    let branch = |text: &str| text.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    caller.send(&ack.replace(&branch(&ack), &branch(&invite))).await;
    let challenge = challenged.header("Proxy-Authenticate");
    let proof = credentials(challenge, user, &running.password(user), "INVITE", &uri);
    let headers = format!("{contact}Proxy-Authorization: {proof}\r\n");
    caller.send(&caller.request("INVITE", &uri, &from, &to, call_id, 2, &headers)).await;
    from
}

fn routes(message: &Sip, reversed: bool) -> String {
    let mut all = message.all("Record-Route");
    if reversed {
        all.reverse();
    }
    all.iter().map(|route| format!("Route: {route}\r\n")).collect()
}

fn target(contact: &str) -> &str {
    contact.trim_start_matches('<').split('>').next().unwrap()
}

#[tokio::test]
async fn rfc5630_a_phone_that_writes_sips_everywhere_registers_calls_and_is_called() {
    let running = start();
    let own = own_certificate(&running);
    let (mut alice, mut bob) =
        (page(&running, &own).await.with_sips(), phone(&running, &own).await.with_sips());
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    let registered = bob.register("bob", &running.password("bob"), "rb", "").await;
    assert_eq!(registered.status(), 200, "{}", registered.0);
    assert!(registered.header("Contact").starts_with(&bob.contact("bob")), "{}", registered.0);

    // The phone calls the page.
    let from = call(&mut bob, &running, "bob", "alice", "out").await;
    let invite = alice.receive().await;
    assert_eq!(invite.start_line(), format!("INVITE {} SIP/2.0", target(&alice.contact("alice"))));
    let recorded = invite.all("Record-Route");
    assert!(recorded.len() == 2 && recorded.iter().all(|r| r.starts_with("<sips:")), "{}", invite.0);
    assert!(recorded[0].contains(";transport=ws;") && !recorded[1].contains("transport"), "{}", invite.0);
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&invite.response("200 OK", "a", &contact)).await;
    let ok = bob.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let (to, way) = (ok.header("To").to_owned(), routes(&ok, true));
    let remote = target(ok.header("Contact")).to_owned();
    bob.send(&bob.request("ACK", &remote, &from, &to, "out", 2, &way)).await;
    assert_eq!(alice.receive().await.method(), "ACK");
    // It is held, and hangs up.
    let again = format!("{way}Contact: {}\r\n", bob.contact("bob"));
    bob.send(&bob.request("INVITE", &remote, &from, &to, "out", 3, &again)).await;
    let held = alice.receive().await;
    assert!(held.method() == "INVITE" && held.header("To").contains("tag=a"), "{}", held.0);
    alice.send(&held.response("200 OK", "a", &contact)).await;
    assert_eq!(bob.receive_final().await.status(), 200);
    bob.send(&bob.request("ACK", &remote, &from, &to, "out", 3, &way)).await;
    assert_eq!(alice.receive().await.method(), "ACK");
    bob.send(&bob.request("BYE", &remote, &from, &to, "out", 4, &way)).await;
    let bye = alice.receive().await;
    assert_eq!(bye.method(), "BYE");
    alice.send(&bye.response("200 OK", "a", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);

    // The page calls the phone, which hangs up.
    let (from, to) = ("sips:alice@localhost", "<sips:bob@localhost>");
    alice.send(&alice.request("INVITE", "sips:bob@localhost", from, to, "in", 1, &contact)).await;
    let invite = bob.receive().await;
    assert_eq!(invite.start_line(), format!("INVITE {} SIP/2.0", target(&bob.contact("bob"))));
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS "), "{}", invite.0);
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let remote = target(ok.header("Contact")).to_owned();
    alice.send(&alice.request("ACK", &remote, from, ok.header("To"), "in", 1, &routes(&ok, true))).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    let (to_alice, remote) = (invite.header("From").to_owned(), target(invite.header("Contact")).to_owned());
    let bye = bob.request("BYE", &remote, "sips:bob@localhost", &to_alice, "in", 9, &routes(&invite, false));
    bob.send(&bye.replace(";tag=fin\r\nTo:", ";tag=b\r\nTo:")).await;
    let bye = alice.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    alice.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
}

#[tokio::test]
async fn rfc5630_5_3_a_phone_on_udp_calls_the_sip_uri_of_a_phone_that_registered_sips() {
    let running = start();
    let own = own_certificate(&running);
    let mut alice = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let mut bob = phone(&running, &own).await.with_sips();
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    let from = call(&mut alice, &running, "alice", "bob", "c").await;
    let invite = bob.receive().await;
    // "the proxy MUST replace that SIPS scheme with a SIP scheme … The proxy MUST use TLS"
    let uri = target(&bob.contact("bob")).replacen("sips:", "sip:", 1);
    assert_eq!(invite.start_line(), format!("INVITE {uri} SIP/2.0"));
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS "), "{}", invite.0);
    assert!(invite.all("Record-Route").iter().all(|r| r.starts_with("<sip:")), "{}", invite.0);
    bob.send(&invite.response("200 OK", "b", &format!("Contact: <{uri}>\r\n"))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    alice.send(&alice.request("ACK", &uri, &from, ok.header("To"), "c", 2, &routes(&ok, true))).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    alice.send(&alice.request("BYE", &uri, &from, ok.header("To"), "c", 3, &routes(&ok, true))).await;
    let bye = bob.receive().await;
    assert_eq!(bye.method(), "BYE");
    bob.send(&bye.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}

#[tokio::test]
async fn rfc5630_5_3_a_sips_call_to_a_phone_on_udp_is_refused_and_told_why() {
    let running = start();
    let own = own_certificate(&running);
    let mut alice = phone(&running, &own).await.with_sips();
    let mut bob = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    call(&mut alice, &running, "alice", "bob", "c").await;
    let refused = alice.receive_final().await;
    assert_eq!(refused.start_line(), "SIP/2.0 480 SIPS Not Allowed");
    let warning = refused.header("Warning");
    assert!(warning.starts_with("380 localhost \"SIPS Not Allowed: no TLS leads there"), "{warning}");
    // By his sip URI he is called over TLS no less.
    let mut again = phone(&running, &own).await;
    call(&mut again, &running, "alice", "bob", "d").await;
    assert_eq!(bob.receive().await.method(), "INVITE");
}

#[tokio::test]
async fn rfc3261_26_2_2_sips_over_udp_or_tcp_or_a_plain_websocket_is_refused() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    async fn refused(mut peer: impl Peer) {
        let contact = format!("Contact: {}\r\n", peer.contact("bob"));
        let aor = "sips:bob@localhost";
        peer.send(&peer.request("REGISTER", "sips:localhost", aor, &format!("<{aor}>"), "r", 1, &contact))
            .await;
        let refused = peer.receive().await;
        assert_eq!(refused.start_line(), "SIP/2.0 400 Bad Request (sips Without TLS)");
        assert!(refused.header("Warning").contains("comes over TLS or a secure WebSocket"), "{}", refused.0);
    }
    refused(UdpPeer::new(addresses.udp.unwrap()).await).await;
    refused(TcpPeer::new(addresses.tcp.unwrap()).await.with_sips()).await;
    refused(WsPeer::new(addresses.http).await.with_sips()).await;
}
