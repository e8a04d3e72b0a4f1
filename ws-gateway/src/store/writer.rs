//! The thread that writes.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use smol_str::SmolStr;

use super::{Changes, Database, Registrations};
use crate::accounts::Accounts;
use crate::clock;
use crate::location::Location;
use crate::metrics::Metrics;

/// Changes within this time of the first are written in one transaction. With the time a transaction takes on a slow
/// disk this stays under the 100 ms that a crash may lose.
pub const GROUP: Duration = Duration::from_millis(50);

/// How often something is written while calls are being set up, and if it is only the time: by that a later process knows for how long
/// nobody was there.
const STAMP: Duration = Duration::from_secs(5);

/// How long a disk that refused is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// The thread that writes what changes in the location service.
#[derive(Debug)]
pub struct Writer {
    changes: Arc<Changes>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it. What `changes` names is read from `location` and written to `database`, with whose it is by `accounts`.
    pub fn start(
        database: Database,
        changes: Arc<Changes>,
        location: Arc<Location>,
        accounts: Arc<Accounts>,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let noted = Arc::clone(&changes);
        let thread = thread::Builder::new()
            .name("location".into())
            .spawn(move || write(&database, &noted, &location, &accounts, &metrics))
            .context("no thread for the location database")?;
        Ok(Self { changes, thread: Some(thread) })
    }

    /// Writes what is left and ends. Waits for the disk.
    pub fn finish(mut self) {
        self.changes.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the location database's thread panicked");
        }
    }
}

/// Does not wait: what is left is written all the same while the process lives.
impl Drop for Writer {
    fn drop(&mut self) {
        self.changes.close();
    }
}

fn write(
    database: &Database,
    changes: &Changes,
    location: &Location,
    accounts: &Accounts,
    metrics: &Metrics,
) {
    let row = |aor: SmolStr| {
        // In this order: a password that changes meanwhile ends what was there.
        let account = accounts.fingerprint(&aor);
        Registrations { account, bindings: location.bindings(&aor), aor }
    };
    while let Some((aors, calls)) = changes.take(GROUP, STAMP) {
        let rows: Vec<_> = aors.into_iter().map(row).collect();
        match database.write(&rows, &calls, clock::now()) {
            Ok(()) => {
                metrics.location_commits.inc();
                metrics.location_rows.inc_by(rows.len() as u64);
                metrics.location_calls.inc_by(calls.len() as u64);
            }
            Err(error) => {
                metrics.location_failures.inc();
                tracing::error!("registrations and calls are not written: {error}");
                let aors = rows.into_iter().map(|row| row.aor).collect();
                if !changes.give_back(aors, calls, RETRY) {
                    return;
                }
            }
        }
    }
}
