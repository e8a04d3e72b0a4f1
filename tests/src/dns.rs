//! A DNS server for tests: what its zone has, and that it has nothing else (RFC 1035). Written by hand, so that it shares
//! no code with what is tested.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// What a server knows.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The data of each record, by name and type.
    records: BTreeMap<(String, u16), Vec<Vec<u8>>>,
    /// Seconds that an answer may be kept.
    ttl: u32,
}

impl Default for Zone {
    fn default() -> Self {
        Self { records: BTreeMap::new(), ttl: 60 }
    }
}

impl Zone {
    /// The same with answers that may be kept for so many seconds, 60 otherwise.
    #[must_use]
    pub fn kept_for(self, ttl: u32) -> Self {
        Self { ttl, ..self }
    }

    /// Adds an address of a host.
    #[must_use]
    pub fn host(self, name: &str, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.record(name, A, v4.octets().into()),
            IpAddr::V6(v6) => self.record(name, AAAA, v6.octets().into()),
        }
    }

    /// Adds a server of a service (RFC 2782).
    #[must_use]
    pub fn srv(self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        let mut data = [priority, weight, port].map(u16::to_be_bytes).concat();
        data.extend(encode_name(target));
        self.record(name, SRV, data)
    }

    /// Adds a pointer to a service (RFC 3403).
    #[must_use]
    pub fn naptr(self, name: &str, order: u16, service: &str, replacement: &str) -> Self {
        let mut data = [order, 10].map(u16::to_be_bytes).concat();
        for text in ["s", service, ""] {
            data.push(text.len() as u8);
            data.extend(text.bytes());
        }
        data.extend(encode_name(replacement));
        self.record(name, NAPTR, data)
    }

    fn record(mut self, name: &str, kind: u16, data: Vec<u8>) -> Self {
        self.records.entry((name.to_ascii_lowercase(), kind)).or_default().push(data);
        self
    }
}

/// A server on a free port of 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct Dns {
    /// Where it is asked.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// Serves a zone.
    pub fn serve(zone: Zone) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let address = socket.local_addr()?;
        let (asked, stop) = (Arc::<Mutex<Vec<(String, u16)>>>::default(), Arc::<AtomicBool>::default());
        let (seen, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                if let Some((question, answer)) = answer(&zone, &buffer[..length]) {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(question);
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { address, asked, stop, thread: Some(thread) })
    }

    /// How often a name was asked for, whatever for.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|(other, _)| other == name).count()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test by its silence.
            let _ = thread.join();
        }
    }
}

/// The question, and the answer to it.
fn answer(zone: &Zone, query: &[u8]) -> Option<((String, u16), Vec<u8>)> {
    let (header, rest) = query.split_at_checked(12)?;
    let (name, length) = decode_name(rest)?;
    let kind = u16::from_be_bytes(rest.get(length..length + 2)?.try_into().ok()?);
    let question = &rest[..length + 4];
    let none = Vec::new();
    let records = zone.records.get(&(name.clone(), kind)).unwrap_or(&none);
    let known = zone.records.keys().any(|(other, _)| *other == name);
    // Authoritative answer, recursion as it was asked for; 3 is NXDOMAIN.
    let flags = [0x84 | (header[2] & 1), if known { 0 } else { 3 }];
    let mut out = header[..2].to_vec();
    out.extend(flags);
    out.extend([0, 1]);
    out.extend((records.len() as u16).to_be_bytes());
    out.extend([0; 4]);
    out.extend(question);
    for data in records {
        // The name is that of the question.
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(zone.ttl.to_be_bytes());
        out.extend((data.len() as u16).to_be_bytes());
        out.extend(data);
    }
    Some(((name, kind), out))
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

/// The name, in lower case, and how many bytes it took.
fn decode_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        let label = bytes.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
}
