//! The parser as a module of its own for `bench/parsers-js`, built for speed and, as a page loads it, for size.

use anyhow::Result;

use crate::compiler::Compiler;
use crate::wasm::{TARGET, bind};
use crate::{root, succeed};

/// Profiles of the crate's own workspace.
const PROFILES: [&str; 2] = ["release", "size"];

pub(crate) fn run() -> Result<()> {
    let folder = root().join("bench/parsers-js");
    let compiler = Compiler::find(TARGET)?;
    let directory = root().join("target/wasm-bench");
    for profile in PROFILES {
        let mut build = compiler.cargo("build", TARGET, "std,panic_abort", &directory)?;
        build.current_dir(folder.join("wasm")).args(["--profile", profile, "--locked"]);
        succeed(&mut build)?;
        let module = directory.join(TARGET).join(profile).join("bench_parsers_wasm.wasm");
        bind(&module, &folder.join("pkg").join(profile), "parser", false)?;
    }
    Ok(())
}
