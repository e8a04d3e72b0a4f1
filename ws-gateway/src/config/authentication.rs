//! The section `[authentication]`: what becomes of those who guess passwords.

use sip_core::auth::Patience;
use sip_core::time::Duration;

use super::ConfigError;
use super::reader::Section;

pub(super) fn parse(mut section: Section<'_>) -> Result<Patience, ConfigError> {
    let mut patience = Patience::default();
    if let Some(value) = section.take("attempts") {
        patience.attempts = value.number(1..=1_000)? as u32;
    }
    if let Some(value) = section.take("ban") {
        patience.ban = Duration::from_secs(value.number(1..=86_400)? as u64);
    }
    section.finish()?;
    Ok(patience)
}
