//! The roles of RFC 3261 §4 and §6, each through the real sockets.

mod support;

use std::time::Duration;

use sip_core::registrar::Bounds;
use sip_core::server::Mode;
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{Running, Sip, start, start_with};

const BOB: &str = "sip:bob@localhost";

/// Phones of Bob's, each registered with the parameters of its contact.
async fn bobs<const N: usize>(running: &Running, params: [&str; N]) -> Vec<UdpPeer> {
    let mut phones = Vec::new();
    for (index, params) in params.into_iter().enumerate() {
        let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
        let registered =
            phone.register("bob", &running.password("bob"), &format!("bob{index}"), params).await;
        assert_eq!(registered.status(), 200, "{}", registered.0);
        phones.push(phone);
    }
    phones
}

async fn alice(running: &Running) -> WsPeer {
    let mut alice = WsPeer::new(running.gateway.addresses().http).await;
    let registered = alice.register("alice", &running.password("alice"), "alice", "").await;
    assert_eq!(registered.status(), 200, "{}", registered.0);
    alice
}

fn invite(alice: &WsPeer, call_id: &str) -> String {
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.request("INVITE", BOB, "sip:alice@localhost", &format!("<{BOB}>"), call_id, 1, &contact)
}

/// Answers an INVITE with a failure and takes the ACK.
async fn decline(phone: &mut UdpPeer, invited: &Sip, status: &str) {
    phone.send(&invited.response(status, "b", "")).await;
    assert_eq!(phone.receive().await.method(), "ACK");
}

/// §16: it forks by `q`, ends what has failed, chooses the best answer, and sends its own CANCEL.
#[tokio::test]
async fn stateful_proxy() {
    let running = start_with(|config| config.proxy.ring = Duration::from_secs(1));
    let mut phones = bobs(&running, [";q=0.4", ";q=0.9", ""]).await;
    let [third, second, first] = &mut phones[..] else { panic!("three") };
    let mut alice = alice(&running).await;
    alice.send(&invite(&alice, "stateful")).await;
    assert_eq!(alice.receive().await.status(), 100);
    let invited = first.receive().await;
    assert_eq!(invited.header("Max-Breadth"), "58", "two are kept for those that wait");
    decline(first, &invited, "404 Not Found").await;
    // The second rings, and is cancelled after a second.
    let invited = second.receive().await;
    second.send(&invited.response("180 Ringing", "b", "")).await;
    assert_eq!(alice.receive().await.status(), 180);
    let cancel = second.receive().await;
    assert_eq!(cancel.method(), "CANCEL");
    second.send(&cancel.response("200 OK", "b", "")).await;
    decline(second, &invited, "487 Request Terminated").await;
    let invited = third.receive().await;
    third.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", third.contact("bob")))).await;
    assert_eq!(alice.receive().await.status(), 200);
}

