//! The data directory: small private files, written whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// Opens the directory, made if absent, readable by its owner only.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Where the file `name` is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads the JSON file `name`; `None` if there is none.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let path = self.path(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let value = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what the gateway wrote", path.display()))?;
        Ok(Some(value))
    }

    /// Writes the JSON file `name`, mode 0600, in one step: a reader sees the old or the new one.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let path = self.path(name);
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        write_atomically(&path, &text, 0o600).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Runs `change` while no other process changes files here.
    pub fn locked<T>(&self, change: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let path = self.path("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        lock.lock().with_context(|| format!("{} cannot be locked", path.display()))?;
        change()
        // Closing the file gives the lock back.
    }
}

/// Writes `content` beside `path` and renames it there.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        // The mode of `open` is only for new files, and less the umask.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // Nothing to do about a leftover that cannot be removed; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}
