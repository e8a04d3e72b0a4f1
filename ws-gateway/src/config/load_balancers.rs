//! The section `[load_balancer]`: who stands before the gateway and is believed where connections come from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::ConfigError;
use super::reader::{Section, Value};

/// A kind of port that takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// `[http]`.
    Http,
    /// `[https]`.
    Https,
    /// `[[tcp]]`.
    Tcp,
    /// `[[tls]]`.
    Tls,
}

/// Load balancers before the gateway. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancers {
    /// Where they connect from. What anybody else says is not read.
    pub from: Vec<IpNet>,
    /// Where their connections begin with a header of the PROXY protocol, version 2.
    pub proxy_protocol: Vec<Port>,
    /// Where they name the client in `X-Forwarded-For`.
    pub forwarded_for: Vec<Port>,
}

impl LoadBalancers {
    /// Whether this is one of them.
    pub fn include(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.from.iter().any(|network| network.contains(&ip))
    }
}

const FROM: &str = "a list of IP addresses and networks, as in [\"192.0.2.7\", \"10.0.0.0/8\"]";
const ANY: &str = "a list of \"http\", \"https\", \"tcp\", \"tls\"";
const WEB: &str = "a list of \"http\", \"https\"";
const SOMETHING: &str =
    "a list of ports, or `load_balancer.forwarded_for`: without either nothing is asked of them";

pub(super) fn parse(mut section: Section<'_>) -> Result<LoadBalancers, ConfigError> {
    let from = section.require("from", FROM)?;
    let mut balancers = LoadBalancers::default();
    for item in from.elements(FROM)? {
        balancers.from.push(item.text(FROM, network)?);
    }
    if let Some(value) = section.take("proxy_protocol") {
        balancers.proxy_protocol = ports(value, ANY, &[Port::Http, Port::Https, Port::Tcp, Port::Tls])?;
    }
    if let Some(value) = section.take("forwarded_for") {
        balancers.forwarded_for = ports(value, WEB, &[Port::Http, Port::Https])?;
    }
    if balancers.proxy_protocol.is_empty() && balancers.forwarded_for.is_empty() {
        return Err(section.missing("proxy_protocol", SOMETHING));
    }
    section.finish()?;
    Ok(balancers)
}

fn ports(value: Value<'_>, accepted: &str, among: &[Port]) -> Result<Vec<Port>, ConfigError> {
    let port = |text: &str| {
        let named = match text {
            "http" => Port::Http,
            "https" => Port::Https,
            "tcp" => Port::Tcp,
            "tls" => Port::Tls,
            _ => return None,
        };
        among.contains(&named).then_some(named)
    };
    value.elements(accepted)?.iter().map(|item| item.text(accepted, port)).collect()
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
