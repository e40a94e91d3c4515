//! The queue between those who notice that there is something to tell the machine and the one task that does.
//!
//! It is bounded without ever making anybody wait: a connection is in it at most once (see [`crate::tasks::Notes`]), and
//! so are the machine's timeout and the results of effects. So it never holds more than there are connections, and two.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use simplechat_driver::lock;

use crate::signal::Signal;
use crate::tasks::Connection;

/// Something for the machine to be told.
#[derive(Debug)]
pub(crate) enum Job {
    /// What became of a connection.
    Connection(Arc<Connection>),
    /// Its deadline has passed.
    Timeout,
    /// Results of effects wait to be handed in.
    EffectsDone,
}

/// Jobs, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    state: Mutex<State>,
    changed: Signal,
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
        if state.is_closed {
            return;
        }
        let was_empty = state.jobs.is_empty();
        state.jobs.push_back(job);
        drop(state);
        // Else the machine's task is on its way already: it comes back until nothing is left.
        if was_empty {
            self.changed.raise();
        }
    }

    /// The oldest jobs, no more than `count`; nothing once the queue is closed.
    pub(crate) fn take(&self, count: usize) -> Option<VecDeque<Job>> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return None;
        }
        let count = count.min(state.jobs.len());
        let later = state.jobs.split_off(count);
        Some(std::mem::replace(&mut state.jobs, later))
    }

    /// The machine's task should try again.
    pub(crate) fn call(&self) {
        self.changed.raise();
    }

    /// Waits until there is something new.
    pub(crate) async fn changed(&self) {
        self.changed.raised().await;
    }

    /// Ends it: what is queued is dropped, and the machine's task is told.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.jobs.clear();
        drop(state);
        self.changed.raise();
    }
}
