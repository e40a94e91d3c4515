//! The store, on a thread of its own: chat that needs no store must not wait for a disk.
//!
//! The machine gives one batch at a time; what it records meanwhile is the next one. So one transaction keeps all that came
//! during the one before, and a lone message waits for nothing but the disk. A batch that could not be kept comes again
//! when the machine says so. When nothing has come for a while the thread tidies up.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use simplechat_core::server::StoreFailed;
use simplechat_core::server::record::Record;
use simplechat_store::{Store, StoreError};
use tracing::{error, warn};

/// The machine gives one at a time.
const BATCHES_MAX: usize = 1;
/// After so long without anything new nobody minds if the disk is busy for a moment.
const QUIET_FOR: Duration = Duration::from_secs(2);

/// Records to be kept.
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) answer: Answer,
}

/// Takes the result of a batch. Dropped without one, it says that the batch was not kept.
pub(super) struct Answer(Option<Box<Take>>);

type Take = dyn FnOnce(Result<(), StoreFailed>) + Send;

/// Hands batches to the thread.
pub(super) struct Storing(SyncSender<Batch>);

/// The thread. It ends when [`Storing`] is dropped.
pub(super) struct Keeper(JoinHandle<()>);

impl Answer {
    pub(super) fn new(answer: impl FnOnce(Result<(), StoreFailed>) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    pub(super) fn give(mut self, result: Result<(), StoreFailed>) {
        if let Some(answer) = self.0.take() {
            answer(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(Err(StoreFailed));
        }
    }
}

/// Starts the thread.
pub(super) fn start(store: Store) -> io::Result<(Storing, Keeper)> {
    let (batches, waiting) = sync_channel(BATCHES_MAX);
    let thread = thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || keep_all(store, &waiting))?;
    Ok((Storing(batches), Keeper(thread)))
}

impl Storing {
    /// Has a batch kept. Never waits: one that there is no room for is not kept, and its answer says so.
    pub(super) fn keep(&self, batch: Batch) {
        drop(self.0.try_send(batch));
    }
}

impl Keeper {
    /// Waits until all is kept and the store is closed.
    pub(super) fn finish(self) {
        // If it had panicked, nothing could be done about it here.
        let _ = self.0.join();
    }
}

fn keep_all(mut store: Store, batches: &Receiver<Batch>) {
    let mut last_trouble = None;
    let mut is_tidy = false;
    loop {
        let next = if is_tidy {
            batches.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            batches.recv_timeout(QUIET_FOR)
        };
        match next {
            Ok(batch) => {
                let kept = store.apply(&batch.records);
                tell(&kept, &mut last_trouble);
                batch.answer.give(kept.map_err(|_| StoreFailed));
                is_tidy = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = store.tidy() {
                    warn!("{error}");
                }
                is_tidy = true;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(error) = store.close() {
        warn!("{error}");
    }
}

/// Says what is wrong once, however often it is tried again.
fn tell(kept: &Result<(), StoreError>, last: &mut Option<String>) {
    let trouble = kept.as_ref().err().map(ToString::to_string);
    if let Some(new) = &trouble
        && last.as_ref() != Some(new)
    {
        error!("{new}");
    }
    *last = trouble;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::data::Folder;

    #[test]
    fn what_nobody_answers_counts_as_not_kept() {
        let (sender, answers) = channel();
        let answer = || {
            let sender = sender.clone();
            Answer::new(move |result| {
                let _ = sender.send(result);
            })
        };
        drop(answer());
        answer().give(Ok(()));
        assert_eq!(answers.recv(), Ok(Err(StoreFailed)));
        assert_eq!(answers.recv(), Ok(Ok(())));
        // A thread that is gone keeps nothing.
        let (batches, waiting) = sync_channel(BATCHES_MAX);
        drop(waiting);
        let records = Vec::new();
        let answer = answer();
        Storing(batches).keep(Batch { records, answer });
        assert_eq!(answers.recv(), Ok(Err(StoreFailed)));
    }

    #[test]
    fn what_was_answered_is_there_the_next_time() {
        let folder = Folder::new();
        let (sender, answers) = channel();
        folder.make();
        let (storing, keeper) = start(Store::open(&folder.path).unwrap()).unwrap();
        let record = Record::Blocked {
            by: "alice".parse().unwrap(),
            user: "bob".parse().unwrap(),
        };
        storing.keep(Batch {
            records: vec![record.clone()],
            answer: Answer::new(move |result| sender.send(result).unwrap()),
        });
        assert_eq!(answers.recv(), Ok(Ok(())));
        drop(storing);
        keeper.finish();
        let store = Store::open(&folder.path).unwrap();
        assert_eq!(store.load().unwrap(), [record]);
    }
}
