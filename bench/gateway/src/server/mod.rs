//! The servers under load, each with its processes.

mod kamailio;
mod ours;

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cpu;

pub use ours::build;

/// The domain all users are of.
pub const DOMAIN: &str = "bench.example";

/// Users `u0`, `u1`, … there are, and `callee`.
pub const USERS: usize = 20_000;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// What the system itself costs.
    Floor,
    /// Kamailio.
    Kamailio,
    /// This project's gateway.
    Ours,
}

/// In the order they take turns.
pub const KINDS: [Kind; 3] = [Kind::Kamailio, Kind::Ours, Kind::Floor];

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Which.
    pub kind: Kind,
    /// SIP over UDP.
    pub udp: SocketAddr,
    /// SIP over WebSocket.
    pub ws: SocketAddr,
    /// The same with TLS; the floor has none.
    pub wss: Option<SocketAddr>,
    children: Vec<Child>,
    directory: TempDir,
}

/// The certificate that is shown over TLS, in PEM, and its key.
pub struct Certificate {
    pub chain: String,
    pub key: String,
}

impl Server {
    /// Starts it, or `ours`, our program; what is for `callee` goes there over UDP once it is registered.
    pub fn start(kind: Kind, ours: &Path, callee: SocketAddr, certificate: &Certificate) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("chain.pem"), &certificate.chain)?;
        std::fs::write(directory.path().join("key.pem"), &certificate.key)?;
        let [udp, ws, wss] = [free_port()?, free_port()?, free_port()?];
        let (children, wss) = match kind {
            Kind::Ours => (vec![ours::start(ours, directory.path(), [udp, ws, wss])?], Some(wss)),
            Kind::Kamailio => (vec![kamailio::start(directory.path(), [udp, ws, wss])?], Some(wss)),
            Kind::Floor => (floors(directory.path(), udp, ws, callee)?, None),
        };
        let mut server = Self { kind, udp, ws, wss, children, directory };
        if let Err(error) = server.ready() {
            bail!("{kind:?} does not start: {error}\n{}", server.log());
        }
        Ok(server)
    }

    /// All its processes.
    pub fn processes(&self) -> Vec<u32> {
        self.children.iter().flat_map(|child| cpu::tree(child.id())).collect()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            for child in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    bail!("it ended: {status}");
                }
            }
            if TcpStream::connect(self.ws).is_ok() && answers(self.udp, self.kind) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("it does not answer");
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            // A signal that takes Kamailio's children along. Whoever does not heed it is killed.
            let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(8);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Puts `user` at `contact`, which is the port it is sent from.
pub fn register(user: &str, contact: SocketAddr, server: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(contact)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch=z9hG4bKr{user};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{DOMAIN}>;tag=r\r\nTo: <sip:{user}@{DOMAIN}>\r\nCall-ID: r{user}\r\n\
         CSeq: 1 REGISTER\r\nContact: <sip:{user}@{contact}>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(request.as_bytes(), server)?;
    let mut answer = [0; 4_096];
    let length = socket.recv(&mut answer).context("REGISTER is not answered")?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    if answer.starts_with("SIP/2.0 200") { Ok(()) } else { bail!("{answer}") }
}

/// The floor answers nothing but REGISTER.
fn answers(at: SocketAddr, kind: Kind) -> bool {
    kind == Kind::Floor || free_port().and_then(|contact| register("u0", contact, at)).is_ok()
}

fn floors(directory: &Path, udp: SocketAddr, ws: SocketAddr, callee: SocketAddr) -> Result<Vec<Child>> {
    [("floor-udp", udp), ("floor-ws", ws)]
        .into_iter()
        .map(|(which, listen)| {
            let mut command = Command::new(std::env::current_exe()?);
            command.args([which, &listen.to_string(), &callee.to_string()]);
            spawn(command, directory)
        })
        .collect()
}

fn spawn(mut command: Command, directory: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(directory.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let name = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("{name} is not installed"),
        _ => error.into(),
    })
}

/// A port that was free a moment ago, for UDP and TCP.
pub fn free_port() -> Result<SocketAddr> {
    for _ in 0..200 {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port")
}
