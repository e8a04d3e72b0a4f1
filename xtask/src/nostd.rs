//! The proof that `sip-core` runs anywhere: it is checked for a target that has no `std` at all, so one
//! dependency with its `std` feature left on fails it.

use anyhow::Result;

use crate::compiler::Compiler;
use crate::{root, succeed};

const TARGET: &str = "wasm32v1-none";

pub(crate) fn run() -> Result<()> {
    let root = root();
    let mut check =
        Compiler::find(TARGET)?.cargo("check", TARGET, "core,alloc", &root.join("target/nostd"))?;
    succeed(check.current_dir(&root).args(["-p", "sip-core", "--locked"]))?;
    println!("sip-core compiles for {TARGET} with core and alloc alone");
    Ok(())
}
