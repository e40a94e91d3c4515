//! What everybody else holds of a running machine: to give it commands, and to give back the results of effects.

use std::fmt;
use std::sync::Arc;

use simplechat_core::machine::Machine;

use crate::counters::Counters;

/// Reaches the machine of a driver from any thread. Clones reach the same one. It is the same for every transport.
pub struct Handle<M: Machine> {
    driver: Arc<dyn Reach<M>>,
}

/// What a driver has to offer for a [`Handle`], which says what each of these does.
pub trait Reach<M: Machine>: Send + Sync {
    /// See [`Handle::command`].
    fn command(&self, command: M::Command) -> Result<(), M::Rejected>;

    /// See [`Handle::effect_done`].
    fn effect_done(&self, done: M::Done);

    /// See [`Handle::counters`].
    fn counters(&self) -> Counters;
}

impl<M: Machine> Handle<M> {
    /// A handle to this driver.
    #[must_use]
    pub fn new(driver: Arc<dyn Reach<M>>) -> Self {
        Self { driver }
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
    /// If the machine panics, now or before; [`crate::Drive::wait`] resumes its panic. And if called from within
    /// [`Host`](simplechat_core::machine::Host), which runs while the machine is locked.
    pub fn command(&self, command: M::Command) -> Result<(), M::Rejected> {
        self.driver.command(command)
    }

    /// Gives back the result of an effect. Never waits: the driver hands it in. It may be called from within
    /// [`Host`](simplechat_core::machine::Host), and does nothing after the machine has ended.
    pub fn effect_done(&self, done: M::Done) {
        self.driver.effect_done(done);
    }

    /// What the driver has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.driver.counters()
    }
}

impl<M: Machine> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.driver))
    }
}

impl<M: Machine> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
