//! The subscriber (RFC 6665 §4.1): one wish to be told, and the subscriptions it has become at one or, where the
//! SUBSCRIBE forked, several notifiers.
//!
//! A subscription is made by its first NOTIFY, never by the 2xx (§4.1.2.4).

mod ends;
mod lost;
mod notify;

use alloc::vec::Vec;

use smol_str::{SmolStr, format_smolstr};

pub use self::notify::{Notified, NotifyError, SubscriptionState};

use super::{
    Ending, EventName, Package, Reason, Verdict, ends_usage, expires, may_pass, raised, refresh_after,
    retry_after,
};
use crate::dialog::{Dialog, DialogId};
use crate::entropy::Entropy;
use crate::message::typed::Event;
use crate::message::{Headers, SessionIdentifier};
use crate::time::{Duration, Instant};

/// Names one notifier of a subscriber: 0 is the first that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub u32);

/// A SUBSCRIBE that is to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Outside dialogs, with a Call-ID and From tag never used before.
    Initial,
    /// In the dialog of this notifier.
    Within(Source),
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To be told until further notice.
    Keep,
    /// To be told once (§4.4.3).
    Once,
    /// To be told no more (§4.1.2.3).
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A SUBSCRIBE is to be sent at that time.
    Idle(Instant),
    /// "notify_wait", and as long as forks may answer: until Timer N.
    NotifyWait(Instant),
    /// What there is, there is.
    Settled,
}

/// One wish to be told of one event.
#[derive(Clone, Debug)]
pub struct Subscriber {
    event: EventName,
    wish: Wish,
    /// Seconds to ask for.
    expires: u32,
    /// Several notifiers may answer.
    forks: bool,
    /// A REFER made it: there is no SUBSCRIBE to repeat.
    implicit: bool,
    phase: Phase,
    /// The SUBSCRIBE outside dialogs has no final answer.
    asking: bool,
    /// Of the latest SUBSCRIBE outside dialogs, by which NOTIFYs are known.
    call_id: SmolStr,
    tag: SmolStr,
    cseq: u32,
    session: SessionIdentifier,
    sent_at: Option<Instant>,
    /// Seconds that the 2xx to it grants, or that it asked for.
    lifetime: u32,
    usages: Vec<Usage>,
    next_source: u32,
    /// Somebody has told something.
    notified: bool,
    /// What the last notifier that left has said.
    last: Option<(Option<Reason>, Option<Duration>)>,
    failures: u32,
    /// How often in a row the time was too brief.
    raises: u8,
}

/// The subscription at one notifier.
#[derive(Clone, Debug)]
struct Usage {
    source: Source,
    id: DialogId,
    /// `None`: the dialog is another's, a call's.
    dialog: Option<Dialog>,
    expires_at: Instant,
    /// When the next SUBSCRIBE goes out.
    refresh_at: Instant,
    /// Timer N of the SUBSCRIBE that was sent last.
    timer_n: Option<Instant>,
    /// When that was: the notifier may count from then on, however late its answer comes.
    sent_at: Instant,
    in_flight: bool,
    /// That asks to be told no more.
    leaves: bool,
    /// Its flow was lost, and perhaps the NOTIFY that answers it: another follows.
    again: bool,
    /// How long it lasts its notifier has said, or a 2xx within its dialog.
    told: bool,
}

impl Subscriber {
    /// Wants to be told for `expires` seconds, and again and again.
    pub fn new(now: Instant, event: EventName, expires: u32) -> Self {
        let forks = event.package.forks();
        Self {
            event,
            wish: Wish::Keep,
            expires,
            forks,
            implicit: false,
            phase: Phase::Idle(now),
            asking: false,
            call_id: SmolStr::default(),
            tag: SmolStr::default(),
            cseq: 0,
            session: SessionIdentifier::default(),
            sent_at: None,
            lifetime: expires,
            usages: Vec::new(),
            next_source: 0,
            notified: false,
            last: None,
            failures: 0,
            raises: 0,
        }
    }

    /// Wants to be told once: a fetch (§4.4.3).
    pub fn once(now: Instant, event: EventName) -> Self {
        Self { wish: Wish::Once, ..Self::new(now, event, 0) }
    }

