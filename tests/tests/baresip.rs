//! Two desk phones call each other through the gateway, with audio.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::baresip::Baresip;
use tests::gateway::Gateway;
use tests::process::eventually;

#[test]
fn two_phones_hear_each_other() -> Result<()> {
    let gateway = Gateway::start()?;
    let mut erin = Baresip::start("erin", gateway.udp)?;
    let mut frank = Baresip::start("frank", gateway.udp)?;
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
    })?;
    Ok(())
}
