//! The gateway's binary, started with a configuration of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::ACCOUNTS;
use crate::process::{Process, eventually};

/// The password of every account in [`ACCOUNTS`].
pub const PASSWORD: &str = "correct-horse-battery";

/// A running gateway with [`ACCOUNTS`] and the demo accounts, in a data directory that goes away with it.
#[derive(Debug)]
pub struct Gateway {
    directory: TempDir,
    process: Process,
    /// SIP over UDP.
    pub udp: SocketAddr,
    /// SIP over TCP.
    pub tcp: SocketAddr,
    /// SIP over TLS, if it is configured.
    pub tls: Option<SocketAddr>,
    /// Page, metrics and WebSocket.
    pub http: SocketAddr,
    /// `ws://…/sip`
    pub ws: String,
}

impl Gateway {
    /// Starts it on free ports.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// Starts it on free ports with more configuration (sections only).
    pub fn start_with(extra: &str) -> Result<Self> {
        Self::start_as(Ipv4Addr::LOCALHOST.into(), &ACCOUNTS, &[], extra)
    }

    /// Starts it on free ports of a loopback address with these accounts, and with other hosts that mean its domain.
    pub fn start_for(at: IpAddr, accounts: &[&str], aliases: &[&str]) -> Result<Self> {
        Self::start_as(at, accounts, aliases, "")
    }

    /// Starts it with all of these.
    pub fn start_as(at: IpAddr, accounts: &[&str], aliases: &[&str], extra: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        for account in accounts {
            add_user(directory.path(), account, PASSWORD)?;
        }
        write_config(directory.path(), [SocketAddr::new(at, 0); 3], aliases, extra)?;
        let (process, addresses) = launch(directory.path())?;
        let address = |key: &str| -> Result<SocketAddr> {
            addresses[key]
                .as_str()
                .with_context(|| format!("no `{key}` in {addresses}"))?
                .parse()
                .map_err(Into::into)
        };
        let (udp, tcp, http) = (address("udp")?, address("tcp")?, address("http")?);
        let tls = addresses["tls"].as_str().map(str::parse).transpose()?;
        let ws = addresses["ws"].as_str().context("no `ws`")?.to_owned();
        write_config(directory.path(), [http, udp, tcp], aliases, extra)?;
        Ok(Self { directory, process, udp, tcp, tls, http, ws })
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts again after [`Gateway::kill`], on the same ports and data.
    pub fn restart(&mut self) -> Result<()> {
        (self.process, _) = launch(self.directory.path())?;
        Ok(())
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Result<Option<i32>> {
        self.process.terminate()?;
        Ok(self.process.wait(Duration::from_secs(10))?.code())
    }

    /// Whether the process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// The certificate that a gateway in development made for itself.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("data/development.crt")
    }

    /// What the gateway logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The body of a GET.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no HTTP response")?;
        ensure!(head.contains(" 200 "), "{head}");
        Ok(body.to_owned())
    }

    /// The sum of a counter's samples, all labels together.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = self.get("/metrics")?;
        let mut found = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.rsplit_once(' ') else { continue };
            if key.split('{').next() == Some(name) {
                *found.get_or_insert(0.0) += value.parse::<f64>().unwrap_or(f64::NAN);
            }
        }
        found.with_context(|| format!("no metric {name} in:\n{text}"))
    }
}

/// The gateway's binary: cargo builds it beside this test, as it is a member of the workspace.
pub fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory = test.ancestors().find(|path| path.join(NAME).is_file());
    directory
        .map(|path| path.join(NAME))
        .with_context(|| format!("no {NAME}: run `cargo build -p ws-gateway`"))
}

const NAME: &str = "ws-gateway";

/// `ws-gateway user add`, the password on standard input.
fn add_user(data: &Path, name: &str, password: &str) -> Result<()> {
    let mut child = Command::new(binary()?)
        .args(["user", "add", name, "--data"])
        .arg(data.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    writeln!(child.stdin.take().context("no stdin")?, "{password}")?;
    ensure!(child.wait()?.success(), "user add {name} failed");
    Ok(())
}

fn write_config(
    directory: &Path,
    [http, udp, tcp]: [SocketAddr; 3],
    aliases: &[&str],
    extra: &str,
) -> Result<()> {
    let text = format!(
        "development = true\ndomain = \"localhost\"\naliases = {aliases:?}\n[http]\nlisten = \"{http}\"\n\
         [[udp]]\nlisten = \"{udp}\"\n[[tcp]]\nlisten = \"{tcp}\"\n{extra}"
    );
    Ok(fs::write(directory.join("gateway.toml"), text)?)
}

fn launch(directory: &Path) -> Result<(Process, Value)> {
    let addresses = directory.join("addresses.json");
    // A restart must not read what the process before it wrote.
    let _ = fs::remove_file(&addresses);
    let log = fs::File::options().create(true).append(true).open(directory.join("log"))?;
    let mut command = Command::new(binary()?);
    command
        .arg("run")
        .arg("--config")
        .arg(directory.join("gateway.toml"))
        .arg("--data")
        .arg(directory.join("data"))
        .arg("--addresses-to")
        .arg(&addresses)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut process = Process::start(&mut command, "ws-gateway")?;
    let read = || serde_json::from_str(&fs::read_to_string(&addresses).ok()?).ok();
    match eventually("the gateway's addresses", Duration::from_secs(20), || {
        if process.is_running() { read().map(Some) } else { Some(None) }
    })? {
        Some(value) => Ok((process, value)),
        None => bail!("the gateway ended:\n{}", fs::read_to_string(directory.join("log"))?),
    }
}
