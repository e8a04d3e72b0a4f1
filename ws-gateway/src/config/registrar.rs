//! The section `[registrar]`: what those who register are told, and who registers for others.

use std::collections::BTreeMap;

use sip_core::message::{NameAddr, Uri};
use sip_core::time::Duration;

use super::ConfigError;
use super::reader::Section;

const ROUTES: &str = "a list of routes in angle brackets, as in \"<sip:example.com;lr>\"";
const SECONDS: &str = "whole seconds from 10 to 3600, or 0 for none";
const THIRD_PARTIES: &str = "sections, [[registrar.third_party]], with `user` and `registers`";
const USER: &str = "the user name of an account";
const USERS: &str = "a list of user names";

/// What those who register are told, and who registers for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// Service-Route (RFC 3608).
    pub service_route: Vec<String>,
    /// Flow-Timer (RFC 5626 §4.4).
    pub flow_timer: Option<Duration>,
    /// Accounts that may register contacts of others: user names, and whose.
    pub third_parties: BTreeMap<String, Vec<String>>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            service_route: Vec::new(),
            flow_timer: Some(Duration::from_secs(120)),
            third_parties: BTreeMap::new(),
        }
    }
}

pub(super) fn parse(mut section: Section<'_>) -> Result<Registrar, ConfigError> {
    let mut registrar = Registrar::default();
    if let Some(value) = section.take("service_route") {
        registrar.service_route =
            value.elements(ROUTES)?.iter().map(|item| item.text(ROUTES, route)).collect::<Result<_, _>>()?;
    }
    if let Some(value) = section.take("flow_timer") {
        registrar.flow_timer = match value.number(0..=3_600)? {
            0 => None,
            seconds @ 10.. => Some(Duration::from_secs(seconds as u64)),
            _ => return Err(value.refuse(SECONDS)),
        };
    }
    if let Some(value) = section.take("third_party") {
        for item in value.elements(THIRD_PARTIES)? {
            let mut party = item.section()?;
            let user = party.require("user", USER)?.text(USER, name)?;
            let others = party.require("registers", USERS)?;
            let others = others
                .elements(USERS)?
                .iter()
                .map(|item| item.text(USERS, name))
                .collect::<Result<_, _>>()?;
            party.finish()?;
            registrar.third_parties.insert(user, others);
        }
    }
    section.finish()?;
    Ok(registrar)
}

fn route(text: &str) -> Option<String> {
    let address = NameAddr::parse(text).filter(|_| text.starts_with('<'))?;
    matches!(address.parsed_uri(), Some(Uri::Sip(_))).then(|| text.to_owned())
}

pub(super) fn name(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(['@', ' ', ':'])).then(|| text.to_owned())
}
