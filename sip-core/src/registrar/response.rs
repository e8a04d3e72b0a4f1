//! The 200 to a REGISTER (§10.3 step 8).

use bytes::Bytes;

use super::{Binding, RULES};
use crate::message::typed::Date;
use crate::message::{HeaderName, Request, Writer, reason_phrase};
use crate::time::Instant;

/// Writes the 200: every binding with its remaining time, whoever made it.
///
/// `server` is the Server field's value, if there shall be one.
pub fn accept(
    request: &Request,
    bindings: &[Binding],
    now: Instant,
    to_tag: &str,
    server: Option<&str>,
) -> Bytes {
    let mut writer = Writer::response(request, 200, reason_phrase(200), Some(to_tag));
    for binding in bindings.iter().filter(|b| b.expires_at > now) {
        // A part of a second counts as a whole one: the contact may not be told it has 0 seconds, which it would
        // take for removed.
        let left = binding.remaining(now).as_millis().div_ceil(1000);
        let (contact, params) = (&binding.contact, &binding.params);
        writer = writer.header(HeaderName::Contact, format_args!("<{contact}>{params};expires={left}"));
    }
    // RFC 5626 §6: said when outbound was used, which takes that the user agent supports it.
    let outbound = request.headers().lists(HeaderName::Supported, "outbound")
        || request.headers().lists(HeaderName::Require, "outbound");
    let used = bindings
        .iter()
        .any(|b| b.key.reg_id > 0 && b.call_id == request.call_id() && b.cseq == request.cseq().number);
    if outbound && used {
        writer = writer.header(HeaderName::Require, "outbound");
    }
    writer = writer.header(HeaderName::Supported, RULES.supported);
    if let Some(date) = date(now) {
        writer = writer.header(HeaderName::Date, date);
    }
    if let Some(server) = server {
        writer = writer.header(HeaderName::Server, server);
    }
    writer.finish()
}

/// §20.17. The gateway's clock counts from the Unix epoch; `None` past the year 9999.
fn date(now: Instant) -> Option<Date> {
    Date::from_unix_seconds(i64::try_from(now.as_secs()).ok()?)
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn dates() {
        let at = |seconds: u64| date(Instant::from_micros(seconds * 1_000_000)).unwrap().to_string();
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(at(1_289_692_799), "Sat, 13 Nov 2010 23:59:59 GMT");
        assert_eq!(at(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
    }
}
