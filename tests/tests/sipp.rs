//! SIPp on both sides of the gateway, over UDP and TCP.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{Sipp, register};

const PATIENCE: Duration = Duration::from_secs(30);

/// Dave serves with `uas` over UDP while carol calls with `uac`.
fn udp_call(uac: &str, uas: &str) -> Result<()> {
    let gateway = Gateway::start()?;
    let dave = register("dave", gateway.udp)?;
    let serving =
        Sipp::new(uas, "dave", gateway.udp, dave)?.args(&["-d", "200"]).calls(1, PATIENCE).start()?;
    let calling = Sipp::new(uac, "carol", gateway.udp, free_port_pair()?)?
        .callee("dave")
        .args(&["-d", "200"])
        .calls(1, PATIENCE)
        .start()?;
    calling.finish(PATIENCE)?;
    serving.finish(PATIENCE)
}

#[test]
fn a_call_over_udp_ended_by_the_caller() -> Result<()> {
    udp_call("uac", "uas")
}

#[test]
fn a_call_over_udp_ended_by_the_callee() -> Result<()> {
    udp_call("uac_bye_from_callee", "uas_bye")
}

#[test]
fn a_call_over_udp_cancelled_while_ringing() -> Result<()> {
    udp_call("uac_cancel", "uas_cancelled")
}

#[test]
fn a_call_over_udp_to_somebody_busy() -> Result<()> {
    udp_call("uac_busy", "uas_busy")
}

#[test]
fn calls_over_tcp_use_the_connection_the_callee_registered_over() -> Result<()> {
    let gateway = Gateway::start()?;
    let uas = tests::process::data("sipp/uas.xml");
    let mut serving = Sipp::new("register_stay", "dave", gateway.tcp, free_port_pair()?)?
        .args(&["-t", "t1", "-oocsf", &uas.to_string_lossy(), "-m", "1"])
        .start()?;
    tests::process::eventually("dave's registration", PATIENCE, || {
        // The challenge and the 200.
        (gateway.metric("trapezoid_sent_messages_total").ok()? >= 2.0).then_some(())
    })?;
    Sipp::new("uac", "carol", gateway.tcp, free_port_pair()?)?
        .callee("dave")
        .args(&["-t", "t1", "-d", "200", "-r", "5"])
        .calls(10, PATIENCE)
        .run(PATIENCE)?;
    ensure!(serving.is_running(), "the callee ended early");
    Ok(())
}

#[test]
fn a_wrong_password_is_refused() -> Result<()> {
    let gateway = Gateway::start()?;
    let attempt = Sipp::new("register", "dave", gateway.udp, free_port_pair()?)?
        .args(&["-ap", "wrong"])
        .calls(1, PATIENCE)
        .run(PATIENCE);
    ensure!(attempt.is_err(), "registered with a wrong password");
    Ok(())
}
