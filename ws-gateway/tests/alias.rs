//! Servers of other domains that show a certificate: known by it (RFC 5922), and reached over the connection that they opened
//! (RFC 5923).

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sip_core::server::{Callers, Outward, Peer as Known};
use support::authority::Authority;
use support::dns::{Dns, Zone};
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::tls::{acceptor, certificate_of, connect};
use support::{Running, Sip, start_with};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use ws_gateway::config::{CertificateFiles, Clients, Config, PeerServer, SipListener};

const ALICE: &str = "sip:alice@localhost";
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A gateway with a TLS port, and all that it meets: authority, DNS, and a port that the partner advertises.
struct Scene {
    running: Running,
    authority: Authority,
    own: CertificateFiles,
    partner: CertificateFiles,
    advertised: TcpListener,
    _dns: Dns,
    _directory: tempfile::TempDir,
}

impl Scene {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new(directory.path());
        let (own, partner) = (authority.certify("localhost"), authority.certify("partner.example"));
        let dns =
            Dns::serve(Zone::default().host("partner.example", LOCALHOST).host("other.example", LOCALHOST))
                .unwrap();
        let advertised = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
        let running = start_with(|config| {
            let mut listener = SipListener::at(SocketAddr::new(LOCALHOST, 0).into());
            listener.clients = Clients::Asked(authority.file.clone());
            config.tls = vec![listener];
            config.certificates = vec![own.clone()];
            config.outbound.to = Outward::Anywhere;
            config.outbound.ca = Some(authority.file.clone());
            config.outbound.certificate = Some(own.clone());
            config.dns = vec![dns.address];
            change(config);
        });
        Self { running, authority, own, partner, advertised, _dns: dns, _directory: directory }
    }

    async fn alice(&self) -> WsPeer {
        let mut alice = WsPeer::new(self.running.gateway.addresses().http).await;
        assert_eq!(alice.register("alice", &self.running.password("alice"), "a", "").await.status(), 200);
        alice
    }

    /// A connection to the gateway's TLS port that shows `certificate`.
    async fn connect(&self, certificate: Option<&CertificateFiles>) -> TcpPeer<TlsStream<TcpStream>> {
        let port = self.running.gateway.addresses().tls.unwrap();
        TcpPeer::over_tls(connect(port, &self.authority.certificate(), certificate).await.unwrap())
    }

    /// The port that the partner says it is at.
    fn port(&self) -> u16 {
        self.advertised.local_addr().unwrap().port()
    }

    /// The partner asks something over its connection, with what it advertises in its Via.
    async fn asks(&self, partner: &mut impl Peer, via: &str) {
        let request = partner.request(
            "OPTIONS",
            "sip:localhost",
            "sip:x@partner.example",
            "<sip:localhost>",
            via,
            1,
            "",
        );
        let sent_by = format!("SIP/2.0/TLS {}", partner.host());
        assert!(request.contains(&sent_by));
        let advertised = format!("SIP/2.0/TLS partner.example:{}{via}", self.port());
        partner
            .send(
                &request.replace(&sent_by, &advertised).replace(&format!("Call-ID: {via}"), "Call-ID: asks"),
            )
            .await;
        assert_eq!(partner.receive().await.status(), 200);
    }

    /// Alice writes to somebody at `domain`, which DNS says is where the partner advertises that it is.
    async fn writes(&self, alice: &mut WsPeer, domain: &str, call_id: &str) {
        let uri = format!("sip:carol@{domain}:{};transport=tls", self.port());
        alice.send(&alice.request("MESSAGE", &uri, ALICE, &format!("<{uri}>"), call_id, 1, "")).await;
    }

    /// The gateway opens a connection of its own.
    async fn is_dialled(&self) -> TcpStream {
        timeout(support::PATIENCE, self.advertised.accept()).await.expect("a connection").unwrap().0
    }

    async fn is_not_dialled(&self) {
        assert!(timeout(Duration::from_millis(200), self.advertised.accept()).await.is_err());
    }
}

