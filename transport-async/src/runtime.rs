//! All that is asked of the runtime, in one place, so that another can take its.

use std::time::Duration;

pub(crate) use async_std::task::{JoinHandle as Task, block_on, yield_now};

/// Runs a task that somebody waits for or cancels.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    async_std::task::spawn(future)
}

/// Runs a task that ends by itself.
pub(crate) fn detach(future: impl Future<Output = ()> + Send + 'static) {
    // With async-std a task goes on when its handle is dropped; with smol it has to be told so.
    drop(spawn(future));
}

/// Waits, but no longer than `limit`, if there is one.
pub(crate) async fn within(limit: Option<Duration>, future: impl Future<Output = ()>) {
    match limit {
        // That the time is over is as good as what was waited for: whoever waits looks around either way.
        Some(limit) => drop(async_std::future::timeout(limit, future).await),
        None => future.await,
    }
}
