//! The stores of a world's server and clients: each keeps what it is given, late or not at all, and outlives its machine.

use std::time::Duration;

use simplechat_core::client::record as client;
use simplechat_core::server::StoreFailed;
use simplechat_core::server::record as server;

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
    /// Once it has, and of what was shown it keeps nothing. No store should be like that.
    Forgetful,
}

/// Something that a store keeps.
pub trait Record: Clone {
    /// Whether it says what was shown.
    fn is_mark(&self) -> bool;
}

impl Record for server::Record {
    fn is_mark(&self) -> bool {
        false
    }
}

impl Record for client::Record {
    fn is_mark(&self) -> bool {
        matches!(self, Self::Shown { .. })
    }
}

/// The log of a machine.
#[derive(Debug)]
pub struct Store<R> {
    /// How long it takes to keep a batch.
    pub takes: Duration,
    /// Whether it does.
    pub health: Health,
    /// When it says so.
    pub honesty: Honesty,
    log: Vec<R>,
    /// What a hasty store has said that it keeps.
    unwritten: Vec<R>,
}

impl<R> Default for Store<R> {
    fn default() -> Self {
        Self {
            takes: Duration::ZERO,
            health: Health::default(),
            honesty: Honesty::default(),
            log: Vec::new(),
            unwritten: Vec::new(),
        }
    }
}

impl<R: Record> Store<R> {
    /// Keeps a batch, all of it or nothing.
    ///
    /// # Errors
    ///
    /// While the store is failing.
    pub fn keep(&mut self, records: Vec<R>) -> Result<(), StoreFailed> {
        match self.health {
            Health::Working => {
                let written = match self.honesty {
                    Honesty::Honest => records,
                    Honesty::Forgetful => records
                        .into_iter()
                        .filter(|record| !record.is_mark())
                        .collect(),
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
    pub fn records(&self) -> Vec<R> {
        [self.log.as_slice(), self.unwritten.as_slice()].concat()
    }

    /// Its machine is gone without a word.
    pub fn crash(&mut self) {
        self.unwritten.clear();
    }

    /// Loses everything, as a machine without a store does when it ends.
    pub fn forget(&mut self) {
        self.log.clear();
        self.unwritten.clear();
    }
}
