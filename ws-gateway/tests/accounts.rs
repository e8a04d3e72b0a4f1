//! Accounts that change: what their registrations and their calls become.

mod support;

use std::time::Duration;

use support::peers::{Peer, UdpPeer, WsPeer};
use support::{Running, Sip, config, start, take_its_ports};
use ws_gateway::Gateway;
use ws_gateway::data::DataDirectory;

#[tokio::test]
async fn a_removed_user_must_prove_what_it_cannot() {
    let running = start();
    let mut alice = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "r", "").await.status(), 200);
    let data = DataDirectory::open(running.data.path()).unwrap();
    ws_gateway::accounts::remove(&data, "localhost", "alice").unwrap();
    running.wait_for_metric("trapezoid_accounts", 1).await;
    let uri = "sip:bob@localhost";
    let status = async {
        // The count changes a moment before the flow does.
        for cseq in 1.. {
            let message =
                alice.request("MESSAGE", uri, "sip:alice@localhost", "<sip:bob@localhost>", "m", cseq, "");
            alice.send(&message).await;
            let response = alice.receive_final().await;
            if response.status() != 480 {
                return response.status();
            }
        }
        unreachable!("loops for ever")
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), status).await.unwrap(), 407);
}

/// Whoever has the old password is called no longer and calls nobody, but ends the call it is in.
#[tokio::test]
async fn a_changed_password_ends_the_registration() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let (mut alice, mut bob) = (WsPeer::new(addresses.http).await, WsPeer::new(addresses.http).await);
    let old = running.password("alice");
    assert_eq!(alice.register("alice", &old, "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, "call", 1, &contact)).await;
    let invited = bob.receive().await;
    bob.send(&invited.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let to_bob = "<sip:bob@localhost>;tag=b";
    alice.send(&alice.request("ACK", &target(&ok), from, to_bob, "call", 1, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");

    let data = DataDirectory::open(running.data.path()).unwrap();
    ws_gateway::accounts::remove(&data, "localhost", "alice").unwrap();
    ws_gateway::accounts::add(&data, "localhost", "alice", "another").unwrap();
    running.wait_for_metric("trapezoid_bindings", 1).await;
    let message = |peer: &WsPeer, from: &str, to: &str, call_id: &str| {
        peer.request(
            "MESSAGE",
            &format!("sip:{to}"),
            &format!("sip:{from}"),
            &format!("<sip:{to}>"),
            call_id,
            1,
            "",
        )
    };
    bob.send(&message(&bob, "bob@localhost", "alice@localhost", "m1")).await;
    assert_eq!(bob.receive_final().await.status(), 480);
    alice.send(&message(&alice, "alice@localhost", "bob@localhost", "m2")).await;
    assert_eq!(alice.receive_final().await.status(), 407);
    assert_eq!(alice.register("alice", &old, "ra2", "").await.status(), 401);
    alice.send(&alice.request("BYE", &target(&ok), from, to_bob, "call", 2, &routes)).await;
    let bye = bob.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    bob.send(&bye.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    assert_eq!(alice.register("alice", "another", "ra3", "").await.status(), 200);
    running.wait_for_metric("trapezoid_bindings", 2).await;
}

/// With what was proven by a password that holds no longer, or by an account that is gone, nobody is called after a restart.
#[tokio::test]
async fn what_changed_while_the_gateway_was_down_ends_registrations_too() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    let directory = DataDirectory::open(data.path()).unwrap();
    let running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
    ws_gateway::accounts::add(&directory, "localhost", "carol", "secret").unwrap();
    running.wait_for_metric("trapezoid_accounts", 3).await;
    take_its_ports(&mut config, &running.gateway);
    let addresses = running.gateway.addresses().clone();
    let passwords = [running.password("alice"), running.password("bob"), "secret".into()];
    let mut phones = Vec::new();
    for (user, password) in ["alice", "bob", "carol"].into_iter().zip(&passwords) {
        let mut phone = UdpPeer::new(addresses.udp.unwrap()).await;
        assert_eq!(phone.register(user, password, user, "").await.status(), 200);
        phones.push(phone);
    }
    let Running { gateway, data } = running;
    gateway.stop().await;
    // Alice has another password, Carol is gone, and of Bob all is as it was.
    ws_gateway::accounts::remove(&directory, "localhost", "alice").unwrap();
    ws_gateway::accounts::add(&directory, "localhost", "alice", "another").unwrap();
    ws_gateway::accounts::remove(&directory, "localhost", "carol").unwrap();
    let running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
    assert_eq!(running.metric("trapezoid_bindings").await, 1);
    let mut caller = WsPeer::new(addresses.http).await;
    assert_eq!(caller.register("bob", &passwords[1], "caller", "").await.status(), 200);
    for (cseq, user, status) in [(1, "alice", 480), (2, "carol", 404)] {
        let (uri, to) = (format!("sip:{user}@localhost"), format!("<sip:{user}@localhost>"));
        caller.send(&caller.request("MESSAGE", &uri, "sip:bob@localhost", &to, "m", cseq, "")).await;
        assert_eq!(caller.receive_final().await.status(), status, "{user}");
    }
    assert_eq!(phones[0].register("alice", &passwords[0], "again", "").await.status(), 401);
    assert_eq!(phones[0].register("alice", "another", "anew", "").await.status(), 200);
    // The third start finds what the second left.
    let Running { gateway, data } = running;
    let reading = tokio::spawn(async move { while caller.receive_message().await.is_some() {} });
    gateway.stop().await;
    reading.await.unwrap();
    let running = Running { gateway: Gateway::start(config).unwrap(), data };
    assert_eq!(running.metric("trapezoid_bindings").await, 3);
}

/// The URI of a message's Contact.
fn target(message: &Sip) -> String {
    let contact = message.header("Contact");
    contact[contact.find('<').unwrap() + 1..contact.find('>').unwrap()].to_owned()
}
