//! Starting a machine on real sockets, and waiting for its end.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use polling::Poller;
use simplechat_core::machine::{Host, Machine};

use crate::handle::Handle;
use crate::listener::Listener;
use crate::net::{Ending, Net};
use crate::options::Options;
use crate::poll_loop::PollLoop;
use crate::shared::{Failure, Panicked, Shared};
use crate::watched::Watched;
use crate::worker;

/// A machine that runs. Dropping it ends the machine: it is told that every connection is gone, and its threads are
/// waited for, for about [`Options::linger`] at most.
pub struct Driver<M: Machine> {
    shared: Arc<Shared<M>>,
    poll_thread: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl<M> Driver<M>
where
    M: Machine + Send + 'static,
    M::Done: Send,
{
    /// Runs `machine`, with peers from `listeners`. The host is made with a handle to this driver, as it needs one to
    /// give back the results of effects. What the machine wants done already is done before this returns.
    ///
    /// # Errors
    ///
    /// If a setting makes no sense ([`io::ErrorKind::InvalidInput`]), or the system cannot give a poller or a thread.
    pub fn start<H>(
        machine: M,
        listeners: Vec<Listener>,
        options: Options,
        make_host: impl FnOnce(&Handle<M>) -> H,
    ) -> io::Result<Self>
    where
        H: Host<M> + 'static,
    {
        if let Some(problem) = options.problem() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let poller = Arc::new(Poller::new()?);
        let listeners = listeners
            .into_iter()
            .enumerate()
            .map(|(key, listener)| Watched::listener(listener.into_socket(), &poller, key))
            .collect::<io::Result<Vec<_>>>()?;
        let worker_threads = options.worker_threads;
        let net = Net::new(options, poller, listeners.len());
        let mut driver = Self {
            shared: Arc::new(Shared::new(net, machine)),
            poll_thread: None,
            workers: Vec::new(),
        };
        let host = make_host(&driver.handle());
        // Should the machine panic here already, the threads end at once and `wait` resumes the panic.
        let _ = driver.shared.begin(Box::new(host));
        driver.spawn(worker_threads, |shared| {
            PollLoop::new(&shared.net, listeners).run()
        })?;
        Ok(driver)
    }

    /// A handle to give the machine commands and results of effects.
    #[must_use]
    pub fn handle(&self) -> Handle<M> {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Waits until the machine has ended and everything is sent and closed. Afterwards the host is dropped and no
    /// thread of the driver is left.
    ///
    /// # Errors
    ///
    /// If the system could no longer say which sockets are ready, so that the driver had to end.
    ///
    /// # Panics
    ///
    /// With the panic of the machine or the host, if one of them panicked.
    pub fn wait(mut self) -> io::Result<()> {
        self.join();
        match self.shared.take_failure() {
            None => Ok(()),
            Some(Failure::Poll(error)) => Err(error),
            Some(Failure::Panic(payload)) => resume_unwind(payload),
        }
    }

    fn spawn(
        &mut self,
        worker_threads: usize,
        poll: impl FnOnce(&Shared<M>) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        for number in 1..=worker_threads {
            let shared = Arc::clone(&self.shared);
            let worker = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || guard(&shared, || worker::work(&shared)))?;
            self.workers.push(worker);
        }
        let shared = Arc::clone(&self.shared);
        let poll_thread = thread::Builder::new()
            .name("poll".to_owned())
            .spawn(move || {
                guard(&shared, || {
                    if let Err(error) = poll(&shared) {
                        let _: Result<(), Panicked> =
                            shared.run(|engine, net, now| engine.shut_down(net, now));
                        shared.fail(Failure::Poll(error));
                    }
                });
                shared.net.tear_down();
            })?;
        self.poll_thread = Some(poll_thread);
        Ok(())
    }
}

impl<M: Machine> Driver<M> {
    /// Waits for all threads. Their panics were caught by [`guard`], so joining cannot fail.
    fn join(&mut self) {
        if let Some(poll_thread) = self.poll_thread.take() {
            let _ = poll_thread.join();
        }
        // The poll thread did this, unless it could not be started.
        self.shared.net.tear_down();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
        drop(self.shared.take_host());
    }
}

impl<M: Machine> Drop for Driver<M> {
    fn drop(&mut self) {
        let is_running = self.poll_thread.is_some();
        if is_running {
            let _ = self
                .shared
                .run(|engine, net, now| engine.shut_down(net, now));
        } else {
            // Already waited for, or never fully started.
            self.shared.net.end(Ending::Abrupt);
        }
        self.join();
    }
}

impl<M: Machine> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// Runs the body of a thread. A panic in it ends the driver and is kept for [`Driver::wait`].
fn guard<M: Machine>(shared: &Shared<M>, body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        shared.fail(Failure::Panic(payload));
    }
}
