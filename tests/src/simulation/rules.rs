//! What must hold of a node after every step, and of all when nothing is left to be done.

use sip_core::limits;
use sip_core::offer_answer::{Negotiation, Turn};
use sip_core::user_agent::{CallState, Cause, End, Load, RegistrationState};

use super::NodeId;
use super::node::Node;
use super::watch::Stage;
use super::world::World;

/// Transactions a phone may have for each call it has room for: its INVITE, a CANCEL or BYE, and what lingers.
const TRANSACTIONS_PER_CALL: usize = 16;

/// After every input of a node.
pub fn check(world: &mut World, id: NodeId) {
    if let Some((rule, detail)) = broken(&world.nodes[id.0], |timers| match &mut world.saboteur {
        Some(saboteur) => saboteur.timers(id, timers),
        None => timers,
    }) {
        world.violate(id, rule, detail);
    }
}

/// `told`: how many timers a node says it has of so many.
fn broken(node: &Node, told: impl FnOnce(usize) -> usize) -> Option<(&'static str, String)> {
    match node {
        Node::Phone(phone) => {
            let agent = &phone.agent;
            let mut load = agent.load();
            load.timers = told(load.timers);
            let counters = agent.counters();
            if counters.malformed > 0 {
                return Some(("somebody sent what is no SIP", format!("{counters:?}")));
            }
            if counters.dropped_outputs + counters.dropped_farewells > 0 {
                return Some(("something was dropped below its cap", format!("{counters:?}")));
            }
            if load.transactions > TRANSACTIONS_PER_CALL * limits::CALLS {
                return Some(("more transactions than calls explain", format!("{load:?}")));
            }
            if let Some(table) = over_its_cap(&load) {
                return Some(("more is held than there may be", format!("{table}: {load:?}")));
            }
            if load.timers > 2 * load.transactions {
                return Some(("a timer of a transaction that is gone", format!("{load:?}")));
            }
            let living = phone.watch.living();
            let agrees = |(call, watched): (_, &super::watch::Watched)| {
                let state = agent.call_state(call);
                match watched.stage {
                    Stage::Pending => matches!(state, Some(CallState::Connecting | CallState::Ringing)),
                    Stage::Answered | Stage::Established => state == Some(CallState::Established),
                    Stage::Ended => true,
                }
            };
            let (known, held) = (phone.watch.living().count(), agent.calls().count());
            if known != held {
                return Some((
                    "a call nobody was told of, or whose end nobody was told",
                    format!("{known} ≠ {held}"),
                ));
            }
            let mut living = living;
            if let Some((call, _)) = living.find(|entry| !agrees(*entry)) {
                let state = agent.call_state(call);
                return Some(("a call is not where its events say", format!("{call:?}: {state:?}")));
            }
            None
        }
        Node::Server(server) => {
            let counters = server.server.0.counters();
            if counters.malformed_dropped + counters.malformed_refused > 0 {
                return Some(("somebody sent what is no SIP", format!("{counters:?}")));
            }
            if counters.outputs_dropped + counters.transactions_full + counters.questions_full > 0 {
                return Some(("something was dropped below its cap", format!("{counters:?}")));
            }
            let (transactions, contexts, questions) = server.server.0.load();
            let timers = told(server.server.0.timers());
            if timers > 2 * transactions {
                let detail = format!("{timers} of {transactions} transactions");
                return Some(("a timer of a transaction that is gone", detail));
            }
            // A CANCEL that came over a connection has no transaction once it is answered, and is still for those who are on their
            // way back, each of whom is asked for (§16.10 without a response context).
            if contexts > transactions + questions {
                let detail = format!("{contexts} of {transactions} transactions, {questions} questions");
                return Some(("a server forwards requests of transactions that are gone", detail));
            }
            None
        }
    }
}

/// The table of a phone that holds more than its cap.
fn over_its_cap(load: &Load) -> Option<&'static str> {
    let tables = [
        ("calls", load.calls, 4 * limits::CALLS),
        ("purposes", load.purposes, load.transactions),
        ("requests", load.requests, limits::REQUESTS),
        ("messages", load.messages, limits::HELD_MESSAGES),
        ("subscriptions", load.subscriptions, limits::SUBSCRIPTIONS),
        ("watchers", load.watchers, limits::WATCHERS),
        ("publications", load.publications, limits::PUBLICATIONS),
        ("farewells", load.farewells, limits::FAREWELLS),
        ("unpracked", load.unpracked, load.transactions),
        ("ongoing", load.ongoing, load.transactions),
        ("repeats", load.repeats, limits::REPEATS),
        ("tokens", load.tokens, limits::TOKENS_WANTED),
    ];
    tables.into_iter().find(|(_, held, cap)| held > cap).map(|(table, ..)| table)
}

