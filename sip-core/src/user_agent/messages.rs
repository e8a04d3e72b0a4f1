//! MESSAGE as it comes (RFC 3428 §7): told, and answered with 200 unless the application refuses in time. No dialog is
//! made.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::bodies;
use super::checks::Refusal;
use super::{CallId, Event, Identity, MessageError, MessageId, UserAgent};
use crate::body::Content;
use crate::limits;
use crate::message::Request;
use crate::message::typed::{Date, Expires};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;

/// The longest hold that leaves the sender's Timer F (32 s) unfired.
const LONGEST_HOLD: Duration = Duration::from_secs(20);

/// A MESSAGE whose answer the application may still decide.
#[derive(Debug)]
pub(super) struct Held {
    request: Request,
    server: ServerId,
    /// When it is answered with 200.
    until: Instant,
}

impl UserAgent {
    /// Answers a held MESSAGE with 200.
    pub fn accept_message(&mut self, now: Instant, message: MessageId) -> Result<(), MessageError> {
        let held = self.messages.remove(&message).ok_or(MessageError::Answered)?;
        self.respond(now, held.server, &held.request, 200, &[]);
        self.settle(now);
        Ok(())
    }

    /// Refuses a held MESSAGE. 6xx says that it arrived but is not wanted (§7).
    pub fn refuse_message(
        &mut self,
        now: Instant,
        message: MessageId,
        status: u16,
    ) -> Result<(), MessageError> {
        if !(300..700).contains(&status) {
            return Err(MessageError::InvalidStatus(status));
        }
        let held = self.messages.remove(&message).ok_or(MessageError::Answered)?;
        self.refuse_request(now, held.server, &held.request, &Refusal::of(status));
        self.settle(now);
        Ok(())
    }

    /// A MESSAGE, in a call or outside.
    pub(super) fn messaged(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        call: Option<CallId>,
    ) -> Result<(), Refusal> {
        if request.body().len() > self.config.message_bytes {
            // RFC 3261 §21.4.11.
            return Err(Refusal::of(413));
        }
        let found = bodies::content(request, &self.local)?;
        let content = found
            .map(|found| Content::new(found.content_type, request.headers().bytes().slice_ref(found.body)));
        let content = content.unwrap_or_else(|| Content::new("", ""));
        let message = MessageId(self.next_message);
        self.next_message += 1;
        let hold = self.config.message_hold.min(LONGEST_HOLD);
        if hold.is_zero() || self.messages.len() >= limits::HELD_MESSAGES {
            self.respond(now, server, request, 200, &[]);
        } else {
            self.messages.insert(message, Held { request: request.clone(), server, until: now + hold });
        }
        let (from, to) = (Identity::of(&request.from()), Identity::of(&request.to()));
        let headers = request.headers();
        let expires = headers.typed::<Expires>().ok().flatten();
        let expires = expires.map(|expires| Duration::from_secs(expires.0.into()));
        let date = headers.typed::<Date>().ok().flatten();
        self.event(Event::Message {
            message,
            call,
            from,
            to,
            content,
            date,
            expires,
            request: request.clone(),
        });
        Ok(())
    }

    pub(super) fn messages_timeout(&self) -> Option<Instant> {
        self.messages.values().map(|held| held.until).min()
    }

    pub(super) fn accept_held(&mut self, now: Instant) {
        let due: Vec<MessageId> =
            self.messages.iter().filter(|(_, held)| held.until <= now).map(|(id, _)| id).collect();
        for id in due {
            if let Some(held) = self.messages.remove(&id) {
                self.respond(now, held.server, &held.request, 200, &[] as &[(_, SmolStr)]);
            }
        }
    }
}
