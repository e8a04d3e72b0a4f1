//! Rules broken on purpose, to see that it is noticed. Nothing of this is in the core: a filter between a phone and the
//! network swallows what a broken core would not send.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use sip_core::message::{HeaderName, Message, Method};
use sip_core::time::{Duration, Instant};
use sip_core::user_agent::{Cause, End, Event};

use super::NodeId;
use super::trace::fingerprint;
use super::world::START;

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No 2xx to INVITE is acknowledged (RFC 3261 §13.2.2.4).
    AckOfSuccess,
    /// The ACK of a 2xx is not repeated when the 2xx is (§13.2.2.4).
    AckAgain,
    /// No refusal of an INVITE is acknowledged (§17.1.1.3).
    AckOfRefusal,
    /// INVITE is not retransmitted (§17.1.1.2, Timer A).
    TimerA,
    /// Other requests are not retransmitted (§17.1.2.2, Timer E).
    TimerE,
    /// A refusal of INVITE is not retransmitted (§17.2.1, Timer G).
    TimerG,
    /// A 2xx to INVITE is not retransmitted (§13.3.1.4).
    SuccessAgain,
    /// Timers stop firing a minute after the start.
    Clock,
    /// BYE is not sent (§15).
    Bye,
    /// CANCEL is not sent (§9.1).
    Cancel,
    /// A session is not refreshed by UPDATE (RFC 4028 §10).
    Refresh,
    /// NOTIFY is not sent (RFC 6665 §4.2.2).
    Notify,
    /// An INVITE that was canceled gets no 487 (RFC 3261 §9.2).
    Terminated,
    /// After a lost flow nobody is asked whether a call still stands: what asks is answered on the spot.
    Probe,
    /// The first snapshot of a call is the one that is kept.
    Snapshot,
    /// A server that restarts has other keys, and cannot read the routes it gave out.
    Keys,
    /// That a call has timed out is not told.
    Timeout,
    /// A timer that fired stays due.
    Due,
    /// A timer fires again and again before its time.
    Haste,
    /// The timers of transactions that are over stay.
    Leftover,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::AckOfSuccess,
        Self::AckAgain,
        Self::AckOfRefusal,
        Self::TimerA,
        Self::TimerE,
        Self::TimerG,
        Self::SuccessAgain,
        Self::Clock,
        Self::Bye,
        Self::Cancel,
        Self::Refresh,
        Self::Notify,
        Self::Terminated,
        Self::Probe,
        Self::Snapshot,
        Self::Keys,
        Self::Timeout,
        Self::Due,
        Self::Haste,
        Self::Leftover,
    ];

    /// As the command line has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckOfSuccess => "ack-of-success",
            Self::AckAgain => "ack-again",
            Self::AckOfRefusal => "ack-of-refusal",
            Self::TimerA => "timer-a",
            Self::TimerE => "timer-e",
            Self::TimerG => "timer-g",
            Self::SuccessAgain => "success-again",
            Self::Clock => "clock",
            Self::Bye => "bye",
            Self::Cancel => "cancel",
            Self::Refresh => "refresh",
            Self::Notify => "notify",
            Self::Terminated => "terminated",
            Self::Probe => "probe",
            Self::Snapshot => "snapshot",
            Self::Keys => "keys",
            Self::Timeout => "timeout",
            Self::Due => "due",
            Self::Haste => "haste",
            Self::Leftover => "leftover",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Breaks one rule everywhere.
#[derive(Debug)]
pub struct Saboteur {
    rule: Rule,
    /// What is sent now is sent because a timer fired.
    pub in_timer: bool,
    /// Branches of INVITEs, which the ACKs of their refusals share (§17.1.1.3).
    invites: BTreeSet<(NodeId, String)>,
    /// Branches of ACKs that were let through.
    acks: BTreeSet<(NodeId, String)>,
    /// All that was sent.
    sent: BTreeSet<(NodeId, u64)>,
    /// The most timers that a node had.
    timers: BTreeMap<NodeId, usize>,
}

