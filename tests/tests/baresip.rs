//! Two desk phones call each other through the gateway, with audio.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::baresip::{Baresip, Over};
use tests::gateway::Gateway;
use tests::process::eventually;

const TLS: &str = "[[tls]]\nlisten = \"127.0.0.1:0\"\n";

/// Erin calls frank, both hear each other, and erin hangs up.
fn hear_each_other(mut erin: Baresip, mut frank: Baresip) -> Result<()> {
    erin.command("dial", "sip:frank@localhost")?;
    for phone in [&mut erin, &mut frank] {
        let (sent, received) = eventually("audio both ways", Duration::from_secs(20), || {
            phone.audio_packets().ok().filter(|(sent, received)| *sent > 100 && *received > 100)
        })?;
        ensure!(sent > 100 && received > 100);
    }
    erin.command("hangup", "")?;
    eventually("the other phone's end of the call", Duration::from_secs(10), || {
        (!frank.command("callstat", "").ok()?.contains("ESTABLISHED")).then_some(())
    })
}

#[test]
fn two_phones_over_udp_hear_each_other() -> Result<()> {
    let gateway = Gateway::start()?;
    let phone = |user| Baresip::start(user, gateway.udp, Over::Udp);
    hear_each_other(phone("erin")?, phone("frank")?)
}

#[test]
fn two_phones_over_tcp_hear_each_other() -> Result<()> {
    let gateway = Gateway::start()?;
    let phone = |user| Baresip::start(user, gateway.tcp, Over::Tcp);
    hear_each_other(phone("erin")?, phone("frank")?)
}

/// Erin calls frank, and the gateway is killed while his phone rings.
fn rings_over_a_kill() -> Result<(Gateway, Baresip, Baresip)> {
    let mut gateway = Gateway::start()?;
    let mut erin = Baresip::start("erin", gateway.udp, Over::Udp)?;
    let mut frank = Baresip::start_ringing("frank", gateway.udp, Over::Udp)?;
    erin.command("dial", "sip:frank@localhost")?;
    eventually("a ringing phone", Duration::from_secs(10), || is(&mut frank, "INCOMING").then_some(()))
        .with_context(|| frank.log())?;
    // What is older than 100 ms is kept: that both are registered, and that he rings.
    std::thread::sleep(Duration::from_millis(200));
    gateway.kill();
    gateway.restart()?;
    ensure!(is(&mut frank, "INCOMING"), "{}", frank.log());
    ensure!(gateway.metric("trapezoid_sip_calls_taken_up_total")? == 1.0);
    Ok((gateway, erin, frank))
}

fn is(phone: &mut Baresip, state: &str) -> bool {
    phone.command("callstat", "").is_ok_and(|text| text.contains(state))
}

/// She hangs up: his phone rings no longer.
#[test]
fn rfc3261_16_10_a_call_that_rings_over_a_kill_can_be_given_up() -> Result<()> {
    let (gateway, mut erin, mut frank) = rings_over_a_kill()?;
    erin.command("hangup", "")?;
    eventually("the end of the ringing", Duration::from_secs(5), || {
        (!is(&mut frank, "INCOMING")).then_some(())
    })
    .with_context(|| format!("{}\n{}", gateway.log(), frank.log()))?;
    // Within a second, and not by the 32 s after which a call ends by itself.
    eventually("nothing on its way", Duration::from_secs(5), || {
        gateway.metric("trapezoid_sip_forwarding").is_ok_and(|open| open == 0.0).then_some(())
    })
}

/// He answers, and they talk.
#[test]
fn rfc3261_16_7_a_call_that_rings_over_a_kill_is_answered() -> Result<()> {
    let (gateway, mut erin, mut frank) = rings_over_a_kill()?;
    frank.command("accept", "")?;
    eventually("a call at both ends", Duration::from_secs(5), || {
        [&mut erin, &mut frank].into_iter().all(|phone| is(phone, "ESTABLISHED")).then_some(())
    })
    .with_context(|| format!("{}\n{}\n{}", gateway.log(), erin.log(), frank.log()))?;
    // And it is a call of its two ends.
    frank.command("hangup", "")?;
    eventually("the end at the other", Duration::from_secs(5), || {
        (!is(&mut erin, "ESTABLISHED")).then_some(())
    })
    .with_context(|| erin.log())
}

/// A certificate with its key in one file, as baresip wants it; it is its own authority.
fn certificate(directory: &Path) -> Result<PathBuf> {
    let made = rcgen::generate_simple_self_signed(vec!["phone.localhost".into()])?;
    let path = directory.join("phone.pem");
    fs::write(&path, format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()))?;
    Ok(path)
}

/// A gateway that lets nobody in over TLS whom `authorities` have not signed.
fn strict(authorities: &Path) -> Result<(Gateway, SocketAddr)> {
    let gateway = Gateway::start_with(&format!(
        "{TLS}client_certificates = \"required\"\nclient_ca = {authorities:?}\n"
    ))?;
    let tls = gateway.tls.context("no TLS port")?;
    Ok((gateway, tls))
}

#[test]
fn two_phones_over_tls_show_their_certificates_and_hear_each_other() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let own = certificate(directory.path())?;
    let (_gateway, tls) = strict(&own)?;
    let phone = |user| Baresip::start(user, tls, Over::Tls(Some(&own)));
    hear_each_other(phone("erin")?, phone("frank")?)
}

#[test]
fn a_phone_over_tls_without_the_certificate_asked_for_is_refused() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (gateway, tls) = strict(&certificate(directory.path())?)?;
    let error = Baresip::start("erin", tls, Over::Tls(None)).expect_err("it registered");
    ensure!(format!("{error:#}").contains("baresip's registration: not within"), "{error:#}");
    ensure!(gateway.metric("trapezoid_bindings")? == 0.0);
    Ok(())
}

/// What `openssl s_client` finds of a certificate: whether `authorities` have signed it, and for this address.
fn verified(tls: SocketAddr, authorities: &Path, address: &str) -> Result<bool> {
    let done = Command::new("openssl")
        .args(["s_client", "-connect", &tls.to_string(), "-verify_return_error", "-verify_ip", address])
        .arg("-CAfile")
        .arg(authorities)
        .stdin(Stdio::null())
        .output()
        .context("openssl does not start: install `openssl`")?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(said.contains("CONNECTED"), "{said}{}", String::from_utf8_lossy(&done.stderr));
    Ok(done.status.success() && said.contains("Verification: OK"))
}

#[test]
fn openssl_finds_the_certificate_good_for_its_own_address_and_authority_alone() -> Result<()> {
    let (gateway, other) = (Gateway::start_with(TLS)?, Gateway::start_with(TLS)?);
    let tls = gateway.tls.context("no TLS port")?;
    ensure!(verified(tls, &gateway.certificate(), "127.0.0.1")?);
    ensure!(!verified(tls, &gateway.certificate(), "127.0.0.2")?, "for another address");
    ensure!(!verified(tls, &other.certificate(), "127.0.0.1")?, "for another authority");
    Ok(())
}
