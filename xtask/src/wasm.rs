//! Compiles `wasm-client` and makes the npm package's content of it.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use wasm_bindgen_cli_support::Bindgen;

use crate::compiler::Compiler;
use crate::{pkg, root, succeed};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Stem of the generated files.
const OUT_NAME: &str = "trapezoid_wasm";

/// What every browser of the last years understands. Binaryen's `--all-features` output is refused.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

#[derive(Args)]
pub(crate) struct Options {
    /// Keep function names and panic messages: larger, for finding a fault.
    #[arg(long)]
    debug: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let root = root();
    let module = compile(&root, options)?;
    let code = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;

    let package = root.join("wasm-client/pkg");
    let fingerprint = fingerprint(&root, &code, options)?;
    if pkg::is_current(&package, fingerprint) {
        println!("wasm-client/pkg is up to date");
    } else {
        // Made aside and moved in one go, so that nobody sees half a package.
        let fresh = root.join("target/wasm/pkg");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh)?;
        bind(&module, &fresh, OUT_NAME, options.debug)?;
        let bound = fresh.join(format!("{OUT_NAME}_bg.wasm"));
        if !options.debug {
            optimise(&root, &bound)?;
        }
        ensure_imports(&bound)?;
        pkg::copy_files(&root.join("wasm-client/js"), &fresh)?;
        pkg::install(&fresh, &package, fingerprint)?;
    }
    pkg::print_sizes(&root, &package)
}

/// Builds the library and returns the module's path.
fn compile(root: &Path, options: &Options) -> Result<PathBuf> {
    let compiler = Compiler::find(TARGET)?;
    let directory = root.join(if options.debug { "target/wasm-debug" } else { "target/wasm" });
    let mut build = compiler.cargo("build", TARGET, "std,panic_abort", &directory)?;
    build.current_dir(root).args(["-p", "wasm-client", "--lib", "--profile", "wasm", "--locked"]);
    // SHA-256 as a loop: a request hashes a few hundred bytes, so the unrolled one is not worth its 6 kB.
    let mut flags = String::from("--cfg=sha2_backend_soft=\"compact\"");
    if compiler.builds_library() && !options.debug {
        // Together these take a seventh off the module. A panic is a fault of ours and ends the module either
        // way; `--debug` keeps its message.
        build.arg("-Zbuild-std-features=optimize_for_size");
        flags += " -Cpanic=immediate-abort -Zunstable-options -Zlocation-detail=none";
    }
    build.env("RUSTFLAGS", flags);
    succeed(&mut build)?;
    Ok(directory.join(TARGET).join("wasm/wasm_client.wasm"))
}

/// Makes `module` loadable: the JavaScript beside it, under the stem `out_name`.
pub(crate) fn bind(module: &Path, folder: &Path, out_name: &str, names: bool) -> Result<()> {
    Bindgen::new()
        .input_path(module)
        .out_name(out_name)
        .typescript(true)
        .remove_name_section(!names)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .web(true)?
        .generate(folder)
}

/// Shrinks the module in place where npm's Binaryen is installed.
fn optimise(root: &Path, module: &Path) -> Result<()> {
    let tool = root.join("node_modules/binaryen/bin/wasm-opt");
    if !tool.exists() {
        eprintln!("node_modules has no binaryen, so the module is about 2 % larger than it could be");
        return Ok(());
    }
    succeed(Command::new("node").arg(tool).arg("-Oz").args(WASM_FEATURES).arg("-o").arg(module).arg(module))
}

/// The module may ask only for what its own JavaScript brings. An import from `env` is a C function that some
/// dependency expected to be linked in: no browser has it.
fn ensure_imports(module: &Path) -> Result<()> {
    let code = fs::read(module)?;
    let expected = format!("./{OUT_NAME}_bg.js");
    let mut foreign = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(&code) {
        let wasmparser::Payload::ImportSection(imports) = payload? else { continue };
        for import in imports.into_imports() {
            let import = import?;
            if import.module != expected {
                foreign.push(format!("{}::{}", import.module, import.name));
            }
        }
    }
    ensure!(foreign.is_empty(), "the module imports what no browser has: {}", foreign.join(", "));
    Ok(())
}

/// Of everything the package is made from.
fn fingerprint(root: &Path, code: &[u8], options: &Options) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    options.debug.hash(&mut hasher);
    [include_str!("wasm.rs"), include_str!("pkg.rs")].hash(&mut hasher);
    fs::read(root.join("node_modules/binaryen/package.json")).ok().hash(&mut hasher);
    for file in pkg::files(&root.join("wasm-client/js"))? {
        fs::read(&file)?.hash(&mut hasher);
        file.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
