//! What the server logs: one line an event, to standard error. Never a text of a message, and no name that was not
//! checked to be one.
//!
//! The machine does not wait for a log that cannot be written: lines that do not fit the queue are counted in place of
//! being written.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use simplechat_core::server::event::{Arrival, Departure, Event};
use tracing::{Level, debug, error, info, warn};

use crate::settings::LogLevel;

/// Events that wait to be written.
const QUEUE_MAX: usize = 1_024;

/// Takes events without waiting.
#[derive(Debug)]
pub(super) struct Log {
    queue: SyncSender<Event>,
    dropped: Arc<AtomicU64>,
}

/// The thread that writes them.
#[derive(Debug)]
pub(super) struct Logging {
    thread: JoinHandle<Option<Rest>>,
}

/// What an ended server has not delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rest {
    /// Messages that it keeps nowhere.
    pub(super) undelivered: u64,
    /// Messages that its store has.
    pub(super) kept: u64,
}

/// Starts to log what is at least as important as `level`.
pub(super) fn start(level: LogLevel) -> io::Result<(Log, Logging)> {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        // A log that cannot be written is no reason to say so on the same path.
        .log_internal_errors(false)
        .init();
    let (queue, events) = sync_channel(QUEUE_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let log = Log {
        queue,
        dropped: Arc::clone(&dropped),
    };
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&events, &dropped))?;
    Ok((log, Logging { thread }))
}

impl Log {
    pub(super) fn note(&self, event: Event) {
        if self.queue.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Logging {
    /// Waits until everything is written, and gives what the server did not deliver. The log has to be dropped before.
    pub(super) fn finish(self) -> Option<Rest> {
        self.thread.join().ok().flatten()
    }
}

fn write_all(events: &Receiver<Event>, dropped: &AtomicU64) -> Option<Rest> {
    let mut left = None;
    for event in events {
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            warn!(missing, "more happened than could be logged");
        }
        if let Event::Stopped { undelivered, kept } = event {
            left = Some(Rest { undelivered, kept });
        }
        write(&event);
    }
    left
}

fn write(event: &Event) {
    match event {
        Event::LoggedIn {
            user,
            from,
            arrival,
        } => match arrival {
            Arrival::New => info!(%user, %from, "logged in"),
            Arrival::Again => info!(%user, %from, "logged in again"),
            Arrival::TookOver => info!(%user, %from, "logged in, in place of another client"),
        },
        Event::LoginRefused {
            user,
            from,
            refusal,
        } => {
            let from = from.ip();
            warn!(%user, %from, reason = %refusal, "login refused");
        }
        Event::ListenerUnreachable { user, listener } => {
            warn!(%user, %listener, "the client's listener does not answer");
        }
        Event::LoggedOut { user, departure } => match departure {
            Departure::LoggedOut => info!(%user, "logged out"),
            Departure::Removed => info!(%user, "logged out, as there is no such account any more"),
            Departure::CredentialsChanged => {
                info!(%user, "logged out, as the password is another one now")
            }
            Departure::TimedOut => info!(%user, "silent for too long, and logged out"),
        },
        Event::AccountAdded { user } => info!(%user, "a new account"),
        Event::AccountRemoved { user } => {
            info!(%user, "account removed")
        }
        Event::AccountErased { user } => {
            info!(%user, "all that was kept for the removed account is erased")
        }
        Event::CredentialsChanged { user } => info!(%user, "a new password"),
        Event::Reloaded => info!("the accounts are as in the file"),
        Event::StoreFailing => error!("the store keeps nothing: it is tried again"),
        Event::StoreWorking => info!("the store keeps what it is given again"),
        Event::Refused { from, fault } => debug!(%from, %fault, "connection refused"),
        Event::Stopping => info!("shutting down"),
        Event::Stopped { undelivered, kept } => info!(undelivered, kept, "ended"),
    }
}
