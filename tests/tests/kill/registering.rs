//! Phones that register one contact after another, and what of it a new process knows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tests::gateway::PASSWORD;

use crate::support::peers::{Peer, UdpPeer};
use crate::support::{Sip, credentials};

/// What a killed gateway may forget (50 ms until it is written, and the writing).
const FORGIVEN: Duration = Duration::from_millis(100);

/// Contacts of one phone; fewer than an address-of-record may have.
const CONTACTS: u32 = 75;

/// Which contacts were answered with 200, by user, and when first.
pub(crate) type Known = Arc<Mutex<BTreeMap<(String, String), Instant>>>;

/// Registers until told to stop.
pub(crate) fn work(
    user: &str,
    udp: SocketAddr,
    round: u32,
    known: &Known,
    stop: &Arc<AtomicBool>,
) -> tokio::task::JoinHandle<()> {
    let (user, known, stop) = (user.to_owned(), Arc::clone(known), Arc::clone(stop));
    tokio::spawn(async move {
        let mut phone = UdpPeer::new(udp).await;
        for count in 0u32.. {
            let contact = format!("c{}@{}", count % CONTACTS, user);
            let header = format!("Contact: <sip:{contact}.invalid>;expires=3600\r\n");
            let call_id = format!("{user}r{round}n{count}");
            let stopped = async {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                response = register(&mut phone, &user, &call_id, &header) => {
                    assert_eq!(response.status(), 200, "{}", response.0);
                }
                () = stopped => return,
            }
            known.lock().unwrap().entry((user.clone(), contact)).or_insert_with(Instant::now);
        }
    })
}

/// Asserts that what was known 100 ms before the kill still is; how many that are.
pub(crate) async fn nothing_is_lost(
    users: &[String],
    udp: SocketAddr,
    round: u32,
    known: &Known,
    killed: Instant,
) -> usize {
    let mut kept = Vec::new();
    for user in users {
        let response = register(&mut UdpPeer::new(udp).await, user, &format!("f{round}{user}"), "").await;
        assert_eq!(response.status(), 200, "{}", response.0);
        kept.extend(response.all("Contact").into_iter().map(str::to_owned));
    }
    let known = known.lock().unwrap();
    let old = known.iter().filter(|(_, at)| **at + FORGIVEN < killed);
    let mut checked = 0;
    for ((_, contact), at) in old {
        checked += 1;
        let there = kept.iter().any(|kept| kept.contains(&format!("sip:{contact}.")));
        assert!(there, "kill {round}: {contact}, registered {:?} before, is lost", killed - *at);
    }
    checked
}

/// REGISTER with these headers, challenged, again.
async fn register(peer: &mut UdpPeer, user: &str, call_id: &str, headers: &str) -> Sip {
    let aor = format!("sip:{user}@localhost");
    let to = format!("<{aor}>");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, 1, headers)).await;
    let challenged = peer.receive().await;
    assert_eq!(challenged.status(), 401, "{}", challenged.0);
    let challenge = challenged.header("WWW-Authenticate");
    let proof = credentials(challenge, user, PASSWORD, "REGISTER", "sip:localhost");
    let headers = format!("{headers}Authorization: {proof}\r\n");
    peer.send(&peer.request("REGISTER", "sip:localhost", &aor, &to, call_id, 2, &headers)).await;
    peer.receive().await
}
