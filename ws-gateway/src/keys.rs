//! The secrets that let a restarted gateway understand what it gave out before: nonces and route tokens.

use std::fmt;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sip_core::time::{Duration, Instant};

use crate::data::DataDirectory;
use crate::entropy::random;

const FILE: &str = "keys.json";

/// A route key older than this is replaced at the next start. The one before it is kept, so that tokens sealed
/// with it are still understood.
pub const ROUTE_KEY_AGE: Duration = Duration::from_secs(30 * 86_400);

/// 256 random bits.
pub type Key = [u8; 32];

/// The gateway's keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Seals digest nonces and names branches. It is never replaced: a CANCEL finds its INVITE after every restart.
    pub nonce: Key,
    /// Seals route tokens.
    pub route: Key,
    /// Sealed route tokens before [`Self::route`].
    pub previous_route: Option<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    nonce: String,
    route: StoredRouteKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_route: Option<StoredRouteKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRouteKey {
    key: String,
    /// Unix time, seconds.
    made: u64,
}

impl Keys {
    /// The keys of the data directory: made when there are none, the route key changed when it is old.
    pub fn open(data: &DataDirectory, now: Instant) -> anyhow::Result<Self> {
        data.locked(|| {
            let stored = match data.read::<Stored>(FILE)? {
                Some(stored) if now.as_secs().saturating_sub(stored.route.made) < ROUTE_KEY_AGE.as_secs() => {
                    stored
                }
                Some(Stored { nonce, route, .. }) => {
                    let next = StoredRouteKey::made(now);
                    let changed = Stored { nonce, route: next, previous_route: Some(route) };
                    data.write(FILE, &changed)?;
                    changed
                }
                None => {
                    let fresh = Stored {
                        nonce: hex(&fresh_key()),
                        route: StoredRouteKey::made(now),
                        previous_route: None,
                    };
                    data.write(FILE, &fresh)?;
                    fresh
                }
            };
            stored.keys().with_context(|| format!("{}", data.path(FILE).display()))
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Stored {
    fn keys(&self) -> anyhow::Result<Keys> {
        Ok(Keys {
            nonce: unhex(&self.nonce)?,
            route: unhex(&self.route.key)?,
            previous_route: self.previous_route.as_ref().map(|previous| unhex(&previous.key)).transpose()?,
        })
    }
}

impl StoredRouteKey {
    fn made(now: Instant) -> Self {
        Self { key: hex(&fresh_key()), made: now.as_secs() }
    }
}

fn fresh_key() -> Key {
    let mut key = [0; 32];
    random(&mut key);
    key
}

fn hex(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> anyhow::Result<Key> {
    ensure!(text.len() == 64 && text.is_ascii(), "a key is 64 hexadecimal digits");
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16)
            .context("a key is 64 hexadecimal digits")?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_survive_a_restart_and_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let now = Instant::from_micros(1_000_000_000_000);
        let first = Keys::open(&data, now).unwrap();
        assert_eq!(first, Keys::open(&data, now + Duration::from_secs(60)).unwrap());
        let mode = std::fs::metadata(data.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_old_route_key_is_changed_and_still_understood() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let now = Instant::from_micros(1_000_000_000_000);
        let first = Keys::open(&data, now).unwrap();
        let second = Keys::open(&data, now + ROUTE_KEY_AGE).unwrap();
        assert_eq!(second.nonce, first.nonce);
        assert_eq!(second.previous_route, Some(first.route));
        assert_ne!(second.route, first.route);
    }
}
