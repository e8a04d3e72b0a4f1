//! The vocabulary the four machines share: what comes in and what they ask for.

use super::timers::Timer;

/// What happens to a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientInput {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 300–699.
    Failure,
    /// A timer ran out.
    Timer(Timer),
    /// The flow is gone.
    TransportError,
}

/// What happens to a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerInput {
    /// The user answers 100.
    Trying,
    /// The user answers 101–199.
    Provisional,
    /// The user answers 2xx.
    Success,
    /// The user answers 300–699 other than 408.
    Failure,
    /// The user answers 300–699 to an INVITE whose sender may be forged: whoever asks again hears it again, and nobody else.
    FailureOnce,
    /// The user answers 408.
    Timeout,
    /// The request came again.
    Repeated,
    /// ACK.
    Ack,
    /// A timer ran out.
    Timer(Timer),
    /// A response could not be sent.
    TransportError,
}

/// What a machine asks for, in order. Entering `Terminated` destroys the transaction and needs no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Client: send the request. Server: send the response at hand, and remember it.
    Send,
    /// Server: send the remembered response.
    Resend,
    /// Server: make, send and remember a 100.
    SendTrying,
    /// Client: acknowledge the non-2xx answer.
    SendAck,
    /// Server: forget the remembered response, so that repeated requests get silence.
    Forget,
    /// Pass the response or ACK at hand to the user.
    Pass,
    /// Start a timer at its first duration.
    Start(Timer),
    /// Start a retransmission timer at its next duration.
    Again(Timer),
    /// Start a retransmission timer at T2.
    AtT2(Timer),
    /// Stop every timer.
    Stop,
    /// Tell the user that no answer, or no ACK, came.
    TimedOut,
    /// Tell the user that the transport failed.
    TransportFailed,
}
