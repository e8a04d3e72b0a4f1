//! RFC 4475 and RFC 5118 through the gateway as it is shipped, over real sockets.

mod raw;
mod table;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use raw::Raw;
use table::{AIMED, ALIASES, TCP, UDP};
use world::{Wire, World};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Every vector there is, by `rfc/name`.
fn vectors() -> Result<BTreeMap<String, Raw>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sip-core/vectors");
    let mut vectors = BTreeMap::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(directory.join(rfc))? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?;
            vectors.insert(format!("{rfc}/{name}"), Raw::new(&fs::read(&path)?));
        }
    }
    Ok(vectors)
}

/// Sends each, and compares.
fn run(
    at: IpAddr,
    aliases: &[&str],
    wire: Wire,
    aim: Option<&str>,
    expected: &BTreeMap<&str, &str>,
) -> Result<()> {
    let mut world = World::start(at, aliases)?;
    let mut wrong = Vec::new();
    for (name, mut message) in vectors()? {
        let Some(expected) = expected.get(name.as_str()) else { continue };
        if let Some(uri) = aim {
            message.aim(uri);
        }
        let outcome = world.outcome(&message, wire).unwrap_or_else(|error| format!("{error:#}"));
        if outcome != *expected {
            wrong.push(format!("{name}: {outcome}, not {expected}"));
        }
    }
    ensure!(wrong.is_empty(), "{wire:?}: {wrong:#?}");
    world.is_well()
}

#[test]
fn every_vector_has_one_expectation() -> Result<()> {
    let named: Vec<&str> = UDP.iter().map(|(name, _)| *name).collect();
    let mut sorted = named.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), named.len(), "one stands twice");
    assert_eq!(sorted, vectors()?.keys().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(sorted.len(), 50 + 12 + 3, "50 of RFC 4475, 12 of RFC 5118 and 3 corrected ones");
    Ok(())
}

#[test]
fn over_udp() -> Result<()> {
    run(V4, ALIASES, Wire::Udp, None, &UDP.iter().copied().collect())
}

#[test]
fn over_tcp() -> Result<()> {
    let mut expected: BTreeMap<&str, &str> = UDP.iter().copied().collect();
    for (name, instead) in TCP {
        assert!(expected.remove(name).is_some(), "{name}");
        expected.extend(instead.map(|instead| (*name, instead)));
    }
    run(V4, ALIASES, Wire::Tcp, None, &expected)
}

#[test]
fn aimed_at_a_phone() -> Result<()> {
    run(V4, &[], Wire::Udp, Some("sip:user@localhost"), &AIMED.iter().copied().collect())
}

/// As over IPv4, where this machine has IPv6.
#[test]
fn over_ipv6() -> Result<()> {
    if let Err(error) = UdpSocket::bind((V6, 0)) {
        eprintln!("not run: this machine has no IPv6 ({error})");
        return Ok(());
    }
    let mut expected: BTreeMap<&str, &str> = UDP.iter().copied().collect();
    // Its Route is an IPv4 address.
    expected.insert("rfc4475/mpart01", "403 Route Leads Elsewhere");
    run(V6, ALIASES, Wire::Udp, None, &expected)
}

/// RFC 3261 §18.1.2: what is not for this element, by its topmost Via.
#[test]
fn responses_to_others() -> Result<()> {
    let (mut world, vectors) = (World::start(V4, &[])?, vectors()?);
    let rows = [
        ("rfc4475/unreason", "responses_misrouted"),
        ("rfc4475/noreason", "responses_misrouted"),
        ("rfc4475/bcast", "responses_to_no_host"),
        ("rfc4475/bigcode", "malformed_dropped"),
        ("rfc4475/scalarlg", "malformed_dropped"),
    ];
    for (name, counter) in rows {
        ensure!(world.dropped(&vectors[name])? == [counter], "{name}");
    }
    world.is_well()
}
