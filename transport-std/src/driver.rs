//! Starting a machine on real sockets, and waiting for its end.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use polling::Poller;
use simplechat_core::machine::{Host, Machine};
use simplechat_driver::{Drive, Ending, Failure, Handle, Listener, Options, Panicked};

use crate::poll_loop::PollLoop;
use crate::pool::{Net, Pool, Shared};
use crate::watched::Watched;
use crate::worker;

/// A machine that runs on [`Options::worker_threads`] threads, and one that waits for all sockets.
pub struct Driver<M: Machine> {
    shared: Arc<Shared<M>>,
    poll_thread: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl<M> Drive<M> for Driver<M>
where
    M: Machine + Send + 'static,
    M::Done: Send,
{
    fn start<H>(
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
        let net = Net::new(options, Pool::new(poller), listeners.len());
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

    fn handle(&self) -> Handle<M> {
        Handle::new(self.shared.clone())
    }

    fn wait(mut self) -> io::Result<()> {
        self.join();
        self.shared.net.outcome()
    }
}

impl<M> Driver<M>
where
    M: Machine + Send + 'static,
    M::Done: Send,
{
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
                        let _: Result<(), Panicked> = shared.run(|run| run.shut_down());
                        shared.net.fail(Failure::Poll(error));
                    }
                });
                tear_down(&shared.net);
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
        tear_down(&self.shared.net);
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
            let _ = self.shared.run(|run| run.shut_down());
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

/// Closes every socket and sends the workers home. Nothing happens after it.
fn tear_down(net: &Arc<Net>) {
    net.waiting.queue.close();
    net.abandon_all();
}

/// Runs the body of a thread. A panic in it ends the driver and is kept for [`Driver::wait`].
fn guard<M: Machine>(shared: &Shared<M>, body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        shared.net.fail(Failure::Panic(payload));
    }
}
