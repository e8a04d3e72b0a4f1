//! The database file: a table with a row for each address-of-record, one with a row for each call that is being set up, and the number
//! of its form.

use std::fs::{OpenOptions, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};
use sip_core::time::Instant;
use sip_core::transport::Hop;
use smol_str::SmolStr;

use super::calls::CallRows;
use super::row::{self, Registrations};
use crate::data::DataDirectory;

/// The file's name in the data directory.
pub const FILE: &str = "location.redb";

/// The form of the rows. A change that an older gateway would misread takes the next number; what it leaves out takes none.
const SCHEMA: u64 = 1;

/// The key of [`Database::alive`], microseconds.
const ALIVE: &str = "alive";

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const BINDINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("bindings");
const CALLS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("calls");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another gateway has it.
    #[error("{} is in use: another gateway runs in this data directory", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A later gateway wrote it.
    #[error(
        "{} has form {found}, and this gateway knows forms up to {SCHEMA}: run the gateway that wrote it, or move the \
         file away (phones are unknown then until they register again)",
        path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u64,
    },
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: Box<redb::Error>,
    },
}

/// The open database.
#[derive(Debug)]
pub struct Database {
    database: redb::Database,
    path: PathBuf,
}

impl Database {
    /// Opens the file of `data`, made if absent. A file that a killed gateway left is put in order.
    pub fn open(data: &DataDirectory) -> Result<Self, StoreError> {
        let path = data.path(FILE);
        // What stands in it is nobody else's: where phones are, and what they offer each other while they ring.
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        file.and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(|error| broken(&path)(redb::Error::Io(error)))?;
        let database = redb::Database::create(&path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.clone() },
            other => broken(&path)(other.into()),
        })?;
        let opened = Self { database, path };
        match opened.schema().map_err(broken(&opened.path))? {
            found if found > SCHEMA => Err(StoreError::TooNew { path: opened.path, found }),
            _ => Ok(opened),
        }
    }

    /// All rows. One that cannot be read is left out and logged: the others are worth having. `way` is asked for the hop
    /// to a peer of a datagram socket of ours, `(local, remote)`.
    pub fn load(
        &self,
        way: impl Fn(SocketAddr, SocketAddr) -> Option<Hop>,
    ) -> Result<Vec<Registrations>, StoreError> {
        let read = || -> Result<_, redb::Error> {
            let mut rows = Vec::new();
            let table = self.database.begin_read()?.open_table(BINDINGS)?;
            for entry in table.iter()? {
                let (key, value) = entry?;
                let aor = SmolStr::from(key.value());
                match row::read(&aor, value.value(), &way) {
                    Ok(row) => rows.push(row),
                    Err(error) => tracing::error!(%aor, %error, "a row of {FILE} cannot be read"),
                }
            }
            Ok(rows)
        };
        read().map_err(broken(&self.path))
    }

    /// When something was written last: while calls are being set up that is every few seconds ([`super::Writer`]).
    pub fn alive(&self) -> Result<Option<Instant>, StoreError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(META)?;
            Ok(table.get(ALIVE)?.map(|micros| Instant::from_micros(micros.value())))
        };
        read().map_err(broken(&self.path))
    }

    /// All calls that were being set up, by their keys.
    pub fn load_calls(&self) -> Result<Vec<(u128, Bytes)>, StoreError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(CALLS)?;
            let row = |entry: Result<(redb::AccessGuard<'_, u128>, redb::AccessGuard<'_, &[u8]>), _>| {
                entry.map(|(key, value)| (key.value(), Bytes::copy_from_slice(value.value())))
            };
            Ok(table.iter()?.map(row).collect::<Result<_, redb::StorageError>>()?)
        };
        read().map_err(broken(&self.path))
    }

    /// Writes these rows in one transaction, which is on the disk when this returns. A row without bindings is removed.
    pub fn write(&self, rows: &[Registrations], calls: &CallRows, now: Instant) -> Result<(), StoreError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut table = transaction.open_table(BINDINGS)?;
                for row in rows {
                    let aor = &row.aor;
                    if row.bindings.is_empty() {
                        table.remove(aor.as_str())?;
                        continue;
                    }
                    match row::write(row) {
                        Ok(row) => drop(table.insert(aor.as_str(), row.as_slice())?),
                        // Strings and numbers only: there is no way for it to fail that trying again would mend.
                        Err(error) => tracing::error!(%aor, %error, "bindings not written"),
                    }
                }
            }
            if !calls.is_empty() {
                let mut table = transaction.open_table(CALLS)?;
                for (key, record) in calls {
                    match record {
                        Some(record) => drop(table.insert(key, &**record)?),
                        None => drop(table.remove(key)?),
                    }
                }
            }
            transaction.open_table(META)?.insert(ALIVE, now.as_micros())?;
            Ok(transaction.commit()?)
        };
        write().map_err(broken(&self.path))
    }

    /// The form of what is there; the tables are made if there is nothing.
    fn schema(&self) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let found = {
            let mut meta = transaction.open_table(META)?;
            let found = meta.get("schema")?.map(|value| value.value());
            if found.is_none() {
                meta.insert("schema", SCHEMA)?;
            }
            found.unwrap_or(SCHEMA)
        };
        if found <= SCHEMA {
            transaction.open_table(BINDINGS)?;
            transaction.open_table(CALLS)?;
            transaction.commit()?;
        }
        Ok(found)
    }
}

