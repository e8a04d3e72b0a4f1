//! What listeners are told.

use std::borrow::Cow;

use serde::Serialize;
use sip_core::body::Content;
use sip_core::body::message_summary::MessageSummary;
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

/// `UserAgentEvents["notify"]`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotifyEvent<'a> {
    package: &'a str,
    from: RemoteIdentity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_summary: Option<Summary<'a>>,
}

/// `MessageSummary`.
#[derive(Serialize)]
struct Summary<'a> {
    waiting: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
    counts: Vec<Count<'a>>,
}

/// `MessageCount`.
#[derive(Serialize)]
struct Count<'a> {
    class: Cow<'a, str>,
    new: u32,
    old: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgent: Option<Urgent>,
}

#[derive(Serialize)]
struct Urgent {
    new: u32,
    old: u32,
}

impl<'a> NotifyEvent<'a> {
    pub(crate) fn new(package: &'a str, from: &'a Identity, content: Option<&'a Content>) -> Self {
        let summary = content.filter(|_| package == "message-summary");
        Self {
            package,
            from: from.into(),
            content_type: content.map(|content| content.content_type.as_str()),
            body: content.map(|content| String::from_utf8_lossy(&content.body)),
            message_summary: summary
                .and_then(|content| MessageSummary::parse(&content.body).ok())
                .map(Into::into),
        }
    }
}

impl<'a> From<MessageSummary<'a>> for Summary<'a> {
    fn from(summary: MessageSummary<'a>) -> Self {
        let count = |(class, counts): (Cow<'a, str>, sip_core::body::message_summary::Counts)| Count {
            class,
            new: counts.new,
            old: counts.old,
            urgent: counts.urgent.map(|(new, old)| Urgent { new, old }),
        };
        let MessageSummary { waiting, account, counts, .. } = summary;
        Self { waiting, account, counts: counts.into_iter().map(count).collect() }
    }
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
