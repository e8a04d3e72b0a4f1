//! SIPp on both sides of the gateway, over UDP and TCP.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{Sipp, calls_over_tcp, register};

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
    calls_over_tcp("uac", "uas", 10)
}

#[test]
fn calls_over_tcp_ended_by_the_callee() -> Result<()> {
    calls_over_tcp("uac_bye_from_callee", "uas_bye", 5)
}

#[test]
fn calls_over_tcp_cancelled_while_ringing() -> Result<()> {
    calls_over_tcp("uac_cancel", "uas_cancelled", 5)
}

#[test]
fn calls_over_tcp_to_somebody_busy() -> Result<()> {
    calls_over_tcp("uac_busy", "uas_busy", 5)
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
