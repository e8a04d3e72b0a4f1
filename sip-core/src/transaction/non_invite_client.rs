//! Non-INVITE client transaction (RFC 3261 §17.1.2, figure 6).

use super::machine::{Action, ClientInput as Input};
use super::timers::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Entering [`State::Trying`].
pub(super) const fn start(reliable: bool) -> &'static [Action] {
    if reliable {
        &[Action::Send, Action::Start(Timer::F)]
    } else {
        &[Action::Send, Action::Start(Timer::E), Action::Start(Timer::F)]
    }
}

/// One row of the table.
pub(super) const fn step(state: State, input: Input, reliable: bool) -> (State, &'static [Action]) {
    use Action::{Again, AtT2, Pass, Send, Start, Stop, TimedOut, TransportFailed};
    match (state, input) {
        (State::Trying, Input::Timer(Timer::E)) => (State::Trying, &[Send, Again(Timer::E)]),
        (State::Proceeding, Input::Timer(Timer::E)) => (State::Proceeding, &[Send, AtT2(Timer::E)]),
        (State::Trying | State::Proceeding, Input::Timer(Timer::F)) => (State::Terminated, &[TimedOut]),
        (State::Trying | State::Proceeding, Input::TransportError) => (State::Terminated, &[TransportFailed]),
        (State::Trying | State::Proceeding, Input::Provisional) => (State::Proceeding, &[Pass]),
        // Timer K is zero on reliable transports.
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) if reliable => {
            (State::Terminated, &[Pass])
        }
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) => {
            (State::Completed, &[Stop, Pass, Start(Timer::K)])
        }
        (State::Completed, Input::Timer(Timer::K)) => (State::Terminated, &[]),
        (state, _) => (state, &[]),
    }
}