/// Whether a call may end like this. `strict`: nothing was lost for long.
pub fn may_end(end: &End, strict: bool) -> Result<(), &'static str> {
    let End::Failed(failure) = end else { return Ok(()) };
    match failure.cause {
        Cause::WrongPassword | Cause::OtherRealm | Cause::NoHa1 | Cause::AuthenticationUnsupported => {
            Err("a right password is refused")
        }
        Cause::Forbidden => Err("a user is refused what is his"),
        Cause::NotAcceptable => Err("an offer everybody takes is refused"),
        Cause::Rejected if strict && failure.status == Some(482) => {
            Err("a call is refused as a loop, and nobody leads in circles")
        }
        Cause::Timeout | Cause::NotAcknowledged | Cause::FlowLost | Cause::ServerError | Cause::Expired
            if strict =>
        {
            Err("a call failed for want of a message that was lost at most twice")
        }
        _ => Ok(()),
    }
}

/// When all have hung up and left, and every timer has run out: nothing may be left.
pub fn check_empty(world: &mut World) {
    if let Some((asker, detail)) = world.unanswered() {
        return world.violate(asker, "a request had no final answer, and nothing was lost", detail);
    }
    if !world.is_quiet() {
        let anyone = NodeId(0);
        return world.violate(anyone, "the network is still busy", "");
    }
    for at in 0..world.nodes.len() {
        let left = match &world.nodes[at] {
            Node::Phone(phone) => {
                let load = phone.agent.load();
                if !load.is_empty() {
                    Some(("a phone is left with something", format!("{load:?}")))
                } else if !phone.watch.calls.is_empty() {
                    Some(("a call was never released", format!("{:?}", phone.watch.calls)))
                } else if !phone.watch.requests.is_empty() {
                    Some(("a request had no answer", format!("{:?}", phone.watch.requests)))
                } else if !phone.watch.transfers.is_empty() {
                    Some(("a transfer had no end", format!("{:?}", phone.watch.transfers)))
                } else if !phone.presence.is_empty() {
                    Some(("a subscription or publication had no end", format!("{:?}", phone.presence)))
                } else if phone.watch.fetching > 0 {
                    Some(("what is registered was asked for and not told", String::new()))
                } else if phone.watch.unregistering {
                    Some(("a removal of a registration had no end", String::new()))
                } else {
                    None
                }
            }
            Node::Server(server) => {
                let load = server.server.0.load();
                (load != (0, 0, 0)).then(|| ("a server is left with something", format!("{load:?}")))
            }
        };
        let left = left.or_else(|| {
            let timeout = world.nodes[at].timeout();
            timeout.map(|at| ("a timer runs for nothing", format!("{at:?}")))
        });
        if let Some((rule, detail)) = left {
            return world.violate(NodeId(at), rule, detail);
        }
    }
}

/// Long after the last fault: whoever wants to be registered is.
pub fn check_registered(world: &mut World) {
    for id in world.phones() {
        let phone = world.phone(id);
        let state = phone.agent.registration();
        if phone.registers && state != RegistrationState::Registered {
            world.violate(id, "not registered, long after the last fault", format!("{state:?}"));
        }
    }
}

/// Of every call that stands: nothing is being changed any more, and both ends have the same pair of descriptions.
pub fn check_sessions(world: &mut World) {
    let mut pairs = std::collections::BTreeMap::new();
    for id in world.phones() {
        let phone = world.phone(id);
        let session = |call| phone.agent.session(call).cloned();
        let stands = |call| phone.watch.stage(call).is_some();
        if let Some((call_id, call)) = phone.doubted.iter().find(|(_, call)| stands(**call)) {
            let detail = format!("{call:?}: {call_id}");
            return world.violate(id, "nobody asked whether a call stands whose flow was lost", detail);
        }
        let living: Vec<_> = phone.watch.living().map(|(id, c)| (id, c.clone(), session(id))).collect();
        for (call, watched, session) in living {
            let turn = session.as_ref().map(Negotiation::turn);
            let detail = || format!("{call:?}: {watched:?}, {turn:?}");
            if watched.changes > 0 || watched.offered.is_some() || turn != Some(Turn::Stable) {
                let detail = detail();
                return world.violate(id, "a change of the session had no end", detail);
            }
            let Some((session, serial)) = session.zip(watched.serial) else { continue };
            let pair = (session.local().cloned(), session.remote().cloned());
            if let Some((other, (local, remote))) = pairs.insert(serial, (id, pair.clone()))
                && (local, remote) != (pair.1, pair.0)
            {
                let detail = format!("call {serial}, {id:?} and {other:?}");
                return world.violate(id, "the ends of a call have different sessions", detail);
            }
        }
    }
}

