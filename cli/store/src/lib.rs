//! The durable stores of SimpleChat: what the records of a server come to, in an SQLite database; and those of a [`client`], with
//! the history of its conversations.
//!
//! The machine decides what is recorded, and [`Record`] says what each record means; here that meaning is a change of
//! tables. [`Store::apply`] keeps a batch, all of it or nothing, and comes back when it is on the disk. [`Store::load`]
//! gives a short log that makes a server what the whole log would have made it. What was delivered is deleted, and
//! overwritten in the file. A client's store has the same two.
//!
//! A database that is damaged, of a newer program or of another one is named and left as it is. It belongs to one server
//! or client at a time, which holds a lock; [`check`], [`back_up`] and [`stats`] read it meanwhile.
#![forbid(unsafe_code)]

pub mod client;

mod apply;
mod columns;
mod copy;
mod database;
mod error;
mod inspect;
mod load;
mod lock;
mod open;
mod schema;
mod truth;

use std::collections::BTreeSet;
use std::path::Path;

use simplechat_core::name::Name;
use simplechat_core::server::record::Record;

use database::Database;
use error::Holder;
pub use error::StoreError;
pub use inspect::{Stats, UserStats, back_up, check, stats};
use schema::SERVER;

/// The file of the database, in its directory.
pub const FILE: &str = "store.sqlite";

/// A server's store.
#[derive(Debug)]
pub struct Store(Database);

impl Store {
    /// Opens the store in a directory; the first time it is made.
    ///
    /// # Errors
    ///
    /// When another server works with it, or it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Database::open(directory, &SERVER, Holder::Server).map(Self)
    }

    /// Keeps records behind those of before, all of them or none. They are on the disk when this comes back. Without any it
    /// tries whether the disk takes something.
    ///
    /// # Errors
    ///
    /// When the disk is full or fails. The same records can be given again.
    pub fn apply(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return self.0.probe();
        }
        self.0.write(|transaction| {
            let tables = apply::Tables(transaction);
            records.iter().try_for_each(|record| tables.apply(record))
        })
    }

    /// Gives a log that makes a server what all that was kept would make it, a record at a time.
    ///
    /// # Errors
    ///
    /// When something in it makes no sense, or the disk fails.
    pub fn load_each(&self, take: impl FnMut(Record)) -> Result<(), StoreError> {
        load::each(&self.0.connection, take).map_err(|trouble| self.0.trouble(trouble))
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
        load::owners(&self.0.connection).map_err(|trouble| self.0.trouble(trouble))
    }

    /// Does what can be put off until nobody waits: moves what was written to its place, forgets the log of it, and
    /// gives room that was freed back to the file system.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.0.tidy()
    }

    /// Closes it in order, so that there is one file and no log beside it.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn close(self) -> Result<(), StoreError> {
        self.0.close()
    }
}
