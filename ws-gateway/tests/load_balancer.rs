//! Behind load balancers: who a connection is from, whom that is believed of, and what it counts for.

mod support;

use std::time::Duration;

use support::peers::{BALANCER, Peer, TcpPeer, WsPeer, announcement, http, through_balancer, upgrade};
use support::{Running, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use ws_gateway::config::{Config, Port};

const REFUSED: &str = "trapezoid_refusals_total{reason=\"proxy_protocol\"}";
const FULL: &str = "trapezoid_refusals_total{reason=\"connections_per_ip\"}";

fn announcing(config: &mut Config) {
    config.load_balancers.from = vec![format!("{BALANCER}/32").parse().unwrap()];
    config.load_balancers.proxy_protocol = vec![Port::Tcp];
}

fn forwarding(config: &mut Config) {
    config.load_balancers.from = vec![format!("{BALANCER}/32").parse().unwrap()];
    config.load_balancers.forwarded_for = vec![Port::Http];
}

/// A phone whose connection a load balancer passes on, after `header`.
async fn phone(running: &Running, header: &[u8]) -> TcpPeer {
    let mut stream = through_balancer(running.gateway.addresses().tcp.unwrap()).await;
    stream.write_all(header).await.unwrap();
    TcpPeer::over(stream)
}

/// A page whose request a load balancer passes on with this `X-Forwarded-For`.
async fn page(running: &Running, forwarded: &str) -> Result<WsPeer, String> {
    let gateway = running.gateway.addresses().http;
    let mut stream = through_balancer(gateway).await;
    let answer = upgrade(&mut stream, gateway, &[("X-Forwarded-For", forwarded)]).await;
    if answer.starts_with("HTTP/1.1 101 ") { Ok(WsPeer::upgraded(stream, "WS").await) } else { Err(answer) }
}

/// What the gateway takes for the address of whoever asks.
async fn seen(peer: &mut impl Peer) -> String {
    let options = peer.request("OPTIONS", "sip:localhost", "sip:x@localhost", "<sip:localhost>", "o", 1, "");
    peer.send(&options).await;
    let answer = peer.receive().await;
    let received = answer.header("Via").split(';').find_map(|param| param.strip_prefix("received="));
    received.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_phone_is_where_the_load_balancer_says() {
    let running = start_with(announcing);
    let mut alice = phone(&running, &announcement("192.0.2.7:40000".parse().unwrap(), &[])).await;
    let ok = alice.register("alice", &running.password("alice"), "r", "").await;
    assert_eq!(ok.status(), 200);
    let via = ok.header("Via");
    assert!(via.contains(";received=192.0.2.7") && via.contains(";rport=40000"), "{via}");
    // The longest that is taken, in two pieces.
    let header =
        announcement("[2001:db8::7]:40000".parse().unwrap(), &[&[4, 15, 217][..], &[0; 4_057]].concat());
    assert_eq!(header.len(), 16 + 4_096);
    let (first, second) = header.split_at(100);
    let mut stream = through_balancer(running.gateway.addresses().tcp.unwrap()).await;
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(second).await.unwrap();
    assert_eq!(seen(&mut TcpPeer::over(stream)).await, "2001:db8::7");
    // The load balancer asks for itself whether we are there (`LOCAL`).
    let mut local = announcement("192.0.2.7:40000".parse().unwrap(), &[]);
    local[12] = 0x20;
    assert_eq!(seen(&mut phone(&running, &local).await).await, BALANCER);
}

#[tokio::test]
async fn a_load_balancer_that_does_not_say_is_refused() {
    let running = start_with(|config| {
        announcing(config);
        config.timeouts.handshake = Duration::from_millis(200);
    });
    let right = announcement("192.0.2.7:40000".parse().unwrap(), &[]);
    let mut second_byte = right.clone();
    second_byte[1] ^= 1;
    let mut version = right.clone();
    version[12] = 0x31;
    let mut family = right.clone();
    family[13] = 0x51;
    let too_long = announcement("192.0.2.7:40000".parse().unwrap(), &[0; 4_085]);
    let mut too_short = right.clone();
    too_short[15] = 8;
    let first_version =
        b"PROXY TCP4 192.0.2.7 192.0.2.80 40000 443\r\nOPTIONS sip:localhost SIP/2.0\r\n".to_vec();
    let cases =
        [second_byte, version, family, too_long, too_short, first_version, right[..20].to_vec(), Vec::new()];
    for (n, header) in cases.iter().enumerate() {
        phone(&running, header).await.closed().await;
        assert_eq!(running.metric(REFUSED).await, n as u64 + 1, "{header:?}");
    }
    // Who is none has nothing to announce, and speaks as ever.
    let mut direct = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    assert_eq!(seen(&mut direct).await, "127.0.0.1");
    let mut liar = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    liar.send_raw(&right).await;
    liar.closed().await;
    assert_eq!(running.metric(REFUSED).await, cases.len() as u64);
}

#[tokio::test]
async fn a_connection_counts_as_its_clients() {
    let running = start_with(|config| {
        announcing(config);
        config.load_balancers.forwarded_for = vec![Port::Http];
        config.limits.connections_per_ip = 2;
    });
    let of = |n: u8| announcement(format!("192.0.2.{n}:40000").parse().unwrap(), &[]);
    let mut first = phone(&running, &of(1)).await;
    assert_eq!(seen(&mut first).await, "192.0.2.1");
    let mut second = page(&running, "192.0.2.1").await.unwrap();
    assert_eq!(seen(&mut second).await, "192.0.2.1");
    // It has its two, here and there.
    phone(&running, &of(1)).await.closed().await;
    assert_eq!(running.metric(FULL).await, 1);
    let refused = page(&running, "192.0.2.1").await.err().unwrap();
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.to_ascii_lowercase().contains("retry-after: 5"),
        "{refused}"
    );
    assert_eq!(running.metric(FULL).await, 2);
    let mut others = Vec::new();
    for n in 2..6 {
        let mut other = phone(&running, &of(n)).await;
        assert_eq!(seen(&mut other).await, format!("192.0.2.{n}"));
        others.push(other);
    }
    drop(first);
    running.wait_for_metric("trapezoid_flows{transport=\"tcp\"}", 4).await;
    let mut again = page(&running, "192.0.2.1").await;
    // The flow ends a moment before its place is given back.
    while again.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = page(&running, "192.0.2.1").await;
    }
    assert_eq!(seen(&mut again.unwrap()).await, "192.0.2.1");
}