    /// The subscription that a REFER makes (RFC 3515 §2.4.4), from the moment it is sent. `dialog` is the one it was
    /// sent in, or what names it outside; only then several may answer. `cseq` is the REFER's, and the `id` by which
    /// NOTIFYs tell it from others in its dialog (§2.4.6). It is over for good when it ends.
    pub fn of_refer(now: Instant, dialog: &DialogId, cseq: u32, outside: bool, timer_n: Duration) -> Self {
        let event = EventName { package: Package::Refer, id: Some(format_smolstr!("{cseq}")) };
        let mut subscriber = Self::new(now, event, 60);
        subscriber.implicit = true;
        subscriber.forks = outside;
        subscriber.phase = Phase::NotifyWait(now + timer_n);
        subscriber.call_id = dialog.call_id.clone();
        subscriber.tag = dialog.local_tag.clone();
        subscriber.cseq = cseq;
        subscriber
    }

    /// Wants to be told all there is, now: asks every notifier again.
    pub fn refresh(&mut self, now: Instant) {
        self.usages.iter_mut().for_each(|usage| usage.refresh_at = now);
    }

    /// Wants to be told no more.
    pub fn unsubscribe(&mut self, now: Instant) -> Verdict {
        self.wish = Wish::Leave;
        for usage in &mut self.usages {
            usage.refresh_at = now;
        }
        match self.phase {
            Phase::Idle(_) => Verdict::Over(Ending::Done),
            // Who was asked will answer, and is told then.
            _ => Verdict::GoesOn,
        }
    }

    /// What is to be sent now.
    pub fn due(&self, now: Instant) -> Option<Due> {
        if let Phase::Idle(at) = self.phase
            && at <= now
        {
            return Some(Due::Initial);
        }
        let due = |usage: &&Usage| !usage.in_flight && usage.refresh_at <= now;
        self.usages.iter().find(due).map(|usage| Due::Within(usage.source))
    }

    /// Seconds to ask for.
    pub const fn asks(&self) -> u32 {
        if matches!(self.wish, Wish::Keep) { self.expires } else { 0 }
    }

    /// A SUBSCRIBE outside dialogs was sent, for the first time or with credentials. Timer N starts (§4.1.2.4).
    pub fn sent_initial(&mut self, now: Instant, call_id: &str, tag: &str, cseq: u32, timer_n: Duration) {
        self.phase = Phase::NotifyWait(now + timer_n);
        self.asking = true;
        self.call_id = call_id.into();
        self.tag = tag.into();
        self.cseq = cseq;
        self.sent_at = Some(now);
        self.lifetime = self.expires;
    }

    /// What the request outside dialogs says in its Session-ID.
    pub const fn in_session(&mut self, session: SessionIdentifier) {
        self.session = session;
    }

    /// A SUBSCRIBE within a dialog was sent (§4.1.2.2).
    pub fn sent(&mut self, now: Instant, source: Source, timer_n: Duration) {
        let leaves = self.wish != Wish::Keep;
        if let Some(usage) = self.usage(source) {
            usage.in_flight = true;
            usage.leaves = leaves;
            usage.sent_at = now;
            usage.timer_n = Some(now + timer_n);
        }
    }

    /// A SUBSCRIBE outside dialogs has its final answer.
    pub fn answered_initial(
        &mut self,
        now: Instant,
        status: u16,
        headers: &Headers,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        self.asking = false;
        if (200..300).contains(&status) {
            self.raises = 0;
            if self.wish == Wish::Keep {
                self.granted_at_first(now, headers, entropy);
            }
            return Verdict::GoesOn;
        }
        if status == 423
            && self.usages.is_empty()
            && let Some(raised) = raised(headers, self.expires, self.raises)
        {
            self.expires = raised;
            self.raises += 1;
            self.phase = Phase::Idle(now);
            return Verdict::GoesOn;
        }
        self.refused_initial(now, may_pass(status), retry_after(headers), entropy)
    }

    /// How long it lasts each NOTIFY says; those of RFC 3265 need not, and then the 2xx does.
    fn granted_at_first(&mut self, now: Instant, headers: &Headers, entropy: &mut dyn Entropy) {
        self.lifetime = expires(headers).unwrap_or(self.expires).min(self.expires);
        let lifetime = Duration::from_secs(self.lifetime.into());
        for usage in self.usages.iter_mut().filter(|usage| !usage.told) {
            usage.expires_at = usage.sent_at + lifetime;
            usage.refresh_at = (usage.sent_at + refresh_after(lifetime, entropy)).max(now);
        }
    }

