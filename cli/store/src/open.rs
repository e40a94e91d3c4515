//! Opening a database: looking at it before anything is written to it, and setting it up.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{StoreError, Trouble};
use crate::schema::{self, Schema, Stage};
use crate::{copy, truth};

/// How long to wait for somebody else who works with the database.
const BUSY: Duration = Duration::from_secs(2);
/// SQLite's own bound of what is kept in memory of the file, in KiB with a minus sign.
const CACHE: i64 = -16 * 1024;

/// Opens the database to write to it; it is made if there is none.
pub(crate) fn to_write(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let trouble = |trouble: Trouble| trouble.at(path);
    if path.try_exists().map_err(|error| trouble(error.into()))? {
        truth::look(path).map_err(|error| trouble(error.into()))?;
        let connection = to_read(path, schema)?;
        quick_check(&connection).map_err(trouble)?;
    } else {
        make(path).map_err(|error| trouble(error.into()))?;
    }
    let mut connection = set_up(path).map_err(trouble)?;
    schema::migrate(&mut connection, path, schema)?;
    Ok(connection)
}

/// Opens the database only to read it, whoever works with it.
pub(crate) fn to_read(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let trouble = |trouble: Trouble| trouble.at(path);
    if !path.try_exists().map_err(|error| trouble(error.into()))? {
        return Err(trouble(Trouble::Missing));
    }
    let open = || -> Result<Connection, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        schema.stage(&connection)?;
        Ok(connection)
    };
    open().map_err(trouble)
}

/// A database without the tables of this version holds nothing that could be shown.
pub(crate) fn to_inspect(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let connection = to_read(path, schema)?;
    match schema.stage(&connection) {
        Ok(Stage::Version(version)) if version == schema.migrations.len() => Ok(connection),
        Ok(Stage::Empty | Stage::Version(_)) => Err(Trouble::Old.at(path)),
        Err(trouble) => Err(trouble.at(path)),
    }
}

fn quick_check(connection: &Connection) -> Result<(), Trouble> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Trouble::Damaged(found))
}

fn make(path: &Path) -> io::Result<()> {
    copy::create(path)?;
    // Without its entry a file is lost with all that is in it.
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn set_up(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    let set = |name, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value);
    // It takes effect only before the first table.
    set("auto_vacuum", &"INCREMENTAL")?;
    set("secure_delete", &"ON")?;
    set("cache_size", &CACHE)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::NoWal);
    }
    set("synchronous", &"FULL")?;
    // It would not say when it fails: see `Database::write`.
    set("wal_autocheckpoint", &0)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SERVER;

    /// What a killed process wrote the kernel keeps, so no test that kills one would miss it.
    #[test]
    fn every_commit_waits_for_the_disk() {
        let path = std::env::temp_dir().join(format!("simplechat-full-{}", std::process::id()));
        let connection = to_write(&path, &SERVER).expect("it is made");
        let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
        assert_eq!(synchronous, Ok(2), "full");
        connection.close().expect("it is closed");
        std::fs::remove_file(path).expect("it is there");
    }
}
