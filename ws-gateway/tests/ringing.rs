//! Calls that ring while the gateway is started anew.

mod support;

use support::peers::{Peer, UdpPeer, WsPeer};
use support::{Running, Sip, restartable};
use ws_gateway::{Config, Gateway};

/// What names the transaction.
fn branch(message: &Sip) -> String {
    let via = message.header("Via");
    via.split(";branch=").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

async fn restart(running: Running, config: &Config) -> Running {
    let Running { gateway, data } = running;
    gateway.stop().await;
    Running { gateway: Gateway::start(config.clone()).unwrap(), data }
}

/// Alice's phone calls Bob, whose phone and page ring.
#[tokio::test]
async fn rfc3261_16_10_a_cancel_after_a_restart_reaches_a_phone_and_a_page() {
    let (running, config) = restartable(|_| {});
    let (udp, http) = (config.udp[0].listen.address, config.http.listen.address);
    let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
    let mut alice = UdpPeer::new(udp).await;
    assert_eq!(alice.register("alice", &alice_has, "ra", "").await.status(), 200);
    let mut phone = UdpPeer::new(udp).await;
    assert_eq!(phone.register("bob", &bob_has, "rp", "").await.status(), 200);
    let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf2>\";reg-id=1";
    let mut page = WsPeer::new(http).await;
    assert_eq!(page.register("bob", &bob_has, "rw", instance).await.status(), 200);

    let invite = call(&mut alice, "alice", &alice_has, "bob").await;
    let to_phone = phone.receive().await;
    let to_page = page.receive().await;
    phone.send(&to_phone.response("180 Ringing", "p", "")).await;
    assert_eq!(alice.receive().await.status(), 180);
    // Answers the close, so that stopping need not wait.
    let reading = tokio::spawn(async move { while page.receive_message().await.is_some() {} });
    let running = restart(running, &config).await;
    reading.await.unwrap();

    let head = invite.split("\r\nContact").next().unwrap();
    let cancel = head.replace("INVITE sip", "CANCEL sip").replace(" INVITE", " CANCEL");
    alice.send(&format!("{cancel}\r\nContent-Length: 0\r\n\r\n")).await;
    let cancel = phone.receive().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&to_phone)));
    phone.send(&cancel.response("200 OK", "p", "")).await;
    assert_eq!(alice.receive().await.status(), 200);

    let mut page = WsPeer::new(http).await;
    assert_eq!(page.register("bob", &bob_has, "rx", instance).await.status(), 200);
    let cancel = page.receive().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&to_page)));
    assert_eq!(running.metric("trapezoid_sip_cancels_unknown_total").await, 1);
}

/// INVITE, challenged, again; up to its 100. Gives the one that is under way.
async fn call(caller: &mut UdpPeer, user: &str, password: &str, callee: &str) -> String {
    let (uri, from) = (format!("sip:{callee}@localhost"), format!("sip:{user}@localhost"));
    let contact = format!("Contact: {}\r\n", caller.contact(user));
    let to = format!("<{uri}>");
    let first = caller.request("INVITE", &uri, &from, &to, "call", 1, &contact);
    caller.send(&first).await;
    let challenged = caller.receive().await;
    assert_eq!(challenged.status(), 407, "{}", challenged.0);
    let proof = support::credentials(challenged.header("Proxy-Authenticate"), user, password, "INVITE", &uri);
    let fields = format!("{contact}Proxy-Authorization: {proof}\r\n");
    let second = caller.request("INVITE", &uri, &from, &to, "call", 2, &fields);
    caller.send(&second).await;
    assert_eq!(caller.receive().await.status(), 100);
    second
}
