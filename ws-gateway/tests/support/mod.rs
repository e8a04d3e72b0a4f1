//! A gateway on free loopback ports, and peers that speak SIP to it as text, with none of our own code.

#![expect(dead_code, reason = "each test file uses its share")]

use std::net::SocketAddr;
use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use tempfile::TempDir;
use ws_gateway::config::Listen;
use ws_gateway::{Config, Gateway};

pub(crate) mod authority;
/// The tests across the crates have the same.
#[expect(unreachable_pub, reason = "there it is a library's")]
#[path = "../../../tests/src/dns.rs"]
pub(crate) mod dns;
pub(crate) mod peers;
pub(crate) mod tls;

use peers::http;

/// The longest that anything in a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A running gateway and its data directory.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) data: TempDir,
}

/// A running gateway, and the configuration with which it starts again on the same ports.
pub(crate) fn restartable(change: impl FnOnce(&mut Config)) -> (Running, Config) {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    change(&mut config);
    let gateway = Gateway::start(config.clone()).unwrap();
    take_its_ports(&mut config, &gateway);
    (Running { gateway, data }, config)
}

/// Has the next gateway start on the ports of this one.
pub(crate) fn take_its_ports(config: &mut Config, gateway: &Gateway) {
    let addresses = gateway.addresses();
    config.http.listen.address = addresses.http;
    config.udp[0].listen.address = addresses.udp.unwrap();
    config.tcp[0].listen.address = addresses.tcp.unwrap();
}

/// A development configuration on free ports.
pub(crate) fn config(data: &TempDir) -> Config {
    let free = |listen: &mut Listen| listen.address.set_port(0);
    let mut config = Config::development();
    config.data = data.path().into();
    free(&mut config.http.listen);
    config.udp.iter_mut().for_each(|listener| free(&mut listener.listen));
    config.tcp.iter_mut().for_each(|listener| free(&mut listener.listen));
    config
}

/// Starts a gateway with a changed configuration.
pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&data);
    change(&mut config);
    Running { gateway: Gateway::start(config).unwrap(), data }
}

/// Starts a gateway.
pub(crate) fn start() -> Running {
    start_with(|_| {})
}

impl Running {
    /// The password of a demo account.
    pub(crate) fn password(&self, user: &str) -> String {
        let text = std::fs::read_to_string(self.data.path().join("demo-accounts.json")).unwrap();
        let accounts: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let account = accounts.iter().find(|account| account["username"] == user).unwrap();
        account["password"].as_str().unwrap().to_owned()
    }

    /// The value of a metric, as `name` or `name{label="value"}`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        metric(self.gateway.addresses().http, name).await
    }

    /// Waits until a metric has a value.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: u64) {
        let reached = async {
            while self.metric(name).await != value {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "{name} never was {value}");
    }
}

/// The value of a metric, as `name` or `name{label="value"}`: one with a label may not have been counted yet, and any
/// other that is not there is misspelt.
pub(crate) async fn metric(gateway: SocketAddr, name: &str) -> u64 {
    let (status, _, body) = http(gateway, "/metrics", &[]).await;
    assert_eq!(status, 200);
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    match line {
        Some(value) => value.parse().unwrap(),
        None if name.contains('{') => 0,
        None => panic!("there is no metric {name}"),
    }
}

/// A SIP message as text.
#[derive(Clone, Debug)]
pub(crate) struct Sip(pub(crate) String);

impl Sip {
    pub(crate) fn status(&self) -> u16 {
        let rest = self.0.strip_prefix("SIP/2.0 ").unwrap_or_else(|| panic!("no response:\n{}", self.0));
        rest[..3].parse().unwrap()
    }

    pub(crate) fn method(&self) -> &str {
        self.0.split(' ').next().unwrap()
    }

    pub(crate) fn start_line(&self) -> &str {
        self.0.lines().next().unwrap()
    }

    /// All values of a header field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let matching = head.lines().filter_map(|line| line.split_once(':'));
        matching.filter(|(n, _)| n.trim().eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        all.first().unwrap_or_else(|| panic!("no {name} in\n{}", self.0))
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    /// The response a user agent gives to this request: Via, From, To, Call-ID, CSeq and Record-Route copied.
    pub(crate) fn response(&self, status: &str, to_tag: &str, more: &str) -> String {
        let mut out = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "Record-Route"] {
            self.all(name).iter().for_each(|value| out.push_str(&format!("{name}: {value}\r\n")));
        }
        let to = self.header("To");
        let to = if to.contains("tag=") { to.to_owned() } else { format!("{to};tag={to_tag}") };
        let (from, call_id, cseq) = (self.header("From"), self.header("Call-ID"), self.header("CSeq"));
        out.push_str(&format!("From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"));
        out.push_str(&format!("{more}Content-Length: 0\r\n\r\n"));
        out
    }
}

/// The value of a challenge's parameter.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, rest) = challenge.split_once(&format!("{name}=")).unwrap();
    match rest.strip_prefix('"') {
        Some(rest) => rest.split('"').next().unwrap(),
        None => rest.split(',').next().unwrap().trim(),
    }
}

/// Credentials for a challenge (RFC 7616 §3.4).
pub(crate) fn credentials(challenge: &str, user: &str, password: &str, method: &str, uri: &str) -> String {
    let algorithm = parameter(challenge, "algorithm");
    let hash = |text: String| match algorithm {
        "MD5" => hex(&Md5::digest(text.as_bytes())),
        "SHA-256" => hex(&Sha256::digest(text.as_bytes())),
        "SHA-512-256" => hex(&Sha512_256::digest(text.as_bytes())),
        other => panic!("unknown algorithm {other}"),
    };
    let (realm, nonce) = (parameter(challenge, "realm"), parameter(challenge, "nonce"));
    let ha1 = hash(format!("{user}:{realm}:{password}"));
    let ha2 = hash(format!("{method}:{uri}"));
    let response = hash(format!("{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={algorithm}, cnonce=\"0a4f113b\", qop=auth, nc=00000001"
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
