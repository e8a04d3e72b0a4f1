//! Devices that come and go as the dice have it, and a watcher that puts together what it is told.

use super::*;
use crate::body::reginfo::ContactState;
use crate::entropy::number;
use crate::events::Merged;

struct Watching {
    net: Net,
    alice: Peer,
    dice: SeededEntropy,
    known: Option<RegInfo>,
    side: Option<Side>,
    cseq: u32,
    subscriptions: u32,
    /// When the last NOTIFY came.
    last: Instant,
    /// From now on it answers each.
    obliging: bool,
}

impl Watching {
    fn new(seed: u64) -> Self {
        let mut net = Net::with(|config| config.passwords = false);
        let alice = ws("alice", 1);
        net.send(&alice, alice.register(1, &format!("Expires: 3600\r\n{}", alice.contact_field())));
        net.expect(&alice, 200);
        let last = net.now;
        let dice = SeededEntropy(seed);
        Self { net, alice, dice, known: None, side: None, cseq: 10, subscriptions: 0, last, obliging: false }
    }

    fn roll(&mut self, most: u64) -> u64 {
        number(&mut self.dice) % most
    }

    fn step(&mut self) {
        self.cseq += 1;
        let asked = match self.roll(8) {
            0..=2 => {
                let (phone, expires) = (desk(1 + self.roll(5) as u8), 60 + self.roll(200));
                let fields = format!("Expires: {expires}\r\n{}", phone.contact_field());
                self.net.send(&phone, phone.register(self.cseq, &fields));
                false
            }
            3 => {
                let phone = desk(1 + self.roll(5) as u8);
                let fields = format!("Contact: <{}>;expires=0\r\n", phone.contact());
                self.net.send(&phone, phone.register(self.cseq, &fields));
                false
            }
            4 | 5 => {
                for _ in 0..self.roll(40) {
                    self.net.advance(SECONDS(1));
                    self.listen(false);
                }
                false
            }
            _ => {
                self.subscribe();
                true
            }
        };
        self.listen(asked);
    }

    /// Anew where there is no subscription, and within the one there is.
    fn subscribe(&mut self) {
        let alice = self.alice.clone();
        if let (Some(side), 1) = (&mut self.side, self.net.server.subscriptions()) {
            let refresh =
                again(side, "").replace("Call-ID: call", &format!("Call-ID: {}", self.subscriptions));
            return self.net.send(&alice, refresh);
        }
        self.subscriptions += 1;
        (self.known, self.side) = (None, None);
        let call_id = format!("Call-ID: {}", self.subscriptions);
        let text = subscribe(&alice, "alice", self.cseq, "").replace("Call-ID: call", &call_id);
        self.net.send(&alice, text);
    }

    /// Takes what came. A NOTIFY is answered, refused, or passed over.
    fn listen(&mut self, mut asked: bool) {
        while let Some((to, message)) = self.net.sent.pop_front() {
            let message = Message::parse(message).unwrap();
            match message {
                Message::Response(response) if response.cseq().method == Method::Subscribe => {
                    assert_eq!(response.status(), 200, "{}", text(response.bytes()));
                    let side = Side::caller(&self.alice, &response);
                    self.side.get_or_insert(Side { cseq: response.cseq().number, ..side });
                }
                Message::Request(notify) => {
                    assert_eq!(to.flow, self.alice.hop.flow);
                    self.notified(&notify, &mut asked);
                }
                Message::Response(_) => {}
            }
        }
    }

    fn notified(&mut self, notify: &Request, asked: &mut bool) {
        // What comes is looked at once a second.
        let since = self.net.now.since(self.last);
        assert!(core::mem::take(asked) || since >= SECONDS(4) || self.known.is_none(), "{since:?}");
        self.last = self.net.now;
        let answer = match self.roll(12) {
            0 if !self.obliging => return,
            1 if !self.obliging => 500,
            _ => 200,
        };
        let alice = self.alice.clone();
        if answer == 200 {
            let newer = reginfo(notify);
            match &mut self.known {
                Some(known) => assert_eq!(known.merge(newer), Merged::Whole),
                None => self.known = Some(newer),
            }
        }
        self.net.send(&alice, alice.answer(notify, answer));
    }

    /// What it believes to be registered.
    fn believed(&self) -> BTreeSet<(String, Option<u64>)> {
        let contacts = self.known.iter().flat_map(|known| &known.registrations[0].contacts);
        let active = contacts.filter(|contact| contact.state == ContactState::Active);
        active.map(|contact| (contact.uri.clone(), contact.cseq)).collect()
    }

    fn registered(&self) -> BTreeSet<(String, Option<u64>)> {
        let bindings = self.net.bindings["sip:alice@example.com"].iter();
        let there = bindings.filter(|binding| binding.expires_at > self.net.now);
        there.map(|binding| (binding.contact.to_string(), Some(binding.cseq.into()))).collect()
    }
}

#[test]
fn rfc3680_5_2_what_is_told_adds_up_to_what_is_there() {
    let mut notifies = 0;
    for seed in 0..100 {
        let mut watching = Watching::new(seed);
        for _ in 0..40 {
            watching.step();
        }
        // What it let pass has been given up by then.
        watching.obliging = true;
        watching.net.advance(SECONDS(40));
        watching.listen(false);
        watching.cseq += 1;
        watching.subscribe();
        watching.listen(true);
        assert_eq!(watching.believed(), watching.registered(), "seed {seed}");
        // From there on without asking.
        for last in 1..=3 {
            watching.cseq += 1;
            let text = desk(last).register(watching.cseq, &desk(last).contact_field());
            watching.net.send(&desk(last), text);
            watching.net.advance(SECONDS(2));
            watching.listen(false);
        }
        watching.net.advance(SECONDS(5));
        watching.listen(false);
        assert_eq!(watching.believed(), watching.registered(), "seed {seed}");
        notifies += watching.net.server.counters().notifies;
    }
    assert!(notifies > 1_000, "{notifies}");
}
