//! The walk from a URI to the ways of its domain (RFC 3263 §4).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::{SmolStr, StrExt as _, format_smolstr};

use super::{Naptr, Nowhere, Query, Records, Srv, Transports, Way, order};
use crate::entropy::Entropy;
use crate::limits;
use crate::message::{Host, SipUri};
use crate::transport::Transport;

/// How far a search has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// DNS must be asked these, all at once; the answers go to [`Search::answered`] in the same order.
    Ask(Search, Vec<Query>),
    /// The ways, in the order they are to be tried. There is one at least.
    Found(Vec<Way>),
    /// It leads nowhere.
    Nowhere(Nowhere),
}

/// A URI on its way through DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// TARGET (§4): the host of the URI or its `maddr`.
    target: SmolStr,
    /// The host of the URI, for certificates.
    domain: SmolStr,
    secure: bool,
    /// What the URI says of the transport.
    said: Option<Transport>,
    transports: Transports,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Naptr,
    /// SRV was asked for these transports.
    Srv(Vec<Transport>),
    /// Addresses were asked of these hosts, each once for the services it stands in.
    Addresses {
        services: Vec<Service>,
        hosts: Vec<SmolStr>,
    },
}

/// A host and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    transport: Transport,
    host: SmolStr,
    port: u16,
}

/// Begins to look for where `uri` leads, over one of `transports`.
pub fn locate(uri: &SipUri<'_>, transports: Transports) -> Located {
    let said = match said(uri) {
        Ok(said) => said,
        Err(nowhere) => return Located::Nowhere(nowhere),
    };
    if said.is_some_and(|transport| !transports.has(transport)) {
        return Located::Nowhere(Nowhere::Transport);
    }
    // §4: "TARGET as the value of the maddr parameter of the URI, if present, otherwise, the host value".
    let target = match uri.param("maddr").map(Host::parse) {
        Some(Some(maddr)) => maddr,
        Some(None) => return Located::Nowhere(Nowhere::NoDomain),
        None => uri.host,
    };
    let name_asked = name(target);
    if is_invalid(&name_asked) {
        return Located::Nowhere(Nowhere::Invalid);
    }
    let search = Search {
        target: name_asked,
        domain: name(uri.host),
        secure: uri.secure,
        said,
        transports,
        stage: Stage::Naptr,
    };
    search.begin(target, uri.port)
}

/// The transport a URI names. `sips` is TLS whatever it rides on (RFC 3261 §26.2.2), and `transport=tls`, though
/// deprecated, is still written.
fn said(uri: &SipUri<'_>) -> Result<Option<Transport>, Nowhere> {
    if !uri.has_param("transport") {
        return Ok(None);
    }
    match uri.param("transport").and_then(Transport::from_token) {
        Some(Transport::Udp) if uri.secure => Err(Nowhere::Transport),
        Some(Transport::Tcp) if uri.secure => Ok(Some(Transport::Tls)),
        Some(transport) => Ok(Some(transport)),
        None => Err(Nowhere::Transport),
    }
}

/// In lower case, without the root's dot, an IPv6 address without brackets.
fn name(host: Host<'_>) -> SmolStr {
    match host {
        Host::Name(name) => name.strip_suffix('.').unwrap_or(name).to_lowercase_smolstr(),
        Host::Ip(ip) => format_smolstr!("{ip}"),
    }
}

/// RFC 3261 §19.1.2.
const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tls | Transport::Wss => 5061,
        _ => 5060,
    }
}

impl Search {
    fn begin(mut self, target: Host<'_>, port: Option<u16>) -> Located {
        let assumed = self.assumed();
        match (target, port) {
            // §4.1, §4.2: a numeric address is what it is.
            (Host::Ip(ip), port) => {
                let address = SocketAddr::new(ip, port.unwrap_or(default_port(assumed)));
                if self.transports.reaches(assumed, ip) {
                    Located::Found([self.way(assumed, [address].into())].into())
                } else {
                    Located::Nowhere(Nowhere::Transport)
                }
            }
            // §4.2: with a port, there is nothing left to find but addresses.
            (Host::Name(_), Some(port)) => {
                let service = Service { transport: assumed, host: self.target.clone(), port };
                self.addresses([service].into())
            }
            // §4.2: "because a transport was specified explicitly".
            (Host::Name(_), None) => match self.said {
                Some(transport) => self.srv([transport].into()),
                None => {
                    self.stage = Stage::Naptr;
                    let query = Query::Naptr(self.target.clone());
                    Located::Ask(self, [query].into())
                }
            },
        }
    }

