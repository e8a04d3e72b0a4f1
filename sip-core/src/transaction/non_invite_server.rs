//! Non-INVITE server transaction (RFC 3261 §17.2.2, figure 8, RFC 4320 §4).

use super::machine::{Action, ServerInput as Input};
use super::timers::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Entering [`State::Trying`]. RFC 4320 §4.1: "Without regard to transport", a request that has no answer when its
/// client's Timer E would be reset to T2 gets a 100.
pub(super) const fn start() -> &'static [Action] {
    &[Action::Start(Timer::Trying)]
}

/// One row of the table.
pub(super) const fn step(state: State, input: Input, reliable: bool) -> (State, &'static [Action]) {
    use Action::{Forget, Resend, Send, SendTrying, Start, Stop, TransportFailed};
    match (state, input) {
        // RFC 4320 §4.1: over an unreliable transport not before [`Timer::Trying`] fires, and then it is sent here.
        (State::Trying, Input::Trying) if reliable => (State::Proceeding, &[Stop, Send]),
        (State::Trying, Input::Timer(Timer::Trying)) => (State::Proceeding, &[SendTrying]),
        (State::Proceeding, Input::Trying) => (State::Proceeding, &[Send]),
        // RFC 4320 §4.1: no provisional response other than 100 is ever sent, so `Provisional` is in no row.
        // Timer J is zero on reliable transports.
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) if reliable => {
            (State::Terminated, &[Send])
        }
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) => {
            (State::Completed, &[Stop, Send, Start(Timer::J)])
        }
        // RFC 4320 §4.2: 408 is never sent; the transaction ends without a final response.
        (State::Trying | State::Proceeding, Input::Timeout) if reliable => (State::Terminated, &[]),
        (State::Trying | State::Proceeding, Input::Timeout) => {
            (State::Completed, &[Stop, Forget, Start(Timer::J)])
        }
        (State::Proceeding | State::Completed, Input::Repeated) => (state, &[Resend]),
        (State::Completed, Input::Timer(Timer::J)) => (State::Terminated, &[]),
        // RFC 6026 §8.8: "MUST remain in the current state"
        (State::Proceeding | State::Completed, Input::TransportError) => (state, &[TransportFailed]),
        (state, _) => (state, &[]),
    }
}
