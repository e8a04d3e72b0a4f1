//! RFC 4475 and RFC 5118 through the gateway as it is shipped, over real sockets.

mod raw;
mod table;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use raw::Raw;
use table::{AIMED, ALIASES, TCP, UDP};
use world::{Wire, World};

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
fn run(aliases: &[&str], wire: Wire, aim: Option<&str>, expected: &BTreeMap<&str, &str>) -> Result<()> {
    let mut world = World::start(aliases)?;
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
    run(ALIASES, Wire::Udp, None, &UDP.iter().copied().collect())
}

#[test]
fn over_tcp() -> Result<()> {
    let mut expected: BTreeMap<&str, &str> = UDP.iter().copied().collect();
    for (name, instead) in TCP {
        assert!(expected.remove(name).is_some(), "{name}");
        expected.extend(instead.map(|instead| (*name, instead)));
    }
    run(ALIASES, Wire::Tcp, None, &expected)
}

#[test]
fn aimed_at_a_phone() -> Result<()> {
    run(&[], Wire::Udp, Some("sip:user@localhost"), &AIMED.iter().copied().collect())
}

/// RFC 3261 §18.1.2: what is not for this element, by its topmost Via.
#[test]
fn responses_to_others() -> Result<()> {
    let (mut world, vectors) = (World::start(&[])?, vectors()?);
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
