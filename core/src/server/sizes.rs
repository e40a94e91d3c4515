//! How much a server has in its tables: for an operator's log, and for a simulator that sees to it that each stays within
//! its bound, which is in [`crate::limits`] or in the settings.

use super::Server;

/// How much a server has in its tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Accounts.
    pub accounts: usize,
    /// Users online.
    pub sessions: usize,
    /// Connections, accepted and dialled.
    pub connections: usize,
    /// Passwords being checked.
    pub checks: usize,
    /// Who failed to log in, by account and source.
    pub lockouts: usize,
    /// Open questions for an address.
    pub questions: usize,
    /// Introductions in force, each counted from both sides.
    pub introductions: usize,
    /// Introductions that clients have and the server knows nothing of.
    pub claims: usize,
    /// Records that are not stored yet.
    pub records: usize,
    /// Deadlines.
    pub timers: usize,
    /// The most that any account has.
    pub largest: AccountSizes,
}

/// How much there is of an account, or the most of each that there is of any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountSizes {
    /// Messages in the mailbox.
    pub messages: usize,
    /// Bytes in the mailbox.
    pub message_bytes: usize,
    /// Recipients of expired messages of whom the user is to be told.
    pub untold: usize,
    /// Users blocked.
    pub blocked: usize,
    /// Notices that wait.
    pub notices: usize,
    /// Delivery receipts that wait.
    pub receipts: usize,
    /// Client instances.
    pub instances: usize,
    /// Operations of one of them whose outcome is remembered.
    pub operations: usize,
    /// Acquaintances.
    pub acquaintances: usize,
}

impl AccountSizes {
    fn max(self, other: Self) -> Self {
        Self {
            messages: self.messages.max(other.messages),
            message_bytes: self.message_bytes.max(other.message_bytes),
            untold: self.untold.max(other.untold),
            blocked: self.blocked.max(other.blocked),
            notices: self.notices.max(other.notices),
            receipts: self.receipts.max(other.receipts),
            instances: self.instances.max(other.instances),
            operations: self.operations.max(other.operations),
            acquaintances: self.acquaintances.max(other.acquaintances),
        }
    }
}

impl Server {
    /// How much is in the tables. It looks at each account once, so it is for now and then.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let accounts = self.accounts.ids();
        Sizes {
            accounts: accounts.clone().count(),
            sessions: self.sessions.len(),
            connections: self.connections.len(),
            checks: self.checks.len(),
            lockouts: self.lockout.len(),
            questions: self.introductions.questions(),
            introductions: self.introductions.in_force(),
            claims: self.claims.len(),
            records: self.records.len(),
            timers: self.timers.len(),
            largest: accounts
                .map(|account| self.accounts.get(account).sizes())
                .fold(AccountSizes::default(), AccountSizes::max),
        }
    }
}
