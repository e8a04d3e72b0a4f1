//! Phones behind an edge proxy whose connection has closed: the Path of their registration leads there (RFC 3327).

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip_core::server::{Outward, Peer as Known};
use support::authority::Authority;
use support::peers::{Peer, TcpPeer, WsPeer};
use support::{PATIENCE, Running, credentials, restartable};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use ws_gateway::config::PeerServer;
use ws_gateway::data::DataDirectory;
use ws_gateway::{Config, Gateway};

const EDGE: &str = "127.0.0.2";
const TCP_FLOWS: &str = "trapezoid_flows{transport=\"tcp\"}";
const PHONE: &str = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7>\";reg-id=1";

/// A gateway that knows the edge proxy, and the configuration with which it starts again on the same ports.
fn start(change: impl FnOnce(&mut Config)) -> (Running, Config) {
    restartable(|config| {
        config.outbound.to = Outward::Nowhere;
        let peer = Known {
            name: "edge".into(),
            uri: format!("sip:{EDGE};transport=tcp").into(),
            sources: vec![EDGE.parse().unwrap()],
            trusted: false,
        };
        config.peers = vec![PeerServer { peer, probe: None }];
        change(config);
    })
}

async fn listen(ip: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Bob's phone registers through a connection from this address, which closes after that.
async fn register_through(running: &Running, ip: &str, path: &str) {
    let before = running.metric(TCP_FLOWS).await;
    let mut phone = connection(running, ip).await;
    let fields = format!("{PHONE}\r\nPath: {path}\r\nSupported: path, outbound");
    let answer = phone.register("bob", &running.password("bob"), ip, &fields).await;
    assert_eq!(answer.status(), 200, "{}", answer.0);
    drop(phone);
    running.wait_for_metric(TCP_FLOWS, before).await;
}

/// A connection from this address.
async fn connection(running: &Running, ip: &str) -> TcpPeer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
    TcpPeer::over(socket.connect(running.gateway.addresses().tcp.unwrap()).await.unwrap())
}

async fn page(running: &Running, user: &str) -> WsPeer {
    let mut page = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(page.register(user, &running.password(user), &format!("r{user}"), "").await.status(), 200);
    page
}

/// Alice calls Bob.
async fn call(alice: &mut WsPeer, call_id: &str) {
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, call_id, 1, &contact)).await;
    assert_eq!(alice.receive().await.status(), 100);
}

async fn accept(listener: &TcpListener) -> TcpPeer {
    TcpPeer::over(timeout(PATIENCE, listener.accept()).await.expect("is connected to").unwrap().0)
}

#[tokio::test]
async fn rfc3327_5_3_a_call_dials_the_path_of_a_registration_whose_connection_is_gone() {
    let (running, config) = start(|config| config.timeouts.away = Duration::from_secs(1));
    let (listener, address) = listen(EDGE).await;
    let path = format!("<sip:token@{address};transport=tcp;lr;ob>");
    register_through(&running, EDGE, &path).await;
    let mut alice = page(&running, "alice").await;

    call(&mut alice, "c").await;
    let mut edge = accept(&listener).await;
    let invite = edge.receive().await;
    assert!(invite.start_line().starts_with("INVITE sip:bob@127.0.0.2:"), "{}", invite.0);
    assert_eq!(invite.all("Route"), [&*path]);
    edge.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", edge.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let target = edge.contact("bob").trim_matches(['<', '>']).to_owned();
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>;tag=b");
    alice.send(&alice.request("ACK", &target, from, to, "c", 1, &routes)).await;
    assert_eq!(edge.receive().await.method(), "ACK");

    // It closes again, and the call goes on over the next.
    drop(edge);
    alice.send(&alice.request("BYE", &target, from, to, "c", 2, &routes)).await;
    let mut edge = accept(&listener).await;
    let bye = edge.receive().await;
    assert_eq!(bye.method(), "BYE");
    edge.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    assert_eq!(running.metric("trapezoid_sip_paths_followed_total").await, 2);

    // And after a restart, however long it is since.
    drop(edge);
    let reading = tokio::spawn(async move { while alice.receive_message().await.is_some() {} });
    let Running { gateway, data } = running;
    gateway.stop().await;
    reading.await.unwrap();
    let running = Running { gateway: Gateway::start(config).unwrap(), data };
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let mut alice = page(&running, "alice").await;
    call(&mut alice, "d").await;
    let mut edge = accept(&listener).await;
    assert_eq!(edge.receive().await.all("Route"), [&*path]);
}