impl Saboteur {
    /// Breaks this rule.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            in_timer: false,
            invites: BTreeSet::new(),
            acks: BTreeSet::new(),
            sent: BTreeSet::new(),
            timers: BTreeMap::new(),
        }
    }

    /// Whether a timer of this node shall not fire.
    pub fn stops_clock(&self, now: Instant, _node: NodeId) -> bool {
        self.rule == Rule::Clock && now.since(START) > Duration::from_secs(60)
    }

    /// When a node says that it is to be woken.
    pub fn wakes(&self, now: Instant, at: Instant) -> Instant {
        match self.rule {
            Rule::Due if self.in_timer => at.min(now),
            Rule::Haste if self.in_timer => at.min(now + Duration::from_micros(1)),
            _ => at,
        }
    }

    /// How many timers of transactions a node says that it has.
    pub fn timers(&mut self, node: NodeId, timers: usize) -> usize {
        if self.rule != Rule::Leftover {
            return timers;
        }
        let most = self.timers.entry(node).or_default();
        *most = timers.max(*most);
        *most
    }

    /// Whether a server that starts anew has new keys.
    pub fn loses_keys(&self) -> bool {
        self.rule == Rule::Keys
    }

    /// Whether a snapshot stays what it was first.
    pub fn keeps_first_snapshot(&self) -> bool {
        self.rule == Rule::Snapshot
    }

    /// Whether a user is not told of this.
    pub fn hides(&self, event: &Event) -> bool {
        let timed_out = |end: &End| matches!(end, End::Failed(failure) if failure.cause == Cause::Timeout);
        self.rule == Rule::Timeout && matches!(event, Event::Ended { end, .. } if timed_out(end))
    }

    /// What is said at once to a message that is not sent.
    pub fn answers(&self, message: &Bytes) -> Option<Bytes> {
        if self.rule != Rule::Probe {
            return None;
        }
        let Ok(Message::Request(request)) = Message::parse(message.clone()) else { return None };
        if *request.method() != Method::Update {
            return None;
        }
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        {
            for value in request.headers().all(name) {
                answer.push_str(&format!("{}: {value}\r\n", name.as_str()));
            }
        }
        answer.push_str("Content-Length: 0\r\n\r\n");
        Some(answer.into())
    }

    /// Whether a message is not to be sent.
    pub fn swallows(&mut self, from: NodeId, message: &Bytes) -> bool {
        let again = !self.sent.insert((from, fingerprint(message))) && self.in_timer;
        match Message::parse(message.clone()) {
            Ok(Message::Request(request)) => {
                let branch = (from, request.branch().unwrap_or_default().to_owned());
                match request.method() {
                    Method::Invite => {
                        self.invites.insert(branch);
                        self.rule == Rule::TimerA && again
                    }
                    Method::Ack => match (self.rule, self.invites.contains(&branch)) {
                        (Rule::AckOfSuccess, of_refusal) => !of_refusal,
                        (Rule::AckOfRefusal, of_refusal) => of_refusal,
                        (Rule::AckAgain, false) => !self.acks.insert(branch),
                        _ => false,
                    },
                    Method::Bye if self.rule == Rule::Bye => true,
                    Method::Cancel if self.rule == Rule::Cancel => true,
                    Method::Update if self.rule == Rule::Refresh => true,
                    Method::Notify if self.rule == Rule::Notify => true,
                    _ => self.rule == Rule::TimerE && again,
                }
            }
            Ok(Message::Response(response)) => {
                let of_invite = response.cseq().method == Method::Invite;
                match self.rule {
                    Rule::TimerG => again && of_invite && response.status() >= 300,
                    Rule::Terminated => of_invite && response.status() == 487,
                    Rule::SuccessAgain => again && of_invite && response.is_success(),
                    _ => false,
                }
            }
            Err(_) => false,
        }
    }
}