#[tokio::test]
async fn a_page_is_where_the_last_trusted_hop_says() {
    let running = start_with(forwarding);
    for (forwarded, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        // What the browser wrote itself.
        ("203.0.113.5, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.9, 192.0.2.1, 127.0.0.9", "192.0.2.1"),
        ("[2001:db8::7]:1234", "2001:db8::7"),
        ("nonsense", BALANCER),
        ("", BALANCER),
    ] {
        let mut page = page(&running, forwarded).await.unwrap();
        assert_eq!(seen(&mut page).await, expected, "{forwarded}");
    }
    // Nobody else's word counts.
    let gateway = running.gateway.addresses().http;
    let mut stream = tokio::net::TcpStream::connect(gateway).await.unwrap();
    let answer = upgrade(&mut stream, gateway, &[("X-Forwarded-For", "192.0.2.1")]).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(seen(&mut WsPeer::upgraded(stream, "WS").await).await, "127.0.0.1");
}

/// What only this machine may read is not read through a load balancer on it.
#[tokio::test]
async fn metrics_are_not_for_who_comes_through_a_load_balancer() {
    let running = start_with(forwarding);
    let gateway = running.gateway.addresses().http;
    for (forwarded, status) in [("X-Forwarded-For: 192.0.2.1\r\n", "403"), ("", "200")] {
        let mut stream = through_balancer(gateway).await;
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {gateway}\r\n{forwarded}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(&answer[9..12], status);
    }
    // Nor through another proxy on it, which is not believed whom it asks for: it asks for somebody.
    assert_eq!(http(gateway, "/metrics", &[("X-Forwarded-For", "127.0.0.1")]).await.0, 403);
    assert_eq!(http(gateway, "/metrics", &[]).await.0, 200);
}
