//! Who uses the phones when no script does: people who call each other, answer, refuse, lose patience and hang up, as
//! the seed has it.

use sip_core::message::Fields;
use sip_core::time::Duration;
use sip_core::user_agent::{
    CallError, CallId, CommandError, Event, ReferralId, RegisterError, SubscriptionUpdate, TransferEnd,
    TransferUpdate, UserAgent, WatcherId, WatcherUpdate,
};

use super::NodeId;
use super::chats;
use super::presence;
use super::redirections;
use super::rules;
use super::sessions;
use super::transfers;
use super::watch::{Stage, description};
use super::world::World;

/// What people do. Chances are percent, times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Calls each makes, one after another.
    pub calls: u64,
    /// Time between two of them.
    pub pause: (u64, u64),
    /// Time until one answers or refuses.
    pub reflexes: (u64, u64),
    /// How many calls are taken.
    pub answer: u64,
    /// How many of the rest are refused; what is left rings on.
    pub refuse: u64,
    /// How many callers give up before an answer.
    pub cancel: u64,
    /// How many of those in a call hang up by themselves. What neither ends lasts until everybody goes home.
    pub hang_up: u64,
    /// After how long.
    pub talk: (u64, u64),
    /// How many press keys, or write, in a call.
    pub write: u64,
    /// How many change the session, hold among them.
    pub change: u64,
    /// How many let the caller hear something before they answer.
    pub early: u64,
    /// Callers and callees who change the session before the call is answered; a third of all calls then goes without an offer.
    pub overture: u64,
    /// How many send a message and ask for capabilities now and then.
    pub chat: u64,
    /// How many leave the registrar and come back.
    pub leave: u64,
    /// How many of those they call, or write to, are of another domain, if there is one.
    pub abroad: u64,
    /// How many watch others, and publish.
    pub watch: u64,
    /// How many send who they talk to elsewhere.
    pub transfer: u64,
    /// How many of the calls that are not taken are sent elsewhere.
    pub redirect: u64,
    /// How many ask the registrar what is registered, and how many of those who leave remove all that is.
    pub ask: u64,
    /// How many offers are larger than a datagram of 1,300 bytes.
    pub large: u64,
    /// Calls only end as lost messages and people explain.
    pub strict: bool,
}

/// Something a person means to do.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Call somebody, and that many times again.
    Call(u64),
    /// Let it ring.
    Ring(CallId),
    /// Take it, refuse it, or neither.
    Decide(CallId),
    /// Leave it, whatever it is.
    HangUp(CallId),
    /// Lose patience, if it has not been answered.
    GiveUp(CallId),
    /// Press a key, or write something.
    Write(CallId),
    /// Let the caller hear something.
    Early(CallId),
    /// Change the session before the call is answered.
    Overture(CallId),
    /// Change the session.
    Change(CallId),
    /// Answer the other side's change.
    Respond(CallId),
    /// Send the other side to somebody else.
    Transfer(CallId),
    /// Go where a call is sent, or do not.
    Follow(CallId),
    /// Do what the other side of a call asks for.
    Obey(ReferralId),
    /// Send somebody a message.
    Text,
    /// Ask what somebody can do.
    Probe,
    /// Watch somebody.
    Watch,
    /// Watch nobody any more, and publish nothing.
    Unwatch,
    /// Say what a watcher may know.
    Grant(WatcherId),
    /// Have a new state.
    Appear,
    /// Publish it.
    Publish,
    /// Ask what is registered.
    Ask,
    /// Leave the registrar.
    Leave,
    /// Come back.
    Return,
}

/// Everybody's first plans.
pub fn wake(world: &mut World) {
    let habits = world.habits;
    for phone in world.phones() {
        let after = world.between((0, habits.pause.1));
        world.plan_action(after, phone, Action::Call(habits.calls));
        for action in [Action::Text, Action::Probe] {
            if world.roll(100) < habits.chat {
                let after = world.between((2_000, 60_000));
                world.plan_action(after, phone, action);
            }
        }
        presence::wake(world, phone);
        while habits.ask > 0 && world.roll(100) < habits.ask {
            let after = world.between((2_000, 60_000));
            world.plan_action(after, phone, Action::Ask);
        }
        if world.roll(100) < habits.leave {
            let (after, away) = (world.between((5_000, 60_000)), world.between((0, 8_000)));
            world.plan_action(after, phone, Action::Leave);
            world.plan_action(after + away, phone, Action::Return);
        }
    }
}

