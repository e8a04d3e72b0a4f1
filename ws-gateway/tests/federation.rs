//! Two gateways, each with its domain, that know each other as peers and show each other their certificates.

mod support;

use std::net::SocketAddr;

use sip_core::server::{Callers, Peer as Known, Share, StaticRoute};
use support::authority::Authority;
use support::dns::{Dns, Zone};
use support::peers::{Peer, WsPeer};
use support::{Running, start_with};
use ws_gateway::config::{Clients, Config, PeerServer, SipListener};

/// A TCP port of an address that was free a moment ago: each gateway must know the other's before it starts.
fn free(ip: [u8; 4]) -> SocketAddr {
    std::net::TcpListener::bind(SocketAddr::from((ip, 0))).unwrap().local_addr().unwrap()
}

fn gateway(authority: &Authority, dns: &Dns, own: (&str, SocketAddr), other: (&str, SocketAddr)) -> Running {
    let configure = |config: &mut Config| {
        let files = authority.certify(own.0);
        config.domain = own.0.into();
        config.udp.clear();
        config.tcp.clear();
        let mut listener = SipListener::at(own.1.into());
        listener.clients = Clients::Required(authority.file.clone());
        config.tls = vec![listener];
        config.certificates = vec![files.clone()];
        config.outbound.callers = Callers::Peers;
        config.outbound.ca = Some(authority.file.clone());
        config.outbound.certificate = Some(files);
        config.dns = vec![dns.address];
        let peer = Known {
            name: "other".into(),
            uri: format!("sip:{}:{};transport=tls", other.0, other.1.port()).into(),
            sources: vec![other.1.ip(), [127, 0, 0, 1].into()],
            trusted: false,
        };
        config.peers = vec![PeerServer { peer, probe: None }];
        let to = Share { peer: "other".into(), priority: 1, weight: 1 };
        config.routes = vec![StaticRoute { domain: Some(other.0.into()), numbers: None, peers: vec![to] }];
    };
    start_with(configure)
}

#[tokio::test]
async fn a_call_between_two_domains_over_tls_with_certificates_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let (a, b) = (("a.example", free([127, 0, 0, 1])), ("b.example", free([127, 0, 0, 2])));
    let zone = Zone::default().host(a.0, a.1.ip()).host(b.0, b.1.ip());
    let dns = Dns::serve(zone).unwrap();
    let (ours, theirs) = (gateway(&authority, &dns, a, b), gateway(&authority, &dns, b, a));
    let mut alice = WsPeer::new(ours.gateway.addresses().http).await.of("a.example");
    let mut bob = WsPeer::new(theirs.gateway.addresses().http).await.of("b.example");
    assert_eq!(alice.register("alice", &ours.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &theirs.password("bob"), "rb", "").await.status(), 200);

    let (from, to) = ("sip:alice@a.example", "<sip:bob@b.example>");
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&alice.request("INVITE", "sip:bob@b.example", from, to, "c", 1, &contact)).await;
    let invite = bob.receive().await;
    assert!(invite.start_line().starts_with("INVITE sip:bob@"), "{}", invite.0);
    assert_eq!(invite.all("Record-Route").len(), 4, "{}", invite.0);
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let target = invite.start_line().split(' ').nth(1).unwrap().to_owned();
    let to_bob = "<sip:bob@b.example>;tag=b";
    alice.send(&alice.request("ACK", &target, from, to_bob, "c", 1, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");

    // Bob hangs up: the other way, over the connection that Alice's gateway opened (RFC 5923).
    let routes: String = invite.all("Record-Route").iter().map(|r| format!("Route: {r}\r\n")).collect();
    let to_alice = invite.header("From").to_owned();
    let target = alice.contact("alice").trim_matches(['<', '>']).to_owned();
    let bye = bob.request("BYE", &target, "sip:bob@b.example", &to_alice, "c", 9, &routes);
    bob.send(&bye.replace(";tag=fc\r\nTo:", ";tag=b\r\nTo:")).await;
    let bye = alice.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    alice.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
    for (gateway, dials) in [(&ours, 1), (&theirs, 0)] {
        assert_eq!(gateway.metric("trapezoid_dials_total").await, dials);
        assert_eq!(gateway.metric("trapezoid_refused_servers_total").await, 0);
    }
}
