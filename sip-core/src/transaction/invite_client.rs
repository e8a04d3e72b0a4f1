//! INVITE client transaction (RFC 3261 §17.1.1, figure 5 of RFC 6026).

use super::machine::{Action, ClientInput as Input};
use super::timers::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Calling,
    Proceeding,
    Completed,
    /// RFC 6026 §7.2.
    Accepted,
    Terminated,
}

/// Entering [`State::Calling`].
pub(super) const fn start(reliable: bool) -> &'static [Action] {
    if reliable {
        &[Action::Send, Action::Start(Timer::B)]
    } else {
        &[Action::Send, Action::Start(Timer::A), Action::Start(Timer::B)]
    }
}

/// One row of the table.
pub(super) const fn step(state: State, input: Input, reliable: bool) -> (State, &'static [Action]) {
    use Action::{Again, Pass, Send, SendAck, Start, Stop, TimedOut, TransportFailed};
    match (state, input) {
        (State::Calling, Input::Timer(Timer::A)) => (State::Calling, &[Send, Again(Timer::A)]),
        (State::Calling, Input::Timer(Timer::B)) => (State::Terminated, &[TimedOut]),
        // "SHOULD NOT retransmit the request any longer"; Timer B matters in Calling only.
        (State::Calling, Input::Provisional) => (State::Proceeding, &[Stop, Pass]),
        (State::Proceeding, Input::Provisional) => (State::Proceeding, &[Pass]),
        (State::Calling | State::Proceeding, Input::Success) => {
            (State::Accepted, &[Stop, Pass, Start(Timer::M)])
        }
        // An ACK goes out "even if the transport is reliable"; Timer D is then zero.
        (State::Calling | State::Proceeding, Input::Failure) if reliable => {
            (State::Terminated, &[SendAck, Pass])
        }
        (State::Calling | State::Proceeding, Input::Failure) => {
            (State::Completed, &[Stop, SendAck, Pass, Start(Timer::D)])
        }
        // §9.1: "the client SHOULD then consider the original transaction cancelled"
        (State::Proceeding, Input::Timer(Timer::Cancelled)) => (State::Terminated, &[TimedOut]),
        (State::Completed, Input::Failure) => (State::Completed, &[SendAck]),
        (State::Completed, Input::Timer(Timer::D)) => (State::Terminated, &[]),
        (State::Calling | State::Proceeding | State::Completed, Input::TransportError) => {
            (State::Terminated, &[TransportFailed])
        }
        (State::Accepted, Input::Success) => (State::Accepted, &[Pass]),
        (State::Accepted, Input::Timer(Timer::M)) => (State::Terminated, &[]),
        (state, _) => (state, &[]),
    }
}
