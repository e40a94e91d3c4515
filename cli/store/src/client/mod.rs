//! The durable store of a SimpleChat client: what its records come to, and the history of its conversations.
//!
//! [`Store::apply`] keeps records and what is shown with them, all of it or nothing, and comes back when it is on the disk.
//! [`Store::load`] gives a short log that makes a client what the whole log would have made it. The history is made of the
//! same records and events: what others wrote when it is shown, what the user wrote when it is kept, with its state. It can
//! be read, searched and forgotten; what is forgotten is overwritten in the file, with its words in the index.
//!
//! One store is one account at one server, on one device.

mod apply;
mod forget;
mod history;
mod load;
mod message;

use std::path::Path;

use simplechat_core::client::event::Event;
use simplechat_core::client::record::Record;

use crate::database::Database;
use crate::error::{Holder, Trouble};
use crate::schema::Schema;
use crate::{FILE, StoreError, inspect, open};

pub use forget::Forgotten;
pub use history::{Found, Recent, Search};
pub use message::{Author, Conversation, Message, Route};

/// "SChC".
const SCHEMA: Schema = Schema {
    application_id: 0x5343_6843,
    migrations: &[include_str!("v1.sql"), include_str!("v2.sql")],
};

/// What is kept at a time: what goes with one effect.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// What the machine has kept.
    pub records: &'a [Record],
    /// What is shown with it.
    pub shown: &'a [Event],
}

/// Whether a directory's store is sound: every page of it, and what every row says.
///
/// # Errors
///
/// What is wrong with it first.
pub fn check(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(FILE);
    let connection = open::to_inspect(&path, &SCHEMA)?;
    let check = || -> Result<(), Trouble> {
        inspect::sound(&connection)?;
        history::read_all(&connection)?;
        load::all(&connection).map(drop)
    };
    check().map_err(|trouble| trouble.at(&path))
}

/// A client's store.
#[derive(Debug)]
pub struct Store {
    database: Database,
    /// The last message that the user is known to have seen, and that is not noted yet.
    seen: Option<i64>,
}

impl Store {
    /// Opens the store in a directory; the first time it is made.
    ///
    /// # Errors
    ///
    /// When another client works with it ([`StoreError::is_in_use`]), or it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(directory, &SCHEMA, Holder::Client)?,
            seen: None,
        })
    }

    /// Keeps these behind those of before, all of them or none. They are on the disk when this comes back.
    ///
    /// # Errors
    ///
    /// When the disk is full or fails. The same can be given again.
    pub fn apply(&mut self, kept: &[Kept<'_>]) -> Result<(), StoreError> {
        let seen = self.seen;
        self.database.write(|transaction| {
            let tables = apply::Tables(transaction);
            if let Some(through) = seen {
                tables.seen(through)?;
            }
            kept.iter().try_for_each(|kept| tables.keep(kept))
        })?;
        self.seen = None;
        Ok(())
    }

    /// A log that makes a client what all that was kept would make it. A store that is new has none.
    ///
    /// # Errors
    ///
    /// When something in it makes no sense, or the disk fails.
    pub fn load(&self) -> Result<Vec<Record>, StoreError> {
        load::all(&self.database.connection).map_err(|trouble| self.database.trouble(trouble))
    }

    /// The user has seen all that is kept until now. This is noted with what is kept next, or when the store is closed: after a
    /// crash something may look unseen that was seen.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn saw_all(&mut self) -> Result<(), StoreError> {
        let last = history::last_number(&self.database.connection);
        self.seen = last.map_err(|error| self.database.trouble(error))?;
        Ok(())
    }

    /// Does what can be put off until nobody waits, and forgets the oldest of a history that has become larger than it may.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn tidy(&mut self, bytes_max: u64) -> Result<(), StoreError> {
        self.shrink(bytes_max)?;
        self.database.tidy()
    }

    /// Closes it in order, so that there is one file and no log beside it.
    ///
    /// # Errors
    ///
    /// When the disk fails. Nothing is lost by it.
    pub fn close(mut self) -> Result<(), StoreError> {
        if self.seen.is_some() {
            self.apply(&[])?;
        }
        self.database.close()
    }
}
