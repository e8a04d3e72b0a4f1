//! Kamailio as another domain's proxy and registrar.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::{Process, data, eventually};

/// Another address than the gateway's: hosts of a domain are told apart by their addresses, not their ports.
pub const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A running Kamailio, responsible for `b.example`.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    directory: TempDir,
    /// SIP over UDP and TCP.
    pub sip: SocketAddr,
    /// SIP over TLS.
    pub tls: SocketAddr,
}

impl Kamailio {
    /// Starts it. `chain` and `key` are its certificate; what is for the domain `localhost` goes to `gateway`, a URI.
    pub fn start(chain: &Path, key: &Path, gateway: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (sip, tls) = (free()?, free()?);
        let template = fs::read_to_string(data("kamailio/kamailio.cfg.in"))?;
        let config = template
            .replace("@SIP@", &sip.to_string())
            .replace("@TLS@", &tls.to_string())
            .replace("@HOST@", &HOST.to_string())
            .replace("@MODULES@", &modules()?)
            .replace("@CHAIN@", &chain.display().to_string())
            .replace("@KEY@", &key.display().to_string())
            .replace("@GATEWAY@", gateway);
        let file = directory.path().join("kamailio.cfg");
        fs::write(&file, config)?;
        let log = fs::File::create(directory.path().join("log"))?;
        let mut command = Command::new("kamailio");
        command
            .args(["-DD", "-E", "-m", "64", "-M", "8", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(directory.path())
            .arg("-w")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut process = Process::start(&mut command, "kamailio")?;
        let ready = eventually("Kamailio's answer", Duration::from_secs(20), || {
            if process.is_running() { options(sip).then_some(true) } else { Some(false) }
        });
        if !matches!(ready, Ok(true)) {
            bail!("Kamailio does not start:\n{}", fs::read_to_string(directory.path().join("log"))?);
        }
        Ok(Self { process, directory, sip, tls })
    }

    /// Registers a user of b.example at this UDP port of 127.0.0.1.
    pub fn register(&self, user: &str, port: u16) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let via = socket.local_addr()?;
        let request = format!(
            "REGISTER sip:b.example SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKr{port}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@b.example>;tag=r\r\nTo: <sip:{user}@b.example>\r\nCall-ID: r{port}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:{user}@127.0.0.1:{port}>\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), self.sip)?;
        let mut answer = [0; 4_096];
        let length = socket.recv(&mut answer).context("Kamailio does not answer REGISTER")?;
        let answer = String::from_utf8_lossy(&answer[..length]);
        ensure!(answer.starts_with("SIP/2.0 200"), "{answer}");
        Ok(())
    }

    /// What it logged so far: a line for each request, with its transport.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// SIGTERM, for its children's sake.
impl Drop for Kamailio {
    fn drop(&mut self) {
        if self.process.terminate().is_ok() {
            // It is killed if it takes longer.
            let _ = self.process.wait(Duration::from_secs(5));
        }
    }
}

/// Where the system keeps its modules.
fn modules() -> Result<String> {
    let libraries = ["/usr/lib", "/usr/lib64"].into_iter().map(PathBuf::from).filter(|path| path.is_dir());
    let inside =
        |path: PathBuf| fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = libraries.flat_map(|path| std::iter::once(path.clone()).chain(inside(path)));
    let mut found = folders.map(|path| path.join("kamailio/modules"));
    let path = found.find(|path| path.join("tls.so").is_file());
    path.map(|path| path.display().to_string()).context("install `kamailio` and `kamailio-tls-modules`")
}

/// A port of its address that was free a moment ago, for UDP and TCP.
fn free() -> Result<SocketAddr> {
    for _ in 0..200 {
        let socket = UdpSocket::bind((HOST, 0))?;
        let address = socket.local_addr()?;
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port")
}

/// Whether it answers.
fn options(at: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let via = socket.local_addr()?;
        let request = format!(
            "OPTIONS sip:b.example SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKo\r\nMax-Forwards: 70\r\n\
             From: <sip:t@b.example>;tag=o\r\nTo: <sip:b.example>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), at)?;
        let mut answer = [0; 4_096];
        let length = socket.recv(&mut answer)?;
        Ok(answer[..length].starts_with(b"SIP/2.0 200"))
    };
    ask().unwrap_or(false)
}
