//! What can be wrong with a store, for its operator: each error names the file.

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
    /// Another server works with it.
    #[error("another server{} uses this data directory: end that one, or name another directory with --data DIR", .0.map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse(Option<u32>),
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

    /// A row that no server has written.
    pub(crate) fn nonsense(table: &str) -> Self {
        Self::Damaged(format!("a row of the table {table} makes no sense"))
    }
}
