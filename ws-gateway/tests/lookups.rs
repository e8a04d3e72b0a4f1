//! What DNS said, and for how long that is believed.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use sip_core::server::Outward;
use support::dns::{Dns, Zone};
use support::peers::{Peer, UdpPeer, WsPeer};
use support::start_with;
use tokio::time::sleep;

const NAME: &str = "partner.example";

/// RFC 1035 §3.2.1: an answer is asked for again when its time is over, and not before.
#[tokio::test]
async fn rfc1035_3_2_1_an_answer_is_kept_for_as_long_as_it_says() {
    const TTL: u32 = 2;
    let zone = Zone::default()
        .host(NAME, IpAddr::V4(Ipv4Addr::LOCALHOST))
        .host(NAME, IpAddr::V6(Ipv6Addr::LOCALHOST))
        .kept_for(TTL);
    let dns = Dns::serve(zone).unwrap();
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.dns = vec![dns.address];
    });
    let addresses = running.gateway.addresses().clone();
    let mut partner = UdpPeer::new(addresses.udp.unwrap()).await;
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    let uri = format!("sip:p@{NAME}:{};transport=udp", partner.port());
    let mut writes = async |call_id: &str| {
        let to = format!("<{uri}>");
        alice.send(&alice.request("MESSAGE", &uri, "sip:alice@localhost", &to, call_id, 1, "")).await;
        let received = partner.receive().await;
        assert_eq!(received.header("Call-ID"), call_id);
        partner.send(&received.response("200 OK", "p", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
        dns.asked(NAME)
    };
    let began = Instant::now();
    let first = writes("first").await;
    assert!(first >= 1);
    let second = writes("second").await;
    assert!(began.elapsed() < Duration::from_secs(TTL.into()), "this machine is too slow for this test");
    assert_eq!(second, first, "it is still known");
    sleep(Duration::from_secs(TTL.into()) + Duration::from_millis(200)).await;
    assert_eq!(writes("third").await, 2 * first, "all of it is asked again");
    assert_eq!(writes("fourth").await, 2 * first);
}
