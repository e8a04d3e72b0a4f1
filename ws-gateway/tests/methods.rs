//! Requests of every method pass between two phones, outside dialogs and within them, and so do their answers.

mod support;

use std::net::SocketAddr;

use support::peers::{Peer, TcpPeer, WsPeer};
use support::tls::{connect, own_certificate};
use support::{Running, credentials, start, start_with};
use ws_gateway::config::SipListener;

const ALICE: &str = "sip:alice@localhost";
const BOB: &str = "sip:bob@localhost";
const BODY: &str = "anything\r\n\r\n at all";

/// A method, what its request says besides, and what it is answered with.
type Row = (&'static str, &'static str, &'static str);

/// RFC 3261 §8.2.1, §16.3 step 5: a proxy knows no methods that it would not forward.
const OUTSIDE: [Row; 10] = [
    ("MESSAGE", "", "202 Accepted"),
    ("SUBSCRIBE", "Event: dialog\r\nExpires: 60\r\nContact: <sip:x@x.invalid>\r\n", "489 Bad Event"),
    ("NOTIFY", "Event: x\r\nSubscription-State: active\r\nContact: <sip:x@x.invalid>\r\n", "200 OK"),
    ("REFER", "Refer-To: <sip:carol@localhost>\r\nContact: <sip:x@x.invalid>\r\n", "202 Accepted"),
    ("PUBLISH", "Event: presence\r\n", "200 OK"),
    ("OPTIONS", "", "200 OK"),
    ("INFO", "", "481 Call/Transaction Does Not Exist"),
    ("FROBNICATE", "", "299 Frobnicated"),
    // Tokens of other characters (§25.1), and methods differ by case.
    ("X-.!%*_+`'~1", "", "501 Not Implemented"),
    ("message", "", "405 Method Not Allowed"),
];

/// RFC 3262 §3, RFC 3311 §5.1: while it rings.
const EARLY: [Row; 3] = [
    ("PRACK", "RAck: 1 1 INVITE\r\n", "200 OK"),
    ("UPDATE", CONTACT, "200 OK"),
    ("FROBNICATE", "", "299 Frobnicated"),
];

const CONTACT: &str = "Contact: <sip:x@x.invalid>\r\n";

const WITHIN: [Row; 9] = [
    ("MESSAGE", "", "200 OK"),
    ("SUBSCRIBE", "Event: dialog\r\nExpires: 60\r\nContact: <sip:x@x.invalid>\r\n", "200 OK"),
    ("NOTIFY", "Event: dialog\r\nSubscription-State: active\r\nContact: <sip:x@x.invalid>\r\n", "200 OK"),
    ("REFER", "Refer-To: <sip:carol@localhost>\r\nContact: <sip:x@x.invalid>\r\n", "202 Accepted"),
    ("INFO", "Info-Package: x\r\n", "200 OK"),
    ("UPDATE", CONTACT, "504 Server Time-out"),
    ("OPTIONS", "", "200 OK"),
    ("FROBNICATE", "", "606 Not Acceptable"),
    ("X-.!%*_+`'~1", "", "299 Frobnicated"),
];

/// One end of the dialog: what its requests are built of.
struct End {
    target: String,
    from: String,
    to: String,
    routes: String,
    cseq: u32,
}

/// Has a request say more, and carry a body.
fn with(request: &str, more: &str) -> String {
    let body = format!("Content-Type: text/x-any\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
    request.replace("Content-Length: 0\r\n\r\n", &format!("{more}X-Unheard-Of: a ; b\r\n{body}"))
}

/// It is what the other sent, and its answer is what that one hears.
async fn pass(sender: &mut impl Peer, receiver: &mut impl Peer, row: Row, call_id: &str) {
    let (method, more, status) = row;
    let received = receiver.receive().await;
    assert_eq!(received.method(), method, "{}", received.0);
    assert_eq!(received.header("Call-ID"), call_id);
    assert!(received.header("CSeq").ends_with(&format!(" {method}")), "{}", received.0);
    let (head, body) = received.0.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, BODY, "{method}");
    for line in more.lines().chain(["X-Unheard-Of: a ; b", "Content-Type: text/x-any"]) {
        assert!(head.lines().any(|there| there == line), "{method}, {line}:\n{head}");
    }
    receiver.send(&received.response(status, "b", "X-Answer: yes\r\n")).await;
    let answer = sender.receive_final().await;
    assert_eq!(answer.start_line(), format!("SIP/2.0 {status}"), "{method}");
    assert_eq!((answer.header("X-Answer"), answer.header("Call-ID")), ("yes", call_id), "{method}");
    assert!(answer.header("CSeq").ends_with(&format!(" {method}")), "{}", answer.0);
}

/// Each method, for an account. `user` is whose request it is, `prove` whether it is challenged.
async fn outside(
    running: &Running,
    sender: &mut impl Peer,
    receiver: &mut impl Peer,
    [user, callee]: [&str; 2],
    prove: bool,
) {
    let (from, uri) = (format!("sip:{user}@localhost"), format!("sip:{callee}@localhost"));
    for (n, row) in OUTSIDE.into_iter().enumerate() {
        let (method, more, _) = row;
        let call_id = format!("out{user}{n}");
        let to = format!("<{uri}>");
        let mut proof = String::new();
        if prove {
            sender.send(&with(&sender.request(method, &uri, &from, &to, &call_id, 1, ""), more)).await;
            let challenged = sender.receive_final().await;
            assert_eq!(challenged.status(), 407, "{method}: {}", challenged.0);
            let challenge = challenged.header("Proxy-Authenticate");
            let proven = credentials(challenge, user, &running.password(user), method, &uri);
            proof = format!("Proxy-Authorization: {proven}\r\n");
        }
        sender.send(&with(&sender.request(method, &uri, &from, &to, &call_id, 2, &proof), more)).await;
        pass(sender, receiver, row, &call_id).await;
    }
}

/// Each method of `rows` within the dialog.
async fn within(
    sender: &mut impl Peer,
    receiver: &mut impl Peer,
    end: &mut End,
    rows: &[Row],
    call_id: &str,
) {
    for row in rows {
        let (method, more, _) = *row;
        end.cseq += 1;
        let mut request = sender.request(method, &end.target, "F", "T", call_id, end.cseq, &end.routes);
        request = request.replace(&format!("From: <F>;tag=f{call_id}"), &format!("From: {}", end.from));
        request = request.replace("To: T", &format!("To: {}", end.to));
        sender.send(&with(&request, more)).await;
        pass(sender, receiver, *row, call_id).await;
    }
}

fn routes<'a>(records: impl Iterator<Item = &'a str>) -> String {
    records.map(|route| format!("Route: {route}\r\n")).collect()
}

