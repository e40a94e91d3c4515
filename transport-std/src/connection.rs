//! One connection: what is known of it, and who may work on it.
//!
//! A connection is worked on by one worker at a time, so its inputs reach the machine in order. Its [`Turn`] sees to
//! that: whoever changes something about a connection does so by [`Connection::touch`], which queues it unless it is
//! queued or in a worker's hands already. A worker ends its turn only in the same hold of the lock in which it saw that
//! there is nothing left to do, so no change can slip in between and be forgotten.
//!
//! This file has what others do to a connection; what a worker does to it is in [`crate::advance`].

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use polling::Event;
use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;

use crate::outbox::Outbox;
use crate::ready::{Job, ReadyQueue};
use crate::sync::lock;
use crate::watched::{Interest, Watched};

/// A connection, whether it stands, is still being dialled, is being closed, or is gone.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    /// Its name in the table and in the poller.
    pub(crate) key: usize,
    state: Mutex<State>,
}

/// What the lock of a connection guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) turn: Turn,
    /// How it came about, until the machine was told.
    pub(crate) opening: Option<Opening>,
    /// What the peer sent and the machine was not told.
    pub(crate) inbox: Vec<u8>,
    pub(crate) peer_end: PeerEnd,
    pub(crate) outbox: Outbox,
    pub(crate) closing: Closing,
    /// It broke for this reason, and no worker has seen to that yet.
    pub(crate) broken: Option<CloseReason>,
    /// It is gone for this reason, until the machine was told.
    pub(crate) closed: Option<CloseReason>,
    /// Writing failed: the peer is gone, but what it sent before may still be there to be read.
    pub(crate) is_unwritable: bool,
    /// When something has to be done about it at the latest. The table holds the same time for the poll thread.
    pub(crate) due: Timestamp,
    /// The end of the whole connection; `due` is never later.
    pub(crate) deadline: Timestamp,
    /// What the poller watches for, if it still does.
    pub(crate) armed: Option<Interest>,
    /// Bytes thrown away while closing.
    pub(crate) discarded: usize,
}

/// Where a connection is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// To be dialled, once there is a place for it.
    Waiting {
        to: SocketAddr,
    },
    /// To be dialled by the next worker that sees it.
    Starting {
        to: SocketAddr,
    },
    Dialling(Watched<TcpStream>),
    Standing(Watched<TcpStream>),
    /// Its socket is closed.
    Gone,
}

/// Whose turn it is to work on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Nobody's.
    Idle,
    /// The next free worker's: it is in the ready queue.
    Queued,
    /// A worker's, who will look at it once more before it lets go.
    Running,
}

/// Whether the peer has ended its side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerEnd {
    Open,
    Finished,
    /// And the machine knows.
    Told,
}

/// How far closing has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closing {
    No,
    /// What is queued is being sent. From here on the machine hears no more.
    Flushing,
    /// All is sent; the peer's end is waited for.
    Lingering,
}

/// How a connection came about, or did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opening {
    Accepted {
        remote: SocketAddr,
        local: SocketAddr,
    },
    Connected {
        local: SocketAddr,
    },
    Failed(ConnectFailure),
}

/// What there is to tell the machine, in this order.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) opening: Option<Opening>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_finished: bool,
    pub(crate) closed: Option<CloseReason>,
}

impl Connection {
    pub(crate) fn new(id: ConnId, key: usize, state: State) -> Arc<Self> {
        let state = Mutex::new(state);
        Arc::new(Self { id, key, state })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes something, and has a worker look at it.
    pub(crate) fn touch(self: &Arc<Self>, queue: &ReadyQueue, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        match state.turn {
            Turn::Idle => {
                state.turn = Turn::Queued;
                queue.push(Job::Connection(Arc::clone(self)));
            }
            Turn::Queued | Turn::Running => {}
        }
    }
}

impl State {
    /// A connection that a peer made.
    pub(crate) fn accepted(
        socket: Watched<TcpStream>,
        opening: Opening,
        deadline: Timestamp,
    ) -> Self {
        Self {
            opening: Some(opening),
            armed: Some(Interest::READABLE),
            ..Self::new(Phase::Standing(socket), deadline)
        }
    }

    /// A connection that a peer made and that is only told why it cannot stay.
    pub(crate) fn refused(
        socket: Watched<TcpStream>,
        refusal: Vec<u8>,
        deadline: Timestamp,
    ) -> Self {
        Self {
            outbox: Outbox::new(refusal),
            closing: Closing::Flushing,
            armed: Some(Interest::READABLE),
            ..Self::new(Phase::Standing(socket), deadline)
        }
    }

    /// A connection that is to be dialled once there is a place for it, and that waits until `due` for one.
    pub(crate) fn waiting(to: SocketAddr, due: Timestamp) -> Self {
        Self::new(Phase::Waiting { to }, due)
    }

    fn new(phase: Phase, due: Timestamp) -> Self {
        Self {
            phase,
            turn: Turn::Idle,
            opening: None,
            inbox: Vec::new(),
            peer_end: PeerEnd::Open,
            outbox: Outbox::default(),
            closing: Closing::No,
            broken: None,
            closed: None,
            is_unwritable: false,
            due,
            deadline: due,
            armed: None,
            discarded: 0,
        }
    }

    /// Queues bytes for the peer. One who does not read them is not waited for: see [`crate::Options::outbox_max`].
    pub(crate) fn send(&mut self, bytes: Vec<u8>, outbox_max: usize) {
        if matches!(self.phase, Phase::Gone) || self.broken.is_some() || self.is_unwritable {
            return;
        }
        if self.outbox.len() >= outbox_max {
            self.outbox.clear();
            self.broken = Some(CloseReason::Overflow);
        } else {
            self.outbox.push(bytes);
        }
    }

