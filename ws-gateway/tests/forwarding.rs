//! Call forwarding (RFC 5806, RFC 7044) through the real sockets: from a configuration file to the phone that rings.

mod support;

use std::path::Path;
use std::time::Duration;

use support::peers::{Peer, TcpPeer, WsPeer};
use support::start_with;
use tokio::net::UdpSocket;
use ws_gateway::Config;

/// What the file says, for a gateway of tests.
fn from_file(config: &mut Config, text: &str) {
    let file = format!(
        "development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n{text}"
    );
    let read = Config::parse(Path::new("gateway.toml"), &file).unwrap_or_else(|error| panic!("{error}"));
    (config.forwards, config.peers, config.routes) = (read.forwards, read.peers, read.routes);
}

/// Bob is busy: the call rings at Alice's other phone; she is not there: it goes out over the trunk.
#[tokio::test]
async fn rfc5806_busy_rings_elsewhere_and_offline_goes_over_a_trunk() {
    let trunk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = trunk.local_addr().unwrap().port();
    let running = start_with(|config| {
        from_file(
            config,
            &format!(
                "[[peer]]\nname = \"t\"\nuri = \"sip:127.0.0.1:{port};transport=udp\"\nfrom = [\"127.0.0.3\"]\nprobe = 0\n\
                 [[route]]\nnumber = \"+49*\"\nto = [\"t\"]\n\
                 [[forward]]\nuser = \"bob\"\nwhen = \"busy\"\nto = \"sip:+4930@localhost\"\n\
                 [[forward]]\nuser = \"bob\"\nwhen = \"no answer\"\nafter = 5\nto = \"sip:alice@localhost\"\n\
                 [[forward]]\nuser = \"bob\"\nwhen = \"offline\"\nto = \"sip:+4931@localhost\"\nprivate = true\n"
            ),
        );
    });
    let addresses = running.gateway.addresses().clone();
    // Nothing is repeated to it while it does not acknowledge.
    let mut caller = TcpPeer::new(addresses.tcp.unwrap()).await;
    let invite = |caller: &TcpPeer, call_id: &str| {
        let contact = format!("Contact: {}\r\n", caller.contact("x"));
        let bob = "sip:bob@localhost";
        caller.request("INVITE", bob, "sip:x@c.example", &format!("<{bob}>"), call_id, 1, &contact)
    };
    let mut buffer = [0; 4096];
    let mut at_trunk = async || {
        let receiving = trunk.recv_from(&mut buffer);
        let (length, from) = tokio::time::timeout(Duration::from_secs(5), receiving).await.unwrap().unwrap();
        (support::Sip(String::from_utf8(buffer[..length].to_vec()).unwrap()), from)
    };
    // Offline.
    caller.send(&invite(&caller, "one")).await;
    assert_eq!(caller.receive().await.status(), 100);
    assert_eq!(caller.receive().await.status(), 181);
    let (out, from) = at_trunk().await;
    assert!(out.start_line().starts_with("INVITE sip:+4931@127.0.0.1"), "{}", out.0);
    assert_eq!(
        out.header("Diversion"),
        "<sip:anonymous@anonymous.invalid>;reason=unavailable;counter=1;privacy=full"
    );
    assert!(!out.0.contains("<sip:bob@localhost?"), "{}", out.0);
    trunk.send_to(out.response("404 Not Found", "t", "").as_bytes(), from).await.unwrap();
    assert_eq!(caller.receive().await.status(), 404);
    let (ack, _) = at_trunk().await;
    assert_eq!(ack.method(), "ACK");
    // Busy.
    let mut bob = WsPeer::new(addresses.http).await;
    assert_eq!(bob.register("bob", &running.password("bob"), "b", "").await.status(), 200);
    caller.send(&invite(&caller, "two")).await;
    assert_eq!(caller.receive().await.status(), 100);
    let invited = bob.receive().await;
    bob.send(&invited.response("486 Busy Here", "b", "")).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    assert_eq!(caller.receive().await.status(), 181);
    let (out, from) = at_trunk().await;
    assert_eq!(out.header("Diversion"), "<sip:bob@localhost>;reason=user-busy;counter=1;privacy=off");
    assert!(out.header("History-Info").starts_with("<sip:bob@localhost?Reason=SIP%3Bcause%3D486>;index=1, "));
    trunk.send_to(out.response("486 Busy Here", "t", "").as_bytes(), from).await.unwrap();
    assert_eq!(caller.receive().await.status(), 486);
    // Nobody answers.
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "a", "").await.status(), 200);
    caller.send(&invite(&caller, "three")).await;
    assert_eq!(caller.receive().await.status(), 100);
    let invited = bob.receive().await;
    bob.send(&invited.response("180 Ringing", "b", "")).await;
    assert_eq!(caller.receive().await.status(), 180);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(caller.receive().await.status(), 181);
    assert_eq!(bob.receive().await.method(), "CANCEL");
    let forwarded = alice.receive().await;
    assert!(forwarded.header("Diversion").contains(";reason=no-answer;"));
    alice.send(&forwarded.response("200 OK", "a", "")).await;
    assert_eq!(caller.receive().await.status(), 200);
    assert_eq!(running.metric("trapezoid_sip_diverted_total").await, 3);
}

/// Whoever is transferred to a page without a GRUU calls its Contact. A name that is a domain's is never one.
#[tokio::test]
async fn a_page_calls_the_contact_of_another() {
    let running = start_with(|_| {});
    let http = running.gateway.addresses().http;
    let (mut alice, mut bob) = (WsPeer::new(http).await, WsPeer::new(http).await);
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    let uri = bob.contact("bob").trim_matches(['<', '>']).to_owned();
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    let (from, to) = ("sip:alice@localhost", format!("<{uri}>"));
    alice.send(&alice.request("INVITE", &uri, from, &to, "c1", 1, &contact)).await;
    let invited = bob.receive().await;
    assert_eq!(invited.start_line(), format!("INVITE {uri} SIP/2.0"));
    bob.send(&invited.response("486 Busy Here", "b", "")).await;
    assert_eq!(alice.receive_final().await.status(), 486);
    let other = uri.replace("bob@", "somebody@");
    alice.send(&alice.request("INVITE", &other, from, &format!("<{other}>"), "c2", 1, &contact)).await;
    let refused = alice.receive_final().await;
    assert_eq!(refused.start_line(), "SIP/2.0 403 Domain Not Served Here");
}
