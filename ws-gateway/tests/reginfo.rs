//! Who watches registrations (RFC 3680) is told of them by the gateway.

mod support;

use std::time::Duration;

use sip_core::body::reginfo::{ContactEvent, RegInfo};
use sip_core::entropy::SeededEntropy;
use sip_core::events::{Document, EventName, Merged, Package};
use sip_core::server::Watcher;
use sip_core::time::Instant;
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{self, Aor, Event, SubscriptionUpdate, UserAgent};
use support::peers::{Peer, TcpPeer, UdpPeer, WsPeer};
use support::{PATIENCE, Running, Sip, start, start_with};
use tokio_tungstenite::tungstenite::Message;

/// Our own user agent on a real WebSocket.
struct Page {
    agent: UserAgent,
    peer: WsPeer,
    hop: Hop,
    began: std::time::Instant,
    /// What it knows of what it watches.
    known: Option<RegInfo>,
}

impl Page {
    async fn new(running: &Running, user: &str) -> Self {
        let aor = Aor::parse(&format!("sip:{user}@localhost")).unwrap();
        let mut config = user_agent::Config::new(aor, "urn:uuid:00000000-0000-4000-8000-000000000001");
        config.password = Some(running.password(user));
        let remote = running.gateway.addresses().http;
        let hop = Hop { flow: FlowId(1), transport: Transport::Ws, local: remote, remote };
        let agent = UserAgent::new(config, Box::new(SeededEntropy(1)));
        let peer = WsPeer::new(remote).await;
        let mut page = Self { agent, peer, hop, began: std::time::Instant::now(), known: None };
        let now = page.now();
        page.agent.handle_input(now, user_agent::Input::FlowOpened(hop));
        page
    }

    fn now(&self) -> Instant {
        Instant::from_micros(1_000_000) + self.began.elapsed()
    }

    /// Sends and receives until an event is what is waited for.
    async fn until(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        loop {
            while let Some(output) = self.agent.poll_output() {
                match output {
                    user_agent::Output::Transmit { message, .. } => {
                        self.peer.send(std::str::from_utf8(&message).unwrap()).await;
                    }
                    user_agent::Output::Event(event) if wanted(&event) => return event,
                    _ => {}
                }
            }
            // A NOTIFY comes 5 s after the one before.
            let next = tokio::time::timeout(2 * PATIENCE, self.peer.next_message());
            let Some(Message::Text(text)) = next.await.expect("something") else { panic!("no text") };
            let now = self.now();
            let message = text.to_string().into();
            let input = user_agent::Input::Received { from: self.hop, message };
            self.agent.handle_input(now, input);
        }
    }

    /// What it knows once it is told more: the user part and what happened to each contact.
    async fn told(&mut self) -> Vec<(String, ContactEvent)> {
        let is_told = |event: &Event| {
            matches!(event, Event::Subscription { update: SubscriptionUpdate::Notified { .. }, .. })
        };
        let Event::Subscription { update: SubscriptionUpdate::Notified { content, .. }, .. } =
            self.until(is_told).await
        else {
            unreachable!()
        };
        let content = content.unwrap();
        let Ok(Document::Reg(newer)) = Document::parse(&Package::Reg, &content) else {
            panic!("{content:?}")
        };
        match &mut self.known {
            Some(known) => assert_eq!(known.merge(newer), Merged::Whole),
            None => self.known = Some(newer),
        }
        let contacts = &self.known.as_ref().unwrap().registrations[0].contacts;
        let mut contacts: Vec<_> = contacts.iter().map(|it| (it.uri.clone(), it.event)).collect();
        contacts.sort_by(|one, other| one.0.cmp(&other.0));
        contacts
    }
}

/// §4.7, §5.2: our own user agent puts together what the gateway tells it.
#[tokio::test]
async fn a_page_watches_its_own_registrations() {
    let running = start();
    let mut page = Page::new(&running, "alice").await;
    let now = page.now();
    page.agent.register(now).unwrap();
    page.until(|event| matches!(event, Event::Registered { .. })).await;
    let own = EventName::new(Package::Reg);
    let now = page.now();
    page.agent.subscribe(now, "sip:alice@localhost", own, None).unwrap();
    let first = page.told().await;
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].0.contains(".invalid"), "{first:?}");

    // Another device registers, over another transport; what follows within 5 s is told together.
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    let password = running.password("alice");
    assert_eq!(phone.register("alice", &password, "desk", "").await.status(), 200);
    let contact = phone.contact("alice");
    let uri = contact.trim_matches(['<', '>']);
    let both = page.told().await;
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&(uri.into(), ContactEvent::Registered)), "{both:?}");
    assert_eq!(phone.register("alice", &password, "desk2", ";expires=0").await.status(), 200);
    let ended = page.told().await;
    assert!(ended.contains(&(uri.into(), ContactEvent::Unregistered)), "{ended:?}");
    assert_eq!(running.metric("trapezoid_subscriptions").await, 1);
    assert_eq!(running.metric("trapezoid_sip_notifies_total").await, 3);
}

