//! Kamailio, with the allocator that suits it best.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result};

use super::spawn;

const CONFIG: &str = include_str!("../../kamailio.cfg.in");

pub(super) fn start(directory: &Path, [udp, ws, wss]: [SocketAddr; 3]) -> Result<Child> {
    let path = |name: &str| directory.join(name).display().to_string();
    let config = CONFIG
        .replace("@UDP@", &udp.to_string())
        .replace("@WS@", &ws.to_string())
        .replace("@WSS@", &wss.to_string())
        .replace("@MODULES@", &modules()?)
        .replace("@CHAIN@", &path("chain.pem"))
        .replace("@KEY@", &path("key.pem"));
    let file = directory.join("kamailio.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new("kamailio");
    // Debian's default allocator is made for finding errors and three times as slow.
    command.args(["-DD", "-E", "-x", "fm", "-X", "fm", "-m", "4096", "-M", "16", "-Y"]).arg(directory);
    command.arg("-w").arg(directory).arg("-f").arg(file);
    spawn(command, directory)
}

/// Where the system keeps its modules.
fn modules() -> Result<String> {
    let libraries = ["/usr/lib", "/usr/lib64"].into_iter().map(PathBuf::from);
    let inside = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = libraries.flat_map(|path| std::iter::once(path.clone()).chain(inside(path)));
    let mut found = folders.map(|path| path.join("kamailio/modules"));
    let path = found.find(|path| path.join("websocket.so").is_file() && path.join("tls.so").is_file());
    let path = path.context("install kamailio, kamailio-websocket-modules and kamailio-tls-modules")?;
    Ok(path.display().to_string())
}
