//! Sockets that a poller watches, and the only unsafe code of this crate.
//!
//! [`Poller::add`] is unsafe because a poller keeps the bare descriptor: were the socket closed before it is taken out
//! of the poller, the poller could go on using a descriptor that by then belongs to somebody else. [`Watched`] makes
//! that impossible by owning both ends of the matter; the proof is where `add` is called.
//!
//! Interest is one-shot: after an event a socket is not watched until it is armed again. So an event that nobody acts
//! on (a peer's end keeps a socket readable for ever) cannot make the poller spin.
#![allow(
    unsafe_code,
    reason = "`Poller::add` is unsafe; proved safe in `Watched::register`"
)]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use polling::{Event, Poller};

/// What to be woken for. An error or a full hang-up wakes in any case, where the system can.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Interest {
    pub(crate) const READABLE: Self = Self {
        readable: true,
        writable: false,
    };
    pub(crate) const WRITABLE: Self = Self {
        readable: false,
        writable: true,
    };

    fn event(self, key: usize) -> Event {
        Event::new(key, self.readable, self.writable)
    }
}

/// A socket together with its place in a poller. Dropping it takes it out of the poller and then closes it.
#[derive(Debug)]
pub(crate) struct Watched<S: AsFd> {
    socket: S,
    poller: Arc<Poller>,
    key: usize,
}

impl Watched<TcpStream> {
    /// Watches a stream. Events for it bear `key`.
    pub(crate) fn stream(
        socket: TcpStream,
        poller: &Arc<Poller>,
        key: usize,
        interest: Interest,
    ) -> io::Result<Self> {
        Self::register(socket, poller, key, interest)
    }
}

impl Watched<TcpListener> {
    /// Watches a listener for peers. Events for it bear `key`.
    pub(crate) fn listener(
        socket: TcpListener,
        poller: &Arc<Poller>,
        key: usize,
    ) -> io::Result<Self> {
        Self::register(socket, poller, key, Interest::READABLE)
    }
}

impl<S: AsFd + AsRawFd> Watched<S> {
    /// Private: the proof below needs an `S` whose descriptor stays the same for as long as it lives.
    fn register(
        socket: S,
        poller: &Arc<Poller>,
        key: usize,
        interest: Interest,
    ) -> io::Result<Self> {
        // SAFETY: `add` demands that the source is deleted from the poller before it is dropped.
        // - If it fails, nothing was added.
        // - If it succeeds, the socket moves into a `Watched` with nothing in between that could fail or panic.
        // - A `Watched` never gives its socket away: its fields are private and it only lends `&S`. The two types that
        //   `S` can be, by the constructors above, have no way to change or close their descriptor through `&S`.
        // - So the socket is closed only when the `Watched` is dropped, and `drop` deletes it from the poller before
        //   the fields are dropped. The poller is still there, as the `Watched` holds it.
        // - A `Watched` that is leaked leaves the socket open, which breaks nothing.
        unsafe { poller.add(&socket, interest.event(key)) }?;
        Ok(Self {
            socket,
            poller: Arc::clone(poller),
            key,
        })
    }

    /// Watches for `interest` until the next event.
    pub(crate) fn arm(&self, interest: Interest) -> io::Result<()> {
        self.poller.modify(&self.socket, interest.event(self.key))
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        // It can fail only if the source is not in the poller, and then there is nothing to take out.
        let _ = self.poller.delete(&self.socket);
    }
}