    /// A SUBSCRIBE outside dialogs had no answer, or one that cannot be overcome.
    pub fn failed_initial(&mut self, now: Instant, passes: bool, entropy: &mut dyn Entropy) -> Verdict {
        self.asking = false;
        self.refused_initial(now, passes, Duration::ZERO, entropy)
    }

    fn refused_initial(
        &mut self,
        now: Instant,
        passes: bool,
        wait: Duration,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        if !self.usages.is_empty() {
            // One branch of a fork has told more than the answer of another.
            self.phase = Phase::Settled;
            return Verdict::GoesOn;
        }
        match self.wish {
            Wish::Leave => Verdict::Over(Ending::Done),
            Wish::Keep if passes => self.try_again(now, wait, true, entropy),
            _ => Verdict::Over(Ending::Refused),
        }
    }

    /// A SUBSCRIBE within a dialog has its final answer (§4.1.2.2).
    pub fn answered(
        &mut self,
        now: Instant,
        source: Source,
        status: u16,
        headers: &Headers,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        let (asked, leaving) = (self.asks(), self.wish != Wish::Keep);
        let raise = raised(headers, self.expires, self.raises).filter(|_| status == 423 && !leaving);
        self.raises = raise.map_or(0, |_| self.raises + 1);
        let Some(usage) = self.usage(source) else { return Verdict::GoesOn };
        usage.in_flight = false;
        let again = core::mem::take(&mut usage.again);
        match status {
            200..300 => {
                // RFC 5839: no NOTIFY will come.
                if status == 204 {
                    usage.timer_n = None;
                }
                if leaving && !usage.leaves {
                    // We have changed our mind since it was sent.
                    usage.refresh_at = now;
                    return Verdict::GoesOn;
                }
                if leaving {
                    // What is left is the last NOTIFY, or Timer N.
                    usage.refresh_at = usage.expires_at;
                    return if status == 204 {
                        self.remove(now, source, None, entropy)
                    } else {
                        Verdict::GoesOn
                    };
                }
                // It may be shorter than asked, never longer (§4.2.1.1).
                let lifetime = Duration::from_secs(expires(headers).unwrap_or(asked).min(asked).into());
                usage.told = true;
                usage.expires_at = usage.sent_at + lifetime;
                let refresh_at = usage.sent_at + refresh_after(lifetime, entropy);
                usage.refresh_at = if again { now } else { refresh_at.max(now + Duration::from_secs(1)) };
                Verdict::GoesOn
            }
            _ if raise.is_some() => {
                usage.timer_n = None;
                usage.refresh_at = now;
                self.expires = raise.unwrap_or(self.expires);
                Verdict::GoesOn
            }
            // RFC 3515 §2.4.4: who told of a REFER goes on to do so, whether they take SUBSCRIBE or not.
            405 | 489 | 501 if self.implicit && !leaving => {
                self.hold_on(now, source, Duration::ZERO);
                Verdict::GoesOn
            }
            _ if leaving || ends_usage(status) => self.remove(now, source, None, entropy),
            _ => {
                self.hold_on(now, source, retry_after(headers));
                Verdict::GoesOn
            }
        }
    }

    /// A SUBSCRIBE within a dialog had no answer, or one that cannot be overcome.
    pub fn failed(&mut self, now: Instant, source: Source, entropy: &mut dyn Entropy) -> Verdict {
        if self.wish == Wish::Keep {
            self.hold_on(now, source, Duration::ZERO);
            return Verdict::GoesOn;
        }
        self.remove(now, source, None, entropy)
    }

    /// "The original subscription is still considered valid" (§4.1.2.2): another try when half its time is over.
    fn hold_on(&mut self, now: Instant, source: Source, wait: Duration) {
        if let Some(usage) = self.usage(source) {
            usage.in_flight = false;
            usage.timer_n = None;
            let left = usage.expires_at.since(now);
            usage.refresh_at = now + (left / 2).max(wait).max(Duration::from_secs(5));
        }
    }

    /// Whether a NOTIFY with this dialog is for us, as far as its dialog tells.
    pub fn knows(&self, dialog: &DialogId) -> bool {
        self.usages.iter().any(|usage| usage.id == *dialog) || self.awaits(dialog)
    }

