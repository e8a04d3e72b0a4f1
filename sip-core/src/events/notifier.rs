//! The notifier (RFC 6665 §4.2): one subscription of somebody's to what we know.

use smol_str::{SmolStr, format_smolstr};

use super::{EventName, Reason, ends_usage};
use crate::body::Content;
use crate::dialog::{Dialog, DialogId};
use crate::message::{Request, SessionIdentifier};
use crate::time::{Duration, Instant};

/// How far a subscription has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierState {
    /// "resp_wait": the SUBSCRIBE has no answer.
    Waiting,
    /// It is answered, but nobody has given leave.
    Pending,
    /// Granted.
    Active,
    /// Over; the last NOTIFY may still be on its way.
    Terminated {
        /// What the subscriber is told.
        reason: Reason,
        /// When another try is worth it.
        retry_after: Option<Duration>,
    },
}

/// A NOTIFY that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Subscription-State.
    pub state: SmolStr,
    /// The state of what is watched, if it is known and may be.
    pub content: Option<Content>,
}

/// Somebody's subscription.
///
/// One NOTIFY is on its way at a time, and each tells the whole state: what changes meanwhile is told by the next.
#[derive(Clone, Debug)]
pub struct Notifier {
    event: EventName,
    id: DialogId,
    /// `None`: the dialog is another's, a call's.
    dialog: Option<Dialog>,
    state: NotifierState,
    expires_at: Instant,
    content: Option<Content>,
    /// Something is to be told.
    news: bool,
    in_flight: bool,
    /// When the last NOTIFY is given up.
    drop_at: Option<Instant>,
}

impl Notifier {
    /// By a SUBSCRIBE outside dialogs, whose 2xx will have `tag`.
    pub fn new(
        now: Instant,
        event: EventName,
        subscribe: &Request,
        tag: &str,
        session: SessionIdentifier,
        expires: Duration,
    ) -> Self {
        let dialog = Dialog::uas(subscribe, tag).in_session(session);
        let id = dialog.id().clone();
        Self::with(now, event, id, Some(dialog), NotifierState::Waiting, expires)
    }

    /// By a REFER that was accepted (RFC 3515 §2.4.4). `dialog`: of its own where the REFER came outside dialogs; none
    /// where it came in a call's, which is `id`.
    pub fn of_refer(
        now: Instant,
        event: EventName,
        id: DialogId,
        dialog: Option<Dialog>,
        expires: Duration,
    ) -> Self {
        let mut notifier = Self::with(now, event, id, dialog, NotifierState::Active, expires);
        notifier.news = true;
        notifier
    }

    fn with(
        now: Instant,
        event: EventName,
        id: DialogId,
        dialog: Option<Dialog>,
        state: NotifierState,
        expires: Duration,
    ) -> Self {
        let expires_at = now + expires;
        Self {
            event,
            id,
            dialog,
            state,
            expires_at,
            content: None,
            news: false,
            in_flight: false,
            drop_at: None,
        }
    }

    /// The SUBSCRIBE is answered with 2xx, or a refresh is: a NOTIFY follows at once (§4.2.1.2). Zero seconds end the
    /// subscription (§4.2.1.4).
    pub fn accepted(&mut self, now: Instant, expires: Duration) {
        if let Some(dialog) = &mut self.dialog {
            dialog.confirm();
        }
        if self.state == NotifierState::Waiting {
            self.state = NotifierState::Pending;
        }
        self.expires_at = now + expires;
        self.news = true;
        if expires.is_zero() {
            self.terminate(now, Reason::Timeout, None);
        }
    }

    /// Leave is given. A subscription that ended meanwhile (a fetch) still gets the state with its last NOTIFY, if
    /// that is not out.
    pub fn grant(&mut self, content: Option<Content>) {
        if matches!(self.state, NotifierState::Waiting | NotifierState::Pending) {
            self.state = NotifierState::Active;
        }
        self.content = content;
        self.news |= self.state == NotifierState::Active;
    }

