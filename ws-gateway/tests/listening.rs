//! Phones on TCP that close their connections when nothing is said, and take new ones; and a proxy that calls over UDP and takes some.

mod support;

use std::net::{IpAddr, SocketAddr};

use sip_core::server::Outward;
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{Running, Sip, credentials, restartable, start_with};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use ws_gateway::{Config, Gateway};

const TCP_FLOWS: &str = "trapezoid_flows{transport=\"tcp\"}";

/// Bob's phone, which has registered and closed its connection.
struct Phone {
    listener: TcpListener,
    at: SocketAddr,
    gateway: SocketAddr,
}

impl Phone {
    async fn registered(running: &Running, config: &Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let phone = Self { listener, at, gateway: config.tcp[0].listen.address };
        let mut registering = phone.opened().await;
        assert_eq!(registering.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
        drop(registering);
        running.wait_for_metric(TCP_FLOWS, 0).await;
        phone
    }

    /// The connection that the gateway opens.
    async fn taken(&self) -> TcpPeer {
        let accepted = timeout(support::PATIENCE, self.listener.accept()).await;
        TcpPeer::over(accepted.expect("is connected to").unwrap().0).listening_at(self.at)
    }

    /// One that the phone opens.
    async fn opened(&self) -> TcpPeer {
        TcpPeer::over(TcpStream::connect(self.gateway).await.unwrap()).listening_at(self.at)
    }
}

async fn alice(running: &Running, config: &Config) -> WsPeer {
    let mut alice = WsPeer::new(config.http.listen.address).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    alice
}

/// On this machine everybody has the address that nobody is connected to unless the configuration has it so.
fn anywhere(config: &mut Config) {
    config.outbound.to = Outward::Anywhere;
}

/// Before and after a restart.
#[tokio::test]
async fn rfc3261_18_1_1_a_phone_on_tcp_is_connected_to_at_its_contact() {
    let (running, config) = restartable(anywhere);
    let phone = Phone::registered(&running, &config).await;
    let mut running = running;
    for restarted in [false, true] {
        if restarted {
            let Running { gateway, data } = running;
            gateway.stop().await;
            running = Running { gateway: Gateway::start(config.clone()).unwrap(), data };
        }
        let mut alice = alice(&running, &config).await;
        let contact = format!("Contact: {}\r\n", alice.contact("alice"));
        let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
        let call_id = format!("c{restarted}");
        alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, 1, &contact)).await;
        let mut taken = phone.taken().await;
        let invite = taken.receive().await;
        assert_eq!(invite.start_line(), format!("INVITE sip:bob@{};transport=tcp SIP/2.0", phone.at));
        // The phone may answer over another connection, to where the gateway listens.
        assert!(invite.header("Via").contains(&phone.gateway.to_string()), "{}", invite.0);
        taken.send(&invite.response("486 Busy Here", "b", "")).await;
        assert_eq!(alice.receive_final().await.status(), 486);
        assert_eq!(running.metric("trapezoid_sip_paths_followed_total").await, 1);
        // Answers the close, so that stopping need not wait.
        tokio::spawn(async move { while alice.receive_message().await.is_some() {} });
    }
}

/// One side of a call.
struct Side {
    local: String,
    remote: String,
    target: String,
    routes: String,
    call_id: String,
    cseq: u32,
}

fn uri(contact: &str) -> String {
    contact.split(['<', '>']).nth(1).unwrap().to_owned()
}

fn routes<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.map(|route| format!("Route: {route}\r\n")).collect()
}

impl Side {
    fn caller(ok: &Sip) -> Self {
        let header = |name| ok.header(name).to_owned();
        let routes = routes(ok.all("Record-Route").into_iter().rev());
        let (local, remote, target) = (header("From"), header("To"), uri(ok.header("Contact")));
        Self { local, remote, target, routes, call_id: header("Call-ID"), cseq: 10 }
    }

    fn callee(invite: &Sip, tag: &str) -> Self {
        let header = |name| invite.header(name).to_owned();
        let routes = routes(invite.all("Record-Route").into_iter());
        let (remote, target) = (header("From"), uri(invite.header("Contact")));
        let local = format!("{};tag={tag}", header("To"));
        Self { local, remote, target, routes, call_id: header("Call-ID"), cseq: 20 }
    }

