//! Who uses the phones when no script does: people who call each other, answer, refuse, lose patience and hang up, as
//! the seed has it.

use sip_core::user_agent::{CallError, CallId, CommandError, Event, RequestError, UserAgent};

use super::NodeId;
use super::rules;
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
    /// How many press keys in a call.
    pub dtmf: u64,
    /// How many leave the registrar and come back.
    pub leave: u64,
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
    /// Press a key.
    Dtmf(CallId),
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
            let after = world.between(habits.reflexes);
            world.plan_action(after, phone, Action::Decide(*call));
        }
        Event::Accepted { call, .. } | Event::Confirmed { call, .. } => {
            if world.roll(100) < habits.hang_up {
                let after = world.between(habits.talk);
                world.plan_action(after, phone, Action::HangUp(*call));
            }
            if world.roll(100) < habits.dtmf {
                let after = world.between((0, habits.talk.1));
                world.plan_action(after, phone, Action::Dtmf(*call));
            }
        }
        Event::Ended { call, end } => {
            world.note_end(phone, *call, end);
            if let Err(rule) = rules::may_end(end, habits.strict) {
                world.violate(phone, rule, format!("{end:?}"));
            }
        }
        Event::RegistrationFailed { failure, retry_in, .. } if habits.strict || retry_in.is_none() => {
            world.violate(phone, "a registration failed", format!("{failure:?}"));
        }
        _ => {}
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
        Action::Dtmf(call) if is_at(world, phone, call, &[Stage::Established]) => {
            let keys = ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
            let done = world.command(phone, "info", |agent, now| agent.info(now, call, keys.0, keys.1));
            match done {
                // Its answer cannot come before the network has had its turn.
                Ok(request) => drop(world.phone(phone).watch.requests.insert(request)),
                // Without a flow it cannot be sent, and is told so.
                Err(RequestError::Offline) => {}
                Err(error) => world.violate(phone, "a legal command is refused", format!("info: {error}")),
            }
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
    let domain = world.phone(phone).domain.clone();
    let others: Vec<NodeId> =
        world.phones().into_iter().filter(|id| *id != phone && world.phone(*id).domain == domain).collect();
    let Some(callee) = others.get(world.roll(others.len() as u64) as usize).copied() else { return };
    let target = world.phone(callee).user.clone();
    let extra = if world.roll(100) < habits.large { 2_000 } else { 0 };
    if let Ok(call) = call(world, phone, &target, extra)
        && world.roll(100) < habits.cancel
    {
        let after = world.between((0, habits.reflexes.1));
        world.plan_action(after, phone, Action::GiveUp(call));
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
    let placed = world.phone(phone).agent.call(now, target, &sdp);
    match placed {
        Ok(call) => world.phone(phone).watch.called(call, serial),
        Err(CallError::Offline) if !world.phone(phone).online => {}
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

fn must(world: &mut World, phone: NodeId, command: &str, done: Result<(), CommandError>) {
    if let Err(error) = done {
        world.violate(phone, "a legal command is refused", format!("{command}: {error}"));
    }
}
