//! baresip, a desk phone without a desk: headless, an endless tone as microphone, driven over its control socket.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::PASSWORD;
use crate::process::{Process, data, eventually, free_port_pair};

/// Seconds of tone the microphone plays; a call ends when its tone does.
const TONE_SECONDS: u32 = 60;

/// How it reaches its registrar.
#[derive(Clone, Copy, Debug)]
pub enum Over<'a> {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS, showing the certificate of this PEM file (with its key) if it is asked for one. baresip 1.0 does not check who
    /// the server is, whatever its `sip_cafile` says.
    Tls(Option<&'a Path>),
}

/// A running baresip with one registered account.
#[derive(Debug)]
pub struct Baresip {
    _process: Process,
    control: TcpStream,
    received: Vec<u8>,
    directory: TempDir,
}

impl Baresip {
    /// Starts it and waits until it is registered. It answers whoever calls.
    pub fn start(user: &str, gateway: SocketAddr, over: Over<'_>) -> Result<Self> {
        Self::start_as(user, gateway, over, "auto")
    }

    /// The same, but nobody is there to answer: it rings.
    pub fn start_ringing(user: &str, gateway: SocketAddr, over: Over<'_>) -> Result<Self> {
        Self::start_as(user, gateway, over, "manual")
    }

    fn start_as(user: &str, gateway: SocketAddr, over: Over<'_>, answer: &str) -> Result<Self> {
        let (transport, certificate) = match over {
            Over::Udp => ("udp", String::new()),
            Over::Tcp => ("tcp", String::new()),
            Over::Tls(None) => ("tls", String::new()),
            Over::Tls(Some(own)) => ("tls", format!("sip_certificate {}\n", own.display())),
        };
        let directory = tempfile::tempdir()?;
        let (sip, control, rtp) = (free_port_pair()?, free_port_pair()?, free_port_pair()? & !1);
        let fill = |name: &str| -> Result<()> {
            let text = fs::read_to_string(data(&format!("baresip/{name}.in")))?
                .replace("@DIR@", &directory.path().to_string_lossy())
                .replace("@SIP_PORT@", &sip.to_string())
                .replace("@CTRL_PORT@", &control.to_string())
                .replace("@RTP_PORTS@", &format!("{rtp}-{}", rtp + 9))
                .replace("@USER@", user)
                .replace("@ANSWER@", answer)
                .replace("@DOMAIN@", "localhost")
                .replace("@REGISTRAR@", &gateway.to_string())
                .replace("@TRANSPORT@", transport)
                .replace("@CERTIFICATE@", &certificate)
                .replace("@PASSWORD@", PASSWORD);
            Ok(fs::write(directory.path().join(name), text)?)
        };
        fill("config")?;
        fill("accounts")?;
        // Without both files the callee answers and the caller only ever rings.
        tone(&directory.path().join("tone.wav"))?;
        tone(&directory.path().join("alert.wav"))?;
        let log = fs::File::create(directory.path().join("log"))?;
        let mut command = Command::new("baresip");
        command
            .args(["-4", "-f"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = Process::start(&mut command, "baresip-core")?;
        let control = eventually("baresip's control socket", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", control)).ok()
        })?;
        control.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut baresip = Self { _process: process, control, received: Vec::new(), directory };
        let log = baresip.directory.path().join("log");
        let registered = eventually("baresip's registration", Duration::from_secs(15), || {
            fs::read_to_string(&log).ok().filter(|text| text.contains("200 OK"))
        });
        if let Err(error) = registered {
            bail!("{error:#}\n{}", baresip.log());
        }
        baresip.command("callstat", "")?;
        Ok(baresip)
    }

    /// Sends a command and returns what baresip says.
    pub fn command(&mut self, command: &str, params: &str) -> Result<String> {
        let message = json!({ "command": command, "params": params }).to_string();
        self.control.write_all(format!("{}:{message},", message.len()).as_bytes())?;
        // Events come over the same socket; the response says that it is one.
        eventually(command, Duration::from_secs(10), || {
            loop {
                let value = self.next_message()?;
                if value["response"] == true {
                    return Some(value["data"].as_str().unwrap_or_default().to_owned());
                }
            }
        })
        .with_context(|| self.log())
    }

    /// One netstring-framed JSON message, if one has come.
    fn next_message(&mut self) -> Option<Value> {
        let mut chunk = [0u8; 4096];
        if let Ok(count @ 1..) = self.control.read(&mut chunk) {
            self.received.extend_from_slice(&chunk[..count]);
        }
        let colon = self.received.iter().position(|b| *b == b':')?;
        let length: usize = std::str::from_utf8(&self.received[..colon]).ok()?.trim().parse().ok()?;
        let end = colon + 1 + length;
        if self.received.len() <= end {
            return None;
        }
        let value = serde_json::from_slice(&self.received[colon + 1..end]).ok();
        self.received.drain(..=end);
        value
    }

    /// Packets of audio this side sent and received in its current call, as its RTP statistics count them.
    pub fn audio_packets(&mut self) -> Result<(u64, u64)> {
        let text = self.command("audio_debug", "")?;
        let after = |key: &str| -> Option<u64> {
            let (_, rest) = text.split_once(key)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        match (after("TX: packets="), after("rcvd=")) {
            (Some(sent), Some(received)) => Ok((sent, received)),
            _ => bail!("no packet counts in:\n{text}"),
        }
    }

    /// What baresip wrote, for a failure's message.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// A 400 Hz tone, 8 kHz mono 16 bit.
fn tone(path: &Path) -> Result<()> {
    let samples = 8_000 * TONE_SECONDS;
    let bytes = samples * 2;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes());
    wav.extend_from_slice(&8_000u32.to_le_bytes());
    wav.extend_from_slice(&16_000u32.to_le_bytes());
    wav.extend_from_slice(&2u16.to_le_bytes());
    wav.extend_from_slice(&16u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    for n in 0..samples {
        let sample = (f64::from(n) * 400.0 * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0;
        wav.extend_from_slice(&(sample as i16).to_le_bytes());
    }
    Ok(fs::write(path, wav)?)
}
