//! The command line.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::accounts::{self, AccountError};
use crate::config::{Config, LOG, log_filter, own_domain};
use crate::data::{DataDirectory, write_atomically};
use crate::gateway::{Addresses, Gateway};

/// Done, or stopped as asked.
const DONE: u8 = 0;
/// It could not be done: a port is taken, a file cannot be written, there is no such user.
const FAILED: u8 = 1;
/// It was asked wrongly: the command line or the configuration file has a fault.
const WRONG: u8 = 2;

/// The environment variable that goes before the configuration's `log`.
const LOG_VARIABLE: &str = "TRAPEZOID_LOG";

const EXAMPLES: &str = "\
Examples:
  ws-gateway run
      Try it: this machine only, domain localhost, accounts alice and bob. Open the printed page
      twice and call from one to the other.
  ws-gateway run --www www/dist --data /tmp/try
      The same with the built page, keeping accounts, keys and registrations in another directory.
  ws-gateway check --config /etc/trapezoid/gateway.toml
      Say whether a configuration is sound, and if not: which line, which key, what is accepted.
  ws-gateway user --config /etc/trapezoid/gateway.toml add carol
      Ask for a password and add a user; a running gateway notices within seconds.
  printf '%s\\n' \"$PASSWORD\" | ws-gateway user --config gateway.toml add carol
      The same from a script. A password is never an argument: others could read it.
  ws-gateway run --config /etc/trapezoid/gateway.toml
      Serve. SIGINT or SIGTERM stops it after saying goodbye.

Phones register at the printed UDP or TCP address with user, domain and password; web pages at
the printed WebSocket URL. Counters are at /metrics on the HTTP port.

Exit codes: 0 done, or stopped as asked; 1 it could not be done (a port is taken, a file cannot be
written, no such user); 2 it was asked wrongly (command line or configuration).

TRAPEZOID_LOG sets what is logged, as in TRAPEZOID_LOG=ws_gateway=debug.";

/// A SIP gateway: registers browsers over WebSocket and phones over UDP, TCP and TLS, and routes their calls.
#[derive(Debug, Parser)]
#[command(name = "ws-gateway", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM.
    Run(Run),
    /// Say whether a configuration file is sound.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Add, list and remove the users of the domain.
    User(User),
}

#[derive(Debug, Args)]
struct Run {
    /// The configuration file. Without one: this machine only, domain localhost, accounts alice and bob.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where accounts, keys and registrations are kept, instead of the configuration's `data` (default ./.trapezoid).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write every bound address to this file as JSON, once all are bound.
    #[arg(long, value_name = "FILE")]
    addresses_to: Option<PathBuf>,
    /// The directory of the built page, instead of the configuration's `http.www`.
    #[arg(long, value_name = "DIR")]
    www: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct User {
    /// The configuration file, for its domain and data directory. Without one: domain localhost, ./.trapezoid.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The data directory, instead of the configuration's.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// The domain, instead of the configuration's.
    #[arg(long, value_name = "HOST", global = true)]
    domain: Option<String>,
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Add a user. The password is asked for, or read from the first line of standard input.
    Add {
        /// The user part of its address, as in `carol` of sip:carol@example.com.
        name: String,
    },
    /// Print the users' names.
    List,
    /// Remove a user.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A fault of whoever asked, as opposed to something that went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
struct Wrong(anyhow::Error);

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Run(run) => run.execute(),
        Command::Check { config } => check(config),
        Command::User(user) => user.execute(),
    };
    match result {
        Ok(()) => DONE.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<Wrong>() { WRONG.into() } else { FAILED.into() }
        }
    }
}

impl Run {
    fn execute(self) -> anyhow::Result<()> {
        let mut config = load(self.config)?;
        if let Some(data) = self.data {
            config.data = data;
        }
        if let Some(www) = self.www {
            config.http.www = Some(www);
        }
        start_logging(&config)?;
        allow_connections(config.limits.connections);
        for note in crate::check::notes(&config) {
            tracing::warn!("{note}");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the threads cannot be started")?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let gateway = Gateway::start(config)?;
            if let Some(path) = &self.addresses_to {
                write_addresses(path, gateway.addresses())
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
            print_addresses(gateway.addresses());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
            gateway.stop().await;
            anyhow::Ok(())
        })
    }
}

