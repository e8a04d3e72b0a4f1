//! What is made of files, and made anew when one of them changes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;

/// How often the files are looked at for changes.
pub const RELOAD: Duration = Duration::from_secs(2);

/// Something made of files, as they last had it.
pub struct Reloaded<T, E = anyhow::Error> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, E> + Send + Sync>,
    state: RwLock<State<T>>,
}

struct State<T> {
    made: T,
    changed: Vec<Option<SystemTime>>,
}

/// What can be made anew.
pub trait Reload: Send + Sync {
    /// Makes it anew if a file changed. Tells whether one had. What was made before stays in use if they are faulty: the
    /// error comes once for each change.
    fn reload(&self) -> anyhow::Result<bool>;
}

impl<T: Clone, E> Reloaded<T, E> {
    /// Makes it of these files.
    pub fn open(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        // In this order: what changes meanwhile is read again.
        let changed = changed(&files);
        let state = RwLock::new(State { changed, made: make()? });
        Ok(Self { files, make: Box::new(make), state })
    }

    /// As it was last made.
    pub fn current(&self) -> T {
        self.state.read().made.clone()
    }

    /// See [`Reload::reload`].
    pub fn reload(&self) -> Result<bool, E> {
        let changed = changed(&self.files);
        if changed == self.state.read().changed {
            return Ok(false);
        }
        let made = (self.make)();
        let mut state = self.state.write();
        state.changed = changed;
        state.made = made?;
        Ok(true)
    }
}

impl<T, E> Reload for Reloaded<T, E>
where
    T: Clone + Send + Sync,
    E: Into<anyhow::Error>,
{
    fn reload(&self) -> anyhow::Result<bool> {
        self.reload().map_err(Into::into)
    }
}

impl<T, E> fmt::Debug for Reloaded<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").field("files", &self.files).finish_non_exhaustive()
    }
}

fn changed(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    files.iter().map(|path| modified(path)).collect()
}
