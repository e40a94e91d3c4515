//! The machine's task: hands in all that is ready, in one hold of the machine's lock.

use std::sync::Arc;

use simplechat_core::machine::Machine;
use simplechat_driver::{Facts, Waiting};

use crate::ready::Job;
use crate::runtime;
use crate::tasks::{Connection, Net, Shared, Tasks};

/// Jobs done in one hold of the machine's lock. Then others may have it, and other tasks this thread.
const BATCH_MAX: usize = 256;

/// Works until the queue is closed or the machine has panicked.
pub(crate) async fn work<M: Machine>(shared: Arc<Shared<M>>) {
    let queue = &shared.net.waiting.queue;
    loop {
        queue.changed().await;
        // Should somebody else have the machine, they call when they have let go of it.
        while let Some(worked) = shared.try_run(|run| {
            let jobs = queue.take(BATCH_MAX)?;
            let count = jobs.len();
            for job in jobs {
                match job {
                    Job::Connection(conn) => {
                        if let Some(facts) = take_facts(&shared.net, &conn) {
                            run.tell(&conn, facts);
                        }
                    }
                    Job::Timeout => run.time_out(),
                    Job::EffectsDone => run.effects_done(),
                }
            }
            Some(count)
        }) {
            match worked {
                Ok(Some(0)) => break,
                Ok(Some(_)) => runtime::yield_now().await,
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// Takes what there is to tell about a connection, and lets it go on reading if it had to pause for that.
fn take_facts(net: &Arc<Net>, conn: &Arc<Connection>) -> Option<Facts> {
    let mut state = conn.lock();
    state.notes.is_queued = false;
    let facts = state.take_facts();
    if state.notes.is_full {
        Tasks::call(net, conn, &mut state.notes);
    }
    facts
}
