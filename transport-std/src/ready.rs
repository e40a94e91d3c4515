//! The queue between those who notice that there is something to do and the fixed pool of workers that does it.
//!
//! It is bounded without ever making anybody wait: a connection is in it at most once (see [`Turn`](crate::pool::Turn)), and
//! so are the machine's timeout and the results of effects. So it never holds more than there are connections, and two.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use simplechat_driver::lock;

use crate::pool::Connection;

/// Something for a worker to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// See what there is to do for a connection.
    Connection(Arc<Connection>),
    /// The machine's deadline has passed.
    Timeout,
    /// Results of effects wait to be handed in.
    EffectsDone,
}

/// Jobs, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl ReadyQueue {
    /// Adds a job. Does nothing once the queue is closed.
    pub(crate) fn push(&self, job: Job) {
        let mut state = lock(&self.state);
        if !state.is_closed {
            state.jobs.push_back(job);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Waits for the next job; nothing once the queue is closed.
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends it: what is queued is dropped, and every worker is told.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.jobs.clear();
        drop(state);
        self.changed.notify_all();
    }
}
