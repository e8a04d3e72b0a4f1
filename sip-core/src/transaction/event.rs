//! What the layer is told and what it tells.

use bytes::Bytes;

use crate::message::Response;
use crate::transport::Hop;

/// Names a client transaction; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Names a server transaction; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Handle {
    Client(ClientId),
    Server(ServerId),
}

/// What a received request is to the transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A new request, and the server transaction made for it.
    New(ServerId),
    /// A new CANCEL (§9.2): a transaction of its own, which the user answers.
    Cancel {
        /// The CANCEL's own transaction.
        cancel: ServerId,
        /// The INVITE transaction it names, whatever its state; `None` asks for 481.
        invite: Option<ServerId>,
    },
    /// An ACK that no transaction consumes: it belongs to a 2xx (§13.2.2.4, RFC 6026 §7.1) or to nothing.
    AckToSuccess,
    /// A retransmission, answered or ignored, or the ACK to a non-2xx answer: nothing to do.
    Absorbed,
    /// [`super::Caps`] are reached: answer 503 statelessly.
    Full,
}

/// What the layer tells its user.
///
/// A transaction's last event is always its `ClientTerminated` or `ServerTerminated`, except that after
/// [`super::Layer::abandon`] nothing more comes. Until that event has been polled, what the layer knows of the
/// transaction can still be asked for.
#[derive(Clone, Debug)]
pub enum Event {
    /// A response for the user: every provisional one, the first final one, and for INVITE each further 2xx
    /// (RFC 6026 §7.2). The layer has already acknowledged non-2xx answers to INVITE.
    Response {
        /// Of which request.
        client: ClientId,
        /// The response.
        response: Response,
    },
    /// Timer B or F fired, or a cancelled INVITE got no final answer (§9.1).
    TimedOut {
        /// Which one.
        client: ClientId,
    },
    /// The flow is gone (§17.1.4).
    TransportFailed {
        /// Which one.
        client: ClientId,
    },
    /// The client transaction is over.
    ClientTerminated {
        /// Which one.
        client: ClientId,
    },
    /// Timer H fired: no ACK to the non-2xx answer ever came (§17.2.1).
    AckTimedOut {
        /// Which one.
        server: ServerId,
    },
    /// A response cannot be sent, for the flow is gone. Told once a flow; the transaction stays as it is
    /// (RFC 6026 §7.1), for the client may repeat its request over another flow.
    ServerTransportFailed {
        /// Which one.
        server: ServerId,
    },
    /// The server transaction is over.
    ServerTerminated {
        /// Which one.
        server: ServerId,
    },
}

impl Event {
    /// The client transaction it is about.
    pub const fn client(&self) -> Option<ClientId> {
        match self {
            Self::Response { client, .. }
            | Self::TimedOut { client }
            | Self::TransportFailed { client }
            | Self::ClientTerminated { client } => Some(*client),
            Self::AckTimedOut { .. } | Self::ServerTransportFailed { .. } | Self::ServerTerminated { .. } => {
                None
            }
        }
    }
}

/// What the layer wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send `message` over `to`; failure is told with [`super::Layer::flow_closed`].
    Transmit {
        /// Where to.
        to: Hop,
        /// The message.
        message: Bytes,
    },
    /// Tell the transaction user.
    Event(Event),
}

/// What was refused or dropped, since the layer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions not made because [`super::Caps`] were reached.
    pub refused: u64,
    /// Responses that matched no transaction (RFC 6026 §7.2).
    pub stray_responses: u64,
    /// Outputs dropped because [`crate::limits::OUTPUTS`] was reached.
    pub dropped_outputs: u64,
}
