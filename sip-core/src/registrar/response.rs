//! The 200 to a REGISTER (§10.3 step 8).

use alloc::format;
use alloc::string::{String, ToString};

use bytes::Bytes;
use smol_str::SmolStr;

use super::{Binding, Gruus};
use crate::entropy::{self, Entropy};
use crate::message::digits::Decimal;
use crate::message::typed::Date;
use crate::message::{HeaderName, Request, Writer, reason_phrase};
use crate::time::{Duration, Instant};

/// What is supported, without `gruu` (RFC 5627 §5.2: "SHOULD NOT").
const SUPPORTED: &str = "outbound, path";

/// What a 200 says beside the bindings.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The Server field's value, if there shall be one.
    pub server: Option<&'a str>,
    /// The Service-Route's values (RFC 3608), if there shall be one.
    pub service_route: &'a [SmolStr],
    /// Flow-Timer (RFC 5626 §4.4), where outbound is used.
    pub flow_timer: Option<Duration>,
    /// GRUUs are made by these.
    pub gruus: &'a Gruus,
    /// The Date field's value; empty if there is none.
    pub date: &'a str,
}

/// Tells the Date of answers (§20.17), which stays the same for a second.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// The date. The gateway's clock counts from the Unix epoch; empty past the year 9999.
    pub fn date(&mut self, now: Instant) -> &str {
        let second = now.as_secs();
        if second != self.second || self.text.is_empty() {
            let date = i64::try_from(second).ok().and_then(Date::from_unix_seconds);
            (self.second, self.text) = (second, date.map(|date| date.to_string()).unwrap_or_default());
        }
        &self.text
    }
}

/// Writes the 200: every binding with its remaining time, whoever made it.
pub fn accept(
    request: &Request,
    bindings: &[Binding],
    now: Instant,
    answer: &Answer<'_>,
    entropy: &mut dyn Entropy,
) -> Bytes {
    let to_tag = entropy::token(entropy, 80);
    let mut writer = Writer::response(request, 200, reason_phrase(200), Some(&to_tag));
    let [gruu, path, outbound] = supports(request, ["gruu", "path", "outbound"]);
    for binding in bindings.iter().filter(|b| b.expires_at > now) {
        // A part of a second counts as a whole one: the contact may not be told it has 0 seconds, which it would
        // take for removed.
        let left = binding.remaining(now).as_millis().div_ceil(1000);
        let (contact, params) = (&binding.contact, &binding.params);
        // RFC 5627 §5.2.
        let gruus = match gruu.then(|| binding.instance()).flatten() {
            Some(urn) => {
                let public = answer.gruus.public(binding, &urn);
                let temporary = answer.gruus.temporary(binding, &urn, entropy);
                format!(";pub-gruu=\"{public}\";temp-gruu=\"{temporary}\"")
            }
            None => String::new(),
        };
        let left = Decimal::new(u64::try_from(left).unwrap_or(u64::MAX));
        let parts = ["<", contact, ">", params, &gruus, ";expires=", left.as_str()];
        writer = writer.joined(HeaderName::Contact, &parts);
    }
    // RFC 3327 §5.3: what was stored is told to who understands it.
    if path {
        for value in request.headers().all(HeaderName::Path) {
            writer = writer.header(HeaderName::Path, value);
        }
    }
    for value in answer.service_route {
        writer = writer.header(HeaderName::ServiceRoute, value);
    }
    let used = bindings
        .iter()
        .any(|b| b.key.reg_id > 0 && b.call_id == request.call_id() && b.cseq == request.cseq().number);
    // RFC 5626 §6: said when outbound was used, which takes that the user agent supports it.
    if outbound && used {
        writer = writer.header(HeaderName::Require, "outbound");
        if let Some(timer) = answer.flow_timer {
            writer = writer.header(HeaderName::FlowTimer, timer.as_secs());
        }
    }
    writer = writer.joined(HeaderName::Supported, &[SUPPORTED]);
    if !answer.date.is_empty() {
        writer = writer.joined(HeaderName::Date, &[answer.date]);
    }
    if let Some(server) = answer.server {
        writer = writer.joined(HeaderName::Server, &[server]);
    }
    writer.finish()
}

/// Which of these options its sender knows or wants.
fn supports<const N: usize>(request: &Request, options: [&str; N]) -> [bool; N] {
    let mut known = [false; N];
    let headers = request.headers();
    for name in headers.list(HeaderName::Supported).chain(headers.list(HeaderName::Require)) {
        for (known, option) in known.iter_mut().zip(options) {
            *known |= option.eq_ignore_ascii_case(name);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let mut clock = Clock::default();
        let mut at = |seconds: u64| clock.date(Instant::from_micros(seconds * 1_000_000)).to_string();
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(at(1_289_692_799), "Sat, 13 Nov 2010 23:59:59 GMT");
        assert_eq!(at(1_289_692_800), "Sun, 14 Nov 2010 00:00:00 GMT");
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(1 << 40), "");
        assert_eq!(at(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
    }
}
