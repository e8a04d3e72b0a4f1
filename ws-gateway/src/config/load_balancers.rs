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
const EVERYBODY: &str = "the addresses of load balancers; from everywhere would be everybody's word";
const CLOSED: &str = "a kind of port that there is a section of";
const ANY: &str = "a list of \"http\", \"https\", \"tcp\", \"tls\"";
const WEB: &str = "a list of \"http\", \"https\"";
const SOMETHING: &str =
    "a list of ports, or `load_balancer.forwarded_for`: without either nothing is asked of them";

/// `open`: which kinds of port the configuration has sections for.
pub(super) fn parse(mut section: Section<'_>, open: &[(Port, bool)]) -> Result<LoadBalancers, ConfigError> {
    let from = section.require("from", FROM)?;
    let nobody = from.refuse(FROM);
    let mut balancers = LoadBalancers::default();
    for item in from.elements(FROM)? {
        let network = item.text(FROM, network)?;
        // Then whoever writes an address into a header would be there.
        if network.prefix_len() == 0 {
            return Err(item.refuse(EVERYBODY));
        }
        balancers.from.push(network);
    }
    if balancers.from.is_empty() {
        return Err(nobody);
    }
    if let Some(value) = section.take("proxy_protocol") {
        balancers.proxy_protocol = ports(value, ANY, &[Port::Http, Port::Https, Port::Tcp, Port::Tls], open)?;
    }
    if let Some(value) = section.take("forwarded_for") {
        balancers.forwarded_for = ports(value, WEB, &[Port::Http, Port::Https], open)?;
    }
    if balancers.proxy_protocol.is_empty() && balancers.forwarded_for.is_empty() {
        return Err(section.missing("proxy_protocol", SOMETHING));
    }
    section.finish()?;
    Ok(balancers)
}

fn ports(
    value: Value<'_>,
    accepted: &str,
    among: &[Port],
    open: &[(Port, bool)],
) -> Result<Vec<Port>, ConfigError> {
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
    let open = |item: &Value<'_>| {
        let named = item.text(accepted, port)?;
        if open.contains(&(named, true)) { Ok(named) } else { Err(item.refuse(CLOSED)) }
    };
    value.elements(accepted)?.iter().map(open).collect()
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
