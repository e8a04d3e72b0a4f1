//! User agents of our own against the server.

use super::*;
use crate::body::reginfo::{ContactEvent, RegInfo};
use crate::events::{Document, EventName, Merged, Package};
use crate::user_agent::{self, Aor, CallId, CallState, End, Event, SubscriptionUpdate, UserAgent};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n";

/// A user agent on a WebSocket.
struct Phone {
    ua: UserAgent,
    peer: Peer,
    events: Vec<Event>,
}

/// Phones on one server. Nothing is lost and nothing takes time.
struct World {
    net: Net,
    phones: Vec<Phone>,
}

impl World {
    fn new(names: &[&'static str]) -> Self {
        let phone = |(at, name): (usize, &&'static str)| {
            let aor = Aor::parse(&format!("sip:{name}@{DOMAIN}")).unwrap();
            let instance = format!("urn:uuid:00000000-0000-4000-8000-00000000000{at}");
            let mut config = user_agent::Config::new(aor, instance);
            config.password = Some((*name).into());
            let ua = UserAgent::new(config, Box::new(SeededEntropy(at as u64 + 1)));
            Phone { ua, peer: ws(name, at as u64 + 1), events: Vec::new() }
        };
        let mut world = Self { net: Net::new(), phones: names.iter().enumerate().map(phone).collect() };
        let now = world.net.now;
        for phone in &mut world.phones {
            phone.ua.handle_input(now, user_agent::Input::FlowOpened(phone.peer.hop));
            phone.ua.register(now).unwrap();
        }
        world.settle();
        world
    }

    /// A command, and all that follows from it at once.
    fn act<T>(&mut self, phone: usize, act: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let done = act(&mut self.phones[phone].ua, self.net.now);
        self.settle();
        done
    }

    fn pass(&mut self, time: Duration) {
        self.net.advance(time);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for at in 0..self.phones.len() {
                while let Some(output) = self.phones[at].ua.poll_output() {
                    quiet = false;
                    match output {
                        user_agent::Output::Transmit { message, .. } => {
                            let peer = self.phones[at].peer.clone();
                            self.net.send(&peer, message);
                        }
                        user_agent::Output::Event(event) => self.phones[at].events.push(event),
                        _ => {}
                    }
                }
            }
            while let Some((to, message)) = self.net.sent.pop_front() {
                quiet = false;
                let phone = self.phones.iter_mut().find(|phone| phone.peer.hop.flow == to.flow).unwrap();
                let from = phone.peer.hop;
                phone.ua.handle_input(self.net.now, user_agent::Input::Received { from, message });
            }
            if quiet {
                return;
            }
        }
    }

    fn incoming(&self, phone: usize) -> CallId {
        let incoming = |event: &Event| match event {
            Event::Incoming { call, .. } => Some(*call),
            _ => None,
        };
        self.phones[phone].events.iter().rev().find_map(incoming).unwrap()
    }

    /// The first calls the second.
    fn call(&mut self) -> (CallId, CallId) {
        let call = self.act(0, |ua, now| ua.call(now, "bob", SDP)).unwrap();
        let theirs = self.incoming(1);
        self.act(1, |ua, now| ua.accept(now, theirs, SDP)).unwrap();
        assert_eq!(self.phones[0].ua.call_state(call), Some(CallState::Established));
        (call, theirs)
    }
}

#[test]
fn who_unregisters_during_a_call_still_hangs_up() {
    let mut world = World::new(&["alice", "bob"]);
    let (call, theirs) = world.call();
    world.act(0, UserAgent::unregister).unwrap();
    assert!(world.phones[0].events.contains(&Event::Unregistered));
    assert_eq!(world.phones[0].ua.call_state(call), Some(CallState::Established));
    world.act(0, |ua, now| ua.hangup(now, call)).unwrap();
    assert_eq!(world.net.server.counters().sender_mismatched, 0);
    let end =
        |event: &Event| matches!(event, Event::Ended { call, end: End::Hangup { .. } } if *call == theirs);
    assert!(world.phones[1].events.iter().any(end));
    assert!(world.phones[0].events.contains(&Event::Released { call }));
}

#[test]
fn rfc3680_5_2_a_user_agent_puts_together_what_it_is_told_of_its_registrations() {
    let mut world = World::new(&["alice", "alice"]);
    let told = |world: &mut World| {
        let mut known: Option<RegInfo> = None;
        for event in &world.phones[0].events {
            let Event::Subscription { update: SubscriptionUpdate::Notified { content, .. }, .. } = event
            else {
                continue;
            };
            let content = content.clone().unwrap();
            let Ok(Document::Reg(newer)) = Document::parse(&Package::Reg, &content) else { panic!() };
            match &mut known {
                Some(known) => assert_eq!(known.merge(newer), Merged::Whole),
                None => known = Some(newer),
            }
        }
        let contacts = known.unwrap().registrations.remove(0).contacts;
        contacts.iter().map(|contact| contact.event).collect::<Vec<_>>()
    };
    let own = EventName::new(Package::Reg);
    let subscription = world.act(0, |ua, now| ua.subscribe(now, "sip:alice@example.com", own, None)).unwrap();
    assert_eq!(told(&mut world), [ContactEvent::Registered; 2]);
    world.act(1, UserAgent::unregister).unwrap();
    world.pass(Duration::from_secs(5));
    assert_eq!(told(&mut world), [ContactEvent::Registered, ContactEvent::Unregistered]);
    world.act(1, UserAgent::register).unwrap();
    world.pass(Duration::from_secs(5));
    assert_eq!(told(&mut world), [ContactEvent::Registered; 2]);
    world.act(0, |ua, now| ua.unsubscribe(now, subscription)).unwrap();
    assert_eq!(world.net.server.subscriptions(), 0);
}