    /// Has it closed once what is queued is sent. The machine hears no more of it.
    pub(crate) fn close(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::Flushing;
            self.opening = None;
            self.inbox = Vec::new();
            self.closed = None;
        }
    }

    /// Takes in what made the poller report `event`, as far as there is room. Returns how many bytes that were.
    pub(crate) fn gather(&mut self, event: Event, scratch: &mut [u8], inbox_max: usize) -> usize {
        self.armed = None;
        let Phase::Standing(stream) = &self.phase else {
            return 0;
        };
        if self.broken.is_some() {
            // A socket tells its error once; after that it would seem to have ended in order.
            return 0;
        }
        if self.peer_end != PeerEnd::Open {
            // Only an error or a full hang-up is left to be reported. What is merely readable is the peer's end again.
            if event.is_err() == Some(true) || event.is_interrupt() {
                self.broken = Some(CloseReason::Reset);
            }
            return 0;
        }
        let room = match self.closing {
            Closing::No => inbox_max.saturating_sub(self.inbox.len()),
            Closing::Flushing | Closing::Lingering => usize::MAX,
        };
        let room = room.min(scratch.len());
        if room == 0 || !event.readable {
            return 0;
        }
        let mut socket = stream.socket();
        match socket.read(&mut scratch[..room]) {
            Ok(0) => self.peer_end = PeerEnd::Finished,
            Ok(len) => {
                self.take_in(&scratch[..len]);
                return len;
            }
            Err(error) => {
                let is_spurious = matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                );
                // A peer that takes nothing any more and has nothing left to be read is gone, whatever was reported.
                if !is_spurious || self.is_unwritable {
                    self.broken = Some(CloseReason::Reset);
                }
            }
        }
        0
    }

    fn take_in(&mut self, bytes: &[u8]) {
        match self.closing {
            Closing::No => self.inbox.extend_from_slice(bytes),
            Closing::Flushing | Closing::Lingering => {
                self.discarded = self.discarded.saturating_add(bytes.len());
            }
        }
    }

    /// Takes out what there is to tell the machine.
    pub(crate) fn take_facts(&mut self) -> Option<Facts> {
        match self.closing {
            Closing::No => {}
            Closing::Flushing | Closing::Lingering => return None,
        }
        let is_finished = self.peer_end == PeerEnd::Finished;
        if is_finished {
            self.peer_end = PeerEnd::Told;
        }
        let facts = Facts {
            opening: self.opening.take(),
            bytes: std::mem::take(&mut self.inbox),
            is_finished,
            closed: self.closed.take(),
        };
        let is_nothing = facts.opening.is_none()
            && facts.bytes.is_empty()
            && !facts.is_finished
            && facts.closed.is_none();
        (!is_nothing).then_some(facts)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use polling::Poller;
    use socket2::SockRef;

    use super::*;

    const INBOX_MAX: usize = 8;

    /// A connection as accepted, and the peer's end of it.
    fn accepted() -> (State, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, remote) = listener.accept().unwrap();
        let local = socket.local_addr().unwrap();
        let poller = Arc::new(Poller::new().unwrap());
        let socket = Watched::stream(socket, &poller, 1, Interest::READABLE).unwrap();
        let opening = Opening::Accepted { remote, local };
        let deadline = Timestamp::from_secs(1);
        (State::accepted(socket, opening, deadline), peer)
    }

    fn gather(state: &mut State) -> usize {
        state.gather(Event::readable(1), &mut [0; 1_024], INBOX_MAX)
    }

    #[test]
    fn an_error_is_not_taken_for_an_end_when_it_is_reported_twice() {
        let (mut state, peer) = accepted();
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);
        gather(&mut state);
        gather(&mut state);
        assert_eq!(state.broken, Some(CloseReason::Reset));
        assert_eq!(state.peer_end, PeerEnd::Open);
    }

    #[test]
    fn a_full_inbox_takes_nothing_until_it_was_emptied() {
        let (mut state, mut peer) = accepted();
        io::Write::write_all(&mut peer, b"eight by and more").unwrap();
        assert_eq!(gather(&mut state), INBOX_MAX);
        assert_eq!(gather(&mut state), 0);
        let facts = state.take_facts().unwrap();
        assert_eq!(facts.bytes, b"eight by");
        assert_eq!(gather(&mut state), INBOX_MAX);
        assert_eq!(state.take_facts().unwrap().bytes, b" and mor");
    }

    #[test]
    fn what_is_sent_above_the_bound_breaks_it_but_one_piece_may_be_large() {
        let (mut state, _peer) = accepted();
        state.send(vec![0; 1_000], 10);
        assert_eq!(state.broken, None);
        state.send(vec![0], 10);
        assert_eq!(state.broken, Some(CloseReason::Overflow));
        assert!(state.outbox.is_empty(), "nobody will get it");
    }

    #[test]
    fn nothing_is_told_once_it_is_closed() {
        let (mut state, mut peer) = accepted();
        io::Write::write_all(&mut peer, b"hello").unwrap();
        gather(&mut state);
        state.close();
        assert!(state.take_facts().is_none());
        io::Write::write_all(&mut peer, b"hello?").unwrap();
        assert_eq!(gather(&mut state), 6);
        assert_eq!((state.discarded, state.inbox.len()), (6, 0));
    }
}
