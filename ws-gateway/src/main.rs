//! The gateway's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ws_gateway::cli::main()
}
