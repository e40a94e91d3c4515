//! `serve --record`: writes what the server's machine gets and gives to a file, on a thread of its own.
//!
//! The machine never waits for the disk: what it does is put into a bounded buffer. If that is full, or the file cannot
//! be written, the recording ends, a line in the log says so, and the server goes on without it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use simplechat_core::server::recording::tape::Encoder;
use simplechat_core::server::recording::{End, Entry, Header, Recorder};
use tracing::error;

/// Bytes that may wait to be written.
const WAITING_MAX: usize = 32 * 1024 * 1024;
/// With so many bytes waiting nobody waits for more.
const WORTH_WRITING: usize = 256 * 1024;
/// How long the first bytes wait for others, so that a busy server does not wake the disk for each of them. A server that
/// is killed loses what happened within this time.
const GATHER_FOR: Duration = Duration::from_millis(50);

/// A recording that is being written. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct Recording {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the machine tells.
#[derive(Debug)]
struct Input {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something waits that did not before, or the phase is another.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    encoder: Encoder,
    waiting: Vec<u8>,
    waiting_max: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    /// Nothing more is taken; what waits is still written.
    Closing,
    /// The same, because too much waits.
    Overrun,
    /// The file cannot be written.
    Failed,
}

/// Makes the file of a recording. It is for its owner alone, and never one that exists: that may be another recording.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Starts a recording: gives what the machine is to tell it, and what ends it.
pub(super) fn start(
    file: impl Write + Send + 'static,
    header: &Header,
) -> io::Result<(Box<dyn Recorder>, Recording)> {
    start_bounded(file, header, WAITING_MAX)
}

fn start_bounded(
    file: impl Write + Send + 'static,
    header: &Header,
    waiting_max: usize,
) -> io::Result<(Box<dyn Recorder>, Recording)> {
    let mut waiting = Vec::new();
    let encoder = Encoder::start(header, &mut waiting);
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            encoder,
            waiting_max: waiting.len() + waiting_max,
            waiting,
            phase: Phase::Running,
        }),
        changed: Condvar::new(),
    });
    let writer = Arc::clone(&shared);
    let thread = thread::Builder::new()
        .name("record".to_owned())
        .spawn(move || writer.write_all(file))?;
    let input = Input {
        shared: Arc::clone(&shared),
    };
    let thread = Some(thread);
    Ok((Box::new(input), Recording { shared, thread }))
}

impl Recorder for Input {
    fn note(&mut self, entry: &Entry) -> ControlFlow<()> {
        let mut state = self.shared.lock();
        if state.phase != Phase::Running {
            return ControlFlow::Break(());
        }
        let before = state.waiting.len();
        state.add(entry);
        let overruns = state.waiting.len() > state.waiting_max;
        if overruns {
            state.waiting.truncate(before);
            state.add(&Entry::End(End::Overrun));
            state.phase = Phase::Overrun;
        }
        let wakes = before == 0 || overruns || is_crossed(WORTH_WRITING, before, &state.waiting);
        drop(state);
        if wakes {
            self.shared.changed.notify_one();
        }
        if overruns {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn is_crossed(mark: usize, before: usize, waiting: &[u8]) -> bool {
    before < mark && waiting.len() >= mark
}

impl Recording {
    /// The server has ended: says so in the recording, and waits until all is written.
    pub(super) fn finish(self) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Running {
            state.add(&Entry::End(End::ServerEnded));
        }
    }

    fn close(&mut self) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and if it did nothing could be done here.
            let _ = thread.join();
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.close();
    }
}

impl State {
    fn add(&mut self, entry: &Entry) {
        self.encoder.entry(entry, &mut self.waiting);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes, until the end.
    fn write_all(&self, mut file: impl Write) {
        let mut taken = Vec::new();
        loop {
            let phase = self.take_waiting(&mut taken);
            let written = file.write_all(&taken).and_then(|()| file.flush());
            if let Err(error) = written {
                self.lock().phase = Phase::Failed;
                error!("the recording ends here: it cannot be written: {error}");
                return;
            }
            match phase {
                Phase::Running => {}
                Phase::Closing | Phase::Failed => return,
                // Not where it was noticed: whoever holds the machine must not wait for a log.
                Phase::Overrun => {
                    error!(
                        "the recording ends here: it cannot be written as fast as things happen"
                    );
                    return;
                }
            }
        }
    }

    /// Waits until there is something to write, and takes all of it. Once it is not [`Phase::Running`] nothing more comes.
    fn take_waiting(&self, taken: &mut Vec<u8>) -> Phase {
        taken.clear();
        let is_idle = |state: &mut State| state.phase == Phase::Running && state.waiting.is_empty();
        let state = self
            .changed
            .wait_while(self.lock(), is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let may_grow = |state: &mut State| {
            state.phase == Phase::Running && state.waiting.len() < WORTH_WRITING
        };
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, GATHER_FOR, may_grow)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.waiting, taken);
        state.phase
    }
}

#[cfg(test)]
mod tests;
