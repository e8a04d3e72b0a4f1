//! The folder `wasm-client/pkg`: what the npm package ships.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::succeed;

/// Says from what the folder was made.
const STAMP: &str = ".fingerprint";

/// Whether `package` was made from what `fingerprint` stands for.
pub(crate) fn is_current(package: &Path, fingerprint: u64) -> bool {
    fs::read_to_string(package.join(STAMP)).is_ok_and(|stamp| stamp == fingerprint.to_string())
}

/// All files below `folder`, in a fixed order; none if it does not exist.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                found.extend(files(&path)?);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies everything below `from` to the same place below `to`.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&file, &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// Puts the finished folder `fresh` in `package`'s place.
pub(crate) fn install(fresh: &Path, package: &Path, fingerprint: u64) -> Result<()> {
    fs::write(fresh.join(STAMP), fingerprint.to_string())?;
    if package.exists() {
        fs::remove_dir_all(package)?;
    }
    fs::rename(fresh, package).with_context(|| format!("cannot write {}", package.display()))
}

/// Prints what a page downloads. Node compresses, since it is what a web server would use anyway.
pub(crate) fn print_sizes(root: &Path, package: &Path) -> Result<()> {
    let sizes = root.join("xtask/sizes.mjs");
    if let Err(error) = succeed(Command::new("node").arg(sizes).arg(package)) {
        eprintln!("the compressed sizes are told by Node 20 or newer: {error:#}");
    }
    Ok(())
}
