//! `TrapezoidError`: what went wrong, as an `Error` a page can act on.

use sip_core::user_agent::{self as core, CallError, Cause, CommandError};
use wasm_bindgen::{JsCast as _, JsValue};

/// `FailureKind` of the API: one value per thing a person can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    WrongPassword,
    Forbidden,
    NotFound,
    Offline,
    Busy,
    Declined,
    NoAnswer,
    NoMicrophone,
    GatewayDown,
    NotAcceptable,
    MediaFailed,
    Timeout,
    ServerError,
    Rejected,
    InvalidArgument,
    InvalidState,
    TooManyCalls,
}

impl Kind {
    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong-password",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Offline => "offline",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::NoAnswer => "no-answer",
            Self::NoMicrophone => "no-microphone",
            Self::GatewayDown => "gateway-down",
            Self::NotAcceptable => "not-acceptable",
            Self::MediaFailed => "media-failed",
            Self::Timeout => "timeout",
            Self::ServerError => "server-error",
            Self::Rejected => "rejected",
            Self::InvalidArgument => "invalid-argument",
            Self::InvalidState => "invalid-state",
            Self::TooManyCalls => "too-many-calls",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::WrongPassword => "The user name or password is wrong",
            Self::Forbidden => "The server forbids it",
            Self::NotFound => "There is no such address",
            Self::Offline => "The other side is not available",
            Self::Busy => "The other side is busy",
            Self::Declined => "The other side declined",
            Self::NoAnswer => "There was no answer",
            Self::NoMicrophone => "No microphone can be used",
            Self::GatewayDown => "The gateway cannot be reached",
            Self::NotAcceptable => "The two sides have no common way to send sound",
            Self::MediaFailed => "The audio connection failed",
            Self::Timeout => "No answer came in time",
            Self::ServerError => "A server had a fault",
            Self::Rejected => "The request was refused",
            Self::InvalidArgument => "An argument is not valid",
            Self::InvalidState => "This is not possible now",
            Self::TooManyCalls => "There are too many calls at once",
        }
    }
}

/// A failure on its way to the page.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: Option<String>,
    status: Option<u16>,
    reason: Option<String>,
}

impl Failure {
    /// With a sentence of its own.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: Some(message.into()), status: None, reason: None }
    }

    /// Something that JavaScript threw.
    pub(crate) fn thrown(kind: Kind, thrown: &JsValue) -> Self {
        let detail = thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        Self::new(kind, [kind.sentence(), ": ", &detail.unwrap_or_default()].concat())
    }

    /// What a media factory or session threw: a `TrapezoidError` stays what it is, a refused microphone
    /// (`getUserMedia`'s exceptions) is told apart, the rest is trouble with media.
    pub(crate) fn of_media(thrown: JsValue) -> JsValue {
        let Some(error) = thrown.dyn_ref::<js_sys::Error>() else {
            return Self::from(Kind::MediaFailed).into();
        };
        let name = String::from(error.name());
        if name == "TrapezoidError" {
            return thrown;
        }
        const MICROPHONE: [&str; 4] =
            ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError"];
        let kind = if MICROPHONE.contains(&name.as_str()) { Kind::NoMicrophone } else { Kind::MediaFailed };
        Self::thrown(kind, &thrown).into()
    }
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Self { kind, message: None, status: None, reason: None }
    }
}

/// What the core found out by SIP.
impl From<core::Failure> for Failure {
    fn from(failure: core::Failure) -> Self {
        let kind = match failure.cause {
            Cause::WrongPassword => Kind::WrongPassword,
            Cause::Forbidden => Kind::Forbidden,
            Cause::NotFound => Kind::NotFound,
            Cause::Offline => Kind::Offline,
            Cause::Busy => Kind::Busy,
            Cause::Declined => Kind::Declined,
            Cause::NoAnswer => Kind::NoAnswer,
            Cause::NotAcceptable => Kind::NotAcceptable,
            Cause::Timeout | Cause::NotAcknowledged => Kind::Timeout,
            Cause::ServerError => Kind::ServerError,
            Cause::FlowLost => Kind::GatewayDown,
            Cause::OtherRealm | Cause::NoHa1 => Kind::InvalidArgument,
            // The status and reason tell.
            Cause::AuthenticationUnsupported
            | Cause::AnonymityDisallowed
            | Cause::Redirected
            | Cause::Expired
            | Cause::Ended
            | Cause::Rejected => Kind::Rejected,
        };
        let message = match failure.cause {
            Cause::OtherRealm => Some("`ha1` is for another `realm` than the one the server asks for"),
            Cause::NoHa1 => Some("`ha1` is of another algorithm than the server asks for"),
            _ => None,
        };
        let message = message.map(Into::into);
        Self { kind, message, status: failure.status, reason: failure.reason.map(Into::into) }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::InvalidTarget => {
                Self::new(Kind::InvalidArgument, "This is no address that can be called")
            }
            CallError::Insecure => {
                Self::new(Kind::InvalidArgument, "A sips address is called over a secure WebSocket alone")
            }
            CallError::Offline => Kind::GatewayDown.into(),
            CallError::TooManyCalls => Kind::TooManyCalls.into(),
            CallError::TooLarge => Self::new(Kind::MediaFailed, "The session description is too large"),
            _ => Kind::InvalidState.into(),
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::InvalidStatus(_) => {
                Self::new(Kind::InvalidArgument, "A call is refused with a status from 300 to 699")
            }
            CommandError::Offline => Kind::GatewayDown.into(),
            CommandError::TooLarge => Self::new(Kind::MediaFailed, "The session description is too large"),
            CommandError::WrongDirection => {
                Self::new(Kind::InvalidState, "This is not possible in this direction of call")
            }
            _ => Self::new(Kind::InvalidState, "The call is not in a state for this"),
        }
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let sentence = failure.kind.sentence();
        let message = match (&failure.message, &failure.reason) {
            (Some(message), _) => message.clone(),
            (None, Some(reason)) => [sentence, ": ", reason].concat(),
            (None, None) => sentence.into(),
        };
        let error = js_sys::Error::new(&message);
        error.set_name("TrapezoidError");
        set(&error, "kind", &failure.kind.name().into());
        if let Some(status) = failure.status {
            set(&error, "status", &status.into());
        }
        if let Some(reason) = failure.reason {
            set(&error, "reason", &reason.into());
        }
        error.into()
    }
}

impl From<Kind> for JsValue {
    fn from(kind: Kind) -> Self {
        Failure::from(kind).into()
    }
}

fn set(target: &JsValue, key: &str, value: &JsValue) {
    // A fresh object of ours takes every property.
    let _ = js_sys::Reflect::set(target, &key.into(), value);
}
