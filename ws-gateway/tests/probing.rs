//! Peers that are asked whether they are there: who does not answer well is tried last, whatever its weight.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sip_core::server::{Peer as Known, Share, StaticRoute};
use support::peers::{Peer, WsPeer, http};
use support::{Sip, start_with};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::task::JoinHandle;
use ws_gateway::config::PeerServer;

/// What a trunk answers to OPTIONS and to MESSAGE: 200, or 503.
#[derive(Default)]
struct Mood {
    is_there: AtomicBool,
    takes_messages: AtomicBool,
    messages: AtomicU32,
}

impl Mood {
    fn messages(&self) -> u32 {
        self.messages.load(Ordering::SeqCst)
    }

    fn answers(&self, request: &Sip) -> bool {
        if request.method() == "OPTIONS" {
            return self.is_there.load(Ordering::SeqCst);
        }
        assert_eq!(request.method(), "MESSAGE", "{}", request.0);
        self.messages.fetch_add(1, Ordering::SeqCst);
        self.takes_messages.load(Ordering::SeqCst)
    }
}

/// A peer on UDP.
struct Trunk {
    mood: Arc<Mood>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Trunk {
    async fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let mood = Arc::new(Mood { is_there: true.into(), takes_messages: true.into(), ..Mood::default() });
        let own = Arc::clone(&mood);
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let request = Sip(String::from_utf8(buffer[..length].to_vec()).unwrap());
                let status = if own.answers(&request) { "200 OK" } else { "503 Service Unavailable" };
                socket.send_to(request.response(status, "t", "").as_bytes(), from).await.unwrap();
            }
        });
        Self { mood, address, task }
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_peer_whose_probe_fails_is_tried_last_until_it_answers_again() {
    let (shaky, steady) = (Trunk::new().await, Trunk::new().await);
    // Its port is taken, and nobody listens there.
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    // By their weights nearly nothing is for the steady one.
    let peers = [
        ("shaky", shaky.address, "udp", 10_000),
        ("steady", steady.address, "udp", 1),
        ("gone", gone.local_addr().unwrap(), "tcp", 10_000),
    ];
    let running = start_with(|config| {
        config.peers = peers
            .iter()
            .map(|(name, address, transport, _)| {
                let uri = format!("sip:{address};transport={transport}").into();
                let peer = Known { name: (*name).into(), uri, sources: Vec::new(), trusted: false };
                PeerServer { peer, probe: Some(Duration::from_millis(100)) }
            })
            .collect();
        let share = |(name, _, _, weight): &(&str, _, _, u16)| Share {
            peer: (*name).into(),
            priority: 1,
            weight: *weight,
        };
        let domain = Some("b.example".into());
        config.routes = vec![StaticRoute { domain, numbers: None, peers: peers.iter().map(share).collect() }];
    });
    let alive = |name: &str| format!("trapezoid_peer_alive{{peer=\"{name}\"}}");
    for (name, value) in [("shaky", 1), ("steady", 1)] {
        running.wait_for_metric(&alive(name), value).await;
    }
    let http_port = running.gateway.addresses().http;
    let told = async {
        while !http(http_port, "/metrics", &[]).await.2.contains(&format!("{} 0\n", alive("gone"))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, told).await.expect("the one that is gone is known for it");

    let mut alice = WsPeer::new(http_port).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    let mut number = 0;
    // Writes to somebody at that domain, and tells how many messages each had of it.
    let mut write = async || {
        let before = (shaky.mood.messages(), steady.mood.messages());
        number += 1;
        let (from, to) = ("sip:alice@localhost", "<sip:bob@b.example>");
        let call_id = format!("m{number}");
        alice.send(&alice.request("MESSAGE", "sip:bob@b.example", from, to, &call_id, 1, "")).await;
        let answer = alice.receive_final().await;
        assert_eq!((answer.status(), answer.header("Call-ID")), (200, call_id.as_str()), "{}", answer.0);
        (shaky.mood.messages() - before.0, steady.mood.messages() - before.1)
    };
    // All by weight: one in ten thousand is not.
    let mut heavy = 0;
    for _ in 0..10 {
        heavy += write().await.0;
    }
    assert!(heavy >= 8, "{heavy} of 10");

    shaky.mood.is_there.store(false, Ordering::SeqCst);
    running.wait_for_metric(&alive("shaky"), 0).await;
    for n in 0..20 {
        assert_eq!(write().await, (0, 1), "message {n} after its probe failed");
    }
    // Last, and not never.
    steady.mood.takes_messages.store(false, Ordering::SeqCst);
    assert_eq!(write().await, (1, 1));
    steady.mood.takes_messages.store(true, Ordering::SeqCst);

    shaky.mood.is_there.store(true, Ordering::SeqCst);
    running.wait_for_metric(&alive("shaky"), 1).await;
    let mut heavy = 0;
    for _ in 0..10 {
        heavy += write().await.0;
    }
    assert!(heavy >= 8, "{heavy} of 10");
    assert_eq!(running.metric(&alive("gone")).await, 0);
}

/// Until an answer or 64·T1 (RFC 3261 §17.1.2.2), longer than from one question to the next: one that fails late would be told after
/// another that was answered since.
#[tokio::test]
async fn rfc3261_17_1_2_2_a_peer_is_asked_one_question_at_a_time() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let running = start_with(|config| {
        let uri = format!("sip:{};transport=udp", silent.local_addr().unwrap()).into();
        let peer = Known { name: "silent".into(), uri, sources: Vec::new(), trusted: false };
        config.peers = vec![PeerServer { peer, probe: Some(Duration::from_millis(20)) }];
    });
    let mut buffer = vec![0; 65_536];
    let mut asked = async || {
        let (length, from) =
            tokio::time::timeout(support::PATIENCE, silent.recv_from(&mut buffer)).await.unwrap().unwrap();
        (Sip(String::from_utf8(buffer[..length].to_vec()).unwrap()), from)
    };
    let (first, from) = asked().await;
    // It is repeated, and nothing else is asked.
    for _ in 0..2 {
        assert_eq!(asked().await.0.0, first.0);
    }
    assert_eq!(running.metric("trapezoid_sip_probes_total").await, 1);
    silent.send_to(first.response("200 OK", "t", "").as_bytes(), from).await.unwrap();
    running.wait_for_metric("trapezoid_peer_alive{peer=\"silent\"}", 1).await;
    // Then there is another.
    let next = async { while asked().await.0.header("Call-ID") == first.header("Call-ID") {} };
    tokio::time::timeout(support::PATIENCE, next).await.expect("the next question");
}
