//! This project's gateway, as it is shipped.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Result, ensure};

use super::{DOMAIN, USERS, spawn};

const CONFIG: &str = include_str!("../../gateway.toml.in");

/// Builds it.
pub fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "-p", "ws-gateway"]).current_dir(root());
    ensure!(cargo.status()?.success(), "the gateway does not build");
    Ok(root().join("target/release/ws-gateway"))
}

pub(super) fn start(program: &Path, directory: &Path, [udp, ws, wss]: [SocketAddr; 3]) -> Result<Child> {
    let data = directory.join("data");
    fs::DirBuilder::new().mode(0o700).create(&data)?;
    let users = (0..USERS).map(|n| format!("u{n}")).chain(["callee".into()]);
    let account = |user| format!("{{\"username\":\"{user}\",\"realm\":\"{DOMAIN}\",\"md5\":\"{:032x}\"}}", 1);
    let accounts: Vec<_> = users.map(account).collect();
    fs::write(data.join("accounts.json"), format!("{{\"accounts\":[{}]}}", accounts.join(",")))?;
    let path = |name: &str| directory.join(name).display().to_string();
    let config = CONFIG
        .replace("@DOMAIN@", DOMAIN)
        .replace("@UDP@", &udp.to_string())
        .replace("@WS@", &ws.to_string())
        .replace("@WSS@", &wss.to_string())
        .replace("@CHAIN@", &path("chain.pem"))
        .replace("@KEY@", &path("key.pem"));
    let file = directory.join("gateway.toml");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(file).arg("--data").arg(data);
    spawn(command, directory)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
