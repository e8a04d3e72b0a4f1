//! The section `[proxy]`: what is done with requests for users.

use sip_core::proxy::{LEAST_SESSION_INTERVAL, SessionTimer};
use sip_core::server::{Mode, Routing};
use sip_core::time::Duration;

use super::ConfigError;
use super::reader::{Section, Value};

const MODE: &str = "\"proxy\", \"stateless\", \"redirect\"";

const INTERVAL: &str = "0, or a whole number from 90 to 86400";
const LEAST: &str = "a whole number from 90 to 86400";
const FORGOTTEN: &str = "nothing, since `proxy.mode` is \"stateless\"";
const UNUSED: &str = "nothing, since `proxy.session_interval` is 0";

/// RFC 4028 §5: no interval is below 90 s.
fn seconds(value: &Value<'_>, accepted: &'static str) -> Result<u32, ConfigError> {
    let number = value.number(0..=86_400).map_err(|_| value.refuse(accepted))? as u32;
    let off = number == 0 && accepted == INTERVAL;
    if off || number >= LEAST_SESSION_INTERVAL { Ok(number) } else { Err(value.refuse(accepted)) }
}

pub(super) fn parse(mut section: Section<'_>) -> Result<Routing, ConfigError> {
    let mut routing = Routing::default();
    if let Some(value) = section.take("mode") {
        routing.mode = value.text(MODE, |text| match text {
            "proxy" => Some(Mode::Proxy),
            "stateless" => Some(Mode::Stateless),
            "redirect" => Some(Mode::Redirect),
            _ => None,
        })?;
    }
    let usual = Routing::default();
    // What takes a transaction, and is not as it would be anyway.
    let stateless = routing.mode == Mode::Stateless;
    let kept = |value: &Value<'_>, unusual| match stateless && unusual {
        true => Err(value.refuse(FORGOTTEN)),
        false => Ok(()),
    };
    if let Some(value) = section.take("ring") {
        routing.ring = Duration::from_secs(value.number(1..=180)? as u64);
        kept(&value, routing.ring != usual.ring)?;
    }
    if let Some(value) = section.take("follow_redirections") {
        routing.recurse = value.boolean()?;
        kept(&value, routing.recurse)?;
    }
    if let Some(value) = section.take("history") {
        routing.history = value.boolean()?;
        kept(&value, routing.history)?;
    }
    let interval = match section.take("session_interval") {
        Some(value) => {
            let interval = seconds(&value, INTERVAL)?;
            kept(&value, interval > 0)?;
            interval
        }
        None => 0,
    };
    let said = section.take("least_session_interval");
    let least = said.as_ref().map_or(Ok(LEAST_SESSION_INTERVAL), |value| seconds(value, LEAST))?;
    if interval > 0 {
        routing.session_timer = Some(SessionTimer { interval: interval.max(least), least });
    } else if let Some(value) = said.filter(|_| least != LEAST_SESSION_INTERVAL) {
        return Err(value.refuse(UNUSED));
    }
    section.finish()?;
    Ok(routing)
}
