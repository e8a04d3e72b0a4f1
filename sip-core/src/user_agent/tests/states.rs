//! Every command on a call, in every state of a call: what a state does not take is refused by an error that names the
//! state, and changes nothing.

use std::format;
use std::string::String;

use super::incoming::send;
use super::solo::{INVITE, Solo};
use super::{ANSWER, OFFER};
use crate::body::Content;
use crate::message::Method;
use crate::user_agent::{Addressee, CallId, CallState, Event};

/// A call of ours, or to us, at one point of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Calling,
    RingsThere,
    Answered,
    Stands,
    HungUp,
    Called,
    RingsHere,
    Accepted,
    TakenLong,
    Gone,
}

use At::{Accepted, Answered, Called, Calling, Gone, HungUp, RingsHere, RingsThere, Stands, TakenLong};

/// In the order of the rows below.
const ALL: [At; 10] =
    [Calling, RingsThere, Answered, Stands, HungUp, Gone, Called, RingsHere, Accepted, TakenLong];

fn at(point: At) -> (Solo, CallId) {
    let mut solo = Solo::registered();
    let call = match point {
        Calling | RingsThere | Answered | Stands | HungUp | Gone => {
            let call = solo.ua.call(solo.now, "bob", OFFER).unwrap();
            solo.drain();
            let invite = solo.request(&Method::Invite);
            if point != Calling {
                solo.reply(&invite, 180, "", "");
            }
            if !matches!(point, Calling | RingsThere) {
                solo.answer(&invite, "callee");
            }
            if matches!(point, HungUp | Gone) {
                solo.ua.hangup(solo.now, call).unwrap();
                solo.drain();
                solo.request(&Method::Ack);
                let bye = solo.request(&Method::Bye);
                if point == Gone {
                    solo.reply(&bye, 200, "", "");
                    solo.advance(crate::time::Duration::from_secs(40));
                }
            }
            call
        }
        Called | RingsHere | Accepted | TakenLong => {
            solo.send("INVITE", &INVITE, OFFER);
            solo.response(100);
            let Event::Incoming { call, .. } = solo.event() else { panic!() };
            if point == RingsHere {
                solo.ua.ring(solo.now, call).unwrap();
            }
            if matches!(point, Accepted | TakenLong) {
                solo.ua.accept(solo.now, call, ANSWER).unwrap();
                solo.drain();
                let ok = solo.response(200);
                send(&mut solo, &ok, "ACK", 10, &[], "");
            }
            call
        }
    };
    solo.drain();
    if matches!(point, Stands | TakenLong) {
        // Nothing of how it was made is kept any more.
        solo.advance(crate::time::Duration::from_secs(40));
    }
    solo.sent.clear();
    solo.events.clear();
    (solo, call)
}

type Command = fn(&mut Solo, CallId) -> Result<(), String>;

fn told<T, E: core::fmt::Debug>(outcome: Result<T, E>) -> Result<(), String> {
    outcome.map(drop).map_err(|error| format!("{error:?}"))
}

