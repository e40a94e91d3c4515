//! When which machine wants to be woken, so that a world finds the next one without asking them all.

use std::collections::{BTreeMap, BTreeSet};

use simplechat_core::time::Timestamp;

use crate::net::HostId;

/// The deadlines of all machines.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    queue: BTreeSet<(Timestamp, HostId)>,
    by_host: BTreeMap<HostId, Timestamp>,
}

impl Agenda {
    /// Notes when a machine wants to be woken, in place of what it wanted before.
    pub(super) fn set(&mut self, host: HostId, at: Option<Timestamp>) {
        if self.by_host.get(&host) == at.as_ref() {
            return;
        }
        let before = match at {
            Some(at) => self.by_host.insert(host, at),
            None => self.by_host.remove(&host),
        };
        if let Some(before) = before {
            self.queue.remove(&(before, host));
        }
        self.queue.extend(at.map(|at| (at, host)));
    }

    /// Who wants to be woken first, and when.
    pub(super) fn next(&self) -> Option<(Timestamp, HostId)> {
        self.queue.first().copied()
    }
}
