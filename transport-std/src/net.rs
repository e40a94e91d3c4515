//! What the poll thread, the workers and the machine's outputs share: everything of the driver but the machine.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use polling::Poller;
use simplechat_core::machine::{ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;

use crate::advance::Change;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::connection::{Connection, Opening, Phase, State};
use crate::counters::Tally;
use crate::options::Options;
use crate::ready::ReadyQueue;
use crate::sync::lock;
use crate::table::{Role, Table};
use crate::watched::{Interest, Watched};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) poller: Arc<Poller>,
    pub(crate) queue: ReadyQueue,
    pub(crate) alarm: Alarm,
    pub(crate) tally: Tally,
    table: Mutex<Table>,
    ending: Mutex<Ending>,
    /// Accepting waits until a connection closes, or a little while.
    accept_waits: AtomicBool,
    next_accepted: AtomicU64,
}

/// Whether the driver goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    No,
    /// In order: what is queued is sent, but no longer than until then.
    Orderly(Timestamp),
    /// Something broke: at once.
    Abrupt,
}

impl Net {
    /// `first_key`: keys below it are the listeners'.
    pub(crate) fn new(options: Options, poller: Arc<Poller>, first_key: usize) -> Self {
        Self {
            options,
            clock: Clock,
            alarm: Alarm::new(Arc::clone(&poller)),
            poller,
            queue: ReadyQueue::default(),
            tally: Tally::default(),
            table: Mutex::new(Table::new(first_key)),
            ending: Mutex::new(Ending::No),
            accept_waits: AtomicBool::new(false),
            next_accepted: AtomicU64::new(0),
        }
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Takes in a connection that a peer made. For the poll thread: an event for it that came before it is in the table
    /// would be lost.
    pub(crate) fn accept(&self, socket: TcpStream, opening: Opening) -> io::Result<()> {
        let deadline = self.clock.timestamp() + self.options.connection_deadline;
        self.add(socket, Role::Accepted, deadline, |socket| {
            State::accepted(socket, opening, deadline)
        })
    }

    /// Tells a peer that there is no room. For the poll thread, like [`Net::accept`].
    pub(crate) fn refuse(&self, socket: TcpStream) -> io::Result<()> {
        let deadline = self.clock.timestamp() + self.options.linger;
        self.add(socket, Role::Refused, deadline, |socket| {
            State::refused(socket, self.options.refusal.clone(), deadline)
        })
    }

    fn add(
        &self,
        socket: TcpStream,
        role: Role,
        due: Timestamp,
        state: impl FnOnce(Watched<TcpStream>) -> State,
    ) -> io::Result<()> {
        let key = self.table().new_key();
        let socket = Watched::stream(socket, &self.poller, key, Interest::READABLE)?;
        let id = ConnId::Accepted(self.next_accepted.fetch_add(1, Ordering::Relaxed));
        let conn = Connection::new(id, key, state(socket));
        self.table().insert(Arc::clone(&conn), role, due);
        conn.touch(&self.queue, |_| {});
        Ok(())
    }

    /// Takes in a connection that the machine wants.
    pub(crate) fn dial(&self, id: ConnId, to: SocketAddr) -> Arc<Connection> {
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
            conn.touch(&self.queue, |state| {
                state.phase = Phase::Gone;
                state.opening = Some(Opening::Failed(ConnectFailure::NoResources));
            });
        }
        conn
    }

    pub(crate) fn send(&self, conn: &Arc<Connection>, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            conn.touch(&self.queue, |state| {
                state.send(bytes, self.options.outbox_max);
            });
        }
    }

    pub(crate) fn close(&self, conn: &Arc<Connection>) {
        conn.touch(&self.queue, State::close);
    }

    /// Notes when a connection is to be looked at again.
    pub(crate) fn set_due(&self, key: usize, due: Timestamp) {
        self.table().set_due(key, due);
        self.alarm.ring_by(due);
    }

    /// Notes what became of a connection. Its lock must not be held, nor any other's.
    pub(crate) fn settle(&self, key: usize, change: Change) {
        match change {
            Change::None => return,
            Change::Stands => self.table().stands(key),
            Change::Gone => {
                let mut table = self.table();
                table.remove(key);
                let is_last = table.len() == 0;
                drop(table);
                let may_accept = self.accept_waits.swap(false, Ordering::SeqCst);
                if may_accept || (is_last && self.ending() != Ending::No) {
                    self.alarm.ring_now();
                }
            }
        }
        self.start_dials();
    }

    /// Lets accepting wait until a connection closes. The poll thread looks whether it still has to.
    pub(crate) fn let_accept_wait(&self) {
        self.accept_waits.store(true, Ordering::SeqCst);
    }

    /// Whether no connection has closed since accepting was to wait.
    pub(crate) fn must_accept_wait(&self) -> bool {
        self.accept_waits.load(Ordering::SeqCst)
    }

    pub(crate) fn ending(&self) -> Ending {
        *lock(&self.ending)
    }

    /// Ends the driver. What has begun abruptly does not become orderly.
    pub(crate) fn end(&self, ending: Ending) {
        let mut current = lock(&self.ending);
        if *current != Ending::Abrupt {
            *current = ending;
        }
        drop(current);
        self.alarm.ring_now();
    }

    /// Closes every socket and sends the workers home. Nothing happens after it.
    pub(crate) fn tear_down(&self) {
        self.queue.close();
        let all = self.table().all();
        for conn in all {
            conn.lock().abandon();
            self.table().remove(conn.key);
        }
    }

    /// Starts the dials that there is a place for.
    fn start_dials(&self) {
        loop {
            let Some(conn) = self.table().next_dial(&self.options) else {
                return;
            };
            conn.touch(&self.queue, |state| {
                if let Phase::Waiting { to } = state.phase {
                    let now = self.clock.timestamp();
                    state.phase = Phase::Starting { to };
                    state.deadline = self.deadline(now);
                    state.set_due(&conn, self, now + self.options.dial_timeout);
                }
            });
        }
    }

    /// When a connection that starts now has to be over.
    fn deadline(&self, now: Timestamp) -> Timestamp {
        let deadline = now + self.options.connection_deadline;
        match self.ending() {
            Ending::No | Ending::Abrupt => deadline,
            Ending::Orderly(until) => deadline.min(until),
        }
    }
}
