//! The store of a world's server: it keeps what it is given, late or not at all, and outlives the server.

use std::time::Duration;

use simplechat_core::server::StoreFailed;
use simplechat_core::server::record::Record;

/// Whether a store keeps what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Health {
    /// It does.
    #[default]
    Working,
    /// It says that it does not, as on a full disk.
    Failing,
}

/// When a store says that it has kept something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Honesty {
    /// Once it has.
    #[default]
    Honest,
    /// At once, while it keeps it together with what comes next: a crash loses it. No store should be like that.
    Hasty,
}

/// The log of a server.
#[derive(Debug, Default)]
pub struct Store {
    /// How long it takes to keep a batch.
    pub takes: Duration,
    /// Whether it does.
    pub health: Health,
    /// When it says so.
    pub honesty: Honesty,
    log: Vec<Record>,
    /// What a hasty store has said that it keeps.
    unwritten: Vec<Record>,
}

impl Store {
    /// Keeps a batch, all of it or nothing.
    ///
    /// # Errors
    ///
    /// While the store is failing.
    pub fn keep(&mut self, records: Vec<Record>) -> Result<(), StoreFailed> {
        match self.health {
            Health::Working => {
                let written = match self.honesty {
                    Honesty::Honest => records,
                    Honesty::Hasty => std::mem::replace(&mut self.unwritten, records),
                };
                self.log.extend(written);
                Ok(())
            }
            Health::Failing => Err(StoreFailed),
        }
    }

    /// Everything that was kept, the oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        [self.log.as_slice(), self.unwritten.as_slice()].concat()
    }

    /// Its host crashes.
    pub fn crash(&mut self) {
        self.unwritten.clear();
    }

    /// Loses everything, as a server without a store does when it ends.
    pub fn forget(&mut self) {
        self.log.clear();
        self.unwritten.clear();
    }
}
