//! What a transport adds to this crate: how readiness is waited for, and how work gets to whoever does it.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use crate::connection::Connection;
use crate::net::Net;

/// How a transport waits. Its methods are called from any thread, some with a connection locked; so none of them waits,
/// nor takes any lock but leaves (see [`crate::lock`]).
pub trait Waiting: fmt::Debug + Send + Sync + Sized + 'static {
    /// A socket whose readiness can be waited for. Dropping it ends that and closes the socket.
    type Socket: AsRef<TcpStream> + fmt::Debug + Send;
    /// What the transport itself notes about a connection; guarded by the connection's lock.
    type Notes: Default + fmt::Debug + Send;

    /// Has a non-blocking socket waited for under a key, first of all for `interest`.
    ///
    /// # Errors
    ///
    /// If the system cannot; most often it has run out of something.
    fn watch(&self, socket: TcpStream, key: usize, interest: Interest) -> io::Result<Self::Socket>;

    /// Has somebody look at a connection soon, and at least once from now on. It is locked; `notes` are its own.
    fn call(net: &Arc<Net<Self>>, conn: &Arc<Connection<Self>>, notes: &mut Self::Notes);

    /// Has whoever minds the time look around at once, though there seemed to be nothing to do yet.
    fn ring(&self);

    /// Results of effects wait in [`crate::Run::effects_done`]. Called once until they are handed in there.
    fn call_for_effects(&self);

    /// A connection has gone after accepting had to wait: accepting may go on.
    fn accept_again(&self);

    /// The machine was run by [`crate::Shared::run`]. Who could not by [`crate::Shared::try_run`] may try again.
    fn released(&self) {}
}

/// What to be woken for. Who wants neither is only to hear of an error or a full hang-up, as far as the system tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// There is something to read, or the peer's end.
    pub readable: bool,
    /// There is room to write, or a dial is decided.
    pub writable: bool,
}

impl Interest {
    /// Something to read.
    pub const READABLE: Self = Self {
        readable: true,
        writable: false,
    };
    /// Room to write, or a dial that is decided.
    pub const WRITABLE: Self = Self {
        readable: false,
        writable: true,
    };
}

/// Waits for nothing, for tests of what is done when something was waited for.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Idle;

#[cfg(test)]
impl Waiting for Idle {
    type Socket = IdleSocket;
    type Notes = ();

    fn watch(&self, socket: TcpStream, _: usize, _: Interest) -> io::Result<IdleSocket> {
        Ok(IdleSocket(socket))
    }

    fn call(_: &Arc<Net<Self>>, _: &Arc<Connection<Self>>, (): &mut ()) {}

    fn ring(&self) {}

    fn call_for_effects(&self) {}

    fn accept_again(&self) {}
}

/// A socket that nobody waits for.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct IdleSocket(TcpStream);

#[cfg(test)]
impl AsRef<TcpStream> for IdleSocket {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}
