//! What everybody else holds of a running machine: to give it commands, and to give back the results of effects.

use std::fmt;
use std::sync::Arc;

use simplechat_core::machine::Machine;

use crate::counters::Counters;
use crate::shared::{Panicked, Shared};

/// Reaches the machine of a driver from any thread. Clones reach the same one.
pub struct Handle<M: Machine> {
    shared: Arc<Shared<M>>,
}

impl<M: Machine> Handle<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>) -> Self {
        Self { shared }
    }

    /// Hands the machine a wish, in this thread. What comes of it was begun when this returns. After the machine has
    /// ended it still answers, but nothing comes of it.
    ///
    /// # Errors
    ///
    /// If the machine refuses.
    ///
    /// # Panics
    ///
    /// If the machine panics, now or before; [`crate::Driver::wait`] resumes its panic. And if called from within
    /// [`Host`](simplechat_core::machine::Host), which runs while the machine is locked.
    pub fn command(&self, command: M::Command) -> Result<(), M::Rejected> {
        match self
            .shared
            .run(|engine, net, now| engine.command(net, now, command))
        {
            Ok(answer) => answer,
            Err(Panicked) => panic!("the machine has panicked; `Driver::wait` tells with what"),
        }
    }

    /// Gives back the result of an effect. Never waits: a worker hands it in. It may be called from within
    /// [`Host`](simplechat_core::machine::Host), and does nothing after the machine has ended.
    pub fn effect_done(&self, done: M::Done) {
        self.shared.effect_done(done);
    }

    /// What the driver has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let connections = self.shared.net.table().len();
        self.shared.net.tally.read(connections)
    }
}

impl<M: Machine> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl<M: Machine> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
