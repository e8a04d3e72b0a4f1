//! The sections `[[edge]]`: domains of registrars behind us, whose users register and call through us.

use std::net::IpAddr;

use sip_core::server::{Mode, Routing};
use smol_str::SmolStr;

use super::ConfigError;
use super::file::host;
use super::reader::Value;
use super::routes::is_same;

const EDGES: &str = "sections, [[edge]], with `domain`";
const DOMAIN: &str = "a host name or IP address without port, as in \"pbx.example.net\"";
const OTHER: &str = "another domain than ours: who registers in that is registered here";
const TWICE: &str = "a domain that no other [[edge]] has";
const FORGOTTEN: &str = "nothing, since `proxy.mode` is \"stateless\"";

/// `own`: our domain and its aliases.
pub(super) fn parse(
    value: Option<Value<'_>>,
    own: &[&str],
    proxy: &Routing,
) -> Result<Vec<SmolStr>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut edges: Vec<SmolStr> = Vec::new();
    for item in value.elements(EDGES)? {
        let mut section = item.section()?;
        let value = section.require("domain", DOMAIN)?;
        let domain = value.text(DOMAIN, domain)?;
        section.finish()?;
        if own.iter().any(|own| is_same(own, &domain)) {
            return Err(value.refuse(OTHER));
        }
        if edges.contains(&domain) {
            return Err(value.refuse(TWICE));
        }
        // What its users send takes a transaction.
        if proxy.mode == Mode::Stateless {
            return Err(value.refuse(FORGOTTEN));
        }
        edges.push(domain);
    }
    Ok(edges)
}

/// As it stands in a URI, in lower case.
fn domain(text: &str) -> Option<SmolStr> {
    let host = host(text)?;
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => Some(format!("[{ip}]").into()),
        _ => Some(host.into()),
    }
}
