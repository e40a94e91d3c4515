//! What all threads or tasks of a driver and all its handles share, and the one way to run the machine.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use simplechat_core::machine::{Host, Machine};
use simplechat_core::time::{Moment, Timestamp};

use crate::connection::{Connection, Facts};
use crate::counters::Counters;
use crate::engine::{Engine, Life};
use crate::handle::Reach;
use crate::net::Net;
use crate::sync::lock;
use crate::waiting::Waiting;

/// See the module's text.
pub struct Shared<M: Machine, W: Waiting> {
    /// Everything of the driver but the machine.
    pub net: Arc<Net<W>>,
    engine: Mutex<Engine<M, W>>,
    /// The thread that runs the machine, by the address of a thing of its own; 0 if none does.
    runner: AtomicUsize,
    effects: Mutex<EffectsDone<M::Done>>,
}

/// Results that wait to be handed in. Their number is bounded by that of the effects the machine has asked for.
struct EffectsDone<D> {
    results: Vec<D>,
    is_called: bool,
}

/// What broke a driver.
pub enum Failure {
    /// The machine, its host or the driver itself panicked, with this.
    Panic(Box<dyn Any + Send>),
    /// The system cannot say any more which sockets are ready.
    Poll(io::Error),
}

/// The machine panicked earlier, so it cannot be run.
#[derive(Debug)]
pub struct Panicked;

/// The machine in the hands of whoever runs it.
pub struct Run<'a, M: Machine, W: Waiting> {
    shared: &'a Shared<M, W>,
    engine: &'a mut Engine<M, W>,
    now: Moment,
    timed_out: bool,
}

impl<M: Machine, W: Waiting> Run<'_, M, W> {
    /// Tells what became of a connection, unless it is over for the machine.
    pub fn tell(&mut self, conn: &Arc<Connection<W>>, facts: Facts) {
        self.engine.tell(&self.shared.net, self.now, conn, facts);
    }

    /// Hands in the timeout that [`Net::look_at_due`] said to be due.
    pub fn time_out(&mut self) {
        self.engine.time_out(&self.shared.net, self.now);
        self.timed_out = true;
    }

    /// Hands in the results of effects that wait.
    pub fn effects_done(&mut self) {
        for done in self.shared.take_effects_done() {
            self.engine.effect_done(&self.shared.net, self.now, done);
        }
    }

    /// Ends the machine from outside: it hears that every connection is gone, and may say its last.
    pub fn shut_down(&mut self) {
        self.engine.shut_down(&self.shared.net, self.now);
    }
}

impl<M: Machine, W: Waiting> Shared<M, W> {
    /// A driver whose machine has no host yet, so that it is not run.
    pub fn new(net: Arc<Net<W>>, machine: M) -> Self {
        Self {
            net,
            engine: Mutex::new(Engine::new(machine)),
            runner: AtomicUsize::new(0),
            effects: Mutex::new(EffectsDone {
                results: Vec::new(),
                is_called: false,
            }),
        }
    }

    /// Runs the machine, once nobody else does.
    ///
    /// # Errors
    ///
    /// If it panicked, now or before; that is the end of the driver.
    pub fn run<R>(&self, work: impl FnOnce(&mut Run<'_, M, W>) -> R) -> Result<R, Panicked> {
        self.refuse_nesting();
        let result = self.run_locked(lock(&self.engine), work);
        self.net.waiting.released();
        result
    }

    /// Runs the machine, unless somebody else does. If that is by [`Shared::run`], [`Waiting::released`] is called after
    /// it.
    ///
    /// # Errors
    ///
    /// As [`Shared::run`].
    pub fn try_run<R>(
        &self,
        work: impl FnOnce(&mut Run<'_, M, W>) -> R,
    ) -> Option<Result<R, Panicked>> {
        let engine = match self.engine.try_lock() {
            Ok(engine) => engine,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.run_locked(engine, work))
    }

    /// No other thread can have stored this thread's mark, so it is there exactly if this thread has the lock.
    fn refuse_nesting(&self) {
        assert!(
            self.runner.load(Ordering::Relaxed) != this_thread(),
            "Host::perform and Host::show run while the machine is locked: they must not call Handle::command, \
             but may call Handle::effect_done"
        );
    }

    fn run_locked<R>(
        &self,
        mut engine: MutexGuard<'_, Engine<M, W>>,
        work: impl FnOnce(&mut Run<'_, M, W>) -> R,
    ) -> Result<R, Panicked> {
        if engine.life() == Life::Panicked {
            return Err(Panicked);
        }
        self.runner.store(this_thread(), Ordering::Relaxed);
        // Read under the lock, so that the machine never sees time go back.
        let now = self.net.clock.now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut run = Run {
                shared: self,
                engine: &mut engine,
                now,
                timed_out: false,
            };
            let result = work(&mut run);
            let handled = run.timed_out.then_some(now.at);
            (result, engine.due(), handled)
        }));
        self.runner.store(0, Ordering::Relaxed);
        match result {
            Ok((result, due, handled)) => {
                self.note_due(due, handled);
                Ok(result)
            }
            Err(payload) => {
                engine.panicked();
                drop(engine);
                self.net.fail(Failure::Panic(payload));
                Err(Panicked)
            }
        }
    }

    fn note_due(&self, due: Option<Timestamp>, handled: Option<Timestamp>) {
        self.net.alarm.set_machine_due(due);
        if let Some(at) = handled {
            self.net.alarm.timeout_handled(at);
        }
    }

    /// Gives the machine its host, and does what it already wants done.
    ///
    /// # Errors
    ///
    /// As [`Shared::run`].
    pub fn begin(&self, host: Box<dyn Host<M>>) -> Result<(), Panicked> {
        self.run(|run| {
            run.engine.set_host(host);
            run.engine.drain(&self.net, run.now);
        })
    }

    /// Takes the host back. To be dropped where no lock is held.
    pub fn take_host(&self) -> Option<Box<dyn Host<M>>> {
        lock(&self.engine).take_host()
    }

    fn take_effects_done(&self) -> Vec<M::Done> {
        let mut effects = lock(&self.effects);
        effects.is_called = false;
        std::mem::take(&mut effects.results)
    }
}

impl<M, W> Reach<M> for Shared<M, W>
where
    M: Machine + Send,
    M::Done: Send,
    W: Waiting,
{
    fn command(&self, command: M::Command) -> Result<(), M::Rejected> {
        match self.run(|run| run.engine.command(&self.net, run.now, command)) {
            Ok(answer) => answer,
            Err(Panicked) => panic!("the machine has panicked; `Drive::wait` tells with what"),
        }
    }

    /// Takes only leaf locks, so it may be called while the machine is locked.
    fn effect_done(&self, done: M::Done) {
        let mut effects = lock(&self.effects);
        effects.results.push(done);
        let was_called = std::mem::replace(&mut effects.is_called, true);
        drop(effects);
        if !was_called {
            self.net.waiting.call_for_effects();
        }
    }

    fn counters(&self) -> Counters {
        self.net.counters()
    }
}

impl<M: Machine, W: Waiting> fmt::Debug for Shared<M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("net", &self.net)
            .finish_non_exhaustive()
    }
}

impl<M: Machine, W: Waiting> fmt::Debug for Run<'_, M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("engine", &self.engine)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(_) => f.write_str("Panic"),
            Self::Poll(error) => f.debug_tuple("Poll").field(error).finish(),
        }
    }
}

/// A number that no other thread has while this one runs.
fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}
