//! The user agent: registration, and calls to and from one address-of-record over one flow or several (RFC 3261 §8,
//! §10, §13–§15, RFC 5626 §4, RFC 7118).
//!
//! A call outlives its flow: while there is none, or it is not registered yet, requests within dialogs wait.
//!
//! What it does not do: media (descriptions come from outside and are judged, edited only for hold).

mod authorization;
mod binding;
mod bodies;
mod call;
mod checks;
mod config;
mod continuity;
mod credentials;
mod dialog_info;
mod endpoint;
mod error;
mod event;
mod event_state;
mod failure;
mod farewell;
mod few;
mod flows;
mod generic;
mod incoming;
mod join;
mod load;
mod local;
mod messages;
mod outgoing;
mod presentation;
mod publications;
mod received;
mod referrals;
mod registrar_answers;
mod registration;
mod repeats;
mod replaces;
mod requests;
mod session;
mod snapshot;
mod subscriptions;
mod target;
mod target_dialog;
#[cfg(test)]
mod tests;
mod transfer;
mod unsolicited;
mod watchers;
mod with;

pub use binding::Binding;
pub use call::Redirection;
pub use config::{Aor, AorError, Config, ContactAs, OutboundFlow, PushService, ThirdParty};
pub use endpoint::UserAgent;
pub use error::{
    CallError, CommandError, EventsError, MessageError, ReferralError, RegisterError, RequestError,
    RestoreError, TokenError,
};
pub use event::{
    CallId, CallState, CredentialsId, Event, Identity, Input, MessageId, Output, RegistrationState, RequestId,
};
pub use failure::{Cause, End, Failure, ReasonValue, Reasons, Side, Withdrawal};
pub use generic::{Addressee, Answer, Capabilities};
pub use load::{Counters, Load};
pub use presentation::{Presentation, PresentationError};
pub use publications::{PublicationId, PublicationUpdate};
pub use referrals::ReferralId;
pub use replaces::Replacement;
pub use snapshot::{CallSnapshot, Continuation, SnapshotError};
pub use subscriptions::{SubscriptionEnd, SubscriptionId, SubscriptionUpdate};
pub use transfer::{TransferEnd, TransferId, TransferUpdate};
pub use watchers::{WatcherEnd, WatcherId, WatcherUpdate};
pub use with::With;

use endpoint::{Purpose, body_text};
