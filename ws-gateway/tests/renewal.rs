//! Certificates and authorities that change while the gateway runs.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sip_core::server::Outward;
use support::authority::Authority;
use support::dns::{Dns, Zone};
use support::peers::{Peer, TcpPeer, WsPeer};
use support::{PATIENCE, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use ws_gateway::config::{CertificateFiles, Clients, SipListener};

const ALICE: &str = "sip:alice@localhost";

fn certificate_of(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.chain).unwrap()
}

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&authority.file).unwrap()).unwrap();
    Arc::new(roots)
}

/// A server that shows this certificate, and asks clients for one of the authority's.
fn acceptor(authority: &Authority, files: &CertificateFiles) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate_of(files)], PrivateKeyDer::from_pem_file(&files.key).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A client that shows this certificate, and wants servers to show one of the authority's.
fn connector(authority: &Authority, files: &CertificateFiles) -> TlsConnector {
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authority))
        .with_client_auth_cert(vec![certificate_of(files)], key)
        .unwrap();
    TlsConnector::from(Arc::new(config))
}

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
        let accepted = acceptor(authority, &files).accept(stream).await;
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
    let files = client.certify("partner.example");
    let stream = TcpStream::connect(port).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(mut stream) = connector(server, &files).connect(name, stream).await else { return false };
    // With TLS 1.3 a server refuses after the client's handshake is over.
    let mut pong = [0; 2];
    stream.write_all(b"\r\n\r\n").await.is_ok()
        && timeout(PATIENCE, stream.read_exact(&mut pong)).await.unwrap().is_ok()
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
