//! What a configuration names beside itself, looked at before anything is started: files, directories, and ports that two
//! sections want.
//!
//! Nothing is bound or written: whether a port is free is known when the gateway starts.

mod names;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use sip_core::message::Uri;
use sip_core::server::{Callers, Mode, Outward, Preloaded, Routing};

use crate::accounts;
use crate::config::{CertificateFiles, Clients, Config, ConfigError, Listen, defaults, line_of};
use crate::data::DataDirectory;
use crate::tls::{self, CertificateError, Certificates, Connector};

const CHAIN: &str = "a PEM file of our certificate and those between it and its root";
const KEY: &str = "a PEM file of that certificate's private key";
const AUTHORITIES: &str = "a PEM file of authorities' certificates";
const VALID: &str = "a certificate that is valid now: whoever is shown another closes the connection";
const DATA: &str = "a directory that this program may read, with the accounts it wrote or none";
const PAGE: &str = "the directory of the built page";

/// Reads a configuration and all that it names.
pub fn check(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let config = Config::parse(path, &text)?;
    let file = File { path, text: &text };
    let accounts = file.accounts(&config)?;
    names::check(file, &config, &accounts)?;
    for (index, files) in config.certificates.iter().enumerate() {
        file.certificate("certificate", Some(index), files)?;
    }
    for (index, listener) in config.tls.iter().enumerate() {
        if let Clients::Asked(authorities) | Clients::Required(authorities) = &listener.clients {
            tls::authorities(authorities, true).map_err(|error| {
                file.refuse("tls", Some(index), "client_ca", &reason(&error), AUTHORITIES)
            })?;
        }
    }
    let outbound = &config.outbound;
    if let Some(ca) = &outbound.ca {
        tls::authorities(ca, true)
            .map_err(|error| file.refuse("outbound", None, "ca", &reason(&error), AUTHORITIES))?;
    }
    if let Some(files) = &outbound.certificate {
        file.certificate("outbound", None, files)?;
        Connector::open(outbound.ca.as_deref(), Some(files))
            .map_err(|error| file.refuse("outbound", None, "chain", &reason(&error), CHAIN))?;
    }
    if let Some(www) = config.http.www.as_deref().filter(|www| !www.join("index.html").is_file()) {
        let found = format!("{}: it has no index.html", www.display());
        return Err(file.refuse("http", None, "www", &found, PAGE));
    }
    file.ports(&config)?;
    Ok(config)
}

/// What is sound and may not be what its writer thinks, a sentence each. For one that [`check`] has passed.
pub fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let asked = config.tls.iter().any(|listener| listener.clients != Clients::Anyone);
    if config.outbound.callers == Callers::Peers && !asked {
        let unknown = config.peers.iter().filter(|server| server.peer.sources.is_empty());
        notes.extend(unknown.map(|server| {
            format!(
                "[[peer]] `{}` may be called and cannot call: it has no `from`, and no [[tls]] asks for certificates",
                server.peer.name
            )
        }));
    }
    notes.extend(without_effect(config));
    notes.extend(without_authorities(config, config.outbound.ca.is_some() || tls::system().is_some()));
    let all =
        config.udp.iter().map(|listener| listener.listen.address).filter(|any| any.ip().is_unspecified());
    notes.extend(all.map(|any| {
        format!(
            "[[udp]] at {any} answers from the address that the system chooses: if this machine has several, name each in a [[udp]] of its own"
        )
    }));
    let names = || std::iter::once(&config.domain).chain(&config.aliases).map(String::as_str);
    if let Ok(certificates) = Certificates::open(config.certificates.clone())
        && !config.certificates.is_empty()
        && !names().any(|name| certificates.names(name))
    {
        let names = names().collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "no [[certificate]] names {names}: servers of other domains and pages there will not take it"
        ));
    }
    notes
}

/// Peers that are called over TLS, where nobody says whose certificates are good.
fn without_authorities(config: &Config, some: bool) -> Vec<String> {
    let over_tls = |uri: &str| match Uri::parse(uri) {
        Some(Uri::Sip(uri)) => {
            uri.secure || uri.param("transport").is_some_and(|name| name.eq_ignore_ascii_case("tls"))
        }
        _ => false,
    };
    let peers = config.peers.iter().filter(|server| !some && over_tls(&server.peer.uri));
    let note = |name: &str| {
        format!(
            "[[peer]] `{name}` cannot be called over TLS: this machine has no certificate authorities, and `outbound.ca` names none \
             (Debian's package is ca-certificates)"
        )
    };
    peers.map(|server| note(&server.peer.name)).collect()
}

