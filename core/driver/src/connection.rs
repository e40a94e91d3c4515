//! One connection: what is known of it, what came, and what is to be told.
//!
//! Whoever changes something about a connection does so by [`Connection::touch`], which has somebody look at it: what a
//! look then does is [`State::advance`], in [`crate::advance`]. Whose turn it is to look is the transport's matter, and
//! so is that what came on one connection reaches the machine in order.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;

use crate::net::Net;
use crate::outbox::Outbox;
use crate::sync::lock;
use crate::waiting::Waiting;

/// A connection, whether it stands, is still being dialled, is being closed, or is gone.
#[derive(Debug)]
pub struct Connection<W: Waiting> {
    /// Its name for the machine.
    pub id: ConnId,
    /// Its name in the table, and for whatever waits for sockets.
    pub key: usize,
    state: Mutex<State<W>>,
}

/// What the lock of a connection guards.
#[derive(Debug)]
pub struct State<W: Waiting> {
    /// What the transport notes about it.
    pub notes: W::Notes,
    pub(crate) phase: Phase<W::Socket>,
    /// How it came about, until the machine was told.
    pub(crate) opening: Option<Opening>,
    /// What the peer sent and the machine was not told.
    inbox: Vec<u8>,
    pub(crate) peer_end: PeerEnd,
    pub(crate) outbox: Outbox,
    pub(crate) closing: Closing,
    /// It broke for this reason, and nobody has seen to that yet.
    pub(crate) broken: Option<CloseReason>,
    /// It is gone for this reason, until the machine was told.
    pub(crate) closed: Option<CloseReason>,
    /// Writing failed: the peer is gone, but what it sent before may still be there to be read.
    pub(crate) is_unwritable: bool,
    /// When something has to be done about it at the latest. The table holds the same time for the timekeeper.
    pub(crate) due: Timestamp,
    /// The end of the whole connection; `due` is never later.
    pub(crate) deadline: Timestamp,
    pub(crate) span: Span,
    /// Bytes thrown away while closing.
    pub(crate) discarded: usize,
}

/// Where a connection is in its life.
#[derive(Debug)]
pub(crate) enum Phase<S> {
    /// To be dialled, once there is a place for it.
    Waiting {
        to: SocketAddr,
    },
    /// To be dialled by whoever looks at it next.
    Starting {
        to: SocketAddr,
    },
    Dialling(S),
    Standing(S),
    /// Its socket is closed.
    Gone,
}

/// A time that never comes.
pub(crate) const NEVER: Timestamp = Timestamp::from_micros(u64::MAX);

/// How long a connection may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Span {
    /// As long as any: [`crate::Options::connection_deadline`].
    Usual,
    /// As long as the machine wants.
    Kept,
}

/// What was noticed about a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// It can be read: bytes, the peer's end, or an error.
    Readable,
    /// An error, or a hang-up in both directions.
    Broken,
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

/// What a peer has said by the time that it is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum First<'a> {
    /// This; it may be nothing yet.
    Bytes(&'a [u8]),
    /// That it says nothing.
    End,
}

impl<'a> First<'a> {
    /// Nothing if the peer is gone.
    pub(crate) fn read(mut socket: &TcpStream, scratch: &'a mut [u8]) -> Option<Self> {
        match socket.read(scratch) {
            Ok(0) => Some(Self::End),
            Ok(len) => Some(Self::Bytes(&scratch[..len])),
            Err(error) if is_spurious(&error) => Some(Self::Bytes(&[])),
            Err(_) => None,
        }
    }
}

/// What there is to tell the machine, in this order.
#[derive(Debug)]
pub struct Facts {
    pub(crate) opening: Option<Opening>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_finished: bool,
    pub(crate) closed: Option<CloseReason>,
}

impl<W: Waiting> Connection<W> {
    pub(crate) fn new(id: ConnId, key: usize, state: State<W>) -> Arc<Self> {
        let state = Mutex::new(state);
        Arc::new(Self { id, key, state })
    }

    /// Takes it in hand.
    pub fn lock(&self) -> MutexGuard<'_, State<W>> {
        lock(&self.state)
    }

    /// Changes something, and has somebody look at it.
    pub fn touch(self: &Arc<Self>, net: &Arc<Net<W>>, change: impl FnOnce(&mut State<W>)) {
        let mut state = self.lock();
        change(&mut state);
        W::call(net, self, &mut state.notes);
    }
}

impl<W: Waiting> State<W> {
    /// A connection that a peer made.
    pub(crate) fn accepted(
        socket: W::Socket,
        opening: Opening,
        first: First<'_>,
        deadline: Timestamp,
    ) -> Self {
        let (inbox, peer_end) = match first {
            First::Bytes(bytes) => (bytes.to_vec(), PeerEnd::Open),
            First::End => (Vec::new(), PeerEnd::Finished),
        };
        Self {
            opening: Some(opening),
            inbox,
            peer_end,
            ..Self::new(Phase::Standing(socket), deadline)
        }
    }

    /// A connection that a peer made and that is only told why it cannot stay.
    pub(crate) fn refused(socket: W::Socket, refusal: Vec<u8>, deadline: Timestamp) -> Self {
        Self {
            outbox: Outbox::new(refusal),
            closing: Closing::Flushing,
            ..Self::new(Phase::Standing(socket), deadline)
        }
    }

