//! Call forwarding: a call that its callee does not take goes on to another address, within its response context (§16.5: the
//! target set may grow as long as there is no final response).

use alloc::boxed::Box;
use alloc::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use super::Wanted;
use super::best::Final;
use super::context::{Branch, Context, State};
use super::history::Diverted;
use super::shapes::{Inbound, Targets, Turn};
use super::table::{Proxy, make_way};
use crate::limits;
use crate::message::typed::QValue;
use crate::message::{HeaderName, Method, Request, Writer, reason_phrase};
use crate::time::Duration;
use crate::{entropy, message};

/// When a call is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// In any case.
    Always,
    /// The callee is busy: 486 or 600.
    Busy,
    /// The callee rang so long, or was silent to the end (408).
    NoAnswer(Duration),
    /// The callee is not registered, or its user agent said 480.
    Offline,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// A URI without headers.
    pub to: SmolStr,
    /// Whether the address it was forwarded from is kept from those outside our domain (RFC 7044 §10.1.1).
    pub private: bool,
}

/// What becomes of the calls of one callee.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwards {
    /// See [`Occasion::Always`].
    pub always: Option<Forward>,
    /// See [`Occasion::Busy`].
    pub busy: Option<Forward>,
    /// See [`Occasion::NoAnswer`].
    pub no_answer: Option<(Duration, Forward)>,
    /// See [`Occasion::Offline`].
    pub offline: Option<Forward>,
}

/// A callee whose calls may be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverter {
    /// Its address-of-record.
    pub aor: SmolStr,
    /// Where they go.
    pub forwards: Arc<Forwards>,
}

impl Occasion {
    /// RFC 4458 §2.1, RFC 7544 §5.1: the cause that the new target is told.
    pub(super) const fn cause(self) -> u16 {
        match self {
            Self::Always => 302,
            Self::Busy => 486,
            Self::NoAnswer(_) => 408,
            Self::Offline => 503,
        }
    }

    /// RFC 7044 §10.2: the status that led to it, if there was one.
    pub(super) const fn status(self) -> Option<u16> {
        match self {
            Self::Always => None,
            Self::Busy => Some(486),
            Self::NoAnswer(_) => Some(408),
            Self::Offline => Some(480),
        }
    }

    /// RFC 5806 §4.2.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Always => "unconditional",
            Self::Busy => "user-busy",
            Self::NoAnswer(_) => "no-answer",
            Self::Offline => "unavailable",
        }
    }
}

impl Forwards {
    /// The same with those of `others` where there are none.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            always: self.always.or_else(|| others.always.clone()),
            busy: self.busy.or_else(|| others.busy.clone()),
            no_answer: self.no_answer.or_else(|| others.no_answer.clone()),
            offline: self.offline.or_else(|| others.offline.clone()),
        }
    }

    /// One more; a second of the same occasion takes the place of the first.
    pub fn add(&mut self, when: Occasion, forward: Forward) {
        match when {
            Occasion::Always => self.always = Some(forward),
            Occasion::Busy => self.busy = Some(forward),
            Occasion::NoAnswer(after) => self.no_answer = Some((after, forward)),
            Occasion::Offline => self.offline = Some(forward),
        }
    }

    fn on(&self, occasion: Occasion) -> Option<&Forward> {
        match occasion {
            Occasion::Always => self.always.as_ref(),
            Occasion::Busy => self.busy.as_ref(),
            Occasion::NoAnswer(_) => self.no_answer.as_ref().map(|(_, forward)| forward),
            Occasion::Offline => self.offline.as_ref(),
        }
    }
}

impl Diverter {
    /// Whether a request may be forwarded at all: calls that begin.
    pub fn concerns(request: &Request) -> bool {
        *request.method() == Method::Invite && request.to_tag().is_none()
    }
}

impl Proxy {
    /// The targets that were found for an address, whose calls may be forwarded.
    pub(super) fn aim(
        &mut self,
        turn: &mut Turn<'_>,
        context: &mut Context,
        Targets { found, sought, diverter }: Targets,
    ) {
        context.no_answer = None;
        context.diverter = diverter;
        let nobody = found.is_empty() && sought == 0;
        if context.diverter.is_some() {
            let occasion = if nobody { Occasion::Offline } else { Occasion::Always };
            if self.divert(turn, context, Occasion::Always) || self.divert(turn, context, occasion) {
                return;
            }
        }
        if nobody {
            context.branches.push(Branch::failed(480));
            return;
        }
        context.sought += sought;
        let after = context.diverter.as_ref().and_then(|diverter| diverter.forwards.no_answer.as_ref());
        context.no_answer = after.map(|(after, _)| turn.now + *after);
        self.add(context, found);
    }