/// What a person does about an event.
pub fn react(world: &mut World, phone: NodeId, event: &Event) {
    let habits = world.habits;
    match event {
        Event::Incoming { call, .. } => {
            let after = world.between((0, 300));
            world.plan_action(after, phone, Action::Ring(*call));
            if world.roll(100) < habits.early {
                let after = world.between((0, 2_000));
                world.plan_action(after, phone, Action::Early(*call));
            }
            let after = world.between(habits.reflexes);
            world.plan_action(after, phone, Action::Decide(*call));
        }
        Event::Redirected { call, .. } => {
            let after = world.between((0, 3_000));
            world.plan_action(after, phone, Action::Follow(*call));
        }
        Event::Progress { call, sdp: Some(_), .. } => plan_overture(world, phone, *call),
        Event::Accepted { call, .. } | Event::Confirmed { call, .. } => talk_on(world, phone, *call),
        // A call that was taken up, and whose other side does not take its media: nobody hears anything.
        Event::OfferRefused { call, failure }
            if world.phone(phone).agent.session(*call).is_some_and(|session| session.local().is_none()) =>
        {
            // Where nobody refuses changes it is for what the offer says.
            if world.lasting && failure.status == Some(488) {
                world.violate(
                    phone,
                    "a call that was taken up is refused its session",
                    format!("{failure:?}"),
                );
            }
            world.plan_action(Duration::ZERO, phone, Action::HangUp(*call));
        }
        Event::Offered { call, .. } => {
            let asked = world.phone(phone).watch.calls.get(call).is_some_and(|call| call.solicits > 0);
            // Who wanted it has a 2xx waiting for the ACK that answers it.
            let after = world.between(if asked { (0, 200) } else { (0, 3_000) });
            world.plan_action(after, phone, Action::Respond(*call));
        }
        Event::Referred { referral, .. } => {
            let after = world.between((0, 3_000));
            world.plan_action(after, phone, Action::Obey(*referral));
        }
        Event::Transfer { call: Some(call), update: TransferUpdate::Ended(TransferEnd::Done), .. } => {
            let after = world.between((0, 2_000));
            world.plan_action(after, phone, Action::HangUp(*call));
        }
        Event::Watcher { watcher, update: WatcherUpdate::Asked { .. } } => {
            let after = world.between((0, 3_000));
            world.plan_action(after, phone, Action::Grant(*watcher));
        }
        Event::Subscription {
            update: SubscriptionUpdate::Retrying { failure: Some(failure), .. }, ..
        } if habits.strict && failure.status == Some(481) => {
            world.violate(phone, "a subscription is not found where it was made", format!("{failure:?}"));
        }
        Event::Message { .. } | Event::InfoPackage { .. } => chats::read(world, phone, event),
        Event::Ended { call, end } => {
            world.note_end(phone, *call, end);
            if let Err(rule) = rules::may_end(end, habits.strict) {
                world.violate(phone, rule, format!("{end:?}"));
            }
        }
        Event::RegistrationFailed { failure, retry_in, .. } => {
            // Who leaves hears that he could not.
            let not_removed = &mut world.phone(phone).watch.not_removed;
            let leaves = retry_in.is_none() && *not_removed > 0;
            *not_removed -= u32::from(leaves);
            if habits.strict || (retry_in.is_none() && !leaves) {
                world.violate(phone, "a registration failed", format!("{failure:?}"));
            }
        }
        _ => {}
    }
}

/// What somebody is going to do in a call that stands.
pub fn talk_on(world: &mut World, phone: NodeId, call: CallId) {
    let habits = world.habits;
    if world.roll(100) < habits.hang_up {
        let after = world.between(habits.talk);
        world.plan_action(after, phone, Action::HangUp(call));
    }
    while world.roll(100) < habits.change {
        let after = world.between((0, habits.talk.1));
        world.plan_action(after, phone, Action::Change(call));
    }
    while world.roll(100) < habits.write {
        let after = world.between((0, habits.talk.1));
        world.plan_action(after, phone, Action::Write(call));
    }
    if world.roll(100) < habits.transfer {
        let after = world.between((0, habits.talk.1));
        world.plan_action(after, phone, Action::Transfer(call));
    }
}

