//! The accounts of a development gateway, whose passwords the page may have.

use serde::{Deserialize, Serialize};
use sip_core::auth::Secrets;
use sip_core::entropy::token;

use super::file::{self, AccountError};
use crate::data::DataDirectory;
use crate::entropy::OsEntropy;

const FILE: &str = "demo-accounts.json";
/// Who they are.
pub const DEMO_NAMES: [&str; 2] = ["alice", "bob"];

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

/// Alice and Bob, made at the first start with random passwords that stay from then on. A user of that name whom
/// somebody added with another password is left alone and is no demo account.
pub fn demo_accounts(data: &DataDirectory, domain: &str) -> Result<Vec<DemoAccount>, AccountError> {
    let accounts = match data.read::<Vec<DemoAccount>>(FILE)? {
        Some(accounts) => accounts,
        None => {
            let accounts = DEMO_NAMES.map(random_account).to_vec();
            data.write(FILE, &accounts)?;
            accounts
        }
    };
    let mut given = Vec::new();
    for account in accounts {
        let secrets = Secrets::from_password(&account.username, domain, &account.password);
        match file::add(data, domain, &account.username, &account.password) {
            Ok(()) => given.push(account),
            Err(AccountError::Exists(_)) if file::holds(data, &secrets)? => given.push(account),
            Err(AccountError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(given)
}

fn random_account(name: &str) -> DemoAccount {
    DemoAccount { username: name.into(), password: token(&mut OsEntropy::new(), PASSWORD_BITS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_kept_before_an_algorithm_was_known_is_still_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let given = demo_accounts(&data, "localhost").unwrap();
        assert_eq!(given.len(), 2);
        let text = std::fs::read_to_string(data.path("accounts.json")).unwrap();
        let mut stored: serde_json::Value = serde_json::from_str(&text).unwrap();
        for account in stored["accounts"].as_array_mut().unwrap() {
            assert!(account.as_object_mut().unwrap().remove("sha512_256").is_some());
        }
        data.write("accounts.json", &stored).unwrap();
        assert_eq!(demo_accounts(&data, "localhost").unwrap(), given);
    }
}