/// Each command, and for each point: `+` it does something, `s` [`CallState`] is named, `d` wrong direction, `t` nothing is
/// asked, `g` no such call, `n` no call that could be named, `u` UPDATE is not taken there, `p` nor is the package.
const ROWS: [(&str, Command, &str); 22] = [
    ("ring", |s, c| told(s.ua.ring(s.now, c)), "ddddsg++ss"),
    ("progress", |s, c| told(s.ua.progress(s.now, c, ANSWER)), "ddddsg++ss"),
    ("accept", |s, c| told(s.ua.accept(s.now, c, ANSWER)), "ddddsg++ss"),
    ("reject", |s, c| told(s.ua.reject(s.now, c, 486, None)), "ddddsg++ss"),
    ("redirect", |s, c| told(s.ua.redirect(s.now, c, 302, &[("carol", None)])), "ddddsg++ss"),
    ("cancel", |s, c| told(s.ua.cancel(s.now, c)), "++sssgdddd"),
    ("follow", |s, c| told(s.ua.follow(s.now, c, &[])), "sssssgdddd"),
    ("hangup", |s, c| told(s.ua.hangup(s.now, c)), "++++sg++++"),
    ("offer", |s, c| told(s.ua.offer(s.now, c, &newer(s, c))), "ss++sgss++"),
    ("hold", |s, c| told(s.ua.hold(s.now, c)), "ss++sgss++"),
    ("resume", |s, c| told(s.ua.resume(s.now, c)), "ss++sgss++"),
    ("offer_promptly", |s, c| told(s.ua.offer_promptly(s.now, c, &newer(s, c))), "ssuusgssuu"),
    ("solicit", |s, c| told(s.ua.solicit(s.now, c)), "ss++sgss++"),
    ("answer", |s, c| told(s.ua.answer(s.now, c, ANSWER)), "ttttsgtttt"),
    ("refuse", |s, c| told(s.ua.refuse(s.now, c)), "ttttsgtttt"),
    ("info", |s, c| told(s.ua.info(s.now, c, "application/dtmf-relay", "Signal=1\r\n")), "ss++sgss++"),
    ("info_package", |s, c| told(s.ua.info_package(s.now, c, "foo", None)), "ssppsgsspp"),
    ("request", |s, c| told(s.ua.request(s.now, waltz(), Addressee::Call(c), &[], None)), "ss++sgss++"),
    ("options", |s, c| told(s.ua.options(s.now, Addressee::Call(c))), "ss++sgss++"),
    ("message", |s, c| told(s.ua.message(s.now, Addressee::Call(c), text())), "ss++sgss++"),
    ("transfer", |s, c| told(s.ua.transfer(s.now, c, "carol")), "ss++sgss++"),
    ("call_about", |s, c| told(s.ua.call_about(s.now, "carol", OFFER, c)), "nnnnnnnnnn"),
];

fn text() -> Content {
    Content::new("text/plain", b"hello".to_vec())
}

fn waltz() -> Method {
    Method::Other("WALTZ".into())
}

fn newer(solo: &Solo, call: CallId) -> String {
    solo.ua.session(call).map_or_else(|| OFFER.into(), |session| super::reply(session, None))
}

#[test]
fn every_command_in_every_state() {
    for (name, command, outcomes) in ROWS {
        for (point, expected) in ALL.into_iter().zip(outcomes.chars()) {
            let (mut solo, call) = at(point);
            let before = solo.ua.call_state(call);
            let outcome = command(&mut solo, call);
            solo.drain();
            let error = outcome.as_ref().err().map_or("", |error| error);
            let states = [
                (CallState::Connecting, [Calling, Called]),
                (CallState::Ringing, [RingsThere, RingsHere]),
                (CallState::Established, [Answered, Accepted]),
                (CallState::Established, [Stands, TakenLong]),
                (CallState::Ended, [HungUp, HungUp]),
            ];
            let state = states.iter().find(|(_, at)| at.contains(&point)).map(|(state, _)| *state);
            assert_eq!(before, state, "{point:?}");
            let as_expected = match expected {
                '+' => outcome.is_ok(),
                's' => error == format!("WrongState({:?})", state.unwrap()),
                'd' => error == "WrongDirection",
                't' => error == "Description(Turn(Stable))",
                'u' => error == "NoUpdate",
                'p' => error == "PackageNotTaken",
                'g' => error == "NoSuchCall" || error == "NoDialog",
                _ => error == "NoTargetDialog",
            };
            assert!(as_expected, "{name} {point:?}: {outcome:?}");
            if outcome.is_err() {
                solo.nothing_sent();
                assert!(solo.events.is_empty(), "{name} {point:?}: {:?}", solo.events);
                assert_eq!(solo.ua.call_state(call), before);
            }
        }
    }
}
