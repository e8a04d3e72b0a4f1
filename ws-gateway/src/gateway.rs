//! A running gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use serde::Serialize;
use sip_core::auth::Algorithm;
use sip_core::server::{Config as CoreConfig, WatchedUsers};
use sip_core::time::Duration;
use sip_core::transport::Transport;
use sip_core::transport::target::Transports;
use smol_str::SmolStr;
use tokio::net::TcpListener;
use tokio::time::{Interval, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{self, Accounts};
use crate::clock;
use crate::config::{Clients, Config, Kept, Limits, Listen, SipListener};
use crate::data::DataDirectory;
use crate::dialer::{Dialer, Locals};
use crate::exchange::{Exchange, Network};
use crate::http::{self, Files, Origins, Scrape, Site, WEBSOCKET_PATH};
use crate::keys::Keys;
use crate::listener::{Admission, bind_tcp, bind_udp, serve_tcp, serve_tls, serve_udp};
use crate::location::Location;
use crate::metrics::Metrics;
use crate::resolver::Resolver;
use crate::restore;
use crate::store::{Changes, Database, Writer};
use crate::tls::{self, Certificates, Connector, Reload};

/// What the gateway calls itself in its own responses.
const SERVER: &str = concat!("Trapezoid/", env!("CARGO_PKG_VERSION"));

/// A running gateway. Dropping it stops it at once; [`Gateway::stop`] lets it say goodbye.
#[derive(Debug)]
pub struct Gateway {
    addresses: Addresses,
    config: Config,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// None with [`Kept::Memory`].
    store: Option<Writer>,
}

/// Where a gateway is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The first HTTP port.
    pub http: SocketAddr,
    /// The SIP WebSocket's URL.
    pub ws: String,
    /// The page's URL.
    pub page: String,
    /// The first HTTPS port.
    pub https: Option<SocketAddr>,
    /// The secure SIP WebSocket's URL.
    pub wss: Option<String>,
    /// The first UDP port.
    pub udp: Option<SocketAddr>,
    /// The first TCP port.
    pub tcp: Option<SocketAddr>,
    /// The first TLS port.
    pub tls: Option<SocketAddr>,
    /// All HTTP ports.
    pub all_http: Vec<SocketAddr>,
    /// All HTTPS ports.
    pub all_https: Vec<SocketAddr>,
    /// All UDP ports.
    pub all_udp: Vec<SocketAddr>,
    /// All TCP ports.
    pub all_tcp: Vec<SocketAddr>,
    /// All TLS ports.
    pub all_tls: Vec<SocketAddr>,
    /// The SIP domain.
    pub domain: String,
}