/// It takes the connection, and is silent from then on: whoever else there is rings at once, and is answered at once.
#[tokio::test]
async fn rfc3261_16_6_7_a_silent_proxy_delays_no_other_phone() {
    let authority = Authority::fresh();
    let (running, _) = start(|config| config.outbound.ca = Some(authority.file.clone()));
    let (listener, address) = listen(EDGE).await;
    register_through(&running, EDGE, &format!("<sip:token@{address};transport=tls;lr;ob>")).await;
    let mut alice = page(&running, "alice").await;
    let mut bob = page(&running, "bob").await;
    let begun = Instant::now();
    call(&mut alice, "c").await;
    let invite = bob.receive().await;
    assert_eq!(invite.method(), "INVITE");
    let _silent = timeout(PATIENCE, listener.accept()).await.expect("is connected to").unwrap();
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rfc3327_6_a_path_into_a_forbidden_address_is_not_dialed() {
    let (running, _) = start(|_| {});
    // Through the proxy to somebody who is none, and to the proxy past it.
    for (calls, (from, to)) in [(EDGE, "127.0.0.3"), ("127.0.0.4", EDGE)].into_iter().enumerate() {
        let (listener, address) = listen(to).await;
        register_through(&running, from, &format!("<sip:token@{address};transport=tcp;lr>")).await;
        let mut alice = page(&running, "alice").await;
        call(&mut alice, "c").await;
        running.wait_for_metric("trapezoid_sip_hops_forbidden_total", calls as u64 + 1).await;
        assert!(timeout(Duration::from_millis(300), listener.accept()).await.is_err(), "{from} {to}");
    }
    assert_eq!(running.metric("trapezoid_dials_total").await, 0);
    assert_eq!(running.metric("trapezoid_failed_dials_total").await, 0);
}

/// The phones behind a proxy share its connection, and Carol registered over it last.
#[tokio::test]
async fn rfc3327_5_3_a_call_outlives_the_connection_of_the_proxy_that_it_was_made_over() {
    let (running, _) = start(|_| {});
    let directory = DataDirectory::open(running.data.path()).unwrap();
    ws_gateway::accounts::add(&directory, "localhost", "carol", "secret").unwrap();
    running.wait_for_metric("trapezoid_accounts", 3).await;
    let (listener, address) = listen(EDGE).await;
    let fields =
        format!("{PHONE}\r\nPath: <sip:token@{address};transport=tcp;lr;ob>\r\nSupported: path, outbound");
    let mut edge = connection(&running, EDGE).await;
    let password = running.password("bob");
    for (user, password) in [("bob", &*password), ("carol", "secret")] {
        assert_eq!(edge.register(user, password, user, &fields).await.status(), 200);
    }
    let mut alice = page(&running, "alice").await;
    let (from, to, uri) = ("sip:bob@localhost", "<sip:alice@localhost>", "sip:alice@localhost");
    let contact = format!("Contact: {}\r\n", edge.contact("bob"));
    let invite = edge.request("INVITE", uri, from, to, "c", 1, &contact);
    edge.send(&invite).await;
    let challenged = edge.receive_final().await;
    edge.send(&edge.request("ACK", uri, from, challenged.header("To"), "c", 1, "")).await;
    let proof = credentials(challenged.header("Proxy-Authenticate"), "bob", &password, "INVITE", uri);
    let fields = format!("{contact}Proxy-Authorization: {proof}\r\n");
    edge.send(&edge.request("INVITE", uri, from, to, "c", 2, &fields)).await;
    let invited = alice.receive().await;
    let answer = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&invited.response("200 OK", "a", &answer)).await;
    let ok = edge.receive_final().await;
    assert_eq!(ok.status(), 200);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let target = alice.contact("alice").trim_matches(['<', '>']).to_owned();
    let to = "<sip:alice@localhost>;tag=a";
    edge.send(&edge.request("ACK", &target, from, to, "c", 2, &routes)).await;
    assert_eq!(alice.receive().await.method(), "ACK");

    // It closes. Bob's phone goes on over another, and is told over one to where its Path leads.
    let flows = running.metric(TCP_FLOWS).await;
    drop(edge);
    running.wait_for_metric(TCP_FLOWS, flows - 1).await;
    let mut next = connection(&running, EDGE).await;
    next.send(&next.request("INFO", &target, from, to, "c", 3, &routes)).await;
    let info = alice.receive().await;
    assert_eq!(info.method(), "INFO", "{}", info.0);
    alice.send(&info.response("200 OK", "", "")).await;
    assert_eq!(next.receive_final().await.status(), 200);
    let routes: String = invited.all("Record-Route").iter().map(|r| format!("Route: {r}\r\n")).collect();
    let (bob, from) = (invited.header("Contact").trim_matches(['<', '>']), "sip:alice@localhost");
    let bye = alice.request("BYE", bob, from, invited.header("From"), "c", 7, &routes);
    alice.send(&bye.replace(";tag=fc\r\nTo:", ";tag=a\r\nTo:")).await;
    let mut edge = accept(&listener).await;
    assert_eq!(edge.receive().await.method(), "BYE");
}
