//! Registrations outlive the process that took them. Killed while it works: `tests/tests/kill`.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use redb::{ReadableDatabase as _, ReadableTable as _};
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::tls::{connect, own_certificate};
use support::{Running, Sip, config, credentials, restartable};
use tempfile::TempDir;
use ws_gateway::config::{Kept, SipListener};
use ws_gateway::{Config, Gateway};

async fn restart(running: Running, config: &Config) -> Running {
    let Running { gateway, data } = running;
    gateway.stop().await;
    Running { gateway: Gateway::start(config.clone()).unwrap(), data }
}

#[tokio::test]
async fn a_phone_on_udp_is_called_after_a_restart_without_registering_again() {
    let (running, config) = restartable(|_| {});
    let mut phone = UdpPeer::new(config.udp[0].listen.address).await;
    let password = running.password("bob");
    assert_eq!(phone.register("bob", &password, "rb", "").await.status(), 200);
    let running = restart(running, &config).await;
    assert_eq!(running.metric("trapezoid_bindings").await, 1);

    let mut alice = WsPeer::new(config.http.listen.address).await;
    let password = running.password("alice");
    assert_eq!(alice.register("alice", &password, "ra", "").await.status(), 200);
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, "c", 1, &contact)).await;
    let invite = phone.receive().await;
    assert_eq!(invite.start_line(), format!("INVITE sip:bob@{};transport=udp SIP/2.0", phone.host()));
    phone.send(&invite.response("486 Busy Here", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 486);
}

/// RFC 3261 §10.3: a binding is for a time, whether the gateway runs or not.
#[tokio::test]
async fn a_registration_that_ended_while_the_gateway_was_down_is_gone_and_leaves_the_file() {
    let (running, config) = restartable(|_| {});
    let (mut alice, mut bob) =
        (UdpPeer::new(config.udp[0].listen.address).await, UdpPeer::new(config.udp[0].listen.address).await);
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    let Running { gateway, data } = running;
    gateway.stop().await;
    let both = rows(&data);
    assert_eq!(both.keys().collect::<Vec<_>>(), ["sip:alice@localhost", "sip:bob@localhost"]);
    // Bob's phone was switched off, and the gateway is down until nothing is left of what was granted.
    age(&data, "sip:bob@localhost");
    let running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
    assert_eq!(running.metric("trapezoid_bindings").await, 1);
    let to = "<sip:bob@localhost>";
    alice.send(&alice.request("MESSAGE", "sip:bob@localhost", "sip:x@example.com", to, "m", 1, "")).await;
    assert_eq!(alice.receive().await.start_line(), "SIP/2.0 480 Callee Not Registered");
    let Running { gateway, data } = running;
    gateway.stop().await;
    let left = rows(&data);
    assert_eq!(left.keys().collect::<Vec<_>>(), ["sip:alice@localhost"]);
    assert_eq!(left["sip:alice@localhost"], both["sip:alice@localhost"]);
}

const BINDINGS: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("bindings");

/// What a gateway that has ended left in its file.
fn rows(data: &TempDir) -> BTreeMap<String, serde_json::Value> {
    let database = redb::Database::open(data.path().join("location.redb")).unwrap();
    let table = database.begin_read().unwrap().open_table(BINDINGS).unwrap();
    let entries = table.iter().unwrap().map(|entry| entry.unwrap());
    entries.map(|(aor, row)| (aor.value().to_owned(), serde_json::from_slice(row.value()).unwrap())).collect()
}

