//! What listeners are told.

use serde::Serialize;
use sip_core::user_agent::{CallState, End, Identity, Reasons, RegistrationState, Side};
use wasm_bindgen::JsValue;

/// `UserAgentEvents["connection"]`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionEvent {
    pub(crate) state: &'static str,
    #[serde(with = "serde_wasm_bindgen::preserve", skip_serializing_if = "JsValue::is_undefined")]
    pub(crate) error: JsValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_in: Option<f64>,
}

/// `UserAgentEvents["registration"]`.
#[derive(Serialize)]
pub(crate) struct RegistrationEvent {
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<f64>,
    #[serde(with = "serde_wasm_bindgen::preserve", skip_serializing_if = "JsValue::is_undefined")]
    pub(crate) error: JsValue,
}

/// `UserAgentEvents["incoming"]`.
#[derive(Serialize)]
pub(crate) struct IncomingEvent {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub(crate) call: JsValue,
}

/// `CallEvents["state"]`.
#[derive(Serialize)]
pub(crate) struct StateEvent<'a> {
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
}

/// `CallEvents["muted"]`.
#[derive(Serialize)]
pub(crate) struct MutedEvent {
    pub(crate) muted: bool,
}

/// `CallEvents["stream"]`.
#[derive(Serialize)]
pub(crate) struct StreamEvent {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub(crate) stream: JsValue,
}

/// `CallEvents["warning"]`.
#[derive(Serialize)]
pub(crate) struct WarningEvent {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub(crate) error: JsValue,
}

/// `CallEnd`, a union over `cause`.
#[derive(Serialize)]
pub(crate) struct EndEvent {
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(with = "serde_wasm_bindgen::preserve", skip_serializing_if = "JsValue::is_undefined")]
    error: JsValue,
}

impl EndEvent {
    const fn of(cause: &'static str) -> Self {
        Self { cause, by: None, reason: None, status: None, error: JsValue::UNDEFINED }
    }

    pub(crate) fn failed(error: JsValue) -> Self {
        Self { error, ..Self::of("failed") }
    }
}

impl From<End> for EndEvent {
    fn from(end: End) -> Self {
        match end {
            End::Hangup { by, reason } => {
                Self { by: Some(side(by)), reason: text(reason), ..Self::of("hangup") }
            }
            End::Canceled { by, reason } => {
                Self { by: Some(side(by)), reason: text(reason), ..Self::of("canceled") }
            }
            End::Replaced { .. } => Self::of("replaced"),
            End::AnsweredElsewhere { reason } => {
                Self { reason: text(Some(reason)), ..Self::of("answered-elsewhere") }
            }
            End::Rejected { status, .. } => Self { status: Some(status), ..Self::of("rejected") },
            End::Failed(failure) => Self::failed(crate::error::Failure::from(failure).into()),
        }
    }
}

/// `RemoteIdentity`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoteIdentity<'a> {
    uri: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
}

impl<'a> From<&'a Identity> for RemoteIdentity<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self { uri: &identity.uri, user: &identity.user, display_name: identity.display_name.as_deref() }
    }
}

/// As a plain object. None of the types above can fail.
pub(crate) fn value(event: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(event).unwrap_or_default()
}

/// `RegistrationState` of the API.
pub(crate) const fn registration_name(state: RegistrationState) -> &'static str {
    match state {
        RegistrationState::Unregistered => "unregistered",
        RegistrationState::Registering => "registering",
        RegistrationState::Registered => "registered",
        RegistrationState::Unregistering => "unregistering",
    }
}

/// `CallState` of the API.
pub(crate) const fn call_name(state: CallState) -> &'static str {
    match state {
        CallState::Connecting => "connecting",
        CallState::Ringing => "ringing",
        CallState::Established => "established",
        CallState::Ended => "ended",
    }
}

/// Its words, where it has any.
fn text(reason: Option<Reasons>) -> Option<String> {
    reason?.text().map(Into::into)
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Local => "local",
        Side::Remote => "remote",
    }
}
