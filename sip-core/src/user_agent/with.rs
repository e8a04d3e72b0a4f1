//! Commands whose messages carry header fields of the application's.

use alloc::boxed::Box;

use smol_str::SmolStr;

use super::{
    Addressee, CallError, CallId, CommandError, EventsError, MessageError, MessageId, Presentation,
    PublicationId, ReferralError, ReferralId, RegisterError, Replacement, RequestError, RequestId,
    SubscriptionId, TransferId, UserAgent, WatcherId,
};
use crate::body::Content;
use crate::events::{EventName, Package, Reason};
use crate::message::typed::QValue;
use crate::message::{Fields, HeaderName};
use crate::time::{Duration, Instant};

/// A user agent whose next command says more than it must: [`UserAgent::with`].
#[derive(Debug)]
pub struct With<'a> {
    ua: &'a mut UserAgent,
    fields: &'a Fields,
    presentation: Option<&'a Presentation>,
}

impl UserAgent {
    /// Adds header fields to what the next command sends: `ua.with(&fields).call(now, "bob", sdp)`.
    ///
    /// They are in every try of the request, with credentials or without, at another address, after glare, over another
    /// flow; in every copy that a fork makes; and in no other message. A subscription, a publication and the registration
    /// have them in each of their requests.
    pub const fn with<'a>(&'a mut self, fields: &'a Fields) -> With<'a> {
        With { ua: self, fields, presentation: None }
    }
}

macro_rules! commands {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $message:literal;)*) => {
        impl With<'_> {
            $(
                #[doc = concat!("[`UserAgent::", stringify!($name), "`], with these fields in ", $message, ".")]
                pub fn $name(self, now: Instant, $($argument: $type),*) -> $result {
                    self.run(|ua| ua.$name(now, $($argument),*))
                }
            )*
        }
    };
}