/// Of a call that rang at one phone only: the refusal that was given is the one that was heard, unless the caller had
/// given up.
pub fn check_refusals(world: &mut World) {
    if !world.habits.strict {
        return;
    }
    let refused = |ends: &Vec<(NodeId, bool, End)>| {
        let [(_, _, _), (_, _, _)] = ends.as_slice() else { return None };
        let (caller, _, heard) = ends.iter().find(|(_, outgoing, _)| *outgoing)?;
        let (_, _, given) = ends.iter().find(|(_, outgoing, _)| !*outgoing)?;
        // Who was sent elsewhere hears of that.
        let End::Rejected { status: status @ 400.., .. } = given else { return None };
        let told = match heard {
            End::Failed(failure) => failure.status == Some(*status),
            _ => true,
        };
        (!told).then(|| (*caller, format!("{status} was given, {heard:?} was heard")))
    };
    let found = world.ends.values().find_map(refused);
    if let Some((caller, detail)) = found {
        world.violate(caller, "a refusal was not heard", detail);
    }
}

/// Long after the last fault: of every call either both ends think that it stands, or neither. `anew`: one end may have
/// restarted, and the other knows only if it has the session timed (RFC 4028).
pub fn check_agreement(world: &mut World, anew: bool) {
    let mut standing = std::collections::BTreeMap::<u64, [Vec<NodeId>; 2]>::new();
    for id in world.phones() {
        let living: Vec<_> =
            world.phone(id).watch.living().map(|(call, watched)| (call, watched.clone())).collect();
        for (call, watched) in living {
            let text = format!("{call:?}: {watched:?}");
            match (watched.stage, watched.serial) {
                (Stage::Established, Some(serial)) => {
                    standing.entry(serial).or_default()[usize::from(watched.outgoing)].push(id);
                }
                _ => return world.violate(id, "a call that is neither answered nor given up", text),
            }
        }
    }
    for (serial, [callees, callers]) in standing {
        let timed = |id: &NodeId| world.phone(*id).config.session_expires.is_some();
        if anew && !callers.iter().chain(&callees).any(timed) {
            continue;
        }
        if callees.len() != 1 || callers.len() != 1 {
            let id = *callers.first().or(callees.first()).expect("one of them");
            let text = format!("call {serial}: callers {callers:?}, callees {callees:?}");
            world.violate(id, "the ends of a call disagree whether it stands", text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_cap_that_is_looked_at() {
        let most = Load {
            transactions: 1,
            timers: 2,
            calls: 4 * limits::CALLS,
            purposes: 1,
            requests: limits::REQUESTS,
            messages: limits::HELD_MESSAGES,
            subscriptions: limits::SUBSCRIPTIONS,
            watchers: limits::WATCHERS,
            publications: limits::PUBLICATIONS,
            farewells: limits::FAREWELLS,
            unpracked: 1,
            ongoing: 1,
            repeats: limits::REPEATS,
            tokens: limits::TOKENS_WANTED,
        };
        assert_eq!(over_its_cap(&most), None);
        let more = [
            ("calls", Load { calls: most.calls + 1, ..most }),
            ("purposes", Load { purposes: 2, ..most }),
            ("requests", Load { requests: most.requests + 1, ..most }),
            ("messages", Load { messages: most.messages + 1, ..most }),
            ("subscriptions", Load { subscriptions: most.subscriptions + 1, ..most }),
            ("watchers", Load { watchers: most.watchers + 1, ..most }),
            ("publications", Load { publications: most.publications + 1, ..most }),
            ("farewells", Load { farewells: most.farewells + 1, ..most }),
            ("unpracked", Load { unpracked: 2, ..most }),
            ("ongoing", Load { ongoing: 2, ..most }),
            ("repeats", Load { repeats: most.repeats + 1, ..most }),
            ("tokens", Load { tokens: most.tokens + 1, ..most }),
        ];
        for (table, load) in more {
            assert_eq!(over_its_cap(&load), Some(table));
        }
    }
}
