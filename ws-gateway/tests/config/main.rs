//! Configuration files: the example, and every kind of fault with its line, key and accepted values.

mod faults;

use std::path::Path;

use sip_core::auth::{Algorithm, Patience};
use sip_core::server::{Callers, Occasion, Outward, Preloaded, Routing, Watcher};
use ws_gateway::config::{Audience, Clients, Listen, Memory, Port, Registrar};
use ws_gateway::{Config, Gateway};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("gateway.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_sound_and_shows_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.example.toml");
    let config = Config::load(&path).unwrap();
    assert_eq!(config.domain, "example.com");
    assert_eq!(config.http.metrics, Audience::Loopback);
    assert_eq!(config.http.digest, [Algorithm::Sha256, Algorithm::Md5]);
    assert_eq!(config.udp[0].digest, [Algorithm::Md5]);
    assert_eq!(config.tcp[0].advertise, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(config.tls[0].listen.address.port(), 5061);
    assert_eq!(config.tls[1].clients, Clients::Asked("/etc/trapezoid/clients.pem".into()));
    assert_eq!(config.https.len(), 1);
    assert!(config.load_balancers.include("192.0.2.7".parse().unwrap()));
    assert_eq!(config.load_balancers.proxy_protocol, [Port::Tls]);
    assert_eq!(config.load_balancers.forwarded_for, [Port::Http]);
    assert_eq!(config.certificates.len(), 1);
    assert_eq!((config.outbound.to, config.outbound.callers), (Outward::Public, Callers::Peers));
    assert_eq!(config.outbound.preloaded, Preloaded::Nobody);
    assert_eq!(config.dns, ["192.0.2.53:53".parse().unwrap()]);
    assert_eq!(config.peers[1].peer.sources, ["192.0.2.21".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(config.peers[0].probe, config.peers[1].probe);
    assert_eq!(config.forwards.len(), 1);
    assert!(!config.forwards[0].forward.private);
    assert_eq!(config.forwards[0].when, Occasion::NoAnswer(sip_core::time::Duration::from_secs(20)));
    assert_eq!((config.routes[0].peers[1].weight, config.routes[1].peers[0].weight), (5, 1));
    // The caps and times it shows are the defaults, as it says.
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, _) = text.split_once("[limits]").unwrap();
    let without = Config::parse(&path, head).unwrap();
    assert_eq!(Routing::default(), config.proxy);
    assert_eq!(Patience::default(), config.authentication);
    let shown = Registrar {
        third_parties: config.registrar.third_parties.clone(),
        watchers: config.registrar.watchers.clone(),
        ..Registrar::default()
    };
    assert_eq!(shown, config.registrar);
    assert_eq!(config.registrar.third_parties["pbx"], ["alice", "bob"]);
    let watched = Some(vec!["alice".into(), "bob".into()]);
    assert_eq!(config.registrar.watchers[&Watcher::Account("reception".into())], watched);
    assert_eq!(format!("{:?}", without.limits), format!("{:?}", config.limits));
    assert_eq!(config.limits.memory, Memory::mebibytes(4_096));
    assert_eq!(format!("{:?}", without.timeouts), format!("{:?}", config.timeouts));
}

#[test]
fn the_least_configuration() {
    let config =
        parse("development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n");
    let config = config.unwrap();
    assert_eq!(config.domain, "localhost");
    assert!(config.passwords);
    assert!(config.tcp.is_empty());
    assert_eq!(config.udp.len(), 1);
}

#[test]
fn rfc8760_2_3_all_algorithms_that_accounts_keep_are_accepted() {
    let config = parse(
        "domain = \"a\"\n[http]\nlisten = \"127.0.0.1:0\"\ndigest = [\"SHA-512-256\", \"SHA-256\", \"MD5\"]\n",
    );
    assert_eq!(config.unwrap().http.digest, [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5]);
}

#[test]
fn rfc6454_6_1_an_origin_has_no_port_that_is_its_scheme_s_own() {
    let config = parse(
        "domain = \"a\"\n[http]\nlisten = \"127.0.0.1:0\"\nallowed_origins = [\"https://A.example:443\", \"http://b:80\", \"http://c:443\"]\n",
    );
    assert_eq!(config.unwrap().http.allowed_origins, ["https://a.example", "http://b", "http://c:443"]);
}

#[test]
fn several_ports_for_browsers() {
    let further = "[[http]]\nlisten = \"[::1]:8088\"\n";
    let https = "[[https]]\nlisten = \"127.0.0.1:8443\"\n[[https]]\nlisten = \"[::1]:8443\"\n";
    let first = "development = true\n[[http]]\nlisten = \"127.0.0.1:8088\"\nmetrics = \"everyone\"\n";
    let config = parse(&format!("{first}{further}{https}")).unwrap();
    assert_eq!(config.http.metrics, Audience::Everyone);
    let ports = |all: &[Listen]| all.iter().map(|listen| listen.address.to_string()).collect::<Vec<_>>();
    assert_eq!(ports(&[config.http.listen]), ["127.0.0.1:8088"]);
    assert_eq!(ports(&config.http.also), ["[::1]:8088"]);
    assert_eq!(ports(&config.https), ["127.0.0.1:8443", "[::1]:8443"]);
    // What the first says holds for all.
    let said = parse(&format!("{first}{further}metrics = \"loopback\"\n")).unwrap_err();
    assert!(said.contains("gateway.toml:7: unknown key `http.metrics`; accepted here: listen"), "{said}");
    let said = parse("development = true\nhttp = []\n").unwrap_err();
    assert!(said.contains("gateway.toml:2: `http` is []; accepted: a section, [http]"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nonexistent/gateway.toml")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/gateway.toml"));
}

/// A sample with its files in `directory`: they are the texts in it that begin with a slash.
fn with_files(sample: &str, directory: &Path) -> String {
    let file = |path: &str| match path {
        path if path.ends_with("privkey.pem") => "key.pem",
        path if path.ends_with(".pem") || path.ends_with(".crt") => "chain.pem",
        path if path.ends_with("www") => "www",
        _ => "data",
    };
    let there = |part: &str| match part.starts_with('/') {
        true => directory.join(file(part)).display().to_string(),
        false => part.to_owned(),
    };
    sample.split('"').map(there).collect::<Vec<_>>().join("\"")
}

/// Every sample in the documentation is read as it stands, and with its files there found sound by `check` and started on this
/// machine: its addresses ours, its ports free.
#[tokio::test]
async fn every_sample_starts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut samples = vec![std::fs::read_to_string(root.join("gateway.example.toml")).unwrap()];
    for entry in std::fs::read_dir(root.join("../docs")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        samples.extend(blocks);
    }
    assert_eq!(samples.len(), 11, "one is not found any more, or there is another");
    let made = rcgen::generate_simple_self_signed(vec!["example.com".into()]).unwrap();
    for sample in samples {
        parse(&sample).unwrap_or_else(|error| panic!("{error}\n{sample}"));
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::create_dir(file("www")).unwrap();
        std::fs::write(file("www/index.html"), "").unwrap();
        std::fs::write(file("gateway.toml"), with_files(&sample, directory.path())).unwrap();
        let checked = ws_gateway::check::check(&file("gateway.toml"));
        let mut config = checked.unwrap_or_else(|error| panic!("{error}\n{sample}"));
        config.data = file("data");
        let here = |listen: &mut Listen| listen.address = ([127, 0, 0, 1], 0).into();
        here(&mut config.http.listen);
        config.http.also.iter_mut().for_each(here);
        config.https.iter_mut().for_each(here);
        for listener in config.udp.iter_mut().chain(&mut config.tcp).chain(&mut config.tls) {
            here(&mut listener.listen);
        }
        // Nobody there shall be asked anything.
        config.dns = vec![([127, 0, 0, 1], 9).into()];
        config.peers.iter_mut().for_each(|peer| peer.probe = None);
        let gateway = Gateway::start(config).unwrap_or_else(|error| panic!("{error:#}\n{sample}"));
        gateway.stop().await;
    }
}

/// What the benchmark runs the gateway with; it is no part of the workspace, so nothing else reads it before somebody measures.
#[test]
fn the_benchmark_s_configuration_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/gateway/gateway.toml.in");
    let mut text = std::fs::read_to_string(path).unwrap();
    for (name, value) in [
        ("@DOMAIN@", "bench.example"),
        ("@UDP@", "127.0.0.1:5060"),
        ("@WS@", "127.0.0.1:8088"),
        ("@WSS@", "127.0.0.1:8443"),
        ("@CHAIN@", "/tmp/chain.pem"),
        ("@KEY@", "/tmp/key.pem"),
    ] {
        assert!(text.contains(name), "{name} is not in it");
        text = text.replace(name, value);
    }
    let config = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((config.domain.as_str(), config.passwords), ("bench.example", false));
    assert_eq!((config.udp.len(), config.https.len(), config.certificates.len()), (1, 1, 1));
    assert!(!text.contains('@'), "{text}");
}