    /// Sends a call on, if its callee wants that on this occasion. `false`: it ends as it would have.
    pub(super) fn divert(&mut self, turn: &mut Turn<'_>, context: &mut Context, occasion: Occasion) -> bool {
        if context.answered || context.cancelled {
            return false;
        }
        let Some(diverter) = &context.diverter else { return false };
        let Some(forward) = diverter.forwards.on(occasion) else { return false };
        let request = &context.inbound.request;
        let mut diverted = context.diverted.take().unwrap_or_else(|| {
            let tried = context.branches.len() + context.waiting.len();
            Box::new(Diverted::of(request, &diverter.aor, tried))
        });
        let forward = forward.clone();
        if diverted.count >= limits::DIVERSIONS || diverted.has_been(&forward.to, &diverter.aor) {
            self.counters.diversions_over_cap += 1;
            // Without one sent on, nothing is said of it.
            context.diverted = Some(diverted).filter(|diverted| self.settings.history || diverted.is_begun());
            context.diverter = None;
            return false;
        }
        let uri = diverted.add(&diverter.aor, &forward, occasion);
        let announced = diverted.announced();
        context.diverted = Some(diverted);
        context.diverter = None;
        context.no_answer = None;
        // Who is found of them by now is called no more.
        context.sought = 0;
        // A 6xx speaks for the callee, who wants its calls elsewhere: what counts of it is that it is busy.
        for branch in &mut context.branches {
            if matches!(&branch.state, State::Ended(end) if end.status() >= 600) {
                branch.state = State::Ended(Final::Local(486));
            }
        }
        self.counters.diverted += 1;
        self.announce(turn, &context.inbound, announced.as_deref());
        context.awaited += 1;
        context.aim += 1;
        let server = context.inbound.server;
        self.wanted.push_back(Wanted { server, uri, q: QValue::ONE, diverted: true });
        true
    }

    /// §21.1.3: the caller hears of it, and where it knows History-Info from where (RFC 7044 §9.4).
    fn announce(&mut self, turn: &mut Turn<'_>, inbound: &Inbound, history: Option<&str>) {
        let tag = entropy::token(turn.entropy, 80);
        let mut writer = Writer::response(&inbound.request, 181, reason_phrase(181), Some(&tag));
        if let Some(history) = history {
            writer = writer.header(HeaderName::HistoryInfo, history);
        }
        if let Some(name) = &self.settings.server {
            writer = writer.header(HeaderName::Server, name);
        }
        turn.layer.respond(turn.now, inbound.server, 181, writer.finish());
    }

    /// Whether a call whose branches are all over goes on elsewhere.
    pub(super) fn divert_failed(&mut self, turn: &mut Turn<'_>, context: &mut Context) -> bool {
        let occasion = match (context.conclusion().map(Final::status), &context.diverter) {
            (Some(486 | 600), Some(_)) => Occasion::Busy,
            (Some(408), Some(_)) => Occasion::NoAnswer(Duration::ZERO),
            (Some(430 | 480), Some(_)) => Occasion::Offline,
            _ => return false,
        };
        self.divert(turn, context, occasion)
    }

    /// The callee has rung for long enough.
    pub(super) fn divert_unanswered(&mut self, turn: &mut Turn<'_>, context: &mut Context) {
        if context.is_settled() || !self.divert(turn, context, Occasion::NoAnswer(Duration::ZERO)) {
            return;
        }
        context.waiting.clear();
        context.ring = None;
        make_way(turn, context);
    }
}

/// `uri` with a parameter (RFC 4458 §2).
pub(super) fn with_cause(uri: &str, cause: u16) -> SmolStr {
    format_smolstr!("{uri};cause={cause}")
}

/// RFC 3261 §19.1.4, where both can be read; text otherwise.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other
        || match (message::Uri::parse(one), message::Uri::parse(other)) {
            (Some(one), Some(other)) => one.is_equivalent(&other),
            _ => false,
        }
}