/// A SUBSCRIBE to a user's registrations from a page that is registered.
fn subscribe(peer: &impl Peer, from: &str, user: &str, call_id: &str, cseq: u32, more: &str) -> String {
    let (aor, uri) = (format!("sip:{from}@localhost"), format!("sip:{user}@localhost"));
    let headers = format!("Contact: {}\r\nEvent: reg\r\n{more}", peer.contact(from));
    peer.request("SUBSCRIBE", &uri, &aor, &format!("<{uri}>"), call_id, cseq, &headers)
}

/// The next NOTIFY, answered.
async fn notified(peer: &mut impl Peer) -> Sip {
    let notify = peer.receive().await;
    assert_eq!(notify.method(), "NOTIFY", "{}", notify.0);
    peer.send(&notify.response("200 OK", "", "")).await;
    notify
}

async fn registered(running: &Running, user: &str) -> WsPeer {
    let mut page = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(page.register(user, &running.password(user), &format!("reg-{user}"), "").await.status(), 200);
    page
}

/// §4.6: another's are shown to whom the configuration names, until the account is gone; whoever is not named learns why.
#[tokio::test]
async fn others_watch_as_the_configuration_has_it() {
    let running = start_with(|config| {
        config.registrar.watchers.insert(Watcher::Account("bob".into()), Some(vec!["alice".into()]));
    });
    let mut alice = registered(&running, "alice").await;
    let mut bob = registered(&running, "bob").await;
    alice.send(&subscribe(&alice, "alice", "bob", "a", 1, "")).await;
    let refused = alice.receive().await;
    assert_eq!(refused.start_line(), "SIP/2.0 403 Registrations Not Shown");
    assert!(refused.header("Warning").contains("[[registrar.watcher]]"), "{}", refused.0);
    bob.send(&subscribe(&bob, "bob", "alice", "b", 1, "")).await;
    assert_eq!(bob.receive().await.status(), 200);
    let first = notified(&mut bob).await;
    assert!(
        first.body().contains(&format!("<uri>{}</uri>", alice.contact("alice").trim_matches(['<', '>'])))
    );
    // The account is removed.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let data = ws_gateway::data::DataDirectory::open(running.data.path()).unwrap();
    ws_gateway::accounts::remove(&data, "localhost", "alice").unwrap();
    let last = notified(&mut bob).await;
    assert_eq!(last.header("Subscription-State"), "terminated;reason=noresource");
    assert!(last.body().contains("event=\"rejected\""), "{}", last.0);
    running.wait_for_metric("trapezoid_subscriptions", 0).await;
}

/// A page whose connection is lost is told of what happened meanwhile once it is back, over its new one.
#[tokio::test]
async fn a_page_that_comes_back_is_told_what_it_missed() {
    let running = start();
    let password = running.password("alice");
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000aa>\";reg-id=1";
    let mut page = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(page.register("alice", &password, "page", instance).await.status(), 200);
    page.send(&subscribe(&page, "alice", "alice", "s", 1, "")).await;
    assert_eq!(page.receive().await.status(), 200);
    assert!(notified(&mut page).await.body().contains("version=\"0\" state=\"full\""));
    drop(page);
    let mut phone = UdpPeer::new(running.gateway.addresses().udp.unwrap()).await;
    assert_eq!(phone.register("alice", &password, "desk", "").await.status(), 200);
    // The NOTIFY is due, and nobody is there.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut back = WsPeer::new(running.gateway.addresses().http).await;
    assert_eq!(back.register("alice", &password, "page2", instance).await.status(), 200);
    let told = notified(&mut back).await;
    assert_eq!(told.header("CSeq"), "2 NOTIFY");
    assert!(told.body().contains(phone.contact("alice").trim_matches(['<', '>'])), "{}", told.0);
    assert_eq!(running.metric("trapezoid_subscriptions").await, 1);
}