    /// §4.4.1: "the same Call-ID, a To tag that matches the From tag of the SUBSCRIBE".
    fn awaits(&self, dialog: &DialogId) -> bool {
        matches!(self.phase, Phase::NotifyWait(_))
            && dialog.call_id == self.call_id
            && dialog.local_tag == self.tag
    }

    /// Whether a NOTIFY's Event is ours. The first REFER in a dialog may be answered without its id.
    pub fn is_about(&self, event: &Event<'_>) -> bool {
        let anonymous = self.implicit && event.id.is_none() && event.kind == self.event.package.as_str();
        anonymous || self.event.matches(event)
    }

    /// When [`Self::handle_timeout`] or, if something can be sent at all, [`Self::due`] is to be asked next.
    pub fn timeout(&self, ready: bool) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Idle(at) => Some(at).filter(|_| ready),
            Phase::NotifyWait(until) => Some(until),
            Phase::Settled => None,
        };
        let refreshes =
            self.usages.iter().filter(|usage| ready && !usage.in_flight).map(|usage| usage.refresh_at);
        let ends = self.usages.iter().flat_map(|usage| usage.timer_n.into_iter().chain([usage.expires_at]));
        phase.into_iter().chain(refreshes).chain(ends).min()
    }

    /// Time has passed: Timer N, and subscriptions that were not refreshed.
    pub fn handle_timeout(&mut self, now: Instant, entropy: &mut dyn Entropy) -> Verdict {
        let due = |usage: &Usage| usage.expires_at <= now || usage.timer_n.is_some_and(|at| at <= now);
        let before = self.usages.len();
        self.usages.retain(|usage| !due(usage));
        let ended = self.usages.len() < before;
        if ended {
            self.last = None;
        }
        let waited = matches!(self.phase, Phase::NotifyWait(until) if until <= now);
        if waited {
            self.phase = Phase::Settled;
        }
        if !self.usages.is_empty() || self.phase != Phase::Settled || !(ended || waited) {
            return Verdict::GoesOn;
        }
        if waited && !self.notified_since_sent() && !self.implicit && self.wish == Wish::Keep {
            // §4.1.2.4: "the subscriber considers the subscription failed".
            return self.try_again(now, Duration::ZERO, true, entropy);
        }
        self.lost(now, entropy)
    }

    const fn notified_since_sent(&self) -> bool {
        self.next_source > 0
    }

    /// Whether this notifier may still tell something.
    pub fn hears(&self, source: Source) -> bool {
        self.usages.iter().any(|usage| usage.source == source)
    }

    /// Whether a notifier's dialog is a call's.
    pub fn shares(&self, source: Source) -> bool {
        self.usages.iter().any(|usage| usage.source == source && usage.dialog.is_none())
    }

    /// The dialog of a notifier, to write the next SUBSCRIBE in it. `None` if it is a call's.
    pub fn dialog_mut(&mut self, source: Source) -> Option<&mut Dialog> {
        self.usage(source)?.dialog.as_mut()
    }

    /// The dialog of this name, if it is the subscription's own.
    pub fn dialog_named(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        self.usages.iter_mut().filter_map(|usage| usage.dialog.as_mut()).find(|dialog| dialog.id() == id)
    }

    /// The call whose dialog the subscription shared is over: the dialog goes on for the subscription alone.
    pub fn inherit(&mut self, dialog: &Dialog) {
        for usage in self.usages.iter_mut().filter(|usage| usage.id == *dialog.id()) {
            usage.dialog.get_or_insert_with(|| dialog.clone());
        }
    }

    /// Whether another notifier than this one may still tell something.
    pub fn expects_others(&self, source: Source) -> bool {
        let waits = self.forks && matches!(self.phase, Phase::NotifyWait(_));
        waits || self.usages.iter().any(|usage| usage.source != source)
    }

    /// One notifier has told all that it will.
    pub fn forget(&mut self, source: Source) {
        self.usages.retain(|usage| usage.source != source);
    }

    /// What it is about.
    pub const fn event(&self) -> &EventName {
        &self.event
    }

    /// How many subscriptions it has become.
    pub fn len(&self) -> usize {
        self.usages.len()
    }

    /// Whether no notifier is known.
    pub fn is_empty(&self) -> bool {
        self.usages.is_empty()
    }

    fn usage(&mut self, source: Source) -> Option<&mut Usage> {
        self.usages.iter_mut().find(|usage| usage.source == source)
    }
}
