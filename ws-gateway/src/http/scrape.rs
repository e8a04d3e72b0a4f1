//! `GET /metrics`: Prometheus text.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{Peer, Site, is_local, refusal};
use crate::config::Audience;
use crate::exchange::Exchange;
use crate::metrics::Refusal;

/// What is read at `/metrics`.
#[derive(Debug)]
pub struct Scrape(Registry);

impl Scrape {
    /// What `registry` has, and the sums over the shards of `exchange`.
    pub fn new(mut registry: Registry, exchange: Arc<Exchange>) -> Self {
        registry.register_collector(Box::new(Shards(exchange)));
        Self(registry)
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0)?;
        Ok(out)
    }
}

/// The counters of the core.
#[derive(Debug)]
struct Shards(Arc<Exchange>);

impl Collector for Shards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (counters, (transactions, contexts, questions)) = self.0.counters();
        for (name, help, value) in counters.iter() {
            let counter = ConstCounter::new(value);
            let name = format!("sip_{name}");
            let metric = encoder.encode_descriptor(&name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let guarded = self.0.guarded();
        for (name, help, value) in [
            (
                "guessers_forgotten",
                "Pairs of user and network with a wrong password that had to make room",
                guarded.guessers.1,
            ),
            ("nonces_forgotten", "Used nonces that had to make room", guarded.nonces.1),
        ] {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let gauges = [
            ("guessers", "Pairs of user and network with a wrong password lately", guarded.guessers.0),
            ("nonces_used", "Nonces whose counts are kept", guarded.nonces.0),
            ("sip_transactions", "Transactions now", transactions),
            ("sip_forwarding", "Requests being forwarded now", contexts),
            ("sip_questions_open", "Questions without an answer now", questions),
            ("bindings", "Contacts bound now, those that are away included", self.0.location.len()),
            ("subscriptions", "Subscriptions to registrations now", self.0.subscriptions()),
            ("queued_bytes", "Bytes that wait to be written to connections", self.0.budgets.queued.taken()),
            ("partial_bytes", "Bytes of messages that have half come", self.0.budgets.partial.taken()),
            ("accounts", "Accounts", self.0.accounts.len()),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// All counters.
pub(super) async fn metrics(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if site.listener.metrics == Audience::Loopback && !is_local(&peer, &headers) {
        site.exchange.metrics.refused(Refusal::Audience);
        let lines = &site.exchange.connection_lines;
        lines.write(
            || tracing::info!(remote = %peer.remote, "metrics refused: `http.metrics` is \"loopback\""),
        );
        return refusal(StatusCode::FORBIDDEN, "metrics are given on the gateway's own machine only\n");
    }
    match site.scrape.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the counters cannot be written\n"),
    }
}