/// RFC 6665 §4.2.1.4 over TCP: a fetch, and a subscription that is refreshed and ended at the Contact it was given.
#[tokio::test]
async fn a_phone_over_tcp_fetches_and_subscribes() {
    let running = start();
    let mut phone = TcpPeer::new(running.gateway.addresses().tcp.unwrap()).await;
    let password = running.password("alice");
    let ask = async |phone: &mut TcpPeer, text: &dyn Fn(u32, &str) -> String, uri: &str, cseq: u32| {
        phone.send(&text(cseq, "")).await;
        let challenged = phone.receive().await;
        assert_eq!(challenged.status(), 407, "{}", challenged.0);
        let challenge = challenged.header("Proxy-Authenticate").to_owned();
        let proof = support::credentials(&challenge, "alice", &password, "SUBSCRIBE", uri);
        phone.send(&text(cseq + 1, &format!("Proxy-Authorization: {proof}\r\n"))).await;
        let answer = phone.receive().await;
        assert_eq!(answer.status(), 200, "{}", answer.0);
        answer
    };
    let host = phone.host();
    let outside = |call_id: &'static str, expires: u32| {
        let host = host.clone();
        move |cseq: u32, more: &str| {
            format!(
                "SUBSCRIBE sip:alice@localhost SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch=z9hG4bK{call_id}{cseq}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:alice@localhost>;tag=f\r\nTo: <sip:alice@localhost>\r\n\
                 Call-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: <sip:alice@{host};transport=tcp>\r\n\
                 Event: reg\r\nExpires: {expires}\r\n{more}Content-Length: 0\r\n\r\n"
            )
        }
    };
    ask(&mut phone, &outside("fetch", 0), "sip:alice@localhost", 1).await;
    let notify = notified(&mut phone).await;
    assert_eq!(notify.header("Subscription-State"), "terminated;reason=timeout");
    assert!(notify.body().contains("state=\"init\""), "{}", notify.0);

    let ok = ask(&mut phone, &outside("stay", 600), "sip:alice@localhost", 1).await;
    notified(&mut phone).await;
    let target = ok.header("Contact").trim_matches(['<', '>']).to_owned();
    assert!(target.starts_with("sip:127.0.0.1:"), "{target}");
    let to = ok.header("To").to_owned();
    let within = |expires: u32| {
        let (host, target, to) = (host.clone(), target.clone(), to.clone());
        move |cseq: u32, more: &str| {
            format!(
                "SUBSCRIBE {target} SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch=z9hG4bKin{cseq}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:alice@localhost>;tag=f\r\nTo: {to}\r\nCall-ID: stay\r\n\
                 CSeq: {cseq} SUBSCRIBE\r\nContact: <sip:alice@{host};transport=tcp>\r\nEvent: reg\r\n\
                 Expires: {expires}\r\n{more}Content-Length: 0\r\n\r\n"
            )
        }
    };
    ask(&mut phone, &within(300), &target, 5).await;
    assert!(notified(&mut phone).await.header("Subscription-State").starts_with("active;expires="));
    ask(&mut phone, &within(0), &target, 7).await;
    assert_eq!(notified(&mut phone).await.header("Subscription-State"), "terminated;reason=timeout");
    running.wait_for_metric("trapezoid_subscriptions", 0).await;
}

/// What is subscribed is not kept over a restart: the next refresh says so, and a new subscription stands.
#[tokio::test]
async fn after_a_restart_a_watcher_subscribes_anew() {
    let running = start();
    let mut page = registered(&running, "alice").await;
    page.send(&subscribe(&page, "alice", "alice", "before", 1, "")).await;
    let ok = page.receive().await;
    notified(&mut page).await;
    let data = running.data;
    running.gateway.stop().await;
    let config = support::config(&data);
    let running = Running { gateway: ws_gateway::Gateway::start(config).unwrap(), data };
    let mut page = registered(&running, "alice").await;
    let refresh = subscribe(&page, "alice", "alice", "before", 2, "")
        .replace("To: <sip:alice@localhost>", &format!("To: {}", ok.header("To")))
        .replace("SUBSCRIBE sip:alice@localhost", "SUBSCRIBE sip:localhost;transport=ws");
    page.send(&refresh).await;
    assert_eq!(page.receive().await.start_line(), "SIP/2.0 481 Subscription Not Known");
    page.send(&subscribe(&page, "alice", "alice", "after", 1, "")).await;
    assert_eq!(page.receive().await.status(), 200);
    notified(&mut page).await;
}
