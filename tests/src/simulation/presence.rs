//! People who watch each other: subscriptions to presence, told and heard of (RFC 6665, RFC 3856), and states published
//! to nobody who takes them (RFC 3903).

use std::collections::BTreeMap;

use sip_core::body::Content;
use sip_core::events::{EventName, Package, SubscriptionState};
use sip_core::user_agent::{
    Event, EventsError, PublicationId, PublicationUpdate, RequestError, SubscriptionId, SubscriptionUpdate,
    UserAgent, WatcherId, WatcherUpdate,
};

use super::NodeId;
use super::person::{self, Action};
use super::world::World;

/// What is told to those who wait for leave: nobody may ever hear it.
const SECRET: &str = "for those who have leave";

/// What one user knows of who watches whom.
#[derive(Debug, Default)]
pub struct Presence {
    /// Ours, and the newest state we were told.
    pub watched: BTreeMap<SubscriptionId, Option<String>>,
    /// Others', and the newest state we told them; `None`: they wait for leave.
    pub watchers: BTreeMap<WatcherId, Option<String>>,
    /// What we publish.
    pub published: BTreeMap<PublicationId, ()>,
}

impl Presence {
    /// Takes an event; the error says which rule it breaks.
    pub fn see(&mut self, event: &Event) -> Result<(), &'static str> {
        let known = match event {
            Event::Subscription { subscription, update } => match update {
                SubscriptionUpdate::Notified { content: Some(content), .. } if text(content) == SECRET => {
                    return Err("a watcher without leave is told a state");
                }
                SubscriptionUpdate::Notified { notified, content, .. } => {
                    let heard = self.watched.get_mut(subscription);
                    heard.map(|heard| match (content, &notified.state) {
                        (_, SubscriptionState::Terminated { .. }) => *heard = None,
                        (Some(content), _) => *heard = Some(text(content)),
                        (None, _) => {}
                    })
                }
                SubscriptionUpdate::Retrying { .. } => {
                    self.watched.get_mut(subscription).map(|heard| *heard = None)
                }
                SubscriptionUpdate::Ended(_) => self.watched.remove(subscription).map(drop),
            },
            Event::Watcher { watcher, update } => match update {
                WatcherUpdate::Asked { .. } => match self.watchers.insert(*watcher, None) {
                    None => Some(()),
                    Some(_) => return Err("a watcher's name is used again"),
                },
                WatcherUpdate::Refreshed { .. } => self.watchers.get(watcher).map(drop),
                WatcherUpdate::Ended(_) => self.watchers.remove(watcher).map(drop),
            },
            Event::Publication { publication, update } => match update {
                PublicationUpdate::Published | PublicationUpdate::Retrying { .. } => {
                    self.published.get(publication).map(drop)
                }
                PublicationUpdate::Ended(_) => self.published.remove(publication),
            },
            _ => return Ok(()),
        };
        known.ok_or("an event of a subscription or publication that is over or was never begun")
    }

    /// What is left when everybody has left.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty() && self.watchers.is_empty() && self.published.is_empty()
    }
}

/// Subscribes to somebody.
pub fn watch(world: &mut World, phone: NodeId) {
    let Some(target) = person::somebody(world, phone) else { return };
    let seconds = 60 + world.roll(120) as u32;
    let event = EventName { package: Package::Presence, id: None };
    let done = world.command(phone, &format!("watch {target}"), |agent, now| {
        agent.subscribe(now, &target, event, Some(seconds))
    });
    match done {
        // Its first event takes the network, or waits for a flow.
        Ok(subscription) => drop(world.phone(phone).presence.watched.insert(subscription, None)),
        Err(RequestError::TooMany) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("subscribe: {error}")),
    }
}

/// Says what a watcher is told for the first time, or that he may not.
pub fn decide(world: &mut World, phone: NodeId, watcher: WatcherId) {
    if !world.phone(phone).presence.watchers.contains_key(&watcher) {
        return;
    }
    let done = match world.roll(10) {
        0 => world.command(phone, "reject watcher", |agent, now| agent.reject_watcher(now, watcher, 403)),
        1 => world.command(phone, "defer watcher", |agent, now| agent.defer_watcher(now, watcher)),
        _ => {
            let (state, content) = next_state(world, phone, watcher);
            let done = world.command(phone, "accept watcher", |agent, now| {
                agent.accept_watcher(now, watcher, Some(content))
            });
            told(world, phone, watcher, state, &done);
            done
        }
    };
    must(world, phone, done);
}

