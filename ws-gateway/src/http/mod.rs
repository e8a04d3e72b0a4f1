//! The port for browsers: the page, the SIP WebSocket, metrics, health.

mod demo;
mod origin;
mod page;
mod scrape;
mod upgrade;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::DemoAccount;
use crate::config::{HttpListener, Port};
use crate::exchange::Exchange;
use crate::listener::{Admission, Permit, accept, canonical, tls_handshake};
use crate::metrics::{Closing, Refusal};

pub use origin::Origins;
pub use page::Files;
pub use scrape::Scrape;

/// Where the SIP WebSocket is.
pub const WEBSOCKET_PATH: &str = "/sip";

/// Longest request head, bytes. Past it: 431.
const HEAD: usize = 16_384;

/// Connections being told that there is no room, at a time; more are closed without a word.
const REFUSALS: usize = 64;

/// Where load balancers write whom they have a request from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// How long a refused peer is given to take note.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// What all requests share.
#[derive(Debug)]
pub struct Site {
    /// What the WebSocket leads to.
    pub exchange: Arc<Exchange>,
    /// The port's configuration.
    pub listener: HttpListener,
    /// Whose pages may open the WebSocket.
    pub origins: Origins,
    /// The page's files.
    pub files: Files,
    /// The SIP domain.
    pub domain: String,
    /// Accounts whose passwords the page may have; none but in development.
    pub demo: Vec<DemoAccount>,
    /// What `/metrics` reads.
    pub scrape: Scrape,
    /// Everything that runs.
    pub tasks: TaskTracker,
    /// When to stop.
    pub stop: CancellationToken,
}

/// Who sent a request.
#[derive(Clone, Debug)]
struct Peer {
    local: SocketAddr,
    /// The client, also behind a load balancer that names it.
    remote: SocketAddr,
    /// Its connection's place among all, kept as long as whatever the connection becomes.
    permit: Arc<Permit>,
}

/// Accepts connections until told to stop.
///
/// With an acceptor the port speaks HTTPS and the WebSocket on it is a secure one.
pub async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    site: Arc<Site>,
    admission: Arc<Admission>,
) {
    let router = router(Arc::clone(&site));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let port = if acceptor.is_some() { Port::Https } else { Port::Http };
    loop {
        let (stream, remote) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = site.stop.cancelled() => return,
        };
        // Without an address of its own it is gone already.
        let Ok(local) = stream.local_addr() else { continue };
        let arrival = Arrival {
            site: Arc::clone(&site),
            router: router.clone(),
            acceptor: acceptor.clone(),
            refusals: Arc::clone(&refusals),
            port,
            local: canonical(local),
        };
        match admission.arrived(port, remote) {
            Ok(permit) => drop(site.tasks.spawn(arrival.admitted(stream, remote, permit))),
            Err(refusal) => {
                if let Some(place) = arrival.refused(remote, refusal) {
                    site.tasks.spawn(refuse(stream, refusal, place));
                }
            }
        }
    }
}

/// A connection that came.
struct Arrival {
    site: Arc<Site>,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    refusals: Arc<Semaphore>,
    port: Port,
    local: SocketAddr,
}

impl Arrival {
    async fn admitted(self, mut stream: TcpStream, remote: SocketAddr, permit: Permit) {
        let within = self.site.exchange.timeouts.handshake;
        let remote = match permit.client(self.port, &mut stream, remote, within).await {
            Ok(remote) => remote,
            Err(refusal) => {
                let place = self.refused(remote, refusal);
                drop(permit);
                if let Some(place) = place {
                    refuse(stream, refusal, place).await;
                }
                return;
            }
        };
        let Self { site, router, acceptor, port, local, .. } = self;
        let peer = Peer { local, remote, permit: Arc::new(permit) };
        let Some(acceptor) = acceptor else { return connection(stream, port, peer, router, site).await };
        if let Some(stream) = tls_handshake(&site.exchange, &acceptor, stream, remote).await {
            connection(stream, port, peer, router, site).await;
        }
    }

    /// Counts it as refused, and gives a place among those that are told, if there is one.
    fn refused(&self, remote: SocketAddr, refusal: Refusal) -> Option<OwnedSemaphorePermit> {
        self.site.exchange.metrics.refused(refusal);
        let lines = &self.site.exchange.connection_lines;
        lines.write(|| tracing::warn!(%remote, "HTTP connection refused: {}", refusal.sentence()));
        // Before a handshake there is nothing to be said that would be understood, nor to a load balancer that speaks otherwise.
        let deaf = self.acceptor.is_some() || refusal == Refusal::ProxyProtocol;
        if deaf { None } else { Arc::clone(&self.refusals).try_acquire_owned().ok() }
    }
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route(WEBSOCKET_PATH, get(upgrade::websocket))
        .route("/api/demo", get(demo::accounts))
        .route("/metrics", get(scrape::metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(page::file)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), protect))
        .with_state(site)
}

async fn connection<S>(stream: S, port: Port, peer: Peer, router: Router, site: Arc<Site>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let remote = peer.remote;
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let named = request.headers().get_all(FORWARDED_FOR).iter();
        let named = named.map(|value| value.to_str().unwrap_or_default());
        let remote = peer.permit.requester(port, peer.remote, named);
        request.extensions_mut().insert(Peer { remote, ..peer.clone() });
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(site.exchange.timeouts.handshake)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        // However slowly a peer reads, and whatever it asks for next: its place is not for ever.
        () = sleep(site.exchange.timeouts.idle) => {
            site.exchange.metrics.closed(Closing::Idle);
            let lines = &site.exchange.connection_lines;
            lines.write(|| tracing::info!(%remote, "HTTP connection closed: it did not become a WebSocket"));
            return;
        }
        () = site.stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%remote, %error, "HTTP connection ended");
    }
}

/// Answers a connection there is no room for, in `_place`. Whoever does not take note in time is closed all the same.
async fn refuse(stream: TcpStream, refusal: Refusal, _place: OwnedSemaphorePermit) {
    let _ = timeout(REFUSAL_TIME, say_refused(stream, refusal)).await;
}

async fn say_refused(mut stream: TcpStream, refusal: Refusal) -> std::io::Result<()> {
    let sentence = format!("This gateway has {}; try again later.\n", refusal.sentence());
    let response = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{sentence}",
        sentence.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // With bytes unread, the system would reset the connection, and the reset would overtake the response.
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// Headers that keep a page from being used against its user.
async fn protect(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    if !site.origins.serves(host.as_deref()) {
        let lines = &site.exchange.connection_lines;
        lines.write(|| tracing::info!(host, "request refused: not a name of this machine"));
        return refusal(StatusCode::FORBIDDEN, "a development gateway is reached at localhost only\n");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; media-src 'self' blob: mediastream:; connect-src 'self'{}; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        // `'self'` does not mean WebSockets in every browser.
        host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default()
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::HeaderName::from_static("permissions-policy"),
            "microphone=(self), camera=(), geolocation=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a request is from this machine. One that a proxy of this machine passed on is from elsewhere: what names its client says so,
/// whether or not it is believed.
fn is_local(peer: &Peer, headers: &HeaderMap) -> bool {
    let passed_on = [FORWARDED_FOR, "forwarded"].iter().any(|name| headers.contains_key(*name));
    peer.remote.ip().to_canonical().is_loopback() && !passed_on
}

/// A refusal in words.
fn refusal(status: StatusCode, sentence: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], sentence).into_response()
}
