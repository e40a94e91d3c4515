//! The thread that waits for all sockets at once: it accepts peers, gathers what they send into bounded buffers, minds
//! the time, and hands whatever is ready to the workers. It never runs the machine and never waits for anything else.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use polling::{Event, Events};
use simplechat_core::time::Timestamp;

use crate::connection::Opening;
use crate::error::{is_of_one_peer, is_out_of_resources};
use crate::listener::canonical;
use crate::net::{Ending, Net};
use crate::ready::Job;
use crate::table::Admission;
use crate::watched::{Interest, Watched};

/// Peers accepted from one listener before the other sockets have their turn.
const ACCEPTS_MAX: u32 = 64;

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
    net: &'a Net,
    /// The place of each is its key. Empty once the driver ends.
    listeners: Vec<Watched<TcpListener>>,
    accept_again_at: Option<Timestamp>,
    is_stopping: bool,
    scratch: Vec<u8>,
}

impl<'a> PollLoop<'a> {
    pub(crate) fn new(net: &'a Net, listeners: Vec<Watched<TcpListener>>) -> Self {
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
                    if self.net.table().len() == 0 {
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
        loop {
            let Some(conn) = self.net.table().take_due(now) else {
                break;
            };
            conn.touch(&self.net.queue, |_| {});
        }
        if self.net.alarm.take_timeout(now) {
            self.net.queue.push(Job::Timeout);
        }
    }

    fn sleep(&self, events: &mut Events) -> io::Result<()> {
        let net = self.net;
        net.alarm.decide();
        let next_due = net.table().next_due();
        let own_due = [next_due, self.accept_again_at].into_iter().flatten().min();
        let timeout = net.alarm.sleep(own_due).map(|until| {
            // Rounded up: to wake a moment too early would only mean to go to sleep again.
            let rest = until.since(net.clock.timestamp()) + Duration::from_micros(1);
            rest.min(SLEEP_MAX)
        });
        events.clear();
        let waited = net.poller.wait(events, timeout);
        net.alarm.wake();
        net.tally.woke();
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
        let conn = self.net.table().get(event.key).cloned();
        // An event for a connection that has gone in the meantime is of no interest.
        if let Some(conn) = conn {
            let net = self.net;
            conn.touch(&net.queue, |state| {
                let len = state.gather(event, &mut self.scratch, net.options.inbox_max);
                net.tally.read_bytes(len);
            });
        }
        Ok(())
    }

    fn accept(&mut self, index: usize) -> io::Result<()> {
        let listener = &self.listeners[index];
        for _ in 0..ACCEPTS_MAX {
            let failed = match listener.socket().accept() {
                Ok((socket, remote)) => self.admit(socket, remote).err(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => Some(error),
            };
            match failed {
                Some(error) if !is_of_one_peer(&error) => {
                    self.pause_accepting();
                    return Ok(());
                }
                Some(_) | None => {}
            }
        }
        listener.arm(Interest::READABLE)
    }

    /// Takes a peer in, or refuses it. An error means that this machine has run out of something.
    fn admit(&self, socket: TcpStream, remote: SocketAddr) -> io::Result<()> {
        let net = self.net;
        let admission = net.table().admission(&net.options);
        match admission {
            Admission::Accept => net.tally.accepted(),
            Admission::Refuse | Admission::Drop => net.tally.refused(),
        }
        let Ok(local) = prepare(&socket) else {
            // The peer has gone already.
            return Ok(());
        };
        let opening = Opening::Accepted {
            remote: canonical(remote),
            local: canonical(local),
        };
        let added = match admission {
            Admission::Accept => net.accept(socket, opening),
            Admission::Refuse => net.refuse(socket),
            Admission::Drop => Ok(()),
        };
        match added {
            Err(error) if is_out_of_resources(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn pause_accepting(&mut self) {
        self.net.tally.paused();
        self.net.let_accept_wait();
        self.accept_again_at = Some(self.net.clock.timestamp() + ACCEPT_PAUSE);
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
            .iter()
            .try_for_each(|listener| listener.arm(Interest::READABLE))
    }

    /// Begins the end: no more peers, and everybody gets what is queued for him, but no later than `until`.
    fn stop(&mut self, until: Timestamp) {
        if std::mem::replace(&mut self.is_stopping, true) {
            return;
        }
        self.listeners.clear();
        self.accept_again_at = None;
        let all = self.net.table().all();
        for conn in all {
            conn.touch(&self.net.queue, |state| state.stop(&conn, self.net, until));
        }
    }
}

/// Makes an accepted socket fit for use. Returns our end.
fn prepare(socket: &TcpStream) -> io::Result<SocketAddr> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    socket.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_socket_neither_waits_nor_holds_back_small_writes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let local = prepare(&socket).unwrap();
        assert_eq!(local, listener.local_addr().unwrap());
        assert!(socket.nodelay().unwrap());
        let error = io::Read::read(&mut &socket, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