/// It answers what it received, and Alice is told.
async fn answers(peer: &mut impl Peer, received: &Sip, alice: &mut WsPeer) {
    peer.send(&received.response("200 OK", "p", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}

#[tokio::test]
async fn rfc5923_8_2_an_alias_with_a_certificate_is_used_in_the_other_direction() {
    let scene = Scene::new(|_| {}).await;
    let mut alice = scene.alice().await;
    let mut partner = scene.connect(Some(&scene.partner)).await;
    scene.asks(&mut partner, ";alias").await;
    scene.writes(&mut alice, "partner.example", "one").await;
    let received = partner.receive().await;
    assert_eq!((received.method(), received.header("Call-ID")), ("MESSAGE", "one"));
    answers(&mut partner, &received, &mut alice).await;
    scene.is_not_dialled().await;
    // For a domain that its certificate does not name it is somebody else's, whatever the address (condition 2).
    scene.writes(&mut alice, "other.example", "two").await;
    drop(scene.is_dialled().await);
    assert!(alice.receive_final().await.status() >= 500);
    // When it is gone, a new one is opened.
    drop(partner);
    scene.running.wait_for_metric("trapezoid_flows{transport=\"tls\"}", 0).await;
    scene.writes(&mut alice, "partner.example", "three").await;
    drop(scene.is_dialled().await);
    assert!(alice.receive_final().await.status() >= 500);
}

#[tokio::test]
async fn rfc5923_9_2_without_alias_or_certificate_nothing_is_sent_in_the_other_direction() {
    let scene = Scene::new(|_| {}).await;
    let mut alice = scene.alice().await;
    let stranger = scene.authority.certify("stranger.example");
    let rows = [
        (Some(&scene.partner), ""),
        (None, ";alias"),
        (Some(&stranger), ";alias"),
        (Some(&scene.partner), ";x=alias"),
    ];
    for (n, (certificate, via)) in rows.into_iter().enumerate() {
        let mut partner = scene.connect(certificate).await;
        scene.asks(&mut partner, via).await;
        scene.writes(&mut alice, "partner.example", &format!("no{n}")).await;
        drop(scene.is_dialled().await);
        assert!(alice.receive_final().await.status() >= 500, "{n}");
    }
}

/// Over TCP nobody is verified.
#[tokio::test]
async fn rfc5923_5_over_tcp_there_is_no_alias() {
    let scene = Scene::new(|_| {}).await;
    let mut alice = scene.alice().await;
    let mut partner = TcpPeer::new(scene.running.gateway.addresses().tcp.unwrap()).await;
    let request =
        partner.request("OPTIONS", "sip:localhost", "sip:x@partner.example", "<sip:localhost>", "t", 1, "");
    let advertised = format!("SIP/2.0/TCP partner.example:{};alias", scene.port());
    partner.send(&request.replace(&format!("SIP/2.0/TCP {}", partner.host()), &advertised)).await;
    assert_eq!(partner.receive().await.status(), 200);
    let uri = format!("sip:carol@partner.example:{};transport=tcp", scene.port());
    alice.send(&alice.request("MESSAGE", &uri, ALICE, &format!("<{uri}>"), "tcp", 1, "")).await;
    let mut dialled = TcpPeer::over(scene.is_dialled().await);
    let received = dialled.receive().await;
    answers(&mut dialled, &received, &mut alice).await;
}

fn named(config: &mut Config, trusted: bool) {
    let peer = Known {
        name: "partner".into(),
        uri: "sip:partner.example;transport=tls".into(),
        sources: Vec::new(),
        trusted,
    };
    config.peers = vec![PeerServer { peer, probe: None }];
    config.outbound.callers = Callers::Peers;
}

#[tokio::test]
async fn rfc5922_7_4_a_peer_is_known_by_its_certificate() {
    for trusted in [true, false] {
        let scene = Scene::new(|config| named(config, trusted)).await;
        let mut alice = scene.alice().await;
        let stranger = scene.authority.certify("stranger.example");
        let identity = "P-Asserted-Identity: <sip:carol@partner.example>\r\n";
        let rows = [(Some(&scene.partner), true), (Some(&stranger), false), (None, false)];
        for (n, (certificate, known)) in rows.into_iter().enumerate() {
            let mut peer = scene.connect(certificate).await;
            let (call_id, to) = (format!("known{n}"), "<sip:alice@localhost>");
            peer.send(&peer.request(
                "MESSAGE",
                ALICE,
                "sip:carol@partner.example",
                to,
                &call_id,
                1,
                identity,
            ))
            .await;
            if known {
                let received = alice.receive().await;
                assert_eq!(received.header("Call-ID"), call_id);
                assert_eq!(received.all("P-Asserted-Identity").len(), usize::from(trusted), "{}", received.0);
                alice.send(&received.response("200 OK", "a", "")).await;
            }
            assert_eq!(peer.receive_final().await.status(), if known { 200 } else { 403 }, "{n}");
        }
        let mut phone = UdpPeer::new(scene.running.gateway.addresses().udp.unwrap()).await;
        let to = "<sip:alice@localhost>";
        phone.send(&phone.request("MESSAGE", ALICE, "sip:carol@partner.example", to, "udp", 1, "")).await;
        assert_eq!(phone.receive_final().await.status(), 403);
    }
}

#[tokio::test]
async fn rfc5923_8_1_our_via_says_alias_and_the_partner_may_use_our_connection() {
    let scene = Scene::new(|config| named(config, false)).await;
    let mut alice = scene.alice().await;
    scene.writes(&mut alice, "partner.example", "out").await;
    let stream = scene.is_dialled().await;
    let acceptor = acceptor(&scene.authority.certificate(), &scene.partner);
    let stream = acceptor.accept(stream).await.unwrap();
    // The certificate that it shows is the one of the configuration.
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    assert_eq!(shown, certificate_of(&scene.own));
    let mut partner = TcpPeer::accepted_over_tls(stream);
    let received = partner.receive().await;
    let via = received.header("Via");
    let port = scene.running.gateway.addresses().tls.unwrap();
    assert!(via.starts_with(&format!("SIP/2.0/TLS {port};")) && via.ends_with(";alias"), "{via}");
    answers(&mut partner, &received, &mut alice).await;
    // It calls back over the same connection, as who it was verified to be.
    let to = "<sip:alice@localhost>";
    partner.send(&partner.request("MESSAGE", ALICE, "sip:carol@partner.example", to, "back", 1, "")).await;
    let received = alice.receive().await;
    assert_eq!(received.header("Call-ID"), "back");
    alice.send(&received.response("200 OK", "a", "")).await;
    assert_eq!(partner.receive_final().await.status(), 200);
    scene.is_not_dialled().await;
}

/// RFC 3261 §18.2.2, RFC 3263 §5: "any closure of the transport connection the request came in on before the response can be
/// sent".
#[tokio::test]
async fn rfc3263_5_a_response_whose_connection_is_gone_goes_to_the_address_in_its_via() {
    let scene = Scene::new(|config| {
        let (name, uri) = ("phones".into(), "sip:127.0.0.1;transport=tcp".into());
        let peer = Known { name, uri, sources: vec![LOCALHOST], trusted: false };
        config.peers = vec![PeerServer { peer, probe: None }];
    })
    .await;
    let mut alice = scene.alice().await;
    let mut caller = TcpPeer::new(scene.running.gateway.addresses().tcp.unwrap()).await;
    let headers = format!("Contact: {}\r\n", caller.contact("x"));
    let to = "<sip:alice@localhost>";
    let invite = caller.request("INVITE", ALICE, "sip:x@example.com", to, "gone", 1, &headers);
    let listening = format!("SIP/2.0/TCP 127.0.0.1:{}", scene.port());
    caller.send(&invite.replace(&format!("SIP/2.0/TCP {}", caller.host()), &listening)).await;
    assert_eq!(caller.receive().await.status(), 100);
    let invited = alice.receive().await;
    drop(caller);
    let mut again = TcpPeer::over(scene.is_dialled().await);
    alice.send(&invited.response("486 Busy Here", "a", "")).await;
    let refused = again.receive_final().await;
    assert_eq!(refused.status(), 486);
    assert!(refused.header("Via").starts_with(&listening), "{}", refused.0);
    assert_eq!(alice.receive().await.method(), "ACK");
}

/// RFC 3261 §18.2.2: the gateway itself answers when alice, who is away, has not come back for five seconds.
#[tokio::test]
async fn rfc3261_18_2_2_an_answer_of_the_gateways_own_whose_connection_is_gone_goes_to_the_port_in_its_via() {
    let scene = Scene::new(|_| {}).await;
    drop(scene.alice().await);
    scene.running.wait_for_metric("trapezoid_flows{transport=\"ws\"}", 0).await;
    let mut caller = TcpPeer::new(scene.running.gateway.addresses().tcp.unwrap()).await;
    let message =
        caller.request("MESSAGE", ALICE, "sip:x@example.com", "<sip:alice@localhost>", "gone", 1, "");
    let listening = format!("SIP/2.0/TCP 127.0.0.1:{}", scene.port());
    caller.send(&message.replace(&format!("SIP/2.0/TCP {}", caller.host()), &listening)).await;
    // It has been read when this is answered.
    let own = caller.request("OPTIONS", "sip:localhost", "sip:x@example.com", "<sip:localhost>", "o", 1, "");
    caller.send(&own).await;
    assert_eq!(caller.receive().await.status(), 200);
    drop(caller);
    // Meanwhile it is waited for alice.
    scene.is_not_dialled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut again = TcpPeer::over(scene.is_dialled().await);
    let refused = again.receive_final().await;
    assert_eq!(refused.status(), 480);
    assert!(refused.header("Via").starts_with(&listening), "{}", refused.0);
}