    /// What is watched has changed. Who waits for leave is told nothing of it, at the end of the subscription either.
    pub fn notify(&mut self, content: Option<Content>) {
        if self.state == NotifierState::Active {
            self.content = content;
            self.news = true;
        }
    }

    /// What seemed to have changed is as the subscriber knows it.
    pub const fn nothing_new(&mut self) {
        self.news = false;
    }

    /// Ends the subscription; the subscriber is told.
    pub fn terminate(&mut self, now: Instant, reason: Reason, retry_after: Option<Duration>) {
        if !self.is_terminated() {
            self.state = NotifierState::Terminated { reason, retry_after };
            self.news = true;
            // Timer F and as much again for a flow to come back.
            self.drop_at = Some(now + Duration::from_secs(64));
        }
    }

    /// What is to be sent now.
    pub fn due(&self, now: Instant) -> Option<Notice> {
        if !self.news || self.in_flight || self.state == NotifierState::Waiting {
            return None;
        }
        let (state, tells) = match &self.state {
            // §4.2.2: "MUST also include an expires parameter".
            NotifierState::Waiting | NotifierState::Pending => {
                (format_smolstr!("pending;expires={}", self.left(now).as_secs()), false)
            }
            NotifierState::Active => (format_smolstr!("active;expires={}", self.left(now).as_secs()), true),
            NotifierState::Terminated { reason, retry_after } => {
                let mut state = format_smolstr!("terminated;reason={}", reason.as_str());
                if let Some(retry_after) = retry_after {
                    state = format_smolstr!("{state};retry-after={}", retry_after.as_secs());
                }
                (state, *reason != Reason::Rejected)
            }
        };
        Some(Notice { state, content: self.content.clone().filter(|_| tells) })
    }

    /// What [`Self::due`] had was sent.
    pub const fn sent(&mut self) {
        self.news = false;
        self.in_flight = true;
    }

    /// The NOTIFY has its final answer. `false`: the subscription is over (§4.2.2).
    pub fn answered(&mut self, status: u16) -> bool {
        self.in_flight = false;
        !ends_usage(status) && !self.is_done()
    }

    /// No answer came (§4.2.2: "the notifier SHOULD remove the subscription").
    pub const fn failed(&mut self) -> bool {
        self.in_flight = false;
        false
    }

    /// The NOTIFY on its way is not repeated: another follows.
    pub const fn notify_anew(&mut self) {
        self.news |= self.in_flight;
        self.in_flight = false;
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn timeout(&self) -> Option<Instant> {
        match self.state {
            NotifierState::Terminated { .. } => self.drop_at,
            _ => Some(self.expires_at),
        }
    }

    /// Time has passed. `false`: the last NOTIFY could not be delivered, and nothing is left.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.expires_at <= now {
            // §4.2.1.4.
            self.terminate(now, Reason::Timeout, None);
        }
        self.drop_at.is_none_or(|at| now < at)
    }

    /// How long it lasts.
    pub fn left(&self, now: Instant) -> Duration {
        self.expires_at.since(now)
    }

    /// What it is about.
    pub const fn event(&self) -> &EventName {
        &self.event
    }

    /// How far it has come.
    pub const fn state(&self) -> &NotifierState {
        &self.state
    }

    /// The dialog's name.
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// Whether its dialog is a call's.
    pub const fn shares(&self) -> bool {
        self.dialog.is_none()
    }

    /// Its dialog; `None` if that is a call's.
    pub const fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        self.dialog.as_mut()
    }

    /// The call whose dialog the subscription shared is over: the dialog goes on for the subscription alone.
    pub fn inherit(&mut self, dialog: &Dialog) {
        if self.id == *dialog.id() {
            self.dialog.get_or_insert_with(|| dialog.clone());
        }
    }

    /// Whether it is over; its subscriber may have to be told.
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, NotifierState::Terminated { .. })
    }

    /// Whether a NOTIFY is on its way.
    pub const fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    /// Whether something is to be told.
    pub const fn has_news(&self) -> bool {
        self.news
    }

    /// Over, and its subscriber has been told.
    pub const fn is_done(&self) -> bool {
        self.is_terminated() && !self.news && !self.in_flight
    }
}
