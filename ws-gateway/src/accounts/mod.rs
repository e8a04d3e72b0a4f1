//! Who may register: user names and one HA1 per digest algorithm, never a password.
//!
//! The accounts stand in a file of the data directory and, whole, in memory: the core's questions never wait for
//! the disk. `user add` on a running gateway is noticed within [`RELOAD`].

mod demo;
mod file;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use sip_core::auth::Secrets;
use smol_str::SmolStr;

use crate::data::DataDirectory;
use crate::keys::Key;

pub use demo::{DEMO_NAMES, DemoAccount, demo_accounts};
pub use file::{AccountError, add, is_user_name, list, remove};

/// How often the file is looked at for changes.
pub const RELOAD: Duration = Duration::from_secs(2);

/// The accounts of one domain, as the file last had them.
#[derive(Debug)]
pub struct Accounts {
    data: DataDirectory,
    domain: String,
    /// For fingerprints.
    key: Key,
    index: RwLock<Index>,
}

#[derive(Debug, Default)]
struct Index {
    secrets: HashMap<SmolStr, Arc<Secrets>>,
    changed: Option<SystemTime>,
}

impl Accounts {
    /// Reads the accounts of `domain`. `key` is for [`Self::fingerprint`].
    pub fn open(data: &DataDirectory, domain: &str, key: Key) -> anyhow::Result<Self> {
        let index = RwLock::new(Index::default());
        let accounts = Self { data: data.clone(), domain: domain.into(), key, index };
        accounts.reload()?;
        Ok(accounts)
    }

    /// Reads the file again if it changed. `None`: it had not; else the user names of those that are gone or have another
    /// password.
    pub fn reload(&self) -> anyhow::Result<Option<HashSet<SmolStr>>> {
        let changed = file::changed(&self.data);
        if changed == self.index.read().changed {
            return Ok(None);
        }
        let secrets: HashMap<SmolStr, Arc<Secrets>> = file::read(&self.data)?
            .into_iter()
            .filter(|secrets| secrets.realm() == self.domain)
            .map(|secrets| (SmolStr::from(secrets.username()), Arc::new(secrets)))
            .collect();
        let mut index = self.index.write();
        let other = |(name, old): &(&SmolStr, &Arc<Secrets>)| secrets.get(*name) != Some(old);
        let ended = index.secrets.iter().filter(other).map(|(name, _)| name.clone()).collect();
        *index = Index { secrets, changed };
        Ok(Some(ended))
    }

    /// The secrets of a user.
    pub fn secrets(&self, username: &str) -> Option<Arc<Secrets>> {
        self.index.read().secrets.get(username).cloned()
    }

    /// The address-of-record of an account: its name needs no escapes.
    pub fn aor(&self, username: &str) -> SmolStr {
        format!("sip:{username}@{}", self.domain).into()
    }

    /// Whether `aor`, in canonical form, is an account's.
    pub fn owns(&self, aor: &str) -> bool {
        self.user(aor).is_some_and(|user| self.index.read().secrets.contains_key(user))
    }

    /// What tells whether the account of `aor` is still the one it was; `None` if there is none.
    pub fn fingerprint(&self, aor: &str) -> Option<String> {
        let secrets = self.secrets(self.user(aor)?)?;
        Some(secrets.fingerprint(&self.key).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn user<'a>(&self, aor: &'a str) -> Option<&'a str> {
        let (user, host) = aor.strip_prefix("sip:")?.rsplit_once('@')?;
        (host == self.domain).then_some(user)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index.read().secrets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
