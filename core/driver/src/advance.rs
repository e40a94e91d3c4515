//! What a look at a connection does: dial it, write to it, close it, and say what to wait for next.
//!
//! Nothing here waits. Closing keeps the rule that **the side that accepted ends first**, so that the port that waits
//! for stragglers (TIME_WAIT) is a listener's, which costs nothing, and not one that dialling needs:
//!
//! - accepted: send what is queued, end our side, read on until the peer's end or for `linger`, close;
//! - dialled: send what is queued, read on until the peer's end, close. Should the end not come within `linger`, the
//!   connection is reset, which leaves no port waiting. When the driver ends it needs no ports any more: then it ends
//!   its side of these too, so that nobody waits for anybody;
//! - still being dialled: goes on only if bytes wait to be sent, so that a machine can say something and forget it.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use simplechat_core::machine::{CloseReason, ConnId, ConnectFailure};
use simplechat_core::time::Timestamp;
use socket2::SockRef;

use crate::connection::{Closing, Connection, NEVER, Opening, PeerEnd, Phase, Span, State};
use crate::dial::{self, Progress};
use crate::net::{Ending, Net};
use crate::outbox::Flushed;
use crate::waiting::{Interest, Waiting};

/// What became of a connection when it was looked at. It is for [`Net::settle`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing that the table has to know.
    None,
    /// A dial succeeded.
    Stands,
    /// The socket is closed, or will never be opened.
    Gone,
}

/// How a socket is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Teardown {
    /// In order: what was written still reaches the peer.
    Orderly,
    /// At once and for both sides; no port waits for stragglers.
    Reset,
}

impl<W: Waiting> State<W> {
    /// Does all that can be done now, and waits for nothing.
    pub fn advance(&mut self, conn: &Connection<W>, net: &Net<W>, now: Timestamp) -> Change {
        let was_dialled = match &self.phase {
            Phase::Waiting { .. } | Phase::Starting { .. } | Phase::Dialling(_) => {
                self.advance_dial(conn, net, now);
                true
            }
            Phase::Standing(_) => false,
            Phase::Gone => return Change::None,
        };
        if matches!(self.phase, Phase::Standing(_)) {
            self.advance_stream(conn, net, now);
        }
        match (&self.phase, was_dialled) {
            (Phase::Gone, _) => Change::Gone,
            (Phase::Standing(_), true) => Change::Stands,
            (Phase::Standing(_), false)
            | (Phase::Waiting { .. } | Phase::Starting { .. } | Phase::Dialling(_), _) => {
                Change::None
            }
        }
    }

    /// What can happen to its socket next, if it has one.
    pub fn interest(&mut self) -> Option<(&mut W::Socket, Interest)> {
        match &mut self.phase {
            Phase::Waiting { .. } | Phase::Starting { .. } | Phase::Gone => None,
            Phase::Dialling(socket) => Some((socket, Interest::WRITABLE)),
            // With nothing to wait for, it is watched for errors. A peer's end that was read is not looked at again.
            Phase::Standing(socket) => {
                let interest = Interest {
                    readable: self.peer_end == PeerEnd::Open,
                    writable: !self.outbox.is_empty(),
                };
                Some((socket, interest))
            }
        }
    }

    /// Whether its socket is closed, or will never be opened.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// The system does not say any more what happens to its socket, so it can only be given up.
    pub fn give_up(&mut self) {
        self.broken.get_or_insert(CloseReason::Reset);
    }

    /// Sets when to look at it again at the latest.
    pub(crate) fn set_due(&mut self, conn: &Connection<W>, net: &Net<W>, at: Timestamp) {
        self.due = at.min(self.deadline);
        net.set_due(conn.key, self.due);
    }

    /// Ends it, within the time that is left to everything, because the driver ends.
    pub(crate) fn stop(&mut self, conn: &Connection<W>, net: &Net<W>, until: Timestamp) {
        self.close(conn, net);
        self.deadline = self.deadline.min(until);
        self.set_due(conn, net, self.due);
    }

    /// Closes the socket without a word to anybody, because the driver is broken.
    pub(crate) fn abandon(&mut self) {
        self.release(Teardown::Orderly);
    }

    fn advance_dial(&mut self, conn: &Connection<W>, net: &Net<W>, now: Timestamp) {
        let is_cancelled = self.closing != Closing::No && self.outbox.is_empty();
        if is_cancelled {
            self.release(Teardown::Reset);
            return;
        }
        if self.broken.is_some() {
            self.fail(ConnectFailure::NoResources);
            return;
        }
        let is_due = now >= self.due;
        match &self.phase {
            Phase::Waiting { .. } if is_due => self.fail(ConnectFailure::NoResources),
            Phase::Starting { .. } | Phase::Dialling(_) if is_due => {
                self.fail(ConnectFailure::TimedOut);
            }
            Phase::Starting { to } => match dial::start(*to, &*net.waiting, conn.key) {
                Ok(socket) => self.phase = Phase::Dialling(socket),
                Err(failure) => self.fail(failure),
            },
            Phase::Dialling(socket) => match dial::progress(socket.as_ref()) {
                Progress::UnderWay => {}
                Progress::Stands(local) => self.stand(conn, net, local),
                Progress::Failed(failure) => self.fail(failure),
            },
            Phase::Waiting { .. } | Phase::Standing(_) | Phase::Gone => {}
        }
    }