    /// A connection that is to be dialled once there is a place for it, and that waits until `due` for one.
    pub(crate) fn waiting(to: SocketAddr, due: Timestamp) -> Self {
        Self::new(Phase::Waiting { to }, due)
    }

    fn new(phase: Phase<W::Socket>, due: Timestamp) -> Self {
        Self {
            phase,
            notes: W::Notes::default(),
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
            span: Span::Usual,
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

    /// Has it last for as long as the machine wants, from when it stands.
    pub(crate) fn keep(&mut self, conn: &Connection<W>, net: &Net<W>) {
        if self.closing != Closing::No {
            return;
        }
        self.span = Span::Kept;
        match self.phase {
            Phase::Standing(_) => {
                self.deadline = NEVER;
                self.set_due(conn, net, self.deadline);
            }
            Phase::Waiting { .. } | Phase::Starting { .. } | Phase::Dialling(_) | Phase::Gone => {}
        }
    }

    /// Has it closed once what is queued is sent, for which it has as long as any. The machine hears no more of it.
    pub(crate) fn close(&mut self, conn: &Connection<W>, net: &Net<W>) {
        if self.closing == Closing::No {
            if self.span == Span::Kept && matches!(self.phase, Phase::Standing(_)) {
                self.span = Span::Usual;
                self.deadline = net.deadline(net.clock.timestamp());
                self.set_due(conn, net, self.deadline);
            }
            self.closing = Closing::Flushing;
            self.opening = None;
            self.inbox = Vec::new();
            self.closed = None;
        }
    }

    /// Takes in what was noticed, as far as there is room. Returns how many bytes that were.
    pub fn gather(&mut self, noticed: Readiness, scratch: &mut [u8], inbox_max: usize) -> usize {
        let Phase::Standing(stream) = &self.phase else {
            return 0;
        };
        if self.broken.is_some() {
            // A socket tells its error once; after that it would seem to have ended in order.
            return 0;
        }
        if self.peer_end != PeerEnd::Open {
            // Only an error or a full hang-up is left to be reported. What is merely readable is the peer's end again.
            if noticed == Readiness::Broken {
                self.broken = Some(CloseReason::Reset);
            }
            return 0;
        }
        let room = self.room(inbox_max).min(scratch.len());
        if room == 0 {
            return 0;
        }
        let mut socket = stream.as_ref();
        match socket.read(&mut scratch[..room]) {
            Ok(0) => self.peer_end = PeerEnd::Finished,
            Ok(len) => {
                self.take_in(&scratch[..len]);
                return len;
            }
            Err(error) => {
                // A peer that takes nothing any more and has nothing left to be read is gone, whatever was reported.
                if !is_spurious(&error) || self.is_unwritable {
                    self.broken = Some(CloseReason::Reset);
                }
            }
        }
        0
    }

    /// Whether there is room for more of what the peer sends.
    #[must_use]
    pub fn has_room(&self, inbox_max: usize) -> bool {
        self.room(inbox_max) > 0
    }

    fn room(&self, inbox_max: usize) -> usize {
        match self.closing {
            Closing::No => inbox_max.saturating_sub(self.inbox.len()),
            Closing::Flushing | Closing::Lingering => usize::MAX,
        }
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
    pub fn take_facts(&mut self) -> Option<Facts> {
        if !self.has_facts() {
            return None;
        }
        let is_finished = self.peer_end == PeerEnd::Finished;
        if is_finished {
            self.peer_end = PeerEnd::Told;
        }
        Some(Facts {
            opening: self.opening.take(),
            bytes: std::mem::take(&mut self.inbox),
            is_finished,
            closed: self.closed.take(),
        })
    }

    /// Whether there is anything to tell the machine.
    #[must_use]
    pub fn has_facts(&self) -> bool {
        let is_news = self.opening.is_some()
            || !self.inbox.is_empty()
            || self.peer_end == PeerEnd::Finished
            || self.closed.is_some();
        is_news && self.closing == Closing::No
    }
}

/// There is nothing to be read just now.
fn is_spurious(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;
    use crate::options::Options;
    use crate::waiting::{Idle, Interest};

    const INBOX_MAX: usize = 8;

    /// A connection as accepted, and the peer's end of it.
    fn accepted() -> (State<Idle>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, remote) = listener.accept().unwrap();
        let local = socket.local_addr().unwrap();
        let socket = Idle.watch(socket, 1, Interest::READABLE).unwrap();
        let opening = Opening::Accepted { remote, local };
        let deadline = Timestamp::from_secs(1);
        let first = First::Bytes(&[]);
        (State::accepted(socket, opening, first, deadline), peer)
    }

    fn gather(state: &mut State<Idle>) -> usize {
        state.gather(Readiness::Readable, &mut [0; 1_024], INBOX_MAX)
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
        let net = Net::new(Options::default(), Idle, 0);
        let conn = Connection::new(ConnId::Accepted(0), 1, accepted().0);
        state.close(&conn, &net);
        assert!(state.take_facts().is_none());
        io::Write::write_all(&mut peer, b"hello?").unwrap();
        assert_eq!(gather(&mut state), 6);
        assert_eq!((state.discarded, state.inbox.len()), (6, 0));
    }
}
