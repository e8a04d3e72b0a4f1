//! The 200 to a REGISTER (§10.3 step 8).

use alloc::string::String;
use core::fmt::Write;

use bytes::Bytes;

use super::Binding;
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
    writer = writer.header(HeaderName::Supported, "outbound").header(HeaderName::Date, date(now));
    if let Some(server) = server {
        writer = writer.header(HeaderName::Server, server);
    }
    writer.finish()
}

/// `SIP-date` (§20.17): RFC 1123 in GMT. The gateway's clock counts from the Unix epoch.
fn date(now: Instant) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = now.as_secs();
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let weekday = DAYS[(days % 7) as usize];
    let month = MONTHS[month];
    let mut out = String::with_capacity(29);
    // Writing to a String cannot fail.
    let _ = write!(out, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
    out
}

/// Year, month from 0, and day from 1 of a count of days since 1 January 1970.
fn civil(mut days: u64) -> (u64, usize, u64) {
    // The Gregorian calendar repeats every 400 years, which are 146,097 days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let at = |seconds: u64| date(Instant::from_micros(seconds * 1_000_000));
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(at(1_289_692_799), "Sat, 13 Nov 2010 23:59:59 GMT");
        assert_eq!(at(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
    }
}
