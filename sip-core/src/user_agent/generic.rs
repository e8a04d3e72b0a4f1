//! Requests by command: OPTIONS (RFC 3261 §11), MESSAGE (RFC 3428), INFO (RFC 6086), and whatever else an application
//! wants to say.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::requests::{Errand, Place, Whose};
use super::{CallId, CallState, RequestError, RequestId, UserAgent, target};
use crate::body::Content;
use crate::message::typed::{Accept, Allow, AllowEvents, InfoPackage, RecvInfo, Supported, TypedHeader};
use crate::message::{HeaderName, Method, Response, check_field, is_the_cores, is_token};
use crate::time::Instant;

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee<'a> {
    /// `bob`, `bob@example.com` or a SIP URI; the request is outside of dialogs.
    Target(&'a str),
    /// The other side of an established call; the request is in its dialog.
    Call(CallId),
}

/// The 2xx to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    response: Response,
}

/// What somebody can do (§11.2), as far as they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Methods; empty if nothing is said.
    pub allow: Vec<Method>,
    /// Media types.
    pub accept: Vec<SmolStr>,
    /// Option tags.
    pub supported: Vec<SmolStr>,
    /// Event packages (RFC 6665 §4.4.4).
    pub allow_events: Vec<SmolStr>,
    /// Info Packages (RFC 6086 §5.2); `None`: the mechanism is not known there.
    pub recv_info: Option<Vec<SmolStr>>,
}

impl Answer {
    pub(super) fn new(response: Response) -> Self {
        Self { response }
    }

    /// 200–299. A MESSAGE with 202 was taken by somebody who will deliver it later, perhaps (RFC 3428 §4).
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// The whole response.
    pub const fn response(&self) -> &Response {
        &self.response
    }

    /// What it says of its sender.
    pub fn capabilities(&self) -> Capabilities {
        let headers = self.response.headers();
        let recv_info =
            || headers.typed_all::<RecvInfo<'_>>().flatten().map(|info| info.package.into()).collect();
        Capabilities {
            allow: headers.typed_all::<Allow>().flatten().map(|allow| allow.0).collect(),
            accept: headers
                .typed_all::<Accept<'_>>()
                .flatten()
                .map(|accept| smol_str::format_smolstr!("{accept}"))
                .collect(),
            supported: headers
                .typed_all::<Supported<'_>>()
                .flatten()
                .map(|option| option.as_str().into())
                .collect(),
            allow_events: headers
                .typed_all::<AllowEvents<'_>>()
                .flatten()
                .map(|package| package.as_str().into())
                .collect(),
            recv_info: headers.has(HeaderName::RecvInfo).then(recv_info),
        }
    }
}

impl UserAgent {
    /// Asks what somebody can do; [`Answer::capabilities`] reads it.
    pub fn options(&mut self, now: Instant, to: Addressee<'_>) -> Result<RequestId, RequestError> {
        let errand = self.errand(Method::Options, to)?.with(HeaderName::Accept, "application/sdp");
        self.send_now(now, errand)
    }

    /// Sends a message to a person (RFC 3428). One at a time goes to each target; more wait for it. A success says
    /// that it arrived, not that anybody read it.
    ///
    /// Outside calls it is [`limits::MESSAGE_COMFORT`](crate::limits::MESSAGE_COMFORT) bytes at most, header fields
    /// included, unless [`Config::congestion_safe`](super::Config::congestion_safe) is set.
    pub fn message(
        &mut self,
        now: Instant,
        to: Addressee<'_>,
        content: Content,
    ) -> Result<RequestId, RequestError> {
        let errand = self.errand(Method::Message, to)?.with_content(Some(content));
        self.send_now(now, errand)
    }

    /// Sends an INFO without a package in an established call: DTMF for those who take no RFC 4733 events.
    pub fn info(
        &mut self,
        now: Instant,
        call: CallId,
        content_type: &str,
        body: &str,
    ) -> Result<RequestId, RequestError> {
        let content = Content::new(content_type, body.as_bytes().to_vec());
        let errand = self.errand(Method::Info, Addressee::Call(call))?.with_content(Some(content));
        self.send_now(now, errand)
    }

    /// Sends an INFO of a package (RFC 6086) in an established call, if the other side takes it. `package` may have
    /// parameters: `foo;x=1`.
    pub fn info_package(
        &mut self,
        now: Instant,
        call: CallId,
        package: &str,
        content: Option<Content>,
    ) -> Result<RequestId, RequestError> {
        let errand = self.errand(Method::Info, Addressee::Call(call))?;
        let name = InfoPackage::parse(package).map_err(|_| RequestError::PackageNotTaken)?.package;
        let usage = self.calls.get(&call).and_then(|call| call.usage.as_ref());
        let taken = usage.and_then(|usage| usage.info_packages.as_ref());
        if !taken.is_some_and(|taken| taken.iter().any(|taken| taken == name)) {
            return Err(RequestError::PackageNotTaken);
        }
        let mut errand = errand.with(HeaderName::InfoPackage, package);
        if content.is_some() {
            // RFC 6086 §4.3.1.
            errand = errand.with(HeaderName::ContentDisposition, "Info-Package");
        }
        self.send_now(now, errand.with_content(content))
    }

    /// Sends any request that has no command of its own. `fields` are header fields by name; those that make the
    /// request one of ours (Via, From, Route, …) are not the caller's to write.
    pub fn request(
        &mut self,
        now: Instant,
        method: Method,
        to: Addressee<'_>,
        fields: &[(&str, &str)],
        content: Option<Content>,
    ) -> Result<RequestId, RequestError> {
        let own = [
            Method::Invite,
            Method::Ack,
            Method::Bye,
            Method::Cancel,
            Method::Register,
            Method::Subscribe,
            Method::Notify,
            Method::Update,
            Method::Prack,
            Method::Refer,
        ];
        if own.contains(&method) || !is_token(method.as_str()) {
            return Err(RequestError::InvalidMethod);
        }
        let mut errand = self.errand(method, to)?.with_content(content);
        for (name, value) in fields {
            if is_the_cores(check_field(name, value).map_err(RequestError::Field)?) {
                return Err(RequestError::ReservedField((*name).into()));
            }
            errand.fields.push(((*name).into(), (*value).into()));
        }
        self.send_now(now, errand)
    }

    fn errand(&mut self, method: Method, to: Addressee<'_>) -> Result<Errand, RequestError> {
        if self.is_shutting_down() {
            return Err(RequestError::ShutDown);
        }
        let place = match to {
            Addressee::Target(text) => Place::Outside(self.stranger_at(text)?),
            Addressee::Call(call) => {
                let state = self.call_state(call).ok_or(RequestError::NoDialog)?;
                if state != CallState::Established {
                    return Err(RequestError::WrongState(state));
                }
                Place::Call(call)
            }
        };
        Ok(Errand::new(Whose::Application, method, place))
    }

    /// Who is meant by what a person types.
    pub(super) fn stranger_at(&mut self, text: &str) -> Result<super::requests::Stranger, RequestError> {
        let uri = target::parse(text, self.config.aor.domain()).ok_or(RequestError::InvalidTarget)?;
        Ok(self.stranger(uri))
    }

    fn send_now(&mut self, now: Instant, errand: Errand) -> Result<RequestId, RequestError> {
        let request = self.dispatch(now, errand)?;
        self.settle(now);
        Ok(request)
    }
}
