//! SIPp and what the gateway is to it beside one proxy of one call: registrar for each digest algorithm, forks, redirect
//! server, messages, re-INVITE, and all that over TCP.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::gateway::Gateway;
use tests::process::free_port_pair;
use tests::sipp::{Sipp, register, register_with_weight};

const PATIENCE: Duration = Duration::from_secs(30);

/// Another listener that asks for these algorithms, beside one that asks for MD5 alone.
fn challenging(algorithms: &str) -> Result<(Gateway, u16)> {
    let port = free_port_pair()?;
    let extra = format!("[[udp]]\nlisten = \"127.0.0.1:{port}\"\ndigest = [{algorithms}]\n");
    Ok((Gateway::start_with(&extra)?, port))
}

fn registration(algorithms: &str) -> Result<Result<()>> {
    let (gateway, port) = challenging(algorithms)?;
    let at = (gateway.udp.ip(), port).into();
    let outcome = Sipp::new("register", "dave", at, free_port_pair()?)?.calls(1, PATIENCE).run(PATIENCE);
    let bindings = gateway.metric("trapezoid_bindings")?;
    ensure!(bindings == if outcome.is_ok() { 1.0 } else { 0.0 }, "{bindings} bindings, {outcome:?}");
    Ok(outcome)
}

#[test]
fn registration_with_md5() -> Result<()> {
    registration("\"MD5\"")?
}

#[test]
fn registration_with_md5_where_sha_256_comes_after_it() -> Result<()> {
    registration("\"MD5\", \"SHA-256\"")?
}

/// SIPp 3.6 has MD5 alone. It says so, and the gateway registers nobody.
#[test]
fn registration_with_sha_256_alone_is_beyond_sipp() -> Result<()> {
    let error = registration("\"SHA-256\"")?.err().context("SIPp has learnt SHA-256: test it")?;
    ensure!(format!("{error:#}").contains("MD5"), "{error:#}");
    Ok(())
}

/// Carol calls dave once with `uac`, over UDP.
fn call(gateway: &Gateway, uac: &str) -> Result<Sipp> {
    let calling = Sipp::new(uac, "carol", gateway.udp, free_port_pair()?)?;
    Ok(calling.callee("dave").args(&["-d", "200"]).calls(1, PATIENCE))
}

#[test]
fn a_parallel_fork_rings_both_and_cancels_the_one_that_does_not_answer() -> Result<()> {
    let gateway = Gateway::start()?;
    let (one, other) = (register("dave", gateway.udp)?, register("dave", gateway.udp)?);
    let answers = Sipp::new("uas", "dave", gateway.udp, one)?.calls(1, PATIENCE).start()?;
    let rings = Sipp::new("uas_cancelled", "dave", gateway.udp, other)?.calls(1, PATIENCE).start()?;
    call(&gateway, "uac")?.run(PATIENCE)?;
    answers.finish(PATIENCE)?;
    rings.finish(PATIENCE)
}

#[test]
fn a_serial_fork_tries_the_heavier_contact_first_and_the_lighter_when_that_is_busy() -> Result<()> {
    let gateway = Gateway::start()?;
    let light = register_with_weight("dave", gateway.udp, "0.3")?;
    let heavy = register_with_weight("dave", gateway.udp, "0.8")?;
    let busy = Sipp::new("uas_busy", "dave", gateway.udp, heavy)?.calls(1, PATIENCE).start()?;
    let answers = Sipp::new("uas", "dave", gateway.udp, light)?.calls(1, PATIENCE).start()?;
    call(&gateway, "uac")?.run(PATIENCE)?;
    busy.finish(PATIENCE)?;
    answers.finish(PATIENCE)
}

#[test]
fn a_serial_fork_leaves_the_lighter_contact_alone_when_the_heavier_answers() -> Result<()> {
    let gateway = Gateway::start()?;
    let light = register_with_weight("dave", gateway.udp, "0.3")?;
    let heavy = register_with_weight("dave", gateway.udp, "0.8")?;
    let idle = std::net::UdpSocket::bind(("127.0.0.1", light))?;
    let answers = Sipp::new("uas", "dave", gateway.udp, heavy)?.calls(1, PATIENCE).start()?;
    call(&gateway, "uac")?.run(PATIENCE)?;
    answers.finish(PATIENCE)?;
    idle.set_nonblocking(true)?;
    ensure!(idle.recv(&mut [0; 4_096]).is_err(), "the lighter contact was sent something");
    Ok(())
}

#[test]
fn a_redirect_server_says_where_the_callee_is() -> Result<()> {
    let gateway = Gateway::start_with("[proxy]\nmode = \"redirect\"\n")?;
    let (one, other) = (register("dave", gateway.udp)?, register_with_weight("dave", gateway.udp, "0.3")?);
    let calling = call(&gateway, "uac_redirected")?.args(&["-trace_logs"]).start()?;
    let told = calling.finish_with("_logs.log", PATIENCE)?;
    let [told] = &told[..] else { anyhow::bail!("{told:?}") };
    let place = |port: u16| told.find(&format!("<sip:dave@127.0.0.1:{port};transport=UDP>"));
    ensure!(place(one).is_some(), "no {one} in {told}");
    // SIPp shows the first Contact of several header fields; of one with several addresses, all.
    ensure!(place(other).is_none_or(|lighter| Some(lighter) > place(one)), "{told}");
    Ok(())
}

#[test]
fn messages_over_udp() -> Result<()> {
    let gateway = Gateway::start()?;
    let dave = register("dave", gateway.udp)?;
    let taking = Sipp::new("uas_message", "dave", gateway.udp, dave)?.calls(20, PATIENCE).start()?;
    let sending = Sipp::new("uac_message", "carol", gateway.udp, free_port_pair()?)?;
    sending.callee("dave").calls(20, PATIENCE).run(PATIENCE)?;
    taking.finish(PATIENCE)
}

#[test]
fn a_reinvite_over_udp() -> Result<()> {
    let gateway = Gateway::start()?;
    let dave = register("dave", gateway.udp)?;
    let serving = Sipp::new("uas_reinvite", "dave", gateway.udp, dave)?.calls(1, PATIENCE).start()?;
    call(&gateway, "uac_reinvite")?.run(PATIENCE)?;
    serving.finish(PATIENCE)
}

/// Over TCP the callee answers on the connection that it registered over.
fn over_tcp(uac: &str, uas: &str) -> Result<()> {
    let gateway = Gateway::start()?;
    let scenario = tests::process::data(&format!("sipp/{uas}.xml"));
    let mut serving = Sipp::new("register_stay", "dave", gateway.tcp, free_port_pair()?)?
        .args(&["-t", "t1", "-oocsf", &scenario.to_string_lossy(), "-m", "1"])
        .start()?;
    tests::process::eventually("dave's registration", PATIENCE, || {
        (gateway.metric("trapezoid_bindings").ok()? == 1.0).then_some(())
    })?;
    Sipp::new(uac, "carol", gateway.tcp, free_port_pair()?)?
        .callee("dave")
        .args(&["-t", "t1", "-d", "200"])
        .calls(5, PATIENCE)
        .run(PATIENCE)?;
    ensure!(serving.is_running(), "the callee ended early");
    Ok(())
}

#[test]
fn messages_over_tcp() -> Result<()> {
    over_tcp("uac_message", "uas_message")
}

#[test]
fn a_reinvite_over_tcp() -> Result<()> {
    over_tcp("uac_reinvite", "uas_reinvite")
}

#[test]
fn a_call_over_tcp_cancelled_while_ringing() -> Result<()> {
    over_tcp("uac_cancel", "uas_cancelled")
}