/// Carries out what a person means to do, if it is still possible.
pub fn act(world: &mut World, phone: NodeId, action: Action) {
    let habits = world.habits;
    match action {
        Action::Call(times) => {
            place_call(world, phone);
            if times > 1 {
                let after = world.between(habits.pause);
                world.plan_action(after, phone, Action::Call(times - 1));
            }
        }
        Action::Ring(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            let done = world.command(phone, "ring", |agent, now| agent.ring(now, call));
            must(world, phone, "ring", done);
        }
        Action::Decide(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            if world.roll(100) < habits.answer {
                let serial = world.phone(phone).watch.calls.get(&call).and_then(|call| call.serial);
                let sdp = description(serial.unwrap_or_default(), 0);
                // From here on it may be confirmed.
                world.phone(phone).watch.answered(call);
                let done = world.command(phone, "accept", |agent, now| agent.accept(now, call, &sdp));
                must(world, phone, "accept", done);
            } else if habits.redirect > 0 && world.roll(100) < habits.redirect {
                redirections::send_away(world, phone, call);
            } else if world.roll(100) < habits.refuse {
                let status = [486, 480, 603, 600, 404][world.roll(5) as usize];
                let done = world.command(phone, "reject", |agent, now| agent.reject(now, call, status, None));
                must(world, phone, "reject", done);
            }
        }
        Action::GiveUp(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            let done = world.command(phone, "hangup", |agent, now| agent.hangup(now, call));
            must(world, phone, "hangup", done);
        }
        Action::HangUp(call)
            if is_at(world, phone, call, &[Stage::Pending, Stage::Answered, Stage::Established]) =>
        {
            let done = world.command(phone, "hangup", |agent, now| agent.hangup(now, call));
            must(world, phone, "hangup", done);
        }
        Action::Write(call) if is_at(world, phone, call, &[Stage::Established]) => {
            chats::in_call(world, phone, call);
        }
        Action::Early(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            let serial = world.phone(phone).watch.calls.get(&call).and_then(|call| call.serial);
            let sdp = description(serial.unwrap_or_default(), 0);
            let done = world.command(phone, "progress", |agent, now| agent.progress(now, call, &sdp));
            // Who called without an offer, and knows no 100rel, gets none now.
            if serial.is_some() {
                must(world, phone, "progress", done);
            }
            plan_overture(world, phone, call);
        }
        Action::Overture(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            sessions::overture(world, phone, call);
        }
        Action::Change(call) if is_at(world, phone, call, &[Stage::Answered, Stage::Established]) => {
            sessions::change(world, phone, call);
        }
        Action::Respond(call) => {
            let watched = world.phone(phone).watch.calls.get(&call);
            if let Some(offer) = watched.and_then(|call| call.offered.clone()) {
                if world.lasting || world.roll(100) < 80 {
                    sessions::answer_offer(world, phone, call, offer.as_deref());
                } else {
                    sessions::forget_offer(world, phone, call);
                    let done = world.command(phone, "refuse", |agent, now| agent.refuse(now, call));
                    must(world, phone, "refuse", done);
                }
            }
        }
        Action::Transfer(call) if is_at(world, phone, call, &[Stage::Established]) => {
            transfers::transfer(world, phone, call);
        }
        Action::Follow(call) if is_at(world, phone, call, &[Stage::Pending]) => {
            let watched = world.phone(phone).watch.calls.get_mut(&call);
            if let Some(told) = watched.and_then(|call| call.redirected.take()) {
                redirections::follow(world, phone, call, &told);
            }
        }
        Action::Obey(referral) => transfers::obey(world, phone, referral),
        Action::Text => chats::text(world, phone),
        Action::Probe => chats::probe(world, phone),
        Action::Watch => presence::watch(world, phone),
        Action::Unwatch => {
            presence::leave(world, phone);
            presence::unpublish(world, phone);
        }
        Action::Grant(watcher) => presence::decide(world, phone, watcher),
        Action::Appear => presence::change(world, phone),
        Action::Publish => presence::publish(world, phone),
        Action::Ask => {
            world.phone(phone).watch.fetching += 1;
            let asked = world.command(phone, "fetch bindings", UserAgent::fetch_bindings);
            world.phone(phone).watch.fetching -= u32::from(asked.is_err());
            may_be_offline(world, phone, "fetch", asked);
        }
        Action::Leave if habits.ask > 0 && world.roll(100) < habits.ask => {
            let before = core::mem::replace(&mut world.phone(phone).watch.unregistering, true);
            let left = world.command(phone, "unregister all", UserAgent::unregister_all);
            if left.is_err() {
                world.phone(phone).watch.unregistering = before;
            }
            may_be_offline(world, phone, "unregister all", left);
        }
        Action::Leave => {
            world.phone(phone).watch.unregistering = true;
            if let Err(error) = world.command(phone, "unregister", UserAgent::unregister) {
                world.violate(phone, "a legal command is refused", format!("unregister: {error}"));
            }
        }
        Action::Return => {
            // The removal it overtakes has no event of its own.
            world.phone(phone).watch.unregistering = false;
            if let Err(error) = world.command(phone, "register", UserAgent::register) {
                world.violate(phone, "a legal command is refused", format!("register: {error}"));
            }
        }
        _ => {}
    }
}

