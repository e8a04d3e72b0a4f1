//! Registrations outlive the process that took them: stopped, and killed while it works.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use support::peers::{Peer, UdpPeer, WsPeer};
use support::{PATIENCE, Running, Sip, config, credentials};
use ws_gateway::config::Kept;
use ws_gateway::data::DataDirectory;
use ws_gateway::{Config, Gateway, accounts};

/// Starts a gateway, and gives the configuration with which it starts again on the same ports.
fn start(change: impl FnOnce(&mut Config)) -> (Running, Config) {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    change(&mut config);
    let gateway = Gateway::start(config.clone()).unwrap();
    let addresses = gateway.addresses().clone();
    config.http.listen.address = addresses.http;
    config.udp[0].listen.address = addresses.udp.unwrap();
    config.tcp[0].listen.address = addresses.tcp.unwrap();
    (Running { gateway, data }, config)
}

async fn restart(running: Running, config: &Config) -> Running {
    let Running { gateway, data } = running;
    gateway.stop().await;
    Running { gateway: Gateway::start(config.clone()).unwrap(), data }
}

#[tokio::test]
async fn a_phone_on_udp_is_called_after_a_restart_without_registering_again() {
    let (running, config) = start(|_| {});
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

#[tokio::test]
async fn a_registration_that_was_removed_or_has_ended_does_not_come_back() {
    let (running, config) = start(|_| {});
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
    let (running, config) = start(|config| config.timeouts.away = Duration::from_secs(1));
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

#[tokio::test]
async fn in_memory_nothing_outlives_the_process() {
    let (running, config) = start(|config| config.location = Kept::Memory);
    let mut phone = UdpPeer::new(config.udp[0].listen.address).await;
    let password = running.password("bob");
    assert_eq!(phone.register("bob", &password, "rb", "").await.status(), 200);
    let running = restart(running, &config).await;
    assert_eq!(running.metric("trapezoid_bindings").await, 0);
    assert!(!running.data.path().join("location.redb").exists());
}

#[tokio::test]
async fn a_second_gateway_in_the_same_data_directory_says_so() {
    let (running, _) = start(|_| {});
    let error = Gateway::start(config(&running.data)).unwrap_err();
    assert!(error.to_string().contains("another gateway runs in this data directory"), "{error:#}");
}

/// Accounts that register one contact after another.
const USERS: [&str; 4] = ["u1", "u2", "u3", "u4"];
const PASSWORD: &str = "correct-horse-battery";

/// Killed at any moment, three times over the same file: whatever was answered with 200 more than 100 ms before is there.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_registration_older_than_100_ms() {
    let directory = tempfile::tempdir().unwrap();
    let data = DataDirectory::open(&directory.path().join("data")).unwrap();
    for user in USERS {
        accounts::add(&data, "localhost", user, PASSWORD).unwrap();
    }
    let file = directory.path().join("gateway.toml");
    write_config(&file, "127.0.0.1:0", "127.0.0.1:0");
    let known: Arc<Mutex<Vec<(String, String, Instant)>>> = Arc::default();
    let mut process = Process::start(directory.path());
    write_config(&file, &process.http, &process.udp);
    for round in 0..3 {
        let stop = Arc::new(AtomicBool::new(false));
        let working = USERS.map(|user| {
            let (known, stop, gateway) =
                (Arc::clone(&known), Arc::clone(&stop), process.udp.parse().unwrap());
            tokio::spawn(async move {
                let mut phone = UdpPeer::new(gateway).await;
                for number in 0u32.. {
                    let contact = format!("c{round}x{}@{}", number % 25, phone.host());
                    let header = format!("Contact: <sip:{contact}>;expires=600\r\n");
                    let call_id = format!("{user}r{round}n{number}");
                    let registering = register(&mut phone, user, PASSWORD, &call_id, 1, &header);
                    let stopped = async {
                        while !stop.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    };
                    tokio::select! {
                        response = registering => assert_eq!(response.status(), 200, "{}", response.0),
                        () = stopped => return,
                    }
                    known.lock().unwrap().push((user.into(), contact, Instant::now()));
                }
            })
        });
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        tokio::time::sleep(Duration::from_millis(u64::from(300 + nanos % 700))).await;
        // Before the signal: what is answered after this moment may be lost.
        let killed = Instant::now();
        process.kill();
        stop.store(true, Ordering::Relaxed);
        for task in working {
            task.await.unwrap();
        }
        process = Process::start(directory.path());
        let mut kept = Vec::new();
        for user in USERS {
            let mut phone = UdpPeer::new(process.udp.parse().unwrap()).await;
            let response = register(&mut phone, user, PASSWORD, &format!("f{round}{user}"), 1, "").await;
            kept.extend(response.all("Contact").into_iter().map(|contact| format!("{user} {contact}")));
        }
        let known = known.lock().unwrap();
        let old = known.iter().filter(|(.., at)| *at + Duration::from_millis(100) < killed);
        let mut checked = 0;
        for (user, contact, at) in old {
            checked += 1;
            assert!(
                kept.iter().any(|kept| kept.starts_with(user) && kept.contains(contact)),
                "round {round}: {contact} of {user}, registered {:?} before the kill, is lost",
                killed - *at
            );
        }
        assert!(checked >= 10 * (round + 1), "only {checked} registrations in {} rounds", round + 1);
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

fn write_config(file: &Path, http: &str, udp: &str) {
    let text = format!(
        "development = true\n[http]\nlisten = \"{http}\"\n[[udp]]\nlisten = \"{udp}\"\n\
         [limits]\ncontacts_per_aor = 100\n"
    );
    std::fs::write(file, text).unwrap();
}

/// The gateway's program; killed when the test fails.
struct Process {
    child: Child,
    http: String,
    udp: String,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let addresses: PathBuf = directory.join("addresses.json");
        let _ = std::fs::remove_file(&addresses);
        let child = Command::new(env!("CARGO_BIN_EXE_ws-gateway"))
            .env_remove("TRAPEZOID_LOG")
            .arg("run")
            .arg("--config")
            .arg(directory.join("gateway.toml"))
            .arg("--data")
            .arg(directory.join("data"))
            .arg("--addresses-to")
            .arg(&addresses)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self { child, http: String::new(), udp: String::new() };
        let deadline = Instant::now() + PATIENCE;
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&addresses) {
                break text;
            }
            assert!(Instant::now() < deadline, "the gateway did not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let address = |key: &str| value[key].as_str().unwrap().to_owned();
        (process.http, process.udp) = (address("http"), address("udp"));
        process
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
