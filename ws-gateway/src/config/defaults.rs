//! Every default and what it means.

use std::time::Duration;

use sip_core::auth::Algorithm;

use super::Kept;

/// The domain of a development gateway.
pub const DOMAIN: &str = "localhost";

/// The data directory, relative to where the gateway was started.
pub const DATA: &str = "./.trapezoid";

/// Where registrations are kept.
pub const LOCATION: Kept = Kept::Disk;

/// The HTTP port of a development gateway.
pub const HTTP_PORT: u16 = 8088;

/// SIP's own port (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;

/// Digest on the WebSocket: the best first. Browser SIP stacks that know only MD5 take the last challenge.
pub const WEBSOCKET_DIGEST: &[Algorithm] = &[Algorithm::Sha256, Algorithm::Md5];

/// Digest on UDP and TCP: many phones give up at any challenge they do not know, even beside one they do.
pub const SIP_DIGEST: &[Algorithm] = &[Algorithm::Md5];

/// What is logged.
pub const LOG: &str = "info";

/// Connections (HTTP, WebSocket, TCP) in all. A browser takes about 10 KiB of memory. Past it: 503 over HTTP, the
/// connection closed over TCP; counted.
pub const CONNECTIONS: usize = 20_000;

/// Connections from one IP address; an office behind one address shares it. Past it: as above.
pub const CONNECTIONS_PER_IP: usize = 1_000;

/// Connections that have not become one for SIP yet, in all: a TLS handshake that is not done, HTTP that is no WebSocket yet.
/// Past it: 503 over HTTP, the connection closed over TLS; counted.
pub const HANDSHAKES: usize = 2_000;

/// The same from one IP address. A browser that loads the page has six at a time, for a moment.
pub const HANDSHAKES_PER_IP: usize = 500;

/// What others can make the gateway keep, MiB; docs/gateway.md says how it is divided and what happens at each cap.
pub const MEMORY: usize = 4_096;

/// Less than that and the parts are too small to work with, MiB.
pub const LEAST_MEMORY: usize = 64;

/// Contacts bound to one address-of-record. Past it: 403 to the REGISTER.
pub const CONTACTS_PER_AOR: usize = sip_core::limits::CONTACTS_PER_AOR;

/// Contacts bound to all addresses-of-record together, about 1 KiB each. Past it: 503 to a REGISTER that adds one.
pub const REGISTRATIONS: usize = 200_000;

/// Messages waiting to be written to one connection. Past it the peer reads too slowly: the connection is closed
/// and counted.
pub const QUEUED_MESSAGES: usize = 256;

/// Bytes waiting to be written to one connection. Past it: as above.
pub const QUEUED_BYTES: usize = 1_048_576;

/// For an HTTP request's head, the WebSocket handshake included. Then the connection is closed.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// From the begin of a connection to its first SIP message, but no longer than [`IDLE`]. Then the connection is closed and
/// counted.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(60);

/// Without a SIP message in either direction on a connection nobody has registered over; keep-alives count only from an
/// account that has proven itself over it, as when it calls, and from a peer of the configuration.
/// Then the connection is closed and counted. A connection with a registration may stay silent for ever:
/// pings to browsers, and the operating system's TCP keep-alive with others, find out when the peer is gone. An HTTP connection that does
/// not become a WebSocket is closed after this time in any case.
pub const IDLE: Duration = Duration::from_secs(300);

/// Silence from a browser until it is sent a WebSocket ping, which browsers answer by themselves. Proxies on the way close
/// connections that are silent for a minute. One more packet each way for each connection in that time.
pub const PING: Duration = Duration::from_secs(25);

/// From that ping until something must have come. Then the browser is gone (a laptop asleep, a network changed): the
/// connection is closed and counted, and its registration is away.
pub const PONG: Duration = Duration::from_secs(10);

/// For a write that makes no progress. Then the peer reads too slowly: the connection is closed and counted.
pub const WRITE: Duration = Duration::from_secs(10);

/// For opening a TCP connection to a phone. Then there is no way to it: the request fails.
pub const DIAL: Duration = Duration::from_secs(5);

/// From a restart, or from when its connection was found to be lost, until a browser, or a phone on TCP, that was registered must have
/// connected again. Then its registration is forgotten, and its calls, which go on, wait for it alone. A phone on UDP, or behind a
/// proxy that added a Path, stays for as long as it registered.
pub const AWAY: Duration = Duration::from_secs(30);

/// How often a peer is asked whether it is there.
pub const PROBE: Duration = Duration::from_secs(30);

/// From SIGINT or SIGTERM until what is left is cut off.
pub const STOP: Duration = Duration::from_secs(3);
