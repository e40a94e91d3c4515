//! What whoever waits, whoever works and the machine's outputs share: everything of a driver but the machine.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use simplechat_core::machine::{ConnId, ConnectFailure};
use simplechat_core::source::Source;
use simplechat_core::time::Timestamp;

use crate::advance::Change;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::connection::{Connection, First, Opening, Phase, State};
use crate::counters::{Counters, Tally};
use crate::error::{is_of_one_peer, is_out_of_resources};
use crate::listener::canonical;
use crate::options::Options;
use crate::shared::Failure;
use crate::sync::lock;
use crate::table::{Admission, Role, Table};
use crate::waiting::{Interest, Waiting};

/// Bytes read at once from a peer that has just been accepted.
const FIRST_LEN: usize = 4 * 1_024;

/// See the module's text.
#[derive(Debug)]
pub struct Net<W: Waiting> {
    /// The bounds.
    pub options: Options,
    /// The clock by which everything is timed.
    pub clock: Clock,
    /// How the transport waits.
    pub waiting: Arc<W>,
    /// What was done so far.
    pub tally: Tally,
    pub(crate) alarm: Alarm,
    table: Mutex<Table<W>>,
    ending: Mutex<Ending>,
    failure: Mutex<Option<Failure>>,
    /// Accepting waits until a connection closes, or a little while.
    accept_waits: AtomicBool,
    next_accepted: AtomicU64,
}

/// Whether a driver goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It does.
    No,
    /// In order: what is queued is sent, but no longer than until then.
    Orderly(Timestamp),
    /// Something broke: at once.
    Abrupt,
}

/// Whether a listener can take in more peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepting {
    /// The next one may be taken in.
    Goes,
    /// This machine has run out of something: trying again at once would fail again.
    Pauses,
}

impl<W: Waiting> Net<W> {
    /// No connections yet. Keys below `first_key` are left to others, such as listeners.
    pub fn new(options: Options, waiting: W, first_key: usize) -> Arc<Self> {
        let waiting = Arc::new(waiting);
        let rung = Arc::clone(&waiting);
        Arc::new(Self {
            options,
            clock: Clock,
            alarm: Alarm::new(move || rung.ring()),
            waiting,
            tally: Tally::default(),
            table: Mutex::new(Table::new(first_key)),
            ending: Mutex::new(Ending::No),
            failure: Mutex::new(None),
            accept_waits: AtomicBool::new(false),
            next_accepted: AtomicU64::new(0),
        })
    }

    /// Takes in what a listener accepted, or refuses it, or sees why nothing was accepted. Whoever waits for sockets
    /// must not miss what happens to one that is being taken in.
    pub fn admit(self: &Arc<Self>, accepted: io::Result<(TcpStream, SocketAddr)>) -> Accepting {
        let failed = accepted.and_then(|(socket, remote)| self.take_in(socket, remote));
        match failed {
            Err(error) if !is_of_one_peer(&error) => {
                self.tally.paused();
                self.accept_waits.store(true, Ordering::SeqCst);
                Accepting::Pauses
            }
            Ok(()) | Err(_) => Accepting::Goes,
        }
    }

    /// Whether no connection has closed since accepting was to pause.
    pub fn must_accept_wait(&self) -> bool {
        self.accept_waits.load(Ordering::SeqCst)
    }

