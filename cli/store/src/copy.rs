//! Copies of a database, made while it is in use.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::error::{StoreError, Trouble};

/// Copies a database as it is at this moment into a new file, readable for its owner alone.
pub(crate) fn back_up(from: &Connection, path: &Path, to: &Path) -> Result<(), StoreError> {
    create(to).map_err(|error| Trouble::File(error).at(to))?;
    copy(from, to).map_err(|error| Trouble::from(error).at(path))
}

/// Makes an empty file that only its owner can read, and never takes one that exists.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.sync_all()
}

fn copy(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(to)?;
    let backup = Backup::new(from, &mut target)?;
    // All at once: what is written meanwhile does not make it start anew, and nobody waits for it.
    backup.step(-1)?;
    drop(backup);
    // It is one file, whatever the original has beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)
}
