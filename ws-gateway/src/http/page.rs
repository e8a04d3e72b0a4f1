//! The page's files.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::UNIX_EPOCH;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Site, refusal};

/// Shown in place of a page that is not there.
const UNBUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Trapezoid</title>\
<body style=\"font: 1rem/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem\">\
<h1>The gateway runs, but its page was not built</h1>\
<p>In the project's directory run <code>npm start</code>: it builds the page and starts the gateway with it.</p>\
<p>Or build the page and name its directory: <code>ws-gateway run --www www/dist</code>, or <code>www</code> in the \
section <code>[http]</code> of the configuration file.</p>\
<p>The SIP WebSocket is at <code>/sip</code> (subprotocol <code>sip</code>), counters are at \
<a href=\"/metrics\">/metrics</a>.</p></body></html>\n";

/// Files whose name changes with their content, which the page's build puts there.
const HASHED: &str = "assets";

/// Serves a file of the page.
pub(super) async fn file(State(site): State<Arc<Site>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
    }
    let Some(root) = &site.listener.www else { return unbuilt(request.uri().path()) };
    let Some(relative) = relative(request.uri().path()) else { return not_found() };
    let path = root.join(&relative);
    let known = request.headers().get(header::IF_NONE_MATCH);
    match site.files.read(&path, known).await {
        Ok(Found::Same(tag)) => {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)], caching(&relative)).into_response()
        }
        Ok(Found::Content(tag, content)) => {
            let kind = HeaderValue::from_static(content_type(&path));
            ([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], caching(&relative), content).into_response()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if relative == Path::new("index.html") {
                unbuilt("/")
            } else {
                not_found()
            }
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "page file not read");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n")
        }
    }
}

/// Files that are being sent: each is in memory once, however many are sent it and however slowly they read.
#[derive(Debug, Default)]
pub struct Files {
    /// By path, what was read of it last.
    sent: Mutex<HashMap<PathBuf, Sent>>,
}

#[derive(Debug)]
struct Sent {
    tag: HeaderValue,
    /// Gone when nobody has it any more.
    content: Weak<Vec<u8>>,
}

/// A file's content, which others are sent too.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

enum Found {
    /// The browser has it.
    Same(HeaderValue),
    Content(HeaderValue, Bytes),
}

impl Files {
    async fn read(&self, path: &Path, known: Option<&HeaderValue>) -> io::Result<Found> {
        let tag = tag(path).await?;
        if known == Some(&tag) {
            return Ok(Found::Same(tag));
        }
        // Whoever comes while it is read waits for that.
        let mut sent = self.sent.lock().await;
        let known = sent.get(path).filter(|known| known.tag == tag);
        let content = match known.and_then(|known| known.content.upgrade()) {
            Some(content) => content,
            None => {
                let content = Arc::new(tokio::fs::read(path).await?);
                // Paths of files that are there: no more than the page has.
                let read = Sent { tag: tag.clone(), content: Arc::downgrade(&content) };
                sent.insert(path.to_owned(), read);
                content
            }
        };
        Ok(Found::Content(tag, Bytes::from_owner(Shared(content))))
    }
}

async fn tag(path: &Path) -> io::Result<HeaderValue> {
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{:x}-{:x}\"", changed.as_nanos(), metadata.len());
    HeaderValue::try_from(tag).map_err(io::Error::other)
}

/// The file a path names, within the page's directory and nowhere else.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some("index.html".into());
    }
    // The build gives no file a name that needs an escape, and hidden files are nobody's business.
    let plain = |part: &str| !part.starts_with('.') && !part.contains(['%', '\\', '\0']);
    let parts = path.split('/').all(|part| !part.is_empty() && plain(part));
    let relative = PathBuf::from(path);
    (parts && relative.components().all(|part| matches!(part, Component::Normal(_)))).then_some(relative)
}

fn caching(relative: &Path) -> [(header::HeaderName, &'static str); 1] {
    let hashed = relative.starts_with(HASHED);
    let value = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    [(header::CACHE_CONTROL, value)]
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn unbuilt(path: &str) -> Response {
    if path != "/" {
        return not_found();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")], Html(UNBUILT)).into_response()
}

fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "there is no such file\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("/", Some("index.html")),
            ("/favicon.svg", Some("favicon.svg")),
            ("/assets/index-abc.js", Some("assets/index-abc.js")),
            ("/../secret", None),
            ("/assets/../../secret", None),
            ("/%2e%2e/secret", None),
            ("//etc/passwd", None),
            ("/.trapezoid/keys.json", None),
            ("/a\\..\\b", None),
            ("", None),
        ] {
            assert_eq!(relative(path), expected.map(PathBuf::from), "{path}");
        }
    }
}
