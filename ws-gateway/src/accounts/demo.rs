//! The accounts of a development gateway, whose passwords the page may have.

use serde::{Deserialize, Serialize};
use sip_core::entropy::token;

use super::file::{self, AccountError};
use crate::data::DataDirectory;
use crate::entropy::OsEntropy;

const FILE: &str = "demo-accounts.json";
const NAMES: [&str; 2] = ["alice", "bob"];

/// Bits of randomness in a demo password.
const PASSWORD_BITS: usize = 80;

/// An account whose password is no secret on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoAccount {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Alice and Bob, made at the first start with random passwords that stay from then on.
pub fn demo_accounts(data: &DataDirectory, domain: &str) -> Result<Vec<DemoAccount>, AccountError> {
    let accounts = match data.read::<Vec<DemoAccount>>(FILE)? {
        Some(accounts) => accounts,
        None => {
            let mut entropy = OsEntropy::new();
            let accounts: Vec<_> = NAMES
                .into_iter()
                .map(|name| DemoAccount {
                    username: name.into(),
                    password: token(&mut entropy, PASSWORD_BITS),
                })
                .collect();
            data.write(FILE, &accounts)?;
            accounts
        }
    };
    for account in &accounts {
        // Written anew each time: another domain is another realm, with another HA1.
        match file::remove(data, domain, &account.username) {
            Ok(()) | Err(AccountError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
        file::add(data, domain, &account.username, &account.password)?;
    }
    Ok(accounts)
}
