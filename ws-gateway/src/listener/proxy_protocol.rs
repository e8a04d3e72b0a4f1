//! The header of the PROXY protocol, version 2: what a load balancer says of a connection before it passes it on.

use std::io;
use std::net::SocketAddr;

use ppp::v2::{Addresses, Command, Header};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::canonical;

/// Signature, version and command, family, and the length of what follows.
const FIXED: usize = 16;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Addresses and what is told beside. It is sent at once by who is trusted, so this bounds a mistake and not an attack.
const MOST: usize = 4_096;

/// Reads the header and nothing after it. `None`: the connection is the load balancer's own, or of a kind that has no
/// address.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; FIXED];
    stream.read_exact(&mut header).await?;
    if header[..SIGNATURE.len()] != *SIGNATURE {
        return Err(fault("no header of the PROXY protocol, version 2"));
    }
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > MOST {
        return Err(fault("a header of the PROXY protocol that is too long"));
    }
    header.resize(FIXED + length, 0);
    stream.read_exact(&mut header[FIXED..]).await?;
    let header = Header::try_from(header.as_slice()).map_err(|error| fault(error.to_string()))?;
    if header.command == Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        Addresses::IPv4(of) => Some(SocketAddr::new(of.source_address.into(), of.source_port)),
        Addresses::IPv6(of) => Some(canonical(SocketAddr::new(of.source_address.into(), of.source_port))),
        Addresses::Unix(_) | Addresses::Unspecified => None,
    })
}

fn fault(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
