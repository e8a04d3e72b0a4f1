//! The call flows of RFC 3665 §3, RFC 5359 §2 and RFC 5407 §3, played by user agents and a server, and compared message
//! by message with the tables here.
//!
//! A table names every message of a link in its order, lost ones included. Where messages cross, the order is that of
//! each direction. Where two proxies in a row stand as one the messages between them are left out. Of the 100s those count
//! that a proxy sends to who begins a call: the examples have no others, and RFC 3261 §8.2.6.1 leaves its own to the phone.
//! Several proxies are P1 and P2, several phones of bob's B1, B2 and so on.

pub mod rfc3665;
pub mod rfc5359;
pub mod rfc5407;
pub mod stage;

use std::collections::BTreeMap;

use stage::Stage;

/// Who stands between alice and bob, and who alice is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Nobody.
    Nobody,
    /// The server of bob's domain, which is alice's too: she must say who she is.
    TheirProxy,
    /// The server of bob's domain, to which alice is a stranger.
    HisProxy,
    /// The server of alice's domain and that of bob's.
    TwoProxies,
    /// Two servers of the domain of both, the first of which is dead.
    DeadProxy,
    /// A server that redirects, and one of bob's domain; alice finds them by herself.
    Redirect,
    /// The server of alice's domain and that of bob's, with which she has an account as well: each wants to know who she is.
    TwoGuards,
    /// A server of the domain of both that nobody passes who is not sent there.
    Beside,
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// `RFC 3665 §3.1`.
    pub section: &'static str,
    /// Its title, in few words.
    pub about: &'static str,
    /// Who stands between the two.
    pub between: Between,
    /// Who is there beside them, all of bob's domain: other people, and bob's other phones by his name.
    pub others: &'static [&'static str],
    /// Messages cross: only the order in each direction counts.
    pub crossing: bool,
    /// `A>P INVITE, P>A 100 INVITE, …`
    pub table: &'static str,
    /// What they do.
    pub script: fn(&mut Stage),
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Flow> {
    rfc3665::FLOWS.iter().chain(rfc5359::FLOWS).chain(rfc5407::FLOWS)
}

impl Flow {
    /// Plays it. `Err`: what is different, or which rule was broken, and the ladder.
    pub fn check(&self) -> Result<(), String> {
        let mut stage = Stage::new(self.between, self.others);
        (self.script)(&mut stage);
        let expected = self.expected();
        let found = stage.messages();
        let same = match self.crossing {
            true => by_direction(&expected) == by_direction(&found),
            false => by_link(&expected) == by_link(&found),
        };
        if let Some(violation) = &stage.world.violation {
            return Err(format!("{}: {violation}\n{}", self.section, stage.ladder()));
        }
        if !same {
            let found: Vec<String> =
                found.iter().map(|m| format!("{}>{} {}", m.from, m.to, m.label)).collect();
            let found = found.join(", ");
            return Err(format!("{}:\n{}\nis not\n{found}\n{}", self.section, self.table, stage.ladder()));
        }
        Ok(())
    }

    fn expected(&self) -> Vec<Message> {
        let line = |line: &str| {
            let (ends, label) = line.trim().split_once(' ').expect("A>B and what");
            let (from, to) = ends.split_once('>').expect("A>B");
            Message { from: from.to_owned(), to: to.to_owned(), label: label.to_owned() }
        };
        self.table.split(',').map(line).collect()
    }
}

/// A message of a table or of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sender, by the first letter, with a number where there are several: A, B, P2.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// `INVITE`, `200 INVITE`.
    pub label: String,
}

/// What was sent over each link, by whom, in this order.
fn by_link(messages: &[Message]) -> BTreeMap<(&str, &str), Vec<(&str, &str)>> {
    let mut links = BTreeMap::<_, Vec<_>>::new();
    for Message { from, to, label } in messages {
        let link = (from.min(to).as_str(), from.max(to).as_str());
        links.entry(link).or_default().push((from.as_str(), label.as_str()));
    }
    links
}

fn by_direction(messages: &[Message]) -> BTreeMap<(&str, &str), Vec<&str>> {
    let mut directions = BTreeMap::<_, Vec<_>>::new();
    for Message { from, to, label } in messages {
        directions.entry((from.as_str(), to.as_str())).or_default().push(label.as_str());
    }
    directions
}
