//! The gateway, killed with SIGKILL at random moments under load: what is registered stays registered, calls that stand go
//! on, and those being set up end at both ends: a caller that is back repeats its INVITE, and the call stands, or it sends CANCEL,
//! and nobody rings any more.
//!
//! The load: couples of WebSocket phones and two SIPps over UDP that call each other all the time, and phones that register.
//! Three kills; `npm run test:long` makes 50. What is random comes from a seed that is printed; `TRAPEZOID_SEED` sets it.

mod couple;
mod phone;
mod registering;
#[path = "../../../ws-gateway/tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use sip_core::entropy::{SeededEntropy, number};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{self, Sipp};
use tokio::task::JoinHandle;

use couple::{Couple, Tally};
use phone::Site;
use registering::Known;

/// Pairs of phones.
const COUPLES: usize = 6;

/// Those of which each has a call being set up at each kill, besides.
const PATIENT: u32 = 2;

/// Contacts that must have been compared for each kill.
const REGISTRATIONS: usize = 10;

/// Milliseconds after which SIPp gives up a call in which nothing more comes (RFC 3261 §13.3.1.4, §17.1.1.2: 64 times T1).
const SILENCE: &str = "32000";

/// For whatever SIPp still has when it is told to stop.
const LATE: Duration = Duration::from_secs(90);

fn kills() -> u32 {
    if std::env::var_os("TRAPEZOID_LONG").is_some() { 50 } else { 3 }
}

/// Printed whether the test passes or not, unlike what `println!` says.
fn say(text: &str) {
    // Where nobody listens, the test goes on.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn seed() -> Result<u64> {
    match std::env::var("TRAPEZOID_SEED") {
        Ok(text) => text.parse().context("TRAPEZOID_SEED is a number"),
        Err(_) => Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_registration_older_than_100_ms_and_no_established_call() -> Result<()> {
    let seed = seed()?;
    say(&format!("kill -9: TRAPEZOID_SEED={seed}"));
    let mut entropy = SeededEntropy(seed);
    let couples: Vec<[String; 2]> =
        (0..COUPLES + PATIENT as usize).map(|n| [format!("w{}", 2 * n), format!("w{}", 2 * n + 1)]).collect();
    let registering: Vec<String> = ["r1", "r2"].map(str::to_owned).into();
    let accounts: Vec<&str> = ["carol", "dave"]
        .into_iter()
        .chain(couples.iter().flatten().chain(&registering).map(String::as_str))
        .collect();
    let limits = "[limits]\ncontacts_per_aor = 100\n";
    let mut gateway = Gateway::start_as(Ipv4Addr::LOCALHOST.into(), &accounts, &[], limits)?;

    let dave = sipp::register("dave", gateway.udp)?;
    let serving = Sipp::new("uas_survives", "dave", gateway.udp, dave)?
        .args(&["-trace_logs", "-recv_timeout", SILENCE])
        .start()?;
    let calling = Sipp::new("uac_survives", "carol", gateway.udp, free_port_pair()?)?
        .callee("dave")
        .args(&["-trace_logs", "-recv_timeout", SILENCE, "-d", "700", "-r", "10", "-l", "1000"])
        .start()?;
    let site = Arc::new(Site { http: gateway.http, kills: AtomicU32::new(0), waiting: AtomicU32::new(0) });
    let stop = Arc::new(AtomicBool::new(false));
    let talking: Vec<_> = couples
        .into_iter()
        .zip(0_u32..)
        .map(|(users, index)| {
            let couple = Couple::new(users, &site, &stop, number(&mut entropy));
            tokio::spawn(if index < PATIENT { couple.patient(index) } else { couple }.run())
        })
        .collect();

    let known = Known::default();
    for round in 1..=kills() {
        let over = Arc::new(AtomicBool::new(false));
        let working: Vec<_> = registering
            .iter()
            .map(|user| registering::work(user, gateway.udp, round, &known, &over))
            .collect();
        tokio::time::sleep(Duration::from_millis(500 + number(&mut entropy) % 1_500)).await;
        while site.waiting.load(Ordering::SeqCst) < PATIENT * round {
            ensure!(!talking.iter().any(JoinHandle::is_finished), "a couple ended before kill {round}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        site.kills.fetch_add(1, Ordering::SeqCst);
        // Before the signal: what is answered after this moment may be lost.
        let killed = Instant::now();
        gateway.kill();
        over.store(true, Ordering::Relaxed);
        for task in working {
            task.await?;
        }
        tokio::task::block_in_place(|| gateway.restart())?;
        let checked = registering::nothing_is_lost(&registering, gateway.udp, round, &known, killed).await;
        ensure!(checked >= REGISTRATIONS, "only {checked} registrations before kill {round}");
    }
    stop.store(true, Ordering::Relaxed);
    let quitting = tokio::task::spawn_blocking(move || -> Result<_> {
        let caller = calling.quit(LATE)?;
        Ok((caller, serving.quit(LATE)?))
    });
    let mut total = Tally::default();
    for couple in talking {
        let tally = couple.await?;
        total.ended += tally.ended;
        total.survived += tally.survived;
        total.ended_late += tally.ended_late;
        total.taken += tally.taken;
        total.cancelled += tally.cancelled;
        total.forgotten += tally.forgotten;
    }
    let (caller, callee) = quitting.await??;
    let named = |lines: &[String], what: &str| -> BTreeSet<String> {
        lines.iter().filter_map(|line| line.strip_prefix(what)).map(|id| id.trim().to_owned()).collect()
    };
    let established = named(&callee, "established ");
    let at_both: BTreeSet<String> =
        named(&caller, "ended ").intersection(&named(&callee, "ended ")).cloned().collect();
    let lost: Vec<_> = established.difference(&at_both).collect();
    say(&format!("kill -9: {total:?}; SIPp: {} established, {} lost", established.len(), lost.len()));
    ensure!(lost.is_empty(), "seed {seed}: SIPp's calls {lost:?} were lost\n{}", gateway.log());
    ensure!(established.len() as u32 >= 5 * kills(), "SIPp made only {} calls", established.len());
    ensure!(total.survived >= kills(), "too few calls stood when the gateway was killed: {total:?}");
    // In three kills one of the patient couples repeats all its INVITEs, the other those that are answered.
    ensure!(total.taken >= 4 && total.cancelled >= 2, "too few calls were being set up: {total:?}");
    ensure!(gateway.is_running(), "the gateway ended by itself:\n{}", gateway.log());
    Ok(())
}
