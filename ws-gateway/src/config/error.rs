//! What can be wrong with a configuration, in a sentence an operator can act on.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML.
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What the TOML parser says.
        message: String,
    },
    /// A key nobody knows.
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// The key with its section, as in `http.listne`.
        key: String,
        /// All keys of that section.
        accepted: Vec<&'static str>,
    },
    /// A value of the wrong type or out of range.
    Value {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        accepted: String,
    },
    /// A key that must be there and is not.
    Missing {
        /// Which file.
        path: PathBuf,
        /// The line of its section, counted from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// What may stand there.
        accepted: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Why is the source, which whoever prints the chain of causes adds.
            Self::Unreadable { path, .. } => write!(f, "{}: cannot be read", path.display()),
            Self::Syntax { path, line, message } => write!(f, "{}:{line}: {message}", path.display()),
            Self::UnknownKey { path, line, key, accepted } => write!(
                f,
                "{}:{line}: unknown key `{key}`; accepted here: {}",
                path.display(),
                accepted.join(", ")
            ),
            Self::Value { path, line, key, found, accepted } => {
                write!(f, "{}:{line}: `{key}` is {found}; accepted: {accepted}", path.display())
            }
            Self::Missing { path, line, key, accepted } => {
                write!(f, "{}:{line}: `{key}` is missing; accepted: {accepted}", path.display())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}
