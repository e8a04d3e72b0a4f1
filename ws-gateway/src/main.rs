//! The gateway's command line.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The C library's allocator gives each thread but the first its memory page by page, and each page is a system call. Huge
/// pages are not asked for: the system moves others about to make one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ws_gateway::cli::main()
}
