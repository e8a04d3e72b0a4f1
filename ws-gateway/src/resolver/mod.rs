//! Asks DNS what the core wants to know. What the answers mean is the core's business.
//!
//! Answers are kept for as long as they say, and that there are none for at most a minute.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use parking_lot::Mutex;
use sip_core::server::{Answer, QuestionId, Source};
use sip_core::transport::target::{Naptr, Query, Records, Secured, Srv};
use smol_str::SmolStr;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::exchange::Exchange;
use crate::places::Places;

/// Questions of the core that are being asked at a time, half of them for one address and for one account. Past it: no answer, and the
/// request fails or goes on without.
const SEARCHES: usize = 256;

/// Answers kept, of all kinds. Past it the least used are forgotten.
const CACHED: u64 = 10_000;

/// For one server to answer one question; it is asked twice.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// For all servers together.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(5);

/// The longest that an answer is kept, and that there is none.
const KEPT: Duration = Duration::from_secs(3_600);
const KEPT_NOTHING: Duration = Duration::from_secs(60);

/// A resolver with a cache.
#[derive(Debug)]
pub struct Resolver {
    dns: TokioResolver,
    secured: Arc<Mutex<Secured>>,
    searches: Arc<Places>,
    tasks: TaskTracker,
}

impl Resolver {
    /// One that asks these servers, or those of the system.
    pub fn new(servers: &[SocketAddr], tasks: TaskTracker) -> anyhow::Result<Self> {
        let mut builder = if servers.is_empty() {
            // A machine without any, or whose list cannot be read, has names in its hosts file all the same.
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!("the system names no DNS servers: {error}");
                TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
            })
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 2;
        options.cache_size = CACHED;
        options.positive_max_ttl = Some(KEPT);
        options.negative_max_ttl = Some(KEPT_NOTHING);
        options.ip_strategy = hickory_resolver::config::LookupIpStrategy::Ipv4AndIpv6;
        let dns = builder.build().context("DNS")?;
        Ok(Self { dns, secured: Arc::default(), searches: Places::new(SEARCHES), tasks })
    }

    /// Asks all of these at once, and then answers the question. `false`: too much is being asked.
    pub fn resolve(
        &self,
        exchange: &Arc<Exchange>,
        queries: Vec<Query>,
        source: Option<&Source>,
        shard: usize,
        question: QuestionId,
    ) -> bool {
        let Some(place) = self.searches.take(source) else { return false };
        let (dns, exchange) = (self.dns.clone(), Arc::clone(exchange));
        let secured = Arc::clone(&self.secured);
        self.tasks.spawn(async move {
            let answers = join_all(queries.iter().map(|query| ask(&dns, query))).await;
            drop(place);
            let failed = answers.iter().filter(|answer| **answer == Records::Failed).count();
            exchange.metrics.failed_lookups.inc_by(failed as u64);
            for (query, answer) in queries.iter().zip(&answers) {
                if secured.lock().note(query, answer, clock::now()) {
                    exchange.metrics.lost_tls.inc();
                    tracing::warn!(
                        domain = %query.name(),
                        "DNS had TLS for this domain and has it no longer; somebody may want its calls in the clear"
                    );
                }
            }
            exchange.answer_later(shard, question, Answer::Resolved(answers));
        });
        true
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    server.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at).into();
    server
}

async fn ask(dns: &TokioResolver, query: &Query) -> Records {
    // The dot keeps the system's search list out.
    let name = format!("{}.", query.name());
    let asked = async {
        match query {
            Query::Naptr(_) => Ok(naptr(&dns.lookup(name, RecordType::NAPTR).await?)),
            Query::Srv(_) => Ok(srv(&dns.lookup(name, RecordType::SRV).await?)),
            Query::Addresses(_) => {
                let found: Vec<IpAddr> = dns.lookup_ip(name).await?.iter().collect();
                Ok(if found.is_empty() { Records::Nothing } else { Records::Addresses(found) })
            }
        }
    };
    let answer: Result<Records, NetError> =
        timeout(PATIENCE_IN_ALL, asked).await.unwrap_or(Err(NetError::Timeout));
    match answer {
        Ok(records) => records,
        Err(error) if error.is_no_records_found() => Records::Nothing,
        Err(error) => {
            tracing::info!(name = %query.name(), %error, "DNS does not answer");
            Records::Failed
        }
    }
}

fn naptr(lookup: &Lookup) -> Records {
    let text = |bytes: &[u8]| SmolStr::from(String::from_utf8_lossy(bytes));
    let record = |data: &RData| match data {
        RData::NAPTR(record) => Some(Naptr {
            order: record.order,
            preference: record.preference,
            flags: text(&record.flags),
            service: text(&record.services),
            regexp: text(&record.regexp),
            replacement: record.replacement.to_ascii().into(),
        }),
        _ => None,
    };
    let found: Vec<_> = lookup.answers().iter().filter_map(|answer| record(&answer.data)).collect();
    if found.is_empty() { Records::Nothing } else { Records::Naptr(found) }
}

fn srv(lookup: &Lookup) -> Records {
    let record = |data: &RData| match data {
        RData::SRV(record) => Some(Srv {
            priority: record.priority,
            weight: record.weight,
            port: record.port,
            target: record.target.to_ascii().into(),
        }),
        _ => None,
    };
    let found: Vec<_> = lookup.answers().iter().filter_map(|answer| record(&answer.data)).collect();
    if found.is_empty() { Records::Nothing } else { Records::Srv(found) }
}
