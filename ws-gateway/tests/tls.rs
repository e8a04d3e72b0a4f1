//! HTTPS, secure WebSockets and SIP over TLS, with a client that checks certificates.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use support::authority::Authority;
use support::peers::{BALANCER, Peer, TcpPeer, WsPeer, announcement, through_balancer};
use support::tls::{connect, is_answered, own_certificate, secure};
use support::{PATIENCE, credentials, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_gateway::config::{CertificateFiles, Clients, Config, Port, SipListener};

const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn with_tls(config: &mut Config) {
    config.https = vec![SocketAddr::from(ANY).into()];
    config.tls = vec![SipListener::at(SocketAddr::from(ANY).into())];
}

/// Certificates for `names`, in files of `directory`, and what a client must trust.
fn certificate(directory: &Path, stem: &str, names: &[&str]) -> (CertificateFiles, CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let files = CertificateFiles {
        chain: directory.join(format!("{stem}.crt")),
        key: directory.join(format!("{stem}.key")),
    };
    std::fs::write(&files.chain, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.der().clone())
}

#[tokio::test]
async fn a_call_from_a_page_over_wss_to_a_phone_over_tls() {
    let running = start_with(with_tls);
    let addresses = running.gateway.addresses().clone();
    let own = own_certificate(&running);
    let https = addresses.https.unwrap();
    let stream = connect(https, &own, None).await.unwrap();
    let mut alice = WsPeer::over(stream, https, "WSS").await;
    let stream = connect(addresses.tls.unwrap(), &own, None).await.unwrap();
    let mut bob = TcpPeer::over_tls(stream);
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    for transport in ["ws", "tls"] {
        let flows = format!("trapezoid_flows{{transport=\"{transport}\"}}");
        assert_eq!(running.metric(&flows).await, 1);
    }

    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, "c", 1, &contact)).await;
    let invite = bob.receive().await;
    assert_eq!(invite.start_line(), format!("INVITE sip:bob@{};transport=tls SIP/2.0", bob.host()));
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS "), "{}", invite.0);
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200);
    let routes: String = ok.all("Record-Route").iter().rev().map(|r| format!("Route: {r}\r\n")).collect();
    let uri = invite.start_line().split(' ').nth(1).unwrap().to_owned();
    let to_bob = "<sip:bob@localhost>;tag=b";
    alice.send(&alice.request("ACK", &uri, from, to_bob, "c", 1, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    alice.send(&alice.request("BYE", &uri, from, to_bob, "c", 2, &routes)).await;
    let bye = bob.receive().await;
    assert_eq!(bye.method(), "BYE");
    bob.send(&bye.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
}

/// Pages come over each port of two address families, with TLS and without, and call each other.
#[tokio::test]
async fn several_ports_for_browsers() {
    let running = start_with(|config| {
        with_tls(config);
        let v6: SocketAddr = "[::1]:0".parse().unwrap();
        config.http.also = vec![v6.into()];
        config.https.push(v6.into());
    });
    let addresses = running.gateway.addresses().clone();
    let own = own_certificate(&running);
    let (plain, secure) = (addresses.all_http[1], addresses.all_https[1]);
    assert!(
        addresses.http.is_ipv4() && addresses.https.unwrap().is_ipv4() && plain.is_ipv6() && secure.is_ipv6()
    );
    let mut alice = WsPeer::new(plain).await;
    let mut bob = WsPeer::over(connect(secure, &own, None).await.unwrap(), secure, "WSS").await;
    assert_eq!(alice.register("alice", &running.password("alice"), "pa", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "pb", "").await.status(), 200);
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("MESSAGE", "sip:bob@localhost", from, to, "ports", 1, "")).await;
    let received = bob.receive().await;
    assert_eq!(received.method(), "MESSAGE");
    assert!(received.header("Via").starts_with(&format!("SIP/2.0/WSS {secure};")), "{}", received.0);
    bob.send(&received.response("200 OK", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    // The ports of before are there, too.
    let mut page = WsPeer::new(addresses.http).await;
    assert_eq!(page.register("alice", &running.password("alice"), "first", "").await.status(), 200);
}

/// Phones come over each `[[tls]]`, of two address families, and call each other; each is reached over the port that it registered at.
#[tokio::test]
async fn rfc3261_26_2_several_ports_for_phones_on_tls() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let partner = authority.certify("partner.example");
    let running = start_with(|config| {
        let at = |address: &str| SipListener::at(address.parse::<SocketAddr>().unwrap().into());
        config.tls = vec![at("127.0.0.1:0"), at("[::1]:0"), at("127.0.0.1:0")];
        // What one asks of its clients is its own.
        config.tls[2].clients = Clients::Required(authority.file.clone());
    });
    let addresses = running.gateway.addresses().clone();
    let own = own_certificate(&running);
    let [first, v6, third] = addresses.all_tls[..] else { panic!("{:?}", addresses.all_tls) };
    assert_eq!(addresses.tls, Some(first));
    assert!(first.is_ipv4() && v6.is_ipv6() && third.is_ipv4() && third.port() != first.port());
    assert!(is_answered(first, &own, None).await && is_answered(v6, &own, None).await);
    assert!(!is_answered(third, &own, None).await);

    let mut alice = TcpPeer::over_tls(connect(v6, &own, None).await.unwrap());
    let alice_has = running.password("alice");
    let registered = alice.register("alice", &alice_has, "ra", "").await;
    assert_eq!(registered.status(), 200);
    // RFC 3261 §25.1, RFC 3581 §4: in brackets where a host stands, and without where an address does.
    assert!(alice.host().starts_with("[::1]:"));
    assert!(registered.header("Via").contains(";received=::1;"), "{}", registered.0);
    for (n, (port, shown)) in [(first, None), (v6, None), (third, Some(&partner))].into_iter().enumerate() {
        let mut bob = TcpPeer::over_tls(connect(port, &own, shown).await.unwrap());
        let bob_has = running.password("bob");
        assert_eq!(bob.register("bob", &bob_has, &format!("rb{n}"), "").await.status(), 200);
        call_and_back(&mut alice, &mut bob, &alice_has, port, v6, n).await;
        assert_eq!(bob.register("bob", &bob_has, &format!("gone{n}"), ";expires=0").await.status(), 200);
    }
}

/// Alice calls Bob, who hangs up. Each has the gateway at the port that it came to.
async fn call_and_back<P: Peer>(
    alice: &mut P,
    bob: &mut P,
    password: &str,
    bobs: SocketAddr,
    alices: SocketAddr,
    n: usize,
) {
    let (from, uri, call_id) = ("sip:alice@localhost", "sip:bob@localhost", format!("call{n}"));
    let (to, contact) = (format!("<{uri}>"), format!("Contact: {}\r\n", alice.contact("alice")));
    alice.send(&alice.request("INVITE", uri, from, &to, &call_id, 1, &contact)).await;
    let challenged = alice.receive_final().await;
    assert_eq!(challenged.status(), 407, "{}", challenged.0);
    let ack = alice.request("ACK", uri, from, challenged.header("To"), &call_id, 1, "");
    let branch = |text: &str| text.split(";branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    alice.send(&ack.replace(&branch(&ack), &branch(&challenged.0))).await;
    let proof = credentials(challenged.header("Proxy-Authenticate"), "alice", password, "INVITE", uri);
    let fields = format!("{contact}Proxy-Authorization: {proof}\r\n");
    alice.send(&alice.request("INVITE", uri, from, &to, &call_id, 2, &fields)).await;
    let invite = bob.receive().await;
    assert_eq!(invite.start_line(), format!("INVITE sip:bob@{};transport=tls SIP/2.0", bob.host()));
    assert!(invite.header("Via").starts_with(&format!("SIP/2.0/TLS {bobs};")), "{}", invite.0);
    let records = invite.all("Record-Route");
    assert!(records[0].contains(&format!("@{bobs};")), "{records:?}");
    assert!(records[1].contains(&format!("@{alices};")), "{records:?}");
    bob.send(&invite.response("200 OK", "b", &format!("Contact: {}\r\n", bob.contact("bob")))).await;
    let ok = alice.receive_final().await;
    assert_eq!(ok.status(), 200, "{}", ok.0);
    let route = |records: Vec<&str>| records.iter().map(|r| format!("Route: {r}\r\n")).collect::<String>();
    let routes = route(ok.all("Record-Route").into_iter().rev().collect());
    let target = bob.contact("bob").trim_matches(['<', '>']).to_owned();
    alice.send(&alice.request("ACK", &target, from, ok.header("To"), &call_id, 2, &routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    let target = alice.contact("alice").trim_matches(['<', '>']).to_owned();
    let bye = bob.request("BYE", &target, uri, invite.header("From"), &call_id, 9, &route(records));
    bob.send(&bye.replace(&format!("From: <{uri}>;tag=f{call_id}"), &format!("From: <{uri}>;tag=b"))).await;
    let bye = alice.receive().await;
    assert_eq!(bye.method(), "BYE", "{}", bye.0);
    assert!(bye.header("Via").starts_with(&format!("SIP/2.0/TLS {alices};")), "{}", bye.0);
    alice.send(&bye.response("200 OK", "", "")).await;
    assert_eq!(bob.receive_final().await.status(), 200);
}

/// What a load balancer says comes before the handshake.
#[tokio::test]
async fn behind_a_load_balancer_that_passes_tls_on() {
    let running = start_with(|config| {
        with_tls(config);
        config.load_balancers.from = vec![format!("{BALANCER}/32").parse().unwrap()];
        config.load_balancers.proxy_protocol = vec![Port::Https, Port::Tls];
    });
    let addresses = running.gateway.addresses().clone();
    let own = own_certificate(&running);
    let through = async |gateway, client: &str| {
        let mut stream = through_balancer(gateway).await;
        // With something that is told beside, as most do.
        stream.write_all(&announcement(client.parse().unwrap(), &[4, 0, 2, 1, 1])).await.unwrap();
        secure(stream, "localhost", &own, None).await.unwrap()
    };
    let mut phone = TcpPeer::over_tls(through(addresses.tls.unwrap(), "192.0.2.7:40000").await);
    let ok = phone.register("alice", &running.password("alice"), "r", "").await;
    assert_eq!(ok.status(), 200);
    let via = ok.header("Via");
    assert!(via.contains(";received=192.0.2.7") && via.contains(";rport=40000"), "{via}");
    let https = addresses.https.unwrap();
    let mut page = WsPeer::over(through(https, "[2001:db8::7]:40000").await, https, "WSS").await;
    let ok = page.register("bob", &running.password("bob"), "p", "").await;
    assert_eq!(ok.status(), 200);
    assert!(ok.header("Via").contains(";received=2001:db8::7"), "{}", ok.0);
}

#[tokio::test]
async fn the_page_over_https() {
    let running = start_with(with_tls);
    let own = own_certificate(&running);
    let mut stream = connect(running.gateway.addresses().https.unwrap(), &own, None).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn each_name_has_its_certificate_and_a_new_one_needs_no_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (first_files, first) = certificate(directory.path(), "first", &["localhost"]);
    let (second_files, second) = certificate(directory.path(), "second", &["phone.example.com"]);
    let running = start_with(|config| {
        with_tls(config);
        config.certificates = vec![first_files.clone(), second_files];
    });
    let port = running.gateway.addresses().tls.unwrap();
    connect(port, &first, None).await.unwrap();
    secure(TcpStream::connect(port).await.unwrap(), "phone.example.com", &second, None).await.unwrap();
    secure(TcpStream::connect(port).await.unwrap(), "phone.example.com", &first, None).await.unwrap_err();

    let (_, renewed) = certificate(directory.path(), "first", &["localhost"]);
    // Whatever the file system's clock can tell apart.
    let chain = std::fs::File::options().write(true).open(&first_files.chain).unwrap();
    chain.set_modified(SystemTime::now() + Duration::from_secs(10)).unwrap();
    let shown = async {
        while connect(port, &renewed, None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, shown).await.expect("the new certificate is shown");
}

#[tokio::test]
async fn whoever_makes_no_handshake_is_closed_and_counted() {
    let running = start_with(|config| {
        with_tls(config);
        config.timeouts.handshake = Duration::from_millis(300);
    });
    let addresses = running.gateway.addresses().clone();
    for port in [addresses.tls.unwrap(), addresses.https.unwrap()] {
        let mut plain = TcpStream::connect(port).await.unwrap();
        plain.write_all(b"OPTIONS sip:localhost SIP/2.0\r\n\r\n").await.unwrap();
        let mut silent = TcpStream::connect(port).await.unwrap();
        let mut answer = Vec::new();
        // A TLS alert, or a reset.
        let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"SIP/2.0") && !answer.starts_with(b"HTTP"));
        let closed = timeout(PATIENCE, silent.read_u8()).await.unwrap();
        assert!(closed.is_err());
    }
    running.wait_for_metric("trapezoid_refusals_total{reason=\"tls\"}", 4).await;
}

#[tokio::test]
async fn rfc5922_7_4_a_client_shows_its_certificate_where_it_must() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let partner = authority.certify("partner.example");
    let (stranger, _) = certificate(directory.path(), "stranger", &["stranger.example"]);
    let rows = [
        (Clients::Anyone, [true, true, true]),
        (Clients::Asked(authority.file.clone()), [true, true, false]),
        (Clients::Required(authority.file.clone()), [false, true, false]),
    ];
    for (clients, expected) in rows {
        let running = start_with(|config| {
            with_tls(config);
            config.tls[0].clients = clients.clone();
        });
        let (own, port) = (own_certificate(&running), running.gateway.addresses().tls.unwrap());
        for (shown, expected) in [None, Some(&partner), Some(&stranger)].into_iter().zip(expected) {
            assert_eq!(is_answered(port, &own, shown).await, expected, "{clients:?} {shown:?}");
        }
    }
}

/// A message of the handshake may have 64 KiB: it comes in records, of which each alone is sound, and says nothing before it is whole.
#[tokio::test]
async fn a_handshake_that_says_nothing_is_closed_before_it_takes_much() {
    let running = start_with(with_tls);
    let addresses = running.gateway.addresses();
    for (port, reason) in [(addresses.https.unwrap(), "tls"), (addresses.tls.unwrap(), "tls")] {
        let refusals = format!("trapezoid_refusals_total{{reason=\"{reason}\"}}");
        let before = running.metric(&refusals).await;
        let mut stream = TcpStream::connect(port).await.unwrap();
        // A ClientHello of 60,000 bytes, of which 48,000 come.
        let mut sent = 0;
        for part in 0..3 {
            let mut record = vec![0x16, 0x03, 0x01, 0x3e, 0x80];
            record.extend(if part == 0 { [0x01, 0x00, 0xea, 0x60] } else { [0; 4] });
            record.resize(5 + 16_000, 0);
            sent += record.len();
            // The last ones may find nobody.
            let _ = stream.write_all(&record).await;
        }
        assert!(sent > 48_000);
        let mut answer = Vec::new();
        let closed = timeout(Duration::from_secs(3), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "it is closed at once and not after a handshake's time");
        running.wait_for_metric(&refusals, before + 1).await;
    }
}
