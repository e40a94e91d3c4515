//! How much a client has in its tables: for a log, and for a simulator that sees to it that each stays within its bound,
//! which is in [`crate::limits`].

use super::Client;
use super::connection::Connection;

/// How much a client has in its tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Wishes that the server has not answered.
    pub outbox: usize,
    /// Messages of the user's own that can be told of.
    pub ledger: usize,
    /// Connections, accepted and dialled.
    pub connections: usize,
    /// Calls among them that wait for keys.
    pub parked: usize,
    /// Sources whose handshakes are counted.
    pub callers: usize,
    /// Open questions for the user's address.
    pub questions: usize,
    /// People whom the user has agreed to be introduced to, and is not yet.
    pub consents: usize,
    /// Peers.
    pub peers: usize,
    /// The most texts that wait for any of them.
    pub waiting: usize,
    /// Those who are peers no more.
    pub former: usize,
    /// Those whose key is marked as verified, peers or not.
    pub verified: usize,
    /// Others whose last key is remembered.
    pub met: usize,
    /// Sessions with all peers.
    pub peer_sessions: usize,
    /// Client instances of which something was shown.
    pub shown: usize,
    /// Batches on their way to the screen.
    pub showing: usize,
    /// Users of whom nothing is shown.
    pub blocked: usize,
    /// Deadlines.
    pub timers: usize,
    /// Records that wait for the store, and batches that it has.
    pub records: usize,
}

impl Client {
    /// How much is in the tables.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let is_parked = |conn: &&Connection| conn.parked_from().is_some();
        Sizes {
            outbox: self.outbox.size(),
            ledger: self.ledger.len(),
            connections: self.connections.len(),
            parked: self.connections.values().filter(is_parked).count(),
            callers: self.callers.len(),
            questions: self.questions.len(),
            consents: self.consents.len(),
            peers: self.book.len(),
            waiting: self.book.most_waiting(),
            former: self.former.len(),
            verified: self.peer_keys.verified(),
            met: self.peer_keys.met(),
            peer_sessions: self.peer_sessions.len(),
            shown: self.inbox.instances(),
            showing: self.inbox.showing(),
            blocked: self.inbox.blocked(),
            timers: self.timers.len(),
            records: self.storing.len(),
        }
    }
}