/// What has none, or less than it seems, beside something else that is set.
fn without_effect(config: &Config) -> Vec<String> {
    let (proxy, usual) = (&config.proxy, Routing::default());
    let mut notes = Vec::new();
    // Requests for a GRUU are forwarded all the same.
    let kept = [
        ("ring", proxy.ring != usual.ring),
        ("follow_redirections", proxy.recurse),
        ("history", proxy.history),
        ("session_interval", proxy.session_timer.is_some()),
    ];
    let kept = kept.iter().filter(|(_, set)| *set && proxy.mode == Mode::Redirect);
    notes.extend(kept.map(|(key, _)| {
        format!("`proxy.{key}` counts for calls to a GRUU alone: `proxy.mode` is \"redirect\", where callers call the contacts themselves")
    }));
    if proxy.mode == Mode::Stateless && !config.registrar.watchers.is_empty() {
        notes.push(
            "[[registrar.watcher]] is for nothing: `proxy.mode` is \"stateless\", where nobody can subscribe"
                .into(),
        );
    }
    let outbound = &config.outbound;
    if outbound.preloaded == Preloaded::Accounts
        && outbound.to == Outward::Nowhere
        && config.routes.iter().all(|route| route.domain.is_none())
    {
        notes.push("`outbound.preloaded_route` leads nobody on: `outbound.to` is \"nowhere\", and no [[route]] has a `domain`".into());
    }
    let limits = &config.limits;
    if limits.connections_per_ip > limits.connections
        && limits.connections_per_ip != defaults::CONNECTIONS_PER_IP
    {
        notes.push(format!(
            "`limits.connections_per_ip`, {}, is never reached: `limits.connections` is {}",
            limits.connections_per_ip, limits.connections
        ));
    }
    notes
}

/// Where faults are.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn refuse(
        self,
        section: &str,
        index: Option<usize>,
        key: &str,
        found: &str,
        accepted: &str,
    ) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            line: line_of(self.text, section, index, key),
            key: if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") },
            found: found.to_owned(),
            accepted: accepted.to_owned(),
        }
    }

    fn certificate(
        self,
        section: &str,
        index: Option<usize>,
        files: &CertificateFiles,
    ) -> Result<(), ConfigError> {
        let opened = Certificates::open(vec![files.clone()]).map_err(|error| {
            let of_chain = matches!(&error, CertificateError::File { chain: true, .. });
            let (key, accepted) = if of_chain { ("chain", CHAIN) } else { ("key", KEY) };
            self.refuse(section, index, key, &error.to_string(), accepted)
        })?;
        match opened.not_valid(SystemTime::now()).first() {
            Some(found) => Err(self.refuse(section, index, "chain", found, VALID)),
            None => Ok(()),
        }
    }

    /// The user names of all accounts. The directory may still have to be made; what is there must be one, with accounts that can be
    /// read.
    fn accounts(self, config: &Config) -> Result<Vec<String>, ConfigError> {
        let refuse = |found: &str| Err(self.refuse("", None, "data", found, DATA));
        let Ok(there) = fs::metadata(&config.data) else { return Ok(Vec::new()) };
        if !there.is_dir() {
            return refuse(&format!("{}: it is a file", config.data.display()));
        }
        match DataDirectory::open(&config.data).and_then(|data| Ok(accounts::list(&data, &config.domain)?)) {
            // The demo accounts are there from the first start on, which may be the next.
            Ok(accounts) if accounts.is_empty() || !config.development => Ok(accounts),
            Ok(mut accounts) => {
                accounts.extend(accounts::DEMO_NAMES.map(str::to_owned));
                Ok(accounts)
            }
            Err(error) => refuse(&reason(&error)),
        }
    }

    /// HTTP, HTTPS, TCP and TLS listen on ports of one kind, UDP on those of another.
    fn ports(self, config: &Config) -> Result<(), ConfigError> {
        let of = |section: &'static str, listeners: &[crate::config::SipListener]| -> Vec<_> {
            let each = listeners.iter().enumerate();
            each.map(|(index, listener)| (section, Some(index), listener.listen.address)).collect()
        };
        let plain = |section: &'static str, listens: &[Listen]| -> Vec<_> {
            let each = listens.iter().enumerate();
            each.map(|(index, listen)| (section, Some(index), listen.address)).collect()
        };
        let http: Vec<_> = [config.http.listen].into_iter().chain(config.http.also.iter().copied()).collect();
        let mut streams = plain("http", &http);
        streams.extend(plain("https", &config.https));
        streams.extend(of("tcp", &config.tcp));
        streams.extend(of("tls", &config.tls));
        for all in [streams, of("udp", &config.udp)] {
            for (at, (section, index, address)) in all.iter().enumerate() {
                if let Some((other, ..)) = all[..at].iter().find(|(.., taken)| overlap(*taken, *address)) {
                    let found = format!("\"{address}\", which is [{other}]'s");
                    let accepted = "an address and port that no other section has";
                    return Err(self.refuse(section, *index, "listen", &found, accepted));
                }
            }
        }
        Ok(())
    }
}

/// Whether the second could not be bound beside the first.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let meet = one.ip() == other.ip() || (any && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && meet
}

/// An error with what caused it.
fn reason(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_over_tls_where_nobody_is_trusted_has_a_note() {
        let text = "development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[peer]]\nname = \"a\"\nuri = \"sip:a.example;transport=tls\"\n\
                    [[peer]]\nname = \"b\"\nuri = \"sip:b.example;transport=tcp\"\n[[peer]]\nname = \"c\"\nuri = \"sips:c.example\"\n";
        let config = Config::parse(Path::new("gateway.toml"), text).unwrap();
        let notes = without_authorities(&config, false);
        assert!(matches!(&notes[..], [a, c] if a.contains("`a`") && c.contains("`c`")), "{notes:?}");
        assert_eq!(without_authorities(&config, true), [""; 0]);
    }
}
