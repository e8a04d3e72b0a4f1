//! SIPp and what the gateway is to it beside one proxy of one call: registrar for each digest algorithm, forks, redirect
//! server, messages, re-INVITE, and all that over TCP.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::gateway::Gateway;
use tests::process::{eventually, free_port_pair};
use tests::sipp::{Running, Sipp, calls_over_tcp, register, register_with_weight};

const PATIENCE: Duration = Duration::from_secs(30);

const REDIRECT: &str = "[proxy]\nmode = \"redirect\"\n";

/// What becomes of dave's registration where a listener for this transport asks for these algorithms, beside one that asks for
/// MD5 alone.
fn registration_over(transport: &str, algorithms: &str) -> Result<Result<()>> {
    let port = free_port_pair()?;
    let listener = format!("[[{transport}]]\nlisten = \"127.0.0.1:{port}\"\ndigest = [{algorithms}]\n");
    let gateway = Gateway::start_with(&listener)?;
    let dave = Sipp::new("register", "dave", (gateway.udp.ip(), port).into(), free_port_pair()?)?;
    let dave = if transport == "tcp" { dave.over_tcp() } else { dave };
    let outcome = dave.calls(1, PATIENCE).run(PATIENCE);
    // Over TCP the binding stays for a while, too: the phone may come back.
    let bindings = gateway.metric("trapezoid_bindings")?;
    ensure!(bindings == if outcome.is_ok() { 1.0 } else { 0.0 }, "{bindings} bindings, {outcome:?}");
    Ok(outcome)
}

fn registration(algorithms: &str) -> Result<()> {
    registration_over("udp", algorithms)??;
    registration_over("tcp", algorithms)?
}

#[test]
fn registration_with_md5() -> Result<()> {
    registration("\"MD5\"")
}

#[test]
fn registration_with_md5_where_sha_256_comes_after_it() -> Result<()> {
    registration("\"MD5\", \"SHA-256\"")
}

/// SIPp 3.6 has MD5 alone. It says so, and the gateway registers nobody.
#[test]
fn registration_with_sha_256_alone_is_beyond_sipp() -> Result<()> {
    for transport in ["udp", "tcp"] {
        let outcome = registration_over(transport, "\"SHA-256\"")?;
        let error = outcome.err().context("SIPp has learnt SHA-256: test it")?;
        ensure!(format!("{error:#}").contains("MD5"), "{error:#}");
    }
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

/// Carol calls dave once with `uac`, over TCP.
fn call_over_tcp(gateway: &Gateway, uac: &str) -> Result<Sipp> {
    let calling = Sipp::new(uac, "carol", gateway.tcp, free_port_pair()?)?.over_tcp();
    Ok(calling.callee("dave").args(&["-d", "200"]).calls(1, PATIENCE))
}

/// Dave registers over TCP with this weight, and takes calls with `uas` on the same connection.
fn dave_over_tcp(gateway: &Gateway, port: u16, weight: &str, uas: &str) -> Result<Running> {
    let dave = Sipp::staying("dave", gateway, port, uas)?.weight(weight);
    dave.args(&["-trace_msg"]).start_registered(gateway)
}

/// These requests, and nothing else, came to a phone.
fn took(phone: &Running, expected: &[&str]) -> Result<()> {
    let came = eventually("the last request", PATIENCE, || {
        phone.requests().ok().filter(|came| came.len() >= expected.len())
    });
    let came = came.or_else(|_| phone.requests())?;
    ensure!(came == expected, "{came:?} and not {expected:?}");
    Ok(())
}

#[test]
fn a_parallel_fork_over_tcp_rings_both_and_cancels_the_one_that_does_not_answer() -> Result<()> {
    let gateway = Gateway::start()?;
    let answers = dave_over_tcp(&gateway, free_port_pair()?, "", "uas")?;
    let rings = dave_over_tcp(&gateway, free_port_pair()?, "", "uas_cancelled")?;
    call_over_tcp(&gateway, "uac")?.run(PATIENCE)?;
    took(&answers, &["INVITE", "ACK", "BYE"])?;
    took(&rings, &["INVITE", "CANCEL", "ACK"])
}

#[test]
fn a_serial_fork_over_tcp_tries_the_heavier_contact_first_and_the_lighter_when_that_is_busy() -> Result<()> {
    let gateway = Gateway::start()?;
    let light = dave_over_tcp(&gateway, free_port_pair()?, "0.3", "uas")?;
    let heavy = dave_over_tcp(&gateway, free_port_pair()?, "0.8", "uas_busy")?;
    call_over_tcp(&gateway, "uac")?.run(PATIENCE)?;
    took(&heavy, &["INVITE", "ACK"])?;
    took(&light, &["INVITE", "ACK", "BYE"])
}

#[test]
fn a_serial_fork_over_tcp_leaves_the_lighter_contact_alone_when_the_heavier_answers() -> Result<()> {
    let gateway = Gateway::start()?;
    let light = dave_over_tcp(&gateway, free_port_pair()?, "0.3", "uas")?;
    let heavy = dave_over_tcp(&gateway, free_port_pair()?, "0.8", "uas")?;
    call_over_tcp(&gateway, "uac")?.run(PATIENCE)?;
    took(&heavy, &["INVITE", "ACK", "BYE"])?;
    took(&light, &[])
}

/// Carol is told both of dave's contacts, the one without a weight first.
fn is_told(calling: Sipp, transport: &str, [one, lighter]: [u16; 2]) -> Result<()> {
    let told = calling.args(&["-trace_logs"]).start()?.finish_with("_logs.log", PATIENCE)?;
    let [told] = &told[..] else { anyhow::bail!("{told:?}") };
    let place = |port: u16| told.find(&format!("<sip:dave@127.0.0.1:{port};transport={transport}>"));
    ensure!(place(one).is_some(), "no {one} in {told}");
    // SIPp shows the first Contact of several header fields; of one with several addresses, all.
    ensure!(place(lighter).is_none_or(|lighter| Some(lighter) > place(one)), "{told}");
    Ok(())
}

#[test]
fn a_redirect_server_says_where_the_callee_is() -> Result<()> {
    let gateway = Gateway::start_with(REDIRECT)?;
    let ports = [register("dave", gateway.udp)?, register_with_weight("dave", gateway.udp, "0.3")?];
    is_told(call(&gateway, "uac_redirected")?, "UDP", ports)
}

#[test]
fn a_redirect_server_over_tcp_says_where_the_callee_is() -> Result<()> {
    let gateway = Gateway::start_with(REDIRECT)?;
    let ports = [free_port_pair()?, free_port_pair()?];
    let _phones =
        [dave_over_tcp(&gateway, ports[0], "", "uas")?, dave_over_tcp(&gateway, ports[1], "0.3", "uas")?];
    is_told(call_over_tcp(&gateway, "uac_redirected")?, "TCP", ports)
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

#[test]
fn messages_over_tcp() -> Result<()> {
    calls_over_tcp("uac_message", "uas_message", 20)
}

#[test]
fn a_reinvite_over_tcp() -> Result<()> {
    calls_over_tcp("uac_reinvite", "uas_reinvite", 5)
}
