//! Every state of every machine with every input, over both kinds of transport, against the figures: a row that
//! the figure has is listed here, and all others must change nothing.

use core::fmt::Debug;
use std::vec::Vec;

use crate::transaction::machine::Action::{self, *};
use crate::transaction::machine::{ClientInput, ServerInput};
use crate::transaction::timers::Timer;
use crate::transaction::{invite_client, invite_server, non_invite_client, non_invite_server};

const TIMERS: [Timer; 14] = [
    Timer::A,
    Timer::B,
    Timer::D,
    Timer::E,
    Timer::F,
    Timer::G,
    Timer::H,
    Timer::I,
    Timer::J,
    Timer::K,
    Timer::L,
    Timer::M,
    Timer::Cancelled,
    Timer::Trying,
];

/// On which transports a row holds.
#[derive(Clone, Copy, PartialEq)]
enum On {
    Both,
    Reliable,
    Unreliable,
}
use On::{Both, Reliable, Unreliable};

type Row<S, I> = (On, S, I, S, &'static [Action]);

fn check<S: Copy + PartialEq + Debug, I: Copy + PartialEq + Debug>(
    states: &[S],
    inputs: &[I],
    rows: &[Row<S, I>],
    step: impl Fn(S, I, bool) -> (S, &'static [Action]),
) {
    let mut used = 0;
    for reliable in [false, true] {
        let on = if reliable { Reliable } else { Unreliable };
        for state in states {
            for input in inputs {
                let mut matching =
                    rows.iter().filter(|r| (r.0 == Both || r.0 == on) && r.1 == *state && r.2 == *input);
                let expected = matching.next().map_or((*state, &[][..]), |row| {
                    used += if row.0 == Both { 1 } else { 2 };
                    (row.3, row.4)
                });
                assert!(matching.next().is_none(), "{state:?} {input:?} is listed twice");
                assert_eq!(
                    step(*state, *input, reliable),
                    expected,
                    "{state:?} × {input:?}, reliable: {reliable}"
                );
            }
        }
    }
    assert_eq!(used, rows.len() * 2, "a row names a state or input that does not exist");
}

fn client_inputs() -> Vec<ClientInput> {
    let mut inputs = std::vec![
        ClientInput::Provisional,
        ClientInput::Success,
        ClientInput::Failure,
        ClientInput::TransportError,
    ];
    inputs.extend(TIMERS.map(ClientInput::Timer));
    inputs
}

fn server_inputs() -> Vec<ServerInput> {
    let mut inputs = std::vec![
        ServerInput::Trying,
        ServerInput::Provisional,
        ServerInput::Success,
        ServerInput::Failure,
        ServerInput::FailureOnce,
        ServerInput::Timeout,
        ServerInput::Repeated,
        ServerInput::Ack,
        ServerInput::TransportError,
    ];
    inputs.extend(TIMERS.map(ServerInput::Timer));
    inputs
}

#[test]
fn invite_client() {
    use ClientInput::{Failure, Provisional, Success, TransportError};
    use invite_client::State::{Accepted, Calling, Completed, Proceeding, Terminated};
    let timer = ClientInput::Timer;
    let rows: &[Row<_, _>] = &[
        (Both, Calling, timer(Timer::A), Calling, &[Send, Again(Timer::A)]),
        (Both, Calling, timer(Timer::B), Terminated, &[TimedOut]),
        (Both, Calling, TransportError, Terminated, &[TransportFailed]),
        (Both, Calling, Provisional, Proceeding, &[Stop, Pass]),
        (Both, Calling, Success, Accepted, &[Stop, Pass, Start(Timer::M)]),
        (Unreliable, Calling, Failure, Completed, &[Stop, SendAck, Pass, Start(Timer::D)]),
        (Reliable, Calling, Failure, Terminated, &[SendAck, Pass]),
        (Both, Proceeding, Provisional, Proceeding, &[Pass]),
        (Both, Proceeding, Success, Accepted, &[Stop, Pass, Start(Timer::M)]),
        (Unreliable, Proceeding, Failure, Completed, &[Stop, SendAck, Pass, Start(Timer::D)]),
        (Reliable, Proceeding, Failure, Terminated, &[SendAck, Pass]),
        (Both, Proceeding, timer(Timer::Cancelled), Terminated, &[TimedOut]),
        (Both, Proceeding, TransportError, Terminated, &[TransportFailed]),
        (Both, Completed, Failure, Completed, &[SendAck]),
        (Both, Completed, TransportError, Terminated, &[TransportFailed]),
        (Both, Completed, timer(Timer::D), Terminated, &[]),
        (Both, Accepted, Success, Accepted, &[Pass]),
        (Both, Accepted, timer(Timer::M), Terminated, &[]),
    ];
    let states = [Calling, Proceeding, Completed, Accepted, Terminated];
    check(&states, &client_inputs(), rows, invite_client::step);
    assert_eq!(invite_client::start(false), [Send, Start(Timer::A), Start(Timer::B)]);
    assert_eq!(invite_client::start(true), [Send, Start(Timer::B)]);
}

#[test]
fn non_invite_client() {
    use ClientInput::{Failure, Provisional, Success, TransportError};
    use non_invite_client::State::{Completed, Proceeding, Terminated, Trying};
    let timer = ClientInput::Timer;
    let rows: &[Row<_, _>] = &[
        (Both, Trying, timer(Timer::E), Trying, &[Send, Again(Timer::E)]),
        (Both, Trying, timer(Timer::F), Terminated, &[TimedOut]),
        (Both, Trying, TransportError, Terminated, &[TransportFailed]),
        (Both, Trying, Provisional, Proceeding, &[Pass]),
        (Unreliable, Trying, Success, Completed, &[Stop, Pass, Start(Timer::K)]),
        (Unreliable, Trying, Failure, Completed, &[Stop, Pass, Start(Timer::K)]),
        (Reliable, Trying, Success, Terminated, &[Pass]),
        (Reliable, Trying, Failure, Terminated, &[Pass]),
        (Both, Proceeding, timer(Timer::E), Proceeding, &[Send, AtT2(Timer::E)]),
        (Both, Proceeding, timer(Timer::F), Terminated, &[TimedOut]),
        (Both, Proceeding, TransportError, Terminated, &[TransportFailed]),
        (Both, Proceeding, Provisional, Proceeding, &[Pass]),
        (Unreliable, Proceeding, Success, Completed, &[Stop, Pass, Start(Timer::K)]),
        (Unreliable, Proceeding, Failure, Completed, &[Stop, Pass, Start(Timer::K)]),
        (Reliable, Proceeding, Success, Terminated, &[Pass]),
        (Reliable, Proceeding, Failure, Terminated, &[Pass]),
        (Both, Completed, timer(Timer::K), Terminated, &[]),
    ];
    let states = [Trying, Proceeding, Completed, Terminated];
    check(&states, &client_inputs(), rows, non_invite_client::step);
    assert_eq!(non_invite_client::start(false), [Send, Start(Timer::E), Start(Timer::F)]);
    assert_eq!(non_invite_client::start(true), [Send, Start(Timer::F)]);
}

#[test]
fn invite_server() {
    use ServerInput::{
        Ack, Failure, FailureOnce, Provisional, Repeated, Success, Timeout, TransportError, Trying,
    };
    use invite_server::State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
    let timer = ServerInput::Timer;
    let rows: &[Row<_, _>] = &[
        (Both, Proceeding, Trying, Proceeding, &[Send]),
        (Both, Proceeding, Provisional, Proceeding, &[Send]),
        (Both, Proceeding, Repeated, Proceeding, &[Resend]),
        (Both, Proceeding, TransportError, Proceeding, &[TransportFailed]),
        (Both, Proceeding, Success, Accepted, &[Send, Start(Timer::L)]),
        (Unreliable, Proceeding, Failure, Completed, &[Send, Start(Timer::G), Start(Timer::H)]),
        (Unreliable, Proceeding, Timeout, Completed, &[Send, Start(Timer::G), Start(Timer::H)]),
        (Unreliable, Proceeding, FailureOnce, Completed, &[Send, Start(Timer::I)]),
        (Reliable, Proceeding, Failure, Completed, &[Send, Start(Timer::H)]),
        (Reliable, Proceeding, FailureOnce, Completed, &[Send, Start(Timer::H)]),
        (Reliable, Proceeding, Timeout, Completed, &[Send, Start(Timer::H)]),
        (Both, Completed, Repeated, Completed, &[Resend]),
        (Both, Completed, timer(Timer::G), Completed, &[Resend, Again(Timer::G)]),
        (Both, Completed, timer(Timer::H), Terminated, &[TimedOut]),
        (Both, Completed, TransportError, Completed, &[TransportFailed]),
        (Unreliable, Completed, Ack, Confirmed, &[Stop, Start(Timer::I)]),
        (Reliable, Completed, Ack, Terminated, &[]),
        (Both, Completed, timer(Timer::I), Terminated, &[]),
        (Both, Confirmed, timer(Timer::I), Terminated, &[]),
        (Both, Accepted, Success, Accepted, &[Send]),
        (Both, Accepted, Ack, Accepted, &[Pass]),
        (Both, Accepted, TransportError, Accepted, &[TransportFailed]),
        (Both, Accepted, timer(Timer::L), Terminated, &[]),
    ];
    let states = [Proceeding, Completed, Accepted, Confirmed, Terminated];
    check(&states, &server_inputs(), rows, invite_server::step);
}

#[test]
fn non_invite_server() {
    use ServerInput::{Failure, Repeated, Success, Timeout, TransportError};
    use non_invite_server::State::{Completed, Proceeding, Terminated, Trying};
    let timer = ServerInput::Timer;
    let rows: &[Row<_, _>] = &[
        (Reliable, Trying, ServerInput::Trying, Proceeding, &[Stop, Send]),
        (Both, Trying, timer(Timer::Trying), Proceeding, &[SendTrying]),
        (Unreliable, Trying, Success, Completed, &[Stop, Send, Start(Timer::J)]),
        (Unreliable, Trying, Failure, Completed, &[Stop, Send, Start(Timer::J)]),
        (Unreliable, Trying, Timeout, Completed, &[Stop, Forget, Start(Timer::J)]),
        (Reliable, Trying, Success, Terminated, &[Send]),
        (Reliable, Trying, Failure, Terminated, &[Send]),
        (Reliable, Trying, Timeout, Terminated, &[]),
        (Both, Proceeding, ServerInput::Trying, Proceeding, &[Send]),
        (Both, Proceeding, Repeated, Proceeding, &[Resend]),
        (Both, Proceeding, TransportError, Proceeding, &[TransportFailed]),
        (Unreliable, Proceeding, Success, Completed, &[Stop, Send, Start(Timer::J)]),
        (Unreliable, Proceeding, Failure, Completed, &[Stop, Send, Start(Timer::J)]),
        (Unreliable, Proceeding, Timeout, Completed, &[Stop, Forget, Start(Timer::J)]),
        (Reliable, Proceeding, Success, Terminated, &[Send]),
        (Reliable, Proceeding, Failure, Terminated, &[Send]),
        (Reliable, Proceeding, Timeout, Terminated, &[]),
        (Both, Completed, Repeated, Completed, &[Resend]),
        (Both, Completed, timer(Timer::J), Terminated, &[]),
        (Both, Completed, TransportError, Completed, &[TransportFailed]),
    ];
    let states = [Trying, Proceeding, Completed, Terminated];
    check(&states, &server_inputs(), rows, non_invite_server::step);
    assert_eq!(non_invite_server::start(), [Start(Timer::Trying)]);
}