    fn stand(&mut self, conn: &Connection<W>, net: &Net<W>, local: SocketAddr) {
        let Phase::Dialling(socket) = std::mem::replace(&mut self.phase, Phase::Gone) else {
            unreachable!("only what is being dialled comes to stand");
        };
        self.phase = Phase::Standing(socket);
        self.opening = Some(Opening::Connected { local });
        if self.span == Span::Kept {
            self.deadline = NEVER;
        }
        self.set_due(conn, net, self.deadline);
    }

    fn fail(&mut self, failure: ConnectFailure) {
        self.release(Teardown::Reset);
        self.opening = Some(Opening::Failed(failure));
    }

    fn advance_stream(&mut self, conn: &Connection<W>, net: &Net<W>, now: Timestamp) {
        if now >= self.due && self.broken.is_none() {
            self.broken = Some(CloseReason::Deadline);
        }
        if self.broken.is_none() {
            self.write();
        }
        match (self.broken, self.closing) {
            (Some(reason), _) => self.break_off(conn, reason),
            (None, Closing::No) => {}
            (None, Closing::Flushing) => self.flushed(conn, net, now),
            (None, Closing::Lingering) => self.lingered(net),
        }
        if self.closing == Closing::Lingering && net.ending() != Ending::No {
            self.end_ours();
        }
    }

    fn write(&mut self) {
        let Phase::Standing(stream) = &self.phase else {
            return;
        };
        match self.outbox.flush(stream.as_ref()) {
            Flushed::Empty | Flushed::Blocked => {}
            Flushed::Broken => {
                self.outbox.clear();
                self.is_unwritable = true;
            }
        }
        let is_all_read = self.peer_end != PeerEnd::Open || self.closing != Closing::No;
        if self.is_unwritable && is_all_read {
            self.broken = Some(CloseReason::Reset);
        }
    }

    /// Closes it because it broke or its time is over.
    fn break_off(&mut self, conn: &Connection<W>, reason: CloseReason) {
        let teardown = match (reason, self.closing, conn.id) {
            (CloseReason::Reset, _, _) => Teardown::Orderly,
            // Only the peer's end is missing, and our own was sent.
            (CloseReason::Deadline, Closing::Lingering, ConnId::Accepted(_)) => Teardown::Orderly,
            (CloseReason::Deadline | CloseReason::Overflow | CloseReason::Shutdown, _, _) => {
                Teardown::Reset
            }
        };
        self.release(teardown);
        if self.closing == Closing::No {
            self.closed = Some(reason);
            // The end of a peer that then broke off is no news.
            if self.peer_end == PeerEnd::Finished && self.is_unwritable {
                self.peer_end = PeerEnd::Told;
            }
        }
    }

    /// Once all is sent, ends our side or waits for the peer to end its own.
    fn flushed(&mut self, conn: &Connection<W>, net: &Net<W>, now: Timestamp) {
        if !self.outbox.is_empty() {
            return;
        }
        if self.peer_end != PeerEnd::Open {
            self.release(Teardown::Orderly);
            return;
        }
        self.closing = Closing::Lingering;
        self.set_due(conn, net, now + net.options.linger);
        match conn.id {
            ConnId::Accepted(_) => self.end_ours(),
            ConnId::Dialled(_) => {}
        }
    }

    /// Tells the peer that no more comes.
    fn end_ours(&mut self) {
        if let Phase::Standing(stream) = &self.phase
            && stream.as_ref().shutdown(Shutdown::Write).is_err()
        {
            self.release(Teardown::Orderly);
        }
    }

    /// Sees whether the peer has ended, or never will.
    fn lingered(&mut self, net: &Net<W>) {
        if self.peer_end != PeerEnd::Open {
            self.release(Teardown::Orderly);
        } else if self.discarded > net.options.discard_max {
            self.release(Teardown::Reset);
        }
    }

    fn release(&mut self, teardown: Teardown) {
        self.outbox.clear();
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Dialling(socket) | Phase::Standing(socket) => match teardown {
                Teardown::Orderly => {}
                Teardown::Reset => reset_on_close(socket.as_ref()),
            },
            Phase::Waiting { .. } | Phase::Starting { .. } | Phase::Gone => {}
        }
    }
}

fn reset_on_close(socket: &TcpStream) {
    // Best effort: without it the socket is closed in order, which only holds a port for a while.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
