//! Certificates and authorities that change while the gateway runs.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use sip_core::server::Outward;
use support::authority::Authority;
use support::dns::{Dns, Zone};
use support::peers::{Peer, TcpPeer, WsPeer};
use support::tls::{acceptor, certificate_of};
use support::{PATIENCE, start_with};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use ws_gateway::config::{CertificateFiles, Clients, SipListener};

const ALICE: &str = "sip:alice@localhost";

/// Puts a file in the place of another, with a time that no clock is too coarse for.
fn replace(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let later = SystemTime::now() + Duration::from_secs(10);
    std::fs::File::options().write(true).open(to).unwrap().set_modified(later).unwrap();
}

/// After a renewal with another authority, servers of other domains are shown the new certificate and believed by the new
/// authority.
#[tokio::test]
async fn what_is_shown_to_other_domains_and_whom_they_are_believed_by_is_read_again() {
    let (directory, one, two) = (tempfile::tempdir().unwrap(), Authority::fresh(), Authority::fresh());
    let path = |name: &str| directory.path().join(name);
    let own = CertificateFiles { chain: path("own.crt"), key: path("own.key") };
    let certify = |authority: &Authority| {
        let made = authority.certify("localhost");
        replace(&made.chain, &own.chain);
        replace(&made.key, &own.key);
        replace(&authority.file, &path("ca.pem"));
        certificate_of(&made)
    };
    let shown_first = certify(&one);
    let partner = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dns = Dns::serve(Zone::default().host("partner.example", Ipv4Addr::LOCALHOST.into())).unwrap();
    let running = start_with(|config| {
        config.outbound.to = Outward::Anywhere;
        config.outbound.ca = Some(path("ca.pem"));
        config.outbound.certificate = Some(own.clone());
        config.dns = vec![dns.address];
    });
    let mut alice = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    let uri = format!("sip:c@partner.example:{};transport=tls", partner.local_addr().unwrap().port());
    // Alice writes to a partner of this authority's: what it is shown, if each believes the other.
    let mut writes = async |authority: &Authority, call_id: &str| {
        alice.send(&alice.request("MESSAGE", &uri, ALICE, &format!("<{uri}>"), call_id, 1, "")).await;
        let stream = timeout(PATIENCE, partner.accept()).await.expect("a connection").unwrap().0;
        let files = authority.certify("partner.example");
        let accepted = acceptor(&authority.certificate(), &files).accept(stream).await;
        let Ok(stream) = accepted else {
            assert!(alice.receive_final().await.status() >= 500);
            return None;
        };
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        let mut peer = TcpPeer::accepted_over_tls(stream);
        let received = peer.receive().await;
        peer.send(&received.response("200 OK", "p", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
        Some(shown)
    };
    assert_eq!(writes(&two, "before").await, None);
    assert_eq!(writes(&one, "first").await, Some(shown_first));
    let renewed = certify(&two);
    let mut seen = None;
    for n in 0..20 {
        sleep(Duration::from_millis(300)).await;
        seen = writes(&two, &format!("again{n}")).await;
        if seen.is_some() {
            break;
        }
    }
    assert_eq!(seen, Some(renewed));
}

/// Whether a client whose certificate this authority has signed is answered.
async fn is_answered(port: SocketAddr, server: &Authority, client: &Authority) -> bool {
    let shown = client.certify("partner.example");
    support::tls::is_answered(port, &server.certificate(), Some(&shown)).await
}

#[tokio::test]
async fn whom_clients_are_believed_by_is_read_again() {
    let (directory, one, two) = (tempfile::tempdir().unwrap(), Authority::fresh(), Authority::fresh());
    let ca = directory.path().join("ca.pem");
    replace(&one.file, &ca);
    let running = start_with(|config| {
        let mut listener = SipListener::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into());
        listener.clients = Clients::Required(ca.clone());
        config.tls = vec![listener];
        config.certificates = vec![one.certify("localhost")];
    });
    let port = running.gateway.addresses().tls.unwrap();
    assert!(is_answered(port, &one, &one).await);
    assert!(!is_answered(port, &one, &two).await);
    replace(&two.file, &ca);
    let believed = async {
        while !is_answered(port, &one, &two).await {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, believed).await.expect("the new authority is believed");
    assert!(!is_answered(port, &one, &one).await, "and the old one is not");
    // What cannot be read changes nothing.
    std::fs::write(&ca, "").unwrap();
    sleep(Duration::from_millis(2_500)).await;
    assert!(is_answered(port, &one, &two).await);
}
