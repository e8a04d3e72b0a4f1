//! The gateway's command line.

fn main() -> anyhow::Result<()> {
    anyhow::bail!("this build of the gateway serves nothing yet")
}