fn broken(path: &Path) -> impl Fn(redb::Error) -> StoreError {
    |source| StoreError::Broken { path: path.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn data() -> (tempfile::TempDir, DataDirectory) {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        (directory, data)
    }

    #[test]
    fn two_gateways_do_not_share_a_data_directory() {
        let (_directory, data) = data();
        let _first = Database::open(&data).unwrap();
        let error = Database::open(&data).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }

    #[test]
    fn nobody_else_reads_the_file() {
        let (_directory, data) = data();
        fs::write(data.path(FILE), b"").unwrap();
        fs::set_permissions(data.path(FILE), Permissions::from_mode(0o644)).unwrap();
        let _database = Database::open(&data).unwrap();
        assert_eq!(fs::metadata(data.path(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn calls_are_written_read_and_taken_out() {
        let (_directory, data) = data();
        let rows = |database: &Database| {
            let mut rows = database.load_calls().unwrap();
            rows.sort_by_key(|(key, _)| *key);
            rows
        };
        let database = Database::open(&data).unwrap();
        assert!(rows(&database).is_empty());
        assert_eq!(database.alive().unwrap(), None);
        let at = Instant::from_micros;
        let call = |text: &'static [u8]| Some(Bytes::from_static(text));
        database.write(&[], &vec![(1, call(b"one")), (u128::MAX, call(b"last")), (3, None)], at(5)).unwrap();
        drop(database);
        let database = Database::open(&data).unwrap();
        assert_eq!(
            rows(&database),
            [(1, Bytes::from_static(b"one")), (u128::MAX, Bytes::from_static(b"last"))]
        );
        database.write(&[], &vec![(1, None), (u128::MAX, call(b"newer"))], at(9)).unwrap();
        assert_eq!(database.alive().unwrap(), Some(at(9)));
        assert_eq!(rows(&database), [(u128::MAX, Bytes::from_static(b"newer"))]);
    }

    #[test]
    fn what_a_later_gateway_wrote_is_left_alone() {
        let (_directory, data) = data();
        let database = Database::open(&data).unwrap();
        let transaction = database.database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("schema", SCHEMA + 1).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = Database::open(&data).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found, .. } if found == SCHEMA + 1), "{error}");
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let (_directory, data) = data();
        fs::write(data.path(FILE), b"not a database at all").unwrap();
        let error = Database::open(&data).unwrap_err().to_string();
        assert!(error.contains(FILE), "{error}");
    }

    #[test]
    fn a_row_that_cannot_be_read_does_not_hide_the_others() {
        let (_directory, data) = data();
        let database = Database::open(&data).unwrap();
        let transaction = database.database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(BINDINGS).unwrap();
            table.insert("sip:a@localhost", b"{".as_slice()).unwrap();
            table.insert("sip:b@localhost", br#"{"bindings":[]}"#.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        let rows = database.load(|_, _| None).unwrap();
        // Nor does one that says not yet whose it is.
        let account = None;
        assert_eq!(rows, [Registrations { aor: "sip:b@localhost".into(), account, bindings: Vec::new() }]);
    }
}
