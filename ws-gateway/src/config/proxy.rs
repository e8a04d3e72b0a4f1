//! The section `[proxy]`: what is done with requests for users.

use sip_core::server::{Mode, Routing};
use sip_core::time::Duration;

use super::ConfigError;
use super::reader::Section;

const MODE: &str = "\"proxy\", \"stateless\", \"redirect\"";

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
    if let Some(value) = section.take("ring") {
        routing.ring = Duration::from_secs(value.number(1..=180)? as u64);
    }
    if let Some(value) = section.take("follow_redirections") {
        routing.recurse = value.boolean()?;
    }
    section.finish()?;
    Ok(routing)
}