    fn next(&mut self, method: &str, over: &impl Peer) -> String {
        self.cseq += u32::from(method != "ACK");
        let Self { local, remote, target, routes, call_id, cseq } = self;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{method}{call_id}{cseq}\r\n\
             Max-Forwards: 70\r\n{routes}From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: {}\r\nContent-Length: 0\r\n\r\n",
            over.via(),
            over.host(),
            over.contact("x"),
        )
    }

    /// Sends a request, which the other side accepts.
    async fn works(&mut self, method: &str, over: &mut impl Peer, other: &mut impl Peer) {
        over.send(&self.next(method, over)).await;
        let request = other.receive().await;
        assert_eq!(request.method(), method, "{}", request.0);
        let contact = format!("Contact: {}\r\n", other.contact("y"));
        other.send(&request.response("200 OK", "", &contact)).await;
        assert_eq!(over.receive_final().await.status(), 200);
        if method == "INVITE" {
            over.send(&self.next("ACK", over)).await;
            assert_eq!(other.receive().await.method(), "ACK");
        }
    }
}

/// It holds and hangs up over connections of its own (RFC 5923 §1), whether or not the one that was opened to it is still there.
#[tokio::test]
async fn rfc3261_12_2_1_1_a_phone_that_was_connected_to_hangs_up_over_a_connection_of_its_own() {
    let (running, config) = restartable(anywhere);
    let phone = Phone::registered(&running, &config).await;
    let mut alice = alice(&running, &config).await;
    for hangs_up in [true, false] {
        let contact = format!("Contact: {}\r\n", alice.contact("alice"));
        let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
        let call_id = format!("c{hangs_up}");
        alice.send(&alice.request("INVITE", "sip:bob@localhost", from, to, &call_id, 1, &contact)).await;
        let mut taken = phone.taken().await;
        let invite = taken.receive().await;
        let contact = format!("Contact: {}\r\n", taken.contact("bob"));
        taken.send(&invite.response("200 OK", "b", &contact)).await;
        let mut caller = Side::caller(&alice.receive_final().await);
        let mut callee = Side::callee(&invite, "b");
        caller.cseq = 1;
        alice.send(&caller.next("ACK", &alice)).await;
        assert_eq!(taken.receive().await.method(), "ACK");

        let mut third = phone.opened().await;
        callee.works("INVITE", &mut third, &mut alice).await;
        let mut stranger = from_another_address(&phone).await;
        stranger.send(&callee.next("BYE", &stranger)).await;
        assert_eq!(stranger.receive().await.status(), 403);
        drop((taken, third, stranger));
        running.wait_for_metric(TCP_FLOWS, 0).await;
        let mut fourth = phone.opened().await;
        if hangs_up {
            callee.works("BYE", &mut fourth, &mut alice).await;
            drop(fourth);
        } else {
            callee.works("INVITE", &mut fourth, &mut alice).await;
            drop(fourth);
            running.wait_for_metric(TCP_FLOWS, 0).await;
            alice.send(&caller.next("BYE", &alice)).await;
            let mut taken = phone.taken().await;
            let bye = taken.receive().await;
            taken.send(&bye.response("200 OK", "", "")).await;
            assert_eq!(alice.receive_final().await.status(), 200);
        }
        running.wait_for_metric(TCP_FLOWS, 0).await;
    }
}

async fn from_another_address(phone: &Phone) -> TcpPeer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from([127, 0, 0, 2]), 0)).unwrap();
    TcpPeer::over(socket.connect(phone.gateway).await.unwrap()).listening_at(phone.at)
}

