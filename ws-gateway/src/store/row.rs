//! One row: all bindings of one address-of-record, as JSON, so that an operator can read what is kept.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use sip_core::registrar::Binding;
use sip_core::time::Instant;
use sip_core::transport::{Hop, RegistrationKey, Transport};
use smol_str::SmolStr;

/// What is kept of one address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrations {
    /// Whose they are.
    pub aor: SmolStr,
    /// The fingerprint of the account's secrets ([`crate::accounts::Accounts::fingerprint`]) when they were written.
    pub account: Option<String>,
    /// The registrations.
    pub bindings: Vec<Binding>,
}

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    /// Not there in rows of gateways that did not write it.
    #[serde(borrow, default)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bindings: Vec<Stored<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    instance: Cow<'a, str>,
    reg_id: u32,
    #[serde(borrow)]
    contact: Cow<'a, str>,
    #[serde(borrow)]
    params: Cow<'a, str>,
    /// Unix time, microseconds.
    expires_at: u64,
    #[serde(borrow)]
    call_id: Cow<'a, str>,
    cseq: u32,
    /// Not there in rows of gateways that did not write it.
    #[serde(default)]
    first_cseq: u32,
    /// Not there in rows of gateways that knew no Path.
    #[serde(borrow, default)]
    path: Cow<'a, str>,
    /// Likewise, and empty where nobody of the configuration brought the Path.
    #[serde(borrow, default)]
    through: Cow<'a, str>,
    /// Likewise.
    #[serde(default)]
    listens: bool,
    /// None while the user agent was away.
    peer: Option<Peer<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Peer<'a> {
    #[serde(borrow)]
    transport: Cow<'a, str>,
    local: SocketAddr,
    remote: SocketAddr,
}

/// The row of these.
pub(super) fn write(kept: &Registrations) -> Result<Vec<u8>, serde_json::Error> {
    let bindings = kept.bindings.iter().map(|binding| Stored {
        instance: binding.key.instance.as_str().into(),
        reg_id: binding.key.reg_id,
        contact: binding.contact.as_str().into(),
        params: binding.params.as_str().into(),
        expires_at: binding.expires_at.as_micros(),
        call_id: binding.call_id.as_str().into(),
        cseq: binding.cseq,
        first_cseq: binding.first_cseq,
        path: binding.path.as_str().into(),
        through: binding.through.as_str().into(),
        listens: binding.listens,
        peer: binding.hop.map(|hop| Peer {
            transport: hop.transport.via_token().into(),
            local: hop.local,
            remote: hop.remote,
        }),
    });
    serde_json::to_vec(&Row { account: kept.account.as_deref().map(Cow::from), bindings: bindings.collect() })
}

/// What a row of `aor` has. `way` gives the hop to a peer that a datagram socket reaches; everybody else has to
/// connect again.
pub(super) fn read(
    aor: &SmolStr,
    row: &[u8],
    way: impl Fn(SocketAddr, SocketAddr) -> Option<Hop>,
) -> Result<Registrations, serde_json::Error> {
    let row: Row<'_> = serde_json::from_slice(row)?;
    let binding = |stored: Stored<'_>| Binding {
        key: RegistrationKey { aor: aor.clone(), instance: stored.instance.into(), reg_id: stored.reg_id },
        contact: stored.contact.into(),
        params: stored.params.into(),
        expires_at: Instant::from_micros(stored.expires_at),
        call_id: stored.call_id.into(),
        cseq: stored.cseq,
        first_cseq: stored.first_cseq,
        path: stored.path.into(),
        through: stored.through.into(),
        listens: stored.listens,
        hop: stored
            .peer
            .filter(|peer| Transport::from_token(&peer.transport) == Some(Transport::Udp))
            .and_then(|peer| way(peer.local, peer.remote)),
    };
    let account = row.account.map(Cow::into_owned);
    Ok(Registrations { aor: aor.clone(), account, bindings: row.bindings.into_iter().map(binding).collect() })
}
