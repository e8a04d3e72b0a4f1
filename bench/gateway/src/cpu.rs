//! What a process and its children have cost so far.

use std::fs;

use anyhow::{Context, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A process and all below it.
pub fn tree(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        at += 1;
        // A thread may start children, too.
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// CPU time, user and system, of processes that live: microseconds.
pub fn microseconds(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(*pid)?))
            .with_context(|| format!("process {pid} has ended"))?;
        let time = clock_gettime(clock)?;
        sum += time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3;
    }
    Ok(sum)
}

/// Memory, what is shared counted once: bytes.
pub fn memory(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
            .with_context(|| format!("process {pid} has ended"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        sum += kilobytes * 1024.0;
    }
    Ok(sum)
}

/// Time that all processors were busy and not: ticks.
pub fn machine() -> Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("no /proc/stat")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle = ticks[3] + ticks[4];
    Ok((all - idle, all))
}