    /// The transport where nothing says which (§4.1): "UDP for a SIP URI, and TCP for a SIPS URI", the latter with TLS on
    /// it. Without a datagram socket of our own it is the stream.
    fn assumed(&self) -> Transport {
        match self.said {
            Some(transport) => transport,
            None if self.secure => Transport::Tls,
            None if self.transports.has(Transport::Udp) => Transport::Udp,
            None => Transport::Tcp,
        }
    }

    /// The name that is looked for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The answers of a DNS that says nothing.
    pub fn silent(&self) -> Vec<Records> {
        let questions = match &self.stage {
            Stage::Naptr => 1,
            Stage::Srv(transports) => transports.len(),
            Stage::Addresses { hosts, .. } => hosts.len(),
        };
        (0..questions).map(|_| Records::Failed).collect()
    }

    /// Goes on with what DNS said to the last questions.
    pub fn answered(mut self, answers: Vec<Records>, entropy: &mut dyn Entropy) -> Located {
        let silent = answers.contains(&Records::Failed);
        match core::mem::replace(&mut self.stage, Stage::Naptr) {
            Stage::Naptr => self.after_naptr(answers),
            Stage::Srv(transports) => self.after_srv(&transports, answers, silent, entropy),
            Stage::Addresses { services, hosts } => self.after_addresses(&services, &hosts, &answers, silent),
        }
    }

    fn after_naptr(self, answers: Vec<Records>) -> Located {
        let mut records = match answers.into_iter().next() {
            Some(Records::Naptr(records)) => records,
            // Nor if nobody could say: there are DNS servers that know no such records and say SERVFAIL, and SRV records lead
            // no less to the domain, which "MUST maintain SRV records for the domain of the original query".
            _ => Vec::new(),
        };
        order::naptr(&mut records);
        let mut services: Vec<(Transport, SmolStr)> = Vec::new();
        for record in &records {
            let Some(transport) = self.service(record) else { continue };
            // One record a transport: those after it are for those who know others.
            if services.iter().all(|(other, _)| *other != transport) {
                services.push((transport, query_name(&record.replacement)));
            }
        }
        if services.is_empty() {
            // §4.1: "constructs SRV queries for those transport protocols it supports".
            let wanted: &[Transport] =
                if self.secure { &[Transport::Tls] } else { &[Transport::Udp, Transport::Tcp] };
            let wanted = wanted.iter().copied().filter(|transport| self.transports.has(*transport));
            let wanted: Vec<Transport> = wanted.collect();
            if wanted.is_empty() {
                return Located::Nowhere(Nowhere::Transport);
            }
            return self.srv(wanted);
        }
        let (transports, names): (Vec<_>, Vec<_>) = services.into_iter().unzip();
        self.srv_of(transports, names)
    }

    /// The transport of a NAPTR record that can be used (§4.1).
    fn service(&self, record: &Naptr) -> Option<Transport> {
        let is = |service: &str| record.service.eq_ignore_ascii_case(service);
        let transport = match () {
            () if is("SIPS+D2T") => Transport::Tls,
            // "MUST discard any services that do not contain "SIPS""
            () if self.secure => return None,
            () if is("SIP+D2U") => Transport::Udp,
            () if is("SIP+D2T") => Transport::Tcp,
            () => return None,
        };
        let usable = record.flags.eq_ignore_ascii_case("s")
            && record.regexp.is_empty()
            && !query_name(&record.replacement).is_empty()
            && self.transports.has(transport);
        usable.then_some(transport)
    }

    fn srv(self, transports: Vec<Transport>) -> Located {
        let service = |transport: &Transport| match transport {
            Transport::Tls => "_sips._tcp",
            Transport::Tcp => "_sip._tcp",
            _ => "_sip._udp",
        };
        let names = transports.iter().map(|t| format_smolstr!("{}.{}", service(t), self.target)).collect();
        self.srv_of(transports, names)
    }

