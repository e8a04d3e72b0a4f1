//! `GET /api/demo`: accounts whose passwords are no secret on this machine.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;

use super::{Peer, Site, is_local, refusal};
use crate::accounts::DemoAccount;
use crate::metrics::Refusal;

#[derive(Serialize)]
struct Demo<'a> {
    domain: &'a str,
    accounts: &'a [DemoAccount],
}

/// The accounts, for loopback peers and pages only.
pub(super) async fn accounts(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if site.demo.is_empty() {
        return refusal(StatusCode::NOT_FOUND, "this gateway has no demo accounts\n");
    }
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or(""));
    let ours = site.origins.allows(text(header::ORIGIN), text(header::HOST));
    if !is_local(&peer, &headers) || !ours {
        site.exchange.metrics.refused(Refusal::Audience);
        let lines = &site.exchange.connection_lines;
        lines.write(|| tracing::info!(remote = %peer.remote, "demo accounts refused: not from this machine"));
        return refusal(StatusCode::FORBIDDEN, "demo accounts are given on this machine only\n");
    }
    let demo = Demo { domain: &site.domain, accounts: &site.demo };
    ([(header::CACHE_CONTROL, "no-store")], Json(demo)).into_response()
}