impl Gateway {
    /// Binds every port of `config` and serves. Must be called within a Tokio runtime.
    pub fn start(config: Config) -> anyhow::Result<Self> {
        let data = DataDirectory::open(&config.data)?;
        let keys = Keys::open(&data, clock::now())?;
        let demo =
            if config.development { accounts::demo_accounts(&data, &config.domain)? } else { Vec::new() };
        let accounts = Arc::new(Accounts::open(&data, &config.domain, keys.nonce)?);
        if accounts.is_empty() {
            tracing::warn!("there are no accounts for {}; add one with `user add NAME`", config.domain);
        }

        let (first_http, http_address) = bind_http(config.http.listen, "HTTP")?;
        let mut plain = vec![(first_http, http_address)];
        for listen in &config.http.also {
            plain.push(bind_http(*listen, "HTTP")?);
        }
        let mut udp = Vec::new();
        for listener in &config.udp {
            let socket = bind_udp(listener.listen, "SIP over UDP")?;
            let bound = socket.local_addr().context("SIP over UDP")?;
            udp.push((Arc::new(socket), bound, advertised(bound, listener.advertise)));
        }
        let tcp = bind_streams(&config.tcp, "SIP over TCP")?;
        let tls = bind_streams(&config.tls, "SIP over TLS")?;
        let https: Vec<_> =
            config.https.iter().map(|listen| bind_http(*listen, "HTTPS")).collect::<anyhow::Result<_>>()?;
        let first_https = https.first().map(|(_, bound)| *bound);
        let certificates = open_certificates(&config, &data)?;
        let addresses = Addresses {
            http: http_address,
            ws: format!("ws://{http_address}{WEBSOCKET_PATH}"),
            page: page_url(http_address),
            https: first_https,
            wss: first_https.map(|address| format!("wss://{address}{WEBSOCKET_PATH}")),
            udp: udp.first().map(|(_, bound, _)| *bound),
            tcp: tcp.first().map(|(_, bound, _)| *bound),
            tls: tls.first().map(|(_, bound, _)| *bound),
            all_http: plain.iter().map(|(_, bound)| *bound).collect(),
            all_https: https.iter().map(|(_, bound)| *bound).collect(),
            all_udp: udp.iter().map(|(_, bound, _)| *bound).collect(),
            all_tcp: tcp.iter().map(|(_, bound, _)| *bound).collect(),
            all_tls: tls.iter().map(|(_, bound, _)| *bound).collect(),
            domain: config.domain.clone(),
        };
        let mut core = core_config(&config, &keys);
        for (listener, (_, bound, seen)) in config.udp.iter().zip(&udp) {
            add_listener(&mut core, Transport::Udp, *bound, *seen, &listener.digest);
        }
        for (listener, (_, bound, seen)) in config.tcp.iter().zip(&tcp) {
            add_listener(&mut core, Transport::Tcp, *bound, *seen, &listener.digest);
        }
        for (listener, (_, bound, seen)) in config.tls.iter().zip(&tls) {
            add_listener(&mut core, Transport::Tls, *bound, *seen, &listener.digest);
        }
        for address in &addresses.all_http {
            add_listener(&mut core, Transport::Ws, *address, *address, &config.http.digest);
        }
        for address in &addresses.all_https {
            add_listener(&mut core, Transport::Wss, *address, *address, &config.http.digest);
        }

        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let admission = Admission::new(&config.limits, config.load_balancers.clone());
        let mut registry = Registry::with_prefix("trapezoid");
        let metrics = Metrics::register(&mut registry);
        let seen = |all: &[(TcpListener, SocketAddr, SocketAddr)]| all.iter().map(|(_, _, s)| *s).collect();
        let locals = Locals { tcp: seen(&tcp), tls: seen(&tls) };
        let connector = Connector::open(config.outbound.ca.as_deref(), config.outbound.certificate.as_ref())
            .context("TLS towards other domains")?
            .map(Arc::new);
        let mut reloads: Vec<(&str, Arc<dyn Reload>)> = Vec::new();
        reloads.extend(
            connector.clone().map(|connector| ("[outbound] certificate or authorities", connector as _)),
        );
        core.transports = Transports {
            udp4: udp.iter().any(|(_, _, seen)| seen.is_ipv4()),
            udp6: udp.iter().any(|(_, _, seen)| seen.is_ipv6()),
            tcp: true,
            tls: connector.is_some(),
        };
        let resolver = Resolver::new(&config.dns, tasks.clone())?;
        let dialer = Dialer::new(locals, connector, Arc::clone(&admission), tasks.clone(), stop.clone());
        let database = match config.location {
            Kept::Disk => Some(Database::open(&data)?),
            Kept::Memory => None,
        };
        let changes = database.as_ref().map(|_| Arc::<Changes>::default());
        let Limits { contacts_per_aor, registrations, .. } = config.limits;
        let location =
            Arc::new(Location::new(contacts_per_aor, registrations, config.timeouts.away, changes.clone()));
        core.keeps_calls = changes.is_some();
        let exchange = Exchange::new(
            &core,
            Arc::clone(&accounts),
            Arc::clone(&location),
            metrics.clone(),
            config.limits.clone(),
            config.timeouts.clone(),
            Network { dialer, resolver },
        );
        let exchange = Arc::new(exchange.with_patience(config.authentication).until(stop.clone()));
        // Before anything is received: what was known is known from the first message on.
        let udp: Vec<_> = udp
            .into_iter()
            .map(|(socket, _, seen)| {
                (exchange.flows.open_socket(Arc::clone(&socket), seen, clock::now()), socket)
            })
            .collect();
        let store = match database.zip(changes) {
            Some((database, changes)) => {
                restore::registrations(&database, &changes, &exchange)?;
                restore::calls(&database, &changes, &exchange)?;
                Some(Writer::start(database, changes, location, accounts, metrics)?)
            }
            None => None,
        };
        let site = Arc::new(Site {
            exchange: Arc::clone(&exchange),
            listener: config.http.clone(),
            origins: Origins {
                allowed: config.http.allowed_origins.clone(),
                development: config.development,
            },
            files: Files::default(),
            domain: config.domain.clone(),
            demo,
            scrape: Scrape::new(registry, Arc::clone(&exchange)),
            tasks: tasks.clone(),
            stop: stop.clone(),
        });

        if let Some(certificates) = certificates.clone() {
            let acceptor = tls::acceptor(certificates, &[b"http/1.1"], Clients::Anyone)?.current();
            for (listener, _) in https {
                let (site, admission) = (Arc::clone(&site), Arc::clone(&admission));
                tasks.spawn(http::serve(listener, Some(acceptor.clone()), site, admission));
            }
        }
        for (listener, _) in plain {
            tasks.spawn(http::serve(listener, None, Arc::clone(&site), Arc::clone(&admission)));
        }
        for (flow, socket) in udp {
            tasks.spawn(serve_udp(socket, flow, Arc::clone(&exchange), stop.clone()));
        }
        for (listener, _, seen) in tcp {
            let (exchange, admission) = (Arc::clone(&exchange), Arc::clone(&admission));
            tasks.spawn(serve_tcp(listener, seen, exchange, admission, tasks.clone(), stop.clone()));
        }
        if let Some(certificates) = certificates {
            for ((listener, _, seen), settings) in tls.into_iter().zip(&config.tls) {
                let acceptor = tls::acceptor(Arc::clone(&certificates), &[], settings.clients.clone())
                    .context("TLS with client certificates")?;
                let acceptor = Arc::new(acceptor);
                reloads.push(("[[tls]] client_ca", Arc::clone(&acceptor) as _));
                let (exchange, admission) = (Arc::clone(&exchange), Arc::clone(&admission));
                let tasks_too = tasks.clone();
                let serving =
                    serve_tls(listener, acceptor, seen, exchange, admission, tasks_too, stop.clone());
                tasks.spawn(serving);
            }
            reloads.push(("certificates", certificates));
        }
        tasks.spawn(reload(reloads, stop.clone()));
        tasks.spawn(Arc::clone(&exchange).run_timers(stop.clone()));
        for server in &config.peers {
            if let Some(every) = server.probe {
                let name = server.peer.name.clone();
                tasks.spawn(probe(Arc::clone(&exchange), name, every, stop.clone()));
            }
        }
        tasks.spawn(reload_accounts(exchange, stop.clone()));
        Ok(Self { addresses, config, tasks, stop, store })
    }

