//! The accounts file.

use std::time::SystemTime;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sip_core::auth::{Algorithm, Secrets};

use crate::data::DataDirectory;

const FILE: &str = "accounts.json";

/// Longest user name.
const NAME: usize = 64;

/// Why accounts cannot be changed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The name cannot be the user part of a SIP URI as it is.
    #[error("`{0}` cannot be a user name; letters, digits and - _ . + are accepted, at most {NAME} of them")]
    Name(String),
    /// There is a user of that name.
    #[error("there is a user `{0}` already; remove it first to change its password")]
    Exists(String),
    /// There is no user of that name.
    #[error("there is no user `{0}`")]
    Unknown(String),
    /// An empty password.
    #[error("the password is empty")]
    NoPassword,
    /// The data directory cannot be used.
    #[error("{0:#}")]
    Data(#[from] anyhow::Error),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    accounts: Vec<StoredAccount>,
}

/// One HA1 per algorithm (RFC 8760 §2.6); each holds only in its realm.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAccount {
    username: String,
    realm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha512_256: Option<String>,
}

/// Whether an account may have this name.
pub fn is_user_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    !name.is_empty() && name.len() <= NAME && name.bytes().all(legal)
}

/// Adds a user to `domain`.
pub fn add(data: &DataDirectory, domain: &str, name: &str, password: &str) -> Result<(), AccountError> {
    if !is_user_name(name) {
        return Err(AccountError::Name(name.into()));
    }
    if password.is_empty() {
        return Err(AccountError::NoPassword);
    }
    change(data, |stored| {
        if stored.accounts.iter().any(|account| account.is(domain, name)) {
            return Err(AccountError::Exists(name.into()));
        }
        stored.accounts.push(StoredAccount::new(&Secrets::from_password(name, domain, password)));
        Ok(())
    })
}

/// Removes a user from `domain`.
pub fn remove(data: &DataDirectory, domain: &str, name: &str) -> Result<(), AccountError> {
    change(data, |stored| {
        let before = stored.accounts.len();
        stored.accounts.retain(|account| !account.is(domain, name));
        if stored.accounts.len() == before { Err(AccountError::Unknown(name.into())) } else { Ok(()) }
    })
}

/// The users of `domain`, sorted.
pub fn list(data: &DataDirectory, domain: &str) -> Result<Vec<String>, AccountError> {
    let mut names: Vec<_> = data
        .read::<Stored>(FILE)?
        .unwrap_or_default()
        .accounts
        .into_iter()
        .filter(|account| account.realm == domain)
        .map(|account| account.username)
        .collect();
    names.sort();
    Ok(names)
}

/// Whether there is this account with this password, by the algorithms that are kept of it.
pub(super) fn holds(data: &DataDirectory, secrets: &Secrets) -> anyhow::Result<bool> {
    let same = |kept: &Secrets| {
        let mut algorithms = kept.ha1s().map(|(algorithm, _)| algorithm);
        (kept.username(), kept.realm()) == (secrets.username(), secrets.realm())
            && algorithms.all(|algorithm| kept.ha1(algorithm) == secrets.ha1(algorithm))
    };
    Ok(read(data)?.iter().any(same))
}

/// All accounts, of whatever domain.
pub(super) fn read(data: &DataDirectory) -> anyhow::Result<Vec<Secrets>> {
    let stored = data.read::<Stored>(FILE)?.unwrap_or_default();
    stored
        .accounts
        .iter()
        .map(|account| {
            account
                .secrets()
                .with_context(|| format!("{}: user `{}`", data.path(FILE).display(), account.username))
        })
        .collect()
}

/// When the file was last written; `None` if there is none.
pub(super) fn changed(data: &DataDirectory) -> Option<SystemTime> {
    std::fs::metadata(data.path(FILE)).and_then(|metadata| metadata.modified()).ok()
}

fn change(
    data: &DataDirectory,
    change: impl FnOnce(&mut Stored) -> Result<(), AccountError>,
) -> Result<(), AccountError> {
    let changed = data.locked(|| {
        let mut stored = data.read::<Stored>(FILE)?.unwrap_or_default();
        Ok(match change(&mut stored) {
            Ok(()) => {
                data.write(FILE, &stored)?;
                Ok(())
            }
            refused => refused,
        })
    });
    changed?
}

impl StoredAccount {
    fn new(secrets: &Secrets) -> Self {
        let ha1 = |algorithm| secrets.ha1(algorithm).map(|ha1| ha1.as_str().to_owned());
        Self {
            username: secrets.username().into(),
            realm: secrets.realm().into(),
            md5: ha1(Algorithm::Md5),
            sha256: ha1(Algorithm::Sha256),
            sha512_256: ha1(Algorithm::Sha512_256),
        }
    }

    fn is(&self, domain: &str, name: &str) -> bool {
        self.realm == domain && self.username == name
    }

    fn secrets(&self) -> anyhow::Result<Secrets> {
        let kept = [
            (Algorithm::Md5, &self.md5),
            (Algorithm::Sha256, &self.sha256),
            (Algorithm::Sha512_256, &self.sha512_256),
        ];
        let ha1s = kept.iter().filter_map(|(algorithm, ha1)| Some((*algorithm, ha1.as_deref()?)));
        Ok(Secrets::from_ha1s(&self.username, &self.realm, ha1s)?)
    }
}