    /// Takes a peer in, or refuses it. An error means that this machine has run out of something.
    fn take_in(self: &Arc<Self>, socket: TcpStream, remote: SocketAddr) -> io::Result<()> {
        let source = Source::of(remote.ip());
        let admission = self.table().admission(&self.options, source);
        match admission {
            Admission::Accept => self.tally.accepted(),
            Admission::Refuse | Admission::Drop => self.tally.refused(),
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
            Admission::Accept => self.accept(socket, source, opening),
            Admission::Refuse => self.refuse(socket),
            Admission::Drop => Ok(()),
        };
        match added {
            Err(error) if is_out_of_resources(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What a peer said already is taken in with it. One who has broken off without a word, as a flood of connections does,
    /// is dropped before it costs anybody else anything.
    fn accept(
        self: &Arc<Self>,
        socket: TcpStream,
        source: Source,
        opening: Opening,
    ) -> io::Result<()> {
        let mut scratch = [0; FIRST_LEN];
        let room = self.options.inbox_max.min(FIRST_LEN);
        let Some(first) = First::read(&socket, &mut scratch[..room]) else {
            return Ok(());
        };
        if let First::Bytes(bytes) = first {
            self.tally.read_bytes(bytes.len());
        }
        let deadline = self.clock.timestamp() + self.options.connection_deadline;
        self.add(socket, Role::Accepted(source), deadline, |socket| {
            State::accepted(socket, opening, first, deadline)
        })
    }

    /// Tells a peer that there is no room.
    fn refuse(self: &Arc<Self>, socket: TcpStream) -> io::Result<()> {
        let deadline = self.clock.timestamp() + self.options.linger;
        self.add(socket, Role::Refused, deadline, |socket| {
            State::refused(socket, self.options.refusal.clone(), deadline)
        })
    }

    fn add(
        self: &Arc<Self>,
        socket: TcpStream,
        role: Role,
        due: Timestamp,
        state: impl FnOnce(W::Socket) -> State<W>,
    ) -> io::Result<()> {
        let key = self.table().new_key();
        let socket = self.waiting.watch(socket, key, Interest::READABLE)?;
        let id = ConnId::Accepted(self.next_accepted.fetch_add(1, Ordering::Relaxed));
        let conn = Connection::new(id, key, state(socket));
        self.table().insert(Arc::clone(&conn), role, due);
        self.alarm.ring_by(due);
        conn.touch(self, |_| {});
        Ok(())
    }

    /// The connection that is waited for under this key, if it is still there.
    pub fn get(&self, key: usize) -> Option<Arc<Connection<W>>> {
        self.table().get(key).cloned()
    }

    /// Takes in a connection that the machine wants.
    pub(crate) fn dial(self: &Arc<Self>, id: ConnId, to: SocketAddr) -> Arc<Connection<W>> {
        let due = self.clock.timestamp() + self.options.connection_deadline;
        let mut table = self.table();
        let conn = Connection::new(id, table.new_key(), State::waiting(to, due));
        let may_wait = table.may_wait(&self.options);
        if may_wait {
            table.insert(Arc::clone(&conn), Role::Waiting, due);
        }
        drop(table);
        if may_wait {
            self.alarm.ring_by(due);
            self.start_dials();
        } else {
            conn.touch(self, |state| {
                state.phase = Phase::Gone;
                state.opening = Some(Opening::Failed(ConnectFailure::NoResources));
            });
        }
        conn
    }

    pub(crate) fn send(self: &Arc<Self>, conn: &Arc<Connection<W>>, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            conn.touch(self, |state| state.send(bytes, self.options.outbox_max));
        }
    }

    pub(crate) fn close(self: &Arc<Self>, conn: &Arc<Connection<W>>) {
        conn.touch(self, |state| state.close(conn, self));
    }

    pub(crate) fn keep(self: &Arc<Self>, conn: &Arc<Connection<W>>) {
        conn.touch(self, |state| state.keep(conn, self));
    }

    /// Notes when a connection is to be looked at again.
    pub(crate) fn set_due(&self, key: usize, due: Timestamp) {
        self.table().set_due(key, due);
        self.alarm.ring_by(due);
    }

    /// Notes what became of a connection. Its lock must not be held, nor any other's.
    pub fn settle(self: &Arc<Self>, key: usize, change: Change) {
        match change {
            Change::None => return,
            Change::Stands => self.table().stands(key),
            Change::Gone => {
                let mut table = self.table();
                table.remove(key);
                let is_last = table.len() == 0;
                drop(table);
                if self.accept_waits.swap(false, Ordering::SeqCst) {
                    self.waiting.accept_again();
                }
                if is_last && self.ending() != Ending::No {
                    self.alarm.ring_now();
                }
            }
        }
        self.start_dials();
    }

    /// Has everything looked at whose time has come. Whether it is also time for the machine's timeout: that is said
    /// once, until it was handed in.
    #[must_use]
    pub fn look_at_due(self: &Arc<Self>, now: Timestamp) -> bool {
        loop {
            let due = self.table().take_due(now);
            let Some(conn) = due else {
                break;
            };
            conn.touch(self, |_| {});
        }
        self.alarm.take_timeout(now)
    }

    /// Until when the timekeeper may sleep; it has something of its own to do at `own`. From here until
    /// [`Net::wake`] it is rung for whatever becomes due earlier.
    pub fn sleep(&self, own: Option<Timestamp>) -> Option<Timestamp> {
        self.alarm.decide();
        let next_due = self.table().next_due();
        self.alarm
            .sleep([next_due, own].into_iter().flatten().min())
    }

    /// The timekeeper is awake.
    pub fn wake(&self) {
        self.alarm.wake();
        self.tally.woke();
    }

    /// Whether the driver goes on.
    pub fn ending(&self) -> Ending {
        *lock(&self.ending)
    }

    /// Whether there is no connection, in whatever state.
    pub fn is_empty(&self) -> bool {
        self.table().len() == 0
    }

    /// Ends the driver. What has begun abruptly does not become orderly.
    pub fn end(&self, ending: Ending) {
        let mut current = lock(&self.ending);
        if *current != Ending::Abrupt {
            *current = ending;
        }
        drop(current);
        self.alarm.ring_now();
    }

    /// Ends the driver at once, because of this. The first reason is the one that is told.
    pub fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
        self.end(Ending::Abrupt);
    }

    /// How the driver ended, for [`crate::Drive::wait`].
    ///
    /// # Errors
    ///
    /// If the system could no longer say which sockets are ready.
    ///
    /// # Panics
    ///
    /// With the panic that ended it, if one did.
    pub fn outcome(&self) -> io::Result<()> {
        let failure = lock(&self.failure).take();
        match failure {
            None => Ok(()),
            Some(Failure::Poll(error)) => Err(error),
            Some(Failure::Panic(payload)) => resume_unwind(payload),
        }
    }

    /// Begins the end of all connections: everybody gets what is queued for him, but no later than `until`.
    pub fn stop_all(self: &Arc<Self>, until: Timestamp) {
        let all = self.table().all();
        for conn in all {
            conn.touch(self, |state| state.stop(&conn, self, until));
        }
    }

    /// Closes every socket. Nothing happens after it.
    pub fn abandon_all(self: &Arc<Self>) {
        let all = self.table().all();
        for conn in all {
            conn.touch(self, State::abandon);
            self.table().remove(conn.key);
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let connections = self.table().len();
        self.tally.read(connections)
    }

    /// When a connection that starts now has to be over.
    pub(crate) fn deadline(&self, now: Timestamp) -> Timestamp {
        let deadline = now + self.options.connection_deadline;
        match self.ending() {
            Ending::No | Ending::Abrupt => deadline,
            Ending::Orderly(until) => deadline.min(until),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<W>> {
        lock(&self.table)
    }

    /// Starts the dials that there is a place for.
    fn start_dials(self: &Arc<Self>) {
        loop {
            let next = self.table().next_dial(&self.options);
            let Some(conn) = next else {
                return;
            };
            conn.touch(self, |state| {
                if let Phase::Waiting { to } = state.phase {
                    let now = self.clock.timestamp();
                    state.phase = Phase::Starting { to };
                    state.deadline = self.deadline(now);
                    state.set_due(&conn, self, now + self.options.dial_timeout);
                }
            });
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
    use std::net::TcpListener;

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