commands! {
    call(target: &str, sdp: &str) -> Result<CallId, CallError>, "the INVITE";
    call_offerless(target: &str) -> Result<CallId, CallError>, "the INVITE";
    call_replacing(target: &str, sdp: &str, replaces: Replacement) -> Result<CallId, CallError>, "the INVITE";
    call_anonymously(target: &str, sdp: &str) -> Result<CallId, CallError>, "the INVITE";
    call_joining(target: &str, sdp: &str, joins: Replacement) -> Result<CallId, CallError>, "the INVITE";
    call_about(target: &str, sdp: &str, call: CallId) -> Result<CallId, CallError>, "the INVITE";
    accept_refer(referral: ReferralId, sdp: &str) -> Result<CallId, ReferralError>, "the INVITE";
    ring(call: CallId) -> Result<(), CommandError>, "the 180";
    progress(call: CallId, sdp: &str) -> Result<(), CommandError>, "the 183";
    accept(call: CallId, sdp: &str) -> Result<(), CommandError>, "the 2xx";
    reject(call: CallId, status: u16, reason: Option<&str>) -> Result<(), CommandError>, "the refusal";
    redirect(call: CallId, status: u16, targets: &[(&str, Option<QValue>)]) -> Result<(), CommandError>, "the 3xx";
    cancel(call: CallId) -> Result<(), CommandError>, "the CANCEL: why, as Reason (RFC 3326), for one";
    hangup(call: CallId) -> Result<(), CommandError>, "the BYE, CANCEL or refusal: why, as Reason (RFC 3326), for one";
    offer(call: CallId, sdp: &str) -> Result<(), CommandError>, "the re-INVITE, UPDATE or PRACK";
    offer_promptly(call: CallId, sdp: &str) -> Result<(), CommandError>, "the UPDATE";
    hold(call: CallId) -> Result<(), CommandError>, "the re-INVITE or UPDATE";
    resume(call: CallId) -> Result<(), CommandError>, "the re-INVITE or UPDATE";
    solicit(call: CallId) -> Result<(), CommandError>, "the re-INVITE";
    answer(call: CallId, sdp: &str) -> Result<(), CommandError>, "what has the answer: the 2xx, ACK or PRACK";
    refuse(call: CallId) -> Result<(), CommandError>, "the refusal";
    transfer(call: CallId, target: &str) -> Result<TransferId, RequestError>, "the REFER";
    transfer_to(call: CallId, other: CallId) -> Result<TransferId, RequestError>, "the REFER";
    refer(who: &str, target: &str, told: bool) -> Result<TransferId, RequestError>, "the REFER";
    refer_replacing(who: &str, target: &str, replaces: &Replacement, told: bool) -> Result<TransferId, RequestError>,
        "the REFER";
    refuse_refer(referral: ReferralId, status: u16) -> Result<(), ReferralError>,
        "the refusal, if the REFER has no answer yet";
    message(to: Addressee<'_>, content: Content) -> Result<RequestId, RequestError>, "the MESSAGE";
    accept_message(message: MessageId) -> Result<(), MessageError>, "the 200";
    refuse_message(message: MessageId, status: u16) -> Result<(), MessageError>, "the refusal";
    options(to: Addressee<'_>) -> Result<RequestId, RequestError>, "the OPTIONS";
    info(call: CallId, content_type: &str, body: &str) -> Result<RequestId, RequestError>, "the INFO";
    info_package(call: CallId, package: &str, content: Option<Content>) -> Result<RequestId, RequestError>, "the INFO";
    accept_watcher(watcher: WatcherId, content: Option<Content>) -> Result<(), EventsError>,
        "each NOTIFY that tells this state";
    notify(watcher: WatcherId, content: Option<Content>) -> Result<(), EventsError>, "each NOTIFY that tells this state";
    terminate_watcher(watcher: WatcherId, reason: Reason, retry_after: Option<Duration>) -> Result<(), EventsError>,
        "the last NOTIFY";
    reject_watcher(watcher: WatcherId, status: u16) -> Result<(), EventsError>,
        "the refusal, or the last NOTIFY if the SUBSCRIBE was answered already";
}

impl<'a> With<'a> {
    /// The call that the next command makes, or answers, presents us so.
    #[must_use]
    pub const fn presenting(mut self, presentation: &'a Presentation) -> Self {
        self.presentation = Some(presentation);
        self
    }
}

impl With<'_> {
    /// [`UserAgent::subscribe`], with these fields in every SUBSCRIBE. Expires is an argument's.
    pub fn subscribe(
        self,
        now: Instant,
        target: &str,
        event: EventName,
        expires: Option<u32>,
    ) -> Result<SubscriptionId, RequestError> {
        self.without_expires()?.run(|ua| ua.subscribe(now, target, event, expires))
    }

    /// [`UserAgent::subscribe_about`], with these fields in every SUBSCRIBE. Expires is an argument's.
    pub fn subscribe_about(
        self,
        now: Instant,
        target: &str,
        event: EventName,
        expires: Option<u32>,
        call: CallId,
    ) -> Result<SubscriptionId, RequestError> {
        self.without_expires()?.run(|ua| ua.subscribe_about(now, target, event, expires, call))
    }

    /// [`UserAgent::fetch`], with these fields in the SUBSCRIBE. Expires is 0.
    pub fn fetch(self, now: Instant, target: &str, event: EventName) -> Result<SubscriptionId, RequestError> {
        self.without_expires()?.run(|ua| ua.fetch(now, target, event))
    }

    /// [`UserAgent::publish`], with these fields in every PUBLISH. Expires is an argument's.
    pub fn publish(
        self,
        now: Instant,
        package: Package,
        content: Content,
        expires: u32,
    ) -> Result<PublicationId, RequestError> {
        self.without_expires()?.run(|ua| ua.publish(now, package, content, expires))
    }

    /// [`UserAgent::register`], with these fields in every REGISTER from now on, refreshes and the removal included.
    /// Expires is the configuration's.
    pub fn register(self, now: Instant) -> Result<(), RegisterError> {
        if self.fields.has(HeaderName::Expires) {
            return Err(RegisterError::ReservedField(HeaderName::Expires));
        }
        self.ua.register_fields = self.fields.clone();
        self.ua.register(now)
    }

    /// Runs a command that takes [`UserAgent::adding`], or leaves it when it fails.
    fn run<T>(self, command: impl FnOnce(&mut UserAgent) -> T) -> T {
        self.ua.adding = self.fields.clone();
        self.ua.presenting = self.presentation.cloned().map(Box::new);
        let outcome = command(self.ua);
        self.ua.adding = Fields::new();
        self.ua.presenting = None;
        outcome
    }

    fn without_expires(self) -> Result<Self, RequestError> {
        match self.fields.has(HeaderName::Expires) {
            true => Err(RequestError::ReservedField(SmolStr::new_static("Expires"))),
            false => Ok(self),
        }
    }
}
