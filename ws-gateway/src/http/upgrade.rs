//! The WebSocket handshake (RFC 6455 §4.2, RFC 7118 §4).

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sip_core::transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Peer, Site, refusal};
use crate::connection::{accept_websocket, serve_websocket};
use crate::metrics::Refusal;
use crate::tls::Secured;

/// The one subprotocol.
const SUBPROTOCOL: &str = "sip";

/// Upgrades to a SIP WebSocket, or says why not.
pub(super) async fn websocket(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    mut request: Request<Body>,
) -> Response {
    let headers = request.headers();
    let key = match check(&site, headers) {
        Ok(key) => key,
        Err(reason) => return refuse(&site, &peer, headers, reason),
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        // Not HTTP/1.1.
        return refuse(&site, &peer, request.headers(), Refusal::Handshake);
    };
    // A load balancer's connection is this client's from here on.
    if let Err(reason) = peer.permit.charge(peer.remote.ip()) {
        return refuse(&site, &peer, request.headers(), reason);
    }
    peer.permit.established();
    let tasks = site.tasks.clone();
    tasks.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serving(site, peer, upgraded).await,
            Err(error) => tracing::debug!(remote = %peer.remote, %error, "WebSocket handshake not finished"),
        }
    });
    let headers = [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, key.as_str()),
        (header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// What serves the WebSocket, in a box: the task that waited for the handshake needs no room for it, and one kind of stream
/// none for the other.
fn serving(site: Arc<Site>, peer: Peer, upgraded: Upgraded) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    // The HTTP library steps aside: what was its stream is the WebSocket's alone, without its buffers.
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Box::pin(over(site, peer, Transport::Ws, parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => match upgraded.downcast::<TokioIo<Secured>>() {
            Ok(parts) => {
                // Large, and moved often.
                let stream = Box::new(parts.io.into_inner());
                Box::pin(over(site, peer, Transport::Wss, stream, parts.read_buf))
            }
            Err(_) => {
                tracing::error!("the upgraded connection is not the stream it was made of");
                Box::pin(ready(()))
            }
        },
    }
}

async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    site: Arc<Site>,
    peer: Peer,
    transport: Transport,
    stream: S,
    read: Bytes,
) {
    let socket = Box::pin(accept_websocket(stream, read.into(), &site.exchange.budgets)).await;
    let exchange = Arc::clone(&site.exchange);
    serve_websocket(exchange, socket, transport, peer.local, peer.remote, site.stop.clone()).await;
    drop(peer.permit);
}

/// Checks the handshake and gives the answer to its key.
fn check(site: &Site, headers: &HeaderMap) -> Result<String, Refusal> {
    let one = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !lists(headers, header::CONNECTION, "upgrade")
        || !lists(headers, header::UPGRADE, "websocket")
        || one(header::SEC_WEBSOCKET_VERSION) != Some("13")
    {
        return Err(Refusal::Handshake);
    }
    // RFC 6455 §4.2.1: base64 of 16 bytes.
    let key = one(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24).ok_or(Refusal::Handshake)?;
    // Origin before subprotocol: a strange page learns nothing else.
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or(""));
    if !site.origins.allows(origin, one(header::HOST)) {
        return Err(Refusal::Origin);
    }
    // RFC 7118 §4.1: the client must offer it, and the server must choose it.
    if !lists(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(Refusal::Subprotocol);
    }
    Ok(derive_accept_key(key.as_bytes()))
}

fn refuse(site: &Site, peer: &Peer, headers: &HeaderMap, reason: Refusal) -> Response {
    site.exchange.metrics.refused(reason);
    let origin = headers.get(header::ORIGIN);
    site.exchange.connection_lines.write(|| {
        tracing::info!(remote = %peer.remote, ?origin, "WebSocket refused: {}", reason.sentence());
    });
    match reason {
        Refusal::ConnectionsPerIp | Refusal::HandshakesPerIp => {
            let after = [(header::RETRY_AFTER, "5")];
            (after, refusal(StatusCode::SERVICE_UNAVAILABLE, reason.sentence())).into_response()
        }
        Refusal::Origin => refusal(StatusCode::FORBIDDEN, reason.sentence()),
        Refusal::Handshake => {
            let version = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::UPGRADE, "websocket")];
            (version, refusal(StatusCode::UPGRADE_REQUIRED, reason.sentence())).into_response()
        }
        _ => refusal(StatusCode::BAD_REQUEST, reason.sentence()),
    }
}

/// Whether a comma-separated list names `token`, in any case.
fn lists(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}
