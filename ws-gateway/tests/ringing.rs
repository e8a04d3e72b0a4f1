//! Calls that ring while the gateway is started anew.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::peers::{Peer, UdpPeer, WsPeer};
use support::{Running, Sip, restartable};
use tempfile::TempDir;
use tokio::net::UdpSocket;
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
struct Ringing {
    alice: UdpPeer,
    invite: String,
    phone: UdpPeer,
    to_phone: Sip,
    page: WsPeer,
    to_page: Sip,
    bob_has: String,
}

const PAGE: &str = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf2>\";reg-id=1";

async fn ring(running: &Running, config: &Config) -> Ringing {
    let (udp, http) = (config.udp[0].listen.address, config.http.listen.address);
    let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
    let mut alice = UdpPeer::new(udp).await;
    assert_eq!(alice.register("alice", &alice_has, "ra", "").await.status(), 200);
    let mut phone = UdpPeer::new(udp).await;
    assert_eq!(phone.register("bob", &bob_has, "rp", "").await.status(), 200);
    let mut page = WsPeer::new(http).await;
    assert_eq!(page.register("bob", &bob_has, "rw", PAGE).await.status(), 200);

    let invite = call(&mut alice, "alice", &alice_has, "bob").await;
    let to_phone = phone.receive().await;
    let to_page = page.receive().await;
    phone.send(&to_phone.response("180 Ringing", "p", "")).await;
    assert_eq!(alice.receive().await.status(), 180);
    Ringing { alice, invite, phone, to_phone, page, to_page, bob_has }
}

fn cancel_of(invite: &str) -> String {
    let head = invite.split("\r\nContact").next().unwrap();
    let cancel = head.replace("INVITE sip", "CANCEL sip").replace(" INVITE", " CANCEL");
    format!("{cancel}\r\nContent-Length: 0\r\n\r\n")
}

/// As if the gateway had been killed before it had written the call.
fn forget_calls(data: &TempDir) {
    let database = redb::Database::open(data.path().join("location.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let calls = redb::TableDefinition::<u128, &[u8]>::new("calls");
    let forgotten = transaction.open_table(calls).unwrap().extract_if(|_, _| true).unwrap().count();
    transaction.commit().unwrap();
    assert_eq!(forgotten, 1);
}

/// The phone rings on, and so does the page where it is back.
#[tokio::test]
async fn rfc3261_16_7_a_call_that_rings_over_a_restart_is_answered() {
    let (running, config) = restartable(|_| {});
    let Ringing { mut alice, mut phone, to_phone, mut page, to_page, bob_has, .. } =
        ring(&running, &config).await;
    let reading = tokio::spawn(async move { while page.receive_message().await.is_some() {} });
    let running = restart(running, &config).await;
    reading.await.unwrap();
    let mut page = WsPeer::new(config.http.listen.address).await;
    assert_eq!(page.register("bob", &bob_has, "rx", PAGE).await.status(), 200);
    let again = page.receive().await;
    assert_eq!((again.method(), branch(&again)), ("INVITE", branch(&to_page)));
    page.send(&again.response("180 Ringing", "w", "")).await;
    assert_eq!(alice.receive().await.status(), 180);
    phone.send(&to_phone.response("200 OK", "p", "")).await;
    let ok = alice.receive().await;
    assert_eq!(ok.status(), 200);
    assert!(ok.header("To").ends_with(";tag=p"));
    let cancel = page.receive().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&to_page)));
    assert!(cancel.header("Reason").contains("cause=200"));
    assert_eq!(running.metric("trapezoid_sip_calls_taken_up_total").await, 1);
}