impl User {
    fn execute(self) -> anyhow::Result<()> {
        let config = load(self.config)?;
        let data = DataDirectory::open(&self.data.unwrap_or(config.data))?;
        let domain = &match self.domain {
            // As the configuration has it, or the two would be different realms.
            Some(domain) => own_domain(&domain).ok_or_else(|| {
                Wrong(anyhow!("--domain is \"{domain}\"; accepted: a host name without port"))
            })?,
            None => config.domain,
        };
        match self.action {
            UserAction::Add { name } => {
                let password = password(&name, domain)?;
                accounts::add(&data, domain, &name, &password).map_err(told)?;
                println!("added sip:{name}@{domain}");
            }
            UserAction::List => {
                for name in accounts::list(&data, domain).map_err(told)? {
                    println!("{name}");
                }
            }
            UserAction::Remove { name } => {
                accounts::remove(&data, domain, &name).map_err(told)?;
                println!("removed sip:{name}@{domain}");
            }
        }
        Ok(())
    }
}

fn told(error: AccountError) -> anyhow::Error {
    match error {
        AccountError::Name(_) | AccountError::NoPassword => Wrong(error.into()).into(),
        error => error.into(),
    }
}

fn load(path: Option<PathBuf>) -> anyhow::Result<Config> {
    match path {
        Some(path) => Config::load(&path).map_err(|error| Wrong(error.into()).into()),
        None => Ok(Config::development()),
    }
}

fn check(path: PathBuf) -> anyhow::Result<()> {
    let config = crate::check::check(&path).map_err(|error| Wrong(error.into()))?;
    println!("{} is sound: domain {}", path.display(), config.domain);
    for note in crate::check::notes(&config) {
        println!("note: {note}");
    }
    Ok(())
}

fn password(name: &str, domain: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password(format!("Password of sip:{name}@{domain}: "))?;
        if password != rpassword::prompt_password("Once more: ")? {
            bail!("the two are not the same; nothing was changed");
        }
        return Ok(password);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("no password on standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn start_logging(config: &Config) -> anyhow::Result<()> {
    let (name, text) = match std::env::var(LOG_VARIABLE) {
        Ok(text) => (LOG_VARIABLE, text),
        Err(_) => ("`log`", config.log.clone()),
    };
    let filter = log_filter(&text).ok_or_else(|| Wrong(anyhow!("{name} is \"{text}\"; accepted: {LOG}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}

/// Has the system let this process open as many files as there may be connections.
fn allow_connections(connections: usize) {
    /// Files besides connections: listeners, the data directory, the page, the runtime's own.
    const OTHERS: u64 = 100;
    let wanted = connections as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // If it may not be raised, it stays as it is, and the warning says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum: limit.maximum });
    if let Some(current) = getrlimit(Resource::Nofile).current.filter(|current| *current < connections as u64)
    {
        tracing::warn!(
            "the system allows {current} open files, fewer than `limits.connections` = {connections} needs; \
             raise `ulimit -n` or LimitNOFILE="
        );
    }
}

fn print_addresses(addresses: &Addresses) {
    println!("domain     {}", addresses.domain);
    println!("page       {}", addresses.page);
    println!("websocket  {}", addresses.ws);
    if let Some(wss) = &addresses.wss {
        println!("           {wss}");
    }
    let each = |name: &str, all: &[SocketAddr]| all.iter().for_each(|address| println!("{name}  {address}"));
    each("sip/udp  ", &addresses.all_udp);
    each("sip/tcp  ", &addresses.all_tcp);
    each("sip/tls  ", &addresses.all_tls);
}

fn write_addresses(path: &std::path::Path, addresses: &Addresses) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(addresses)?;
    text.push(b'\n');
    write_atomically(path, &text, 0o644)?;
    Ok(())
}
