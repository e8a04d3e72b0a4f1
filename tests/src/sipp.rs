//! SIPp with the scenarios of `tests/sipp`.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use crate::gateway::{Gateway, PASSWORD};
use crate::process::{Process, data, eventually, free_port_pair};

/// A SIPp to be started.
#[derive(Debug)]
pub struct Sipp {
    command: Command,
    directory: TempDir,
    scenario: String,
    /// Of the account.
    domain: String,
    /// The parameter of the contact that is registered.
    weight: String,
}

/// A SIPp that runs.
#[derive(Debug)]
pub struct Running {
    process: Process,
    directory: TempDir,
    scenario: String,
}

impl Sipp {
    /// `scenario` of `tests/sipp` for account `user`, against `gateway` from `port`, over UDP.
    pub fn new(scenario: &str, user: &str, gateway: SocketAddr, port: u16) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new("sipp");
        command
            .arg(gateway.to_string())
            .arg("-sf")
            .arg(data(&format!("sipp/{scenario}.xml")))
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-trace_err"])
            .args(["-key", "user", user, "-au", user, "-ap", PASSWORD])
            .arg("-timeout_error")
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.path().join("screen"))?)
            .stderr(fs::File::create(directory.path().join("stderr"))?);
        let (scenario, domain) = (scenario.to_owned(), "localhost".to_owned());
        let weight = String::new();
        Ok(Self { command, directory, scenario, domain, weight }.digest_uri("localhost"))
    }

    /// Somebody who registers over TCP, stays, and serves with `scenario` what comes over that connection; the contact has
    /// `port`.
    pub fn staying(user: &str, gateway: &Gateway, port: u16, scenario: &str) -> Result<Self> {
        let scenario = data(&format!("sipp/{scenario}.xml"));
        let staying = Self::new("register_stay", user, gateway.tcp, port)?.over_tcp();
        Ok(staying.args(&["-oocsf", &scenario.to_string_lossy(), "-m", "1", "-d", "200"]))
    }

    /// Digest is computed for `sip:` and this; SIPp would take the address it sends to. The last one given counts.
    fn digest_uri(self, uri: &str) -> Self {
        self.args(&["-auth_uri", uri])
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// Calls this account.
    #[must_use]
    pub fn callee(self, callee: &str) -> Self {
        self.callee_at(callee, "localhost")
    }

    /// Calls somebody of this domain.
    #[must_use]
    pub fn callee_at(self, callee: &str, domain: &str) -> Self {
        self.args(&["-key", "callee", callee, "-key", "callee_domain", domain])
            .digest_uri(&format!("{callee}@{domain}"))
    }

    /// The account is of another domain.
    #[must_use]
    pub fn of(mut self, domain: &str) -> Self {
        domain.clone_into(&mut self.domain);
        self
    }

    /// The contact that it registers has this weight (`q`), or none if it is empty.
    #[must_use]
    pub fn weight(mut self, weight: &str) -> Self {
        self.weight = if weight.is_empty() { String::new() } else { format!(";q={weight}") };
        self
    }

    /// Over TCP instead of UDP, all on one connection.
    #[must_use]
    pub fn over_tcp(self) -> Self {
        self.args(&["-t", "t1"])
    }

    /// Handles this many calls, then ends; at most `patience`.
    #[must_use]
    pub fn calls(self, count: u32, patience: Duration) -> Self {
        let seconds = patience.as_secs().to_string();
        self.args(&["-m", &count.to_string(), "-timeout", &seconds])
    }

    /// Starts it.
    pub fn start(mut self) -> Result<Running> {
        self.command.args(["-key", "domain", &self.domain, "-key", "weight", &self.weight]);
        let process = Process::start(&mut self.command, "sip-tester")?;
        Ok(Running { process, directory: self.directory, scenario: self.scenario })
    }

    /// Starts one that stays, and waits until the gateway has one binding more.
    pub fn start_registered(self, gateway: &Gateway) -> Result<Running> {
        let bindings = gateway.metric("trapezoid_bindings")?;
        let staying = self.start()?;
        eventually("a registration over TCP", Duration::from_secs(15), || {
            (gateway.metric("trapezoid_bindings").ok()? > bindings).then_some(())
        })?;
        Ok(staying)
    }

    /// Runs it to its end.
    pub fn run(self, patience: Duration) -> Result<()> {
        self.start()?.finish(patience)
    }
}