/// Nobody rings for a page that was closed meanwhile.
#[tokio::test]
async fn rfc3261_16_10_a_call_whose_caller_stays_away_ends_within_32_s() {
    let (running, config) = restartable(|_| {});
    let (mut phone, mut page) =
        (UdpPeer::new(config.udp[0].listen.address).await, WsPeer::new(config.http.listen.address).await);
    assert_eq!(phone.register("bob", &running.password("bob"), "rp", "").await.status(), 200);
    assert_eq!(page.register("alice", &running.password("alice"), "rw", PAGE).await.status(), 200);
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    let contact = format!("Contact: {}\r\n", page.contact("alice"));
    page.send(&page.request("INVITE", "sip:bob@localhost", from, to, "c", 1, &contact)).await;
    let invite = phone.receive().await;
    phone.send(&invite.response("180 Ringing", "p", "")).await;
    let reading = tokio::spawn(async move { while page.receive_message().await.is_some() {} });
    let running = restart(running, &config).await;
    reading.await.unwrap();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(18)).await;
    let cancel = phone.receive().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&invite)));
    assert!(began.elapsed() > Duration::from_secs(19), "{:?}", began.elapsed());
    phone.send(&cancel.response("200 OK", "p", "")).await;
    phone.send(&invite.response("487 Request Terminated", "p", "")).await;
    assert_eq!(phone.receive().await.method(), "ACK");
    running.wait_for_metric("trapezoid_sip_forwarding", 0).await;
}

/// A number that goes over a trunk.
#[tokio::test]
async fn rfc3261_16_10_a_call_over_a_trunk_is_given_up_after_a_restart() {
    let trunk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n[[peer]]\nname = \"t\"\nprobe = 0\n\
         uri = \"sip:{};transport=udp\"\nfrom = [\"127.0.0.3\"]\n[[route]]\nnumber = \"+49*\"\nto = [\"t\"]\n",
        trunk.local_addr().unwrap()
    );
    let read = Config::parse(Path::new("gateway.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
    let (running, config) = restartable(|config| (config.peers, config.routes) = (read.peers, read.routes));
    let mut alice = UdpPeer::new(config.udp[0].listen.address).await;
    let invite = call(&mut alice, "alice", &running.password("alice"), "+4930").await;
    let mut buffer = [0; 4096];
    let mut at_trunk = async || {
        let receiving = trunk.recv_from(&mut buffer);
        let (length, from) = tokio::time::timeout(Duration::from_secs(5), receiving).await.unwrap().unwrap();
        (Sip(String::from_utf8(buffer[..length].to_vec()).unwrap()), from)
    };
    let (out, gateway) = at_trunk().await;
    trunk.send_to(out.response("180 Ringing", "t", "").as_bytes(), gateway).await.unwrap();
    assert_eq!(alice.receive().await.status(), 180);
    let running = restart(running, &config).await;
    alice.send(&cancel_of(&invite)).await;
    assert_eq!(alice.receive().await.status(), 200);
    let (cancel, _) = at_trunk().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&out)));
    trunk.send_to(cancel.response("200 OK", "t", "").as_bytes(), gateway).await.unwrap();
    trunk.send_to(out.response("487 Request Terminated", "t", "").as_bytes(), gateway).await.unwrap();
    assert_eq!(alice.receive().await.status(), 487);
    drop(running);
}

/// Of a call that was not written the branches say where it went.
#[tokio::test]
async fn rfc3261_16_10_a_cancel_after_a_restart_reaches_a_phone_and_a_page() {
    let (running, config) = restartable(|_| {});
    let Ringing { mut alice, invite, mut phone, to_phone, mut page, to_page, bob_has } =
        ring(&running, &config).await;
    // Answers the close, so that stopping need not wait.
    let reading = tokio::spawn(async move { while page.receive_message().await.is_some() {} });
    let Running { gateway, data } = running;
    gateway.stop().await;
    forget_calls(&data);
    let running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
    reading.await.unwrap();

    alice.send(&cancel_of(&invite)).await;
    let cancel = phone.receive().await;
    assert_eq!((cancel.method(), branch(&cancel)), ("CANCEL", branch(&to_phone)));
    phone.send(&cancel.response("200 OK", "p", "")).await;
    assert_eq!(alice.receive().await.status(), 200);

    let mut page = WsPeer::new(config.http.listen.address).await;
    assert_eq!(page.register("bob", &bob_has, "rx", PAGE).await.status(), 200);
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