fn uri(contact: &str) -> String {
    contact.trim_matches(['<', '>']).to_owned()
}

/// From the page, whose connection has proven itself; from the phone, which is asked for each; and from both in one dialog.
async fn every_method_passes(running: &Running, alice: &mut WsPeer, bob: &mut impl Peer) {
    assert_eq!(alice.register("alice", &running.password("alice"), "ra", "").await.status(), 200);
    assert_eq!(bob.register("bob", &running.password("bob"), "rb", "").await.status(), 200);
    outside(running, alice, bob, ["alice", "bob"], false).await;
    outside(running, bob, alice, ["bob", "alice"], true).await;

    let call_id = "dialog";
    let to = format!("<{BOB}>");
    let fields = format!("Contact: {}\r\nSupported: 100rel\r\n", alice.contact("alice"));
    alice.send(&alice.request("INVITE", BOB, ALICE, &to, call_id, 1, &fields)).await;
    let invite = bob.receive().await;
    let contact = format!("Contact: {}\r\n", bob.contact("bob"));
    let reliable = format!("{contact}Require: 100rel\r\nRSeq: 1\r\n");
    bob.send(&invite.response("183 Session Progress", "b", &reliable)).await;
    let progress = loop {
        let response = alice.receive().await;
        if response.status() > 100 {
            break response;
        }
    };
    assert_eq!((progress.status(), progress.header("RSeq")), (183, "1"), "{}", progress.0);
    let mut ours = End {
        target: uri(progress.header("Contact")),
        from: invite.header("From").to_owned(),
        to: progress.header("To").to_owned(),
        routes: routes(progress.all("Record-Route").into_iter().rev()),
        cseq: 1,
    };
    let mut theirs = End {
        target: uri(invite.header("Contact")),
        from: ours.to.clone(),
        to: ours.from.clone(),
        routes: routes(invite.all("Record-Route").into_iter()),
        cseq: 100,
    };
    within(alice, bob, &mut ours, &EARLY, call_id).await;
    // What is provisional is acknowledged by who called alone.
    within(bob, alice, &mut theirs, &EARLY[1..], call_id).await;
    bob.send(&invite.response("200 OK", "b", &contact)).await;
    assert_eq!(alice.receive_final().await.status(), 200);
    alice.send(&alice.request("ACK", &ours.target, ALICE, &ours.to, call_id, 1, &ours.routes)).await;
    assert_eq!(bob.receive().await.method(), "ACK");
    within(alice, bob, &mut ours, &WITHIN, call_id).await;
    within(bob, alice, &mut theirs, &WITHIN, call_id).await;
    within(alice, bob, &mut ours, &[("BYE", "", "200 OK")], call_id).await;
}

#[tokio::test]
async fn rfc3261_16_3_every_method_passes_between_a_page_and_a_phone_on_tcp() {
    let running = start();
    let addresses = running.gateway.addresses().clone();
    let mut bob = TcpPeer::new(addresses.tcp.unwrap()).await;
    every_method_passes(&running, &mut WsPeer::new(addresses.http).await, &mut bob).await;
}

#[tokio::test]
async fn rfc3261_16_3_every_method_passes_between_a_page_and_a_phone_on_tls() {
    let running = start_with(|config| {
        config.tls = vec![SipListener::at(SocketAddr::from(([127, 0, 0, 1], 0)).into())];
    });
    let addresses = running.gateway.addresses().clone();
    let own = own_certificate(&running);
    let mut bob = TcpPeer::over_tls(connect(addresses.tls.unwrap(), &own, None).await.unwrap());
    every_method_passes(&running, &mut WsPeer::new(addresses.http).await, &mut bob).await;
}
