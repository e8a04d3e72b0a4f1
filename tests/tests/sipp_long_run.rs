//! Calls over UDP, one after another and many at once, for as long as it takes: a thousand; with `npm run test:long` 30,000 in
//! ten minutes, of which no message may need to be sent twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{Sipp, register};

/// Calls begun in a second; each lasts for the fifth of one.
const RATE: u32 = 50;

/// What SIPp's statistics (`-trace_stat`) say at the end in a column that counts from the beginning.
fn column(statistics: &[String], name: &str) -> Result<u64> {
    let at = statistics.first().context("no statistics")?.split(';').position(|column| column == name);
    let last = statistics.last().context("no statistics")?;
    let value = last.split(';').nth(at.with_context(|| format!("no {name}"))?);
    value.context("a short line")?.parse().context("no number")
}

#[test]
fn calls_over_udp_lose_nothing_and_in_the_long_run_retransmit_nothing() -> Result<()> {
    let long = std::env::var_os("TRAPEZOID_LONG").is_some();
    let calls = if long { 30_000 } else { 1_000 };
    let patience = Duration::from_secs(u64::from(calls / RATE) + 120);
    let gateway = Gateway::start()?;
    let dave = register("dave", gateway.udp)?;
    let sipp = |scenario: &str, user: &str, port: u16| -> Result<_> {
        let sipp = Sipp::new(scenario, user, gateway.udp, port)?.callee("dave").calls(calls, patience);
        let rate = RATE.to_string();
        sipp.args(&["-d", "200", "-r", &rate, "-l", "1000", "-trace_stat", "-fd", "5"]).start()
    };
    let serving = sipp("uas", "dave", dave)?;
    let calling = sipp("uac", "carol", free_port_pair()?)?;
    for sipp in [calling, serving] {
        let statistics = sipp.finish_with("_.csv", patience)?;
        ensure!(column(&statistics, "SuccessfulCall(C)")? == u64::from(calls));
        ensure!(column(&statistics, "FailedCall(C)")? == 0);
        let again = column(&statistics, "Retransmissions(C)")?;
        // On a machine busy with other tests half a second may pass without anybody's fault.
        ensure!(!long || again == 0, "{again} messages were sent twice");
    }
    Ok(())
}
