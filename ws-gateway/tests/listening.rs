//! Phones on TCP that close their connections when nothing is said, and take new ones.

mod support;

use support::peers::{Peer, TcpPeer, WsPeer};
use support::{Running, restartable};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use ws_gateway::Gateway;

async fn accept(listener: &TcpListener) -> TcpPeer {
    let (stream, _) = timeout(support::PATIENCE, listener.accept()).await.expect("is connected to").unwrap();
    TcpPeer::over(stream)
}

/// Before and after a restart.
#[tokio::test]
async fn rfc3261_18_1_1_a_phone_on_tcp_is_connected_to_at_its_contact() {
    let (running, config) = restartable(|_| {});
    let (tcp, http) = (config.tcp[0].listen.address, config.http.listen.address);
    let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listens = listener.local_addr().unwrap();
    let stream = TcpStream::connect(tcp).await.unwrap();
    let mut phone = TcpPeer::over(stream).listening_at(listens);
    assert_eq!(phone.register("bob", &bob_has, "rb", "").await.status(), 200);
    drop(phone);
    running.wait_for_metric("trapezoid_flows{transport=\"tcp\"}", 0).await;

    let mut running = running;
    for restarted in [false, true] {
        if restarted {
            let Running { gateway, data } = running;
            gateway.stop().await;
            running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
        }
        let mut alice = WsPeer::new(http).await;
        assert_eq!(alice.register("alice", &alice_has, "ra", "").await.status(), 200);
        let contact = format!("Contact: {}\r\n", alice.contact("alice"));
        let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
        let call_id = format!("c{restarted}");
        alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, 1, &contact)).await;
        let mut phone = accept(&listener).await;
        let invite = phone.receive().await;
        assert_eq!(invite.start_line(), format!("INVITE sip:bob@{listens};transport=tcp SIP/2.0"));
        // The phone may answer over another connection, to where the gateway listens.
        assert!(invite.header("Via").contains(&tcp.to_string()), "{}", invite.0);
        phone.send(&invite.response("486 Busy Here", "b", "")).await;
        assert_eq!(alice.receive_final().await.status(), 486);
        assert_eq!(running.metric("trapezoid_sip_paths_followed_total").await, 1);
        // Answers the close, so that stopping need not wait.
        tokio::spawn(async move { while alice.receive_message().await.is_some() {} });
    }
}