impl Running {
    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Has it make no more calls, and waits until those that it has are over, whatever became of them. Then gives what
    /// its scenario logged (`-trace_logs`).
    pub fn quit(mut self, patience: Duration) -> Result<Vec<String>> {
        self.process.signal("USR1")?;
        self.process.wait(patience)?;
        self.written("_logs.log")
    }

    /// Waits for the end as [`Running::finish`] does, and gives the lines of a file that it wrote, by the end of its name.
    pub fn finish_with(mut self, name: &str, patience: Duration) -> Result<Vec<String>> {
        self.succeed(patience)?;
        self.written(name)
    }

    /// The methods of the requests that came so far, in their order (`-trace_msg`).
    pub fn requests(&self) -> Result<Vec<String>> {
        let lines = self.written("_messages.log")?;
        let mut lines = lines.iter().map(String::as_str).filter(|line| !line.is_empty());
        let mut methods = Vec::new();
        while lines.by_ref().any(|line| line.contains(" message received ")) {
            let method = lines.next().and_then(|line| line.strip_suffix(" SIP/2.0")?.split(' ').next());
            methods.extend(method.map(str::to_owned));
        }
        Ok(methods)
    }

    fn written(&self, name: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(self.directory.path())?.flatten() {
            if entry.file_name().to_string_lossy().ends_with(name) {
                lines.extend(fs::read_to_string(entry.path())?.lines().map(str::to_owned));
            }
        }
        Ok(lines)
    }

    /// Waits for the end; an error, with what SIPp wrote, unless every call succeeded.
    pub fn finish(mut self, patience: Duration) -> Result<()> {
        self.succeed(patience)
    }

    fn succeed(&mut self, patience: Duration) -> Result<()> {
        let outcome = self.process.wait(patience);
        match &outcome {
            Ok(status) if status.success() => Ok(()),
            _ => bail!("SIPp {}: {outcome:?}\n{}", self.scenario, self.trouble()),
        }
    }

    fn trouble(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains("errors") || name == "stderr" {
                let content = fs::read_to_string(entry.path()).unwrap_or_default();
                text.extend(["--- ", &name, "\n"]);
                text.extend(content.chars().take(4_000));
            }
        }
        text
    }
}

/// Registers `user` over UDP from a fresh port, which is the binding's flow: serve calls from that port.
pub fn register(user: &str, gateway: SocketAddr) -> Result<u16> {
    register_with_weight(user, gateway, "")
}

/// The same for a contact with this weight (`q`).
pub fn register_with_weight(user: &str, gateway: SocketAddr, weight: &str) -> Result<u16> {
    let port = free_port_pair()?;
    let patience = Duration::from_secs(15);
    Sipp::new("register", user, gateway, port)?.weight(weight).calls(1, patience).run(patience)?;
    Ok(port)
}

/// Carol does to dave what `uac` says, so many times, and he takes it with `uas`: both over TCP, he on the connection that he
/// registered over.
pub fn calls_over_tcp(uac: &str, uas: &str, calls: u32) -> Result<()> {
    let patience = Duration::from_secs(30);
    let gateway = Gateway::start()?;
    let mut dave = Sipp::staying("dave", &gateway, free_port_pair()?, uas)?.start_registered(&gateway)?;
    let carol = Sipp::new(uac, "carol", gateway.tcp, free_port_pair()?)?.callee("dave").over_tcp();
    carol.args(&["-d", "200", "-r", "5"]).calls(calls, patience).run(patience)?;
    ensure!(dave.is_running(), "the callee ended early");
    Ok(())
}
