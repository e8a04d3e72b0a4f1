//! SIPp over UDP, with the scenarios of `sipp/`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::Outcome;
use crate::server::USERS;

/// A SIPp that runs; killed when dropped.
pub struct Sipp {
    child: Child,
    directory: TempDir,
    scenario: &'static str,
}

impl Sipp {
    /// One that waits at `port` for requests that come over `server`.
    pub fn answering(scenario: &'static str, port: u16, server: SocketAddr) -> Result<Self> {
        let sipp = Self::start(scenario, port, server, &[])?;
        // It says nothing when it is ready; its port is taken then.
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            ensure!(Instant::now() < deadline, "SIPp does not start:\n{}", sipp.trouble());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sipp)
    }

    fn start(scenario: &'static str, port: u16, server: SocketAddr, more: &[String]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let users: Vec<_> = (0..USERS).map(|n| format!("u{n};\n")).collect();
        fs::write(directory.path().join("users"), format!("SEQUENTIAL\n{}", users.concat()))?;
        let mut command = Command::new("sipp");
        command
            .arg(server.to_string())
            .arg("-sf")
            .arg(root().join(format!("sipp/{scenario}.xml")))
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-inf", "users", "-trace_err"])
            .args(["-trace_stat", "-stf", "statistics", "-fd", "1"])
            // It sends a hundred before it reads, and has room for as many answers: faster ones would be lost at its door.
            .args(["-buff_size", "4194304"])
            .args(more)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.path().join("screen"))?)
            .stderr(fs::File::create(directory.path().join("stderr"))?);
        let child = command.spawn().context("SIPp does not start: install sip-tester")?;
        Ok(Self { child, directory, scenario })
    }

    fn trouble(&self) -> String {
        let mut text = format!("SIPp {}:\n", self.scenario);
        for entry in fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains("errors") || name == "stderr" {
                text.extend(fs::read_to_string(entry.path()).unwrap_or_default().chars().take(2_000));
            }
        }
        text
    }

    /// The last line of its statistics.
    fn outcome(&self) -> Result<Outcome> {
        let text = fs::read_to_string(self.directory.path().join("statistics"))?;
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().context("no statistics")?.split(';').collect();
        let last: Vec<&str> = lines.last().context("no statistics")?.split(';').collect();
        let value = |name: &str| -> Result<u64> {
            let at = names.iter().position(|n| *n == name).with_context(|| format!("no {name}"))?;
            last.get(at).context("a short line")?.parse().context("not a number")
        };
        Ok(Outcome {
            done: value("SuccessfulCall(C)")?,
            failed: value("FailedCall(C)")?,
            repeated: value("Retransmissions(C)")?,
        })
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `count` operations at `rate` a second, from `port`. None where not all have ended
/// `patience` after the last should have begun.
pub fn run(
    scenario: &'static str,
    port: u16,
    server: SocketAddr,
    rate: u64,
    count: u64,
    patience: Duration,
) -> Result<Option<Outcome>> {
    let more = ["-r", &rate.to_string(), "-m", &count.to_string(), "-l", "100000"].map(str::to_owned);
    let mut sipp = Sipp::start(scenario, port, server, &more)?;
    let deadline = Instant::now() + Duration::from_secs(count.div_ceil(rate.max(1))) + patience;
    while sipp.child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = sipp.outcome().with_context(|| sipp.trouble())?;
    if outcome.failed > 0 {
        eprintln!("{}", sipp.trouble());
    }
    Ok(Some(outcome))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
