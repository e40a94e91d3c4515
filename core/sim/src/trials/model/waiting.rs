//! What a client's user waits for.

use simplechat_core::wire::request::Operation;

use super::{Client, Op};

impl Client {
    /// What the next final word must be for: what a `removeaddress` comes to is said at once, and has no word later.
    #[must_use]
    pub fn next_op(&self) -> Option<&Op> {
        self.open
            .iter()
            .find(|op| !matches!(op.operation, Operation::RemoveAddress { .. }))
    }

    pub(super) fn pop_op(&mut self) -> Option<Op> {
        while let Some(op) = self.open.pop_front() {
            if !matches!(op.operation, Operation::RemoveAddress { .. }) {
                return Some(op);
            }
        }
        None
    }
}
