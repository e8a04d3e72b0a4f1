//! The gateway beside Kamailio under the same load: CPU time an operation, memory an idle WebSocket. `README.md` says how.

mod cpu;
mod floor;
mod load;
mod measure;
mod report;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use measure::Group;
use server::Kind;

#[derive(Parser)]
struct Arguments {
    /// Turns of each server.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load in each scenario.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// WebSockets held at once for the memory; a process needs as many files.
    #[arg(long, default_value_t = 19_500)]
    held: usize,
    /// Only these groups of scenarios.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["udp", "websocket", "held", "most"])]
    groups: Vec<Group>,
    /// Only operations whose name has this in it. Phones on WebSockets connect and register all the same.
    #[arg(long, default_value = "")]
    only: String,
    /// Only these servers.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["kamailio", "ours", "floor"])]
    servers: Vec<Kind>,
    /// A gateway that is built already, instead of this tree's.
    #[arg(long)]
    gateway: Option<PathBuf>,
    #[command(subcommand)]
    floor: Option<Floor>,
}

/// What the bench starts itself as.
#[derive(Subcommand)]
enum Floor {
    /// Passes datagrams on.
    FloorUdp { listen: SocketAddr, callee: SocketAddr },
    /// Passes WebSocket messages on.
    FloorWs { listen: SocketAddr, callee: SocketAddr },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    match arguments.floor {
        Some(Floor::FloorUdp { listen, callee }) => return floor::udp(listen, callee),
        Some(Floor::FloorWs { listen, callee }) => return floor::websocket(listen, callee),
        None => {}
    }
    let Arguments { rounds, seconds, held, groups, only, servers, .. } = arguments;
    let gateway = match arguments.gateway {
        Some(gateway) => gateway,
        None => server::build().context("building the gateway")?,
    };
    let plan = measure::Plan { rounds, seconds, held, groups, only, servers, gateway };
    let figures = measure::all(&plan)?;
    println!("{}", report::tables(&figures, &plan));
    Ok(())
}