    /// Where it is reached.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops: no new connections, WebSockets are closed with 1001, what is queued is written; then, after
    /// [`Timeouts::stop`](crate::config::Timeouts::stop) at the latest, whatever is left is cut off.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(self.config.timeouts.stop, self.tasks.wait()).await.is_err() {
            tracing::warn!("{} connections did not close in time", self.tasks.len());
        }
        if let Some(store) = self.store.take()
            && tokio::task::spawn_blocking(|| store.finish()).await.is_err()
        {
            tracing::error!("the registrations may not all be written");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Binds a port for browsers.
fn bind_http(listen: Listen, what: &'static str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = bind_tcp(listen, what)?;
    let bound = listener.local_addr().context(what)?;
    Ok((listener, bound))
}

/// Binds ports for phones: each with the address it has and the one that peers see.
fn bind_streams(
    listeners: &[SipListener],
    what: &str,
) -> anyhow::Result<Vec<(TcpListener, SocketAddr, SocketAddr)>> {
    let bind = |listener: &SipListener| {
        let socket = bind_tcp(listener.listen, what)?;
        let bound = socket.local_addr().context(what.to_owned())?;
        Ok((socket, bound, advertised(bound, listener.advertise)))
    };
    listeners.iter().map(bind).collect()
}

/// The certificates of the configuration, or a development gateway's own; `None` if no port has TLS.
fn open_certificates(config: &Config, data: &DataDirectory) -> anyhow::Result<Option<Arc<Certificates>>> {
    if config.https.is_empty() && config.tls.is_empty() {
        return Ok(None);
    }
    let files = match config.certificates.as_slice() {
        [] => vec![tls::development_certificate(data)?],
        files => files.to_vec(),
    };
    let certificates = Certificates::open(files)?;
    for said in certificates.not_valid(SystemTime::now()) {
        tracing::error!("{said}: whoever is shown this certificate closes the connection");
    }
    Ok(Some(Arc::new(certificates)))
}

/// Reads files for TLS again when they change; each with what they are.
async fn reload(all: Vec<(&'static str, Arc<dyn Reload>)>, stop: CancellationToken) {
    let all: Arc<[_]> = all.into();
    let mut interval = interval(tls::RELOAD);
    while goes_on(&mut interval, &stop).await {
        let reading = Arc::clone(&all);
        let read = tokio::task::spawn_blocking(move || {
            for (what, one) in &*reading {
                match one.reload() {
                    Ok(false) => {}
                    Ok(true) => tracing::info!("{what} changed"),
                    Err(error) => tracing::error!("{what} stays as it was: {error:#}"),
                }
            }
        });
        if read.await.is_err() {
            return;
        }
    }
}

/// Our address as peers see it.
fn advertised(bound: SocketAddr, advertise: Option<std::net::IpAddr>) -> SocketAddr {
    SocketAddr::new(advertise.unwrap_or(bound.ip()), bound.port())
}

/// `localhost` where it can be: browsers grant it the microphone without TLS, and it reads well.
fn page_url(http: SocketAddr) -> String {
    if http.ip().is_loopback() {
        format!("http://localhost:{}/", http.port())
    } else {
        format!("http://{http}/")
    }
}

fn core_config(config: &Config, keys: &Keys) -> CoreConfig {
    let mut core = CoreConfig::new(&config.domain, keys.nonce, keys.route);
    core.previous_route_keys = keys.previous_route.into_iter().collect();
    core.aliases = config.aliases.iter().map(|alias| host(alias)).collect();
    core.passwords = config.passwords;
    core.websocket_algorithms = config.http.digest.clone();
    core.server = Some(SERVER.into());
    core.outward = config.outbound.to;
    let balancers = config.load_balancers.from.iter();
    core.shared = balancers.map(|network| (network.network(), network.prefix_len())).collect();
    core.callers = config.outbound.callers;
    core.preloaded = config.outbound.preloaded;
    core.alias = config.outbound.certificate.is_some();
    core.peers = config.peers.iter().map(|server| server.peer.clone()).collect();
    core.routes.clone_from(&config.routes);
    core.edges.clone_from(&config.edges);
    core.routing = config.proxy.clone();
    core.forwarding.clone_from(&config.forwards);
    core.service_route = config.registrar.service_route.iter().map(|route| route.as_str().into()).collect();
    core.flow_timer = config.registrar.flow_timer;
    core.expiry = config.registrar.expiry;
    let in_full = |user: &String| format!("sip:{user}@{}", config.domain).into();
    let others = |(user, others): (&String, &Vec<String>)| {
        (user.as_str().into(), others.iter().map(in_full).collect())
    };
    core.limits.transactions = config.limits.memory.transactions();
    core.limits.waiting_bytes = config.limits.memory.waiting();
    core.limits.subscriptions = config.limits.memory.subscriptions();
    core.registrants = config.registrar.third_parties.iter().map(others).collect();
    let watched = |users: &Option<Vec<String>>| match users {
        Some(users) => WatchedUsers::These(users.iter().map(in_full).collect()),
        None => WatchedUsers::All,
    };
    let watchers = config.registrar.watchers.iter();
    core.watchers = watchers.map(|(watcher, users)| (watcher.clone(), watched(users))).collect();
    core
}

/// A listener's address means us, and its peers are challenged as it says. What comes from there, comes through this machine.
fn add_listener(
    core: &mut CoreConfig,
    transport: Transport,
    bound: SocketAddr,
    seen: SocketAddr,
    digest: &[Algorithm],
) {
    let own = [bound.ip(), seen.ip()].map(IpNet::from);
    core.shared.extend(own.map(|own| (own.addr(), own.prefix_len())));
    core.listener_algorithms.insert((transport, seen), digest.to_vec());
    let alias = host(&seen.ip().to_string());
    if !seen.ip().is_unspecified() && !core.aliases.contains(&alias) {
        core.aliases.push(alias);
    }
}

/// A host as it stands in a SIP URI.
fn host(text: &str) -> SmolStr {
    if text.contains(':') { format!("[{text}]").into() } else { text.into() }
}

/// Asks a peer again and again whether it is there.
async fn probe(exchange: Arc<Exchange>, peer: SmolStr, every: Duration, stop: CancellationToken) {
    let mut interval = interval(every);
    while goes_on(&mut interval, &stop).await {
        exchange.probe(peer.clone());
    }
}

/// Waits for the next time. `false`: we stop.
async fn goes_on(interval: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        _ = interval.tick() => true,
        () = stop.cancelled() => false,
    }
}

async fn reload_accounts(exchange: Arc<Exchange>, stop: CancellationToken) {
    let mut interval = interval(accounts::RELOAD);
    while goes_on(&mut interval, &stop).await {
        let reading = Arc::clone(&exchange);
        // A small file, but a disk may be slow all the same.
        let read = tokio::task::spawn_blocking(move || reading.accounts.reload()).await;
        match read {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(ended))) => {
                exchange.accounts_ended(&ended);
                tracing::info!(accounts = exchange.accounts.len(), "accounts changed");
            }
            Ok(Err(error)) => tracing::error!("accounts stay as they were: {error:#}"),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_knows_from_where_anybody_may_come() {
        let mut config = Config::development();
        let networks = ["10.7.0.130/24", "2001:db8:7::9/48"].map(|network| network.parse().unwrap());
        config.load_balancers.from = networks.into();
        let keys = Keys { nonce: [1; 32], route: [2; 32], previous_route: None };
        let mut core = core_config(&config, &keys);
        let [bound, seen] = ["10.0.0.5:5060", "192.0.2.1:5060"].map(|address| address.parse().unwrap());
        add_listener(&mut core, Transport::Tcp, bound, seen, &[]);
        let expected = [("10.7.0.0", 24), ("2001:db8:7::", 48), ("10.0.0.5", 32), ("192.0.2.1", 32)];
        assert_eq!(core.shared, expected.map(|(network, prefix)| (network.parse().unwrap(), prefix)));
    }
}
