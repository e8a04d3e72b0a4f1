//! The HTTP port beside the WebSocket: page, demo accounts, metrics, health.

mod support;

use std::fs;
use std::time::Duration;

use support::peers::{Peer as _, UdpPeer, http};
use support::{PATIENCE, start, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_gateway::data::DataDirectory;
use ws_gateway::{Config, Gateway, accounts};

#[tokio::test]
async fn the_page_is_served_with_types_tags_and_a_policy() {
    let www = tempfile::tempdir().unwrap();
    fs::write(www.path().join("index.html"), "<!doctype html>page").unwrap();
    fs::create_dir(www.path().join("assets")).unwrap();
    fs::write(www.path().join("assets/core-1a2b.wasm"), b"\0asm").unwrap();
    fs::write(www.path().join("assets/main-1a2b.js"), "export {}").unwrap();
    fs::write(www.path().join(".secret"), "no").unwrap();
    let running = start_with(|config| config.http.www = Some(www.path().into()));
    let address = running.gateway.addresses().http;

    let (status, head, body) = http(address, "/", &[]).await;
    assert_eq!((status, body.as_str()), (200, "<!doctype html>page"));
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-cache"), "{head}");
    assert!(head.contains("script-src 'self' 'wasm-unsafe-eval';"), "{head}");
    assert!(head.contains(&format!("connect-src 'self' ws://{address}")), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let (status, _, body) = http(address, "/", &[("If-None-Match", &tag)]).await;
    assert_eq!((status, body.as_str()), (304, ""));

    let (_, head, _) = http(address, "/assets/core-1a2b.wasm", &[]).await;
    assert!(head.contains("content-type: application/wasm"), "{head}");
    assert!(head.contains("immutable"), "{head}");
    let (_, head, _) = http(address, "/assets/main-1a2b.js", &[]).await;
    assert!(head.contains("content-type: text/javascript"), "{head}");

    for path in ["/nothing", "/.secret", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/assets"] {
        assert_eq!(http(address, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn without_a_built_page_the_port_says_how_to_build_it() {
    let running = start();
    let (status, _, body) = http(running.gateway.addresses().http, "/", &[]).await;
    assert_eq!(status, 503);
    assert!(body.contains("npm start"), "{body}");
    assert_eq!(http(running.gateway.addresses().http, "/main.js", &[]).await.0, 404);
}

#[tokio::test]
async fn demo_accounts_are_for_pages_of_this_machine() {
    let running = start();
    let address = running.gateway.addresses().http;
    let (status, head, body) = http(address, "/api/demo", &[]).await;
    assert_eq!(status, 200);
    assert!(head.contains("cache-control: no-store"), "{head}");
    let demo: serde_json::Value = serde_json::from_str(&body).expect(&body);
    assert_eq!(demo["domain"], "localhost");
    assert_eq!(demo["accounts"][0]["username"], "alice");
    assert_eq!(demo["accounts"][1]["username"], "bob");
    assert_eq!(demo["accounts"][1]["password"], running.password("bob"));
    // A strange page, and a strange name that leads here.
    assert_eq!(http(address, "/api/demo", &[("Origin", "https://evil.test")]).await.0, 403);
    assert_eq!(http(address, "/api/demo", &[("Host", "rebound.evil.test")]).await.0, 403);
    assert_eq!(http(address, "/api/demo", &[("Origin", "http://localhost:5173")]).await.0, 200);
}

#[tokio::test]
async fn the_passwords_stay_and_are_not_in_the_accounts() {
    let data = tempfile::tempdir().unwrap();
    let mut passwords = Vec::new();
    for _ in 0..2 {
        let gateway = Gateway::start(support::config(&data)).unwrap();
        let (_, _, body) = http(gateway.addresses().http, "/api/demo", &[]).await;
        let demo: serde_json::Value = serde_json::from_str(&body).expect(&body);
        passwords.push(demo["accounts"][0]["password"].as_str().unwrap().to_owned());
        gateway.stop().await;
    }
    assert_eq!(passwords[0], passwords[1]);
    let accounts = fs::read_to_string(data.path().join("accounts.json")).unwrap();
    assert!(!accounts.contains(&passwords[0]));
    assert!(accounts.contains("sha256"));
}

#[tokio::test]
async fn a_user_with_a_password_of_their_own_is_no_demo_account() {
    let running = start_with(|config| {
        let data = DataDirectory::open(&config.data).unwrap();
        accounts::add(&data, "localhost", "alice", "of her own").unwrap();
    });
    let addresses = running.gateway.addresses();
    let (_, _, body) = http(addresses.http, "/api/demo", &[]).await;
    assert!(body.contains("bob") && !body.contains("alice"), "{body}");
    let mut alice = UdpPeer::new(addresses.udp.unwrap()).await;
    assert_eq!(alice.register("alice", "of her own", "own", "").await.status(), 200);
}

#[tokio::test]
async fn outside_development_there_are_no_demo_accounts() {
    let running = start_with(|config| config.development = false);
    let address = running.gateway.addresses().http;
    assert_eq!(http(address, "/api/demo", &[]).await.0, 404);
    assert!(!running.data.path().join("demo-accounts.json").exists());
    // Nor are other names refused.
    assert_eq!(http(address, "/healthz", &[("Host", "sip.example.com")]).await.0, 200);
}

#[tokio::test]
async fn health_and_metrics() {
    let running = start();
    let address = running.gateway.addresses().http;
    let (status, _, body) = http(address, "/healthz", &[]).await;
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    let (status, head, body) = http(address, "/metrics", &[]).await;
    assert_eq!(status, 200);
    assert!(head.contains("openmetrics-text"), "{head}");
    assert!(body.contains("trapezoid_sip_received_total 0\n"), "{body}");
    assert!(body.contains("trapezoid_flows{transport=\"udp\"} 1\n"), "{body}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    assert_eq!(running.metric("trapezoid_accounts").await, 2);
}

#[tokio::test]
async fn a_taken_port_is_an_error_unless_any_will_do() {
    let first = start();
    let taken = first.gateway.addresses().clone();
    let data = tempfile::tempdir().unwrap();
    let try_with = |or_any_port: bool| {
        let mut config: Config = support::config(&data);
        config.http.listen.address = taken.http;
        config.http.listen.or_any_port = or_any_port;
        config.udp[0].listen.address = taken.udp.unwrap();
        config.udp[0].listen.or_any_port = or_any_port;
        Gateway::start(config)
    };
    let error = format!("{:#}", try_with(false).unwrap_err());
    assert!(error.contains(&format!("HTTP cannot listen on {}", taken.http)), "{error}");
    let second = try_with(true).unwrap();
    assert_ne!(second.addresses().http, taken.http);
    assert_ne!(second.addresses().udp, taken.udp);
}

#[tokio::test]
async fn a_connection_that_only_speaks_http_does_not_keep_its_place() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let running = start_with(|config| config.timeouts.idle = Duration::from_millis(300));
    let http = running.gateway.addresses().http;
    let mut stream = TcpStream::connect(http).await.unwrap();
    let host = format!("Host: {http}\r\n");
    stream.write_all(format!("GET /healthz HTTP/1.1\r\n{host}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Long before the head of a next request would have to be there.
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    running.wait_for_metric("trapezoid_closings_total{reason=\"idle\"}", 1).await;
}

/// A page's file is in memory once, however many are sent it and however slowly they read.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_asks_for_the_page_and_does_not_read_it_costs_no_copy_of_it() {
    const LENGTH: usize = 16 * 1_024 * 1_024;
    const DEAF: usize = 24;
    let www = tempfile::tempdir().unwrap();
    fs::write(www.path().join("large.wasm"), vec![b'x'; LENGTH]).unwrap();
    let running = start_with(|config| config.http.www = Some(www.path().into()));
    let address = running.gateway.addresses().http;
    let resident = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    };
    let before = resident();
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /large.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        deaf.push(stream);
    }
    // All are being answered.
    for stream in &mut deaf {
        let mut first = [0; 15];
        timeout(PATIENCE, stream.read_exact(&mut first)).await.expect("an answer").unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 6 * LENGTH, "{} MiB more", grown / 1_024 / 1_024);
    // A file that was changed is read anew, and what was being sent stays what it was.
    fs::write(www.path().join("large.wasm"), b"new").unwrap();
    assert_eq!(http(address, "/large.wasm", &[]).await.2, "new");
    let mut first = deaf.remove(0);
    drop(deaf);
    let mut rest = Vec::new();
    timeout(PATIENCE, async {
        while !rest.ends_with(&[b'x'; 64]) || rest.len() < LENGTH {
            assert_ne!(first.read_buf(&mut rest).await.unwrap(), 0, "{} bytes", rest.len());
        }
    })
    .await
    .expect("the rest");
}

/// Behind a proxy of the same machine everybody seems to be here.
#[tokio::test]
async fn what_a_proxy_of_this_machine_passes_on_is_from_elsewhere() {
    let running = start();
    let address = running.gateway.addresses().http;
    for path in ["/metrics", "/api/demo"] {
        assert_eq!(http(address, path, &[]).await.0, 200, "{path}");
        for header in [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")] {
            assert_eq!(http(address, path, &[header]).await.0, 403, "{path} {header:?}");
        }
    }
}