    fn srv_of(mut self, transports: Vec<Transport>, names: Vec<SmolStr>) -> Located {
        self.stage = Stage::Srv(transports);
        Located::Ask(self, names.into_iter().map(Query::Srv).collect())
    }

    fn after_srv(
        self,
        transports: &[Transport],
        answers: Vec<Records>,
        silent: bool,
        entropy: &mut dyn Entropy,
    ) -> Located {
        let mut services = Vec::new();
        let mut known = false;
        for (transport, answer) in transports.iter().zip(answers) {
            let Records::Srv(records) = answer else { continue };
            known |= !records.is_empty();
            for Srv { port, target, .. } in order::srv(records, entropy) {
                let host = query_name(&target);
                // RFC 2782: a target of "." says "that the service is decidedly not available at this domain".
                if !host.is_empty() && !is_invalid(&host) {
                    services.push(Service { transport: *transport, host, port });
                }
            }
        }
        services.truncate(limits::TARGETS);
        if !services.is_empty() {
            return self.addresses(services);
        }
        if known {
            return Located::Nowhere(Nowhere::NoDomain);
        }
        // Whether there are any is not known: the domain's own address may be that of another server.
        if silent {
            return Located::Nowhere(Nowhere::NoAnswer);
        }
        // §4.2: "If no SRV records were found, the client performs an A or AAAA record lookup of the domain name."
        let transport = match transports {
            [named] => *named,
            _ => self.assumed(),
        };
        let service = Service { transport, host: self.target.clone(), port: default_port(transport) };
        self.addresses([service].into())
    }

    fn addresses(mut self, services: Vec<Service>) -> Located {
        let mut hosts: Vec<SmolStr> = Vec::new();
        for service in &services {
            if !hosts.contains(&service.host) {
                hosts.push(service.host.clone());
            }
        }
        let queries = hosts.iter().cloned().map(Query::Addresses).collect();
        self.stage = Stage::Addresses { services, hosts };
        Located::Ask(self, queries)
    }

    fn after_addresses(
        self,
        services: &[Service],
        hosts: &[SmolStr],
        answers: &[Records],
        silent: bool,
    ) -> Located {
        let mut ways = Vec::new();
        let mut known = false;
        for Service { transport, host, port } in services {
            let at = hosts.iter().position(|other| other == host);
            let Some(Records::Addresses(all)) = at.and_then(|at| answers.get(at)) else { continue };
            known |= !all.is_empty();
            let reachable: Vec<IpAddr> =
                all.iter().copied().filter(|ip| self.transports.reaches(*transport, *ip)).collect();
            let mut addresses: Vec<SocketAddr> =
                order::addresses(&reachable).into_iter().map(|ip| SocketAddr::new(ip, *port)).collect();
            addresses.truncate(limits::TARGET_ADDRESSES);
            if transport.is_reliable() && !addresses.is_empty() {
                ways.push(self.way(*transport, addresses));
            } else {
                ways.extend(addresses.into_iter().map(|address| self.way(*transport, [address].into())));
            }
        }
        ways.truncate(limits::TARGETS);
        match (ways.is_empty(), known, silent) {
            (false, ..) => Located::Found(ways),
            (true, true, _) => Located::Nowhere(Nowhere::Transport),
            (true, false, true) => Located::Nowhere(Nowhere::NoAnswer),
            (true, false, false) => Located::Nowhere(Nowhere::NoDomain),
        }
    }

    fn way(&self, transport: Transport, addresses: Vec<SocketAddr>) -> Way {
        let free = self.said.is_none() && !self.secure;
        Way { transport, addresses, domain: self.domain.clone(), free }
    }
}

/// A name out of DNS: in lower case, without the root's dot.
fn query_name(name: &str) -> SmolStr {
    name.strip_suffix('.').unwrap_or(name).to_lowercase_smolstr()
}

fn is_invalid(host: &str) -> bool {
    host == "invalid" || host.ends_with(".invalid")
}
