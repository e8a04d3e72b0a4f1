//! Finds a compiler for a bare WebAssembly target, or gets one.
//!
//! The everyday toolchain often has no WebAssembly target. In this order: the target where rustup installed it;
//! Debian's `rustc-web`, which knows the target and brings the library's source; `rustup target add`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::succeed;

/// The packages that make [`Compiler::Debian`].
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";

/// A compiler for one target.
pub(crate) enum Compiler {
    /// The everyday toolchain has the target's library.
    Installed,
    /// Debian's second compiler builds the library along with ours, because no package carries it built.
    Debian,
}

impl Compiler {
    /// A compiler for `target`; installs one where that needs no question asked.
    pub(crate) fn find(target: &str) -> Result<Self> {
        if has_target(target) {
            return Ok(Self::Installed);
        }
        if debian_ready() {
            return Ok(Self::Debian);
        }
        if root_on_debian() {
            eprintln!("installing {} with apt …", DEBIAN_PACKAGES.join(", "));
            match install_debian() {
                Ok(()) if debian_ready() => return Ok(Self::Debian),
                Ok(()) => eprintln!("they have no compiler of Rust {}", env!("CARGO_PKG_RUST_VERSION")),

                Err(error) => eprintln!("that failed: {error:#}"),
            }
        }
        if on_path("rustup") {
            eprintln!("installing the target {target} with rustup …");
            match succeed(Command::new("rustup").args(["target", "add", target])) {
                Ok(()) if has_target(target) => return Ok(Self::Installed),
                Ok(()) => eprintln!("rustup added it to another toolchain than the one in use"),
                Err(error) => eprintln!("that failed: {error:#}"),
            }
        }
        bail!(
            "there is no Rust compiler for {target}: run `rustup target add {target}`, or on Debian \
             `sudo apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        )
    }

    /// A cargo call that ends with the arguments that choose `target`. `crates` are the parts of Rust's library
    /// that the code may use.
    ///
    /// It builds below `target/<directory>`, because two compilers must not share one directory.
    pub(crate) fn cargo(
        &self,
        subcommand: &str,
        target: &str,
        crates: &str,
        directory: &Path,
    ) -> Result<Command> {
        let mut command = match self {
            Self::Installed => {
                let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                command.arg(subcommand);
                command
            }
            Self::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                // What rustup's cargo told this process about itself is wrong for the other one.
                for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTDOC", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"] {
                    command.env_remove(name);
                }
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTDOC", DEBIAN_RUSTDOC)
                    // Building Rust's own library is not yet stable in cargo.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .arg(subcommand)
                    .arg(format!("-Zbuild-std={crates}"));
                if subcommand == "build" {
                    let name = target.to_uppercase().replace('-', "_");
                    command.env(format!("CARGO_TARGET_{name}_LINKER"), linker()?);
                }
                command
            }
        };
        // The flags of the everyday build say nothing about this target.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.arg("--target").arg(target).arg("--target-dir").arg(directory);
        Ok(command)
    }

    /// Whether the library is built here, so that its own compile options can be chosen.
    pub(crate) fn builds_library(&self) -> bool {
        matches!(self, Self::Debian)
    }
}

/// Whether the toolchain in use has `target`'s library.
fn has_target(target: &str) -> bool {
    sysroot("rustc").is_some_and(|sysroot| sysroot.join("lib/rustlib").join(target).join("lib").is_dir())
}

/// Whether Debian's second compiler is there, with the library's source, and new enough.
fn debian_ready() -> bool {
    let source = sysroot(DEBIAN_RUSTC).map(|sysroot| sysroot.join("lib/rustlib/src/rust/library/core"));
    Path::new(DEBIAN_CARGO).exists()
        && source.is_some_and(|path| path.is_dir())
        && version(DEBIAN_RUSTC) >= parse_version(env!("CARGO_PKG_RUST_VERSION"))
}

fn root_on_debian() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    root && Path::new("/etc/debian_version").exists() && on_path("apt-get")
}

fn install_debian() -> Result<()> {
    succeed(Command::new("apt-get").args(["update", "-q"]).stdout(Stdio::null()))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "-q", "--no-install-recommends"]);
    succeed(install.args(DEBIAN_PACKAGES).stdin(Stdio::null()).stdout(Stdio::null()))
}

/// Debian's compiler has no WebAssembly linker of its own.
fn linker() -> Result<PathBuf> {
    for rustc in ["rustc", DEBIAN_RUSTC] {
        let Some(sysroot) = sysroot(rustc) else { continue };
        let bundled = sysroot.join("lib/rustlib").join(host(rustc).unwrap_or_default()).join("bin/rust-lld");
        if bundled.exists() {
            return Ok(bundled);
        }
    }
    ["rust-lld", "wasm-ld"].into_iter().find(|name| on_path(name)).map(PathBuf::from).context(
        "there is no WebAssembly linker: install Rust with rustup, or on Debian `sudo apt-get install lld`",
    )
}

pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    Some(PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim()))
}

/// The target that `rustc` compiles for by itself.
pub(crate) fn host(rustc: &str) -> Option<String> {
    let about = ask(rustc, &["-vV"])?;
    about.lines().find_map(|line| line.strip_prefix("host: ")).map(String::from)
}

/// Major and minor version, as far as the compiler tells it.
fn version(rustc: &str) -> Option<(u32, u32)> {
    parse_version(ask(rustc, &["--version"])?.strip_prefix("rustc ")?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(['.', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|_| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("1.96.0 (ac68faa20 2026-05-25)"), Some((1, 96)));
        assert!(parse_version("1.100.1") > parse_version("1.95"));
        assert_eq!(parse_version("nightly"), None);
    }
}