/// Calls anybody of the same domain, oneself on another device included.
pub fn place_call(world: &mut World, phone: NodeId) {
    let habits = world.habits;
    let Some(target) = somebody(world, phone) else { return };
    let extra = if world.roll(100) < habits.large { 2_000 } else { 0 };
    if let Ok(call) = call(world, phone, &target, extra)
        && world.roll(100) < habits.cancel
    {
        let after = world.between((0, habits.reflexes.1));
        world.plan_action(after, phone, Action::GiveUp(call));
    }
}

/// Somebody else, mostly of the same domain and then by name, or oneself on another device.
pub fn somebody(world: &mut World, phone: NodeId) -> Option<String> {
    let domain = world.phone(phone).domain.clone();
    let all: Vec<NodeId> = world.phones().into_iter().filter(|id| *id != phone).collect();
    let (home, abroad): (Vec<NodeId>, Vec<NodeId>) =
        all.into_iter().partition(|id| world.phone(*id).domain == domain);
    let far = !abroad.is_empty() && world.roll(100) < world.habits.abroad;
    let others = if far { abroad } else { home };
    let chosen = *others.get(world.roll(others.len() as u64) as usize)?;
    let other = world.phone(chosen);
    Some(if far { format!("{}@{}", other.user, other.domain) } else { other.user.clone() })
}

fn plan_overture(world: &mut World, phone: NodeId, call: CallId) {
    let overture = world.habits.overture;
    // Where nobody does it chance is not asked, and runs are what they were.
    if overture > 0 && world.roll(100) < overture {
        let after = world.between((0, 2_000));
        world.plan_action(after, phone, Action::Overture(call));
    }
}

/// Calls `target` with an offer `extra` bytes longer than it need be.
pub fn call(world: &mut World, phone: NodeId, target: &str, extra: usize) -> Result<CallId, CallError> {
    world.serial += 1;
    let serial = world.serial;
    let sdp = description(serial, extra);
    let now = world.now;
    let text = format!("call {target} ({serial})");
    world.trace.note(now, phone, || text);
    let offerless = world.habits.overture > 0 && world.roll(100) < 30;
    let placed = match offerless {
        true => {
            let subject = Fields::new().with("Subject", &serial.to_string()).expect("a field of ours");
            world.phone(phone).agent.with(&subject).call_offerless(now, target)
        }
        false => world.phone(phone).agent.call(now, target, &sdp),
    };
    match placed {
        Ok(call) => world.phone(phone).watch.called(call, serial),
        Err(CallError::Offline) if !world.phone(phone).is_online() => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("call: {error}")),
    }
    world.after_command(phone);
    placed
}

/// Everybody leaves every call.
pub fn hang_up_all(world: &mut World) {
    for phone in world.phones() {
        let living: Vec<CallId> = world.phone(phone).watch.living().map(|(call, _)| call).collect();
        for call in living {
            let done = world.command(phone, "hangup", |agent, now| agent.hangup(now, call));
            must(world, phone, "hangup", done);
        }
    }
}

/// Nobody watches any more.
pub fn unwatch_all(world: &mut World) {
    for phone in world.phones() {
        act(world, phone, Action::Unwatch);
    }
}

/// Everybody leaves the registrar.
pub fn leave_all(world: &mut World) {
    for phone in world.phones() {
        if world.phone(phone).registers {
            act(world, phone, Action::Leave);
        }
    }
}

fn is_at(world: &mut World, phone: NodeId, call: CallId, stages: &[Stage]) -> bool {
    world.phone(phone).watch.stage(call).is_some_and(|stage| stages.contains(&stage))
}

/// Where there is no flow the registrar cannot be asked.
fn may_be_offline(world: &mut World, phone: NodeId, command: &str, done: Result<(), RegisterError>) {
    match done {
        Err(RegisterError::Offline) if !world.phone(phone).is_online() => {}
        Ok(()) => {}
        Err(error) => world.violate(phone, "a legal command is refused", format!("{command}: {error}")),
    }
}

pub(super) fn must(world: &mut World, phone: NodeId, command: &str, done: Result<(), CommandError>) {
    if let Err(error) = done {
        world.violate(phone, "a legal command is refused", format!("{command}: {error}"));
    }
}
