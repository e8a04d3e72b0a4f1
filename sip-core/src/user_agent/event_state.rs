//! What subscriptions, watchers and publications have in common: when they are heard of, and what becomes of them when a flow, or
//! the user agent, ends.

use alloc::vec::Vec;

use super::referrals::ReferralId;
use super::requests::Whose;
use super::watchers::Watcher;
use super::{PublicationId, SubscriptionId, UserAgent, WatcherEnd, WatcherId};
use crate::events::{Ending, Reason, Verdict};
use crate::limits;
use crate::time::Instant;
use crate::transport::FlowId;

impl UserAgent {
    /// Sends whatever is due of subscriptions, watchers and publications.
    pub(super) fn send_events(&mut self, now: Instant) {
        self.send_notifies(now);
        self.send_subscriptions(now);
        self.send_publications(now);
    }

    /// What is due waits for a flow, and for room among what is on its way.
    pub(super) fn may_send_events(&self) -> bool {
        self.ready().is_some() && self.requests.len() < limits::REQUESTS
    }

    pub(super) fn events_timeout(&self) -> Option<Instant> {
        let ready = self.may_send_events();
        let watchers = self.watchers.values().filter_map(Watcher::timeout);
        let subscriptions = self.subscriptions.values().filter_map(|found| found.machine.timeout(ready));
        let publish = self.may_publish();
        let publications =
            self.publications.values().filter(|_| publish).filter_map(|found| found.machine.timeout());
        watchers.chain(subscriptions).chain(publications).min()
    }

    pub(super) fn events_time_passed(&mut self, now: Instant) {
        self.watchers_time_passed(now);
        let all: Vec<SubscriptionId> = self.subscriptions.keys().collect();
        for id in all {
            let Some(found) = self.subscriptions.get_mut(&id) else { continue };
            let verdict = found.machine.handle_timeout(now, &mut *self.entropy);
            self.judge_subscription(now, id, verdict, None);
        }
    }

    /// A flow is gone: what was missed is asked for. What goes over another is not disturbed (RFC 5626 §4.5).
    pub(super) fn events_flow_lost(&mut self, now: Instant, flow: FlowId) {
        let told = self.subscriptions.values_mut().filter(|found| found.over == Some(flow));
        told.for_each(|found| found.machine.flow_lost(now));
    }

    /// A request that was to be repeated has waited too long for a flow: nobody answers by its branch any more. There is no
    /// end to how long what it says may wait. `false`: it is of none of the machines of events.
    pub(super) fn say_anew(&mut self, now: Instant, whose: &Whose) -> bool {
        match whose {
            Whose::Subscription(id, source) => {
                if let Some(found) = self.subscriptions.get_mut(id) {
                    found.machine.ask_anew(now, *source);
                }
            }
            Whose::Watcher(id) => {
                if let Some(found) = self.watchers.get_mut(id) {
                    found.machine.notify_anew();
                }
            }
            Whose::Publication(id) => {
                if let Some(found) = self.publications.get_mut(id) {
                    found.machine.publish_anew(now);
                }
            }
            Whose::Application | Whose::Nobody | Whose::Prack(..) | Whose::Transfer(_) => return false,
        }
        true
    }

    /// Whether a request's subscription, watcher or publication is no more: nothing of it is to be repeated.
    pub(super) fn is_orphan(&self, whose: &Whose) -> bool {
        match whose {
            Whose::Subscription(id, source) => self
                .subscriptions
                .get(id)
                .is_none_or(|found| source.is_some_and(|source| !found.machine.hears(source))),
            Whose::Watcher(id) => self.watchers.get(id).is_none(),
            Whose::Publication(id) => self.publications.get(id).is_none(),
            Whose::Application | Whose::Nobody | Whose::Prack(..) | Whose::Transfer(_) => false,
        }
    }

    /// Ends everything in good order, before the user agent does.
    pub(super) fn leave_events(&mut self, now: Instant) {
        let subscriptions: Vec<SubscriptionId> = self.subscriptions.keys().collect();
        for id in subscriptions {
            let verdict = self.subscriptions.get_mut(&id).map(|found| found.machine.unsubscribe(now));
            self.judge_subscription(now, id, verdict.unwrap_or(Verdict::GoesOn), None);
        }
        let watchers: Vec<WatcherId> = self.watchers.keys().collect();
        for id in watchers {
            // What was asked for will not be done here.
            let _ = self.refuse_refer(now, ReferralId(id), 480);
            // §4.1.3: a watcher may find another device of ours.
            let _ = self.terminate_watcher(now, id, Reason::Deactivated, None);
        }
        let publications: Vec<PublicationId> = self.publications.keys().collect();
        for id in publications {
            let verdict = self.publications.get_mut(&id).map(|found| found.machine.remove(now));
            self.judge_publication(now, id, verdict.unwrap_or(Verdict::GoesOn), None);
        }
    }

    /// There is no flow and nothing will be said any more.
    pub(super) fn drop_events(&mut self) {
        let now = Instant::default();
        let subscriptions: Vec<SubscriptionId> = self.subscriptions.keys().collect();
        for id in subscriptions {
            self.judge_subscription(now, id, Verdict::Over(Ending::Done), None);
        }
        let watchers: Vec<WatcherId> = self.watchers.keys().collect();
        for id in watchers {
            self.forget_watcher(id, WatcherEnd::Lost(None));
        }
        let publications: Vec<PublicationId> = self.publications.keys().collect();
        for id in publications {
            self.judge_publication(now, id, Verdict::Over(Ending::Done), None);
        }
    }

    pub(super) fn has_no_events(&self) -> bool {
        self.subscriptions.len() + self.watchers.len() + self.publications.len() == 0
    }
}
