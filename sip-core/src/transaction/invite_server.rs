//! INVITE server transaction (RFC 3261 §17.2.1, figure 7 of RFC 6026).

use super::machine::{Action, ServerInput as Input};
use super::timers::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Proceeding,
    Completed,
    /// RFC 6026 §7.1.
    Accepted,
    Confirmed,
    Terminated,
}

/// One row of the table. Entering [`State::Proceeding`] asks for nothing: the user sends the 100 at once.
pub(super) const fn step(state: State, input: Input, reliable: bool) -> (State, &'static [Action]) {
    use Action::{Again, Pass, Resend, Send, Start, Stop, TimedOut, TransportFailed};
    match (state, input) {
        (State::Proceeding, Input::Trying | Input::Provisional) => (State::Proceeding, &[Send]),
        (State::Proceeding, Input::Success) => (State::Accepted, &[Send, Start(Timer::L)]),
        (State::Proceeding, Input::Failure | Input::FailureOnce | Input::Timeout) if reliable => {
            (State::Completed, &[Send, Start(Timer::H)])
        }
        // RFC 3261 §26.3.2.4: no Timer G for who has perhaps not asked. A copy that the network kept comes within T4.
        (State::Proceeding, Input::FailureOnce) => (State::Completed, &[Send, Start(Timer::I)]),
        (State::Proceeding, Input::Failure | Input::Timeout) => {
            (State::Completed, &[Send, Start(Timer::G), Start(Timer::H)])
        }
        (State::Proceeding | State::Completed, Input::Repeated) => (state, &[Resend]),
        (State::Completed, Input::Timer(Timer::G)) => (State::Completed, &[Resend, Again(Timer::G)]),
        (State::Completed, Input::Timer(Timer::H)) => (State::Terminated, &[TimedOut]),
        // Timer I is zero on reliable transports.
        (State::Completed, Input::Ack) if reliable => (State::Terminated, &[]),
        (State::Completed, Input::Ack) => (State::Confirmed, &[Stop, Start(Timer::I)]),
        (State::Completed | State::Confirmed, Input::Timer(Timer::I)) => (State::Terminated, &[]),
        // The user retransmits its 2xx; repeated INVITEs are absorbed.
        (State::Accepted, Input::Success) => (State::Accepted, &[Send]),
        (State::Accepted, Input::Ack) => (State::Accepted, &[Pass]),
        (State::Accepted, Input::Timer(Timer::L)) => (State::Terminated, &[]),
        // RFC 6026 §8.8: "MUST remain in the current state"
        (State::Proceeding | State::Completed | State::Accepted, Input::TransportError) => {
            (state, &[TransportFailed])
        }
        (state, _) => (state, &[]),
    }
}