/// §16.11: no 100 of its own, no retransmission of its own, nothing kept.
#[tokio::test]
async fn stateless_proxy() {
    let running = start_with(|config| config.proxy.mode = Mode::Stateless);
    let mut phones = bobs(&running, [";q=0.5", ""]).await;
    let mut alice = alice(&running).await;
    // Those of the REGISTER requests: retransmissions are still answered.
    let before = running.metric("trapezoid_sip_transactions").await;
    let text = invite(&alice, "stateless");
    alice.send(&text).await;
    let phone = &mut phones[1];
    let invited = phone.receive().await;
    alice.send(&text).await;
    let again = phone.receive().await;
    assert_eq!(invited.all("Via")[0].split(";back=").next(), again.all("Via")[0].split(";back=").next());
    phone.send(&invited.response("180 Ringing", "b", "")).await;
    assert_eq!(alice.receive().await.status(), 180, "the first that Alice hears");
    alice.send(&text.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL")).await;
    let cancel = phone.receive().await;
    assert_eq!(cancel.method(), "CANCEL");
    phone.send(&cancel.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive().await.status(), 200);
    phone.send(&invited.response("487 Request Terminated", "b", "")).await;
    let gone = alice.receive().await;
    assert_eq!(gone.status(), 487);
    assert_eq!(gone.all("Via").len(), 1);
    assert_eq!(running.metric("trapezoid_sip_transactions").await, before);
}

/// §10: adds, tells, refreshes and removes bindings, for who may.
#[tokio::test]
async fn registrar() {
    let running = start();
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let password = running.password("bob");
    let registered = phone.register("bob", &password, "one", ";q=0.5").await;
    assert_eq!(registered.status(), 200);
    let contact = registered.header("Contact");
    assert!(contact.starts_with(&phone.contact("bob")) && contact.contains(";q=0.5;expires="), "{contact}");
    assert_eq!(phone.register("alice", &password, "two", "").await.status(), 401);
    let removed = phone.register("bob", &password, "three", ";expires=0").await;
    assert_eq!((removed.status(), removed.all("Contact").len()), (200, 0), "{}", removed.0);
}

/// §10.3 step 7: how long a binding lasts is between the bounds of the configuration.
#[tokio::test]
async fn registrar_within_its_bounds() {
    let running = start_with(|config| {
        let seconds = Duration::from_secs;
        config.registrar.expiry = Bounds { min: seconds(20), default: seconds(300), max: seconds(900) };
    });
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let password = running.password("bob");
    for (asked, told) in [(";expires=20", 20), (";expires=3600", 900)] {
        let registered = phone.register("bob", &password, &format!("bounds{told}"), asked).await;
        let contact = registered.header("Contact");
        assert!(contact.ends_with(&format!(";expires={told}")), "{contact}");
    }
    let refused = phone.register("bob", &password, "brief", ";expires=19").await;
    assert_eq!((refused.status(), refused.header("Min-Expires")), (423, "20"), "{}", refused.0);
}

/// §8.3, §21.3.3: the caller is told where to call, and nothing is forwarded.
#[tokio::test]
async fn redirect_server() {
    let running = start_with(|config| config.proxy.mode = Mode::Redirect);
    let phones = bobs(&running, [";q=0.5", ""]).await;
    let mut alice = alice(&running).await;
    alice.send(&invite(&alice, "redirect")).await;
    let told = alice.receive().await;
    assert_eq!(told.status(), 302, "{}", told.0);
    let expected =
        [format!("{};q=1", phones[1].contact("bob")), format!("{};q=0.5", phones[0].contact("bob"))];
    assert_eq!(told.all("Contact"), expected);
}

/// §10.1, §16.5: what the registrar was told is where the proxy sends, until it ends; a connection that is gone is passed
/// over at once.
#[tokio::test]
async fn location_service() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut alice = alice(&running).await;
    let message = |alice: &WsPeer, call_id: &str| {
        alice.request("MESSAGE", BOB, "sip:alice@localhost", &format!("<{BOB}>"), call_id, 1, "")
    };
    alice.send(&message(&alice, "nobody")).await;
    assert_eq!(alice.receive_final().await.status(), 480);

    let mut page = WsPeer::new(addresses.http).await;
    let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1";
    assert_eq!(page.register("bob", &running.password("bob"), "page", instance).await.status(), 200);
    let mut phones = bobs(&running, [""]).await;
    assert_eq!(running.metric("trapezoid_bindings").await, 3);
    // Both.
    alice.send(&message(&alice, "both")).await;
    let (at_page, at_phone) = (page.receive().await, phones[0].receive().await);
    assert_eq!((at_page.header("Call-ID"), at_phone.header("Call-ID")), ("both", "both"));
    phones[0].send(&at_phone.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    // The page's connection is gone: its binding is there, and the phone alone is tried.
    drop(page);
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 1).await;
    alice.send(&message(&alice, "one")).await;
    let at_phone = phones[0].receive().await;
    phones[0].send(&at_phone.response("404 Not Found", "b", "")).await;
    let answer = tokio::time::timeout(Duration::from_secs(1), alice.receive_final()).await.unwrap();
    assert_eq!(answer.status(), 404);
}
