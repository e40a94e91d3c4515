//! The allowance: how much an account may have the server do, so that none can keep it from the others.
//!
//! Every operation costs a token, whatever its recipients: each has the server tell somebody something, or keep it. So does
//! a page of the list of who is online, which is long. What only fills a number's place, and what was done before, is free.
//! A broadcast draws its deliveries on a second bucket, which may go into debt once: it reaches everybody or is put off.
//!
//! The allowance is the account's, not the session's, or logging in again would fill it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rate::{Bucket, Rate};
use crate::time::Timestamp;
use crate::wire::request::Operation;

/// How much an account may have the server do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowanceConfig {
    /// Operations, and pages of the list of who is online.
    pub operations: Rate,
    /// Deliveries of broadcasts.
    pub deliveries: Rate,
}

impl Default for AllowanceConfig {
    fn default() -> Self {
        Self {
            operations: Rate::per_second(40, 10),
            deliveries: Rate::per_second(5_000, 500),
        }
    }
}

/// What an account may have done just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Allowance {
    operations: Bucket,
    deliveries: Bucket,
}

impl Allowance {
    /// Takes what an operation costs, or says how long to wait.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        config: &AllowanceConfig,
        operation: &Operation,
    ) -> Result<(), Duration> {
        match operation {
            Operation::Skip => Ok(()),
            Operation::Broadcast { .. } => {
                self.deliveries.check(now, &config.deliveries)?;
                self.operations.take(now, &config.operations)
            }
            Operation::Message { .. }
            | Operation::Mail { .. }
            | Operation::Block { .. }
            | Operation::Unblock { .. }
            | Operation::GetAddress { .. }
            | Operation::Accept { .. }
            | Operation::Deny { .. }
            | Operation::RemoveAddress { .. } => self.operations.take(now, &config.operations),
        }
    }

    /// Takes what a page of the list of who is online costs, or says how long to wait.
    pub(super) fn take_page(
        &mut self,
        now: Timestamp,
        config: &AllowanceConfig,
    ) -> Result<(), Duration> {
        self.operations.take(now, &config.operations)
    }

    /// A broadcast that was let through goes to so many.
    pub(super) fn draw_deliveries(
        &mut self,
        now: Timestamp,
        config: &AllowanceConfig,
        deliveries: usize,
    ) {
        let deliveries = u32::try_from(deliveries).unwrap_or(u32::MAX);
        self.deliveries.draw(now, &config.deliveries, deliveries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::ZERO;

    fn broadcast() -> Operation {
        let text = "hi".parse().unwrap();
        Operation::Broadcast { text }
    }

    fn block() -> Operation {
        let user = "bob".parse().unwrap();
        Operation::Block { user }
    }

    #[test]
    fn after_40_operations_one_is_there_each_100_ms() {
        let config = AllowanceConfig::default();
        let mut allowance = Allowance::default();
        for _ in 0..20 {
            assert_eq!(allowance.take(NOW, &config, &block()), Ok(()));
            assert_eq!(allowance.take_page(NOW, &config), Ok(()));
        }
        let wait = Err(Duration::from_millis(100));
        assert_eq!(allowance.take(NOW, &config, &block()), wait);
        assert_eq!(allowance.take(NOW, &config, &broadcast()), wait);
        assert_eq!(allowance.take_page(NOW, &config), wait);
        assert_eq!(allowance.take(NOW, &config, &Operation::Skip), Ok(()));
    }

    #[test]
    fn one_broadcast_may_reach_more_than_there_is_and_the_next_one_waits() {
        let config = AllowanceConfig::default();
        let mut allowance = Allowance::default();
        assert_eq!(allowance.take(NOW, &config, &broadcast()), Ok(()));
        allowance.draw_deliveries(NOW, &config, 5_999);
        let wait = Duration::from_secs(2);
        assert_eq!(allowance.take(NOW, &config, &broadcast()), Err(wait));
        assert_eq!(allowance.take(NOW, &config, &block()), Ok(()));
        assert_eq!(allowance.take(NOW + wait, &config, &broadcast()), Ok(()));
    }
}
