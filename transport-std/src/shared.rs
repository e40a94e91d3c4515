//! What all threads of a driver and all its handles share, and the one way to run the machine.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use simplechat_core::machine::{Host, Machine};
use simplechat_core::time::Moment;

use crate::engine::{Engine, Life};
use crate::net::{Ending, Net};
use crate::ready::Job;
use crate::sync::lock;

/// See the module's text.
pub(crate) struct Shared<M: Machine> {
    pub(crate) net: Net,
    engine: Mutex<Engine<M>>,
    /// The thread that runs the machine, by the address of a thing of its own; 0 if none does.
    runner: AtomicUsize,
    effects: Mutex<EffectsDone<M::Done>>,
    failure: Mutex<Option<Failure>>,
}

/// Results that wait to be handed in. Their number is bounded by that of the effects the machine has asked for.
struct EffectsDone<D> {
    results: Vec<D>,
    is_queued: bool,
}

/// What broke the driver.
pub(crate) enum Failure {
    /// The machine, its host or the driver itself panicked, with this.
    Panic(Box<dyn Any + Send>),
    /// The system cannot say any more which sockets are ready.
    Poll(io::Error),
}

/// The machine panicked earlier, so it cannot be run.
#[derive(Debug)]
pub(crate) struct Panicked;

impl<M: Machine> Shared<M> {
    pub(crate) fn new(net: Net, machine: M) -> Self {
        Self {
            net,
            engine: Mutex::new(Engine::new(machine)),
            runner: AtomicUsize::new(0),
            effects: Mutex::new(EffectsDone {
                results: Vec::new(),
                is_queued: false,
            }),
            failure: Mutex::new(None),
        }
    }

    /// Runs the machine. Should it panic, that is the end of the driver.
    pub(crate) fn run<R>(
        &self,
        work: impl FnOnce(&mut Engine<M>, &Net, Moment) -> R,
    ) -> Result<R, Panicked> {
        let this_thread = this_thread();
        // No other thread can have stored this thread's mark, so it is there exactly if this thread has the lock.
        assert!(
            self.runner.load(Ordering::Relaxed) != this_thread,
            "Host::perform and Host::show run while the machine is locked: they must not call Handle::command, \
             but may call Handle::effect_done"
        );
        let mut engine = lock(&self.engine);
        if engine.life() == Life::Panicked {
            return Err(Panicked);
        }
        self.runner.store(this_thread, Ordering::Relaxed);
        // Read under the lock, so that the machine never sees time go back.
        let now = self.net.clock.now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = work(&mut engine, &self.net, now);
            (result, engine.due())
        }));
        self.runner.store(0, Ordering::Relaxed);
        match result {
            Ok((result, due)) => {
                self.net.alarm.set_machine_due(due);
                Ok(result)
            }
            Err(payload) => {
                engine.panicked();
                drop(engine);
                self.fail(Failure::Panic(payload));
                Err(Panicked)
            }
        }
    }

    /// Gives the machine its host, and does what it already wants done.
    pub(crate) fn begin(&self, host: Box<dyn Host<M>>) -> Result<(), Panicked> {
        self.run(|engine, net, now| {
            engine.set_host(host);
            engine.drain(net, now);
        })
    }

    /// Takes the host back. To be dropped where no lock is held.
    pub(crate) fn take_host(&self) -> Option<Box<dyn Host<M>>> {
        lock(&self.engine).take_host()
    }

    /// Queues the result of an effect. Takes only leaf locks, so it may be called while the machine is locked.
    pub(crate) fn effect_done(&self, done: M::Done) {
        let mut effects = lock(&self.effects);
        effects.results.push(done);
        let was_queued = std::mem::replace(&mut effects.is_queued, true);
        drop(effects);
        if !was_queued {
            self.net.queue.push(Job::EffectsDone);
        }
    }

    pub(crate) fn take_effects_done(&self) -> Vec<M::Done> {
        let mut effects = lock(&self.effects);
        effects.is_queued = false;
        std::mem::take(&mut effects.results)
    }

    /// Ends the driver at once, because of this. The first reason is the one that is told.
    pub(crate) fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
        self.net.end(Ending::Abrupt);
    }

    pub(crate) fn take_failure(&self) -> Option<Failure> {
        lock(&self.failure).take()
    }
}

impl<M: Machine> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("net", &self.net)
            .finish_non_exhaustive()
    }
}

/// A number that no other thread has while this one runs.
fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}
