//! The durable store of a SimpleChat server: what its records come to, in an SQLite database.
//!
//! The machine decides what is recorded, and [`Record`] says what each record means; here that meaning is a change of
//! tables. [`Store::apply`] keeps a batch, all of it or nothing, and comes back when it is on the disk. [`Store::load`]
//! gives a short log that makes a server what the whole log would have made it. What was delivered is deleted, and
//! overwritten in the file.
//!
//! A database that is damaged, of a newer program or of another one is named and left as it is. It belongs to one server
//! at a time, which holds a lock; [`check`], [`back_up`] and [`stats`] read it meanwhile.
#![forbid(unsafe_code)]

mod apply;
mod columns;
mod copy;
mod error;
mod inspect;
mod load;
mod lock;
mod open;
mod schema;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use simplechat_core::name::Name;
use simplechat_core::server::record::Record;

pub use error::StoreError;
use error::Trouble;
pub use inspect::{Stats, UserStats, back_up, check, stats};

/// The file of the database, in the server's data directory.
pub const FILE: &str = "store.sqlite";

/// Free pages that are given back to the file system in one go.
const FREED_AT_ONCE: u32 = 4_096;

/// A server's store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the store in a directory; the first time it is made.
    ///
    /// # Errors
    ///
    /// When another server works with it, or it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let lock = lock::take(directory)?;
        let path = directory.join(FILE);
        Ok(Self {
            connection: open::for_a_server(&path)?,
            path,
            _lock: lock,
        })
    }

    /// Keeps records behind those of before, all of them or none. They are on the disk when this comes back. Without any it
    /// tries whether the disk takes something.
    ///
    /// # Errors
    ///
    /// When the disk is full or fails. The same records can be given again.
    pub fn apply(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let applied = self.try_apply(records);
        applied.map_err(|error| self.trouble(error.into()))
    }

    fn try_apply(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables = apply::Tables(&transaction);
        for record in records {
            tables.apply(record)?;
        }
        if records.is_empty() {
            // Nothing new, but something is written: whether it can be is what the caller wants to know.
            schema::mark(&transaction, schema::MIGRATIONS.len())?;
        }
        transaction.commit()
    }

    /// Gives a log that makes a server what all that was kept would make it, a record at a time.
    ///
    /// # Errors
    ///
    /// When something in it makes no sense, or the disk fails.
    pub fn load_each(&self, take: impl FnMut(Record)) -> Result<(), StoreError> {
        load::each(&self.connection, take).map_err(|trouble| self.trouble(trouble))
    }

    /// The same log at once.
    ///
    /// # Errors
    ///
    /// As [`Self::load_each`].
    pub fn load(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        self.load_each(|record| records.push(record))?;
        Ok(records)
    }

    /// The accounts that something is kept for.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn accounts(&self) -> Result<BTreeSet<Name>, StoreError> {
        load::owners(&self.connection).map_err(|trouble| self.trouble(trouble))
    }

    /// Does what can be put off until nobody waits: moves what was written to its place, forgets the log of it, and
    /// gives room that was freed back to the file system.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.try_tidy().map_err(|error| self.trouble(error.into()))
    }

    fn try_tidy(&self) -> rusqlite::Result<()> {
        for pragma in [
            &*format!("PRAGMA incremental_vacuum({FREED_AT_ONCE})"),
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ] {
            // Each row is a step of the work.
            let mut work = self.connection.prepare(pragma)?;
            let mut rows = work.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(())
    }

    /// Closes it in order, so that there is one file and no log beside it.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn close(self) -> Result<(), StoreError> {
        self.tidy()?;
        let path = self.path;
        self.connection
            .close()
            .map_err(|(_, error)| Trouble::from(error).at(&path))
    }

    fn trouble(&self, trouble: Trouble) -> StoreError {
        trouble.at(&self.path)
    }
}
