//! What we publish (RFC 3903 §4): made, kept alive, changed, taken back.

use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::requests::{Errand, Outcome, Place, Whose};
use super::{Cause, Event, EventsError, Failure, RequestError, UserAgent};
use crate::body::Content;
use crate::events::{Ending, Package, Publication, Verdict};
use crate::limits;
use crate::message::{Fields, HeaderName, Method};
use crate::time::{Duration, Instant};

/// Names a publication of one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicationId(pub(super) u64);

/// What happened to a publication of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationUpdate {
    /// It stands: made, changed or refreshed.
    Published,
    /// It does not, or may not any more; another try follows by itself.
    Retrying {
        /// What went wrong.
        failure: Option<Failure>,
        /// After how long.
        retry_in: Duration,
    },
    /// It is over: taken back, or refused.
    Ended(Result<(), Failure>),
}

/// A publication of ours.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) machine: Publication,
    package: Package,
    uri: SmolStr,
    /// What the application adds to each PUBLISH.
    fields: Fields,
}

impl UserAgent {
    /// Publishes a state of our address-of-record for `expires` seconds, and keeps it up until
    /// [`Self::remove_publication`]. Without a flow it waits for one.
    pub fn publish(
        &mut self,
        now: Instant,
        package: Package,
        content: Content,
        expires: u32,
    ) -> Result<PublicationId, RequestError> {
        if self.is_shutting_down() {
            return Err(RequestError::ShutDown);
        }
        if self.publications.len() >= limits::PUBLICATIONS {
            return Err(RequestError::TooMany);
        }
        let id = PublicationId(self.next_event);
        self.next_event += 1;
        let fields = core::mem::take(&mut self.adding);
        let machine = Publication::new(now, content, expires.max(1));
        let uri = self.config.aor.as_str().into();
        self.publications.insert(id, Published { machine, package, uri, fields });
        self.settle(now);
        Ok(id)
    }

    /// Publishes another state in the place of the one before.
    pub fn modify_publication(
        &mut self,
        now: Instant,
        publication: PublicationId,
        content: Content,
    ) -> Result<(), EventsError> {
        let found = self.publications.get_mut(&publication).ok_or(EventsError::Unknown)?;
        found.machine.modify(now, content);
        self.settle(now);
        Ok(())
    }

    /// Takes a published state back.
    pub fn remove_publication(
        &mut self,
        now: Instant,
        publication: PublicationId,
    ) -> Result<(), EventsError> {
        let found = self.publications.get_mut(&publication).ok_or(EventsError::Unknown)?;
        let verdict = found.machine.remove(now);
        self.judge_publication(now, publication, verdict, None);
        self.settle(now);
        Ok(())
    }

    /// "EPAs MUST NOT send a new PUBLISH request for the same Request-URI" before the last has its final answer (§4), and all
    /// of ours go to our address-of-record.
    pub(super) fn may_publish(&self) -> bool {
        let is_one = |errand: &Errand| errand.method == Method::Publish;
        self.may_send_events() && !self.requests.values().any(is_one)
    }

    pub(super) fn send_publications(&mut self, now: Instant) {
        let all: Vec<PublicationId> = self.publications.keys().collect();
        for id in all {
            let Some(found) = self.publications.get(&id) else { continue };
            let Some(operation) = found.machine.due(now).filter(|_| self.may_publish()) else { continue };
            let (uri, package) = (found.uri.clone(), found.package.as_str().to_smolstr());
            let fields = found.fields.clone();
            let place = Place::Outside(self.stranger(uri));
            let mut errand = Errand::new(Whose::Publication(id), Method::Publish, place)
                .with(HeaderName::Event, package)
                .with(HeaderName::Expires, operation.expires.to_smolstr())
                .with_content(operation.content);
            if let Some(etag) = operation.etag {
                errand = errand.with(HeaderName::SipIfMatch, etag);
            }
            errand.fields.extend(fields.into_pairs());
            if self.dispatch(now, errand).is_err() {
                self.judge_publication(
                    now,
                    id,
                    Verdict::Over(Ending::Refused),
                    Some(Failure::of(Cause::Rejected)),
                );
            }
        }
    }

    pub(super) fn publish_concluded(&mut self, now: Instant, id: PublicationId, outcome: &Outcome) {
        let Some(found) = self.publications.get_mut(&id) else { return };
        match outcome {
            Outcome::Answered(response) => {
                let verdict =
                    found.machine.answered(now, response.status(), response.headers(), &mut *self.entropy);
                if response.is_success() && verdict == Verdict::GoesOn {
                    let update = PublicationUpdate::Published;
                    self.event(Event::Publication { publication: id, update });
                }
                self.judge_publication(now, id, verdict, Some(Failure::of_response(response)));
            }
            Outcome::Failed(failure) => {
                let verdict = found.machine.failed(now, failure.status.is_none(), &mut *self.entropy);
                self.judge_publication(now, id, verdict, Some(failure.clone()));
            }
        }
    }

    pub(super) fn judge_publication(
        &mut self,
        now: Instant,
        id: PublicationId,
        verdict: Verdict,
        failure: Option<Failure>,
    ) {
        let update = match verdict {
            Verdict::GoesOn => return,
            Verdict::Retry(at) => PublicationUpdate::Retrying { failure, retry_in: at.since(now) },
            Verdict::Over(ending) => {
                if self.publications.remove(&id).is_none() {
                    return;
                }
                PublicationUpdate::Ended(match ending {
                    Ending::Done => Ok(()),
                    _ => Err(failure.unwrap_or_else(|| Failure::of(Cause::Timeout))),
                })
            }
        };
        self.event(Event::Publication { publication: id, update });
    }
}
