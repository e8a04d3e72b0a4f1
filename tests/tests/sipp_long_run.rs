//! Calls over UDP and over TCP, one after another and many at once, for as long as it takes: a thousand; with `npm run test:long` 30,000 in
//! ten minutes, of which no message may need to be sent twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{Running, Sipp, register};

/// Calls begun in a second; each lasts for the fifth of one.
const RATE: u32 = 50;

/// What SIPp's statistics (`-trace_stat`) say at the end in a column that counts from the beginning.
fn column(statistics: &[String], name: &str) -> Result<u64> {
    let at = statistics.first().context("no statistics")?.split(';').position(|column| column == name);
    let last = statistics.last().context("no statistics")?;
    let value = last.split(';').nth(at.with_context(|| format!("no {name}"))?);
    value.context("a short line")?.parse().context("no number")
}

/// Whether it is the ten minutes.
fn is_long() -> bool {
    std::env::var_os("TRAPEZOID_LONG").is_some()
}

/// How many calls, and how long they may take.
fn calls() -> (u32, Duration) {
    let calls = if is_long() { 30_000 } else { 1_000 };
    (calls, Duration::from_secs(u64::from(calls / RATE) + 120))
}

/// As many calls, and as often; with statistics.
fn many(sipp: Sipp) -> Sipp {
    let ((calls, patience), rate) = (calls(), RATE.to_string());
    let sipp = sipp.callee("dave").calls(calls, patience);
    sipp.args(&["-d", "200", "-r", &rate, "-l", "1000", "-trace_stat", "-fd", "5"])
}

/// Every call went well.
fn succeeds(sipp: Running) -> Result<()> {
    let (calls, patience) = calls();
    let statistics = sipp.finish_with("_.csv", patience)?;
    ensure!(column(&statistics, "SuccessfulCall(C)")? == u64::from(calls));
    ensure!(column(&statistics, "FailedCall(C)")? == 0);
    let again = column(&statistics, "Retransmissions(C)")?;
    // On a machine busy with other tests half a second may pass without anybody's fault.
    ensure!(!is_long() || again == 0, "{again} messages were sent twice");
    Ok(())
}

#[test]
fn calls_over_udp_lose_nothing_and_in_the_long_run_retransmit_nothing() -> Result<()> {
    let gateway = Gateway::start()?;
    let dave = register("dave", gateway.udp)?;
    let serving = many(Sipp::new("uas", "dave", gateway.udp, dave)?).start()?;
    succeeds(many(Sipp::new("uac", "carol", gateway.udp, free_port_pair()?)?).start()?)?;
    succeeds(serving)
}

#[test]
fn calls_over_tcp_lose_nothing() -> Result<()> {
    let gateway = Gateway::start()?;
    let mut dave = Sipp::staying("dave", &gateway, free_port_pair()?, "uas")?.start_registered(&gateway)?;
    succeeds(many(Sipp::new("uac", "carol", gateway.tcp, free_port_pair()?)?.over_tcp()).start()?)?;
    ensure!(dave.is_running(), "the callee ended early");
    Ok(())
}
