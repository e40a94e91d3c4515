//! What can be wrong with a store, for its owner: each error names the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be used, or did not keep what it was given.
#[derive(Debug, thiserror::Error)]
#[error("the store {}: {trouble}", .path.display())]
pub struct StoreError {
    path: PathBuf,
    trouble: Trouble,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Another server or client works with it.
    #[error("another {holder}{} uses this data directory: end that one, or name another directory with --data DIR", .process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// Which of the two.
        holder: Holder,
        /// Its number, if it could say so.
        process: Option<u32>,
    },
    /// A file cannot be made, read or written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// There is none.
    #[error("there is none: `simplechat serve` makes it at its first start")]
    Missing,
    /// The database cannot be read or written.
    #[error("{0}")]
    Sql(rusqlite::Error),
    /// It is damaged.
    #[error(
        "it is damaged, and nothing was changed in it: restore it from a backup, as docs/OPERATIONS.md says ({0})"
    )]
    Damaged(String),
    /// A newer program made it.
    #[error(
        "it has version {found}, and this program knows versions up to {known}: use a newer program, or restore a backup of before"
    )]
    Version {
        /// The version that it has.
        found: i64,
        /// The last that is known here.
        known: usize,
    },
    /// An older program made it, or none has used it yet.
    #[error("it has no tables of this program yet: `simplechat serve` makes them when it starts")]
    Old,
    /// It is something else.
    #[error("this is another program's database")]
    Foreign,
    /// The file system cannot do what is needed.
    #[error(
        "its file system has no room for shared memory beside it, as those of other machines have none: keep it on a disk of this one"
    )]
    NoWal,
}

/// Whose store it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    Server,
    Client,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

impl StoreError {
    /// Whether somebody else works with the store: nothing is wrong with it.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        matches!(self.trouble, Trouble::InUse { .. })
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Sql(error),
        }
    }
}

impl Trouble {
    pub(crate) fn at(self, path: &Path) -> StoreError {
        StoreError {
            path: path.into(),
            trouble: self,
        }
    }

    /// A row that nobody of ours has written.
    pub(crate) fn nonsense(table: &str) -> Self {
        Self::Damaged(format!("a row of the table {table} makes no sense"))
    }
}