/// Has the bindings of one address-of-record end a second ago.
fn age(data: &TempDir, aor: &str) {
    let mut row = rows(data).remove(aor).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let ended = u64::try_from((now - Duration::from_secs(1)).as_micros()).unwrap();
    for binding in row["bindings"].as_array_mut().unwrap() {
        assert!(binding["expires_at"].as_u64().unwrap() > ended);
        binding["expires_at"] = ended.into();
    }
    let database = redb::Database::open(data.path().join("location.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let row = serde_json::to_vec(&row).unwrap();
    transaction.open_table(BINDINGS).unwrap().insert(aor, row.as_slice()).unwrap();
    transaction.commit().unwrap();
}

/// Nobody but the phone can open its connection: there is no telling whose certificate it would have to show.
#[tokio::test]
async fn a_phone_on_tls_is_away_after_a_restart_and_reached_when_it_is_back() {
    let (running, mut config) = restartable(|config| {
        config.tls = vec![SipListener::at(SocketAddr::from(([127, 0, 0, 1], 0)).into())];
    });
    let tls = running.gateway.addresses().tls.unwrap();
    config.tls[0].listen.address = tls;
    let own = own_certificate(&running);
    let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
    let mut phone = TcpPeer::over_tls(connect(tls, &own, None).await.unwrap());
    let contact = phone.contact("bob");
    assert_eq!(phone.register("bob", &bob_has, "rb", "").await.status(), 200);
    // Its end of the connection, which it keeps, is closed from the other.
    let closing = tokio::spawn(async move { phone.closed().await });
    let running = restart(running, &config).await;
    closing.await.unwrap();
    let mut watcher = UdpPeer::new(config.udp[0].listen.address).await;
    let known = register(&mut watcher, "bob", &bob_has, "w", 1, "").await;
    let contacts = known.all("Contact");
    assert!(contacts.len() == 1 && contacts[0].starts_with(&contact), "{}", known.0);
    // Away, and no longer than `timeouts.away`.
    let left: u64 =
        contacts[0].split(";expires=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!(left <= 30, "{}", known.0);

    let mut alice = WsPeer::new(config.http.listen.address).await;
    assert_eq!(alice.register("alice", &alice_has, "ra", "").await.status(), 200);
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("MESSAGE", "sip:bob@localhost", from, to, "m", 1, "")).await;
    running.wait_for_metric("trapezoid_sip_questions_open", 1).await;
    assert_eq!(running.metric("trapezoid_dials_total").await, 0);
    let mut phone = TcpPeer::over_tls(connect(tls, &own, None).await.unwrap());
    assert_eq!(phone.register("bob", &bob_has, "rc", "").await.status(), 200);
    let message = phone.receive().await;
    assert_eq!(message.start_line(), format!("MESSAGE sip:bob@{};transport=tls SIP/2.0", phone.host()));
    phone.send(&message.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}

#[tokio::test]
async fn a_registration_that_was_removed_does_not_come_back() {
    let (running, config) = restartable(|_| {});
    let password = running.password("bob");
    for (call_id, expires) in [("removed", 0), ("kept", 300)] {
        let mut phone = UdpPeer::new(config.udp[0].listen.address).await;
        assert_eq!(phone.register("bob", &password, call_id, "").await.status(), 200);
        let change = format!("Contact: {};expires={expires}\r\n", phone.contact("bob"));
        assert_eq!(register(&mut phone, "bob", &password, call_id, 3, &change).await.status(), 200);
    }
    let running = restart(running, &config).await;
    assert_eq!(running.metric("trapezoid_bindings").await, 1);
}

#[tokio::test]
async fn a_browser_is_away_after_a_restart_and_forgotten_unless_it_comes_back() {
    let (running, config) = restartable(|config| config.timeouts.away = Duration::from_secs(1));
    let password = running.password("alice");
    let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf1>\";reg-id=1";
    let mut browser = WsPeer::new(config.http.listen.address).await;
    assert_eq!(browser.register("alice", &password, "r", instance).await.status(), 200);
    // Answers the close, so that stopping need not wait.
    let reading = tokio::spawn(async move { while browser.receive_message().await.is_some() {} });
    let running = restart(running, &config).await;
    reading.await.unwrap();
    let mut watcher = UdpPeer::new(config.udp[0].listen.address).await;
    let known = register(&mut watcher, "alice", &password, "w", 1, "").await;
    assert_eq!(known.all("Contact").len(), 1, "{}", known.0);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let forgotten = register(&mut watcher, "alice", &password, "w", 3, "").await;
    assert_eq!((forgotten.status(), forgotten.all("Contact").len()), (200, 0), "{}", forgotten.0);
    drop(running);
}

/// A page that was closed, and did not say so: who calls is not kept waiting for it until its registration would have ended.
#[tokio::test]
async fn rfc5626_9_3_a_browser_that_was_closed_is_forgotten_after_a_while() {
    let (running, config) = restartable(|config| config.timeouts.away = Duration::from_secs(1));
    let mut browser = WsPeer::new(config.http.listen.address).await;
    assert_eq!(browser.register("alice", &running.password("alice"), "r", "").await.status(), 200);
    drop(browser);
    running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 0).await;
    let mut watcher = UdpPeer::new(config.udp[0].listen.address).await;
    let password = running.password("alice");
    let known = register(&mut watcher, "alice", &password, "w", 1, "").await;
    assert_eq!(known.all("Contact").len(), 1, "{}", known.0);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (alice, bob) = ("sip:alice@localhost", "sip:bob@example.com");
    let began = std::time::Instant::now();
    watcher.send(&watcher.request("MESSAGE", alice, bob, "<sip:alice@localhost>", "m", 1, "")).await;
    let refused = watcher.receive().await;
    assert_eq!(refused.start_line(), "SIP/2.0 480 Callee Not Registered");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(running.metric("trapezoid_bindings").await, 0);
}

#[tokio::test]
async fn in_memory_nothing_outlives_the_process() {
    let (running, config) = restartable(|config| config.location = Kept::Memory);
    let mut phone = UdpPeer::new(config.udp[0].listen.address).await;
    let password = running.password("bob");
    assert_eq!(phone.register("bob", &password, "rb", "").await.status(), 200);
    let running = restart(running, &config).await;
    assert_eq!(running.metric("trapezoid_bindings").await, 0);
    assert!(!running.data.path().join("location.redb").exists());
}

#[tokio::test]
async fn a_second_gateway_in_the_same_data_directory_says_so() {
    let (running, _) = restartable(|_| {});
    let error = Gateway::start(config(&running.data)).unwrap_err();
    assert!(error.to_string().contains("another gateway runs in this data directory"), "{error:#}");
}

/// It unregistered and nothing is kept; or it has moved.
#[tokio::test]
async fn rfc5626_5_3_a_phone_on_udp_keeps_its_calls_over_new_addresses_and_restarts() {
    for moves in [false, true] {
        let (running, config) = restartable(|config| {
            config.location = if moves { Kept::Disk } else { Kept::Memory };
        });
        let (udp, http) = (config.udp[0].listen.address, config.http.listen.address);
        let (alice_has, bob_has) = (running.password("alice"), running.password("bob"));
        let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf2>\";reg-id=1";
        let mut phone = UdpPeer::new(udp).await;
        assert_eq!(phone.register("bob", &bob_has, "rb", instance).await.status(), 200);
        let page = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf1>\";reg-id=1";
        let mut alice = WsPeer::new(http).await;
        assert_eq!(alice.register("alice", &alice_has, "ra", page).await.status(), 200);

        let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>;tag=b");
        let contact = format!("Contact: {}\r\n", alice.contact("alice"));
        let invite =
            alice.request("INVITE", "sip:bob@localhost", from, "<sip:bob@localhost>", "c", 1, &contact);
        alice.send(&invite).await;
        let invite = phone.receive().await;
        let contact = phone.contact("bob");
        phone.send(&invite.response("200 OK", "b", &format!("Contact: {contact}\r\n"))).await;
        let ok = alice.receive_final().await;
        let target = contact.trim_matches(['<', '>']).to_owned();
        let routes = |records: Vec<&str>| -> String {
            records.iter().map(|route| format!("Route: {route}\r\n")).collect()
        };
        let routes_there = routes(ok.all("Record-Route").into_iter().rev().collect());
        let routes_back = routes(invite.all("Record-Route"));
        alice.send(&alice.request("ACK", &target, from, to, "c", 1, &routes_there)).await;
        assert_eq!(phone.receive().await.method(), "ACK");

        if moves {
            phone = UdpPeer::from([127, 0, 0, 2].into(), udp).await;
            assert_eq!(phone.register("bob", &bob_has, "moved", instance).await.status(), 200);
        } else {
            let gone = format!("Contact: {contact}{instance};expires=0\r\nSupported: outbound\r\n");
            assert_eq!(register(&mut phone, "bob", &bob_has, "rb", 3, &gone).await.status(), 200);
        }
        // Answers the close, so that stopping need not wait.
        let reading = tokio::spawn(async move { while alice.receive_message().await.is_some() {} });
        let running = restart(running, &config).await;
        reading.await.unwrap();
        let mut alice = WsPeer::new(http).await;
        assert_eq!(alice.register("alice", &alice_has, "rc", page).await.status(), 200);

        alice.send(&alice.request("INFO", &target, from, to, "c", 2, &routes_there)).await;
        let info = phone.receive().await;
        assert_eq!(info.method(), "INFO");
        phone.send(&info.response("200 OK", "", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
        let to_alice = invite.header("From").to_owned();
        let page = alice.contact("alice").trim_matches(['<', '>']).to_owned();
        let bye = phone.request("BYE", &page, "sip:bob@localhost", &to_alice, "c", 9, &routes_back);
        phone.send(&bye.replace(";tag=fc\r\nTo:", ";tag=b\r\nTo:")).await;
        let bye = alice.receive().await;
        assert_eq!(bye.method(), "BYE", "{}", bye.0);
        alice.send(&bye.response("200 OK", "", "")).await;
        assert_eq!(phone.receive_final().await.status(), 200);
        drop(running);
    }
}

/// REGISTER with these headers, challenged, again. `cseq` and the one after it are used.
async fn register(
    peer: &mut impl Peer,
    user: &str,
    password: &str,
    call_id: &str,
    cseq: u32,
    headers: &str,
) -> Sip {
    let aor = format!("sip:{user}@localhost");
    let to = format!("<{aor}>");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, cseq, headers)).await;
    let challenged = peer.receive().await;
    assert_eq!(challenged.status(), 401, "{}", challenged.0);
    let challenge = challenged.header("WWW-Authenticate");
    let proof = credentials(challenge, user, password, "REGISTER", "sip:localhost");
    let headers = format!("{headers}Authorization: {proof}\r\n");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, cseq + 1, &headers)).await;
    peer.receive().await
}
