//! The gateway as edge proxy (RFC 3327 §5.2, RFC 5626 §5): a page registers through it at Kamailio, which has the domain.

#[path = "../../ws-gateway/tests/support/mod.rs"]
mod support;

use sip_core::server::{Peer as Server, Share, StaticRoute};
use support::peers::{Peer, UdpPeer, WsPeer};
use support::{Sip, credentials, start_with};
use tests::kamailio::{HOST, Kamailio};
use ws_gateway::config::PeerServer;

const DOMAIN: &str = "b.example";
const DORA: &str = "sip:dora@b.example";
const EVE: &str = "sip:eve@b.example";

/// Kamailio leaves the algorithm out where it is MD5.
fn proof(challenge: &str, method: &str, uri: &str) -> String {
    credentials(&format!("{challenge}, algorithm=MD5"), "dora", "dora", method, uri)
}

/// The Routes of a dialog, as lines, from Record-Route fields; the caller's are in reverse.
fn routes(message: &Sip, caller: bool) -> String {
    let mut values: Vec<&str> =
        message.all("Record-Route").iter().flat_map(|field| field.split(',')).map(str::trim).collect();
    if caller {
        values.reverse();
    }
    values.iter().map(|value| format!("Route: {value}\r\n")).collect()
}

fn contact_uri(message: &Sip) -> String {
    message.header("Contact").trim_start_matches('<').split('>').next().unwrap().into()
}

/// Receives a request, past provisional responses.
async fn request(peer: &mut impl Peer, method: &str) -> Sip {
    loop {
        let message = peer.receive().await;
        if !message.0.starts_with("SIP/2.0 1") {
            assert_eq!(message.method(), method, "{}", message.0);
            return message;
        }
    }
}

/// Rings and takes a call.
async fn answer(callee: &mut impl Peer, user: &str) -> Sip {
    let invite = request(callee, "INVITE").await;
    callee.send(&invite.response("180 Ringing", "t", "")).await;
    let contact = format!("Contact: {}\r\n", callee.contact(user));
    callee.send(&invite.response("200 OK", "t", &contact)).await;
    invite
}

/// Acknowledges the 200 that comes, and hangs up.
async fn through(caller: &mut impl Peer, callee: &mut impl Peer, from: &str, call_id: &str) {
    let ok = caller.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let (routes, uri, to) = (routes(&ok, true), contact_uri(&ok), ok.header("To"));
    let ack = caller.request("ACK", &uri, from, to, call_id, 2, &routes);
    caller.send(&ack).await;
    request(callee, "ACK").await;
    let bye = caller.request("BYE", &uri, from, to, call_id, 3, &routes);
    caller.send(&bye).await;
    let bye = request(callee, "BYE").await;
    callee.send(&bye.response("200 OK", "t", "")).await;
    assert_eq!(caller.receive_final().await.status(), 200);
}

#[tokio::test]
async fn rfc5626_5_a_page_registers_through_the_gateway_at_kamailio_and_is_called_and_calls() {
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec![DOMAIN.into()]).unwrap();
    let (chain, key) = (files.path().join("b.crt"), files.path().join("b.key"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let kamailio = Kamailio::start(&chain, &key, "sip:127.0.0.1:9").unwrap();
    let running = start_with(|config| {
        let peer = Server {
            name: "b".into(),
            uri: format!("sip:{}", kamailio.sip).into(),
            sources: [HOST.into()].into(),
            trusted: false,
        };
        config.peers = vec![PeerServer { peer, probe: None }];
        let shares = vec![Share { peer: "b".into(), priority: 1, weight: 1 }];
        config.routes = vec![StaticRoute { domain: Some(DOMAIN.into()), numbers: None, peers: shares }];
        config.edges = vec![DOMAIN.into()];
    });
    let addresses = running.gateway.addresses();
    let mut page = WsPeer::new(addresses.http).await.of(DOMAIN);

    // Kamailio asks for its own password, over the gateway that knows none.
    let contact = format!("Contact: {}\r\nSupported: path\r\nExpires: 300\r\n", page.contact("dora"));
    let registrar = "sip:b.example";
    let to = format!("<{DORA}>");
    let first = page.request("REGISTER", registrar, DORA, &to, "r", 1, &contact);
    page.send(&first).await;
    let challenged = page.receive_final().await;
    assert_eq!(challenged.status(), 401, "{}", challenged.0);
    let proof_of = proof(challenged.header("WWW-Authenticate"), "REGISTER", registrar);
    let fields = format!("{contact}Authorization: {proof_of}\r\n");
    let second = page.request("REGISTER", registrar, DORA, &to, "r", 2, &fields);
    page.send(&second).await;
    let registered = page.receive_final().await;
    assert_eq!(registered.status(), 200, "{}\n{}", registered.0, kamailio.log());
    assert!(registered.header("Path").ends_with(";lr;ob>"), "{}", registered.0);

    // Its other user calls the page.
    let mut eve = UdpPeer::new(kamailio.sip).await;
    kamailio.register("eve", eve.port()).unwrap();
    let contact = format!("Contact: {}\r\n", eve.contact("eve"));
    let invite = eve.request("INVITE", DORA, EVE, &to, "c1", 1, &contact);
    eve.send(&invite).await;
    let got = answer(&mut page, "dora").await;
    assert_eq!(got.all("Route"), [""; 0]);
    through(&mut eve, &mut page, EVE, "c1").await;

    // And the page calls it; Kamailio asks again.
    let contact = format!("Contact: {}\r\n", page.contact("dora"));
    let to_eve = format!("<{EVE}>");
    let invite = page.request("INVITE", EVE, DORA, &to_eve, "c2", 1, &contact);
    page.send(&invite).await;
    let challenged = page.receive_final().await;
    assert_eq!(challenged.status(), 407, "{}", challenged.0);
    let fields = format!(
        "{contact}Proxy-Authorization: {}\r\n",
        proof(challenged.header("Proxy-Authenticate"), "INVITE", EVE)
    );
    let invite = page.request("INVITE", EVE, DORA, &to_eve, "c2", 2, &fields);
    page.send(&invite).await;
    answer(&mut eve, "eve").await;
    through(&mut page, &mut eve, DORA, "c2").await;

    // Who did not register over its connection is not passed on.
    let mut other = WsPeer::new(addresses.http).await.of(DOMAIN);
    let invite = other.request("INVITE", EVE, DORA, &to_eve, "c3", 1, &contact);
    other.send(&invite).await;
    assert_eq!(other.receive_final().await.status(), 403);

    // The page is closed: its flow has failed.
    drop(page);
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 1).await;
    let contact = format!("Contact: {}\r\n", eve.contact("eve"));
    let invite = eve.request("INVITE", DORA, EVE, &to, "c4", 1, &contact);
    eve.send(&invite).await;
    let failed = eve.receive_final().await;
    assert_eq!(failed.status(), 430, "{}", failed.0);
}
