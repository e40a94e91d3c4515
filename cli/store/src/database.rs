//! A database that somebody works with: opened under its lock, written in whole batches, closed in order.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Holder, StoreError, Trouble};
use crate::schema::Schema;
use crate::{FILE, lock, open, truth};

/// Free pages that are given back to the file system in one go.
const FREED_AT_ONCE: u32 = 4_096;
/// Pages in the log at which it is moved to its place, even if somebody waits: SQLite's own number.
const LOG_PAGES: i64 = 1_000;

/// The database in a directory.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    path: PathBuf,
    /// Open until the connection is closed, as closing it takes the connection's locks away (POSIX).
    file: File,
    schema: &'static Schema,
    _lock: File,
}

impl Database {
    /// Takes the lock of a directory and opens its database, which is made if there is none.
    pub(crate) fn open(
        directory: &Path,
        schema: &'static Schema,
        holder: Holder,
    ) -> Result<Self, StoreError> {
        let lock = lock::take(directory, holder)?;
        let path = directory.join(FILE);
        let connection = open::to_write(&path, schema)?;
        Ok(Self {
            connection,
            file: File::open(&path).map_err(|error| Trouble::from(error).at(&path))?,
            path,
            schema,
            _lock: lock,
        })
    }

    /// Changes something, all of it or nothing. It is on the disk when this comes back.
    pub(crate) fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let written = self.try_write(change);
        let written = self.believe(written)?;
        // What was written is kept: where, is not for who wrote it.
        let _ = self.believe(self.shorten_log());
        Ok(written)
    }

    fn try_write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = change(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Moves what was written to its place when the log of it is long. SQLite would do the same by itself, but not say that it failed.
    fn shorten_log(&self) -> rusqlite::Result<()> {
        let mut length = self
            .connection
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        if length.query_row([], |row| row.get::<_, i64>(1))? < LOG_PAGES {
            return Ok(());
        }
        self.run("PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// Writes what stands there already, to find out whether the disk takes anything.
    pub(crate) fn probe(&mut self) -> Result<(), StoreError> {
        let schema = self.schema;
        self.write(|transaction| schema.mark(transaction))
    }

    /// Moves what was written to its place, forgets the log of it, and gives room that was freed back to the file system.
    pub(crate) fn tidy(&self) -> Result<(), StoreError> {
        self.believe(self.give_back(FREED_AT_ONCE))
    }

    /// The same, with all room that was freed, however long it takes.
    pub(crate) fn tidy_all(&self) -> Result<(), StoreError> {
        let free = self
            .connection
            .pragma_query_value(None, "freelist_count", |row| row.get(0));
        self.believe(free.and_then(|pages| self.give_back(pages)))
    }

    fn give_back(&self, pages: u32) -> rusqlite::Result<()> {
        self.run(&format!("PRAGMA incremental_vacuum({pages})"))?;
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    fn run(&self, pragma: &str) -> rusqlite::Result<()> {
        // Each row is a step of the work.
        let mut work = self.connection.prepare(pragma)?;
        let mut rows = work.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Closes it in order, so that there is one file and no log beside it.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.tidy()?;
        let path = self.path;
        self.connection
            .close()
            .map_err(|(_, error)| Trouble::from(error).at(&path))
    }

    /// What came of work with the files. When it failed, the kernel may have more of them than the disk.
    fn believe<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            truth::forget(&self.file, &self.path);
            self.trouble(error)
        })
    }

    pub(crate) fn trouble(&self, trouble: impl Into<Trouble>) -> StoreError {
        trouble.into().at(&self.path)
    }
}
