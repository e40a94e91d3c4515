//! The thread that waits for all sockets at once: it accepts peers, gathers what they send into bounded buffers, minds
//! the time, and hands whatever is ready to the workers. It never runs the machine and never waits for anything else.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use polling::{Event, Events};
use simplechat_core::time::Timestamp;
use simplechat_driver::{Accepting, Ending, Interest, Readiness};

use crate::pool::Net;
use crate::ready::Job;
use crate::watched::Watched;

/// Peers accepted from one listener before the other sockets have their turn.
const ACCEPTS_MAX: u32 = 8;

/// How long to accept nobody after this machine ran out of descriptors, unless a connection closes before.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest sleep while there is a deadline. The poller's clock stands still while the computer is suspended and
/// ours does not, so a deadline that passed meanwhile would be noticed only when the rest of the sleep is over.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Bytes read at once.
const SCRATCH_LEN: usize = 16 * 1_024;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct PollLoop<'a> {
    net: &'a Arc<Net>,
    /// The place of each is its key. Empty once the driver ends.
    listeners: Vec<Watched<TcpListener>>,
    accept_again_at: Option<Timestamp>,
    is_stopping: bool,
    scratch: Vec<u8>,
}

impl<'a> PollLoop<'a> {
    pub(crate) fn new(net: &'a Arc<Net>, listeners: Vec<Watched<TcpListener>>) -> Self {
        Self {
            net,
            listeners,
            accept_again_at: None,
            is_stopping: false,
            scratch: vec![0; SCRATCH_LEN],
        }
    }

    /// Runs until the driver has ended and all connections are gone, or at once if something broke.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::new();
        loop {
            let now = self.net.clock.timestamp();
            self.mind_time(now);
            match self.net.ending() {
                Ending::No => self.accept_again(now)?,
                Ending::Orderly(until) => {
                    self.stop(until);
                    if self.net.is_empty() {
                        return Ok(());
                    }
                }
                Ending::Abrupt => return Ok(()),
            }
            self.sleep(&mut events)?;
            for event in events.iter() {
                self.handle(event)?;
            }
        }
    }

    /// Has everything looked at whose time has come.
    fn mind_time(&self, now: Timestamp) {
        if self.net.look_at_due(now) {
            self.net.waiting.queue.push(Job::Timeout);
        }
    }

    fn sleep(&self, events: &mut Events) -> io::Result<()> {
        let net = self.net;
        let timeout = net.sleep(self.accept_again_at).map(|until| {
            // Rounded up: to wake a moment too early would only mean to go to sleep again.
            let rest = until.since(net.clock.timestamp()) + Duration::from_micros(1);
            rest.min(SLEEP_MAX)
        });
        events.clear();
        let waited = net.waiting.poller.wait(events, timeout);
        net.wake();
        match waited {
            Ok(_) => Ok(()),
            // Seen with `poll(2)`, where waking it races with its waking. Whatever is ready is reported the next time.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                events.clear();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn handle(&mut self, event: Event) -> io::Result<()> {
        if event.key < self.listeners.len() {
            return self.accept(event.key);
        }
        let conn = self.net.get(event.key);
        // An event for a connection that has gone in the meantime is of no interest.
        if let Some(conn) = conn {
            let net = self.net;
            conn.touch(net, |state| {
                if let Some((socket, _)) = state.interest() {
                    socket.disarm();
                }
                if let Some(noticed) = noticed(event) {
                    let len = state.gather(noticed, &mut self.scratch, net.options.inbox_max);
                    net.tally.read_bytes(len);
                }
            });
        }
        Ok(())
    }

    fn accept(&mut self, index: usize) -> io::Result<()> {
        let listener = &mut self.listeners[index];
        for _ in 0..ACCEPTS_MAX {
            let accepted = listener.as_ref().accept();
            if matches!(&accepted, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                break;
            }
            match self.net.admit(accepted) {
                Accepting::Goes => {}
                Accepting::Pauses => {
                    listener.disarm();
                    self.accept_again_at = Some(self.net.clock.timestamp() + ACCEPT_PAUSE);
                    return Ok(());
                }
            }
        }
        listener.disarm();
        listener.arm(Interest::READABLE)?;
        // Where there is one processor for all threads, the workers have it now, and not at the system's next tick.
        thread::yield_now();
        Ok(())
    }

    fn accept_again(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(at) = self.accept_again_at else {
            return Ok(());
        };
        if now < at && self.net.must_accept_wait() {
            return Ok(());
        }
        self.accept_again_at = None;
        self.listeners
            .iter_mut()
            .try_for_each(|listener| listener.arm(Interest::READABLE))
    }

    /// Begins the end: no more peers, and everybody gets what is queued for him, but no later than `until`.
    fn stop(&mut self, until: Timestamp) {
        if std::mem::replace(&mut self.is_stopping, true) {
            return;
        }
        self.listeners.clear();
        self.accept_again_at = None;
        self.net.stop_all(until);
    }
}

/// What an event says about a connection's socket. Whatever a dial becomes is seen by looking at it.
fn noticed(event: Event) -> Option<Readiness> {
    if event.is_err() == Some(true) || event.is_interrupt() {
        return Some(Readiness::Broken);
    }
    event.readable.then_some(Readiness::Readable)
}
