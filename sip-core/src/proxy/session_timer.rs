//! Session timers that a proxy asks for, so that it hears of calls whose ends vanished (RFC 4028 §8).

use alloc::string::ToString;

use crate::message::digits::Decimal;
use crate::message::typed::{MinSe, SessionExpires};
use crate::message::{HeaderName, Method, Request, Response, Rewrite};

/// The option tag (RFC 4028 §3).
const TAG: &str = "timer";

/// Min-SE where none stands, and the least that may stand (RFC 4028 §5), seconds.
pub const LEAST: u32 = 90;

/// What a proxy wants of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// The session interval asked for where none is, and the longest that is left as it is; seconds, not below `least`.
    pub interval: u32,
    /// The shortest that is accepted, seconds; not below [`LEAST`].
    pub least: u32,
}

/// What was asked for one session, to be remembered until its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Session-Expires of the request as it goes on.
    interval: u32,
    /// Min-SE of the request as it goes on, where that is another than it came with.
    least: Option<u32>,
    /// Whether who asks has timers.
    supported: bool,
}

impl SessionTimer {
    /// Whether a request asks for more refreshes than are accepted and would understand why it is refused (422, with this Min-SE).
    pub fn refuses(self, request: &Request) -> Option<u32> {
        let asked =
            is_refresh(request).then(|| request.headers().typed::<SessionExpires<'_>>().ok()?)??;
        (asked.interval < self.least && supports(request)).then_some(self.least)
    }

    /// What a request that is not refused goes on with (§8.1). `None`: as it came, as it is for no session or cannot be read.
    pub(super) fn asks(self, request: &Request) -> Option<Asked> {
        if !is_refresh(request) {
            return None;
        }
        let headers = request.headers();
        let asked = headers.typed::<SessionExpires<'_>>().ok()?.map(|asked| asked.interval);
        let least = headers.typed::<MinSe<'_>>().ok()?.map(|least| least.interval);
        let supported = supports(request);
        // "MUST NOT insert a Min-SE header field or modify the value" where the sender has timers.
        let raised = match asked {
            Some(asked) if !supported && asked < self.least => {
                Some(self.least).filter(|ours| least.is_none_or(|least| least < *ours))
            }
            _ => None,
        };
        let floor = raised.or(least).unwrap_or(LEAST);
        let interval = match asked {
            None => self.interval.max(floor),
            Some(asked) if asked < floor => floor,
            Some(asked) => asked.min(self.interval.max(floor)),
        };
        Some(Asked { interval, least: raised, supported })
    }
}

impl Asked {
    /// §8.1. The refresher is not ours to name.
    pub(super) fn in_request(self, rewrite: &mut Rewrite<'_>, request: &Request) {
        match request.headers().typed::<SessionExpires<'_>>() {
            Ok(Some(there)) if there.interval == self.interval => {}
            Ok(Some(there)) => {
                let changed = SessionExpires { interval: self.interval, ..there };
                rewrite.set(HeaderName::SessionExpires, &changed.to_string());
            }
            _ => rewrite.append(HeaderName::SessionExpires, Decimal::new(self.interval.into()).as_str()),
        }
        if let Some(least) = self.least {
            rewrite.set(HeaderName::MinSe, Decimal::new(least.into()).as_str());
        }
    }

    /// §8.2: a 2xx in which nobody behind us says that there is a timer. Who asked has one by itself then, if it can.
    pub(super) fn in_response(self, rewrite: &mut Rewrite<'_>, response: &Response) {
        let headers = response.headers();
        if !self.supported
            || headers.has(HeaderName::SessionExpires)
            || !(200..300).contains(&response.status())
        {
            return;
        }
        let mut value = Decimal::new(self.interval.into()).as_str().to_string();
        value.push_str(";refresher=uac");
        rewrite.append(HeaderName::SessionExpires, &value);
        if !headers.lists(HeaderName::Require, TAG) {
            rewrite.append(HeaderName::Require, TAG);
        }
    }
}

/// A session refresh request (RFC 4028 §3).
fn is_refresh(request: &Request) -> bool {
    matches!(request.method(), Method::Invite | Method::Update)
}

fn supports(request: &Request) -> bool {
    request.headers().lists(HeaderName::Supported, TAG)
}
