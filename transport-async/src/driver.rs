//! Starting a machine on real sockets, and waiting for its end.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_io::Async;
use futures_lite::FutureExt as _;
use simplechat_core::machine::{Host, Machine};
use simplechat_driver::{Drive, Failure, Handle, Listener, Options};

use crate::runtime::{self, Task};
use crate::tasks::{Net, Shared, Tasks};
use crate::{accept, time_loop, worker};

/// A machine that runs on async-std's tasks.
pub struct Driver<M: Machine> {
    shared: Arc<Shared<M>>,
    /// The machine's task and the one that minds the time; none once they were waited for. That of a connection ends by
    /// itself when the connection is gone.
    tasks: Vec<Task<()>>,
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
        let listeners = listeners
            .into_iter()
            .map(|listener| Async::new_nonblocking(listener.into_socket()))
            .collect::<io::Result<Vec<_>>>()?;
        let net = Net::new(options, Tasks::default(), 0);
        let mut driver = Self {
            shared: Arc::new(Shared::new(Arc::clone(&net), machine)),
            tasks: Vec::new(),
        };
        let host = make_host(&driver.handle());
        // Should the machine panic here already, the tasks end at once and `wait` resumes the panic.
        let _ = driver.shared.begin(Box::new(host));
        let acceptors = listeners
            .into_iter()
            .map(|listener| spawn(&net, accept::accept(Arc::clone(&net), listener)))
            .collect();
        driver.tasks = vec![
            spawn(&net, time_loop::mind_time(Arc::clone(&net), acceptors)),
            spawn(&net, worker::work(Arc::clone(&driver.shared))),
        ];
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

impl<M: Machine> Driver<M> {
    /// Waits for the tasks. Their panics were caught by [`guard`].
    fn join(&mut self) {
        for task in self.tasks.drain(..) {
            runtime::block_on(task);
        }
        drop(self.shared.take_host());
    }
}

impl<M: Machine> Drop for Driver<M> {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
            let _ = self.shared.run(|run| run.shut_down());
            self.join();
        }
    }
}

impl<M: Machine> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

fn spawn(net: &Arc<Net>, body: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    let net = Arc::clone(net);
    runtime::spawn(async move { guard(&net, body).await })
}

/// Runs the body of a task. A panic in it ends the driver and is kept for [`Drive::wait`].
pub(crate) async fn guard(net: &Net, body: impl Future<Output = ()>) {
    if let Err(payload) = AssertUnwindSafe(body).catch_unwind().await {
        net.fail(Failure::Panic(payload));
    }
}
