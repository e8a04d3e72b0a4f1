//! Phones on TCP and TLS that do not read what they are sent. Pages: `websocket.rs`.

mod support;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use support::peers::{Peer, TcpPeer};
use support::tls::{connect, own_certificate};
use support::{PATIENCE, Running, start_with};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use ws_gateway::config::SipListener;

const CLOSINGS: &str = "trapezoid_closings_total{reason=\"slow_consumer\"}";

fn start() -> Running {
    start_with(|config| {
        config.tls = vec![SipListener::at(SocketAddr::from(([127, 0, 0, 1], 0)).into())];
        config.timeouts.write = Duration::from_millis(300);
    })
}

/// Asks, each time with a Via that makes the answer long, and reads no answer, until it is closed: the system's buffers fill up.
async fn ask_and_do_not_read<S: AsyncRead + AsyncWrite + Unpin>(deaf: &mut TcpPeer<S>) {
    let via = format!(";rport;filler={}", "y".repeat(60_000));
    for n in 0..1_000 {
        let request = options(deaf, &format!("deaf{n}")).replace(";rport", &via);
        let sent = timeout(PATIENCE, deaf.try_send_raw(request.as_bytes())).await;
        if !sent.expect("it is closed, and not left waiting") {
            return;
        }
    }
    panic!("never closed");
}

fn options(peer: &impl Peer, call_id: &str) -> String {
    let from = "sip:x@elsewhere.example";
    peer.request("OPTIONS", "sip:localhost", from, "<sip:localhost>", call_id, 1, "")
}

/// Asks and is answered, again and again, until nothing else is done any more, and once more.
async fn goes_on(other: &mut impl Peer, over: &Cell<bool>) {
    for n in 0.. {
        let last = over.get();
        other.send(&options(other, &format!("other{n}"))).await;
        assert_eq!(other.receive().await.status(), 200);
        if last {
            return;
        }
    }
}

/// While one of them is deaf the other is served, over the same listener.
async fn one_is_closed_and_the_other_goes_on<S: AsyncRead + AsyncWrite + Unpin>(
    running: &Running,
    mut deaf: TcpPeer<S>,
    mut other: TcpPeer<S>,
) {
    let flows = format!("trapezoid_flows{{transport=\"{}\"}}", deaf.via().to_ascii_lowercase());
    running.wait_for_metric(&flows, 2).await;
    let over = Cell::new(false);
    let is_deaf = async {
        ask_and_do_not_read(&mut deaf).await;
        running.wait_for_metric(CLOSINGS, 1).await;
        running.wait_for_metric(&flows, 1).await;
        over.set(true);
    };
    tokio::join!(is_deaf, goes_on(&mut other, &over));
    // What it was to be sent is not kept.
    running.wait_for_metric("trapezoid_queued_bytes", 0).await;
    assert_eq!(other.register("bob", &running.password("bob"), "other", "").await.status(), 200);
    assert_eq!(running.metric(CLOSINGS).await, 1);
}

#[tokio::test]
async fn a_phone_on_tcp_that_does_not_read_is_closed_and_the_others_go_on() {
    let running = start();
    let tcp = running.gateway.addresses().tcp.unwrap();
    let (deaf, other) = (TcpPeer::new(tcp).await, TcpPeer::new(tcp).await);
    one_is_closed_and_the_other_goes_on(&running, deaf, other).await;
}

#[tokio::test]
async fn a_phone_on_tls_that_does_not_read_is_closed_and_the_others_go_on() {
    let running = start();
    let (tls, own) = (running.gateway.addresses().tls.unwrap(), own_certificate(&running));
    let deaf = TcpPeer::over_tls(connect(tls, &own, None).await.unwrap());
    let other = TcpPeer::over_tls(connect(tls, &own, None).await.unwrap());
    one_is_closed_and_the_other_goes_on(&running, deaf, other).await;
}
