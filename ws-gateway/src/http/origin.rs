//! Which pages may open the SIP WebSocket, and by which names this port may be called.
//!
//! A browser sends the Origin of the page with every WebSocket handshake and lets any page try: what keeps a strange
//! page from using somebody's network position is this check. Programs that are not browsers send no Origin.

use std::net::IpAddr;

/// Which origins are allowed.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Besides the host of the request itself; lower case.
    pub allowed: Vec<String>,
    /// Any loopback origin, and only requests to a loopback name: a strange name that leads to 127.0.0.1 would make
    /// its page one of the same host (DNS rebinding).
    pub development: bool,
}

impl Origins {
    /// Whether a page of `origin` may connect to `host`.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        let origin = origin.to_ascii_lowercase();
        if self.allowed.contains(&origin) {
            return true;
        }
        let Some((_, authority)) = origin.split_once("://") else { return false };
        if self.development && is_loopback(authority) {
            return true;
        }
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    }

    /// Whether a request to `host` is for us.
    pub fn serves(&self, host: Option<&str>) -> bool {
        !self.development || host.is_some_and(is_loopback)
    }
}

/// Whether `host[:port]` is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_and_refused() {
        let production = Origins { allowed: vec!["https://phone.example.com".into()], development: false };
        let development = Origins { allowed: Vec::new(), development: true };
        let table = [
            // origin, host, in production, in development
            (None, Some("sip.example.com"), true, true),
            (Some("https://sip.example.com"), Some("sip.example.com"), true, true),
            (Some("https://SIP.example.com:8443"), Some("sip.example.com:8443"), true, true),
            (Some("https://sip.example.com:8443"), Some("sip.example.com"), false, false),
            (Some("https://phone.example.com"), Some("sip.example.com"), true, false),
            (Some("https://phone.example.com.evil.test"), Some("sip.example.com"), false, false),
            (Some("http://localhost:5173"), Some("127.0.0.1:8088"), false, true),
            (Some("http://127.0.0.1:5173"), Some("127.0.0.1:8088"), false, true),
            (Some("http://[::1]:5173"), Some("127.0.0.1:8088"), false, true),
            (Some("http://localhost.evil.test"), Some("127.0.0.1:8088"), false, false),
            (Some("http://127.0.0.1.evil.test"), Some("127.0.0.1:8088"), false, false),
            (Some("null"), Some("127.0.0.1:8088"), false, false),
            (Some(""), Some("127.0.0.1:8088"), false, false),
        ];
        for (origin, host, in_production, in_development) in table {
            assert_eq!(production.allows(origin, host), in_production, "{origin:?} {host:?}");
            assert_eq!(development.allows(origin, host), in_development, "{origin:?} {host:?}");
        }
    }

    #[test]
    fn a_development_gateway_has_no_strange_names() {
        let development = Origins { allowed: Vec::new(), development: true };
        assert!(development.serves(Some("localhost:8088")));
        assert!(development.serves(Some("[::1]:8088")));
        assert!(!development.serves(Some("rebound.evil.test:8088")));
        assert!(!development.serves(None));
    }
}
