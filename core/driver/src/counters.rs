//! What a driver has done so far, for operators and for finding out why it is busy.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of a driver, read one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// How often whoever minds the time, and in some transports the sockets too, woke.
    pub wakeups: u64,
    /// How often a connection was looked at.
    pub turns: u64,
    /// Bytes that peers sent and that were read, also those that nobody wanted any more.
    pub bytes_read: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because there were too many, and those closed without a word.
    pub refused: u64,
    /// How often accepting had to pause because this machine was out of descriptors or memory.
    pub pauses: u64,
    /// Connections there are now: accepted, refused, dialled, being closed, and waiting to be dialled.
    pub connections: u64,
}

/// Where a driver counts.
#[derive(Debug, Default)]
pub struct Tally {
    wakeups: AtomicU64,
    turns: AtomicU64,
    bytes_read: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    pauses: AtomicU64,
}

impl Tally {
    /// The timekeeper woke.
    pub fn woke(&self) {
        count(&self.wakeups);
    }

    /// A connection was looked at.
    pub fn took_turn(&self) {
        count(&self.turns);
    }

    /// So many bytes were read.
    pub fn read_bytes(&self, len: usize) {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.bytes_read.fetch_add(len, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self) {
        count(&self.accepted);
    }

    pub(crate) fn refused(&self) {
        count(&self.refused);
    }

    /// Accepting had to pause.
    pub fn paused(&self) {
        count(&self.pauses);
    }

    pub(crate) fn read(&self, connections: usize) -> Counters {
        Counters {
            wakeups: self.wakeups.load(Ordering::Relaxed),
            turns: self.turns.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            pauses: self.pauses.load(Ordering::Relaxed),
            connections: u64::try_from(connections).unwrap_or(u64::MAX),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