/// It calls over a connection that nothing has registered over, and closes it.
#[tokio::test]
async fn rfc3261_18_1_1_such_a_phone_that_has_called_is_connected_to() {
    let (running, config) = restartable(anywhere);
    let phone = Phone::registered(&running, &config).await;
    let mut alice = alice(&running, &config).await;
    for hangs_up in [true, false] {
        let mut calling = phone.opened().await;
        let (from, to) = ("sip:bob@localhost", "<sip:alice@localhost>");
        let call_id = format!("b{hangs_up}");
        let contact = format!("Contact: {}\r\n", calling.contact("bob"));
        calling
            .send(&calling.request("INVITE", "sip:alice@localhost", from, to, &call_id, 1, &contact))
            .await;
        let challenged = calling.receive_final().await;
        let challenge = challenged.header("Proxy-Authenticate");
        let proof = credentials(challenge, "bob", &running.password("bob"), "INVITE", "sip:alice@localhost");
        let fields = format!("{contact}Proxy-Authorization: {proof}\r\n");
        calling.send(&calling.request("INVITE", "sip:alice@localhost", from, to, &call_id, 2, &fields)).await;
        let invite = alice.receive().await;
        let contact = format!("Contact: {}\r\n", alice.contact("alice"));
        alice.send(&invite.response("200 OK", "a", &contact)).await;
        let mut caller = Side::caller(&calling.receive_final().await);
        let mut callee = Side::callee(&invite, "a");
        caller.cseq = 2;
        calling.send(&caller.next("ACK", &calling)).await;
        assert_eq!(alice.receive().await.method(), "ACK");
        drop(calling);
        running.wait_for_metric(TCP_FLOWS, 0).await;
        if hangs_up {
            caller.works("BYE", &mut phone.opened().await, &mut alice).await;
        } else {
            alice.send(&callee.next("BYE", &alice)).await;
            let mut taken = phone.taken().await;
            let bye = taken.receive().await;
            taken.send(&bye.response("200 OK", "", "")).await;
            assert_eq!(alice.receive_final().await.status(), 200);
        }
        running.wait_for_metric(TCP_FLOWS, 0).await;
    }
}

/// Behind a program on this machine that hides where its clients are, all are at its loopback address; and there are other services.
#[tokio::test]
async fn nobody_has_the_gateway_write_to_a_port_of_its_own_machine() {
    let (running, config) = restartable(|_| {});
    let phone = Phone::registered(&running, &config).await;
    let mut alice = alice(&running, &config).await;
    let (from, to) = ("sip:alice@localhost", "<sip:bob@localhost>");
    alice.send(&alice.request("MESSAGE", "sip:bob@localhost", from, to, "m", 1, "")).await;
    running.wait_for_metric("trapezoid_sip_hops_forbidden_total", 1).await;
    let taken = timeout(std::time::Duration::from_millis(200), phone.listener.accept()).await;
    assert!(taken.is_err());
    assert_eq!(running.metric("trapezoid_dials_total").await, 0);
}

/// Over TCP as long as the proxy takes connections, and then as a datagram, at once also the second time.
#[tokio::test]
async fn rfc3261_18_1_1_what_is_long_for_a_proxy_that_calls_over_udp_goes_over_tcp() {
    let running = start_with(anywhere);
    let addresses = running.gateway.addresses().clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut alice = WsPeer::new(addresses.http).await;
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    let mut proxy = UdpPeer::new(addresses.udp.unwrap()).await;
    let fields = format!("Record-Route: <sip:p@{at};lr>\r\nContact: {}\r\n", proxy.contact("x"));
    let (from, to) = ("sip:x@example.com", "<sip:alice@localhost>");
    proxy.send(&proxy.request("INVITE", "sip:alice@localhost", from, to, "c", 1, &fields)).await;
    let invite = alice.receive().await;
    let contact = format!("Contact: {}\r\n", alice.contact("alice"));
    alice.send(&invite.response("200 OK", "a", &contact)).await;
    assert_eq!(proxy.receive_final().await.status(), 200);

    let mut callee = Side::callee(&invite, "a");
    callee.works("INFO", &mut alice, &mut proxy).await;
    let long = format!("X-Padding: {}\r\nContent-Length:", "x".repeat(1_500));
    alice.send(&callee.next("INFO", &alice).replace("Content-Length:", &long)).await;
    let accepted = timeout(support::PATIENCE, listener.accept()).await;
    let mut taken = TcpPeer::over(accepted.expect("is connected to").unwrap().0).listening_at(at);
    let info = taken.receive().await;
    assert!(info.header("Via").starts_with("SIP/2.0/TCP"), "{}", info.0);
    taken.send(&info.response("200 OK", "", "")).await;
    assert_eq!(alice.receive_final().await.status(), 200);

    drop((taken, listener));
    running.wait_for_metric(TCP_FLOWS, 0).await;
    for _ in 0..2 {
        alice.send(&callee.next("INFO", &alice).replace("Content-Length:", &long)).await;
        let info = proxy.receive().await;
        assert!(info.header("Via").starts_with("SIP/2.0/UDP"), "{}", info.0);
        proxy.send(&info.response("200 OK", "", "")).await;
        assert_eq!(alice.receive_final().await.status(), 200);
    }
    assert_eq!(running.metric("trapezoid_failed_dials_total").await, 1);
    callee.works("BYE", &mut alice, &mut proxy).await;
}
