//! The user names in a configuration: who has no account gets no calls that could go elsewhere, registers nobody and watches
//! nobody.
//!
//! Before there are any accounts, nobody knows who will have one.

use std::iter;

use sip_core::message::{Uri, unescape};
use sip_core::server::Watcher;

use super::File;
use crate::config::{Config, ConfigError, index_of};

const ACCOUNT: &str =
    "the user name of an account: calls for anybody else are refused with 404 (`ws-gateway user add`)";
const USERS: &str = "user names of accounts: nobody else registers or is watched (`ws-gateway user add`)";
const TO: &str = "the address of an account (`ws-gateway user add`), or a number that a [[route]] of our own domain takes: calls for \
                  another go nowhere";

const THIRD_PARTY: &str = "registrar.third_party";
const WATCHER: &str = "registrar.watcher";

/// `accounts`: the user names of all accounts.
pub(super) fn check(file: File<'_>, config: &Config, accounts: &[String]) -> Result<(), ConfigError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let has_account = |user: &str| accounts.iter().any(|name| name == user);
    let refuse = |section, index, key, user: &str, accepted| {
        let found = format!("\"{user}\", who has no account");
        Err(file.refuse(section, index, key, &found, accepted))
    };
    for (index, rule) in config.forwards.iter().enumerate() {
        if let Some(user) = rule.user.as_deref().filter(|user| !has_account(user)) {
            return refuse("forward", Some(index), "user", user, ACCOUNT);
        }
        let to = rule.forward.to.as_str();
        if !arrives(config, to, has_account) {
            let found = format!("\"{to}\", which is nobody's");
            return Err(file.refuse("forward", Some(index), "to", &found, TO));
        }
    }
    // Whose section it is stands in no order: it is found by the name.
    for (user, others) in &config.registrar.third_parties {
        let index = index_of(file.text, THIRD_PARTY, "user", user);
        if !has_account(user) {
            return refuse(THIRD_PARTY, index, "user", user, USERS);
        }
        if let Some(other) = others.iter().find(|other| !has_account(other)) {
            return refuse(THIRD_PARTY, index, "registers", other, USERS);
        }
    }
    for (watcher, watched) in &config.registrar.watchers {
        let (key, name) = match watcher {
            Watcher::Account(user) => ("user", user),
            Watcher::Peer(peer) => ("peer", peer),
        };
        let index = index_of(file.text, WATCHER, key, name);
        if key == "user" && !has_account(name) {
            return refuse(WATCHER, index, key, name, USERS);
        }
        if let Some(other) = watched.iter().flatten().find(|other| !has_account(other)) {
            return refuse(WATCHER, index, "watches", other, USERS);
        }
    }
    Ok(())
}

/// Whether a call that is forwarded there finds somebody: in our own domain, by whichever of its names, an account or a number
/// of a route. Of other domains nobody can tell.
fn arrives(config: &Config, to: &str, has_account: impl Fn(&str) -> bool) -> bool {
    let Some(Uri::Sip(uri)) = Uri::parse(to) else { return false };
    let mut names = iter::once(&config.domain).chain(&config.aliases);
    if !names.any(|name| crate::config::is_host(name, &uri)) {
        return true;
    }
    let user = unescape(uri.user.unwrap_or_default());
    let mut numbers =
        config.routes.iter().filter(|route| route.domain.is_none()).flat_map(|route| &route.numbers);
    has_account(&user) || numbers.any(|pattern| pattern.matches(&user))
}
