//! Watching a world: what happens is given to an onlooker.

use super::{ATTACKER, STRANGER, World};
use crate::observation::{Observation, Observed};

impl World {
    /// From now on what happens is to be looked at ([`Self::observed`]) and not written to a log, which grows.
    pub fn watch(&mut self) {
        self.log = None;
        self.observed = Some(Vec::new());
    }

    /// From now on it is also heard what is on the network and must not be: these secrets, and whatever shows that a channel
    /// is bad.
    pub fn overhear(&mut self, secrets: Vec<Vec<u8>>) {
        self.net.overhear(vec![ATTACKER, STRANGER], secrets);
    }

    /// What happened since the last look, if it is being watched.
    pub fn observed(&mut self) -> Vec<Observed> {
        self.observe_breaches();
        self.observed
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// How often something was handed to a machine.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn observe(&mut self, what: Observation) {
        let at = self.now;
        if let Some(observed) = &mut self.observed {
            observed.push(Observed { at, what });
        }
    }
}