/// Has a new state, and tells all: those who wait for leave must not hear of it.
pub fn change(world: &mut World, phone: NodeId) {
    let all = world.phone(phone).presence.watchers.iter().map(|(watcher, told)| (*watcher, told.is_some()));
    let all: Vec<(WatcherId, bool)> = all.collect();
    for (watcher, allowed) in all {
        if !allowed {
            let secret = Content::new("application/pidf+xml", SECRET.as_bytes().to_vec());
            let done = world.command(phone, "notify", |agent, now| agent.notify(now, watcher, Some(secret)));
            must(world, phone, done);
            continue;
        }
        let (state, content) = next_state(world, phone, watcher);
        let done = world.command(phone, "notify", |agent, now| agent.notify(now, watcher, Some(content)));
        told(world, phone, watcher, state, &done);
        must(world, phone, done);
    }
}

/// Leaves what it watches.
pub fn leave(world: &mut World, phone: NodeId) {
    let watched: Vec<SubscriptionId> = world.phone(phone).presence.watched.keys().copied().collect();
    for subscription in watched {
        let done = world.command(phone, "unsubscribe", |agent, now| agent.unsubscribe(now, subscription));
        must(world, phone, done);
    }
}

/// Publishes; there is no compositor, so that somebody refuses.
pub fn publish(world: &mut World, phone: NodeId) {
    let content = Content::new("application/pidf+xml", b"<presence/>".to_vec());
    let done = world.command(phone, "publish", |agent: &mut UserAgent, now| {
        agent.publish(now, Package::Presence, content, 120)
    });
    match done {
        Ok(publication) => drop(world.phone(phone).presence.published.insert(publication, ())),
        Err(RequestError::TooMany) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("publish: {error}")),
    }
}

/// Takes back what it publishes.
pub fn unpublish(world: &mut World, phone: NodeId) {
    let published: Vec<PublicationId> = world.phone(phone).presence.published.keys().copied().collect();
    for publication in published {
        let done = world.command(phone, "unpublish", |agent, now| agent.remove_publication(now, publication));
        must(world, phone, done);
    }
}

/// Somebody's plans.
pub fn wake(world: &mut World, phone: NodeId) {
    if world.roll(100) >= world.habits.watch {
        return;
    }
    for action in
        [Action::Watch, Action::Watch, Action::Publish, Action::Appear, Action::Appear, Action::Appear]
    {
        let after = world.between((1_000, 80_000));
        world.plan_action(after, phone, action);
    }
    if world.roll(2) == 0 {
        let after = world.between((30_000, 80_000));
        world.plan_action(after, phone, Action::Unwatch);
    }
}

/// Long after the last fault: who watches somebody knows the newest state he was told of, and who is told does watch.
pub fn check(world: &mut World) {
    let mut newest = BTreeMap::new();
    let mut heard = Vec::new();
    for id in world.phones() {
        let presence = &world.phone(id).presence;
        newest.extend(presence.watchers.values().flatten().map(|state| (key(state), (id, state.clone()))));
        heard.extend(presence.watched.values().flatten().map(|state| (id, state.clone())));
    }
    for (id, state) in heard {
        match newest.remove(&key(&state)) {
            Some((_, told)) if told == state => {}
            Some((_, told)) => {
                return world.violate(
                    id,
                    "a watcher has not heard the newest state",
                    format!("{state}, not {told}"),
                );
            }
            None => return world.violate(id, "a watcher believes in a subscription that is over", state),
        }
    }
    if let Some((id, state)) = newest.into_values().next() {
        world.violate(id, "a watcher is told who does not watch", state);
    }
}

/// Which watcher of whom a state was for.
fn key(state: &str) -> String {
    state.rsplit_once(' ').map_or("", |(watcher, _)| watcher).to_owned()
}

fn next_state(world: &mut World, phone: NodeId, watcher: WatcherId) -> (String, Content) {
    world.serial += 1;
    let life = world.phone(phone).life;
    let state = format!("node {} life {life} {watcher:?} {}", phone.0, world.serial);
    let content = Content::new("application/pidf+xml", state.clone().into_bytes());
    (state, content)
}

fn text(content: &Content) -> String {
    String::from_utf8_lossy(&content.body).into_owned()
}

fn told(world: &mut World, phone: NodeId, watcher: WatcherId, state: String, done: &Result<(), EventsError>) {
    if done.is_ok()
        && let Some(told) = world.phone(phone).presence.watchers.get_mut(&watcher)
    {
        *told = Some(state);
    }
}

fn must(world: &mut World, phone: NodeId, done: Result<(), EventsError>) {
    match done {
        // It is being ended, and its end is about to be told.
        Ok(()) | Err(EventsError::Unknown | EventsError::WrongState(_)) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("presence: {error}")),
    }
}
